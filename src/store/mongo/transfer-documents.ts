/** What each kind of row is in MongoDB: a whole document, or a part of a scope's. */
import { Types, type UpdateQuery } from 'mongoose';

import type { ConnectionRecord } from '../records.ts';
import type { Kind, RowOf } from '../transfer.ts';
import { credentialFields, credentialsIn, identityFields, laterFields } from './account-documents.ts';
import { connectionFrom } from './catalogue.ts';
import { type Models, trusted } from './database.ts';
import type {
  AccountFields,
  ArtifactDocument,
  AttemptDocument,
  ClientFields,
  ClientSessionDocument,
  DeliveryDocument,
  FactDocument,
  FailureDocument,
  IncidentDocument,
  IncidentMemberDocument,
  IdentityFields,
  LeasedDocument,
  MailDocument,
  ScopeDocument,
  SigningKeyDocument,
} from './documents.ts';
import { clientSessionFrom } from './client-sessions.ts';
import { eventDocument, eventFrom } from './journal.ts';
import { FREE } from './leases.ts';
import { mailFrom } from './outbox.ts';
import { keyedEpochs, raise, stampsFrom } from './scopes.ts';

/** A kind whose rows are parts of the documents of scopes. */
export type Part<Row> = {
  /** The documents that have one. */
  readonly filter: () => object;
  readonly key: (id: string) => string;
  readonly from: (document: never) => Row;
  readonly to: (row: Row) => UpdateQuery<ScopeDocument>;
  /** What must be out of the way before these are written. */
  readonly prepare?: (models: Models, rows: readonly Row[]) => Promise<void>;
};

/** A kind whose rows are whole documents. */
export type Whole<Row, Document> = {
  readonly model: Exclude<keyof Models, 'scopes' | 'signOuts' | 'leases' | 'house'>;
  readonly expires?: true;
  /** The id as it is kept. */
  readonly after?: (id: string) => unknown;
  readonly from: (document: never) => Row;
  readonly to: (row: Row) => Document;
};

/** Whichever part of a document comes first makes all of it. */
const ANEW = { revision: 1 };
const UNRAISED = { ...ANEW, epoch: 0, spared: [], pending: [], signedOutAt: null, raisedAt: null };

export const PARTS: {
  readonly [K in 'scopes' | 'accounts' | 'clients' | 'connections']: Part<RowOf[K]>;
} = {
  scopes: {
    filter: () => ({ raisedAt: trusted({ $ne: null }) }),
    key: (id) => id,
    from: (document: ScopeDocument) => ({
      id: document._id,
      epoch: document.epoch,
      spared: stampsFrom(document.spared),
      pending: document.pending.map(({ id }) => id).sort(),
      signedOutAt: document.signedOutAt,
      raisedAt: document.raisedAt as Date,
    }),
    to: ({ id, epoch, spared, signedOutAt, raisedAt }) => ({
      $set: {
        ...raise(id, raisedAt).$set,
        epoch,
        spared: keyedEpochs(spared),
        signedOutAt,
        // The Sign-outs put themselves there as they are written.
        pending: [],
      },
      $setOnInsert: ANEW,
    }),
  },
  accounts: {
    filter: () => ({ _id: trusted({ $gt: 'account:', $lt: 'account;' }), account: trusted({ $exists: true }) }),
    key: (id) => `account:${id}`,
    from: ({ _id, account }: ScopeDocument) => {
      const {
        identifiers: [username = null, email = null] = [],
        identities = [],
        credentials: _credentials,
        ...fields
      } = account as AccountFields;
      return {
        id: _id.slice('account:'.length),
        ...fields,
        ...laterFields(fields),
        username,
        email,
        identities: identities.map(identityFields).sort(byLinking),
        credentials: credentialsIn(account),
      };
    },
    to: ({ id: _id, username, email, identities, credentials, ...fields }) => {
      const identifiers = [username, email].filter((each) => each !== null);
      const account: AccountFields = {
        ...fields,
        ...(identifiers.length === 0 ? {} : { identifiers }),
        ...(identities.length === 0 ? {} : { identities }),
        ...(credentials.length === 0 ? {} : { credentials: credentials.map(credentialFields) }),
      };
      return { $set: { account }, $setOnInsert: UNRAISED };
    },
    // Whoever had one of these names, Identities or Credentials before does not have it any more, or the two could not stand in one store.
    prepare: async ({ scopes }, rows) => {
      const names = rows.flatMap(({ username, email }) => [username, email].filter((each) => each !== null));
      // Not pulled out one by one: of arrays with nothing in them, too, an index that is unique takes only one.
      await scopes.updateMany(
        { 'account.identifiers': trusted({ $in: names }) },
        { $unset: { 'account.identifiers': 1 } },
      );
      const subjects = rows.flatMap(({ identities }) => identities.map(({ subject }) => subject));
      await scopes.updateMany(
        { 'account.identities.subject': trusted({ $in: subjects }) },
        { $unset: { 'account.identities': 1 } },
      );
      const credentials = rows.flatMap((row) => row.credentials.map(({ id }) => id));
      await scopes.updateMany(
        { 'account.credentials.id': trusted({ $in: credentials }) },
        { $unset: { 'account.credentials': 1 } },
      );
    },
  },
  clients: {
    filter: () => ({ _id: trusted({ $gt: 'client:', $lt: 'client;' }), client: trusted({ $exists: true }) }),
    key: (id) => `client:${id}`,
    from: ({ _id, client }: ScopeDocument) => ({ id: _id.slice('client:'.length), ...(client as ClientFields) }),
    to: ({ id: _id, ...client }) => ({ $set: { client }, $setOnInsert: UNRAISED }),
  },
  connections: {
    filter: () => ({
      _id: trusted({ $gt: 'connection:', $lt: 'connection;' }),
      connection: trusted({ $exists: true }),
    }),
    key: (id) => `connection:${id}`,
    from: (document: ScopeDocument) => connectionFrom(document) as ConnectionRecord,
    to: ({ id: _id, ...connection }) => ({ $set: { connection }, $setOnInsert: UNRAISED }),
  },
};

