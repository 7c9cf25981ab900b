/**
 * Who forgets what has expired: the server, where it can, an hour after the instant; else Curfew's own sweeper. Instants are
 * the server's own here, since it is its clock that decides.
 */
import { describe, expect, test } from 'vitest';

import { migrateMongoStore } from '../../src/store/mongo/open.ts';
import { artifact, at, start } from '../support/records.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';

const EXPIRING = ['artifacts', 'attempts'];
const MINUTE_MS = 60_000;

/** A server makes one round a minute, and those of the tests' own one a second. */
const aRound = { timeout: 90_000, interval: 100 };

/** An index of that name that deletes nothing, as on a server that cannot: there before the first start. */
async function withoutExpiry({ db }: Fresh): Promise<void> {
  for (const name of EXPIRING) await db.collection(name).createIndex({ expiresAt: 1 });
}

/** Minutes from now on the server's clock. */
async function instant({ db }: Fresh, minutes: number): Promise<Date> {
  const { localTime } = await db.command({ hello: 1 });
  return new Date((localTime as Date).getTime() + minutes * MINUTE_MS);
}

const count = ({ collection }: Fresh, name: string): Promise<number> => collection(name).countDocuments();

describe('a server that deletes what has expired', () => {
  test('does it for artifacts and attempts, an hour after they have: not sooner', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    const [longAgo, lately] = [await instant(fresh, -61), await instant(fresh, -50)];
    for (const [name, expiresAt] of [
      ['old', longAgo],
      ['young', lately],
    ] as const) {
      await store.artifacts.save(artifact(name, { expiresAt }));
      await store.accounts.countAttempt({ key: name, windowStart: start, expiresAt });
    }
    for (const name of EXPIRING) await expect.poll(() => count(fresh, name), aRound).toBe(1);
    const [left] = await fresh.collection('artifacts').find().toArray();
    expect(left?.['payload']).toBe(artifact('young').payload);
    expect((await fresh.collection('attempts').findOne())?._id).toBe('young');
  });

  test('is left to it: the sweeper deletes none of them', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    await store.artifacts.save(artifact('expired', { expiresAt: at(1) }));
    await store.accounts.countAttempt({ key: 'expired', windowStart: start, expiresAt: at(1) });
    expect(await store.sweep({ now: at(3600), limit: 10 })).toEqual({ swept: 0, more: false });
    for (const name of EXPIRING) expect(await count(fresh, name)).toBe(1);
  });

  test('one that expired and is not deleted yet is found by nobody, and its place can be taken', async () => {
    const fresh = await freshDatabase();
    const store = await fresh.open();
    const [lately, now] = [await instant(fresh, -50), await instant(fresh, 0)];
    const expired = artifact('expired', { expiresAt: lately });
    await store.artifacts.save(expired);
    expect(await store.artifacts.find(expired.key, now)).toBeNull();
    expect(await store.artifacts.consume(expired.key, now)).toBe(false);
    expect(await store.artifacts.insert(artifact('expired', { expiresAt: await instant(fresh, 5) }), now)).toBe(true);
  });
});

describe('a server that deletes nothing by itself', () => {
  test('has its expired artifacts and attempts swept, and no others', async () => {
    const fresh = await freshDatabase();
    await withoutExpiry(fresh);
    const store = await fresh.open();
    for (const [name, expiresAt] of [
      ['expired', at(1)],
      ['alive', at(60)],
    ] as const) {
      await store.artifacts.save(artifact(name, { expiresAt }));
      await store.accounts.countAttempt({ key: name, windowStart: start, expiresAt });
    }
    expect(await store.sweep({ now: at(2), limit: 10 })).toEqual({ swept: 2, more: true });
    expect(await store.sweep({ now: at(2), limit: 10 })).toEqual({ swept: 0, more: false });
    for (const name of EXPIRING) expect(await count(fresh, name)).toBe(1);
  });

  test('is known as that by a migration, which leaves the index as it is', async () => {
    const fresh = await freshDatabase();
    await withoutExpiry(fresh);
    await fresh.open();
    const { serverDeletesExpired } = await migrateMongoStore(fresh.address);
    expect(serverDeletesExpired).toBe(false);
    for (const name of EXPIRING) {
      const indexes = await fresh.db.collection(name).listIndexes().toArray();
      const expiry = indexes.find((index) => index['name'] === 'expiresAt_1');
      expect(expiry).toMatchObject({ key: { expiresAt: 1 } });
      expect(expiry).not.toHaveProperty('expireAfterSeconds');
    }
  });

  test('half of it is not enough: what only one collection does is done by the sweeper for both', async () => {
    const fresh = await freshDatabase();
    await fresh.db.collection('attempts').createIndex({ expiresAt: 1 });
    const store = await fresh.open();
    await store.artifacts.save(artifact('expired', { expiresAt: at(1) }));
    await store.accounts.countAttempt({ key: 'expired', windowStart: start, expiresAt: at(1) });
    expect((await store.sweep({ now: at(2), limit: 10 })).swept).toBe(2);
  });
});
