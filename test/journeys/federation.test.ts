import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { federatedWorld, type FederatedWorld } from '../support/federated-world.ts';
import type { UpstreamPerson } from '../support/upstream-person.ts';

/** Signs a person of Acme in to an app, and resolves to its tokens. */
const signInToApp = async (
  { player, through }: FederatedWorld,
  person: UpstreamPerson,
  browser: Browser,
  parameters: Record<string, string> = {},
) => {
  const { url, verifier } = player.authorization(parameters);
  await browser.open(url);
  const asked = await through(browser, person);
  const code = browser.left?.searchParams.get('code') ?? '';
  expect(code, browser.heading).not.toBe('');
  const { body } = await player.exchange(code, verifier);
  return { asked, tokens: body as { access_token: string; refresh_token: string; id_token: string } };
};

const accountOf = async ({ core }: FederatedWorld, name: string) => {
  const account = await core.accounts.resolve(name);
  if (account === null) throw new Error(`no account ${name}`);
  return account;
};

test('somebody who comes for the first time is given an account, and the same one the next time', async () => {
  const it = await federatedWorld();
  const browser = await it.signInThrough(it.carol);
  expect(browser.path).toBe('/account');
  expect(browser.page.text).toContain('carol@acme.test');
  const carol = await accountOf(it, 'carol');
  expect(await accountOf(it, 'carol@acme.test')).toEqual(carol);
  expect(carol.passwordChangedAt).toBeNull();

  const again = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  expect(again.path).toBe('/account');
  expect(await it.core.accounts.list({ limit: 50 })).toHaveLength(3);
});

