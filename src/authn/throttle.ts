/**
 * What guessing costs.
 *
 * Purpose: each failure makes the next attempt wait (NIST SP 800-63B-4 §3.2.2), a hundred of them disable what is being
 * guessed, and one network gets so many attempts a minute. A short code gets ten failures an hour. Invariant: an attempt is looked at only after every earlier one
 * of the same budget has been counted, by whatever name the account was called; every attempt counts against its network,
 * only failures against an account. It refuses to know what is being guessed and what is right.
 *
 * A device that has signed in to the account before has a budget of its own, so a stranger who guesses keeps out
 * strangers, not the owner. The budget belongs to one authenticator: a new password starts with a new one, which is how an
 * operator lets somebody in again.
 */
import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { AccountRepository } from '../store/port.ts';
import type { ThrottleRecord } from '../store/records.ts';
import { networkOf } from './address-network.ts';
import { createAttemptLine } from './attempt-line.ts';

/** What is being guessed. An identifier that nobody has is counted exactly like one that somebody has. */
export type Guessed =
  | {
      readonly authenticator: string;
      readonly accountId: string;
      /** When this authenticator was set; null for one that is not there. Another instant, another budget. */
      readonly since: Date | null;
      /** Short codes can be guessed by luck, so that luck is rationed. Passwords, by default. */
      readonly pace?: Pace | undefined;
      /** A device id the caller has verified for this very account. */
      readonly knownDevice?: string | undefined;
      /** Where the guess came from, for the record. Not part of the budget. */
      readonly address?: string | undefined;
    }
  | { readonly authenticator: string; readonly unknownIdentifier: string };

export type Pace = 'password' | 'code';

export type Throttled = { readonly refused: 'throttled'; readonly retryAfterSeconds: number };
/** This authenticator is disabled until it is set anew. */
export type Locked = { readonly refused: 'locked' };

/** What came of looking. `not-looked-at`: nothing was learnt about the guess, and nothing is counted. */
export type Looked<T> = { readonly verdict: 'right' | 'wrong' | 'not-looked-at'; readonly answer: T };

export type Throttle = {
  /** Counts one attempt from this address; a refusal once its network has had its share of the minute. */
  countAddress(address: string | undefined): Promise<Throttled | null>;
  /** Takes one attempt in its turn, and counts what came of it before the next one is taken. */
  attempt<T>(guessed: Guessed, look: () => Promise<Looked<T>>): Promise<T | Throttled | Locked>;
};

/** Failures at which the authenticator is disabled (NIST SP 800-63B-4 §3.2.2: no more than 100). */
const LOCKED_AT_FAILURES = 100;
const LONGEST_DELAY_SECONDS = 10;
const WINDOW_SECONDS = 60;
/** Failures of a short code after which it waits for an hour. */
const CODES_AN_HOUR = 10;
const HOUR_SECONDS = 3600;

/** How long the next attempt waits after this many failures, the latest included. */
export function delaySeconds(failures: number): number {
  if (failures < 3) return 1;
  if (failures < 9) return 3;
  if (failures < 25) return 5;
  return LONGEST_DELAY_SECONDS;
}

const PACES = {
  password: { delaySeconds, longestSeconds: LONGEST_DELAY_SECONDS },
  code: {
    delaySeconds: (failures: number) => (failures % CODES_AN_HOUR === 0 ? HOUR_SECONDS : delaySeconds(failures)),
    longestSeconds: HOUR_SECONDS,
  },
} as const;

