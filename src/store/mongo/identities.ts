/** Identities in MongoDB: in the document of the account they sign in, where no two accounts can have the same one. */
import type { AccountRepository } from '../port.ts';
import type { IdentityRecord } from '../records.ts';
import { accountFrom, changeAccount, identityFields, keyOf } from './account-documents.ts';
import { type Database, isDuplicateKey, trusted } from './database.ts';
import type { AccountFields, ScopeDocument } from './documents.ts';

type IdentityMethods = Pick<
  AccountRepository,
  'findByIdentity' | 'identitiesOf' | 'linkIdentity' | 'unlinkIdentity' | 'touchIdentity'
>;

export function identityMethods(database: Database): IdentityMethods {
  return {
    findByIdentity: (subject) =>
      database.ask('find an account by identity', async ({ scopes }) => {
        const found = await scopes
          .findOne({ 'account.identities.subject': subject }, { account: 1 })
          .lean<ScopeDocument>();
        const account = accountFrom(found);
        const identity = found?.account?.identities?.find((each) => each.subject === subject);
        return account === null || identity === undefined
          ? null
          : { account, identity: { ...identityFields(identity), accountId: account.id } };
      }),
    identitiesOf: (accountId) =>
      database.ask('list identities', async ({ scopes }) => {
        const found = await scopes
          .findById(keyOf(accountId), { 'account.identities': 1 })
          .lean<{ readonly account?: Pick<AccountFields, 'identities'> }>();
        return (found?.account?.identities ?? [])
          .map((each): IdentityRecord => ({ ...identityFields(each), accountId }))
          .sort((a, b) => a.linkedAt.getTime() - b.linkedAt.getTime() || (a.subject < b.subject ? -1 : 1));
      }),
    linkIdentity: (identity, accountEpoch) =>
      database.ask('link an identity', async (models) => {
        try {
          const linked = await changeAccount<'linked' | 'stale'>(
            models,
            identity.accountId,
            undefined,
            ({ identities = [] }, epoch) => {
              if (accountEpoch !== undefined && accountEpoch !== epoch) return 'stale';
              return identities.some(({ subject }) => subject === identity.subject)
                ? 'linked'
                : { 'account.identities': [...identities, identityFields(identity)] };
            },
          );
          return linked === 'set' ? 'linked' : linked;
        } catch (fault) {
          if (isDuplicateKey(fault)) return 'taken';
          throw fault;
        }
      }),
    unlinkIdentity: ({ accountId, subject }) =>
      database.ask('unlink an identity', async (models) => {
        const unlinked = await changeAccount<'last-way-in' | 'unknown'>(models, accountId, undefined, (account) => {
          const { identities = [], ...others } = account;
          const left = identities.filter((each) => each.subject !== subject);
          if (left.length === identities.length) return 'unknown';
          if (left.length > 0) return { 'account.identities': left };
          // Not an empty array: an index that is unique has room for one of those.
          return account.passwordHash === null ? 'last-way-in' : { account: others };
        });
        return unlinked === 'set' ? 'unlinked' : unlinked;
      }),
    touchIdentity: ({ subject, usedAt, sealedIdentity }) =>
      database.ask('note the use of an identity', async ({ scopes }) => {
        await scopes.updateOne(
          {
            'account.identities': trusted({ $elemMatch: { subject: { $eq: subject }, lastUsedAt: { $lte: usedAt } } }),
          },
          {
            $set: { 'account.identities.$.lastUsedAt': usedAt, 'account.identities.$.sealedIdentity': sealedIdentity },
            $inc: { revision: 1 },
          },
        );
      }),
  };
}
