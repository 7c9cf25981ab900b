import { describe, expect, test } from 'vitest';

import { createTrustedBrowsers, TRUST_SECONDS } from '../../src/authn/trusted-browsers.ts';
import type { SignOutScope } from '../../src/store/records.ts';
import { authnWorld, keyring } from '../support/authn-world.ts';
import { signOutRequest } from '../support/records.ts';

async function trustWorld() {
  const house = await authnWorld();
  const { store, clock, alice } = house;
  const browsers = createTrustedBrowsers({ store: store.accounts, revocations: store.revocations, keyring, clock });
  const stamps = () => store.revocations.epochs(['everyone', `account:${alice.id}`]);
  const trust = async (browser = 'Firefox on Linux'): Promise<string> =>
    browsers.trust({ accountId: alice.id, browser, stamps: await stamps() });
  const signOut = (scope: SignOutScope) => store.revocations.signOut(signOutRequest('one', scope, { at: clock.now() }));
  return { ...house, browsers, stamps, trust, signOut };
}

test('what a browser keeps is 256 bits, and stands for thirty days to the second', async () => {
  const { browsers, trust, clock, alice } = await trustWorld();
  const bearer = await trust();
  expect(bearer).toMatch(/^[\w-]{43}$/);
  expect(TRUST_SECONDS).toBe(30 * 86_400);
  clock.pass(TRUST_SECONDS - 1);
  expect(await browsers.isTrusted(alice.id, bearer)).toBe(true);
  expect(await browsers.of(alice.id)).toMatchObject([{ browser: 'Firefox on Linux', lastUsedAt: clock.now() }]);
  clock.pass(1);
  expect(await browsers.isTrusted(alice.id, bearer)).toBe(false);
  expect(await browsers.of(alice.id)).toEqual([]);
});

test('it is trusted for one account, by what it keeps and nothing else', async () => {
  const { browsers, trust, alice, addAccount, store } = await trustWorld();
  const bob = await addAccount('bob');
  const bearer = await trust();
  const [{ id } = { id: '' }] = await store.accounts.credentialsOf(alice.id);
  for (const [whose, value] of [
    [bob.id, bearer],
    [alice.id, undefined],
    [alice.id, ''],
    [alice.id, id],
    [alice.id, bearer.slice(1)],
  ] as const) {
    expect([whose, value, await browsers.isTrusted(whose, value)]).toEqual([whose, value, false]);
  }
  expect(await browsers.isTrusted(alice.id, bearer)).toBe(true);
});

describe('trust ends with the account’s access', () => {
  const ends: [string, (accountId: string) => SignOutScope][] = [
    ['everyone', () => ({ kind: 'everyone' })],
    ['the account', (accountId) => ({ kind: 'account', accountId })],
    // Whichever browser asks: trust bears no Session that could be spared.
    [
      'all other devices of the account',
      (accountId) => ({ kind: 'account-except', accountId, sessionUid: 'the-browser-that-asks' }),
    ],
  ];
  test.for(ends)('a sign-out of %s', async ([, scope]) => {
    const { browsers, trust, signOut, alice } = await trustWorld();
    const bearer = await trust();
    await signOut(scope(alice.id));
    expect(await browsers.isTrusted(alice.id, bearer)).toBe(false);
    expect(await browsers.of(alice.id)).toEqual([]);
    // And one that is trusted afterwards is.
    expect(await browsers.isTrusted(alice.id, await trust())).toBe(true);
  });

  const spares: [string, (accountId: string) => SignOutScope][] = [
    ['somebody else', () => ({ kind: 'account', accountId: 'bob' })],
    ['one browser', (accountId) => ({ kind: 'browser', accountId, sessionUid: 'some-session' })],
    ['one app', () => ({ kind: 'client', clientId: 'player' })],
  ];
  test.for(spares)('and not with a sign-out of %s', async ([, scope]) => {
    const { browsers, trust, signOut, alice } = await trustWorld();
    const bearer = await trust();
    await signOut(scope(alice.id));
    expect(await browsers.isTrusted(alice.id, bearer)).toBe(true);
  });

  test('a sign-out between the proof and the trust comes in time', async () => {
    const { browsers, stamps, signOut, alice } = await trustWorld();
    const seen = await stamps();
    await signOut({ kind: 'account', accountId: alice.id });
    const bearer = await browsers.trust({ accountId: alice.id, browser: 'Firefox on Linux', stamps: seen });
    expect(await browsers.isTrusted(alice.id, bearer)).toBe(false);
  });
});

test('one is forgotten, or all of them; and the oldest of more than twenty', async () => {
  const { browsers, trust, clock, alice } = await trustWorld();
  const bearers: string[] = [];
  for (let nth = 0; nth < 21; nth += 1) {
    bearers.push(await trust(`Browser ${nth}`));
    clock.pass(1);
  }
  const standing = async () =>
    (await Promise.all(bearers.map((bearer) => browsers.isTrusted(alice.id, bearer)))).filter(Boolean).length;
  expect([await browsers.isTrusted(alice.id, bearers[0]), await standing()]).toEqual([false, 20]);
  const [oldest] = await browsers.of(alice.id);
  expect(oldest?.browser).toBe('Browser 1');
  expect(await browsers.forget({ accountId: 'bob', id: oldest?.id ?? '' })).toBe(false);
  expect(await browsers.forget({ accountId: alice.id, id: oldest?.id ?? '' })).toBe(true);
  expect([await browsers.isTrusted(alice.id, bearers[1]), await standing()]).toEqual([false, 19]);
  await browsers.forgetAll(alice.id);
  expect(await standing()).toBe(0);
});
