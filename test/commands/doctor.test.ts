import { chmodSync, existsSync, renameSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';

import { startUpstream } from '../support/upstream-idp.ts';
import { commandWorld, here as hereAlone } from './support.ts';

type Check = { check: string; status: string; found: string; fix: string | null };
type Report = { ok: boolean; checks: Check[] };

const of = (report: unknown, check: string): Check[] =>
  (report as Report).checks.filter((each) => each.check === check);

test('a healthy house is told so, point by point', async () => {
  const { run, here, rows } = await commandWorld();
  const accounts = (await rows())['accounts'];

  const healthy = await run('doctor', '--json');

  const report = healthy.json() as Report;
  expect(report.checks.filter(({ status }) => status === 'problem')).toEqual([]);
  expect(healthy).toMatchObject({ code: 0, stderr: '' });
  expect(report.ok).toBe(true);
  const names = [
    'keyring',
    'store',
    'clock',
    'signing keys',
    'deliveries',
    'back-channel',
    'connection',
    'blocklist',
    'issuer',
  ];
  for (const name of names)
    expect([name, of(report, name)]).toEqual([name, [expect.objectContaining({ status: 'ok', fix: null })]]);
  expect(of(report, 'configuration')).toContainEqual(
    expect.objectContaining({ status: 'warning', found: expect.stringContaining('client_secret') }),
  );
  expect((await here('doctor')).stdout).toMatch(/^✓ store +/m);
  expect((await rows())['accounts']).toEqual(accounts);
});

test('what is wrong is named with its fix, and ends with 1', async () => {
  const { here, database, alice, cinema, stopServer } = await commandWorld({
    clients: [
      {
        client_id: 'lan',
        client_secret: 'a secret long enough for anybody',
        redirect_uris: ['https://lan.test/'],
        backchannel_logout_uri: 'http://192.168.77.7/out',
      },
    ],
  });
  await cinema.signIn(alice);
  await stopServer();
  await here('sign-out', '--everyone', '--yes');
  await database.alter('deliveries', { set: { status: 'abandoned' } });
  await database.alter('sign_outs', { set: { at: new Date(Date.now() + 3_600_000) } });

  const ended = await here('doctor', '--json');

  expect(ended.code).toBe(1);
  const report = ended.json();
  expect(report).toMatchObject({ ok: false });
  expect(of(report, 'clock')).toMatchObject([
    { status: 'problem', found: expect.stringMatching(/3[56]\d\d s behind/), fix: expect.stringContaining('NTP') },
  ]);
  expect(of(report, 'back-channel')).toContainEqual(
    expect.objectContaining({
      status: 'problem',
      found: expect.stringContaining('192.168.77.7'),
      fix: expect.stringContaining('outbound.allow'),
    }),
  );
  expect(of(report, 'deliveries')).toMatchObject([
    { status: 'warning', found: expect.stringContaining('1 dead letter') },
  ]);
  expect(of(report, 'issuer')).toMatchObject([{ status: 'warning', found: expect.stringContaining('ECONNREFUSED') }]);
});

test('each connection has a line, and one that nobody can sign in through is a problem', async () => {
  const acme = await startUpstream({ name: 'Acme' });
  onTestFinished(() => acme.stop());
  const { here } = await commandWorld({
    configuration: {
      connections: [
        { id: 'acme', type: 'oidc', name: 'Acme', issuer: acme.issuer, client_id: 'curfew' },
        { id: 'corp', type: 'saml', name: 'Corp', metadataUrl: `${acme.issuer}/no-metadata` },
      ],
    },
  });
  const ended = await here('doctor', '--json');
  expect(ended).toMatchObject({ code: 1, stderr: '' });
  expect(of(ended.json(), 'connection')).toEqual([
    { check: 'connection', status: 'ok', found: expect.stringContaining('acme'), fix: null },
    {
      check: 'connection',
      status: 'problem',
      found: expect.stringMatching(/^corp: metadata: cannot be fetched: .*status 404/),
      fix: expect.stringMatching(/^curfew connection test corp; see that metadataUrl/),
    },
  ]);
});

test('a keyring that others can read, or that belongs elsewhere, is a problem', async () => {
  const { here, config, database, stopServer } = await commandWorld();
  await stopServer();
  chmodSync(config.keyringFile, 0o644);
  const exposed = await here('doctor', '--json');
  expect(exposed.code).toBe(1);
  expect(of(exposed.json(), 'keyring')).toMatchObject([{ status: 'problem', fix: `chmod 600 ${config.keyringFile}` }]);

  const other = await commandWorld();
  await other.stopServer();
  const swapped = other.file(
    'swapped.yaml',
    JSON.stringify({ ...database.configuration, keyringFile: other.config.keyringFile }),
  );
  const foreign = await hereAlone(['doctor', '--json', '--config', swapped]);
  expect(foreign.code).toBe(1);
  expect(of(foreign.json(), 'keyring')).toMatchObject([
    { status: 'problem', found: expect.stringContaining('another keyring') },
  ]);
});

test('a keyring that is not there is a problem, and none is made, not even for a database that holds nothing', async () => {
  const { here, config, stopServer, database } = await commandWorld();
  await stopServer();
  renameSync(config.keyringFile, `${config.keyringFile}.away`);
  await database.empty('facts');
  const ended = await here('doctor', '--json');
  expect(ended.code).toBe(1);
  expect(of(ended.json(), 'keyring')).toMatchObject([
    { status: 'problem', found: expect.stringContaining('there is no keyring at') },
  ]);
  expect(await here('account', 'list')).toMatchObject({ code: 2, stderr: expect.stringContaining('no keyring at') });
  expect(existsSync(config.keyringFile)).toBe(false);
});

test('a wrong configuration ends with 2', async () => {
  const { file } = await commandWorld();
  const wrong = file('wrong.yaml', 'listn: {}\nlisten: { port: many }\n');
  const refused = await hereAlone(['doctor', '--json', '--config', wrong]);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
});
