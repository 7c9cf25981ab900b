/** Rows 13–23 of security.md: the token endpoint, and tokens where they do not belong. */
import { randomUUID } from 'node:crypto';

import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Client, Tokens } from '../support/client.ts';
import { about, basic, cookiesOf, csrfOf, hostileWorld, type RawAnswer, s256, sharedWorld } from './probe.ts';

const SECRET = 'a secret that only its client knows, 0123456789';
const own = await generateKeyPair('ES256', { extractable: true });
const publicJwk = { ...(await exportJWK(own.publicKey)), alg: 'ES256', use: 'sig', kid: 'own' };

const shared = sharedWorld({
  clients: [
    {
      client_id: 'signer',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [publicJwk] },
      redirect_uris: ['http://signer.test/callback'],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      first_party: true,
    },
    {
      client_id: 'poster',
      token_endpoint_auth_method: 'client_secret_post',
      client_secret: SECRET,
      redirect_uris: ['http://poster.test/callback'],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      first_party: true,
    },
  ],
  configuration: {
    resources: [
      { identifier: 'https://api.test', scopes: ['api:read', 'api:write'], accessTokenFormat: 'jwt' },
      { identifier: 'https://vault.test', scopes: ['vault'] },
    ],
    scopes: { history: 'See what you watched' },
  },
});

const post = (
  form: Record<string, string> | [string, string][],
  headers: [string, string][] = [],
): Promise<RawAnswer> => shared().send({ path: '/token', headers, body: new URLSearchParams(form) });

const anew = async (client: Client, parameters?: Record<string, string>) => {
  const { alice } = shared();
  return client.obtainCode(alice, alice.anotherBrowser(), parameters);
};
const tokensOf = (client: Client, parameters?: Record<string, string>): Promise<Tokens> =>
  client.signIn(shared().alice, shared().alice.anotherBrowser(), parameters);

const exchangeForm = (code: string, verifier: string, redirect = 'http://player.test/callback') => ({
  grant_type: 'authorization_code',
  code,
  code_verifier: verifier,
  redirect_uri: redirect,
});

/** Neither a token nor anything of one is in an answer. */
function expectRefused(answer: RawAnswer | { status: number; body: Record<string, unknown> }, errors: RegExp): void {
  const body = 'body' in answer ? answer.body : answer.json;
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(body['error']).toMatch(errors);
  expect(Object.keys(body).filter((name) => name.endsWith('_token'))).toEqual([]);
}

