/**
 * One Curfew of several: `src/main.ts` in a process of its own, over a configuration file of its own. It can be started
 * again on the same port after whatever end, and does not outlive the test run, even when that is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const LEASH = new URL('../../scripts/demo/leash.ts', import.meta.url).href;
const PATIENCE_MS = 30_000;

/** A line of its log. */
export type Logged = { readonly level: string; readonly event: string } & Readonly<Record<string, unknown>>;

export type CurfewProcess = {
  readonly port: number;
  /** Past the front. */
  readonly url: string;
  /** Everything it has logged, in all its lives. */
  readonly logged: Logged[];
  runs(): boolean;
  /** Resolves when it serves. */
  start(): Promise<void>;
  /** SIGTERM. Resolves when it has ended, which must be by itself and well. */
  stop(): Promise<void>;
  /** SIGKILL, whatever it is doing; nothing is to be done where it has ended. */
  kill(): Promise<void>;
};

export function curfewProcess({ port, file }: { readonly port: number; readonly file: string }): CurfewProcess {
  const logged: Logged[] = [];
  let life:
    { readonly child: ChildProcess; readonly ended: Promise<string>; readonly complaints: string[] } | undefined;

  const listen = (child: ChildProcess, complaints: string[]): Promise<void> =>
    new Promise((resolve) => {
      createInterface(child.stdout as Readable).on('line', (text) => {
        const line = JSON.parse(text) as Logged;
        logged.push(line);
        if (line.event === 'server.listening') resolve();
      });
      createInterface(child.stderr as Readable).on('line', (text) => complaints.push(text));
    });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    logged,
    runs: () => life !== undefined,
    async start() {
      if (life !== undefined) throw new Error('it runs already');
      const child = spawn(process.execPath, ['--import', LEASH, MAIN, '--config', file], {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'curfew-faults-compile-cache') },
      });
      const complaints: string[] = [];
      const ended = once(child, 'exit').then(([code, signal]) => {
        life = undefined;
        return String(signal ?? code);
      });
      life = { child, ended, complaints };
      const listening = listen(child, complaints).then(() => 'listening');
      const outcome = await within(PATIENCE_MS, Promise.race([listening, ended]));
      if (outcome === 'listening') return;
      child.kill('SIGKILL');
      throw new Error(`it ${outcome === 'late' ? 'does not serve' : `ended by ${outcome}`}: ${complaints.join('\n')}`);
    },
    async stop() {
      if (life === undefined) throw new Error('it does not run');
      const { child, ended, complaints } = life;
      child.kill('SIGTERM');
      const outcome = await within(PATIENCE_MS, ended);
      if (outcome === '0') return;
      child.kill('SIGKILL');
      throw new Error(`it ${outcome === 'late' ? 'does not stop' : `ended by ${outcome}`}: ${complaints.join('\n')}`);
    },
    async kill() {
      life?.child.kill('SIGKILL');
      await life?.ended;
    },
  };
}

async function within(milliseconds: number, outcome: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => (timer = setTimeout(() => resolve('late'), milliseconds)));
  return Promise.race([outcome, late]).finally(() => clearTimeout(timer));
}
