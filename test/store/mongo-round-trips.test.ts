/**
 * How often each endpoint asks MongoDB. Every command is a wait for the network and, in a write, for a majority: so their
 * numbers are what an answer costs, and docs/scaling.md tells them. Counted on the line, with nothing else running.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

import { composeCore, composeWeb, readConfig } from '../../src/compose.ts';
import { createLog } from '../../src/platform/log.ts';
import { openMongoStore } from '../../src/store/mongo/open.ts';
import type { Store } from '../../src/store/port.ts';
import { createClient, type Tokens } from '../support/client.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { type Command, openTap, type Tap } from '../support/mongodb/tap.ts';
import { artifact, start } from '../support/records.ts';
import { createPerson, freePort } from '../support/world.ts';

const CHEAP_HASHING = { memoryKiB: 1024, iterations: 1, parallelism: 1 };
const SECRET = 'a secret that only its client knows, 0123456789';
const PASSWORD = 'lantern over a quiet harbour';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const CLIENTS = [
  {
    client_id: 'player',
    client_secret: SECRET,
    first_party: true,
    introspects: 'all',
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: ['http://player.test/callback'],
  },
  {
    client_id: 'tv',
    first_party: true,
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE_CODE, 'refresh_token'],
  },
];

/** Curfew behind a port, its store behind the line, and nobody at work in the background. */
async function house(fresh: Fresh) {
  // No minute ends while it counts.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const tap = await openTap(fresh.address.url);
  const folder = mkdtempSync(join(tmpdir(), 'curfew-round-trips-'));
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const passwordFile = join(folder, 'store-password');
  if (fresh.address.password !== undefined) writeFileSync(passwordFile, fresh.address.password);
  writeFileSync(
    join(folder, 'curfew.yaml'),
    JSON.stringify({
      issuer,
      listen: { host: '127.0.0.1', port },
      store: tap.url,
      ...(fresh.address.password === undefined ? {} : { storePasswordFile: passwordFile }),
      keyringFile: './keyring.json',
      clients: CLIENTS,
    }),
  );
  const reading = readConfig({ file: join(folder, 'curfew.yaml'), env: {}, cwd: folder });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  const log = createLog({ level: 'warn', destination: 'stderr' });
  const core = await composeCore({ ...reading.config, passwordHashing: CHEAP_HASHING }, log, {
    hashFloor: CHEAP_HASHING,
    // What a sign-out owes is spread by another process, and what is recorded together later comes in nobody's request.
    wrapStore: (store): Store => ({
      ...store,
      revocations: { ...store.revocations, pendingSignOuts: async () => [] },
      journal: {
        ...store.journal,
        append: async (events) => {
          if (events.some(({ kind }) => kind !== 'device.approved')) await store.journal.append(events);
        },
      },
    }),
  });
  const { listener } = await composeWeb(core);
  const counter = countByRequest(tap, listener);
  const server = createServer(counter.listener);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await core.close();
    await tap.cut();
    rmSync(folder, { recursive: true, force: true });
    vi.useRealTimers();
  });
  const hashed = await core.signIn.hashNewPassword({
    password: PASSWORD,
    username: 'alice',
    email: 'alice@example.test',
  });
  if (!('hash' in hashed)) throw new Error('the password was refused');
  const created = await core.accounts.create({
    username: 'alice',
    email: 'alice@example.test',
    passwordHash: hashed.hash,
  });
  if (!('account' in created)) throw new Error('the account was refused');
  const alice = createPerson({
    issuer,
    id: created.account.id,
    username: 'alice',
    email: 'alice@example.test',
    password: PASSWORD,
  });
  const [player, tv] = CLIENTS.map((setup) => createClient(issuer, setup));
  if (player === undefined || tv === undefined) throw new Error('no clients');
  return { alice, player, tv, counted: counter.counted };
}

/** What was asked for one kind of request. */
type Asked = { readonly commands: number; readonly writes: number };

const WRITES = ['insert', 'update', 'delete', 'findAndModify'];

const asked = (commands: readonly Command[]): Asked => ({
  commands: commands.length,
  writes: commands.filter(({ name }) => WRITES.includes(name)).length,
});

/** Requests come one after another here: what is asked between one and the next is the one's. */
function countByRequest(tap: Tap, listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const counts = new Map<string, Asked>();
  let present: string | undefined;
  const close = (): void => {
    const commands = tap.take();
    if (present !== undefined) counts.set(present, asked(commands));
  };
  return {
    listener(request: IncomingMessage, response: ServerResponse): void {
      close();
      const path = request.url?.replace(/\?.*/, '').replace(/(?<=\/(auth|interaction|sign-outs)\/)[\w-]{20,}/, ':id');
      present = `${request.method} ${path}`;
      listener(request, response);
    },
    /** The requests since the last time, by method and path, and what was asked for the last of each. */
    counted(): Map<string, Asked> {
      close();
      present = undefined;
      const all = new Map(counts);
      counts.clear();
      return all;
    },
  };
}

