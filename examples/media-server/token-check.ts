/**
 * Asks the issuer about an access token (RFC 7662). An answer is good for a moment only, because the point of an opaque
 * token is that it can end; and no answer is never taken for a yes.
 */
import { createHash } from 'node:crypto';
import { tokenIntrospection } from 'openid-client';
import { refusalOf, type Issuer } from '../shared/issuer.ts';
import { log, reasonOf } from '../shared/log.ts';

export type TokenStatus = 'active' | 'inactive' | 'unknown';

const ISSUER_PATIENCE_MS = 2_000;
const MOST_KEPT = 1_000;

export function createTokenCheck({ issuer, cacheSeconds }: { issuer: Issuer; cacheSeconds: number }) {
  const answers = new Map<string, { status: Promise<TokenStatus>; forgetAtMs: number }>();

  return function checkToken(token: string): Promise<TokenStatus> {
    const key = createHash('sha256').update(token).digest('base64url');
    const nowMs = Date.now();
    const known = answers.get(key);
    if (known && known.forgetAtMs > nowMs) return known.status;
    if (answers.size >= MOST_KEPT) answers.clear();
    const status = ask(token);
    // Counted from the question, not from the answer, which was true at some moment in between.
    answers.set(key, { status, forgetAtMs: nowMs + cacheSeconds * 1000 });
    void status.then((answer) => {
      if (answer === 'unknown') answers.delete(key);
    });
    return status;
  };

  async function ask(token: string): Promise<TokenStatus> {
    const config = await issuer.within(ISSUER_PATIENCE_MS);
    if (!config) return 'unknown';
    try {
      const answer = await tokenIntrospection(config, token, { token_type_hint: 'access_token' });
      // A refresh token is active too, but has no token type; a sender-constrained token is not a bearer token.
      const isBearer = answer.token_type?.toLowerCase() === 'bearer' && answer.cnf === undefined;
      return answer.active && isBearer ? 'active' : 'inactive';
    } catch (error) {
      log('introspection.failed', { reason: refusalOf(error) ?? reasonOf(error) });
      return 'unknown';
    }
  }
}
