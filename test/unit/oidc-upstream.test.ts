/** Signing in through an upstream OpenID Connect provider, against a real one. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createOidcUpstream, type OidcUpstream } from '../../src/connections/oidc/upstream.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type Behaviour, without } from '../support/upstream-behaviour.ts';
import { connect, type Connection, movableClock, newAttempt, REDIRECT_URI } from '../support/upstream-connection.ts';
import { startUpstream, type Upstream } from '../support/upstream-idp.ts';

const ADA = {
  sub: 'ada',
  claims: {
    preferred_username: 'ada.l',
    name: 'Ada Lovelace',
    email: 'ada@acme.example',
    email_verified: true,
    groups: ['engines', 'poets'],
  },
};

let upstream: Upstream;
let connection: Connection;
beforeAll(async () => {
  upstream = await startUpstream({ accounts: [ADA, { sub: 'bob' }] });
  connection = connect(upstream);
});
beforeEach(() => upstream.behave({}));
afterAll(async () => {
  await connection.close();
  await upstream.stop();
});

const stranger = () => ({ ...upstream.person('ada'), browser: upstream.person('ada').anotherBrowser });
const parameters = ({ searchParams }: URL): Record<string, string> => Object.fromEntries(searchParams);
async function startWith(other: Connection, request: Parameters<Connection['provider']['start']>[0]): Promise<URL> {
  const started = await other.provider.start(request);
  if ('refused' in started) throw new Error(started.detail);
  return started.url;
}

describe('sending somebody there', () => {
  test('a request is bound to its attempt, and always asks when the person signed in', async () => {
    const attempt = newAttempt();
    const url = await startWith(connection, { attempt });
    expect(url.href).toMatch(new RegExp(`^${upstream.issuer}/auth\\?`));
    expect(parameters(url)).toEqual({
      client_id: connection.clientId,
      response_type: 'code',
      response_mode: 'query',
      redirect_uri: REDIRECT_URI,
      scope: 'openid profile email groups',
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: 'S256',
      max_age: '2592000',
      // This provider says that it listens to `claims`.
      claims: '{"id_token":{"auth_time":{"essential":true}}}',
    });
    expect(url.href).not.toContain(attempt.pkceVerifier);
  });

  test('a forced one demands a fresh sign-in twice over', async () => {
    const url = await startWith(connection, { attempt: newAttempt(systemClock, true) });
    expect(parameters(url)).toMatchObject({ prompt: 'login', max_age: '1' });
  });

  test('hints and languages travel where they are given', async () => {
    const url = await startWith(connection, {
      attempt: newAttempt(),
      loginHint: 'ada@acme.example',
      domainHint: 'acme.example',
      uiLocales: 'de en',
    });
    expect(parameters(url)).toMatchObject({
      login_hint: 'ada@acme.example',
      domain_hint: 'acme.example',
      ui_locales: 'de en',
    });
  });

  test('openid is always asked for, and the claims an operator wants', async () => {
    const other = connect(upstream, {
      settings: { scopes: ['email'], requestedClaims: { userinfo: { groups: null } } },
    });
    const url = await startWith(other, { attempt: newAttempt() });
    expect(url.searchParams.get('scope')).toBe('openid email');
    expect(JSON.parse(url.searchParams.get('claims') ?? '')).toEqual({
      userinfo: { groups: null },
      id_token: { auth_time: { essential: true } },
    });
    await other.close();
  });

  test('a provider that does not listen to claims is not spoken to with them', async () => {
    upstream.behave({ discovery: without('claims_parameter_supported') });
    const other = connect(upstream, { settings: { scopes: undefined } });
    const url = await startWith(other, { attempt: newAttempt() });
    expect(url.searchParams.has('claims')).toBe(false);
    expect(url.searchParams.get('scope')).toBe('openid profile email');
    await other.close();
  });
});

describe('coming back', () => {
  test('brings a subject, what is said of them, when they signed in, and the session there', async () => {
    const before = Math.floor(Date.now() / 1000);
    const signIn = await connection.signIn(stranger());
    expect(signIn).toMatchObject({
      subject: 'ada',
      claims: { ...ADA.claims, sub: 'ada' },
      sid: expect.any(String) as string,
      idToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as string,
    });
    const { authTime } = signIn as { authTime: Date };
    expect(authTime.getTime() / 1000).toBeGreaterThanOrEqual(before);
    expect(authTime.getTime() / 1000).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test('how somebody signed in there is passed on where the provider tells', async () => {
    upstream.behave({ idToken: (claims) => ({ ...claims, acr: 'urn:example:2fa', amr: ['pwd', 7, 'otp'] }) });
    expect(await connection.signIn(stranger())).toMatchObject({ acr: 'urn:example:2fa', amr: ['pwd', 'otp'] });
  });

  test('somebody with a session there passes without a question, and the old time shows', async () => {
    const person = upstream.person('bob');
    const first = (await connection.signIn(person)) as { authTime: Date; sid: string };
    const again = await connection.signIn(person);
    expect(person.browser().page.text).not.toContain('Sign in');
    expect(again).toMatchObject({ subject: 'bob', authTime: first.authTime, sid: first.sid });
  });

  test('forced, the form is shown again in spite of the session', async () => {
    const person = stranger();
    const browser = person.browser();
    await connection.signIn(person, { browser });
    const asked = upstream.requests.filter((path) => path.startsWith('/sign-in/')).length;
    expect(await connection.signIn(person, { browser, forced: true })).toMatchObject({ subject: 'ada' });
    expect(upstream.requests.filter((path) => path.startsWith('/sign-in/')).length).toBe(asked + 2);
  });

  const takes = (methods: string[]): Behaviour => ({
    discovery: (all) => ({ ...all, token_endpoint_auth_methods_supported: methods }),
  });
  const post = 'client_secret_post';
  test.each<[string, Behaviour, Partial<OidcUpstream>, 'header' | 'body' | undefined]>([
    ['as the standard has it', {}, {}, 'header'],
    ['as the operator says, in the body', {}, { tokenEndpointAuthMethod: post }, 'body'],
    ['as the operator says, in a header', takes([post]), { tokenEndpointAuthMethod: 'client_secret_basic' }, 'header'],
    ['as the provider says, in the body', takes([post, 'private_key_jwt']), {}, 'body'],
    ['as the provider says, in a header', takes([post, 'client_secret_basic']), {}, 'header'],
    ['as the provider does not say', { discovery: without('token_endpoint_auth_methods_supported') }, {}, 'header'],
    ['without a secret', {}, { clientSecret: undefined }, undefined],
  ])('a client authenticates %s', async (_name, behaviour, settings, place) => {
    upstream.behave(behaviour);
    const seen: (string | undefined)[] = [];
    const other = connect(upstream, {
      settings,
      metadata: 'clientSecret' in settings ? { token_endpoint_auth_method: 'none' } : {},
      watch: (url, { headers, body }) => {
        if (!url.endsWith('/token')) return;
        const inHeader = new Headers(headers).get('authorization')?.startsWith('Basic ') === true;
        const inBody = new URLSearchParams(body ?? '').has('client_secret');
        seen.push(inHeader ? 'header' : inBody ? 'body' : undefined);
      },
    });
    expect(await other.signIn(stranger())).toMatchObject({ subject: 'ada' });
    expect(seen).toEqual([place]);
    await other.close();
  });

  test('a provider that does not say when somebody signed in is believed unless that was demanded', async () => {
    upstream.behave({ idToken: without('auth_time') });
    expect(await connection.signIn(stranger())).toMatchObject({ subject: 'ada', authTime: null });
  });

  test('a provider that does not name its sessions has no sid', async () => {
    upstream.behave({ idToken: without('sid') });
    expect(await connection.signIn(stranger())).toMatchObject({ subject: 'ada', sid: null });
  });

  test('somebody who changes their mind there comes back with the registered code, and no more of it', async () => {
    const person = stranger();
    const browser = person.browser();
    const attempt = newAttempt();
    await browser.open((await startWith(connection, { attempt })).href);
    await browser.press('Cancel');
    expect(browser.left?.searchParams.get('error_description')).toContain('<b>');
    expect(await connection.provider.finish({ callbackUrl: browser.left as URL, attempt, now: new Date() })).toEqual({
      refused: 'provider-error',
      detail: 'access_denied',
      code: 'access_denied',
    });
  });

  // The library, left to itself, refuses for the first minute.
  test.each([{ keepOld: true }, { keepOld: false }])('keys that have just been rotated are found: %o', async (how) => {
    const rotating = await startUpstream({ accounts: [ADA] });
    const clock = movableClock();
    const other = connect(rotating, { clock });
    expect(await other.signIn(rotating.person('ada'))).toMatchObject({ subject: 'ada' });
    await rotating.rotateKeys(how);
    clock.advance(6);
    expect(await other.signIn(rotating.person('ada'))).toMatchObject({ subject: 'ada' });
    await other.close();
    await rotating.stop();
  });
});

describe('UserInfo', () => {
  test('is not asked where the operator does not want it', async () => {
    const other = connect(upstream, { settings: { userInfo: false } });
    const asked = upstream.requests.filter((path) => path === '/me').length;
    const signIn = (await other.signIn(stranger())) as { claims: Record<string, unknown> };
    expect(signIn.claims).not.toHaveProperty('email');
    expect(upstream.requests.filter((path) => path === '/me').length).toBe(asked);
    await other.close();
  });

  test('is not asked where there is none', async () => {
    upstream.behave({ discovery: without('userinfo_endpoint') });
    const other = connect(upstream);
    expect(await other.signIn(stranger())).toMatchObject({ subject: 'ada' });
    await other.close();
  });

  test('only adds to what was signed', async () => {
    upstream.behave({
      idToken: (claims) => ({ ...claims, name: 'Signed' }),
      userInfo: (claims) => ({ ...claims, name: 'Added', iss: 'https://evil.test', sid: 'another', acr: 'high' }),
    });
    const signIn = (await connection.signIn(stranger())) as { claims: Record<string, unknown>; sid: string };
    expect(signIn.claims).toMatchObject({
      name: 'Signed',
      iss: upstream.issuer,
      sub: 'ada',
      email: 'ada@acme.example',
    });
    expect(signIn.sid).not.toBe('another');
    // What the person did there is the ID Token's to say.
    expect(signIn).not.toHaveProperty('acr');
  });

  const X = { email: 'x@acme.example' };
  const Y = { email: 'y@acme.example' };
  test.each([
    ['both from UserInfo', {}, { ...X, email_verified: true }, { ...X, email_verified: true }],
    ['both from the ID Token', { ...X, email_verified: true }, {}, { ...X, email_verified: true }],
    ['agreeing', X, { ...X, email_verified: true }, { ...X, email_verified: true }],
    ["UserInfo's word for another address", X, { ...Y, email_verified: true }, X],
    ["the ID Token's word for another address", { email_verified: true }, Y, Y],
    [
      'the ID Token denies it',
      { ...X, email_verified: false },
      { ...X, email_verified: true },
      { ...X, email_verified: false },
    ],
  ])('an address and the word that it is verified come together: %s', async (_name, signed, added, merged) => {
    upstream.behave({
      idToken: (claims) => ({ ...claims, ...signed }),
      userInfo: ({ sub }) => ({ sub, ...added }),
    });
    const { claims } = (await connection.signIn(stranger())) as { claims: Record<string, unknown> };
    expect({ email: claims['email'], email_verified: claims['email_verified'] }).toEqual({
      email_verified: undefined,
      ...merged,
    });
  });
});

describe('signing out there', () => {
  test('the address ends the session there and leads back', async () => {
    const other = connect(upstream, { metadata: { post_logout_redirect_uris: ['http://curfew.test/bye'] } });
    const person = stranger();
    const browser = person.browser();
    const { idToken } = (await other.signIn(person, { browser })) as { idToken: string };
    const url = await other.provider.endSessionUrl({
      idTokenHint: idToken,
      postLogoutRedirectUri: 'http://curfew.test/bye',
      state: 'back',
    });
    await browser.open(url?.href ?? '');
    await browser.press('Sign out');
    expect(browser.left?.href).toBe('http://curfew.test/bye?state=back');
    await browser.open((await startWith(other, { attempt: newAttempt() })).href);
    expect(browser.buttons).toContain('Sign in');
    await other.close();
  });

  test.each([
    ['has none', { discovery: without('end_session_endpoint') }],
    ['is away', { down: { discovery: 503 } }],
    [
      'has one that browsers must not be sent to',
      { discovery: (all: object) => ({ ...all, end_session_endpoint: 'javascript:alert(1)' }) },
    ],
  ])('there is no address where the provider %s', async (_name, behaviour) => {
    upstream.behave(behaviour);
    const other = connect(upstream);
    expect(
      await other.provider.endSessionUrl({
        idTokenHint: 'x',
        postLogoutRedirectUri: 'http://curfew.test/bye',
        state: 's',
      }),
    ).toBeNull();
    await other.close();
  });
});

describe('an issuer', () => {
  const create = (issuer: string) =>
    createOidcUpstream({
      upstream: { ...connection.upstream, issuer },
      fetch: () => Promise.reject(new Error('nothing is fetched')),
      clock: systemClock,
    });
  test.each([
    'http://id.example',
    'http://10.0.0.1',
    'http://localhost.evil.test',
    'https://a.test?x',
    'ftp://a.test',
    'a.test',
  ])('%s is refused before anything is fetched', (issuer) => expect(() => create(issuer)).toThrow(TypeError));
  test.each([
    'https://id.example',
    'https://id.example/tenant',
    'http://localhost:1',
    'http://acme.localhost',
    'http://127.1.2.3',
    'http://[::1]:8',
  ])('%s is not', (issuer) => expect(create(issuer).upstream.issuer).toBe(issuer));
});
