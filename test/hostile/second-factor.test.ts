/** Rows 64–68 of security.md: codes, guesses, passkeys, and what was begun by somebody else. */
import { describe, expect, test } from 'vitest';

import {
  addPasskey,
  codeOf,
  createPasskey,
  passkeyFormOn,
  type PasskeyTraits,
  setUpApp,
} from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { type Person, type World, world } from '../support/world.ts';

const SECOND_STEP = '/sign-in/second-step';

/** A browser that has typed the password, and waits at the second step. */
async function halfWay(person: Person, browser = person.anotherBrowser()): Promise<Browser> {
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: person.username, password: person.password });
  expect(browser.heading).toBe('One more step');
  return browser;
}

async function expectSignedOut(browser: Browser): Promise<void> {
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in\?/);
}

const credentialsOf = ({ core }: World, { id }: Person) => core.store.accounts.credentialsOf(id);

describe('65 guesses', () => {
  test('are counted for the account, whichever half-finished sign-in they come through', async () => {
    const it = await world({ fakeTime: true });
    const { secret } = await setUpApp(await it.alice.signIn());
    for (let guess = 0; guess < 10; guess += 1) {
      const browser = await halfWay(it.alice);
      await browser.press('Go on', { code: '000000' });
      expect(browser.page.status, `guess ${guess}`).toBe(401);
      it.advance(6);
    }
    const right = await halfWay(it.alice);
    await right.press('Go on', { code: codeOf(secret) });
    expect(right.page.status).toBe(429);
    expect(Number(right.page.headers.get('retry-after'))).toBeGreaterThan(3500);
    await expectSignedOut(right);
    it.advance(3600);
    const later = await halfWay(it.alice);
    await later.press('Go on', { code: codeOf(secret) });
    expect(later.path).toBe('/account');
  });

  test('of a stranger who knows the password do not keep the owner out of a browser that is known', async () => {
    const it = await world({ fakeTime: true });
    const own = await it.alice.signIn();
    const { secret } = await setUpApp(own);
    for (let guess = 0; guess < 10; guess += 1) {
      await (await halfWay(it.alice)).press('Go on', { code: '000000' });
      it.advance(6);
    }
    await own.press('Sign out of this browser');
    await halfWay(it.alice, own);
    await own.press('Go on', { code: codeOf(secret) });
    expect(own.path).toBe('/account');
  });

  test('five wrong codes end the half-finished sign-in, and a right one comes too late', async () => {
    const it = await world({ fakeTime: true });
    const { secret } = await setUpApp(await it.alice.signIn());
    const browser = await halfWay(it.alice);
    for (let guess = 0; guess < 4; guess += 1) {
      await browser.press('Go on', { code: '000000' });
      expect(browser.page.status).toBe(401);
      it.advance(6);
    }
    const { page } = browser;
    await browser.press('Go on', { code: '000000' });
    expect([browser.page.status, browser.heading]).toEqual([400, 'Start again']);
    browser.page = page;
    it.advance(6);
    await browser.press('Go on', { code: codeOf(secret) });
    expect([browser.page.status, browser.heading]).toEqual([400, 'Start again']);
    await expectSignedOut(browser);
  });
});

const BENT_CODES = {
  'seven digits': '1234567',
  letters: 'abcdef',
  'full-width digits': '１２３４５６',
  'nothing at all': '',
  'a recovery code of somebody else': 'ZZZZZZ-ZZZZZZ-ZZZZZZ-ZZZZZZ',
  'a signed number': '-12345',
};

test.for(Object.entries(BENT_CODES))('64 %s is no code', async ([, code]) => {
  const it = await world();
  await setUpApp(await it.alice.signIn());
  const browser = await halfWay(it.alice);
  const before = await credentialsOf(it, it.alice);
  await browser.press('Go on', { code });
  expect(browser.page.status).toBe(401);
  expect(await credentialsOf(it, it.alice)).toEqual(before);
  await expectSignedOut(browser);
});

