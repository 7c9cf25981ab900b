/**
 * The store for many machines: one MongoDB database, as many Curfew processes as there is work for. It keeps every promise
 * of the port without a transaction over several documents, so it keeps them on a single server, on a replica set, and on
 * whatever else changes one document atomically.
 */
import type { Store, StoreReader } from '../port.ts';
import { accountRepository } from './accounts.ts';
import { artifactRepository } from './artifacts.ts';
import { catalogueRepository } from './catalogue.ts';
import { cohortRepository } from './cohorts.ts';
import { connect, type Database, type MongoAddress, openingFault } from './database.ts';
import { deliveryRepository } from './deliveries.ts';
import { leaseRepository } from './held-leases.ts';
import { incidentRepository } from './incidents.ts';
import { inspect } from './inspect.ts';
import { journalRepository } from './journal.ts';
import { checkSchema, migrate, type Migration, serverDeletesExpired } from './migrate.ts';
import { outboxRepository } from './outbox.ts';
import { revocationRepository } from './revocations.ts';
import { sealRepository } from './seals.ts';
import { createSweeper } from './sweep.ts';
import { transferReader, transferRepository } from './transfer.ts';

export type { Migration } from './migrate.ts';

/**
 * Opens the store, making its indexes on first use. Throws StoreUnusable, with a message for people, where an operator must
 * act (an older schema among them), StoreUnavailable where waiting may help.
 */
export function openMongoStore(address: MongoAddress): Promise<Store> {
  return lookingOver(address, async (database) => {
    if ((await checkSchema(database)) === 'empty') await migrate(database);
    return storeOn(database, { serverDeletesExpired: await serverDeletesExpired(database) });
  });
}

/** Whether a first start has been there. Makes nothing; throws as `openMongoStore` does. */
export function mongoStoreIsThere(address: MongoAddress): Promise<boolean> {
  return lookingOver(address, async (database) => {
    const ready = (await checkSchema(database)) === 'ready';
    await database.close();
    return ready;
  });
}

/** A store that is only looked at; null when nobody has started there. Changes nothing; throws as `openMongoStore` does. */
export function openMongoReader(address: MongoAddress): Promise<StoreReader | null> {
  return lookingOver(address, async (database) => {
    if ((await checkSchema(database)) === 'ready') {
      return { transfer: transferReader(database), close: () => database.close() };
    }
    await database.close();
    return null;
  });
}

/** Makes the indexes of a database, or those of them that are missing. Throws as `openMongoStore` does. */
export function migrateMongoStore(address: MongoAddress): Promise<Migration> {
  return lookingOver(address, async (database) => {
    const migration = await migrate(database);
    await database.close();
    return migration;
  });
}

/** Connects and works; lets go of the database when that comes to nothing, and says what a person can mend of it. */
async function lookingOver<Result>(
  address: MongoAddress,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await connect(address);
  try {
    return await work(database);
  } catch (fault) {
    await database.close();
    throw openingFault(address.url, fault);
  }
}

function storeOn(database: Database, options: { readonly serverDeletesExpired: boolean }): Store {
  return {
    accounts: accountRepository(database),
    catalogue: catalogueRepository(database),
    artifacts: artifactRepository(database),
    revocations: revocationRepository(database),
    deliveries: deliveryRepository(database),
    outbox: outboxRepository(database),
    journal: journalRepository(database),
    cohorts: cohortRepository(database),
    incidents: incidentRepository(database),
    leases: leaseRepository(database),
    seals: sealRepository(database),
    transfer: transferRepository(database),
    ping: () =>
      database.ask('answer a ping', async ({ house }) => {
        await house.updateOne({ _id: 'ping' }, { $inc: { answered: 1 } }, { upsert: true });
      }),
    inspect: () => inspect(database),
    sweep: createSweeper(database, options),
    close: () => database.close(),
  };
}
