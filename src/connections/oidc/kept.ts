/**
 * A document of somebody else's, kept for a while.
 *
 * Purpose: ask a provider for its documents seldom, and go on for an hour when it does not answer. Invariant: one look at
 * a time, however many ask; nothing older than an hour is given out; strangers, who can make us look again, make us look
 * at most once in five seconds. It refuses to know what the document says.
 */
import type { Clock } from '../../platform/clock.ts';

const FRESH_SECONDS = 600;
const STALE_SECONDS = 3600;
/** After a look that failed, what is kept is served at once: nobody waits for the same timeout again and again. */
const PATIENCE_SECONDS = 30;
/** So a key that is published this long before it signs is always found, whatever strangers do. */
const LOOK_AGAIN_SECONDS = 5;

export type Kept<T> = {
  /** What is kept, looked at anew once it is ten minutes old. Rejects as `load` does when nothing within the hour is left. */
  get(): Promise<T>;
  /** A look made within the last five seconds, or else now. Rejects as `load` does: what is kept is no answer here. */
  lookAgain(): Promise<T>;
};

export function keep<T>({ load, clock }: { readonly load: () => Promise<T>; readonly clock: Clock }): Kept<T> {
  let kept: { readonly value: T; readonly asOf: number } | undefined;
  let failed: { readonly error: unknown; readonly asOf: number } | undefined;
  let looking: Promise<T> | undefined;

  // A clock that was set back makes the past look ahead of us: then nothing is known about its age.
  const ageSeconds = (asOf: number): number => {
    const age = (clock.now().getTime() - asOf) / 1000;
    return age < 0 ? Infinity : age;
  };
  const isWithin = (seconds: number, look: { readonly asOf: number } | undefined): boolean =>
    look !== undefined && ageSeconds(look.asOf) < seconds;

  const look = (): Promise<T> => {
    const asOf = clock.now().getTime();
    looking ??= load()
      .then(
        (value) => {
          kept = { value, asOf };
          failed = undefined;
          return value;
        },
        (error: unknown) => {
          failed = { error, asOf };
          throw error;
        },
      )
      .finally(() => (looking = undefined));
    return looking;
  };

  return {
    async get() {
      if (kept !== undefined && isWithin(FRESH_SECONDS, kept)) return kept.value;
      if (kept !== undefined && isWithin(STALE_SECONDS, kept) && isWithin(PATIENCE_SECONDS, failed)) return kept.value;
      try {
        return await look();
      } catch (error) {
        if (kept !== undefined && isWithin(STALE_SECONDS, kept)) return kept.value;
        throw error;
      }
    },
    async lookAgain() {
      if (failed !== undefined && isWithin(LOOK_AGAIN_SECONDS, failed)) throw failed.error;
      if (kept !== undefined && isWithin(LOOK_AGAIN_SECONDS, kept)) return kept.value;
      return look();
    },
  };
}
