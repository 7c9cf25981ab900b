/**
 * What MongoDB keeps, as mongoose schemas, and every index it keeps it by.
 *
 * Invariant: whatever must change in one write lives in one document. So a scope's epoch, the Sign-outs that are still
 * pending on it, and the account or Client it belongs to are one document under the scope's key; that is why no promise
 * needs a transaction over several. Bearer values are digests here as everywhere; these shapes know no keys.
 */
import { type IndexDefinition, type IndexOptions, Schema } from 'mongoose';

import {
  account,
  actor,
  client,
  connection,
  instant,
  instantOrNull,
  integer,
  keyedEpoch,
  lease,
  named,
  OPTIONS,
  pendingSignOut,
  signOutFields,
  text,
  textOrNull,
} from './schema-parts.ts';

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
      [{ 'account.credentials.id': 1 }, { unique: true, sparse: true }],
      [{ 'account.identities.connectionId': 1 }, { sparse: true }],
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
      // In the order of the accounts: who is signed in there, or through that.
      [{ endedAt: 1, clientId: 1, accountId: 1 }, {}],
      [{ endedAt: 1, connectionId: 1, accountId: 1 }, {}],
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
      ...lease,
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
  mails: {
    name: 'mails',
    schema: named({
      accountId: textOrNull,
      kind: text,
      sealed: text,
      status: text,
      attempts: integer,
      nextAttemptAt: instantOrNull,
      lastAttemptAt: instantOrNull,
      lastOutcome: textOrNull,
      createdAt: instant,
      deadlineAt: instant,
      ...lease,
    }),
    indexes: [
      [{ status: 1, nextAttemptAt: 1 }, {}],
      [{ status: 1, leaseUntil: 1, nextAttemptAt: 1 }, {}],
      [{ status: 1, createdAt: 1 }, {}],
      [{ status: 1, _id: 1 }, {}],
      [{ accountId: 1, _id: 1 }, {}],
      [{ claim: 1 }, { sparse: true }],
    ],
  },
  events: {
    name: 'events',
    schema: named({
      at: instant,
      kind: text,
      accountId: textOrNull,
      actor: { type: actor, required: true },
      sealed: text,
      outcome: String,
      facts: String,
      commitment: String,
      seq: Number,
      hash: String,
      unchained: String,
    }),
    indexes: [
      [{ accountId: 1, at: -1, _id: -1 }, {}],
      [{ seq: 1 }, { unique: true, sparse: true }],
      [{ unchained: 1 }, { sparse: true }],
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
  incidents: {
    name: 'incidents',
    schema: named({ openedAt: instant, state: text, revision: integer }),
    indexes: [[{ openedAt: -1, _id: 1 }, {}]],
  },
  incidentMembers: { name: 'incident_members', schema: named({ incidentId: text, accountId: text }), indexes: [] },
  leases: { name: 'leases', schema: named({ holder: text, leaseUntil: instant }), indexes: [] },
  facts: { name: 'facts', schema: named({ value: text }), indexes: [] },
  house: {
    name: 'house',
    schema: named({ version: Number, answered: Number, seq: Number, hash: String, links: String }),
    indexes: [],
  },
} as const satisfies { readonly [name: string]: Collection };
