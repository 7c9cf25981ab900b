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

export const text = (row: Row, column: string): string => String(row[column]);
export const textOrNull = (row: Row, column: string): string | null =>
  row[column] === null ? null : text(row, column);
export const whole = (row: Row, column: string): number => Number(row[column]);
export const date = (row: Row, column: string): Date => new Date(whole(row, column));
export const stamps = (row: Row, column: string): Stamps => JSON.parse(text(row, column)) as Stamps;
