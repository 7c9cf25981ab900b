/** Second factors of people who come through their company's provider: it stands in for the password, and for nothing else. */
import { expect, test } from 'vitest';

import { addPasskey, codeOf, passkeyFormOn, setUpApp } from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { federatedWorld, type FederatedWorld } from '../support/federated-world.ts';

const idOf = async ({ core }: FederatedWorld, name: string): Promise<string> => {
  const account = await core.accounts.resolve(name);
  if (account === null) throw new Error(`no account ${name}`);
  return account.id;
};

/** Carol, who has no password here, with an authenticator app; and what came with it. */
async function withApp(options: Parameters<typeof federatedWorld>[0] = {}) {
  const it = await federatedWorld({ fakeTime: true, ...options });
  const own = await it.signInThrough(it.carol);
  const { secret, codes } = await setUpApp(own);
  expect(codes).toHaveLength(10);
  return { it, own, secret, codes, carolId: await idOf(it, 'carol') };
}

async function expectSignedOut(browser: Browser): Promise<void> {
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in\?/);
}

test('an app is set up without a password, and asked for after the provider’s answer', async () => {
  const { it, secret } = await withApp();
  const browser = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  expect([browser.heading, browser.path]).toEqual(['One more step', '/sign-in/second-step?return_to=%2Faccount']);
  await browser.press('Go on', { code: '000000' });
  expect([browser.page.status, browser.heading]).toEqual([401, 'One more step']);
  const { page } = browser;
  await expectSignedOut(browser);
  browser.page = page;
  it.advance(30);
  await browser.press('Go on', { code: codeOf(secret) });
  expect(browser.path).toBe('/account');
});

test('an app that is signed in to is told of both', async () => {
  const { it, secret } = await withApp();
  it.advance(30);
  const browser = it.alice.anotherBrowser();
  const { url, verifier } = it.player.authorization({ acr_values: 'aal2' });
  await browser.open(url);
  await it.through(browser, it.carol);
  expect([browser.heading, browser.path]).toEqual([
    'One more step',
    expect.stringMatching(/^\/interaction\/.*\/second-step$/),
  ]);
  await browser.press('Go on', { code: codeOf(secret) });
  const { body } = await it.player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  const [, claims = ''] = String(body['id_token']).split('.');
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
    acr: 'aal2',
    amr: expect.arrayContaining(['otp', 'mfa']),
  });
});

test('a trusted browser is not asked after the provider’s answer, until a sign-out of everything', async () => {
  const { it, secret, codes, carolId } = await withApp();
  it.advance(30);
  const browser = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  await browser.press('Go on', { code: codeOf(secret), trust: 'on' });
  await browser.press('Sign out of this browser');
  await it.signInThrough(it.carol, browser);
  expect(browser.path).toBe('/account');
  await it.core.signOuts.signOut({
    scope: { kind: 'account', accountId: carolId },
    reason: 'lost laptop',
    actor: { kind: 'operator' },
  });
  // A provider tells the second at which somebody signed in: what it says has to be after the sign-out.
  it.advance(1);
  await it.signInThrough(it.carol, browser);
  // Her session there is older than that, and so she is sent once more.
  await it.through(browser, it.carol);
  expect(browser.heading).toBe('One more step');
  await browser.press('Go on', { code: codes[0] });
  expect(browser.path).toBe('/account');
});

test('a sign-out at the provider meanwhile ends what waits for its second factor', async () => {
  const { it, secret } = await withApp();
  it.advance(30);
  const browser = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  await it.core.signOuts.signOut({
    scope: { kind: 'connection', connectionId: 'acme' },
    reason: 'incident',
    actor: { kind: 'operator' },
  });
  await browser.press('Go on', { code: codeOf(secret) });
  expect([browser.page.status, browser.heading]).toEqual([400, 'Start again']);
  await expectSignedOut(browser);
});

