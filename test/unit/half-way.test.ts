import { describe, expect, test } from 'vitest';

import { createHalfWaySignIns, HALF_WAY_SECONDS } from '../../src/authn/half-way.ts';
import { authnWorld, keyring } from '../support/authn-world.ts';
import { signOutRequest } from '../support/records.ts';

const AT = '/sign-in/second-step?return_to=%2Faccount';

async function halfWayWorld() {
  const house = await authnWorld();
  const { store, clock, alice } = house;
  const nodeOver = ({ artifacts, accounts }: typeof store) =>
    createHalfWaySignIns<{ readonly amr: string[] }>({ artifacts, attempts: accounts, keyring, clock });
  const signIns = nodeOver(store);
  const halfWay = { accountId: alice.id, at: AT, proof: { amr: ['pwd'] } };
  const begin = async (): Promise<string> =>
    signIns.begin(halfWay, await store.revocations.epochs(['everyone', `account:${alice.id}`]));
  return { ...house, nodeOver, signIns, halfWay, begin };
}

test('what a browser keeps is 256 bits, and opens what was proven for ten minutes to the second', async () => {
  const { signIns, halfWay, begin, clock, alice } = await halfWayWorld();
  const [bearer, other] = [await begin(), await begin()];
  expect(bearer).toMatch(/^[\w-]{43}$/);
  expect(bearer).not.toBe(other);
  expect(HALF_WAY_SECONDS).toBe(600);
  clock.pass(599);
  const epochs = { everyone: 0, [`account:${alice.id}`]: 0 };
  expect(await signIns.find(bearer, AT)).toEqual({ halfWay, epochs });
  expect(await signIns.finish(bearer)).toBe(true);
  clock.pass(1);
  expect([await signIns.find(other, AT), await signIns.finish(other)]).toEqual([null, false]);
});

test('it belongs to one page, with its query', async () => {
  const { signIns, begin } = await halfWayWorld();
  const bearer = await begin();
  for (const elsewhere of ['/sign-in/second-step', `${AT}&more=1`, '/interaction/u1/second-step', '']) {
    expect(await signIns.find(bearer, elsewhere)).toBeNull();
  }
  for (const bent of [undefined, '', bearer.slice(1), `${bearer}=`, '__proto__']) {
    expect(await signIns.find(bent, AT)).toBeNull();
  }
  expect(await signIns.find(bearer, AT)).not.toBeNull();
});

test('it is finished once, on whichever node, and not found any more', async () => {
  const { signIns, nodeOver, open, begin } = await halfWayWorld();
  const bearer = await begin();
  const other = nodeOver(await open());
  const outcomes = await Promise.all([signIns, other, signIns, other].map((node) => node.finish(bearer)));
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  expect(await other.find(bearer, AT)).toBeNull();
});

describe('wrong codes', () => {
  test('the fifth ends it', async () => {
    const { signIns, begin } = await halfWayWorld();
    const [bearer, other] = [await begin(), await begin()];
    for (const wrong of [1, 2, 3, 4]) expect([wrong, await signIns.countWrong(bearer)]).toEqual([wrong, true]);
    expect(await signIns.find(bearer, AT)).not.toBeNull();
    expect(await signIns.countWrong(bearer)).toBe(false);
    expect([await signIns.find(bearer, AT), await signIns.finish(bearer)]).toEqual([null, false]);
    // Each is counted for itself: that an account is not guessed at through many is the throttle's to see to.
    expect(await signIns.countWrong(other)).toBe(true);
  });

  test('are counted as long as it lives', async () => {
    const { signIns, begin, clock } = await halfWayWorld();
    const bearer = await begin();
    for (const _wrong of [1, 2, 3, 4]) {
      expect(await signIns.countWrong(bearer)).toBe(true);
      clock.pass(149);
    }
    expect(await signIns.countWrong(bearer)).toBe(false);
  });
});

test.for([
  ['its account', (accountId: string) => ({ kind: 'account', accountId }) as const],
  ['everyone', () => ({ kind: 'everyone' }) as const],
  [
    'all other devices of its account',
    (accountId: string) => ({ kind: 'account-except', accountId, sessionUid: 'another-browser' }) as const,
  ],
] as const)('a sign-out of %s ends it', async ([, scope]) => {
  const { signIns, begin, store, alice, clock } = await halfWayWorld();
  const bearer = await begin();
  await store.revocations.signOut(signOutRequest('one', scope(alice.id), { at: clock.now() }));
  expect([await signIns.find(bearer, AT), await signIns.finish(bearer)]).toEqual([null, false]);
});
