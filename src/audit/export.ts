/**
 * Writing the record out, line by line: the header first, signed, then every event from one place to another, each followed as
 * whoever verifies the file will follow it. What is broken is written as it is, and said.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { EventRecord, JournalRepository } from '../store/journal.ts';
import type { AuditKey } from './audit-key.ts';
import { type Chain, placeOf } from './chain.ts';
import { sealedDetails } from './details.ts';
import { follow, type Following, type Place } from './follow.ts';
import { eventLine, headerLine, type Revealed } from './lines.ts';
import { BEGINNING } from './record-hash.ts';

const PAGE = 500;

export type ExportOptions = {
  /** Of events that happened no earlier; all without it. */
  readonly since?: Date | undefined;
  readonly reveal: boolean;
};

export type Exported = {
  /** Lines without their newline, a page at a time, and how far it is. */
  readonly pages: AsyncIterable<{ readonly lines: readonly string[]; readonly done: number; readonly total: number }>;
  /** What was found wrong so far. */
  readonly following: Following;
};

export async function exportRecord(
  {
    store,
    chain,
    keyring,
    clock,
    issuer,
    key: { signer, checker },
  }: {
    readonly store: JournalRepository;
    readonly chain: Chain;
    readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
    readonly clock: Pick<Clock, 'now'>;
    readonly issuer: string;
    readonly key: AuditKey;
  },
  { since, reveal }: ExportOptions,
): Promise<Exported> {
  await chain.checkpoint();
  const head = (await store.head()) ?? { seq: 0, hash: BEGINNING };
  const beginning = await chain.beginning();
  const from = since === undefined ? beginning.seq + 1 : await chain.firstSince(since);
  const before = await placeBefore(store, from, beginning);
  const following = follow({ checker, begin: before });
  const header = {
    from,
    previous: before.hash,
    through: head.seq,
    head: head.hash,
    at: clock.now().toISOString(),
    issuer,
    kid: signer.kid,
    revealed: reveal,
  };
  const details = sealedDetails(keyring);
  const total = head.seq - before.seq;

  const revealedOf = (event: EventRecord): Revealed => {
    if (!reveal) return null;
    const { id, commitment, sealed, seq } = event;
    if (sealed === '') return { erased: signer.sign('erased', { id, commitment, at: header.at }) };
    try {
      return { detail: details.open(id, sealed) };
    } catch {
      following.report({ line: null, seq, problem: 'detail', text: `event ${seq}: its detail does not open` });
      return null;
    }
  };

  async function* pages() {
    yield { lines: [headerLine(header, signer)], done: 0, total };
    for (let last = before.seq; last < head.seq;) {
      const events = (await store.chained({ after: last, limit: PAGE })).filter(({ seq }) => (seq ?? 0) <= head.seq);
      if (events.length === 0) {
        const text = `the store ends with ${last}, and its chain goes through ${head.seq}`;
        following.report({ line: null, seq: last, problem: 'cut-off', text });
        return;
      }
      const lines = events.map((event) => {
        const followed = { ...event, ...placeOf(event) };
        following.next(followed, null);
        return eventLine(followed, revealedOf(event));
      });
      last = events.at(-1)?.seq ?? head.seq;
      yield { lines, done: last - before.seq, total };
    }
  }
  return { pages: pages(), following };
}

async function placeBefore(store: JournalRepository, from: number, beginning: Place): Promise<Place> {
  if (from <= beginning.seq + 1) return { seq: beginning.seq, hash: beginning.hash };
  const [event] = await store.chained({ after: from - 2, limit: 1 });
  return event === undefined ? { seq: from - 1, hash: BEGINNING } : placeOf(event);
}