test('an app is signed in to through the provider, and its person is signed out everywhere by one press', async () => {
  const it = await federatedWorld();
  const browser = it.alice.anotherBrowser();
  const { tokens, asked } = await signInToApp(it, it.carol, browser);
  expect(asked.searchParams.get('prompt')).toBeNull();
  expect((await it.library.introspect(tokens.access_token)).active).toBe(true);

  await browser.open('/account/security');
  expect(browser.page.text).toContain('Your only way in');
  await browser.press('Sign out of all devices');
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect((await it.library.introspect(tokens.access_token)).active).toBe(false);
  expect(await it.player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
});

test('after a sign-out a session that is still open upstream lets nobody back in', async () => {
  const it = await federatedWorld();
  const browser = await it.signInThrough(it.carol);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');

  // Another browser of hers, with Acme's session: the first answer is stale, and she is sent there once more.
  const other = it.alice.anotherBrowser();
  await other.open('/sign-in');
  const first = await it.through(other, it.carol);
  expect(first.searchParams.get('prompt')).toBeNull();
  const second = other.left;
  expect(second?.origin).toBe(it.acme.issuer);
  expect(second?.searchParams.get('prompt')).toBe('login');

  // Acme shows its form again, and what it says then is good.
  const upstream = it.carol.browser();
  await upstream.open(String(second));
  expect(upstream.buttons).toContain('Sign in');
  await upstream.press('Sign in', { login: it.carol.sub, password: it.carol.password });
  await other.open(upstream.left?.href ?? '');
  expect(other.path).toBe('/account');
});

test('a provider that lets an old session pass for a new sign-in is not believed', async () => {
  const it = await federatedWorld({ fakeTime: true });
  const browser = await it.signInThrough(it.carol);
  it.advance(60);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  it.acme.behave({ freshness: 'ignored' });

  const other = it.alice.anotherBrowser();
  await other.open('/sign-in');
  await it.through(other, it.carol);
  await it.through(other, it.carol);
  expect(other.page.status).toBe(403);
  expect(other.page.text).toContain('it did not say that you did');
  await other.open('/account');
  expect(other.path).toMatch(/^\/sign-in/);
});

test('unless an operator has accepted that it cannot prove it, which the security page says', async () => {
  const it = await federatedWorld({ connection: { reauthentication: 'unable' } });
  const browser = await it.signInThrough(it.carol);
  await browser.open('/account/security');
  expect(browser.page.text).toContain('It cannot prove that somebody signed in anew');
  await browser.press('Sign out of all devices');
  it.acme.behave({ freshness: 'ignored' });
  const other = it.alice.anotherBrowser();
  await other.open('/sign-in');
  await it.through(other, it.carol);
  const again = await it.through(other, it.carol);
  expect(again.searchParams.get('prompt')).toBe('login');
  expect(other.path).toBe('/account');
});

test('whoever signed out in this browser is not signed in again by pressing a button', async () => {
  const it = await federatedWorld();
  const browser = await it.signInThrough(it.carol);
  await browser.press('Sign out of this browser');
  expect(browser.heading).toBe('You are signed out');
  await browser.open('/sign-in');
  await browser.press('Continue with Acme');
  expect(browser.left?.searchParams.get('prompt')).toBe('login');
});

test('signing out here offers to sign out there as well', async () => {
  const it = await federatedWorld();
  const browser = await it.signInThrough(it.carol);
  await browser.press('Sign out of this browser');
  await browser.press('Also sign out of Acme');
  expect(browser.left?.origin).toBe(it.acme.issuer);
  expect(browser.left?.pathname).toBe('/session/end');
  expect(browser.left?.searchParams.get('id_token_hint')).toBeTruthy();
  expect(browser.left?.searchParams.get('post_logout_redirect_uri')).toBe(`${it.issuer}/signed-out`);
});

test('a sign-out at the provider ends what came through it, and apps are told', async () => {
  const it = await federatedWorld();
  const browser = it.alice.anotherBrowser();
  const { tokens } = await signInToApp(it, it.carol, browser);
  const bystander = await it.player.signIn(it.alice);

  const [told] = await it.acme.signOutEverywhere(it.carol.sub);
  expect(told?.status).toBe(200);
  expect((await it.library.introspect(tokens.access_token)).active).toBe(false);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  await it.settle();
  expect(it.ears.heard.map(({ client }) => client)).toEqual(['player']);
  expect((await it.library.introspect(bystander.access_token)).active).toBe(true);

  // Heard twice, it is refused and does nothing: she may have signed in again since.
  const later = it.alice.anotherBrowser();
  await later.open('/sign-in');
  await it.through(later, it.carol);
  if (later.left !== undefined) await it.through(later, it.carol);
  expect(later.path).toBe('/account');
  const again = await fetch(`${it.issuer}/federation/acme/backchannel-logout`, {
    method: 'POST',
    body: new URLSearchParams({ logout_token: told?.token ?? '' }),
  });
  expect(again.status).toBe(400);
  await later.open('/account');
  expect(later.path).toBe('/account');
});

test('one write ends everybody who came through a connection, and nobody else', async () => {
  const it = await federatedWorld();
  const browser = it.alice.anotherBrowser();
  const { tokens } = await signInToApp(it, it.carol, browser);
  const bystander = await it.player.signIn(it.alice);
  const signOut = await it.core.signOuts.signOut({
    scope: { kind: 'connection', connectionId: 'acme' },
    reason: 'Acme was broken into',
    actor: { kind: 'operator' },
  });
  expect((await it.library.introspect(tokens.access_token)).active).toBe(false);
  expect((await it.library.introspect(bystander.access_token)).active).toBe(true);
  await it.settle();
  expect(await it.core.store.revocations.ended(signOut.id)).toMatchObject({ sessions: 1, accounts: 1 });

  const other = it.alice.anotherBrowser();
  await other.open('/sign-in');
  await it.through(other, it.carol);
  expect(other.left?.searchParams.get('prompt')).toBe('login');
});

test('an address of a claimed domain is sent to its provider, whatever password was typed', async () => {
  const it = await federatedWorld({ connection: { domains: ['acme.test'] } });
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: 'Carol@ACME.test', password: 'whatever it may be' });
  expect(browser.left?.origin).toBe(it.acme.issuer);
  expect(browser.left?.searchParams.get('login_hint')).toBe('Carol@ACME.test');

  const { url } = it.player.authorization({ login_hint: 'carol@acme.test' });
  await browser.open(url);
  expect(browser.left?.origin).toBe(it.acme.issuer);
  const { url: other } = it.player.authorization({ domain_hint: 'acme.test' });
  await browser.open(other);
  expect(browser.left?.origin).toBe(it.acme.issuer);
  const { url: third } = it.player.authorization({ login_hint: 'carol@elsewhere.test' });
  await browser.open(third);
  expect(browser.heading).toBe('Sign in');
});

