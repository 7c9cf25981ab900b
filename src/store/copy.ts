/**
 * Moving everything from one store to another: batch by batch, noted in the target as it goes, and compared at the end.
 *
 * Invariant: nothing is written to the source; nothing is written to a target that holds anything but an unfinished copy of
 * this very source; and the target stays marked until both have been read again from beginning to end and were the same. So
 * it can be cut off anywhere and asked for again. It refuses to know which engines they are.
 */
import type { TransferReader, TransferRepository } from './port.ts';
import { digestOf, type Kind, type KindDigest, KINDS, type RowOf, type RowPage } from './transfer.ts';

/** What is copied, by the name it goes by and by the keyring that sealed it: at one address there may be another by now. */
export type CopySource = { readonly name: string; readonly keyring: string | null };

/** The note that an unfinished copy leaves in its target. */
type Note = {
  readonly source: CopySource;
  /** Which run goes on with it: an earlier one that still runs finds it changed, and stops. */
  readonly run: string;
  /** What had expired by then was left behind. */
  readonly aliveAt: string;
  /** `again`: source and target differed at the end, so it begins anew. */
  readonly next: { readonly kind: Kind; readonly after: string | null } | 'compare' | 'again';
};

export type CopyProgress = {
  readonly doing: 'copying' | 'comparing';
  readonly kind: Kind;
  readonly done: number;
  readonly total: number;
};

export type CopiedKinds = { readonly [kind in Kind]: KindDigest };

export type CopyOutcome =
  | { readonly status: 'verified'; readonly resumed: boolean; readonly kinds: CopiedKinds }
  /** The source was changed while it was copied. The kinds are the source's; the target stays unfinished. */
  | {
      readonly status: 'differs';
      readonly resumed: boolean;
      readonly kinds: CopiedKinds;
      readonly differing: readonly Kind[];
    }
  /** It goes on when it is asked for again. */
  | { readonly status: 'interrupted' }
  /** Another run has taken the copy over. */
  | { readonly status: 'overtaken' }
  /** The target holds something else: nothing was changed. */
  | { readonly status: 'occupied' };

const ROWS_AT_ONCE = 1000;

/** Whose unfinished copy is in a store; null when none is. */
export async function unfinishedCopy(store: TransferReader): Promise<CopySource | null> {
  const note = await store.unfinished();
  return note === null ? null : (JSON.parse(note) as Note).source;
}

/** What a store is known by as a source. */
export async function copySource(name: string, source: TransferReader): Promise<CopySource> {
  const facts = await source.rows('facts', { limit: ROWS_AT_ONCE, aliveAt: BEGINNING });
  return { name, keyring: facts.find(({ id }) => id === 'keyring')?.value ?? null };
}

export const isSameSource = (one: CopySource, other: CopySource): boolean =>
  one.name === other.name && one.keyring === other.keyring;

/** How many rows of each kind there are to be copied. */
export async function countKinds(store: TransferReader, aliveAt: Date): Promise<{ readonly [kind in Kind]: number }> {
  return eachKind((kind) => store.count(kind, aliveAt));
}

