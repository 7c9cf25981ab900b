/**
 * Reads the logout tokens that arrive at the back-channel endpoint, by every rule of OpenID Connect Back-Channel Logout
 * 1.0 §2.6. Anyone can post to that endpoint, so a token is believed only if the issuer signed it, for this client,
 * just now, once, as a logout token and as nothing else.
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Named } from './sessions.ts';

export type Verdict = { named: Named } | { refused: string } | { unreachable: string };

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
// Pinned and asymmetric: neither `none` nor an HMAC keyed with something public can pass (RFC 8725 §3.1).
const ALGORITHMS = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
];
const OLDEST_SECONDS = 300;
const CLOCK_TOLERANCE_SECONDS = 10;
// A key that was rotated a moment ago must be found by the notice that follows; its sender gives up after a few 400s.
const KEYS_COOLDOWN_MS = 1_000;

class KeysUnreachable extends Error {}

export function createLogoutTokenReader(options: { issuer: string; clientId: string; jwksUri: URL; now: () => Date }) {
  const { issuer, clientId, jwksUri, now } = options;
  const keyOf = keysOf(jwksUri);
  const seen = new Map<string, number>();

  /** Remembers a token until it would be too old anyway; false if it was here before. */
  function isFirstUse(jti: string): boolean {
    const nowMs = now().getTime();
    for (const [id, forgetAtMs] of seen) if (forgetAtMs < nowMs) seen.delete(id);
    if (seen.has(jti)) return false;
    seen.set(jti, nowMs + (OLDEST_SECONDS + 2 * CLOCK_TOLERANCE_SECONDS) * 1000);
    return true;
  }

  return async function readLogoutToken(token: string): Promise<Verdict> {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keyOf, {
        algorithms: ALGORITHMS,
        issuer,
        audience: clientId,
        typ: 'logout+jwt',
        maxTokenAge: OLDEST_SECONDS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['iat', 'exp', 'jti', 'events'],
        currentDate: now(),
      }));
    } catch (error) {
      if (error instanceof KeysUnreachable) return { unreachable: error.message };
      return { refused: error instanceof errors.JOSEError ? error.code : 'unreadable' };
    }
    const { jti, events, nonce, sub, sid } = payload;
    // What tells a logout token from an ID Token, which this issuer also signs for this client.
    if (!isObject(events) || !isObject(events[EVENT])) return { refused: 'not a logout event' };
    if (nonce !== undefined) return { refused: 'nonce is forbidden' };
    if (!isAbsentOrName(sub) || !isAbsentOrName(sid)) return { refused: 'sub and sid must be strings' };
    if (sub === undefined && sid === undefined) return { refused: 'names nobody' };
    if (!isAbsentOrName(jti) || jti === undefined) return { refused: 'jti must be a string' };
    // Last, so that only a genuine token can take up room.
    if (!isFirstUse(jti)) return { refused: 'replayed' };
    return { named: { sub, sid } };
  };
}

/** Keeps apart "this token's key does not exist" (the sender's fault) and "the keys could not be read" (try again). */
function keysOf(jwksUri: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(jwksUri, { cooldownDuration: KEYS_COOLDOWN_MS });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      const isTheTokensFault =
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported;
      if (isTheTokensFault) throw error;
      throw new KeysUnreachable('the keys of the issuer cannot be read', { cause: error });
    }
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsentOrName(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value !== '');
}
