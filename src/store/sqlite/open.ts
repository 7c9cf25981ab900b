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
import { inspect } from './inspect.ts';
import { migrate } from './migrations.ts';
import { revocationRepository } from './revocations.ts';

const DAY_MS = 86_400_000;
/** Ended Client Sessions stay for receipts. */
const KEEP_ENDED_DAYS = 90;
/** A lock outlasts anybody's patience; what was typed once and never again does not stay for ever. */
const KEEP_FAILURES_DAYS = 400;

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

/** Sweeps artifacts by walking rowids, and the rest along an index of its age: a bounded batch of each. */
function createSweeper(database: Database): Store['sweep'] {
  let cursor = 0;
  return ({ now, limit }) =>
    database.write('sweep', () => {
      const last = database.get(
        'SELECT max(id) AS id FROM (SELECT id FROM artifacts WHERE id > ? ORDER BY id LIMIT ?)',
        cursor,
        limit,
      )?.['id'];
      const artifacts =
        last === null || last === undefined
          ? 0
          : database.run(
              'DELETE FROM artifacts WHERE id > ? AND id <= ? AND expires_at <= ?',
              cursor,
              last,
              now.getTime(),
            );
      cursor = Number(last ?? 0);
      const kept = now.getTime() - KEEP_ENDED_DAYS * DAY_MS;
      const batches = [
        ['DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE expires_at <= ? LIMIT ?)', now.getTime()],
        [
          'DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE failed_at <= ? LIMIT ?)',
          now.getTime() - KEEP_FAILURES_DAYS * DAY_MS,
        ],
        [
          "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE status = 'delivered' AND created_at <= ? LIMIT ?)",
          kept,
        ],
        [
          `DELETE FROM client_sessions WHERE grant_id IN (SELECT grant_id FROM client_sessions c
             WHERE c.ended_at IS NOT NULL AND c.ended_at <= ? AND NOT EXISTS (SELECT 1 FROM deliveries d
               WHERE d.sign_out_id = c.ended_by AND d.status <> 'delivered')
             AND EXISTS (SELECT 1 FROM sign_outs o WHERE o.id = c.ended_by AND o.status = 'complete') LIMIT ?)`,
          kept,
        ],
      ] as const;
      return batches.reduce((swept, [sql, until]) => swept + database.run(sql, until, limit), artifacts);
    });
}
