import { expect, test } from 'vitest';

import { world } from '../support/world.ts';

test('one press signs a person out everywhere, and every client is told', async () => {
  const { alice, player, cinema, tv, phone, ears, settle } = await world();
  const tokens = {
    player: await player.signIn(alice),
    cinema: await cinema.signIn(alice),
    phone: await phone.signIn(alice, alice.anotherBrowser()),
    tv: await tv.connectDevice(alice),
  };

  const receipt = await alice.signOutOfAllDevices();

  expect(receipt).toMatch(/^\/sign-outs\/[\w-]+$/);
  expect(alice.browser().heading).toBe('Access has ended');
  expect(await player.refresh(tokens.player)).toEqual({ error: 'invalid_grant' });
  expect(await cinema.refresh(tokens.cinema)).toEqual({ error: 'invalid_grant' });
  expect(await phone.refresh(tokens.phone)).toEqual({ error: 'invalid_grant' });
  expect(await tv.refresh(tokens.tv)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(tokens.player.access_token)).toEqual({ active: false });
  await settle();
  expect(ears.by('player').map(({ claims }) => [claims['sub'], typeof claims['sid']])).toEqual([[alice.id, 'string']]);
  expect(ears.by('cinema').map(({ claims }) => [claims['sub'], claims['sid']])).toEqual([[alice.id, undefined]]);
});

test('the browser that pressed the button must sign in again', async () => {
  const { alice, player } = await world();
  await player.signIn(alice);
  await alice.signOutOfAllDevices();
  const browser = alice.browser();
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  await browser.open(player.authorization().url);
  expect(browser.buttons).toContain('Sign in');
});

test('a new sign-in works in the same second', async () => {
  const { alice, player } = await world({ fakeTime: true });
  const before = await player.signIn(alice);
  await alice.signOutOfAllDevices();
  const after = await player.signIn(alice);
  expect(await player.refresh(before)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(after.access_token)).toMatchObject({ active: true });
  expect(await player.refresh(after)).toHaveProperty('access_token');
});
