/**
 * Rows 49, 50 and 54 of the hostile inputs, and all else that can be wrong with what a browser brings back from an upstream
 * provider, and with what a code is exchanged for. Each case is first shown to pass without its twist, so that it is the
 * twist that is refused.
 */
import { describe, expect, test } from 'vitest';

import { type Behaviour, without } from '../support/upstream-behaviour.ts';
import { connect, movableClock, outwait, withParameters } from '../support/upstream-connection.ts';
import { startUpstream } from '../support/upstream-idp.ts';
import { type Bring, bring, sharedUpstream, twice, type Twist } from './upstream-twist.ts';

const { upstream, connection, twisted, expectRefused, expectRefusedAtOnce } = sharedUpstream();

describe('49 the issuer of an answer', () => {
  // RFC 9207 §2.4, RFC 9700 §4.4: the mix-up attack sends the code of one provider to another.
  test.each<[string, Bring]>([
    ['another', bring({ iss: 'https://evil.test' })],
    ['a longer one', (url) => withParameters(url, { iss: `${upstream().issuer}.evil.test` })],
    ['one with a slash', (url) => withParameters(url, { iss: `${upstream().issuer}/` })],
    ['none, by a provider that says it names itself', bring({ iss: undefined })],
    ['empty', bring({ iss: '' })],
    ['another, on an error', bring({ iss: 'https://evil.test', code: undefined, error: 'access_denied' })],
  ])('%s → refused, and the code goes nowhere', (_name, bring) => expectRefusedAtOnce({ bring }, 'issuer-mismatch'));

  test('named twice → refused', () => expectRefusedAtOnce({ bring: twice('iss') }, 'malformed-callback'));

  test('another, by a provider that does not say it names itself → refused all the same', async () => {
    const silent = await startUpstream({
      accounts: [{ sub: 'ada' }],
      behaviour: { discovery: (all) => ({ ...all, authorization_response_iss_parameter_supported: false }) },
    });
    const other = connect(silent);
    const person = silent.person('ada');
    expect(await other.signIn(person)).toMatchObject({ subject: 'ada' });
    expect(await other.signIn(person, { bring: bring({ iss: undefined }) })).toMatchObject({ subject: 'ada' });
    expect(await other.signIn(person, { bring: bring({ iss: 'https://evil.test' }) })).toMatchObject({
      refused: 'issuer-mismatch',
    });
    await other.close();
    await silent.stop();
  });

  test("another provider's whole answer, at the state of ours → refused, and its code is not sent to ours", async () => {
    const evil = await startUpstream({ accounts: [{ sub: 'ada' }] });
    const evils = connect(evil);
    let stolen = '';
    await evils.signIn(evil.person('ada'), {
      bring: (url) => {
        stolen = url.searchParams.get('code') ?? '';
        return url;
      },
    });
    await expectRefusedAtOnce({ bring: bring({ code: stolen, iss: evil.issuer }) }, 'issuer-mismatch');
    await evils.close();
    await evil.stop();
  });
});

describe('50 an answer without a code', () => {
  test.each([
    ['an access token alone', bring({ code: undefined, access_token: 'x', token_type: 'Bearer' }), 'code-missing'],
    ['an ID Token alone', bring({ code: undefined, id_token: 'eyJ.eyJ.x' }), 'code-missing'],
    ['nothing', bring({ code: undefined }), 'code-missing'],
    ['an empty code', bring({ code: '' }), 'code-missing'],
    ['a code in the fragment', (url: URL) => new URL(url.href.replace('code=', '#code=')), 'state-mismatch'],
    ['two codes', twice('code', 'other'), 'malformed-callback'],
    ['an access token beside it', bring({ access_token: 'x' }), 'malformed-callback'],
    ['an ID Token beside it', bring({ id_token: 'x' }), 'malformed-callback'],
    ['a signed response beside it', bring({ response: 'eyJ.eyJ.x' }), 'malformed-callback'],
  ])('%s → refused', (_name, bring, refused) => expectRefusedAtOnce({ bring }, refused));
});

describe('54 a state we did not issue', () => {
  test.each([
    ['another', bring({ state: 'x'.repeat(43) }), 'state-mismatch'],
    ['none', bring({ state: undefined }), 'state-mismatch'],
    ['empty', bring({ state: '' }), 'state-mismatch'],
    ['twice', twice('state'), 'malformed-callback'],
    ['another, on an error', bring({ state: 'x', code: undefined, error: 'access_denied' }), 'state-mismatch'],
  ])('%s → refused', (_name, bring, refused) => expectRefusedAtOnce({ bring }, refused));
});

