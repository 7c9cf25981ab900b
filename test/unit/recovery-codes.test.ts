import { describe, expect, test } from 'vitest';

import { createRecoveryCodes, looksLikeRecoveryCode } from '../../src/authn/recovery-codes.ts';
import { authnWorld, keyring } from '../support/authn-world.ts';
import { signOutRequest } from '../support/records.ts';

async function codesWorld() {
  const house = await authnWorld();
  const { store, clock, alice } = house;
  const nodeOver = ({ accounts, revocations }: typeof store) =>
    createRecoveryCodes({ store: accounts, revocations, keyring, clock });
  const codes = nodeOver(store);
  const standing = (accountId: string) => store.revocations.epochs(['everyone', `account:${accountId}`]);
  const replace = async (accountId: string) => codes.replace(accountId, await standing(accountId));
  return { ...house, nodeOver, codes, standing, replace, made: await replace(alice.id) };
}

test('ten codes of 120 bits, none like another', async () => {
  const { alice, replace, made } = await codesWorld();
  const again = await replace(alice.id);
  const all = [...made, ...again];
  expect([made.length, again.length, new Set(all).size]).toEqual([10, 10, 20]);
  // 24 letters of an alphabet of 32: five bits each, and none that is mistaken for another.
  for (const code of all) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{6}-){3}[0-9A-HJKMNP-TV-Z]{6}$/);
  // Every letter of the alphabet turns up among 480 of them, but once in fifty thousand runs or so.
  expect(new Set(all.join('').replaceAll('-', '')).size).toBeGreaterThan(30);
});

describe('a code', () => {
  test('is good once, and its set has one less', async () => {
    const { codes, alice, made, clock } = await codesWorld();
    const createdAt = clock.now();
    clock.pass(60);
    expect(await codes.use(alice.id, made[4] ?? '')).toBe(true);
    expect(await codes.use(alice.id, made[4] ?? '')).toBe(false);
    expect(await codes.of(alice.id)).toEqual({ left: 9, createdAt });
    for (const code of made.filter((_code, nth) => nth !== 4)) expect(await codes.use(alice.id, code)).toBe(true);
    expect((await codes.of(alice.id))?.left).toBe(0);
    expect(await codes.use(alice.id, made[0] ?? '')).toBe(false);
  });

  test('is read as somebody wrote it down', async () => {
    const { codes, alice, made } = await codesWorld();
    const [first = '', second = ''] = made;
    const written = first.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
    expect(await codes.use(alice.id, ` ${written}`)).toBe(true);
    expect(await codes.use(alice.id, second.replaceAll('-', '').replaceAll('1', 'I'))).toBe(true);
  });

  test('of another account, of a former set, or with a letter changed is none', async () => {
    const { codes, replace, alice, addAccount, made } = await codesWorld();
    const bob = await addAccount('bob');
    const theirs = await replace(bob.id);
    expect(await codes.use(alice.id, theirs[0] ?? '')).toBe(false);
    const code = made[0] ?? '';
    const changed = `${code.slice(0, -1)}${code.endsWith('7') ? '8' : '7'}`;
    expect(await codes.use(alice.id, changed)).toBe(false);
    await replace(alice.id);
    expect(await codes.use(alice.id, code)).toBe(false);
    expect((await codes.of(alice.id))?.left).toBe(10);
  });

  test('is used by one of two nodes', async () => {
    const { codes, nodeOver, open, alice, made } = await codesWorld();
    const other = nodeOver(await open());
    const outcomes = await Promise.all([codes, other].map((node) => node.use(alice.id, made[0] ?? '')));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    // Two codes at once are two codes, though both change the same set.
    const both = await Promise.all([codes.use(alice.id, made[1] ?? ''), other.use(alice.id, made[2] ?? '')]);
    expect([both, (await codes.of(alice.id))?.left]).toEqual([[true, true], 7]);
  });
});

test.for([
  ['24 letters', '7K3M9QX2V8RT4H6JNP0WYZAB', true],
  ['23 letters', '7K3M9QX2V8RT4H6JNP0WYZA', false],
  ['25 letters', '7K3M9QX2V8RT4H6JNP0WYZABC', false],
  ['a letter that is in no code', '7K3M9QX2V8RT4H6JNP0WYZAU', false],
  ['full-width letters', '７K3M9QX2V8RT4H6JNP0WYZAB', false],
  ['a code of an app', '123456', false],
  ['nothing', '', false],
  ['no end of spaces', `${' '.repeat(10_000)}7K3M9QX2V8RT4H6JNP0WYZAB`, false],
] as const)('%s looks like one: %s', ([, typed, like]) => {
  expect(looksLikeRecoveryCode(typed)).toBe(like);
});

test('they can be taken away, and nobody who is not there is given any', async () => {
  const { codes, replace, alice, made } = await codesWorld();
  expect([await codes.remove(alice.id), await codes.remove(alice.id)]).toEqual([true, false]);
  expect([await codes.of(alice.id), await codes.use(alice.id, made[0] ?? '')]).toEqual([null, false]);
  expect(await replace('nobody')).toEqual([]);
});

test('a sign-out meanwhile leaves the set that was there', async () => {
  const { codes, store, standing, alice, made, clock } = await codesWorld();
  const seen = await standing(alice.id);
  const scope = { kind: 'account', accountId: alice.id } as const;
  await store.revocations.signOut(signOutRequest('one', scope, { at: clock.now() }));
  expect(await codes.replace(alice.id, seen)).toEqual([]);
  expect(await codes.use(alice.id, made[0] ?? '')).toBe(true);
});
