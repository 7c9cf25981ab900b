/** Stores to copy between: of whichever engine, as a command's options name them and as a configuration does. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { isRefusal, parseStoreAddress } from '../../src/compose.ts';
import type { Config } from '../../src/config.ts';
import type { Store, TransferReader } from '../../src/store/port.ts';
import { digestOf, type Kind, type KindDigest, KINDS } from '../../src/store/transfer.ts';
import { sqliteUnderTest } from '../support/sqlite-under-test.ts';
import { engine, type StoreUnderTest, storeUnderTest } from '../support/store-under-test.ts';

type Engine = 'sqlite' | 'mongodb';

export type Place = {
  readonly engine: Engine;
  readonly url: string;
  readonly database: StoreUnderTest;
  readonly store: Config['store'];
  /** The words of a command that reads it, and of one that writes it. */
  readonly from: readonly string[];
  readonly to: readonly string[];
};

/** Every engine that there is a server for. */
export const ENGINES: readonly Engine[] = engine === 'sqlite' ? ['sqlite'] : ['sqlite', 'mongodb'];

/** A store as a place; it goes with whoever made it. */
export function placeOf(database: StoreUnderTest): Place {
  const { store: url, storePasswordFile: file } = database.configuration;
  const words = (option: string): string[] => [
    `--${option}`,
    url,
    ...(file === undefined ? [] : [`--${option}-password-file`, file]),
  ];
  const address = parseStoreAddress(url);
  if (isRefusal(address)) throw new Error(address.message);
  const password = file === undefined ? undefined : readFileSync(file, 'utf8').trim();
  const store = address.engine === 'sqlite' ? address : { ...address, password };
  return { engine: address.engine, url, database, store, from: words('from'), to: words('to') };
}

/** A place where nobody has been yet; it goes with the test. */
export async function newPlace(wanted: Engine): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-place-'));
  const database = wanted === 'sqlite' ? sqliteUnderTest(folder) : await storeUnderTest(folder);
  onTestFinished(async () => {
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  return placeOf(database);
}

/** Every row of a store, kind by kind, but those that expire by then. */
export async function contents({ database }: Place, aliveAt: Date): Promise<Record<Kind, object[]>> {
  return asking(database, async ({ transfer }) => {
    const kinds: [Kind, object[]][] = [];
    for (const kind of KINDS) kinds.push([kind, await rowsOf(transfer, kind, aliveAt)]);
    return Object.fromEntries(kinds) as Record<Kind, object[]>;
  });
}

/** The same where it is much: the rows and the digest of each kind. */
export async function digests({ database }: Place, aliveAt: Date): Promise<Record<Kind, KindDigest>> {
  return asking(database, async ({ transfer }) => {
    const kinds: [Kind, KindDigest][] = [];
    for (const kind of KINDS) kinds.push([kind, await digestOf(pagesOf(transfer, kind, aliveAt))]);
    return Object.fromEntries(kinds) as Record<Kind, KindDigest>;
  });
}

/** How far an unfinished copy in it is, in the words of its note; null when there is none. */
export function unfinished({ database }: Place): Promise<string | null> {
  return asking(database, ({ transfer }) => transfer.unfinished());
}

export async function asking<Answer>(
  database: StoreUnderTest,
  ask: (store: Store) => Promise<Answer>,
): Promise<Answer> {
  const store = await database.open();
  try {
    return await ask(store);
  } finally {
    await store.close();
  }
}

async function rowsOf(transfer: TransferReader, kind: Kind, aliveAt: Date): Promise<object[]> {
  const rows: object[] = [];
  for await (const page of pagesOf(transfer, kind, aliveAt)) rows.push(...page);
  // Which of two was saved first is kept in each engine's own way.
  return rows.map(({ order: _order, ...row }: { readonly order?: number }) => row);
}

async function* pagesOf(transfer: TransferReader, kind: Kind, aliveAt: Date) {
  for (let after: string | undefined; ;) {
    const page = await transfer.rows(kind, { after, limit: 1000, aliveAt });
    yield page;
    after = page.at(-1)?.id;
    if (after === undefined) return;
  }
}
