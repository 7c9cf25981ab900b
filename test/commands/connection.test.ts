import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';

import { samlCompany } from '../support/saml-company.ts';
import { startUpstream } from '../support/upstream-idp.ts';
import { commandWorld } from './support.ts';

/** A company that publishes its SAML metadata, and rolls its certificates over when it is told to. */
async function publisher() {
  let company = await samlCompany();
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.end(company.metadata);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  return {
    url,
    rollOver: async () => void (company = await samlCompany()),
    goAway: () => server.close().closeAllConnections(),
    asked: () => asked,
  };
}

const connectionWorld = async () => {
  const acme = await startUpstream({ name: 'Acme' });
  onTestFinished(() => acme.stop());
  const corp = await publisher();
  const it = await commandWorld({
    configuration: {
      connections: [
        {
          id: 'acme',
          type: 'oidc',
          name: 'Acme',
          issuer: acme.issuer,
          client_id: 'curfew',
          domains: ['acme.test'],
          admit: { groups: ['staff'] },
        },
        { id: 'corp', type: 'saml', name: 'Corp', metadataUrl: corp.url, reauthentication: 'unable' },
      ],
    },
  });
  return { ...it, here: it.here, acme, corp };
};

test('connections are listed and shown, with what each provider must be told', async () => {
  const { here, issuer } = await connectionWorld();
  expect((await here('connection', 'list', '--json')).json()).toMatchObject([
    { id: 'acme', type: 'oidc', name: 'Acme', domains: ['acme.test'], reauthentication: 'verified' },
    { id: 'corp', type: 'saml', name: 'Corp', reauthentication: 'unable' },
  ]);
  expect((await here('connection', 'show', 'acme', '--json')).json()).toMatchObject({
    addresses: {
      redirectUri: `${issuer}/federation/acme/callback`,
      backchannelLogoutUri: `${issuer}/federation/acme/backchannel-logout`,
    },
    admit: { groups: ['staff'] },
  });
  await here('connection', 'refresh', 'corp');
  const corp = await here('connection', 'show', 'corp');
  expect(corp.stdout).toContain(`${issuer}/saml/corp/acs`);
  expect(corp.stdout).toContain('cannot be proved by it');
  expect(corp.stdout).toMatch(/certificate +[0-9A-Fa-f:]{64}/);
  expect(await here('connection', 'show', 'nobody')).toMatchObject({ code: 2, stdout: '' });
});

test('a provider is tried, and one that is away is a failure', async () => {
  const { here, acme } = await connectionWorld();
  const there = await here('connection', 'test', 'acme');
  expect(there).toMatchObject({ code: 0 });
  expect(there.stdout).toContain('redirect address is first tried at a sign-in');
  expect((await here('connection', 'test', 'corp', '--json')).json()).toMatchObject({ ok: true });
  await acme.goDown();
  const away = await here('connection', 'test', 'acme', '--json');
  expect(away.code).toBe(1);
  const remedy: unknown = expect.stringContaining('see that the provider runs');
  expect(away.json()).toMatchObject({ ok: false, checks: [{ check: 'discovery', status: 'problem', fix: remedy }] });
  expect((await here('connection', 'test', 'acme')).stdout).toMatch(
    /^✗ discovery .*\n +fix: see that the provider runs/,
  );
  await acme.comeBack();
});

test('a SAML provider is asked when it is tried, and one that is away is told of though its metadata are kept', async () => {
  const { here, corp } = await connectionWorld();
  const asked = await here('connection', 'test', 'corp');
  expect(asked).toMatchObject({ code: 0, stderr: '' });
  expect(asked.stdout).toMatch(
    new RegExp(`^✓ metadata +of https://idp.example.com/metadata, fetched from ${corp.url} at \\d{4}-.{14}Z$`, 'm'),
  );
  expect(asked.stdout).toMatch(/until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);

  corp.goAway();
  const away = await here('connection', 'test', 'corp');
  expect(away).toMatchObject({ code: 0, stderr: '' });
  expect(away.stdout).toMatch(
    /^! metadata +cannot be fetched: .*ECONNREFUSED.*; those of \d{4}-.{14}Z are used\n +fix: see that the provider runs/m,
  );
});

test('a SAML provider that never answered is told of by its reason, and nothing else is', async () => {
  const { here, corp } = await connectionWorld();
  corp.goAway();
  const tried = await here('connection', 'test', 'corp', '--json');
  expect(tried).toMatchObject({ code: 1, stderr: '' });
  expect(tried.json()).toMatchObject({
    ok: false,
    checks: [
      {
        check: 'metadata',
        status: 'problem',
        found: expect.stringMatching(/^cannot be fetched: .*ECONNREFUSED/),
        fix: expect.stringContaining('see that the provider runs'),
      },
    ],
  });
  const shown = await here('connection', 'show', 'corp');
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toContain('have not been fetched yet: `curfew connection refresh corp`');
  const refused = await here('connection', 'refresh', 'corp');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^curfew: the metadata cannot be fetched: .*ECONNREFUSED.*\n {2}fix: see that .*\n$/);
  expect(refused.stderr).not.toContain('are used');
});

test('showing a connection asks nobody', async () => {
  const { here, corp } = await connectionWorld();
  await here('connection', 'show', 'corp');
  await here('connection', 'show', 'corp', '--json');
  expect(corp.asked()).toBe(0);
});

