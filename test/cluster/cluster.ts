/**
 * Several Curfews on one database, behind one address: what an operator with many machines runs, with all of them on this
 * one. The same issuer, keyring and database; a port, a configuration file and, if asked for, a line to the database of its
 * own for each. All of them are started at once on an empty database, as a first deployment would.
 *
 * Nothing of the house is replaced: what a test wants to happen inside a process it brings about from outside.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { mongo } from 'mongoose';
import { vi } from 'vitest';

import { composeCore } from '../../src/compose.ts';
import { readConfig } from '../../src/config/read.ts';
import { createLog } from '../../src/platform/log.ts';
import { type Ended, type Running, start } from '../commands/support.ts';
import { Browser } from '../support/browser.ts';
import { type Client, createClient, type ClientSetup } from '../support/client.ts';
import { type Ears, listen as openEars } from '../support/ears.ts';
import { freshDatabase } from '../support/mongodb/fresh.ts';
import { createPerson, freePort, type Person } from '../support/world.ts';
import { type Front, openFront } from './front.ts';
import { type CurfewProcess, curfewProcess } from './process.ts';

/** What one process speaks to the database over. */
export type Line = { readonly port: number; close(): Promise<void> };

/** Where the database is, and how to look into it behind everybody's back. */
export type Database = {
  readonly address: { readonly url: string; readonly password: string | undefined };
  readonly db: mongo.Db;
};

export type ClusterOptions<Own extends Line> = {
  readonly processes: number;
  /** Gives each process a line of its own to this port of 127.0.0.1. */
  readonly line?: (options: { readonly to: number }) => Promise<Own>;
  /** Makes the database, which `ended` is to take away; without it there is one on the server that all tests share. */
  readonly database?: (ended: (tidy: () => Promise<void>) => void) => Promise<Database>;
  readonly clients?: readonly ClientSetup[];
  readonly configuration?: Record<string, unknown>;
};

export type Cluster<Own extends Line = Line> = {
  readonly issuer: string;
  readonly processes: readonly CurfewProcess[];
  /** In the order of the processes. */
  readonly lines: readonly Own[];
  readonly front: Front;
  readonly ears: Ears;
  readonly db: mongo.Db;
  /** The operator's hand: the house without HTTP, on the same store, which spreads and delivers nothing by itself. */
  readonly core: Awaited<ReturnType<typeof composeCore>>;
  client(id: string): Client;
  /** Somebody new, whose name begins like this. */
  person(name: string): Promise<Person>;
  /** `curfew …`, to its end. */
  command(...args: string[]): Promise<Ended>;
  /** The same without waiting for it. */
  begin(...args: string[]): Running;
  /** Until every Sign-out is fanned out and every Delivery made, by whoever lives. */
  settled(): Promise<void>;
  stop(): Promise<void>;
};

/** Whoever is killed with a lease in hand keeps it for a minute. */
const SETTLED_WITHIN_MS = 75_000;
let nth = 0;

