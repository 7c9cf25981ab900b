/**
 * Time, as an argument.
 *
 * Purpose: the one place in Curfew that reads the machine's clock or starts a timer, so that everything else can be run
 * by a clock that a test holds still. Invariant: nothing outside this file calls `Date.now`, `new Date()` or
 * `setTimeout`. It refuses to know what any instant means: expiry, epochs and back-off belong to their own rooms.
 */

/** Something started that can be taken back. `cancel` is idempotent, and after it the callback never runs. */
export type Timer = { cancel(): void };

/** How a timer relates to the life of the process. */
export type TimerOptions = {
  /** `true`: does not keep the process alive by itself (housekeeping). Default `false`. */
  background?: boolean;
};

/** A source of time. The system's is `systemClock`; a test brings one it moves by hand. */
export type Clock = {
  /** The present instant. May go backwards when the machine's clock is corrected; order is told by epochs, not by it. */
  now(): Date;
  /** Calls `run` once, no earlier than `milliseconds` from now. Any length: 72 hours or 40 days are not cut short. */
  setTimer(milliseconds: number, run: () => void, options?: TimerOptions): Timer;
  /**
   * Calls `run` again and again, the first time after `milliseconds`. A run that returns a promise is awaited before the
   * next one is timed, so runs never overlap. A run handles its own failures: one that throws or rejects ends the process.
   */
  every(milliseconds: number, run: () => void | Promise<void>, options?: TimerOptions): Timer;
};

// Node fires a timer longer than 2^31 - 1 ms at once; longer waits are cut into laps.
const LONGEST_LAP_MILLISECONDS = 2 ** 31 - 1;

/** The machine's clock. Timers are monotonic: a corrected wall clock neither delays nor hurries them. */
export const systemClock: Clock = {
  now: () => new Date(),

  setTimer(milliseconds, run, { background = false } = {}) {
    let handle: NodeJS.Timeout | undefined;
    const lap = (remaining: number): void => {
      const wait = Math.min(Math.max(remaining, 0), LONGEST_LAP_MILLISECONDS);
      handle = setTimeout(() => (remaining > wait ? lap(remaining - wait) : run()), wait);
      if (background) handle.unref();
    };
    lap(milliseconds);
    return { cancel: () => clearTimeout(handle) };
  },

  every(milliseconds, run, options) {
    let cancelled = false;
    let timer: Timer;
    const wait = (): void => {
      if (!cancelled) timer = systemClock.setTimer(milliseconds, turn, options);
    };
    const turn = (): void => {
      const running = run();
      if (running === undefined) wait();
      else void running.then(wait);
    };
    wait();
    return {
      cancel() {
        cancelled = true;
        timer.cancel();
      },
    };
  },
};

/** `instant` plus `seconds` (may be negative or fractional), as a new Date. */
export const addSeconds = (instant: Date, seconds: number): Date => addMilliseconds(instant, seconds * 1000);

/** `instant` plus `milliseconds` (may be negative), as a new Date. */
export const addMilliseconds = (instant: Date, milliseconds: number): Date =>
  new Date(instant.getTime() + milliseconds);

/** Resolves after `milliseconds` on `clock`, or as soon as `signal` aborts; never rejects, so callers look at the signal. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = clock.setTimer(milliseconds, wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
