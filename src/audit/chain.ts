/**
 * Giving events their places in the chain, signing where it ends, and deleting its beginning in time.
 *
 * Safe to do by several processes at once (store/journal.ts says why); one does it, so that the others need not. Nothing here is
 * waited for by whoever something happens to. What it refuses: to delete a part of the record that is not what was written.
 */
import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { EventRecord, Head, JournalRepository } from '../store/journal.ts';
import type { CatalogueRepository } from '../store/port.ts';
import type { AuditKey } from './audit-key.ts';
import { sealedDetails } from './details.ts';
import { follow, type Place, type SignedPlace, signedPlace } from './follow.ts';
import { newRecord } from './journal.ts';
import { BEGINNING, hashOf } from './record-hash.ts';

/** The fact that says where the record begins: the statement of the last pruning. Not there while it begins at 1. */
const BEGINNING_FACT = 'audit-beginning';

const BATCH = 500;
const PAGE = 1000;
const DAY_SECONDS = 86_400;

export type ChainNeeds = {
  readonly store: JournalRepository;
  readonly catalogue: Pick<CatalogueRepository, 'fact' | 'changeFact'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly key: () => Promise<AuditKey>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'info' | 'error'>;
  readonly keepDays: number;
};

export type Chain = {
  /** Gives a place to every event that was written before this was called. Resolves to how many it gave. */
  extend(signal?: AbortSignal): Promise<number>;
  /** Signs where the chain ends, if there is anything after the last checkpoint; null when there is not. */
  checkpoint(): Promise<SignedPlace | null>;
  /** Deletes what is older than it is kept for, and finishes what an earlier call began. Resolves to how many events. */
  prune(signal?: AbortSignal): Promise<number>;
  /** The place before the first event that is kept, and the statement that vouches for it. */
  beginning(): Promise<Place & { readonly vouchedBy: string | null }>;
  /** The first event from `from` on that is no older than `at`, as far as events are in the order of their instants. */
  firstSince(at: Date): Promise<number>;
};

