/** A person's address: confirmed, changed, and taken back. */
import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { MAIL, mailbox, type Mailbox } from '../support/mailbox.ts';
import { world, type World } from '../support/world.ts';

const NEW_PASSWORD = 'seven lighthouses in the fog';
const withMail = (): Promise<World> => world({ fakeTime: true, configuration: MAIL });

/** Signs in, and forgets the mail about it. */
async function signedIn({ alice }: World, box: Mailbox): Promise<Browser> {
  const browser = await alice.signIn();
  await box.fresh(alice.email);
  await browser.open('/account');
  return browser;
}

/** Changes the account's address as its person, or whoever sits there, would; resolves to the link in the mail. */
async function changeTo(browser: Browser, box: Mailbox, email: string): Promise<void> {
  await browser.open('/account');
  await browser.press('Change e-mail address', { email });
  const stranger = new (browser.constructor as typeof Browser)(browser.origin);
  await stranger.open((await box.one(email)).link('/email/confirm'));
  await stranger.press('Use this address');
  expect(stranger.heading).toBe('Your address was changed');
}

test('an address that nobody has confirmed says so, and a link confirms it', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  expect(browser.page.text).toContain('not confirmed');
  await browser.press('Send a link to confirm my address');
  expect(browser.page.text).toContain('A message is on its way to your address.');
  const link = (await box.one(alice.email)).link('/verify');
  await browser.open(link);
  expect((await core.accounts.find(alice.id))?.emailVerifiedAt).toBeNull();
  await browser.press('Confirm this address');
  expect(browser.heading).toBe('Your address is confirmed');
  await browser.open('/account');
  expect(browser.page.text).not.toContain('not confirmed');
  expect(browser.buttons).not.toContain('Send a link to confirm my address');
  await browser.open(link);
  expect(browser.page.status).toBe(410);
});

test('a link to confirm is sent three times an hour', async () => {
  const made = await withMail();
  const { alice } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  for (let nth = 0; nth < 5; nth++) await browser.press('Send a link to confirm my address');
  expect(browser.page.text).toContain('Enough messages were sent');
  expect(await box.fresh(alice.email)).toHaveLength(3);
  made.advance(3600);
  await browser.press('Send a link to confirm my address');
  expect(await box.fresh(alice.email)).toHaveLength(1);
});

test('whoever has no account here takes their address off it', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  await browser.press('Send a link to confirm my address');
  const stranger = alice.anotherBrowser();
  await stranger.open((await box.one(alice.email)).link('/verify/decline'));
  await stranger.press('Take my address off it');
  expect(stranger.heading).toBe('Your address was taken off');
  expect(await core.accounts.find(alice.id)).toMatchObject({ username: 'alice', email: '', emailVerifiedAt: null });
  expect(await core.accounts.resolve(alice.email)).toBeNull();
  await browser.open('/account');
  expect(browser.heading).toContain('alice');
  await browser.press('Change e-mail address', { email: 'a@example.test' });
  await stranger.open((await box.one('a@example.test')).link('/email/confirm'));
  await stranger.press('Use this address');
  expect(await core.accounts.resolve('a@example.test')).toMatchObject({ id: alice.id });
});

test('a new address is used once its link was opened there; the old one is told', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  await browser.press('Change e-mail address', { email: 'new@example.test' });
  expect(browser.page.text).toContain('A message is on its way to the new address.');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
  expect(await box.fresh(alice.email)).toEqual([]);
  await browser.open((await box.one('new@example.test')).link('/email/confirm'));
  await browser.press('Use this address');
  const account = await core.accounts.resolve('new@example.test');
  expect(account).toMatchObject({ id: alice.id, email: 'new@example.test' });
  expect(account?.emailVerifiedAt).not.toBeNull();
  expect(await core.accounts.resolve(alice.email)).toBeNull();
  expect((await box.one(alice.email)).subject).toBe('Your e-mail address was changed');
});

test('an address that has an account is answered like any other, and told', async () => {
  const made = await withMail();
  const { alice, bob, core } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  await browser.press('Change e-mail address', { email: bob.email });
  expect(browser.path).toBe('/account?changed=email-sent');
  expect((await box.one(bob.email)).subject).toBe('You have an account already');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
});

test.each(['alice', 'new@example.test,evil@example.test', 'new@example.test\r\nBcc: evil@example.test'])(
  'a new address may not be %j',
  async (email) => {
    const made = await withMail();
    const box = mailbox(made);
    const browser = await signedIn(made, box);
    await browser.press('Change e-mail address', { email });
    expect(browser.page.status).toBe(422);
    expect(await box.all()).toHaveLength(1);
  },
);

test('a sign-in of a while ago is asked for the password before an address is changed', async () => {
  const made = await withMail();
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  made.advance(16 * 60);
  await browser.press('Change e-mail address', { email: 'new@example.test' });
  expect(browser.heading).toBe('Confirm it is you');
  expect(await box.fresh('new@example.test')).toEqual([]);
  await browser.press('Change e-mail address', { password: made.alice.password });
  expect(await box.fresh('new@example.test')).toHaveLength(1);
});

