/** Deliveries in MongoDB: what is owed to each Client, leased to one worker at a time (leases.ts). */
import type { DeliveryRepository } from '../port.ts';
import type { DeliveryRecord, DeliveryStatus, LeasedDelivery } from '../records.ts';
import { type Database, type Models, trusted } from './database.ts';
import type { DeliveryDocument } from './documents.ts';
import { insertOnce } from './insert-once.ts';
import { claimDue, dueAt, FREE, giveBack, nextDueAt, settleHeld } from './leases.ts';

const DEAD: DeliveryStatus[] = ['rejected', 'abandoned'];

/** Inserting twice is inserting once: what an earlier fan-out wrote, delivered or not, stays as it is. */
export async function insertDeliveries({ deliveries }: Models, records: readonly DeliveryRecord[]): Promise<void> {
  await insertOnce(
    deliveries,
    records.map(({ id, ...record }): DeliveryDocument => ({ _id: id, ...record, leaseUntil: FREE, fence: 0 })),
  );
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
    claim: ({ clientId, ...claim }) =>
      database.ask('claim deliveries', async ({ deliveries }) =>
        (await claimDue(deliveries, { clientId }, claim)).map(leasedFrom),
      ),
    settle: ({ id, fence, ...outcome }) =>
      database.ask('record an outcome', ({ deliveries }) => settleHeld(deliveries, { id, fence }, outcome)),
    release: (leases) => database.ask('give leases back', ({ deliveries }) => giveBack(deliveries, leases)),
    nextDueAt: () => database.ask('read when the next delivery is due', ({ deliveries }) => nextDueAt(deliveries)),
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
