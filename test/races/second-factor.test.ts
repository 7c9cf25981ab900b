/** Fifty at once with one proof of a second factor, and a sign-out between the two steps. */
import { expect, test } from 'vitest';

import { addPasskey, codeOf, passkeyFormOn, setUpApp } from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { createGates } from '../support/gates.ts';
import { type Person, type World, world } from '../support/world.ts';

const FIFTY = Array.from({ length: 50 }, (_, at) => at);

async function halfWay(person: Person): Promise<Browser> {
  const browser = person.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: person.username, password: person.password });
  expect(browser.heading).toBe('One more step');
  return browser;
}

/** The same half-finished sign-in in so many tabs. */
function tabsOf(browser: Browser, person: Person): Browser[] {
  return FIFTY.map(() => {
    const tab = person.anotherBrowser();
    for (const [key, value] of browser.cookies) tab.cookies.set(key, value);
    tab.page = browser.page;
    return tab;
  });
}

const signedIn = (browsers: readonly Browser[]): Browser[] => browsers.filter(({ path }) => path === '/account');

test('fifty answers to one half-finished sign-in with one code: one is signed in', async () => {
  const { alice } = await world();
  const { secret } = await setUpApp(await alice.signIn());
  const tabs = tabsOf(await halfWay(alice), alice);
  const code = codeOf(secret, { steps: 1 });
  await Promise.all(tabs.map((tab) => tab.press('Go on', { code })));
  expect(signedIn(tabs)).toHaveLength(1);
  for (const { page } of tabs) expect(page.status).toBeLessThan(500);
});

test('one code in ten sign-ins of different browsers, past the line of one process: the store decides, and one is signed in', async () => {
  const it = await world();
  const { secret } = await setUpApp(await it.alice.signIn());
  const code = codeOf(secret, { steps: 1 });
  const outcomes = await Promise.all(FIFTY.map(() => it.core.totp.use(it.alice.id, code)));
  expect(outcomes.filter(Boolean)).toHaveLength(1);
});

test('fifty uses of one recovery code: one is good; of ten codes at once, all are', async () => {
  const it = await world();
  const { codes } = await setUpApp(await it.alice.signIn());
  const use = (code = '') => it.core.recoveryCodes.use(it.alice.id, code);
  expect((await Promise.all(FIFTY.map(() => use(codes[0])))).filter(Boolean)).toHaveLength(1);
  expect(await Promise.all(codes.slice(1).map(use))).toEqual(Array.from({ length: 9 }, () => true));
  expect((await it.core.recoveryCodes.of(it.alice.id))?.left).toBe(0);
});

test('fifty posts of one answer of a passkey: one is signed in', async () => {
  const { alice } = await world();
  const passkey = await addPasskey(await alice.signIn());
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  const answer = passkey.use(passkeyFormOn(browser, 'use').options);
  const tabs = tabsOf(browser, alice);
  await Promise.all(tabs.map((tab) => passkeyFormOn(tab, 'use').post(answer)));
  expect(signedIn(tabs)).toHaveLength(1);
  for (const { page } of tabs) expect(page.status).toBeLessThan(500);
});

test('fifty answers that set up one authenticator app: the account has one', async () => {
  const it = await world();
  const enrolled = it.core.totp.begin({ accountId: it.alice.id, username: 'alice' });
  const confirm = () =>
    it.core.totp.confirm({
      accountId: it.alice.id,
      enrolment: enrolled.enrolment,
      code: codeOf(enrolled.secret),
      standing: {},
    });
  await Promise.all(FIFTY.map(confirm));
  expect(await it.core.store.accounts.credentialsOf(it.alice.id)).toHaveLength(1);
});

/** How many calls the second step makes to the store, and what a sign-out at each of them leaves. */
test('a sign-out at any moment of the second step leaves nothing of it', async () => {
  const gates = createGates();
  const it = await world({ seams: { wrapStore: gates.wrapStore } });
  const { codes } = await setUpApp(await it.alice.signIn());
  const counting = await halfWay(it.alice);
  const counter = gates.count();
  await counting.press('Go on', { code: codes[0] });
  expect(counting.path).toBe('/account');
  const calls = counter.calls.length;
  expect(calls).toBeGreaterThan(5);

  // One in three: each has a sign-in of its own, and there are nine codes left.
  for (let at = 0, nth = 1; at < calls && nth < 10; at += Math.ceil(calls / 9), nth += 1) {
    const browser = await halfWay(it.alice);
    const gate = gates.set(at, 'after');
    const answered = browser.press('Go on', { code: codes[nth] });
    await Promise.race([gate.reached, answered]);
    await signOut(it);
    gate.open();
    await answered;
    await browser.open('/account');
    expect(browser.path, `signed out after call ${at}`).toMatch(/^\/sign-in\?/);
  }
});

async function signOut({ core, alice }: World): Promise<void> {
  await core.signOuts.signOut({
    scope: { kind: 'account', accountId: alice.id },
    reason: 'race',
    actor: { kind: 'operator' },
  });
}
