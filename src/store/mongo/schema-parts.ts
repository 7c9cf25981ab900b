/**
 * What mongoose schemas are made of: kinds of fields, and the parts that documents hold inside them. What is not named here or
 * in schemas.ts is refused aloud, and never left out in silence.
 */
import { Schema, type SchemaOptions } from 'mongoose';

export const OPTIONS = { versionKey: false, minimize: false, strict: 'throw', strictQuery: 'throw' } as const;
const EMBEDDED = { ...OPTIONS, _id: false } as const;

// Nothing is missing that is a text of no letters.
Schema.Types.String.checkRequired((value) => typeof value === 'string');

export const text = { type: String, required: true } as const;
export const textOrNull = { type: String, default: null } as const;
export const instant = { type: Date, required: true } as const;
export const instantOrNull = { type: Date, default: null } as const;
export const integer = { type: Number, required: true } as const;

export const keyedEpoch = new Schema({ key: text, epoch: integer }, EMBEDDED);

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
export const actor = new Schema({ kind: text, accountId: String, clientId: String }, EMBEDDED);
export const signOutFields = {
  scope: { type: signOutScope, required: true },
  reason: { type: String, default: '' },
  actor: { type: actor, required: true },
  at: instant,
  epochBefore: integer,
  spared: [keyedEpoch],
};

export const pendingSignOut = new Schema({ id: text, ...signOutFields, holder: String, leaseUntil: instant }, EMBEDDED);

const identity = new Schema(
  { subject: text, connectionId: text, sealedIdentity: text, linkedAt: instant, lastUsedAt: instant },
  EMBEDDED,
);

const credential = new Schema(
  { id: text, kind: text, sealed: text, revision: integer, createdAt: instant, lastUsedAt: instantOrNull },
  EMBEDDED,
);

export const account = new Schema(
  {
    status: text,
    admin: { type: Boolean, required: true },
    sealedUsername: String,
    sealedEmail: String,
    passwordHash: textOrNull,
    passwordChangedAt: instantOrNull,
    passwordResetRequiredAt: instantOrNull,
    emailVerifiedAt: instantOrNull,
    locale: textOrNull,
    lastSignedInAt: instantOrNull,
    createdAt: instant,
    identifiers: { type: [String], default: undefined },
    identities: { type: [identity], default: undefined },
    credentials: { type: [credential], default: undefined },
  },
  EMBEDDED,
);

export const client = new Schema(
  { source: text, status: text, metadata: text, version: integer, createdAt: instant },
  EMBEDDED,
);

export const connection = new Schema(
  { type: { type: String, required: true }, status: text, state: text, version: integer, createdAt: instant },
  EMBEDDED,
);

export const named = (fields: object, options: SchemaOptions = {}): Schema =>
  new Schema({ _id: String, ...fields }, { ...OPTIONS, ...options } as SchemaOptions);

/** Being held by one worker at a time. */
export const lease = { leaseUntil: instant, fence: integer, claim: String };