export function createThrottle(needs: {
  readonly store: Pick<AccountRepository, 'throttle' | 'addFailure' | 'clearFailures' | 'countAttempt'>;
  readonly keyring: Pick<Keyring, 'blindIndex'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'warn'>;
  readonly addressAttemptsPerMinute: number;
  /** How many attempts may wait for one budget in this process. */
  readonly waitingPerBudget?: number;
  /** Told of each guess at an account that is there that was looked at, or locked out, and refused. Must not throw or take time. */
  readonly refused?: (guess: {
    readonly accountId: string;
    readonly authenticator: string;
    readonly outcome: string;
    readonly address: string | undefined;
  }) => void;
}): Throttle {
  const { store, keyring, clock, log, addressAttemptsPerMinute, waitingPerBudget = 20, refused } = needs;
  const line = createAttemptLine({ waiting: waitingPerBudget });

  const keyOf = (guessed: Guessed): string => {
    const whose =
      'accountId' in guessed
        ? ['account', guessed.accountId, guessed.since?.getTime() ?? null, guessed.knownDevice ?? null]
        : ['unknown', guessed.unknownIdentifier];
    return keyring.blindIndex('throttle.failures', JSON.stringify([guessed.authenticator, ...whose]));
  };

  const tell = (guessed: Guessed, answer: unknown): void => {
    const outcome = wordOf(answer);
    if (outcome === null || !('accountId' in guessed)) return;
    const { accountId, authenticator, address } = guessed;
    refused?.({ accountId, authenticator, outcome, address });
  };

  return {
    async countAddress(address) {
      const now = clock.now();
      const windowStart = new Date(Math.floor(now.getTime() / 1000 / WINDOW_SECONDS) * WINDOW_SECONDS * 1000);
      const attempts = await store.countAttempt({
        key: keyring.blindIndex('throttle.address', networkOf(address)),
        windowStart,
        expiresAt: addSeconds(windowStart, 2 * WINDOW_SECONDS),
      });
      if (attempts <= addressAttemptsPerMinute) return null;
      return { refused: 'throttled', retryAfterSeconds: secondsUntil(addSeconds(windowStart, WINDOW_SECONDS), now) };
    },

    async attempt(guessed, look) {
      const key = keyOf(guessed);
      const { delaySeconds, longestSeconds } = PACES[('pace' in guessed ? guessed.pace : undefined) ?? 'password'];
      const outcome = await line.enter(key, async () => {
        const before = await store.throttle(key);
        const refusal = refusalOf(before, clock.now(), longestSeconds);
        if (refusal !== null) {
          if (refusal.refused === 'locked') tell(guessed, refusal);
          return refusal;
        }
        const { verdict, answer } = await look();
        switch (verdict) {
          case 'wrong': {
            const { failures } = await store.addFailure({ key, now: clock.now(), delaySeconds });
            if (failures === LOCKED_AT_FAILURES) {
              const accountId = 'accountId' in guessed ? guessed.accountId : null;
              log.warn({ accountId, authenticator: guessed.authenticator }, 'authenticator.locked');
            }
            break;
          }
          case 'right':
            // No write when there is nothing to forget: most sign-ins succeed at once.
            if (before.failures > 0) await store.clearFailures(key);
            break;
          case 'not-looked-at':
            break;
        }
        if (verdict !== 'not-looked-at') tell(guessed, answer);
        return answer;
      });
      return outcome === 'full' ? { refused: 'throttled', retryAfterSeconds: 1 } : outcome;
    },
  };
}

function refusalOf(
  { failures, blockedUntil }: ThrottleRecord,
  now: Date,
  longestSeconds: number,
): Throttled | Locked | null {
  if (failures >= LOCKED_AT_FAILURES) return { refused: 'locked' };
  if (blockedUntil === null) return null;
  const retryAfterSeconds = secondsUntil(blockedUntil, now);
  // A wait longer than the longest there is was written before the clock was set back; it would last until then.
  if (retryAfterSeconds <= 0 || retryAfterSeconds > longestSeconds) return null;
  return { refused: 'throttled', retryAfterSeconds };
}

const secondsUntil = (instant: Date, now: Date): number => Math.ceil((instant.getTime() - now.getTime()) / 1000);

/** The word of a refusal; null for what is none. */
function wordOf(answer: unknown): string | null {
  const refused = typeof answer === 'object' && answer !== null && 'refused' in answer ? answer.refused : null;
  return typeof refused === 'string' ? refused : null;
}