export function createChain({ store, catalogue, keyring, key, clock, log, keepDays }: ChainNeeds): Chain {
  const details = sealedDetails(keyring);
  const at = async (seq: number): Promise<EventRecord | null> => {
    const [event] = await store.chained({ after: seq - 1, limit: 1 });
    return event?.seq === seq ? event : null;
  };

  /** What was written before there were commitments is given one, so that it can be forgotten like the rest. */
  const commitTo = async (events: readonly EventRecord[], broken: Set<string>): Promise<void> => {
    const changes = events.flatMap(({ id, sealed: from }) => {
      try {
        return [{ id, from, ...details.seal(id, details.open(id, from)) }];
      } catch (err) {
        // It goes into the chain as it is, and whoever verifies it is told.
        broken.add(id);
        log.error({ err, eventId: id }, 'audit.not-committed');
        return [];
      }
    });
    await store.commit(changes);
  };

  const extend: Chain['extend'] = async (signal) => {
    const broken = new Set<string>();
    for (let chained = 0; ;) {
      if (signal?.aborted) return chained;
      // In this order: what is unchained after the end is known has no place before it.
      const head = await store.head();
      const events = await store.unchained(BATCH);
      if (events.length === 0) return chained;
      const uncommitted = events.filter((each) => each.commitment === '' && each.sealed !== '' && !broken.has(each.id));
      if (uncommitted.length > 0) {
        await commitTo(uncommitted, broken);
        continue;
      }
      if (!(await store.chain({ after: head, events: linksFrom(head, events) }))) continue;
      chained += events.length;
      if (events.length < BATCH) return chained;
    }
  };

  /** Written where it must not be missing: a fault is the caller's. */
  const note = async (kind: 'audit.checkpoint' | 'audit.pruned', jws: string): Promise<void> => {
    await store.append([newRecord({ kind, accountId: null, facts: { jws } }, { details, now: clock.now() })]);
    await extend();
  };

  const signHead = async (): Promise<SignedPlace | null> => {
    const head = await store.head();
    if (head === null) return null;
    const last = await at(head.seq);
    if (last?.kind === 'audit.checkpoint') return null;
    const { signer } = await key();
    const payload = { seq: head.seq, hash: head.hash, at: clock.now().toISOString() };
    const jws = signer.sign('checkpoint', payload);
    await note('audit.checkpoint', jws);
    // The signature alone, since a log keeps no tokens; with the rest of the line it is the whole statement.
    const signature = jws.split('.').at(-1);
    log.info({ seq: head.seq, head: head.hash, signedAt: payload.at, kid: signer.kid, signature }, 'audit.checkpoint');
    return payload;
  };

  const beginning: Chain['beginning'] = async () => {
    const jws = await catalogue.fact(BEGINNING_FACT);
    const place = jws === null ? null : prunedPlace((await key()).checker.check('pruned', jws));
    return place === null ? { seq: 0, hash: BEGINNING, vouchedBy: null } : { ...place, vouchedBy: jws };
  };

  const deleteThrough = async (through: number, signal?: AbortSignal): Promise<number> => {
    for (let deleted = 0; ;) {
      const some = signal?.aborted ? 0 : await store.prune({ through, limit: PAGE });
      if (some === 0) return deleted;
      deleted += some;
    }
  };

  /** The last place whose event, and by the order of the chain every one before it, was before `instant`. */
  const lastBefore = async (instant: Date, after: number, end: number): Promise<number> => {
    let [low, high] = [after, end];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const event = await at(middle);
      if (event !== null && event.at < instant) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  /** The place that `through` is, if everything up to it is what was written; null if it is not. */
  const provenPlace = async (begin: Place, through: number): Promise<Place | null> => {
    const following = follow({ checker: (await key()).checker, begin });
    while (following.last.seq < through) {
      const events = await store.chained({ after: following.last.seq, limit: PAGE });
      if (events.length === 0) return null;
      for (const event of events) {
        if ((event.seq ?? 0) <= through) following.next({ ...event, ...placeOf(event) }, null);
        if (following.found === 0) continue;
        log.error({ fault: following.faults[0]?.text }, 'audit.not-pruned');
        return null;
      }
    }
    return following.last;
  };

  return {
    extend,
    async checkpoint() {
      await extend();
      return signHead();
    },
    beginning,
    async firstSince(instant) {
      const [begin, head] = [await beginning(), await store.head()];
      return (await lastBefore(instant, begin.seq, head?.seq ?? begin.seq)) + 1;
    },
    async prune(signal) {
      const begin = await beginning();
      const unfinished = await deleteThrough(begin.seq, signal);
      const now = clock.now();
      const oldest = await at(begin.seq + 1);
      // A day's worth at a time, so that there is one statement of it a day.
      if (oldest === null || oldest.at >= addSeconds(now, -(keepDays + 1) * DAY_SECONDS)) return unfinished;
      const end = (await store.head())?.seq ?? 0;
      const through = await lastBefore(addSeconds(now, -keepDays * DAY_SECONDS), begin.seq, end - 1);
      const place = await provenPlace(begin, through);
      if (place === null || signal?.aborted || place.seq === begin.seq) return unfinished;
      const { signer } = await key();
      const jws = signer.sign('pruned', { through: place.seq, hash: place.hash, at: now.toISOString() });
      // First it stands in the record, then it counts, then it is done: cut off anywhere, the record is whole, and what is
      // left to delete is deleted by the next call.
      await note('audit.pruned', jws);
      const from = begin.vouchedBy;
      if (!(await catalogue.changeFact({ fact: BEGINNING_FACT, from, to: jws }))) return unfinished;
      const deleted = await deleteThrough(place.seq, signal);
      log.info({ through: place.seq, head: place.hash, deleted, signature: jws.split('.').at(-1) }, 'audit.pruned');
      return unfinished + deleted;
    },
  };
}

/** The places after `head`, in order. */
function linksFrom(head: Head | null, events: readonly EventRecord[]): { id: string; hash: string }[] {
  let previous = head?.hash ?? BEGINNING;
  return events.map((event, index) => {
    previous = hashOf(previous, { ...event, seq: (head?.seq ?? 0) + 1 + index });
    return { id: event.id, hash: previous };
  });
}

export const placeOf = ({ seq, hash }: Pick<EventRecord, 'seq' | 'hash'>): Place => ({
  seq: seq ?? 0,
  hash: hash ?? '',
});

/** What a statement of a pruning says of the last place that was deleted. */
function prunedPlace(payload: Record<string, unknown> | null): SignedPlace | null {
  return payload === null ? null : signedPlace({ ...payload, seq: payload['through'] });
}
