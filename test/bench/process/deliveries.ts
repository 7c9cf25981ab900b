/** Telling Clients: Curfew's own worker, and next to it nothing but a signature and a post. */
import { generateKeyPair, SignJWT } from 'jose';
import { Agent } from 'undici';

import type { Core } from '../../../src/compose.ts';
import { type Place, SECRET } from '../house.ts';
import { openCore, saveSessions } from './core.ts';

let core: Core | undefined;

/** Signs everyone out, so that each Client is owed `perClient` Logout Tokens, and tells nobody yet. */
export async function oweDeliveries({
  place,
  uris,
  perClient,
}: {
  readonly place: Place;
  readonly uris: readonly string[];
  readonly perClient: number;
}): Promise<{ owed: number }> {
  const clients = uris.map((uri, nth) => ({
    client_id: `app-${nth}`,
    client_name: `App ${nth}`,
    client_secret: SECRET,
    redirect_uris: [`http://app-${nth}.test/callback`],
    backchannel_logout_uri: uri,
    backchannel_logout_session_required: true,
  }));
  core = await openCore(place, { clients });
  await saveSessions(core, perClient * uris.length, (nth) => ({
    accountId: `account-${nth}`,
    clientId: `app-${nth % uris.length}`,
    grantId: `grant-${nth}`,
  }));
  await core.signOuts.signOut({ scope: { kind: 'everyone' }, reason: 'A measurement', actor: { kind: 'operator' } });
  await core.fanOut.runUntilIdle();
  return { owed: (await core.store.deliveries.counts({})).pending };
}

/** Starts telling; the parent counts who heard. */
export async function deliver(): Promise<null> {
  core?.deliveries.start();
  return null;
}

const IN_FLIGHT = 64;

/** The limit: as many posts at once, each with a token signed for it, kept-alive connections, nothing recorded. */
export async function postRaw({
  uris,
  seconds,
}: {
  readonly uris: readonly string[];
  readonly seconds: number;
}): Promise<null> {
  const agent = new Agent({ connections: 16 });
  const { privateKey } = await generateKeyPair('ES256');
  const until = performance.now() + seconds * 1000;
  let nth = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (performance.now() < until) {
        const token = await new SignJWT({ sid: `sid-${nth}`, events: {} })
          .setProtectedHeader({ alg: 'ES256', typ: 'logout+jwt', kid: 'bench' })
          .setIssuer('http://127.0.0.1')
          .setAudience('app')
          .setSubject(`account-${nth}`)
          .setIssuedAt()
          .setExpirationTime('2m')
          .setJti(String(nth))
          .sign(privateKey);
        const url = new URL(uris[nth++ % uris.length] ?? '');
        const { body } = await agent.request({
          origin: url.origin,
          path: url.pathname,
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: `logout_token=${token}`,
        });
        await body.dump();
      }
    }),
  );
  await agent.close();
  return null;
}
