/**
 * Many accounts at once in MongoDB: which they are, and what is signed in to what. Client Sessions have a collection of their
 * own and Identities lie inside the account, so a cohort is found along the narrowest of their indexes, some candidates at a
 * time, and each candidate is then asked for all that must hold. Nothing here is one question about everybody.
 */
import type { CohortRepository, Conditions } from '../cohorts.ts';
import type { AccountRecord } from '../records.ts';
import { accountFrom, keyOf } from './account-documents.ts';
import { contain } from './containing.ts';
import { type Database, type Models, trusted } from './database.ts';
import type { ClientSessionDocument, ScopeDocument } from './documents.ts';

/** Candidates that are looked at in one question. */
const CANDIDATES = 1000;
/** Accounts that are looked through in one question, where no condition says which. */
const STRETCH = 20_000;

export function cohortRepository(database: Database): CohortRepository {
  return {
    // Patiently: an operator asks, and whoever matches may be far apart.
    matching: (conditions, { after = '', limit, among }) =>
      database.askPatiently('list a cohort', async (models) => {
        const found: AccountRecord[] = [];
        const take = async (filter: object): Promise<void> => {
          const documents = await models.scopes
            .find(filter, { account: 1 })
            .sort({ _id: 1 })
            .limit(limit - found.length)
            .lean<ScopeDocument[]>();
          found.push(...documents.flatMap((each) => accountFrom(each) ?? []));
        };
        if (among !== undefined) {
          await take(await filterFor(models, conditions, among, after));
          return found;
        }
        if (isEverybody(conditions)) {
          await take({ $and: [{ _id: trusted({ $gt: keyOf(after), $lt: END }) }, ...ofTheAccount(conditions)] });
          return found;
        }
        for await (const filter of filters(models, conditions, after)) {
          await take(filter);
          if (found.length >= limit) break;
        }
        return found;
      }),
    count: (conditions) =>
      database.askPatiently('count a cohort', async (models) => {
        let count = 0;
        for await (const filter of filters(models, conditions, '')) count += await models.scopes.countDocuments(filter);
        return count;
      }),
    contain: (batch) => database.askPatiently('contain accounts', (models) => contain(models, batch)),
    reach: (accounts) =>
      database.askPatiently('measure what is signed in', async (models) => {
        const counted = accounts === 'everyone' ? await reachOfAll(models) : await reachOf(models, accounts);
        return [...counted]
          .map(([clientId, reached]) => ({ clientId, ...reached }))
          .sort((a, b) => Buffer.compare(Buffer.from(a.clientId), Buffer.from(b.clientId)));
      }),
  };
}

/** What must hold of an account's own document. Whoever never signed in did so before any instant, and after none. */
function ofTheAccount({
  createdBefore,
  createdAfter,
  signedInBefore,
  signedInAfter,
  passwordChangedAfter,
}: Conditions): object[] {
  const compared = (field: string, operator: '$lt' | '$gt', instant: Date | undefined): object[] =>
    instant === undefined ? [] : [{ [`account.${field}`]: trusted({ [operator]: instant }) }];
  return [
    { 'account.status': trusted({ $in: ['active', 'disabled'] }) },
    ...compared('createdAt', '$lt', createdBefore),
    ...compared('createdAt', '$gt', createdAfter),
    ...compared('lastSignedInAt', '$gt', signedInAfter),
    ...compared('passwordChangedAt', '$gt', passwordChangedAfter),
    ...(signedInBefore === undefined
      ? []
      : [{ $or: [...compared('lastSignedInAt', '$lt', signedInBefore), { 'account.lastSignedInAt': null }] }]),
  ];
}

/** Then a page is full as soon as it is looked for. */
const isEverybody = (conditions: Conditions): boolean =>
  Object.values(conditions).every((condition) => condition === undefined);

/** The filters that find a cohort one after the other, in the order of the ids. */
async function* filters(models: Models, conditions: Conditions, after: string): AsyncGenerator<object> {
  if (conditions.clientId === undefined && conditions.connectionId === undefined) {
    for await (const stretch of stretches(models, after)) yield { $and: [stretch, ...ofTheAccount(conditions)] };
    return;
  }
  for (let last = after; ;) {
    const ids = await candidates(models, conditions, last);
    if (ids.length > 0) yield await filterFor(models, conditions, ids, last);
    if (ids.length < CANDIDATES) return;
    last = ids.at(-1) ?? last;
  }
}

/** All that must hold, asked of these accounts alone. */
async function filterFor(
  models: Models,
  conditions: Conditions,
  ids: readonly string[],
  after: string,
): Promise<object> {
  const { clientId, connectionId } = conditions;
  const there = clientId === undefined ? ids : await signedIn(models, { clientId }, ids);
  const through = connectionId === undefined ? [] : await signedIn(models, { connectionId }, there);
  return {
    $and: [
      { _id: trusted({ $in: there.map(keyOf), $gt: keyOf(after) }) },
      ...ofTheAccount(conditions),
      ...(connectionId === undefined
        ? []
        : [
            {
              $or: [{ 'account.identities.connectionId': connectionId }, { _id: trusted({ $in: through.map(keyOf) }) }],
            },
          ]),
    ],
  };
}

/** In the order of the accounts. */
const indexOf = (where: At): string => `endedAt_1_${Object.keys(where)[0]}_1_accountId_1`;

