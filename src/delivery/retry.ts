/**
 * What becomes of a Delivery after an attempt, as a table.
 *
 * | the attempt                                                   | the Delivery                                      |
 * |---------------------------------------------------------------|---------------------------------------------------|
 * | 200, 204                                                      | delivered (Back-Channel Logout §2.8)              |
 * | no answer (network, TLS, DNS, timeout), 408, 429, 5xx         | tried again until its deadline, then abandoned    |
 * | 400, other 4xx, 3xx, other 2xx, an address Curfew won't call  | two more tries, then rejected                     |
 * | our own fault before the token left                           | tried again until its deadline, then abandoned    |
 * | nobody to tell any more                                       | abandoned                                         |
 *
 * A wait is 1 s doubling to 1 h with full jitter, never under a quarter of a second, and never shorter than the
 * Client's `Retry-After` (RFC 9110 §10.2.3) up to that hour. The last try falls on the deadline itself. Pure: it knows
 * neither store nor network, and never sees anything of an answer but its status and `Retry-After`.
 */
import { addSeconds } from '../platform/clock.ts';
import type { OutboundFailureReason } from '../platform/outbound-http.ts';
import type { DeliveryRecord, DeliveryStatus } from '../store/records.ts';

/** What came of one attempt. `gone`: there is nobody to tell any more. `fault`: Curfew itself could not send. */
export type AttemptResult =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterSeconds?: number }
  | { readonly kind: 'failed'; readonly reason: OutboundFailureReason }
  | { readonly kind: 'gone' }
  | { readonly kind: 'fault' };

/** What is to be recorded. `nextAttemptAt` is null exactly when the Delivery is no longer pending. */
export type Verdict = {
  readonly status: DeliveryStatus;
  /** Attempts so far, this one included; a Client that is gone costs none. */
  readonly attempts: number;
  /** Refusals in a row, this one included. */
  readonly refusals: number;
  readonly nextAttemptAt: Date | null;
  /** A word and perhaps a status; nothing the Client sent. */
  readonly lastOutcome: string;
};

/** The last of these is final: two more tries after the first. */
const REFUSALS_UNTIL_REJECTED = 3;
const SHORTEST_WAIT_SECONDS = 0.25;
const LONGEST_WAIT_SECONDS = 3600;

/** Judges an attempt that ended at `now`. `random` answers in [0, 1). */
export function judgeAttempt(
  delivery: Pick<DeliveryRecord, 'attempts' | 'refusals' | 'deadlineAt'>,
  result: AttemptResult,
  now: Date,
  random: () => number,
): Verdict {
  const lastOutcome = outcomeOf(result);
  const attempts = delivery.attempts + 1;
  const settled = (status: DeliveryStatus, refusals: number): Verdict => ({
    status,
    attempts,
    refusals,
    nextAttemptAt: null,
    lastOutcome,
  });

  const reading = read(result);
  switch (reading) {
    case 'heard':
      return settled('delivered', 0);
    case 'gone':
      return { ...settled('abandoned', delivery.refusals), attempts: delivery.attempts };
    case 'refused':
    case 'not-now': {
      const refusals = reading === 'refused' ? delivery.refusals + 1 : 0;
      if (refusals >= REFUSALS_UNTIL_REJECTED) return settled('rejected', refusals);
      if (now >= delivery.deadlineAt) return settled('abandoned', refusals);
      const wanted = addSeconds(now, waitSeconds(attempts, result, random));
      const nextAttemptAt = wanted < delivery.deadlineAt ? wanted : delivery.deadlineAt;
      return { status: 'pending', attempts, refusals, nextAttemptAt, lastOutcome };
    }
  }
}

/** Whether the Client could not be reached at all: what its circuit counts. */
export function isTransportFailure(result: AttemptResult): boolean {
  return result.kind === 'failed' && result.reason !== 'refused-address' && result.reason !== 'aborted';
}

function read(result: AttemptResult): 'heard' | 'not-now' | 'refused' | 'gone' {
  switch (result.kind) {
    case 'gone':
      return 'gone';
    case 'fault':
      return 'not-now';
    case 'failed':
      return result.reason === 'refused-address' ? 'refused' : 'not-now';
    case 'answered': {
      const { status } = result;
      if (status === 200 || status === 204) return 'heard';
      if (status === 408 || status === 429 || status >= 500) return 'not-now';
      return 'refused';
    }
  }
}

function outcomeOf(result: AttemptResult): string {
  switch (result.kind) {
    case 'answered':
      return `answered ${result.status}`;
    case 'failed':
      return result.reason;
    case 'gone':
      return 'client gone';
    case 'fault':
      return 'fault';
  }
}

function waitSeconds(attempts: number, result: AttemptResult, random: () => number): number {
  // Full jitter: a Client that comes back is not met by everyone at once.
  const jittered = random() * Math.min(2 ** (attempts - 1), LONGEST_WAIT_SECONDS);
  const asked = result.kind === 'answered' ? (result.retryAfterSeconds ?? 0) : 0;
  return Math.min(Math.max(jittered, asked, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS);
}
