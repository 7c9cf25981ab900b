/** What an operator begins and its person ends, by a mailed link. */
import { expect, test } from 'vitest';

import { MAIL, mailbox } from '../support/mailbox.ts';
import { commandWorld } from './support.ts';

const PASSWORD = 'seven lighthouses in the fog';

test('an invitation is mailed, and makes an account for as long as it says', async () => {
  const made = await commandWorld({ configuration: { ...MAIL, registration: 'invite' } });
  const { here, alice, core } = made;
  const ended = await here('account', 'invite', '--email', 'nora@example.test', '--expires', '12h', '--json');
  const said = ended.json() as { expiresAt: string };
  expect([ended.code, said]).toEqual([
    0,
    { email: 'nora@example.test', expiresAt: expect.any(String) as string, mailed: true, link: null },
  ]);
  const hours = (Date.parse(said.expiresAt) - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(11.9);
  expect(hours).toBeLessThanOrEqual(12);
  const browser = alice.anotherBrowser();
  await browser.open((await mailbox(made).one('nora@example.test')).link('/register/confirm'));
  await browser.press('Make my account', { username: 'nora', password: PASSWORD });
  expect(await core.accounts.resolve('nora')).toMatchObject({ email: 'nora@example.test' });
  expect((await here('account', 'invite', '--email', 'NORA@example.test')).code).toBe(1);
});

test('where no mail is configured an invitation is shown', async () => {
  const { here, alice, issuer } = await commandWorld({ configuration: { registration: 'invite' } });
  const { link } = (await here('account', 'invite', '--email', 'nora@example.test', '--json')).json() as {
    link: string;
  };
  expect(new URL(link).origin).toBe(issuer);
  const browser = alice.anotherBrowser();
  await browser.open(link);
  expect(browser.buttons).toEqual(['Make my account']);
});

test.each([
  ['closed', ['--email', 'nora@example.test'], '`registration` is closed'],
  ['invite', ['--email', 'nora@example.test,evil@evil.test'], 'one e-mail address'],
  ['invite', ['--email', 'nora@example.test', '--expires', '31d'], 'at most 30d'],
  ['invite', ['--email', 'nora@example.test', '--expires', '0h'], 'at most 30d'],
  ['invite', [], '--email'],
] as const)('with %s registration, `invite %s` is refused', async (registration, words, why) => {
  const { here, core } = await commandWorld({ configuration: { ...MAIL, registration } });
  const ended = await here('account', 'invite', ...words);
  expect([ended.code, ended.stdout, ended.stderr.includes(why)]).toEqual([2, '', true]);
  expect(await core.store.outbox.counts()).toMatchObject({ pending: 0, sent: 0 });
});

test('whoever must choose a new password is signed out, kept out, and mailed a link that works for a day', async () => {
  const made = await commandWorld({ configuration: MAIL });
  const { here, alice, bob, player, core, settle, ears } = made;
  const box = mailbox(made);
  const tokens = await player.signIn(alice);
  await box.all();
  expect((await here('account', 'require-password-reset', 'alice', 'bob')).code).toBe(2);
  expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });

  const ended = await here('account', 'require-password-reset', 'alice', bob.email, 'alice', '--yes', '--json');
  expect([ended.code, ended.json()]).toEqual([
    0,
    [
      { id: alice.id, username: 'alice', mailed: true },
      { id: bob.id, username: 'bob', mailed: true },
    ],
  ]);
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await settle();
  expect(ears.heard.map(({ client }) => client)).toEqual(['player']);
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: 'alice', password: alice.password });
  expect([browser.page.status, browser.page.text.includes('is not accepted any more')]).toEqual([403, true]);

  const mails = await box.fresh(alice.email);
  const mail = mails.find(({ subject }) => subject === 'Please choose a new password');
  await browser.open(mail?.link('/reset/confirm') ?? '');
  await browser.press('Change password', { password: PASSWORD });
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: 'alice', password: PASSWORD });
  expect(browser.path).toBe('/account');
  expect((await core.journal.recent(bob.id, 5)).map(({ kind, actor }) => [kind, actor.kind])).toEqual([
    ['password.reset-requested', 'operator'],
  ]);
});

test('nobody is asked for a new password where one of them has none', async () => {
  const { here, core, alice } = await commandWorld({ configuration: MAIL });
  await core.accounts.create({ username: 'elsewhere', email: 'elsewhere@example.test' });
  const ended = await here('account', 'require-password-reset', 'alice', 'elsewhere', '--yes');
  expect([ended.code, ended.stderr.includes('elsewhere has no password')]).toEqual([1, true]);
  expect((await core.store.accounts.find(alice.id))?.passwordResetRequiredAt).toBeNull();
});
