/**
 * The demo's programs as child processes. The promise: none of them outlives the demo. Each is told to stop and waited
 * for; one that does not stop is killed; and if the demo itself is killed, each ends by its leash.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Longer than Curfew takes to let requests in flight finish. */
const STOP_PATIENCE_MS = 12_000;
const READY_PATIENCE_MS = 30_000;
const ASK_AGAIN_MS = 50;
const LINES_OF_LOG = 15;
const leash = new URL('leash.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A program of the demo did not do its part. The message is for people. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed';
}

export type Program = {
  readonly name: string;
  readonly pid: number;
  /** Rejects when the program ends before it was asked to. */
  readonly failed: Promise<never>;
};

export type Programs = ReturnType<typeof createPrograms>;

export function createPrograms({ logFolder }: { readonly logFolder: string }) {
  const running = new Map<ChildProcess, Promise<void>>();
  let stopping = false;

  function launch(name: string, logName: string, script: string, args: readonly string[]) {
    if (stopping) throw new ProgramFailed('the demo is stopping');
    const logFile = join(logFolder, `${logName}.log`);
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, ['--import', leash, join(root, script), ...args], {
      cwd: root,
      stdio: ['ignore', log, log, 'ipc'],
      // A group of its own: Ctrl-C reaches the demo alone, and the demo stops its programs in order.
      detached: process.platform !== 'win32',
    });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    running.set(child, ended);
    void ended.then(() => running.delete(child));
    const explain = (what: string) => new ProgramFailed(`${name} ${what}.\n\n${tail(logFile)}\n\nIts log: ${logFile}`);
    return { child, ended, explain };
  }

  return {
    /** Starts a program that serves until it is stopped. */
    serve(name: string, logName: string, script: string, args: readonly string[]): Program {
      const { child, ended, explain } = launch(name, logName, script, args);
      const failed = ended.then((): Promise<never> => {
        if (stopping) return new Promise(() => {});
        throw explain('ended unexpectedly');
      });
      // Also noticed by whoever waits for it; until then it is nobody's.
      failed.catch(() => {});
      return { name, pid: child.pid ?? 0, failed };
    },

    /** Runs a program to its end. */
    async run(name: string, logName: string, script: string, args: readonly string[]): Promise<void> {
      const { child, ended, explain } = launch(name, logName, script, args);
      await ended;
      if (child.exitCode !== 0) throw explain('failed');
    },

    /** Asks every program to stop, and sees to it. */
    async stop(): Promise<void> {
      stopping = true;
      for (const child of running.keys()) child.kill('SIGTERM');
      const late = setTimeout(() => {
        for (const child of running.keys()) child.kill('SIGKILL');
      }, STOP_PATIENCE_MS);
      await Promise.all(running.values());
      clearTimeout(late);
    },

    /** Does not ask any more. */
    kill(): void {
      stopping = true;
      for (const child of running.keys()) child.kill('SIGKILL');
    },
  };
}

/** Resolves once the program answers as it should. */
export async function answering(program: Program, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_PATIENCE_MS;
  const asking = async (): Promise<void> => {
    while (!(await isReady().catch(() => false))) {
      if (performance.now() > deadline) {
        throw new ProgramFailed(`${program.name} does not answer after ${READY_PATIENCE_MS / 1000} seconds.`);
      }
      await pause(ASK_AGAIN_MS);
    }
  };
  await Promise.race([asking(), program.failed]);
}

function tail(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LINES_OF_LOG);
  return lines.map((line) => `  ${line}`).join('\n');
}
