/**
 * How many passwords are hashed at once, and how many wait.
 *
 * Purpose: keep a storm of sign-ins from taking every core and the thread pool that signatures need too. Invariant: at
 * most `atOnce` tasks run, at most `waiting` wait, first come first served; whoever comes after that is told to come back,
 * at once. It refuses to know what runs.
 */

/** Too much to do. `retryAfterSeconds` goes into `Retry-After`. */
export type Overloaded = { readonly refused: 'overloaded'; readonly retryAfterSeconds: number };

export type HashSlots = {
  /**
   * Runs `task` when its turn comes, or refuses at once. Rejects with the signal's reason if the caller goes while it
   * waits; a task that has started is never cut short.
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T | Overloaded>;
};

// A full queue of 64 default hashes (about 0.1 s each) on one core is empty after this long.
const RETRY_AFTER_SECONDS = 7;

export function createHashSlots(limits: { readonly atOnce: number; readonly waiting: number }): HashSlots {
  const { atOnce, waiting } = limits;
  const line = new Set<() => void>();
  let running = 0;

  const turn = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        line.delete(start);
        reject(signal?.reason);
      };
      line.add(start);
      signal?.addEventListener('abort', leave, { once: true });
    });

  // A freed slot passes straight to the next in line, so that nobody slips in between.
  const passOn = (): void => {
    const [next] = line;
    if (next === undefined) {
      running -= 1;
      return;
    }
    line.delete(next);
    next();
  };

  return {
    async run(task, signal) {
      signal?.throwIfAborted();
      if (running < atOnce) running += 1;
      else if (line.size < waiting) await turn(signal);
      else return { refused: 'overloaded', retryAfterSeconds: RETRY_AFTER_SECONDS };
      try {
        return await task();
      } finally {
        passOn();
      }
    },
  };
}
