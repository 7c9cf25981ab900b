import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Client, Tokens } from '../support/client.ts';
import { type Person, world, type World } from '../support/world.ts';

const SECURITY = '/account/security';
type Code = { device_code: string; user_code: string };

/** A device that was signed out and asks for a code, with the last ID Token it was given. */
async function comesBack(client: Client, { id_token }: Pick<Tokens, 'id_token'>): Promise<Code> {
  const { status, body } = await client.post('/device/auth', {
    scope: 'openid profile offline_access',
    id_token_hint: id_token,
  });
  expect([status, body]).toEqual([200, expect.objectContaining({ user_code: expect.any(String) })]);
  return body as Code;
}

async function signedOutDevice({ alice, library }: Pick<World, 'alice' | 'library'>): Promise<Tokens> {
  const tokens = await library.connectDevice(alice);
  await alice.signOutOfAllDevices();
  expect(await library.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  return tokens;
}

/** Signs in and looks at the security page. */
async function securityPage(person: Person, browser = person.anotherBrowser()): Promise<Browser> {
  await person.signIn(browser);
  await browser.open(SECURITY);
  return browser;
}

const fetchTokens = async (client: Client, { device_code }: Code): Promise<Tokens> => {
  const { status, body } = await client.pollDevice(device_code);
  expect([status, body]).toEqual([200, expect.objectContaining({ id_token: expect.any(String) })]);
  return body as unknown as Tokens;
};

const claimsOf = ({ id_token }: Pick<Tokens, 'id_token'>): Record<string, unknown> =>
  JSON.parse(Buffer.from(id_token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

test('a signed-out media server is listed, and one tap after a sign-in brings it back as who it was', async () => {
  const { alice, library, core, advance } = await world({ fakeTime: true });
  const before = await library.connectDevice(alice);
  const [first] = await core.store.revocations.clientSessionsOf(alice.id);
  advance(3 * 86_400);
  await alice.signOutOfAllDevices(alice.anotherBrowser());

  const code = await comesBack(library, before);
  const browser = await securityPage(alice);
  expect(browser.page.text).toContain('Waiting to be re-attached');
  expect(browser.page.text).toContain('Media library');
  expect(browser.page.text).toContain('this machine (127.0.0.1)');
  expect(browser.page.text).toContain(code.user_code);
  expect(await library.pollDevice(code.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });

  await browser.press('Re-attach');
  expect(browser.page.text).toContain('Re-attached.');
  expect(browser.page.text).not.toContain('Waiting to be re-attached');
  expect(browser.page.text).toContain('Device re-attached: Media library on node');
  const after = await fetchTokens(library, code);
  expect(claimsOf(after)['sub']).toBe(claimsOf(before)['sub']);
  expect(await library.refresh(after)).toHaveProperty('access_token');

  const [session, ...others] = await core.store.revocations.clientSessionsOf(alice.id);
  expect(others).toEqual([]);
  expect(session).toMatchObject({ clientId: 'library', kind: 'device', firstUsedAt: first?.firstUsedAt });
  expect(session?.grantId).not.toBe(first?.grantId);
  expect(session?.lastUsedAt.getTime()).toBeGreaterThan(first?.firstUsedAt.getTime() ?? Infinity);
});

test('it keeps the name its owner knows, and the page says what it calls itself now', async () => {
  const { alice, tv, issuer, core } = await world();
  const ask = async (userAgent: string, hint?: string): Promise<Code> => {
    const response = await fetch(new URL('/device/auth', issuer), {
      method: 'POST',
      headers: { 'user-agent': userAgent },
      body: new URLSearchParams({ client_id: tv.id, scope: 'openid', ...(hint && { id_token_hint: hint }) }),
    });
    return (await response.json()) as Code;
  };
  const first = await ask('Living room/1.0');
  await tv.approveDevice(alice, first.user_code);
  const tokens = await fetchTokens(tv, first);
  await alice.signOutOfAllDevices();

  await ask('Something else/2.0', tokens.id_token);
  const browser = await securityPage(alice);
  expect(browser.page.text).toMatch(/Television <[^>]*>.*Living room</);
  expect(browser.page.text).toContain('It now calls itself Something else.');
  await browser.press('Re-attach');
  await browser.open('/account/devices');
  expect(browser.page.text).toContain('Living room');
  expect(browser.page.text).not.toContain('Something else');
  const sessions = await core.store.revocations.clientSessionsOf(alice.id);
  expect(sessions.map(({ grantId, sealedDevice }) => core.devices.unseal(grantId, sealedDevice).userAgent)).toEqual([
    'Living room/1.0',
  ]);
});

test('typing the code at the device page brings it back as who it was, too', async () => {
  const { alice, library, core } = await world();
  const before = await library.connectDevice(alice);
  const [first] = await core.store.revocations.clientSessionsOf(alice.id);
  await alice.signOutOfAllDevices();
  const code = await comesBack(library, before);
  await library.approveDevice(alice, code.user_code);
  await fetchTokens(library, code);
  const [session] = await core.store.revocations.clientSessionsOf(alice.id);
  expect(session?.firstUsedAt).toEqual(first?.firstUsedAt);
  // The old ID Token is worth nothing any more, whoever kept it.
  await comesBack(library, before);
  expect((await securityPage(alice)).page.text).not.toContain('Waiting to be re-attached');
});

test('whoever else types its code gets a device of their own: it can be handed on', async () => {
  const { alice, bob, library, core, advance } = await world({ fakeTime: true });
  const before = await signedOutDevice({ alice, library });
  advance(60);
  const handedOnAt = new Date();
  const code = await comesBack(library, before);
  await library.approveDevice(bob, code.user_code);
  expect(claimsOf(await fetchTokens(library, code))['sub']).toBe(bob.id);
  expect((await securityPage(alice)).page.text).not.toContain('Waiting to be re-attached');
  const [session] = await core.store.revocations.clientSessionsOf(bob.id);
  expect(session?.firstUsedAt.getTime()).toBeGreaterThanOrEqual(handedOnAt.getTime());
});

test('every device of a household is listed at once, each under its newest code', async () => {
  const { alice, library, tv } = await world();
  const devices = [
    { client: library, tokens: await library.connectDevice(alice) },
    { client: tv, tokens: await tv.connectDevice(alice) },
    { client: tv, tokens: await tv.connectDevice(alice) },
    { client: tv, tokens: await tv.connectDevice(alice) },
  ];
  await alice.signOutOfAllDevices();
  const early = await Promise.all(devices.map(({ client, tokens }) => comesBack(client, tokens)));
  const codes = await Promise.all(devices.map(({ client, tokens }) => comesBack(client, tokens)));
  const browser = await securityPage(alice);
  expect(browser.buttons.filter((label) => label === 'Re-attach')).toHaveLength(4);
  for (const { user_code } of codes) expect(browser.page.text).toContain(user_code);
  for (const { user_code } of early) expect(browser.page.text).not.toContain(user_code);
  for (const _device of devices) await browser.press('Re-attach');
  for (const [at, { client }] of devices.entries()) await fetchTokens(client, codes[at] as Code);
});

test('a device that loses its access again is listed again, by its new ID Token or by none newer', async () => {
  const { alice, library, core } = await world();
  let tokens = await library.connectDevice(alice);
  const [first] = await core.store.revocations.clientSessionsOf(alice.id);
  for (let time = 0; time < 3; time++) {
    await alice.signOutOfAllDevices();
    const code = await comesBack(library, tokens);
    const browser = await securityPage(alice);
    await browser.press('Re-attach');
    // Signed out once more before it could fetch what it was let have: its last ID Token is the one before.
    if (time === 1) continue;
    tokens = await fetchTokens(library, code);
  }
  const [session] = await core.store.revocations.clientSessionsOf(alice.id);
  expect(session?.firstUsedAt).toEqual(first?.firstUsedAt);
});

test('Ignore refuses the code and ends the asking; the device can still be connected by typing', async () => {
  const { alice, library } = await world();
  const before = await signedOutDevice({ alice, library });
  const code = await comesBack(library, before);
  const browser = await securityPage(alice);
  await browser.press('Ignore');
  expect(browser.page.text).toContain('Ignored.');
  expect(await library.pollDevice(code.device_code)).toMatchObject({ status: 400, body: { error: 'access_denied' } });
  const again = await comesBack(library, before);
  await browser.open(SECURITY);
  expect(browser.page.text).not.toContain('Waiting to be re-attached');
  await library.approveDevice(alice, again.user_code, browser);
  await fetchTokens(library, again);
});

test('a sign-in that is not fresh is asked for once more, and the tap then counts', async () => {
  const { alice, library, advance } = await world({ fakeTime: true });
  const before = await signedOutDevice({ alice, library });
  const browser = await securityPage(alice);
  advance(16 * 60);
  const code = await comesBack(library, before);
  await browser.open(SECURITY);
  await browser.press('Re-attach');
  expect(browser.heading).toBe('Confirm it is you');
  expect(await library.pollDevice(code.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
  await browser.press('Re-attach your device', { password: alice.password });
  expect(browser.page.text).toContain('Re-attached.');
  await fetchTokens(library, code);
});

test('an app that must be consented to goes by the device page, as it would without the list', async () => {
  const device = {
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    response_types: [],
    redirect_uris: [],
  };
  const house = await world({ clients: [{ client_id: 'kiosk', client_name: 'Kiosk', ...device }] });
  const { alice } = house;
  const kiosk = house.client('kiosk');
  const before = await kiosk.connectDevice(alice);
  await alice.signOutOfAllDevices();
  const code = await comesBack(kiosk, before);
  const browser = await securityPage(alice);
  await browser.press('Re-attach');
  expect([browser.heading, browser.page.text.includes(code.user_code)]).toEqual(['Connect a device', true]);
  await browser.press('Continue');
  await browser.press('Allow');
  expect(browser.page.text).toContain('See your username.');
  await browser.press('Allow');
  await fetchTokens(kiosk, code);
});

test('a server that was off for longer than its refresh token lived comes back the same way', async () => {
  const { alice, library, advance } = await world({ fakeTime: true });
  const before = await library.connectDevice(alice);
  await comesBack(library, before);
  expect((await securityPage(alice)).page.text).not.toContain('Waiting to be re-attached');
  advance(31 * 86_400);
  expect(await library.refresh(before)).toEqual({ error: 'invalid_grant' });
  const code = await comesBack(library, before);
  const browser = await securityPage(alice);
  await browser.press('Re-attach');
  await fetchTokens(library, code);
});