export async function cluster<Own extends Line>(options: ClusterOptions<Own>): Promise<Cluster<Own>> {
  const tidying: (() => Promise<void>)[] = [];
  const ended = (tidy: () => Promise<void>): void => void tidying.unshift(tidy);
  const stop = async (): Promise<void> => {
    for (const tidy of tidying.splice(0)) await tidy();
  };
  try {
    return { ...(await build(options, ended)), stop };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

async function build<Own extends Line>(
  { processes: count, line: openLine, database: make = freshDatabase, ...options }: ClusterOptions<Own>,
  ended: (tidy: () => Promise<void>) => void,
): Promise<Omit<Cluster<Own>, 'stop'>> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-cluster-'));
  ended(async () => rmSync(folder, { recursive: true, force: true }));
  const database = await make(ended);
  const ears = await openEars();
  ended(() => ears.close());
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const setups = [...standardClients(ears.url), ...(options.clients ?? [])];
  const common = {
    issuer,
    ...password(folder, database.address.password),
    keyringFile: './secrets/keyring.json',
    outbound: { allow: ['127.0.0.1/32'] },
    throttle: { addressAttemptsPerMinute: 100_000 },
    passwordHashing: { memoryKiB: 19_456, iterations: 2, parallelism: 1 },
    clients: setups,
    ...options.configuration,
  };
  const file = (name: string, own: Record<string, unknown>): string => {
    const path = join(folder, `${name}.yaml`);
    // JSON is YAML.
    writeFileSync(path, JSON.stringify({ ...common, ...own }));
    return path;
  };

  const lines: Own[] = [];
  const processes: CurfewProcess[] = [];
  for (let at = 0; at < count; at++) {
    let store = database.address.url;
    if (openLine !== undefined) {
      const line = await openLine({ to: portOf(store) });
      lines.push(line);
      ended(() => line.close());
      store = overLine(store, line.port);
    }
    const listen = { host: '127.0.0.1', port: await freePort() };
    processes.push(curfewProcess({ port: listen.port, file: file(`curfew-${at}`, { store, listen }) }));
  }
  ended(async () => void (await Promise.all(processes.map((each) => each.kill()))));
  await Promise.all(processes.map((each) => each.start()));
  const front = await openFront({ port, processes: processes.map((each) => each.port) });
  ended(() => front.close());

  const operator = file('operator', { store: database.address.url, listen: { host: '127.0.0.1', port } });
  const reading = readConfig({ file: operator, env: {} });
  if (!reading.ok) throw new Error(`the cluster's configuration is wrong: ${JSON.stringify(reading.problems)}`);
  const core = await composeCore(reading.config, createLog({ level: 'silent' }));
  ended(() => core.close());

  return {
    issuer,
    processes,
    lines,
    front,
    ears,
    db: database.db,
    core,
    client(id) {
      const setup = setups.find((candidate) => candidate.client_id === id);
      if (setup === undefined) throw new Error(`no client ${id}`);
      return createClient(issuer, setup);
    },
    async person(name) {
      const username = `${name}-${nth++}`;
      const named = { username, email: `${username}@example.test`, password: `lantern over a quiet harbour ${nth}` };
      const hashed = await core.signIn.hashNewPassword(named);
      const created = 'hash' in hashed ? await core.accounts.create({ ...named, passwordHash: hashed.hash }) : hashed;
      if (!('account' in created)) throw new Error(`${username} was refused: ${JSON.stringify(created)}`);
      return createPerson({ issuer, id: created.account.id, ...named });
    },
    command: (...args) => start([...args, '--config', operator]).ended,
    begin: (...args) => start([...args, '--config', operator]),
    async settled() {
      const { scopes, deliveries } = {
        scopes: database.db.collection('scopes'),
        deliveries: database.db.collection('deliveries'),
      };
      await vi.waitFor(
        async () => {
          const pending = await scopes.countDocuments({ 'pending.0': { $exists: true } });
          const owed = await deliveries.countDocuments({ status: 'pending' });
          if (pending + owed > 0) throw new Error(`${pending} sign-outs and ${owed} deliveries stay pending`);
        },
        { timeout: SETTLED_WITHIN_MS, interval: 20 },
      );
    },
  };
}

/** A browser with the same cookies and the same page before it, so that what is done with them does not show in the first. */
export function copyOf(browser: Browser): Browser {
  const copy = new Browser(browser.origin, browser.userAgent);
  for (const [name, cookie] of browser.cookies) copy.cookies.set(name, cookie);
  copy.page = browser.page;
  return copy;
}

function password(folder: string, value: string | undefined): { storePasswordFile?: string } {
  if (value === undefined) return {};
  const storePasswordFile = join(folder, 'secrets', 'store-password');
  mkdirSync(join(folder, 'secrets'), { recursive: true, mode: 0o700 });
  writeFileSync(storePasswordFile, value, { mode: 0o600 });
  return { storePasswordFile };
}

const HOSTS = /(?<=^mongodb:\/\/(?:[^@/]*@)?)(?<host>[^@:/?,]+)(?::(?<port>\d+))?(?=[/?]|$)/;

/** Lines are laid on this machine. */
function portOf(url: string): number {
  const { host = '', port = '27017' } = HOSTS.exec(url)?.groups ?? {};
  if (!['127.0.0.1', 'localhost'].includes(host)) throw new Error('lines need a single server on 127.0.0.1');
  return Number(port);
}

/** The driver must not go on to the address by which the server knows itself. */
function overLine(url: string, port: number): string {
  const there = url.replace(HOSTS, `127.0.0.1:${port}`).replace(/replicaSet=[^&]*&?/, '');
  return `${there}${there.includes('?') ? '&' : '?'}directConnection=true`;
}

const SECRET = 'a secret that only its client knows, 0123456789';

/** Three that are told by `sid` and one by `sub`; one without a back channel, a television, and one that may introspect. */
function standardClients(earsUrl: string): ClientSetup[] {
  const code = { response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'] };
  const device = { redirect_uris: [], response_types: [] };
  return [
    ...['player', 'theatre', 'radio'].map((id) => ({
      client_id: id,
      client_secret: SECRET,
      first_party: true,
      ...code,
      redirect_uris: [`http://${id}.test/callback`],
      post_logout_redirect_uris: [`http://${id}.test/signed-out`],
      backchannel_logout_uri: `${earsUrl}/${id}`,
      backchannel_logout_session_required: true,
    })),
    {
      client_id: 'cinema',
      client_secret: SECRET,
      ...code,
      redirect_uris: ['http://cinema.test/callback'],
      backchannel_logout_uri: `${earsUrl}/cinema`,
    },
    {
      client_id: 'phone',
      token_endpoint_auth_method: 'none',
      first_party: true,
      ...code,
      redirect_uris: ['http://phone.test/callback'],
    },
    {
      client_id: 'tv',
      client_name: 'Television',
      token_endpoint_auth_method: 'none',
      first_party: true,
      ...device,
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    },
    {
      client_id: 'library',
      client_secret: SECRET,
      first_party: true,
      introspects: 'all',
      ...device,
      grant_types: ['client_credentials'],
    },
  ];
}
