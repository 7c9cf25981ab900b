import { expect, test } from 'vitest';

import { signOutFromApp } from './sign-out-from-app.ts';
import { type World, world } from '../support/world.ts';

const DAY = 86_400;

test('each refresh gives a new refresh token and ends the one it was made with', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const first = await player.signIn(alice);
  const second = await refreshed(player.refresh(first));
  expect(second.refresh_token).not.toBe(first.refresh_token);
  expect(second.access_token).not.toBe(first.access_token);
  advance(60);
  const third = await refreshed(player.refresh(second));
  expect(await player.introspect(third.access_token)).toMatchObject({ active: true, sub: alice.id });
});

test('an old refresh token, shown again after the grace, ends everything that came of it', async () => {
  const { alice, player, phone, advance } = await world({ fakeTime: true });
  const first = await player.signIn(alice);
  const elsewhere = await phone.signIn(alice);
  const second = await refreshed(player.refresh(first));
  advance(11);
  expect(await player.refresh(first)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(second)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(second.access_token)).toEqual({ active: false });
  expect((await player.userinfo(second)).status).toBe(401);
  expect(await phone.refresh(elsewhere)).toHaveProperty('access_token');
});

test('after a stolen refresh token was noticed the app signs its person in as before', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const first = await player.signIn(alice, browser);
  await player.refresh(first);
  advance(11);
  await player.refresh(first);
  const again = await player.signIn(alice, browser);
  expect(await player.refresh(again)).toHaveProperty('access_token');
});

test('a second refresh within seconds is refused and harms nobody', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const first = await player.signIn(alice);
  const second = await refreshed(player.refresh(first));
  advance(9);
  expect(await player.refresh(first)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(second.access_token)).toMatchObject({ active: true });
  expect(await player.refresh(second)).toHaveProperty('access_token');
});

test('a refresh token lives thirty days', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const [kept, forgotten] = [await player.signIn(alice), await player.signIn(alice, alice.anotherBrowser())];
  advance(29 * DAY);
  const renewed = await refreshed(player.refresh(kept));
  advance(2 * DAY);
  expect(await player.refresh(forgotten)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(renewed)).toHaveProperty('access_token');
});

test('an access token lives ten minutes, and a few seconds more for clocks that differ', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const tokens = await player.signIn(alice);
  expect(tokens.expires_in).toBe(600);
  advance(599);
  expect((await player.userinfo(tokens)).status).toBe(200);
  advance(17);
  expect((await player.userinfo(tokens)).status).toBe(401);
  expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
});

test('a code lives a minute', async () => {
  const { alice, player, advance } = await world({ fakeTime: true });
  const { code, verifier } = await player.obtainCode(alice);
  advance(61);
  expect(await player.exchange(code, verifier)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

test('a code shown twice is refused and ends what the first time gave', async () => {
  const { alice, player } = await world();
  const { code, verifier } = await player.obtainCode(alice);
  const { body } = await player.exchange(code, verifier);
  expect(await player.exchange(code, verifier)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await player.introspect(String(body['access_token']))).toEqual({ active: false });
  expect(await player.refresh({ refresh_token: String(body['refresh_token']) })).toEqual({ error: 'invalid_grant' });
});

test('offline access survives signing out of the browser; the rest does not', async () => {
  const { alice, player, phone } = await world();
  const browser = alice.browser();
  const offline = await player.signIn(alice, browser);
  const online = await phone.signIn(alice, browser, { scope: 'openid' });
  expect(await phone.userinfo(online)).toMatchObject({ status: 200 });
  await signOutFromApp(browser, offline.id_token);
  expect(await player.refresh(offline)).toHaveProperty('access_token');
  expect((await phone.userinfo(online)).status).toBe(401);
});

test('offline access outlives the Session it came from', async () => {
  const { alice, player, phone, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const offline = await player.signIn(alice, browser);
  await phone.signIn(alice, browser, { scope: 'openid' });
  advance(15 * DAY);
  await browser.open(player.authorization({ prompt: 'none' }).url);
  expect(browser.left?.searchParams.get('error')).toBe('login_required');
  expect(await player.refresh(offline)).toHaveProperty('access_token');
});

async function refreshed(answer: ReturnType<World['player']['refresh']>) {
  const tokens = await answer;
  if ('error' in tokens) throw new Error(`the refresh was refused: ${tokens.error}`);
  return tokens;
}
