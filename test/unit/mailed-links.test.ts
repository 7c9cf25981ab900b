import { describe, expect, test } from 'vitest';

import {
  createMailedLinks,
  INCIDENT_RESET_SECONDS,
  linkExpiry,
  type LinkKind,
  type LinkPurpose,
} from '../../src/authn/mailed-links.ts';
import type { SignOutScope } from '../../src/store/records.ts';
import { authnWorld, keyring } from '../support/authn-world.ts';
import { signOutRequest } from '../support/records.ts';

const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];
const email = 'alice@mail.test';

/** What each is for, how long it is good for, and whether a Sign-out ends it. */
const LINKS: [LinkPurpose, number, 'ends' | 'stays'][] = [
  [{ kind: 'reset-password', email, passwordChangedAt: null }, 30 * MINUTE, 'ends'],
  [{ kind: 'verify-email', email }, DAY, 'ends'],
  [{ kind: 'change-email', email: 'new@mail.test', from: email }, HOUR, 'ends'],
  [{ kind: 'revert-email', email }, 7 * DAY, 'stays'],
  [{ kind: 'not-me' }, 7 * DAY, 'stays'],
  [{ kind: 'register', email }, DAY, 'ends'],
  [{ kind: 'invite', email }, 7 * DAY, 'ends'],
];

async function linksWorld() {
  const house = await authnWorld();
  const { store, clock, alice } = house;
  const nodeOver = ({ artifacts, revocations }: typeof store) =>
    createMailedLinks({ artifacts, revocations, keyring, clock });
  const links = nodeOver(store);
  const mint = (purpose: LinkPurpose): Promise<string> => links.mint({ accountId: alice.id, purpose });
  return { ...house, nodeOver, links, mint };
}

describe.for(LINKS)('%o', ([purpose, seconds, atSignOut]) => {
  test(`is good for ${seconds} seconds, and not at the end of them`, async () => {
    const { links, mint, clock, alice } = await linksWorld();
    const madeAt = clock.now();
    expect(linkExpiry(purpose.kind, madeAt).getTime() - madeAt.getTime()).toBe(seconds * 1000);
    const [bearer, other] = [await mint(purpose), await mint(purpose)];
    clock.pass(seconds - 1);
    const epochs = atSignOut === 'ends' ? { everyone: 0, [`account:${alice.id}`]: 0 } : {};
    expect(await links.find(purpose.kind, bearer)).toEqual({ accountId: alice.id, purpose, madeAt, epochs });
    expect(await links.use(bearer)).toBe(true);
    clock.pass(1);
    expect([await links.find(purpose.kind, other), await links.use(other)]).toEqual([null, false]);
  });

  test(`${atSignOut === 'ends' ? 'ends with' : 'outlives'} a sign-out`, async () => {
    const { links, mint, store, alice, clock } = await linksWorld();
    for (const scope of [{ kind: 'account', accountId: alice.id }, { kind: 'everyone' }] as const) {
      const bearer = await mint(purpose);
      await store.revocations.signOut(signOutRequest(scope.kind, scope, { at: clock.now() }));
      const found = await links.find(purpose.kind, bearer);
      expect([found !== null, await links.use(bearer)]).toEqual(atSignOut === 'stays' ? [true, true] : [false, false]);
    }
  });
});

test.each(['register', 'invite'] as const)(
  'a link to %s is nobody’s yet, and ends with everyone’s access alone',
  async (kind) => {
    const { links, store, alice, clock } = await linksWorld();
    const bearer = await links.mint({ accountId: null, purpose: { kind, email } });
    const end = (scope: SignOutScope) =>
      store.revocations.signOut(signOutRequest(`${kind} ${scope.kind}`, scope, { at: clock.now() }));
    await end({ kind: 'account', accountId: alice.id });
    expect(await links.find(kind, bearer)).not.toBeNull();
    await end({ kind: 'everyone' });
    expect([await links.find(kind, bearer), await links.use(bearer)]).toEqual([null, false]);
  },
);

