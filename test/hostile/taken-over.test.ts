/**
 * Whoever has a part of what an account asks for, the password, an old Session or a browser that is trusted, and whoever was in
 * for a while: neither keeps a way in behind the owner's back.
 */
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';

import {
  addPasskey,
  codeOf,
  createPasskey,
  passkeyFormOn,
  type SoftPasskey,
  setUpApp,
} from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { federatedWorld } from '../support/federated-world.ts';
import { createGates } from '../support/gates.ts';
import { MAIL, mailbox } from '../support/mailbox.ts';
import { type Person, type World, world } from '../support/world.ts';

const MINUTE = 60;
const DAY = 86_400;

const kindsOf = async ({ core }: World, { id }: Person): Promise<string[]> =>
  (await core.store.accounts.credentialsOf(id)).map(({ kind }) => kind);

const signOut = ({ core }: World, scope: 'account' | 'everyone', { id }: Person) =>
  core.signOuts.signOut({
    scope: scope === 'account' ? { kind: scope, accountId: id } : { kind: scope },
    reason: 'taken over',
    actor: { kind: 'operator' },
  });

async function expectPasskeyRefused({ alice }: World, passkey: SoftPasskey): Promise<void> {
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  const form = passkeyFormOn(browser, 'use');
  await form.post(passkey.use(form.options));
  expect(browser.page.status, 'the passkey was accepted').toBe(401);
}

/** A form of which the first bytes are sent, and the rest when it is let go. */
function heldForm(browser: Browser, path: string, fields: Record<string, string>) {
  const url = new URL(path, browser.origin);
  const body = new URLSearchParams(fields).toString();
  const sent = request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
      cookie: browser.cookieHeader(url),
      origin: browser.origin,
      accept: 'text/html',
    },
  });
  const begun = new Promise<void>((resolve) => {
    sent.write(body.slice(0, 5), () => resolve());
  });
  const answered = new Promise<number>((resolve, reject) => {
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
  });
  return {
    begun,
    letGo: (): Promise<number> => {
      sent.end(body.slice(5));
      return answered;
    },
  };
}

test('a second factor whose form was held open over a sign-out is not set up', async () => {
  const it = await world();
  const browser = it.alice.anotherBrowser();
  await browser.open(it.player.authorization({ acr_values: 'aal2' }).url);
  await browser.press('Sign in', { username: it.alice.username, password: it.alice.password });
  expect(browser.heading).toBe('Set up a second factor');
  const form = passkeyFormOn(browser, 'add');
  const passkey = createPasskey(browser.origin);
  const held = heldForm(browser, new URL(browser.page.url).pathname, {
    ...form.fields,
    name: 'x',
    passkey: JSON.stringify(passkey.register(form.options)),
  });
  await held.begun;
  await signOut(it, 'account', it.alice);
  expect(await held.letGo()).toBe(400);
  expect(await kindsOf(it, it.alice)).toEqual([]);
  await expectPasskeyRefused(it, passkey);
});

test.for(['account', 'everyone'] as const)(
  'a passkey on its way in when access ends (%s) is not added, at whichever call to the store',
  async (scope) => {
    const gates = createGates();
    const it = await world({ seams: { wrapStore: gates.wrapStore } });
    const begin = async (browser: Browser) => {
      await browser.open('/account/security');
      await browser.press('Add a passkey');
      const form = passkeyFormOn(browser, 'add');
      const passkey = createPasskey(browser.origin);
      return { passkey, send: () => form.post(passkey.register(form.options), { name: 'x' }) };
    };
    const counted = await begin(await it.bob.signIn());
    const counter = gates.count();
    await counted.send();
    expect(await kindsOf(it, it.bob)).toEqual(['passkey']);
    const adding = counter.calls.findIndex(({ method }) => method === 'accounts.addCredential');
    expect(adding).toBeGreaterThan(0);

    for (let at = 0; at <= adding; at += 1) {
      const person = await it.person(`person-${scope}-${at}`);
      const { passkey, send } = await begin(await person.signIn());
      const gate = gates.set(at, 'before');
      const sent = send();
      await gate.reached;
      await signOut(it, scope, person);
      gate.open();
      await sent;
      expect(await kindsOf(it, person), `ended before call ${at}`).toEqual([]);
      await expectPasskeyRefused(it, passkey);
    }
  },
);

