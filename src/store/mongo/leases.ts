/**
 * Being held by one worker at a time: a lease is an instant and a fence in the document itself. Claiming several is one update
 * of many, each by itself: two claimers may see the same candidates, and each gets those whose lease was still free when its
 * turn came. It knows nothing of what is held, and reads no clock.
 */
import type { Model } from 'mongoose';

import { randomId } from '../../platform/random.ts';
import { trusted } from './database.ts';
import type { LeasedDocument } from './documents.ts';

/** The beginning of time: a lease that nobody holds. */
export const FREE = new Date(0);

/** A lease that ends later than this after now was not given by this clock: it was set back since, and its holder is gone. */
const LONGEST_LEASE_MS = 120_000;

/** Whether nobody holds it. */
export const free = (now: Date) => ({
  $or: [
    { leaseUntil: trusted({ $lte: now }) },
    { leaseUntil: trusted({ $gt: new Date(now.getTime() + LONGEST_LEASE_MS) }) },
  ],
});

/** Whether it is due, and nobody holds it. */
export const dueAt = (now: Date) => ({ nextAttemptAt: trusted({ $lte: now }), ...free(now) });

/** How many to lease, of those that `filter` names, and until when. */
export type Claim = { readonly now: Date; readonly leaseUntil: Date; readonly limit: number };

/** Leases what is due, those due first first. */
export async function claimDue<Document extends LeasedDocument>(
  model: Model<Document>,
  filter: object,
  { now, leaseUntil, limit }: Claim,
): Promise<readonly Document[]> {
  const leased = model as unknown as Model<LeasedDocument>;
  const claim = randomId();
  const due = { status: 'pending', ...dueAt(now) } as const;
  // What another took in between leaves room for others: looked for until there is enough, or nothing free.
  let held = 0;
  while (held < limit) {
    const candidates = await leased
      .find({ ...filter, ...due }, { _id: 1 })
      .sort({ nextAttemptAt: 1 })
      .limit(limit - held)
      .lean<{ _id: string }[]>();
    if (candidates.length === 0) break;
    const { modifiedCount } = await leased.updateMany(
      { _id: trusted({ $in: candidates.map(({ _id }) => _id) }), ...due },
      { $set: { leaseUntil, claim }, $inc: { fence: 1 } },
    );
    held += modifiedCount;
  }
  if (held === 0) return [];
  return leased.find({ claim }).sort({ nextAttemptAt: 1 }).lean<Document[]>();
}

/** Records an outcome and gives the lease back; false when it had gone to somebody else. */
export async function settleHeld<Document extends LeasedDocument>(
  model: Model<Document>,
  { id, fence }: { readonly id: string; readonly fence: number },
  outcome: Partial<Omit<Document, keyof LeasedDocument>> & Pick<LeasedDocument, 'status' | 'nextAttemptAt'>,
): Promise<boolean> {
  const { matchedCount } = await (model as unknown as Model<LeasedDocument>).updateOne(
    { _id: id, fence, status: 'pending', leaseUntil: trusted({ $gt: FREE }) },
    { $set: { ...outcome, leaseUntil: FREE }, $unset: { claim: 1 } },
  );
  return matchedCount === 1;
}

/** Gives leases back untried. */
export async function giveBack<Document extends LeasedDocument>(
  model: Model<Document>,
  leases: readonly { readonly id: string; readonly fence: number }[],
): Promise<void> {
  if (leases.length === 0) return;
  await (model as unknown as Model<LeasedDocument>).bulkWrite(
    leases.map(({ id, fence }) => ({
      updateOne: {
        // Nothing sanitises the filters of a bulk write.
        filter: { _id: { $eq: id }, fence: { $eq: fence } },
        update: { $set: { leaseUntil: FREE }, $unset: { claim: 1 } },
      },
    })),
    { ordered: false },
  );
}

/** When the next pending one is due or its lease ends; null when none is pending. */
export async function nextDueAt<Document extends LeasedDocument>(model: Model<Document>): Promise<Date | null> {
  const leases = model as unknown as Model<LeasedDocument>;
  // Two halves along one index: what nobody holds, and the few that are leased.
  const [unleased, leased] = await Promise.all([
    leases
      .findOne({ status: 'pending', leaseUntil: FREE }, { nextAttemptAt: 1 })
      .sort({ nextAttemptAt: 1 })
      .lean<LeasedDocument>(),
    leases
      .find({ status: 'pending', leaseUntil: trusted({ $gt: FREE }) }, { nextAttemptAt: 1, leaseUntil: 1 })
      .lean<LeasedDocument[]>(),
  ]);
  const instants = [
    ...(unleased?.nextAttemptAt ? [unleased.nextAttemptAt] : []),
    ...leased.map(({ nextAttemptAt, leaseUntil }) =>
      nextAttemptAt !== null && nextAttemptAt > leaseUntil ? nextAttemptAt : leaseUntil,
    ),
  ];
  return instants.length === 0 ? null : new Date(Math.min(...instants.map((each) => each.getTime())));
}
