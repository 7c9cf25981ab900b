// Of fifty at once, `winners` looks at each.
// oxlint-disable vitest/expect-expect
/** Fifty at once with one and the same thing: exactly one is served (CVE-2026-1035). */
import { expect, test } from 'vitest';

import { type World, world } from '../support/world.ts';

const FIFTY = Array.from({ length: 50 }, (_, at) => at);

function winners(answers: readonly { status: number; body: Record<string, unknown> }[]) {
  const won = answers.filter(({ status }) => status === 200);
  const lost = answers.filter(({ status }) => status !== 200);
  expect(won).toHaveLength(1);
  for (const { status, body } of lost) expect([status, body['error']]).toEqual([400, 'invalid_grant']);
  return won[0]?.body as { access_token: string; refresh_token: string };
}

test('fifty redemptions of one code: one is served', async () => {
  const { alice, player } = await world();
  const { code, verifier } = await player.obtainCode(alice);
  winners(await Promise.all(FIFTY.map(() => player.exchange(code, verifier))));
});

test('fifty uses of one refresh token: one is served, and what it got works', async () => {
  const { alice, player } = await world();
  const { refresh_token } = await player.signIn(alice);
  const won = winners(
    await Promise.all(FIFTY.map(() => player.post('/token', { grant_type: 'refresh_token', refresh_token }))),
  );
  expect((await player.userinfo(won)).status).toBe(200);
  expect(await player.refresh(won)).toHaveProperty('access_token');
});

test('fifty polls with one approved device code: one is served', async () => {
  const { alice, tv } = await world();
  const { device_code, user_code } = await tv.startDevice();
  await tv.approveDevice(alice, user_code);
  winners(await Promise.all(FIFTY.map(() => tv.pollDevice(device_code))));
});

test('twenty uses of one pushed authorization request by browsers that are signed in: one gets a code', async () => {
  const { alice, player, issuer } = await world();
  const { url } = player.authorization();
  const pushed = await player.post('/request', Object.fromEntries(new URL(url).searchParams));
  const address = `${issuer}/auth?client_id=player&request_uri=${encodeURIComponent(String(pushed.body['request_uri']))}`;
  const first = await alice.signIn();
  const tabs = Array.from({ length: 20 }, () => {
    const tab = alice.anotherBrowser();
    for (const [key, value] of first.cookies) tab.cookies.set(key, value);
    return tab;
  });
  await Promise.all(tabs.map((tab) => tab.open(address)));
  expect(tabs.filter(({ left }) => left?.searchParams.has('code'))).toHaveLength(1);
  for (const { page } of tabs) expect(page.status).toBeLessThan(500);
});

test('ten sign-outs of one account at once: each has its receipt, and the app is told once', async () => {
  const { alice, player, core, ears, settle } = await world();
  await player.signIn(alice);
  const order = {
    scope: { kind: 'account', accountId: alice.id },
    reason: 'race',
    actor: { kind: 'operator' },
  } as const;
  const signOuts = await Promise.all(FIFTY.slice(0, 10).map(() => core.signOuts.signOut(order)));
  expect(new Set(signOuts.map(({ id }) => id)).size).toBe(10);
  expect(signOuts.map(({ epochBefore }) => epochBefore).toSorted((a, b) => a - b)).toEqual(FIFTY.slice(0, 10));
  await settle();
  expect(ears.heard).toHaveLength(1);
  expect(await pending({ core })).toBe(0);
});

test('fan-out by two at once tells nobody twice', async () => {
  const { alice, bob, player, cinema, core, ears, settle } = await world();
  for (const person of [alice, bob]) {
    await player.signIn(person);
    await cinema.signIn(person);
  }
  await core.signOuts.signOut({ scope: { kind: 'everyone' }, reason: 'race', actor: { kind: 'operator' } });
  await Promise.all([core.fanOut.runUntilIdle(), core.fanOut.runUntilIdle(), settle(), settle()]);
  await settle();
  expect(ears.heard).toHaveLength(4);
});

async function pending({ core }: Pick<World, 'core'>): Promise<number> {
  return (await core.store.revocations.pendingSignOuts(100)).length;
}
