/**
 * Everything sealed that a store holds, for sealing it anew: part of the port.
 *
 * The store knows where sealed texts are and nothing about them. One is replaced only while it is still the one that was
 * read, so that nobody's change is lost to a rotation that goes on beside it.
 */
export const SEALED_COLLECTIONS = [
  'facts',
  'accounts',
  'identities',
  'credentials',
  'connections',
  'signingKeys',
  'clientSessions',
  'artifacts',
  'mails',
  'events',
] as const;

export type SealedCollection = (typeof SEALED_COLLECTIONS)[number];

/** A record's texts that are sealed, or have something sealed in them, by the name of their field. */
export type SealedRow = {
  readonly id: string;
  /** What tells apart records of one collection that are sealed in different ways: an artifact's model, a credential's kind. */
  readonly kind: string | null;
  /** Whose it is, where the seal is bound to that. */
  readonly accountId: string | null;
  readonly fields: { readonly [field: string]: string };
};

/** Where a row is: what belongs to an account is found through it. */
export type SealedPlace = Pick<SealedRow, 'id' | 'accountId'>;

export type SealRepository = {
  /**
   * By account where rows have one, and by id; those whose fields are all empty are left out. `after` is the last row of the
   * page before. What is there from the first page to the last is in one of them; what comes meanwhile may not be.
   */
  rows(
    collection: SealedCollection,
    page: { readonly after?: SealedPlace | undefined; readonly limit: number },
  ): Promise<readonly SealedRow[]>;
  /** How many there are, for showing how far a walk has come: several of one account may count as one. */
  count(collection: SealedCollection): Promise<number>;
  /** Replaces each text that is still `from`; resolves to how many that were. */
  replace(
    collection: SealedCollection,
    changes: readonly (SealedPlace & {
      readonly field: string;
      readonly from: string;
      readonly to: string;
    })[],
  ): Promise<number>;
};
