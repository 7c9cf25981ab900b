/** Randomness for identifiers, in one place. Not for keys: those come from the keyring. */
import { randomBytes as draw } from 'node:crypto';

/** 128 random bits, base64url: unguessable, and unique without asking anybody. */
export function randomId(): string {
  return draw(16).toString('base64url');
}

/** 256 random bits, base64url: for values that open a door (client secrets). */
export function randomSecret(): string {
  return draw(32).toString('base64url');
}

/** For what is written in an alphabet of its own (recovery codes), or handed to a device (challenges). */
export function randomBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(draw(bytes));
}
