/**
 * The store as the rest of the house sees it: one method is one fact, atomic on every engine, durable once its promise
 * resolves. Nothing here needs a transaction over several documents: what a Sign-out promises is kept by one record,
 * and everything after it is derived, idempotent and resumable. What each method must do, races included, is written
 * down in test/store/conformance.ts, which both engines run.
 *
 * Faults are thrown as StoreUnavailable; expected refusals are values.
 */
import type { CohortRepository } from './cohorts.ts';
import type { CredentialRepository } from './credentials.ts';
import type { IncidentRepository } from './incidents.ts';
import type { JournalRepository } from './journal.ts';
import type { LeaseRepository } from './leases.ts';
import type { OutboxRepository } from './outbox.ts';
import type {
  AccountIdentifiers,
  AccountRecord,
  ArtifactRecord,
  BrowserSession,
  ClientRecord,
  ClientSessionRecord,
  ConnectionRecord,
  DeliveryRecord,
  DeliveryStatus,
  FoundArtifact,
  IdentityRecord,
  LeasedDelivery,
  ScopeKey,
  SignOutRecord,
  SigningKeyRecord,
  Stamps,
  ThrottleRecord,
} from './records.ts';
import type { SealRepository } from './seals.ts';
import type { Kind, RowOf, RowPage } from './transfer.ts';

/** The store could not answer, or could not make a write durable. Nothing may be concluded from it but "not now". */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  constructor(doing: string, options?: ErrorOptions) {
    super(`the store is unavailable: ${doing}`, options);
  }
}

/** The store cannot be opened as it is (corrupt, newer schema, sealed by another keyring); an operator must act. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable';
}

export type Store = {
  readonly accounts: AccountRepository;
  readonly catalogue: CatalogueRepository;
  readonly artifacts: ArtifactRepository;
  readonly revocations: RevocationRepository;
  readonly deliveries: DeliveryRepository;
  readonly outbox: OutboxRepository;
  readonly journal: JournalRepository;
  readonly cohorts: CohortRepository;
  readonly incidents: IncidentRepository;
  readonly leases: LeaseRepository;
  readonly seals: SealRepository;
  readonly transfer: TransferRepository;
  /** Resolves when a read and a durable write both work. */
  ping(): Promise<void>;
  /** Looks the store over, which may take long. For engines that have something to look at. */
  inspect?(): Promise<StoreCondition>;
  /**
   * Deletes what nobody needs any more, at most `limit` rows of each kind at a time: artifacts that have expired; a
   * Sign-out over 90 days old, complete and with every Delivery delivered, with all it ended and delivered; Grants and
   * browser Sessions raised over 800 days ago, when no Sign-out of them is pending and nothing is left that bears them;
   * mails sent, and those that could not be, queued over 90 days ago; an incident opened over 400 days ago, with whom it was
   * about. Whoever has not ended or was not told stays, however old, and so does every other raised scope.
   */
  sweep(options: { readonly now: Date; readonly limit: number }): Promise<Swept>;
  close(): Promise<void>;
};

/** What one sweep did. */
export type Swept = {
  /** How many rows it deleted. */
  readonly swept: number;
  /** Another sweep at the same instant may find more: this one deleted something, or has not seen everything yet. */
  readonly more: boolean;
};

/** What an inspection finds. */
export type StoreCondition = {
  readonly schema: number;
  /** What is broken, in the engine's words; empty when nothing is. */
  readonly faults: readonly string[];
  /** What mends faults. */
  readonly remedy: string;
  /** The latest instant anything was recorded at: a clock behind it is wrong. */
  readonly newestRecordAt: Date | null;
  /** What the clock of the database's own machine says, where it has one. */
  readonly clockThere?: Date;
};

/** A Sign-out as its caller asks for it; the engine adds the epoch it raised. */
export type SignOutRequest = Omit<SignOutRecord, 'status' | 'epochBefore' | 'spared'> & {
  /** Scopes of the same account that stay alive through the raise. */
  readonly spares?: readonly ScopeKey[];
};

export type Page = { readonly after?: string | undefined; readonly limit: number };

