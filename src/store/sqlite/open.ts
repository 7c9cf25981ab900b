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
import { openDatabase, type Database } from './database.ts';
import { deliveryRepository } from './deliveries.ts';
import { migrate } from './migrations.ts';
import { revocationRepository } from './revocations.ts';

const DAY_MS = 86_400_000;
/** Ended Client Sessions stay for receipts. */
const KEEP_ENDED_DAYS = 90;
/** Longer than any artifact or client session can live, so that nothing swept could have revived anything. */
const KEEP_FOREVER_DAYS = 400;

/** Opens the store, creating folder, file and schema on first use. Throws StoreUnusable with a message for people. */
export async function openSqliteStore({ path }: { readonly path: string }): Promise<Store> {
  prepareFolder(path);
  const database = openDatabase(path);
  try {
    migrate(database.handle);
  } catch (cause) {
    database.handle.close();
    if (cause instanceof StoreUnusable) throw cause;
    throw new StoreUnusable(
      `the database ${path} cannot be brought up to date: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return {
    accounts: accountRepository(database),
    catalogue: catalogueRepository(database),
    artifacts: artifactRepository(database),
    revocations: revocationRepository(database),
    deliveries: deliveryRepository(database),
    ping: async () => {
      await database.write('answer a ping', () => {
        database.run("INSERT INTO facts (fact, value) VALUES ('ping', '0') ON CONFLICT (fact) DO UPDATE SET value = 1 - value");
      });
    },
    sweep: createSweeper(database),
    close: () => database.close(),
  };
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

/** Sweeps artifacts by walking rowids, a batch a call, and the small tables whole. */
function createSweeper(database: Database): Store['sweep'] {
  let cursor = 0;
  return ({ now, limit }) =>
    database.write('sweep', () => {
      const last = database.get(
        'SELECT max(id) AS id FROM (SELECT id FROM artifacts WHERE id > ? ORDER BY id LIMIT ?)',
        cursor,
        limit,
      )?.['id'];
      let swept = 0;
      if (last !== null && last !== undefined) {
        swept += database.run(
          'DELETE FROM artifacts WHERE id > ? AND id <= ? AND expires_at <= ?',
          cursor,
          last,
          now.getTime(),
        );
      }
      cursor = Number(last ?? 0);
      const endedBefore = now.getTime() - KEEP_ENDED_DAYS * DAY_MS;
      const oldest = now.getTime() - KEEP_FOREVER_DAYS * DAY_MS;
      swept += database.run('DELETE FROM throttles WHERE expires_at IS NOT NULL AND expires_at <= ?', now.getTime());
      swept += database.run('DELETE FROM client_sessions WHERE ended_at IS NOT NULL AND ended_at <= ?', endedBefore);
      swept += database.run('DELETE FROM client_sessions WHERE last_used_at <= ?', oldest);
      swept += database.run("DELETE FROM deliveries WHERE status = 'delivered' AND created_at <= ?", endedBefore);
      swept += database.run(
        "DELETE FROM scopes WHERE raised_at <= ? AND pending = '[]' AND (key LIKE 'session:%' OR key LIKE 'grant:%')",
        oldest,
      );
      return swept;
    });
}
