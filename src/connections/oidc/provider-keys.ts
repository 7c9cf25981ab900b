/**
 * A provider's signing keys, as it publishes them (RFC 7517).
 *
 * Purpose: turn a key set into keys that may verify, each bound to the algorithms it was made for. Invariant: only public,
 * asymmetric keys of sound strength come out, so no key set, however it reads, can make an HMAC pass. A key that is not
 * for us to use is left out, never an error: sets hold keys for all kinds of purposes.
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

import { ProviderFailure } from './refusals.ts';

export type SigningKey = {
  readonly kid: string | undefined;
  /** The one algorithm its publisher allows it for, if it says. */
  readonly alg: string | undefined;
  readonly key: KeyObject;
};

const MOST_KEYS = 100;
/** RFC 7518 §3.3 asks for 2048; past 16384 a verification is a burden. */
const RSA_BITS = { least: 2048, most: 16_384 };
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
/** What makes up a public key; all else a JWK holds is not ours to import. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const;

/** Throws a `ProviderFailure` where this is no key set at all. */
export function readKeySet(document: unknown): readonly SigningKey[] {
  const keys = isRecord(document) ? document['keys'] : undefined;
  if (!Array.isArray(keys)) throw new ProviderFailure('provider-unusable', 'jwks_uri did not answer with a key set');
  if (keys.length > MOST_KEYS) {
    throw new ProviderFailure('provider-unusable', `the key set holds more than ${MOST_KEYS} keys`);
  }
  return keys.flatMap((jwk) => readKey(jwk) ?? []);
}

function readKey(jwk: unknown): SigningKey | undefined {
  if (!isRecord(jwk)) return undefined;
  const { kid, alg, use, key_ops: operations } = jwk;
  const isForSignatures =
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
  // One who publishes the private half cannot be known by it.
  if (!isForSignatures || 'd' in jwk || !isAbsentOrText(kid) || !isAbsentOrText(alg)) return undefined;
  const key = importPublic(jwk);
  return key !== undefined && isSound(key) ? { kid, alg, key } : undefined;
}

function importPublic(jwk: Record<string, unknown>): KeyObject | undefined {
  const members = PUBLIC_MEMBERS.filter((name) => name in jwk).map((name) => [name, jwk[name]]);
  try {
    return createPublicKey({ format: 'jwk', key: Object.fromEntries(members) as JsonWebKey });
  } catch {
    return undefined; // `oct`, a curve nobody signs with, or nonsense.
  }
}

function isSound({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails;
  if (asymmetricKeyType === 'rsa') return modulusLength >= RSA_BITS.least && modulusLength <= RSA_BITS.most;
  return asymmetricKeyType === 'ed25519' || (asymmetricKeyType === 'ec' && CURVES.has(namedCurve));
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isAbsentOrText = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string';
