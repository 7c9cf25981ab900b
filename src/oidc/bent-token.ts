/**
 * Signing what a Client must refuse: any claims at all, under the keys that Clients trust. For the drill, which is handed it
 * by compose, and for nobody else.
 *
 * Invariant: whatever is signed here is dead two minutes later, as a genuine Logout Token is. It refuses to know what is
 * wrong with the claims.
 */
import { importJWK, SignJWT } from 'jose';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { SigningKeys } from './signing-keys.ts';

export type BentToken = {
  /** Of the key that signs. */
  readonly kid: string;
  readonly typ: string;
  readonly claims: Readonly<Record<string, unknown>> & { readonly exp: number };
};

const LONGEST_LIFE_SECONDS = 120;

/** Throws for a key that is not published any more, and for a token that would live longer. */
export async function signBentToken(
  { signingKeys, clock }: { readonly signingKeys: Pick<SigningKeys, 'load'>; readonly clock: Pick<Clock, 'now'> },
  { kid, typ, claims }: BentToken,
): Promise<string> {
  if (claims.exp * 1000 > addSeconds(clock.now(), LONGEST_LIFE_SECONDS).getTime()) {
    throw new Error('a token to be refused would outlive those to be accepted');
  }
  const { jwks } = await signingKeys.load();
  const jwk = jwks.keys.find((key) => key.kid === kid);
  if (jwk?.alg === undefined) throw new Error('the key that signed a moment ago is not published any more');
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: jwk.alg, typ, kid }).sign(await importJWK(jwk, jwk.alg));
}
