/** Rows 24–27 of security.md: introspection, revocation, registration, and a store that does not answer. */
import { describe, expect, test } from 'vitest';

import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import type { Tokens } from '../support/client.ts';
import {
  about,
  answered,
  basic,
  cookiesOf,
  csrfOf,
  type HostileWorld,
  hostileWorld,
  initialAccessToken,
  register,
  sharedWorld,
  xsrfOf,
} from './probe.ts';

const SECRET = 'a secret that only its client knows, 0123456789';
const shared = sharedWorld();
const anew = (): Promise<Tokens> => shared().player.signIn(shared().alice, shared().alice.anotherBrowser());

describe('introspection', () => {
  // Row 24. RFC 7662 §4: whoever is not concerned learns nothing.
  test("24 another client's token → inactive, and nothing said about it", async () => {
    const { player, cinema, phone, tv, library } = shared();
    const tokens = await anew();
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      for (const stranger of [cinema, phone, tv]) expect(await stranger.introspect(token)).toEqual({ active: false });
      expect(await player.introspect(token)).toMatchObject({ active: true });
      expect(await library.introspect(token)).toMatchObject({ active: true });
    }
  });

  test('24 nobody, or somebody who only says who they are → refused', async () => {
    const { access_token: token } = await anew();
    const { send } = shared();
    const changes = await shared().changes(async () => {
      for (const [headers, form] of [
        [[], { token }],
        [[], { token, client_id: 'library' }],
        [[], { token, client_id: 'player' }],
        [[basic('library', 'wrong')], { token }],
        [[['Authorization', `Bearer ${token}`]], { token }],
      ] as [[string, string][], Record<string, string>][]) {
        for (const path of ['/token/introspection', '/token/revocation']) {
          const answer = await send({ path, headers, body: new URLSearchParams(form) });
          expect([400, 401]).toContain(answer.status);
          expect(answer.text).not.toContain('"active":true');
        }
      }
    });
    expect(changes).toEqual([]);
    expect(await shared().player.userinfo({ access_token: token })).toMatchObject({ status: 200 });
  });

  test('24 what is no token, a wrong hint, a session, a code, an interaction → inactive', async () => {
    const { library, alice, player } = shared();
    const browser = alice.anotherBrowser();
    const { code } = await player.obtainCode(alice, browser);
    const session = [...browser.cookies].find(([name]) => name.startsWith('curfew-session '))?.[1].value ?? '';
    for (const token of [
      code,
      session,
      'x',
      '\0',
      '[object Object]',
      '{"$ne":1}',
      'a'.repeat(5000),
      '../../etc/passwd',
      'é',
    ]) {
      for (const token_type_hint of [
        undefined,
        'access_token',
        'refresh_token',
        'authorization_code',
        '__proto__',
        'Session',
      ]) {
        const form = { token, ...(token_type_hint === undefined ? {} : { token_type_hint }) };
        expect((await library.post('/token/introspection', form)).body).toEqual({ active: false });
      }
    }
  });

  // Row 25. CVE-2026-8922.
  test('25 revoked, signed out, from before a sign-out of everyone, or expired → inactive', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { player, cinema, library, alice, bob, core, advance } = hostile;
    const revoked = await player.signIn(alice);
    await player.revoke(revoked.refresh_token);
    const bobs = await cinema.signIn(bob);
    const alices = await cinema.signIn(alice);
    await alice.signOutOfAllDevices();
    const dead = [revoked, alices];
    const inactive = async () => {
      for (const tokens of dead) {
        for (const token of [tokens.access_token, tokens.refresh_token]) {
          for (const client of [library, player, cinema])
            expect(await client.introspect(token)).toEqual({ active: false });
        }
      }
    };
    await inactive();
    expect(await library.introspect(bobs.access_token)).toMatchObject({ active: true });
    await core.signOuts.signOut({ scope: { kind: 'everyone' }, reason: 'x', actor: { kind: 'operator' } });
    dead.push(bobs);
    await inactive();
    const late = await player.signIn(bob, bob.anotherBrowser());
    expect(await library.introspect(late.access_token)).toMatchObject({ active: true });
    advance(11 * 60);
    expect(await library.introspect(late.access_token)).toEqual({ active: false });
  });
});

