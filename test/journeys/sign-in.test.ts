import { expect, test } from 'vitest';

import { world } from '../support/world.ts';

test.for(['username', 'email'] as const)('a person signs in to an app by %s', async (by) => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { url, verifier, state } = player.authorization();
  await browser.open(url);
  expect(browser.heading).toBe('Sign in');
  expect(browser.page.text).toContain('Player');
  await browser.press('Sign in', { username: alice[by], password: alice.password });
  expect(browser.left?.href).toMatch(/^http:\/\/player\.test\/callback\?/);
  expect(browser.left?.searchParams.get('state')).toBe(state);
  const { status, body } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  expect([status, body['token_type']]).toEqual([200, 'Bearer']);
});

test('a wrong password stays on the page, keeps the name and says so aloud', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  await browser.open(player.authorization().url);
  await browser.press('Sign in', { username: alice.email, password: 'not the password at all' });
  expect([browser.page.status, browser.heading, browser.left]).toEqual([401, 'Sign in', undefined]);
  expect(browser.page.text).toMatch(/role="alert">\s*<p>The username or password is wrong\./);
  expect(browser.page.text).toContain(`value="${alice.email}"`);
  expect(browser.page.text).not.toContain('not the password at all');
  advance(2);
  await browser.press('Sign in', { password: alice.password });
  expect(browser.left?.searchParams.has('code')).toBe(true);
});

test('a person who nobody is and a person with a wrong password read the same words', async () => {
  const { alice, player } = await world();
  const page = async (username: string): Promise<string> => {
    const browser = alice.anotherBrowser();
    await browser.open(player.authorization().url);
    await browser.press('Sign in', { username, password: 'not the password at all' });
    return `${browser.page.status} ${/role="alert">([\s\S]*?)<\/div>/.exec(browser.page.text)?.[1]}`;
  };
  expect(await page('nobody-at-all')).toBe(await page(alice.username));
});

test('somebody who thinks better of it goes back to the app without an account', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization().url);
  await browser.press('Cancel and go back');
  expect(browser.left?.searchParams.get('error')).toBe('access_denied');
});

test('an app that is not ours asks for consent and names what it would get', async () => {
  const { alice, cinema } = await world();
  const browser = alice.browser();
  await browser.open(cinema.authorization().url);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.heading).toContain('Cinema');
  expect(browser.page.text).toContain('See your username.');
  expect(browser.page.text).toContain('See your e-mail address.');
  expect(browser.page.text).toContain('Keep its access while you are away');
  expect(browser.buttons).toEqual(expect.arrayContaining(['Allow', 'Deny']));
});

test('consent names the scopes of the configuration in its own words', async () => {
  const { alice, cinema } = await world({ configuration: { scopes: { 'watch:history': 'See what you <watched>.' } } });
  const browser = alice.browser();
  await browser.open(cinema.authorization({ scope: 'openid watch:history' }).url);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.page.text).toContain('See what you &lt;watched&gt;.');
  expect(browser.page.text).not.toContain('See your e-mail address.');
});

test('Deny answers access_denied to the app, and nothing is granted', async () => {
  const { alice, cinema, core } = await world();
  const browser = alice.browser();
  const { url, state } = cinema.authorization();
  await browser.open(url);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  await browser.press('Deny');
  expect(browser.left?.searchParams.get('error')).toBe('access_denied');
  expect(browser.left?.searchParams.get('state')).toBe(state);
  expect(await core.store.revocations.clientSessionsOf(alice.id)).toEqual([]);
});

test('Allow is remembered: the second visit asks nothing', async () => {
  const { alice, cinema } = await world();
  const asking = { prompt: undefined, scope: 'openid profile' };
  const browser = alice.browser();
  await cinema.signIn(alice, browser, asking);
  await browser.open(cinema.authorization(asking).url);
  expect(browser.left?.searchParams.has('code')).toBe(true);
});

test('more than was allowed is asked again, and only that', async () => {
  const { alice, cinema } = await world();
  const browser = alice.browser();
  await cinema.signIn(alice, browser, { prompt: undefined, scope: 'openid profile' });
  await browser.open(cinema.authorization({ prompt: undefined, scope: 'openid profile email' }).url);
  expect(browser.buttons).toContain('Allow');
  expect(browser.page.text).toContain('See your e-mail address.');
  expect(browser.page.text).not.toContain('See your username.');
});

test('an app of ours never asks for consent, and gets a refresh token for offline_access without prompt=consent', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization({ prompt: undefined }).url);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.left?.searchParams.has('code')).toBe(true);
  expect(await player.signIn(alice, browser)).toHaveProperty('refresh_token');
  expect(await player.signIn(alice, browser, { scope: 'openid' })).not.toHaveProperty('refresh_token');
});

test('an app that is not ours gets no refresh token without prompt=consent', async () => {
  const { alice, cinema } = await world();
  expect(await cinema.signIn(alice, alice.browser(), { prompt: undefined })).not.toHaveProperty('refresh_token');
  expect(await cinema.signIn(alice)).toHaveProperty('refresh_token');
});

