/** A forgotten password, from the sign-in page to a new one, and everything that ends on the way. */
import { expect, test } from 'vitest';

import type { Vouched } from '../../src/connections/vouched.ts';
import { setUpApp } from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { MAIL, mailbox } from '../support/mailbox.ts';
import { type Person, world, type World } from '../support/world.ts';

const NEW_PASSWORD = 'seven lighthouses in the fog';
const CHOSEN_LATER = 'eight lanterns on the pier';
const withMail = (): Promise<World> => world({ fakeTime: true, configuration: MAIL });
const LINK = '/reset/confirm';

/** Asks for a link as somebody who has forgotten their password. */
async function ask(browser: Browser, username: string): Promise<void> {
  await browser.open('/reset');
  await browser.press('Send reset link', { username });
}

async function signsIn({ alice }: World, password: string): Promise<boolean> {
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: alice.username, password });
  return browser.path === '/account';
}

async function linkFor(made: World, person: Person, box = mailbox(made)): Promise<string> {
  await ask(person.anotherBrowser(), person.username);
  return (await box.one(person.email)).link(LINK);
}

/** What ends a link before it is used. */
const ENDED: readonly (readonly [what: string, happens: (made: World, link: string) => unknown])[] = [
  [
    'used',
    async ({ alice }: World, link: string) => {
      const browser = alice.anotherBrowser();
      await browser.open(link);
      await browser.press('Change password', { password: 'three owls over a frozen lake' });
    },
  ],
  ['half an hour old', async (made: World) => made.advance(1801)],
  [
    'ended by a sign-out',
    async ({ alice }: World) => {
      await alice.signIn();
      await alice.signOutOfAllDevices();
    },
  ],
  [
    'older than a change of password that left devices alone',
    async ({ alice }: World) => {
      const browser = await alice.signIn();
      await browser.open('/account/security');
      await browser.press('Change password', {
        currentPassword: alice.password,
        password: 'three owls over a frozen lake',
        signOutDevices: undefined,
      });
    },
  ],
  [
    'of an address that the account has no more',
    async ({ alice, core }: World) => {
      const change = { accountId: alice.id, from: alice.email, email: 'new@example.test', verified: true };
      await core.accounts.changeEmail(change);
    },
  ],
  [
    'of an account that was disabled',
    async ({ alice, core }: World) => {
      await core.store.accounts.setStatus({ accountId: alice.id, status: 'disabled' });
    },
  ],
  [
    'voided by its sibling',
    async (made: World) => {
      const { alice } = made;
      const browser = alice.anotherBrowser();
      const box = mailbox(made);
      await box.fresh(alice.email);
      await browser.open(await linkFor(made, alice, box));
      await browser.press('Change password', { password: 'three owls over a frozen lake', signOutDevices: undefined });
    },
  ],
];

test('a link by mail leads to a new password; everything is signed out, and the receipt says so', async () => {
  const made = await withMail();
  const { alice, player, core } = made;
  const box = mailbox(made);
  const tokens = await player.signIn(alice);
  await box.all();
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  expect(browser.page.text).toContain('href="/reset"');
  await ask(browser, alice.email.toUpperCase());
  expect(browser.heading).toBe('Look in your mail');
  const mails = await box.fresh(alice.email);
  const mail = mails.find(({ subject }) => subject === 'Choose a new password');
  await browser.open(mail?.link(LINK) ?? '');
  expect(browser.page.text).toContain('At least 15 characters');
  await browser.press('Change password', { password: NEW_PASSWORD });
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect(browser.page.text).toContain('Your password was reset by mail');
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  expect(await signsIn(made, alice.password)).toBe(false);
  made.advance(2);
  expect(await signsIn(made, NEW_PASSWORD)).toBe(true);
  expect((await box.fresh(alice.email)).map(({ subject }) => subject)).toContain('Your password was changed');
  expect((await core.journal.recent(alice.id, 20)).map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['password.reset', 'password.reset-requested']),
  );
});

test('with the box unticked devices stay, and nobody is signed in by it', async () => {
  const made = await withMail();
  const { alice, player } = made;
  const tokens = await player.signIn(alice);
  const box = mailbox(made);
  await box.fresh(alice.email);
  const browser = alice.anotherBrowser();
  await browser.open(await linkFor(made, alice, box));
  await browser.press('Change password', { password: NEW_PASSWORD, signOutDevices: undefined });
  expect([browser.heading, browser.path]).toEqual(['Sign in', '/sign-in?done=password-reset']);
  expect(browser.page.text).toContain('Your password was changed.');
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  await browser.open('/account');
  expect(browser.heading).toBe('Sign in');
});

