/**
 * The drill of a stolen database: somebody carries everything off that is kept. What do they have?
 *
 * Purpose: let somebody live a whole life in a copy of the store, look for everything that passed in every byte of it, and try
 * whatever lies there as everything it could open. Invariant: only the copy is written to, nobody outside this process is
 * spoken to, and a check that could not have failed counts as failed: each door is first opened with the true key, and kept
 * shut against one that was made up. It refuses to know where the copy comes from, and what happens to it afterwards.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';

import type { Spoils } from '../../store/spoils.ts';
import { type Looked, lookAtCells, type Readable } from './cells.ts';
import { type Door, doorsOf } from './doors.ts';
import type { DrillClient, DrilledHouse, DrillPerson } from './house.ts';
import { live } from './life.ts';
import { createMatcher, type Matcher, searchFile } from './search.ts';
import { type Canary, type Needle, needlesOf } from './spellings.ts';
import { askAt } from './visitor.ts';

/** What a thief would have: what it is, and where it lies. Never the thing itself. */
export type Spoil = {
  readonly kind: 'readable' | 'opens' | 'not-checked';
  readonly what: string;
  /** `table.column`, a file, or `–`. */
  readonly where: string;
};

export type Tries = {
  readonly as: string;
  readonly values: number;
  /** Of these, tried over HTTP as well. */
  readonly overHttp: number;
  readonly worked: number;
};

export type DrillReport = {
  readonly searched: {
    readonly canaries: number;
    readonly spellings: number;
    readonly people: number;
    readonly bytes: number;
    readonly cells: number;
  };
  readonly tries: readonly Tries[];
  readonly spoils: readonly Spoil[];
  /** What can be read, and is meant to be: which app somebody uses is known by an id, and since when. */
  readonly readable: readonly Readable[];
};

export type DrillProgress = { readonly doing: string; readonly done: number; readonly total: number };

export async function drillStolenDatabase({
  open,
  openSpoils,
  files,
  person,
  client,
  sample,
  now,
  signal,
  report,
}: {
  /** Opens the house over the copy. */
  readonly open: () => Promise<DrilledHouse>;
  /** Looks into the copy. */
  readonly openSpoils: () => Spoils;
  /** Whatever holds bytes of the store: of the copy, and of the original. Those that are not there are left out. */
  readonly files: readonly string[];
  readonly person: DrillPerson;
  readonly client: DrillClient;
  /** How many rows of a large table are tried, and how many people's own secrets are looked for. */
  readonly sample: number;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: (progress: DrillProgress) => void;
}): Promise<DrillReport> {
  const marks = withSpoils(openSpoils, (spoils) => spoils.tables());
  const house = await open();
  let closed = false;
  const close = async (): Promise<void> => {
    if (!closed) await house.close();
    closed = true;
  };
  // Between two requests there may be minutes of searching: no connection is dropped for that.
  const server = createServer({ keepAliveTimeout: 0 }, house.listener);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const ask = askAt((server.address() as AddressInfo).port, house.issuer);
    report({ doing: 'Living in the copy', done: 0, total: 1 });
    const life = await live(house, ask, { person, client, now });
    // At once: a code lives for a minute, and a large store is searched for longer.
    const { unchecked, checked } = await provenDoors(doorsOf(house, ask, { life, now }));
    const others = await peoplesOwn(house.peopleBesides(life.accountId, sample), signal);
    const needles = needlesOf([...life.canaries, ...others.canaries]);
    const matcher = createMatcher(needles);

    const bytes = createSearch(files, matcher, { signal, report });
    // While it runs, what was written last stands in the write-ahead log.
    const running = await bytes.search();
    const looked = await withSpoils(openSpoils, (spoils) =>
      lookAtCells(spoils, {
        matcher,
        sample,
        marks,
        names: [life.accountId, life.client.client_id, life.registeredId],
        signal,
        random: Math.random,
        report: (progress) => report({ doing: 'Looking at every cell', ...progress }),
      }),
    );
    const { tries, opened } = await tryAll(checked, looked, { signal, report });

    server.close();
    server.closeAllConnections();
    await close();
    // And once more when everything has been moved to its place.
    const settled = await bytes.search();
    return {
      searched: {
        canaries: life.canaries.length,
        spellings: needles.length,
        people: others.people,
        bytes: bytes.read(),
        cells: looked.cells,
      },
      tries,
      spoils: [...unchecked, ...opened, ...readableSpoils(looked, [...running, ...settled])],
      readable: looked.readable.filter(({ rows, columns }) => rows > 0 && columns.length > 0),
    };
  } finally {
    server.close();
    server.closeAllConnections();
    await close();
  }
}

