import { randomUUID } from 'node:crypto';
import mongoose from 'mongoose';
import { openMongoStore } from '../../src/store/mongo/open.ts';
import { storeConformance } from './conformance.ts';

const base = process.env['CURFEW_TEST_MONGODB_URL'] ?? 'mongodb://127.0.0.1:27118';

storeConformance('the store on MongoDB', async () => {
  const url = `${base}/curfew-${randomUUID().slice(0, 8)}`;
  const c = await mongoose.createConnection(url).asPromise();
  // What the server deletes by itself the sweeper leaves to it; here the sweeper is under test.
  for (const name of ['artifacts', 'attempts']) await c.db?.collection(name).createIndex({ expiresAt: 1 });
  return {
    open: () => openMongoStore({ url }),
    dispose: async () => {
      await c.dropDatabase();
      await c.close();
    },
  };
});
