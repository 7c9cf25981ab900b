/**
 * Opening what is kept, and the keys to it: a store and its keyring belong together, and neither is used without the other.
 *
 * Invariant: a store that holds anything is never given a new keyring, nor opened with another's. A first start makes both
 * or neither; of two first starts at once, one makes them and the other uses them.
 */
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Config, StoreConfig } from './config.ts';
import {
  createKeyring,
  type Keyring,
  type KeyringFile,
  KeyringProblem,
  loadKeyring,
  openKeyring,
} from './platform/keyring.ts';
import { readSealingKey, SEALING_KEY } from './resealing/sealing-key.ts';
import { unfinishedCopy } from './store/copy.ts';
import type { Migration } from './store/mongo/open.ts';
import { type Store, type StoreReader, StoreUnusable } from './store/port.ts';
import { migrateSqliteStore, openSqliteStore } from './store/sqlite/open.ts';
import { openSqliteReader } from './store/sqlite/reader.ts';

export type Opened = { readonly keyring: Keyring; readonly store: Store };

/** Throws KeyringProblem, StoreUnusable or StoreUnavailable, with messages for people. */
export async function openStoreAndKeyring(config: Config): Promise<Opened> {
  const present = existingKeyring(config.keyringFile);
  if (present === null && !isThere(config.store)) return openBothAnew(config);
  const store = await openStore(config.store);
  try {
    if (present !== null) return { keyring: await match(present, store, config), store };
    const sealed = (await store.catalogue.fact('keyring')) !== null;
    // Looked for again: another first start may have made the keyring, and then this store, since.
    const since = existingKeyring(config.keyringFile);
    if (sealed && since === null) throw missingKeyring(config);
    return { keyring: since === null ? await sealAnew(store, config) : await match(since, store, config), store };
  } catch (fault) {
    await store.close();
    throw fault;
  }
}

/**
 * Opens a store without its keys. What is sealed in it cannot be read so; epochs, counts and digests can. Throws
 * StoreUnusable for one that holds a part of another: what is missing there may be the end of somebody's access.
 */
async function openStore(config: StoreConfig): Promise<Store> {
  const store = await openStoreToFill(config);
  try {
    const source = await unfinishedCopy(store.transfer);
    if (source === null) return store;
    throw new StoreUnusable(
      `a copy into ${storeName(config)} is unfinished: run \`npx curfew store copy --from '${source.name}' --to '${storeUrl(config)}'\` again`,
    );
  } catch (fault) {
    await store.close();
    throw fault;
  }
}

/** The same without asking whether it is whole: for whoever makes it so. */
export async function openStoreToFill(config: StoreConfig): Promise<Store> {
  switch (config.engine) {
    case 'sqlite':
      return openSqliteStore({ path: config.path });
    case 'mongodb': {
      // Imported only where it is needed: mongoose takes as long to load as everything else together.
      const { openMongoStore } = await import('./store/mongo/open.ts');
      return openMongoStore(config);
    }
  }
}

/** Looks into a store without changing anything there, not even its schema; null where there is none yet. */
export async function openStoreReader(config: StoreConfig): Promise<StoreReader | null> {
  if (config.engine === 'sqlite') return openSqliteReader(config);
  const { openMongoReader } = await import('./store/mongo/open.ts');
  return openMongoReader(config);
}

/** What bringing a store up to date came to. */
export type StoreMigration = { readonly from: number; readonly to: number } & (
  { readonly engine: 'sqlite' } | ({ readonly engine: 'mongodb' } & Pick<Migration, 'indexes' | 'serverDeletesExpired'>)
);

/** Brings a store up to date, making its indexes where that is a step of its own. Throws as `openStore` does. */
export async function migrateStore(config: StoreConfig): Promise<StoreMigration> {
  const migration = await migrateEngine(config);
  // An unfinished copy is told of even so: nobody is to take this for a store that can be used.
  await (await openStore(config)).close();
  return migration;
}

async function migrateEngine(config: StoreConfig): Promise<StoreMigration> {
  if (config.engine === 'sqlite') return { engine: 'sqlite', ...(await migrateSqliteStore(config)) };
  const { migrateMongoStore } = await import('./store/mongo/open.ts');
  return { engine: 'mongodb', ...(await migrateMongoStore(config)) };
}

