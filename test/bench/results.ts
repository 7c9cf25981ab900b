/** What was measured, as it comes in: rates, single values, and shares of a limit. */
import type { Engine } from './engines.ts';
import { type Rate, shareOf } from './measure.ts';

export type RateRow = { readonly id: string; readonly rate: Rate; readonly limit: boolean };
export type Unit = 'ms' | 's' | 'MiB' | 'per second' | 'per core' | 'ratio' | 'count';
export type Value = { readonly id: string; readonly value: number; readonly unit: Unit };
export type Share = {
  readonly of: string;
  readonly limit: string;
  readonly perCore: number;
  readonly perSecond: number;
};

/** What Curfew did on MongoDB, over the same on SQLite: of a rate more is better, of a time less. */
export type Comparison =
  | { readonly id: string; readonly perCore: number; readonly perSecond: number }
  | { readonly id: string; readonly value: number; readonly unit: Unit };

const ON_MONGODB = ', MongoDB';

/** The name of what was measured on this engine. */
export const named = (id: string, engine: Engine): string => (engine === 'mongodb' ? `${id}${ON_MONGODB}` : id);

export type Results = {
  readonly rates: RateRow[];
  readonly values: Value[];
  readonly shares: Share[];
  /** Records a rate; `limit` says that it is the machine's or the library's, and not Curfew's. */
  rate(id: string, rate: Rate, options?: { limit?: boolean }): void;
  value(id: string, value: number, unit: Unit): void;
  /** Records how much of a limit is reached; nothing when either was not measured. */
  share(of: string, limit: string): void;
  /** Whatever was measured on both engines. */
  comparisons(): readonly Comparison[];
};

export function createResults(): Results {
  const rates: RateRow[] = [];
  const values: Value[] = [];
  const shares: Share[] = [];
  const find = (id: string): Rate | undefined => rates.find((row) => row.id === id)?.rate;
  return {
    rates,
    values,
    shares,
    rate(id, rate, { limit = false } = {}) {
      rates.push({ id, rate, limit });
    },
    value(id, value, unit) {
      values.push({ id, value, unit });
    },
    share(of, limit) {
      const [rate, most] = [find(of), find(limit)];
      if (rate === undefined || most === undefined) return;
      shares.push({ of, limit, perCore: shareOf(rate, most, 'perCore'), perSecond: shareOf(rate, most, 'perSecond') });
    },
    comparisons() {
      const inRates = rates.flatMap(({ id, rate, limit }): Comparison[] => {
        const there = find(named(id, 'mongodb'));
        if (there === undefined || limit) return [];
        return [{ id, perCore: shareOf(there, rate, 'perCore'), perSecond: shareOf(there, rate, 'perSecond') }];
      });
      const inValues = values.flatMap(({ id, value, unit }): Comparison[] => {
        const there = values.find((each) => each.id === named(id, 'mongodb'));
        return there === undefined || unit === 'ratio' || unit === 'count'
          ? []
          : [{ id, value: there.value / value, unit }];
      });
      return [...inRates, ...inValues];
    },
  };
}
