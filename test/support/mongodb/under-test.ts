/** MongoDB as the store under test: a database of its own on the server that all tests share, gone when the test ends. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mongoose, { type mongo } from 'mongoose';
import { expect } from 'vitest';

import { openMongoStore } from '../../../src/store/mongo/open.ts';
import type { Row, Rows, StoreUnderTest } from '../store-under-test.ts';
import { forDatabase } from './address.ts';
import { journalOf, tablesOf, UNCOMPRESSED } from './files.ts';
import { findProgram } from './find.ts';
import { startMongod } from './mongod.ts';

export function mongodbUnderTest(folder: string, server: { readonly url: string }): StoreUnderTest {
  const name = `curfew-test-${randomBytes(6).toString('hex')}`;
  const { url, password } = forDatabase(server.url, name);
  const passwordFile = join(folder, 'secrets', 'store-password');
  if (password !== undefined) {
    mkdirSync(join(folder, 'secrets'), { recursive: true, mode: 0o700 });
    writeFileSync(passwordFile, password, { mode: 0o600 });
  }
  const using = async <Result>(ask: (database: mongo.Db) => Promise<Result>): Promise<Result> => {
    const client = new mongoose.mongo.MongoClient(server.url);
    try {
      return await ask(client.db(name));
    } finally {
      await client.close();
    }
  };
  const documents = (): Promise<Record<string, mongo.Document[]>> =>
    using(async (database) => {
      const collections = await database.listCollections({}, { nameOnly: true }).toArray();
      const found = await Promise.all(
        collections.map(async ({ name }) => {
          const kept = database.collection(name).find({}, { promoteBuffers: true }).sort({ _id: 1 });
          return [name, await kept.toArray()] as const;
        }),
      );
      return Object.fromEntries(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    });
  return {
    configuration: { store: url, ...(password === undefined ? {} : { storePasswordFile: passwordFile }) },
    open: () => openMongoStore({ url, password }),
    rows: async () => asRows(await documents()),
    alter: (table, { where = {}, set }) =>
      using(async (database) => {
        const { modifiedCount } = await database.collection(table).updateMany(where, { $set: set });
        return modifiedCount;
      }),
    empty: (table) => using(async (database) => void (await database.collection(table).deleteMany({}))),
    pretendSchema: (version) =>
      using(async (database) => {
        const { matchedCount } = await database
          .collection<{ _id: string; version: number }>('house')
          .updateOne({ _id: 'schema' }, { $set: { version } });
        expect(matchedCount).toBe(1);
      }),
    check: () =>
      using(async (database) => {
        for (const { name } of await database.listCollections({}, { nameOnly: true }).toArray()) {
          const { valid, errors } = await database.command({ validate: name });
          expect([name, valid, errors]).toEqual([name, true, []]);
        }
      }),
    async bytes() {
      // The server's own files are its own; whoever can read the database can read this.
      const { BSON } = mongoose.mongo;
      const kept = Object.entries(await documents());
      return Object.fromEntries(
        kept.map(([name, found]) => [name, Buffer.concat(found.map((each) => BSON.serialize(each)))]),
      );
    },
    dispose: () => using(async (database) => void (await database.dropDatabase())),
  };
}

/** The same on a server of its own, whose files can be read too; on the shared one where none can be started. */
export async function mongodbAlone(folder: string, shared: { readonly url: string }): Promise<StoreUnderTest> {
  const program = findProgram();
  if (program === undefined) return mongodbUnderTest(folder, shared);
  const server = await startMongod({ program, options: UNCOMPRESSED });
  const url = `mongodb://127.0.0.1:${server.port}`;
  const store = mongodbUnderTest(folder, { url });
  return {
    ...store,
    async bytes({ settled = false } = {}) {
      const kept = await store.bytes();
      if (!settled) return { ...kept, ...journalOf(server.folder) };
      await checkpoint(url);
      return { ...kept, ...tablesOf(server.folder) };
    },
    async dispose() {
      await server.kill();
      rmSync(server.folder, { recursive: true, force: true });
    },
  };
}

async function checkpoint(url: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url);
  try {
    await client.db('admin').command({ fsync: 1 });
  } finally {
    await client.close();
  }
}

/** A scope's document keeps what must change in one write; seen from outside these are an account, a Client, Sign-outs. */
function asRows({ scopes = [], sign_outs: complete = [], ...others }: Record<string, mongo.Document[]>): Rows {
  const pending = scopes.flatMap((scope) =>
    (scope['pending'] as mongo.Document[]).map(({ holder: _holder, leaseUntil: _leaseUntil, ...signOut }) => signOut),
  );
  const partOf = (part: string): mongo.Document[] =>
    scopes
      .filter((scope) => scope[part] !== undefined)
      .map(({ _id: key, ...scope }) => ({
        id: String(key).slice(String(key).indexOf(':') + 1),
        ...(scope[part] as mongo.Document),
      }));
  const tables: Record<string, mongo.Document[]> = {
    ...others,
    accounts: partOf('account'),
    clients: partOf('client'),
    scopes: scopes.map(({ account: _account, client: _client, pending: _pending, revision: _revision, ...own }) => own),
    sign_outs: [...pending, ...complete.filter(({ _id }) => !pending.some(({ id }) => id === _id))],
  };
  return Object.fromEntries(
    Object.entries(tables).map(([table, rows]) => [table, rows.map((row) => renamed(row, table))]),
  );
}

function renamed({ _id, ...row }: mongo.Document, table: string): Row {
  const id: unknown = Buffer.isBuffer(_id) ? new Uint8Array(_id) : _id;
  return id === undefined ? row : { [table === 'artifacts' ? 'key' : 'id']: id, ...row };
}
