// A race has two right outcomes, and what they share is looked at in race.ts and gates.ts.
// oxlint-disable vitest/no-conditional-expect, vitest/expect-expect
/**
 * What a signed-in browser asks for, against sign-outs: authorization with a Session, consent, approving a device, and
 * signing out from an app. Redirects are followed, so every step up to the app's own address is a place to be held.
 */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import { atEveryStep, createGates, type Gates } from '../support/gates.ts';
import { type Person, type World, world } from '../support/world.ts';
import { endSession } from '../journeys/sign-out-from-app.ts';
import {
  end,
  expectRefused,
  expectSignedOut,
  expectWelcome,
  expectWorthless,
  redeem,
  REFUSED,
  type Scope,
  somebody,
} from './race.ts';

const SCOPES: readonly Scope[] = ['account', 'client', 'everyone'];

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 120_000 });

async function gated(): Promise<{ house: World; gates: Gates }> {
  const gates = createGates();
  return { gates, house: await world({ fakeTime: true, seams: { wrapStore: gates.wrapStore } }) };
}

type Begun = { readonly person: Person; readonly browser: Browser; readonly verifier: string };

test.for([...SCOPES, 'browser'] as const)(
  'an authorization request with a Session against a sign-out of scope %s',
  async (scope) => {
    const { house, gates } = await gated();
    const { player, phone } = house;
    const steps = await atEveryStep<Begun & { url: string }, unknown>(gates, {
      async prepare() {
        const person = await somebody(house);
        const browser = person.browser();
        await player.signIn(person, browser, { scope: 'openid' });
        return { person, browser, ...player.authorization({ scope: 'openid' }) };
      },
      request: ({ browser, url }) => browser.open(url),
      meanwhile: ({ person }) => end(house, scope, person, player),
      async afterwards({ person, browser, verifier }) {
        const answer = await redeem(player, browser, verifier);
        if (answer !== undefined) await expectRefused(player, answer, { late: false });
        await expectSignedOut(browser, player);
        if (scope === 'client') {
          // The browser itself is still signed in.
          await browser.open(phone.authorization({ prompt: 'none' }).url);
          expect(browser.left?.searchParams.has('code')).toBe(true);
        } else await expectSignedOut(browser, phone);
        await expectWelcome(player, person);
      },
    });
    expect(steps).toBeGreaterThan(4);
  },
);

test('an authorization request with a Session against the end of that device: nobody comes back silently', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  const steps = await atEveryStep<Begun & { url: string; had: Record<string, unknown> }, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const had = await player.signIn(person, browser);
      return { person, browser, had, ...player.authorization() };
    },
    request: ({ browser, url }) => browser.open(url),
    meanwhile: ({ person }) => end(house, 'device', person, player),
    async afterwards({ person, browser, verifier, had }) {
      await expectWorthless(player, had);
      const answer = await redeem(player, browser, verifier);
      // Either of the Grant that ended, and dead; or the person is asked, since nobody comes back silently.
      if (answer === undefined) expect(browser.buttons).toContain('Sign in');
      else expect(answer).toMatchObject(REFUSED);
      expect(await player.refresh(await player.signIn(person, browser))).toHaveProperty('access_token');
    },
  });
  expect(steps).toBeGreaterThan(4);
});

test.for(SCOPES)('consent against a sign-out of scope %s', async (scope) => {
  const { house, gates } = await gated();
  const { cinema } = house;
  const steps = await atEveryStep<Begun, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const { url, verifier } = cinema.authorization();
      await browser.open(url);
      await browser.press('Sign in', { username: person.username, password: person.password });
      expect(browser.buttons).toContain('Allow');
      return { person, browser, verifier };
    },
    request: ({ browser }) => browser.press('Allow'),
    meanwhile: ({ person }) => end(house, scope, person, cinema),
    async afterwards({ person, browser, verifier }) {
      expect(browser.page.status).toBeLessThan(500);
      const answer = await redeem(cinema, browser, verifier);
      if (answer !== undefined) await expectRefused(cinema, answer, { late: false });
      await expectSignedOut(browser, cinema);
      await expectWelcome(cinema, person);
    },
  });
  expect(steps).toBeGreaterThan(8);
});