/** Accounts, their credentials, and what is counted against those who guess. */
export type AccountRepository = CredentialRepository & {
  insert(
    account: AccountRecord,
    identifiers: AccountIdentifiers,
    /** The Identity that it is made for. */
    identity?: Omit<IdentityRecord, 'accountId'>,
  ): Promise<'inserted' | 'username-taken' | 'email-taken' | 'identity-taken'>;
  find(accountId: string): Promise<AccountRecord | null>;
  findByIdentifier(identifier: string): Promise<AccountRecord | null>;
  /** By id, ascending. */
  list(page: Page): Promise<readonly AccountRecord[]>;
  count(): Promise<number>;
  /**
   * Sets a password; with `signOut` the new hash, the raised epoch and the pending Sign-out are one atomic write.
   * `expected` makes it a compare-and-set on the present hash, null for none: `stale` when another change came first.
   * `accountEpoch`, `everyoneEpoch`: what the epochs were when this was decided; `stale` as well when a Sign-out has raised one
   * since. Across processes that of everyone may be raised in the very moment of the write.
   */
  setPassword(change: {
    readonly accountId: string;
    readonly hash: string;
    readonly changedAt: Date;
    readonly expected?: string | null;
    readonly accountEpoch?: number | undefined;
    readonly everyoneEpoch?: number | undefined;
    readonly signOut?: SignOutRequest;
  }): Promise<'set' | 'stale' | 'unknown'>;
  /**
   * The status and its Sign-out are one atomic write. Deleting erases identifiers, Identities, Credentials, sealed data
   * and password with it.
   */
  setStatus(change: {
    readonly accountId: string;
    readonly status: AccountRecord['status'];
    readonly signOut?: SignOutRequest;
  }): Promise<'set' | 'unknown'>;

  /**
   * Replaces both identifiers as one; `expected` makes it a compare-and-set on what is kept of the present ones. The new
   * ones are taken in the same write.
   */
  identify(change: {
    readonly accountId: string;
    readonly expected: Pick<AccountRecord, 'sealedUsername' | 'sealedEmail'>;
    readonly sealedUsername: string;
    readonly sealedEmail: string;
    readonly emailVerifiedAt: Date | null;
    readonly identifiers: AccountIdentifiers;
  }): Promise<'set' | 'stale' | 'unknown' | 'username-taken' | 'email-taken'>;
  /**
   * From now on a password that was set no later than `at` lets nobody in; the Sign-out that goes with it is the same
   * write, and with it neither does the present password, by whatever clock it was set. The later instant stays.
   */
  requirePasswordReset(change: {
    readonly accountId: string;
    readonly at: Date;
    readonly signOut?: SignOutRequest;
  }): Promise<'set' | 'unknown'>;
  setLocale(change: { readonly accountId: string; readonly locale: string }): Promise<void>;
  /** The later of the present and the given instant. */
  noteSignIn(signIn: { readonly accountId: string; readonly at: Date }): Promise<void>;

  /** The account that this Identity may sign in, whatever its status. */
  findByIdentity(
    subject: string,
  ): Promise<{ readonly account: AccountRecord; readonly identity: IdentityRecord } | null>;
  /** By the instant they were linked at, ascending. */
  identitiesOf(accountId: string): Promise<readonly IdentityRecord[]>;
  /**
   * `taken` when it is another account's. Linking twice is linking once. `accountEpoch`: what the Account's epoch was when
   * this was decided; `stale` when a Sign-out has raised it since, which is one fact with the link.
   */
  linkIdentity(identity: IdentityRecord, accountEpoch?: number): Promise<'linked' | 'taken' | 'unknown' | 'stale'>;
  /** Takes an Identity away, but never the last way in: that there is a password, or another, is decided in the same write. */
  unlinkIdentity(change: {
    readonly accountId: string;
    readonly subject: string;
  }): Promise<'unlinked' | 'last-way-in' | 'unknown'>;
  /** Notes a sign-in through it, with how its provider names the person now. The later instant stays. */
  touchIdentity(use: {
    readonly subject: string;
    readonly usedAt: Date;
    readonly sealedIdentity: string;
  }): Promise<void>;

  throttle(key: string): Promise<ThrottleRecord>;
  /** Adds one failure and blocks until `now + delaySeconds(failures)`, this one counted; atomic under races. */
  addFailure(failure: {
    readonly key: string;
    readonly now: Date;
    readonly delaySeconds: (failures: number) => number;
  }): Promise<ThrottleRecord>;
  clearFailures(key: string): Promise<void>;
  /** Counts one attempt in the window that starts at `windowStart`; resolves to the count, this one included. */
  countAttempt(attempt: {
    readonly key: string;
    readonly windowStart: Date;
    readonly expiresAt: Date;
  }): Promise<number>;
};

