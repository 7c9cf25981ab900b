/**
 * Second factors, passkeys and remembered browsers, as the store keeps them: part of the port.
 *
 * A Credential belongs to one account and goes with it. What is in it is sealed by the room that owns it; the store decides
 * only what must be decided in one write: which of two changes came first, that a set is replaced as a set, and that an id
 * is one account's.
 */
import type { AccountRecord } from './records.ts';

export type CredentialKind = 'totp' | 'recovery-codes' | 'passkey' | 'trusted-browser';

export type CredentialRecord = {
  /** Unique among all accounts. A passkey's and a browser's are blind indexes of what they are found by. */
  readonly id: string;
  readonly accountId: string;
  readonly kind: CredentialKind;
  readonly sealed: string;
  /** 0 when it is added, one more after each change. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
};

export type CredentialRepository = {
  /** The account's, by the instant they were added at, ascending, and by id where that is the same. */
  credentialsOf(accountId: string): Promise<readonly CredentialRecord[]>;
  findCredential(
    id: string,
  ): Promise<{ readonly account: AccountRecord; readonly credential: CredentialRecord } | null>;
  /**
   * Adds one, and in the same write leaves no more than `most` of its kind: the oldest go, never the one that is added.
   * `taken` when the id is in use, by whomever; then nothing goes. `accountEpoch`: what the account's epoch was when this was
   * decided; `stale` when a Sign-out has raised it since, which is one fact with the addition.
   */
  addCredential(
    credential: CredentialRecord,
    options: { readonly most: number; readonly accountEpoch?: number | undefined },
  ): Promise<'added' | 'taken' | 'unknown' | 'stale'>;
  /** Compare-and-set on `revision`: true for exactly one caller. */
  changeCredential(change: {
    readonly id: string;
    readonly accountId: string;
    readonly revision: number;
    readonly sealed: string;
    /** Null leaves what is there. */
    readonly usedAt: Date | null;
  }): Promise<boolean>;
  /** False when the account has none of this id (any more). */
  removeCredential(which: { readonly accountId: string; readonly id: string }): Promise<boolean>;
};
