/**
 * What happened, in MongoDB: a collection that is only added to, read by account, latest first, and by place in the chain.
 *
 * The end of the chain is one document, and moving it is the commit point: it names the new end and the links that lead there.
 * Putting those on their events is derived, idempotent (an event that has a place keeps it) and done by whoever asks for the end
 * next, should the one who moved it be gone. Nobody moves the end again before that is done.
 */
import type { EventRecord, Head, JournalRepository } from '../journal.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { EventDocument, HouseDocument } from './documents.ts';
import { insertOnce } from './insert-once.ts';

/** The document that the end of the chain is kept in. */
export const CHAIN = 'chain';

type ChainDocument = HouseDocument & Head;

export function journalRepository(database: Database): JournalRepository {
  return {
    append: (records) =>
      database.ask('append to the journal', async ({ events }) => {
        await insertOnce(events, records.map(eventDocument));
      }),
    eventsOf: (accountId, { after, limit, kinds }) =>
      database.ask('read the journal', async ({ events }) => {
        const found = await events
          .find({
            accountId,
            sealed: trusted({ $ne: '' }),
            ...(after === undefined ? {} : before(after)),
            ...(kinds === undefined ? {} : { kind: trusted({ $in: [...kinds] }) }),
          })
          .sort({ at: -1, _id: -1 })
          .limit(limit)
          .lean<EventDocument[]>();
        return found.map(eventFrom);
      }),
    forget: (accountId) =>
      database.ask('forget what happened to an account', async ({ events }) => {
        await events.updateMany({ accountId, sealed: trusted({ $ne: '' }) }, { $set: { sealed: '' } });
      }),

    unchained: (limit) =>
      database.ask('read what is not chained', async ({ events }) => {
        const found = await events
          .find({ unchained: trusted({ $gt: '' }) })
          .sort({ unchained: 1 })
          .limit(limit)
          .lean<EventDocument[]>();
        return found.map(eventFrom);
      }),
    commit: (changes) =>
      database.ask('commit to events', async ({ events }) => {
        if (changes.length === 0) return;
        await events.bulkWrite(
          changes.map(({ id, from, sealed, commitment }) => ({
            updateOne: {
              // Nothing sanitises the filters of a bulk write. Null is also what is not there.
              filter: { _id: { $eq: id }, sealed: { $eq: from }, commitment: { $in: ['', null] }, seq: { $eq: null } },
              update: { $set: { sealed, commitment } },
            },
          })),
        );
      }),
    head: () => database.ask('find the end of the chain', head),
    chain: ({ after, events }) =>
      database.ask('chain events', async (models) => {
        const last = events.at(-1);
        const ids = events.map(({ id }) => id);
        if (last === undefined) return sameEnd(await head(models), after);
        const free = await models.events.countDocuments({
          _id: trusted({ $in: ids }),
          unchained: trusted({ $gt: '' }),
        });
        if (free !== events.length) return false;
        const first = (after?.seq ?? 0) + 1;
        const links = events.map(({ id, hash }, index) => ({ id, seq: first + index, hash }));
        const end = { seq: first + events.length - 1, hash: last.hash };
        if (!(await moveEnd(models, after, { ...end, links: JSON.stringify(links) }))) return false;
        await place(models, end, links);
        return true;
      }),
    chained: ({ after, limit }) =>
      database.ask('read the chain', async ({ events }) => {
        const found = await events
          .find({ seq: trusted({ $gt: after }) })
          .sort({ seq: 1 })
          .limit(limit)
          .lean<EventDocument[]>();
        return found.map(eventFrom);
      }),
    prune: ({ through, limit }) =>
      database.ask('prune the chain', async (models) => {
        const last = Math.min(through, ((await head(models))?.seq ?? 0) - 1);
        const found = await models.events
          .find({ seq: trusted({ $gt: 0, $lte: last }) }, { _id: 1 })
          .sort({ seq: 1 })
          .limit(limit)
          .lean<{ _id: string }[]>();
        if (found.length === 0) return 0;
        return (await models.events.deleteMany({ _id: trusted({ $in: found.map(({ _id }) => _id) }) })).deletedCount;
      }),
  };
}

