/** "This was not me", one's data, and leaving. */
import { expect, test } from 'vitest';

import { MAIL, mailbox } from '../support/mailbox.ts';
import { world } from '../support/world.ts';

test('"this was not me" ends all access, voids reset links, forgets browsers, and mails a way back', async () => {
  const made = await world({ configuration: MAIL });
  const { alice, player, core, settle, ears } = made;
  const box = mailbox(made);
  const tokens = await player.signIn(alice);
  const notice = (await box.fresh(alice.email)).find(({ subject }) => subject === 'New sign-in to your account');
  const stamps = await core.store.revocations.epochs(['everyone', `account:${alice.id}`]);
  await core.trustedBrowsers.trust({ accountId: alice.id, browser: 'Firefox', stamps });
  const thief = alice.anotherBrowser();
  await thief.open('/reset');
  await thief.press('Send reset link', { username: alice.username });
  const stolen = (await box.one(alice.email)).link('/reset/confirm');

  const browser = alice.anotherBrowser();
  await browser.open(notice?.link('/not-me') ?? '');
  expect([browser.heading, browser.buttons]).toEqual(['Was this not you?', ['Secure my account']]);
  expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });
  const page = browser.page;
  await browser.press('Secure my account');
  expect(browser.heading).toBe('Your account is secured');
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await settle();
  expect(ears.heard.map(({ client }) => client)).toEqual(['player']);
  await thief.open(stolen);
  expect(thief.page.status).toBe(410);
  expect(await core.store.accounts.credentialsOf(alice.id)).toEqual([]);
  expect((await core.journal.recent(alice.id, 9)).map(({ kind }) => kind)).toContain('account.reported');

  const way = (await box.one(alice.email)).link('/reset/confirm');
  const receipt = /href="(\/sign-outs\/[\w-]+)"/.exec(browser.page.text)?.[1] ?? '';
  await browser.open(receipt);
  expect(browser.page.text).toContain('You said: this was not me');
  await browser.open(way);
  expect(browser.heading).toBe('Choose a new password');

  // Said once: the link does nothing more.
  browser.page = page;
  await browser.press('Secure my account');
  expect(browser.page.status).toBe(410);
  await browser.open(way);
  expect(browser.heading).toBe('Choose a new password');
  expect(await core.store.revocations.listSignOuts(10)).toHaveLength(1);
});

test('who signs in through an app is asked nothing before that is said, whoever is signed in here', async () => {
  const made = await world({ configuration: MAIL });
  const { alice, bob } = made;
  const box = mailbox(made);
  await alice.signIn();
  const notice = await box.one(alice.email);
  const browser = await bob.signIn();
  await browser.open(notice.link('/not-me'));
  await browser.press('Secure my account');
  expect(browser.heading).toBe('Your account is secured');
  // Bob is another person, and stays signed in.
  await browser.open('/account');
  expect(browser.heading).toBe('Hello, <span class="name">bob</span>');
});

test('a person takes along everything that is known about them, and nothing that opens a door', async () => {
  const { alice, player, core } = await world({ configuration: MAIL });
  const browser = await alice.signIn();
  await player.signIn(alice, browser);
  await core.passkeys.of(alice.id);
  await browser.open('/account');
  await browser.press('Download my data');
  expect(browser.page.headers.get('content-disposition')).toBe('attachment; filename="curfew-alice.json"');
  const data = JSON.parse(browser.page.text) as Record<string, unknown>;
  expect(data).toMatchObject({
    account: { id: alice.id, username: 'alice', email: alice.email, status: 'active' },
    identities: [],
    devices: [{ app: 'Curfew', device: 'Firefox on Linux' }, { app: 'Player' }],
    factors: { authenticatorApp: null, passkeys: [], recoveryCodes: null, trustedBrowsers: [] },
    events: expect.arrayContaining([expect.objectContaining({ kind: 'account.signed-in' })]) as unknown,
  });
  const record = await core.store.accounts.find(alice.id);
  expect(browser.page.text).not.toContain(record?.password?.hash);
  expect(browser.page.text).not.toMatch(/argon2|sealed|hash/i);
});

test('an old sign-in is asked for the password before data leaves or an account does', async () => {
  const { alice, advance } = await world({ fakeTime: true, configuration: MAIL });
  const browser = await alice.signIn();
  advance(16 * 60);
  await browser.open('/account');
  await browser.press('Download my data');
  expect([browser.heading, browser.page.headers.get('content-disposition')]).toEqual(['Confirm it is you', null]);
  await browser.press('Download my data', { password: alice.password });
  expect(browser.page.headers.get('content-type')).toContain('application/json');
});

test('whoever leaves types their name, is erased, signed out everywhere, and told at the address as it was', async () => {
  const made = await world({ configuration: MAIL });
  const { alice, player, core, ears, settle } = made;
  const box = mailbox(made);
  const browser = await alice.signIn();
  const tokens = await player.signIn(alice, browser);
  await box.fresh(alice.email);
  await browser.open('/account');
  await browser.press('Delete my account', { confirm: 'Alice' });
  expect(browser.page.status).toBe(422);
  expect((await core.accounts.find(alice.id))?.status).toBe('active');
  await browser.press('Delete my account', { confirm: 'alice' });
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect(browser.page.text).toContain('The account was deleted');
  expect(await core.store.accounts.find(alice.id)).toMatchObject({
    status: 'deleted',
    sealedUsername: '',
    sealedEmail: '',
    password: null,
  });
  expect(await core.accounts.resolve('alice')).toBeNull();
  expect(await core.journal.recent(alice.id, 50)).toEqual([]);
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await settle();
  expect(ears.heard.map(({ client }) => client)).toEqual(['player']);
  expect((await box.one(alice.email)).subject).toBe('Your account was deleted');
  await browser.open('/account');
  expect(browser.heading).toBe('Sign in');
});
