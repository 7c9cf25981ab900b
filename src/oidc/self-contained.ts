/**
 * JWT access tokens (RFC 9068): the one kind of token that a resource can accept without asking Curfew. They live five
 * minutes at most, carry the epochs they were issued under, and are answered by epoch when a resource does ask.
 */
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose';
import type { AccessToken, ClientCredentials, JWTStructured, KoaContextWithOIDC, Provider } from 'oidc-provider';

import { type Clock } from '../platform/clock.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { ScopeKey, Stamps } from '../store/records.ts';
import { seenVouchers, stampsFor } from './lineage.ts';
import { maySee } from './provider-parts.ts';

/** The claim that holds the epochs. */
const EPOCHS = 'curfew_epochs';

export type AccessTokenMarks = {
  /** Writes the epochs into a JWT access token about to be signed, and notes on its Client Session how long it lives. */
  mark(token: AccessToken | ClientCredentials, parts: JWTStructured): Promise<void>;
};

export function createAccessTokenMarks(revocations: RevocationRepository, clock: Clock): AccessTokenMarks {
  return {
    async mark(token, parts) {
      const scopes: ScopeKey[] = ['everyone', `client:${token.clientId ?? ''}`];
      if (token.kind === 'AccessToken') {
        scopes.push(`account:${token.accountId}`, `grant:${token.grantId ?? ''}`, ...seenVouchers());
        if (token.expiresWithSession === true) scopes.push(`session:${token.sessionUid ?? ''}`);
        await revocations.touchClientSession({
          grantId: token.grantId ?? '',
          lastUsedAt: clock.now(),
          selfContainedUntil: new Date(Number(parts.payload.exp) * 1000),
        });
      }
      parts.payload[EPOCHS] = stampsFor(scopes);
    },
  };
}

const INACTIVE = { active: false };

/**
 * The introspection answer for a JWT access token (RFC 7662 §2.2): active only if Curfew signed it as an access token,
 * it has not expired, the asking Client may see it, and every epoch in it stands.
 */
export async function introspectSelfContained(
  ctx: KoaContextWithOIDC,
  token: string,
  {
    provider,
    jwks,
    revocations,
    clock,
  }: {
    readonly provider: Provider;
    readonly jwks: { keys: JWK[] };
    readonly revocations: RevocationRepository;
    readonly clock: Clock;
  },
): Promise<Record<string, unknown>> {
  const { client } = ctx.oidc;
  if (client === undefined) return INACTIVE;
  // Outside the `try`: a key set that cannot be used is a fault of ours, and not a forged token.
  const keys = createLocalJWKSet(jwks);
  let claims: Record<string, unknown>;
  try {
    // `typ` keeps ID Tokens and Logout Tokens out: they are signed by the same keys (RFC 9068 §4).
    const verified = await jwtVerify(token, keys, {
      issuer: provider.issuer,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      currentDate: clock.now(),
    });
    claims = verified.payload;
  } catch {
    return INACTIVE;
  }
  const { [EPOCHS]: epochs, ...shown } = claims;
  if (typeof epochs !== 'object' || epochs === null) return INACTIVE;
  if (!maySee(client, String(claims['client_id']))) return INACTIVE;
  if (!(await revocations.stand(epochs as Stamps))) return INACTIVE;
  return { ...shown, active: true, token_type: 'cnf' in claims ? 'DPoP' : 'Bearer' };
}
