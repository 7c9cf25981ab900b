/**
 * What MongoDB keeps, as mongoose schemas, and every index it keeps it by.
 *
 * Invariant: whatever must change in one write lives in one document. So a scope's epoch, the Sign-outs that are still
 * pending on it, and the account or Client it belongs to are one document under the scope's key; that is why no promise
 * needs a transaction over several. Bearer values are digests here as everywhere; these shapes know no keys.
 */
import { type IndexDefinition, type IndexOptions, Schema, type SchemaOptions } from 'mongoose';

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
  readonly createdAt: Date;
  /** Blind indexes; gone with a deleted account. */
  readonly identifiers?: readonly string[];
  /** Gone with a deleted account, too. */
  readonly identities?: readonly IdentityFields[];
};

export type IdentityFields = Omit<IdentityRecord, 'accountId'>;

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

export type DeliveryDocument = Omit<DeliveryRecord, 'id'> & {
  readonly _id: string;
  /** The beginning of time when nobody holds it. */
  readonly leaseUntil: Date;
  readonly fence: number;
  /** Names the claim that leased it, so that the claimer finds what it got. */
  readonly claim?: string;
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
export type FactDocument = { readonly _id: string; readonly value: string };
/** What the engine notes of itself: the schema it was migrated to, and how often it answered a ping. */
export type HouseDocument = { readonly _id: string; readonly version?: number; readonly answered?: number };

const OPTIONS = { versionKey: false, minimize: false, strict: 'throw', strictQuery: 'throw' } as const;
const EMBEDDED = { ...OPTIONS, _id: false } as const;

// Nothing is missing that is a text of no letters.
Schema.Types.String.checkRequired((value) => typeof value === 'string');

const text = { type: String, required: true } as const;
const textOrNull = { type: String, default: null } as const;
const instant = { type: Date, required: true } as const;
const instantOrNull = { type: Date, default: null } as const;
const integer = { type: Number, required: true } as const;

const keyedEpoch = new Schema({ key: text, epoch: integer }, EMBEDDED);

const signOutScope = new Schema(
  {
    kind: text,
    accountId: String,
    clientId: String,
    connectionId: String,
    grantId: String,
    sessionUid: String,
    subject: String,
    upstreamSession: String,
  },
  EMBEDDED,
);
const actor = new Schema({ kind: text, accountId: String, clientId: String }, EMBEDDED);
const signOutFields = {
  scope: { type: signOutScope, required: true },
  reason: { type: String, default: '' },
  actor: { type: actor, required: true },
  at: instant,
  epochBefore: integer,
  spared: [keyedEpoch],
};

const pendingSignOut = new Schema({ id: text, ...signOutFields, holder: String, leaseUntil: instant }, EMBEDDED);

const identity = new Schema(
  { subject: text, connectionId: text, sealedIdentity: text, linkedAt: instant, lastUsedAt: instant },
  EMBEDDED,
);

const account = new Schema(
  {
    status: text,
    admin: { type: Boolean, required: true },
    sealedUsername: String,
    sealedEmail: String,
    passwordHash: textOrNull,
    passwordChangedAt: instantOrNull,
    createdAt: instant,
    identifiers: { type: [String], default: undefined },
    identities: { type: [identity], default: undefined },
  },
  EMBEDDED,
);

const client = new Schema(
  { source: text, status: text, metadata: text, version: integer, createdAt: instant },
  EMBEDDED,
);

const connection = new Schema(
  { type: { type: String, required: true }, status: text, state: text, version: integer, createdAt: instant },
  EMBEDDED,
);

const named = (fields: object, options: SchemaOptions = {}): Schema =>
  new Schema({ _id: String, ...fields }, { ...OPTIONS, ...options } as SchemaOptions);

/** One collection: its name, its shape, and the indexes that a migration makes. */
export type Collection = {
  readonly name: string;
  readonly schema: Schema;
  readonly indexes: readonly (readonly [IndexDefinition, IndexOptions])[];
  /** The field that says from when a document is of no use, where the server may delete by it. */
  readonly expiry?: string;
};

/**
 * `sparse` where only some documents have the field, which spares the others an entry: understood by every server that
 * speaks MongoDB, as partial indexes are not.
 */
export const COLLECTIONS = {
  scopes: {
    name: 'scopes',
    schema: named({
      revision: integer,
      epoch: integer,
      spared: [keyedEpoch],
      pending: [pendingSignOut],
      signedOutAt: instantOrNull,
      raisedAt: instantOrNull,
      forgettable: String,
      account,
      client,
      connection,
    }),
    indexes: [
      // An element of one account's array can be in no other account's: no name is taken twice, by whichever route.
      [{ 'account.identifiers': 1 }, { unique: true, sparse: true }],
      [{ 'account.identities.subject': 1 }, { unique: true, sparse: true }],
      [{ 'pending.at': 1 }, { sparse: true }],
      [{ 'pending.id': 1 }, { sparse: true }],
      // One field: a sparse index over several holds every document that has any of them.
      [{ forgettable: 1 }, { sparse: true }],
    ],
  },
  signOuts: {
    name: 'sign_outs',
    schema: named({
      ...signOutFields,
      status: text,
      endedSessions: integer,
      endedAccounts: integer,
      endedClients: integer,
      selfContainedUntil: instantOrNull,
    }),
    indexes: [
      [{ at: -1, _id: 1 }, {}],
      [{ status: 1, at: 1, _id: 1 }, {}],
    ],
  },
  artifacts: {
    name: 'artifacts',
    schema: new Schema(
      {
        _id: Buffer,
        model: text,
        payload: text,
        stamps: [keyedEpoch],
        expiresAt: instant,
        consumedAt: instantOrNull,
        destroyed: { type: Boolean, required: true },
        order: Schema.Types.ObjectId,
        uid: String,
        userCode: String,
        accountId: String,
        sessionOf: String,
      },
      OPTIONS,
    ),
    indexes: [
      [{ uid: 1 }, { sparse: true }],
      [{ userCode: 1 }, { sparse: true }],
      [{ sessionOf: 1 }, { sparse: true }],
    ],
    expiry: 'expiresAt',
  },
  clientSessions: {
    name: 'client_sessions',
    schema: named({
      accountId: text,
      clientId: text,
      connectionId: textOrNull,
      sessionUid: text,
      kind: text,
      persistent: { type: Boolean, required: true },
      sid: text,
      sealedDevice: text,
      stamps: [keyedEpoch],
      firstUsedAt: instant,
      lastUsedAt: instant,
      selfContainedUntil: instantOrNull,
      endedAt: instantOrNull,
      endedBy: textOrNull,
    }),
    // `endedAt` first: what is asked for is those that live, and they are the ones with nothing in it.
    indexes: [
      [{ endedAt: 1, _id: 1 }, {}],
      [{ endedAt: 1, accountId: 1, _id: 1 }, {}],
      [{ endedAt: 1, clientId: 1, _id: 1 }, {}],
      [{ endedAt: 1, connectionId: 1, _id: 1 }, {}],
      [{ endedAt: 1, sessionUid: 1, _id: 1 }, {}],
      [{ endedBy: 1, _id: 1 }, {}],
      [{ endedBy: 1, accountId: 1 }, {}],
      [{ endedBy: 1, clientId: 1 }, {}],
    ],
  },
  deliveries: {
    name: 'deliveries',
    schema: named({
      signOutId: text,
      accountId: text,
      clientId: text,
      sid: textOrNull,
      status: text,
      attempts: integer,
      refusals: integer,
      nextAttemptAt: instantOrNull,
      lastAttemptAt: instantOrNull,
      lastOutcome: textOrNull,
      createdAt: instant,
      deadlineAt: instant,
      leaseUntil: instant,
      fence: integer,
      claim: String,
    }),
    indexes: [
      [{ status: 1, clientId: 1, nextAttemptAt: 1 }, {}],
      [{ status: 1, leaseUntil: 1, nextAttemptAt: 1 }, {}],
      [{ signOutId: 1, status: 1, _id: 1 }, {}],
      [{ signOutId: 1, _id: 1 }, {}],
      [{ clientId: 1, _id: 1 }, {}],
      [{ claim: 1 }, { sparse: true }],
    ],
  },
  signingKeys: {
    name: 'signing_keys',
    schema: named({ alg: text, sealedJwk: text, createdAt: instant, signsFrom: instant, retiresAt: instantOrNull }),
    indexes: [],
  },
  failures: {
    name: 'failures',
    schema: named({ failures: integer, blockedUntil: instant, failedAt: instant }),
    indexes: [[{ failedAt: 1 }, {}]],
  },
  attempts: {
    name: 'attempts',
    schema: named({ windowStart: instant, attempts: integer, expiresAt: instant }),
    indexes: [],
    expiry: 'expiresAt',
  },
  facts: { name: 'facts', schema: named({ value: text }), indexes: [] },
  house: { name: 'house', schema: named({ version: Number, answered: Number }), indexes: [] },
} as const satisfies { readonly [name: string]: Collection };
