/**
 * Rates and their middle. A figure is the median of several short slices, each drained to its last request, so that a
 * pause of this machine spoils one slice and not the figure. What a limit is compared with runs in the same minute, slice
 * by slice in turn: then both feel the same noise, and their ratio does not.
 */

/** What a process has used so far. */
export type Usage = { readonly cpuSeconds: number; readonly rssBytes: number };

/** One kind of request, in as many lanes as there are connections. */
export type Load = {
  readonly lanes: number;
  /** How many of what is counted one call of `perform` makes. Default 1. */
  readonly each?: number;
  /** Makes one request of this lane. Throws when the answer is not the one expected: a refusal must not be counted. */
  perform(lane: number): Promise<void>;
  /** False when there is nothing left to ask for; absent for loads without end. */
  readonly more?: () => boolean;
  /** Before each slice, not measured; `seconds` is how long the slice will be. */
  readonly prepare?: (seconds: number) => Promise<void>;
};

export type Slice = {
  readonly done: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Milliseconds, one a request. */
  readonly latencies: readonly number[];
};

export type Rate = {
  readonly perSecond: number;
  /** For each second of processor time that the server used, in all its threads. */
  readonly perCore: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly slices: readonly { readonly perSecond: number; readonly perCore: number }[];
};

/** Warm-up lasts so long and so many requests, or five times as long: what counts is that code is compiled, not time. */
export type Pace = {
  readonly slices: number;
  readonly sliceSeconds: number;
  readonly warmUpSeconds: number;
  readonly warmUpRequests: number;
};

/** Runs every lane until the time is over or nothing is left, and waits for the last answers. */
export async function runSlice(load: Load, sliceSeconds: number, usage: () => Usage | Promise<Usage>): Promise<Slice> {
  await load.prepare?.(sliceSeconds);
  const latencies: number[] = [];
  const before = await usage();
  const began = performance.now();
  const until = began + sliceSeconds * 1000;
  await Promise.all(
    Array.from({ length: load.lanes }, async (_, lane) => {
      while (performance.now() < until && (load.more?.() ?? true)) {
        const asked = performance.now();
        await load.perform(lane);
        latencies.push(performance.now() - asked);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const after = await usage();
  const done = latencies.length * (load.each ?? 1);
  return { done, seconds, cpuSeconds: after.cpuSeconds - before.cpuSeconds, latencies };
}

/** Makes requests that nobody measures. */
export async function warmUp(load: Load, { warmUpSeconds, warmUpRequests }: Pace): Promise<void> {
  let done = 0;
  for (let lap = 0; lap < 5; lap++) {
    done += (await runSlice(load, warmUpSeconds, ownUsage)).done;
    if (done >= warmUpRequests) return;
  }
}

/** The same for several loads, in turn: a slice of each, and again. */
export async function runInTurn(
  loads: readonly { readonly load: Load; readonly usage: () => Usage | Promise<Usage> }[],
  pace: Pace,
): Promise<readonly Rate[]> {
  for (const { load } of loads) await warmUp(load, pace);
  const slices: Slice[][] = loads.map(() => []);
  for (let nth = 0; nth < pace.slices; nth++) {
    for (const [at, { load, usage }] of loads.entries()) {
      slices[at]?.push(await runSlice(load, pace.sliceSeconds, usage));
    }
  }
  return slices.map(rateOf);
}

export function rateOf(slices: readonly Slice[]): Rate {
  const rates = slices.map(({ done, seconds, cpuSeconds }) => ({
    perSecond: done / seconds,
    perCore: done / cpuSeconds,
  }));
  const latencies = slices.flatMap((slice) => [...slice.latencies]).toSorted((a, b) => a - b);
  return {
    perSecond: median(rates.map((rate) => rate.perSecond)),
    perCore: median(rates.map((rate) => rate.perCore)),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    slices: rates,
  };
}

/** How much of the limit is reached: the median over pairs of slices that ran one after the other. */
export function shareOf(rate: Rate, limit: Rate, by: 'perSecond' | 'perCore'): number {
  const pairs = rate.slices.flatMap((slice, nth) => {
    const other = limit.slices[nth];
    return other === undefined ? [] : [slice[by] / other[by]];
  });
  return median(pairs);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}

/** What this process has used so far, all threads together. */
export function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, rssBytes: process.memoryUsage.rss() };
}
