/**
 * A database that is cut off, silent or slow: nothing is accepted on trust, everybody who asks is told within a bound, and
 * nobody has to restart anything when it is back.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { openWire, type Wire } from '../support/mongodb/wire.ts';
import { type Cluster, cluster, copyOf } from './cluster.ts';
import { askEveryProcess, askOnce, type Holdings, holdings, LASTING, unanimous } from './holdings.ts';

/** Every question to the database is given up after 5 s; what is around it takes a moment as well. */
const ANSWERED_WITHIN_MS = 7000;
const RECOVERED_WITHIN_MS = 15_000;

let house: Cluster<Wire>;
beforeAll(async () => {
  house = await cluster({ processes: 2, line: openWire });
});
afterAll(() => house.stop());
afterEach(async () => {
  for (const line of house.lines) await line.pass();
  await recovered();
});

const OUTAGES: readonly { readonly how: string; readonly begin: (line: Wire) => Promise<void> }[] = [
  { how: 'cut off', begin: (line) => line.cut() },
  { how: 'silent', begin: (line) => line.stall() },
  { how: 'slow by 10 s', begin: (line) => line.slow(10_000) },
];

test.for(OUTAGES)(
  'while the database is $how, everything says "not now" in time; and all of it works when it is back',
  async ({ how, begin }) => {
    const held = await holdings(house, 'alice');
    const other = await holdings(house, 'bob');
    await other.browser.open('/account/security');
    const [pressed, again] = [copyOf(other.browser), copyOf(other.browser)];
    for (const line of house.lines) await begin(line);
    const [answers] = await Promise.all([
      Promise.all(house.processes.map((_process, at) => askAll(held, at))),
      pressed.press('Sign out of all devices'),
    ]);
    for (const line of house.lines) await line.pass();
    const seconds = await recovered();

    for (const [answered, slowest] of answers) {
      expect(answered).toEqual(Object.fromEntries(Object.keys(answered).map((what) => [what, [503, true]])));
      expect(slowest).toBeLessThan(ANSWERED_WITHIN_MS);
    }
    const { page, heading } = pressed;
    expect([page.status, page.headers.has('retry-after'), heading]).toEqual([503, true, 'Not right now']);
    expect(page.text).not.toMatch(/mongo|store|Error:|\.ts:/i);

    // Nothing was half done, and nothing was used up.
    expect(await signOutsOf(other.person.id)).toBe(0);
    expect(await askEveryProcess(house, other, LASTING)).toEqual(unanimous(house, 'accepted', LASTING));
    expect(new Set(Object.values(await askOnce(house, held)))).toEqual(new Set(['accepted']));
    await again.press('Sign out of all devices');
    expect(again.heading).toBe('Access has ended');
    expect(await askEveryProcess(house, other)).toEqual(unanimous(house, 'refused'));
    process.stdout.write(`${how}: back ${seconds.toFixed(1)} s after the database\n`);
  },
);

test('a process that was cut off while somebody signed out elsewhere accepts nothing when it is back', async () => {
  const held = await holdings(house, 'alice');
  const [line] = house.lines;
  await line?.cut();
  const [[cutOff], works] = await Promise.all([askAll(held, 0), house.front.only(1, () => askOnly(held))]);
  expect(new Set(Object.values(cutOff).map(([status]) => status))).toEqual(new Set([503]));
  expect(works).toEqual({ active: true });
  await house.front.only(1, () => held.person.signOutOfAllDevices(held.browser));
  expect(held.browser.heading).toBe('Access has ended');
  await line?.pass();
  await recovered();
  expect(await askEveryProcess(house, held)).toEqual(unanimous(house, 'refused'));
});

async function askOnly({ player }: Holdings): Promise<object> {
  const { active } = await house.client('library').introspect(player.access_token);
  return { active };
}

type Answers = Record<string, [status: number, retryAfter: boolean]>;

/** Asks one process everything there is to ask, all at once; resolves to what it said, and how long the longest took. */
async function askAll({ browser, player, code, deviceCode }: Holdings, at: number): Promise<[Answers, number]> {
  const url = house.processes[at]?.url ?? '';
  const asClient =
    (id: string, path: string, form: Record<string, string>): (() => Promise<Response>) =>
    () => {
      const secret = encodeURIComponent(String(house.client(id).setup['client_secret']));
      const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
      return fetch(`${url}${path}`, { method: 'POST', headers: { authorization }, body: new URLSearchParams(form) });
    };
  const asBrowser = (path: string) => (): Promise<Response> =>
    fetch(`${url}${path}`, {
      redirect: 'manual',
      headers: { cookie: browser.cookieHeader(new URL(path, house.issuer)), accept: 'text/html' },
    });
  const asTv = (path: string, form: Record<string, string>) => (): Promise<Response> =>
    fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams({ client_id: 'tv', ...form }) });
  const { access_token: token, refresh_token } = player;
  const exchange = { grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier };
  const authorization = new URL(house.client('player').authorization().url);
  const questions: Record<string, () => Promise<Response>> = {
    refresh: asClient('player', '/token', { grant_type: 'refresh_token', refresh_token }),
    exchange: asClient('player', '/token', { ...exchange, redirect_uri: 'http://player.test/callback' }),
    'client credentials': asClient('library', '/token', { grant_type: 'client_credentials' }),
    introspection: asClient('library', '/token/introspection', { token }),
    revocation: asClient('player', '/token/revocation', { token }),
    'pushed request': asClient('player', '/request', Object.fromEntries(authorization.searchParams)),
    'device start': asTv('/device/auth', {}),
    'device poll': asTv('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: deviceCode,
    }),
    userinfo: () => fetch(`${url}/me`, { headers: { authorization: `Bearer ${token}` } }),
    authorization: asBrowser(`${authorization.pathname}${authorization.search}`),
    account: asBrowser('/account'),
    devices: asBrowser('/account/devices'),
    security: asBrowser('/account/security'),
    readiness: asBrowser('/readyz'),
  };
  const began = performance.now();
  let slowest = 0;
  const asked = Object.entries(questions).map(async ([what, ask]) => {
    const { status, headers } = await ask();
    slowest = Math.max(slowest, performance.now() - began);
    return [what, [status, headers.has('retry-after')]] as const;
  });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const answers = Object.fromEntries(await Promise.all(asked)) as Answers;
  return [answers, slowest];
}

/** Until every process says that it is ready; resolves to the seconds that took. */
async function recovered(): Promise<number> {
  const began = performance.now();
  const ready = (): Promise<number[]> =>
    Promise.all(house.processes.map(async ({ url }) => (await fetch(`${url}/readyz`)).status));
  await expect.poll(ready, { timeout: RECOVERED_WITHIN_MS, interval: 50 }).toEqual(house.processes.map(() => 200));
  return (performance.now() - began) / 1000;
}

async function signOutsOf(accountId: string): Promise<number> {
  const signOuts = await house.core.store.revocations.listSignOuts(100);
  return signOuts.filter(({ scope }) => 'accountId' in scope && scope.accountId === accountId).length;
}
