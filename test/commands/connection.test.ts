import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';

import { samlCompany } from '../support/saml-company.ts';
import { startUpstream } from '../support/upstream-idp.ts';
import { commandWorld } from './support.ts';

/** A company that publishes its SAML metadata, and rolls its certificates over when it is told to. */
async function publisher() {
  let company = await samlCompany();
  const server = createServer((_request, response) => response.end(company.metadata));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  return { url, rollOver: async () => void (company = await samlCompany()), goAway: () => void server.close() };
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
  const corp = await here('connection', 'show', 'corp');
  expect(corp.stdout).toContain(`${issuer}/saml/corp/acs`);
  expect(corp.stdout).toContain('cannot be proved by it');
  expect(corp.stdout).toMatch(/certificate +[0-9A-Fa-f:]{64}/);
  expect(await here('connection', 'show', 'nobody')).toMatchObject({ code: 2, stdout: '' });
});

test('a provider is tried, and one that is away is a failure', async () => {
  const { here, acme } = await connectionWorld();
  expect(await here('connection', 'test', 'acme', '--json')).toMatchObject({ code: 0 });
  expect((await here('connection', 'test', 'corp', '--json')).json()).toMatchObject({ ok: true });
  await acme.goDown();
  const away = await here('connection', 'test', 'acme', '--json');
  expect(away.code).toBe(1);
  expect(away.json()).toMatchObject({ ok: false });
  await acme.comeBack();
});

test('metadata are fetched again on request, and changed certificates are told', async () => {
  const { here, corp } = await connectionWorld();
  await here('connection', 'show', 'corp');
  expect((await here('connection', 'refresh', 'corp', '--json')).json()).toMatchObject({ changed: false });
  await corp.rollOver();
  const changed = (await here('connection', 'refresh', 'corp', '--json')).json() as {
    added: string[];
    removed: string[];
  };
  expect([changed.added.length, changed.removed.length]).toEqual([1, 1]);
  expect((await here('connection', 'show', 'corp')).stdout).toContain(changed.added[0] ?? 'nothing was added');
  corp.goAway();
  expect(await here('connection', 'refresh', 'corp')).toMatchObject({ code: 2, stdout: '' });
  expect((await here('connection', 'show', 'corp')).stdout).toContain(changed.added[0] ?? 'nothing was added');
  expect(await here('connection', 'refresh', 'acme')).toMatchObject({ code: 2, stdout: '' });
});

test('whoever reads a refresh is told the fingerprints that came and went', async () => {
  const { here, corp } = await connectionWorld();
  const certificate = async (): Promise<string> =>
    /certificate +([0-9A-F:]{95})/.exec((await here('connection', 'show', 'corp')).stdout)?.[1] ?? 'none is shown';
  const before = await certificate();
  expect((await here('connection', 'refresh', 'corp')).stdout).toBe('Its certificates are the same.\n');
  await corp.rollOver();
  const { stdout } = await here('connection', 'refresh', 'corp');
  const after = await certificate();
  expect(after).not.toBe(before);
  expect(stdout).toBe(`now trusted: ${after}\ntrusted no more: ${before}\n`);
});

test('everybody who came through one is signed out by command', async () => {
  const { here, stored } = await connectionWorld();
  const ended = await here('sign-out', '--connection', 'acme', '--reason', 'Acme was broken into', '--yes', '--json');
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.json()).toMatchObject({ scope: 'connection:acme', reason: 'Acme was broken into' });
  expect(await stored((store) => store.revocations.signedOutAt('connection:acme'))).not.toBeNull();
  expect(await here('sign-out', '--connection', 'nobody', '--yes')).toMatchObject({ code: 2 });
});