test('an account is linked from its security page, signed in to that way, and unlinked', async () => {
  const it = await federatedWorld({ connection: { createAccounts: false } });
  const stranger = await it.signInThrough(it.carol);
  expect(stranger.page.status).toBe(403);
  expect(stranger.page.text).toContain('Nobody here is linked to your Acme account.');

  const browser = await it.alice.signIn();
  await browser.open('/account/security');
  await browser.press('Link Acme');
  await it.through(browser, it.carol);
  expect(browser.page.text).toContain('Linked. From now on you can sign in this way as well.');
  expect(browser.page.text).toContain('carol@acme.test');

  const other = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  expect(other.path).toBe('/account');
  expect(other.page.text).toContain(it.alice.email);

  await browser.open('/account/security');
  await browser.press('Unlink');
  expect(browser.path).toMatch(/^\/sign-outs\//);
  await other.open('/account');
  expect(other.path).toMatch(/^\/sign-in/);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
  const gone = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  if (gone.left !== undefined) await it.through(gone, it.carol);
  expect(gone.page.status).toBe(403);
});

test('an address that an account has leads to that account’s own sign-in first, and then they are one', async () => {
  const it = await federatedWorld({
    fakeTime: true,
    accounts: [{ sub: 'acme-alice', claims: { email: 'alice@example.test', email_verified: true } }],
  });
  const atAcme = it.acme.person('acme-alice');
  const browser = await it.signInThrough(atAcme);
  expect(browser.heading).toBe('Sign in to link Acme');
  await browser.press('Sign in', { password: 'not her password at all' });
  expect(browser.page.status).toBe(401);
  it.advance(2);
  await browser.press('Sign in', { password: it.alice.password });
  expect(browser.path).toBe('/account');
  const again = await it.signInThrough(atAcme, it.alice.anotherBrowser());
  expect(again.path).toBe('/account');
  expect(await it.core.accounts.list({ limit: 50 })).toHaveLength(2);
});

test('signing in to another account than the one that has the address links nothing', async () => {
  const it = await federatedWorld({
    accounts: [{ sub: 'acme-alice', claims: { email: 'alice@example.test', email_verified: true } }],
  });
  const browser = await it.signInThrough(it.acme.person('acme-alice'));
  await browser.press('Sign in', { username: it.bob.username, password: it.bob.password });
  expect(browser.page.status).toBe(409);
  expect(await it.core.connections.identities.list(it.bob.id)).toEqual([]);
  expect(await it.core.connections.identities.list(it.alice.id)).toEqual([]);
});

test.each([
  ['not verified', { email_verified: false }],
  ['verified by a word', { email_verified: 'true' }],
  ['not said to be verified', {}],
])('an address that is %s finds nobody', async (_, said) => {
  const it = await federatedWorld({
    accounts: [{ sub: 'acme-alice', claims: { preferred_username: 'alice2', email: 'alice@example.test', ...said } }],
  });
  const browser = await it.signInThrough(it.acme.person('acme-alice'));
  expect(browser.path).toBe('/account');
  expect((await accountOf(it, 'alice@example.test')).id).toBe(it.alice.id);
  expect((await accountOf(it, 'alice2')).id).not.toBe(it.alice.id);
});

test('whoever has no password proves by the provider that it is them, and then it is done', async () => {
  const it = await federatedWorld({ fakeTime: true });
  const browser = await it.signInThrough(it.carol);
  it.advance(16 * 60);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  expect(browser.heading).toBe('Confirm it is you');
  expect(browser.page.text).not.toContain('type="password"');
  const asked = await it.through(browser, it.carol);
  expect(asked.searchParams.get('prompt')).toBe('login');
  expect(browser.path).toMatch(/^\/sign-outs\//);
  const carol = await accountOf(it, 'carol');
  expect(await it.core.store.revocations.signedOutAt(`account:${carol.id}`)).not.toBeNull();
});

test('a session that was opened upstream long ago is no fresh proof here', async () => {
  const it = await federatedWorld({ fakeTime: true });
  await it.signInThrough(it.carol);
  it.advance(3600);
  const browser = await it.signInThrough(it.carol, it.alice.anotherBrowser());
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  expect(browser.heading).toBe('Confirm it is you');
});

test('a provider that declines, or does not answer, is said to, and the other ways stay open', async () => {
  const it = await federatedWorld();
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Acme');
  const upstream = it.carol.browser();
  await upstream.open(browser.left?.href ?? '');
  await upstream.press('Cancel');
  await browser.open(upstream.left?.href ?? '');
  expect(browser.page.status).toBe(403);
  expect(browser.page.text).toContain('Acme did not sign you in.');
  expect(browser.page.text).not.toContain('changed');

  await it.acme.goDown();
  const other = it.alice.anotherBrowser();
  await it.restart();
  await other.open('/sign-in');
  await other.press('Continue with Acme');
  expect(other.page.status).toBe(503);
  expect(other.page.text).toContain('Acme does not answer right now.');
  expect(it.logged.findLast((line) => line.includes('upstream.not-reached'))).toMatch(/"requestId":"[\w-]{16,}"/);
  await other.open('/sign-in');
  await other.press('Sign in', { username: it.alice.username, password: it.alice.password });
  expect(other.path).toBe('/account');
  await it.acme.comeBack();
});

test('a connection that is taken out of the configuration signs out everybody who came through it', async () => {
  const it = await federatedWorld();
  const browser = it.alice.anotherBrowser();
  const { tokens } = await signInToApp(it, it.carol, browser);
  const config = it.config.connections;
  await it.restart((present) => ({ ...present, connections: [] }));
  expect((await it.library.introspect(tokens.access_token)).active).toBe(false);
  await browser.open('/sign-in');
  expect(browser.buttons).not.toContain('Continue with Acme');
  // Back again, it vouches for whoever signs in anew.
  await it.restart((present) => ({ ...present, connections: config }));
  expect((await it.library.introspect(tokens.access_token)).active).toBe(false);
});
