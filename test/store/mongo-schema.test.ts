/**
 * Opening a MongoDB database: what is made of an empty one, which are refused and left as they are, what is said of a server
 * that is not there or lets nobody in, and that none of it ever tells a password.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import mongoose, { type mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { migrateMongoStore, mongoStoreIsThere, openMongoStore } from '../../src/store/mongo/open.ts';
import { SCHEMA_VERSION } from '../../src/store/mongo/migrate.ts';
import { StoreUnavailable, StoreUnusable } from '../../src/store/port.ts';
import { account, identifiers } from '../support/records.ts';
import { findProgram } from '../support/mongodb/find.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { type Mongod, startMongod } from '../support/mongodb/mongod.ts';

type Address = Parameters<typeof openMongoStore>[0];

/** Everything that is there: documents and indexes of every collection. */
async function everything({ db, collection }: Fresh): Promise<unknown> {
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
  return Promise.all(
    names.map(async (name) => {
      const documents = await collection(name).find().sort({ _id: 1 }).toArray();
      return [name, documents, await db.collection(name).listIndexes().toArray()];
    }),
  );
}

const DOORS = { open: openMongoStore, migrate: migrateMongoStore, 'look for': mongoStoreIsThere };

/** What opening it throws, by whichever door. */
async function refusalOf(door: (address: Address) => Promise<unknown>, address: Address): Promise<Error> {
  const answer = await door(address).then(
    (opened) => opened,
    (fault: unknown) => fault,
  );
  expect(answer).toBeInstanceOf(Error);
  return answer as Error;
}

describe('an empty database', () => {
  test('is nobody’s store until it is opened, and then it is one', async () => {
    const fresh = await freshDatabase();
    expect(await mongoStoreIsThere(fresh.address)).toBe(false);
    expect(await everything(fresh)).toEqual([]);
    const store = await fresh.open();
    await store.ping();
    expect(await store.accounts.count()).toBe(0);
    expect(await mongoStoreIsThere(fresh.address)).toBe(true);
    expect(await fresh.collection('house').findOne({ _id: 'schema' })).toEqual({
      _id: 'schema',
      version: SCHEMA_VERSION,
    });
  });

  test('is opened by several at once, and all of them have it', async () => {
    const fresh = await freshDatabase();
    const stores = await Promise.all(Array.from({ length: 5 }, () => fresh.open()));
    await stores[0]?.accounts.insert(account('alice'), identifiers('alice'));
    for (const store of stores) {
      expect(await store.accounts.count()).toBe(1);
      expect((await store.inspect?.())?.faults).toEqual([]);
    }
  });

  test('one whose migration was cut off is migrated at the next opening', async () => {
    const fresh = await freshDatabase();
    await fresh.db.createCollection('scopes');
    await fresh.db.collection('artifacts').createIndex({ uid: 1 }, { sparse: true });
    const store = await fresh.open();
    expect((await store.inspect?.())?.faults).toEqual([]);
  });
});

describe('a database that is left as it is', () => {
  const present = async (fresh: Fresh, version: number): Promise<void> => {
    const store = await fresh.open();
    await store.accounts.insert(account('alice'), identifiers('alice'));
    const { matchedCount } = await fresh.collection('house').updateOne({ _id: 'schema' }, { $set: { version } });
    expect(matchedCount).toBe(1);
  };

  for (const [door, enter] of Object.entries(DOORS)) {
    test(`one of a newer schema: ${door}`, async () => {
      const fresh = await freshDatabase();
      await present(fresh, SCHEMA_VERSION + 1);
      const before = await everything(fresh);
      const refusal = await refusalOf(enter, fresh.address);
      expect(refusal).toBeInstanceOf(StoreUnusable);
      expect(refusal.message).toMatch(/newer Curfew.*nothing was changed/is);
      expect(await everything(fresh)).toEqual(before);
    });

    test(`one with somebody else’s collections: ${door}`, async () => {
      const fresh = await freshDatabase();
      await fresh.collection('recipes').insertOne({ _id: 'soup', salt: true });
      const before = await everything(fresh);
      const refusal = await refusalOf(enter, fresh.address);
      expect(refusal).toBeInstanceOf(StoreUnusable);
      expect(refusal.message).toContain('recipes');
      expect(refusal.message).toContain(fresh.name);
      expect(await everything(fresh)).toEqual(before);
    });
  }

  test('an older schema, but for a migration: whoever opens it is told how to', async () => {
    const fresh = await freshDatabase();
    await present(fresh, SCHEMA_VERSION - 1);
    const before = await everything(fresh);
    const refusal = await refusalOf(openMongoStore, fresh.address);
    expect(refusal).toBeInstanceOf(StoreUnusable);
    expect(refusal.message).toContain('npx curfew store migrate');
    expect(await everything(fresh)).toEqual(before);
    expect(await migrateMongoStore(fresh.address)).toMatchObject({ from: SCHEMA_VERSION - 1, to: SCHEMA_VERSION });
    const store = await fresh.open();
    expect(await store.accounts.find('alice')).toEqual(account('alice'));
  });
});

