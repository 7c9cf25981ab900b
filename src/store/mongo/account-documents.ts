/** An account inside the document of its scope: reading it, and the one way it changes together with a Sign-out. */
import type { CredentialRecord } from '../credentials.ts';
import type { SignOutRequest } from '../port.ts';
import type { AccountIdentifiers, AccountRecord, IdentityRecord } from '../records.ts';
import type { Models } from './database.ts';
import type { AccountFields, CredentialFields, IdentityFields, ScopeDocument } from './documents.ts';
import { changeScope, decideSignOut } from './scopes.ts';

export const keyOf = (accountId: string): string => `account:${accountId}`;

/** Paths of an account's fields, and what is to be in them. */
export type ChangedFields = { readonly [path: string]: unknown };

/** A change to an account that is there, and the Sign-out that goes with it, in one update. */
export async function changeAccount<Refusal extends string>(
  models: Models,
  accountId: string,
  signOut: SignOutRequest | undefined,
  decide: (account: AccountFields, epoch: number) => Refusal | ChangedFields,
): Promise<'set' | 'unknown' | Refusal> {
  return changeScope<'set' | 'unknown' | Refusal>(models, keyOf(accountId), async (present) => {
    if (present?.account === undefined || present.account.status === 'deleted') return { answer: 'unknown' };
    const $set = decide(present.account, present.epoch);
    if (typeof $set === 'string') return { answer: $set };
    if (signOut === undefined) return { answer: 'set', change: { $set } };
    const { change } = await decideSignOut(models, signOut, present);
    return { answer: 'set', change: { ...change, $set: { ...change?.$set, ...$set } } };
  });
}

/** What stays of a deleted account: that there was one. */
export function erased({ createdAt }: AccountFields): AccountFields {
  return {
    status: 'deleted',
    admin: false,
    sealedUsername: '',
    sealedEmail: '',
    passwordHash: null,
    passwordChangedAt: null,
    passwordResetRequiredAt: null,
    emailVerifiedAt: null,
    locale: null,
    lastSignedInAt: null,
    createdAt,
  };
}

export function accountFrom(document: Pick<ScopeDocument, '_id' | 'account'> | null): AccountRecord | null {
  const account = document?.account;
  if (document === null || account === undefined) return null;
  const { status, admin, sealedUsername, sealedEmail, passwordHash, passwordChangedAt, createdAt } = account;
  return {
    id: document._id.slice('account:'.length),
    status,
    admin,
    sealedUsername,
    sealedEmail,
    password: passwordHash === null ? null : { hash: passwordHash, changedAt: passwordChangedAt ?? createdAt },
    ...laterFields(account),
    createdAt,
  };
}

/** What schemas 1 and 2 did not know: null where it wrote the account and nobody has changed it since. */
export function laterFields({
  passwordResetRequiredAt = null,
  emailVerifiedAt = null,
  locale = null,
  lastSignedInAt = null,
}: Pick<AccountFields, 'passwordResetRequiredAt' | 'emailVerifiedAt' | 'locale' | 'lastSignedInAt'>) {
  return { passwordResetRequiredAt, emailVerifiedAt, locale, lastSignedInAt };
}

/** One where both are the same: an index that is unique knows no other account by it. */
export const identifierList = ({ username, email }: AccountIdentifiers): readonly string[] => [
  ...new Set([username, email]),
];

export function identityFields(identity: Omit<IdentityRecord, 'accountId'>): IdentityFields {
  const { subject, connectionId, sealedIdentity, linkedAt, lastUsedAt } = identity;
  return { subject, connectionId, sealedIdentity, linkedAt, lastUsedAt };
}

export function credentialFields(credential: Omit<CredentialRecord, 'accountId'>): CredentialFields {
  const { id, kind, sealed, revision, createdAt, lastUsedAt } = credential;
  return { id, kind, sealed, revision, createdAt, lastUsedAt };
}

/** In the order in which they were added. */
export function credentialsIn(account: Pick<AccountFields, 'credentials'> | undefined): CredentialFields[] {
  return (account?.credentials ?? [])
    .map(credentialFields)
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
}
