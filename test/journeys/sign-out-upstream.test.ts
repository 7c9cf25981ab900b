/** An app asks for a sign-out, and its person had come through a provider: leaving that as well, and coming back. */
import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { federatedWorld, type FederatedWorld } from '../support/federated-world.ts';
import { erin, samlWorld } from '../support/saml-world.ts';
import { without } from '../support/upstream-behaviour.ts';
import { endSession } from './sign-out-from-app.ts';

const BACK = 'http://player.test/signed-out';
const BOTH = 'Sign out here and at Acme';

/** Carol in an app, through Acme; and the app sends her browser to sign out. */
const askedByApp = async (it: FederatedWorld, parameters: Record<string, string>) => {
  const { player, carol, through } = it;
  const browser = it.alice.anotherBrowser();
  // Without offline access, which would outlive this browser's sign-out.
  const { url, verifier } = player.authorization({ scope: 'openid' });
  await browser.open(url);
  await through(browser, carol);
  const { body } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  const tokens = body as { id_token: string; access_token: string; refresh_token: string };
  await browser.open(endSession({ id_token_hint: tokens.id_token, ...parameters }));
  expect(browser.heading).toBe('Sign out?');
  return { browser, tokens };
};

/** Carol at Acme, sent there to sign out, says yes; resolves to where Acme sends her. */
const agreesAtAcme = async ({ carol }: FederatedWorld, sentTo: URL | undefined): Promise<URL> => {
  const upstream = carol.browser();
  await upstream.open(sentTo?.href ?? '');
  expect(upstream.heading).toBe('Sign out of Acme');
  await upstream.press('Sign out');
  return upstream.left as URL;
};

const isSignedOut = async (browser: Browser): Promise<void> => {
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
};

test('one press signs out here and at the provider, and then leads back to the app with its state', async () => {
  const it = await federatedWorld();
  const { browser, tokens } = await askedByApp(it, { post_logout_redirect_uri: BACK, state: 'a b' });
  await browser.press(BOTH);
  expect(browser.left?.origin).toBe(it.acme.issuer);
  expect(browser.left?.searchParams.get('post_logout_redirect_uri')).toBe(`${it.issuer}/signed-out`);
  // What the provider is told says nothing of the app.
  expect(decodeURIComponent(browser.left?.href ?? '')).not.toContain('player.test');
  // Access here has ended before the provider is asked.
  expect((await it.player.userinfo(tokens)).status).toBe(401);

  const back = await agreesAtAcme(it, browser.left);
  await browser.open(back.href);
  expect(browser.left?.href).toBe(`${BACK}?state=a+b`);
  await isSignedOut(browser);
  // Acme asks for the password again, and nobody is led to the app a second time.
  const upstream = it.carol.browser();
  await browser.press('Continue with Acme');
  await upstream.open(browser.left?.href ?? '');
  expect(upstream.buttons).toContain('Sign in');
  await browser.open('/signed-out');
  expect([browser.left, browser.heading]).toEqual([undefined, 'You are signed out']);
});

test('"Sign out" alone leads back to the app at once, and leaves the provider be', async () => {
  const it = await federatedWorld();
  const { browser } = await askedByApp(it, { post_logout_redirect_uri: BACK, state: 's' });
  expect(browser.page.text).toContain('Signing out here leaves you signed in there.');
  await browser.press('Sign out');
  expect(browser.left?.href).toBe(`${BACK}?state=s`);
  expect(it.acme.requests).not.toContain('/session/end');
  await isSignedOut(browser);
  // By Acme's session, which is still open, nobody is back in by one press.
  await browser.press('Continue with Acme');
  expect(browser.left?.searchParams.get('prompt')).toBe('login');
});

test('whoever stays at the last page is offered it there', async () => {
  const it = await federatedWorld();
  const { browser } = await askedByApp(it, {});
  await browser.press('Sign out');
  expect(browser.heading).toBe('You are signed out');
  await browser.press('Also sign out of Acme');
  const back = await agreesAtAcme(it, browser.left);
  await browser.open(back.href);
  expect([browser.path.split('?')[0], browser.heading]).toEqual(['/signed-out', 'You are signed out']);
  expect(browser.buttons).not.toContain('Also sign out of Acme');
});

test('"Stay signed in" asks the provider nothing, and offers nothing', async () => {
  const it = await federatedWorld();
  const { browser } = await askedByApp(it, { post_logout_redirect_uri: BACK });
  await browser.press('Stay signed in');
  expect(browser.left?.href).toBe(BACK);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
  await browser.open('/signed-out');
  expect(browser.buttons).not.toContain('Also sign out of Acme');
});

