import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { world } from '../support/world.ts';

const NEW_PASSWORD = 'seven lighthouses in the fog';
const MINUTES = 60;

test('the account page says who somebody is and how many devices they have', async () => {
  const { alice, player, tv } = await world();
  const browser = await alice.signIn();
  await player.signIn(alice, browser);
  await tv.connectDevice(alice, browser);
  await browser.open('/account');
  expect(browser.page.text).toContain(alice.email);
  expect(browser.page.text).toContain('<span class="figure">3</span>');
});

test('every page of an account asks a stranger to sign in, and sets nothing in motion', async () => {
  const { alice, core } = await world();
  const browser = alice.browser();
  for (const path of ['/account', '/account/security', '/account/devices', '/sign-outs/anything']) {
    await browser.open(path);
    expect([browser.page.status, browser.path]).toEqual([200, `/sign-in?return_to=${encodeURIComponent(path)}`]);
  }
  expect(await core.store.revocations.listSignOuts(10)).toEqual([]);
});

test('each device has a row: app, device, place, and which is this browser', async () => {
  const { alice, player, tv, phone } = await world();
  const browser = await alice.signIn();
  await player.signIn(alice, browser);
  await tv.connectDevice(alice, browser);
  const elsewhere = alice.anotherBrowser();
  await phone.signIn(alice, elsewhere);
  await browser.open('/account/devices');
  const rows = rowsOf(browser);
  expect(rows.map(({ app, device }) => `${app} on ${device}`).toSorted()).toEqual([
    'Curfew on Firefox on Linux',
    'Curfew on Firefox on Linux',
    'Phone on Firefox on Linux',
    'Player on Firefox on Linux',
    'Television on node',
  ]);
  expect(rows.filter(({ current }) => current)).toHaveLength(1);
  expect(rows[0]).toMatchObject({ app: 'Curfew', current: true });
  for (const { place } of rows) expect(place).toBe('this machine (127.0.0.1)');
});

test("a person's devices are nobody else's to see or to end", async () => {
  const { alice, bob, player, core } = await world();
  const tokens = await player.signIn(alice);
  const [session] = await core.store.revocations.clientSessionsOf(alice.id);
  const browser = await bob.signIn();
  await browser.open('/account/devices');
  expect(rowsOf(browser)).toHaveLength(1);
  await browser.press('Sign out', { device: `grant-${session?.grantId}` });
  expect(browser.page.status).toBe(404);
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
});

test('signing out one app ends its row only', async () => {
  const { alice, player, cinema, ears, settle } = await world();
  const browser = await alice.signIn();
  const kept = await cinema.signIn(alice, browser);
  const ended = await player.signIn(alice, browser);
  await browser.open('/account/devices');
  await browser.press('Sign out', {}, { nth: nthOf(browser, 'Player') });
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect(browser.page.text).toContain('One device');
  expect(await player.refresh(ended)).toEqual({ error: 'invalid_grant' });
  expect(await cinema.refresh(kept)).toHaveProperty('access_token');
  await settle();
  expect(ears.heard.map(({ client, claims }) => [client, typeof claims['sid']])).toEqual([['player', 'string']]);
  await browser.open('/account/devices');
  expect(rowsOf(browser).map(({ app }) => app)).toEqual(expect.not.arrayContaining(['Player']));
  // The browser itself is still signed in, and the app may come back with a Grant of its own.
  expect(await player.refresh(await player.signIn(alice, browser))).toHaveProperty('access_token');
});

test('signing out one other browser ends its Session and what was signed in through it', async () => {
  const { alice, player, phone } = await world();
  const [here, there] = [await alice.signIn(), alice.anotherBrowser()];
  const kept = await player.signIn(alice, here, { scope: 'openid' });
  await alice.signIn(there);
  const ended = await phone.signIn(alice, there, { scope: 'openid' });
  await here.open('/account/devices');
  const other = rowsOf(here).findIndex(({ app, current }) => app === 'Curfew' && !current);
  await here.press('Sign out', {}, { nth: other });
  expect(here.page.text).toContain('One browser, and the apps signed in through it');
  expect((await phone.userinfo(ended)).status).toBe(401);
  expect((await player.userinfo(kept)).status).toBe(200);
  await there.open('/account');
  expect(there.path).toMatch(/^\/sign-in/);
});

