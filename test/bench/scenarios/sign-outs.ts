/** Ending access: the commit for one account, and everyone. */
import type { Bench, Scenario } from '../bench.ts';

async function commits({ options, results, apart, folder }: Bench): Promise<void> {
  const most = options.quick ? 20_000 : 100_000;
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
  const sessions = options.quick ? 20_000 : 100_000;
  const { writeMs, fanOutSeconds, longestBlockMs, owed } = await apart('everyone', (child) =>
    child.ask('signOutEveryone', { folder: folder(), sessions }),
  );
  if (owed !== sessions) throw new Error(`${owed} deliveries are owed for ${sessions} client sessions`);
  results.value('everyone, write', writeMs, 'ms');
  results.value('everyone, client sessions fanned out', sessions / fanOutSeconds, 'per second');
  results.value('everyone, longest block', longestBlockMs, 'ms');
}

export const SIGN_OUTS: readonly Scenario[] = [
  { name: 'sign-out', what: 'its commit, by what the account has', run: commits },
  { name: 'everyone', what: 'the write, the fan-out, and what stands still meanwhile', run: everyone },
];
