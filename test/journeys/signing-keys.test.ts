import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, test } from 'vitest';

import { endSession } from './sign-out-from-app.ts';
import { type World, world } from '../support/world.ts';

const HOUR = 3600;

test('a rotation in service: new tokens have the new key, old ones still verify, nobody is signed out', async () => {
  const house = await world({ fakeTime: true });
  const { alice, player, core, advance } = house;
  const browser = alice.browser();
  const before = await player.signIn(alice, browser);
  advance(1);
  await core.signingKeys.rotate({ algorithms: ['ES256'], immediately: true });
  await core.provider.reload();

  const refreshed = await player.refresh(before);
  if ('error' in refreshed) throw new Error(refreshed.error);
  expect(kidOf(refreshed.id_token)).not.toBe(kidOf(before.id_token));
  for (const { id_token } of [before, refreshed]) await verify(house, id_token);
  await browser.open(player.authorization({ prompt: 'none' }).url);
  expect(browser.left?.searchParams.has('code')).toBe(true);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
  expect(await player.introspect(before.access_token)).toMatchObject({ active: true });
});

test('only the algorithms asked for are rotated', async () => {
  const { core, ...house } = await world();
  const before = await kids({ ...house, core });
  await core.signingKeys.rotate({ algorithms: ['RS256'], immediately: true });
  await core.provider.reload();
  const after = await kids({ ...house, core });
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after).toHaveLength(before.length + 1);
});

test('a key that is to sign later is published first', async () => {
  const house = await world({ fakeTime: true });
  const { alice, player, core, advance } = house;
  const old = kidOf((await player.signIn(alice)).id_token);
  const before = await kids(house);
  await core.signingKeys.rotate({ algorithms: ['ES256'], immediately: false });
  await core.provider.reload();
  const [coming] = (await kids(house)).filter((kid) => !before.includes(kid));
  expect(coming).toEqual(expect.any(String));
  expect(kidOf((await player.signIn(alice)).id_token)).toBe(old);
  advance(61);
  await core.provider.reload();
  expect(kidOf((await player.signIn(alice)).id_token)).toBe(coming);
  expect(await kids(house)).toContain(old);
});

test('the old key stays until the last token it signed has expired, and is gone after', async () => {
  const house = await world({ fakeTime: true });
  const { alice, player, core, advance } = house;
  const old = kidOf((await player.signIn(alice)).id_token);
  advance(1);
  await core.signingKeys.rotate({ algorithms: ['ES256'], immediately: true });
  advance(HOUR);
  await core.provider.reload();
  expect(await kids(house)).toContain(old);
  advance(600);
  await core.provider.reload();
  expect(await kids(house)).not.toContain(old);
  expect((await core.signingKeys.list()).find(({ kid }) => kid === old)?.status).toBe('retired');
});

test('an interaction begun before a rotation is finished after it', async () => {
  const { alice, player, core } = await world();
  const browser = alice.browser();
  const { url, verifier } = player.authorization();
  await browser.open(url);
  await core.signingKeys.rotate({ algorithms: ['ES256', 'EdDSA', 'RS256'], immediately: true });
  await core.provider.reload();
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect((await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier)).status).toBe(200);
});

test('a self-contained token of the old key is still answered for', async () => {
  const TUNER = 'https://tuner.test/api';
  const { player, library, core } = await world({
    fakeTime: true,
    configuration: {
      scopes: { 'tuner:play': 'Play what is on.' },
      resources: [{ identifier: TUNER, scopes: ['tuner:play'], accessTokenFormat: 'jwt' }],
    },
  });
  const form = { grant_type: 'client_credentials', resource: TUNER, scope: 'tuner:play' };
  const token = String((await player.post('/token', form)).body['access_token']);
  await core.signingKeys.rotate({ algorithms: ['ES256'], immediately: true });
  await core.provider.reload();
  expect(await library.introspect(token)).toMatchObject({ active: true });
});

test('an ID Token of a key in retirement is still a hint to sign out with', async () => {
  const { alice, player, core, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  advance(1);
  await core.signingKeys.rotate({ algorithms: ['ES256'], immediately: true });
  await core.provider.reload();
  await browser.open(
    endSession({ id_token_hint: id_token, post_logout_redirect_uri: 'http://player.test/signed-out' }),
  );
  await browser.press('Sign out');
  expect(browser.left?.href).toBe('http://player.test/signed-out');
});

test('a restart signs with the same keys', async () => {
  const house = await world();
  const before = await kids(house);
  await house.restart();
  expect(await kids(house)).toEqual(before);
});

function kidOf(jwt: string): string {
  return String(decodeProtectedHeader(jwt).kid);
}

async function jwks({ issuer }: World): Promise<JSONWebKeySet> {
  return (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet;
}

async function kids(house: World): Promise<string[]> {
  return (await jwks(house)).keys.map(({ kid }) => String(kid)).toSorted();
}

async function verify(house: World, idToken: string): Promise<void> {
  await jwtVerify(idToken, createLocalJWKSet(await jwks(house)), {
    issuer: house.issuer,
    audience: 'player',
    currentDate: new Date(),
  });
}
