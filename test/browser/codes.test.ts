/** Codes of an app and from paper, by keyboard alone: set up, asked for, mistyped, and in place of each other. */
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';

import { codeOf } from '../support/authenticator.ts';
import { until } from '../support/demo.ts';
import { type Person, world } from '../support/world.ts';
import { SIZES, useChromium } from './chromium.ts';
import { everyFault } from './inspect.ts';
import { type Keyboard, keyboardOn } from './keyboard.ts';

vi.setConfig({ testTimeout: 90_000 });

const chromium = useChromium();

/** The field that has the focus: its name, what browsers may fill in, whether it is marked as wrong, and what describes it. */
const FIELD = `(() => {
  const { id, autocomplete, ariaInvalid } = document.activeElement;
  const described = (document.activeElement.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean);
  return { id, autocomplete, wrong: ariaInvalid === 'true', said: described.map((each) => document.getElementById(each)?.textContent.trim()).join(' ') };
})()`;
type Field = { readonly id: string; readonly autocomplete: string; readonly wrong: boolean; readonly said: string };

/** Waits until the focus is where it should be: a page puts it there a moment after it is seen. */
const standsOn = (page: Page, expected: Partial<Record<keyof Field, unknown>>) =>
  expect.poll(() => page.evaluate<Field>(FIELD).catch(() => null), { timeout: 30_000 }).toMatchObject(expected);

const heading = (keyboard: Keyboard, is: string) => until(is, async () => (await keyboard.heading()) === is);

async function typePassword(keyboard: Keyboard, { username, password }: Person): Promise<void> {
  await keyboard.type('Username or e-mail', username);
  await keyboard.type('Password', password);
  await keyboard.page.keyboard.press('Enter');
}

/** What a screen reader, a keyboard and a small window need; then the window as it was. */
async function look(page: Page): Promise<void> {
  const faults = await everyFault(page);
  await page.setViewportSize(SIZES.wide);
  await page.evaluate('document.activeElement.blur()');
  expect({ page: page.url(), faults }).toEqual({ page: page.url(), faults: [] });
}

test('an authenticator app is set up, and its codes and those on paper sign in: by keyboard alone', async () => {
  const { issuer, alice } = await world();
  const page = await (await chromium.open('wide')).newPage();
  const keyboard = keyboardOn(page);
  const signIn = async (): Promise<void> => {
    await keyboard.open(`${issuer}/sign-in`);
    await typePassword(keyboard, alice);
  };
  await signIn();
  await heading(keyboard, 'Hello, alice');
  await keyboard.open(`${issuer}/account/security`);
  await keyboard.press('Set up an authenticator app');
  await heading(keyboard, 'Set up an authenticator app');
  expect(await page.getAttribute('svg.qr', 'aria-label')).toMatch(/QR code.*below/);
  await look(page);
  await keyboard.press('No camera? Type the secret instead');
  const secret = (await page.innerText('.secret')).replaceAll(' ', '');
  expect(secret).toMatch(/^[A-Z2-7]{32}$/);

  // A wrong code: the focus is on the field that is wrong, with what is wrong about it, and the secret is the same.
  await keyboard.type('Type the code that the app shows', '000000');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]:not([hidden])');
  const said = expect.stringContaining('This code is wrong.');
  await standsOn(page, { id: 'code', autocomplete: 'one-time-code', wrong: true, said });
  expect((await page.textContent('.secret'))?.replaceAll(' ', '')).toBe(secret);
  await page.keyboard.type(codeOf(secret));
  await page.keyboard.press('Enter');
  await heading(keyboard, 'Your recovery codes');
  await look(page);
  const codes = await page.locator('.codes code').allInnerTexts();
  expect(codes).toHaveLength(10);
  await keyboard.press('I have kept them');
  await heading(keyboard, 'Security');
  await look(page);

  // Signed in by a code: it is typed at once, since its field has the focus.
  await page.context().clearCookies();
  await signIn();
  await heading(keyboard, 'One more step');
  await standsOn(page, { id: 'code', autocomplete: 'one-time-code', wrong: false });
  await page.keyboard.type('000000');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]:not([hidden])');
  await standsOn(page, { id: 'code', wrong: true, said: expect.stringContaining('or was used before.') });
  await look(page);

  // And by one on paper, into the same field; with the box ticked by the space bar, this browser is not asked again.
  await page.context().clearCookies();
  await signIn();
  await heading(keyboard, 'One more step');
  await page.keyboard.type((codes[0] ?? '').toLowerCase());
  await keyboard.stepTo('Do not ask in this browser for 30 days');
  await page.keyboard.press('Space');
  await keyboard.press('Go on');
  await heading(keyboard, 'Hello, alice');
  await keyboard.press('Sign out of this browser');
  await heading(keyboard, 'You are signed out');
  await signIn();
  await heading(keyboard, 'Hello, alice');
  await keyboard.open(`${issuer}/account/security`);
  await keyboard.sees('Trusted browsers');
  await look(page);
  await keyboard.press(`Forget ${await page.locator('section[aria-labelledby=trusted-title] h3').innerText()}`);
  await keyboard.sees('Forgotten. The second factor is asked for there again.');
});