test('a link is 256 random bits, and the store is told a digest of it and a seal', async () => {
  const { store, clock, alice } = await linksWorld();
  const saved: Parameters<typeof store.artifacts.save>[] = [];
  const artifacts = {
    ...store.artifacts,
    save: (...given: (typeof saved)[number]) => {
      saved.push(given);
      return store.artifacts.save(...given);
    },
  };
  const links = createMailedLinks({ artifacts, revocations: store.revocations, keyring, clock });
  const mint = () => links.mint({ accountId: alice.id, purpose: { kind: 'verify-email', email } });
  const bearers = [await mint(), await mint()];
  expect([new Set(bearers).size, saved.length]).toEqual([2, 2]);
  for (const bearer of bearers) {
    expect(bearer).toMatch(/^[\w-]{43}$/);
    const kept = saved.map(([{ key, payload }]) => `${Buffer.from(key).toString('base64url')} ${payload}`).join();
    for (const secret of [bearer, email, 'verify-email']) expect(kept).not.toContain(secret);
  }
});

test('looking uses nothing up; using does, on whichever node', async () => {
  const { links, nodeOver, open, mint } = await linksWorld();
  const bearer = await mint({ kind: 'verify-email', email });
  for (let looks = 0; looks < 3; looks += 1) expect(await links.find('verify-email', bearer)).not.toBeNull();
  const other = nodeOver(await open());
  const outcomes = await Promise.all([links, other, links, other].map((node) => node.use(bearer)));
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  expect([await links.find('verify-email', bearer), await links.use(bearer)]).toEqual([null, false]);
});

test('a link for one thing is none for another, and nothing else is a link', async () => {
  const { links, mint } = await linksWorld();
  for (const [purpose] of LINKS) {
    const bearer = await mint(purpose);
    const found = await Promise.all(LINKS.map(([{ kind }]) => links.find(kind, bearer)));
    expect(found.map((link) => link?.purpose.kind)).toEqual(
      LINKS.map(([{ kind }]): LinkKind | undefined => (kind === purpose.kind ? kind : undefined)),
    );
  }
  const bearer = await mint({ kind: 'not-me' });
  for (const bent of ['', bearer.slice(1), `${bearer}A`, `${bearer.slice(0, -1)}=`, '__proto__', `${bearer}\n`]) {
    expect([bent, await links.find('not-me', bent)]).toEqual([bent, null]);
  }
});

test('after an incident a link to reset a password is good for a day', async () => {
  const { links, alice, clock } = await linksWorld();
  const purpose = { kind: 'reset-password', email, passwordChangedAt: null } as const;
  const bearer = await links.mint({ accountId: alice.id, purpose, seconds: INCIDENT_RESET_SECONDS });
  clock.pass(DAY - 1);
  expect(await links.find('reset-password', bearer)).not.toBeNull();
  clock.pass(1);
  expect(await links.find('reset-password', bearer)).toBeNull();
});

test('what takes a change back is void when it was made after a given moment, and up to now', async () => {
  const { links, mint, clock, alice, addAccount } = await linksWorld();
  const bob = await addAccount('bob');
  const revert = { kind: 'revert-email', email } as const;
  const before = await mint(revert);
  const since = clock.now();
  clock.pass(1);
  const [within, elsewhere] = [await mint(revert), await links.mint({ accountId: bob.id, purpose: revert })];
  await links.voidReverts({ accountId: alice.id, since });
  clock.pass(1);
  const after = await mint(revert);
  const stand = (bearers: string[]) =>
    Promise.all(bearers.map(async (bearer) => (await links.find('revert-email', bearer)) !== null));
  expect(await stand([before, within, after, elsewhere])).toEqual([true, false, true, true]);
  // A later one that begins later frees nothing that was void.
  await links.voidReverts({ accountId: alice.id, since: clock.now() });
  expect(await stand([before, within, elsewhere])).toEqual([true, false, true]);
});