/** As a configuration says it. */
export function storeUrl(config: StoreConfig): string {
  return config.engine === 'sqlite' ? `sqlite:${config.path}` : config.url;
}

/** Which store, in words for a message. The URL holds no password. */
export function storeName(config: StoreConfig): string {
  return config.engine === 'sqlite' ? config.path : config.url;
}

/**
 * Whether an installation keeps anything there: a file, or a database that a first start has made ready. Makes nothing.
 * Throws as `openStoreAndKeyring` does where that cannot be told.
 */
export async function storeIsThere(config: StoreConfig): Promise<boolean> {
  if (config.engine === 'sqlite') return existsSync(config.path);
  const { mongoStoreIsThere } = await import('./store/mongo/open.ts');
  return mongoStoreIsThere(config);
}

/** A file may be missing. A database server is there, or it is a fault that it is not. */
function isThere(config: StoreConfig): boolean {
  return config.engine !== 'sqlite' || existsSync(config.path);
}

/** The first start. A keyring whose store cannot be made is taken away again: it has sealed nothing. */
async function openBothAnew(config: Config): Promise<Opened> {
  let store: Store | undefined;
  try {
    return await withNewKeyring(config, async (file) => {
      store = await openStore(config.store);
      return { keyring: await match(file, store, config), store };
    });
  } catch (fault) {
    await store?.close();
    throw fault;
  }
}

/** A new keyring for a store that has sealed nothing yet. */
function sealAnew(store: Store, config: Config): Promise<Keyring> {
  return withNewKeyring(config, (file) => match(file, store, config));
}

/** Takes a keyring it made away again when nothing came of it. */
async function withNewKeyring<Result>(config: Config, use: (file: KeyringFile) => Promise<Result>): Promise<Result> {
  const folder = dirname(config.keyringFile);
  const folderStood = existsSync(folder);
  const { file, made } = makeOrTake(config.keyringFile);
  try {
    return await use(file);
  } catch (fault) {
    // Another first start may have sealed the store with this keyring meanwhile; unless with its own.
    const idle = !isThere(config.store) || (fault instanceof KeyringProblem && fault.kind === 'foreign');
    if (made && idle) {
      rmSync(config.keyringFile, { force: true });
      if (!folderStood) removeIfEmpty(folder);
    }
    throw fault;
  }
}

/** Makes the keyring, or takes the one that another process made since it was looked for. */
function makeOrTake(path: string): { readonly file: KeyringFile; readonly made: boolean } {
  try {
    return { file: createKeyring(path), made: true };
  } catch (fault) {
    if (!(fault instanceof KeyringProblem) || fault.kind !== 'exists') throw fault;
    const file = existingKeyring(path);
    // What is there and cannot be opened, a link to nothing, is not another's keyring.
    if (file === null) throw fault;
    return { file, made: false };
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something else was put there meanwhile: it stays.
  }
}

/** Opens the keyring if it is the one that this store was sealed with; a store without one takes it. */
async function match(file: KeyringFile, store: Store, config: Config): Promise<Keyring> {
  const keyring = openKeyring(file, { reread: () => loadKeyring(config.keyringFile) });
  const fingerprint = await store.catalogue.settle('keyring', keyring.fingerprint());
  if (fingerprint === keyring.fingerprint()) {
    // Whoever lacks the key says so once it looks again (resealing/sealing-key.ts).
    keyring.sealWith(readSealingKey(await store.catalogue.fact(SEALING_KEY)));
    return keyring;
  }
  throw new KeyringProblem({
    kind: 'foreign',
    path: config.keyringFile,
    message: `the database ${storeName(config.store)} was sealed with another keyring than ${config.keyringFile}`,
    fix: 'name the keyring that belongs to this database in keyringFile',
  });
}

function missingKeyring(config: Config): KeyringProblem {
  return new KeyringProblem({
    kind: 'missing',
    path: config.keyringFile,
    message: `the database ${storeName(config.store)} was sealed with a keyring, and there is none at ${config.keyringFile}`,
    fix: 'put the keyring back from where you keep it apart from the database; a new one could read nothing',
  });
}

function existingKeyring(path: string): KeyringFile | null {
  try {
    return loadKeyring(path);
  } catch (fault) {
    if (fault instanceof KeyringProblem && fault.kind === 'missing') return null;
    throw fault;
  }
}