type At = { readonly clientId: string } | { readonly connectionId: string };

/** Who of these has a Client Session there that has not ended. */
async function signedIn({ clientSessions }: Models, where: At, ids: readonly string[]): Promise<readonly string[]> {
  const found = await clientSessions
    .find({ endedAt: null, ...where, accountId: trusted({ $in: ids }) }, { _id: 0, accountId: 1 })
    // Else all that are signed in there may be walked.
    .hint(indexOf(where))
    .lean<Pick<ClientSessionDocument, 'accountId'>[]>();
  return [...new Set(found.map(({ accountId }) => accountId))];
}

/** Up to so many ids of accounts after this one that one condition names, in order. */
async function candidates(models: Models, { clientId, connectionId }: Conditions, after: string): Promise<string[]> {
  if (clientId !== undefined) return signedInAfter(models, { clientId }, after);
  const [linked, through] = await Promise.all([
    linkedAfter(models, connectionId ?? '', after),
    signedInAfter(models, { connectionId: connectionId ?? '' }, after),
  ]);
  // Where both are one, whoever is among the first of both is among the first of each.
  return [...new Set([...linked, ...through])].sort(byBytes).slice(0, CANDIDATES);
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function signedInAfter({ clientSessions }: Models, where: At, after: string): Promise<string[]> {
  const ids: string[] = [];
  for (let last = after; ids.length < CANDIDATES;) {
    const found = await clientSessions
      .find({ endedAt: null, ...where, accountId: trusted({ $gt: last }) }, { _id: 0, accountId: 1 })
      .sort({ accountId: 1 })
      .hint(indexOf(where))
      .limit(CANDIDATES)
      .lean<Pick<ClientSessionDocument, 'accountId'>[]>();
    ids.push(...new Set(found.map(({ accountId }) => accountId)));
    if (found.length < CANDIDATES) break;
    last = ids.at(-1) ?? last;
  }
  return ids.slice(0, CANDIDATES);
}

/** The server chooses: along the Connection where few are linked to it, along the accounts where many are. */
async function linkedAfter({ scopes }: Models, connectionId: string, after: string): Promise<string[]> {
  const found = await scopes
    .find(
      { 'account.identities.connectionId': connectionId, _id: trusted({ $gt: keyOf(after), $lt: END }) },
      { _id: 1 },
    )
    .sort({ _id: 1 })
    .limit(CANDIDATES)
    .lean<{ _id: string }[]>();
  return found.map(({ _id }) => _id.slice(keyOf('').length));
}

/** After every key of an account's. */
const END = 'account;';

/** Stretches of the keys of accounts, each of so many: where one ends is found in the index alone. */
async function* stretches({ scopes }: Models, after: string): AsyncGenerator<object> {
  for (let last = keyOf(after); ;) {
    const end = await scopes
      .findOne({ _id: trusted({ $gt: last, $lt: END }) }, { _id: 1 })
      .sort({ _id: 1 })
      .skip(STRETCH)
      .lean<{ _id: string }>();
    yield { _id: trusted(end === null ? { $gt: last, $lt: END } : { $gt: last, $lte: end._id }) };
    if (end === null) return;
    last = end._id;
  }
}

type Reached = Map<string, { readonly sessions: number; readonly accounts: number }>;

/** One Client after the other: what is counted of one is counted along an index, in the order of the accounts. */
async function reachOfAll({ clientSessions }: Models): Promise<Reached> {
  const reached: Reached = new Map();
  for (const clientId of await clientSessions.distinct('clientId', { endedAt: null })) {
    const [counted] = await clientSessions
      .aggregate<{ sessions: number; accounts: number }>([
        { $match: { endedAt: { $eq: null }, clientId: { $eq: clientId } } },
        { $group: { _id: '$accountId', sessions: { $sum: 1 } } },
        { $group: { _id: null, sessions: { $sum: '$sessions' }, accounts: { $sum: 1 } } },
      ])
      .hint(ALONG_CLIENTS)
      .allowDiskUse(true);
    if (counted !== undefined) reached.set(clientId, { sessions: counted.sessions, accounts: counted.accounts });
  }
  return reached;
}

const ALONG_CLIENTS = 'endedAt_1_clientId_1_accountId_1';

async function reachOf({ clientSessions }: Models, accounts: readonly string[]): Promise<Reached> {
  const reached: Reached = new Map();
  const ids = [...new Set(accounts)];
  for (let first = 0; first < ids.length; first += CANDIDATES) {
    const counted = await clientSessions.aggregate<{ _id: string; sessions: number; accounts: number }>([
      { $match: { endedAt: { $eq: null }, accountId: { $in: ids.slice(first, first + CANDIDATES) } } },
      { $group: { _id: { clientId: '$clientId', accountId: '$accountId' }, sessions: { $sum: 1 } } },
      { $group: { _id: '$_id.clientId', sessions: { $sum: '$sessions' }, accounts: { $sum: 1 } } },
    ]);
    for (const { _id, sessions, accounts: people } of counted) {
      const before = reached.get(_id) ?? { sessions: 0, accounts: 0 };
      reached.set(_id, { sessions: before.sessions + sessions, accounts: before.accounts + people });
    }
  }
  return reached;
}
