/**
 * Deliveries in MongoDB. A lease is an instant and a fence in the document itself. Claiming several is one update of many,
 * each by itself: two claimers may see the same candidates, and each gets those whose lease was still free when its turn came.
 */
import type { DeliveryRepository } from '../port.ts';
import type { DeliveryRecord, DeliveryStatus, LeasedDelivery } from '../records.ts';
import { randomId } from '../../platform/random.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { DeliveryDocument } from './schemas.ts';
import { FREE } from './scopes.ts';

/** A lease that ends later than this after now was not given by this clock: it was set back since, and its holder is gone. */
const LONGEST_LEASE_MS = 120_000;

const DEAD: DeliveryStatus[] = ['rejected', 'abandoned'];

/** Whether nobody holds it. */
export const free = (now: Date) => ({
  $or: [
    { leaseUntil: trusted({ $lte: now }) },
    { leaseUntil: trusted({ $gt: new Date(now.getTime() + LONGEST_LEASE_MS) }) },
  ],
});

/** Inserting twice is inserting once: what an earlier fan-out wrote, delivered or not, stays as it is. */
export async function insertDeliveries({ deliveries }: Models, records: readonly DeliveryRecord[]): Promise<void> {
  if (records.length === 0) return;
  const documents = records.map(({ id, ...record }) => ({ _id: id, ...record, leaseUntil: FREE, fence: 0 }));
  try {
    // Without the second option, what does not fit the schema would be left out in silence.
    await deliveries.insertMany(documents, { ordered: false, throwOnValidationError: true });
  } catch (fault) {
    // Unordered: all the others were written; and what is there twice was all that went wrong.
    if (!isDuplicateKey(fault) || !onlyDuplicates(fault)) throw fault;
  }
}

function onlyDuplicates(fault: unknown): boolean {
  const { writeErrors = [] } = fault as { writeErrors?: readonly { readonly code?: number }[] };
  return writeErrors.every(({ code }) => code === 11_000);
}

