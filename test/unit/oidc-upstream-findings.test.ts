/** What an operator is told about a provider. */
import { afterEach, expect, test } from 'vitest';

import { type Behaviour, without } from '../support/upstream-behaviour.ts';
import { connect } from '../support/upstream-connection.ts';
import { startUpstream } from '../support/upstream-idp.ts';

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

async function findings(behaviour: Behaviour, settings: Parameters<typeof connect>[1] = {}) {
  const upstream = await startUpstream({ behaviour });
  const connection = connect(upstream, settings);
  ended.push(connection.close, upstream.stop);
  const found = await connection.provider.test();
  return Object.fromEntries(found.map(({ about, level, says }) => [about, `${level}: ${says}`]));
}
const lacking = (...names: string[]) => ({ discovery: without(...names) });
const having = (more: Record<string, unknown>) => ({
  discovery: (all: Record<string, unknown>) => ({ ...all, ...more }),
});

test('a provider that can everything', async () => {
  const found = await findings({}, { settings: { scopes: ['openid', 'email'] } });
  expect(Object.keys(found)).toEqual([
    'discovery',
    'signing-keys',
    'signing-algorithm',
    'code-flow',
    'pkce',
    'client-authentication',
    'scopes',
    'issuer-parameter',
    'fresh-sign-in',
    'user-info',
    'end-session',
    'back-channel-logout',
  ]);
  expect(Object.values(found).filter((line) => line.startsWith('problem'))).toEqual([]);
  expect(found['back-channel-logout']).toBe('good: It announces sign-outs, session by session.');
  expect(found['signing-keys']).toBe('good: Signing keys answer; 1 can be used.');
});

test.each<[string, Behaviour, string, string]>([
  ['away', { down: { discovery: 503 } }, 'discovery', 'problem: It cannot be reached: 127'],
  [
    'another',
    having({ issuer: 'https://id.example/' }),
    'discovery',
    'problem: It cannot be used: discovery names another issuer, "https://id.example/"',
  ],
  ['keys away', { down: { jwks: 502 } }, 'signing-keys', 'problem: It cannot be reached'],
  [
    'no key set',
    { down: { jwks: { status: 200, body: '{}' } } },
    'signing-keys',
    'problem: It cannot be used: jwks_uri did not answer with a key set',
  ],
  [
    'no usable key',
    { down: { jwks: { status: 200, body: '{"keys":[{"kty":"oct","k":"AAAA"}]}' } } },
    'signing-keys',
    'problem: Of the published keys, none',
  ],
  [
    'signs with secrets',
    having({ id_token_signing_alg_values_supported: ['HS256', 'none'] }),
    'signing-algorithm',
    'problem',
  ],
  ['implicit only', having({ response_types_supported: ['id_token'] }), 'code-flow', 'problem'],
  ['form_post only', having({ response_modes_supported: ['form_post'] }), 'code-flow', 'problem'],
  ['no PKCE', lacking('code_challenge_methods_supported'), 'pkce', 'notice'],
  [
    'another authentication',
    having({ token_endpoint_auth_methods_supported: ['private_key_jwt'] }),
    'client-authentication',
    'problem: It does not accept client_secret_basic',
  ],
  [
    'no such scope',
    having({ scopes_supported: ['openid'] }),
    'scopes',
    'notice: It does not list profile, email, groups',
  ],
  ['no iss', lacking('authorization_response_iss_parameter_supported'), 'issuer-parameter', 'notice'],
  [
    'no prompt=login',
    having({ prompt_values_supported: ['none', 'consent'] }),
    'fresh-sign-in',
    'notice: It does not list prompt=login',
  ],
  ['no auth_time', having({ claims_supported: ['sub'] }), 'fresh-sign-in', 'notice: It does not list auth_time'],
  ['auth_time', having({ claims_supported: ['sub', 'auth_time'] }), 'fresh-sign-in', 'good: It knows auth_time'],
  ['no UserInfo', lacking('userinfo_endpoint'), 'user-info', 'notice'],
  ['no logout', lacking('end_session_endpoint'), 'end-session', 'notice'],
  ['no word of sign-outs', lacking('backchannel_logout_supported'), 'back-channel-logout', 'notice'],
  [
    'by person only',
    lacking('backchannel_logout_session_supported'),
    'back-channel-logout',
    'good: It announces sign-outs.',
  ],
])('a provider: %s', async (_name, behaviour, about, says) => {
  expect((await findings(behaviour))[about]).toContain(says);
});

test('whatever keeps people from signing in comes with a remedy', async () => {
  const upstream = await startUpstream({
    behaviour: having({
      id_token_signing_alg_values_supported: ['HS256'],
      response_types_supported: ['id_token'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
    }),
  });
  const connection = connect(upstream);
  ended.push(connection.close, upstream.stop);
  const problems = (await connection.provider.test()).filter(({ level }) => level === 'problem');
  expect(problems).toHaveLength(3);
  for (const { fix } of problems) expect(fix).toMatch(/^(have it|name) /);
});

test('is asked anew, whatever is kept', async () => {
  const upstream = await startUpstream();
  const connection = connect(upstream);
  ended.push(connection.close, upstream.stop);
  expect((await connection.provider.test())[0]).toMatchObject({ about: 'discovery', level: 'good' });
  await upstream.goDown();
  expect(await connection.provider.test()).toEqual([
    {
      about: 'discovery',
      level: 'problem',
      says: expect.stringContaining('cannot be reached') as string,
      fix: expect.stringContaining('see that the provider runs') as string,
    },
  ]);
});
