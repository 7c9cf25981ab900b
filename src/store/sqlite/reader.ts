/**
 * A SQLite file that is only looked at: whatever it is, nothing in it is changed, not even its schema. It may be somebody
 * else's, or about to be refused.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { type StoreReader, StoreUnavailable, StoreUnusable } from '../port.ts';
import type { Database } from './database.ts';
import { refuseNewerSchema, SCHEMA_VERSION } from './migrations.ts';
import { transferReader } from './transfer.ts';

/** A server on it writes for milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** Null when there is nothing yet. Throws StoreUnusable for what this program cannot read, or does not know. */
export async function openSqliteReader({ path }: { readonly path: string }): Promise<StoreReader | null> {
  if (!existsSync(path)) return null;
  let handle: DatabaseSync | undefined;
  try {
    handle = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    if (schemaOf(handle, path) === 0) {
      handle.close();
      return null;
    }
  } catch (cause) {
    handle?.close();
    if (cause instanceof StoreUnusable) throw cause;
    throw new StoreUnusable(`the database ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return { transfer: transferReader(queriesOn(handle)), close: async () => handle.close() };
}

function schemaOf(handle: DatabaseSync, path: string): number {
  const tables = handle.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const version = Number(handle.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version === 0 && tables.length === 0) return 0;
  if (!tables.some(({ name }) => name === 'facts') || version === 0) {
    throw new StoreUnusable(`${path} holds something that is not Curfew's: nothing was written to it`);
  }
  refuseNewerSchema(handle);
  if (version < SCHEMA_VERSION) {
    throw new StoreUnusable(
      `the database ${path} has schema ${version}, and this program needs ${SCHEMA_VERSION}: start this Curfew on it once, which brings it up to date. Nothing was changed.`,
    );
  }
  return version;
}

function queriesOn(handle: DatabaseSync): Pick<Database, 'all' | 'get' | 'read'> {
  return {
    all: (sql, ...values) => handle.prepare(sql).all(...values),
    get: (sql, ...values) => handle.prepare(sql).get(...values),
    async read(doing, work) {
      try {
        return work();
      } catch (cause) {
        throw new StoreUnavailable(doing, { cause });
      }
    },
  };
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
