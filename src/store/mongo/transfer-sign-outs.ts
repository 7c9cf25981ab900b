/**
 * Sign-outs as rows. A pending one stands on the scope that it raised, and has a document of its own once something of it is
 * done; one row is made of the two, and two are made of one row.
 */
import { raisedBy } from '../standing.ts';
import type { RowOf, RowPage } from '../transfer.ts';
import { type Models, trusted } from './database.ts';
import type { PendingSignOut, SignOutDocument } from './documents.ts';
import { FREE } from './leases.ts';
import { keyedEpochs, signOutFields, signOutFrom } from './scopes.ts';
import { IN_ANY_ORDER, replaceAll } from './transfer-bulk.ts';

type SignOutRow = RowOf['signOuts'];

export async function readSignOuts(models: Models, { after = '', limit }: RowPage): Promise<SignOutRow[]> {
  const [documents, pending] = await Promise.all([
    models.signOuts
      .find({ _id: trusted({ $gt: after }) })
      .sort({ _id: 1 })
      .limit(limit)
      .lean<SignOutDocument[]>(),
    readPending(models, after, limit),
  ]);
  const rows = new Map<string, SignOutRow>();
  for (const document of documents) {
    const { endedSessions, endedAccounts, endedClients, selfContainedUntil } = document;
    rows.set(document._id, {
      ...signOutFrom(document),
      endedSessions,
      endedAccounts,
      endedClients,
      selfContainedUntil,
    });
  }
  for (const each of pending) {
    const nothing = { endedSessions: 0, endedAccounts: 0, endedClients: 0, selfContainedUntil: null };
    // Pending until it has left its scope, whatever its own document says by then.
    const record = signOutFrom({ ...each, _id: each.id, status: 'pending' });
    rows.set(each.id, { ...nothing, ...rows.get(each.id), ...record });
  }
  // Whatever is among the first of both is among the first of each.
  return [...rows.values()].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))).slice(0, limit);
}

/** How many there are, on either side or on both. */
export async function countSignOuts({ scopes, signOuts }: Models): Promise<number> {
  const [alone] = await scopes.aggregate<{ count: number }>([
    { $match: { 'pending.id': { $gt: '' } } },
    { $unwind: '$pending' },
    { $lookup: { from: signOuts.collection.name, localField: 'pending.id', foreignField: '_id', as: 'own' } },
    { $match: { own: [] } },
    { $count: 'count' },
  ]);
  return (await signOuts.countDocuments({})) + (alone?.count ?? 0);
}

export async function writeSignOuts({ scopes, signOuts }: Models, rows: readonly SignOutRow[]): Promise<void> {
  await replaceAll(
    signOuts,
    rows.map(({ id, ...row }): SignOutDocument => ({ _id: id, ...row, spared: keyedEpochs(row.spared) })),
  );
  const ids = rows.map(({ id }) => id);
  await scopes.updateMany(
    { 'pending.id': trusted({ $in: ids }) },
    { $pull: { pending: { id: trusted({ $in: ids }) } } },
  );
  const pending = rows.filter(({ status }) => status === 'pending');
  if (pending.length === 0) return;
  await scopes.bulkWrite(
    pending.map((row) => {
      // Whoever spread it did so on the other store: here it is anybody's.
      const entry: PendingSignOut = { id: row.id, ...signOutFields(row), holder: '', leaseUntil: FREE };
      return { updateOne: { filter: { _id: { $eq: raisedBy(row.scope) } }, update: { $push: { pending: entry } } } };
    }),
    IN_ANY_ORDER,
  );
}

async function readPending({ scopes }: Models, after: string, limit: number): Promise<PendingSignOut[]> {
  return scopes
    .aggregate<PendingSignOut>([
      { $match: { 'pending.id': { $gt: after } } },
      { $unwind: '$pending' },
      { $replaceRoot: { newRoot: '$pending' } },
      { $match: { id: { $gt: after } } },
      { $sort: { id: 1 } },
      { $limit: limit },
    ])
    .allowDiskUse(true);
}