test('whoever must have a second factor sets one up on the way in: by keyboard alone', async () => {
  const { issuer, alice } = await world({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
  const page = await (await chromium.open('wide')).newPage();
  const keyboard = keyboardOn(page);
  await keyboard.open(`${issuer}/sign-in`);
  await typePassword(keyboard, alice);
  await heading(keyboard, 'Set up a second factor');
  await look(page);
  await keyboard.press('No camera? Type the secret instead');
  const secret = (await page.innerText('.secret')).replaceAll(' ', '');
  await keyboard.type('Type the code that the app shows', codeOf(secret));
  await page.keyboard.press('Enter');
  await heading(keyboard, 'Hello, alice');
  await keyboard.open(`${issuer}/account/security`);
  await keyboard.sees('A second factor is required here');
  await keyboard.press('Add a passkey');
  await heading(keyboard, 'Add a passkey');
  await look(page);
});

test('an act that needs somebody fresh asks for password and code, and says which is wrong', async () => {
  const house = await world({ fakeTime: true });
  const { issuer, alice } = house;
  const page = await (await chromium.open('wide')).newPage();
  const keyboard = keyboardOn(page);
  await keyboard.open(`${issuer}/sign-in`);
  await typePassword(keyboard, alice);
  await heading(keyboard, 'Hello, alice');
  const { id: accountId, username } = alice;
  const standing = await house.core.store.revocations.epochs(['everyone', `account:${accountId}`]);
  const { secret, enrolment } = house.core.totp.begin({ accountId, username });
  await house.core.totp.confirm({ accountId, enrolment, code: codeOf(secret), standing });
  house.advance(16 * 60);
  await keyboard.open(`${issuer}/account/security`);
  await keyboard.press('Remove the authenticator app');
  await heading(keyboard, 'Confirm it is you');
  await standsOn(page, { id: 'password', wrong: false });
  await look(page);
  const confirm = async (password: string, code: string): Promise<void> => {
    await keyboard.type('Password', password);
    await keyboard.type('Code of your second factor', code);
    await page.keyboard.press('Enter');
  };
  await confirm('not the password of anybody', codeOf(secret));
  await keyboard.sees('The password is wrong.');
  await standsOn(page, { id: 'password', wrong: true });
  house.advance(2);
  await confirm(alice.password, '000000');
  await keyboard.sees('This code is wrong, or was used before.');
  // Both are typed once more, from the first; the one that was wrong is marked.
  await standsOn(page, { id: 'password', wrong: false });
  expect(await page.getAttribute('#code', 'aria-invalid')).toBe('true');
  await look(page);
  house.advance(2);
  await confirm(alice.password, codeOf(secret));
  await keyboard.sees('The authenticator app was removed.');
});
