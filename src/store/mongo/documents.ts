/**
 * What a document holds, as it is read: the shapes that schemas.ts gives to mongoose, in the words of this language. They say
 * what a field means; how it is found is said there.
 */
import type { CredentialRecord } from '../credentials.ts';
import type { IncidentRecord } from '../incidents.ts';
import type { EventRecord } from '../journal.ts';
import type { MailRecord } from '../outbox.ts';
import type {
  ClientRecord,
  ClientSessionRecord,
  ConnectionRecord,
  DeliveryRecord,
  IdentityRecord,
  SignOutRecord,
  SigningKeyRecord,
} from '../records.ts';

/** A scope's key with a dot or a dollar in it could not be the name of a field; as a value it can be anything. */
export type KeyedEpoch = { readonly key: string; readonly epoch: number };

/** A Sign-out as it stands on the record that it raised, and, once something of it is done, on its own. */
export type SignOutFields = Omit<SignOutRecord, 'id' | 'status' | 'spared'> & {
  readonly spared: readonly KeyedEpoch[];
};

export type PendingSignOut = SignOutFields & {
  readonly id: string;
  /** Which process spreads it, and until when nobody else may. */
  readonly holder: string;
  readonly leaseUntil: Date;
};

export type AccountFields = {
  readonly status: 'active' | 'disabled' | 'deleted';
  readonly admin: boolean;
  readonly sealedUsername: string;
  readonly sealedEmail: string;
  readonly passwordHash: string | null;
  readonly passwordChangedAt: Date | null;
  /** These three are not there in what schema 1 wrote: as good as null. */
  readonly passwordResetRequiredAt?: Date | null;
  readonly emailVerifiedAt?: Date | null;
  readonly locale?: string | null;
  /** Not there in what schema 2 wrote, either. */
  readonly lastSignedInAt?: Date | null;
  readonly createdAt: Date;
  /** Blind indexes; gone with a deleted account. */
  readonly identifiers?: readonly string[];
  /** Gone with a deleted account, too. */
  readonly identities?: readonly IdentityFields[];
  /** And these. */
  readonly credentials?: readonly CredentialFields[];
};

export type IdentityFields = Omit<IdentityRecord, 'accountId'>;

export type CredentialFields = Omit<CredentialRecord, 'accountId'>;

export type ConnectionFields = Omit<ConnectionRecord, 'id'>;

export type ClientFields = Omit<ClientRecord, 'id' | 'metadata'> & {
  /** JSON: names of metadata are anybody's, and names of fields are not. */
  readonly metadata: string;
};

export type ScopeDocument = {
  readonly _id: string;
  /** Raised by each change to the document but the coming and going of leases: what a compare-and-set compares. */
  readonly revision: number;
  readonly epoch: number;
  readonly spared: readonly KeyedEpoch[];
  readonly pending: readonly PendingSignOut[];
  readonly signedOutAt: Date | null;
  readonly raisedAt: Date | null;
  /** `raisedAt` and the key, on Grants and browser Sessions alone: only these are forgotten, in this order. */
  readonly forgettable?: string;
  readonly account?: AccountFields;
  readonly client?: ClientFields;
  readonly connection?: ConnectionFields;
};

export type SignOutDocument = SignOutFields & {
  readonly _id: string;
  readonly status: SignOutRecord['status'];
  readonly endedSessions: number;
  readonly endedAccounts: number;
  readonly endedClients: number;
  readonly selfContainedUntil: Date | null;
};

export type ArtifactDocument = {
  readonly _id: Buffer;
  readonly model: string;
  readonly payload: string;
  readonly stamps: readonly KeyedEpoch[];
  readonly expiresAt: Date;
  readonly consumedAt: Date | null;
  readonly destroyed: boolean;
  /** Which of two was saved first; kept from then on. */
  readonly order: unknown;
  readonly uid?: string;
  readonly userCode?: string;
  readonly accountId?: string;
  /** The account, on browser Sessions alone: these are listed by it. */
  readonly sessionOf?: string;
};

export type ClientSessionDocument = Omit<ClientSessionRecord, 'grantId' | 'stamps'> & {
  readonly _id: string;
  readonly stamps: readonly KeyedEpoch[];
};

/** What is due at an instant and then held by one worker at a time. */
export type LeasedDocument = {
  readonly _id: string;
  readonly status: string;
  readonly nextAttemptAt: Date | null;
  /** The beginning of time when nobody holds it. */
  readonly leaseUntil: Date;
  readonly fence: number;
  /** Names the claim that leased it, so that the claimer finds what it got. */
  readonly claim?: string;
};

export type DeliveryDocument = LeasedDocument & Omit<DeliveryRecord, 'id'>;
export type MailDocument = LeasedDocument & Omit<MailRecord, 'id'>;
/** What schema 2 wrote has none of what may be missing here. */
export type EventDocument = Omit<EventRecord, 'id' | 'outcome' | 'facts' | 'commitment' | 'seq' | 'hash'> & {
  readonly _id: string;
  readonly outcome?: string;
  readonly facts?: string;
  readonly commitment?: string;
  readonly seq?: number;
  readonly hash?: string;
  /** The instant and the id, while it has no place in the chain: only these are chained, in this order. */
  readonly unchained?: string;
};

export type SigningKeyDocument = Omit<SigningKeyRecord, 'kid'> & { readonly _id: string };
export type FailureDocument = {
  readonly _id: string;
  readonly failures: number;
  readonly blockedUntil: Date;
  readonly failedAt: Date;
};
export type AttemptDocument = {
  readonly _id: string;
  readonly windowStart: Date;
  readonly attempts: number;
  readonly expiresAt: Date;
};
export type IncidentDocument = Omit<IncidentRecord, 'id'> & { readonly _id: string };
/** The id is that of the incident, a hyphen and that of the account: in its order they lie together and ascend. */
export type IncidentMemberDocument = { readonly _id: string; readonly incidentId: string; readonly accountId: string };
/** One that nobody holds is not there, or has ended. */
export type LeaseDocument = { readonly _id: string; readonly holder: string; readonly leaseUntil: Date };
export type FactDocument = { readonly _id: string; readonly value: string };
/** What the engine notes of itself: the schema it was migrated to, how often it answered a ping, where the chain of events ends. */
export type HouseDocument = {
  readonly _id: string;
  readonly version?: number;
  readonly answered?: number;
  readonly seq?: number;
  readonly hash?: string;
  /** JSON: the places that were given with this end; null once they are on their events. */
  readonly links?: string | null;
};
