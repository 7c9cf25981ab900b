/**
 * Every cell of the copy, looked at once: which canaries stand in it, whether it is an e-mail address, what else can be read
 * there, and which values are worth trying.
 *
 * Invariant: every row of every table is looked at. What is tried of a large table is a sample, drawn evenly from it while it
 * passes; of small tables, and of the rows that the drill's own account left, it is everything.
 */
import type { Cell, Spoils, SpoiltRow, SpoiltTable } from '../../store/spoils.ts';
import { inflated, type Matcher } from './search.ts';
import type { Needle } from './spellings.ts';

export type Place = { readonly table: string; readonly column: string };

/** A value that a thief would try, and where it lies. */
export type Tried = { readonly places: readonly string[]; readonly own: boolean };

/** Where a value lies in more places than these, they are the same for many, and it is no secret. */
const MOST_PLACES = 8;

export type Readable = {
  readonly table: string;
  readonly rows: number;
  /** Columns with something to read in them: neither sealed nor a digest. */
  readonly columns: readonly string[];
};

export type Looked = {
  /** Canaries that stand in a cell, by where. */
  readonly standing: readonly { readonly needle: Needle; readonly place: Place; readonly compressed: boolean }[];
  /** Cells with an e-mail address in them. */
  readonly addresses: readonly Place[];
  readonly values: ReadonlyMap<string, Tried>;
  readonly readable: readonly Readable[];
  readonly cells: number;
};

/** Looked at whole, however many rows they have: what they hold opens more than one account. */
const WHOLE = new Set(['facts', 'clients', 'connections', 'signing_keys']);
const ROWS_PER_TURN = 500;
const [SHORTEST, LONGEST] = [8, 4096];

const SEALED = /^v1\.\d+\.([\w-]+)$/;
const DIGEST = /^(?:[\w-]{43}|\$argon2id\$.*)$/;
const EMAIL = /[\p{L}\d._%+-]{1,64}@[\p{L}\d-]+(?:\.[\p{L}\d-]+)*\.\p{L}{2,}/u;
const BASE64 = /^[A-Za-z0-9+/_-]{8,}={0,2}$/;

export async function lookAtCells(
  spoils: Spoils,
  {
    matcher,
    sample,
    marks,
    names,
    signal,
    report,
    random,
  }: {
    readonly matcher: Matcher;
    readonly sample: number;
    /** The tables as they were before the drill's account came. */
    readonly marks: readonly SpoiltTable[];
    /** What the rows of the drill's account have in them. */
    readonly names: readonly string[];
    readonly signal: AbortSignal;
    readonly report: (progress: { readonly done: number; readonly total: number }) => void;
    readonly random: () => number;
  },
): Promise<Looked> {
  const tables = spoils.tables();
  const total = tables.reduce((sum, { rows }) => sum + rows, 0);
  const standing: Looked['standing'][number][] = [];
  const addresses = new Map<string, Place>();
  const values = new Map<string, Tried>();
  const readable: Readable[] = [];
  let [done, cells] = [0, 0];

  const note = (table: string, row: SpoiltRow, own: boolean): void => {
    for (const [column, cell] of Object.entries(row.cells)) {
      for (const value of valuesOf(cell)) {
        const { places = [], own: before = false } = values.get(value) ?? {};
        const place = `${table}.${column}`;
        const more = places.includes(place) || places.length === MOST_PLACES ? places : [...places, place];
        if (more !== places || own !== before) values.set(value, { places: more, own: own || before });
      }
    }
  };

  for (const { name: table, rows } of tables) {
    const before = marks.find(({ name }) => name === table)?.lastRowid ?? null;
    const clear = new Set<string>();
    const drawn: SpoiltRow[] = [];
    let passed = 0;
    for (const row of spoils.rows(table)) {
      for (const [column, cell] of Object.entries(row.cells)) {
        cells += 1;
        const place = { table, column };
        for (const found of canariesIn(cell, matcher)) standing.push({ ...found, place });
        if (holdsAddress(cell)) addresses.set(`${table}.${column}`, place);
        if (!clear.has(column) && isReadable(cell)) clear.add(column);
      }
      if (WHOLE.has(table) || isOwn(row, before, names)) note(table, row, true);
      else {
        // Each row of the table is as likely to be drawn as any other (reservoir sampling).
        passed += 1;
        const at = drawn.length < sample ? drawn.length : Math.floor(random() * passed);
        if (at < sample) drawn[at] = row;
      }
      done += 1;
      if (done % ROWS_PER_TURN === 0) {
        signal.throwIfAborted();
        report({ done, total });
        await new Promise(setImmediate);
      }
    }
    for (const row of drawn) note(table, row, false);
    readable.push({ table, rows, columns: [...clear] });
  }
  report({ done, total });
  return { standing, addresses: [...addresses.values()], values, readable, cells };
}

