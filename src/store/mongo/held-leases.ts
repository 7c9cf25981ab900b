/** Being the one process that does something, in MongoDB: a document under the name of what is done, taken in one update. */
import type { LeaseRepository } from '../leases.ts';
import { type Database, isDuplicateKey } from './database.ts';
import { free } from './leases.ts';

export function leaseRepository(database: Database): LeaseRepository {
  return {
    hold: ({ name, holder, now, leaseUntil }) =>
      database.ask('hold a lease', async ({ leases }) => {
        const mineOrFree = { _id: name, $or: [{ holder }, ...free(now).$or] };
        const held = { $set: { holder, leaseUntil } };
        try {
          await leases.updateOne(mineOrFree, held, { upsert: true });
          return true;
        } catch (fault) {
          if (!isDuplicateKey(fault)) throw fault;
          // It is there and another's; or it was made just now, perhaps by this same holder.
          return (await leases.updateOne(mineOrFree, held)).matchedCount === 1;
        }
      }),
    release: ({ name, holder }) =>
      database.ask('give a lease back', async ({ leases }) => {
        await leases.deleteOne({ _id: name, holder });
      }),
  };
}