test.for(SCOPES)('the approval of a device against a sign-out of scope %s', async (scope) => {
  const { house, gates } = await gated();
  const { tv } = house;
  type Approving = { person: Person; browser: Browser; device_code: string; spent: boolean };
  const steps = await atEveryStep<Approving, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = await person.signIn();
      const { device_code, user_code } = await tv.startDevice();
      await browser.open('/device');
      await browser.press('Continue', { user_code });
      return { person, browser, device_code, spent: false };
    },
    request: ({ browser }) => browser.press('Allow'),
    meanwhile: ({ person }) => end(house, scope, person, tv),
    async afterwards({ person, browser, device_code }) {
      expect(browser.page.status).toBeLessThan(500);
      const answer = await tv.pollDevice(device_code);
      expect(answer.status, 'the television was let in').toBe(400);
      // A page that asks for a fresh sign-in may finish the approval; nothing else may.
      if (browser.buttons.includes('Sign in')) {
        await browser.press('Sign in', { username: person.username, password: person.password });
        const { status, body } = await tv.pollDevice(device_code);
        if (status === 200) expect(await tv.refresh(body as never)).toHaveProperty('access_token');
      }
      expect(await tv.refresh(await tv.connectDevice(person, person.anotherBrowser()))).toHaveProperty('access_token');
    },
  });
  expect(steps).toBeGreaterThan(4);
});

test('signing out from an app against a sign-out of the account: everything ends, and the app is told', async () => {
  const { house, gates } = await gated();
  const { player, phone, ears } = house;
  type Leaving = {
    person: Person;
    browser: Browser;
    offline: Record<string, unknown>;
    online: Record<string, unknown>;
    sid: unknown;
  };
  const steps = await atEveryStep<Leaving, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const offline = await player.signIn(person, browser);
      const online = await phone.signIn(person, browser, { scope: 'openid' });
      await browser.open(endSession({ id_token_hint: offline.id_token }));
      const claims = JSON.parse(Buffer.from(offline.id_token.split('.')[1] ?? '', 'base64url').toString()) as {
        sid: string;
      };
      return { person, browser, offline, online, sid: claims.sid };
    },
    request: ({ browser }) => browser.press('Sign out'),
    meanwhile: ({ person }) => end(house, 'account', person, player),
    async afterwards({ person, browser, offline, online, sid }) {
      expect(browser.page.status).toBeLessThan(500);
      await expectWorthless(player, offline);
      await expectWorthless(phone, online);
      await expectSignedOut(browser, player);
      await house.settle();
      const told = ears.by('player').filter(({ claims }) => claims['sub'] === person.id);
      expect(told.length).toBeGreaterThan(0);
      for (const { claims } of told) expect(claims['sid']).toBe(sid);
      await expectWelcome(player, person);
    },
  });
  expect(steps).toBeGreaterThan(4);
});

test('an authorization request in one tab against signing out from an app in another: the Session does not come back', async () => {
  const { house, gates } = await gated();
  const { player } = house;
  type Tabs = Begun & { url: string; other: Browser };
  const steps = await atEveryStep<Tabs, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = person.browser();
      const { id_token } = await player.signIn(person, browser, { scope: 'openid' });
      const other = person.anotherBrowser();
      for (const [key, value] of browser.cookies) other.cookies.set(key, value);
      await other.open(endSession({ id_token_hint: id_token }));
      for (const [key, value] of other.cookies) browser.cookies.set(key, value);
      return { person, browser, other, ...player.authorization({ scope: 'openid' }) };
    },
    request: ({ browser, url }) => browser.open(url),
    meanwhile: ({ other }) => other.press('Sign out'),
    async afterwards({ person, browser, other, verifier }) {
      expect(other.heading).toBe('You are signed out');
      const answer = await redeem(player, browser, verifier);
      if (answer !== undefined) expect(answer).toMatchObject(REFUSED);
      await expectSignedOut(browser, player);
      await expectSignedOut(other, player);
      await expectWelcome(player, person);
    },
  });
  expect(steps).toBeGreaterThan(4);
});

test('two apps opened at once in one browser: each keeps what it got', async () => {
  const { house, gates } = await gated();
  const { player, phone } = house;
  type Tabs = Begun & { url: string; other: Browser; got: Tokens[] };
  const steps = await atEveryStep<Tabs, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const browser = await person.signIn();
      const other = person.anotherBrowser();
      for (const [key, value] of browser.cookies) other.cookies.set(key, value);
      return { person, browser, other, got: [], ...phone.authorization({ scope: 'openid' }) };
    },
    request: ({ browser, url }) => browser.open(url),
    meanwhile: async ({ person, other, got }) => got.push(await player.signIn(person, other, { scope: 'openid' })),
    async afterwards({ person, browser, verifier, got: [here] }) {
      const there = await redeem(phone, browser, verifier);
      expect((await phone.userinfo(there?.body as never)).status).toBe(200);
      expect((await player.userinfo(here as Tokens)).status).toBe(200);
      await end(house, 'browser', person, phone);
      expect((await phone.userinfo(there?.body as never)).status).toBe(401);
      expect((await player.userinfo(here as Tokens)).status).toBe(401);
    },
  });
  expect(steps).toBeGreaterThan(4);
});
