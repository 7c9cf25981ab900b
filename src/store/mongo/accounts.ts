/** Accounts, identifiers and throttles in MongoDB. An account lives in the document of its scope, and so does its epoch. */
import type { AccountRepository } from '../port.ts';
import type { AccountIdentifiers, AccountRecord, ThrottleRecord } from '../records.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import {
  accountFrom,
  changeAccount,
  erased,
  identifierList,
  identityFields,
  keyOf,
  laterFields,
} from './account-documents.ts';
import { credentialMethods } from './credentials.ts';
import { identityMethods } from './identities.ts';
import type { AccountFields, AttemptDocument, FailureDocument, ScopeDocument } from './documents.ts';
import { UNRAISED } from '../standing.ts';
import { changeScope, scopeStates } from './scopes.ts';

/** After every key that begins with `account:`. */
const AFTER_ALL = 'account;';

/** Of a deleted account nothing is changed any more. */
const LIVING: AccountRecord['status'][] = ['active', 'disabled'];

export function accountRepository(database: Database): AccountRepository {
  return {
    insert: (account, identifiers, identity) =>
      database.ask('create an account', async (models) => {
        const fields: AccountFields = {
          status: account.status,
          admin: account.admin,
          sealedUsername: account.sealedUsername,
          sealedEmail: account.sealedEmail,
          passwordHash: account.password?.hash ?? null,
          passwordChangedAt: account.password?.changedAt ?? null,
          ...laterFields(account),
          createdAt: account.createdAt,
          identifiers: identifierList(identifiers),
          ...(identity === undefined ? {} : { identities: [identityFields(identity)] }),
        };
        try {
          return await unlessTaken(models, account.id, identifiers, () =>
            changeScope<'inserted'>(models, keyOf(account.id), (present) => {
              if (present?.account !== undefined) throw new Error(`there is an account ${account.id} already`);
              return { answer: 'inserted', change: { $set: { account: fields } } };
            }),
          );
        } catch (fault) {
          if (isDuplicateKey(fault) && isAbout(fault, 'account.identities')) return 'identity-taken';
          throw fault;
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
    setPassword: ({ accountId, hash, changedAt, expected, accountEpoch, everyoneEpoch, signOut }) =>
      database.ask('set a password', async (models) => {
        if (everyoneEpoch !== undefined) {
          const states = await scopeStates(models, ['everyone']);
          if ((states.get('everyone') ?? UNRAISED).epoch !== everyoneEpoch) return 'stale';
        }
        return changeAccount<'stale'>(models, accountId, signOut, (account, epoch) => {
          if (expected !== undefined && account.passwordHash !== expected) return 'stale';
          if (accountEpoch !== undefined && accountEpoch !== epoch) return 'stale';
          return { 'account.passwordHash': hash, 'account.passwordChangedAt': changedAt };
        });
      }),
    setStatus: ({ accountId, status, signOut }) =>
      database.ask('set the status of an account', (models) =>
        changeAccount<never>(models, accountId, signOut, (account) =>
          status === 'deleted' ? { account: erased(account) } : { 'account.status': status },
        ),
      ),

    identify: ({ accountId, expected, sealedUsername, sealedEmail, emailVerifiedAt, identifiers }) =>
      database.ask('identify an account anew', (models) =>
        unlessTaken(models, accountId, identifiers, () =>
          changeAccount<'stale'>(models, accountId, undefined, (account) => {
            const stale =
              account.sealedUsername !== expected.sealedUsername || account.sealedEmail !== expected.sealedEmail;
            if (stale) return 'stale';
            return {
              'account.sealedUsername': sealedUsername,
              'account.sealedEmail': sealedEmail,
              'account.emailVerifiedAt': emailVerifiedAt,
              'account.identifiers': identifierList(identifiers),
            };
          }),
        ),
      ),
    requirePasswordReset: ({ accountId, at, signOut }) =>
      database.ask('require a password to be reset', (models) =>
        changeAccount<never>(models, accountId, signOut, ({ passwordResetRequiredAt, passwordChangedAt }) => {
          const instants = [at, passwordResetRequiredAt ?? at, (signOut && passwordChangedAt) ?? at];
          return { 'account.passwordResetRequiredAt': new Date(Math.max(...instants.map(Number))) };
        }),
      ),
    setLocale: ({ accountId, locale }) =>
      database.ask('note a language', async ({ scopes }) => {
        await scopes.updateOne(
          { _id: keyOf(accountId), 'account.status': trusted({ $in: LIVING }) },
          { $set: { 'account.locale': locale }, $inc: { revision: 1 } },
        );
      }),

    noteSignIn: ({ accountId, at }) =>
      database.ask('note a sign-in', async ({ scopes }) => {
        await scopes.updateOne(
          { _id: keyOf(accountId), 'account.status': trusted({ $in: LIVING }) },
          { $max: { 'account.lastSignedInAt': at }, $inc: { revision: 1 } },
        );
      }),

    ...identityMethods(database),
    ...credentialMethods(database),

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

const allAccounts = (after: string) => ({ _id: trusted({ $gt: keyOf(after), $lt: AFTER_ALL }) });

type Taken = 'username-taken' | 'email-taken';

/** Takes names, unless another account has one of them; one that was let go of meanwhile is tried for again. */
async function unlessTaken<Answer>(
  models: Models,
  accountId: string,
  identifiers: AccountIdentifiers,
  take: () => Promise<Answer>,
): Promise<Answer | Taken> {
  for (;;) {
    try {
      return await take();
    } catch (fault) {
      if (!isDuplicateKey(fault)) throw fault;
      const taken = await whichIsTaken(models, accountId, identifiers);
      if (taken !== null) return taken;
      if (!isAbout(fault, 'account.identifiers')) throw fault;
    }
  }
}

/** The server names the index in which a key was there already, and says it nowhere else. */
const isAbout = (fault: unknown, index: string): boolean => fault instanceof Error && fault.message.includes(index);

async function whichIsTaken(
  { scopes }: Models,
  accountId: string,
  { username, email }: AccountIdentifiers,
): Promise<Taken | null> {
  const another = { _id: trusted({ $ne: keyOf(accountId) }) };
  if ((await scopes.exists({ ...another, 'account.identifiers': username })) !== null) return 'username-taken';
  if ((await scopes.exists({ ...another, 'account.identifiers': email })) !== null) return 'email-taken';
  return null;
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