/** What is wrong with an answer, and how it comes to be. */
const SPOILT: Record<string, PasskeyTraits | ((answer: Record<string, unknown>) => unknown)> = {
  'for another site': { origin: 'https://evil.example' },
  'for another relying party': { rpId: 'evil.example' },
  'to another challenge': { challenge: Buffer.alloc(32).toString('base64url') },
  'that adds instead of using': { type: 'webauthn.create' },
  'of another person': { userHandle: Buffer.alloc(32).toString('base64url') },
  '66 whose id is not its rawId': (answer) => ({ ...answer, rawId: Buffer.alloc(32).toString('base64url') }),
  '66 without a rawId': (answer) => ({ ...answer, rawId: undefined }),
  '66 whose signature is another one': ({ response, ...answer }) => ({
    ...answer,
    response: { ...(response as object), signature: Buffer.alloc(70, 1).toString('base64url') },
  }),
  '66 without a signature': ({ response, ...answer }) => {
    return { ...answer, response: { ...(response as object), signature: undefined } };
  },
  'that is a list': (answer) => [answer],
  'that is a text': () => 'passkey',
  'that is nothing': () => null,
};

describe('66 a passkey’s answer', () => {
  test.for(Object.entries(SPOILT))('%s opens nothing', async ([, how]) => {
    const it = await world();
    const passkey = await addPasskey(await it.alice.signIn());
    const before = await credentialsOf(it, it.alice);
    const alone = it.alice.anotherBrowser();
    await alone.open('/sign-in');
    for (const browser of [alone, await halfWay(it.alice)]) {
      const form = passkeyFormOn(browser, 'use');
      const answer = passkey.use(form.options, typeof how === 'function' ? {} : how);
      await form.post(typeof how === 'function' ? how(answer) : answer);
      expect(browser.page.status).toBe(401);
      await expectSignedOut(browser);
    }
    expect(await credentialsOf(it, it.alice)).toEqual(before);
  });

  test('given twice is good once', async () => {
    const it = await world();
    const passkey = await addPasskey(await it.alice.signIn());
    const browser = it.alice.anotherBrowser();
    await browser.open('/sign-in');
    const form = passkeyFormOn(browser, 'use');
    const answer = passkey.use(form.options);
    await form.post(answer);
    expect(browser.path).toBe('/account');
    const thief = it.alice.anotherBrowser();
    await thief.open('/sign-in');
    await passkeyFormOn(thief, 'use').post(answer, { challenge: form.fields['challenge'] ?? '' });
    expect(thief.page.status).toBe(401);
    await expectSignedOut(thief);
  });

  test('whose counter went back is that of a copy', async () => {
    const it = await world();
    const passkey = await addPasskey(await it.alice.signIn());
    const use = async (signCount: number): Promise<number> => {
      const browser = it.alice.anotherBrowser();
      await browser.open('/sign-in');
      const form = passkeyFormOn(browser, 'use');
      await form.post(passkey.use(form.options, { signCount }));
      return browser.page.status;
    };
    expect(await use(7)).toBe(200);
    expect(await use(6)).toBe(401);
    expect(await use(7)).toBe(401);
    expect(await use(8)).toBe(200);
  });

  test('of one account is no second factor of another', async () => {
    const it = await world();
    const passkey = await addPasskey(await it.bob.signIn());
    const own = await it.alice.signIn();
    await setUpApp(own);
    await addPasskey(own);
    const browser = await halfWay(it.alice);
    const form = passkeyFormOn(browser, 'use');
    await form.post(passkey.use(form.options));
    expect(browser.page.status).toBe(401);
    await expectSignedOut(browser);
  });

  test('of a disabled account, and one that was removed, open nothing', async () => {
    const it = await world();
    const own = await it.alice.signIn();
    const passkey = await addPasskey(own);
    const [waiting, late] = [it.alice.anotherBrowser(), it.bob.anotherBrowser()];
    for (const browser of [waiting, late]) await browser.open('/sign-in');
    await own.open('/account/security');
    await own.press('Remove');
    const form = passkeyFormOn(waiting, 'use');
    await form.post(passkey.use(form.options));
    expect(waiting.page.status).toBe(401);

    const other = await addPasskey(await it.bob.signIn());
    await it.core.store.accounts.setStatus({ accountId: it.bob.id, status: 'disabled' });
    const lateForm = passkeyFormOn(late, 'use');
    await lateForm.post(other.use(lateForm.options));
    expect(late.page.status).toBe(401);
  });
});

