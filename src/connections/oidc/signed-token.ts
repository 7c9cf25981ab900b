/**
 * Reading what a provider signed (RFC 7515, compact serialization).
 *
 * Purpose: the one reader of JWTs from outside, for ID Tokens and Logout Tokens alike. Invariant: a token is one string of
 * bytes in one spelling; its algorithm is on our list, never merely on its own say-so; and the key that verifies it is the
 * provider's, of the kind that algorithm is for (RFC 8725 §3.1), so neither `none`, nor an HMAC keyed with something public,
 * nor a key that travels in the header can pass. It refuses to know what claims mean.
 */
import { constants, verify, type KeyObject } from 'node:crypto';

import type { Kept } from './kept.ts';
import type { SigningKey } from './provider-keys.ts';
import type { Refusal } from './refusals.ts';

export type SignedToken = {
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: SigningAlgorithm };
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: Buffer;
  readonly signature: Buffer;
};

type Kind = {
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
  readonly namedCurve?: string;
  readonly hash: string | null;
  readonly padding?: 'pss';
  /** Where the algorithm fixes it. Of RSA it is the key's, which the verification itself checks. */
  readonly signatureBytes?: number;
};

const KINDS = {
  RS256: { keyType: 'rsa', hash: 'sha256' },
  RS384: { keyType: 'rsa', hash: 'sha384' },
  RS512: { keyType: 'rsa', hash: 'sha512' },
  PS256: { keyType: 'rsa', hash: 'sha256', padding: 'pss' },
  PS384: { keyType: 'rsa', hash: 'sha384', padding: 'pss' },
  PS512: { keyType: 'rsa', hash: 'sha512', padding: 'pss' },
  ES256: { keyType: 'ec', namedCurve: 'prime256v1', hash: 'sha256', signatureBytes: 64 },
  ES384: { keyType: 'ec', namedCurve: 'secp384r1', hash: 'sha384', signatureBytes: 96 },
  ES512: { keyType: 'ec', namedCurve: 'secp521r1', hash: 'sha512', signatureBytes: 132 },
  EdDSA: { keyType: 'ed25519', hash: null, signatureBytes: 64 },
  Ed25519: { keyType: 'ed25519', hash: null, signatureBytes: 64 }, // RFC 9864
} as const satisfies Record<string, Kind>;
export type SigningAlgorithm = keyof typeof KINDS;

export const SIGNING_ALGORITHMS = Object.keys(KINDS) as readonly SigningAlgorithm[];

const LONGEST = 65_536;

/** Takes a token apart, without believing any of it yet. */
export function readSignedToken(token: string): SignedToken | Refusal<'malformed' | 'algorithm' | 'critical-header'> {
  if (token.length > LONGEST) return malformed('it is longer than anyone needs');
  const parts = token.split('.');
  const [header, payload, signature] = parts.map(decodeBase64url);
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return malformed('it is not three parts of base64url');
  }
  const fields = parseObject(header);
  if (fields === undefined) return malformed('its header is not a JSON object');
  const { alg, kid, crit } = fields;
  if (!isSigningAlgorithm(alg))
    return { refused: 'algorithm', detail: 'it is not signed with an asymmetric algorithm' };
  // RFC 7515 §4.1.11: whoever does not understand an extension that is marked so must refuse. We understand none.
  if (crit !== undefined) return { refused: 'critical-header', detail: 'it demands an extension' };
  if (kid !== undefined && typeof kid !== 'string') return malformed('its kid is not a string');
  const claims = parseObject(payload);
  if (claims === undefined) return malformed('its claims are not a JSON object');
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'ascii');
  return { header: { ...fields, alg }, kid, claims, signed, signature };
}

/**
 * Whether the provider signed it, with a key it publishes now. A key we do not know may be a new one, so the set is looked
 * at once more; likewise for a token that names no key, whose only candidate may be the old one. Rejects with a
 * `ProviderFailure` where the keys cannot be had: then nothing is known about the token.
 */
export async function checkSignature(
  token: SignedToken,
  keys: Kept<readonly SigningKey[]>,
): Promise<'valid' | 'unknown-key' | 'bad-signature'> {
  const verdict = judge(token, await keys.get());
  const isFinal = verdict === 'valid' || (verdict === 'bad-signature' && token.kid !== undefined);
  return isFinal ? verdict : judge(token, await keys.lookAgain());
}

function judge(token: SignedToken, keys: readonly SigningKey[]): 'valid' | 'unknown-key' | 'bad-signature' {
  const { kid, header } = token;
  const fitting = keys.filter(
    (one) =>
      (kid === undefined || one.kid === kid) &&
      (one.alg === undefined || one.alg === header.alg) &&
      isOfKind(one.key, KINDS[header.alg]),
  );
  const [only] = fitting;
  // OpenID Connect Core §10.1: where several keys are published, a token names its own.
  if (only === undefined || fitting.length > 1) return 'unknown-key';
  return isSignedBy(only.key, token) ? 'valid' : 'bad-signature';
}

function isOfKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, { keyType, namedCurve }: Kind): boolean {
  return asymmetricKeyType === keyType && (namedCurve === undefined || asymmetricKeyDetails?.namedCurve === namedCurve);
}

function isSignedBy(key: KeyObject, { header, signed, signature }: SignedToken): boolean {
  const { hash, padding, signatureBytes }: Kind = KINDS[header.alg];
  if (signatureBytes !== undefined && signature.length !== signatureBytes) return false;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  // JOSE writes an ECDSA signature as two numbers side by side (RFC 7518 §3.4), not in DER.
  return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363', ...(padding === 'pss' ? pss : {}) }, signature);
}

/** Undefined for padding, white space, another alphabet, and bits left over: one token has one spelling. */
function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const isSigningAlgorithm = (alg: unknown): alg is SigningAlgorithm =>
  typeof alg === 'string' && Object.hasOwn(KINDS, alg);

const malformed = (detail: string): Refusal<'malformed'> => ({ refused: 'malformed', detail });
