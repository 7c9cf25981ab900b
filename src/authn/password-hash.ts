/**
 * Passwords into hashes, and back into yes or no.
 *
 * Purpose: argon2id (RFC 9106) with a pepper from the keyring, at a bounded rate. Invariant: whatever a caller asks, the
 * work is the same for an account that exists and one that does not, and a password is never cut: what is too long is
 * refused before any work. It refuses to know whose password it is, and whether it is a good one (password-policy.ts).
 */
import { availableParallelism } from 'node:os';
import * as argon2 from 'argon2';
import type { Keyring } from '../platform/keyring.ts';
import { createHashSlots, type Overloaded } from './hash-slots.ts';

export type { Overloaded } from './hash-slots.ts';

/** What one hash costs. `parallelism` is threads within one hash. */
export type HashParameters = {
  readonly memoryKiB: number;
  readonly iterations: number;
  readonly parallelism: number;
};

/** The least that is accepted (OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, t=2, p=1). */
export const HASH_FLOOR: HashParameters = { memoryKiB: 19_456, iterations: 2, parallelism: 1 };

/** In Unicode code points, as given and as normalised. Bounds the work before a hash (ASVS 5.0 §6.2). */
export const LONGEST_PASSWORD = 256;

export type PasswordHasher = {
  /** A new hash, parameters and salt in it; `unusable` for what is too long or no text at all. */
  hash(
    password: string,
    signal?: AbortSignal,
  ): Promise<{ readonly hash: string } | { readonly refused: 'unusable' } | Overloaded>;
  /**
   * Whether `password` made `hash`. `weaker`: it did with less work than today's parameters ask for, or another variant;
   * hash it anew while it is known. Throws when the hash cannot be read.
   */
  verify(
    hash: string,
    password: string,
    signal?: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly weaker: boolean } | Overloaded>;
  /** The work of `verify` for nobody: always ends in `ok: false`. An account nobody has answers as slowly as a wrong password. */
  verifyNothing(
    password: string,
    signal?: AbortSignal,
  ): Promise<{ readonly ok: false; readonly weaker: false } | Overloaded>;
};

/**
 * Throws `RangeError` for parameters under `floor` (tests bring a lower one). `cores` − 1 hashes run at once, so that one
 * core is left for everybody else; `waiting` more are kept in line.
 */
export function createPasswordHasher(needs: {
  readonly keyring: Pick<Keyring, 'derive'>;
  readonly parameters: HashParameters;
  readonly floor?: HashParameters;
  readonly cores?: number;
  readonly waiting?: number;
}): PasswordHasher {
  const { keyring, parameters, floor = HASH_FLOOR, cores = availableParallelism(), waiting = 64 } = needs;
  for (const name of ['memoryKiB', 'iterations', 'parallelism'] as const) {
    if (!(parameters[name] >= floor[name])) {
      throw new RangeError(`passwordHashing.${name} must be at least ${floor[name]}`);
    }
  }
  const secret = keyring.derive('password-pepper');
  const slots = createHashSlots({ atOnce: Math.max(1, cores - 1), waiting });
  const nobody = hashOfNobody(parameters);

  const compare = async (hash: string, password: string, signal: AbortSignal | undefined) => {
    const plain = normalisePassword(password);
    if (plain === null) return { ok: false, weaker: false };
    const ok = await slots.run(() => argon2.verify(hash, plain, { secret }), signal);
    return typeof ok === 'boolean' ? { ok, weaker: ok && isWeaker(hash, parameters) } : ok;
  };

  return {
    async hash(password, signal) {
      const plain = normalisePassword(password);
      if (plain === null) return { refused: 'unusable' };
      const hash = await slots.run(
        () =>
          argon2.hash(plain, {
            type: argon2.argon2id,
            memoryCost: parameters.memoryKiB,
            timeCost: parameters.iterations,
            parallelism: parameters.parallelism,
            secret,
          }),
        signal,
      );
      return typeof hash === 'string' ? { hash } : hash;
    },

    async verify(hash, password, signal) {
      if (!READABLE.test(hash)) throw new Error('a stored password hash cannot be read');
      return compare(hash, password, signal);
    },

    async verifyNothing(password, signal) {
      const outcome = await compare(nobody, password, signal);
      return 'refused' in outcome ? outcome : { ok: false, weaker: false };
    },
  };
}

/**
 * The password as it is hashed: NFKC, so that two keyboards that spell one character differently open one door
 * (NIST SP 800-63B-4 §3.1.1.2). Null when it is longer than `LONGEST_PASSWORD` or holds half a character.
 */
export function normalisePassword(password: string): string | null {
  // Two UTF-16 units at most make a code point: what is longer need not be counted.
  if (password.length > LONGEST_PASSWORD * 2 || !password.isWellFormed()) return null;
  if (countCodePoints(password) > LONGEST_PASSWORD) return null;
  // Normalising may lengthen (U+FDFA becomes 18 characters).
  const plain = password.normalize('NFKC');
  return countCodePoints(plain) > LONGEST_PASSWORD ? null : plain;
}

/** How long a password is: in code points (NIST SP 800-63B-4 §3.1.1.2). */
export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const READABLE = /^\$argon2(id|i|d)\$v=\d+\$[a-z]+=[^$]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/;

// Fewer threads are not less work, so `p` is no reason to hash anew.
function isWeaker(hash: string, wanted: HashParameters): boolean {
  const [, variant, version, costs = ''] = hash.split('$');
  const cost = (name: string): number => Number(new RegExp(`(?:^|,)${name}=(\\d+)`).exec(costs)?.[1]);
  const strong =
    variant === 'argon2id' && version === 'v=19' && cost('m') >= wanted.memoryKiB && cost('t') >= wanted.iterations;
  return !strong;
}

// In the PHC string format, costing exactly what a real one costs. No password is known to make it, and a hit is not told.
function hashOfNobody({ memoryKiB, iterations, parallelism }: HashParameters): string {
  const [salt, digest] = [16, 32].map((bytes) => Buffer.alloc(bytes).toString('base64').replace(/=+$/, ''));
  return `$argon2id$v=19$m=${memoryKiB},t=${iterations},p=${parallelism}$${salt}$${digest}`;
}
