import { freshDatabase } from '../support/mongodb/fresh.ts';
import { openMongoStore } from '../../src/store/mongo/open.ts';
import { storeConformance } from './conformance.ts';

storeConformance('the store on MongoDB', async () => {
  const tidying: (() => Promise<void>)[] = [];
  const { address, db } = await freshDatabase((tidy) => tidying.unshift(tidy));
  // What the server deletes by itself the sweeper leaves to it; here the sweeper is under test.
  for (const name of ['artifacts', 'attempts']) await db.collection(name).createIndex({ expiresAt: 1 });
  return {
    open: () => openMongoStore(address),
    async dispose() {
      for (const tidy of tidying) await tidy();
    },
  };
});
