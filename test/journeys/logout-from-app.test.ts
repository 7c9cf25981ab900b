import { expect, test } from 'vitest';

import { endSession, signOutFromApp } from './sign-out-from-app.ts';
import { world } from '../support/world.ts';

const BACK = 'http://player.test/signed-out';

test('an app sends its person to sign out: a page asks, names the app, and leads back with the state', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: BACK, state: 'a b' }));
  expect(browser.heading).toBe('Sign out?');
  expect(browser.page.text).toContain('<strong>Player</strong> asks to sign you out');
  await browser.press('Sign out');
  expect(browser.left?.href).toBe(`${BACK}?state=a+b`);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
});

test('a hint that nobody of ours signed asks the person, and names no app', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  const forged = `${id_token.slice(0, id_token.lastIndexOf('.'))}.${'A'.repeat(86)}`;
  await browser.open(endSession({ id_token_hint: forged, post_logout_redirect_uri: BACK }));
  expect([browser.page.status, browser.heading]).toEqual([200, 'Sign out?']);
  expect(browser.page.text).not.toContain('<strong>Player</strong>');
  await browser.press('Sign out');
  expect(browser.left).toBeUndefined();
  expect(browser.heading).toBe('You are signed out');
});

test('without a way back the page says that the person is signed out', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await signOutFromApp(browser, id_token);
  expect([browser.page.status, browser.heading]).toEqual([200, 'You are signed out']);
});

test('every app of the browser is told by its sid, those of other browsers are not', async () => {
  const { alice, player, cinema, phone, core, ears, settle } = await world();
  const browser = alice.browser();
  const mine = await player.signIn(alice, browser);
  await cinema.signIn(alice, browser);
  const online = await phone.signIn(alice, browser, { scope: 'openid' });
  const elsewhere = await player.signIn(alice, alice.anotherBrowser());
  const sessions = await core.store.revocations.clientSessionsOf(alice.id);
  const cinemaSid = sessions.find(({ clientId }) => clientId === 'cinema')?.sid;
  await signOutFromApp(browser, mine.id_token);
  await settle();
  expect(ears.heard.map(({ client, claims }) => [client, claims['sub'], claims['sid']]).toSorted(byText)).toEqual([
    ['cinema', alice.id, cinemaSid],
    ['player', alice.id, claimsOf(mine.id_token)['sid']],
  ]);
  expect((await phone.userinfo(online)).status).toBe(401);
  expect(await player.refresh(elsewhere)).toHaveProperty('access_token');
  // Offline access survives (Back-Channel Logout §2.7).
  expect(await player.refresh(mine)).toHaveProperty('access_token');
});

test('an app that cannot be reached does not keep its person waiting', async () => {
  const { alice, player, ears, core } = await world();
  ears.behave('player', () => undefined);
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await signOutFromApp(browser, id_token);
  expect(browser.heading).toBe('You are signed out');
  const pending = await core.store.revocations.pendingSignOuts(10);
  const deliveries = await core.store.deliveries.list({ page: { limit: 10 } });
  expect(pending.length + deliveries.length).toBeGreaterThan(0);
});

test('Stay signed in: the browser stays, and only the app that asked forgets', async () => {
  const { alice, player, phone, ears, settle } = await world();
  const browser = alice.browser();
  const asking = await player.signIn(alice, browser, { scope: 'openid' });
  const other = await phone.signIn(alice, browser, { scope: 'openid' });
  await browser.open(endSession({ id_token_hint: asking.id_token, post_logout_redirect_uri: BACK, state: 's' }));
  await browser.press('Stay signed in');
  expect(browser.left?.href).toBe(`${BACK}?state=s`);
  expect((await player.userinfo(asking)).status).toBe(401);
  expect((await phone.userinfo(other)).status).toBe(200);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
  await settle();
  expect(ears.by('player').map(({ claims }) => claims['sid'])).toEqual([claimsOf(asking.id_token)['sid']]);
  expect(await player.userinfo(await player.signIn(alice, browser, { scope: 'openid' }))).toMatchObject({
    status: 200,
  });
});

test('Stay signed in leaves the offline access of the app that asked', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const tokens = await player.signIn(alice, browser);
  await browser.open(endSession({ id_token_hint: tokens.id_token }));
  await browser.press('Stay signed in');
  expect(browser.page.status).toBe(200);
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
});

test('an app may ask although the Session is long over: the hint is enough to lead back', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  advance(40 * 86_400);
  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: BACK, state: 's' }));
  // Nobody is signed in, so nobody is asked; without script there is a button.
  await browser.press('Continue');
  expect(browser.left?.href).toBe(`${BACK}?state=s`);
});

test('an app may ask although its person signed out everywhere meanwhile', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await alice.signOutOfAllDevices(browser);
  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: BACK }));
  await browser.press('Continue');
  expect(browser.left?.href).toBe(BACK);
});

test('an address that is not registered is led to by nothing', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: 'http://evil.test/' }));
  expect([browser.page.status, browser.left]).toEqual([400, undefined]);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
});

test('without a hint the person is asked, and nobody is named', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await player.signIn(alice, browser);
  await browser.open(endSession({}));
  expect(browser.heading).toBe('Sign out?');
  expect(browser.page.text).toContain('An app asks to sign you out of this browser.');
  await browser.press('Sign out');
  expect(browser.heading).toBe('You are signed out');
});

test('the old cookie is worthless, with every form that was open', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await browser.open('/account/security');
  const form = browser.page;
  const cookies = new Map(browser.cookies);
  await signOutFromApp(browser, id_token);
  for (const [key, value] of cookies) browser.cookies.set(key, value);
  browser.page = form;
  await browser.press('Sign out of all devices');
  expect(browser.path).toMatch(/^\/sign-in/);
  await browser.open(player.authorization({ prompt: 'none' }).url);
  expect(browser.left?.searchParams.get('error')).toBe('login_required');
});

const byText = (a: readonly unknown[], b: readonly unknown[]): number => (String(a) < String(b) ? -1 : 1);

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
