import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, test } from 'vitest';

import { commandWorld } from './support.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

type Key = { kid: string; alg: string; status: string; retiresAt: string | null };

test('keys are listed, rotated by algorithm, and the running server publishes old and new', async () => {
  const { run, here, issuer, core, alice, player } = await commandWorld();
  const before = (await here('keys', 'list', '--json')).json() as Key[];
  expect(before.map(({ alg }) => alg).toSorted()).toEqual(['ES256', 'EdDSA', 'RS256']);
  expect(before[0]).toStrictEqual({
    kid: expect.any(String),
    alg: expect.any(String),
    status: 'signing',
    createdAt: INSTANT,
    signsFrom: INSTANT,
    retiresAt: null,
  });

  const rotated = await run('keys', 'rotate', '--algorithm', 'ES256', '--immediately', '--yes', '--json');

  expect(rotated).toMatchObject({ code: 0, stderr: '' });
  const after = (rotated.json() as Key[]).filter(({ alg }) => alg === 'ES256');
  expect(after.map(({ status }) => status).toSorted()).toEqual(['retiring', 'signing']);
  await core.provider.reload();
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { kid: string }[] };
  expect(keys.map(({ kid }) => kid)).toEqual(expect.arrayContaining(after.map(({ kid }) => kid)));
  const { id_token: idToken } = await player.signIn(alice);
  expect(decodeProtectedHeader(idToken).kid).toBe(after.find(({ status }) => status === 'signing')?.kid);
  expect((await here('keys', 'list')).stdout).not.toContain('"d"');
});

test('by default every algorithm gets a key that signs a little later; a wrong one gets none', async () => {
  const { here } = await commandWorld();
  expect(await here('keys', 'rotate', '--algorithm', 'HS256', '--yes')).toMatchObject({ code: 2, stdout: '' });
  expect((await here('keys', 'list', '--json')).json()).toHaveLength(3);
  const rotated = (await here('keys', 'rotate', '--yes', '--json')).json() as Key[];
  expect(
    rotated
      .filter(({ status }) => status === 'next')
      .map(({ alg }) => alg)
      .toSorted(),
  ).toEqual(['ES256', 'EdDSA', 'RS256']);
});

test('keys that may be in strangers’ hands are taken back at once, and what they signed verifies nowhere', async () => {
  const { here, run, issuer, core, alice, player, rows } = await commandWorld();
  const browser = await alice.signIn();
  const before = await player.signIn(alice, browser);
  // One that was retired before, and would be published for an hour yet.
  await here('keys', 'rotate', '--algorithm', 'ES256', '--immediately', '--yes');
  const old = ((await here('keys', 'list', '--json')).json() as Key[]).filter(({ alg }) => alg === 'ES256');
  expect(old).toHaveLength(2);

  expect(await here('keys', 'rotate', '--revoke')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  const revoked = await run('keys', 'rotate', '--algorithm', 'ES256', '--revoke', '--yes', '--json');

  expect(revoked).toMatchObject({ code: 0, stderr: '' });
  const left = (revoked.json() as Key[]).filter(({ alg }) => alg === 'ES256');
  expect(left).toMatchObject([{ status: 'signing' }]);
  expect(old.map(({ kid }) => kid)).not.toContain(left[0]?.kid);
  await core.provider.reload();
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { kid: string; alg: string }[] };
  expect(keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid)).toEqual([left[0]?.kid]);
  expect(keys).toHaveLength(3);
  // Sessions and refresh tokens are not theirs to end.
  const refreshed = await player.refresh(before);
  if ('error' in refreshed) throw new Error(refreshed.error);
  expect(decodeProtectedHeader(refreshed.id_token).kid).toBe(left[0]?.kid);
  const published = createLocalJWKSet({ keys } as unknown as JSONWebKeySet);
  await expect(jwtVerify(before.id_token, published)).rejects.toThrow(/no applicable key/);
  await expect(jwtVerify(refreshed.id_token, published)).resolves.toBeDefined();
  const { events = [] } = await rows();
  const told = events
    .filter(({ kind }) => kind === 'signing-keys.rotated')
    .map(({ facts }) => JSON.parse(String(facts)) as object);
  expect(told).toContainEqual({ algorithms: 'ES256', immediately: true, revoked: true });
});
