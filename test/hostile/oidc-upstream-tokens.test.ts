/**
 * All that can be wrong with what an upstream provider says of somebody: its ID Token, when they signed in there, UserInfo.
 * Each case is first shown to pass without its twist, so that it is the twist that is refused.
 */
import { describe, expect, test, vi } from 'vitest';

import { type Behaviour, type Signature, without } from '../support/upstream-behaviour.ts';
import { connect, movableClock, withParameters } from '../support/upstream-connection.ts';
import { startUpstream } from '../support/upstream-idp.ts';
import { sharedUpstream, type Twist, type Way } from './upstream-twist.ts';

type Claims = Record<string, unknown>;

const { upstream, connection, twisted, expectRefused } = sharedUpstream();

describe('an ID Token', () => {
  const signed = (signature: Signature): Twist => ({ behaviour: { signature } });
  const saying = (more: Claims | ((claims: Claims) => Claims)): Twist => ({
    behaviour: { idToken: typeof more === 'function' ? more : (claims) => ({ ...claims, ...more }) },
  });
  const lacking = (name: string): Twist => saying(without(name));
  const header = (more: Claims): Twist => ({ behaviour: { idTokenHeader: (all) => ({ ...all, ...more }) } });
  const raw = (bend: (token: string) => string): Twist => ({
    behaviour: { token: (all) => ({ ...all, id_token: bend(String(all['id_token'])) }) },
  });
  const soon = Math.floor(Date.now() / 1000);

  test.each<[string, Twist, string]>([
    // RFC 8725 §3.1.
    ['unsigned', signed('none'), 'id-token-algorithm'],
    ['HS256 with the public key for a secret', signed('public-key-as-secret'), 'id-token-algorithm'],
    ['HS256 with the client secret', signed('client-secret'), 'id-token-algorithm'],
    ['of a foreign key', signed('foreign-key'), 'id-token-signature'],
    ['of a key it carries itself', signed('embedded-key'), 'id-token-signature'],
    ['changed after it was signed', signed('tampered'), 'id-token-signature'],
    ['of a key that nobody knows', header({ kid: 'unknown' }), 'id-token-signature'],
    ['whose kid is a number', header({ kid: 7 }), 'id-token-malformed'],
    // RFC 7515 §4.1.11.
    ['that demands an extension', header({ crit: ['x'], x: 1 }), 'id-token-malformed'],
    ['of another issuer', saying({ iss: 'https://evil.test' }), 'id-token-issuer'],
    ['of no issuer', lacking('iss'), 'id-token-issuer'],
    ['for another client', saying({ aud: 'another' }), 'id-token-audience'],
    ['for nobody', lacking('aud'), 'id-token-audience'],
    [
      'for us and another, asked for by the other',
      saying(({ aud, ...claims }) => ({ ...claims, aud: [aud, 'another'], azp: 'another' })),
      'id-token-audience',
    ],
    [
      'for us and another, asked for by nobody',
      saying(({ aud, ...claims }) => ({ ...claims, aud: [aud, 'another'] })),
      'id-token-audience',
    ],
    ['for us alone, asked for by another', saying({ azp: 'another' }), 'id-token-audience'],
    ['that has expired', saying({ exp: soon - 60 }), 'id-token-expired'],
    ['that is not good yet', saying({ nbf: soon + 3600 }), 'id-token-expired'],
    ['that never expires', lacking('exp'), 'id-token-malformed'],
    ['that expires in words', saying({ exp: 'tomorrow' }), 'id-token-malformed'],
    ['issued at no time', lacking('iat'), 'id-token-malformed'],
    ['of another attempt', saying({ nonce: 'another' }), 'id-token-nonce'],
    ['of no attempt', lacking('nonce'), 'id-token-nonce'],
    ['about nobody', lacking('sub'), 'id-token-malformed'],
    ['about a number', saying({ sub: 7 }), 'id-token-malformed'],
    ['about somebody without a name', saying({ sub: '' }), 'id-token-malformed'],
    ['about somebody whose name is too long', saying({ sub: 'x'.repeat(256) }), 'id-token-malformed'],
    ['in two parts', raw((token) => token.slice(0, token.lastIndexOf('.'))), 'id-token-malformed'],
    ['encrypted', raw((token) => `${token}.x.y`), 'id-token-malformed'],
    ['with padding', raw((token) => `${token}=`), 'id-token-malformed'],
    ['with a line break', raw((token) => `${token}\n`), 'id-token-malformed'],
    ['empty', raw(() => ''), 'id-token-malformed'],
    [
      'not JSON',
      raw((token) => `${token.split('.')[0]}.${Buffer.from('{').toString('base64url')}.x`),
      'id-token-malformed',
    ],
  ])('%s → refused', (_name, twist, refused) => expectRefused(twist, refused));

  test('for us and another, asked for by us → believed', async () => {
    const twist = saying(({ aud, ...claims }) => ({ ...claims, aud: [aud, 'another'], azp: aud }));
    expect((await twisted(twist)).answer).toMatchObject({ subject: 'ada' });
  });

  // The library believes the first where discovery lists it: its check of signatures is another one.
  test.each<Signature>(['none', 'public-key-as-secret', 'client-secret'])(
    'signed by %s, though the provider lists it → refused',
    async (signature) => {
      const discovery = (all: Claims): Claims => ({
        ...all,
        id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
      });
      const lax = await startUpstream({ accounts: [{ sub: 'ada' }], behaviour: { discovery } });
      const other = connect(lax);
      expect(await other.signIn(lax.person('ada'))).toMatchObject({ subject: 'ada' });
      lax.behave({ discovery, signature });
      expect(await other.signIn(lax.person('ada'))).toMatchObject({ refused: 'id-token-algorithm' });
      await other.close();
      await lax.stop();
    },
  );

  test('for the nonce that was not kept → refused', () =>
    expectRefused({ remember: (attempt) => ({ ...attempt, nonce: 'another' }) }, 'id-token-nonce'));

  test('that has expired by our clock, whatever the machine says → refused', async () => {
    const later = (): Date => new Date(Date.now() + 24 * 3600 * 1000);
    await expectRefused({ now: later }, 'id-token-expired');
  });

  test('of a new key, while the keys cannot be had → not judged', async () => {
    const clock = movableClock();
    const other = connect(upstream(), { clock });
    const { answer } = await twisted(
      {
        behaviour: { down: { jwks: 503 }, idTokenHeader: (all) => ({ ...all, kid: 'new' }) },
        bring: (url) => {
          clock.advance(6);
          return url;
        },
      },
      other,
    );
    expect(answer).toMatchObject({ refused: 'provider-unreachable' });
    await other.close();
  });
});

