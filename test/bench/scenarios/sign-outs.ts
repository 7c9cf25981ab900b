/** Ending access: the commit for one account, and everyone. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Bench, Scenario } from '../bench.ts';

async function commits({ options, results, apart, folder }: Bench): Promise<void> {
  const most = options.quick ? 10_000 : 100_000;
  const order = { artifacts: [10, 1000, most], grants: [100, 10_000], times: options.quick ? 2 : 4 };
  const { artifacts, grants } = await apart('sign-out', (child) =>
    child.ask('commitSignOuts', { folder: folder(), ...order }),
  );
  for (const { count, milliseconds } of artifacts) {
    results.value(`sign-out commit, ${count} artifacts`, milliseconds, 'ms');
  }
  for (const { count, milliseconds } of grants) results.value(`sign-out commit, ${count} grants`, milliseconds, 'ms');
  const few = artifacts.find(({ count }) => count === 10)?.milliseconds ?? Number.NaN;
  const many = artifacts.find(({ count }) => count === most)?.milliseconds ?? Number.NaN;
  results.value(`sign-out commit, ${most} artifacts ÷ 10`, many / few, 'ratio');
}

async function everyone({ options, results, apart, folder }: Bench): Promise<void> {
  const sessions = options.quick ? 10_000 : 100_000;
  // This process only waits: as long as it stood still, the machine was busy with others.
  const waiting = monitorEventLoopDelay({ resolution: 1 });
  waiting.enable();
  const { writeMs, fanOutSeconds, middleBlockMs, longestBlockMs, owed } = await apart('everyone', (child) =>
    child.ask('signOutEveryone', { folder: folder(), sessions }),
  );
  waiting.disable();
  if (owed !== sessions) throw new Error(`${owed} deliveries are owed for ${sessions} client sessions`);
  results.value('everyone, write', writeMs, 'ms');
  results.value('everyone, client sessions fanned out', sessions / fanOutSeconds, 'per second');
  results.value('everyone, middle block', middleBlockMs, 'ms');
  results.value('everyone, longest block', longestBlockMs, 'ms');
  results.value('everyone, longest block of a process that only waited', waiting.max / 1e6, 'ms');
}

export const SIGN_OUTS: readonly Scenario[] = [
  { name: 'sign-out', what: 'its commit, by what the account has', run: commits },
  { name: 'everyone', what: 'the write, the fan-out, and what stands still meanwhile', run: everyone },
];
