/** Keys nobody has used yet, drawn ahead: a row that is written again unchanged costs SQLite no page, and proves nothing. */
import { randomFillSync } from 'node:crypto';

const KEY_BYTES = 32;
const AHEAD = 50_000;

export function freshKeys(): () => Uint8Array {
  let pool = new Uint8Array(0);
  let used = 0;
  return () => {
    if (used === pool.length) {
      pool = randomFillSync(new Uint8Array(KEY_BYTES * AHEAD));
      used = 0;
    }
    used += KEY_BYTES;
    return pool.subarray(used - KEY_BYTES, used);
  };
}