test('a password that will not do is said, and costs no link', async () => {
  const made = await withMail();
  const { alice } = made;
  const browser = alice.anotherBrowser();
  await browser.open(await linkFor(made, alice));
  await browser.press('Change password', { password: 'short', signOutDevices: undefined });
  expect([browser.page.status, browser.page.text.includes('Use at least 15 characters')]).toEqual([422, true]);
  expect(browser.page.text).not.toMatch(/name="signOutDevices"[^>]* checked/);
  await browser.press('Change password', { password: NEW_PASSWORD, signOutDevices: 'on' });
  expect(browser.path).toMatch(/^\/sign-outs\//);
});

test.each(ENDED)('a link that is %s changes nothing', async (_what, happens) => {
  const made = await withMail();
  const { alice, core } = made;
  const link = await linkFor(made, alice);
  const [early, late] = [alice.anotherBrowser(), alice.anotherBrowser()];
  await early.open(link);
  expect(early.heading).toBe('Choose a new password');
  made.advance(2);
  await happens(made, link);
  const before = await core.store.accounts.find(alice.id);
  await late.open(link);
  expect([late.page.status, late.heading]).toEqual([410, 'This link does not work any more']);
  await early.press('Change password', { password: NEW_PASSWORD });
  expect([early.page.status, early.heading]).toEqual([410, 'This link does not work any more']);
  expect((await core.store.accounts.find(alice.id))?.password).toEqual(before?.password);
});

test('whoever has a second factor may choose ten characters, and is asked for it all the same', async () => {
  const made = await withMail();
  const { alice } = made;
  await setUpApp(await alice.signIn());
  const box = mailbox(made);
  await box.fresh(alice.email);
  const browser = alice.anotherBrowser();
  await browser.open(await linkFor(made, alice, box));
  expect(browser.page.text).toContain('At least 10 characters');
  await browser.press('Change password', { password: 'otters at 5' });
  expect(browser.path).toMatch(/^\/sign-outs\//);
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: alice.username, password: 'otters at 5' });
  expect(browser.heading).toBe('One more step');
});

test('who has no password and signs in elsewhere is told so', async () => {
  const made = await withMail();
  const { core } = made;
  const vouched: Vouched = {
    connectionId: 'acme',
    subject: 'sam-at-acme',
    logoutName: null,
    authenticatedAt: null,
    upstreamSession: null,
    claims: { emailVerified: false, groups: [] },
    amr: [],
    logout: null,
    once: null,
  };
  const { identities } = core.connections;
  const sam = { username: 'sam', email: 'sam@example.test', identityFor: () => identities.recordOf(vouched) };
  expect(await core.accounts.create(sam)).toHaveProperty('account');
  await ask(made.bob.anotherBrowser(), 'sam');
  const mail = await mailbox(made).one('sam@example.test');
  expect([mail.subject, mail.text.includes('acme')]).toEqual(['There is no password to reset', true]);
  expect(mail.text).not.toContain(LINK);
});

test.each([
  ['', 0],
  [', though the clock is set back after it', 3600],
])('an operator who demands a new password lets nobody in until it was chosen%s', async (_what, ahead) => {
  const made = await withMail();
  const { alice, core } = made;
  const at = new Date(core.clock.now().getTime() + ahead * 1000);
  await core.store.accounts.requirePasswordReset({ accountId: alice.id, at });
  made.advance(1);
  expect(await signsIn(made, alice.password)).toBe(false);
  const browser = alice.anotherBrowser();
  await browser.open(await linkFor(made, alice));
  await browser.press('Change password', { password: NEW_PASSWORD });
  expect(await signsIn(made, NEW_PASSWORD)).toBe(true);
  // And so does the one that is chosen after it.
  const signedIn = alice.anotherBrowser();
  await signedIn.open('/sign-in');
  await signedIn.press('Sign in', { username: alice.username, password: NEW_PASSWORD });
  await signedIn.open('/account/security');
  await signedIn.press('Change password', { currentPassword: NEW_PASSWORD, password: CHOSEN_LATER });
  expect(await signsIn(made, CHOSEN_LATER)).toBe(true);
});

test('where no mail is configured the page says so', async () => {
  const { alice } = await world();
  const browser = alice.browser();
  await browser.open('/reset');
  expect([browser.page.status, browser.heading, browser.buttons]).toEqual([
    200,
    'This cannot be done by mail here',
    [],
  ]);
  await browser.open('/sign-in');
  expect(browser.page.text).not.toContain('/reset');
});
