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
import type { KeyringFile } from './keyring-file.ts';

export { createKeyring, KeyringProblem, loadKeyring, retireKeys, rotateKeyring } from './keyring-file.ts';
export type { KeyringFile, KeyringProblemKind } from './keyring-file.ts';

/** Which record a sealed value belongs to. Bound into the seal: a value copied to another record or field stays shut. */
export type SealContext = { collection: string; field: string; id: string };

/** An opened keyring. `purpose` is a constant of the calling room (`account.email`): each has a key of its own. */
export type Keyring = {
  /** The key version that seals now. */
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

/**
 * Opens a keyring. `reread`, when given, is called if a value turns up that was sealed with a version newer than any
 * known: a running server then learns of a rotation made by a command or another node, without a restart.
 */
export function openKeyring(file: KeyringFile, options: { reread?: () => KeyringFile } = {}): Keyring {
  let content = file;
  const derived = new Map<string, KeyObject>();

  const newest = (): number => content.keys.at(-1)?.version ?? 0;

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
    if (version > newest() && options.reread) content = options.reread();
    const entry = content.keys.find((key) => key.version === version);
    return entry && keyFrom(entry.root, `seal/${version}/${purpose}`);
  };

  const indexKey = (use: string, purpose: string): KeyObject => keyFrom(content.index, `${use}/${purpose}`);

  return {
    get current() {
      return newest();
    },
    get versions() {
      return content.keys.map((key) => key.version);
    },

    seal(purpose, context, plaintext) {
      const version = newest();
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
      const key = sealingKey(version, 'fingerprint');
      if (!key) throw new RangeError(`the keyring holds no key version ${version}`);
      return createHmac('sha256', key).update('fingerprint').digest('hex').slice(0, 16);
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
