/** Credentials in MongoDB: in the document of their account, where no two accounts can have the same one. */
import type { CredentialRecord, CredentialRepository } from '../credentials.ts';
import { accountFrom, changeAccount, credentialFields, credentialsIn, keyOf } from './account-documents.ts';
import { type Database, isDuplicateKey, trusted } from './database.ts';
import type { AccountFields, CredentialFields, ScopeDocument } from './documents.ts';

export function credentialMethods(database: Database): CredentialRepository {
  return {
    credentialsOf: (accountId) =>
      database.ask('list credentials', async ({ scopes }) => {
        const found = await scopes
          .findById(keyOf(accountId), { 'account.credentials': 1 })
          .lean<{ readonly account?: Pick<AccountFields, 'credentials'> }>();
        return credentialsIn(found?.account).map((each): CredentialRecord => ({ ...each, accountId }));
      }),
    findCredential: (id) =>
      database.ask('find an account by credential', async ({ scopes }) => {
        const found = await scopes.findOne({ 'account.credentials.id': id }, { account: 1 }).lean<ScopeDocument>();
        const account = accountFrom(found);
        const credential = credentialsIn(found?.account).find((each) => each.id === id);
        return account === null || credential === undefined
          ? null
          : { account, credential: { ...credential, accountId: account.id } };
      }),
    addCredential: (credential, { most, accountEpoch }) =>
      database.ask('add a credential', async (models) => {
        try {
          const added = await changeAccount<'taken' | 'stale'>(
            models,
            credential.accountId,
            undefined,
            (account, epoch) => {
              if (accountEpoch !== undefined && accountEpoch !== epoch) return 'stale';
              const present = credentialsIn(account);
              if (present.some(({ id }) => id === credential.id)) return 'taken';
              return {
                'account.credentials': [...makingRoom(present, credential.kind, most), credentialFields(credential)],
              };
            },
          );
          return added === 'set' ? 'added' : added;
        } catch (fault) {
          if (isDuplicateKey(fault)) return 'taken';
          throw fault;
        }
      }),
    changeCredential: ({ id, accountId, revision, sealed, usedAt }) =>
      database.ask('change a credential', async ({ scopes }) => {
        // `trusted` trusts all beneath it: what came from outside is compared as a value there.
        const present = { id: { $eq: id }, revision: { $eq: revision } };
        const { matchedCount } = await scopes.updateOne(
          { _id: keyOf(accountId), 'account.credentials': trusted({ $elemMatch: present }) },
          {
            $set: {
              'account.credentials.$.sealed': sealed,
              ...(usedAt === null ? {} : { 'account.credentials.$.lastUsedAt': usedAt }),
            },
            $inc: { 'account.credentials.$.revision': 1, revision: 1 },
          },
        );
        return matchedCount === 1;
      }),
    removeCredential: ({ accountId, id }) =>
      database.ask('remove a credential', async (models) => {
        const removed = await changeAccount<'none'>(models, accountId, undefined, (account) => {
          const { credentials = [], ...others } = account;
          const left = credentials.filter((each) => each.id !== id);
          if (left.length === credentials.length) return 'none';
          // No list rather than an empty one: kept as whoever never had any.
          return left.length > 0 ? { 'account.credentials': left } : { account: others };
        });
        return removed === 'set';
      }),
  };
}

/** Those that stay when one of this kind is to come: all of the others, and of this kind the latest. */
function makingRoom(
  present: readonly CredentialFields[],
  kind: CredentialFields['kind'],
  most: number,
): readonly CredentialFields[] {
  const ofKind = present.filter((each) => each.kind === kind);
  const going = new Set(ofKind.slice(0, Math.max(0, ofKind.length + 1 - most)));
  return present.filter((each) => !going.has(each));
}
