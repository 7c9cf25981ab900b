/** Accounts, identifiers and throttles in MongoDB. An account lives in the document of its scope, and so does its epoch. */
import type { AccountRepository } from '../port.ts';
import type { AccountRecord, ThrottleRecord } from '../records.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { AccountFields, AttemptDocument, FailureDocument, ScopeDocument } from './schemas.ts';
import { changeScope, decideSignOut } from './scopes.ts';

const keyOf = (accountId: string): string => `account:${accountId}`;
/** After every key that begins with `account:`. */
const AFTER_ALL = 'account;';

export function accountRepository(database: Database): AccountRepository {
  return {
    insert: (account, identifiers) =>
      database.ask('create an account', async (models) => {
        const fields: AccountFields = {
          status: account.status,
          admin: account.admin,
          sealedUsername: account.sealedUsername,
          sealedEmail: account.sealedEmail,
          passwordHash: account.password?.hash ?? null,
          passwordChangedAt: account.password?.changedAt ?? null,
          createdAt: account.createdAt,
          identifiers: [...new Set([identifiers.username, identifiers.email])],
        };
        try {
          return await changeScope(models, keyOf(account.id), (present) => {
            if (present?.account !== undefined) throw new Error(`there is an account ${account.id} already`);
            return { answer: 'inserted', change: { $set: { account: fields } } };
          });
        } catch (fault) {
          if (!isDuplicateKey(fault)) throw fault;
          const taken = await models.scopes.exists({ 'account.identifiers': identifiers.username });
          return taken === null ? 'email-taken' : 'username-taken';
        }
      }),
    find: (accountId) =>
      database.ask('find an account', async ({ scopes }) =>
        accountFrom(await scopes.findById(keyOf(accountId), { account: 1 }).lean<ScopeDocument>()),
      ),
    findByIdentifier: (identifier) =>
      database.ask('find an account by name', async ({ scopes }) =>
        accountFrom(await scopes.findOne({ 'account.identifiers': identifier }, { account: 1 }).lean<ScopeDocument>()),
      ),
    list: (page) =>
      database.ask('list accounts', async ({ scopes }) => {
        const found = await scopes
          .find({ ...allAccounts(page.after ?? ''), account: trusted({ $exists: true }) }, { account: 1 })
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<ScopeDocument[]>();
        return found.flatMap((each) => accountFrom(each) ?? []);
      }),
    count: () =>
      database.ask('count accounts', ({ scopes }) =>
        scopes.countDocuments({ ...allAccounts(''), account: trusted({ $exists: true }) }),
      ),
    setPassword: ({ accountId, hash, changedAt, expected, signOut }) =>
      database.ask('set a password', (models) =>
        changeAccount<'stale'>(models, accountId, signOut, (account) => {
          if (expected !== undefined && account.passwordHash !== expected) return 'stale';
          return { 'account.passwordHash': hash, 'account.passwordChangedAt': changedAt };
        }),
      ),
    setStatus: ({ accountId, status, signOut }) =>
      database.ask('set the status of an account', (models) =>
        changeAccount<never>(models, accountId, signOut, (account) =>
          status === 'deleted' ? { account: erased(account) } : { 'account.status': status },
        ),
      ),

    throttle: (key) =>
      database.ask('read a throttle', async ({ failures }): Promise<ThrottleRecord> => {
        const found = await failures.findById(key).lean<FailureDocument>();
        return { failures: found?.failures ?? 0, blockedUntil: found?.blockedUntil ?? null };
      }),
    addFailure: ({ key, now, delaySeconds }) =>
      database.ask('count a failure', async (models) => {
        for (;;) {
          const present = await models.failures.findById(key).lean<FailureDocument>();
          const failures = (present?.failures ?? 0) + 1;
          const blockedUntil = new Date(now.getTime() + delaySeconds(failures) * 1000);
          const next = { failures, blockedUntil, failedAt: now };
          if (await replaced(models, key, present, next)) return { failures, blockedUntil };
        }
      }),
    clearFailures: (key) =>
      database.ask('clear failures', async ({ failures }) => {
        await failures.deleteOne({ _id: key });
      }),
    countAttempt: ({ key, windowStart, expiresAt }) =>
      database.ask('count an attempt', async ({ attempts }) => {
        for (;;) {
          const counted = await attempts
            .findOneAndUpdate(
              { _id: key, windowStart },
              { $inc: { attempts: 1 }, $set: { expiresAt } },
              { returnDocument: 'after' },
            )
            .lean<AttemptDocument>();
          if (counted !== null) return counted.attempts;
          try {
            await attempts.updateOne(
              { _id: key, windowStart: trusted({ $ne: windowStart }) },
              { $set: { windowStart, attempts: 1, expiresAt } },
              { upsert: true },
            );
            return 1;
          } catch (fault) {
            // Somebody else has begun the window meanwhile.
            if (!isDuplicateKey(fault)) throw fault;
          }
        }
      }),
  };
}

/** Paths of an account's fields, and what is to be in them. */
type ChangedFields = { readonly [path: string]: unknown };

const allAccounts = (after: string) => ({ _id: trusted({ $gt: keyOf(after), $lt: AFTER_ALL }) });

/** A change to an account that is there, and the Sign-out that goes with it, in one update. */
async function changeAccount<Refusal extends string>(
  models: Models,
  accountId: string,
  signOut: Parameters<typeof decideSignOut>[1] | undefined,
  decide: (account: AccountFields) => Refusal | ChangedFields,
): Promise<'set' | 'unknown' | Refusal> {
  return changeScope<'set' | 'unknown' | Refusal>(models, keyOf(accountId), async (present) => {
    if (present?.account === undefined || present.account.status === 'deleted') return { answer: 'unknown' };
    const $set = decide(present.account);
    if (typeof $set === 'string') return { answer: $set };
    if (signOut === undefined) return { answer: 'set', change: { $set } };
    const { change } = await decideSignOut(models, signOut, present);
    return { answer: 'set', change: { ...change, $set: { ...change?.$set, ...$set } } };
  });
}

/** What stays of a deleted account: that there was one. */
function erased({ createdAt }: AccountFields): AccountFields {
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

async function replaced(
  { failures }: Models,
  key: string,
  present: FailureDocument | null,
  next: Omit<FailureDocument, '_id'>,
): Promise<boolean> {
  if (present !== null) {
    const { matchedCount } = await failures.updateOne({ _id: key, failures: present.failures }, { $set: next });
    return matchedCount === 1;
  }
  try {
    await failures.create([{ _id: key, ...next }]);
    return true;
  } catch (fault) {
    if (isDuplicateKey(fault)) return false;
    throw fault;
  }
}

function accountFrom(document: Pick<ScopeDocument, '_id' | 'account'> | null): AccountRecord | null {
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
