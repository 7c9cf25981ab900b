/**
 * A small world to test in: a real Curfew on a real store and a real port, people with browsers, and Clients that speak
 * the protocol from outside. Nothing of the house is replaced but what a test asks for.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, vi } from 'vitest';

import type { Seams } from '../../src/compose.ts';
import type { Config } from '../../src/config.ts';
import { startServer, type RunningServer } from '../../src/server.ts';
import { createLog } from '../../src/platform/log.ts';
import { readConfig } from '../../src/config/read.ts';
import { type Client, createClient, type ClientSetup } from './client.ts';
import { type Ears, listen as openEars } from './ears.ts';
import { createPerson, type Person } from './people.ts';
import { type StoreUnderTest, storeUnderTest } from './store-under-test.ts';

const CHEAP_HASHING = { memoryKiB: 1024, iterations: 1, parallelism: 1 };

// Where tests have always found them.
export { createPerson, type Person };

let nth = 1;

export type World = {
  readonly issuer: string;
  readonly config: Config;
  readonly folder: string;
  /** The store, as it is seen from outside. */
  readonly database: StoreUnderTest;
  readonly server: RunningServer;
  readonly core: RunningServer['core'];
  /** Everything the process has logged. */
  readonly logged: string[];
  /** Where Clients receive Logout Tokens. */
  readonly ears: Ears;
  readonly alice: Person;
  readonly bob: Person;
  /** First-party, confidential, told by `sid`. */
  readonly player: Client;
  /** Third-party (asks for consent), confidential, told by `sub` alone. */
  readonly cinema: Client;
  /** First-party, public, PKCE, has no back-channel endpoint. */
  readonly phone: Client;
  /** Public, device flow only. */
  readonly tv: Client;
  /** A resource server that may introspect everybody's tokens. */
  readonly library: Client;
  /** Any Client of this world, those a test set up included. */
  client(id: string): Client;
  person(username: string): Promise<Person>;
  /** Works until every Sign-out is fanned out and every due Delivery attempted. */
  settle(): Promise<void>;
  /** Moves the clock. Only with `fakeTime`. */
  advance(seconds: number): void;
  /** Stops the server and starts another on the same data, with another configuration if asked to. */
  restart(change?: (config: Config) => Config): Promise<void>;
  stop(): Promise<void>;
};

export type WorldOptions = {
  readonly fakeTime?: boolean;
  /** Outlives the test that started it; whoever asks for that stops it. */
  readonly lasts?: boolean;
  readonly seams?: Seams;
  /** On a server that keeps nothing else. */
  readonly storeAlone?: boolean;
  readonly clients?: readonly ClientSetup[];
  readonly configuration?: Record<string, unknown>;
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of open.splice(0)) await stop();
  vi.useRealTimers();
});