describe('"this was not me"', () => {
  test('takes away the passkey that the mail was about', async () => {
    const it = await world({ configuration: MAIL });
    const box = mailbox(it);
    const thief = await it.alice.signIn();
    await box.fresh(it.alice.email);
    const passkey = await addPasskey(thief, 'Thief');
    const mail = await box.one(it.alice.email);
    const owner = it.alice.anotherBrowser();
    await owner.open(mail.link('/not-me'));
    expect(owner.page.text).toContain('passkeys');
    await owner.press('Secure my account');
    expect(await kindsOf(it, it.alice)).toEqual([]);
    await expectPasskeyRefused(it, passkey);
  });

  test('takes away an authenticator app that would keep the owner out, and leaves one that was there long before', async () => {
    const it = await world({ configuration: MAIL, fakeTime: true });
    const box = mailbox(it);
    const own = await it.alice.signIn();
    const passkey = await addPasskey(own, 'Mine');
    it.advance(2 * DAY);
    await own.open('/account/security');
    await own.press('Set up an authenticator app');
    const form = passkeyFormOn(own, 'use');
    await form.post(passkey.use(form.options));
    await box.fresh(it.alice.email);
    const secret = /<p class="secret">([^<]*)</.exec(own.page.text)?.[1]?.replaceAll(' ', '') ?? '';
    await own.press('Turn it on', { code: codeOf(secret) });
    const [mail] = await box.fresh(it.alice.email);
    const owner = it.alice.anotherBrowser();
    await owner.open(mail?.link('/not-me') ?? '');
    await owner.press('Secure my account');
    expect(await kindsOf(it, it.alice)).toEqual(['passkey']);
  });

  test('takes away a way in through a provider that was linked', async () => {
    const it = await federatedWorld({ configuration: MAIL });
    const box = mailbox(it);
    const thief = await it.alice.signIn();
    await box.fresh(it.alice.email);
    await thief.open('/account/security');
    await thief.press('Link Acme');
    await it.through(thief, it.dave);
    const mail = await box.one(it.alice.email);
    const owner = it.alice.anotherBrowser();
    await owner.open(mail.link('/not-me'));
    await owner.press('Secure my account');
    expect(await it.core.connections.identities.list(it.alice.id)).toEqual([]);
  });
});

test('a change of address that was asked for before a sign-out is dead after it', async () => {
  const gates = createGates();
  const it = await world({ configuration: MAIL, seams: { wrapStore: gates.wrapStore } });
  const box = mailbox(it);
  const browser = await it.alice.signIn();
  await browser.open('/account');
  const gate = gates.set(({ method }) => method === 'artifacts.find', 'after');
  const sent = browser.press('Change e-mail address', { email: 'thief@example.test' });
  await gate.reached;
  await signOut(it, 'account', it.alice);
  gate.open();
  await sent;
  for (const mail of await box.fresh('thief@example.test')) {
    await browser.open(mail.link('/email/confirm'));
    expect(browser.page.status).toBe(410);
  }
  expect((await it.core.accounts.find(it.alice.id))?.email).toBe(it.alice.email);
});

test('a browser that is trusted, and the password, do not take the second factor away', async () => {
  const it = await world({ fakeTime: true });
  const { secret } = await setUpApp(await it.alice.signIn());
  const browser = it.alice.anotherBrowser();
  const typePassword = async (): Promise<void> => {
    await browser.open('/sign-in');
    await browser.press('Sign in', { username: it.alice.username, password: it.alice.password });
  };
  await typePassword();
  await browser.press('Go on', { code: codeOf(secret, { steps: 1 }), trust: 'on' });
  for (const key of browser.cookies.keys()) if (!key.startsWith('curfew-trust')) browser.cookies.delete(key);
  it.advance(3 * DAY);
  await typePassword();
  expect(browser.path).toBe('/account');
  await browser.open('/account/security');
  await browser.press('Remove');
  expect(browser.heading).toBe('Confirm it is you');
  await browser.press('Remove the authenticator app', { password: it.alice.password });
  expect([browser.page.status, browser.heading]).toEqual([401, 'Confirm it is you']);
  expect(await kindsOf(it, it.alice)).toContain('totp');
});

test('an old Session and the password do not change the password of an account with a second factor', async () => {
  const it = await world({ fakeTime: true });
  const browser = await it.alice.signIn();
  const { secret } = await setUpApp(browser);
  it.advance(DAY);
  const change = (fields: Record<string, string>) =>
    browser.press('Change password', { currentPassword: it.alice.password, password: 'ten letters!', ...fields });
  await browser.open('/account/security');
  await change({});
  expect([browser.page.status, browser.path]).toEqual([401, '/account/password']);
  it.advance(3);
  await change({ code: codeOf(secret) });
  expect(browser.path).toMatch(/^\/sign-outs\//);
});

test('browsers that were known before the second factor share one budget of guesses', async () => {
  const it = await world({ fakeTime: true });
  const old = [await it.alice.signIn(), await it.alice.signIn(it.alice.anotherBrowser())];
  await setUpApp(await it.alice.signIn(it.alice.anotherBrowser()));
  await signOut(it, 'account', it.alice);
  let looked = 0;
  for (const browser of old) {
    for (let guess = 0; guess < 12; guess += 1) {
      await browser.open('/sign-in');
      await browser.press('Sign in', { username: it.alice.username, password: it.alice.password });
      await browser.press('Go on', { code: '000000' });
      if (browser.page.status === 401) looked += 1;
      it.advance(6);
    }
  }
  expect(looked).toBe(10);
});

test('a provider is linked only once the second factor was shown', async () => {
  const mallory = { preferred_username: 'mal', email: 'alice@example.test', email_verified: true };
  const it = await federatedWorld({ fakeTime: true, accounts: [{ sub: 'mal', claims: mallory }] });
  const { secret } = await setUpApp(await it.alice.signIn());
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await it.through(browser, it.acme.person('mal'));
  await browser.press('Sign in', { username: it.alice.username, password: it.alice.password });
  expect(browser.heading).toBe('One more step');
  const linked = async (): Promise<number> => (await it.core.connections.identities.list(it.alice.id)).length;
  expect(await linked()).toBe(0);
  it.advance(MINUTE);
  await browser.press('Go on', { code: codeOf(secret) });
  expect(browser.path).toBe('/account');
  expect(await linked()).toBe(1);
});
