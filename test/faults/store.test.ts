/** A store that fails: nothing is accepted on trust, nothing is half done, and no restart is needed when it is back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { Browser } from '../support/browser.ts';
import { type World, world } from '../support/world.ts';
import { copyOf, expectAlive, expectDead, expectTold, haunted, signInAt } from './haunted.ts';

test('with no store nothing is accepted, whoever was known a moment ago; and it recovers alone', async () => {
  const { faults, place } = await faultyWorld();
  const { alice, player, library, tv, issuer } = place;
  const browser = await alice.signIn();
  const tokens = await player.signIn(alice);
  const { code, verifier } = await player.obtainCode(alice);
  const device = await tv.startDevice();
  expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });
  expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });

  faults.now = 'everything';
  const basic = `Basic ${Buffer.from(`player:${encodeURIComponent(String(player.setup['client_secret']))}`).toString('base64')}`;
  const asClient = (path: string, form: Record<string, string>): Promise<Response> =>
    fetch(`${issuer}${path}`, { method: 'POST', headers: { authorization: basic }, body: new URLSearchParams(form) });
  const asBrowser = (path: string): Promise<Response> =>
    fetch(`${issuer}${path}`, {
      redirect: 'manual',
      headers: { cookie: browser.cookieHeader(new URL(path, issuer)), accept: 'text/html' },
    });
  const exchange = { grant_type: 'authorization_code', code, code_verifier: verifier };
  const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
  const asked: Record<string, Promise<Response>> = {
    refresh: asClient('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
    exchange: asClient('/token', { ...exchange, redirect_uri: 'http://player.test/callback' }),
    'client credentials': asClient('/token', { grant_type: 'client_credentials' }),
    introspection: asClient('/token/introspection', { token: tokens.access_token }),
    revocation: asClient('/token/revocation', { token: tokens.access_token }),
    'pushed request': asClient('/request', Object.fromEntries(new URL(player.authorization().url).searchParams)),
    'device start': fetch(`${issuer}/device/auth`, { method: 'POST', body: new URLSearchParams({ client_id: 'tv' }) }),
    'device poll': fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: deviceGrant, client_id: 'tv', device_code: device.device_code }),
    }),
    userinfo: fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } }),
    authorization: asBrowser(player.authorization().url.slice(issuer.length)),
    account: asBrowser('/account'),
    devices: asBrowser('/account/devices'),
    security: asBrowser('/account/security'),
    readiness: asBrowser('/readyz'),
  };
  const answers: Record<string, unknown> = {};
  for (const [what, answer] of Object.entries(asked)) {
    const { status, headers } = await answer;
    answers[what] = [status, headers.get('retry-after') !== null];
  }
  expect(answers).toEqual(Object.fromEntries(Object.keys(asked).map((what) => [what, [503, true]])));
  expect((await fetch(`${issuer}/healthz`)).status).toBe(200);

  faults.now = 'nothing';
  expect((await fetch(`${issuer}/readyz`)).status).toBe(200);
  expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });
  expect(await player.exchange(code, verifier)).toMatchObject({ status: 200 });
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  expect((await copyOf(browser).open('/account')).status).toBe(200);
});

test('a person at a form is told, and the same press works when the store is back', async () => {
  const { faults, place } = await faultyWorld();
  const { alice, player } = place;
  const tokens = await player.signIn(alice);
  const browser = alice.browser();
  await browser.open('/account/security');
  const stranger = new Browser(place.issuer);
  await stranger.open('/sign-in');
  const [security, signIn] = [browser.page, stranger.page];

  faults.now = 'everything';
  await browser.press('Sign out of all devices');
  await stranger.press('Sign in', { username: 'alice', password: alice.password });
  for (const { page, heading } of [browser, stranger]) {
    expect([page.status, page.headers.has('retry-after'), heading]).toEqual([503, true, 'Not right now']);
    expect(page.text).not.toMatch(/sqlite|mongo|store|Error:|\.ts:/i);
  }
  expect(stranger.cookies.has('curfew-session /')).toBe(false);

  faults.now = 'nothing';
  expect(await place.core.store.revocations.listSignOuts(10)).toEqual([]);
  [browser.page, stranger.page] = [security, signIn];
  await browser.press('Sign out of all devices');
  expect(browser.heading).toBe('Access has ended');
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await stranger.press('Sign in', { username: 'alice', password: alice.password });
  expect(stranger.path).toBe('/account');
});

test('a store that reads but cannot write refuses what must be written, and spends nothing', async () => {
  const { faults, place } = await faultyWorld();
  const { alice, player, library } = place;
  const tokens = await player.signIn(alice);
  const { code, verifier } = await player.obtainCode(alice);
  faults.now = 'writes';
  expect(await player.refresh(tokens)).toEqual({ error: 'temporarily_unavailable' });
  expect(await player.exchange(code, verifier)).toMatchObject({ status: 503 });
  expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });
  faults.now = 'nothing';
  expect(await player.exchange(code, verifier)).toMatchObject({ status: 200 });
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
});

test('a sign-out that commits while its fan-out cannot write tells everybody later', async () => {
  const { faults, place } = await faultyWorld();
  const { alice, player, cinema, ears, core } = place;
  const tokens = [await player.signIn(alice), await cinema.signIn(alice)] as const;
  faults.now = 'fan-out';
  await alice.signOutOfAllDevices();
  expect(alice.browser().heading).toBe('Access has ended');
  expect(await player.refresh(tokens[0])).toEqual({ error: 'invalid_grant' });
  await expect(core.fanOut.runUntilIdle()).rejects.toThrow(StoreUnavailable);
  expect(ears.heard).toEqual([]);
  faults.now = 'nothing';
  await place.settle();
  expect(ears.heard.map(({ client }) => client).toSorted()).toEqual(['cinema', 'player']);
});

test('every answer of a burst outlives a kill in the middle of it', async () => {
  const house = await haunted();
  const victim = await house.start();
  const resident = await house.resident();
  const { tokens } = await signInAt(house.theatre, resident.person, resident.person.anotherBrowser());
  const bursts = [resident.signedIn[0]?.tokens, tokens].map(async (first, at) => {
    const client = [house.player, house.theatre][at] ?? house.player;
    let latest = first;
    let answered = 0;
    while (latest !== undefined) {
      const next = await client.refresh(latest).catch(() => undefined);
      if (next === undefined || 'error' in next) break;
      latest = next;
      answered += 1;
      if (answered === 10 && at === 0) victim.kill();
    }
    return { client, latest, answered };
  });
  const ends = await Promise.all(bursts);
  await house.death('in the middle of a burst');
  await house.start();
  for (const { latest, answered } of ends) {
    expect(answered).toBeGreaterThan(5);
    // The one after it may have been spent unheard; what was answered last is known to have been written.
    const { active } = await house.library.introspect(latest?.access_token ?? '');
    expect(active).toBe(true);
  }
});

test('a command in another process ends access for the very next request, on open connections too', async () => {
  const house = await haunted();
  await house.start();
  const [resident, other] = [await house.resident(), await house.resident()];
  const [first] = resident.signedIn;
  const [cookies] = resident.browsers;
  if (first === undefined || cookies === undefined) throw new Error('nobody is signed in');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string, headers: Record<string, string>): Promise<[status: number, reused: boolean]> => {
    const asking = request(`${house.issuer}${path}`, { agent, headers }).end();
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    await text(answer);
    return [answer.statusCode ?? 0, asking.reusedSocket];
  };
  const bearer = { authorization: `Bearer ${first.tokens.access_token}` };
  const cookie = { cookie: cookies.cookieHeader(new URL('/account', house.issuer)) };
  expect(await ask('/me', bearer)).toEqual([200, false]);
  expect(await ask('/account', cookie)).toEqual([200, true]);

  const command = spawn(
    process.execPath,
    [new URL('./command.ts', import.meta.url).pathname, house.file, resident.person.id],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = once(command, 'exit');
  const [said] = (await once(command.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('signed out\n');
  expect(await ask('/me', bearer)).toEqual([401, true]);
  expect(await ask('/account', cookie)).toEqual([303, true]);
  await expectDead(house, resident);
  await expectAlive(house, other);
  expect(await ended).toEqual([0, null]);
  await house.settle();
  expectTold(house, resident);
  agent.destroy();
});

type Faults = { now: 'nothing' | 'everything' | 'writes' | 'fan-out' };

/** A world over a store that fails when it is told to. */
async function faultyWorld(): Promise<{ faults: Faults; place: World }> {
  const faults: Faults = { now: 'nothing' };
  return { faults, place: await world({ seams: { wrapStore: (store) => faulty(store, faults) } }) };
}

const WRITES =
  /^(insert|save|set|add|clear|count[A-Z]|consume|destroy|revoke|signOut|fanOut|complete|touch|claim|settle|release|revive|delete|reinstate|retire|remove|ping|sweep)/;

function faulty(store: Store, faults: Faults): Store {
  const fails = (method: string): boolean => {
    switch (faults.now) {
      case 'nothing':
        return false;
      case 'everything':
        return true;
      case 'writes':
        return WRITES.test(method);
      case 'fan-out':
        return method === 'fanOut';
    }
  };
  const watched = <Room extends object>(room: Room): Room =>
    new Proxy(room, {
      get(target, method) {
        const member: unknown = Reflect.get(target, method);
        if (typeof member === 'object' && member !== null) return watched(member);
        if (typeof member !== 'function' || method === 'close') return member;
        return (...given: unknown[]): unknown =>
          fails(String(method))
            ? Promise.reject(new StoreUnavailable(String(method)))
            : Reflect.apply(member, target, given);
      },
    });
  return watched(store);
}