export async function copyStore({
  source,
  from,
  target,
  run,
  now,
  signal,
  report,
  rowsAtOnce = ROWS_AT_ONCE,
}: {
  readonly source: TransferReader;
  readonly from: CopySource;
  readonly target: TransferRepository;
  /** No other run has this name. */
  readonly run: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: (progress: CopyProgress) => void;
  readonly rowsAtOnce?: number;
}): Promise<CopyOutcome> {
  const taken = await take(target, from, { run, now });
  if (taken === null) return { status: 'occupied' };
  const { resumed } = taken;
  let { note } = taken;

  /** Moves the note on; false when another run has moved it. */
  const advance = async (change: Partial<Note>): Promise<boolean> => {
    const next = { ...note, ...change };
    if (!(await target.note({ from: JSON.stringify(note), to: JSON.stringify(next) }))) return false;
    note = next;
    return true;
  };

  if (note.next === 'again') {
    await target.clear();
    if (!(await advance({ aliveAt: now().toISOString(), next: BEGIN }))) return { status: 'overtaken' };
  }
  const aliveAt = new Date(note.aliveAt);
  const page = { limit: rowsAtOnce, aliveAt };
  while (typeof note.next === 'object') {
    const { kind, after } = note.next;
    const total = await source.count(kind, aliveAt);
    let done = after === null ? 0 : await target.count(kind, aliveAt);
    report({ doing: 'copying', kind, done, total });
    for await (const rows of pagesOf(source, kind, { ...page, after: after ?? undefined }, signal)) {
      await target.write(kind, rows);
      if (!(await advance({ next: { kind, after: rows.at(-1)?.id ?? null } }))) return { status: 'overtaken' };
      report({ doing: 'copying', kind, done: (done += rows.length), total });
    }
    if (signal.aborted) return { status: 'interrupted' };
    const following = KINDS[KINDS.indexOf(kind) + 1];
    const next = following === undefined ? 'compare' : ({ kind: following, after: null } as const);
    if (!(await advance({ next }))) return { status: 'overtaken' };
  }

  // Not before what was left behind: the clock may have been set back since.
  const comparedAt = new Date(Math.max(aliveAt.getTime(), now().getTime()));
  const differing: Kind[] = [];
  const kinds = await eachKind(async (kind) => {
    const total = signal.aborted ? 0 : await source.count(kind, comparedAt);
    const compared = { limit: rowsAtOnce, aliveAt: comparedAt };
    const [original, copy] = await Promise.all([
      digestOf(pagesOf(source, kind, compared, signal, (done) => report({ doing: 'comparing', kind, done, total }))),
      digestOf(pagesOf(target, kind, compared, signal)),
    ]);
    if (original.rows !== copy.rows || original.digest !== copy.digest) differing.push(kind);
    return original;
  });
  if (signal.aborted) return { status: 'interrupted' };
  if (differing.length > 0) {
    if (!(await advance({ next: 'again' }))) return { status: 'overtaken' };
    return { status: 'differs', resumed, kinds, differing };
  }
  if (!(await target.note({ from: JSON.stringify(note), to: null }))) return { status: 'overtaken' };
  return { status: 'verified', resumed, kinds };
}

const BEGIN = { kind: KINDS[0], after: null };
const BEGINNING = new Date(0);

/** Leaves the first note, or takes over the one of a run that did not come to its end; null when there is something else. */
async function take(
  target: TransferRepository,
  from: CopySource,
  { run, now }: { readonly run: string; readonly now: () => Date },
): Promise<{ readonly note: Note; readonly resumed: boolean } | null> {
  for (;;) {
    const present = await target.unfinished();
    if (present === null) {
      const note: Note = { source: from, run, aliveAt: now().toISOString(), next: BEGIN };
      if (await target.begin(JSON.stringify(note))) return { note, resumed: false };
      // Not empty; unless another run has begun in this very moment.
      if ((await target.unfinished()) === null) return null;
      continue;
    }
    const found = JSON.parse(present) as Note;
    if (!isSameSource(found.source, from)) return null;
    const note: Note = { ...found, run };
    if (await target.note({ from: present, to: JSON.stringify(note) })) return { note, resumed: true };
  }
}

/** Rows page by page, until there are no more or it is enough. */
async function* pagesOf<K extends Kind>(
  store: TransferReader,
  kind: K,
  { after, ...page }: RowPage,
  signal: AbortSignal,
  seen: (done: number) => void = () => undefined,
): AsyncGenerator<readonly RowOf[K][]> {
  let done = 0;
  for (let last = after; !signal.aborted;) {
    const rows = await store.rows(kind, { ...page, after: last });
    if (rows.length > 0) yield rows;
    seen((done += rows.length));
    if (rows.length < page.limit) return;
    last = rows.at(-1)?.id;
  }
}

/** One after the other: they share a progress line, and a store. */
async function eachKind<Answer>(ask: (kind: Kind) => Promise<Answer>): Promise<{ readonly [kind in Kind]: Answer }> {
  const answers: [Kind, Answer][] = [];
  for (const kind of KINDS) answers.push([kind, await ask(kind)]);
  return Object.fromEntries(answers) as { readonly [kind in Kind]: Answer };
}
