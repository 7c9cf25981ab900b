/**
 * A provider's word that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6).
 *
 * Purpose: tell a genuine Logout Token from everything that can be posted to a public endpoint. Invariant: what comes out was
 * signed by this provider, for this client, within five minutes, as a Logout Token and as nothing else; and a token that
 * cannot be judged for want of the provider's keys is never refused, since a refusal is final and the sign-out would be
 * lost. It refuses to know whom the token concerns.
 */
import type { Kept } from './kept.ts';
import type { SigningKey } from './provider-keys.ts';
import { ProviderFailure } from './refusals.ts';
import { checkSignature, readSignedToken } from './signed-token.ts';
import type { OidcUpstream } from './upstream.ts';

export type LogoutTokenRefusalWord =
  | 'malformed'
  | 'algorithm'
  | 'critical-header'
  | 'wrong-type'
  | 'wrong-issuer'
  | 'wrong-audience'
  | 'expired'
  | 'stale'
  | 'not-yet-valid'
  | 'no-identifier'
  | 'not-a-logout'
  | 'nonce'
  | 'names-nobody'
  | 'bad-name'
  | 'unknown-key'
  | 'bad-signature';

export type LogoutToken = {
  readonly jti: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** From here on the token is refused by itself: how long (issuer, `jti`) must be remembered. */
  readonly replayableUntil: Date;
  /** At least one of the two. Without `sid`: every session of the subject. */
  readonly subject: string | null;
  readonly sid: string | null;
};

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Absent, or as tokens of all kinds have it, or as it should be: nothing that names another kind (RFC 8725 §3.11). */
const TYPES = new Set(['logout+jwt', 'jwt']);
const IAT_SECONDS = 300;
const LONGEST_NAME = 512;

/**
 * The token's content; or why it is refused (answer 400, and do not say which); or that the provider's keys cannot be had
 * (answer 503: the provider will try again). With an unknown `kid` the keys are looked at once more, within limits.
 *
 * A token is good for more than one use here. That (issuer, `jti`) is accepted once, in one atomic step and until
 * `replayableUntil`, is the caller's to see to, and only of tokens that passed: others could take up room at will.
 */
export async function verifyLogoutToken({
  token,
  upstream,
  keys,
  now,
}: {
  readonly token: string;
  readonly upstream: Pick<OidcUpstream, 'issuer' | 'clientId'>;
  readonly keys: Kept<readonly SigningKey[]>;
  readonly now: Date;
}): Promise<LogoutToken | { readonly refused: LogoutTokenRefusalWord } | { readonly unavailable: true }> {
  const read = readSignedToken(token);
  if ('refused' in read) return { refused: read.refused };
  if (!isLogoutType(read.header['typ'])) return { refused: 'wrong-type' };
  // Before the signature, so that only a token that is right in all else can make us look for new keys.
  const content = readClaims(read.claims, upstream, now);
  if ('refused' in content) return content;
  try {
    const signature = await checkSignature(read, keys);
    return signature === 'valid' ? content : { refused: signature };
  } catch (error) {
    if (error instanceof ProviderFailure) return { unavailable: true };
    throw error;
  }
}

function isLogoutType(typ: unknown): boolean {
  if (typ === undefined) return true;
  // A media type: any case, and with or without its prefix (RFC 7515 §4.1.9).
  return typeof typ === 'string' && TYPES.has(typ.toLowerCase().replace(/^application\//, ''));
}

function readClaims(
  claims: Readonly<Record<string, unknown>>,
  { issuer, clientId }: Pick<OidcUpstream, 'issuer' | 'clientId'>,
  now: Date,
): LogoutToken | { readonly refused: LogoutTokenRefusalWord } {
  const { iss, aud, iat, exp, nbf, jti, events, sub, sid } = claims;
  const nowSeconds = now.getTime() / 1000;
  if (iss !== issuer) return { refused: 'wrong-issuer' };
  if (Array.isArray(aud) ? !aud.includes(clientId) : aud !== clientId) return { refused: 'wrong-audience' };
  if (!isInstant(exp) || exp <= nowSeconds) return { refused: 'expired' };
  if (!isInstant(iat) || Math.abs(nowSeconds - iat) > IAT_SECONDS) return { refused: 'stale' };
  // A provider whose clock is ahead writes both times alike, so both get the same leave.
  if (nbf !== undefined && !(isInstant(nbf) && nbf <= nowSeconds + IAT_SECONDS)) return { refused: 'not-yet-valid' };
  if (!isName(jti)) return { refused: 'no-identifier' };
  // What tells it from an ID Token, which the same key signs for the same client: the one thing must be there, the other
  // must not, whatever it holds.
  if (!isObject(events) || !isObject(events[EVENT])) return { refused: 'not-a-logout' };
  if (Object.hasOwn(claims, 'nonce')) return { refused: 'nonce' };
  if (sub === undefined && sid === undefined) return { refused: 'names-nobody' };
  if (!isAbsentOrName(sub) || !isAbsentOrName(sid)) return { refused: 'bad-name' };
  return {
    jti,
    issuedAt: new Date(iat * 1000),
    expiresAt: new Date(exp * 1000),
    replayableUntil: new Date(Math.min(exp, iat + IAT_SECONDS) * 1000),
    subject: sub ?? null,
    sid: sid ?? null,
  };
}

/** A number that a `Date` can hold (ECMA-262 §21.4.1.1). */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 8.64e12;
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME;
const isAbsentOrName = (value: unknown): value is string | undefined => value === undefined || isName(value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
