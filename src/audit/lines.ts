/**
 * The record as a file: lines of JSON, of which each has exactly one spelling.
 *
 * The first is a signed header: from which place to which, and the hashes there. Then one line for each event, in order. A line
 * is read by writing again what was read of it, and only what comes out the same was written so: an edit of a single byte is
 * seen, wherever it is. docs/audit.md describes the format for people.
 */
import { z } from 'zod';

import type { EventRecord } from '../store/journal.ts';
import { commitmentOf } from './details.ts';
import type { Followed } from './follow.ts';
import type { Checker, Signer } from './signed.ts';

const FORMAT = 'curfew-audit-1';

export type Header = {
  /** The first place in the file, and the hash of the event before it. */
  readonly from: number;
  readonly previous: string;
  /** The last place in the file and its hash: the ones before, when there is no event. */
  readonly through: number;
  readonly head: string;
  /** When it was exported. */
  readonly at: string;
  readonly issuer: string;
  readonly kid: string;
  /** Whether details are in it. */
  readonly revealed: boolean;
};

const HeaderLine = z.strictObject({
  format: z.literal(FORMAT),
  from: z.int().min(1),
  previous: z.string(),
  through: z.int().min(0),
  head: z.string(),
  at: z.string(),
  issuer: z.string(),
  kid: z.string(),
  revealed: z.boolean(),
  jws: z.string(),
});

const Actor = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('account'), accountId: z.string() }),
  z.strictObject({ kind: z.literal('client'), clientId: z.string() }),
  z.strictObject({ kind: z.literal('operator') }),
  z.strictObject({ kind: z.literal('system') }),
]);

/** SHA-256. '' of an event that nothing could be committed to. */
const Digest = z.string().regex(/^[\w-]{43}$/);

const EventLine = z.strictObject({
  seq: z.int().min(1),
  id: z.string(),
  at: z.iso.datetime({ precision: 3 }),
  kind: z.string(),
  outcome: z.string(),
  accountId: z.string().nullable(),
  actor: Actor,
  // No deeper: whatever is in a file can be written again.
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  commitment: Digest.or(z.literal('')),
  hash: Digest,
  detail: z.string().optional(),
  erased: z.string().optional(),
});

/** What of a detail stands in a file: its plaintext, or the statement that it was forgotten. */
export type Revealed = { readonly detail: string } | { readonly erased: string } | null;

export function headerLine(header: Header, signer: Signer): string {
  return headerText(header, signer.sign('export', header));
}

const headerText = ({ from, previous, through, head, at, issuer, kid, revealed }: Header, jws: string): string =>
  JSON.stringify({ format: FORMAT, from, previous, through, head, at, issuer, kid, revealed, jws });

/** The header; what is wrong with it, in words for people, when it is not the one that was written and signed. */
export function readHeader(raw: Buffer, checker: Checker): Header | string {
  const parsed = HeaderLine.safeParse(json(raw));
  if (!parsed.success) return 'the first line is not the header of an exported record';
  const { format: _format, jws, ...header } = parsed.data;
  if (!raw.equals(Buffer.from(headerText(header, jws)))) return 'the header is not as it was written';
  const signed = checker.check('export', jws);
  if (signed === null) return `the header is not signed with the key ${checker.kid}`;
  return JSON.stringify(signed) === JSON.stringify(header) ? header : 'the header is not the one that was signed';
}

export function eventLine(event: Followed, revealed: Revealed): string {
  const { seq, id, at, kind, outcome, accountId, actor, facts, commitment, hash } = event;
  const told = { seq, id, at: at.toISOString(), kind, outcome, accountId, actor: spelled(actor) };
  return JSON.stringify({ ...told, facts: JSON.parse(facts) as unknown, commitment, hash, ...revealed });
}

/** In one order, whichever the engine gives it in. */
function spelled(actor: EventRecord['actor']): EventRecord['actor'] {
  if (actor.kind === 'account') return { kind: 'account', accountId: actor.accountId };
  return actor.kind === 'client' ? { kind: 'client', clientId: actor.clientId } : { kind: actor.kind };
}

export type ReadLine =
  | { readonly event: Followed; readonly revealed: Revealed }
  | { readonly problem: 'not-a-record' | 'not-as-written'; readonly seq: number | null };

export function readEvent(raw: Buffer): ReadLine {
  const content = json(raw);
  const parsed = EventLine.safeParse(content);
  if (!parsed.success) return { problem: 'not-a-record', seq: seqOf(content) };
  const { at, facts, detail, erased, ...rest } = parsed.data;
  const event: Followed = { ...rest, at: new Date(at), facts: JSON.stringify(facts) };
  const revealed = detail === undefined ? (erased === undefined ? null : { erased }) : { detail };
  return raw.equals(Buffer.from(eventLine(event, revealed)))
    ? { event, revealed }
    : { problem: 'not-as-written', seq: event.seq };
}

/** What is wrong with what a file says of a detail, in words for people; null when nothing is. */
export function faultOfDetail(
  event: Followed,
  revealed: Revealed,
  { revealed: all, at }: Header,
  checker: Checker,
): string | null {
  if (revealed === null) return all ? 'its detail is not there' : null;
  if (!all) return 'it has a detail, and the header says that none is in the file';
  if ('detail' in revealed) {
    return commitmentOf(revealed.detail) === event.commitment ? null : 'its detail is not what was committed to';
  }
  const said = checker.check('erased', revealed.erased) ?? {};
  // At this export: one of a later file does not take the place of what this one held.
  return said['id'] === event.id && said['commitment'] === event.commitment && said['at'] === at
    ? null
    : 'nobody vouches that its detail was forgotten';
}

function json(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function seqOf(content: unknown): number | null {
  const seq = typeof content === 'object' && content !== null && 'seq' in content ? content.seq : null;
  return typeof seq === 'number' ? seq : null;
}