describe('codes', () => {
  // Row 13. RFC 6749 §4.1.2: a code seen twice has been stolen once, and what came of it ends.
  test('13 a code replayed → invalid_grant, and the whole family is dead', async () => {
    const { player, library } = shared();
    const { code, verifier } = await anew(player);
    const { body } = await player.exchange(code, verifier);
    const tokens = body as unknown as Tokens;
    const refreshed = (await player.refresh(tokens)) as Tokens;
    expectRefused(await player.exchange(code, verifier), /^invalid_grant$/);
    for (const token of [tokens.access_token, refreshed.access_token, refreshed.refresh_token, tokens.refresh_token]) {
      expect(await library.introspect(token)).toEqual({ active: false });
    }
    expect(await player.refresh(refreshed)).toEqual({ error: 'invalid_grant' });
    expect(await player.userinfo(refreshed)).toMatchObject({ status: 401 });
  });

  test('13 a code replayed by another client, or with a wrong verifier → nothing of the owner ends', async () => {
    const { player, phone } = shared();
    const { code, verifier } = await anew(player);
    const { body } = await player.exchange(code, verifier);
    const changes = await shared().changes(async () => {
      expectRefused(await phone.post('/token', exchangeForm(code, verifier)), /^invalid_grant$/);
    });
    expect(changes).toEqual([]);
    expect(await player.userinfo(body as unknown as Tokens)).toMatchObject({ status: 200 });
  });

  // Row 14. CVE-2026-1035.
  test('14 fifty parallel redemptions → one winner', async () => {
    const { player } = shared();
    const { code, verifier } = await anew(player);
    const answers = await Promise.all(Array.from({ length: 50 }, () => player.exchange(code, verifier)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expectRefused(answer, /^invalid_grant$/);
  });

  test('14 fifty parallel refreshes → one winner, whose tokens live', async () => {
    const { player } = shared();
    const tokens = await tokensOf(player);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const answers = await Promise.all(Array.from({ length: 50 }, () => player.post('/token', form)));
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expectRefused(answer, /^invalid_grant$/);
    expect(await player.refresh(winners[0]?.body as unknown as Tokens)).toHaveProperty('access_token');
  });

  // Row 15. RFC 6749 §4.1.3.
  test("15 another client's code → invalid_grant; its owner can still use it", async () => {
    const { player, phone, cinema } = shared();
    const { code, verifier } = await anew(player);
    const changes = await shared().changes(async () => {
      for (const thief of [phone, cinema]) {
        for (const redirect of ['http://player.test/callback', (thief.setup['redirect_uris'] as string[])[0]]) {
          expectRefused(await thief.post('/token', exchangeForm(code, verifier, redirect)), /^invalid_grant$/);
        }
      }
      // The owner's name with the thief's secret, and the other way round.
      expectRefused(
        await post({ ...exchangeForm(code, verifier), client_id: 'player' }, [basic('cinema', SECRET)]),
        /^invalid_/,
      );
      expectRefused(
        await post({ ...exchangeForm(code, verifier), client_id: 'phone' }, [basic('player', SECRET)]),
        /^invalid_/,
      );
      expectRefused(await post({ ...exchangeForm(code, verifier), client_id: 'player' }), /^invalid_client$/);
    });
    expect(changes).toEqual([]);
    expect(await player.exchange(code, verifier)).toMatchObject({ status: 200 });
  });

  test('15 a code with another redirect_uri, or without → refused', async () => {
    const { player } = shared();
    for (const redirect of ['http://evil.test/', 'http://player.test/callback/', 'http://player.test/callback?', '']) {
      const { code, verifier } = await anew(player);
      const changes = await shared().changes(async () => {
        expectRefused(await player.post('/token', exchangeForm(code, verifier, redirect)), /^invalid_(grant|request)$/);
      });
      expect(about(changes, 'AccessToken', 'RefreshToken', 'client_sessions')).toEqual([]);
    }
  });

  // Row 16, CVE-2024-23647; row 17, RFC 9700 §4.8.2.
  const VERIFIERS: Record<string, (verifier: string) => string | undefined> = {
    '16 an empty verifier': () => '',
    '16 no verifier': () => undefined,
    '16 a wrong verifier': () => 'x'.repeat(43),
    '16 the challenge as verifier': (verifier) => s256(verifier),
    '16 a verifier cut short': (verifier) => verifier.slice(0, -1),
    '16 a verifier with something after it': (verifier) => `${verifier}=`,
    '16 a verifier with a NUL after it': (verifier) => `${verifier}\0`,
    '16 a verifier in another case': (verifier) => verifier.toUpperCase(),
    '16 a verifier far too long': (verifier) => verifier + 'x'.repeat(5000),
  };
  test.each(Object.entries(VERIFIERS))('%s → refused', async (_name, bend) => {
    for (const client of [shared().player, shared().phone]) {
      const { code, verifier } = await anew(client);
      const bent = bend(verifier);
      const redirect_uri = (client.setup['redirect_uris'] as string[])[0] ?? '';
      const form: Record<string, string> = { grant_type: 'authorization_code', code, redirect_uri };
      if (bent !== undefined) form['code_verifier'] = bent;
      const changes = await shared().changes(async () => {
        expectRefused(await client.post('/token', form), /^invalid_(grant|request)$/);
      });
      expect(about(changes, 'AccessToken', 'RefreshToken', 'client_sessions')).toEqual([]);
    }
  });

  test('17 a verifier for a code that was asked for without a challenge → refused', async () => {
    const { player } = shared();
    // Only a confidential client may ask without; an attacker strips the challenge so that no verifier is looked for.
    const { code } = await anew(player, { code_challenge: '', code_challenge_method: '' });
    const changes = await shared().changes(async () => {
      expectRefused(await player.exchange(code, 'v'.repeat(43)), /^invalid_grant$/);
    });
    expect(about(changes, 'AccessToken', 'RefreshToken')).toEqual([]);
  });
});

describe('client authentication', () => {
  const SECRETS: Record<string, (id: string) => { headers?: [string, string][]; form?: Record<string, string> }> = {
    '16 an empty secret, Basic': (id) => ({ headers: [basic(id, '')] }),
    '16 an empty secret, form': (id) => ({ form: { client_id: id, client_secret: '' } }),
    '16 no secret': (id) => ({ form: { client_id: id } }),
    '16 a wrong secret, Basic': (id) => ({ headers: [basic(id, 'wrong')] }),
    '16 a wrong secret, form': (id) => ({ form: { client_id: id, client_secret: 'wrong' } }),
    '16 a secret cut short': (id) => ({ headers: [basic(id, SECRET.slice(0, -1))] }),
    '16 a secret with something after it': (id) => ({ headers: [basic(id, `${SECRET}\0`)] }),
    '16 a secret in another case': (id) => ({ headers: [basic(id, SECRET.toUpperCase())] }),
    '16 the word undefined': (id) => ({ headers: [basic(id, 'undefined')] }),
    '16 a secret in brackets': (id) => ({ form: { client_id: id, 'client_secret[$ne]': '' } }),
    '16 both methods at once': (id) => ({
      headers: [basic(id, SECRET)],
      form: { client_id: id, client_secret: SECRET },
    }),
    '16 one right and one wrong method': (id) => ({ headers: [basic(id, SECRET)], form: { client_secret: 'wrong' } }),
    '16 a Bearer header': (id) => ({ headers: [['Authorization', `Bearer ${SECRET}`]], form: { client_id: id } }),
    '16 Basic without a colon': () => ({
      headers: [['Authorization', `Basic ${Buffer.from('player').toString('base64')}`]],
    }),
    '16 Basic that is not base64': () => ({ headers: [['Authorization', 'Basic ***']] }),
    '16 Basic with broken escapes': () => ({
      headers: [['Authorization', `Basic ${Buffer.from('player:%zz').toString('base64')}`]],
    }),
    '16 Basic twice': (id) => ({ headers: [basic(id, 'wrong'), basic(id, SECRET)] }),
    '16 an attestation header': (id) => ({ headers: [['OAuth-Client-Attestation', 'a.b.c']], form: { client_id: id } }),
  };
  test.each(Object.entries(SECRETS))('%s → refused, at every endpoint that asks', async (_name, bend) => {
    const { player } = shared();
    const tokens = await tokensOf(player);
    const { code, verifier } = await anew(player);
    const requests: [string, Record<string, string>][] = [
      ['/token', { grant_type: 'client_credentials' }],
      ['/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }],
      ['/token', exchangeForm(code, verifier)],
      ['/token/introspection', { token: tokens.access_token }],
      ['/token/revocation', { token: tokens.access_token }],
      ['/request', { response_type: 'code', redirect_uri: 'http://player.test/callback', scope: 'openid' }],
    ];
    const changes = await shared().changes(async () => {
      for (const [path, form] of requests) {
        for (const id of ['player', 'poster']) {
          const { headers = [], form: more = {} } = bend(id);
          const answer = await shared().send({ path, headers, body: new URLSearchParams({ ...form, ...more }) });
          expectRefused(answer, /^invalid_(client|request)$/);
        }
      }
    });
    expect(changes).toEqual([]);
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
  });

  test('16 a secret in the query → refused', async () => {
    const query = new URLSearchParams({ client_id: 'poster', client_secret: SECRET, grant_type: 'client_credentials' });
    const changes = await shared().changes(async () => {
      const answer = await shared().send({ path: `/token?${query.toString()}`, body: new URLSearchParams({ x: 'y' }) });
      expectRefused(answer, /^invalid_request$/);
      const half = await shared().send({
        path: `/token?client_secret=${encodeURIComponent(SECRET)}`,
        body: new URLSearchParams({ client_id: 'poster', grant_type: 'client_credentials' }),
      });
      expectRefused(half, /^invalid_client$/);
    });
    expect(changes).toEqual([]);
  });

  // Row 18. CVE-2026-53512.
  test('18 a refresh without client authentication, or by another client → refused, and nothing is spent', async () => {
    const { player, cinema, phone } = shared();
    const tokens = await tokensOf(player);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const changes = await shared().changes(async () => {
      expectRefused(await post(form), /^invalid_request$/);
      expectRefused(await post({ ...form, client_id: 'player' }), /^invalid_client$/);
      expectRefused(await post({ ...form, client_id: 'player', client_secret: '' }), /^invalid_client$/);
      expectRefused(await post({ ...form, client_id: 'phone' }), /^invalid_grant$/);
      for (const other of [cinema, phone]) expectRefused(await other.post('/token', form), /^invalid_grant$/);
    });
    expect(changes).toEqual([]);
    expect(await player.refresh(tokens)).toHaveProperty('access_token');
  });

  // Row 7 again, at the other endpoints. ASVS 15.3.7.
  test('7 repeated parameters in a form → invalid_request, and nothing is spent', async () => {
    const { player } = shared();
    const tokens = await tokensOf(player);
    const { code, verifier } = await anew(player);
    const forms: [string, Record<string, string>][] = [
      ['/token', exchangeForm(code, verifier)],
      ['/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, scope: 'openid' }],
      ['/token', { grant_type: 'client_credentials', scope: 'openid' }],
      ['/token/introspection', { token: tokens.access_token, token_type_hint: 'access_token' }],
      ['/token/revocation', { token: tokens.access_token, token_type_hint: 'access_token' }],
    ];
    const changes = await shared().changes(async () => {
      for (const [path, form] of forms) {
        const pairs = [...Object.entries(form), ['client_id', 'poster'], ['client_secret', SECRET]] as [
          string,
          string,
        ][];
        for (const [name, value] of pairs) {
          for (const second of [value, 'x', '']) {
            const body = new URLSearchParams([...pairs, [name, second]]);
            expectRefused(await shared().send({ path, body }), /^invalid_request$/);
          }
        }
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('assertions', () => {
  let base: Record<string, unknown>;
  beforeAll(() => {
    base = { iss: 'signer', sub: 'signer', aud: shared().issuer };
  });
  const soon = (): number => Math.floor(Date.now() / 1000) + 60;
  const sign = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({ ...base, jti: randomUUID(), exp: soon(), ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'own', ...header })
      .sign(own.privateKey);
  const withAssertion = (client_assertion: string, more: Record<string, string> = {}): Promise<RawAnswer> =>
    post({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
      ...more,
    });

  test('21 a proper assertion → a token, so that the refusals below mean something', async () => {
    expect((await withAssertion(await sign())).status).toBe(200);
    expect((await withAssertion(await sign({ aud: `${shared().issuer}/token` }))).status).toBe(200);
  });

  // Row 21. CVE-2020-15222.
  test('21 an assertion replayed, twenty at once or after a restart → one token', async () => {
    const assertion = await sign();
    const answers = await Promise.all(Array.from({ length: 20 }, () => withAssertion(assertion)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const changes = await shared().changes(async () => {
      for (const more of [{}, { scope: 'openid' }, { client_id: 'signer' }] as Record<string, string>[]) {
        expectRefused(await withAssertion(assertion, more), /^invalid_client$/);
      }
    });
    expect(changes).toEqual([]);
    await shared().restart();
    expectRefused(await withAssertion(assertion), /^invalid_client$/);
  });

  const LOOSE: Record<string, () => Promise<string>> = {
    'no aud': () => sign({ aud: undefined }),
    'a wrong aud': () => sign({ aud: 'https://other.test' }),
    'an aud that only begins like ours': () => sign({ aud: `${shared().issuer}.evil.test` }),
    'an aud with a slash after it': () => sign({ aud: `${shared().issuer}/` }),
    'an array aud with us in it': () => sign({ aud: [shared().issuer, 'https://other.test'] }),
    'an array aud of us alone': () => sign({ aud: [shared().issuer] }),
    'an empty aud': () => sign({ aud: '' }),
    'an aud that is an object': () => sign({ aud: { $ne: 1 } }),
    'no exp': () => sign({ exp: undefined }),
    'an exp in the past': () => sign({ exp: soon() - 3600 }),
    'an exp as text': () => sign({ exp: String(soon()) }),
    'an exp in ten years': () => sign({ exp: soon() + 10 * 365 * 86_400 }),
    'an exp beyond all dates': () => sign({ exp: 1e300 }),
    'a negative exp': () => sign({ exp: -1 }),
    'an nbf in the future': () => sign({ nbf: soon() + 3600 }),
    'no jti': () => sign({ jti: undefined }),
    'an empty jti': () => sign({ jti: '' }),
    'a jti that is an array': () => sign({ jti: ['a'] }),
    'another iss': () => sign({ iss: 'player' }),
    'another sub': () => sign({ sub: 'player' }),
    'another iss and sub': () => sign({ iss: 'player', sub: 'player' }),
    'an iss that is an array': () => sign({ iss: ['signer'] }),
    'a sub that is an object': () => sign({ sub: { $ne: null } }),
    'a stranger’s signature': async () =>
      new SignJWT({ ...base, jti: randomUUID(), exp: soon() })
        .setProtectedHeader({ alg: 'ES256', kid: 'own' })
        .sign((await generateKeyPair('ES256')).privateKey),
    // Row 10, RFC 8725 §3.1.
    'alg none': async () => new UnsecuredJWT({ ...base, jti: randomUUID(), exp: soon() }).encode(),
    'alg none in odd case': async () => {
      const [, payload = ''] = (await sign()).split('.');
      return `${Buffer.from('{"alg":"nOnE"}').toString('base64url')}.${payload}.`;
    },
    'HS256 with the public key': async () =>
      new SignJWT({ ...base, jti: randomUUID(), exp: soon() })
        .setProtectedHeader({ alg: 'HS256', kid: 'own' })
        .sign(Buffer.from(JSON.stringify(publicJwk))),
    'a key in its own header': async () => {
      const evil = await generateKeyPair('ES256', { extractable: true });
      return new SignJWT({ ...base, jti: randomUUID(), exp: soon() })
        .setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(evil.publicKey) })
        .sign(evil.privateKey);
    },
    'a critical extension nobody knows': () => sign({}, { crit: ['x'], x: 1 }).catch(() => 'a.b.c'),
    garbage: async () => 'garbage',
    'three dots': async () => '...',
    'a body that is an array': async () => {
      const [header = '', , signature = ''] = (await sign()).split('.');
      return `${header}.${Buffer.from('["signer"]').toString('base64url')}.${signature}`;
    },
  };
  test.each(Object.entries(LOOSE))('21 %s → refused', async (_name, make) => {
    const assertion = await make();
    const changes = await shared().changes(async () => {
      expectRefused(await withAssertion(assertion), /^invalid_(client|request)$/);
      expectRefused(await withAssertion(assertion, { client_id: 'signer' }), /^invalid_(client|request)$/);
    });
    expect(changes).toEqual([]);
  });

  test('21 an assertion beside a secret, of a wrong type, or for a client that has a secret → refused', async () => {
    const changes = await shared().changes(async () => {
      expectRefused(await withAssertion(await sign(), { client_secret: SECRET }), /^invalid_request$/);
      expectRefused(await withAssertion(await sign(), { client_id: 'player' }), /^invalid_request$/);
      expectRefused(await withAssertion(await sign({ iss: 'poster', sub: 'poster' })), /^invalid_client$/);
      expectRefused(
        await withAssertion(await sign(), {
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
        }),
        /^invalid_request$/,
      );
    });
    expect(changes).toEqual([]);
  });

  test('20 an ID Token or a Logout Token of ours as an assertion → refused', async () => {
    const { player } = shared();
    const { id_token } = await tokensOf(player);
    const changes = await shared().changes(async () => {
      expectRefused(await withAssertion(id_token), /^invalid_client$/);
    });
    expect(changes).toEqual([]);
  });
});

describe('tokens where they do not belong', () => {
  // Row 20. GHSA-7fpj-9hr8-28vh, RFC 8725 §3.11.
  test('20 each kind of token in the place of another → refused', async () => {
    const { player, library, alice, ears } = await hostileWorld();
    const tokens = await player.signIn(alice);
    const world = await hostileWorld();
    const theirs = await world.player.signIn(world.alice);
    await world.alice.signOutOfAllDevices();
    await world.settle();
    const logoutToken = world.ears.by('player')[0]?.token ?? '';
    expect(logoutToken).not.toBe('');
    expect(ears.heard).toEqual([]);
    for (const token of [tokens.id_token, tokens.refresh_token, logoutToken, theirs.access_token, 'undefined', '']) {
      expect(await player.userinfo({ access_token: token })).toMatchObject({
        status: expect.toSatisfy((s: number) => s === 400 || s === 401),
      });
    }
    for (const token of [tokens.access_token, tokens.id_token, logoutToken, theirs.refresh_token]) {
      expect(await player.refresh({ refresh_token: token })).toEqual({ error: 'invalid_grant' });
      expectRefused(await player.exchange(token, 'v'.repeat(43)), /^invalid_grant$/);
    }
    for (const token of [tokens.id_token, logoutToken, theirs.access_token, theirs.id_token]) {
      expect(await library.introspect(token)).toEqual({ active: false });
    }
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
  });

  test('20 a Logout Token of the very same house as access token → refused', async () => {
    const { player, library, alice, ears, settle } = await hostileWorld();
    await player.signIn(alice);
    await alice.signOutOfAllDevices();
    await settle();
    const token = ears.by('player')[0]?.token ?? '';
    expect(token.split('.')).toHaveLength(3);
    expect(await player.userinfo({ access_token: token })).toMatchObject({ status: 401 });
    expect(await library.introspect(token)).toEqual({ active: false });
    expect(await player.introspect(token)).toEqual({ active: false });
    expect(await player.refresh({ refresh_token: token })).toEqual({ error: 'invalid_grant' });
  });

  test('20 an access token in the query, twice, or in two places → refused', async () => {
    const { player } = shared();
    const { access_token } = await tokensOf(player);
    const bearer: [string, string] = ['Authorization', `Bearer ${access_token}`];
    const { send } = shared();
    for (const answer of [
      await send({ path: `/me?access_token=${access_token}` }),
      await send({ path: '/me', headers: [bearer], body: new URLSearchParams({ access_token }) }),
      await send({
        path: '/me',
        body: new URLSearchParams([
          ['access_token', access_token],
          ['access_token', access_token],
        ]),
      }),
      await send({ path: '/me', headers: [['Authorization', `Bearer ${access_token} ${access_token}`]] }),
      await send({ path: '/me', headers: [['Authorization', `Basic ${access_token}`]] }),
      await send({ path: '/me', headers: [['Authorization', `DPoP ${access_token}`]] }),
      await send({ path: '/me', headers: [['Authorization', access_token]] }),
      await send({ path: '/me', headers: [['Cookie', `access_token=${access_token}`]] }),
      await send({ path: '/me', method: 'POST', headers: [['Content-Type', 'application/json'], bearer], body: '{}' }),
    ]) {
      expect([400, 401]).toContain(answer.status);
      expect(answer.text).not.toContain('preferred_username');
    }
  });

  test('20 a JWT access token of a resource at our own endpoints → refused', async () => {
    const { player, library } = shared();
    const { code, verifier } = await anew(player, {
      resource: 'https://api.test',
      scope: 'openid api:read offline_access',
    });
    const { body } = await player.post('/token', { ...exchangeForm(code, verifier), resource: 'https://api.test' });
    const token = String(body['access_token']);
    expect(token.split('.')).toHaveLength(3);
    expect(await library.introspect(token)).toMatchObject({ active: true, aud: 'https://api.test' });
    expect(await player.userinfo({ access_token: token })).toMatchObject({ status: 401 });
    // One bit of it changed, no signature, or another's header: RFC 9068 §4.
    const [header = '', payload = '', signature = ''] = token.split('.');
    const idHeader = (await tokensOf(player)).id_token.split('.')[0] ?? '';
    const flipped = Buffer.from(signature, 'base64url');
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    for (const forged of [
      `${header}.${payload}.${flipped.toString('base64url')}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${idHeader}.${payload}.${signature}`,
      `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`,
    ]) {
      expect(await library.introspect(forged)).toEqual({ active: false });
    }
  });
});

describe('refresh', () => {
  // Row 19. CVE-2026-9802.
  test('19 a refresh token revoked, replaced or signed out → dead, after a restart too', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { player, cinema, phone, alice, advance, restart } = hostile;
    const revoked = await player.signIn(alice);
    await player.revoke(revoked.refresh_token);
    const replaced = await cinema.signIn(alice);
    await cinema.refresh(replaced);
    const signedOut = await phone.signIn(alice);
    await alice.signOutOfAllDevices();
    // Past the moment in which an app that asks twice is forgiven.
    advance(11);
    const dead = async () => {
      expect(await player.refresh(revoked)).toEqual({ error: 'invalid_grant' });
      expect(await cinema.refresh(replaced)).toEqual({ error: 'invalid_grant' });
      expect(await phone.refresh(signedOut)).toEqual({ error: 'invalid_grant' });
      expect(await player.introspect(revoked.access_token)).toEqual({ active: false });
    };
    await dead();
    await restart();
    await dead();
  });

  test('19 a refresh token used again later → the family is dead, after a restart too', async () => {
    const { player, alice, advance, restart } = await hostileWorld({ fakeTime: true });
    const first = await player.signIn(alice);
    const second = (await player.refresh(first)) as Tokens;
    advance(60);
    expect(await player.refresh(first)).toEqual({ error: 'invalid_grant' });
    await restart();
    expect(await player.refresh(second)).toEqual({ error: 'invalid_grant' });
    expect(await player.introspect(second.access_token)).toEqual({ active: false });
  });

  // Row 22. CVE-2026-67332, RFC 6749 §6.
  const WIDER: Record<string, Record<string, string>> = {
    'a scope that was not granted': { scope: 'openid profile' },
    'a scope nobody knows': { scope: 'openid admin' },
    'every scope there is': { scope: 'openid profile email offline_access history' },
    'a resource that was not granted': { resource: 'https://api.test' },
    'a resource nobody knows': { resource: 'https://evil.test' },
    'a resource that is no URI': { resource: 'api' },
    'a resource with a fragment': { resource: 'https://api.test#x' },
    'a resource and its scope': { resource: 'https://vault.test', scope: 'openid vault' },
    'a scope with forbidden characters': { scope: 'openid\u0000profile' },
  };
  test.each(Object.entries(WIDER))('22 %s at refresh → refused, and nothing is spent', async (_name, wider) => {
    const { player } = shared();
    const tokens = await tokensOf(player, { scope: 'openid offline_access' });
    const changes = await shared().changes(async () => {
      const answer = await player.post('/token', {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token,
        ...wider,
      });
      expectRefused(answer, /^invalid_(scope|target)$/);
    });
    expect(changes).toEqual([]);
    expect(await player.refresh(tokens)).toHaveProperty('refresh_token');
  });

  test('22 a code redeemed for a resource it was not asked for → refused', async () => {
    const { player } = shared();
    for (const resource of ['https://vault.test', 'https://evil.test']) {
      const { code, verifier } = await anew(player, { resource: 'https://api.test', scope: 'openid api:read' });
      const answer = await player.post('/token', { ...exchangeForm(code, verifier), resource });
      expect([answer.status, answer.body]).toEqual([400, expect.objectContaining({ error: 'invalid_target' })]);
    }
  });

  test('22 a narrower refresh → stays what was granted, and the next one is no wider', async () => {
    const { player } = shared();
    const tokens = await tokensOf(player, { scope: 'openid profile offline_access' });
    const { body } = await player.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      scope: 'openid',
    });
    expect(body['scope']).toBe('openid');
    expect(Object.keys((await player.userinfo({ access_token: String(body['access_token']) })).body)).toEqual(['sub']);
  });

  test('22 consent given for little → a request for more asks again', async () => {
    const { cinema, alice } = shared();
    const browser = alice.anotherBrowser();
    await cinema.signIn(alice, browser, { scope: 'openid' });
    const changes = await shared().changes(async () => {
      await browser.open(cinema.authorization({ scope: 'openid email', prompt: '' }).url);
      expect(browser.left).toBeUndefined();
      expect(browser.buttons).toContain('Allow');
      await browser.open(cinema.authorization({ scope: 'openid email', prompt: 'none' }).url);
      expect(browser.left?.searchParams.get('error')).toBe('consent_required');
    });
    expect(about(changes, 'AuthorizationCode', '"Grant"')).toEqual([]);
  });
});

// Row 23. RFC 9700 §4.12: 307 would send the password on to the client.
test('23 a form with a credential → 303, whatever was asked', async () => {
  const { alice, player } = shared();
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  const direct = await shared().send({
    path: '/sign-in',
    headers: [cookiesOf(browser, '/sign-in')],
    body: new URLSearchParams({ csrf: csrfOf(browser.page.text), username: alice.username, password: alice.password }),
  });
  expect(direct.status).toBe(303);
  const other = alice.anotherBrowser();
  await other.open(player.authorization().url);
  const inFlow = await shared().send({
    path: `${other.path}/sign-in`,
    headers: [cookiesOf(other, `${other.path}/sign-in`)],
    body: new URLSearchParams({ csrf: csrfOf(other.page.text), username: alice.username, password: alice.password }),
  });
  expect(inFlow.status).toBe(303);
  for (const { header } of [direct, inFlow])
    expect(header('location')).not.toContain(encodeURIComponent(alice.password));
});
