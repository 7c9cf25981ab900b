/**
 * The benchmarks: what Curfew costs, next to what this machine and the protocol library can do at all, in one run.
 *
 * Every server is a process of its own, so that its processor time is counted alone; the load comes from this one.
 * Absolute figures are this machine's and this minute's. What holds elsewhere is the ratios, and those are judged.
 */
import { createBench, type Scenario } from './bench.ts';
import { describeMachine } from './machine.ts';
import { readOptions, USAGE } from './options.ts';
import { reportOf } from './report.ts';
import { DELIVERIES } from './scenarios/deliveries.ts';
import { ENDPOINTS } from './scenarios/endpoints.ts';
import { INCIDENTS } from './scenarios/incident.ts';
import { LIMITS } from './scenarios/limits.ts';
import { SIGN_INS } from './scenarios/sign-ins.ts';
import { SIGN_OUTS } from './scenarios/sign-outs.ts';
import { STARTING } from './scenarios/starting.ts';
import { TIMING } from './scenarios/timing.ts';
import { judge } from './targets.ts';

const SCENARIOS: readonly Scenario[] = [
  ...STARTING,
  ...LIMITS,
  ...ENDPOINTS,
  ...SIGN_INS,
  ...TIMING,
  ...SIGN_OUTS,
  ...DELIVERIES,
  ...INCIDENTS,
];

/** Resolves to the exit code: 0 for a finished run, short of its targets or not. */
async function run(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (fault) {
    process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE + SCENARIOS.map(({ name, what }) => `  ${name.padEnd(22)}${what}\n`).join(''));
    return 0;
  }
  const unknown = options.names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`nothing here is called ${unknown.join(', ')}\n\n${USAGE}`);
    return 2;
  }
  const chosen = SCENARIOS.filter(({ name, onlyNamed }) =>
    options.names.length === 0 ? onlyNamed !== true : options.names.includes(name),
  );
  const machine = describeMachine();
  const bench = createBench(options);
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 1000);
  try {
    for (const [nth, { name, what, run: measure }] of chosen.entries()) {
      bench.tell(`[${nth + 1}/${chosen.length}, ${seconds()} s] ${name}: ${what}`);
      await measure(bench);
    }
    bench.recordMemory();
  } finally {
    await bench.close();
  }
  const verdicts = judge(bench.results);
  const { rates, values, shares } = bench.results;
  const comparisons = options.store === undefined ? undefined : bench.results.comparisons();
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ machine, quick: options.quick, seconds: seconds(), rates, values, shares, comparisons, targets: verdicts })}\n`
      : reportOf(bench.results, verdicts, machine, seconds()),
  );
  return 0;
}

process.exitCode = await run(process.argv.slice(2));
