/**
 * Rows 38, 39 and 41 of the hostile inputs: what can be posted to the endpoint where upstream providers announce sign-outs.
 * Each case is first shown to pass without its twist (OpenID Connect Back-Channel Logout 1.0 §2.6).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { verifyLogoutToken } from '../../src/connections/oidc/logout-token.ts';
import { listen } from '../support/ears.ts';
import type { Behaviour, Signature } from '../support/upstream-behaviour.ts';
import { connect, type Connection, movableClock, newAttempt, outwait } from '../support/upstream-connection.ts';
import { LOGOUT_EVENT, startUpstream, type Upstream } from '../support/upstream-idp.ts';

type Claims = Record<string, unknown>;
type Twist = {
  /** Or what makes them when the time has come. */
  readonly claims?: Claims | (() => Claims);
  readonly header?: Claims;
  readonly signature?: Signature;
  readonly raw?: (token: string) => string;
};

const NAMED = { sub: 'ada', sid: 'session-1' };
const clock = movableClock();
let upstream: Upstream;
let connection: Connection;
beforeAll(async () => {
  upstream = await startUpstream({ accounts: [{ sub: 'ada' }] });
  connection = connect(upstream, { clock });
});
beforeEach(() => upstream.behave({}));
afterAll(async () => {
  await connection.close();
  await upstream.stop();
});

const verify = (token: string, { upstream, provider }: Connection = connection) =>
  verifyLogoutToken({ token, upstream, keys: provider.keys, now: clock.now() });

/** As the provider makes it now, by our clock, but for a twist. */
async function make(twist: Twist = {}) {
  const { header = {}, signature = 'genuine', raw = (token) => token } = twist;
  const iat = Math.floor(clock.now().getTime() / 1000);
  const all = { ...upstream.logoutClaims(connection.clientId, NAMED), iat, exp: iat + 120, ...claimsOf(twist) };
  return raw(await upstream.signAs(signature, all, { typ: 'logout+jwt', ...header }, connection.clientSecret));
}

async function expectRefused(twist: Twist, refused: string): Promise<void> {
  expect(await verify(await make())).toMatchObject({ subject: 'ada', sid: 'session-1' });
  expect(await verify(await make(twist))).toEqual({ refused });
}

const seconds = (ahead: number): number => Math.floor(clock.now().getTime() / 1000) + ahead;
const saying = (claims: Claims | (() => Claims)): Twist => ({ claims });
const claimsOf = ({ claims = {} }: Twist): Claims => (typeof claims === 'function' ? claims() : claims);
const headed = (header: Claims): Twist => ({ header });

describe('a Logout Token', () => {
  test('says who has signed out, and until when it could come again', async () => {
    const iat = seconds(-10);
    expect(await verify(await make({ claims: { iat, exp: iat + 120, jti: 'one' } }))).toEqual({
      jti: 'one',
      subject: 'ada',
      sid: 'session-1',
      issuedAt: new Date(iat * 1000),
      expiresAt: new Date((iat + 120) * 1000),
      replayableUntil: new Date((iat + 120) * 1000),
    });
  });

  test('that lives long is forgotten when it is too old to be believed', async () => {
    const iat = seconds(0);
    expect(await verify(await make({ claims: { iat, exp: iat + 86_400 } }))).toMatchObject({
      replayableUntil: new Date((iat + 300) * 1000),
    });
  });

  test.each<[string, Twist, Claims]>([
    ['of no type', headed({ typ: undefined }), {}],
    ['of the type of all', headed({ typ: 'JWT' }), {}],
    ['of its whole media type', headed({ typ: 'application/logout+jwt' }), {}],
    ['of its type in capitals', headed({ typ: 'LOGOUT+JWT' }), {}],
    ['for several', saying({ aud: ['another', 'curfew'] }), {}],
    ['about a person', saying({ sid: undefined }), { subject: 'ada', sid: null }],
    ['about a session', saying({ sub: undefined }), { subject: null, sid: 'session-1' }],
    ['with more to say', saying({ events: { [LOGOUT_EVENT]: { reason: 'x' }, 'https://x.test': 1 }, more: 1 }), {}],
    ['from a clock that is ahead', saying(() => ({ iat: seconds(290), nbf: seconds(290), exp: seconds(400) })), {}],
  ])('%s is believed', async (_name, twist, content) => {
    const claims = claimsOf(twist);
    const aud = claims['aud'] === undefined ? {} : { aud: ['another', connection.clientId] };
    const token = await make({ ...twist, claims: { ...claims, ...aud } });
    expect(await verify(token)).toMatchObject({ subject: 'ada', ...content });
  });

  test('as a provider sends it, when it signs somebody out', async () => {
    const ears = await listen();
    const told = connect(upstream, { clock, metadata: { backchannel_logout_uri: `${ears.url}/acme` } });
    const person = upstream.person('ada');
    const browser = person.anotherBrowser();
    const { sid } = (await told.signIn(person, { browser })) as { sid: string };
    expect(await upstream.signOutEverywhere('ada')).toContainEqual(
      expect.objectContaining({ clientId: told.clientId, status: 200 }),
    );
    const [heard] = ears.by('acme');
    expect(await verify(heard?.token ?? '', told)).toMatchObject({ subject: 'ada', sid });
    // It is over there too: whoever comes again is asked.
    const again = await told.provider.start({ attempt: newAttempt(clock) });
    await browser.open('url' in again ? again.url.href : '');
    expect(browser.buttons).toContain('Sign in');
    await told.close();
    await ears.close();
  });
});

