/**
 * What happened, as the store keeps it: part of the port. Written after the fact, never changed; forgotten with the person it
 * happened to, and not before.
 */
import type { Actor } from './records.ts';

export type EventRecord = {
  readonly id: string;
  readonly at: Date;
  /** What happened, in the words of the log: `password.changed`. */
  readonly kind: string;
  /** Whom it happened to; null when to nobody in particular. */
  readonly accountId: string | null;
  readonly actor: Actor;
  /** Sealed JSON: address, browser, names. */
  readonly sealed: string;
};

export type JournalRepository = {
  /** Appending twice is appending once. */
  append(events: readonly EventRecord[]): Promise<void>;
  /** Newest first, and by id, descending, where the instants are the same. `after` is the last event of the page before. */
  eventsOf(
    accountId: string,
    page: { readonly after?: Pick<EventRecord, 'id' | 'at'> | undefined; readonly limit: number },
  ): Promise<readonly EventRecord[]>;
  /** Forgets what happened to an account, for good. What happened to others stays, whoever did it. */
  forget(accountId: string): Promise<void>;
};
