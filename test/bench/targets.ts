/** What is promised, and what became of it in this run. */
import type { Results, Unit } from './results.ts';

type Bound = { readonly atLeast: number } | { readonly atMost: number };
type Target = Bound & {
  readonly name: string;
  readonly unit: Unit;
  readonly measured: (results: Results) => number | undefined;
};
export type Verdict = {
  readonly name: string;
  readonly unit: Unit;
  readonly measured: number;
  readonly bound: 'at least' | 'at most';
  readonly target: number;
  readonly met: boolean;
};

/** The library's limit, by which Curfew's endpoints are judged. */
export const MAP = (id: string): string => `${id}, Map adapter`;

const perCore = (id: string, atLeast: number): Target => ({
  name: `${id}, per core`,
  unit: 'per core',
  atLeast,
  measured: ({ rates }) => rates.find((row) => row.id === id)?.rate.perCore,
});
const share = (of: string, limit: string, atLeast: number): Target => ({
  name: `${of} ÷ ${limit}`,
  unit: 'ratio',
  atLeast,
  measured: ({ shares }) => shares.find((each) => each.of === of && each.limit === limit)?.perCore,
});
const value = (id: string, unit: Unit, bound: Bound): Target => ({
  name: id,
  unit,
  ...bound,
  measured: ({ values }) => values.find((each) => each.id === id)?.value,
});

const TARGETS: readonly Target[] = [
  perCore('client-credentials', 5000),
  perCore('refresh', 2000),
  perCore('code-exchange', 2000),
  perCore('introspection', 4500),
  perCore('userinfo', 5000),
  share('client-credentials', MAP('client-credentials'), 0.75),
  share('refresh', MAP('refresh'), 0.75),
  share('code-exchange', MAP('code-exchange'), 0.75),
  share('introspection', MAP('introspection'), 0.6),
  share('userinfo', MAP('userinfo'), 0.6),
  share('sign-in', 'argon2id', 0.9),
  value('refresh in a storm ÷ idle', 'ratio', { atLeast: 0.5 }),
  value('told by the time of sign-in', 'ratio', { atMost: 0.55 }),
  value('told by the time of reset', 'ratio', { atMost: 0.55 }),
  value('told by the time of register', 'ratio', { atMost: 0.55 }),
  value('sign-out commit, 100 grants', 'ms', { atMost: 5 }),
  value('sign-out commit, 10000 grants', 'ms', { atMost: 20 }),
  value('sign-out commit, 100000 artifacts ÷ 10', 'ratio', { atMost: 1.5 }),
  value('everyone, write', 'ms', { atMost: 50 }),
  value('everyone, longest block', 'ms', { atMost: 20 }),
  {
    name: 'deliveries, https kept alive, per second',
    unit: 'per second',
    atLeast: 5000,
    measured: ({ rates }) => rates.find((row) => row.id === 'deliveries, https')?.rate.perSecond,
  },
  value('incident, missed', 'count', { atMost: 0 }),
  value('incident, mails twice', 'count', { atMost: 20 }),
  value('incident, sign-in meanwhile ÷ idle', 'ratio', { atMost: 2 }),
  value('incident, refresh meanwhile ÷ idle', 'ratio', { atMost: 2 }),
  value('incident by list, missed', 'count', { atMost: 0 }),
  value('incident by list, touched and not meant', 'count', { atMost: 0 }),
  value('memory, idle', 'MiB', { atMost: 120 }),
  value('memory, loaded', 'MiB', { atMost: 350 }),
  value('start to ready', 'ms', { atMost: 400 }),
  value('start to ready, compile cache', 'ms', { atMost: 250 }),
];

/** Every target of which something was measured. */
export function judge(results: Results): readonly Verdict[] {
  return TARGETS.flatMap((target): Verdict[] => {
    const measured = target.measured(results);
    if (measured === undefined) return [];
    const { name, unit } = target;
    return 'atLeast' in target
      ? [{ name, unit, measured, bound: 'at least', target: target.atLeast, met: measured >= target.atLeast }]
      : [{ name, unit, measured, bound: 'at most', target: target.atMost, met: measured <= target.atMost }];
  });
}
