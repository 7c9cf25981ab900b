/** Mails on their way out in MongoDB: a collection of their own, leased as Deliveries are. */
import type { LeasedMail, MailRecord, MailStatus, OutboxRepository } from '../outbox.ts';
import { type Database, trusted } from './database.ts';
import type { MailDocument } from './documents.ts';
import { insertOnce } from './insert-once.ts';
import { claimDue, FREE, giveBack, nextDueAt, settleHeld } from './leases.ts';

const GIVEN_UP: MailStatus[] = ['rejected', 'abandoned'];

export function outboxRepository(database: Database): OutboxRepository {
  return {
    enqueue: (records) =>
      database.ask('queue mails', ({ mails }) =>
        insertOnce(
          mails,
          records.map((record): MailDocument => ({
            ...mailFields(record),
            _id: record.id,
            leaseUntil: FREE,
            fence: 0,
          })),
        ),
      ),
    claim: (claim) =>
      database.ask('claim mails', async ({ mails }) => (await claimDue(mails, {}, claim)).map(leasedFrom)),
    settle: ({ id, fence, ...outcome }) =>
      database.ask('record an outcome of a mail', ({ mails }) =>
        settleHeld(mails, { id, fence }, { ...outcome, ...(outcome.status === 'sent' ? { sealed: '' } : {}) }),
      ),
    release: (leases) => database.ask('give leases of mails back', ({ mails }) => giveBack(mails, leases)),
    nextDueAt: () => database.ask('read when the next mail is due', ({ mails }) => nextDueAt(mails)),
    find: (id) =>
      database.ask('find a mail', async ({ mails }) => {
        const found = await mails.findById(id).lean<MailDocument>();
        return found === null ? null : mailFrom(found);
      }),
    list: ({ status, accountId, page }) =>
      database.ask('list mails', async ({ mails }) => {
        const found = await mails
          .find({
            ...(status === undefined ? {} : { status }),
            ...(accountId === undefined ? {} : { accountId }),
            _id: trusted({ $gt: page.after ?? '' }),
          })
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<MailDocument[]>();
        return found.map(mailFrom);
      }),
    counts: () =>
      database.ask('count mails', async ({ mails }) => {
        const count = (status: MailStatus): Promise<number> => mails.countDocuments({ status });
        const [pending, sent, rejected, abandoned] = await Promise.all([
          count('pending'),
          count('sent'),
          count('rejected'),
          count('abandoned'),
        ]);
        return { pending, sent, rejected, abandoned };
      }),
    revive: ({ ids, now, deadlineAt, limit }) =>
      database.ask('revive mails', async ({ mails }) => {
        const dead = { status: trusted({ $in: GIVEN_UP }) };
        const chosen = await mails
          .find({ ...dead, ...(ids === undefined ? {} : { _id: trusted({ $in: ids }) }) }, { _id: 1 })
          .sort({ _id: 1 })
          .limit(limit)
          .lean<{ _id: string }[]>();
        const { modifiedCount } = await mails.updateMany(
          { ...dead, _id: trusted({ $in: chosen.map(({ _id }) => _id) }) },
          { $set: { status: 'pending', nextAttemptAt: now, deadlineAt, leaseUntil: FREE }, $unset: { claim: 1 } },
        );
        return modifiedCount;
      }),
  };
}

function mailFields(record: Omit<MailRecord, 'id'>): Omit<MailRecord, 'id'> {
  const { accountId, kind, sealed, status, attempts } = record;
  const { nextAttemptAt, lastAttemptAt, lastOutcome, createdAt, deadlineAt } = record;
  return {
    accountId,
    kind,
    sealed,
    status,
    attempts,
    nextAttemptAt,
    lastAttemptAt,
    lastOutcome,
    createdAt,
    deadlineAt,
  };
}

export function mailFrom(document: MailDocument): MailRecord {
  return { id: document._id, ...mailFields(document) };
}

function leasedFrom(document: MailDocument): LeasedMail {
  return { ...mailFrom(document), fence: document.fence, leaseUntil: document.leaseUntil };
}
