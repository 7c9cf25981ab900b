/**
 * Tests with a MongoDB database of their own: opened as Curfew opens it, looked into by another connection, and gone when
 * the test ends.
 */
import { randomBytes } from 'node:crypto';
import mongoose, { type mongo } from 'mongoose';
import { inject, onTestFinished } from 'vitest';

import { openMongoStore } from '../../../src/store/mongo/open.ts';
import type { Store } from '../../../src/store/port.ts';
import { forDatabase } from './address.ts';

export type Fresh = {
  readonly name: string;
  /** As a configuration has it: the password apart. */
  readonly address: { readonly url: string; readonly password: string | undefined };
  /** Its collections by any name; ids are whatever they are. */
  collection(name: string): mongo.Collection<Row>;
  readonly db: mongo.Db;
  /** One more handle, closed when the test ends. */
  open(): Promise<Store>;
};

/** A document as it is looked at from outside. */
export type Row = { _id: string | Buffer; [field: string]: unknown };

/** The URL of the server that all tests share. */
function serverUrl(): string {
  const server = inject('mongodb');
  if (server === undefined) throw new Error('these tests need a MongoDB server');
  return server.url;
}

/** One that nobody else has. It ends with the test, or with whoever `ended` tells what is to be done then, last things first. */
export async function freshDatabase(
  ended: (tidy: () => Promise<void>) => void = (tidy) => onTestFinished(tidy),
): Promise<Fresh> {
  const name = `curfew-test-${randomBytes(6).toString('hex')}`;
  const address = forDatabase(serverUrl(), name);
  const client = new mongoose.mongo.MongoClient(serverUrl(), { promoteBuffers: true });
  const db = client.db(name);
  ended(async () => {
    await db.dropDatabase();
    await client.close();
  });
  return {
    name,
    address,
    db,
    collection: (collection) => db.collection<Row>(collection),
    async open() {
      const store = await openMongoStore(address);
      ended(() => store.close());
      return store;
    },
  };
}
