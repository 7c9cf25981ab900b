/** The engines that are measured: a file of SQLite's in the installation's folder, or a database of its own on a MongoDB server. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mongoose from 'mongoose';

import { forDatabase } from '../support/mongodb/address.ts';
import type { Place } from './house.ts';

export type Engine = 'sqlite' | 'mongodb';

/** A database on the server at this URL that nobody has, and what a configuration says of it; a password goes into the folder. */
export function engineStore(
  server: string,
  folder: string,
): { readonly database: string; readonly store: NonNullable<Place['store']> } {
  const database = `curfew-bench-${randomBytes(6).toString('hex')}`;
  const { url, password } = forDatabase(server, database);
  if (password === undefined) return { database, store: { store: url } };
  const storePasswordFile = join(folder, 'store-password');
  writeFileSync(storePasswordFile, password, { mode: 0o600 });
  return { database, store: { store: url, storePasswordFile } };
}

/** Takes them away again. */
export async function dropDatabases(server: string, names: readonly string[]): Promise<void> {
  const client = new mongoose.mongo.MongoClient(server);
  try {
    for (const name of names) await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}
