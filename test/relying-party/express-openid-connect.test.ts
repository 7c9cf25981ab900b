/**
 * A relying party that nobody here wrote: `express-openid-connect` with its back-channel logout switched on, in an express
 * app as its documentation shows it. What it verifies of a Logout Token, and what it keeps of it, is its own business.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { auth, type ConfigParams, requiresAuth } from 'express-openid-connect';
import { expect, onTestFinished, test } from 'vitest';

import { Browser } from '../support/browser.ts';
import { cookieJar } from '../support/jar.ts';
import { type Person, world } from '../support/world.ts';

const SECRET = 'a secret that only the express app knows, 0123456789';

/** Sessions and logout notices in memory, as an express-session store keeps them. */
function memoryStore() {
  const kept = new Map<string, unknown>();
  return {
    kept,
    get: async (key: string) => kept.get(key),
    set: async (key: string, value: unknown) => void kept.set(key, value),
    destroy: async (key: string) => void kept.delete(key),
  };
}

type Setup = { readonly sessionRequired: boolean; readonly alg?: 'ES256' | 'RS256' };

/** Curfew, and an express app that signs people in with it. */
async function houseWithExpressApp({ sessionRequired, alg = 'ES256' }: Setup) {
  const app = express();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseURL = `http://localhost:${(server.address() as AddressInfo).port}`;
  const house = await world({
    clients: [
      {
        client_id: 'express-app',
        client_name: 'Express app',
        client_secret: SECRET,
        first_party: true,
        redirect_uris: [`${baseURL}/callback`],
        backchannel_logout_uri: `${baseURL}/backchannel-logout`,
        backchannel_logout_session_required: sessionRequired,
        id_token_signed_response_alg: alg,
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
  });

  const answers: number[] = [];
  app.use('/backchannel-logout', (_request, response, next) => {
    response.once('finish', () => answers.push(response.statusCode));
    next();
  });
  const settings: ConfigParams = {
    issuerBaseURL: house.issuer,
    baseURL,
    clientID: 'express-app',
    clientSecret: SECRET,
    secret: 'what the app encrypts its cookies with',
    authRequired: false,
    authorizationParams: { response_type: 'code', scope: 'openid profile offline_access' },
    idTokenSigningAlg: alg,
    backchannelLogout: true,
    session: { store: memoryStore() as never },
  };
  app.use(auth(settings));
  app.get('/me', requiresAuth(), (request, response) => {
    const { sub, sid } = request.oidc.idTokenClaims as { sub: string; sid?: string };
    response.json({ sub, sid, refreshToken: request.oidc.refreshToken });
  });

  /** Somebody's browser, at the app and at Curfew. */
  const browserOf = (person: Person) => {
    const { visit } = cookieJar();
    const curfew = new Browser(house.issuer);
    return {
      curfew,
      async signIn(): Promise<{ asked: boolean }> {
        await curfew.open((await visit(`${baseURL}/login`)).headers.get('location') ?? '');
        const asked = curfew.buttons.includes('Sign in');
        if (asked) await curfew.press('Sign in', { username: person.username, password: person.password });
        const back = await visit(curfew.left?.href ?? '');
        if (back.status !== 302)
          throw new Error(`the app did not take the sign-in: ${back.status} ${await back.text()}`);
        return { asked };
      },
      /** Who the app says is here; nobody where it wants a sign-in instead. */
      async me(): Promise<{ sub: string; sid?: string; refreshToken: string } | null> {
        const response = await visit(`${baseURL}/me`);
        if (response.status === 302) return null;
        return (await response.json()) as { sub: string; refreshToken: string };
      },
    };
  };
  return { house, answers, browserOf, expressApp: house.client('express-app') };
}

test.for([
  { sessionRequired: true, alg: 'ES256', tokens: 2 },
  { sessionRequired: true, alg: 'RS256', tokens: 2 },
  { sessionRequired: false, alg: 'ES256', tokens: 1 },
  { sessionRequired: false, alg: 'RS256', tokens: 1 },
] as const)(
  'is told by $alg Logout Tokens (one for each sid: $sessionRequired), and ends what it kept of that person',
  async ({ tokens, ...setup }) => {
    const { house, answers, browserOf, expressApp } = await houseWithExpressApp(setup);
    const { alice, bob } = house;
    const [laptop, phone, bobs] = [browserOf(alice), browserOf(alice), browserOf(bob)];
    for (const browser of [laptop, phone, bobs]) expect(await browser.signIn()).toEqual({ asked: true });
    const [onLaptop, onPhone] = [await laptop.me(), await phone.me()];
    expect([onLaptop?.sub, onPhone?.sub]).toEqual([alice.id, alice.id]);
    expect(onLaptop?.sid).not.toBe(onPhone?.sid);

    await alice.signOutOfAllDevices(laptop.curfew);
    await house.settle();

    expect(answers).toEqual(Array.from({ length: tokens }, () => 204));
    expect([await laptop.me(), await phone.me()]).toEqual([null, null]);
    for (const me of [onLaptop, onPhone]) {
      const refreshed = await expressApp.refresh({ refresh_token: me?.refreshToken ?? '' });
      expect(refreshed).toEqual({ error: 'invalid_grant' });
    }
    expect((await bobs.me())?.sub).toBe(bob.id);

    // Back by the password, not by a session left at Curfew.
    expect(await laptop.signIn()).toEqual({ asked: true });
    const again = await laptop.me();
    expect(again?.sub).toBe(alice.id);
    expect(await expressApp.refresh({ refresh_token: again?.refreshToken ?? '' })).toHaveProperty('access_token');
  },
);

test('a session that ended by its sid stays ended when its person signs in again elsewhere', async () => {
  const { house, browserOf } = await houseWithExpressApp({ sessionRequired: true });
  const [laptop, phone] = [browserOf(house.alice), browserOf(house.alice)];
  await laptop.signIn();
  await phone.signIn();
  await house.alice.signOutOfAllDevices(laptop.curfew);
  await house.settle();
  await laptop.signIn();
  expect((await laptop.me())?.sub).toBe(house.alice.id);
  expect(await phone.me()).toBeNull();
});
