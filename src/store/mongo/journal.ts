/** What happened, in MongoDB: a collection that is only added to, read by account, latest first. */
import type { EventRecord, JournalRepository } from '../journal.ts';
import { type Database, trusted } from './database.ts';
import type { EventDocument } from './documents.ts';
import { insertOnce } from './insert-once.ts';

export function journalRepository(database: Database): JournalRepository {
  return {
    append: (records) =>
      database.ask('append to the journal', async ({ events }) => {
        await insertOnce(events, records.map(eventDocument));
      }),
    eventsOf: (accountId, { after, limit }) =>
      database.ask('read the journal', async ({ events }) => {
        const found = await events
          .find({ accountId, ...(after === undefined ? {} : before(after)) })
          .sort({ at: -1, _id: -1 })
          .limit(limit)
          .lean<EventDocument[]>();
        return found.map(eventFrom);
      }),
    forget: (accountId) =>
      database.ask('forget what happened to an account', async ({ events }) => {
        await events.deleteMany({ accountId });
      }),
  };
}

/** The first part is where the index is entered; the second leaves out those of the same instant that were read already. */
const before = ({ at, id }: Pick<EventRecord, 'at' | 'id'>) => ({
  at: trusted({ $lte: at }),
  $or: [{ at: trusted({ $lt: at }) }, { _id: trusted({ $lt: id }) }],
});

export function eventFrom({ _id, at, kind, accountId, actor, sealed }: EventDocument): EventRecord {
  return { id: _id, at, kind, accountId, actor, sealed };
}

export function eventDocument({ id, at, kind, accountId, actor, sealed }: EventRecord): EventDocument {
  return { _id: id, at, kind, accountId, actor, sealed };
}
