/** Randomness for identifiers, in one place. Not for keys: those come from the keyring. */
import { randomBytes } from 'node:crypto';

/** 128 random bits, base64url: unguessable, and unique without asking anybody. */
export function randomId(): string {
  return randomBytes(16).toString('base64url');
}

/** 256 random bits, base64url: for values that open a door (client secrets). */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}