function withSpoils<Result>(open: () => Spoils, look: (spoils: Spoils) => Result): Result {
  const spoils = open();
  const close = (): void => spoils.close();
  let result: Result;
  try {
    result = look(spoils);
  } catch (fault) {
    close();
    throw fault;
  }
  if (result instanceof Promise) return result.finally(close) as Result;
  close();
  return result;
}

/** What real people have: the first by id, which are as good as drawn, since ids are random. */
async function peoplesOwn(everybody: AsyncIterable<readonly Canary[]>, signal: AbortSignal) {
  const canaries: Canary[] = [];
  let people = 0;
  for await (const each of everybody) {
    signal.throwIfAborted();
    canaries.push(...each);
    people += 1;
  }
  return { canaries, people };
}

type Hit = { readonly needle: Needle; readonly file: string };

function createSearch(
  files: readonly string[],
  matcher: Matcher,
  { signal, report }: { readonly signal: AbortSignal; readonly report: (progress: DrillProgress) => void },
) {
  let read = 0;
  return {
    read: () => read,
    async search(): Promise<Hit[]> {
      const there = files.filter((file) => existsSync(file));
      const total = there.reduce((sum, file) => sum + statSync(file).size, 0);
      const hits: Hit[] = [];
      let done = 0;
      for (const file of there) {
        const seen = (bytes: number): void => {
          read += bytes;
          done += bytes;
          report({ doing: 'Searching every byte', done, total: Math.max(total, done) });
        };
        const found = await searchFile(file, matcher, { signal, seen });
        hits.push(...[...found].map((needle) => ({ needle, file: basename(file) })));
      }
      return hits;
    },
  };
}

/** In a cell where it stands in one; else in the file, in a page or a log entry that no row uses any more. */
function readableSpoils({ standing, addresses }: Looked, hits: readonly Hit[]): Spoil[] {
  const spoils = new Map<string, Spoil>();
  const add = (what: string, where: string): void =>
    void spoils.set(`${what} ${where}`, { kind: 'readable', what, where });
  for (const { needle, place, compressed } of standing) {
    const how = `${needle.spelling}${compressed ? ', compressed' : ''}`;
    add(`${needle.canary.what}, ${how}`, `${place.table}.${place.column}`);
  }
  const inCells = new Set(standing.map(({ needle }) => needle));
  for (const { needle, file } of hits) {
    if (!inCells.has(needle)) add(`${needle.canary.what}, ${needle.spelling}, where no row is any more`, file);
  }
  const told = new Set(standing.map(({ place }) => `${place.table}.${place.column}`));
  for (const { table, column } of addresses) {
    if (!told.has(`${table}.${column}`)) add('an e-mail address', `${table}.${column}`);
  }
  return [...spoils.values()];
}

/** Doors that open to the true key and to no other. One that does not proves nothing by staying shut. */
export async function provenDoors(doors: readonly Door[]): Promise<{ unchecked: Spoil[]; checked: Door[] }> {
  const unchecked: Spoil[] = [];
  const checked: Door[] = [];
  for (const door of doors) {
    const invented = randomBytes(32).toString('base64url');
    const opens = (await door.lookUp(door.genuine.lookUp)) && (await door.knock(door.genuine.knock));
    const toAnybody = (await door.lookUp(invented)) || (await door.knock(invented));
    if (opens && !toAnybody) checked.push(door);
    else {
      const why = opens ? 'it takes anything' : 'it does not take the true one';
      unchecked.push({ kind: 'not-checked', what: `values as ${door.as}: ${why}`, where: '–' });
    }
  }
  return { unchecked, checked };
}

const AT_ONCE = 8;

async function tryAll(
  doors: readonly Door[],
  { values }: Looked,
  { signal, report }: { readonly signal: AbortSignal; readonly report: (progress: DrillProgress) => void },
): Promise<{ tries: Tries[]; opened: Spoil[] }> {
  const opened = new Map<string, Spoil>();
  const counts = doors.map(({ as }) => ({ as, values: 0, overHttp: 0, worked: 0 }));
  const queue = values.entries();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const [value, { places, own }] of queue) {
      signal.throwIfAborted();
      for (const [nth, door] of doors.entries()) {
        const count = counts[nth] as (typeof counts)[number];
        const worked = (await door.lookUp(value)) || (own && (await door.knock(value)));
        count.values += 1;
        if (own) count.overHttp += 1;
        if (!worked) continue;
        count.worked += 1;
        for (const where of places) {
          opened.set(`${door.as} ${where}`, { kind: 'opens', what: `a value that works as ${door.as}`, where });
        }
      }
      report({ doing: 'Trying every value', done: (done += 1), total: values.size });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { tries: counts, opened: [...opened.values()] };
}
