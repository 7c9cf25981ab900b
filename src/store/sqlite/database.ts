/**
 * One SQLite file behind reads that answer at once and writes that share a commit.
 *
 * Invariant: a write's promise resolves only after COMMIT with `synchronous=FULL`, so what was acknowledged survives a
 * power cut. Writes asked for in the same few turns of the event loop go into one transaction; each stands behind its own
 * savepoint, so one that fails leaves its neighbours alone, and a COMMIT that fails rejects every one of them.
 * It knows nothing of what the rows mean.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';

import { StoreUnavailable, StoreUnusable } from '../port.ts';
import { refuseNewerSchema } from './migrations.ts';

export type Row = Record<string, SQLOutputValue>;

export type Database = {
  all(sql: string, ...values: SQLInputValue[]): Row[];
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  /** Resolves to the number of rows changed. Only inside `write`. */
  run(sql: string, ...values: SQLInputValue[]): number;
  read<Result>(doing: string, work: () => Result): Promise<Result>;
  write<Result>(doing: string, work: () => Result): Promise<Result>;
  /** A bare handle for migrations, before anything else runs. */
  readonly handle: DatabaseSync;
  close(): Promise<void>;
};

/** At most this many writes share one commit, so that a burst cannot block the event loop for long. */
const WRITES_PER_COMMIT = 256;

/**
 * Turns of the event loop that a write waits for others to share its commit, as long as each brings some. An idle loop
 * turns in microseconds; a busy one brings what came in with this write, and every commit fewer is a wait for the disk less.
 */
const TURNS_TO_GATHER = 2;

/** Commands write to the same file while the server runs; each holds the lock for milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

const SQLITE_HEADER = 'SQLite format 3\0';

type Job = { doing: string; work: () => unknown; resolve: (value: unknown) => void; reject: (fault: unknown) => void };

/** Opens the file, creating it if it is not there. Throws StoreUnusable with a message for the operator. */
export function openDatabase(path: string): Database {
  refuseForeignFile(path);
  const handle = openHandle(path);
  const statements = new Map<string, StatementSync>();
  let queue: Job[] = [];
  let scheduled = false;
  let turns = 0;
  let gathered = 0;
  let closed = false;

  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = handle.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };

  const commitGroup = (jobs: readonly Job[]): void => {
    const outcomes: { job: Job; value?: unknown; fault?: unknown }[] = [];
    try {
      handle.exec('BEGIN IMMEDIATE');
      for (const job of jobs) {
        handle.exec('SAVEPOINT one');
        try {
          const value = job.work();
          handle.exec('RELEASE one');
          outcomes.push({ job, value });
        } catch (fault) {
          // A full disk or an I/O error ends the whole transaction: then there is nothing to roll back to.
          if (!handle.isTransaction) throw fault;
          handle.exec('ROLLBACK TO one');
          handle.exec('RELEASE one');
          outcomes.push({ job, fault });
        }
      }
      handle.exec('COMMIT');
    } catch (fault) {
      if (handle.isTransaction) handle.exec('ROLLBACK');
      for (const job of jobs) job.reject(asFault(job.doing, fault));
      return;
    }
    for (const { job, value, fault } of outcomes) {
      if (fault === undefined) job.resolve(value);
      else job.reject(asFault(job.doing, fault));
    }
  };

  const flush = (): void => {
    if (turns < TURNS_TO_GATHER && queue.length > gathered && queue.length < WRITES_PER_COMMIT) {
      turns += 1;
      gathered = queue.length;
      setImmediate(flush);
      return;
    }
    turns = 0;
    gathered = 0;
    const jobs = queue.splice(0, WRITES_PER_COMMIT);
    scheduled = queue.length > 0;
    if (scheduled) setImmediate(flush);
    if (jobs.length > 0) commitGroup(jobs);
  };

  return {
    handle,
    all: (sql, ...values) => prepare(sql).all(...values),
    get: (sql, ...values) => prepare(sql).get(...values),
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    async read(doing, work) {
      if (closed) throw new StoreUnavailable(`${doing}: it is closed`);
      try {
        return work();
      } catch (fault) {
        throw asFault(doing, fault);
      }
    },
    write<Result>(doing: string, work: () => Result): Promise<Result> {
      if (closed) return Promise.reject(new StoreUnavailable(`${doing}: it is closed`));
      return new Promise<Result>((resolve, reject) => {
        queue.push({ doing, work, resolve: resolve as (value: unknown) => void, reject });
        if (!scheduled) {
          scheduled = true;
          setImmediate(flush);
        }
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      while (queue.length > 0) commitGroup(queue.splice(0, WRITES_PER_COMMIT));
      handle.close();
    },
  };
}

/** A file that is not a database is somebody's data: refuse it before anything is written. */
function refuseForeignFile(path: string): void {
  if (!existsSync(path)) return;
  let header: Buffer;
  let length: number;
  try {
    const file = openSync(path, 'r');
    header = Buffer.alloc(SQLITE_HEADER.length);
    length = readSync(file, header, 0, header.length, 0);
    closeSync(file);
  } catch (cause) {
    throw new StoreUnusable(`the database ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (length > 0 && header.toString('latin1') !== SQLITE_HEADER) {
    throw new StoreUnusable(
      `${path} is not a SQLite database, or is corrupt: nothing was written. Restore it from a backup, or name another file in \`store\`.`,
    );
  }
}

function openHandle(path: string): DatabaseSync {
  let handle: DatabaseSync | undefined;
  try {
    handle = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    handle.prepare('PRAGMA schema_version').get();
    // Before anything that writes: switching to WAL would change a file that is about to be refused.
    refuseNewerSchema(handle);
    handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF');
    handle.exec('PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY');
    return handle;
  } catch (cause) {
    handle?.close();
    if (cause instanceof StoreUnusable) throw cause;
    throw new StoreUnusable(`the database ${path} cannot be opened: ${messageOf(cause)}`, { cause });
  }
}

function asFault(doing: string, fault: unknown): unknown {
  const isSqlite = fault instanceof Error && 'code' in fault && fault.code === 'ERR_SQLITE_ERROR';
  return isSqlite || (fault instanceof Error && /database is not open/.test(fault.message))
    ? new StoreUnavailable(doing, { cause: fault })
    : fault;
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
