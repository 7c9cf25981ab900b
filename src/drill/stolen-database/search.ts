/**
 * Looking for thousands of needles in gigabytes at once.
 *
 * Invariant: a needle that stands somewhere in the bytes is found, in whatever case its letters are, and across the seam of two
 * chunks as well. Time goes with the bytes and hardly with the needles: every needle is known by its first four bytes, and a
 * place whose four bytes begin none is passed over.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { gunzipSync, inflateSync } from 'node:zlib';

import { lowered, type Needle } from './spellings.ts';

export type Matcher = {
  /** The needles that stand in these bytes. */
  in(bytes: Uint8Array): Set<Needle>;
  readonly longest: number;
};

const FILTER_BITS = 20;
const MULTIPLIER = 0x9e37_79b1;
const FOLD = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));

export function createMatcher(needles: readonly Needle[]): Matcher {
  const filter = new Uint8Array(1 << FILTER_BITS);
  const byStart = new Map<number, { readonly needle: Needle; readonly folded: Buffer }[]>();
  for (const needle of needles) {
    const folded = lowered(needle.bytes);
    const start = folded.readInt32BE(0);
    filter[Math.imul(start, MULTIPLIER) >>> (32 - FILTER_BITS)] = 1;
    byStart.set(start, [...(byStart.get(start) ?? []), { needle, folded }]);
  }
  const standsAt = (bytes: Uint8Array, at: number, folded: Buffer): boolean => {
    if (at + folded.length > bytes.length) return false;
    for (let nth = 4; nth < folded.length; nth += 1) {
      if (FOLD[bytes[at + nth] as number] !== folded[nth]) return false;
    }
    return true;
  };
  return {
    longest: needles.reduce((most, { bytes }) => Math.max(most, bytes.length), 0),
    in(bytes) {
      const found = new Set<Needle>();
      let window = 0;
      for (let at = 0; at < bytes.length; at += 1) {
        window = (window << 8) | (FOLD[bytes[at] as number] as number);
        if (filter[Math.imul(window, MULTIPLIER) >>> (32 - FILTER_BITS)] === 0 || at < 3) continue;
        for (const { needle, folded } of byStart.get(window) ?? []) {
          if (!found.has(needle) && standsAt(bytes, at - 3, folded)) found.add(needle);
        }
      }
      return found;
    },
  };
}

const CHUNK_BYTES = 1 << 20;

/** The needles that stand in a file; a turn of the event loop for each megabyte, so that it can be stopped. */
export async function searchFile(
  path: string,
  matcher: Matcher,
  { signal, seen }: { readonly signal: AbortSignal; readonly seen: (bytes: number) => void },
): Promise<Set<Needle>> {
  const file = openSync(path, 'r');
  try {
    const found = new Set<Needle>();
    const overlap = Math.max(0, matcher.longest - 1);
    const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
    const { size } = fstatSync(file);
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      signal.throwIfAborted();
      const length = readSync(file, chunk, 0, chunk.length, at);
      for (const needle of matcher.in(chunk.subarray(0, length))) found.add(needle);
      seen(Math.min(CHUNK_BYTES, size - at));
      await new Promise(setImmediate);
    }
    return found;
  } finally {
    closeSync(file);
  }
}

const MOST_INFLATED = 1 << 20;

/** What comes out of a value that is compressed, or base64 of that; null when it is neither. */
export function inflated(value: string | Uint8Array): Buffer | null {
  const bytes =
    typeof value === 'string' ? (/^(H4sI|eJ|eN|eA|eF|eV)/.test(value) ? Buffer.from(value, 'base64') : null) : value;
  if (bytes === null || bytes.length < 8) return null;
  const [first = 0, second = 0] = bytes;
  try {
    if (first === 0x1f && second === 0x8b) return gunzipSync(bytes, { maxOutputLength: MOST_INFLATED });
    // RFC 1950 §2.2: the two bytes are a multiple of 31.
    if (first === 0x78 && (first * 256 + second) % 31 === 0) {
      return inflateSync(bytes, { maxOutputLength: MOST_INFLATED });
    }
  } catch {
    // It only looked like it.
  }
  return null;
}
