/**
 * One attempt at a time.
 *
 * Purpose: attempts on one key of this process are taken strictly one after the other, so that the outcome of each is
 * known before the next is looked at (CVE-2024-4629). Invariant: a key nobody waits on leaves nothing behind, and at most
 * `waiting` wait on any one key. It refuses to know what an attempt is.
 */

export type AttemptLine = {
  /** On how many keys somebody is at it now. */
  readonly keys: number;
  /** Runs `attempt` when its turn comes. `full` at once when too many wait on this key already. */
  enter<T>(key: string, attempt: () => Promise<T>): Promise<T | 'full'>;
};

export function createAttemptLine({ waiting }: { readonly waiting: number }): AttemptLine {
  const lines = new Map<string, { last: Promise<unknown>; length: number }>();

  return {
    get keys() {
      return lines.size;
    },

    async enter(key, attempt) {
      const line = lines.get(key) ?? { last: Promise.resolve(), length: 0 };
      if (line.length > waiting) return 'full';
      lines.set(key, line);
      line.length += 1;
      // The one before may have failed; that is told to its own caller.
      const mine = line.last.then(attempt, attempt);
      line.last = mine;
      try {
        return await mine;
      } finally {
        line.length -= 1;
        if (line.length === 0) lines.delete(key);
      }
    },
  };
}
