/** SQLite as the store under test: one file in the test's folder, looked into on connections of the test's own. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { expect } from 'vitest';

import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import type { Row, StoreUnderTest } from './store-under-test.ts';

/** Where the file is, for tests of that file. */
export const databaseFile = (folder: string): string => join(folder, 'data', 'curfew.db');

export function sqliteUnderTest(folder: string): StoreUnderTest {
  const path = databaseFile(folder);
  const using = <Result>(ask: (database: DatabaseSync) => Result): Result => {
    const database = new DatabaseSync(path, { timeout: 5000 });
    try {
      return ask(database);
    } finally {
      database.close();
    }
  };
  return {
    configuration: { store: `sqlite:${path}` },
    open: () => openSqliteStore({ path }),
    rows: async () =>
      using((database) => {
        const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
        return Object.fromEntries(
          tables.map(({ name }) => [
            String(name),
            database
              .prepare(`SELECT * FROM "${String(name)}" ORDER BY 1`)
              .all()
              .map((row) => renamed(row, camelCase)),
          ]),
        );
      }),
    alter: async (table, { where = {}, set }) =>
      using((database) => {
        const [changed, chosen] = [set, where].map((values) => Object.entries(renamed(values, snakeCase)));
        const sql = [
          `UPDATE ${table} SET ${changed?.map(([name]) => `${name} = ?`).join(', ')}`,
          ...(chosen?.map(([name], at) => `${at === 0 ? 'WHERE' : 'AND'} ${name} = ?`) ?? []),
        ].join(' ');
        const values = [...(changed ?? []), ...(chosen ?? [])].map(([, value]) => value);
        return Number(database.prepare(sql).run(...values.map(asColumn)).changes);
      }),
    empty: async (table) => using((database) => database.exec(`DELETE FROM ${table}`)),
    pretendSchema: async (version) => using((database) => database.exec(`PRAGMA user_version = ${version}`)),
    check: async () =>
      using((database) => {
        expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
      }),
    async bytes({ settled = false } = {}) {
      if (settled) using((database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      const files = ['curfew.db', 'curfew.db-wal', 'curfew.db-shm'].filter((name) =>
        existsSync(join(path, '..', name)),
      );
      return Object.fromEntries(files.map((name) => [name, readFileSync(join(path, '..', name))]));
    },
    // The folder goes, and the file with it.
    dispose: async () => {},
  };
}

const renamed = (row: Row, rename: (name: string) => string): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [rename(name), value]));
const camelCase = (name: string): string => name.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const asColumn = (value: unknown): SQLInputValue =>
  value instanceof Date ? value.getTime() : (value as SQLInputValue);
