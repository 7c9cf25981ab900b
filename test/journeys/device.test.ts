import { expect, test } from 'vitest';

import { signOutFromApp } from './sign-out-from-app.ts';
import { world } from '../support/world.ts';

const PENDING = { status: 400, body: { error: 'authorization_pending' } };

test('a television shows a code, its owner types it, sees app and place, and says Allow', async () => {
  const { alice, tv } = await world();
  const browser = await alice.signIn();
  const { device_code, user_code, verification_uri } = await tv.startDevice();
  expect(user_code).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
  expect(await tv.pollDevice(device_code)).toMatchObject(PENDING);

  await browser.open(verification_uri);
  await browser.press('Continue', { user_code: user_code.toLowerCase().replace('-', ' ') });
  expect(browser.heading).toContain('Television');
  expect(browser.page.text).toContain(user_code);
  expect(browser.page.text).toContain('this machine (127.0.0.1)');
  expect(browser.page.text).toContain('node');
  expect(await tv.pollDevice(device_code)).toMatchObject(PENDING);

  await browser.press('Allow');
  expect(browser.heading).toContain('is connected');
  const { status, body } = await tv.pollDevice(device_code);
  expect([status, typeof body['access_token'], typeof body['refresh_token']]).toEqual([200, 'string', 'string']);
});

test('Deny ends it: the television is refused, and so is whoever types the code again', async () => {
  const { alice, tv, core } = await world();
  const browser = await alice.signIn();
  const { device_code, user_code } = await tv.startDevice();
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  await browser.press('Deny');
  expect(browser.page.text).toContain('The device was not let in.');
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'access_denied' } });
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  expect(browser.page.text).toContain('role="alert"');
  expect(browser.buttons).not.toContain('Allow');
  expect(await core.store.revocations.clientSessionsOf(alice.id)).toEqual([]);
});

test('a code that has expired connects nothing, and both sides are told', async () => {
  const { alice, tv, advance } = await world({ fakeTime: true });
  const browser = await alice.signIn();
  const { device_code, user_code } = await tv.startDevice();
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  advance(601);
  await browser.press('Allow');
  expect(browser.page.text).toContain('This code is not known, or has expired.');
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'expired_token' } });
});

test('a television that asks again and again gets nothing for it, and its tokens when they are due', async () => {
  const { alice, tv } = await world();
  const { device_code, user_code } = await tv.startDevice();
  for (let asked = 0; asked < 5; asked++) expect(await tv.pollDevice(device_code)).toMatchObject(PENDING);
  await tv.approveDevice(alice, user_code, await alice.signIn());
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => tv.pollDevice(device_code)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test('a code is good for one television, once', async () => {
  const { alice, tv, library } = await world();
  const browser = await alice.signIn();
  const { device_code, user_code } = await tv.startDevice();
  await tv.approveDevice(alice, user_code, browser);
  expect(
    await library.post('/token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code }),
  ).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  });
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 200 });
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  expect(browser.page.text).toContain('This code is not known');
});

test('a code that nobody was shown is refused in words', async () => {
  const { alice } = await world();
  const browser = await alice.signIn();
  await browser.open('/device');
  await browser.press('Continue', { user_code: 'BBBB-BBBB' });
  expect([browser.page.status, browser.heading]).toEqual([expect.any(Number), 'Connect a device']);
  expect(browser.page.status).toBeLessThan(500);
  expect(browser.page.text).toContain('This code is not known, or has expired.');
});

test('a browser where nobody is signed in signs in on the way', async () => {
  const { alice, tv } = await world();
  const browser = alice.browser();
  const { device_code, user_code } = await tv.startDevice();
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  await browser.press('Allow');
  expect(browser.heading).toBe('Sign in');
  expect(await tv.pollDevice(device_code)).toMatchObject(PENDING);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect(browser.heading).toContain('is connected');
  await browser.open('/account/devices');
  expect(browser.page.text).toContain('Television');
});

