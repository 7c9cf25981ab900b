/**
 * Making a MongoDB database fit to be used: its indexes, and the note of which schema it has.
 *
 * Invariant: indexes are made here and nowhere else, so never on the way of a request; making them again changes nothing. A
 * database that a newer Curfew has migrated is refused and left as it is, and so is a server that does not do what every
 * promise rests on.
 */
import { StoreUnavailable, StoreUnusable } from '../port.ts';
import { refuseUnfitServer } from './compatibility.ts';
import type { Database } from './database.ts';
import type { HouseDocument } from './documents.ts';
import { markUnchained } from './journal.ts';
import { type Collection, COLLECTIONS } from './schemas.ts';

/**
 * The schema this program writes. 2 came with Credentials, mails and events, 3 with incidents: documents of earlier ones lack
 * some fields and are read as if those were null, so that what a migration does is make indexes; a program that knows an
 * earlier one alone would refuse what this one writes, and must not begin.
 */
export const SCHEMA_VERSION = 3;

/**
 * How long the server leaves alone what has expired. Its clock may be ahead of ours, and what it deletes early is a sign-in
 * lost or, worse, a value that was used once and could be used again.
 */
const GRACE_SECONDS = 3600;

/** What became of one index. */
export type IndexReport = {
  readonly collection: string;
  readonly index: string;
  readonly status: 'made' | 'there';
};

export type Migration = {
  readonly from: number;
  readonly to: number;
  readonly indexes: readonly IndexReport[];
  /** Whether the server deletes what has expired by itself; else Curfew's sweeper does. */
  readonly serverDeletesExpired: boolean;
};

/** Makes what is missing. Throws StoreUnusable, with a message for people, where it cannot or must not. */
export async function migrate(database: Database): Promise<Migration> {
  const from = await presentSchema(database);
  refuseNewer(database, from);
  if (from === 0) await refuseForeignData(database);
  await refuseUnfitServer(database);
  const indexes: IndexReport[] = [];
  let serverDeletesExpired = true;
  for (const collection of Object.values<Collection>(COLLECTIONS)) {
    const made = await makeIndexes(database, collection);
    indexes.push(...made.indexes);
    serverDeletesExpired &&= made.serverDeletesExpired;
  }
  await database.askPatiently('mark events that are not chained', markUnchained);
  await database.askPatiently('note the schema', ({ house }) =>
    house.updateOne({ _id: 'schema' }, { $max: { version: SCHEMA_VERSION } }, { upsert: true }),
  );
  return { from, to: SCHEMA_VERSION, indexes, serverDeletesExpired };
}

/** Looks without changing anything: throws StoreUnusable unless a migration has been here. `empty` before the first. */
export async function checkSchema(database: Database): Promise<'ready' | 'empty'> {
  const version = await presentSchema(database);
  refuseNewer(database, version);
  if (version === 0) {
    await refuseForeignData(database);
    return 'empty';
  }
  if (version < SCHEMA_VERSION) {
    throw new StoreUnusable(
      `the database ${database.name} has schema ${version}, and this program needs ${SCHEMA_VERSION}: run \`npx curfew store migrate\`. Nothing was changed.`,
    );
  }
  return 'ready';
}

/** Indexes that a migration made and that are not there now, as `collection.index`. */
export async function missingIndexes(database: Database): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const collection of Object.values<Collection>(COLLECTIONS)) {
    const present = await presentIndexes(database, collection.name);
    for (const { name } of wantedIndexes(collection)) {
      if (!present.has(name)) missing.push(`${collection.name}.${name}`);
    }
  }
  return missing;
}

/** Whether the server deletes what has expired: it has an index that says so, on every collection where something does. */
export async function serverDeletesExpired(database: Database): Promise<boolean> {
  for (const collection of Object.values<Collection>(COLLECTIONS)) {
    if (collection.expiry === undefined) continue;
    const present = await presentIndexes(database, collection.name);
    if (present.get(expiryIndex(collection.expiry))?.['expireAfterSeconds'] === undefined) return false;
  }
  return true;
}

