/** Every page of a running Curfew, in both themes, held to what a screen reader, a keyboard and a small window need. */
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';

import { until } from '../support/demo.ts';
import { federatedWorld } from '../support/federated-world.ts';
import { MAIL } from '../support/mailbox.ts';
import { type World, world } from '../support/world.ts';
import { useChromium } from './chromium.ts';
import { everyFault } from './inspect.ts';
import { keyboardOn } from './keyboard.ts';

vi.setConfig({ testTimeout: 90_000 });

const chromium = useChromium();

/** Looks at the page that is open, in every size and theme. */
async function look(page: Page, heading: string): Promise<void> {
  const keyboard = keyboardOn(page);
  await until(
    `the page is "${heading}"`,
    async () => (await keyboard.heading()).replaceAll('\n', ' ') === heading,
  ).catch(async (cause: unknown) => {
    throw new Error(`${page.url()} is not "${heading}": ${await keyboard.text()}`, { cause });
  });
  const faults = await everyFault(page);
  expect({ heading, faults }).toEqual({ heading, faults: [] });
}

async function openBrowser({ issuer, alice }: World) {
  const page = await (await chromium.open('wide')).newPage();
  const keyboard = keyboardOn(page);
  const open = (path: string) => keyboard.open(new URL(path, issuer).href);
  const fillIn = async (password: string): Promise<void> => {
    await keyboard.type('Username or e-mail', alice.username);
    await keyboard.type('Password', password);
    await page.keyboard.press('Enter');
  };
  const signIn = async (): Promise<void> => {
    await fillIn(alice.password);
    await until('the password was accepted', async () => !['', 'Sign in'].includes(await keyboard.heading()));
  };
  return { page, keyboard, open, fillIn, signIn };
}

test('signing in, to Curfew and to an app, and what can go wrong on the way', async () => {
  const house = await world();
  const { page, keyboard, open, fillIn, signIn } = await openBrowser(house);
  await open('/sign-in');
  await look(page, 'Sign in');
  await fillIn('not the password of anybody');
  await page.waitForSelector('[role=alert]');
  await look(page, 'Sign in');
  await open(house.player.authorization().url);
  await look(page, 'Sign in');
  await open(house.cinema.authorization().url);
  await signIn();
  await look(page, 'Allow Cinema?');
  await open('/nowhere');
  await look(page, 'There is nothing here');
  await open('/session/end');
  await look(page, 'Sign out?');
  await keyboard.press('Sign out');
  await look(page, 'You are signed out');
});

test('signing out of the provider somebody came through as well', async () => {
  const house = await federatedWorld();
  const { page, keyboard, open } = await openBrowser(house);
  await open('/sign-in');
  await keyboard.press('Continue with Acme');
  await page.fill('input[name=login]', house.carol.sub);
  await page.fill('input[name=password]', house.carol.password);
  await page.keyboard.press('Enter');
  await until('she is back', async () => (await keyboard.heading()) === 'Hello, carol');
  await open('/session/end');
  await look(page, 'Sign out?');
  await keyboard.press('Sign out here and at Acme');
  await until('Acme asks', async () => (await keyboard.page.title()) === 'Sign out of Acme');
  await page.click('button');
  await look(page, 'You are signed out');
});

test('connecting a device, and refusing one', async () => {
  const house = await world();
  const { page, keyboard, open, signIn } = await openBrowser(house);
  await open('/sign-in');
  await signIn();
  const { user_code: code } = await house.tv.startDevice();
  await open('/device');
  await look(page, 'Connect a device');
  await keyboard.type('Code', 'BBBB-BBBB');
  await keyboard.press('Continue');
  await page.waitForSelector('[role=alert]');
  await look(page, 'Connect a device');
  await open(`/device?user_code=${code}`);
  await keyboard.press('Continue');
  await look(page, 'Connect Television?');
  await keyboard.press('Allow');
  await look(page, 'Television is connected');
});

test('the account, its devices, and the receipt while it runs and once it is complete', async () => {
  const house = await world({ fakeTime: true });
  const { page, keyboard, open, signIn } = await openBrowser(house);
  await house.player.signIn(house.alice);
  await house.cinema.signIn(house.alice, house.alice.anotherBrowser());
  await house.tv.connectDevice(house.alice);
  await open('/sign-in');
  await signIn();
  await look(page, 'Hello, alice');
  await open('/account/devices');
  await look(page, 'Devices');
  await open('/account/security');
  await look(page, 'Security');
  await keyboard.type('Current password', 'not the password of anybody');
  await keyboard.type('New password', 'short');
  await keyboard.press('Change password');
  await page.waitForSelector('[role=alert]');
  await look(page, 'Security');

  // Half an hour later the press asks for the password once more.
  house.advance(30 * 60);
  house.ears.behave('cinema', 503);
  await keyboard.press('Sign out of all devices');
  await look(page, 'Confirm it is you');
  await keyboard.type('Password', house.alice.password);
  await page.keyboard.press('Enter');
  await keyboard.sees('Notices are still going out');
  await look(page, 'Access has ended');
  house.ears.behave('cinema', 200);
  // Within the hour for which this browser may read it.
  house.advance(50 * 60);
  house.core.deliveries.wake();
  await keyboard.sees('No more notices will be sent');
  await look(page, 'Access has ended');
});

test('asking for a link, what it leads to, and what can go wrong on the way', async () => {
  const house = await world({ configuration: { ...MAIL, registration: 'open' } });
  const { page, keyboard, open } = await openBrowser(house);
  const { id: accountId, email } = house.alice;
  const { core } = house;
  const passwordChangedAt = (await core.store.accounts.find(accountId))?.password?.changedAt.toISOString() ?? null;
  await open('/reset');
  await look(page, 'Forgotten password');
  await keyboard.type('Username or e-mail', 'two words');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  await look(page, 'Forgotten password');
  await keyboard.type('Username or e-mail', 'alice');
  await page.keyboard.press('Enter');
  await look(page, 'Look in your mail');
  const reset = await core.links.mint({ accountId, purpose: { kind: 'reset-password', email, passwordChangedAt } });
  await open(`/reset/confirm?link=${reset}`);
  await look(page, 'Choose a new password');
  await keyboard.type('New password', 'short');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  await look(page, 'Choose a new password');
  await open('/reset/confirm?link=nothing');
  await look(page, 'This link does not work any more');
  await open('/register');
  await look(page, 'Make an account');
  const register = await core.links.mint({
    accountId: null,
    purpose: { kind: 'register', email: 'nora@example.test' },
  });
  await open(`/register/confirm?link=${register}`);
  await look(page, 'Make an account');
  const notMe = await core.links.mint({ accountId, purpose: { kind: 'not-me' } });
  await open(`/not-me?link=${notMe}`);
  await look(page, 'Was this not you?');
});