test('a SAML connection shows what is known of its provider, and what the provider must be told, apart', async () => {
  const { here, corp, issuer } = await connectionWorld();
  await here('connection', 'refresh', 'corp');
  const shown = (await here('connection', 'show', 'corp', '--json')).json() as Record<string, unknown>;
  const own = `${issuer}/saml/corp/metadata`;
  const certificate = { fingerprint: expect.stringMatching(/^[0-9A-F:]{95}$/), validUntil: expect.any(String) };
  expect(shown).toMatchObject({
    addresses: {
      metadataUrl: own,
      entityId: own,
      acsUrl: `${issuer}/saml/corp/acs`,
      sloUrl: `${issuer}/saml/corp/slo`,
    },
    certificates: [certificate],
    provider: { entityId: 'https://idp.example.com/metadata', metadataUrl: corp.url, fetchedAt: expect.any(String) },
    nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    ownCertificates: [
      { use: 'signing', ...certificate },
      { use: 'encryption', ...certificate },
    ],
  });
  const { ownCertificates } = shown as { ownCertificates: { fingerprint: string }[] };
  const published = await (await fetch(own)).text();
  const [signing] = /(?<=<ds:X509Certificate>)[^<]+/.exec(published) ?? [];
  expect(ownCertificates[0]?.fingerprint).toBe(
    new X509Certificate(Buffer.from(signing ?? '', 'base64')).fingerprint256,
  );

  const { stdout } = await here('connection', 'show', 'corp');
  const [known = '', told = ''] = stdout.split('\n\n');
  expect(known).toMatch(/^What is known and asked of the provider\n/);
  expect(known).toContain('https://idp.example.com/metadata');
  expect(known).not.toContain(ownCertificates[0]?.fingerprint);
  expect(told).toMatch(/^What to tell the provider\n/);
  for (const { fingerprint } of ownCertificates) expect(told).toContain(fingerprint);
  expect(told).not.toMatch(/\.\d{3}Z/);
});

test('a provider that is named wrongly is told of with what was found', async () => {
  const acme = await startUpstream({ name: 'Acme' });
  onTestFinished(() => acme.stop());
  const corp = await publisher();
  const { here } = await commandWorld({
    configuration: {
      connections: [
        { id: 'acme', type: 'oidc', name: 'Acme', issuer: `${acme.issuer}/tenant`, client_id: 'curfew' },
        { id: 'corp', type: 'saml', name: 'Corp', metadataUrl: corp.url, entityId: 'https://idp.example.com/other' },
      ],
    },
  });
  expect((await here('connection', 'test', 'acme', '--json')).json()).toMatchObject({
    checks: [
      {
        found: expect.stringContaining(
          `${acme.issuer}/tenant/.well-known/openid-configuration: answered with status 404`,
        ),
        fix: expect.stringContaining('see that issuer is'),
      },
    ],
  });
  expect((await here('connection', 'test', 'corp', '--json')).json()).toMatchObject({
    checks: [
      {
        found: expect.stringMatching(/no-identity-provider.*; found: https:\/\/idp\.example\.com\/metadata$/),
        fix: expect.stringContaining('entityId'),
      },
    ],
  });
});

test('metadata are fetched again on request, and changed certificates are told', async () => {
  const { here, corp } = await connectionWorld();
  expect((await here('connection', 'refresh', 'corp', '--json')).json()).toMatchObject({ changed: true, removed: [] });
  expect((await here('connection', 'refresh', 'corp', '--json')).json()).toMatchObject({ changed: false });
  await corp.rollOver();
  const changed = (await here('connection', 'refresh', 'corp', '--json')).json() as {
    added: string[];
    removed: string[];
  };
  expect([changed.added.length, changed.removed.length]).toEqual([1, 1]);
  expect((await here('connection', 'show', 'corp')).stdout).toContain(changed.added[0] ?? 'nothing was added');
  corp.goAway();
  const away = await here('connection', 'refresh', 'corp');
  expect(away).toMatchObject({ code: 1, stdout: '' });
  expect(away.stderr).toContain('Those that were fetched before are used meanwhile');
  expect((await here('connection', 'show', 'corp')).stdout).toContain(changed.added[0] ?? 'nothing was added');
  expect(await here('connection', 'refresh', 'acme')).toMatchObject({ code: 2, stdout: '' });
});

test('whoever reads a refresh is told the fingerprints that came and went', async () => {
  const { here, corp } = await connectionWorld();
  const certificate = async (): Promise<string> =>
    /certificate +([0-9A-F:]{95})/.exec((await here('connection', 'show', 'corp')).stdout)?.[1] ?? 'none is shown';
  await here('connection', 'refresh', 'corp');
  const before = await certificate();
  expect((await here('connection', 'refresh', 'corp')).stdout).toBe('Its certificates are the same.\n');
  await corp.rollOver();
  const { stdout, stderr } = await here('connection', 'refresh', 'corp');
  expect(stderr).toBe('');
  const after = await certificate();
  expect(after).not.toBe(before);
  expect(stdout).toBe(`now trusted: ${after}\ntrusted no more: ${before}\n`);
});

test('everybody who came through one is signed out by command', async () => {
  const { here, stored } = await connectionWorld();
  const foretold = await here('sign-out', '--connection', 'acme', '--dry-run');
  expect(foretold.stdout).toContain('Not counted: people who are signed in here and at no app.');
  expect((await here('sign-out', '--everyone', '--dry-run')).stdout).not.toContain('Not counted');
  const ended = await here('sign-out', '--connection', 'acme', '--reason', 'Acme was broken into', '--yes', '--json');
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.json()).toMatchObject({ scope: 'connection:acme', reason: 'Acme was broken into' });
  expect(await stored((store) => store.revocations.signedOutAt('connection:acme'))).not.toBeNull();
  expect(await here('sign-out', '--connection', 'nobody', '--yes')).toMatchObject({ code: 2 });
});
