/**
 * A store carried off: whatever engine it is on, everything in it becomes one SQLite file.
 *
 * Invariant: the store is only read. From SQLite every page is copied; from elsewhere every row of every kind. A server may go
 * on writing meanwhile: from SQLite it is one moment of the store, from elsewhere whatever each row was when it was read.
 */
import { existsSync, statSync } from 'node:fs';

import type { StoreConfig } from './config.ts';
import { openStoreReader, storeUrl } from './open-store.ts';
import { type CopyProgress, copySource, copyStore, countKinds } from './store/copy.ts';
import { StoreUnusable } from './store/port.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import { copySqliteFile } from './store/sqlite/spoils.ts';

/** What a row takes, with its share of the indexes: more than most do. */
const ROW_BYTES = 2048;

/** About how many bytes a copy of a store takes. */
export async function storeBytes(store: StoreConfig): Promise<number> {
  if (store.engine === 'sqlite') {
    const files = [store.path, `${store.path}-wal`].filter((file) => existsSync(file));
    return files.reduce((sum, file) => sum + statSync(file).size, 0);
  }
  const reader = await openStoreReader(store);
  try {
    if (reader === null) return 0;
    const counts: Record<string, number> = await countKinds(reader.transfer, new Date(0));
    return Object.values(counts).reduce((sum, rows) => sum + rows * ROW_BYTES, 0);
  } finally {
    await reader?.close();
  }
}

export type SnapshotProgress = { readonly kind: string | null; readonly done: number; readonly total: number };

/** Copies a store into a file that is not there yet. Rejects with the signal's reason once it is aborted. */
export async function snapshotStore({
  store,
  path,
  run,
  now,
  signal,
  report,
}: {
  readonly store: StoreConfig;
  readonly path: string;
  /** No other copy has this name. */
  readonly run: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: (progress: SnapshotProgress) => void;
}): Promise<void> {
  if (store.engine === 'sqlite') {
    return copySqliteFile({ from: store.path, to: path, signal, report: (pages) => report({ kind: null, ...pages }) });
  }
  const reader = await openStoreReader(store);
  if (reader === null) throw new StoreUnusable(`there is nothing to copy at ${storeUrl(store)}`);
  const target = await openSqliteStore({ path });
  try {
    const from = await copySource(storeUrl(store), reader.transfer);
    const progress = ({ kind, done, total }: CopyProgress): void => report({ kind, done, total });
    const outcome = await copyStore({
      source: reader.transfer,
      from,
      target: target.transfer,
      run,
      now,
      signal,
      report: progress,
    });
    signal.throwIfAborted();
    // What a running server changed meanwhile makes no difference to a thief; but a store that is marked does not open.
    const note = outcome.status === 'differs' ? await target.transfer.unfinished() : null;
    if (note !== null) await target.transfer.note({ from: note, to: null });
  } finally {
    await Promise.all([reader.close(), target.close()]);
  }
}