describe('a fresh sign-in that was demanded', () => {
  const seconds = (ahead: number): number => Math.floor(Date.now() / 1000) + ahead;
  const authTime = (value: () => unknown): Behaviour => ({ idToken: (claims) => ({ ...claims, auth_time: value() }) });

  /** Past what two clocks may differ by. */
  async function tenSecondsLater(twist: Pick<Twist, 'behaviour' | 'send'>) {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const person = upstream().person('ada');
    const browser = person.anotherBrowser();
    expect(await connection().signIn(person, { browser, forced: true })).toMatchObject({ subject: 'ada' });
    vi.setSystemTime(Date.now() + 10_000);
    expect(await connection().signIn(person, { browser, forced: true })).toMatchObject({ subject: 'ada' });
    vi.setSystemTime(Date.now() + 10_000);
    upstream().behave(twist.behaviour ?? {});
    return connection().signIn(person, { browser, forced: true, ...(twist.send && { send: twist.send }) });
  }

  test('by a provider that ignores it → refused', async () => {
    const answer = await tenSecondsLater({ behaviour: { freshness: 'ignored' } });
    expect(answer).toMatchObject({ refused: 'stale-authentication' });
  });

  test('and taken out of the address bar → refused', async () => {
    const send: Way['send'] = (url) => withParameters(url, { prompt: undefined, max_age: '86400' });
    expect(await tenSecondsLater({ send })).toMatchObject({ refused: 'stale-authentication' });
  });

  test('and taken out of the address bar, with all that asks for the time → refused', async () => {
    const send: Way['send'] = (url) =>
      withParameters(url, { prompt: undefined, max_age: undefined, claims: undefined });
    expect(await tenSecondsLater({ send })).toMatchObject({ refused: 'authentication-time-missing' });
  });

  test.each<[string, Twist, string]>([
    [
      'of which the provider says nothing',
      { behaviour: { idToken: without('auth_time') } },
      'authentication-time-missing',
    ],
    ['of which it says something old', { behaviour: authTime(() => seconds(-60)) }, 'stale-authentication'],
    ['at the beginning of time', { behaviour: authTime(() => 0) }, 'stale-authentication'],
    ['in words', { behaviour: authTime(() => String(seconds(0))) }, 'authentication-time-wrong'],
    ['before the beginning of time', { behaviour: authTime(() => -1) }, 'authentication-time-wrong'],
    ['of null', { behaviour: authTime(() => null) }, 'authentication-time-wrong'],
    ['that lies ahead', { behaviour: authTime(() => seconds(120)) }, 'authentication-time-wrong'],
    ['in milliseconds', { behaviour: authTime(() => Date.now()) }, 'authentication-time-wrong'],
    ['past all time', { behaviour: authTime(() => 1e300) }, 'authentication-time-wrong'],
  ])('%s → refused', (_name, twist, refused) => expectRefused({ ...twist, forced: true }, refused));

  test('not demanded: a session there of a month is good, an older one is not', async () => {
    const month = 30 * 24 * 3600;
    expect((await twisted({ behaviour: authTime(() => seconds(60 - month)) })).answer).toMatchObject({
      subject: 'ada',
    });
    await expectRefused({ behaviour: authTime(() => seconds(-60 - month)) }, 'stale-authentication');
    await expectRefused({ behaviour: authTime(() => seconds(3600)) }, 'authentication-time-wrong');
  });
});

