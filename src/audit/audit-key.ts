/**
 * The key that Curfew signs its record with: a pair of its own, made once for a store, in no key set that apps read.
 *
 * The private half is sealed and settled as one fact of the store, so that of several processes that need it first all take the
 * same. It is not rotated with the signing keys: whoever was given the public half keeps checking with it.
 */
import { generateKeyPairSync } from 'node:crypto';

import type { Keyring, SealContext } from '../platform/keyring.ts';
import type { CatalogueRepository } from '../store/port.ts';
import { checker, type Checker, publicJwk, type PublicJwk, signer, type Signer } from './signed.ts';

/** The fact: JSON of {kid, x, sealedJwk}. `sealedJwk` is sealed for AUDIT_KEY_PURPOSE and bound to `auditKeyContext(kid)`. */
export const AUDIT_KEY_FACT = 'audit-key';
export const AUDIT_KEY_PURPOSE = 'audit-key';
export const auditKeyContext = (kid: string): SealContext => ({ collection: 'facts', field: 'audit-key', id: kid });

export type AuditKey = { readonly jwk: PublicJwk; readonly signer: Signer; readonly checker: Checker };

type Kept = { readonly kid: string; readonly x: string; readonly sealedJwk: string };

/** Opens the store's audit key, and makes one where there is none. */
export async function openAuditKey(
  catalogue: Pick<CatalogueRepository, 'fact' | 'settle'>,
  keyring: Pick<Keyring, 'seal' | 'unseal'>,
): Promise<AuditKey> {
  const present = await catalogue.fact(AUDIT_KEY_FACT);
  const value = present ?? (await catalogue.settle(AUDIT_KEY_FACT, JSON.stringify(make(keyring))));
  const { kid, sealedJwk } = JSON.parse(value) as Kept;
  // Nothing but the sealed half is believed: what stands beside it could be anybody's.
  const { x, d } = JSON.parse(keyring.unseal(AUDIT_KEY_PURPOSE, auditKeyContext(kid), sealedJwk)) as Pair;
  return { jwk: publicJwk(x), signer: signer({ x, d }), checker: checker(x) };
}

type Pair = { readonly x: string; readonly d: string };

function make(keyring: Pick<Keyring, 'seal'>): Kept {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const { kid } = publicJwk(x);
  const sealedJwk = keyring.seal(AUDIT_KEY_PURPOSE, auditKeyContext(kid), JSON.stringify({ x, d }));
  return { kid, x, sealedJwk };
}
