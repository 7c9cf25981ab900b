/** Making an account: by a link that was mailed, and by nothing else. */
import { expect, test } from 'vitest';

import { MAIL, mailbox } from '../support/mailbox.ts';
import { world, type World } from '../support/world.ts';

const PASSWORD = 'seven lighthouses in the fog';
const openHouse = (): Promise<World> => world({ fakeTime: true, configuration: { ...MAIL, registration: 'open' } });
const LINK = '/register/confirm';

async function ask({ alice }: World, email: string) {
  const browser = alice.anotherBrowser();
  await browser.open('/register');
  await browser.press('Send confirmation link', { email });
  return browser;
}

test('an address, a link, a name and a password make an account that can sign in', async () => {
  const made = await openHouse();
  const { core, alice } = made;
  const box = mailbox(made);
  const start = alice.anotherBrowser();
  await start.open('/sign-in');
  expect(start.page.text).toContain('href="/register"');
  const browser = await ask(made, 'Nora@Example.test');
  expect(browser.heading).toBe('Look in your mail');
  const mail = await box.one('Nora@Example.test');
  await browser.open(mail.link(LINK));
  expect(browser.page.text).toContain('Nora@Example.test');
  await browser.press('Make my account', { username: 'nora', password: PASSWORD });
  expect([browser.path, browser.heading]).toEqual(['/sign-in?done=registered', 'Sign in']);
  const account = await core.accounts.resolve('nora@example.test');
  expect(account).toMatchObject({ username: 'nora', email: 'Nora@Example.test', status: 'active', admin: false });
  expect(account?.emailVerifiedAt).not.toBeNull();
  await browser.press('Sign in', { username: 'nora@example.test', password: PASSWORD });
  expect(browser.path).toBe('/account');
  // The link made its account.
  await browser.open(mail.link(LINK));
  expect(browser.page.status).toBe(410);
});

test('an address that has an account gets word of it, and the same answer', async () => {
  const made = await openHouse();
  const { alice } = made;
  const box = mailbox(made);
  const [known, unknown] = [await ask(made, alice.email.toUpperCase()), await ask(made, 'nobody@example.test')];
  expect(known.page.text).toBe(unknown.page.text);
  const mail = await box.one(alice.email);
  expect(mail.subject).toBe('You have an account already');
  expect(mail.text).not.toContain(LINK);
});

test('a name that is taken, or a password that will not do, costs no link', async () => {
  const made = await openHouse();
  const box = mailbox(made);
  const browser = await ask(made, 'nora@example.test');
  await browser.open((await box.one('nora@example.test')).link(LINK));
  for (const [fields, status, text] of [
    [{ username: 'BOB', password: PASSWORD }, 409, 'This username is taken.'],
    [{ username: 'bob@example.test', password: PASSWORD }, 422, 'A username has 1 to 64 letters'],
    [{ username: 'nora', password: 'short' }, 422, 'Use at least 15 characters.'],
    [{ username: 'noraline', password: 'noraline lighthouse 77' }, 422, 'Do not use your username'],
  ] as const) {
    await browser.press('Make my account', fields);
    expect([browser.page.status, browser.page.text.includes(text)]).toEqual([status, true]);
  }
  await browser.press('Make my account', { username: 'nora', password: PASSWORD });
  expect(browser.path).toBe('/sign-in?done=registered');
});

test('whoever did not ask makes the link useless', async () => {
  const made = await openHouse();
  const box = mailbox(made);
  const browser = await ask(made, 'nora@example.test');
  const mail = await box.one('nora@example.test');
  await browser.open(mail.link('/register/decline'));
  await browser.press('Make the link useless');
  await browser.open(mail.link(LINK));
  expect(browser.page.status).toBe(410);
});

test('a link is good for a day', async () => {
  const made = await openHouse();
  const box = mailbox(made);
  const browser = await ask(made, 'nora@example.test');
  const link = (await box.one('nora@example.test')).link(LINK);
  made.advance(86_401);
  await browser.open(link);
  expect(browser.page.status).toBe(410);
});

test.each([
  ['closed', 'Accounts are made by operators'],
  ['invite', 'Accounts are by invitation'],
] as const)('where registration is %s, nobody begins by themselves', async (registration, heading) => {
  const made = await world({ configuration: { ...MAIL, registration } });
  const { alice, issuer, core } = made;
  const browser = alice.anotherBrowser();
  await browser.open('/register');
  expect([browser.page.status, browser.heading, browser.buttons]).toEqual([403, heading, []]);
  await browser.open('/sign-in');
  expect(browser.page.text).not.toContain('/register');
  const csrf = /name="csrf" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';
  const body = new URLSearchParams({ csrf, email: 'nora@example.test' });
  await browser.request('POST', new URL('/register', issuer), body);
  expect(browser.page.status).toBe(403);
  expect(await mailbox(made).all()).toEqual([]);
  // A link that was mailed while the door was open does not open it again.
  const link = await core.links.mint({ accountId: null, purpose: { kind: 'register', email: 'nora@example.test' } });
  await browser.open(`/register/confirm?link=${link}`);
  expect(browser.page.status).toBe(410);
});

test('an invitation makes an account where only invitations do', async () => {
  const { alice, core } = await world({ configuration: { ...MAIL, registration: 'invite' } });
  const link = await core.links.mint({ accountId: null, purpose: { kind: 'invite', email: 'nora@example.test' } });
  const browser = alice.anotherBrowser();
  await browser.open(`/register/confirm?link=${link}`);
  await browser.press('Make my account', { username: 'nora', password: PASSWORD });
  expect(browser.path).toBe('/sign-in?done=registered');
  expect(await core.accounts.resolve('nora')).toMatchObject({ email: 'nora@example.test' });
});

test('where no mail is configured, an open door says that it cannot be used', async () => {
  const { alice } = await world({ configuration: { registration: 'open' } });
  const browser = alice.anotherBrowser();
  await browser.open('/register');
  expect(browser.heading).toBe('This cannot be done by mail here');
});
