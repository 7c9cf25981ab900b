/**
 * Incidents in MongoDB. What became of one is counted along the ids that begin with its own and a hyphen: a stretch of an
 * index, whatever else there is. An operator waits for it, and it may be much: these questions are asked patiently.
 */
import type { IncidentRecord, IncidentRepository, Told } from '../incidents.ts';
import type { MailStatus } from '../outbox.ts';
import type { DeliveryStatus } from '../records.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { IncidentDocument, IncidentMemberDocument } from './documents.ts';
import { insertOnce } from './insert-once.ts';

export function incidentRepository(database: Database): IncidentRepository {
  return {
    open: ({ id, openedAt, state }) =>
      database.ask('open an incident', async ({ incidents }) => {
        try {
          await incidents.create([{ _id: id, openedAt, state, revision: 0 }]);
          return true;
        } catch (fault) {
          if (isDuplicateKey(fault)) return false;
          throw fault;
        }
      }),
    change: ({ id, revision, state }) =>
      database.ask('note how far an incident is', async ({ incidents }) => {
        const changed = await incidents.updateOne({ _id: id, revision }, { $set: { state }, $inc: { revision: 1 } });
        return changed.matchedCount === 1;
      }),
    find: (id) =>
      database.ask('find an incident', async ({ incidents }) => {
        const found = await incidents.findById(id).lean<IncidentDocument>();
        return found === null ? null : incidentFrom(found);
      }),
    list: (limit) =>
      database.ask('list incidents', async ({ incidents }) => {
        const found = await incidents.find().sort({ openedAt: -1, _id: 1 }).limit(limit).lean<IncidentDocument[]>();
        return found.map(incidentFrom);
      }),
    addMembers: (incidentId, accountIds) =>
      database.askPatiently('note whom an incident is about', async ({ incidentMembers }) => {
        await insertOnce(
          incidentMembers,
          [...new Set(accountIds)].map((accountId): IncidentMemberDocument => {
            return { _id: `${incidentId}-${accountId}`, incidentId, accountId };
          }),
        );
      }),
    membersOf: (id, page) =>
      database.ask('list whom an incident is about', async ({ incidentMembers }) => {
        const found = await incidentMembers
          .find({ _id: trusted({ $gt: `${id}-${page.after ?? ''}`, $lt: endOf(id) }) })
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<IncidentMemberDocument[]>();
        return found.map(({ accountId }) => accountId);
      }),
    countMembers: (id) =>
      database.askPatiently('count whom an incident is about', ({ incidentMembers }) =>
        incidentMembers.countDocuments({ _id: trusted(rangeOf(id)) }),
      ),
    progress: (id) =>
      database.askPatiently('measure an incident', async (models) => {
        // Those that are complete first: one that becomes so between the two is counted in neither, and never in both.
        const complete = await models.signOuts.countDocuments({ _id: trusted(rangeOf(id)), status: 'complete' });
        const [spreading, deliveries, mails] = await Promise.all([
          countPending(models, id),
          countDeliveries(models, id),
          countMails(models, id),
        ]);
        return { signOuts: complete + spreading, spreading, deliveries, mails };
      }),
    deliveriesByClient: (id) =>
      database.askPatiently('count the deliveries of an incident', async ({ deliveries }) => {
        const counted = await deliveries
          .aggregate<{ _id: { clientId: string; status: DeliveryStatus }; count: number }>([
            { $match: { signOutId: rangeOf(id) } },
            { $group: { _id: { clientId: '$clientId', status: '$status' }, count: { $sum: 1 } } },
          ])
          .hint(ALONG_SIGN_OUTS);
        return counted
          .map(({ _id: { clientId, status }, count }) => ({ clientId, status, count }))
          .sort((a, b) => byBytes(a.clientId, b.clientId) || byBytes(a.status, b.status));
      }),
    timeline: (id, seconds) =>
      database.askPatiently('list when people were told', async ({ deliveries, mails }) => {
        const stages = (match: object) => [
          { $match: { ...match, lastAttemptAt: { $ne: null } } },
          { $group: { _id: spanOf('$lastAttemptAt', Math.round(seconds * 1000)), count: { $sum: 1 } } },
          { $sort: { _id: 1 } as const },
        ];
        const delivered = { signOutId: rangeOf(id), status: { $eq: 'delivered' } };
        const sent = { status: { $eq: 'sent' }, _id: rangeOf(id) };
        const [told, mailed] = await Promise.all([
          deliveries.aggregate<Span>(stages(delivered)).hint(ALONG_SIGN_OUTS),
          mails.aggregate<Span>(stages(sent)).hint('status_1__id_1'),
        ]);
        return { deliveries: told.map(toldFrom), mails: mailed.map(toldFrom) };
      }),
  };
}

/** A hyphen comes before every sign that the id of an incident may have, and this one right after it. */
const endOf = (id: string): string => `${id}.`;

/** Ids that begin with this incident's and a hyphen. */
export const rangeOf = (id: string) => ({ $gt: `${id}-`, $lt: endOf(id) });

const ALONG_SIGN_OUTS = 'signOutId_1_status_1__id_1';

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Each stands on the scope that it raised, and one scope may bear several. */
async function countPending({ scopes }: Models, id: string): Promise<number> {
  const inRange = { $elemMatch: { id: rangeOf(id) } };
  const [counted] = await scopes.aggregate<{ count: number }>([
    { $match: { pending: inRange } },
    { $unwind: '$pending' },
    { $match: { 'pending.id': rangeOf(id) } },
    { $count: 'count' },
  ]);
  return counted?.count ?? 0;
}

async function countDeliveries({ deliveries }: Models, id: string) {
  const counted = await deliveries
    .aggregate<{ _id: DeliveryStatus; count: number }>([
      { $match: { signOutId: rangeOf(id) } },
      { $group: { _id: '$status', count: { $sum: 1 } } },
    ])
    .hint(ALONG_SIGN_OUTS);
  const none = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };
  return { ...none, ...Object.fromEntries(counted.map(({ _id, count }) => [_id, count])) };
}

async function countMails({ mails }: Models, id: string) {
  const count = (status: MailStatus): Promise<number> =>
    mails.countDocuments({ status, _id: trusted(rangeOf(id)) }).hint('status_1__id_1');
  const [pending, sent, rejected, abandoned] = await Promise.all([
    count('pending'),
    count('sent'),
    count('rejected'),
    count('abandoned'),
  ]);
  return { pending, sent, rejected, abandoned };
}

type Span = { readonly _id: number; readonly count: number };

/** The millisecond at which the span begins that this instant lies in. */
function spanOf(field: string, milliseconds: number): object {
  const instant = { $toLong: field };
  return { $subtract: [instant, { $mod: [instant, milliseconds] }] };
}

const toldFrom = ({ _id, count }: Span): Told => ({ at: new Date(_id), count });

function incidentFrom({ _id, openedAt, state, revision }: IncidentDocument): IncidentRecord {
  return { id: _id, openedAt, state, revision };
}