test('prompt=none answers at once: login_required without a Session, a code with one', async () => {
  const { alice, player, phone } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization({ prompt: 'none' }).url);
  expect(browser.left?.searchParams.get('error')).toBe('login_required');
  await phone.signIn(alice, browser);
  await browser.open(player.authorization({ prompt: 'none' }).url);
  expect(browser.left?.searchParams.get('code')).toEqual(expect.any(String));
});

test('prompt=none of an app that still needs consent answers consent_required', async () => {
  const { alice, player, cinema } = await world();
  const browser = alice.browser();
  await player.signIn(alice, browser);
  await browser.open(cinema.authorization({ prompt: 'none', scope: 'openid' }).url);
  expect(browser.left?.searchParams.get('error')).toBe('consent_required');
});

test('prompt=login asks for the password although somebody is signed in', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  // Whoever asks with max_age is told when the sign-in was (Core §3.1.2.1).
  const before = await player.signIn(alice, browser, { max_age: '3600' });
  advance(60);
  await browser.open(player.authorization({ prompt: 'login' }).url);
  expect(browser.buttons).toContain('Sign in');
  const after = await player.signIn(alice, browser, { prompt: 'login', max_age: '3600' });
  expect(claimsOf(after.id_token)['auth_time']).toBe(Number(claimsOf(before.id_token)['auth_time']) + 60);
});

test('max_age asks for the password once the sign-in is older', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const tokens = await player.signIn(alice, browser, { max_age: '300' });
  expect(claimsOf(tokens.id_token)['auth_time']).toBe(Math.floor(Date.now() / 1000));
  advance(299);
  await browser.open(player.authorization({ max_age: '300' }).url);
  expect(browser.left?.searchParams.has('code')).toBe(true);
  advance(2);
  await browser.open(player.authorization({ max_age: '300' }).url);
  expect(browser.buttons).toContain('Sign in');
  expect(browser.page.text).toContain('The app asks you to sign in again to go on.');
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.left?.searchParams.has('code')).toBe(true);
});

test('login_hint fills in the name, and nothing else', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization({ login_hint: '"><b>alice@example.test' }).url);
  expect(browser.page.text).toContain('value="&#34;&gt;&lt;b&gt;alice@example.test"');
});

test('a person signed in at one app needs no password at the next', async () => {
  const { alice, player, phone } = await world();
  const browser = alice.browser();
  const first = await player.signIn(alice, browser);
  const { url, verifier } = phone.authorization();
  await browser.open(url);
  const { body } = await phone.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  expect(claimsOf(String(body['id_token']))['sub']).toBe(claimsOf(first.id_token)['sub']);
});

test('a person signs in to their own pages, and is led to where they were going', async () => {
  const { alice } = await world();
  const browser = alice.browser();
  await browser.open('/account/devices');
  expect(browser.path).toBe('/sign-in?return_to=%2Faccount%2Fdevices');
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect([browser.page.status, browser.path]).toEqual([200, '/account/devices']);
  await browser.open('/sign-in');
  expect(browser.path).toBe('/account');
});

test('a sign-in in a browser where somebody else is signed in ends their Session first', async () => {
  const { alice, bob, player, phone, ears, settle } = await world();
  const browser = alice.browser();
  await player.signIn(alice, browser, { scope: 'openid' });
  const cookies = new Map(browser.cookies);
  await browser.open(phone.authorization({ prompt: 'login' }).url);
  await browser.press('Sign in', { username: bob.username, password: bob.password });
  // The library's page sends itself on by script; without script it has a button.
  if (browser.buttons.includes('Continue')) await browser.press('Continue');
  expect(browser.left?.searchParams.get('code')).toEqual(expect.any(String));
  await browser.open('/account');
  expect(browser.page.text).toContain('bob');
  expect(browser.page.text).not.toContain('alice');
  await settle();
  expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
  const thief = alice.anotherBrowser();
  for (const [key, value] of cookies) thief.cookies.set(key, value);
  await thief.open(player.authorization({ prompt: 'none' }).url);
  expect(thief.left?.searchParams.get('error')).toBe('login_required');
});

test('signing in to our own pages in a browser of somebody else ends their Session too', async () => {
  const { alice, bob, player } = await world();
  const browser = alice.browser();
  const tokens = await player.signIn(alice, browser, { scope: 'openid' });
  const other = bob.browser();
  await other.open('/sign-in');
  for (const [key, value] of browser.cookies) if (key.startsWith('curfew-session')) other.cookies.set(key, value);
  await other.press('Sign in', { username: bob.username, password: bob.password });
  await other.open('/account');
  expect(other.page.text).toContain('bob');
  expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
});

test('an Interaction cannot be finished twice, and says how to go on', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization().url);
  const form = browser.page;
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  browser.page = form;
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect([browser.page.status, browser.heading]).toEqual([400, 'Start again']);
});

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