describe('revocation', () => {
  test("24 another client's token, revoked by a stranger → it lives", async () => {
    const { player, cinema, phone, library } = shared();
    const tokens = await anew();
    const changes = await shared().changes(async () => {
      for (const stranger of [cinema, phone, library]) {
        for (const token of [tokens.access_token, tokens.refresh_token]) {
          for (const token_type_hint of ['access_token', 'refresh_token', 'x']) {
            const { status } = await stranger.post('/token/revocation', { token, token_type_hint });
            expect([200, 400, 401]).toContain(status);
          }
        }
      }
    });
    expect(changes).toEqual([]);
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
    expect(await player.refresh(tokens)).toHaveProperty('access_token');
  });

  test('25 revoking an access token → its whole family is dead, and no client is told of a sign-out', async () => {
    const { player } = shared();
    const tokens = await anew();
    const changes = await shared().changes(() => player.revoke(tokens.access_token));
    expect(about(changes, 'deliveries', 'sign_outs')).toEqual([]);
    expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  });

  test('25 a session cookie or a code at the revocation endpoint → untouched', async () => {
    const { player, alice } = shared();
    const browser = alice.anotherBrowser();
    const { code, verifier } = await player.obtainCode(alice, browser);
    const session = [...browser.cookies].find(([name]) => name.startsWith('curfew-session '))?.[1].value ?? '';
    const changes = await shared().changes(async () => {
      for (const token of [session, code]) await player.revoke(token);
    });
    expect(changes).toEqual([]);
    expect(await player.exchange(code, verifier)).toMatchObject({ status: 200 });
  });
});

/** A store that can be broken as a whole, or one method at a time. */
function breakable() {
  const fault = { broken: (_method: string): boolean => false };
  const wrapRepository = <Repository extends object>(name: string, repository: Repository): Repository =>
    new Proxy(repository, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown =>
          fault.broken(`${name}.${String(property)}`)
            ? Promise.reject(new StoreUnavailable(`broken: ${name}.${String(property)}`))
            : (value as (...args: unknown[]) => unknown).apply(target, args);
      },
    });
  const wrapStore = (store: Store): Store => ({
    ...store,
    accounts: wrapRepository('accounts', store.accounts),
    catalogue: wrapRepository('catalogue', store.catalogue),
    artifacts: wrapRepository('artifacts', store.artifacts),
    revocations: wrapRepository('revocations', store.revocations),
    deliveries: wrapRepository('deliveries', store.deliveries),
    ping: () => (fault.broken('store.ping') ? Promise.reject(new StoreUnavailable('ping')) : store.ping()),
  });
  return {
    seams: { wrapStore },
    down: () => (fault.broken = () => true),
    up: () => (fault.broken = () => false),
    only: (method: string) => (fault.broken = (one) => one === method),
  };
}

const METHODS = [
  ...['find', 'findByIdentifier', 'setPassword', 'throttle', 'addFailure', 'clearFailures', 'countAttempt'].map(
    (name) => `accounts.${name}`,
  ),
  'catalogue.findClient',
  ...['save', 'insert', 'find', 'findByUid', 'findByUserCode', 'consume', 'destroy', 'sessionsOf'].map(
    (name) => `artifacts.${name}`,
  ),
  ...[
    'epochs',
    'stand',
    'movedBySignOut',
    'signedOutAt',
    'revokeGrant',
    'signOut',
    'findSignOut',
    'clientSessionsOf',
    'endedBy',
    'touchClientSession',
    'ended',
  ].map((name) => `revocations.${name}`),
  ...['list', 'counts'].map((name) => `deliveries.${name}`),
];

