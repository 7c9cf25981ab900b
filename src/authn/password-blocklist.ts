/**
 * Passwords everybody tries first.
 *
 * Purpose: say whether a password is in the offline list of breached ones. Invariant: nothing leaves the machine, and the
 * list in the repository holds no readable password: each entry is the first 8 bytes of the SHA-256 of its folded form,
 * sorted, without a header. It refuses to know what follows from a hit.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes kept of each entry: a chance hit among 150 000 entries is one in 10^14. */
const ENTRY_BYTES = 8;

export type PasswordBlocklist = {
  /** Whether the password is in the list, in any case of its letters. */
  has(password: string): boolean;
};

/** How passwords are compared with the list: NFKC, lower case. */
export const foldPassword = (password: string): string => password.normalize('NFKC').toLowerCase();

/** The entry that stands for a password. */
export const blocklistEntry = (password: string): Buffer =>
  hash('sha256', foldPassword(password), 'buffer').subarray(0, ENTRY_BYTES);

const SHIPPED = join(import.meta.dirname, '../../config/password-blocklist.bin');

/** The list at `path`, by default the one that comes with Curfew, read at first use. Throws then if it cannot be. */
export function openBlocklist(path: string = SHIPPED): PasswordBlocklist {
  let entries: Buffer | undefined;
  return {
    has(password) {
      entries ??= read(path);
      return includes(entries, blocklistEntry(password).readBigUInt64BE());
    },
  };
}

function read(path: string): Buffer {
  let entries: Buffer;
  try {
    entries = readFileSync(path);
  } catch (cause) {
    throw new Error('the password blocklist cannot be read', { cause });
  }
  if (entries.length === 0 || entries.length % ENTRY_BYTES !== 0) {
    throw new Error('the password blocklist is empty or cut');
  }
  return entries;
}

function includes(sorted: Buffer, wanted: bigint): boolean {
  let low = 0;
  let high = sorted.length / ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = sorted.readBigUInt64BE(middle * ENTRY_BYTES);
    if (entry === wanted) return true;
    if (entry < wanted) low = middle + 1;
    else high = middle;
  }
  return false;
}
