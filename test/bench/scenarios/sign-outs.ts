/** Ending access: the commit for one account, and everyone. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Bench, Scenario } from '../bench.ts';
import type { Engine } from '../engines.ts';
import { named, type Unit } from '../results.ts';

async function commits(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await commitsOn(bench, engine);
}

async function commitsOn({ options, results, apart, place, tell }: Bench, engine: Engine): Promise<void> {
  tell(`  on ${engine}`);
  const most = options.quick ? 10_000 : 100_000;
  const order = { artifacts: [10, 1000, most], grants: [100, 10_000], times: options.quick ? 2 : 4 };
  const { artifacts, grants } = await apart(named('sign-out', engine), (child) =>
    child.ask('commitSignOuts', { place: place(engine), ...order }),
  );
  for (const { count, milliseconds } of artifacts) {
    results.value(named(`sign-out commit, ${count} artifacts`, engine), milliseconds, 'ms');
  }
  for (const { count, milliseconds } of grants) {
    results.value(named(`sign-out commit, ${count} grants`, engine), milliseconds, 'ms');
  }
  const few = artifacts.find(({ count }) => count === 10)?.milliseconds ?? Number.NaN;
  const many = artifacts.find(({ count }) => count === most)?.milliseconds ?? Number.NaN;
  results.value(named(`sign-out commit, ${most} artifacts ÷ 10`, engine), many / few, 'ratio');
}

async function everyone(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await everyoneOn(bench, engine);
}

async function everyoneOn({ options, results, apart, place, tell }: Bench, engine: Engine): Promise<void> {
  tell(`  on ${engine}`);
  const sessions = options.quick ? 10_000 : 100_000;
  // This process only waits: as long as it stood still, the machine was busy with others.
  const waiting = monitorEventLoopDelay({ resolution: 1 });
  waiting.enable();
  const { writeMs, fanOutSeconds, middleBlockMs, longestBlockMs, owed } = await apart(
    named('everyone', engine),
    (child) => child.ask('signOutEveryone', { place: place(engine), sessions }),
  );
  waiting.disable();
  if (owed !== sessions) throw new Error(`${owed} deliveries are owed for ${sessions} client sessions`);
  const value = (id: string, measured: number, unit: Unit): void => results.value(named(id, engine), measured, unit);
  value('everyone, write', writeMs, 'ms');
  value('everyone, client sessions fanned out', sessions / fanOutSeconds, 'per second');
  value('everyone, middle block', middleBlockMs, 'ms');
  value('everyone, longest block', longestBlockMs, 'ms');
  // This machine's and not the engine's: not to be compared.
  results.value(
    `everyone${engine === 'sqlite' ? '' : ' on MongoDB'}, longest block of a process that only waited`,
    waiting.max / 1e6,
    'ms',
  );
}

export const SIGN_OUTS: readonly Scenario[] = [
  { name: 'sign-out', what: 'its commit, by what the account has', run: commits },
  { name: 'everyone', what: 'the write, the fan-out, and what stands still meanwhile', run: everyone },
];