async function head(models: Models): Promise<Head | null> {
  const kept = await models.house.findById(CHAIN).lean<ChainDocument>();
  if (kept === null) return lastPlaced(models);
  const end = { seq: kept.seq, hash: kept.hash };
  if (typeof kept.links === 'string') await place(models, end, JSON.parse(kept.links) as readonly Placed[]);
  return end;
}

/** What the end is where it was never moved: in a store that was copied from another. */
async function lastPlaced({ events }: Models): Promise<Head | null> {
  const found = await events
    .findOne({ seq: trusted({ $gt: 0 }) }, { seq: 1, hash: 1 })
    .sort({ seq: -1 })
    .lean<Head>();
  return found === null ? null : { seq: found.seq, hash: found.hash };
}

/** Compare-and-set: true for exactly one of all who know the same end. */
async function moveEnd(models: Models, from: Head | null, to: Head & { readonly links: string }): Promise<boolean> {
  if (from !== null) {
    const { matchedCount } = await models.house.updateOne(
      { _id: CHAIN, seq: from.seq, hash: from.hash, links: null },
      { $set: to },
    );
    if (matchedCount === 1) return true;
  }
  if ((await models.house.exists({ _id: CHAIN })) !== null) return false;
  if (!sameEnd(await lastPlaced(models), from)) return false;
  try {
    await models.house.create([{ _id: CHAIN, ...to }]);
    return true;
  } catch (fault) {
    if (isDuplicateKey(fault)) return false;
    throw fault;
  }
}

type Placed = { readonly id: string; readonly seq: number; readonly hash: string };

/** In order: cut off anywhere, what has a place is the beginning of the chain and nothing else. */
async function place({ events, house }: Models, end: Head, links: readonly Placed[]): Promise<void> {
  await events.bulkWrite(
    links.map(({ id, seq, hash }) => ({
      updateOne: {
        filter: { _id: { $eq: id }, seq: { $eq: null } },
        update: { $set: { seq, hash }, $unset: { unchained: 1 } },
      },
    })),
    { ordered: true },
  );
  await house.updateOne({ _id: CHAIN, seq: end.seq, hash: end.hash }, { $set: { links: null } });
}

const sameEnd = (one: Head | null, other: Head | null): boolean => one?.seq === other?.seq && one?.hash === other?.hash;

/** The first part is where the index is entered; the second leaves out those of the same instant that were read already. */
const before = ({ at, id }: Pick<EventRecord, 'at' | 'id'>) => ({
  at: trusted({ $lte: at }),
  $or: [{ at: trusted({ $lt: at }) }, { _id: trusted({ $lt: id }) }],
});

/** Written at once: the server answers between two of these. */
const MARKED_AT_ONCE = 1000;

/** For a migration: events of schema 2 are given what they are found by when they are chained. Twice is once. */
export async function markUnchained({ events }: Models): Promise<void> {
  for (let after = ''; ;) {
    const found = await events
      .find({ _id: trusted({ $gt: after }), seq: null, unchained: null }, { at: 1 })
      .sort({ _id: 1 })
      .limit(MARKED_AT_ONCE)
      .lean<Pick<EventDocument, '_id' | 'at'>[]>();
    if (found.length === 0) return;
    await events.bulkWrite(
      found.map(({ _id, at }) => ({
        updateOne: {
          filter: { _id: { $eq: _id }, seq: { $eq: null } },
          update: { $set: { unchained: unchainedKey({ id: _id, at }) } },
        },
      })),
      { ordered: false },
    );
    after = found.at(-1)?._id ?? after;
  }
}

/** By which unchained events are found in the order in which they are chained. */
const unchainedKey = ({ at, id }: Pick<EventRecord, 'at' | 'id'>): string => `${at.toISOString()} ${id}`;

export function eventFrom({ _id, at, kind, accountId, actor, sealed, ...later }: EventDocument): EventRecord {
  const { outcome = 'done', facts = '{}', commitment = '', seq = null, hash = null } = later;
  return { id: _id, at, kind, accountId, actor, outcome, facts, commitment, sealed, seq, hash };
}

export function eventDocument({ id, seq, hash, ...event }: EventRecord): EventDocument {
  const place = seq === null || hash === null ? { unchained: unchainedKey({ id, at: event.at }) } : { seq, hash };
  return { _id: id, ...event, ...place };
}
