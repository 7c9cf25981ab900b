/**
 * Codes on paper, for the day the phone is gone.
 *
 * Invariant: ten codes of 120 bits each, made and replaced as a set; each lets its owner in once, whoever else tries it at the
 * same moment. Kept as keyed digests inside a sealed record: a stolen store holds none.
 */
import { timingSafeEqual } from 'node:crypto';

import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import { randomBytes, randomId } from '../platform/random.ts';
import type { CredentialRepository } from '../store/credentials.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';
import { createCredentials } from './credentials.ts';

/** Keyed digests of those that are left, in base64url. */
type Content = { readonly left: readonly string[] };

export type RecoveryCodes = {
  /** Makes a new set in place of the former one, and shows it this once. Empty when there is no such account, or a Sign-out came meanwhile. */
  replace(accountId: string, standing: Stamps): Promise<readonly string[]>;
  /** How many are left, and since when; null when none were ever made. */
  of(accountId: string): Promise<{ readonly left: number; readonly createdAt: Date } | null>;
  use(accountId: string, code: string): Promise<boolean>;
  remove(accountId: string): Promise<boolean>;
};

const CODES = 10;
const BYTES = 15;
/** Crockford's base32: no I, L, O or U, so that a code survives handwriting. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = (BYTES * 8) / 5;
const GROUP = 6;
/** As many as could ever be raced: each loss means that another code of the set was used. */
const MOST_TRIES = CODES + 1;

export const looksLikeRecoveryCode = (typed: string): boolean => canonical(typed).length === LENGTH;

export function createRecoveryCodes({
  store,
  revocations,
  keyring,
  clock,
}: {
  readonly store: CredentialRepository;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'mac'>;
  readonly clock: Pick<Clock, 'now'>;
}): RecoveryCodes {
  const kept = createCredentials<Content>({ kind: 'recovery-codes', store, revocations, keyring });
  const digestOf = (accountId: string, code: string): Buffer =>
    keyring.mac('recovery-code', JSON.stringify([accountId, canonical(code)]));

  return {
    async replace(accountId, standing) {
      const codes = Array.from({ length: CODES }, () => written(randomBytes(BYTES)));
      const content = { left: codes.map((code) => digestOf(accountId, code).toString('base64url')) };
      const credential = { id: randomId(), accountId, createdAt: clock.now(), content };
      const added = await kept.add(credential, { most: 1, standing });
      return added === 'added' ? codes : [];
    },
    async of(accountId) {
      const [present] = await kept.of(accountId);
      return present === undefined ? null : { left: present.content.left.length, createdAt: present.createdAt };
    },
    async use(accountId, code) {
      if (!looksLikeRecoveryCode(code)) return false;
      const typed = digestOf(accountId, code);
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const [present] = await kept.of(accountId);
        if (present === undefined) return false;
        const left = present.content.left.filter((each) => !timingSafeEqual(Buffer.from(each, 'base64url'), typed));
        if (left.length === present.content.left.length) return false;
        if (await kept.change(present, { left }, clock.now())) return true;
      }
      return false;
    },
    async remove(accountId) {
      const [present] = await kept.of(accountId);
      return present !== undefined && kept.remove({ accountId, id: present.id });
    },
  };
}

function written(bytes: Uint8Array): string {
  let bits = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let nth = 0; nth < LENGTH; nth += 1) {
    text = `${ALPHABET[Number(bits & 31n)] ?? ''}${text}`;
    bits >>= 5n;
  }
  return (text.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-');
}

/** Crockford's reading of what somebody copied by hand; empty when it can be no code. */
function canonical(typed: string): string {
  if (typed.length > 2 * LENGTH) return '';
  const read = typed.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  return [...read].every((character) => ALPHABET.includes(character)) ? read : '';
}