describe('an error', () => {
  const error = (code: string, more = {}) => bring({ code: undefined, error: code, ...more });
  test.each(['access_denied', 'login_required', 'interaction_required', 'temporarily_unavailable', 'server_error'])(
    '%s → passed on by its name',
    async (code) => {
      const { answer, exchanged } = await twisted({ bring: error(code) });
      expect(answer).toEqual({ refused: 'provider-error', detail: code, code });
      expect(exchanged).toBe(0);
    },
  );
  test.each(['<script>alert(1)</script>', 'ACCESS_DENIED', '', 'access_denied\r\nSet-Cookie: a=b', '__proto__'])(
    '%j → no more than that there was one',
    async (code) => {
      const { answer } = await twisted({
        bring: error(code, { error_description: '<script>', error_uri: 'https://evil.test' }),
      });
      expect(answer).toEqual({ refused: 'provider-error', detail: 'an error that no registry knows' });
    },
  );
  test('twice → refused', () =>
    expectRefusedAtOnce(
      {
        bring: (url) => {
          const bent = withParameters(url, { code: undefined });
          for (const one of ['access_denied', 'login_required']) bent.searchParams.append('error', one);
          return bent;
        },
      },
      'malformed-callback',
    ));
  test('beside a code → the error counts', () =>
    expectRefusedAtOnce({ bring: bring({ error: 'access_denied' }) }, 'provider-error'));
});

describe('a code', () => {
  test('used twice → refused', async () => {
    let kept: URL | undefined;
    await twisted({ bring: (url) => (kept = url) });
    const { answer } = await twisted({
      bring: (url) => withParameters(url, { code: kept?.searchParams.get('code') ?? '' }),
    });
    expect(answer).toEqual({ refused: 'exchange-refused', detail: 'invalid_grant', code: 'invalid_grant' });
  });

  // RFC 9700 §4.5: the code of an attacker's own attempt, or of a victim's, in somebody else's browser.
  test('of another attempt → refused', async () => {
    let others: string | undefined;
    await connection().signIn(upstream().person('eve'), {
      bring: (url) => {
        others = url.searchParams.get('code') ?? '';
        return withParameters(url, { code: undefined });
      },
    });
    await expectRefused({ bring: (url) => withParameters(url, { code: others }) }, 'exchange-refused');
  });

  test('made up → refused', () => expectRefused({ bring: bring({ code: 'made up' }) }, 'exchange-refused'));
  test('with another verifier → refused', () =>
    expectRefused({ remember: (attempt) => ({ ...attempt, pkceVerifier: 'v'.repeat(43) }) }, 'exchange-refused'));
});

describe('the token endpoint', () => {
  const down = (outage: NonNullable<Behaviour['down']>['token']): Twist => ({
    behaviour: { down: { token: outage } } as Behaviour,
  });
  const json = (status: number, body: unknown) => down({ status, body: JSON.stringify(body) });
  test.each<[string, Twist, string]>([
    ['answers with an unknown error', json(400, { error: '<script>' }), 'exchange-refused'],
    ['does not know us', json(401, { error: 'invalid_client' }), 'exchange-refused'],
    ['redirects', down(302), 'exchange-refused'],
    ['answers with a page', down({ status: 200, type: 'text/html', body: '<p>Hello' }), 'exchange-refused'],
    ['answers with a list', json(200, []), 'exchange-refused'],
    ['answers with nothing', json(200, null), 'exchange-refused'],
    ['brings no tokens', json(200, {}), 'exchange-refused'],
    ['brings no ID Token', { behaviour: { token: without('id_token') } }, 'id-token-missing'],
    [
      'brings an ID Token that is a number',
      { behaviour: { token: (all) => ({ ...all, id_token: 7 }) } },
      'id-token-missing',
    ],
    ['brings no access token', { behaviour: { token: without('access_token') } }, 'exchange-refused'],
    [
      'brings a token of an unknown kind',
      { behaviour: { token: (all) => ({ ...all, token_type: 'mac' }) } },
      'exchange-refused',
    ],
    ['fails', down(500), 'provider-unreachable'],
    ['asks for patience', down(429), 'provider-unreachable'],
    [
      'is longer than anybody reads',
      { behaviour: { token: (all) => ({ ...all, more: 'x'.repeat(100_000) }) } },
      'provider-unreachable',
    ],
  ])('%s → refused', (_name, twist, refused) => expectRefused(twist, refused));

  test('never answers → refused in the time that was promised', async () => {
    const clock = movableClock();
    const other = connect(upstream(), { clock });
    const person = upstream().person('ada');
    expect(await other.signIn(person)).toMatchObject({ subject: 'ada' });
    upstream().behave({ down: { token: 'hangs' } });
    expect(await outwait(upstream(), clock, { path: '/token', ask: () => other.signIn(person) })).toMatchObject({
      refused: 'provider-unreachable',
    });
    await other.close();
  });
});