describe('a store that does not answer', () => {
  // Row 26. CVE-2020-15223: "revoked", said while nothing could be written, leaves a live token behind.
  test('26 the store is down → 503 at every endpoint that needs it, and nobody is let in', async () => {
    const { seams, down, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player, phone, tv, send } = hostile;
    const tokens = await player.signIn(alice);
    const { code, verifier } = await player.obtainCode(alice);
    const device = await tv.startDevice();
    const browser = alice.browser();
    await browser.open('/device');
    const xsrf = xsrfOf(browser.page.text);
    await browser.open('/account/security');
    const csrf = csrfOf(browser.page.text);
    const stranger = alice.anotherBrowser();
    await stranger.open(player.authorization().url);
    const interaction = stranger.path;
    const iat = await initialAccessToken(hostile);

    const before = await hostile.holdings();
    down();
    const signIn = { csrf: csrfOf(stranger.page.text), username: alice.username, password: alice.password };
    const asPlayer = basic('player', SECRET);
    const bearer: [string, string] = ['Authorization', `Bearer ${tokens.access_token}`];
    const html: [string, string] = ['Accept', 'text/html'];
    const form = (fields: Record<string, string>) => new URLSearchParams(fields);
    const requests: [string, Parameters<HostileWorld['send']>[0]][] = [
      [
        'code exchange',
        {
          path: '/token',
          headers: [asPlayer],
          body: form({
            grant_type: 'authorization_code',
            code,
            code_verifier: verifier,
            redirect_uri: 'http://player.test/callback',
          }),
        },
      ],
      [
        'refresh',
        {
          path: '/token',
          headers: [asPlayer],
          body: form({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
        },
      ],
      ['client credentials', { path: '/token', headers: [asPlayer], body: form({ grant_type: 'client_credentials' }) }],
      [
        'device poll',
        {
          path: '/token',
          body: form({
            client_id: 'tv',
            grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
            device_code: device.device_code,
          }),
        },
      ],
      [
        'introspection',
        { path: '/token/introspection', headers: [asPlayer], body: form({ token: tokens.access_token }) },
      ],
      ['revocation', { path: '/token/revocation', headers: [asPlayer], body: form({ token: tokens.access_token }) }],
      ['revocation of nothing', { path: '/token/revocation', headers: [asPlayer], body: form({ token: 'x' }) }],
      ['userinfo', { path: '/me', headers: [bearer] }],
      [
        'authorize',
        {
          path: new URL(player.authorization().url).pathname + new URL(player.authorization().url).search,
          headers: [html, cookiesOf(browser, '/auth')],
        },
      ],
      [
        'authorize as a stranger',
        {
          path: new URL(phone.authorization().url).pathname + new URL(phone.authorization().url).search,
          headers: [html],
        },
      ],
      [
        'pushed request',
        {
          path: '/request',
          headers: [asPlayer],
          body: form({ response_type: 'code', redirect_uri: 'http://player.test/callback' }),
        },
      ],
      ['device start', { path: '/device/auth', body: form({ client_id: 'tv', scope: 'openid' }) }],
      ['device page', { path: '/device', headers: [html, cookiesOf(browser, '/device')] }],
      [
        'device code typed',
        {
          path: '/device',
          headers: [html, cookiesOf(browser, '/device')],
          body: form({ xsrf, user_code: device.user_code, confirm: 'yes' }),
        },
      ],
      ['interaction page', { path: interaction, headers: [html, cookiesOf(stranger, interaction)] }],
      [
        'interaction sign-in',
        {
          path: `${interaction}/sign-in`,
          headers: [html, cookiesOf(stranger, `${interaction}/sign-in`)],
          body: form(signIn),
        },
      ],
      ['sign-in', { path: '/sign-in', headers: [html, cookiesOf(stranger, '/sign-in')], body: form(signIn) }],
      ['account', { path: '/account', headers: [html, cookiesOf(browser, '/account')] }],
      [
        'account as JSON',
        { path: '/account', headers: [['Accept', 'application/json'], cookiesOf(browser, '/account')] },
      ],
      ['devices', { path: '/account/devices', headers: [html, cookiesOf(browser, '/account')] }],
      ['security', { path: '/account/security', headers: [html, cookiesOf(browser, '/account')] }],
      [
        'sign out of everything',
        { path: '/account/sign-out-all', headers: [html, cookiesOf(browser, '/account')], body: form({ csrf }) },
      ],
      [
        'change password',
        {
          path: '/account/password',
          headers: [html, cookiesOf(browser, '/account')],
          body: form({ csrf, currentPassword: alice.password, password: 'another lantern over the harbour' }),
        },
      ],
      ['sign out here', { path: '/sign-out', headers: [html, cookiesOf(browser, '/sign-out')], body: form({ csrf }) }],
      ['receipt', { path: '/sign-outs/x', headers: [html, cookiesOf(browser, '/sign-outs/x')] }],
      ['receipt stream', { path: '/sign-outs/x/events', headers: [html, cookiesOf(browser, '/sign-outs/x')] }],
      [
        'logout',
        { path: `/session/end?id_token_hint=${tokens.id_token}`, headers: [html, cookiesOf(browser, '/session/end')] },
      ],
      [
        'logout confirmed',
        {
          path: '/session/end/confirm',
          headers: [html, cookiesOf(browser, '/session/end')],
          body: form({ xsrf, logout: 'yes' }),
        },
      ],
      [
        'registration',
        {
          path: '/reg',
          headers: [
            ['Authorization', `Bearer ${iat}`],
            ['Content-Type', 'application/json'],
          ],
          body: '{"redirect_uris":["https://x.test/"]}',
        },
      ],
      ['readiness', { path: '/readyz' }],
      ['metrics', { path: '/metrics' }],
    ];
    for (const [name, request] of requests) {
      const answer = await send(request);
      expect([name, answer.status]).toEqual([name, 503]);
      // Retrying is invited, nothing of the fault is told, and a logged-in browser is not thrown out.
      expect(answer.text).not.toMatch(/StoreUnavailable|broken:|\.ts\b|at \w+ \(/);
      expect([name, answer.cookies.filter((cookie) => cookie.includes('session'))]).toEqual([name, []]);
    }
    expect((await send({ path: '/healthz' })).status).toBe(200);

    up();
    expect(await hostile.holdings()).toEqual(before);
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
    expect(await player.exchange(code, verifier)).toMatchObject({ status: 200 });
    expect(await player.refresh(tokens)).toHaveProperty('access_token');
    await browser.open('/account');
    expect(browser.heading).not.toBe('Sign in');
  });

  test('26 any one method fails → "revoked" is said only where it is true', async () => {
    const { seams, only, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player } = hostile;
    for (const method of METHODS) {
      for (const kind of ['access_token', 'refresh_token'] as const) {
        const tokens = await player.signIn(alice);
        only(method);
        const { status } = await player.revoke(tokens[kind]);
        up();
        const { active } = await player.introspect(tokens[kind]);
        expect([method, status, status === 200 && active]).toEqual([method, status === 200 ? 200 : 503, false]);
      }
    }
  });

  test('26 any one method fails → no token is called active that was signed out', async () => {
    const { seams, only, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player, library } = hostile;
    const dead = await player.signIn(alice);
    await alice.signOutOfAllDevices();
    for (const method of METHODS) {
      only(method);
      const seen = await library.post('/token/introspection', { token: dead.access_token });
      const refreshed = await player.post('/token', { grant_type: 'refresh_token', refresh_token: dead.refresh_token });
      const shown = await player.userinfo(dead);
      up();
      expect([method, seen.status === 503 || seen.body['active'] === false]).toEqual([method, true]);
      expect([method, refreshed.status === 503 || refreshed.body['error'] === 'invalid_grant']).toEqual([method, true]);
      expect([method, shown.status === 401 || shown.status === 503]).toEqual([method, true]);
    }
  });

  test('26 any one method fails, at any endpoint → the usual answer or 503, never 500', async () => {
    const { seams, only, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player, cinema, tv, send } = hostile;
    const asPlayer = basic('player', SECRET);
    const browser = await alice.signIn();
    await cinema.signIn(alice);
    const paths = [
      ...[player, cinema, hostile.phone].flatMap((client) =>
        ['', 'none', 'login', 'consent'].map((prompt) => {
          const { pathname, search } = new URL(client.authorization({ prompt }).url);
          return pathname + search;
        }),
      ),
      '/session/end',
      '/device',
      '/account',
      '/account/devices',
      '/account/security',
      '/sign-in',
      '/metrics',
      '/jwks',
      '/.well-known/openid-configuration',
    ];
    for (const method of METHODS) {
      const tokens = await player.signIn(alice);
      const { code, verifier } = await player.obtainCode(alice);
      const device = await tv.startDevice();
      const token = await initialAccessToken(hostile);
      await browser.open('/device');
      const xsrf = xsrfOf(browser.page.text);
      only(method);
      const statuses = [
        ...(await Promise.all(
          paths.map((path) =>
            send({ path, headers: [cookiesOf(browser, path.split('?')[0] ?? '/'), ['Accept', 'text/html']] }),
          ),
        )),
        await send({
          path: '/device',
          headers: [cookiesOf(browser, '/device')],
          body: new URLSearchParams({ xsrf, user_code: device.user_code, confirm: 'yes' }),
        }),
        await tv.pollDevice(device.device_code),
        await player.exchange(code, verifier),
        await player.post('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
        await player.post('/token', { grant_type: 'client_credentials' }),
        await player.post('/request', { response_type: 'code', redirect_uri: 'http://player.test/callback' }),
        await player.userinfo(tokens),
        await tv.post('/device/auth', { scope: 'openid' }),
        await send({
          path: '/reg',
          headers: [
            ['Authorization', `Bearer ${token}`],
            ['Content-Type', 'application/json'],
          ],
          body: '{"redirect_uris":["https://x.test/"]}',
        }),
        await send({
          path: '/token',
          headers: [asPlayer],
          body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'x' }),
        }),
      ].map(({ status }) => status);
      up();
      expect([method, statuses.filter((status) => status >= 500 && status !== 503)]).toEqual([method, []]);
    }
  });

  test('26 any one method fails → "access has ended" is said only where it has', async () => {
    const { seams, only, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player, library } = hostile;
    for (const method of METHODS) {
      const tokens = await player.signIn(alice);
      const browser = alice.browser();
      await browser.open('/account/security');
      const csrf = csrfOf(browser.page.text);
      only(method);
      const answer = await hostile.send({
        path: '/account/sign-out-all',
        headers: [cookiesOf(browser, '/account')],
        body: new URLSearchParams({ csrf }),
      });
      up();
      const { active } = await library.introspect(tokens.access_token);
      const toReceipt = answer.header('location')?.startsWith('/sign-outs/') === true;
      expect([method, answer.status, active]).toEqual([method, toReceipt ? 303 : 503, !toReceipt]);
      if (toReceipt) browser.cookies.clear();
    }
  });

  test('26 any one method fails while signing in → in, or 503, or asked again; never 500', async () => {
    const { seams, only, up } = breakable();
    const hostile = await hostileWorld({ seams, faults: true });
    const { alice, player, tv } = hostile;
    for (const method of METHODS) {
      only(method);
      for (const attempt of [
        () => player.signIn(alice, alice.anotherBrowser()),
        () => tv.connectDevice(alice, alice.anotherBrowser()),
      ]) {
        // What the browser saw is in the log, which is judged at the end.
        await attempt().catch(() => undefined);
      }
      up();
    }
    expect(answered(hostile)).not.toContain(500);
  });
});

describe('registration', () => {
  const complete = {
    redirect_uris: ['https://x.test/cb'],
    backchannel_logout_uri: 'https://x.test/logout',
    backchannel_logout_session_required: true,
  };

  // Row 27. CVE-2026-107623.
  test('27 an update or removal by its registration token → does not exist; logout metadata stays', async () => {
    const { json } = await register(shared(), complete);
    const path = `/reg/${String(json['client_id'])}`;
    const bearer: [string, string] = ['Authorization', `Bearer ${String(json['registration_access_token'])}`];
    const changes = await shared().changes(async () => {
      for (const method of ['PUT', 'PATCH', 'DELETE', 'POST']) {
        const update = { client_id: json['client_id'], redirect_uris: ['https://evil.test/'] };
        const body = JSON.stringify(update);
        const answer = await shared().send({
          method,
          path,
          headers: [bearer, ['Content-Type', 'application/json']],
          body,
        });
        expect([404, 405]).toContain(answer.status);
      }
    });
    expect(changes).toEqual([]);
    const read = await shared().send({ path, headers: [bearer] });
    expect(read.json).toMatchObject(complete);
  });

  test('27 reading a registration → no secret in it, nor what is kept in place of one', async () => {
    const { json } = await register(shared(), complete);
    expect(String(json['client_secret']).length).toBeGreaterThan(40);
    const id = String(json['client_id']);
    const bearer: [string, string] = ['Authorization', `Bearer ${String(json['registration_access_token'])}`];
    for (const path of [`/reg/${id}`, `/REG/${id}`, `/reg/${id}/`]) {
      const { status, text, json: read } = await shared().send({ path, headers: [bearer] });
      expect([status, read['client_id']]).toEqual([200, id]);
      expect(read).not.toHaveProperty('client_secret');
      expect(text).not.toContain(String(json['client_secret']));
    }
    expect(JSON.stringify(await shared().holdings())).not.toContain(String(json['client_secret']));
  });

  test("27 a registration token at another client's record, a configured one's, or none's → refused", async () => {
    const mine = (await register(shared(), complete)).json;
    const other = (await register(shared(), complete)).json;
    const bearer: [string, string] = ['Authorization', `Bearer ${String(other['registration_access_token'])}`];
    for (const id of [String(mine['client_id']), 'player', 'nobody', '__proto__', '%2e%2e']) {
      for (const headers of [[], [bearer], [['Authorization', 'Bearer x']]] as [string, string][][]) {
        const answer = await shared().send({ path: `/reg/${id}`, headers });
        expect([400, 401]).toContain(answer.status);
        expect(answer.text).not.toContain('x.test');
      }
    }
  });

  test('27 without a token, with a used-up or wrong one → 401, and nothing is written', async () => {
    const { access_token } = await anew();
    const changes = await shared().changes(async () => {
      for (const token of ['', 'x', access_token, 'undefined']) {
        expect([400, 401]).toContain((await register(shared(), complete, token)).status);
      }
      const none = await shared().send({
        path: '/reg',
        headers: [['Content-Type', 'application/json']],
        body: JSON.stringify(complete),
      });
      expect([400, 401]).toContain(none.status);
    });
    expect(changes).toEqual([]);
  });

  const GREEDY: Record<string, Record<string, unknown> | string> = {
    first_party: { first_party: true },
    'first_party as text': { first_party: 'false' },
    'first_party null': { first_party: null },
    'introspects all': { introspects: 'all' },
    'introspects some': { introspects: ['player'] },
    'introspects nobody': { introspects: [] },
    'alg none for ID Tokens': { id_token_signed_response_alg: 'none' },
    'HS256 for ID Tokens': { id_token_signed_response_alg: 'HS256' },
    client_secret_jwt: { token_endpoint_auth_method: 'client_secret_jwt' },
    'an auth method nobody knows': { token_endpoint_auth_method: 'tls_client_auth' },
    'the implicit grant': { grant_types: ['implicit'], response_types: ['token'] },
    'the password grant': { grant_types: ['password'] },
    'a scope nobody knows': { scope: 'openid admin' },
    'redirect URIs that are no list': { redirect_uris: 'https://x.test/' },
    'redirect URIs that are objects': { redirect_uris: [{ $ne: 1 }] },
    'no redirect URI': { redirect_uris: [] },
    'a name that is an object': { client_name: { $ne: 1 } },
    'a logo that is an object': { logo_uri: { toString: 'https://x.test' } },
    'private keys': { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } },
    'keys twice': { jwks: { keys: [] }, jwks_uri: 'https://x.test/jwks' },
    'a negative max age': { default_max_age: -1 },
    'an array': '[]',
    'a string': '"x"',
    null: 'null',
    'a number': '1',
    'broken JSON': '{"redirect_uris":',
    nothing: '',
  };
  test.each(Object.entries(GREEDY))('4 registering %s → refused, and nothing is written', async (_name, metadata) => {
    const token = await initialAccessToken(shared());
    const changes = await shared().changes(async () => {
      const asked = typeof metadata === 'string' ? metadata : { ...complete, ...metadata };
      const answer = await register(shared(), asked, token);
      expect([answer.status, answer.json['error']]).toEqual([400, expect.stringMatching(/^invalid_/)]);
    });
    expect(changes).toEqual([]);
  });

  // Row 71. CVE-2025-23061: keys that name an object's own machinery.
  test.each([
    '"__proto__":{"first_party":true,"introspects":"all","client_id":"player"}',
    '"constructor":{"prototype":{"first_party":true}}',
    '"client_id":"player","client_secret":"chosen"',
    '"client_id":"player","client_id":"library"',
    '"registration_access_token":"chosen","registration_client_uri":"https://evil.test"',
    '"client_secret":"chosen","client_secret_expires_at":1',
    '"toString":"x","hasOwnProperty":"x"',
  ])('71 registering {%s} → an ordinary third-party client of its own', async (member) => {
    const answer = await register(shared(), `{"redirect_uris":["https://x.test/cb"],${member}}`);
    expect(answer.status).toBe(201);
    const { json } = answer;
    expect(['player', 'library']).not.toContain(json['client_id']);
    expect(json['client_secret']).not.toBe('chosen');
    expect(json['registration_access_token']).not.toBe('chosen');
    expect(json['first_party']).toBeUndefined();
    expect(({} as Record<string, unknown>)['first_party']).toBeUndefined();
    // It sees nobody's tokens, and asks for consent.
    const { access_token } = await anew();
    const seen = await shared().send({
      path: '/token/introspection',
      headers: [basic(String(json['client_id']), String(json['client_secret']))],
      body: new URLSearchParams({ token: access_token }),
    });
    expect(seen.json).toEqual({ active: false });
    const browser = await shared().alice.signIn(shared().alice.anotherBrowser());
    const query = new URLSearchParams({
      client_id: String(json['client_id']),
      response_type: 'code',
      redirect_uri: 'https://x.test/cb',
      scope: 'openid',
    });
    await browser.open(`/auth?${query.toString()}`);
    expect(browser.left).toBeUndefined();
    expect(browser.buttons).toContain('Allow');
  });

  test('4 HTML in what a registered client says of itself → shown as text', async () => {
    const name = '</title><script>alert(1)</script>';
    const { json } = await register(shared(), {
      redirect_uris: ['https://x.test/cb'],
      client_name: name,
      client_uri: 'https://x.test/"><script>alert(1)</script>',
      logo_uri: 'https://x.test/"onerror="alert(1)',
    });
    const browser = await shared().alice.signIn(shared().alice.anotherBrowser());
    const query = new URLSearchParams({
      client_id: String(json['client_id']),
      response_type: 'code',
      redirect_uri: 'https://x.test/cb',
      scope: 'openid',
    });
    await browser.open(`/auth?${query.toString()}`);
    expect(browser.heading).toContain(name);
    expect(browser.page.text).not.toContain('<script>alert');
    expect(browser.page.text).not.toMatch(/"\s*onerror=/);
  });
});
