/** `node src/main.ts --config FILE` as an operator runs it: a process, what it says, how it ends, what it leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';

import { composeCore } from '../../src/compose.ts';
import { readConfig } from '../../src/config/read.ts';
import { createLog } from '../../src/platform/log.ts';

import { type StoreUnderTest, storeUnderTest } from '../support/store-under-test.ts';
import { createPerson, freePort } from '../support/world.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const PATIENCE_MS = 15_000;

const running = new Set<ChildProcess>();
const places: Place[] = [];
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([...running].map((child) => once(child, 'exit')));
  for (const { folder, database } of places.splice(0)) {
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
});

export type Place = {
  readonly folder: string;
  readonly file: string;
  readonly issuer: string;
  readonly port: number;
  readonly database: StoreUnderTest;
  readonly keyring: string;
};

/** A folder with a configuration in it, and nothing else yet. */
export async function place(configuration: Record<string, unknown> = {}): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-place-'));
  const database = await storeUnderTest(folder);
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const file = join(folder, 'curfew.yaml');
  const written = {
    issuer,
    listen: { host: '127.0.0.1', port },
    ...database.configuration,
    keyringFile: './secrets/keyring.json',
    passwordHashing: { memoryKiB: 19_456, iterations: 2, parallelism: 1 },
    ...configuration,
  };
  writeFileSync(file, JSON.stringify(written));
  const made = { folder, file, issuer, port, database, keyring: join(folder, 'secrets', 'keyring.json') };
  places.push(made);
  return made;
}

export type Program = {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
  /** Everything on stdout so far. */
  output(): string;
};

export function run({ file }: Pick<Place, 'file'>): Program {
  const child = spawn(process.execPath, [MAIN, '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'curfew-faults-compile-cache') },
  });
  running.add(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (said.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (said.stderr += String(chunk)));
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...said };
  });
  return { child, ended, output: () => said.stdout };
}

/** Runs until it serves. */
export async function serve(at: Place): Promise<Program> {
  const program = run(at);
  let over: string | undefined;
  void program.ended.then(({ code, stderr }) => (over = `it ended with ${code}: ${stderr}`));
  await until(`${at.issuer} serves`, () => {
    if (over !== undefined) throw new Error(over);
    return program.output().includes('"server.listening"');
  });
  return program;
}

export async function until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`still waiting until ${what}`);
    await pause(10);
  }
}

/** The start is refused with this exit code, in one message of so many lines without a stack, and leaves no trace. */
export async function refusal(at: Place, code: 1 | 2, { lines = 1 } = {}): Promise<string> {
  const before = [snapshot(at.folder), await at.database.bytes()];
  const ended = await run(at).ended;
  expect(ended).toMatchObject({ code, signal: null, stdout: '' });
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(lines);
  expect(ended.stderr).not.toMatch(/^\s+at |node:internal|\.ts:\d/m);
  expect([snapshot(at.folder), await at.database.bytes()]).toEqual(before);
  return ended.stderr;
}

/** A place where Curfew has run, with somebody in it; as a clean stop leaves it. */
export async function used(configuration: Record<string, unknown> = {}) {
  const at = await place(configuration);
  const reading = readConfig({ file: at.file, env: {} });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  const core = await composeCore(reading.config, createLog({ level: 'silent' }));
  const named = { username: 'alice', email: 'alice@example.test', password: 'lantern over a quiet harbour' };
  const hashed = await core.signIn.hashNewPassword(named);
  if (!('hash' in hashed)) throw new Error('the password was refused');
  const created = await core.accounts.create({ ...named, passwordHash: hashed.hash });
  if (!('account' in created)) throw new Error('the account was refused');
  await core.close();
  return { ...at, alice: createPerson({ issuer: at.issuer, id: created.account.id, ...named }) };
}

/** Every file and folder below, with its mode and a digest of what is in it. */
function snapshot(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const mode = (statSync(path).mode & 0o7777).toString(8);
    const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder';
    return [path.slice(folder.length + 1), `${mode} ${content}`];
  });
  return Object.fromEntries(entries.toSorted(([a = ''], [b = '']) => a.localeCompare(b)));
}

export function put(path: string, content: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, content);
  chmodSync(path, mode);
}