test('all other devices: this browser and its apps stay, everything else ends, televisions approved here too', async () => {
  const { alice, bob, player, cinema, phone, tv, ears, settle } = await world();
  const here = await alice.signIn();
  const kept = await player.signIn(alice, here);
  const keptOnline = await cinema.signIn(alice, here, { scope: 'openid', prompt: undefined });
  const television = await tv.connectDevice(alice, here);
  const there = alice.anotherBrowser();
  const ended = await player.signIn(alice, there);
  const endedOnline = await phone.signIn(alice, there, { scope: 'openid' });
  const bystander = await player.signIn(bob);

  await here.open('/account/devices');
  await here.press('Sign out of all other devices');
  expect(here.path).toMatch(/^\/sign-outs\//);
  expect(here.page.text).toContain('All other devices');

  expect(await player.refresh(kept)).toHaveProperty('access_token');
  expect(await cinema.introspect(keptOnline.access_token)).toMatchObject({ active: true });
  await here.open('/account');
  expect(here.path).toBe('/account');
  await here.open(phone.authorization({ prompt: 'none' }).url);
  expect(here.left?.searchParams.has('code')).toBe(true);

  expect(await tv.refresh(television)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(ended)).toEqual({ error: 'invalid_grant' });
  expect((await phone.userinfo(endedOnline)).status).toBe(401);
  await there.open('/account');
  expect(there.path).toMatch(/^\/sign-in/);
  expect(await player.refresh(bystander)).toHaveProperty('access_token');

  // Told by `sid`, so that what was spared is not ended at the app.
  await settle();
  const sid = claimsOf(ended.id_token)['sid'];
  expect(ears.heard.map(({ client, claims }) => [client, claims['sid']])).toEqual([['player', sid]]);
  await here.open('/account/devices');
  expect(new Set(rowsOf(here).map(({ app }) => app))).toEqual(new Set(['Cinema', 'Curfew', 'Phone', 'Player']));
});

test('a spared browser is spared again, and ends with everything in the end', async () => {
  const { alice, player } = await world();
  const here = await alice.signIn();
  const kept = await player.signIn(alice, here);
  for (let time = 0; time < 2; time++) {
    const other = await player.signIn(alice, alice.anotherBrowser());
    await here.open('/account/devices');
    await here.press('Sign out of all other devices');
    expect(await player.refresh(other)).toEqual({ error: 'invalid_grant' });
    expect(await player.introspect(kept.access_token)).toMatchObject({ active: true });
  }
  await alice.signOutOfAllDevices(here);
  expect(await player.refresh(kept)).toEqual({ error: 'invalid_grant' });
});

test.for([
  ['/account/security', 'Sign out of all devices'],
  ['/account/devices', 'Sign out of all devices'],
  ['/account/devices', 'Sign out of all other devices'],
] as const)(
  'after a quarter of an hour %s asks for the password before "%s", and then does it',
  async ([path, button]) => {
    const { alice, player, advance } = await world({ fakeTime: true });
    const browser = await alice.signIn();
    const tokens = await player.signIn(alice, alice.anotherBrowser());
    advance(15 * MINUTES + 1);
    await browser.open(path);
    await browser.press(button);
    expect(browser.heading).toBe('Confirm it is you');
    expect(await player.introspect(tokens.refresh_token)).toMatchObject({ active: true });
    await browser.press(button, { password: 'not the password at all' });
    expect([browser.page.status, browser.heading]).toEqual([401, 'Confirm it is you']);
    expect(browser.page.text).toMatch(/role="alert"/);
    expect(await player.introspect(tokens.refresh_token)).toMatchObject({ active: true });
    advance(2);
    await browser.press(button, { password: alice.password });
    expect(browser.path).toMatch(/^\/sign-outs\//);
    expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  },
);

test('within a quarter of an hour nothing is asked', async () => {
  const { alice, advance } = await world({ fakeTime: true });
  const browser = await alice.signIn();
  advance(15 * MINUTES - 1);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  expect(browser.path).toMatch(/^\/sign-outs\//);
});

test('a new password with the box ticked ends everything, and lands on the receipt', async () => {
  const { alice, player, tv, ears, settle } = await world({ fakeTime: true });
  const browser = await alice.signIn();
  const tokens = [await player.signIn(alice, browser), await tv.connectDevice(alice, browser)] as const;
  const elsewhere = alice.anotherBrowser();
  await alice.signIn(elsewhere);
  await changePassword(browser, alice.password, NEW_PASSWORD);
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect(browser.page.text).toContain('Your password was changed');
  expect(await player.refresh(tokens[0])).toEqual({ error: 'invalid_grant' });
  expect(await tv.refresh(tokens[1])).toEqual({ error: 'invalid_grant' });
  for (const each of [browser, elsewhere]) {
    await each.open('/account');
    expect(each.path).toMatch(/^\/sign-in/);
  }
  await settle();
  expect(ears.by('player')).toHaveLength(1);
  // In the same second as the change.
  await browser.press('Sign in', { username: alice.username, password: NEW_PASSWORD });
  expect(browser.path).toBe('/account');
  await elsewhere.press('Sign in', { username: alice.username, password: alice.password });
  expect(elsewhere.page.status).toBe(401);
});

test('a new password without the box leaves every device signed in', async () => {
  const { alice, player, core } = await world();
  const browser = await alice.signIn();
  const tokens = await player.signIn(alice, alice.anotherBrowser());
  await browser.open('/account/security');
  await browser.press('Change password', {
    currentPassword: alice.password,
    password: NEW_PASSWORD,
    signOutDevices: undefined,
  });
  expect(browser.path).toBe('/account/security?changed=password');
  expect(browser.page.text).toContain('Your password was changed. Your devices stay signed in.');
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  expect(await core.store.revocations.listSignOuts(10)).toEqual([]);
  const fresh = alice.anotherBrowser();
  await fresh.open('/sign-in');
  await fresh.press('Sign in', { username: alice.username, password: NEW_PASSWORD });
  expect(fresh.path).toBe('/account');
});

test('a wrong current password changes nothing and ends nothing', async () => {
  const { alice, player, core } = await world();
  const browser = await alice.signIn();
  const tokens = await player.signIn(alice, browser);
  await changePassword(browser, 'not the password at all', NEW_PASSWORD);
  expect([browser.page.status, browser.heading]).toEqual([401, 'Security']);
  expect(browser.page.text).toMatch(/role="alert">\s*<p>The password is wrong\./);
  expect(browser.page.text).toMatch(/id="signOutDevices"[^>]* checked/);
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  expect(await core.store.revocations.listSignOuts(10)).toEqual([]);
});

test.for([
  ['short', 'too short'],
  ['long', 'x'.repeat(257)],
  ['their own name', 'alice@example.test'],
  ['breached', 'passwordpassword'],
] as const)('a new password that is %s is refused, in words', async ([, weak]) => {
  const { alice, core } = await world();
  const browser = await alice.signIn();
  await changePassword(browser, alice.password, weak);
  expect([browser.page.status, browser.heading]).toEqual([422, 'Security']);
  expect(browser.page.text).toMatch(/role="alert">\s*<p>\S/);
  expect(browser.page.text).not.toContain(alice.password);
  expect(await core.store.revocations.listSignOuts(10)).toEqual([]);
  expect((await alice.signIn(alice.anotherBrowser())).path).toBe('/account');
});

test('signing out of this browser ends its Session, and tells the apps signed in through it', async () => {
  const { alice, player, phone, ears, settle } = await world();
  const browser = await alice.signIn();
  const online = await player.signIn(alice, browser, { scope: 'openid' });
  const offline = await phone.signIn(alice, browser);
  const cookies = new Map(browser.cookies);
  await browser.open('/account');
  await browser.press('Sign out of this browser');
  expect([browser.path, browser.heading]).toEqual(['/signed-out', 'You are signed out']);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  expect((await player.userinfo(online)).status).toBe(401);
  expect(await phone.refresh(offline)).toHaveProperty('access_token');
  for (const [key, value] of cookies) browser.cookies.set(key, value);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  await settle();
  expect(ears.by('player').map(({ claims }) => claims['sid'])).toEqual([claimsOf(online.id_token)['sid']]);
});

test('the browser that pressed the button reads its receipt for an hour, and no other does', async () => {
  const { alice, bob, player, advance, settle } = await world({ fakeTime: true });
  const browser = await alice.signIn();
  await player.signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices(browser);
  await settle();
  advance(59 * MINUTES);
  expect((await browser.open(receipt)).status).toBe(200);
  expect(browser.heading).toBe('Access has ended');

  const other = alice.anotherBrowser();
  await other.open(receipt);
  expect(other.path).toBe(`/sign-in?return_to=${encodeURIComponent(receipt)}`);
  await other.press('Sign in', { username: alice.username, password: alice.password });
  expect([other.page.status, other.path, other.heading]).toEqual([200, receipt, 'Access has ended']);

  const stranger = await bob.signIn();
  expect((await stranger.open(receipt)).status).toBe(404);

  advance(2 * MINUTES);
  await browser.open(receipt);
  expect(browser.path).toMatch(/^\/sign-in/);
});

test("the receipt's cookie opens that receipt and nothing else", async () => {
  const { alice } = await world();
  const first = await alice.signOutOfAllDevices();
  const second = await alice.signOutOfAllDevices(alice.anotherBrowser());
  const browser = alice.browser();
  expect((await browser.open(first)).status).toBe(200);
  expect(browser.path).toBe(first);
  await browser.open(second);
  expect(browser.path).toMatch(/^\/sign-in/);
});

test('an admin may read any receipt', async () => {
  const { bob, core, person } = await world();
  const { issuer } = core.config;
  const { Browser } = await import('../support/browser.ts');
  const alice = await person('carol');
  const receipt = await alice.signOutOfAllDevices();
  const password = 'the keys of the whole house';
  const hashed = await core.signIn.hashNewPassword({ password, username: 'root', email: 'root@example.test' });
  if (!('hash' in hashed)) throw new Error('refused');
  await core.accounts.create({ username: 'root', email: 'root@example.test', passwordHash: hashed.hash, admin: true });
  const browser = new Browser(issuer);
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: 'root', password });
  expect((await browser.open(receipt)).status).toBe(200);
  expect((await (await bob.signIn()).open(receipt)).status).toBe(404);
});

test('the receipt is JSON for programs', async () => {
  const { alice, player, phone, settle, issuer } = await world();
  const browser = alice.browser();
  await player.signIn(alice, browser);
  await phone.signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices();
  await settle();
  const page = await browser.request('GET', new URL(receipt, issuer), undefined, { accept: 'application/json' });
  expect(page.headers.get('content-type')).toContain('application/json');
  const id = receipt.split('/').at(-1);
  expect(JSON.parse(page.text)).toMatchObject({
    id,
    scope: `account:${alice.id}`,
    reason: 'At your request',
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    url: `${issuer}${receipt}`,
    dryRun: false,
    accounts: 1,
    clients: 2,
    deliveries: { pending: 0, delivered: 1, rejected: 0, abandoned: 0 },
    done: true,
    lastTokenExpiresAt: null,
    devices: expect.arrayContaining([
      { app: 'Player', device: 'Firefox on Linux', outcome: 'told', at: expect.any(String) },
      { app: 'Phone', device: 'Firefox on Linux', outcome: 'not-applicable', at: null },
    ]),
  });
});

test('the receipt shows what became of each app: told, refused, still trying', async () => {
  const { alice, player, cinema, ears, settle } = await world();
  ears.behave('player', 400);
  ears.behave('cinema', 503);
  const browser = alice.browser();
  await player.signIn(alice, browser);
  await cinema.signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices();
  await settle();
  await browser.open(receipt);
  expect(browser.page.text).toContain('Not reached yet. Trying again at');
  expect(browser.page.text).toContain('Told: 0 of 2. Notices are still going out');
  expect(browser.page.text).toMatch(/<noscript><meta http-equiv="refresh"/);
});

test('the receipt live: what changes arrives as `receipt`, and at the end `done`', async () => {
  const { alice, player, issuer, ears, settle } = await world();
  const browser = alice.browser();
  await player.signIn(alice, browser);
  const answered = Promise.withResolvers<void>();
  ears.behave('player', (response) => void answered.promise.then(() => response.writeHead(200).end()));
  const receipt = await alice.signOutOfAllDevices();
  const url = new URL(`${receipt}/events`, issuer);
  const response = await fetch(url, { headers: { cookie: browser.cookieHeader(url) } });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  if (response.body === null) throw new Error('no stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? '';
  expect(text).toMatch(/^event: receipt\ndata: /);
  expect(text).not.toContain('event: done');
  answered.resolve();
  await settle();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  expect(text.match(/event: \w+/g)?.at(-1)).toBe('event: done');
  expect(text).toContain('Told: 1 of 1.');
});

test('the live receipt is as private as the page', async () => {
  const { alice, bob, issuer } = await world();
  const receipt = await alice.signOutOfAllDevices();
  const other = alice.anotherBrowser();
  await other.open(`${receipt}/events`);
  expect(other.path).toMatch(/^\/sign-in/);
  expect((await (await bob.signIn()).open(new URL(`${receipt}/events`, issuer).href)).status).toBe(404);
});

async function changePassword(browser: Browser, currentPassword: string, password: string): Promise<void> {
  await browser.open('/account/security');
  await browser.press('Change password', { currentPassword, password });
}

/** The rows of the devices page, in their order. */
function rowsOf({ page }: Pick<Browser, 'page'>) {
  return [...page.text.matchAll(/<li class="device">([\s\S]*?)<\/li>/g)].map(([, row = '']) => ({
    app: /<h3[^>]*>([\s\S]*?) <span/.exec(row)?.[1],
    device: /<\/span>([^<]*)<\/span><\/h3>/.exec(row)?.[1],
    place: /<dt>Place<\/dt><dd>([^<]*)</.exec(row)?.[1],
    current: row.includes('This browser'),
  }));
}

/** Which "Sign out" button is this app's. */
function nthOf(browser: Browser, app: string): number {
  return rowsOf(browser).findIndex((row) => row.app === app);
}

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
