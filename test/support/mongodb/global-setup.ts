/** Before the tests that need it: a server for all of them. After the last one it is gone, if it was ours. */
import { rmSync } from 'node:fs';
import mongoose from 'mongoose';
import type { TestProject } from 'vitest/node';

import { findServer } from './find.ts';
import { startMongod } from './mongod.ts';

export default async function serve({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const found = findServer();
  if (found === undefined) throw new Error('the MongoDB server that was there is gone');
  if (found.from === 'environment') {
    await reach(found.url);
    provide('mongodb', { url: found.url });
    return undefined;
  }
  const server = await startMongod({ program: found.program });
  provide('mongodb', { url: `mongodb://127.0.0.1:${server.port}` });
  return async () => {
    await server.kill();
    rmSync(server.folder, { recursive: true, force: true });
  };
}

/** Said once, and not by every test after its own patience has ended. */
async function reach(url: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 10_000 });
  try {
    await client.db('admin').command({ ping: 1 });
  } catch (cause) {
    throw new Error('the server named by $CURFEW_TEST_MONGODB_URL does not answer', { cause });
  } finally {
    await client.close();
  }
}
