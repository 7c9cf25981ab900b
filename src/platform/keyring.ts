/**
 * The keys that are not in the database.
 *
 * Purpose: everything in the store that says who a person is, or that opens a door, is sealed with a key kept in one file
 * outside it, so that a stolen database is worth nothing. Invariant: a sealed value opens only for the purpose, record and
 * field it was sealed for, and only unchanged; no key and no plaintext is ever part of an error. It refuses to know what
 * is sealed, where it is stored and when keys rotate.
 *
 * Two roots, because they age differently. `keys` seal: a new version may be appended at any time, values are re-sealed
 * at leisure, old versions are then retired. `index` is for what can only be compared, never re-made without the value:
 * blind indexes, MACs kept as lookup keys, the password pepper. It outlives every rotation; to change it is to start anew.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { type Clock, systemClock } from './clock.ts';
import { type KeyringFile, KeyringProblem } from './keyring-file.ts';

export { createKeyring, KeyringProblem, loadKeyring, retireKeys, rotateKeyring } from './keyring-file.ts';
export type { KeyringFile, KeyringProblemKind } from './keyring-file.ts';

/** Which record a sealed value belongs to. Bound into the seal: a value copied to another record or field stays shut. */
export type SealContext = { collection: string; field: string; id: string };

/** Everything a seal is bound to. Whoever seals names it in one place, which whoever seals anew reads as well. */
export type SealBinding = readonly [purpose: string, context: SealContext];

/** One of a keyring's sealing keys, told apart from another one of the same version. */
export type SealingKey = { readonly version: number; readonly fingerprint: string };

/** An opened keyring. `purpose` is a constant of the calling room (`account.email`): each has a key of its own. */
export type Keyring = {
  /** The key version that seals now: the newest, until told otherwise. */
  readonly current: number;
  /** Every version that can still unseal, oldest first. */
  readonly versions: readonly number[];
  /**
   * Seals text for one field of one record: `v1.<key version>.<iv, ciphertext, tag>`, the last part in base64url.
   * AES-256-GCM with a random 96-bit IV: rotate well before 2^32 seals under one purpose (NIST SP 800-38D §8.3).
   */
  seal(purpose: string, context: SealContext, plaintext: string): string;
  /** Opens it again, whichever listed key version sealed it. Throws `SealBroken` for anything else. */
  unseal(purpose: string, context: SealContext, sealed: string): string;
  /** Equality without the value: HMAC-SHA256 of its canonical form, base64url (43 characters). Survives key rotation. */
  blindIndex(purpose: string, canonical: string): string;
  /** HMAC-SHA256 (32 bytes) for values that must be recognised, not read. Survives key rotation. */
  mac(purpose: string, data: string | Uint8Array): Buffer;
  /** A 32-byte secret of its own for `purpose` (the password pepper). Survives key rotation. A fresh copy each time. */
  derive(purpose: string): Buffer;
  /**
   * 16 hexadecimal characters that name this keyring and give nothing away. Kept in the store, so that a start with the
   * wrong keyring is noticed before anything is written. With a `version`, names that sealing key instead: it tells apart
   * two keyrings that were rotated separately from one backup. Throws `RangeError` for a version not listed.
   */
  fingerprint(version?: number): string;
  /**
   * Seals with this key from now on; null: with the newest. False when this keyring does not hold it, even after a look at
   * its file: it goes on with the key it has, the newest that is older where nobody has named one before.
   */
  sealWith(key: SealingKey | null): boolean;
};

/** A sealed value did not open: changed, moved, cut, or sealed with a key this keyring does not hold. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
  constructor(why: string, context: SealContext) {
    // The record's id may itself identify a person; collection and field are enough to find the trouble.
    super(`a sealed value of ${context.collection}.${context.field} does not open: ${why}`);
  }
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^v1\.([1-9]\d{0,9})\.([A-Za-z0-9_-]+)$/;

/** The key version a sealed value needs, or `undefined` if it is not a sealed value: lets a rotation skip what is done. */
export function sealedWith(sealed: string): number | undefined {
  const version = SEALED.exec(sealed)?.[1];
  return version === undefined ? undefined : Number(version);
}

/** Values from outside name any version they like: the file is not read for each of them. */
const REREAD_MS = 1000;

/**
 * Opens a keyring. `reread`, when given, is called if a value turns up that was sealed with a version that is not known: a
 * running server then learns of a rotation made by a command or another node, without a restart. A file that cannot be read,
 * or is another keyring's, changes nothing; and a key once known is known until the end.
 */
