/**
 * The drill of a stolen database, over houses that people use: where nothing lies open it finds nothing, where something does it
 * says what and where, and the house never notices.
 */
import { hash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

import { setUpApp } from '../support/authenticator.ts';
import { MAIL } from '../support/mailbox.ts';
import { databaseFile } from '../support/sqlite-under-test.ts';
import { engine, type Rows } from '../support/store-under-test.ts';
import { type CommandWorld, commandWorld } from './support.ts';

const DRILL = ['drill', 'stolen-database'] as const;

type Report = {
  readonly nothing: boolean;
  readonly findings: readonly { readonly kind: string; readonly what: string; readonly where: string }[];
  readonly searched: Record<string, number>;
  readonly tries: readonly {
    readonly as: string;
    readonly values: number;
    readonly overHttp: number;
    worked: number;
  }[];
  readonly readable: readonly { readonly table: string; readonly columns: readonly string[] }[];
};

const DOORS = [
  'session cookie',
  'interaction cookie',
  'half-finished sign-in',
  'trusted-browser cookie',
  'bearer token',
  'token to introspect',
  'refresh token',
  'authorization code',
  'device code',
  'user code',
  'pushed request',
  'registration token',
  'initial access token',
  'link of a mail',
  'client secret',
  'password',
  'secret of an app for codes',
  'recovery code',
];

test('of a house that people use a thief has nothing, and nothing in it changes', { timeout: 240_000 }, async () => {
  const world = await inhabited();
  const temporary = ownTemporaryFolder(world);
  // What a server writes after its answers is written once it has stopped.
  await world.stopServer();
  const [heard, before] = [world.ears.heard.length, lasting(await world.rows())];

  const ended = await world.run(...DRILL, '--json');

  expect(ended.stderr).toBe('');
  const report = ended.json() as Report;
  expect(report.findings).toEqual([]);
  expect(ended.code).toBe(0);
  expect(report.tries.map(({ as }) => as)).toEqual(DOORS);
  for (const { values, overHttp, worked } of report.tries) {
    expect([values > 200, overHttp > 100, worked]).toEqual([true, true, 0]);
  }
  expect(report.searched).toMatchObject({ people: 3 });
  expect(report.searched['canaries']).toBeGreaterThan(60);
  expect(report.readable).toContainEqual(
    expect.objectContaining({
      table: 'client_sessions',
      columns: expect.arrayContaining(['account_id', 'client_id']),
    }),
  );

  const { events: written = [], ...after } = lasting(await world.rows());
  const { events: known = [], ...unchanged } = before;
  expect(after).toEqual(unchanged);
  const added = written.filter(({ id }) => !known.some((event) => event['id'] === id));
  expect(added).toEqual([expect.objectContaining({ kind: 'drill.stolen-database' })]);
  expect(JSON.stringify(added)).toContain('findings');
  expect(world.ears.heard.length).toBe(heard);
  expect(copiesIn(temporary)).toEqual([]);
});

test('what was planted is found where it lies, and is not shown', { timeout: 240_000 }, async () => {
  const world = await inhabited();
  const { alice, bob, player, core } = world;
  const { secret } = await setUpApp(await bob.signIn());
  const tokens = await player.signIn(bob);
  const { catalogue, artifacts } = core.store;
  await world.database.alter('deliveries', { set: { lastOutcome: `answered by ${alice.email}` } });
  await catalogue.settle('note-of-a-token', tokens.refresh_token);
  await catalogue.settle('note-of-a-secret', Buffer.from(secret).toString('base64'));
  await catalogue.settle('note-of-a-name', hash('sha256', bob.email));
  // Kept under a digest of what stands next to it.
  const sid = String((await world.rows())['client_sessions']?.[0]?.['sid']);
  await artifacts.save({
    model: 'RefreshToken',
    key: hash('sha256', `RefreshToken:${sid}`, 'buffer'),
    payload: '{}',
    stamps: {},
    expiresAt: new Date(Date.now() + 3_600_000),
  });
  const kept = join(world.folder, 'kept');

  const ended = await world.run(...DRILL, '--keep', kept);

  expect(ended.code).toBe(1);
  for (const [what, where] of [
    [`the e-mail address of account ${alice.id}, as it is`, 'deliveries.last_outcome'],
    ['a value that works as refresh token', 'facts.value'],
    ['a value that works as token to introspect', 'facts.value'],
    [`the app secret of account ${bob.id}, in base64`, 'facts.value'],
    [`the e-mail address of account ${bob.id}, its SHA256`, 'facts.value'],
    ['a value that works as refresh token', 'client_sessions.sid'],
  ] as const) {
    expect(ended.stdout).toMatch(new RegExp(`${what} +${where.replace('.', '\\.')}$`, 'm'));
  }
  expect(ended.stdout).toMatch(/^A thief would have: \d+ things, named above\.$/m);
  for (const shown of [alice.email, bob.email, secret, tokens.refresh_token, sid]) {
    expect(ended.stdout + ended.stderr).not.toContain(shown);
  }
  expect(statSync(kept).mode & 0o777).toBe(0o700);
  expect(readdirSync(kept)).toContain('curfew.db');
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('cut off by %s, it leaves nothing behind', { timeout: 120_000 }, async (signal, code) => {
  const world = await inhabited();
  const temporary = ownTemporaryFolder(world);
  await world.stopServer();
  const before = lasting(await world.rows());

  const running = world.begin(...DRILL, '--progress', 'json');
  await running.saying('Searching every byte');
  const copied = copiesIn(temporary);
  expect(copied).toHaveLength(1);
  expect(existsSync(join(temporary, String(copied[0]), 'curfew.db'))).toBe(true);
  expect(statSync(join(temporary, String(copied[0]))).mode & 0o777).toBe(0o700);
  running.process.kill(signal);

  expect(await running.ended).toMatchObject({ code, stdout: '' });
  expect(copiesIn(temporary)).toEqual([]);
  expect(lasting(await world.rows())).toEqual(before);
});

test('a folder that holds something is not written to', async () => {
  const world = await commandWorld();
  const ended = await world.here(...DRILL, '--keep', world.folder);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('is not empty');
});

test('a folder that others can look into is not written to', async () => {
  const world = await commandWorld();
  const open = join(world.folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const ended = await world.here(...DRILL, '--keep', open);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('is open to other users of this machine');
  expect(readdirSync(open)).toEqual([]);
});

test.runIf(engine === 'sqlite')('where there is no room for a copy, none is begun', async () => {
  const world = await commandWorld();
  await world.stopServer();
  const temporary = ownTemporaryFolder(world);
  // A log that was never written to, and says to be larger than what is free.
  const { bavail, bsize } = statfsSync(temporary);
  writeFileSync(`${databaseFile(world.folder)}-wal`, '');
  truncateSync(`${databaseFile(world.folder)}-wal`, bavail * bsize);

  const ended = await world.here(...DRILL);

  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(/there is not enough room in .*: [\d,]+ MB are needed, and [\d,]+ MB are free/);
  expect(copiesIn(temporary)).toEqual([]);
});

/** A house that sends mail, whose people have signed in by several ways. */
async function inhabited(): Promise<CommandWorld> {
  const world = await commandWorld({ configuration: MAIL });
  const { alice, bob, player, cinema, tv, phone, settle, person } = world;
  const own = await alice.signIn();
  await player.signIn(alice, own);
  await player.refresh(await phone.signIn(alice, own));
  await tv.connectDevice(alice, own);
  await cinema.signIn(bob);
  await bob.signOutOfAllDevices();
  await settle();
  const carol = await person('carol');
  await setUpApp(await carol.signIn());
  const asking = carol.anotherBrowser();
  await asking.open('/reset');
  await asking.press('Send reset link', { username: carol.email });
  await world.server.settled();
  await world.core.mails?.runUntilIdle();
  return world;
}

/** What nobody changes who only looks: not who works at what, and which event is chained already. */
function lasting({ leases: _leases, events = [], ...rows }: Rows): Rows {
  return { ...rows, events: events.map(({ seq: _seq, hash: _hash, ...event }) => event) };
}

/** What drills have copied there; the folder is not theirs alone. */
const copiesIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('curfew-drill-'));

/** Where the command makes its temporary folders from here on. */
function ownTemporaryFolder({ folder }: CommandWorld): string {
  const temporary = join(folder, 'temporary');
  mkdirSync(temporary);
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  return temporary;
}
