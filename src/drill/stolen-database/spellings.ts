/**
 * The ways in which a value may have been written down: as it is, in other letters, backwards, and, where it can be guessed, as a
 * digest without a key.
 */
import { hash } from 'node:crypto';

/** Something that must be readable nowhere. `what` names it to people; the value itself is never shown. */
export type Canary = {
  readonly what: string;
  readonly value: string | Buffer;
  /** Few enough of its kind exist to try them all: a digest of it without a key is as good as the value. */
  readonly guessable?: boolean;
};

export type Needle = { readonly canary: Canary; readonly spelling: string; readonly bytes: Buffer };

/** What is shorter turns up by chance. */
const SHORTEST = 6;
/** Parts of what was encoded together with its neighbours: the letters at the seams are theirs. */
const SHORTEST_PART = 8;
const DIGESTS = ['sha256', 'sha1', 'md5', 'sha512'] as const;

export function needlesOf(canaries: readonly Canary[]): Needle[] {
  return canaries.flatMap((canary) => {
    const all = new Map<string, Needle>();
    for (const [spelling, bytes] of spellings(canary)) {
      const key = lowered(bytes).toString('latin1');
      if (bytes.length >= SHORTEST && !all.has(key)) all.set(key, { canary, spelling, bytes });
    }
    return [...all.values()];
  });
}

/** Upper and lower case are the same to whoever looks, so hexadecimal is here once. */
function* spellings({ value, guessable = false }: Canary): Generator<readonly [string, Buffer]> {
  const bytes = Buffer.from(value as string);
  yield ['as it is', bytes];
  yield ['in hexadecimal', Buffer.from(bytes.toString('hex'))];
  for (const part of base64Parts(bytes)) {
    yield ['in base64', Buffer.from(part)];
    yield ['in base64url', Buffer.from(part.replaceAll('+', '-').replaceAll('/', '_'))];
  }
  yield ['backwards', Buffer.from(bytes.toReversed())];
  if (typeof value === 'string') {
    yield ['percent-encoded', Buffer.from(encodeURIComponent(value))];
    yield ['as in a form', Buffer.from(new URLSearchParams({ v: value }).toString().slice(2))];
    yield ['as in JSON', Buffer.from(JSON.stringify(value).slice(1, -1))];
    yield ['as in JSON', Buffer.from(escaped(value))];
    const wide = Buffer.from(value, 'utf16le');
    yield ['in UTF-16', wide];
    yield ['in UTF-16', Buffer.from(wide).swap16()];
  } else yield ['in base32', Buffer.from(base32(bytes))];
  if (!guessable) return;
  const plain = new Set([bytes.toString('utf8'), bytes.toString('utf8').toLowerCase()]);
  for (const algorithm of DIGESTS) {
    for (const text of plain) {
      const digest = hash(algorithm, text, 'buffer');
      yield [`its ${algorithm.toUpperCase()}`, digest];
      yield [`its ${algorithm.toUpperCase()}`, Buffer.from(digest.toString('hex'))];
      for (const part of [digest.toString('base64'), digest.toString('base64url')]) {
        yield [`its ${algorithm.toUpperCase()}`, Buffer.from(part.replaceAll('=', ''))];
      }
    }
  }
}

/** What is certain to stand in the base64 of anything that holds these bytes, wherever in it they begin. */
function base64Parts(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
    const whole = shifted.subarray(0, shifted.length - (shifted.length % 3));
    const part = whole.toString('base64').slice(shift === 0 ? 0 : 4);
    return part.length >= SHORTEST_PART ? [part] : [];
  });
}

/** Every letter that is not ASCII escaped, as some writers of JSON do (RFC 8259 §7). */
function escaped(value: string): string {
  return JSON.stringify(value)
    .slice(1, -1)
    .replaceAll(/[^\x20-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6, without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}

/** The bytes that a text in base32 stands for; null when it is none. */
export function fromBase32(text: string): Buffer | null {
  const plain = text.toUpperCase().replaceAll(/[\s=-]/g, '');
  if (!/^[A-Z2-7]{16,128}$/.test(plain)) return null;
  const bits = [...plain].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** ASCII letters in lower case, every other byte as it is. */
export function lowered(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}
