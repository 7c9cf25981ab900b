/**
 * What becomes of a mail after an attempt, as a table.
 *
 * | the attempt                                                        | the mail                                     |
 * |--------------------------------------------------------------------|----------------------------------------------|
 * | the server took it                                                 | sent                                         |
 * | the server refused its recipient or its content for good (5yz)     | rejected                                     |
 * | not now (4yz); the server refused us (sign-in, sender); no answer  | tried again until its deadline, then abandoned |
 * | our own fault before it left                                       | tried again until its deadline, then abandoned |
 * | the link in it no longer works                                     | abandoned                                    |
 *
 * A server that refuses whoever sends says nothing about the mail: an operator mends that, and nothing is lost meanwhile. A
 * wait is 1 s doubling to 1 h with full jitter, never under a quarter of a second; the last try falls on the deadline
 * itself. Pure: it knows neither store nor network, and never sees anything of an answer but its code.
 */
import { addSeconds } from '../platform/clock.ts';
import type { MailRecord, MailStatus } from '../store/outbox.ts';

/** Why there was no answer about the mail. `unreachable`: no connection, or it broke. `folder`: it cannot be written to. */
export type SendFailure = 'unreachable' | 'timeout' | 'tls' | 'protocol' | 'folder' | 'cut';

/** What came of one attempt. `turned-away`: the server's no was to the sender, not to the mail. */
export type SendResult =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: number }
  | { readonly kind: 'deferred'; readonly code: number }
  | { readonly kind: 'turned-away'; readonly what: 'sign-in' | 'sender' | 'connection'; readonly code: number }
  | { readonly kind: 'failed'; readonly reason: SendFailure };

export type AttemptResult = SendResult | { readonly kind: 'expired' } | { readonly kind: 'fault' };

/** What is to be recorded. `nextAttemptAt` is null exactly when the mail is no longer pending. */
export type Verdict = {
  readonly status: MailStatus;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly lastOutcome: string;
};

const SHORTEST_WAIT_SECONDS = 0.25;
const LONGEST_WAIT_SECONDS = 3600;

/** Judges an attempt that ended at `now`. `random` answers in [0, 1). */
export function judgeAttempt(
  mail: Pick<MailRecord, 'attempts' | 'deadlineAt'>,
  result: AttemptResult,
  now: Date,
  random: () => number,
): Verdict {
  const lastOutcome = outcomeOf(result);
  const attempts = mail.attempts + 1;
  const settled = (status: MailStatus): Verdict => ({ status, attempts, nextAttemptAt: null, lastOutcome });
  switch (result.kind) {
    case 'accepted':
      return settled('sent');
    case 'refused':
      return settled('rejected');
    case 'expired':
      return { ...settled('abandoned'), attempts: mail.attempts };
    case 'deferred':
    case 'turned-away':
    case 'failed':
    case 'fault': {
      if (now >= mail.deadlineAt) return settled('abandoned');
      // Full jitter: a server that comes back is not met by every mail at once.
      const jittered = random() * Math.min(2 ** (attempts - 1), LONGEST_WAIT_SECONDS);
      const wanted = addSeconds(now, Math.max(jittered, SHORTEST_WAIT_SECONDS));
      const nextAttemptAt = wanted < mail.deadlineAt ? wanted : mail.deadlineAt;
      return { status: 'pending', attempts, nextAttemptAt, lastOutcome };
    }
  }
}

function outcomeOf(result: AttemptResult): string {
  switch (result.kind) {
    case 'accepted':
      return 'accepted';
    case 'refused':
      return `refused ${result.code}`;
    case 'deferred':
      return `deferred ${result.code}`;
    case 'turned-away':
      return `${result.what} refused ${result.code}`;
    case 'failed':
      return result.reason;
    case 'expired':
      return 'link expired';
    case 'fault':
      return 'fault';
  }
}
