import { createHmac, randomUUID } from 'node:crypto';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { getJson, openBrowser, until } from './drive.ts';
import { LOGOUT_EVENT, PERSON } from './stand-in-provider.ts';
import { signIn, tell, useWorld } from './world.ts';

const world = useWorld();

describe('the web player', () => {
  test('shows who signed in, and nothing of it to anybody else', async () => {
    const player = await world.startPlayer({ name: 'Lumen & Co' });
    expect((await openBrowser().get(player.url)).text).toContain('Sign in');
    const browser = await signIn(player);
    expect(browser.cookieNames()).toContain('player-lumen');
    const page = await browser.get(player.url);
    expect(page.text).toContain('Ada &lt;Admin&gt;');
    expect(page.text).toContain('Lumen &amp; Co');
    expect(page.text).toContain(`href="${world.issuer.issuer}/account/security"`);
    expect(page.text).toContain('cannot be reached');
    expect(page.headers.get('refresh')).toBe('5');
    expect(await browser.session(player)).toEqual({ signedIn: true, sub: PERSON.sub, sid: expect.any(String) });
    expect(await openBrowser().session(player)).toEqual({ signedIn: false });
  });

  test('a callback from another browser starts no session', async () => {
    const player = await world.startPlayer();
    const victim = openBrowser();
    const answer = await victim.get(`${player.url}/callback?code=stolen&state=guessed`);
    expect(answer.status).toBe(400);
    expect(await victim.session(player)).toEqual({ signedIn: false });
  });

  test('a logout token with a sid ends that session and no other', async () => {
    const player = await world.startPlayer();
    const [first, second] = [await signIn(player), await signIn(player)];
    const { sid = '' } = await first.session(player);
    const answer = await tell(player, await world.issuer.logoutToken('lumen', { sub: PERSON.sub, sid }));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await first.session(player)).toEqual({ signedIn: false });
    expect((await first.get(player.url)).text).toContain('You were signed out. Sign in again.');
    expect((await second.session(player)).signedIn).toBe(true);
  });

  test('a logout token with only a sub ends all sessions of that person, and a new sign-in works at once', async () => {
    const player = await world.startPlayer({ 'session-required': 'false' });
    const [first, second] = [await signIn(player), await signIn(player)];
    expect((await tell(player, await world.issuer.logoutToken('lumen', { sub: 'somebody-else' }))).status).toBe(200);
    expect((await first.session(player)).signedIn).toBe(true);
    expect((await tell(player, await world.issuer.logoutToken('lumen', { sub: PERSON.sub }))).status).toBe(200);
    expect(await first.session(player)).toEqual({ signedIn: false });
    expect(await second.session(player)).toEqual({ signedIn: false });
    await first.get(`${player.url}/login`);
    expect((await first.session(player)).signedIn).toBe(true);
  });

  test('no token that breaks a rule of §2.6 ends a session', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    const nowSeconds = Math.floor(Date.now() / 1000);
    const good = () => ({
      iss: world.issuer.issuer,
      aud: 'lumen',
      sub: PERSON.sub,
      iat: nowSeconds,
      exp: nowSeconds + 120,
      jti: randomUUID(),
      events: { [LOGOUT_EVENT]: {} } as unknown,
    });
    const without = (claim: keyof ReturnType<typeof good>) => {
      const { [claim]: _left, ...rest } = good();
      return world.issuer.sign(rest);
    };
    const { privateKey: foreignKey } = await generateKeyPair('ES256');
    const forged = (kid: string) =>
      new SignJWT(good()).setProtectedHeader({ alg: 'ES256', kid, typ: 'logout+jwt' }).sign(foreignKey);
    const keyText = JSON.stringify(((await getJson(`${world.issuer.issuer}/jwks`)).keys as unknown[])[0]);
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signedText = `${encode({ alg: 'HS256', kid: 'stand-in', typ: 'logout+jwt' })}.${encode(good())}`;

    const hostile: Record<string, string> = {
      'another key under the same kid': await forged('stand-in'),
      'an unknown key': await forged('other'),
      unsigned: new UnsecuredJWT(good()).encode(),
      'an HMAC with the public key': `${signedText}.${createHmac('sha256', keyText).update(signedText).digest('base64url')}`,
      'no token at all': 'not-a-token',
      nonce: await world.issuer.sign({ ...good(), nonce: 'n' }),
      expired: await world.issuer.sign({ ...good(), exp: nowSeconds - 60 }),
      'too old': await world.issuer.sign({ ...good(), iat: nowSeconds - 400 }),
      'from the future': await world.issuer.sign({ ...good(), iat: nowSeconds + 400, exp: nowSeconds + 500 }),
      'for another client': await world.issuer.sign({ ...good(), aud: 'tv' }),
      'from another issuer': await world.issuer.sign({ ...good(), iss: 'http://localhost:1' }),
      'typ of another kind': await world.issuer.sign(good(), { typ: 'JWT' }),
      'unknown crit': await world.issuer.sign(good(), { crit: ['b64'], b64: false }).catch(() => 'unsignable'),
      'no iat': await without('iat'),
      'no exp': await without('exp'),
      'no jti': await without('jti'),
      'no events': await without('events'),
      'nobody named': await without('sub'),
      'an empty sid': await world.issuer.sign({ ...good(), sid: '' }),
      'events is a list': await world.issuer.sign({ ...good(), events: [LOGOUT_EVENT] }),
      'the event is not an object': await world.issuer.sign({ ...good(), events: { [LOGOUT_EVENT]: true } }),
      'another event': await world.issuer.sign({ ...good(), events: { 'http://example.org/other': {} } }),
    };
    for (const [fault, token] of Object.entries(hostile)) {
      const answer = await tell(player, token);
      expect({ fault, status: answer.status, body: await answer.json() }).toEqual({
        fault,
        status: 400,
        body: { error: 'invalid_request' },
      });
      expect({ fault, ...(await browser.session(player)) }).toMatchObject({ fault, signedIn: true });
    }
    const bare = await fetch(`${player.url}/backchannel-logout`, { method: 'POST' });
    expect([bare.status, await bare.json()]).toEqual([400, { error: 'invalid_request' }]);
    expect((await tell(player, await world.issuer.sign(good()))).status).toBe(200);
    expect((await browser.session(player)).signedIn).toBe(false);
  });

  test('a replayed logout token is refused', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    const token = await world.issuer.logoutToken('lumen', { sub: PERSON.sub });
    expect((await tell(player, token)).status).toBe(200);
    await browser.get(`${player.url}/login`);
    expect((await tell(player, token)).status).toBe(400);
    expect((await browser.session(player)).signedIn).toBe(true);
  });

  test('while the keys cannot be read a logout token is neither refused nor lost', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    world.issuer.serveKeys(false);
    const token = await world.issuer.logoutToken('lumen', { sub: PERSON.sub });
    expect((await tell(player, token)).status).toBe(503);
    expect((await browser.session(player)).signedIn).toBe(true);
    world.issuer.serveKeys(true);
    expect((await tell(player, token)).status).toBe(200);
    expect((await browser.session(player)).signedIn).toBe(false);
  });

  test('a sign-in overtaken by a logout notice starts no session', async () => {
    const player = await world.startPlayer();
    const browser = openBrowser();
    const release = world.issuer.holdTokens();
    const signingIn = browser.get(`${player.url}/login`);
    await until('the code is being exchanged', async () => world.issuer.tokenRequests.length === 1);
    expect((await tell(player, await world.issuer.logoutToken('lumen', { sub: PERSON.sub }))).status).toBe(200);
    release();
    expect((await signingIn).status).toBe(400);
    expect(await browser.session(player)).toEqual({ signedIn: false });
  });

  test('a refresh under way brings no ended session back', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    const release = world.issuer.holdTokens();
    const refreshing = browser.post(`${player.url}/refresh`);
    await until('the refresh is held', async () => world.issuer.tokenRequests.length === 2);
    expect((await tell(player, await world.issuer.logoutToken('lumen', { sub: PERSON.sub }))).status).toBe(200);
    release();
    expect((await refreshing).text).toContain('You were signed out. Sign in again.');
    expect(await browser.session(player)).toEqual({ signedIn: false });
  });

  test('many presses of Refresh now never spend a refresh token twice', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    const release = world.issuer.holdTokens();
    const presses = Array.from({ length: 8 }, () => browser.post(`${player.url}/refresh`));
    await until('a refresh is held', async () => world.issuer.tokenRequests.length >= 2);
    release();
    for (const { text } of await Promise.all(presses)) expect(text).toContain('Ada');
    const spent = world.issuer.tokenRequests.flatMap(({ refreshToken }) => refreshToken ?? []);
    expect(spent.length).toBeGreaterThan(0);
    expect(new Set(spent).size).toBe(spent.length);
  });

  test('a refused refresh ends the session, an unreachable issuer does not', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    await world.issuer.goDown();
    expect((await browser.post(`${player.url}/refresh`)).text).toContain('could not be asked');
    await world.issuer.comeBack();
    expect((await browser.post(`${player.url}/refresh`)).text).not.toContain('could not be asked');
    world.issuer.endAccess();
    expect((await browser.post(`${player.url}/refresh`)).text).toContain('You were signed out. Sign in again.');
    expect(await browser.session(player)).toEqual({ signedIn: false });
  });

  test('signing out ends the session here and at the issuer, and spends the refresh token', async () => {
    const player = await world.startPlayer();
    const browser = await signIn(player);
    const confirm = await browser.get(`${player.url}/logout`);
    expect(await browser.session(player)).toEqual({ signedIn: false });
    const [, action = ''] = /action="([^"]+)"/.exec(confirm.text) ?? [];
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(confirm.text) ?? [];
    const left = await browser.post(action, { xsrf, logout: 'yes' });
    expect(left.url).toMatch(new RegExp(`^${player.url}/signed-out\\?state=`));
    expect(left.text).toContain('You have signed out.');
    expect((await browser.get(left.url)).text).not.toContain('You have signed out.');
  });

  test('waits for an issuer that is not up yet', async () => {
    await world.issuer.goDown();
    const player = await world.startPlayer();
    expect((await openBrowser().get(`${player.url}/login`)).status).toBe(503);
    expect((await tell(player, 'x.y.z')).status).toBe(503);
    await world.issuer.comeBack();
    const browser = openBrowser();
    await until('sign-in works', async () => (await browser.get(`${player.url}/login`)).status === 200);
    expect((await browser.session(player)).signedIn).toBe(true);
  });
});