export function openKeyring(
  file: KeyringFile,
  { reread, clock = systemClock }: { reread?: () => KeyringFile; clock?: Pick<Clock, 'now'> } = {},
): Keyring {
  let content = file;
  let named: number | null = null;
  let readAt = Number.NEGATIVE_INFINITY;
  const derived = new Map<string, KeyObject>();

  const newest = (): number => content.keys.at(-1)?.version ?? 0;
  const current = (): number => named ?? newest();

  const readAgain = (): void => {
    if (reread === undefined) return;
    readAt = clock.now().getTime();
    let read: KeyringFile;
    try {
      read = reread();
    } catch (fault) {
      if (fault instanceof KeyringProblem) return;
      throw fault;
    }
    if (read.index !== content.index) return;
    const known = content.keys.filter(({ version }) => read.keys.every((key) => key.version !== version));
    content = { ...read, keys: [...read.keys, ...known].toSorted((a, b) => a.version - b.version) };
    // The key of a version may be another one now.
    derived.clear();
  };
  const mayRead = (): boolean => Math.abs(clock.now().getTime() - readAt) >= REREAD_MS;

  // Cached: purposes are constants, so the map stays small, and HKDF would dominate the cost of a short seal. Kept as key
  // objects: handed over as bytes, a key costs several times what the MAC or the seal does.
  const keyFrom = (root: string, info: string): KeyObject => {
    const known = derived.get(info);
    if (known) return known;
    const bytes = hkdfSync('sha256', Buffer.from(root, 'base64url'), '', `curfew/1/${info}`, 32);
    const key = createSecretKey(Buffer.from(bytes));
    derived.set(info, key);
    return key;
  };

  const sealingKey = (version: number, purpose: string): KeyObject | undefined => {
    const entryOf = () => content.keys.find((key) => key.version === version);
    if (entryOf() === undefined && mayRead()) readAgain();
    const entry = entryOf();
    return entry && keyFrom(entry.root, `seal/${version}/${purpose}`);
  };

  const fingerprintOf = (version: number): string | undefined => {
    const key = sealingKey(version, 'fingerprint');
    return key && createHmac('sha256', key).update('fingerprint').digest('hex').slice(0, 16);
  };
  const holds = ({ version, fingerprint }: SealingKey): boolean => fingerprintOf(version) === fingerprint;

  const indexKey = (use: string, purpose: string): KeyObject => keyFrom(content.index, `${use}/${purpose}`);

  return {
    get current() {
      return current();
    },
    get versions() {
      return content.keys.map((key) => key.version);
    },

    seal(purpose, context, plaintext) {
      const version = current();
      const key = sealingKey(version, purpose);
      if (!key) throw new Error('the keyring holds no key');
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(boundTo(purpose, context, version));
      const ciphertext = cipher.update(plaintext, 'utf8');
      const box = Buffer.concat([iv, ciphertext, cipher.final(), cipher.getAuthTag()]);
      return `v1.${version}.${box.toString('base64url')}`;
    },

    unseal(purpose, context, sealed) {
      const [, digits, encoded] = SEALED.exec(sealed) ?? [];
      if (digits === undefined || encoded === undefined) throw new SealBroken('it is not in the sealed form', context);
      const version = Number(digits);
      const key = sealingKey(version, purpose);
      if (!key) throw new SealBroken(`the keyring holds no key version ${version}`, context);
      const box = Buffer.from(encoded, 'base64url');
      // Re-encoding refuses the spare bits of base64url: one value, one spelling.
      if (box.length < IV_BYTES + TAG_BYTES || box.toString('base64url') !== encoded) {
        throw new SealBroken('it is cut or misspelt', context);
      }
      const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(purpose, context, version));
      decipher.setAuthTag(box.subarray(-TAG_BYTES));
      try {
        const start = decipher.update(box.subarray(IV_BYTES, -TAG_BYTES));
        return Buffer.concat([start, decipher.final()]).toString('utf8');
      } catch {
        throw new SealBroken('it was changed, moved from another record, or sealed with another keyring', context);
      }
    },

    blindIndex: (purpose, canonical) =>
      createHmac('sha256', indexKey('blind-index', purpose)).update(canonical, 'utf8').digest('base64url'),

    mac: (purpose, data) => createHmac('sha256', indexKey('mac', purpose)).update(data).digest(),

    derive: (purpose) => indexKey('derive', purpose).export(),

    fingerprint(version) {
      if (version === undefined) return indexKey('fingerprint', 'keyring').export().toString('hex', 0, 8);
      const fingerprint = fingerprintOf(version);
      if (fingerprint === undefined) throw new RangeError(`the keyring holds no key version ${version}`);
      return fingerprint;
    },

    sealWith(key) {
      if (key === null) {
        named = null;
        return true;
      }
      if (!holds(key)) readAgain();
      if (holds(key)) {
        named = key.version;
        return true;
      }
      named ??= content.keys.findLast(({ version }) => version < key.version)?.version ?? null;
      return false;
    },
  };
}

// Every part carries its length, so no two contexts have the same bytes ("a.b" + "c" is not "a" + "b.c").
function boundTo(purpose: string, context: SealContext, version: number): Buffer {
  const parts = ['curfew sealed v1', String(version), purpose, context.collection, context.field, context.id];
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
