import { describe, expect, test } from 'vitest';

import {
  addPasskey,
  codeOf,
  codesOn,
  createPasskey,
  passkeyFormOn,
  secretOn,
  setUpApp,
} from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { type Person, world } from '../support/world.ts';

/** Types the password on a browser's sign-in page. */
const typePassword = async ({ username, password }: Person, browser: Browser): Promise<Browser> => {
  await browser.open('/sign-in');
  await browser.press('Sign in', { username, password });
  return browser;
};

describe('an authenticator app', () => {
  test('is set up by its first code, comes with recovery codes, and is asked for from then on', async () => {
    const { alice } = await world();
    const browser = await alice.signIn();
    await browser.open('/account/security');
    await browser.press('Set up an authenticator app');
    expect(browser.page.text).toContain('<svg class="qr"');
    const secret = secretOn(browser);
    await browser.press('Turn it on', { code: '000000' });
    expect([browser.page.status, secretOn(browser)]).toEqual([422, secret]);
    await browser.press('Turn it on', { code: codeOf(secret) });
    expect(browser.heading).toBe('Your recovery codes');
    expect(new Set(codesOn(browser)).size).toBe(10);

    const other = await typePassword(alice, alice.anotherBrowser());
    expect([other.path, other.heading]).toEqual(['/sign-in/second-step?return_to=%2Faccount', 'One more step']);
    await other.open('/account');
    expect(other.path).toMatch(/^\/sign-in\?/);
    await other.open('/sign-in/second-step?return_to=%2Faccount');
    await other.press('Go on', { code: codeOf(secret, { steps: 1 }) });
    expect(other.path).toBe('/account');
  });

  test('gives each code once, and none of an earlier half minute after a later one', async () => {
    const it = await world({ fakeTime: true });
    // At the beginning of a half minute: what follows takes less than one.
    it.advance(30 - ((Date.now() / 1000) % 30));
    const { secret } = await setUpApp(await it.alice.signIn());
    const tries = async (steps: number): Promise<string> => {
      const browser = await typePassword(it.alice, it.alice.anotherBrowser());
      await browser.press('Go on', { code: codeOf(secret, { steps }) });
      it.advance(3);
      return browser.path.replace(/\?.*/, '');
    };
    expect(await tries(0)).toBe('/sign-in/second-step');
    expect(await tries(1)).toBe('/account');
    expect(await tries(1)).toBe('/sign-in/second-step');
    it.advance(60);
    expect(await tries(0)).toBe('/account');
    expect(await tries(-1)).toBe('/sign-in/second-step');
  });

  test('is asked for when an app is signed in to, and the app is told', async () => {
    const { alice, player } = await world();
    const { secret } = await setUpApp(await alice.signIn());
    const browser = alice.anotherBrowser();
    const { url, verifier } = player.authorization({ acr_values: 'aal2' });
    await browser.open(url);
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(browser.heading).toBe('One more step');
    await browser.press('Go on', { code: codeOf(secret, { steps: 1 }) });
    const { body } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
    const claims = claimsOf(String(body['id_token']));
    expect(claims).toMatchObject({ acr: 'aal2', amr: ['pwd', 'otp', 'mfa'] });
  });

  test('is taken away by somebody who is fresh, and not asked for any more', async () => {
    const it = await world({ fakeTime: true });
    const browser = await it.alice.signIn();
    const { secret } = await setUpApp(browser);
    it.advance(16 * 60);
    await browser.open('/account/security');
    await browser.press('Remove', {});
    expect(browser.heading).toBe('Confirm it is you');
    // The password alone is not enough to take the second factor away.
    await browser.press('Remove the authenticator app', { password: it.alice.password, code: '000000' });
    expect([browser.page.status, browser.heading]).toEqual([401, 'Confirm it is you']);
    it.advance(10);
    await browser.press('Remove the authenticator app', { password: it.alice.password, code: codeOf(secret) });
    expect(browser.page.text).toContain('The authenticator app was removed');
    expect(await it.core.store.accounts.credentialsOf(it.alice.id)).toEqual([]);
    const other = await typePassword(it.alice, it.alice.anotherBrowser());
    expect(other.path).toBe('/account');
  });
});