export function deliveryRepository(database: Database): DeliveryRepository {
  return {
    clientsDue: (now) =>
      database.ask('list clients owed a delivery', async ({ deliveries }) => {
        // Skips along the index from client to client: the cost is that of the clients, not of what they are owed.
        const owed = await deliveries.distinct('clientId', { status: 'pending' });
        const due = await Promise.all(
          owed.map((clientId) => deliveries.exists({ status: 'pending', clientId, ...dueAt(now) })),
        );
        return owed.filter((_, index) => due[index] !== null);
      }),
    claim: ({ clientId, now, leaseUntil, limit }) =>
      database.ask('claim deliveries', async ({ deliveries }) => {
        const claim = randomId();
        const due = { status: 'pending', ...dueAt(now) } as const;
        // What another took in between leaves room for others: looked for until there is enough, or nothing free.
        let held = 0;
        while (held < limit) {
          const candidates = await deliveries
            .find({ clientId, ...due }, { _id: 1 })
            .sort({ nextAttemptAt: 1 })
            .limit(limit - held)
            .lean<{ _id: string }[]>();
          if (candidates.length === 0) break;
          const { modifiedCount } = await deliveries.updateMany(
            { _id: trusted({ $in: candidates.map(({ _id }) => _id) }), ...due },
            { $set: { leaseUntil, claim }, $inc: { fence: 1 } },
          );
          held += modifiedCount;
        }
        if (held === 0) return [];
        const leased = await deliveries.find({ claim }).sort({ nextAttemptAt: 1 }).lean<DeliveryDocument[]>();
        return leased.map(leasedFrom);
      }),
    settle: ({ id, fence, ...outcome }) =>
      database.ask('record an outcome', async ({ deliveries }) => {
        const { matchedCount } = await deliveries.updateOne(
          { _id: id, fence, status: 'pending', leaseUntil: trusted({ $gt: FREE }) },
          { $set: { ...outcome, leaseUntil: FREE }, $unset: { claim: 1 } },
        );
        return matchedCount === 1;
      }),
    release: (leases) =>
      database.ask('give leases back', async ({ deliveries }) => {
        if (leases.length === 0) return;
        await deliveries.bulkWrite(
          leases.map(({ id, fence }) => ({
            updateOne: {
              // Nothing sanitises the filters of a bulk write.
              filter: { _id: { $eq: id }, fence: { $eq: fence } },
              update: { $set: { leaseUntil: FREE }, $unset: { claim: 1 } },
            },
          })),
          { ordered: false },
        );
      }),
    nextDueAt: () =>
      database.ask('read when the next delivery is due', async ({ deliveries }) => {
        // Two halves along one index: what nobody holds, and the few that are leased.
        const [unleased, leased] = await Promise.all([
          deliveries
            .findOne({ status: 'pending', leaseUntil: FREE }, { nextAttemptAt: 1 })
            .sort({ nextAttemptAt: 1 })
            .lean<DeliveryDocument>(),
          deliveries
            .find({ status: 'pending', leaseUntil: trusted({ $gt: FREE }) }, { nextAttemptAt: 1, leaseUntil: 1 })
            .lean<DeliveryDocument[]>(),
        ]);
        const instants = [
          ...(unleased?.nextAttemptAt ? [unleased.nextAttemptAt] : []),
          ...leased.map(({ nextAttemptAt, leaseUntil }) =>
            nextAttemptAt !== null && nextAttemptAt > leaseUntil ? nextAttemptAt : leaseUntil,
          ),
        ];
        return instants.length === 0 ? null : new Date(Math.min(...instants.map((each) => each.getTime())));
      }),
    find: (id) =>
      database.ask('find a delivery', async ({ deliveries }) => {
        const found = await deliveries.findById(id).lean<DeliveryDocument>();
        return found === null ? null : deliveryFrom(found);
      }),
    list: ({ status, clientId, signOutId, accountId, page }) =>
      database.ask('list deliveries', async ({ deliveries }) => {
        const found = await deliveries
          .find({ ...given({ status, clientId, signOutId, accountId }), _id: trusted({ $gt: page.after ?? '' }) })
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<DeliveryDocument[]>();
        return found.map(deliveryFrom);
      }),
    counts: ({ signOutId }) =>
      database.ask('count deliveries', async ({ deliveries }) => {
        const count = (status: DeliveryStatus): Promise<number> =>
          deliveries.countDocuments({ ...given({ signOutId }), status });
        const [pending, delivered, rejected, abandoned] = await Promise.all([
          count('pending'),
          count('delivered'),
          count('rejected'),
          count('abandoned'),
        ]);
        return { pending, delivered, rejected, abandoned };
      }),
    revive: ({ ids, clientId, now, deadlineAt, limit }) =>
      database.ask('revive dead letters', async ({ deliveries }) => {
        const dead = { status: trusted({ $in: DEAD }), ...given({ clientId }) };
        const chosen = await deliveries
          .find({ ...dead, ...(ids === undefined ? {} : { _id: trusted({ $in: ids }) }) }, { _id: 1 })
          .limit(limit ?? 0)
          .lean<{ _id: string }[]>();
        const { modifiedCount } = await deliveries.updateMany(
          { ...dead, _id: trusted({ $in: chosen.map(({ _id }) => _id) }) },
          {
            $set: { status: 'pending', refusals: 0, nextAttemptAt: now, deadlineAt, leaseUntil: FREE },
            $unset: { claim: 1 },
          },
        );
        return modifiedCount;
      }),
  };
}

const dueAt = (now: Date) => ({ nextAttemptAt: trusted({ $lte: now }), ...free(now) });

function given(equal: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(equal).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function deliveryFrom(document: DeliveryDocument): DeliveryRecord {
  const { _id, signOutId, accountId, clientId, sid, status, attempts, refusals } = document;
  const { nextAttemptAt, lastAttemptAt, lastOutcome, createdAt, deadlineAt } = document;
  return {
    id: _id,
    signOutId,
    accountId,
    clientId,
    sid,
    status,
    attempts,
    refusals,
    nextAttemptAt,
    lastAttemptAt,
    lastOutcome,
    createdAt,
    deadlineAt,
  };
}

function leasedFrom(document: DeliveryDocument): LeasedDelivery {
  return { ...deliveryFrom(document), fence: document.fence, leaseUntil: document.leaseUntil };
}
