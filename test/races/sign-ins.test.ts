// A race has two right outcomes, and what they share is looked at in race.ts and gates.ts.
// oxlint-disable vitest/no-conditional-expect, vitest/expect-expect
/**
 * Signing in against sign-outs. A sign-in that noted the epochs before the sign-out is dead when it is born; one that
 * noted them after is a fresh sign-in, and whole. Nothing lies between.
 */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import { atEveryStep, createGates, type Gates, saw } from '../support/gates.ts';
import { type Person, type World, world } from '../support/world.ts';
import { end, expectRefused, expectSignedOut, expectWelcome, redeem, somebody } from './race.ts';

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 120_000 });

async function gated(): Promise<{ house: World; gates: Gates }> {
  const gates = createGates();
  return { gates, house: await world({ fakeTime: true, seams: { wrapStore: gates.wrapStore } }) };
}

type Begun = { readonly person: Person; readonly browser: Browser; readonly verifier: string };

const SCOPES = ['account', 'client', 'everyone'] as const;
const keyOf = (scope: (typeof SCOPES)[number], person: Person): string =>
  ({ account: `account:${person.id}`, client: 'client:player', everyone: 'everyone' })[scope];

test.for(SCOPES)('a sign-in at an app against a sign-out of scope %s', async (scope) => {
  const { house, gates } = await gated();
  const { player } = house;
  const lives: boolean[] = [];
  const steps = await atEveryStep<Begun, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const { url, verifier } = player.authorization();
      await browser.open(url);
      return { person, browser, verifier };
    },
    request: ({ person, browser }) =>
      browser.press('Sign in', { username: person.username, password: person.password }),
    meanwhile: ({ person }) => end(house, scope, person, player),
    async afterwards({ person, browser, verifier }, _outcome, { passed }) {
      expect(browser.page.status).toBeLessThan(500);
      const answer = await redeem(player, browser, verifier);
      const fresh = scope === 'account' && !saw(passed, keyOf(scope, person));
      lives.push(fresh);
      if (fresh) {
        expect(answer?.status).toBe(200);
        expect(await player.refresh(answer?.body as never)).toHaveProperty('access_token');
      } else {
        // The Interaction bears the epochs of everyone and of the client: for those there is no fresh sign-in in it.
        if (answer !== undefined) await expectRefused(player, answer, { late: false });
        await expectSignedOut(browser, player);
      }
      await expectWelcome(player, person);
    },
  });
  expect(steps).toBeGreaterThan(10);
  if (scope === 'account') expect(lives).toContain(true);
  expect(lives).toContain(false);
});

test.for(['account', 'everyone'] as const)(
  'a sign-in at our own page against a sign-out of scope %s',
  async (scope) => {
    const { house, gates } = await gated();
    const { player } = house;
    const lives: boolean[] = [];
    const steps = await atEveryStep<Omit<Begun, 'verifier'>, unknown>(gates, {
      async prepare() {
        const person = await somebody(house);
        const browser = person.browser();
        await browser.open('/sign-in');
        return { person, browser };
      },
      request: ({ person, browser }) =>
        browser.press('Sign in', { username: person.username, password: person.password }),
      meanwhile: ({ person }) => end(house, scope, person, player),
      async afterwards({ person, browser }, _outcome, { passed }) {
        expect(browser.page.status).toBeLessThan(500);
        await browser.open('/account');
        const fresh = !saw(passed, keyOf(scope, person));
        lives.push(fresh);
        expect(browser.path.startsWith('/sign-in')).toBe(!fresh);
        if (!fresh) await expectSignedOut(browser, player);
        await expectWelcome(player, person);
      },
    });
    expect(steps).toBeGreaterThan(6);
    expect(new Set(lives)).toEqual(new Set([true, false]));
  },
);

test.for(SCOPES)('a sign-in on the way to approving a television against a sign-out of scope %s', async (scope) => {
  const { house, gates } = await gated();
  const { tv } = house;
  const lives: boolean[] = [];
  await atEveryStep<Omit<Begun, 'verifier'> & { device_code: string }, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const { device_code, user_code } = await tv.startDevice();
      await browser.open('/device');
      await browser.press('Continue', { user_code });
      await browser.press('Allow');
      expect(browser.heading).toBe('Sign in');
      return { person, browser, device_code };
    },
    request: ({ person, browser }) =>
      browser.press('Sign in', { username: person.username, password: person.password }),
    meanwhile: ({ person }) => end(house, scope, person, tv),
    async afterwards({ person, browser, device_code }, _outcome, { passed }) {
      expect(browser.page.status).toBeLessThan(500);
      const answer = await tv.pollDevice(device_code);
      const fresh = scope === 'account' && !saw(passed, keyOf(scope, person));
      lives.push(fresh);
      expect(answer.status).toBe(fresh ? 200 : 400);
      if (fresh) expect(await tv.refresh(answer.body as never)).toHaveProperty('access_token');
      expect(await tv.refresh(await tv.connectDevice(person, person.anotherBrowser()))).toHaveProperty('access_token');
    },
  });
  expect(lives).toContain(false);
});

