/** What a signature costs, in the form that every ID Token and Logout Token has. */
import { generateKeyPair, SignJWT } from 'jose';

import type { Rate } from '../measure.ts';
import { ownRate, type Slicing } from './slicing.ts';

export async function sign({ alg, ...slicing }: Slicing & { alg: 'ES256' | 'EdDSA' | 'RS256' }): Promise<Rate> {
  const { privateKey } = await generateKeyPair(alg, alg === 'EdDSA' ? { crv: 'Ed25519' } : {});
  let nth = 0;
  return ownRate(
    {
      lanes: 32,
      async perform() {
        await new SignJWT({ sub: `person-${nth++}`, at_hash: 'tvYWxUPTuI8WBtU9kW_0GQ', sid: 'lantern' })
          .setProtectedHeader({ alg, typ: 'JWT', kid: 'bench' })
          .setIssuer('http://127.0.0.1')
          .setAudience('app')
          .setIssuedAt()
          .setExpirationTime('1h')
          .sign(privateKey);
      },
    },
    slicing,
  );
}
