/** Epochs, Sign-outs and Client Sessions in MongoDB. */
import type { RevocationRepository } from '../port.ts';
import type { ScopeKey, SignOutRecord, SignOutScope, Stamps } from '../records.ts';
import { allStand, anyMovedBySignOut, raisedBy, stampEntries, UNRAISED } from '../standing.ts';
import { clientSessionFrom, countEnded, endClientSessions } from './client-sessions.ts';
import { type Database, type Models, trusted } from './database.ts';
import { insertDeliveries } from './deliveries.ts';
import type { ClientSessionDocument, ScopeDocument, SignOutDocument } from './documents.ts';
import { free } from './leases.ts';
import { findSignOut, raiseAlone, scopeStates, signOut, signOutFields, signOutFrom } from './scopes.ts';

export function revocationRepository(database: Database): RevocationRepository {
  return {
    epochs: (keys) =>
      database.ask('read epochs', async (models) => {
        const states = await scopeStates(models, keys);
        return Object.fromEntries(keys.map((key) => [key, (states.get(key) ?? UNRAISED).epoch]));
      }),
    stand: (stamps) => database.ask('check epochs', async (models) => allStand(stamps, await statesOf(models, stamps))),
    movedBySignOut: (stamps) =>
      database.ask('check epochs', async (models) => anyMovedBySignOut(stamps, await statesOf(models, stamps))),
    signedOutAt: (key) =>
      database.ask('read a scope', async (models) => (await scopeStates(models, [key])).get(key)?.signedOutAt ?? null),
    revokeGrant: (grantId, now) =>
      database.ask('revoke a grant', (models) => raiseAlone(models, `grant:${grantId}`, now)),
    signOut: (request) => database.ask('sign out', (models) => signOut(models, request)),

    findSignOut: (id) => database.ask('find a sign-out', (models) => findSignOut(models, id)),
    listSignOuts: (limit) =>
      database.ask('list sign-outs', async (models) => {
        // The pending ones first: one that leaves its scope between the two reads has a document of its own by then.
        const pending = await pendingSignOuts(models, -1, limit);
        const others = await models.signOuts.find().sort({ at: -1, _id: 1 }).limit(limit).lean<SignOutDocument[]>();
        const byId = new Map(others.map((each) => [each._id, signOutFrom(each)]));
        for (const each of pending) byId.set(each.id, each);
        return [...byId.values()]
          .sort((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? -1 : 1))
          .slice(0, limit);
      }),
    pendingSignOuts: (limit) => database.ask('list pending sign-outs', (models) => pendingSignOuts(models, 1, limit)),
    leaseSignOut: ({ signOut: { id, scope }, holder, now, leaseUntil }) =>
      database.ask('lease a sign-out', async ({ scopes }) => {
        // `trusted` trusts all beneath it: what came from outside is compared as a value there.
        const mine = { $or: [{ holder: { $eq: holder } }, ...free(now).$or] };
        const { matchedCount } = await scopes.updateOne(
          { _id: raisedBy(scope), pending: trusted({ $elemMatch: { id: { $eq: id }, ...mine } }) },
          { $set: { 'pending.$.holder': holder, 'pending.$.leaseUntil': leaseUntil } },
        );
        return matchedCount === 1;
      }),
    sessionsToEnd: (record, page) =>
      database.ask('list what a sign-out ends', async ({ clientSessions }) => {
        const after = trusted({ $gt: page.after ?? '', ...only(record.scope) });
        const filter: object = { ...livingIn(record.scope), _id: after, ...touched(record) };
        const found = await clientSessions
          .find(filter)
          .sort({ _id: 1 })
          // Else those that ended long ago may be walked as well.
          .hint(record.scope.kind === 'everyone' ? 'endedAt_1__id_1' : {})
          .limit(page.limit)
          .lean<ClientSessionDocument[]>();
        return found.map(clientSessionFrom);
      }),
    fanOut: ({ signOut: record, deliveries, ended }) =>
      database.ask('write deliveries', async (models) => {
        // In this order: whoever dies in between leaves Client Sessions that are told again by the same Deliveries.
        await insertDeliveries(models, deliveries);
        await endClientSessions(models, record, ended);
      }),
    completeSignOut: (record) =>
      database.askPatiently('complete a sign-out', async (models) => {
        const { selfContainedUntil, ...counts } = await countEnded(models, record.id);
        await models.signOuts.updateOne(
          { _id: record.id },
          {
            $set: { ...signOutFields(record), ...counts, status: 'complete' },
            // A token issued after its device was counted may have moved it on.
            ...(selfContainedUntil === null
              ? { $setOnInsert: { selfContainedUntil } }
              : { $max: { selfContainedUntil } }),
          },
          { upsert: true },
        );
        await models.scopes.updateOne({ _id: raisedBy(record.scope) }, { $pull: { pending: { id: record.id } } });
      }),

    findClientSession: (grantId) =>
      database.ask('find a client session', async ({ clientSessions }) => {
        const found = await clientSessions.findById(grantId).lean<ClientSessionDocument>();
        return found === null ? null : clientSessionFrom(found);
      }),
    clientSessionsOf: (accountId, page) =>
      database.ask('list client sessions', async ({ clientSessions }) => {
        const found = await clientSessions
          .find({ endedAt: null, accountId, _id: trusted({ $gt: page?.after ?? '' }) })
          .sort({ _id: 1 })
          .limit(page?.limit ?? 0)
          .lean<ClientSessionDocument[]>();
        return found.map(clientSessionFrom);
      }),
    endedBy: (signOutId, page) =>
      database.ask('list ended client sessions', async ({ clientSessions }) => {
        const found = await clientSessions
          .find({ endedBy: signOutId, _id: trusted({ $gt: page.after ?? '' }) })
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<ClientSessionDocument[]>();
        return found.map(clientSessionFrom);
      }),
    touchClientSession: ({ grantId, lastUsedAt, selfContainedUntil }) =>
      database.ask('note a use', async ({ clientSessions, signOuts }) => {
        const latest = { lastUsedAt, ...(selfContainedUntil === undefined ? {} : { selfContainedUntil }) };
        if (selfContainedUntil === undefined) {
          await clientSessions.updateOne({ _id: grantId }, { $max: latest });
          return;
        }
        const touched = await clientSessions
          .findOneAndUpdate({ _id: grantId }, { $max: latest }, { projection: { endedBy: 1 } })
          .lean<ClientSessionDocument>();
        // Its Sign-out may have counted it already; a token issued meanwhile still has to be waited for.
        if (touched?.endedBy != null) {
          await signOuts.updateOne({ _id: touched.endedBy }, { $max: { selfContainedUntil } });
        }
      }),
    reach: (scope) =>
      database.askPatiently('measure a sign-out', async (models) => {
        const [accounts, clients] = await Promise.all([
          countReached(models, scope, 'accountId'),
          countReached(models, scope, 'clientId'),
        ]);
        return { accounts, clients };
      }),
    ended: (signOutId) =>
      database.ask('measure what a sign-out ended', async ({ signOuts }) => {
        const found = await signOuts.findById(signOutId).lean<SignOutDocument>();
        return {
          sessions: found?.endedSessions ?? 0,
          accounts: found?.endedAccounts ?? 0,
          clients: found?.endedClients ?? 0,
          selfContainedUntil: found?.selfContainedUntil ?? null,
        };
      }),
  };
}

