/** Client Sessions in MongoDB: the writes that artifacts and revocations share, and ending them. */
import type { ClientSessionRecord, SignOutRecord } from '../records.ts';
import { isDuplicateKey, type Models, trusted } from './database.ts';
import type { ClientSessionDocument } from './documents.ts';
import { keyedEpochs, signOutFields, stampsFrom } from './scopes.ts';

/** Inserts, or brings the device description and last use up to date. Never un-ends, never forgets the first use. */
export async function saveClientSession({ clientSessions }: Models, session: ClientSessionRecord): Promise<void> {
  const { grantId, connectionId, persistent, sid, sealedDevice, lastUsedAt, selfContainedUntil } = session;
  const learnt = {
    sid,
    sealedDevice,
    stamps: keyedEpochs(session.stamps),
    ...(connectionId === null ? {} : { connectionId }),
    ...(persistent ? { persistent } : {}),
  };
  const latest = { lastUsedAt, ...(selfContainedUntil === null ? {} : { selfContainedUntil }) };
  const { accountId, clientId, sessionUid, kind, firstUsedAt } = session;
  const first = {
    accountId,
    clientId,
    sessionUid,
    kind,
    firstUsedAt,
    endedBy: null,
    ...(connectionId === null ? { connectionId } : {}),
    ...(persistent ? {} : { persistent }),
    ...(selfContainedUntil === null ? { selfContainedUntil } : {}),
  };
  try {
    await clientSessions.updateOne(
      { _id: grantId, endedAt: null },
      { $set: learnt, $max: latest, $setOnInsert: first },
      { upsert: true },
    );
  } catch (fault) {
    if (!isDuplicateKey(fault)) throw fault;
    // It has ended, and stays so; or another save has just made it.
    await clientSessions.updateOne({ _id: grantId, endedAt: null }, { $set: learnt, $max: latest });
  }
}

export function clientSessionFrom({ _id, stamps, ...session }: ClientSessionDocument): ClientSessionRecord {
  return {
    grantId: _id,
    accountId: session.accountId,
    clientId: session.clientId,
    connectionId: session.connectionId,
    sessionUid: session.sessionUid,
    kind: session.kind,
    persistent: session.persistent,
    sid: session.sid,
    sealedDevice: session.sealedDevice,
    stamps: stampsFrom(stamps),
    firstUsedAt: session.firstUsedAt,
    lastUsedAt: session.lastUsedAt,
    selfContainedUntil: session.selfContainedUntil,
    endedAt: session.endedAt,
    endedBy: session.endedBy,
  };
}

/**
 * Ends Client Sessions, and counts on the Sign-out's own document what it ended. The count follows the ending and is made
 * good when the Sign-out is complete: a process that dies in between leaves it behind for so long, and nothing else.
 */
export async function endClientSessions(
  models: Models,
  signOut: SignOutRecord,
  grantIds: readonly string[],
): Promise<void> {
  const { clientSessions, signOuts } = models;
  const living = await clientSessions
    .find({ _id: trusted({ $in: grantIds }), endedAt: null }, { accountId: 1, clientId: 1, selfContainedUntil: 1 })
    .lean<Pick<ClientSessionDocument, 'accountId' | 'clientId' | 'selfContainedUntil'>[]>();
  if (living.length === 0) return;
  const [accounts, clients] = await Promise.all([
    notEndedBefore(models, signOut.id, 'accountId', living),
    notEndedBefore(models, signOut.id, 'clientId', living),
  ]);
  const { modifiedCount } = await clientSessions.updateMany(
    { _id: trusted({ $in: grantIds }), endedAt: null },
    { $set: { endedAt: signOut.at, endedBy: signOut.id } },
  );
  // Somebody else ended all of them meanwhile, and counts them.
  if (modifiedCount === 0) return;
  const until = living.flatMap(({ selfContainedUntil }) => selfContainedUntil ?? []);
  const latest = until.length === 0 ? null : new Date(Math.max(...until.map((each) => each.getTime())));
  await signOuts.updateOne(
    { _id: signOut.id },
    {
      $inc: { endedSessions: modifiedCount, endedAccounts: accounts, endedClients: clients },
      ...(latest === null ? {} : { $max: { selfContainedUntil: latest } }),
      $setOnInsert: {
        ...signOutFields(signOut),
        status: 'pending',
        ...(latest === null ? { selfContainedUntil: null } : {}),
      },
    },
    { upsert: true },
  );
}

/** How many accounts or Clients of these had nothing ended by this Sign-out before. */
async function notEndedBefore(
  { clientSessions }: Models,
  signOutId: string,
  field: 'accountId' | 'clientId',
  living: readonly Pick<ClientSessionDocument, 'accountId' | 'clientId'>[],
): Promise<number> {
  const these = [...new Set(living.map((session) => session[field]))];
  const before = await clientSessions.distinct(field, { endedBy: signOutId, [field]: trusted({ $in: these }) });
  return these.length - before.length;
}

/** What a Sign-out has ended, counted anew: as long as that takes. */
export async function countEnded({ clientSessions }: Models, signOutId: string) {
  const [totals] = await clientSessions.aggregate<{ sessions: number; until: Date | null }>([
    { $match: { endedBy: signOutId } },
    { $group: { _id: null, sessions: { $sum: 1 }, until: { $max: '$selfContainedUntil' } } },
  ]);
  const distinct = async (field: 'accountId' | 'clientId'): Promise<number> => {
    const [counted] = await clientSessions
      .aggregate<{ count: number }>([
        { $match: { endedBy: signOutId } },
        { $group: { _id: `$${field}` } },
        { $count: 'count' },
      ])
      .allowDiskUse(true);
    return counted?.count ?? 0;
  };
  return {
    endedSessions: totals?.sessions ?? 0,
    endedAccounts: await distinct('accountId'),
    endedClients: await distinct('clientId'),
    selfContainedUntil: totals?.until ?? null,
  };
}