/** Clients, signing keys, and the few facts about the installation itself. */
export type CatalogueRepository = {
  /** Inserts or replaces; the version is raised by the engine. Never brings back a deleted id: `deleted` instead. */
  saveClient(client: Omit<ClientRecord, 'version' | 'status'>): Promise<'saved' | 'deleted'>;
  /** A configured client that was removed and is configured again: its record lives, its epoch stays raised. */
  reinstateClient(clientId: string): Promise<void>;
  findClient(clientId: string): Promise<ClientRecord | null>;
  listClients(page: Page): Promise<readonly ClientRecord[]>;
  /** The tombstone and the Sign-out of everyone at this Client are one atomic write. */
  deleteClient(clientId: string, signOut: SignOutRequest): Promise<'deleted' | 'unknown'>;

  /** Inserts, or replaces type and state; raises the version, and brings back one that was deleted. */
  saveConnection(connection: Omit<ConnectionRecord, 'version' | 'status'>): Promise<void>;
  findConnection(connectionId: string): Promise<ConnectionRecord | null>;
  /** By id, ascending; deleted ones too. */
  listConnections(): Promise<readonly ConnectionRecord[]>;
  /** The tombstone and the Sign-out of everyone who came through this Connection are one atomic write. */
  deleteConnection(connectionId: string, signOut: SignOutRequest): Promise<'deleted' | 'unknown'>;

  /** False when a key of this id is there already. */
  addSigningKey(key: SigningKeyRecord): Promise<boolean>;
  /** Sets when a key stops being published. */
  retireSigningKey(kid: string, retiresAt: Date): Promise<void>;
  removeSigningKey(kid: string): Promise<void>;
  listSigningKeys(): Promise<readonly SigningKeyRecord[]>;

  /** A fact kept once: resolves to the value that stands, which is the first one ever offered. */
  settle(fact: string, value: string): Promise<string>;
  /** Compare-and-set: another value for a fact, which was `from`, null for not there; false when it is another by now. */
  changeFact(change: { readonly fact: string; readonly from: string | null; readonly to: string }): Promise<boolean>;
  fact(fact: string): Promise<string | null>;
};

/** Payloads of the protocol library, alive only while every stamp stands. */
export type ArtifactRepository = {
  /**
   * Inserts or replaces. Never clears a consumption, never revives a destroyed row (that save is lost on purpose).
   * A Client Session given with it is durable no later than the artifact.
   *
   * Whatever is stamped with a Grant or a browser Session expires within 400 days of being saved, which is the caller's
   * to see to: the store forgets that one was raised after 800. Other artifacts may live as long as they like.
   */
  save(artifact: ArtifactRecord, clientSession?: ClientSessionRecord): Promise<void>;
  /** Inserts only: false when the key is there already and has not expired. */
  insert(artifact: ArtifactRecord, now: Date): Promise<boolean>;
  /** Alive means: not destroyed, not expired at `now`, and every stamp stands at its scope's present epoch or is spared. */
  find(key: Uint8Array, now: Date): Promise<FoundArtifact | null>;
  findByUid(model: string, uid: string, now: Date): Promise<FoundArtifact | null>;
  findByUserCode(userCode: string, now: Date): Promise<FoundArtifact | null>;
  /**
   * Compare-and-set: true for exactly one caller, and for none once it has expired or a Sign-out has moved one of its stamps.
   * A Grant that is revoked at the same moment because somebody came second does not take it from whoever came first.
   */
  consume(key: Uint8Array, now: Date): Promise<boolean>;
  /** Leaves a tombstone until the row would have expired. */
  destroy(key: Uint8Array): Promise<void>;
  /** The account's browser Sessions that are alive. */
  sessionsOf(accountId: string, now: Date): Promise<readonly BrowserSession[]>;
};

