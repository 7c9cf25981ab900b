/**
 * Many Accounts at once, as the store keeps them: part of the port. Which they are, what they are signed in to, and what is
 * done to them by the thousand; each Account's change is one write, however many there are in a batch.
 */
import type { Page, SignOutRequest } from './port.ts';
import type { AccountRecord } from './records.ts';

/** Accounts for which all of it holds. Deleted ones are in no cohort. */
export type Conditions = {
  /** Has an Identity at this Connection, or is signed in at an app through it. */
  readonly connectionId?: string | undefined;
  /** Has a Client Session at this Client that has not ended. */
  readonly clientId?: string | undefined;
  readonly createdBefore?: Date | undefined;
  readonly createdAfter?: Date | undefined;
  /** Whoever never signed in did so before any instant, and after none. */
  readonly signedInBefore?: Date | undefined;
  readonly signedInAfter?: Date | undefined;
  /** Whoever has no password did not change it. */
  readonly passwordChangedAfter?: Date | undefined;
};

/** What is done to one Account, in one write. */
export type Containment = {
  readonly accountId: string;
  /** A Sign-out of the account. Was it written before, the whole containment was: then nothing is changed. */
  readonly signOut: SignOutRequest | null;
  /**
   * A password set no later than this lets nobody in. The later instant stays. With a Sign-out the password that stands as
   * this is written lets nobody in either, whenever it was set: whoever set it a moment ago stood on what ends here.
   */
  readonly passwordResetRequiredAt: Date | null;
  readonly disable: boolean;
};

export type Contained = 'contained' | 'contained-before' | 'unknown';

export type CohortRepository = {
  /** By id, ascending; with `among`, of these only. */
  matching(
    conditions: Conditions,
    page: Page & { readonly among?: readonly string[] | undefined },
  ): Promise<readonly AccountRecord[]>;
  count(conditions: Conditions): Promise<number>;
  /** In the order of the batch. One that cannot be contained (`unknown`: not there, or deleted) leaves the others alone. */
  contain(batch: readonly Containment[]): Promise<readonly Contained[]>;
  /**
   * What is signed in and has not ended, by Client: of everyone, or of these Accounts. How many Client Sessions, and of
   * how many Accounts.
   */
  reach(
    accounts: 'everyone' | readonly string[],
  ): Promise<readonly { readonly clientId: string; readonly sessions: number; readonly accounts: number }[]>;
};