test('whoever signed in with a password is asked about no provider', async () => {
  const it = await federatedWorld();
  const browser = it.alice.browser();
  const { id_token } = await it.player.signIn(it.alice, browser);
  await browser.open(endSession({ id_token_hint: id_token }));
  expect(browser.buttons).toEqual(['Sign out', 'Stay signed in']);
  // Nor can it be asked for by hand.
  const xsrf = /name="xsrf" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';
  const confirm = new URL('/session/end/confirm', it.issuer);
  await browser.request('POST', confirm, new URLSearchParams({ xsrf, logout: 'both' }));
  expect([browser.left, browser.heading]).toEqual([undefined, 'You are signed out']);
});

test.each(['has no such page', 'does not answer'])(
  'a provider that %s keeps nobody in, and its person is told and led back',
  async (how) => {
    const it = await federatedWorld(
      how === 'has no such page' ? { behaviour: { discovery: without('end_session_endpoint') } } : {},
    );
    const { browser, tokens } = await askedByApp(it, { post_logout_redirect_uri: BACK, state: 's' });
    if (how === 'does not answer') {
      it.acme.behave({ down: { discovery: 503 } });
      await it.restart();
    }
    await browser.press(BOTH);
    expect([browser.page.status, browser.left, browser.heading]).toEqual([200, undefined, 'You are signed out']);
    expect(browser.page.text).toContain('Acme cannot be asked to sign you out from here.');
    expect(browser.page.text).toContain(`href="${BACK}?state=s">Go on to Player</a>`);
    expect((await it.player.userinfo(tokens)).status).toBe(401);
    await isSignedOut(browser);
  },
);

test('where it ends is kept here: no address says it, another browser is led nowhere, and it is forgotten', async () => {
  const it = await federatedWorld({ fakeTime: true });
  const { browser } = await askedByApp(it, { post_logout_redirect_uri: BACK });
  await browser.press(BOTH);
  const evil = 'https%3A%2F%2Fevil.test%2F';
  const stranger = it.alice.anotherBrowser();
  for (const query of ['', `?post_logout_redirect_uri=${evil}&state=acme`, `?return_to=${evil}`, `?state=${evil}`]) {
    await stranger.open(`/signed-out${query}`);
    expect([stranger.left, stranger.heading]).toEqual([undefined, 'You are signed out']);
    expect(stranger.page.text).not.toContain('evil.test');
  }
  it.advance(601);
  await browser.open('/signed-out');
  expect([browser.left, browser.heading]).toEqual([undefined, 'You are signed out']);
});

test('whoever signs in again before coming back is not led to the app later', async () => {
  const it = await federatedWorld();
  const { browser } = await askedByApp(it, { post_logout_redirect_uri: BACK });
  await browser.press(BOTH);
  await it.alice.signIn(browser);
  expect(browser.path).toBe('/account');
  await browser.press('Sign out of this browser');
  expect([browser.left, browser.heading]).toEqual([undefined, 'You are signed out']);
  expect(browser.buttons).not.toContain('Also sign out of Acme');
});

test('by SAML: the LogoutRequest goes out signed, and its answer leads back to the app', async () => {
  const { it, corp } = await samlWorld();
  const browser = it.alice.anotherBrowser();
  const { url, verifier } = it.player.authorization();
  await browser.open(url);
  await browser.press('Continue with Corp');
  await corp.sendBack(browser, browser.left as URL, erin());
  const { body } = await it.player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  const { id_token } = body as { id_token: string };

  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: BACK, state: 's' }));
  await browser.press('Sign out here and at Corp');
  const asked = browser.left as URL;
  expect(asked.origin + asked.pathname).toBe('https://idp.example.com/slo');
  expect([...asked.searchParams.keys()]).toEqual(expect.arrayContaining(['SAMLRequest', 'SigAlg', 'Signature']));
  await browser.open(corp.logoutResponse(asked, `${it.issuer}/saml/corp/slo`));
  expect(browser.left?.href).toBe(`${BACK}?state=s`);
  await isSignedOut(browser);
});

test('by SAML, without a way back: offered at the last page, and its answer ends there', async () => {
  const { it, corp, signIn } = await samlWorld();
  const browser = await signIn(erin());
  await browser.open(endSession({}));
  await browser.press('Sign out');
  await browser.press('Also sign out of Corp');
  await browser.open(corp.logoutResponse(browser.left as URL, `${it.issuer}/saml/corp/slo`));
  expect([browser.path.split('?')[0], browser.heading, browser.left]).toEqual([
    '/signed-out',
    'You are signed out',
    undefined,
  ]);
});
