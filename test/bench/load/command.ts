/** The operator's command as a process of its own: what it says on the way, what memory it takes, and its death. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const COMMAND = new URL('../../../scripts/curfew.ts', import.meta.url).pathname;
const LOOK_EVERY_MS = 250;

/** A line of `--progress json`. */
export type Told = {
  readonly doing: string;
  readonly done: number;
  readonly total: number | null;
  readonly at: string;
};

export type Ended = {
  readonly code: number | null;
  readonly killed: boolean;
  readonly seconds: number;
  readonly rssBytes: number;
  readonly stdout: string;
  readonly complaints: string;
};

/** Runs it to its end, or until `told` says that it must die. */
export function runCommand(
  configFile: string,
  words: readonly string[],
  told: (line: Told, kill: (afterMs: number) => void) => void = () => undefined,
): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, [COMMAND, ...words, '--config', configFile, '--progress', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, complaints, rssBytes, killed] = ['', '', 0, false];
  const kill = (afterMs: number): void => void setTimeout(() => (killed = child.kill('SIGKILL') || killed), afterMs);
  const looking = setInterval(() => (rssBytes = Math.max(rssBytes, mostHeldBy(child.pid))), LOOK_EVERY_MS);
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  createInterface(child.stderr as Readable).on('line', (line) => {
    if (line.startsWith('{"doing"')) told(JSON.parse(line) as Told, kill);
    else complaints += `${line}\n`;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(looking);
      const seconds = (performance.now() - began) / 1000;
      resolve({ code, killed: signal === 'SIGKILL' && killed, seconds, rssBytes, stdout, complaints });
    });
  });
}

/** The most memory that a process has held so far; 0 where the system does not say. */
function mostHeldBy(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