test('a link with the code in it fills the form in, and waits for two clicks', async () => {
  const { alice, tv } = await world();
  const browser = await alice.signIn();
  const { device_code, user_code, verification_uri_complete } = await tv.startDevice();
  await browser.open(verification_uri_complete);
  expect(browser.heading).toBe('Connect a device');
  expect(browser.page.text).toContain(`value="${user_code}"`);
  expect(browser.page.text).not.toMatch(/<script(?![^>]*src=)/);
  expect(await tv.pollDevice(device_code)).toMatchObject(PENDING);
  await browser.press('Continue');
  expect(browser.heading).toContain('Television');
  await browser.press('Allow');
  expect(browser.heading).toContain('is connected');
});

test('an app that is not ours, on a television, asks for consent as well', async () => {
  const house = await world({
    clients: [
      {
        client_id: 'kiosk',
        client_name: 'Kiosk',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        response_types: [],
        redirect_uris: [],
      },
    ],
  });
  const { alice } = house;
  const kiosk = house.client('kiosk');
  const browser = await alice.signIn();
  const { device_code, user_code } = await kiosk.startDevice();
  await browser.open('/device');
  await browser.press('Continue', { user_code });
  await browser.press('Allow');
  expect(browser.heading).toContain('Allow');
  expect(browser.page.text).toContain('See your username.');
  await browser.press('Allow');
  expect(browser.heading).toContain('is connected');
  expect(await kiosk.pollDevice(device_code)).toMatchObject({ status: 200 });
});

test('two televisions approved in one browser are two devices: signing one out leaves the other', async () => {
  const { alice, tv } = await world();
  const browser = await alice.signIn();
  const [first, second] = [await tv.connectDevice(alice, browser), await tv.connectDevice(alice, browser)];
  await browser.open('/account/devices');
  expect(browser.page.text.match(/>Television </g)).toHaveLength(2);
  // The newest comes first, after this browser.
  await browser.press('Sign out', {}, { nth: rowOf(browser.page.text, 'Television') });
  expect(browser.heading).toBe('Access has ended');
  const alive = [await tv.refresh(first), await tv.refresh(second)].filter((answer) => 'access_token' in answer);
  expect(alive).toHaveLength(1);
  await browser.open('/account/devices');
  expect(browser.page.text.match(/>Television </g)).toHaveLength(1);
});

test('a television outlives the browser that approved it', async () => {
  const { alice, tv, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  const tokens = await tv.connectDevice(alice, browser);
  await signOutFromApp(browser, id_token);
  expect(await tv.refresh(tokens)).toHaveProperty('access_token');
});

test('a television and a browser signed in at the same app are two devices', async () => {
  const house = await world({
    clients: [
      {
        client_id: 'stage',
        client_name: 'Stage',
        first_party: true,
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://stage.test/callback'],
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
    ],
  });
  const { alice, core } = house;
  const stage = house.client('stage');
  const browser = await alice.signIn();
  const online = await stage.signIn(alice, browser, { scope: 'openid' });
  const television = await stage.connectDevice(alice, browser);
  expect((await stage.userinfo(online)).status).toBe(200);
  const again = await stage.signIn(alice, browser);
  const sessions = await core.store.revocations.clientSessionsOf(alice.id);
  expect(sessions.map(({ kind }) => kind).toSorted()).toEqual(['browser', 'device']);
  const device = sessions.find(({ kind }) => kind === 'device');
  await core.signOuts.signOut({
    scope: { kind: 'device', accountId: alice.id, grantId: device?.grantId ?? '' },
    reason: 'test',
    actor: { kind: 'operator' },
  });
  expect(await stage.refresh(television)).toEqual({ error: 'invalid_grant' });
  expect(await stage.refresh(again)).toHaveProperty('access_token');
});

test('a code that was waiting when its owner signed out everywhere can be used afterwards, by a fresh sign-in', async () => {
  const { alice, tv } = await world();
  const { device_code, user_code } = await tv.startDevice();
  await alice.signOutOfAllDevices();
  await tv.approveDevice(alice, user_code);
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 200 });
});

test('an approved code that was not fetched before its owner signed out everywhere is dead', async () => {
  const { alice, tv } = await world();
  const { device_code, user_code } = await tv.startDevice();
  await tv.approveDevice(alice, user_code);
  await alice.signOutOfAllDevices();
  expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

/** Which of the page's "Sign out" buttons belongs to the first row of this app. */
function rowOf(html: string, app: string): number {
  const before = html.slice(0, html.indexOf(`>${app} <`));
  return before.match(/>\s*Sign out\s*<\/button>/g)?.length ?? 0;
}