/** Epochs, Sign-outs, Client Sessions: how access ends, and who must be told. */
export type RevocationRepository = {
  /** Epochs as they stand now, read from the primary; keys nobody raised stand at 0. */
  epochs(keys: readonly ScopeKey[]): Promise<Stamps>;
  /** Whether every stamp stands or is spared. */
  stand(stamps: Stamps): Promise<boolean>;
  /** Whether a Sign-out has moved any of these since: unlike `stand`, a grant revoked for token reuse does not count. */
  movedBySignOut(stamps: Stamps): Promise<boolean>;
  /** When the scope was last signed out, or null. */
  signedOutAt(key: ScopeKey): Promise<Date | null>;
  /** Ends a Grant's tokens without a Sign-out (token reuse, revocation by the client). Nobody is told. */
  revokeGrant(grantId: string, now: Date): Promise<void>;
  /** The commit point: raises the epoch and records the pending Sign-out in one atomic write. Idempotent by id. */
  signOut(request: SignOutRequest): Promise<SignOutRecord>;

  findSignOut(id: string): Promise<SignOutRecord | null>;
  /** Newest first. Those that were swept are not among them. */
  listSignOuts(limit: number): Promise<readonly SignOutRecord[]>;
  /** Sign-outs whose Deliveries are not all written yet. */
  pendingSignOuts(limit: number): Promise<readonly SignOutRecord[]>;
  /**
   * For engines that several processes share: takes a pending Sign-out, or goes on holding it, so that one process at a
   * time spreads it. False when another holds it, or it is not pending any more. A lease is at most 120 s ahead; one that
   * ends later than that was given before the clock was set back, and is free.
   */
  leaseSignOut?(lease: {
    readonly signOut: SignOutRecord;
    readonly holder: string;
    readonly now: Date;
    readonly leaseUntil: Date;
  }): Promise<boolean>;
  /** Client Sessions this Sign-out must still end or tell, by grant id ascending; what it spares is not among them. */
  sessionsToEnd(signOut: SignOutRecord, page: Page): Promise<readonly ClientSessionRecord[]>;
  /**
   * Writes Deliveries (inserting twice is inserting once), marks the Client Sessions ended by this Sign-out, and counts
   * those it had not ended before. In that order: cut off anywhere, asking again completes it, and what is counted is
   * right at the latest when the Sign-out is complete.
   */
  fanOut(batch: {
    readonly signOut: SignOutRecord;
    readonly deliveries: readonly DeliveryRecord[];
    readonly ended: readonly string[];
  }): Promise<void>;
  /** Removes the pending Sign-out from its record: fan-out is complete. */
  completeSignOut(signOut: SignOutRecord): Promise<void>;

  findClientSession(grantId: string): Promise<ClientSessionRecord | null>;
  /**
   * Those not ended, whether or not their tokens still work: they are who must be told. By grant id ascending; without a
   * page all of them.
   */
  clientSessionsOf(accountId: string, page?: Page): Promise<readonly ClientSessionRecord[]>;
  /** Those a Sign-out ended. */
  endedBy(signOutId: string, page: Page): Promise<readonly ClientSessionRecord[]>;
  /** Later of the present and the given instants. */
  touchClientSession(use: {
    readonly grantId: string;
    readonly lastUsedAt: Date;
    readonly selfContainedUntil?: Date;
  }): Promise<void>;
  /** How many accounts and Clients have a Client Session this scope would end: for a dry run. */
  reach(scope: SignOutRecord['scope']): Promise<{ readonly accounts: number; readonly clients: number }>;
  /**
   * How many Client Sessions, accounts and Clients this Sign-out ended so far, and when the last self-contained token
   * expires. Costs the same however many they are. Right once it is complete; before, batches that were cut off or asked
   * for by several at once may be counted too little or twice. All 0 when there is no Sign-out of that id.
   */
  ended(signOutId: string): Promise<{
    readonly sessions: number;
    readonly accounts: number;
    readonly clients: number;
    readonly selfContainedUntil: Date | null;
  }>;
};