test('a sign-in again, in a browser with a Session, against a sign-out of the account', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  await atEveryStep<Begun, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = await person.signIn();
      const { url, verifier } = player.authorization({ prompt: 'login' });
      await browser.open(url);
      return { person, browser, verifier };
    },
    request: ({ person, browser }) =>
      browser.press('Sign in', { username: person.username, password: person.password }),
    meanwhile: ({ person }) => end(house, 'account', person, player),
    async afterwards({ person, browser, verifier }) {
      expect(browser.page.status).toBeLessThan(500);
      // The Interaction was begun by somebody signed in, and ends with them.
      const answer = await redeem(player, browser, verifier);
      if (answer !== undefined) await expectRefused(player, answer, { late: false });
      await expectSignedOut(browser, player);
      await expectWelcome(player, person);
    },
  });
});

test('a sign-in with the old password against a change of it: the old password lets nobody in', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  const password = 'seven lighthouses in the fog';
  const steps = await atEveryStep<Begun & { owner: Browser }, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const owner = await person.signIn(person.anotherBrowser());
      await owner.open('/account/security');
      const browser = person.browser();
      const { url, verifier } = player.authorization();
      await browser.open(url);
      return { person, browser, verifier, owner };
    },
    request: ({ person, browser }) =>
      browser.press('Sign in', { username: person.username, password: person.password }),
    meanwhile: ({ person, owner }) => owner.press('Change password', { currentPassword: person.password, password }),
    async afterwards({ person, browser, verifier, owner }) {
      expect(owner.path).toMatch(/^\/sign-outs\//);
      expect(browser.page.status).toBeLessThan(500);
      const answer = await redeem(player, browser, verifier);
      if (answer !== undefined) await expectRefused(player, answer, { late: false });
      await expectSignedOut(browser, player);
      // The old password may have been a wrong guess by then, and a second passes before the next is looked at.
      house.advance(1);
      await expectWelcome(player, { ...person, password });
    },
  });
  expect(steps).toBeGreaterThan(10);
});

test('a change of password against a sign-out of the account: one or the other, and the password that stands works', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  const password = 'seven lighthouses in the fog';
  await atEveryStep<Omit<Begun, 'verifier'>, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = await person.signIn();
      await browser.open('/account/security');
      return { person, browser };
    },
    request: ({ person, browser }) =>
      browser.press('Change password', { currentPassword: person.password, password, signOutDevices: undefined }),
    meanwhile: ({ person }) => end(house, 'account', person, player),
    async afterwards({ person, browser }) {
      expect(browser.page.status).toBeLessThan(500);
      await expectSignedOut(browser, player);
      const account = await house.core.store.accounts.find(person.id);
      const changed = (account?.password?.changedAt.getTime() ?? 0) > 0 && (await accepts(house, person, password));
      await expectWelcome(player, changed ? { ...person, password } : person);
    },
  });
});

test('two changes of password at once: one stands, and the other is told', async () => {
  const { house, gates } = await gated();
  await atEveryStep<{ person: Person; here: Browser; there: Browser }, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const [here, there] = [await person.signIn(), await person.signIn(person.anotherBrowser())];
      await here.open('/account/security');
      await there.open('/account/security');
      return { person, here, there };
    },
    request: ({ person, here }) =>
      here.press('Change password', { currentPassword: person.password, password: 'first of two long passwords' }),
    meanwhile: ({ person, there }) =>
      there.press('Change password', { currentPassword: person.password, password: 'second of two long passwords' }),
    async afterwards({ person, here, there }) {
      const done = (browser: Browser): boolean => browser.path.startsWith('/sign-outs/');
      expect([done(here), done(there)].filter(Boolean)).toHaveLength(1);
      expect(await accepts(house, person, 'first of two long passwords')).toBe(done(here));
      expect(await accepts(house, person, 'second of two long passwords')).toBe(done(there));
      expect(await accepts(house, person, person.password)).toBe(false);
    },
  });
});

test('signing in again does not interrupt the apps that were signed in through that browser', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  type Again = Omit<Begun, 'verifier'> & { tokens: Tokens; statuses: number[] };
  await atEveryStep<Again, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const tokens = await player.signIn(person, browser, { scope: 'openid' });
      await browser.open(player.authorization({ prompt: 'login', scope: 'openid' }).url);
      return { person, browser, tokens, statuses: [] };
    },
    request: ({ person, browser }) =>
      browser.press('Sign in', { username: person.username, password: person.password }),
    meanwhile: async ({ tokens, statuses }) => statuses.push((await player.userinfo(tokens)).status),
    async afterwards({ browser, statuses }) {
      expect(browser.left?.searchParams.has('code')).toBe(true);
      expect(statuses).toEqual([200]);
    },
  });
});

/** Whether the account's password is this one, counted against nobody. */
async function accepts({ core }: World, person: Person, password: string): Promise<boolean> {
  const outcome = await core.signIn.verifyPassword({
    identifier: person.username,
    password,
    address: '192.0.2.1',
    knownDevice: `test ${password}`,
    noteEpoch: async () => {},
  });
  return !('refused' in outcome);
}