const byLinking = (a: IdentityFields, b: IdentityFields): number =>
  a.linkedAt.getTime() - b.linkedAt.getTime() || (a.subject < b.subject ? -1 : 1);

export const WHOLES: {
  readonly [K in Exclude<Kind, keyof typeof PARTS | 'signOuts'>]: Whole<RowOf[K], object>;
} = {
  facts: {
    model: 'facts',
    from: ({ _id, value }: FactDocument) => ({ id: _id, value }),
    to: ({ id, value }): FactDocument => ({ _id: id, value }),
  },
  signingKeys: {
    model: 'signingKeys',
    from: ({ _id, alg, sealedJwk, createdAt, signsFrom, retiresAt }: SigningKeyDocument) => {
      return { id: _id, alg, sealedJwk, createdAt, signsFrom, retiresAt };
    },
    to: ({ id, ...key }): SigningKeyDocument => ({ _id: id, ...key }),
  },
  clientSessions: {
    model: 'clientSessions',
    from: (document: ClientSessionDocument) => {
      const { grantId, ...session } = clientSessionFrom(document);
      return { id: grantId, ...session };
    },
    to: ({ id, stamps, ...session }): ClientSessionDocument => ({ _id: id, ...session, stamps: keyedEpochs(stamps) }),
  },
  deliveries: {
    model: 'deliveries',
    from: ({ _id, claim: _claim, leaseUntil, ...delivery }: DeliveryDocument) => {
      return { id: _id, ...delivery, leaseUntil: heldUntil({ leaseUntil }) };
    },
    to: ({ id, leaseUntil, ...delivery }): DeliveryDocument => {
      return { _id: id, ...delivery, leaseUntil: leaseUntil ?? FREE };
    },
  },
  mails: {
    model: 'mails',
    from: (document: MailDocument) => {
      return { ...mailFrom(document), fence: document.fence, leaseUntil: heldUntil(document) };
    },
    to: ({ id, leaseUntil, ...mail }): MailDocument => ({ _id: id, ...mail, leaseUntil: leaseUntil ?? FREE }),
  },
  events: { model: 'events', from: eventFrom, to: eventDocument },
  incidents: {
    model: 'incidents',
    from: ({ _id, ...incident }: IncidentDocument) => ({ id: _id, ...incident }),
    to: ({ id, ...incident }): IncidentDocument => ({ _id: id, ...incident }),
  },
  incidentMembers: {
    model: 'incidentMembers',
    from: ({ _id, ...member }: IncidentMemberDocument) => ({ id: _id, ...member }),
    to: ({ id, ...member }): IncidentMemberDocument => ({ _id: id, ...member }),
  },
  artifacts: {
    model: 'artifacts',
    expires: true,
    after: (id) => Buffer.from(id, 'hex'),
    from: (document: ArtifactDocument) => ({
      id: document._id.toString('hex'),
      model: document.model,
      payload: document.payload,
      stamps: stampsFrom(document.stamps),
      expiresAt: document.expiresAt,
      consumedAt: document.consumedAt,
      destroyed: document.destroyed,
      uid: document.uid ?? null,
      userCode: document.userCode ?? null,
      accountId: document.accountId ?? null,
      order: wholeNumber(document.order as Types.ObjectId),
    }),
    to: ({ id, stamps, uid, userCode, accountId, order, ...artifact }): ArtifactDocument => {
      const sessionOf = artifact.model === 'Session' ? accountId : null;
      const optional = Object.entries({ uid, userCode, accountId, sessionOf }).filter(([, value]) => value !== null);
      return {
        _id: Buffer.from(id, 'hex'),
        ...artifact,
        stamps: keyedEpochs(stamps),
        order: objectId(order),
        ...Object.fromEntries(optional),
      };
    },
  },
  failures: {
    model: 'failures',
    from: ({ _id, ...failure }: FailureDocument) => ({ id: _id, ...failure }),
    to: ({ id, ...failure }): FailureDocument => ({ _id: id, ...failure }),
  },
  attempts: {
    model: 'attempts',
    expires: true,
    from: ({ _id, ...attempt }: AttemptDocument) => ({ id: _id, ...attempt }),
    to: ({ id, ...attempt }): AttemptDocument => ({ _id: id, ...attempt }),
  },
};

const heldUntil = ({ leaseUntil }: Pick<LeasedDocument, 'leaseUntil'>): Date | null =>
  leaseUntil.getTime() === FREE.getTime() ? null : leaseUntil;

/** Of an ObjectId's 12 bytes, 4 say the second and the last 3 count: a number that JavaScript keeps exactly has room for both. */
const COUNT = 2 ** 21;

/** What was saved later has a larger number, as far as its ObjectId tells: two processes within a second are not told apart. */
function wholeNumber(id: Types.ObjectId): number {
  const bytes = id.toHexString();
  const second = parseInt(bytes.slice(0, 8), 16);
  // No second at all: it was made of a number.
  if (second === 0) return parseInt(bytes.slice(8), 16);
  return second * COUNT + (parseInt(bytes.slice(18), 16) % COUNT);
}

/** Before all that are made as they are saved, and so before whatever is saved here from now on. */
function objectId(order: number): Types.ObjectId {
  return new Types.ObjectId(order.toString(16).padStart(24, '0'));
}
