/** Everything in SQLite as rows that are the same on every engine: read in order, and written as they were read. */
import type { SQLInputValue } from 'node:sqlite';

import type { TransferReader, TransferRepository } from '../port.ts';
import { type Kind, KINDS, type RowOf } from '../transfer.ts';
import type { Table } from './columns.ts';
import type { Database } from './database.ts';
import { TABLES } from './transfer-tables.ts';

/** The fact that is no row: what is noted of a copy into this store. */
const NOTE = 'unfinished-copy';

const tableOf = <K extends Kind>(kind: K): Table<RowOf[K]> => TABLES[kind] as unknown as Table<RowOf[K]>;

export function transferReader(database: Pick<Database, 'all' | 'get' | 'read'>): TransferReader {
  return {
    rows: (kind, { after, limit, aliveAt }) =>
      database.read(`read ${kind}`, () => {
        const { name, key, columns = '*', keyOf = (id: string) => id, from } = tableOf(kind);
        const { where, values } = conditions(kind, aliveAt);
        const later = after === undefined ? '' : `AND ${key} > ?`;
        return database
          .all(
            `SELECT ${columns} FROM ${name} WHERE ${where} ${later} ORDER BY ${key} LIMIT ?`,
            ...values,
            ...(after === undefined ? [] : [keyOf(after)]),
            limit,
          )
          .map(from);
      }),
    count: (kind, aliveAt) =>
      database.read(`count ${kind}`, () => {
        const { where, values } = conditions(kind, aliveAt);
        return Number(
          database.get(`SELECT count(*) AS count FROM ${tableOf(kind).name} WHERE ${where}`, ...values)?.['count'],
        );
      }),
    isEmpty: () => database.read('look for anything', () => isEmpty(database)),
    unfinished: () => database.read('look for an unfinished copy', () => noteOf(database)),
  };
}

export function transferRepository(database: Database): TransferRepository {
  return {
    ...transferReader(database),
    begin: (note) =>
      database.write('begin a copy', () => {
        if (!isEmpty(database) || noteOf(database) !== null) return false;
        return database.run('INSERT INTO facts (fact, value) VALUES (?, ?)', NOTE, note) === 1;
      }),
    note: ({ from, to }) =>
      database.write('note how far a copy is', () => {
        const changed =
          to === null
            ? database.run('DELETE FROM facts WHERE fact = ? AND value = ?', NOTE, from)
            : database.run('UPDATE facts SET value = ? WHERE fact = ? AND value = ?', to, NOTE, from);
        return changed === 1;
      }),
    write: (kind, rows) =>
      database.write(`write ${kind}`, () => {
        const { write } = tableOf(kind);
        for (const row of rows) write(database, row);
      }),
    clear: () =>
      database.write('clear the store', () => {
        for (const kind of KINDS) {
          if (kind !== 'facts') database.run(`DELETE FROM ${tableOf(kind).name}`);
        }
        for (const part of ['account_identifiers', 'identities', 'credentials', 'leases']) {
          database.run(`DELETE FROM ${part}`);
        }
        database.run('DELETE FROM facts WHERE fact <> ?', NOTE);
      }),
  };
}

function conditions(kind: Kind, aliveAt: Date): { where: string; values: SQLInputValue[] } {
  if (kind === 'facts') return { where: 'fact <> ?', values: [NOTE] };
  return tableOf(kind).expires === true
    ? { where: 'expires_at > ?', values: [aliveAt.getTime()] }
    : { where: '1', values: [] };
}

function isEmpty(database: Pick<Database, 'get'>): boolean {
  return KINDS.every((kind) => {
    const other = kind === 'facts' ? `WHERE fact <> '${NOTE}'` : '';
    return database.get(`SELECT 1 FROM ${tableOf(kind).name} ${other} LIMIT 1`) === undefined;
  });
}

function noteOf(database: Pick<Database, 'get'>): string | null {
  const row = database.get('SELECT value FROM facts WHERE fact = ?', NOTE);
  return row === undefined ? null : String(row['value']);
}
