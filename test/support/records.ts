/**
 * Records for tests, small and valid: a test names what matters to it and nothing else. Every instant is counted from
 * one fixed moment, so that nothing here reads a clock.
 */
import { createHash } from 'node:crypto';
import type { CredentialRecord } from '../../src/store/credentials.ts';
import type { EventRecord } from '../../src/store/journal.ts';
import type { MailRecord } from '../../src/store/outbox.ts';
import type { SignOutRequest } from '../../src/store/port.ts';
import type {
  AccountIdentifiers,
  AccountRecord,
  ArtifactRecord,
  ClientRecord,
  ClientSessionRecord,
  ConnectionRecord,
  DeliveryRecord,
  IdentityRecord,
  ScopeKey,
  SignOutScope,
  SigningKeyRecord,
  Stamps,
} from '../../src/store/records.ts';

/** The moment tests begin at. It has milliseconds, so that an engine that drops them is noticed. */
export const start = new Date('2031-05-04T03:02:01.234Z');

/** The instant `seconds` after the start; fractions are milliseconds, negative ones lie before. */
export const at = (seconds: number): Date => new Date(start.getTime() + Math.round(seconds * 1000));

export const hour = 3600;
export const day = 24 * hour;
export const year = 365 * day;

export const digest = (model: string, value: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`${model}:${value}`).digest());

export const account = (id: string, overrides: Partial<AccountRecord> = {}): AccountRecord => ({
  id,
  status: 'active',
  admin: false,
  sealedUsername: `sealed:username:${id}`,
  sealedEmail: `sealed:email:${id}`,
  password: { hash: `hash:${id}:first`, changedAt: start },
  passwordResetRequiredAt: null,
  emailVerifiedAt: null,
  locale: null,
  lastSignedInAt: null,
  createdAt: start,
  ...overrides,
});

/** An Identity of this account's, known by its blind index. */
export const identity = (
  subject: string,
  accountId: string,
  overrides: Partial<IdentityRecord> = {},
): IdentityRecord => ({
  subject,
  connectionId: 'corp',
  accountId,
  sealedIdentity: `sealed:identity:${subject}`,
  linkedAt: start,
  lastUsedAt: start,
  ...overrides,
});

/** A passkey of this account's, unless told. */
export const credential = (
  id: string,
  accountId: string,
  overrides: Partial<CredentialRecord> = {},
): CredentialRecord => ({
  id,
  accountId,
  kind: 'passkey',
  sealed: `sealed:credential:${id}`,
  revision: 0,
  createdAt: start,
  lastUsedAt: null,
  ...overrides,
});

export const connection = (
  id: string,
  overrides: Partial<ConnectionRecord> = {},
): Omit<ConnectionRecord, 'version' | 'status'> => ({
  id,
  type: 'saml',
  state: JSON.stringify({ of: id }),
  createdAt: start,
  ...overrides,
});

export const identifiers = (id: string): AccountIdentifiers => ({ username: `index:${id}`, email: `index:${id}@mail` });

/** An artifact named by the bearer value it stands for; stamped with nothing unless told. */
export const artifact = (name: string, overrides: Partial<ArtifactRecord> = {}): ArtifactRecord => {
  const model = overrides.model ?? 'AccessToken';
  return {
    model,
    key: digest(model, name),
    payload: JSON.stringify({ kind: model, name }),
    stamps: {},
    expiresAt: at(hour),
    ...overrides,
  };
};

/** The scope whose epoch a Sign-out of this scope raises. */
export const raisedBy = (scope: SignOutScope): ScopeKey => {
  switch (scope.kind) {
    case 'everyone':
      return 'everyone';
    case 'client':
      return `client:${scope.clientId}`;
    case 'connection':
      return `connection:${scope.connectionId}`;
    case 'account':
    case 'account-except':
      return `account:${scope.accountId}`;
    case 'identity':
      return `identity:${scope.subject}`;
    case 'upstream':
      return `upstream:${scope.upstreamSession}`;
    case 'device':
      return `grant:${scope.grantId}`;
    case 'browser':
      return `session:${scope.sessionUid}`;
  }
};

export const signOutRequest = (
  id: string,
  scope: SignOutScope,
  overrides: Partial<SignOutRequest> = {},
): SignOutRequest => ({
  id,
  scope,
  reason: 'lost laptop',
  actor: { kind: 'operator' },
  at: start,
  ...overrides,
});

