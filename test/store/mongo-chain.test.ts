/** The chain of events in MongoDB, cut off in the middle: the end has moved, and not every event has its place yet. */
import { describe, expect, test } from 'vitest';

import { migrateMongoStore } from '../../src/store/mongo/open.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { at, event, start } from '../support/records.ts';

const named = (names: string) => names.split(' ').map((name, index) => event(name, { at: at(index) }));
const links = [
  { id: 'a', seq: 1, hash: '>a' },
  { id: 'b', seq: 2, hash: '>a>b' },
  { id: 'c', seq: 3, hash: '>a>b>c' },
];

/** As a process leaves it that dies when it has given `placed` of three places. */
async function cutOff(placed: number): Promise<Fresh> {
  const fresh = await freshDatabase();
  const store = await fresh.open();
  await store.journal.append(named('a b c d'));
  await fresh.collection('house').insertOne({
    _id: 'chain',
    seq: 3,
    hash: '>a>b>c',
    links: JSON.stringify(links),
  } as never);
  for (const { id, seq, hash } of links.slice(0, placed)) {
    await fresh.collection('events').updateOne({ _id: id } as never, { $set: { seq, hash }, $unset: { unchained: 1 } });
  }
  await store.close();
  return fresh;
}

const places = async (fresh: Fresh) => {
  const found = await fresh.collection('events').find().sort({ _id: 1 }).toArray();
  return found.map(({ _id, seq, hash }) => [String(_id), seq as unknown, hash as unknown]);
};
const WHOLE = [
  ['a', 1, '>a'],
  ['b', 2, '>a>b'],
  ['c', 3, '>a>b>c'],
  ['d', undefined, undefined],
];

describe('cut off between moving the end and giving the places', () => {
  for (const placed of [0, 1, 2, 3]) {
    test(`with ${placed} of three given: whoever asks for the end gives the others`, async () => {
      const fresh = await cutOff(placed);
      const [one, other] = [await fresh.open(), await fresh.open()];
      const end = { seq: 3, hash: '>a>b>c' };
      expect(await Promise.all([one.journal.head(), other.journal.head()])).toEqual([end, end]);
      expect(await places(fresh)).toEqual(WHOLE);
      expect((await one.journal.unchained(9)).map(({ id }) => id)).toEqual(['d']);
      expect(await other.journal.chain({ after: end, events: [{ id: 'd', hash: '>a>b>c>d' }] })).toBe(true);
      expect((await one.journal.chained({ after: 0, limit: 9 })).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    });
  }

  test('nobody moves the end again before, nor takes what has a place in it', async () => {
    const fresh = await cutOff(1);
    const store = await fresh.open();
    const next = { after: { seq: 3, hash: '>a>b>c' }, events: [{ id: 'b', hash: 'other' }] };
    expect(await store.journal.chain(next)).toBe(false);
    expect(await store.journal.chain({ ...next, events: [{ id: 'd', hash: 'other' }] })).toBe(false);
    await store.journal.head();
    expect(await places(fresh)).toEqual(WHOLE);
  });

  test('what was deleted meanwhile does not come back', async () => {
    const fresh = await cutOff(3);
    const store = await fresh.open();
    // By one that had given the places, and was cut off before it said so.
    await fresh.collection('events').deleteOne({ _id: 'a' } as never);
    await store.journal.head();
    expect(await places(fresh)).toEqual(WHOLE.slice(1));
  });
});

test('events of schema 2 are found when they are chained, once they are migrated, and keep what they have', async () => {
  const fresh = await freshDatabase();
  await (await fresh.open()).close();
  const { id: _id, accountId, actor, kind, sealed } = event('old');
  const old = { accountId, actor, kind, sealed };
  await fresh.collection('events').insertMany([
    { ...old, _id: 'younger', at: at(5) },
    { ...old, _id: 'older', at: start },
  ] as never[]);
  await fresh.collection('house').updateOne({ _id: 'schema' } as never, { $set: { version: 2 } });
  await migrateMongoStore(fresh.address);
  await migrateMongoStore(fresh.address);
  const store = await fresh.open();
  const bare = { commitment: '', sealed };
  expect(await store.journal.unchained(9)).toEqual([event('older', bare), event('younger', { ...bare, at: at(5) })]);
  await store.journal.commit([{ id: 'older', from: sealed, sealed: 'anew', commitment: 'to-it' }]);
  expect(await store.journal.chain({ after: null, events: [{ id: 'older', hash: 'hash' }] })).toBe(true);
  expect(await store.journal.chained({ after: 0, limit: 9 })).toEqual([
    event('older', { sealed: 'anew', commitment: 'to-it', seq: 1, hash: 'hash' }),
  ]);
  expect((await store.journal.unchained(9)).map(({ id }) => id)).toEqual(['younger']);
});