const statesOf = (models: Models, stamps: Stamps) => scopeStates(models, Object.keys(stamps) as ScopeKey[]);

/** From the oldest (1) or the newest (-1). One document may hold several. */
async function pendingSignOuts({ scopes }: Models, direction: 1 | -1, limit: number): Promise<SignOutRecord[]> {
  // Told which index to walk: over several instants in a document the planner does not trust its order, and sorts them all.
  const raised = await scopes
    .find({}, { pending: 1 })
    .sort({ 'pending.at': direction })
    .hint('pending.at_1')
    .limit(limit)
    .lean<ScopeDocument[]>();
  return raised
    .flatMap(({ pending }) => pending.map((each) => signOutFrom({ ...each, _id: each.id, status: 'pending' })))
    .sort((a, b) => direction * (a.at.getTime() - b.at.getTime()))
    .slice(0, limit);
}

/** Client Sessions of this scope that have not ended. */
function livingIn(scope: SignOutScope) {
  switch (scope.kind) {
    case 'everyone':
      return { endedAt: null };
    case 'client':
      return { endedAt: null, clientId: scope.clientId };
    case 'connection':
      return { endedAt: null, connectionId: scope.connectionId };
    case 'account':
    case 'account-except':
    case 'device':
      return { endedAt: null, accountId: scope.accountId };
    case 'identity':
    case 'upstream':
      return {
        endedAt: null,
        accountId: scope.accountId,
        stamps: trusted({ $elemMatch: { key: raisedBy(scope) } }),
      };
    case 'browser':
      return { endedAt: null, sessionUid: scope.sessionUid, accountId: scope.accountId, kind: 'browser' };
  }
}

/** The one device a Sign-out may be about. */
const only = (scope: SignOutScope) => (scope.kind === 'device' ? { $eq: scope.grantId } : {});

/** Neither made after the raise, nor spared by it. */
function touched({ scope, epochBefore, spared }: SignOutRecord) {
  const raises = raisedBy(scope);
  const later = { stamps: trusted({ $elemMatch: { key: raises, epoch: { $gt: epochBefore } } }) };
  const sparing = stampEntries(spared).map(([key, since]) => ({
    $and: [
      { stamps: trusted({ $elemMatch: { key } }) },
      { stamps: trusted({ $elemMatch: { key: raises, epoch: { $gte: since } } }) },
    ],
  }));
  return { $nor: [later, ...sparing] };
}

/** Conditions that are made of keys here, and of nothing that came in. */
const OURS = /^(\$|stamps$)/;

/** Nothing sanitises the match of an aggregation: every field is compared with a value, whatever came in as one. */
function asValues(match: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(match).map(([field, value]) => [field, OURS.test(field) ? value : { $eq: value }]),
  );
}

/** How many different accounts or Clients a Sign-out of this scope would reach; what it spares is not among them. */
async function countReached(
  { clientSessions }: Models,
  scope: SignOutScope,
  field: 'accountId' | 'clientId',
): Promise<number> {
  const here = {
    kind: 'browser',
    sessionUid: { $eq: scope.kind === 'account-except' ? scope.sessionUid : '' },
  };
  const device = scope.kind === 'device' ? { _id: scope.grantId } : {};
  const [counted] = await clientSessions
    .aggregate<{ count: number }>([
      { $match: asValues({ ...livingIn(scope), ...device, $nor: [here] }) },
      { $group: { _id: `$${field}` } },
      { $count: 'count' },
    ])
    .allowDiskUse(true);
  return counted?.count ?? 0;
}