/** A Sign-out request that raises this one scope, whatever its kind. */
export const signOutOf = (id: string, key: ScopeKey, overrides: Partial<SignOutRequest> = {}): SignOutRequest => {
  const [kind, name] = [key.split(':', 1)[0], key.slice(key.indexOf(':') + 1)];
  const scope = ((): SignOutScope => {
    switch (kind) {
      case 'account':
        return { kind, accountId: name };
      case 'client':
        return { kind, clientId: name };
      case 'connection':
        return { kind, connectionId: name };
      case 'session':
        return { kind: 'browser', accountId: 'alice', sessionUid: name };
      case 'grant':
        return { kind: 'device', accountId: 'alice', grantId: name };
      case 'identity':
        return { kind, accountId: 'alice', connectionId: 'corp', subject: name };
      case 'upstream':
        return { kind, accountId: 'alice', connectionId: 'corp', upstreamSession: name };
      default:
        return { kind: 'everyone' };
    }
  })();
  return signOutRequest(id, scope, overrides);
};

/** What a Client Session's own facts say it is stamped with, each at 0; a device of its own bears no browser Session. */
const stampsOf = (session: Omit<ClientSessionRecord, 'stamps'>): Stamps => ({
  everyone: 0,
  [`account:${session.accountId}`]: 0,
  [`client:${session.clientId}`]: 0,
  [`grant:${session.grantId}`]: 0,
  ...(session.connectionId === null ? {} : { [`connection:${session.connectionId}`]: 0 }),
  ...(session.kind === 'device' || session.persistent ? {} : { [`session:${session.sessionUid}`]: 0 }),
});

/** `stamps` are laid over those that follow from the record's own facts. */
export const clientSession = (grantId: string, overrides: Partial<ClientSessionRecord> = {}): ClientSessionRecord => {
  const { stamps, ...facts } = overrides;
  const session = {
    grantId,
    accountId: 'alice',
    clientId: 'player',
    connectionId: null,
    sessionUid: 'laptop',
    kind: 'browser' as const,
    persistent: false,
    sid: `sid:${grantId}`,
    sealedDevice: `sealed:device:${grantId}`,
    firstUsedAt: start,
    lastUsedAt: start,
    selfContainedUntil: null,
    endedAt: null,
    endedBy: null,
    ...facts,
  };
  return { ...session, stamps: { ...stampsOf(session), ...stamps } };
};

export const delivery = (id: string, overrides: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  id,
  signOutId: 'sign-out',
  accountId: 'alice',
  clientId: 'player',
  sid: null,
  status: 'pending',
  attempts: 0,
  refusals: 0,
  nextAttemptAt: start,
  lastAttemptAt: null,
  lastOutcome: null,
  createdAt: start,
  deadlineAt: at(72 * hour),
  ...overrides,
});

export const mail = (id: string, overrides: Partial<MailRecord> = {}): MailRecord => ({
  id,
  accountId: 'alice',
  kind: 'password-reset',
  sealed: `sealed:mail:${id}`,
  status: 'pending',
  attempts: 0,
  nextAttemptAt: start,
  lastAttemptAt: null,
  lastOutcome: null,
  createdAt: start,
  deadlineAt: at(day),
  ...overrides,
});

export const event = (id: string, overrides: Partial<EventRecord> = {}): EventRecord => ({
  id,
  at: start,
  kind: 'password.changed',
  accountId: 'alice',
  actor: { kind: 'account', accountId: 'alice' },
  outcome: 'done',
  facts: '{}',
  commitment: `commitment:${id}`,
  sealed: `sealed:event:${id}`,
  seq: null,
  hash: null,
  ...overrides,
});

export const client = (
  id: string,
  overrides: Partial<Omit<ClientRecord, 'version' | 'status'>> = {},
): Omit<ClientRecord, 'version' | 'status'> => ({
  id,
  source: 'command',
  metadata: { client_name: id, redirect_uris: [`https://${id}.example/callback`] },
  createdAt: start,
  ...overrides,
});

export const signingKey = (kid: string, overrides: Partial<SigningKeyRecord> = {}): SigningKeyRecord => ({
  kid,
  alg: 'ES256',
  sealedJwk: `sealed:jwk:${kid}`,
  createdAt: start,
  signsFrom: at(hour),
  retiresAt: null,
  ...overrides,
});