/** Starts a world; it ends with the test. */
export async function world(options: WorldOptions = {}): Promise<World> {
  if (options.fakeTime === true) vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const folder = mkdtempSync(join(tmpdir(), 'curfew-world-'));
  const ears = await openEars();
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const setups = [...standardClients(ears.url), ...(options.clients ?? [])];
  const database = await storeUnderTest(folder, { alone: options.storeAlone ?? false });
  const config = configure(folder, issuer, port, setups, { ...database.configuration, ...options.configuration });
  const logged: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void logged.push(line) } });
  const seams = { hashFloor: CHEAP_HASHING, ...options.seams };
  let server = await startServer(config, log, seams);

  const person = async (username: string): Promise<Person> => {
    const password = `lantern over a quiet harbour ${nth++}`;
    const email = `${username}@example.test`;
    const hashed = await server.core.signIn.hashNewPassword({ password, username, email });
    if (!('hash' in hashed)) throw new Error(`the password of ${username} was refused: ${JSON.stringify(hashed)}`);
    const created = await server.core.accounts.create({ username, email, passwordHash: hashed.hash });
    if (!('account' in created)) throw new Error(`${username} was refused: ${JSON.stringify(created)}`);
    return createPerson({ issuer, id: created.account.id, username, email, password });
  };
  const stop = async (): Promise<void> => {
    await server.stop();
    await ears.close();
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  };
  let stopped = false;
  const stopOnce = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await stop();
  };
  if (options.lasts !== true) open.push(stopOnce);
  const client = (id: string): Client => {
    const setup = setups.find((candidate) => candidate.client_id === id);
    if (setup === undefined) throw new Error(`no client ${id}`);
    return createClient(issuer, setup);
  };
  const [alice, bob] = [await person('alice'), await person('bob')];
  return {
    issuer,
    config,
    folder,
    database,
    get server() {
      return server;
    },
    get core() {
      return server.core;
    },
    logged,
    ears,
    alice,
    bob,
    player: client('player'),
    cinema: client('cinema'),
    phone: client('phone'),
    tv: client('tv'),
    library: client('library'),
    client,
    person,
    async settle() {
      await server.core.fanOut.runUntilIdle();
      await server.core.deliveries.runUntilIdle();
    },
    advance(seconds) {
      vi.setSystemTime(Date.now() + seconds * 1000);
    },
    async restart(change = (present) => present) {
      await server.stop();
      server = await startServer(change(config), log, seams);
    },
    stop: stopOnce,
  };
}

/**
 * A port nobody listens on, below those that the kernel gives to whoever calls somebody: one of those may be taken between
 * here and the moment that somebody listens on it. Above 10080, which browsers refuse.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 32_768);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', (fault: NodeJS.ErrnoException) => {
      if (fault.code === 'EADDRINUSE') resolve(false);
      else reject(fault);
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

const SECRET = 'a secret that only its client knows, 0123456789';

function standardClients(earsUrl: string): ClientSetup[] {
  const code = { response_types: ['code'], grant_types: ['authorization_code', 'refresh_token', 'client_credentials'] };
  const device = {
    redirect_uris: [],
    response_types: [],
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  };
  return [
    {
      client_id: 'player',
      client_name: 'Player',
      client_secret: SECRET,
      first_party: true,
      ...code,
      redirect_uris: ['http://player.test/callback'],
      post_logout_redirect_uris: ['http://player.test/signed-out'],
      backchannel_logout_uri: `${earsUrl}/player`,
      backchannel_logout_session_required: true,
    },
    {
      client_id: 'cinema',
      client_name: 'Cinema',
      client_secret: SECRET,
      ...code,
      redirect_uris: ['http://cinema.test/callback'],
      backchannel_logout_uri: `${earsUrl}/cinema`,
    },
    {
      client_id: 'phone',
      client_name: 'Phone',
      first_party: true,
      token_endpoint_auth_method: 'none',
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://phone.test/callback'],
    },
    { client_id: 'tv', client_name: 'Television', token_endpoint_auth_method: 'none', first_party: true, ...device },
    {
      client_id: 'library',
      client_name: 'Media library',
      client_secret: SECRET,
      first_party: true,
      introspects: 'all',
      ...device,
    },
  ];
}

function configure(
  folder: string,
  issuer: string,
  port: number,
  clients: readonly ClientSetup[],
  extra: Record<string, unknown>,
): Config {
  const file = join(folder, 'curfew.yaml');
  const written = {
    issuer,
    listen: { host: '127.0.0.1', port },
    keyringFile: './secrets/keyring.json',
    outbound: { allow: ['127.0.0.1/32', 'localhost'] },
    throttle: { addressAttemptsPerMinute: 10_000 },
    clients,
    ...extra,
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(written));
  const reading = readConfig({ file, env: {}, cwd: folder });
  if (!reading.ok) throw new Error(`the world's configuration is wrong: ${JSON.stringify(reading.problems)}`);
  return { ...reading.config, passwordHashing: CHEAP_HASHING };
}