test('whoever reads mail at the new address can say no, and that is all they can do', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  await browser.press('Change e-mail address', { email: 'stranger@example.test' });
  const mail = await box.one('stranger@example.test');
  expect(mail.text).not.toContain('/not-me');
  const stranger = alice.anotherBrowser();
  await stranger.open(mail.link('/email/decline'));
  await stranger.press('Make the link useless');
  await stranger.open(mail.link('/email/confirm'));
  expect(stranger.page.status).toBe(410);
  await browser.open('/account');
  expect(browser.heading).toContain('alice');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
});

test('the old address takes the change back after the thief signed everybody out, and the thief is out', async () => {
  const made = await withMail();
  const { alice, core, player } = made;
  const box = mailbox(made);
  const thief = await signedIn(made, box);
  const tokens = await player.signIn(alice, thief);
  await changeTo(thief, box, 'thief@example.test');
  const revert = (await box.one(alice.email)).link('/email/revert');
  // Everybody out, and in again: the owner has no session left.
  await thief.open('/account/security');
  await thief.press('Sign out of all devices');
  made.advance(2);
  await alice.signIn(thief);
  const later = await player.signIn(alice, thief);
  await thief.open('/reset');
  await thief.press('Send reset link', { username: 'alice' });
  const back = (await box.fresh('thief@example.test')).find(({ subject }) => subject === 'Choose a new password');

  const owner = alice.anotherBrowser();
  await owner.open(revert);
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: 'thief@example.test' });
  await owner.press('Take the change back');
  expect(owner.heading).toBe('The change was taken back');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
  for (const each of [tokens, later]) expect(await player.refresh(each)).toEqual({ error: 'invalid_grant' });
  await thief.open(back?.link('/reset/confirm') ?? '');
  expect(thief.page.status).toBe(410);
  await thief.open('/sign-in');
  await thief.press('Sign in', { username: 'alice', password: alice.password });
  expect(thief.page.text).toContain('This password is right, and is not accepted any more');

  await owner.open((await box.one(alice.email)).link('/reset/confirm'));
  made.advance(2);
  await owner.press('Change password', { password: NEW_PASSWORD });
  await owner.open('/sign-in');
  await owner.press('Sign in', { username: alice.email, password: NEW_PASSWORD });
  expect(owner.path).toBe('/account');
  await owner.open(revert);
  expect(owner.page.status).toBe(410);
});

test('who changed an address twice cannot take back what its owner took back', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const box = mailbox(made);
  const thief = await signedIn(made, box);
  await changeTo(thief, box, 'first@example.test');
  const owners = (await box.one(alice.email)).link('/email/revert');
  made.advance(2);
  await changeTo(thief, box, 'second@example.test');
  const thiefs = (await box.one('first@example.test')).link('/email/revert');
  const [owner, other] = [alice.anotherBrowser(), alice.anotherBrowser()];
  await other.open(thiefs);
  expect(other.buttons).toEqual(['Take the change back']);
  await owner.open(owners);
  await owner.press('Take the change back');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
  await other.press('Take the change back');
  expect(other.page.status).toBe(410);
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
  // A change that its owner makes later can be taken back again.
  made.advance(2);
  await owner.open((await box.one(alice.email)).link('/reset/confirm'));
  await owner.press('Change password', { password: NEW_PASSWORD });
  await owner.open('/sign-in');
  await owner.press('Sign in', { username: 'alice', password: NEW_PASSWORD });
  await box.fresh(alice.email);
  await changeTo(owner, box, 'third@example.test');
  await owner.open((await box.one(alice.email)).link('/email/revert'));
  expect(owner.buttons).toContain('Take the change back');
});

test('a change can be taken back for a week', async () => {
  const made = await withMail();
  const box = mailbox(made);
  const browser = await signedIn(made, box);
  await changeTo(browser, box, 'new@example.test');
  const revert = (await box.one(made.alice.email)).link('/email/revert');
  made.advance(7 * 86_400 - 60);
  await browser.open(revert);
  expect(browser.buttons).toContain('Take the change back');
  made.advance(120);
  await browser.open(revert);
  expect(browser.page.status).toBe(410);
});

test('a username is changed to one that is free', async () => {
  const made = await withMail();
  const { alice, core } = made;
  const browser = await signedIn(made, mailbox(made));
  await browser.press('Change username', { new_username: 'Bob' });
  expect([browser.page.status, browser.page.text.includes('This username is taken.')]).toEqual([409, true]);
  await browser.press('Change username', { new_username: 'ålice' });
  expect(browser.page.status).toBe(422);
  await browser.press('Change username', { new_username: 'Alicia' });
  expect(browser.page.text).toContain('Your username was changed.');
  expect(browser.heading).toContain('Alicia');
  expect(await core.accounts.resolve('alice')).toBeNull();
  expect(await core.accounts.resolve('alicia')).toMatchObject({ id: alice.id });
});
