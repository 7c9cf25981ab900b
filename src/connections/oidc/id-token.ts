/**
 * Believing an ID Token (OpenID Connect Core §3.1.3.7).
 *
 * Invariant: every check of the section is made here, the signature always, though the section lets it go where the token
 * came straight from the token endpoint. It refuses to know what else came with the token.
 */
import type { Kept } from './kept.ts';
import type { SigningKey } from './provider-keys.ts';
import type { IdTokenRefusalWord, Refusal } from './refusals.ts';
import { checkSignature, readSignedToken } from './signed-token.ts';
import type { OidcUpstream } from './upstream.ts';

export type IdToken = { readonly subject: string; readonly claims: Readonly<Record<string, unknown>> };

const CLOCK_SKEW_SECONDS = 30;
/** OpenID Connect Core §2. */
const LONGEST_SUBJECT = 255;

/** Rejects with a `ProviderFailure` where the provider's keys cannot be had. */
export async function verifyIdToken({
  idToken,
  upstream,
  keys,
  nonce,
  now,
}: {
  readonly idToken: string;
  readonly upstream: Pick<OidcUpstream, 'issuer' | 'clientId'>;
  readonly keys: Kept<readonly SigningKey[]>;
  readonly nonce: string;
  readonly now: Date;
}): Promise<IdToken | Refusal<IdTokenRefusalWord>> {
  const token = readSignedToken(idToken);
  if ('refused' in token) {
    return refuse(token.refused === 'algorithm' ? 'id-token-algorithm' : 'id-token-malformed', token.detail);
  }
  const { claims } = token;
  if (claims['iss'] !== upstream.issuer) return refuse('id-token-issuer', 'it was issued by another');
  if (!isForUs(claims, upstream.clientId)) return refuse('id-token-audience', 'it was issued for another client');
  const untimely = checkTimes(claims, now.getTime() / 1000);
  if (untimely !== undefined) return untimely;
  // What ties the token to this attempt: one stolen from, or planted by, another carries another.
  if (claims['nonce'] !== nonce) return refuse('id-token-nonce', 'it belongs to another attempt');
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > LONGEST_SUBJECT) {
    return refuse('id-token-malformed', 'it names no subject that could be kept');
  }
  const signature = await checkSignature(token, keys);
  if (signature !== 'valid') return refuse('id-token-signature', signature);
  return { subject: sub, claims };
}

function isForUs({ aud, azp }: Readonly<Record<string, unknown>>, clientId: string): boolean {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(clientId)) return false;
  // Others may be meant too only if the token says that it was us who asked for it.
  return azp === undefined ? audiences.length === 1 : azp === clientId;
}

function checkTimes(
  { exp, iat, nbf }: Readonly<Record<string, unknown>>,
  nowSeconds: number,
): Refusal<IdTokenRefusalWord> | undefined {
  if (typeof exp !== 'number' || typeof iat !== 'number' || !(nbf === undefined || typeof nbf === 'number')) {
    return refuse('id-token-malformed', 'it does not say when it was issued and until when it is good');
  }
  if (exp <= nowSeconds - CLOCK_SKEW_SECONDS) return refuse('id-token-expired', 'it has expired');
  if (nbf !== undefined && nbf > nowSeconds + CLOCK_SKEW_SECONDS) {
    return refuse('id-token-expired', 'it is not good yet');
  }
  return undefined;
}

const refuse = (refused: IdTokenRefusalWord, detail: string): Refusal<IdTokenRefusalWord> => ({ refused, detail });
