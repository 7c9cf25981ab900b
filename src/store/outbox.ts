/**
 * Mails on their way out, as the store keeps them: part of the port.
 *
 * A mail is queued once, under the id of the event that it is about, and leased to one worker at a time. Whom it goes to and
 * what it says is sealed, and erased once it has gone.
 */
import type { Page } from './port.ts';

export type MailStatus = 'pending' | 'sent' | 'rejected' | 'abandoned';

export type MailRecord = {
  /** Derived from the event it is about: queued twice, it is queued once. */
  readonly id: string;
  readonly accountId: string | null;
  /** What it is about, in one word: `password-reset`. */
  readonly kind: string;
  /** Empty once the mail was sent. */
  readonly sealed: string;
  readonly status: MailStatus;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly lastAttemptAt: Date | null;
  /** A word and perhaps a status: `accepted`, `refused 550`, `timeout`. Never anything the server sent. */
  readonly lastOutcome: string | null;
  readonly createdAt: Date;
  readonly deadlineAt: Date;
};

/** A mail held by one worker until `leaseUntil`. Only the holder of the latest fence may settle it. */
export type LeasedMail = MailRecord & { readonly fence: number; readonly leaseUntil: Date };

export type MailCounts = { readonly [status in MailStatus]: number };

export type OutboxRepository = {
  /** Inserts those whose id is not there yet; resolves to how many that were. */
  enqueue(mails: readonly MailRecord[]): Promise<number>;
  /**
   * Leases up to `limit` due mails, those due first first; no two callers ever hold the same one before `leaseUntil`, which
   * is at most 120 s after `now`. A lease that ends later than that was given before the clock was set back: it is free.
   */
  claim(claim: {
    readonly now: Date;
    readonly leaseUntil: Date;
    readonly limit: number;
  }): Promise<readonly LeasedMail[]>;
  /** Records an attempt's outcome and gives the lease back; false when the lease had gone to somebody else. `sent` erases `sealed`. */
  settle(outcome: {
    readonly id: string;
    readonly fence: number;
    readonly status: MailStatus;
    readonly attempts: number;
    readonly nextAttemptAt: Date | null;
    readonly lastAttemptAt: Date;
    readonly lastOutcome: string;
  }): Promise<boolean>;
  /** Gives leases back untried. */
  release(leases: readonly { readonly id: string; readonly fence: number }[]): Promise<void>;
  /** When the next pending mail is due or its lease ends; null when none is pending. */
  nextDueAt(): Promise<Date | null>;
  find(id: string): Promise<MailRecord | null>;
  /** By id, ascending. */
  list(filter: {
    readonly status?: MailStatus | undefined;
    readonly accountId?: string | undefined;
    readonly page: Page;
  }): Promise<readonly MailRecord[]>;
  counts(): Promise<MailCounts>;
  /** Rejected and abandoned mails become pending again, with a new deadline. Resolves to how many. */
  revive(filter: {
    readonly ids?: readonly string[];
    readonly now: Date;
    readonly deadlineAt: Date;
    readonly limit: number;
  }): Promise<number>;
};
