/**
 * One `mongod` of the tests' own: on a port of 127.0.0.1 that was free, over a folder that nobody else uses, and gone with
 * the process that started it, even when that was killed. It is a real server with nothing switched off that a test could
 * miss; only what it writes for its operators is.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const PATIENCE_MS = 30_000;
/** A journal is laid out in files of 100 MiB, and a test run has room for several servers. */
const ROOM_IN_MEMORY = 4 * 2 ** 30;

export type Mongod = {
  readonly port: number;
  /** Where its data lies. */
  readonly folder: string;
  /** SIGKILL, so that it tidies nothing up. Its data stays, and another can be started over it. */
  kill(): Promise<void>;
};

/**
 * The shell becomes mongod. What stays behind waits at the leash, which the system lets go of when its holder dies: then
 * it ends the server and takes its folder away. A word on the leash says that the server has ended already.
 */
const LEASHED = `
  ulimit -n "$(ulimit -H -n)" 2>/dev/null
  ( read -r over <&3 || { kill -KILL $$; until rm -rf "$0"; do sleep 0.1; done; } ) </dev/null >/dev/null 2>&1 &
  exec "$@" 3<&-`;

/** Starts one; over the data of an earlier one when that one's folder and port are given. */
export async function startMongod({
  program,
  folder = emptyFolder(),
  port = 0,
  options = [],
}: {
  readonly program: string;
  readonly folder?: string;
  readonly port?: number;
  readonly options?: readonly string[];
}): Promise<Mongod> {
  const command = [program, '--dbpath', folder, '--port', String(port), ...STANDARD, ...options];
  // A group of its own: Ctrl-C at the terminal is for the test run, which still needs the server to tidy up.
  const child = spawn('/bin/sh', ['-c', LEASHED, folder, ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const [, output, complaints, leash] = child.stdio as unknown as [null, Readable, Readable, Writable];
  leash.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      leash.end('over\n');
      resolve();
    });
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const said: string[] = [];
  const keep = (line: string): void => {
    said.push(line);
    if (said.length > 30) said.shift();
  };
  createInterface(complaints).on('line', keep);
  const listening = new Promise<number>((resolve) => {
    createInterface(output).on('line', (line) => {
      keep(line);
      // "Waiting for connections", by its number, which stays the same from version to version.
      if (line.includes('"id":23016,')) resolve((JSON.parse(line) as { attr: { port: number } }).attr.port);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
  const outcome = await Promise.race([listening, ended, late]);
  clearTimeout(timer);
  if (outcome !== undefined) return { port: outcome, folder, kill };
  await kill();
  throw new Error(`${program} did not start. Its last words:\n${said.join('\n')}`);
}

const STANDARD = [
  '--bind_ip 127.0.0.1 --nounixsocket --quiet --wiredTigerCacheSizeGB 0.25',
  // What has expired goes within a second, not a minute.
  '--setParameter ttlMonitorSleepSecs=1',
  '--setParameter diagnosticDataCollectionEnabled=false',
].flatMap((options) => options.split(' '));

/** In memory where there is room: a write is then as durable as a test can tell, and costs no wait for a disk. */
function emptyFolder(): string {
  return mkdtempSync(join(hasRoom('/dev/shm') ? '/dev/shm' : tmpdir(), 'curfew-mongod-'));
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > ROOM_IN_MEMORY;
  } catch {
    return false;
  }
}