describe('whoever had to prove once more who they are', () => {
  test('sets an authenticator app up, wrong codes included', async () => {
    const it = await world({ fakeTime: true });
    const browser = await it.alice.signIn();
    it.advance(16 * 60);
    await browser.open('/account/security');
    await browser.press('Set up an authenticator app');
    expect(browser.heading).toBe('Confirm it is you');
    await browser.press('Set up an authenticator app', { password: it.alice.password });
    const secret = secretOn(browser);
    await browser.press('Turn it on', { code: '000000' });
    expect([browser.page.status, secretOn(browser)]).toEqual([422, secret]);
    await browser.press('Turn it on', { code: codeOf(secret) });
    expect(browser.heading).toBe('Your recovery codes');
  });

  test('adds a passkey', async () => {
    const it = await world({ fakeTime: true });
    const browser = await it.alice.signIn();
    it.advance(16 * 60);
    await browser.open('/account/security');
    await browser.press('Add a passkey');
    await browser.press('Add a passkey', { password: it.alice.password });
    const form = passkeyFormOn(browser, 'add');
    await form.post(createPasskey(browser.origin).register(form.options), { name: 'Phone' });
    expect(browser.page.text).toContain('Your passkey was added.');
  });

  test('has ten minutes for it, and is handed nothing new after that', async () => {
    const it = await world({ fakeTime: true });
    const browser = await it.alice.signIn();
    it.advance(10 * 60);
    await browser.open('/account/security');
    await browser.press('Set up an authenticator app');
    const secret = secretOn(browser);
    it.advance(10 * 60);
    await browser.press('Turn it on', { code: codeOf(secret) });
    expect(browser.path).toBe('/account/security');
    expect(await it.core.totp.of(it.alice.id)).toBeNull();
  });
});

describe('a recovery code', () => {
  test('lets its owner in once', async () => {
    const { alice } = await world();
    const { codes } = await setUpApp(await alice.signIn());
    const first = await typePassword(alice, alice.anotherBrowser());
    await first.press('Go on', { code: (codes[3] ?? '').toLowerCase().replaceAll('-', ' ') });
    expect(first.path).toBe('/account');
    await first.open('/account/security');
    expect(first.page.text).toContain('<span class="figure">9</span> left');
    expect(first.page.text).toContain('A recovery code was used');
    const second = await typePassword(alice, alice.anotherBrowser());
    await second.press('Go on', { code: codes[3] });
    expect([second.page.status, second.path.replace(/\?.*/, '')]).toEqual([401, '/sign-in/second-step']);
  });

  test('of a former set is none', async () => {
    const { alice, advance } = await world({ fakeTime: true });
    const browser = await alice.signIn();
    const { codes } = await setUpApp(browser);
    await browser.open('/account/security');
    await browser.press('Make new recovery codes');
    const [fresh = ''] = codesOn(browser);
    const other = await typePassword(alice, alice.anotherBrowser());
    await other.press('Go on', { code: codes[0] });
    expect(other.page.status).toBe(401);
    advance(1);
    await other.press('Go on', { code: fresh });
    expect(other.path).toBe('/account');
  });
});

describe('a passkey', () => {
  test('signs somebody in by itself, as two factors', async () => {
    const { alice, player } = await world();
    const passkey = await addPasskey(await alice.signIn());
    const browser = alice.anotherBrowser();
    const { url, verifier } = player.authorization({ acr_values: 'aal2' });
    await browser.open(url);
    const form = passkeyFormOn(browser, 'use');
    await form.post(passkey.use(form.options));
    const { body } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
    expect(claimsOf(String(body['id_token']))).toMatchObject({ acr: 'aal2', amr: ['pop', 'user', 'mfa'] });
  });

  test('is a second factor after the password, with or without asking for the person', async () => {
    const { alice } = await world();
    const passkey = await addPasskey(await alice.signIn());
    const browser = await typePassword(alice, alice.anotherBrowser());
    expect(browser.heading).toBe('One more step');
    const form = passkeyFormOn(browser, 'use');
    await form.post(passkey.use(form.options, { userVerified: false }));
    expect(browser.path).toBe('/account');
  });

  test('has a name, is renamed, and removed', async () => {
    const { alice } = await world();
    const browser = await alice.signIn();
    await addPasskey(browser, 'Key on my ring');
    await browser.open('/account/security');
    expect(browser.page.text).toContain('Key on my ring');
    await browser.press('Save the name', { name: 'Desk drawer' });
    expect(browser.page.text).toContain('Desk drawer');
    await browser.press('Remove');
    expect(browser.page.text).toContain('The passkey was removed');
    expect((await typePassword(alice, alice.anotherBrowser())).path).toBe('/account');
  });
});

