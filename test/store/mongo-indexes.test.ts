/** The indexes that a MongoDB store is asked along: made once, by a migration, and missed when one is gone. */
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import { migrateMongoStore } from '../../src/store/mongo/open.ts';
import { type Collection, COLLECTIONS } from '../../src/store/mongo/schemas.ts';
import { account, identifiers } from '../support/records.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';

const collections = Object.values<Collection>(COLLECTIONS);

/** Every index of every collection as the server has it, but for what it adds of its own. */
async function indexesIn({ db }: Fresh): Promise<Record<string, unknown>> {
  const found = await Promise.all(
    (await db.listCollections({}, { nameOnly: true }).toArray()).map(async ({ name }) => {
      const indexes = await db.collection(name).listIndexes().toArray();
      return indexes.map(({ v: _version, name: index, ...rest }) => [`${name}.${String(index)}`, rest] as const);
    }),
  );
  return Object.fromEntries(found.flat().sort(([a], [b]) => (a < b ? -1 : 1)));
}

const nameOf = (key: object): string => Object.entries(key).flat().join('_');

/** What schemas.ts lists, as the server would have it. */
const wanted = Object.fromEntries(
  collections
    .flatMap(({ name, indexes, expiry }) => [
      ...(indexes.length > 0 || expiry !== undefined ? [[`${name}._id_`, { key: { _id: 1 } }] as const] : []),
      ...indexes.map(([key, options]) => [`${name}.${nameOf(key)}`, { key, ...options }] as const),
      ...(expiry === undefined
        ? []
        : [[`${name}.${expiry}_1`, { key: { [expiry]: 1 }, expireAfterSeconds: 3600 }] as const]),
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1)),
);
/** Of collections that need no others, and so are made when something is first kept there. */
const FIRST_USED = ['facts._id_', 'house._id_', 'incident_members._id_', 'leases._id_', 'signing_keys._id_'];

const withoutFirstUsed = (indexes: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(indexes).filter(([name]) => !FIRST_USED.includes(name)));

describe('indexes', () => {
  test('after a first opening exactly those that are wanted are there', async () => {
    const fresh = await freshDatabase();
    await fresh.open();
    expect(withoutFirstUsed(await indexesIn(fresh))).toEqual(wanted);
    expect(Object.keys(wanted).length).toBeGreaterThan(20);
  });

  test('another migration makes none, and changes none', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    await store.accounts.insert(account('alice'), identifiers('alice'));
    const before = await indexesIn(fresh);
    const { indexes, from, to, serverDeletesExpired } = await migrateMongoStore(fresh.address);
    expect(indexes.filter(({ status }) => status !== 'there')).toEqual([]);
    const named = indexes.map(({ collection, index }) => `${collection}.${index}`);
    expect(named.sort()).toEqual(Object.keys(wanted).filter((name) => !name.endsWith('._id_')));
    expect({ to, serverDeletesExpired }).toEqual({ to: from, serverDeletesExpired: true });
    expect(await indexesIn(fresh)).toEqual(before);
  });

  test('a store is used without making any: not by its first writes, and not by a second opening', async () => {
    const fresh = await freshDatabase();
    await fresh.open();
    await fresh.db.command({ profile: 2 });
    const store = await fresh.open();
    await store.accounts.insert(account('alice'), identifiers('alice'));
    await fresh.db.command({ profile: 0 });
    const asked = fresh.collection('system.profile');
    expect(await asked.countDocuments({ 'command.createIndexes': { $exists: true } })).toBe(0);
    expect(await asked.countDocuments({ op: 'update' })).toBeGreaterThan(0);
  });

  test('each of them, dropped, is missed by an inspection and made again by a migration, alone', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    const before = await indexesIn(fresh);
    expect((await store.inspect?.())?.faults).toEqual([]);
    for (const name of Object.keys(wanted).filter((each) => !each.endsWith('._id_'))) {
      const collection = name.slice(0, name.indexOf('.'));
      const index = name.slice(collection.length + 1);
      await fresh.db.collection(collection).dropIndex(index);
      const condition = await store.inspect?.();
      expect(condition?.faults).toEqual([`the index ${name} is missing`]);
      expect(condition?.remedy).toContain('npx curfew store migrate');
      const { indexes } = await migrateMongoStore(fresh.address);
      expect(indexes.filter(({ status }) => status === 'made')).toEqual([{ collection, index, status: 'made' }]);
      expect(await indexesIn(fresh)).toEqual(before);
    }
    expect((await store.inspect?.())?.faults).toEqual([]);
  });

  test('one that would be unique over names that are taken twice is not made, and nothing is said to be in order', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    await store.accounts.insert(account('alice'), identifiers('alice'));
    await store.accounts.insert(account('bob'), identifiers('bob'));
    await fresh.collection('scopes').dropIndex('account.identifiers_1');
    const { username } = identifiers('alice');
    await fresh.collection('scopes').updateOne({ _id: 'account:bob' }, { $set: { 'account.identifiers': [username] } });
    const refusal = await migrateMongoStore(fresh.address).catch((fault: unknown) => fault);
    expect(inspect(refusal)).toContain('account.identifiers_1');
    expect((await store.inspect?.())?.faults).toEqual(['the index scopes.account.identifiers_1 is missing']);
  });
});