async function presentSchema(database: Database): Promise<number> {
  const found = await database.ask('read the schema', ({ house }) => house.findById('schema').lean<HouseDocument>());
  return found?.version ?? 0;
}

function refuseNewer(database: Database, version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new StoreUnusable(
    `the database ${database.name} has schema ${version}, this program knows up to ${SCHEMA_VERSION}: it was written by a newer Curfew. Start that version; nothing was changed.`,
  );
}

/** A database with collections and no schema of ours is somebody else's. */
async function refuseForeignData(database: Database): Promise<void> {
  const collections = await fromDriver('list collections', () =>
    database.driver.listCollections({}, { nameOnly: true }).toArray(),
  );
  const ours = new Set<string>(Object.values(COLLECTIONS).map(({ name }) => name));
  const foreign = collections.find(({ name }) => !ours.has(name) && !name.startsWith('system.'));
  if (foreign === undefined) return;
  throw new StoreUnusable(
    `the database ${database.name} holds something that is not Curfew's (${foreign.name}): nothing was written. Name another database in \`store\`.`,
  );
}

async function makeIndexes(
  database: Database,
  collection: Collection,
): Promise<{ readonly indexes: readonly IndexReport[]; readonly serverDeletesExpired: boolean }> {
  const { name } = collection;
  const present = await presentIndexes(database, name);
  const wanted = wantedIndexes(collection);
  const missing = wanted.filter((each) => !present.has(each.name));
  const target = database.driver.collection(name);
  const plain = missing.filter(({ expires }) => !expires).map(({ key, options }) => ({ key, ...options }));
  if (plain.length > 0) await fromDriver(`make the indexes of ${name}`, () => target.createIndexes(plain));
  let deletes = true;
  for (const { name: index, key, options, expires } of wanted) {
    if (!expires) continue;
    const there = present.get(index);
    deletes &&=
      there === undefined
        ? await target.createIndex(key, { ...options, expireAfterSeconds: GRACE_SECONDS }).then(
            () => true,
            () => false,
          )
        : there['expireAfterSeconds'] !== undefined;
    // Some servers that speak MongoDB delete nothing by themselves: then the index serves the sweeper.
    if (there === undefined && !deletes) {
      await fromDriver(`make the index ${name}.${index}`, () => target.createIndex(key, options));
    }
  }
  const indexes = wanted.map(({ name: index }): IndexReport => {
    return { collection: name, index, status: present.has(index) ? 'there' : 'made' };
  });
  return { indexes, serverDeletesExpired: deletes };
}

type Wanted = {
  readonly name: string;
  readonly key: Record<string, 1 | -1>;
  readonly options: Record<string, unknown>;
  readonly expires: boolean;
};

const expiryIndex = (field: string): string => `${field}_1`;

function wantedIndexes({ indexes, expiry }: Collection): readonly Wanted[] {
  const wanted = indexes.map(([definition, options]): Wanted => {
    const key = definition as Record<string, 1 | -1>;
    const name = Object.entries(key).flat().join('_');
    return { name, key, options: { ...options, name }, expires: false };
  });
  if (expiry === undefined) return wanted;
  const name = expiryIndex(expiry);
  return [...wanted, { name, key: { [expiry]: 1 }, options: { name }, expires: true }];
}

async function presentIndexes(database: Database, collection: string): Promise<Map<string, Record<string, unknown>>> {
  const found = await fromDriver('list indexes', async () => {
    try {
      return await database.driver.collection(collection).listIndexes().toArray();
    } catch (fault) {
      // 26: there is no such collection yet.
      if (fault instanceof Error && 'code' in fault && fault.code === 26) return [];
      throw fault;
    }
  });
  return new Map(found.map((index) => [String(index['name']), index as Record<string, unknown>]));
}

async function fromDriver<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new StoreUnavailable(doing, { cause });
  }
}
