import { decodeProtectedHeader } from 'jose';
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
