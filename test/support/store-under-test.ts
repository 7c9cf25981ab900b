/**
 * The store that tests run on, chosen in one place: a file of SQLite's, or a database of its own on a MongoDB server, by the
 * vitest project that runs them. Tests look into it through here, from outside and in the words of the records, and so do
 * not know which it is.
 */
import { inject } from 'vitest';

import type { Store } from '../../src/store/port.ts';

/** Every row of every table, columns in camel case. What is on a record of another kind on some engine has rows of its own. */
export type Rows = Readonly<Record<string, readonly Row[]>>;
export type Row = Readonly<Record<string, unknown>>;

export type StoreUnderTest = {
  /** What a configuration says of it. */
  readonly configuration: { readonly store: string; readonly storePasswordFile?: string };
  /** One more handle on it, as another process would hold it. */
  open(): Promise<Store>;
  rows(): Promise<Rows>;
  /** Changes rows behind everybody's back: those with these values, or all. Resolves to how many. */
  alter(table: Table, change: { readonly where?: Row; readonly set: Row }): Promise<number>;
  /** Deletes every row behind everybody's back. */
  empty(table: Table): Promise<void>;
  /** Makes it look as if a program had written it that knows more than this one. */
  pretendSchema(version: number): Promise<void>;
  /** Throws unless everything that is kept is whole. */
  check(): Promise<void>;
  /** What a thief finds who can read everything: the bytes, as they lie there now or, `settled`, in their final place. */
  bytes(options?: { readonly settled?: boolean }): Promise<Record<string, Buffer>>;
  /** Takes it away. */
  dispose(): Promise<void>;
};

/** Tables that tests may change: every engine has them, whatever it calls their columns. */
type Table = 'deliveries' | 'sign_outs' | 'facts' | 'events';

/** Which engine this run is about. */
export const engine = inject('mongodb') === undefined ? 'sqlite' : 'mongodb';

/**
 * A store that nobody else has. Whatever it keeps on disk of its own lies in this folder. `alone`: where many share a server,
 * this one has its own, if there is a program to start it with; so that the server's files tell of nothing else.
 */
export async function storeUnderTest(folder: string, { alone = false } = {}): Promise<StoreUnderTest> {
  const server = inject('mongodb');
  // Neither engine is loaded in vain.
  if (server === undefined) return (await import('./sqlite-under-test.ts')).sqliteUnderTest(folder);
  const { mongodbUnderTest, mongodbAlone } = await import('./mongodb/under-test.ts');
  return alone ? mongodbAlone(folder, server) : mongodbUnderTest(folder, server);
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The server that the tests share; undefined where they run on SQLite. */
    readonly mongodb: { readonly url: string } | undefined;
  }
}

const OF_THE_SERVER = new Set(['leases', 'house']);
const OF_THE_RECORD = ['audit-key', 'audit-beginning'];

/** Without what a running server does by itself, whenever it comes to it: chaining and signing what happened, holding leases. */
export const unattended = (all: Rows): Rows =>
  Object.fromEntries(
    Object.entries(all)
      .filter(([table]) => !OF_THE_SERVER.has(table))
      .map(([table, rows]) => {
        if (table === 'facts') {
          return [table, rows.filter((row) => !OF_THE_RECORD.some((fact) => Object.values(row).includes(fact)))];
        }
        if (table !== 'events') return [table, rows];
        const happened = rows.filter(({ kind }) => !String(kind).startsWith('audit.'));
        return [table, happened.map(({ seq: _seq, hash: _hash, unchained: _unchained, ...event }) => event)];
      }),
  );
