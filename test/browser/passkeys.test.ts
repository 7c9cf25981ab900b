/** Passkeys in a real Chromium, from the security page to an app: what the browser's own half makes of our pages and policy. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test, vi } from 'vitest';

import { until } from '../support/demo.ts';
import { world } from '../support/world.ts';
import { useChromium } from './chromium.ts';
import { arrives, pathOf, troubled, typePassword, usePasskey, visitors } from './passkey-visits.ts';
import { authenticatorAt } from './virtual-authenticator.ts';

vi.setConfig({ testTimeout: 120_000 });

const { visit, signIn, add, withPasskey } = visitors(useChromium());

test('a passkey is added under a name, and signs in by its button alone', async () => {
  const house = await world();
  const at = await withPasskey(house);
  const { page, keyboard, authenticator, open } = at;
  await open('/sign-in');
  // Somebody is there, and still nothing happens before the button is pressed: the field's own offer waits for a choice.
  await keyboard.stepTo('Use a passkey');
  await authenticator.touched();
  expect(pathOf(page)).toBe('/sign-in');
  await page.keyboard.press('Enter');
  await arrives(page, '/account');
  await open('/account/security');
  expect(await keyboard.text()).toMatch(/Laptop\s+Passkey\. On one device only; used 2 times/);
});

test('a passkey is offered where the username is typed, and signs in when it is chosen there', async () => {
  const house = await world();
  const { page, authenticator, open } = await withPasskey(house);
  await open('/sign-in');
  await page.waitForFunction(`document.getElementById('username').autocomplete === 'username webauthn'`);
  await authenticator.touched();
  await open('/sign-in?return_to=/account/devices');
  await arrives(page, '/account/devices');
});

test('a passkey is a second factor after the password', async () => {
  const house = await world();
  const at = await withPasskey(house);
  const { page, keyboard, authenticator, open } = at;
  await open('/sign-in');
  await typePassword(at, house.alice);
  await arrives(page, '/sign-in/second-step');
  expect(await keyboard.text()).toContain('Use your passkey to go on.');
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await arrives(page, '/account');
});

test('an app that asks for two factors gets them from a passkey alone, and is told so', async () => {
  const { house, url, told } = await appWorld();
  const at = await withPasskey(house);
  await at.keyboard.open(url);
  await usePasskey(at);
  expect(await told(at.page)).toMatchObject({ acr: 'aal2', amr: ['pop', 'user', 'mfa'] });
});

test('an app gets two factors from a password and a passkey after it', async () => {
  const { house, url, told } = await appWorld();
  const at = await withPasskey(house, { transport: 'usb', userVerification: false });
  const { page, keyboard, authenticator } = at;
  await keyboard.open(url);
  await typePassword(at, house.alice);
  await until('the second step', async () => (await keyboard.heading()) === 'One more step');
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  expect(await told(page)).toMatchObject({ acr: 'aal2', amr: ['pwd', 'pop', 'mfa'] });
});

test('an authenticator that cannot ask for its person is refused alone, and taken as a second factor', async () => {
  const house = await world();
  const at = await withPasskey(house, { transport: 'usb', userVerification: false });
  const { page, keyboard, authenticator, open } = at;
  await open('/sign-in');
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await troubled(page);
  expect(pathOf(page)).toBe('/sign-in');
  await typePassword(at, house.alice);
  await arrives(page, '/sign-in/second-step');
  await keyboard.press('Use a passkey');
  await arrives(page, '/account');
});

test('several have names of their own; one that was removed is refused, and the other is not', async () => {
  const house = await world();
  const laptop = await visit(house);
  const { page, keyboard, open } = laptop;
  await signIn(laptop, house.alice);
  await add(laptop, 'Laptop');
  const key = { ...laptop, authenticator: await authenticatorAt(page, { transport: 'usb' }) };
  await add(key, 'Key on my ring');
  // The same authenticator once more: the browser knows it from our list, and adds nothing.
  await open('/account/security');
  await keyboard.press('Add a passkey');
  await arrives(page, '/account/security/passkeys');
  await key.authenticator.touched();
  await keyboard.press('Add a passkey');
  await troubled(page);
  expect(await key.authenticator.count()).toBe(1);
  await key.authenticator.untouched();

  await open('/account/security');
  await keyboard.press('Remove Laptop');
  await keyboard.sees('The passkey was removed.');
  expect((await house.core.passkeys.of(house.alice.id)).map(({ name }) => name)).toEqual(['Key on my ring']);
  await page.context().clearCookies();
  await open('/sign-in');
  await usePasskey(key);
  await arrives(page, '/account');
  await key.authenticator.untouched();
  await page.context().clearCookies();
  await open('/sign-in');
  await usePasskey(laptop);
  await keyboard.sees('This passkey was not accepted.');
  expect(pathOf(page)).toBe('/sign-in/passkey');
});

test('a passkey confirms an act that needs somebody fresh', async () => {
  const house = await world({ fakeTime: true });
  const at = await visit(house);
  const { page, keyboard, authenticator, open } = at;
  await signIn(at, house.alice);
  await add(at, 'Laptop');
  house.advance(16 * 60);
  await open('/account/security');
  await keyboard.press('Remove Laptop');
  await until('the page asks', async () => (await keyboard.heading()) === 'Confirm it is you');
  await authenticator.recognises(false);
  await authenticator.touched();
  await keyboard.press('Confirm with a passkey');
  await troubled(page);
  expect(await house.core.passkeys.of(house.alice.id)).toHaveLength(1);
  await authenticator.recognises(true);
  await keyboard.press('Confirm with a passkey');
  await keyboard.sees('The passkey was removed.');
  expect(await house.core.passkeys.of(house.alice.id)).toEqual([]);
});

test('a key that cannot ask for its person confirms an act together with the password', async () => {
  const house = await world({ fakeTime: true });
  const at = await visit(house, { transport: 'usb', userVerification: false });
  const { page, keyboard, authenticator, open } = at;
  await signIn(at, house.alice);
  await add(at, 'Key on my ring');
  house.advance(16 * 60);
  await open('/account/security');
  await keyboard.press('Remove Key on my ring');
  await keyboard.sees('Use your passkey once more and it will be done.');
  await authenticator.touched();
  await keyboard.press('Confirm with a passkey');
  await keyboard.sees('is not enough by itself');
  expect(await house.core.passkeys.of(house.alice.id)).toHaveLength(1);
  await keyboard.type('Your password, to go with the passkey', 'not the password of anybody');
  await page.keyboard.press('Enter');
  await keyboard.sees('The password is wrong.');
  expect(await house.core.passkeys.of(house.alice.id)).toHaveLength(1);
  house.advance(2);
  await keyboard.type('Your password, to go with the passkey', house.alice.password);
  await page.keyboard.press('Enter');
  await keyboard.sees('The passkey was removed.');
});

test('where a second factor is required, a passkey is one: set up on the way in, and enough alone afterwards', async () => {
  const house = await world({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
  const at = await visit(house);
  const { page, keyboard, authenticator, open } = at;
  await open('/sign-in');
  await typePassword(at, house.alice);
  await until('it is to be set up', async () => (await keyboard.heading()) === 'Set up a second factor');
  await authenticator.touched();
  await keyboard.type('A name for it', 'Laptop');
  await page.keyboard.press('Enter');
  await arrives(page, '/account');
  await page.context().clearCookies();
  await authenticator.untouched();
  await open('/sign-in');
  await usePasskey(at);
  await arrives(page, '/account');
});

/** An app on loopback, which the browser is brought back to. */
async function appWorld() {
  const app = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><html lang="en"><title>Lounge</title><link rel="icon" href="data:,"><h1>Lounge</h1>');
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void app.close());
  const { port } = app.address() as AddressInfo;
  const lounge = {
    client_id: 'lounge',
    first_party: true,
    token_endpoint_auth_method: 'none',
    redirect_uris: [`http://127.0.0.1:${port}/callback`],
  };
  const house = await world({ clients: [lounge] });
  const { url, verifier } = house.client('lounge').authorization({ acr_values: 'aal2' });
  /** What the app is told, once the browser has come back to it. */
  const told = async (page: Page): Promise<Record<string, unknown>> => {
    await arrives(page, '/callback');
    const code = new URL(page.url()).searchParams.get('code') ?? '';
    const { body } = await house.client('lounge').exchange(code, verifier);
    const [, claims = ''] = String(body['id_token']).split('.');
    return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
  };
  return { house, url, told };
}