test('67 a passkey that did not ask for its person signs nobody in by itself', async () => {
  const it = await world();
  const passkey = await addPasskey(await it.alice.signIn());
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  const form = passkeyFormOn(browser, 'use');
  await form.post(passkey.use(form.options, { userVerified: false }));
  expect(browser.page.status).toBe(401);
  await expectSignedOut(browser);
});

describe('68 what somebody else began', () => {
  test('is no authenticator app of mine', async () => {
    const it = await world();
    const [attacker, victim] = [await it.bob.signIn(), await it.alice.signIn()];
    const begin = async (browser: Browser): Promise<string> => {
      await browser.open('/account/security');
      await browser.press('Set up an authenticator app');
      return /name="enrolment" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';
    };
    const enrolment = await begin(attacker);
    const secret = (/<p class="secret">([^<]*)</.exec(attacker.page.text)?.[1] ?? '').replaceAll(' ', '');
    await begin(victim);
    await victim.press('Turn it on', { enrolment, code: codeOf(secret) });
    expect(victim.page.status).toBe(409);
    expect(await credentialsOf(it, it.alice)).toEqual([]);
  });

  test('is no passkey of mine', async () => {
    const it = await world();
    const [attacker, victim] = [await it.bob.signIn(), await it.alice.signIn()];
    const begin = async (browser: Browser) => {
      await browser.open('/account/security');
      await browser.press('Add a passkey');
      return passkeyFormOn(browser, 'add');
    };
    const [theirs, mine] = [await begin(attacker), await begin(victim)];
    const answer = createPasskey(it.issuer).register(theirs.options);
    await mine.post(answer, { name: 'x', challenge: theirs.fields['challenge'] ?? '' });
    expect(victim.page.status).toBe(422);
    await mine.post(answer, { name: 'x' });
    expect(victim.page.status).toBe(422);
    expect(await credentialsOf(it, it.alice)).toEqual([]);
  });

  test('is no second step of mine: without its cookie, at another page, or after a sign-out', async () => {
    const it = await world();
    const { secret } = await setUpApp(await it.alice.signIn());
    const stranger = it.alice.anotherBrowser();
    await stranger.open(SECOND_STEP);
    expect([stranger.page.status, stranger.heading]).toEqual([400, 'Start again']);

    const moved = await halfWay(it.alice);
    await moved.open(it.player.authorization().url);
    const interaction = `${new URL(moved.page.url).pathname}/second-step`;
    const cookie = [...moved.cookies].find(([key]) => key.startsWith('curfew-half-way'));
    moved.cookies.set(`curfew-half-way ${interaction}`, { value: cookie?.[1].value ?? '', path: interaction });
    await moved.open(interaction);
    expect([moved.page.status, moved.heading]).toEqual([400, 'Start again']);

    const late = await halfWay(it.alice);
    await it.core.signOuts.signOut({
      scope: { kind: 'account', accountId: it.alice.id },
      reason: 'lost laptop',
      actor: { kind: 'operator' },
    });
    await late.press('Go on', { code: codeOf(secret, { steps: 1 }) });
    expect([late.page.status, late.heading]).toEqual([400, 'Start again']);
    await expectSignedOut(late);
  });

  test('is no trust in my browser', async () => {
    const it = await world();
    const { secret } = await setUpApp(await it.alice.signIn());
    const trusted = await halfWay(it.alice);
    await trusted.press('Go on', { code: codeOf(secret, { steps: 1 }), trust: 'on' });
    await setUpApp(await it.bob.signIn());
    const bob = it.bob.anotherBrowser();
    for (const [key, value] of trusted.cookies) if (key.startsWith('curfew-trust')) bob.cookies.set(key, value);
    await halfWay(it.bob, bob);
    expect(bob.heading).toBe('One more step');
  });
});