describe('a trusted browser', () => {
  test('is not asked again, until its person signs out everywhere', async () => {
    const { alice } = await world();
    const { secret, codes } = await setUpApp(await alice.signIn());
    const browser = await typePassword(alice, alice.anotherBrowser());
    await browser.press('Go on', { code: codeOf(secret, { steps: 1 }), trust: 'on' });
    expect(browser.path).toBe('/account');
    await browser.press('Sign out of this browser');
    await typePassword(alice, browser);
    expect(browser.path).toBe('/account');
    await browser.open('/account/security');
    expect(browser.page.text).toContain('Trusted browsers');
    await browser.press('Sign out of all devices');
    await typePassword(alice, browser);
    expect(browser.heading).toBe('One more step');
    await browser.press('Go on', { code: codes[0] });
    expect(browser.path).toBe('/account');
    await browser.open('/account/security');
    expect(browser.page.text).not.toContain('Trusted browsers');
  });

  test('proves no second factor to an app that asks for one', async () => {
    const { alice, player } = await world();
    const { secret, codes } = await setUpApp(await alice.signIn());
    const browser = await typePassword(alice, alice.anotherBrowser());
    await browser.press('Go on', { code: codeOf(secret, { steps: 1 }), trust: 'on' });
    await browser.press('Sign out of this browser');
    await typePassword(alice, browser);
    const { url } = player.authorization({ acr_values: 'aal2' });
    await browser.open(url);
    expect(browser.page.text).toContain('The app asks for a second factor');
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(browser.heading).toBe('One more step');
    expect(browser.page.text).not.toContain('Do not ask in this browser');
    await browser.press('Go on', { code: codes[0] });
    expect(browser.left?.searchParams.get('code')).toBeTruthy();
  });
});

describe('where a second factor is required', () => {
  test('whoever has none sets one up before anything else', async () => {
    const { alice, player } = await world({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
    const browser = alice.anotherBrowser();
    const { url, verifier } = player.authorization();
    await browser.open(url);
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(browser.heading).toBe('Set up a second factor');
    const secret = secretOn(browser);
    await browser.press('Turn it on', { code: '111111' });
    expect([browser.page.status, secretOn(browser)]).toEqual([401, secret]);
    await browser.press('Turn it on', { code: codeOf(secret) });
    const { status } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
    expect(status).toBe(200);
    await browser.open('/account/security');
    expect(browser.page.text).toContain('A second factor is required here');
    expect(browser.buttons).not.toContain('Remove');
  });

  test('a passkey alone is two, and nothing more is asked for', async () => {
    const { alice } = await world({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
    const passkey = createPasskey(alice.browser().origin);
    const own = await typePassword(alice, alice.browser());
    const setup = passkeyFormOn(own, 'add');
    await setup.post(passkey.register(setup.options), { name: 'Phone' });
    expect(own.path).toBe('/account');
    const browser = alice.anotherBrowser();
    await browser.open('/sign-in');
    const form = passkeyFormOn(browser, 'use');
    await form.post(passkey.use(form.options));
    expect(browser.path).toBe('/account');
  });

  test('by one app, only that app asks', async () => {
    const strict = {
      client_id: 'vault',
      require_second_factor: true,
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://vault.example/callback'],
    };
    const { alice, player, client } = await world({ clients: [{ ...strict, first_party: true }] });
    const browser = await alice.signIn();
    await player.signIn(alice, browser);
    await browser.open(client('vault').authorization().url);
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(browser.heading).toBe('Set up a second factor');
  });
});

function claimsOf(idToken: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
