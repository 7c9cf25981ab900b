/** The demo as a newcomer starts it, in a folder of its own and on free ports; gone, with all its programs, when the test ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

import type { Running, Service } from '../../scripts/demo/folder.ts';

export type { Running, Service };
export const root = fileURLToPath(new URL('../..', import.meta.url));
/** As `npm run demo` runs it. */
export const DEMO = ['--import', './scripts/demo/require-node.js', 'scripts/demo.ts'];

const PATIENCE_MS = 30_000;
const ASK_AGAIN_MS = 25;

export type Demo = {
  readonly child: ChildProcess;
  readonly folder: string;
  /** Everything it has said so far. */
  said(): string;
  complained(): string;
  /** Its processes by name, while they run. */
  running(): Running;
  url(name: string): string;
  readonly account: { readonly username: string; readonly password: string };
  /** Of somebody who works at the company. */
  readonly companyAccount: { readonly username: string; readonly password: string };
  /** Sends a signal; resolves to the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
};

/** Asks again and again, for a bounded time, until the answer is there. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`still waiting until ${what}`);
    await pause(ASK_AGAIN_MS);
  }
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-demo-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The demo's process, as soon as it has been started. */
export function launchDemo({ folder = temporaryFolder(), args = [] as readonly string[] } = {}) {
  const flags = ['--data', folder, ...(args.includes('--ports') ? [] : ['--ports', 'auto']), ...args];
  const child = spawn(process.execPath, [...DEMO, ...flags], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { said: '', complained: '' };
  child.stdout.on('data', (chunk) => (text.said += String(chunk)));
  child.stderr.on('data', (chunk) => (text.complained += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const running = (): Running => JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')) as Running;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    if (!existsSync(join(folder, 'running.json'))) return;
    // Its programs end by their leashes.
    for (const { pid } of Object.values(running().services)) await until(`process ${pid} is gone`, () => isGone(pid));
  });
  return { child, folder, ended, running, said: () => text.said, complained: () => text.complained };
}

/** The demo, once it has said that everything is ready. */
export async function startDemo(options: Parameters<typeof launchDemo>[0] = {}): Promise<Demo> {
  const { ended, ...demo } = launchDemo(options);
  await until('the demo is ready', () => {
    if (demo.child.exitCode !== null) throw new Error(`the demo ended: ${demo.said()}${demo.complained()}`);
    return demo.said().includes('Ctrl-C');
  });
  const line = (name: string): string => {
    const value = new RegExp(`^${name}: (\\S+)$`, 'm').exec(demo.said())?.[1];
    if (value === undefined) throw new Error(`the demo did not say ${name}: ${demo.said()}`);
    return value;
  };
  return {
    ...demo,
    url: line,
    account: { username: line('username'), password: line('password') },
    companyAccount: { username: line('company username'), password: line('company password') },
    end(signal = 'SIGINT') {
      demo.child.kill(signal);
      return ended;
    },
  };
}

/** Whether a process has ended. One that nobody has collected yet has ended too. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  try {
    return /^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform === 'linux';
  }
}

/** Whether anybody answers at an address. */
export function isOpen(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function stateOf(device: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${device}/state`)).json()) as Record<string, unknown>;
}

/** The code a device shows, once it is another than this one. */
export function codeOf(device: string, except?: string): Promise<string> {
  return until(`${device} shows a code`, async () => {
    const { userCode } = await stateOf(device);
    return typeof userCode === 'string' && userCode !== except && userCode;
  });
}

export function reaches(device: string, state: string): Promise<Record<string, unknown>> {
  return until(`${device} is ${state}`, async () => {
    const answer = await stateOf(device);
    return answer['state'] === state && answer;
  });
}
