/** Fifty at once with one mailed link: one of them does what it is for. */
import { expect, test } from 'vitest';

import { Browser } from '../support/browser.ts';
import { MAIL, mailbox } from '../support/mailbox.ts';
import { createGates } from '../support/gates.ts';
import { world, type World } from '../support/world.ts';

const FIFTY = Array.from({ length: 50 }, (_, at) => at);
const open = (): Promise<World> => world({ configuration: { ...MAIL, registration: 'open' } });

/** As many tabs as are asked for, each with the same page open. */
async function tabs({ issuer }: World, path: string, count = 50): Promise<Browser[]> {
  const first = new Browser(issuer);
  await first.open(path);
  expect(first.page.status).toBe(200);
  return Array.from({ length: count }, () => {
    const tab = new Browser(issuer);
    for (const [key, value] of first.cookies) tab.cookies.set(key, value);
    tab.page = first.page;
    return tab;
  });
}

/** Those whose tab came to a page of this heading; all others were told that the link is dead. */
function winners(all: readonly Browser[], heading: string): Browser[] {
  const won = all.filter((tab) => tab.heading === heading);
  for (const { page } of all.filter((tab) => !won.includes(tab))) expect(page.status).toBe(410);
  return won;
}

test('fifty new passwords by one link: one is set, and one sign-out made', async () => {
  const made = await open();
  const { alice, core } = made;
  await new Browser(made.issuer).open('/reset');
  const asking = alice.anotherBrowser();
  await asking.open('/reset');
  await asking.press('Send reset link', { username: 'alice' });
  const link = (await mailbox(made).one(alice.email)).link('/reset/confirm');
  const all = await tabs(made, link);
  const passwords = FIFTY.map((nth) => `lighthouse number ${nth} of the fog`);
  await Promise.all(all.map((tab, nth) => tab.press('Change password', { password: passwords[nth] })));
  const [won, ...more] = winners(all, 'Access has ended');
  expect(more).toEqual([]);
  expect(await core.store.revocations.listSignOuts(10)).toHaveLength(1);
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: 'alice', password: passwords[all.indexOf(won as Browser)] });
  expect(browser.path).toBe('/account');
});

test('two links of one account at once: one is good', async () => {
  const made = await open();
  const { alice, core } = made;
  const asking = alice.anotherBrowser();
  for (let nth = 0; nth < 2; nth++) {
    await asking.open('/reset');
    await asking.press('Send reset link', { username: 'alice' });
  }
  const links = (await mailbox(made).fresh(alice.email)).map((mail) => mail.link('/reset/confirm'));
  expect(links).toHaveLength(2);
  const all = (await Promise.all(links.map((link) => tabs(made, link, 5)))).flat();
  await Promise.all(
    all.map((tab, nth) =>
      tab.press('Change password', { password: `lighthouse number ${nth} of the fog`, signOutDevices: undefined }),
    ),
  );
  expect(winners(all, 'Sign in')).toHaveLength(1);
  expect((await core.journal.recent(alice.id, 50)).filter(({ kind }) => kind === 'password.reset')).toHaveLength(1);
});

test.each([
  ['an account that has a password', true],
  ['an account that has none yet', false],
])('a password that was set meanwhile stays: %s', async (_what, hasPassword) => {
  const gates = createGates();
  const made = await world({ configuration: MAIL, seams: { wrapStore: gates.wrapStore } });
  const { alice, core } = made;
  const created = hasPassword ? null : await core.accounts.create({ username: 'new', email: 'new@example.test' });
  const [username, email] = hasPassword ? ['alice', alice.email] : ['new', 'new@example.test'];
  const accountId = created !== null && 'account' in created ? created.account.id : alice.id;
  const browser = alice.anotherBrowser();
  await browser.open('/reset');
  await browser.press('Send reset link', { username });
  await browser.open((await mailbox(made).one(email)).link('/reset/confirm'));
  const gate = gates.set((call) => call.method === 'accounts.setPassword');
  const pressed = browser.press('Change password', { password: 'seven lighthouses in the fog' });
  await gate.reached;
  const set = { accountId, hash: 'another hash', changedAt: new Date() };
  expect(await core.store.accounts.setPassword(set)).toBe('set');
  gate.open();
  await pressed;
  expect(browser.page.status).toBe(410);
  expect((await core.store.accounts.find(accountId))?.password?.hash).toBe('another hash');
  expect(await core.store.revocations.listSignOuts(10)).toEqual([]);
});

test('fifty accounts by one link: one is made', async () => {
  const made = await open();
  const { core } = made;
  const link = await core.links.mint({ accountId: null, purpose: { kind: 'register', email: 'nora@example.test' } });
  const all = await tabs(made, `/register/confirm?link=${link}`);
  await Promise.all(
    all.map((tab, nth) =>
      tab.press('Make my account', { username: `nora-${nth}`, password: 'seven lighthouses in the fog' }),
    ),
  );
  expect(winners(all, 'Sign in')).toHaveLength(1);
  // Alice, Bob and the new one.
  expect(await core.store.accounts.count()).toBe(3);
});