export type DeliveryCounts = { readonly [status in DeliveryStatus]: number };

/** Logout Tokens owed, leased to one worker at a time. */
export type DeliveryRepository = {
  /** Clients that are owed a Delivery due at `now`. */
  clientsDue(now: Date): Promise<readonly string[]>;
  /**
   * Leases up to `limit` due Deliveries of one Client; no two callers ever hold the same one before `leaseUntil`, which
   * is at most 120 s after `now`. A lease that ends later than that was given before the clock was set back: it is free.
   */
  claim(claim: {
    readonly clientId: string;
    readonly now: Date;
    readonly leaseUntil: Date;
    readonly limit: number;
  }): Promise<readonly LeasedDelivery[]>;
  /** Records an attempt's outcome and gives the lease back; false when the lease had gone to somebody else. */
  settle(outcome: {
    readonly id: string;
    readonly fence: number;
    readonly status: DeliveryStatus;
    readonly attempts: number;
    readonly refusals: number;
    readonly nextAttemptAt: Date | null;
    readonly lastAttemptAt: Date;
    readonly lastOutcome: string;
  }): Promise<boolean>;
  /** Gives leases back untried. */
  release(leases: readonly { readonly id: string; readonly fence: number }[]): Promise<void>;
  /** When the next pending Delivery is due or its lease ends; null when none is pending. */
  nextDueAt(): Promise<Date | null>;
  find(id: string): Promise<DeliveryRecord | null>;
  list(filter: {
    readonly status?: DeliveryStatus | undefined;
    readonly clientId?: string | undefined;
    readonly signOutId?: string | undefined;
    readonly accountId?: string | undefined;
    readonly page: Page;
  }): Promise<readonly DeliveryRecord[]>;
  counts(filter: { readonly signOutId?: string }): Promise<DeliveryCounts>;
  /**
   * Dead letters become pending again, with a new deadline and no refusals. Resolves to how many. With a `limit` no more
   * than that in one write, so that nobody waits long behind it: ask again until it resolves to 0.
   */
  revive(filter: {
    readonly ids?: readonly string[];
    readonly clientId?: string;
    readonly now: Date;
    readonly deadlineAt: Date;
    readonly limit?: number;
  }): Promise<number>;
};

/** Reading everything a store keeps, and what is noted of a copy into it. Changes nothing. */
export type TransferReader = {
  /** In order of the bytes of their ids. */
  rows<K extends Kind>(kind: K, page: RowPage): Promise<readonly RowOf[K][]>;
  /** How many rows there are in all pages. */
  count(kind: Kind, aliveAt: Date): Promise<number>;
  /** Whether there is no row of any kind, expired ones included. */
  isEmpty(): Promise<boolean>;
  /** The note of a copy into this store that is not finished, in the words of whoever left it. It is no row. */
  unfinished(): Promise<string | null>;
};

/** A store that is only looked at. */
export type StoreReader = { readonly transfer: TransferReader; close(): Promise<void> };

/**
 * Filling a store with everything that another one keeps. Until the note of it is taken away, the store holds a part of
 * something and must not be used; that is for whoever opens it to see to.
 */
export type TransferRepository = TransferReader & {
  /** Leaves the first note; false when there is any row, or a note. */
  begin(note: string): Promise<boolean>;
  /** Compare-and-set: replaces the note, or takes it away; false when it is another one by now. */
  note(change: { readonly from: string; readonly to: string | null }): Promise<boolean>;
  /**
   * Inserts these rows, or replaces those of the same ids; doing it twice is doing it once. Kinds are written in the
   * order of KINDS: a store is whole after the last of them.
   */
  write<K extends Kind>(kind: K, rows: readonly RowOf[K][]): Promise<void>;
  /** Deletes every row, and leaves the note. */
  clear(): Promise<void>;
};
