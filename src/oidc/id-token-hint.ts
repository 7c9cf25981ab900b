/** Whether an `id_token_hint` is worth anything (OpenID Connect RP-Initiated Logout 1.0 §2). */
import { compactVerify, createLocalJWKSet, type JWK } from 'jose';

/**
 * True for an ID Token that Curfew signed with a key it still publishes, expired or not: a hint outlives its session. A
 * forged one, or one signed by a key long retired, tells nothing, and must not keep anybody from signing out.
 */
export async function isOwnIdToken(token: string, { jwks, issuer }: { jwks: { keys: JWK[] }; issuer: string }) {
  const keys = createLocalJWKSet(jwks);
  try {
    const { payload } = await compactVerify(token, keys, { algorithms: ['ES256', 'EdDSA', 'RS256'] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof claims === 'object' && claims !== null && 'iss' in claims && claims.iss === issuer;
  } catch {
    // Not a token, not signed, or not by us: the same to whoever asked.
    return false;
  }
}
