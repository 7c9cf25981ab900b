/** Several processes are one house: whoever walks through it meets another one at every step and cannot tell. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { signOutFromApp } from '../journeys/sign-out-from-app.ts';
import type { ScopeKey } from '../../src/store/records.ts';
import type { Tokens } from '../support/client.ts';
import type { Person } from '../support/world.ts';
import { type Cluster, cluster } from './cluster.ts';
import { askEveryProcess, askOnce, type Holdings, holdings, LASTING, SPENT, unanimous } from './holdings.ts';

describe.for([2, 4])('%i processes', (processes) => {
  let house: Cluster;
  beforeAll(async () => {
    house = await cluster({ processes });
  });
  afterAll(() => house.stop());

  /** Every process had its part in what went through the front since then, and none of them failed. */
  const expectAllTookPart = (since: number): void => {
    const passed = house.front.passedOn.slice(since);
    expect(new Set(passed.map(({ process }) => process))).toEqual(new Set(house.processes.keys()));
    expect(passed.filter(({ status }) => status >= 500)).toEqual([]);
  };

  test('a sign-in from an app, its tokens, and their renewal', async () => {
    const since = house.front.passedOn.length;
    const person = await house.person('alice');
    const [player, library] = [house.client('player'), house.client('library')];
    const browser = person.browser();
    const tokens = await player.signIn(person, browser);
    const { issuer } = house;
    const keys = (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet;
    const verified = await jwtVerify(tokens.id_token, createLocalJWKSet(keys), { issuer, audience: 'player' });
    expect(verified.payload.sub).toBe(person.id);
    let latest = tokens;
    for (let nth = 0; nth < 2 * processes; nth++) {
      const next = await player.refresh(latest);
      if ('error' in next) throw new Error(`refresh ${nth} was refused: ${next.error}`);
      latest = next;
      expect((await player.userinfo(latest)).body['sub']).toBe(person.id);
      expect(await library.introspect(latest.refresh_token)).toMatchObject({ active: true, sub: person.id });
    }
    for (const path of ['/account', '/account/security', '/account/devices', '/account']) {
      await browser.open(path);
      expect([browser.page.status, browser.path]).toEqual([200, path]);
    }
    expectAllTookPart(since);
  });

  test('a consent given at one process is known at the next', async () => {
    const since = house.front.passedOn.length;
    const person = await house.person('alice');
    const cinema = house.client('cinema');
    const tokens = await cinema.signIn(person);
    const browser = person.browser();
    await browser.open(cinema.authorization({ prompt: 'none', scope: 'openid profile email' }).url);
    expect(browser.left?.searchParams.has('code')).toBe(true);
    expect(await cinema.refresh(tokens)).toHaveProperty('access_token');
    expectAllTookPart(since);
  });

  test('a television is connected, and renews what it got', async () => {
    const since = house.front.passedOn.length;
    const person = await house.person('alice');
    const tv = house.client('tv');
    const { device_code, user_code } = await tv.startDevice();
    expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'authorization_pending' } });
    const browser = await tv.approveDevice(person, user_code);
    expect(browser.heading).toContain('is connected');
    const { status, body } = await tv.pollDevice(device_code);
    expect(status).toBe(200);
    expect(await tv.refresh({ refresh_token: String(body['refresh_token']) })).toHaveProperty('access_token');
    expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expectAllTookPart(since);
  });

  test('an app signs the browser out, and every other app in it is told', async () => {
    const since = house.front.passedOn.length;
    const person = await house.person('alice');
    const [player, theatre] = [house.client('player'), house.client('theatre')];
    const browser = person.browser();
    const tokens = await player.signIn(person, browser, { scope: 'openid' });
    await theatre.signIn(person, browser, { scope: 'openid' });
    const back = 'http://player.test/signed-out';
    await signOutFromApp(browser, tokens.id_token, { post_logout_redirect_uri: back });
    expect(browser.left?.href).toBe(back);
    for (const [at] of house.processes.entries()) {
      await house.front.only(at, async () => {
        await browser.open(player.authorization({ prompt: 'none' }).url);
        expect(browser.left?.searchParams.get('error')).toBe('login_required');
        expect((await player.userinfo(tokens)).status).toBe(401);
      });
    }
    await house.settled();
    const told = house.ears.heard.filter(({ claims }) => claims['sub'] === person.id).map(({ client }) => client);
    expect(told.toSorted()).toEqual(['player', 'theatre']);
    expectAllTookPart(since);
  });

  test('guesses at a password are counted together, wherever they are made', async () => {
    const { username, password, anotherBrowser } = await house.person('alice');
    const guess = async (guessed: string): Promise<number> => {
      const browser = anotherBrowser();
      await browser.open('/sign-in');
      return (await browser.press('Sign in', { username, password: guessed })).status;
    };
    const answers: number[] = [];
    for (let nth = 0; nth < 4; nth++) answers.push(await guess('not this one, surely'));
    expect(answers).toContain(429);
    const held: number[] = [];
    for (const [at] of house.processes.entries()) held.push(await house.front.only(at, () => guess(password)));
    expect(held).toEqual(house.processes.map(() => 429));
  });

  describe('a sign-out that one process has answered binds every process from its next request', () => {
    const button = async ({ person }: Holdings): Promise<void> => {
      const browser = person.anotherBrowser();
      await house.front.only(0, () => person.signOutOfAllDevices(browser));
      expect(browser.heading).toBe('Access has ended');
    };
    const command =
      (...words: string[]) =>
      async ({ person, player }: Holdings): Promise<void> => {
        const [whom, key] =
          words.length > 0 ? [words, 'everyone'] : [['--account', person.username], `account:${person.id}`];
        const before = await epochOf(key);
        const { ended } = house.begin('sign-out', ...whom, '--yes');
        // Not a moment later: the command itself goes on tidying up. And every process has just said yes.
        while ((await epochOf(key)) === before)
          await Promise.all(house.processes.map(({ url }) => toldAt(url, player)));
        onTestFinished(async () => {
          // 3: and the apps were still to be told.
          expect([0, 3]).toContain((await ended).code);
        });
      };
    const toldAt = (url: string, { access_token: token }: Tokens): Promise<Response> =>
      fetch(`${url}/me`, { headers: { authorization: `Bearer ${token}` } });
    const epochOf = async (key: string): Promise<number> =>
      (await house.core.store.revocations.epochs([key as ScopeKey]))[key as ScopeKey] ?? 0;
    const ways = [
      { way: "a person's button", signOut: button, reaches: 'one' },
      { way: "an operator's command", signOut: command(), reaches: 'one' },
      { way: 'an operator ends the access of everyone', signOut: command('--everyone'), reaches: 'everyone' },
    ] as const;

    test.for(ways)('$way', async ({ signOut, reaches }) => {
      const [alice, bob, spender] = [
        await holdings(house, 'alice'),
        await holdings(house, 'bob'),
        await holdings(house, 'carol'),
      ];
      for (const held of reaches === 'one' ? [alice] : [alice, bob]) {
        expect(await askEveryProcess(house, held, LASTING)).toEqual(unanimous(house, 'accepted', LASTING));
      }
      // What can be asked once only is asked of somebody who has the same.
      expect(Object.values(await askOnce(house, spender))).toEqual(
        Object.keys({ ...LASTING, ...SPENT }).map(() => 'accepted'),
      );

      await signOut(alice);

      expect(await askEveryProcess(house, alice)).toEqual(unanimous(house, 'refused'));
      if (reaches === 'one') expect(new Set(Object.values(await askOnce(house, bob)))).toEqual(new Set(['accepted']));
      else expect(await askEveryProcess(house, bob)).toEqual(unanimous(house, 'refused'));
      await house.settled();
      const told = house.ears.heard.filter(({ claims }) => claims['sub'] === alice.person.id);
      expect(told.map(({ client }) => client).toSorted()).toEqual(['player', 'player']);
    });

    test('and a new sign-in in the same second works at each of them', async () => {
      const alice = await house.person('alice');
      for (const [at] of house.processes.entries()) {
        // On a busy machine the second may be over before the sign-in is.
        let sameSecond = false;
        for (let nth = 0; nth < 10 && !sameSecond; nth++) {
          const { signedOut, signedIn } = await signOutAndInAgain(alice, at);
          sameSecond = signedIn === signedOut;
        }
        expect(sameSecond).toBe(true);
      }
    });

    /** Signs out at one process and in again at the next, from the beginning of a second on. */
    const signOutAndInAgain = async (person: Person, at: number) => {
      const player = house.client('player');
      const before = await player.signIn(person, person.anotherBrowser());
      const browser = await person.signIn(person.anotherBrowser());
      await browser.open('/account/security');
      await expect.poll(() => Date.now() % 1000, { interval: 5, timeout: 2000 }).toBeLessThan(50);
      await house.front.only(at, () => browser.press('Sign out of all devices'));
      const next = (at + 1) % processes;
      const after = await house.front.only(next, () => player.signIn(person, person.anotherBrowser()));
      const signOut = await house.core.store.revocations.findSignOut(browser.path.split('/')[2] ?? '');
      expect(await player.refresh(before)).toEqual({ error: 'invalid_grant' });
      for (const [each] of house.processes.entries()) {
        const asked = await house.front.only(each, () => player.userinfo(after));
        expect(asked.status).toBe(200);
      }
      const { payload } = await jwtVerify(
        after.id_token,
        createLocalJWKSet((await (await fetch(`${house.issuer}/jwks`)).json()) as JSONWebKeySet),
      );
      return {
        signedOut: Math.floor((signOut?.at.getTime() ?? 0) / 1000),
        signedIn: payload['auth_time'] ?? payload.iat,
      };
    };
  });
});
