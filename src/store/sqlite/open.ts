/**
 * The embedded store: one SQLite file, one writer process. It keeps every promise of the port with WAL and
 * `synchronous=FULL`; commands open the same file beside the server and write to it briefly.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

import { type Store, StoreUnusable } from '../port.ts';
import { accountRepository } from './accounts.ts';
import { artifactRepository } from './artifacts.ts';
import { catalogueRepository } from './catalogue.ts';
import { cohortRepository } from './cohorts.ts';
import { type Database, openDatabase } from './database.ts';
import { deliveryRepository } from './deliveries.ts';
import { leaseRepository } from './held-leases.ts';
import { incidentRepository } from './incidents.ts';
import { inspect } from './inspect.ts';
import { journalRepository } from './journal.ts';
import { migrate, SCHEMA_VERSION } from './migrations.ts';
import { outboxRepository } from './outbox.ts';
import { revocationRepository } from './revocations.ts';
import { sealRepository } from './seals.ts';
import { createSweeper } from './sweep.ts';
import { transferRepository } from './transfer.ts';

/** Opens the store, creating folder, file and schema on first use. Throws StoreUnusable with a message for people. */
export async function openSqliteStore({ path }: { readonly path: string }): Promise<Store> {
  const { database } = openUpToDate(path);
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
    ping: async () => {
      await database.write('answer a ping', () => {
        database.run(
          'INSERT INTO pings (id, answered) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET answered = answered + 1',
        );
      });
    },
    inspect: () => inspect(database),
    sweep: createSweeper(database),
    close: () => database.close(),
  };
}

/** Brings a database up to date, as opening it does. Throws as `openSqliteStore` does. */
export async function migrateSqliteStore({
  path,
}: {
  readonly path: string;
}): Promise<{ readonly from: number; readonly to: number }> {
  const { database, from } = openUpToDate(path);
  await database.close();
  return { from, to: SCHEMA_VERSION };
}

function openUpToDate(path: string): { readonly database: Database; readonly from: number } {
  prepareFolder(path);
  const database = openDatabase(path);
  try {
    return { database, from: migrate(database.handle) };
  } catch (cause) {
    database.handle.close();
    if (cause instanceof StoreUnusable) throw cause;
    throw new StoreUnusable(
      `the database ${path} cannot be brought up to date: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function prepareFolder(path: string): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    if (existsSync(path)) accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new StoreUnusable(
      `the data folder ${folder} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}. Create it for the user that runs Curfew, or name another in \`store\`.`,
      { cause },
    );
  }
}
