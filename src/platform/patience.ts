/**
 * How a worker waits: for a bell, for a while, and for a store that does not answer.
 *
 * Keeps one promise: a store that is down costs one line in the log and a try every few seconds, not one of each per
 * piece of work. It refuses to know what is waited for.
 */
import { type Clock, sleep } from './clock.ts';
import type { Log } from './log.ts';

/** Rings may come while nobody waits: whoever read `rings` before sees that there was one. */
export type Bell = {
  ring(): void;
  rings(): number;
  /** Resolves once there were more rings than `seen`, or after `milliseconds` if given. */
  after(seen: number, milliseconds?: number): Promise<void>;
};

/** Said with each ring: a controller aborted without a reason makes an error of its own, stack and all. */
const RUNG = 'rung';

export function createBell(clock: Clock): Bell {
  let rings = 0;
  let waiting = new AbortController();
  return {
    ring() {
      rings += 1;
      waiting.abort(RUNG);
      waiting = new AbortController();
    },
    rings: () => rings,
    after(seen, milliseconds) {
      if (rings > seen) return Promise.resolve();
      const { signal } = waiting;
      if (milliseconds !== undefined) return sleep(clock, milliseconds, signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
}

/** Waits for `work` (which never rejects), but no longer than `milliseconds`. True when it was done in time. */
export async function within(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  let inTime = false;
  const working = work.then(() => {
    inTime = true;
    done.abort();
  });
  await Promise.race([working, sleep(clock, milliseconds, done.signal)]);
  return inTime;
}

/** What is known about the store: whether its last answer to each use was one. */
export type StoreWatch<Use extends string> = {
  /** It answered. Says so if that ends an outage. */
  answered(use: Use): void;
  /** It did not. Says so once. */
  failed(use: Use, err: unknown): void;
  answers(): boolean;
};

/** Watches it for one room, told apart by use: writing may fail while reading works (a full disk). */
export function createStoreWatch<Use extends string>(log: Log, room: 'delivery' | 'mail'): StoreWatch<Use> {
  const failing = new Set<Use>();
  return {
    answered(use) {
      if (failing.delete(use) && failing.size === 0) log.info(`${room}.resumed`);
    },
    failed(use, err) {
      if (!failing.has(use)) log.error({ err, use }, `${room}.stalled`);
      failing.add(use);
    },
    answers: () => failing.size === 0,
  };
}

/** Milliseconds before the store is asked again: a quarter of a second doubling to five. */
export function storeBackOffMilliseconds(failures: number): number {
  return Math.min(250 * 2 ** failures, 5000);
}
