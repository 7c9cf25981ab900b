/** From the command to the first answer, and how much memory it takes to be there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';

import type { Bench, Scenario } from '../bench.ts';
import type { Engine } from '../engines.ts';
import { freePort, type Place, writeConfiguration } from '../house.ts';
import { median } from '../measure.ts';
import { named } from '../results.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
/** Long enough for what a start leaves behind to be collected or not. */
const SETTLE_MS = 500;
const READY_WITHIN_MS = 20_000;

async function starting(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await startingOn(bench, engine);
}

async function startingOn({ options, results, folder, place, tell }: Bench, engine: Engine): Promise<void> {
  const data = place(engine);
  const cache = join(folder(), 'compile-cache');
  const times = options.quick ? 3 : 5;
  const plain: Start[] = [];
  const cached: Start[] = [];
  tell(`  first start on ${engine}: makes keyring, schema and signing keys`);
  results.value(
    named('start to ready, first', engine),
    (await startOnce(data, { NODE_COMPILE_CACHE: cache })).readyMs,
    'ms',
  );
  for (let nth = 0; nth < times; nth++) {
    tell(`  start ${nth + 1} of ${times}`);
    plain.push(await startOnce(data, { NODE_DISABLE_COMPILE_CACHE: '1' }));
    cached.push(await startOnce(data, { NODE_COMPILE_CACHE: cache }));
  }
  results.value(named('start to ready', engine), median(plain.map(({ readyMs }) => readyMs)), 'ms');
  results.value(named('start to ready, compile cache', engine), median(cached.map(({ readyMs }) => readyMs)), 'ms');
  const idle = median(cached.map(({ rssMiB }) => rssMiB));
  if (!Number.isNaN(idle)) results.value(named('memory, idle', engine), idle, 'MiB');
}

type Start = { readonly readyMs: number; readonly rssMiB: number };

async function startOnce(place: Place, env: Record<string, string>): Promise<Start> {
  const port = await freePort();
  const file = writeConfiguration(place, { port });
  const began = performance.now();
  const server = spawn(process.execPath, [MAIN, '--config', file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  try {
    while (!(await answers(port))) {
      if (server.exitCode !== null || performance.now() - began > READY_WITHIN_MS) throw new Error('it does not start');
      await pause(2);
    }
    const readyMs = performance.now() - began;
    await pause(SETTLE_MS);
    return { readyMs, rssMiB: residentMiB(server.pid ?? 0) };
  } finally {
    server.kill('SIGTERM');
    if (server.exitCode === null) await once(server, 'exit');
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}

/** Where the system tells it by a file; elsewhere not a number. */
function residentMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const STARTING: readonly Scenario[] = [
  { name: 'start', what: 'from the command to ready, and memory at rest', run: starting },
];