/** The table of docs/scaling.md: what a request is called there, and its two numbers. */
function documented(): Record<string, Asked> {
  const text = readFileSync(new URL('../../docs/scaling.md', import.meta.url), 'utf8');
  const [, table = ''] = /\n\| request[^\n]*\n\|[-: |]+\n((?:\|[^\n]*\n)+)/.exec(text) ?? [];
  const rows = table
    .trimEnd()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(
    rows.map(([, name = '', commands, writes]) => [name, { commands: Number(commands), writes: Number(writes) }]),
  );
}

const EXPECTED: Readonly<Record<string, Asked>> = {
  'authorization, nobody signed in': { commands: 3, writes: 1 },
  'the sign-in page': { commands: 3, writes: 0 },
  'the sign-in form': { commands: 16, writes: 4 },
  'authorization, after the sign-in': { commands: 9, writes: 5 },
  'authorization, signed in already': { commands: 10, writes: 3 },
  'token, for a code': { commands: 13, writes: 4 },
  'token, for a refresh token': { commands: 13, writes: 4 },
  'token, for the client itself': { commands: 4, writes: 1 },
  introspection: { commands: 8, writes: 0 },
  'introspection, signed out': { commands: 6, writes: 0 },
  userinfo: { commands: 7, writes: 0 },
  'device authorization': { commands: 4, writes: 1 },
  'token, for a device code, pending': { commands: 4, writes: 0 },
  'token, for a device code, approved': { commands: 13, writes: 4 },
  'sign out of all devices': { commands: 8, writes: 2 },
};

test('each request asks MongoDB so often, and the documentation says so', async () => {
  const fresh = await freshDatabase();
  const { alice, player, tv, counted } = await house(fresh);
  const found: Record<string, Asked | undefined> = {};
  const note = (names: Record<string, string>): void => {
    const counts = counted();
    for (const [name, request] of Object.entries(names)) found[name] = counts.get(request);
  };
  const round = async (): Promise<void> => {
    const browser = alice.anotherBrowser();
    const { code, verifier } = await player.obtainCode(alice, browser);
    note({
      'authorization, nobody signed in': 'GET /auth',
      'the sign-in page': 'GET /interaction/:id',
      'the sign-in form': 'POST /interaction/:id/sign-in',
      'authorization, after the sign-in': 'GET /auth/:id',
    });
    const tokens = (await player.exchange(code, verifier)).body as Tokens;
    note({ 'token, for a code': 'POST /token' });
    await player.obtainCode(alice, browser);
    note({ 'authorization, signed in already': 'GET /auth' });
    expect(await player.refresh(tokens)).toHaveProperty('access_token');
    note({ 'token, for a refresh token': 'POST /token' });
    expect(await player.post('/token', { grant_type: 'client_credentials' })).toMatchObject({ status: 200 });
    note({ 'token, for the client itself': 'POST /token' });
    expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });
    note({ introspection: 'POST /token/introspection' });
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
    note({ userinfo: 'GET /me' });
    const device = await tv.startDevice();
    note({ 'device authorization': 'POST /device/auth' });
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
    note({ 'token, for a device code, pending': 'POST /token' });
    await tv.approveDevice(alice, device.user_code, browser);
    counted();
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ status: 200 });
    note({ 'token, for a device code, approved': 'POST /token' });
    await alice.signOutOfAllDevices(browser);
    note({ 'sign out of all devices': 'POST /account/sign-out-all' });
    expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
    note({ 'introspection, signed out': 'POST /token/introspection' });
  };
  // The first sign-in of a minute asks once more: it begins the minute's count.
  await round();
  await round();
  expect(found).toEqual(EXPECTED);
  expect(documented()).toEqual(EXPECTED);
});

test('an artifact and the epochs it stands by are two commands, however it is found and however many it bears', async () => {
  const fresh = await freshDatabase();
  const tap = await openTap(fresh.address.url);
  const store = await openMongoStore({ ...fresh.address, url: tap.url });
  onTestFinished(async () => {
    await store.close();
    await tap.cut();
  });
  const stamps = Object.fromEntries(Array.from({ length: 20 }, (_, nth) => [`connection:${nth}`, 0]));
  const saved = artifact('one', { model: 'Session', uid: 'uid', userCode: 'code', accountId: 'alice', stamps });
  await store.artifacts.save(saved);
  await store.artifacts.save({ ...saved, key: artifact('another').key, uid: 'another' });
  tap.take();
  const { artifacts } = store;
  for (const [find, commands] of [
    [() => artifacts.find(saved.key, start), 2],
    [() => artifacts.findByUid('Session', 'uid', start), 2],
    [() => artifacts.findByUserCode('code', start), 2],
    [() => artifacts.sessionsOf('alice', start), 2],
    [() => artifacts.consume(saved.key, start), 2],
    [() => artifacts.find(artifact('none').key, start), 1],
  ] as const) {
    expect(await find()).not.toEqual([]);
    expect(tap.take()).toHaveLength(commands);
  }
});
