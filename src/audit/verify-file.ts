/**
 * Checking an exported record with nothing but the public key: no store, no keyring, no configuration, in memory that does not
 * grow with the file.
 */
import { follow, type Fault, type Followed, type Following, missing, type SignedPlace } from './follow.ts';
import { faultOfDetail, type Header, readEvent, readHeader } from './lines.ts';
import type { Checker } from './signed.ts';

/** A line that is longer is none of ours. */
const LONGEST_LINE = 1_048_576;
const NEWLINE = 0x0a;

export type Verified = {
  readonly ok: boolean;
  readonly faults: readonly Fault[];
  /** How many there were, those that are not listed included. */
  readonly found: number;
  readonly events: number;
  /** The first place and the last, as far as the record was read. */
  readonly from: number;
  readonly through: number;
  readonly head: string;
  readonly lastCheckpoint: SignedPlace | null;
  readonly issuer: string | null;
  readonly exportedAt: string | null;
  readonly kid: string;
};

/** `anchors`: signed checkpoints that were kept elsewhere, in logs. */
export async function verifyFile(
  chunks: AsyncIterable<Uint8Array>,
  { checker, anchors = [] }: { readonly checker: Checker; readonly anchors?: readonly SignedPlace[] },
): Promise<Verified> {
  let header: Header | undefined;
  let following: Following | undefined;
  let line = 0;
  let cut = false;
  for await (const { bytes, whole } of linesOf(chunks)) {
    line += 1;
    cut = !whole;
    if (following === undefined || header === undefined) {
      const read = readHeader(bytes, checker);
      if (typeof read === 'string') return unreadable(read, checker);
      header = read;
      const begin = { seq: header.from - 1, hash: header.previous };
      following = follow({ checker, begin, anchors });
      continue;
    }
    readLine(bytes, line, header, following, checker);
  }
  if (following === undefined || header === undefined) return unreadable('there is nothing in it', checker);
  if (cut) {
    const text = 'the file does not end with the end of a line: it was cut off';
    following.report({ line, seq: null, problem: 'cut-off', text });
  }
  checkEnd(header, following, line);
  checkAnchors(anchors, following, line);
  const { faults, found, events, last, lastCheckpoint } = following;
  const place = { from: header.from, through: last.seq, head: last.hash };
  const said = { issuer: header.issuer, exportedAt: header.at, kid: checker.kid };
  return { ok: found === 0, faults, found, events, ...place, lastCheckpoint, ...said };
}

function readLine(bytes: Buffer, line: number, header: Header, following: Following, checker: Checker): void {
  const read = readEvent(bytes);
  if ('problem' in read) {
    const { problem, seq } = read;
    const what = problem === 'not-a-record' ? 'is no event' : 'is not as it was written';
    following.report({ line, seq, problem, text: `line ${line} ${what}` });
    // Of one that can be read, the rest is followed all the same.
    return;
  }
  const { event, revealed } = read;
  if (event.seq > header.through) {
    const text = `event ${event.seq} is in a file that ends, says its header, with ${header.through}`;
    following.report({ line, seq: event.seq, problem: 'too-much', text });
  }
  following.next(event, line);
  const fault = faultOfDetail(event, revealed, header, checker);
  if (fault !== null) following.report(faultAt(event, line, fault));
}

const faultAt = ({ seq }: Followed, line: number, text: string): Fault => ({
  line,
  seq,
  problem: 'detail',
  text: `event ${seq}: ${text}`,
});

function checkEnd({ through, head }: Header, following: Following, line: number): void {
  const { last } = following;
  if (last.seq < through) {
    const text = `${missing(last.seq + 1, through)} at the end: the header says that it goes through ${through}`;
    following.report({ line, seq: last.seq, problem: 'cut-off', text });
  } else if (last.seq === through && last.hash !== head) {
    const text = `event ${last.seq} is not the one that the header says it ends with`;
    following.report({ line, seq: last.seq, problem: 'changed', text });
  }
}

export function checkAnchors(anchors: readonly SignedPlace[], following: Following, line: number | null): void {
  const beyond = anchors.reduce<SignedPlace | null>(
    (furthest, each) => (each.seq > (furthest?.seq ?? following.last.seq) ? each : furthest),
    null,
  );
  if (beyond === null) return;
  const text = `it ends with ${following.last.seq}, and a checkpoint of ${beyond.at} was signed for ${beyond.seq}`;
  following.report({ line, seq: following.last.seq, problem: 'cut-off', text });
}

function unreadable(text: string, { kid }: Checker): Verified {
  const faults: readonly Fault[] = [{ line: 1, seq: null, problem: 'header', text }];
  const nothing = { events: 0, from: 0, through: 0, head: '', lastCheckpoint: null, issuer: null, exportedAt: null };
  return { ok: false, faults, found: 1, ...nothing, kid };
}

/** Lines as their bytes. `whole`: it ended with a newline. */
async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly bytes: Buffer; readonly whole: boolean }> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield { bytes: Buffer.concat([...parts, rest.subarray(0, end)]), whole: true };
      parts = [];
      length = 0;
      rest = rest.subarray(end + 1);
    }
    // Whatever comes after is not kept: it is no line of ours already.
    if (length <= LONGEST_LINE && rest.length > 0) parts.push(rest);
    length += rest.length;
  }
  if (length > 0) yield { bytes: Buffer.concat(parts), whole: false };
}