/** Signs that a URL escapes, and that look like parts of one. */
const PASSWORD = `p@ss:w/rd?#%$-${randomBytes(6).toString('hex')}`;

/** Everything that a log or a terminal could show of it, causes included. */
const shown = (fault: unknown): string => `${inspect(fault, { depth: 30 })}${JSON.stringify(fault)}`;

function expectNoPassword(fault: unknown): void {
  for (const spelt of [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(PASSWORD).toString('base64')]) {
    expect(shown(fault)).not.toContain(spelt);
  }
}

describe.skipIf(findProgram() === undefined)('a server with users', () => {
  let server: Mongod;
  let client: mongo.MongoClient;
  const at = (user: string): string => `mongodb://${user}127.0.0.1:${server.port}/curfew?authSource=admin`;

  beforeAll(async () => {
    server = await startMongod({ program: findProgram() ?? '', options: ['--auth'] });
    // Until there is a user, whoever comes from this machine may make one.
    const first = new mongoose.mongo.MongoClient(`mongodb://127.0.0.1:${server.port}`);
    await first.db('admin').command({ createUser: 'root', pwd: PASSWORD, roles: ['root'] });
    await first.close();
    client = new mongoose.mongo.MongoClient(
      `mongodb://root:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/?authSource=admin`,
    );
    const admin = client.db('admin');
    await admin.command({ createUser: 'curfew', pwd: PASSWORD, roles: [{ role: 'readWrite', db: 'curfew' }] });
    await admin.command({ createUser: 'stranger', pwd: PASSWORD, roles: [{ role: 'readWrite', db: 'elsewhere' }] });
    await admin.command({ createUser: 'reader', pwd: PASSWORD, roles: [{ role: 'read', db: 'curfew' }] });
  });
  afterAll(async () => {
    await client.close();
    await server.kill();
    rmSync(server.folder, { recursive: true, force: true });
  });

  test('lets in who has the password, whatever it is made of; reading and writing is all it needs to be allowed', async () => {
    onTestFinished(async () => void (await client.db('curfew').dropDatabase()));
    const store = await openMongoStore({ url: at('curfew@'), password: PASSWORD });
    onTestFinished(() => store.close());
    await store.ping();
    expect((await store.inspect?.())?.faults).toEqual([]);
    expect(await migrateMongoStore({ url: at('curfew@'), password: PASSWORD })).toMatchObject({
      serverDeletesExpired: true,
    });
  });

  for (const [whom, user, password] of [
    ['a wrong password', 'curfew@', `${PASSWORD}!`],
    ['no such user', 'nobody@', PASSWORD],
    ['a user who may do nothing here', 'stranger@', PASSWORD],
    ['a user who may only read', 'reader@', PASSWORD],
    ['nobody in particular', '', undefined],
  ] as const) {
    test(`${whom}: an operator must act, and is told where`, async () => {
      const refusal = await refusalOf(openMongoStore, { url: at(user), password });
      expect(refusal).toBeInstanceOf(StoreUnusable);
      expect(refusal.message).toContain(at(user));
      expect(refusal.message).toContain('storePasswordFile');
      expectNoPassword(refusal);
      expect(await client.db('curfew').listCollections().toArray()).toEqual([]);
    });
  }
});

describe('a server that does not answer', () => {
  /** Seconds until it is given up, the search for it included. */
  const BOUND = 15;

  for (const [what, accepts] of [
    ['nothing listens there', false],
    ['it takes the connection and says nothing', true],
  ] as const) {
    test(`${what}: waiting may help, which is said within a bound and without the password`, async () => {
      const sockets = new Set<{ destroy(): void }>();
      const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as AddressInfo;
      const close = (): Promise<void> => new Promise((resolve) => silent.close(() => resolve()));
      if (!accepts) await close();
      else {
        onTestFinished(async () => {
          for (const socket of sockets) socket.destroy();
          await close();
        });
      }
      const url = `mongodb://curfew@127.0.0.1:${port}/curfew`;
      const began = performance.now();
      const refusal = await refusalOf(openMongoStore, { url, password: PASSWORD });
      expect((performance.now() - began) / 1000).toBeLessThan(BOUND);
      expect(refusal).toBeInstanceOf(StoreUnavailable);
      expect(refusal.message).toContain(url);
      expectNoPassword(refusal);
    });
  }

  test('an address that MongoDB does not understand is for an operator to mend, and said without the password', async () => {
    const url = 'mongodb://curfew@127.0.0.1:1/curfew?noSuchOption=1';
    const refusal = await refusalOf(openMongoStore, { url, password: PASSWORD });
    expect(refusal).toBeInstanceOf(StoreUnusable);
    expect(refusal.message).toContain(url);
    expectNoPassword(refusal);
  });
});
