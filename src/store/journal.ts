/**
 * What happened, as the store keeps it: part of the port. Written after the fact, never changed; chained some time after it is
 * written, so that whoever writes waits for nobody. What it says of a person is forgotten with them; that something happened
 * stays, under an id that is nobody's any more.
 *
 * The chain: places are numbered from 1 without a gap, and each event's hash covers the one before it. `chain` is a
 * compare-and-set on the whole end of the chain. Whoever was given the end by `head` and then read `unchained` has seen no event
 * that has a place already: what had one before that end was placed before `head` answered, and what gets one after moves the
 * end, so that the compare-and-set fails. So a place is given once, an event has one place, and every hash covers the one that
 * really stands before it, whoever chains at the same time.
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
  /** How it ended, in a word: `done`, `wrong-credentials`. */
  readonly outcome: string;
  /** JSON, in clear: nothing in it is personal. */
  readonly facts: string;
  /** What the sealed text holds, as a digest; '' when it was written before there were any. */
  readonly commitment: string;
  /** Sealed JSON: address, browser, names. '' once it is forgotten. */
  readonly sealed: string;
  /** Its place in the chain, from 1; null until it has one. */
  readonly seq: number | null;
  readonly hash: string | null;
};

/** The last place that was given, and its hash. */
export type Head = { readonly seq: number; readonly hash: string };

export type JournalRepository = {
  /** Appending twice is appending once. */
  append(events: readonly EventRecord[]): Promise<void>;
  /**
   * Newest first, and by id, descending, where the instants are the same. `after` is the last event of the page before; with
   * `kinds`, of these alone. What was forgotten is not among them.
   */
  eventsOf(
    accountId: string,
    page: {
      readonly after?: Pick<EventRecord, 'id' | 'at'> | undefined;
      readonly limit: number;
      readonly kinds?: readonly string[] | undefined;
    },
  ): Promise<readonly EventRecord[]>;
  /**
   * Empties the sealed text of everything that happened to an account, for good. What happened to others stays, whoever did
   * it, and so does the rest of each event.
   */
  forget(accountId: string): Promise<void>;

  /** Events that have no place in the chain, oldest first, and by id where the instants are the same. */
  unchained(limit: number): Promise<readonly EventRecord[]>;
  /** Gives events without a commitment one, and the text it is of: each only while its sealed text is still `from`. */
  commit(
    changes: readonly {
      readonly id: string;
      readonly from: string;
      readonly sealed: string;
      readonly commitment: string;
    }[],
  ): Promise<void>;
  /** The end of the chain; null before the first event has a place. Whatever was given one before it is asked can be read. */
  head(): Promise<Head | null>;
  /**
   * Gives these events the places after `after`, in order: all of them or none. False, and nothing is changed, when the chain
   * ends somewhere else by now or one of them is not unchained.
   */
  chain(links: {
    readonly after: Head | null;
    readonly events: readonly { readonly id: string; readonly hash: string }[];
  }): Promise<boolean>;
  /** Chained events by their place, ascending, from the first place after `after` that is kept. */
  chained(page: { readonly after: number; readonly limit: number }): Promise<readonly EventRecord[]>;
  /**
   * Deletes events from the beginning of the chain, none after `through` and never the last one: at most `limit`, and
   * resolves to how many.
   */
  prune(prefix: { readonly through: number; readonly limit: number }): Promise<number>;
};
