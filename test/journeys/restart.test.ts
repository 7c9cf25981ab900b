import { expect, test } from 'vitest';

import { world } from '../support/world.ts';

test('what was alive before a restart is alive after it, and what was dead is dead', async () => {
  const { alice, bob, player, cinema, tv, restart } = await world();
  const ended = [await player.signIn(bob), await tv.connectDevice(bob)] as const;
  await bob.signOutOfAllDevices();
  const browser = alice.browser();
  const tokens = await player.signIn(alice, browser);
  const waiting = await cinema.obtainCode(alice, browser);
  const { device_code, user_code } = await tv.startDevice();

  await restart();

  expect((await player.userinfo(tokens)).status).toBe(200);
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  expect((await cinema.exchange(waiting.code, waiting.verifier)).status).toBe(200);
  await tv.approveDevice(alice, user_code, browser);
  expect((await tv.pollDevice(device_code)).status).toBe(200);
  await browser.open('/account');
  expect(browser.path).toBe('/account');

  expect(await player.refresh(ended[0])).toEqual({ error: 'invalid_grant' });
  expect(await tv.refresh(ended[1])).toEqual({ error: 'invalid_grant' });
  expect((await player.userinfo(ended[0])).status).toBe(401);
  await bob.browser().open(player.authorization({ prompt: 'none' }).url);
  expect(bob.browser().left?.searchParams.get('error')).toBe('login_required');
});

test('a form that was open over a restart still works', async () => {
  const { alice, player, restart } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization().url);
  await restart();
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.left?.searchParams.has('code')).toBe(true);
});

test('a refresh token that was used before a restart is used after it too', async () => {
  const { alice, player, advance, restart } = await world({ fakeTime: true });
  const first = await player.signIn(alice);
  const second = await player.refresh(first);
  if ('error' in second) throw new Error(second.error);
  advance(11);
  await restart();
  expect(await player.refresh(first)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(second)).toEqual({ error: 'invalid_grant' });
});

test('an app that was down is told after a restart, with a fresh token', async () => {
  const { alice, player, ears, settle, advance, restart } = await world({ fakeTime: true });
  ears.behave('player', 503);
  const { id_token } = await player.signIn(alice);
  await alice.signOutOfAllDevices();
  await settle();
  const [failed] = ears.by('player');
  expect(ears.by('player')).toHaveLength(1);
  ears.behave('player', 200);
  advance(10);
  await restart();
  await settle();
  const [, heard] = ears.by('player');
  expect(heard?.claims['sid']).toBe(JSON.parse(Buffer.from(id_token.split('.')[1] ?? '', 'base64url').toString()).sid);
  expect(heard?.claims['jti']).not.toBe(failed?.claims['jti']);
  expect(heard?.claims['iat']).toBe(Number(failed?.claims['iat']) + 10);
});

test('a sign-out that was not spread before the process ended is spread by the next', async () => {
  const { alice, player, ears, settle, restart, core } = await world();
  await player.signIn(alice);
  await core.fanOut.stop();
  await alice.signOutOfAllDevices();
  await settle();
  expect(ears.heard).toEqual([]);
  await restart();
  await settle();
  expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
});

test('an app that is no longer in the configuration is signed out of, and is told although its secret is gone', async () => {
  const house = await world();
  const { alice, player, phone, ears } = house;
  const gone = await player.signIn(alice);
  const stays = await phone.signIn(alice);

  await house.restart((config) => ({
    ...config,
    clients: config.clients.filter(({ client_id }) => client_id !== 'player'),
  }));
  await house.settle();

  expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
  expect(await player.refresh(gone)).toEqual({ error: 'invalid_client' });
  expect(await phone.refresh(stays)).toHaveProperty('access_token');

  await house.restart();
  expect(await player.refresh(gone)).toEqual({ error: 'invalid_grant' });
});