// Row 38. CVE-2026-18569; RFC 8725 §3.1.
test.each<[string, Twist, string]>([
  ['unsigned', { signature: 'none' }, 'algorithm'],
  ['HS256 with the public key for a secret', { signature: 'public-key-as-secret' }, 'algorithm'],
  ['HS256 with the client secret', { signature: 'client-secret' }, 'algorithm'],
  ['signed by a foreign key', { signature: 'foreign-key' }, 'bad-signature'],
  ['signed by a key it carries itself', { signature: 'embedded-key' }, 'bad-signature'],
  ['changed after it was signed', { signature: 'tampered' }, 'bad-signature'],
  ['signed by a key that nobody publishes', headed({ kid: 'unknown' }), 'unknown-key'],
  ['without its signature', { raw: (token) => token.slice(0, token.lastIndexOf('.') + 1) }, 'bad-signature'],
  ['with half its signature', { raw: (token) => token.slice(0, -42) }, 'bad-signature'],
])('38 %s → refused', (_name, twist, refused) => expectRefused(twist, refused));

describe('39 signed, and no Logout Token for us, now', () => {
  const event = (value: unknown): Twist => saying({ events: { [LOGOUT_EVENT]: value } });
  test.each<[string, Twist, string]>([
    ['of another issuer', saying({ iss: 'https://evil.test' }), 'wrong-issuer'],
    ['of no issuer', saying({ iss: undefined }), 'wrong-issuer'],
    ['of a list of issuers', saying({ iss: ['https://evil.test'] }), 'wrong-issuer'],
    ['for another client', saying({ aud: 'another' }), 'wrong-audience'],
    ['for other clients', saying({ aud: ['another', 'yet another'] }), 'wrong-audience'],
    ['for nobody', saying({ aud: undefined }), 'wrong-audience'],
    ['issued too long ago', saying(() => ({ iat: seconds(-301), exp: seconds(60) })), 'stale'],
    ['issued too far ahead', saying(() => ({ iat: seconds(400), exp: seconds(500) })), 'stale'],
    ['issued at no time', saying({ iat: undefined }), 'stale'],
    ['issued in words', saying({ iat: 'now' }), 'stale'],
    ['issued past all time', saying({ iat: 1e300 }), 'stale'],
    ['that has expired', saying(() => ({ exp: seconds(-1) })), 'expired'],
    ['that never expires', saying({ exp: undefined }), 'expired'],
    ['that expires in words', saying({ exp: 'tomorrow' }), 'expired'],
    ['that is not good yet', saying(() => ({ nbf: seconds(3600) })), 'not-yet-valid'],
    ['that is good from a word on', saying({ nbf: 'now' }), 'not-yet-valid'],
    ['without an identifier', saying({ jti: undefined }), 'no-identifier'],
    ['with an empty identifier', saying({ jti: '' }), 'no-identifier'],
    ['with a number for an identifier', saying({ jti: 7 }), 'no-identifier'],
    ['with an endless identifier', saying({ jti: 'x'.repeat(513) }), 'no-identifier'],
    ['without events', saying({ events: undefined }), 'not-a-logout'],
    ['with null for events', saying({ events: null }), 'not-a-logout'],
    ['with a list of events', saying({ events: [LOGOUT_EVENT] }), 'not-a-logout'],
    ['with events in words', saying({ events: LOGOUT_EVENT }), 'not-a-logout'],
    ['with another event', saying({ events: { 'https://schemas.openid.net/event/other': {} } }), 'not-a-logout'],
    ['with true for the event', event(true), 'not-a-logout'],
    ['with null for the event', event(null), 'not-a-logout'],
    ['with a list for the event', event([]), 'not-a-logout'],
    ['with a word for the event', event('{}'), 'not-a-logout'],
    // What tells it from an ID Token.
    ['with a nonce', saying({ nonce: 'n' }), 'nonce'],
    ['with an empty nonce', saying({ nonce: '' }), 'nonce'],
    ['with null for a nonce', saying({ nonce: null }), 'nonce'],
    ['about nobody', saying({ sub: undefined, sid: undefined }), 'names-nobody'],
    ['about a number', saying({ sub: 7 }), 'bad-name'],
    ['about null', saying({ sub: null, sid: 'session-1' }), 'bad-name'],
    ['about nobody by name', saying({ sub: '' }), 'bad-name'],
    ['about a pattern', saying({ sub: { $ne: null } }), 'bad-name'],
    ['about a list of sessions', saying({ sid: ['session-1'] }), 'bad-name'],
    ['about no session by name', saying({ sid: '' }), 'bad-name'],
    ['about an endless session', saying({ sid: 'x'.repeat(513) }), 'bad-name'],
    // RFC 8725 §3.11.
    ['of the type of access tokens', headed({ typ: 'at+jwt' }), 'wrong-type'],
    ['of the type of security events', headed({ typ: 'secevent+jwt' }), 'wrong-type'],
    ['of an empty type', headed({ typ: '' }), 'wrong-type'],
    ['of a number for a type', headed({ typ: 7 }), 'wrong-type'],
    // RFC 7515 §4.1.11.
    ['that demands an extension', headed({ crit: ['x'], x: 1 }), 'critical-header'],
    ['whose key is called by a number', headed({ kid: 7 }), 'malformed'],
  ])('%s → refused', (_name, twist, refused) => expectRefused(twist, refused));

  test.each<[string, (token: string) => string]>([
    ['empty', () => ''],
    ['a word', () => 'logout'],
    ['two parts', (token) => token.slice(0, token.lastIndexOf('.'))],
    ['five parts', (token) => `${token}.x.y`],
    ['with padding', (token) => `${token}==`],
    ['with a blank', (token) => ` ${token}`],
    ['with a line break', (token) => `${token}\n`],
    ['in the other alphabet', (token) => token.replace(/\.[\w-]/, '.+')],
    ['with bits left over', (token) => `${token.slice(0, -1)}${token.endsWith('B') ? 'C' : 'B'}`],
    ['longer than anybody reads', (token) => token + 'A'.repeat(70_000)],
    ['whose header is a list', (token) => `W10${token.slice(token.indexOf('.'))}`],
    ['whose claims are no JSON', (token) => `${token.split('.')[0]}.e30x.${token.split('.')[2]}`],
    ['whose claims are no text', (token) => `${token.split('.')[0]}._w.${token.split('.')[2]}`],
  ])('%s → refused', (_name, raw) => expectRefused({ raw }, 'malformed'));

  test('an ID Token of the same person → refused', async () => {
    const { idToken } = (await connection.signIn(upstream.person('ada'))) as { idToken: string };
    expect(await verify(idToken)).toMatchObject({ refused: expect.any(String) as string });
  });

  test('the same again → believed here, and told apart by whoever keeps the identifiers', async () => {
    const token = await make({ claims: { jti: 'again' } });
    expect(await verify(token)).toMatchObject({ jti: 'again' });
    expect(await verify(token)).toMatchObject({ jti: 'again', replayableUntil: expect.any(Date) as Date });
  });

  test("another client's, of the same provider → refused", async () => {
    const other = connect(upstream, { clock });
    const token = await upstream.logoutToken(other.clientId, NAMED);
    expect(await verify(token, other)).toMatchObject({ subject: 'ada' });
    expect(await verify(token)).toEqual({ refused: 'wrong-audience' });
    await other.close();
  });

  test('of another provider, that knows what we are called here → refused', async () => {
    const evil = await startUpstream();
    const claims = evil.logoutClaims(connection.clientId, NAMED);
    const token = await evil.sign({ ...claims, iss: upstream.issuer }, { typ: 'logout+jwt' });
    expect(await verify(token)).toEqual({ refused: 'bad-signature' });
    expect(await verify(await evil.sign(claims, { typ: 'logout+jwt' }))).toEqual({ refused: 'wrong-issuer' });
    await evil.stop();
  });
});

