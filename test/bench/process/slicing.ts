/** How a task that measures itself is to do it. */
import { type Load, ownUsage, type Pace, type Rate, runInTurn } from '../measure.ts';

export type Slicing = { readonly pace: Pace };

/** Measures work of this very process: what a limit is made of. */
export async function ownRates(loads: readonly Load[], { pace }: Slicing): Promise<readonly Rate[]> {
  return runInTurn(
    loads.map((load) => ({ load, usage: ownUsage })),
    pace,
  );
}

/** The only one, for tasks that measure one thing. */
export async function ownRate(load: Load, slicing: Slicing): Promise<Rate> {
  const [rate] = await ownRates([load], slicing);
  if (rate === undefined) throw new Error('nothing was measured');
  return rate;
}
