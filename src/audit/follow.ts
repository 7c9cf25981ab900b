/**
 * Following the chain from one event to the next: the one judgement of whether a record is what was written, whether it comes
 * from a store or from a file.
 *
 * What it finds wrong is said with its place, and then it goes on with what the record says of itself, so that one edit is one
 * finding and not the end of it. It holds a bounded part of what it has seen, however long the record is.
 */
import type { EventRecord } from '../store/journal.ts';
import { hashOf } from './record-hash.ts';
import type { Checker } from './signed.ts';

export type Problem =
  | 'not-a-record'
  | 'not-as-written'
  | 'header'
  | 'missing'
  | 'out-of-place'
  | 'changed'
  | 'checkpoint'
  | 'pruning'
  | 'detail'
  | 'cut-off'
  | 'too-much';

/** Something that is not as it was written, and where. */
export type Fault = {
  /** Of the file, from 1; null in a store, and for what is nowhere in particular. */
  readonly line: number | null;
  readonly seq: number | null;
  readonly problem: Problem;
  /** For people. */
  readonly text: string;
};

export type Place = { readonly seq: number; readonly hash: string };
export type SignedPlace = Place & { readonly at: string };
/** An event with a place in the chain. */
export type Followed = Omit<EventRecord, 'sealed' | 'seq' | 'hash'> & Place;

export type Following = {
  next(event: Followed, line: number | null): void;
  readonly faults: readonly Fault[];
  /** Says something wrong that was found beside the chain. */
  report(fault: Fault): void;
  /** How many faults there were, those that are not kept included. */
  readonly found: number;
  readonly events: number;
  /** The last place, as the record gives it. */
  readonly last: Place;
  readonly lastCheckpoint: SignedPlace | null;
  /** Whether this statement of a pruning stands in the record. */
  notesPruning(statement: string): boolean;
};

/** A checkpoint speaks of a place not long before it: nothing comes between but what was written while it was. */
const HASHES_HELD = 65_536;
/** Whoever reads that many reads no more. */
const FAULTS_KEPT = 100;

/**
 * `begin`: the place before the first one, whose hash is known from elsewhere. `anchors`: checkpoints that were kept elsewhere.
 * Each counts: of two that differ about one place, one was signed for another record.
 */
export function follow({
  checker,
  begin,
  anchors = [],
}: {
  readonly checker: Checker;
  readonly begin: Place;
  readonly anchors?: readonly SignedPlace[];
}): Following {
  const faults: Fault[] = [];
  let found = 0;
  let events = 0;
  let last = begin;
  /** What the last one's hash ought to be, where that is known: the one after it may have been written over either. */
  let computed: string | null = begin.hash;
  let lastCheckpoint: SignedPlace | null = null;
  const prunings = new Set<string>();
  const anchored = Map.groupBy(anchors, ({ seq }) => seq);
  const held = new Map<number, string>([[begin.seq, begin.hash]]);

  const report = (fault: Fault): void => {
    found += 1;
    if (faults.length < FAULTS_KEPT) faults.push(fault);
  };

  const checkAnchors = ({ seq, hash }: Place, line: number | null): void => {
    if (anchored.get(seq)?.every((anchor) => anchor.hash === hash) !== false) return;
    const text = `the record up to ${seq} is not the one that a checkpoint from elsewhere was signed for`;
    report({ line, seq, problem: 'checkpoint', text });
  };

  const checkHash = (event: Followed, line: number | null): void => {
    const { seq, hash } = event;
    if (computed === null) {
      computed = hash;
      return;
    }
    const candidates = [hashOf(last.hash, event), hashOf(computed, event)];
    computed = candidates.includes(hash) ? hash : (candidates[1] as string);
    if (computed !== hash) {
      report({ line, seq, problem: 'changed', text: `event ${seq} is not what its hash says: it was changed` });
    }
  };

  const checkCheckpoint = ({ seq, facts }: Followed, line: number | null): void => {
    const refuse = (text: string): void => report({ line, seq, problem: 'checkpoint', text });
    const signed = signedPlace(checker.check('checkpoint', factOf(facts, 'jws')));
    if (signed === null) return refuse(`the checkpoint at ${seq} is not signed with this key`);
    if (signed.seq >= seq) return refuse(`the checkpoint at ${seq} speaks of ${signed.seq}, which comes after it`);
    // What comes before the beginning is not in this record.
    if (signed.seq < begin.seq) return;
    const known = held.get(signed.seq);
    if (known === undefined) return refuse(`the checkpoint at ${seq} speaks of ${signed.seq}, which is not there`);
    if (known !== signed.hash) {
      return refuse(`the record up to ${signed.seq} is not the one that the checkpoint at ${seq} was signed for`);
    }
    lastCheckpoint = signed;
  };

  const checkPruning = ({ seq, facts }: Followed, line: number | null): void => {
    const jws = factOf(facts, 'jws');
    if (checker.check('pruned', jws) === null) {
      report({ line, seq, problem: 'pruning', text: `the pruning noted at ${seq} is not signed with this key` });
    } else prunings.add(jws as string);
  };

  const remember = ({ seq, hash }: Place): void => {
    last = { seq, hash };
    held.set(seq, hash);
    // By their number and not by their place: whoever leaves places out does not make it hold more.
    if (held.size > HASHES_HELD) held.delete(held.keys().next().value as number);
  };

  checkAnchors(begin, null);

  return {
    next(event, line) {
      const { seq, hash, kind } = event;
      events += 1;
      if (seq <= last.seq) {
        const text = `event ${seq} comes after ${last.seq}: it is out of place, or there twice`;
        return report({ line, seq, problem: 'out-of-place', text });
      }
      if (seq > last.seq + 1) {
        report({ line, seq, problem: 'missing', text: `${missing(last.seq + 1, seq - 1)} before event ${seq}` });
        computed = null;
      }
      checkHash(event, line);
      checkAnchors({ seq, hash }, line);
      if (kind === 'audit.checkpoint') checkCheckpoint(event, line);
      if (kind === 'audit.pruned') checkPruning(event, line);
      remember(event);
    },
    faults,
    report,
    get found() {
      return found;
    },
    get events() {
      return events;
    },
    get last() {
      return last;
    },
    get lastCheckpoint() {
      return lastCheckpoint;
    },
    notesPruning: (statement) => prunings.has(statement),
  };
}

export const missing = (from: number, to: number): string =>
  from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`;

/** A payload that says of a place what its hash is; null for anything else. */
export function signedPlace(payload: Record<string, unknown> | null): SignedPlace | null {
  const { seq, hash, at } = payload ?? {};
  return Number.isSafeInteger(seq) && typeof hash === 'string' && typeof at === 'string'
    ? { seq: seq as number, hash, at }
    : null;
}

function factOf(facts: string, name: string): unknown {
  try {
    return (JSON.parse(facts) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