describe('UserInfo', () => {
  const down = (outage: NonNullable<Behaviour['down']>['userinfo']): Twist => ({
    behaviour: { down: { userinfo: outage } } as Behaviour,
  });
  const saying = (more: Claims): Twist => ({ behaviour: { userInfo: (claims) => ({ ...claims, ...more }) } });
  test.each<[string, Twist, string]>([
    // OpenID Connect Core §5.3.2.
    ['about somebody else', saying({ sub: 'eve' }), 'userinfo-subject'],
    ['about somebody in another case', saying({ sub: 'ADA' }), 'userinfo-subject'],
    ['about nobody', saying({ sub: undefined }), 'userinfo-refused'],
    ['refused', down(403), 'userinfo-refused'],
    ['that leads elsewhere', down(302), 'userinfo-refused'],
    ['that is a page', down({ status: 200, type: 'text/html', body: '<p>' }), 'userinfo-refused'],
    ['that is a list', down({ status: 200, body: '[]' }), 'userinfo-refused'],
    ['that fails', down(500), 'provider-unreachable'],
  ])('%s → refused', (_name, twist, refused) => expectRefused(twist, refused));

  test('cannot make a refusal, or anything else, of a sign-in by what it calls its claims', async () => {
    const { answer } = await twisted(saying({ refused: 'x', userInfo: { sub: 'eve' }, subject: 'eve' }));
    expect(answer).toMatchObject({ subject: 'ada', claims: { refused: 'x' } });
    expect(answer).not.toHaveProperty('refused');
  });
});
