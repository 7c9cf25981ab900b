/**
 * A SQLite database as a thief has it: the whole file, and every cell of every table whatever it means.
 *
 * Invariant: the original is only read, in one snapshot, beside whoever writes to it. The copy has every page, those that
 * hold no row any more as well. It knows no table by name, so that one that is added is looked into without being told of.
 */
import { backup, DatabaseSync } from 'node:sqlite';

import { StoreUnusable } from '../port.ts';
import type { Cell, Spoils } from '../spoils.ts';

/** A server on it writes for milliseconds. */
const BUSY_TIMEOUT_MS = 5000;
const PAGES_AT_ONCE = 4096;

/** Copies a database page by page; what is written to it meanwhile is not in the copy. */
export async function copySqliteFile({
  from,
  to,
  signal,
  report,
}: {
  readonly from: string;
  readonly to: string;
  readonly signal: AbortSignal;
  readonly report: (progress: { readonly done: number; readonly total: number }) => void;
}): Promise<void> {
  const handle = new DatabaseSync(from, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    // A snapshot is held: without one every commit of a running server would begin the copy anew.
    handle.exec('BEGIN');
    handle.prepare('SELECT count(*) FROM sqlite_schema').get();
    await backup(handle, to, {
      rate: PAGES_AT_ONCE,
      progress({ totalPages, remainingPages }) {
        signal.throwIfAborted();
        report({ done: totalPages - remainingPages, total: totalPages });
      },
    });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new StoreUnusable(`the database ${from} cannot be copied: ${messageOf(cause)}`, { cause });
  } finally {
    handle.close();
  }
}

/** Looks into a database, and changes nothing there. */
export function openSpoils(path: string): Spoils {
  const handle = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const number = (sql: string): number | null => {
    const value = handle.prepare(sql).get()?.['n'];
    return value === null || value === undefined ? null : Number(value);
  };
  const withoutRowid = new Set(
    handle
      .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND wr = 1")
      .all()
      .map(({ name }) => String(name)),
  );
  return {
    tables: () =>
      handle
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .all()
        .map(({ name }) => String(name))
        .map((name) => ({
          name,
          rows: number(`SELECT count(*) AS n FROM ${quoted(name)}`) ?? 0,
          lastRowid: withoutRowid.has(name) ? null : number(`SELECT max(rowid) AS n FROM ${quoted(name)}`),
        })),
    *rows(table) {
      const rowid = withoutRowid.has(table) ? 'NULL' : 'rowid';
      // Whatever a table calls its columns, this is none of them.
      for (const row of handle.prepare(`SELECT ${rowid} AS "(rowid)", * FROM ${quoted(table)}`).iterate()) {
        const { '(rowid)': id, ...cells } = row as Record<string, Cell>;
        yield { rowid: id === null || id === undefined ? null : Number(id), cells };
      }
    },
    close: () => handle.close(),
  };
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
