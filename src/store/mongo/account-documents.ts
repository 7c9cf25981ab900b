/** An account inside the document of its scope: reading it, and the one way it changes together with a Sign-out. */
import type { SignOutRequest } from '../port.ts';
import type { AccountRecord, IdentityRecord } from '../records.ts';
import type { Models } from './database.ts';
import type { AccountFields, IdentityFields, ScopeDocument } from './schemas.ts';
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
    createdAt,
  };
}

export function identityFields(identity: Omit<IdentityRecord, 'accountId'>): IdentityFields {
  const { subject, connectionId, sealedIdentity, linkedAt, lastUsedAt } = identity;
  return { subject, connectionId, sealedIdentity, linkedAt, lastUsedAt };
}