test('two people with one name at once: one gets it, and the other keeps the link', async () => {
  const made = await open();
  const { core } = made;
  const begin = async (email: string): Promise<Browser> => {
    const link = await core.links.mint({ accountId: null, purpose: { kind: 'register', email } });
    const [tab] = await tabs(made, `/register/confirm?link=${link}`, 1);
    return tab as Browser;
  };
  const both = [await begin('nora@example.test'), await begin('nora@example.org')];
  const password = 'seven lighthouses in the fog';
  await Promise.all(both.map((tab) => tab.press('Make my account', { username: 'nora', password })));
  const loser = both.find(({ page }) => page.status === 409);
  expect(both.filter(({ heading }) => heading === 'Sign in')).toHaveLength(1);
  expect(loser?.page.text).toContain('This username is taken. Choose another one.');
  await loser?.press('Make my account', { username: 'nora.2', password });
  expect(loser?.heading).toBe('Sign in');
});

test('fifty times "this was not me": one sign-out, one way back', async () => {
  const made = await open();
  const { alice, core } = made;
  const link = await core.links.mint({ accountId: alice.id, purpose: { kind: 'not-me' } });
  const all = await tabs(made, `/not-me?link=${link}`);
  await Promise.all(all.map((tab) => tab.press('Secure my account')));
  // Whoever was at it when it was done is told that it is done.
  expect(winners(all, 'Your account is secured').length).toBeGreaterThan(0);
  expect(await core.store.revocations.listSignOuts(10)).toHaveLength(1);
  expect((await mailbox(made).fresh(alice.email)).map(({ subject }) => subject)).toEqual(['Choose a new password']);
});

test('fifty times a new address: one change, and the old one hears of it once', async () => {
  const made = await open();
  const { alice, core } = made;
  const purpose = { kind: 'change-email', email: 'new@example.test', from: alice.email } as const;
  const link = await core.links.mint({ accountId: alice.id, purpose });
  const all = await tabs(made, `/email/confirm?link=${link}`);
  await Promise.all(all.map((tab) => tab.press('Use this address')));
  expect(winners(all, 'Your address was changed')).toHaveLength(1);
  expect(await mailbox(made).fresh(alice.email)).toHaveLength(1);
});

test('fifty times back to the old address: one sign-out, one way back', async () => {
  const made = await open();
  const { alice, core } = made;
  const change = { accountId: alice.id, from: alice.email, email: 'thief@example.test', verified: true };
  expect(await core.accounts.changeEmail(change)).toBe('changed');
  const purpose = { kind: 'revert-email', email: alice.email } as const;
  const link = await core.links.mint({ accountId: alice.id, purpose });
  const all = await tabs(made, `/email/revert?link=${link}`);
  await Promise.all(all.map((tab) => tab.press('Take the change back')));
  expect(winners(all, 'The change was taken back').length).toBeGreaterThan(0);
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
  expect(await core.store.revocations.listSignOuts(10)).toHaveLength(1);
  expect((await mailbox(made).fresh(alice.email)).map(({ subject }) => subject)).toEqual(['Choose a new password']);
});

test('its owner and whoever took the account take back at once: the owner has it', async () => {
  const gates = createGates();
  const made = await world({ configuration: MAIL, seams: { wrapStore: gates.wrapStore } });
  const { alice, core } = made;
  const change = (from: string, email: string) =>
    core.accounts.changeEmail({ accountId: alice.id, from, email, verified: true });
  const revert = (email: string) => core.links.mint({ accountId: alice.id, purpose: { kind: 'revert-email', email } });
  await change(alice.email, 'first@example.test');
  const owners = await revert(alice.email);
  await expect
    .poll(() => Date.now())
    .toBeGreaterThan((await core.links.find('revert-email', owners))?.madeAt.getTime() ?? 0);
  await change('first@example.test', 'second@example.test');
  const thiefs = await revert('first@example.test');
  const [owner, thief] = [alice.anotherBrowser(), alice.anotherBrowser()];
  await thief.open(`/email/revert?link=${thiefs}`);
  await owner.open(`/email/revert?link=${owners}`);
  // The thief's link was looked at for the last time, and the address is about to be changed.
  const gate = gates.set((call) => call.method === 'accounts.identify');
  const pressed = thief.press('Take the change back');
  await gate.reached;
  await owner.press('Take the change back');
  expect(owner.heading).toBe('The change was taken back');
  gate.open();
  await pressed;
  expect(thief.page.status).toBe(410);
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: alice.email });
});
