/** Columns of SQLite and what they hold, there and back: rows are read and replaced whole. */
import type { SQLInputValue } from 'node:sqlite';

import type { Stamps } from '../records.ts';
import type { Database, Row } from './database.ts';

/** A database inside one of its writes. */
export type Writer = Pick<Database, 'get' | 'run'>;

/** Columns and values as they come; an instant in milliseconds, a truth as 0 or 1. */
export function replace(database: Writer, table: string, row: Record<string, SQLInputValue | Date | boolean>): void {
  const columns = Object.keys(row);
  const values = Object.values(row).map((value) =>
    value instanceof Date ? value.getTime() : typeof value === 'boolean' ? Number(value) : value,
  );
  database.run(
    `INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    ...values,
  );
}

/** What a kind of row is to SQL: where its rows are, how one is read, and the statements that write one. */
export type Table<Written> = {
  readonly name: string;
  /** The column that `id` comes from. */
  readonly key: string;
  readonly columns?: string;
  /** How an id is compared with the column. */
  readonly keyOf?: (id: string) => SQLInputValue;
  readonly expires?: true;
  readonly from: (row: Row) => Written;
  readonly write: (database: Writer, row: Written) => void;
};

/** That these columns have these values, those that are not given left out. */
export function conditions(equal: Record<string, string | undefined>): { where: string; values: SQLInputValue[] } {
  const given = Object.entries(equal).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    where: ['1', ...given.map(([column]) => `${column} = ?`)].join(' AND '),
    values: given.map(([, value]) => value),
  };
}

export const text = (row: Row, column: string): string => String(row[column]);
export const textOrNull = (row: Row, column: string): string | null =>
  row[column] === null ? null : text(row, column);
export const whole = (row: Row, column: string): number => Number(row[column]);
export const date = (row: Row, column: string): Date => new Date(whole(row, column));
export const stamps = (row: Row, column: string): Stamps => JSON.parse(text(row, column)) as Stamps;
