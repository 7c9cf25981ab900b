/**
 * The store for many machines: one MongoDB database, as many Curfew processes as there is work for. It keeps every promise
 * of the port without a transaction over several documents, so it keeps them on a single server, on a replica set, and on
 * whatever else changes one document atomically.
 */
import type { Store } from '../port.ts';
import { accountRepository } from './accounts.ts';
import { artifactRepository } from './artifacts.ts';
import { catalogueRepository } from './catalogue.ts';
import { connect, type Database, type MongoAddress } from './database.ts';
import { deliveryRepository } from './deliveries.ts';
import { inspect } from './inspect.ts';
import { checkSchema, migrate, type Migration, serverDeletesExpired } from './migrate.ts';
import { revocationRepository } from './revocations.ts';
import { createSweeper } from './sweep.ts';

export type { Migration } from './migrate.ts';

/**
 * Opens the store, making its indexes on first use. Throws StoreUnusable, with a message for people, where an operator must
 * act (an older schema among them), StoreUnavailable where waiting may help.
 */
export async function openMongoStore(address: MongoAddress): Promise<Store> {
  const database = await connect(address);
  try {
    if ((await checkSchema(database)) === 'empty') await migrate(database);
    return storeOn(database, { serverDeletesExpired: await serverDeletesExpired(database) });
  } catch (fault) {
    await database.close();
    throw fault;
  }
}

/** Whether a first start has been there. Makes nothing; throws as `openMongoStore` does. */
export async function mongoStoreIsThere(address: MongoAddress): Promise<boolean> {
  const database = await connect(address);
  try {
    return (await checkSchema(database)) === 'ready';
  } finally {
    await database.close();
  }
}

/** Makes the indexes of a database, or those of them that are missing. Throws as `openMongoStore` does. */
export async function migrateMongoStore(address: MongoAddress): Promise<Migration> {
  const database = await connect(address);
  try {
    return await migrate(database);
  } finally {
    await database.close();
  }
}

function storeOn(database: Database, options: { readonly serverDeletesExpired: boolean }): Store {
  return {
    accounts: accountRepository(database),
    catalogue: catalogueRepository(database),
    artifacts: artifactRepository(database),
    revocations: revocationRepository(database),
    deliveries: deliveryRepository(database),
    ping: () =>
      database.ask('answer a ping', async ({ house }) => {
        await house.updateOne({ _id: 'ping' }, { $inc: { answered: 1 } }, { upsert: true });
      }),
    inspect: () => inspect(database),
    sweep: createSweeper(database, options),
    close: () => database.close(),
  };
}
