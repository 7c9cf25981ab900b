/**
 * Sealing what a store holds anew: one walk after the other over everything sealed, until one finds nothing that is old.
 *
 * Invariant: a text is replaced only while it is the one that was read, so that whoever changes it meanwhile wins and is met
 * again by the next walk; one that does not open is left as it is, and counted. It can be cut off anywhere and begun again:
 * what is done is passed over. It refuses to know why, and which keys a file holds.
 */
import { type Clock, sleep } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { SEALED_COLLECTIONS, type SealedCollection, type SealedRow, type SealRepository } from '../store/seals.ts';
import { type Sealed, sealedIn } from './bindings.ts';

/** Few, so that whoever serves beside it on one file never waits long. */
const PAGE = 100;
/** A walk goes on as long as there is work; a process that seals with an old key makes more of it, and has to be found. */
const MOST_WALKS = 20;

/** Values that stay as they are. */
export type Left = {
  readonly collection: SealedCollection;
  readonly version: number;
  readonly values: number;
  /** `broken`: it does not open. `unknown`: no room has said how it is sealed. `renewed`: somebody goes on sealing so. */
  readonly why: 'broken' | 'unknown' | 'renewed';
};

export type Resealed = {
  readonly resealed: number;
  readonly left: readonly Left[];
  /** False when it was interrupted. */
  readonly finished: boolean;
};

export type Walking = {
  readonly signal: AbortSignal;
  /** How many rows of how many: about, since others write meanwhile. */
  readonly report: (progress: { readonly done: number; readonly total: number }) => void;
};

export type Needs = {
  readonly seals: SealRepository;
  readonly keyring: Pick<Keyring, 'current' | 'seal' | 'unseal'>;
  readonly clock: Clock;
};

type Counts = Map<SealedCollection, Map<number, number>>;

/** Seals everything anew that is not sealed with the keyring's present key. `still`: asked before each page; may throw. */
export async function resealAll(
  needs: Needs,
  { signal, report, still }: Walking & { readonly still: () => Promise<void> },
): Promise<Resealed> {
  let resealed = 0;
  for (let nth = 1; ; nth += 1) {
    const walk = { old: new Map() as Counts, broken: new Map() as Counts, unknown: new Map() as Counts };
    for await (const { collection, rows, done, total } of pages(needs.seals, signal)) {
      await still();
      const began = needs.clock.now().getTime();
      const changes = rows.flatMap((row) => anew(needs.keyring, collection, row, walk));
      if (changes.length > 0) {
        resealed += await needs.seals.replace(collection, changes);
        // As long as it took, the store is everybody else's.
        await sleep(needs.clock, Math.max(0, needs.clock.now().getTime() - began), signal);
      }
      report({ done, total });
    }
    if (signal.aborted) return { resealed, left: [], finished: false };
    const stuck = [...leftOver(walk.broken, 'broken'), ...leftOver(walk.unknown, 'unknown')];
    if (walk.old.size === 0) return { resealed, left: stuck, finished: true };
    if (nth === MOST_WALKS) return { resealed, left: [...stuck, ...leftOver(walk.old, 'renewed')], finished: true };
  }
}

/** How many values each key has sealed. */
export async function countVersions(
  seals: SealRepository,
  { signal, report }: Walking,
): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for await (const { collection, rows, done, total } of pages(seals, signal)) {
    for (const { version } of rows.flatMap((row) => sealedValues(collection, row))) {
      counts.set(version, (counts.get(version) ?? 0) + 1);
    }
    report({ done, total });
  }
  return counts;
}

/** The keys that a few values of each collection are sealed with. */
export async function sampleVersions(seals: SealRepository): Promise<ReadonlySet<number>> {
  const versions = new Set<number>();
  for (const collection of SEALED_COLLECTIONS) {
    const rows = await seals.rows(collection, { limit: PAGE });
    for (const { version } of rows.flatMap((row) => sealedValues(collection, row))) versions.add(version);
  }
  return versions;
}

const sealedValues = (collection: SealedCollection, row: SealedRow): Sealed[] =>
  Object.keys(row.fields).flatMap((field) => sealedIn(collection, row, field) ?? []);

/** What is to be replaced of a row. */
function anew(
  keyring: Needs['keyring'],
  collection: SealedCollection,
  row: SealedRow,
  walk: { readonly old: Counts; readonly broken: Counts; readonly unknown: Counts },
) {
  return Object.entries(row.fields).flatMap(([field, from]) => {
    const sealed = sealedIn(collection, row, field);
    if (sealed === null || sealed.version === keyring.current) return [];
    const { value, version, binding } = sealed;
    if (binding === null) {
      count(walk.unknown, collection, version);
      return [];
    }
    try {
      const fresh = keyring.seal(...binding, keyring.unseal(...binding, value));
      count(walk.old, collection, version);
      const { id, accountId } = row;
      return [{ id, accountId, field, from, to: from.replace(value, fresh) }];
    } catch (fault) {
      if (!(fault instanceof SealBroken)) throw fault;
      count(walk.broken, collection, version);
      return [];
    }
  });
}

async function* pages(seals: SealRepository, signal: AbortSignal) {
  const counted = await Promise.all(SEALED_COLLECTIONS.map((collection) => seals.count(collection)));
  const total = counted.reduce((sum, each) => sum + each, 0);
  let done = 0;
  for (const collection of SEALED_COLLECTIONS) {
    let after: SealedRow | undefined;
    while (!signal.aborted) {
      const rows = await seals.rows(collection, { after, limit: PAGE });
      if (rows.length === 0) break;
      done = Math.min(done + rows.length, total);
      yield { collection, rows, done, total };
      after = rows.at(-1);
    }
  }
}

function count(counts: Counts, collection: SealedCollection, version: number): void {
  const versions = counts.get(collection) ?? new Map<number, number>();
  counts.set(collection, versions.set(version, (versions.get(version) ?? 0) + 1));
}

function leftOver(counts: Counts, why: Left['why']): Left[] {
  return [...counts].flatMap(([collection, versions]) =>
    [...versions].map(([version, values]) => ({ collection, version, values, why })),
  );
}
