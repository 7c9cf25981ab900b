/**
 * The pace of sweeping: batch after batch while there is something to delete or to look at, then a rest. A short pause
 * after each batch lets requests have the store; a fault is reported and tried again after the rest.
 */
import type { Store } from './port.ts';

const REST_MS = 30_000;
const PAUSE_MS = 50;
const ROWS = 2000;

export type Sweeping = {
  /** Starts no further batch; resolves when the one that is running has ended. */
  stop(): Promise<void>;
};

/** Sweeps until stopped, for the first time after a rest of 30 s. */
export function startSweeping({
  store,
  now,
  wait,
  failed,
}: {
  readonly store: Pick<Store, 'sweep'>;
  readonly now: () => Date;
  /** Resolves after so many milliseconds, or as soon as the signal aborts; never rejects. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Told of each batch that could not be swept. */
  readonly failed: (fault: unknown) => void;
}): Sweeping {
  const stopping = new AbortController();
  const { signal } = stopping;

  const sweep = async (): Promise<boolean> => {
    try {
      const { more } = await store.sweep({ now: now(), limit: ROWS });
      return more;
    } catch (fault) {
      failed(fault);
      return false;
    }
  };
  const run = async (): Promise<void> => {
    for (let more = false; ; more = await sweep()) {
      await wait(more ? PAUSE_MS : REST_MS, signal);
      if (signal.aborted) return;
    }
  };
  const running = run();

  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