/** Whether the drill's account left it: it was not there before, or it names the account, or an app of the drill's. */
function isOwn({ rowid, cells }: SpoiltRow, before: number | null, names: readonly string[]): boolean {
  if (rowid !== null && before !== null && rowid > before) return true;
  return Object.values(cells).some((cell) => typeof cell === 'string' && names.some((name) => cell.includes(name)));
}

function canariesIn(cell: Cell, matcher: Matcher): { readonly needle: Needle; readonly compressed: boolean }[] {
  if (typeof cell !== 'string' && !(cell instanceof Uint8Array)) return [];
  const plain = [...matcher.in(Buffer.from(cell as string))].map((needle) => ({ needle, compressed: false }));
  const inner = inflated(cell);
  return inner === null ? plain : [...plain, ...[...matcher.in(inner)].map((needle) => ({ needle, compressed: true }))];
}

/** As it is, or behind one layer of base64 or hexadecimal. */
function holdsAddress(cell: Cell): boolean {
  // Among millions of digests some look like an address somewhere: bytes count where they are a text.
  if (cell instanceof Uint8Array) return isPlainAddress(Buffer.from(cell).toString('latin1'));
  if (typeof cell !== 'string' || SEALED.test(cell)) return false;
  if (isAddress(cell)) return true;
  for (const [word] of cell.matchAll(/[A-Za-z0-9+/_-]{8,}={0,2}/g)) {
    const decoded = Buffer.from(word, /^(?:[0-9a-f]{2})+$/i.test(word) ? 'hex' : 'base64').toString('latin1');
    if (isPlainAddress(decoded)) return true;
  }
  return false;
}

const isPlainAddress = (text: string): boolean => /^[\x20-\x7e]+$/.test(text) && isAddress(text);
const isAddress = (text: string): boolean => text.includes('@') && EMAIL.test(text);

function isReadable(cell: Cell): boolean {
  if (cell === null || cell instanceof Uint8Array) return false;
  if (typeof cell !== 'string') return true;
  return cell !== '' && cell !== '{}' && cell !== '[]' && !SEALED.test(cell) && !DIGEST.test(cell);
}

/** A cell, whole; what it is made of, if it is JSON or sealed; long words in it; and bytes in the ways they are written. */
export function valuesOf(cell: unknown): Set<string> {
  const values = new Set<string>();
  const add = (value: unknown): void => {
    if (value instanceof Uint8Array) {
      const bytes = Buffer.from(value);
      if (bytes.length > 1024) return;
      for (const encoding of ['base64url', 'hex', 'base64'] as const) keep(bytes.toString(encoding));
      if (/^[\x20-\x7e]+$/.test(bytes.toString('latin1'))) add(bytes.toString('latin1'));
      return;
    }
    if (typeof value === 'object' && value !== null) for (const each of Object.entries(value).flat()) add(each);
    if (typeof value !== 'string' || values.has(value)) return;
    keep(value);
    const sealed = SEALED.exec(value);
    if (sealed !== null) return keep(sealed[1] ?? '');
    if (/^\s*[[{"]/.test(value)) {
      try {
        add(JSON.parse(value));
      } catch {
        // Not JSON: it was kept as it is.
      }
    }
    for (const [word] of value.matchAll(/[\w.~+/=-]{16,}/g)) keep(word);
    // What was encoded once more.
    if (BASE64.test(value)) {
      const decoded = Buffer.from(value, 'base64').toString('latin1');
      if (/^[\x20-\x7e]+$/.test(decoded)) add(decoded);
    }
  };
  const keep = (value: string): void => {
    if (value.length >= SHORTEST && value.length <= LONGEST) values.add(value);
  };
  add(cell);
  return values;
}