describe('41 keys that cannot be had', () => {
  test.each<[string, Behaviour]>([
    ['discovery is down', { down: { discovery: 503 } }],
    ['discovery is gone', { down: { discovery: 404 } }],
    ['discovery is another', { discovery: (all) => ({ ...all, issuer: 'https://evil.test' }) }],
    ['keys are down', { down: { jwks: 500 } }],
    ['keys are a page', { down: { jwks: { status: 200, type: 'text/html', body: '<p>' } } }],
  ])('%s → not dropped: unavailable, and believed once they are back', async (_name, behaviour) => {
    const other = connect(upstream, { clock });
    const token = await upstream.logoutToken(other.clientId, NAMED);
    upstream.behave(behaviour);
    expect(await verify(token, other)).toEqual({ unavailable: true });
    upstream.behave({});
    expect(await verify(token, other)).toMatchObject({ subject: 'ada' });
    await other.close();
  });

  test('keys that never come → unavailable in the time that was promised', async () => {
    const other = connect(upstream, { clock });
    const token = await upstream.logoutToken(other.clientId, NAMED);
    upstream.behave({ down: { jwks: 'hangs' } });
    const ask = () => verify(token, other);
    expect(await outwait(upstream, clock, { path: '/jwks', ask })).toEqual({ unavailable: true });
    await other.close();
  });

  test('what is wrong in itself is refused even then', async () => {
    const other = connect(upstream, { clock });
    upstream.behave({ down: { discovery: 503 } });
    const claims = upstream.logoutClaims(other.clientId, {});
    expect(await verify(await upstream.sign(claims), other)).toEqual({ refused: 'names-nobody' });
    await other.close();
  });

  test('a new key that cannot be looked up → unavailable, never refused', async () => {
    const provider = await startUpstream();
    const other = connect(provider, { clock });
    expect(await verify(await provider.logoutToken(other.clientId, NAMED), other)).toMatchObject({ subject: 'ada' });
    await provider.rotateKeys();
    clock.advance(6);
    const token = await provider.sign({
      ...provider.logoutClaims(other.clientId, NAMED),
      iat: seconds(0),
      exp: seconds(120),
    });
    provider.behave({ down: { jwks: 503 } });
    expect(await verify(token, other)).toEqual({ unavailable: true });
    // Within the five seconds that follow nobody looks again; and still nothing is lost.
    provider.behave({});
    expect(await verify(token, other)).toEqual({ unavailable: true });
    clock.advance(6);
    expect(await verify(token, other)).toMatchObject({ subject: 'ada' });
    await other.close();
    await provider.stop();
  });

  test('tokens of keys that nobody has cannot make us ask for them at will', async () => {
    const other = connect(upstream, { clock });
    await other.provider.start({ attempt: newAttempt() });
    await verify(await upstream.logoutToken(other.clientId, NAMED), other);
    const asked = (): number => upstream.requests.filter((path) => path === '/jwks').length;
    const before = asked();
    const started = clock.now();
    for (let nth = 0; nth < 50; nth++) {
      const claims = upstream.logoutClaims(other.clientId, NAMED);
      expect(await verify(await upstream.sign(claims, { kid: `made up ${nth}` }), other)).toEqual({
        refused: 'unknown-key',
      });
    }
    const elapsedSeconds = (clock.now().getTime() - started.getTime()) / 1000;
    expect(asked() - before).toBeLessThanOrEqual(1 + elapsedSeconds / 5);
    await other.close();
  });
});