test.each(['verified', 'unable'])(
  'an act needs the provider and the second factor, where proving anew is %s',
  async (reauthentication) => {
    const { it, own, secret, carolId } = await withApp({ connection: { reauthentication } });
    it.advance(16 * 60);
    await own.open('/account/security');
    await own.press('Remove');
    expect(own.heading).toBe('Confirm it is you');
    expect(own.page.text).not.toContain('type="password"');
    await it.through(own, it.carol);
    // The provider's word alone does not take the second factor away.
    expect(own.heading).toBe('One more step');
    expect(own.page.text).not.toContain('Do not ask in this browser');
    await own.press('Go on', { code: '000000' });
    expect(own.page.status).toBe(401);
    expect(await it.core.totp.of(carolId)).not.toBeNull();
    it.advance(2);
    await own.press('Go on', { code: codeOf(secret) });
    expect(own.page.text).toContain('The authenticator app was removed.');
    expect(await it.core.totp.of(carolId)).toBeNull();
  },
);

test('a browser that is trusted is asked for it all the same before an act', async () => {
  const { it, secret, codes, carolId } = await withApp();
  it.advance(30);
  const browser = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  await browser.press('Go on', { code: codeOf(secret), trust: 'on' });
  it.advance(16 * 60);
  await browser.open('/account/security');
  await browser.press('Make new recovery codes');
  await it.through(browser, it.carol);
  expect(browser.heading).toBe('One more step');
  await browser.press('Go on', { code: codes[0] });
  expect(browser.heading).toBe('Your recovery codes');
  expect((await it.core.recoveryCodes.of(carolId))?.left).toBe(10);
});

test('what waits for one act does no other, and nothing once its person has signed out', async () => {
  const { it, own, secret, carolId } = await withApp();
  const waiting = async (): Promise<void> => {
    it.advance(16 * 60);
    await own.open('/account/security');
    await own.press('Make new recovery codes');
    await it.through(own, it.carol);
    expect(own.heading).toBe('One more step');
  };
  await waiting();
  const { page } = own;
  const other = '/account/federation/second-step?act=%2Faccount%2Fsecurity%2Ftotp%2Fremove';
  await own.open(other);
  expect([own.page.status, own.heading]).toEqual([400, 'Start again']);
  own.page = { ...page, text: page.text.replaceAll(/action="[^"]*second-step[^"]*"/g, `action="${other}"`) };
  await own.press('Go on', { code: codeOf(secret) });
  expect([own.page.status, own.heading]).toEqual([400, 'Start again']);
  expect(await it.core.totp.of(carolId)).not.toBeNull();

  await waiting();
  const asked = own.page;
  const before = await it.core.recoveryCodes.of(carolId);
  await own.open('/account');
  await own.press('Sign out of this browser');
  own.page = asked;
  await own.press('Go on', { code: codeOf(secret) });
  expect(own.page.status).toBeGreaterThanOrEqual(400);
  await expectSignedOut(own);
  expect(await it.core.recoveryCodes.of(carolId)).toEqual(before);
});

test('a passkey added without a password signs in by itself, and confirms an act in the provider’s place', async () => {
  const it = await federatedWorld({ fakeTime: true });
  const own = await it.signInThrough(it.carol);
  const passkey = await addPasskey(own);
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  const alone = passkeyFormOn(browser, 'use');
  await alone.post(passkey.use(alone.options));
  expect(browser.path).toBe('/account');
  it.advance(16 * 60);
  await browser.open('/account/security');
  await browser.press('Remove');
  expect(browser.heading).toBe('Confirm it is you');
  const confirm = passkeyFormOn(browser, 'use');
  await confirm.post(passkey.use(confirm.options));
  expect(browser.page.text).toContain('The passkey was removed.');
});

test('where everybody needs a second factor, whoever comes for the first time sets one up before anything else', async () => {
  const it = await federatedWorld({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
  const browser = await it.signInThrough(it.carol);
  expect(browser.heading).toBe('Set up a second factor');
  await expectSignedOut(browser);
});

test('whoever links by their password is asked for the second factor too, and told of the link', async () => {
  const it = await federatedWorld({
    accounts: [{ sub: 'acme-alice', claims: { email: 'alice@example.test', email_verified: true } }],
  });
  const { secret } = await setUpApp(await it.alice.signIn());
  const browser = await it.signInThrough(it.acme.person('acme-alice'));
  expect(browser.heading).toBe('Sign in to link Acme');
  await browser.press('Sign in', { password: it.alice.password });
  expect(browser.heading).toBe('One more step');
  await browser.press('Go on', { code: codeOf(secret, { steps: 1 }) });
  expect(browser.path).toBe('/account');
  await browser.open('/account/security');
  expect(browser.page.text).toContain('Another way to sign in linked: Acme');
});
