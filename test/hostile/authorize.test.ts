/** Rows 1–12 of security.md: the authorization endpoint, and the addresses it may lead to. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';

import { readConfig } from '../../src/config/read.ts';
import type { Client } from '../support/client.ts';
import { CANARY, cookiesOf, hostileWorld, initialAccessToken, register, s256, sharedWorld, trap } from './probe.ts';

const shared = sharedWorld();

const REGISTERED = 'http://player.test/callback';
const VERIFIER = 'a verifier that is long enough to be one, 0123456789';

/** The parameters of a request that would be answered, as pairs, so that any can be repeated. */
function good(client: Client, changed: Record<string, string | undefined> = {}): [string, string][] {
  const standard: Record<string, string | undefined> = {
    client_id: client.id,
    response_type: 'code',
    redirect_uri: (client.setup['redirect_uris'] as string[])[0],
    scope: 'openid',
    state: 'a-state',
    code_challenge: s256(VERIFIER),
    code_challenge_method: 'S256',
    ...changed,
  };
  return Object.entries(standard).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

const query = (pairs: [string, string][]): string => `/auth?${new URLSearchParams(pairs).toString()}`;

/** A person is signed in, so that whatever slips through is answered with a code at once. */
async function signedIn() {
  const hostile = shared();
  const browser = await hostile.alice.signIn(hostile.alice.anotherBrowser());
  const ask = (path: string) => hostile.send({ path, headers: [cookiesOf(browser, '/auth')] });
  return { hostile, browser, ask };
}

/** Nobody was sent anywhere, by any means. */
function expectNoWayOut(answer: { status: number; text: string; header(name: string): string | undefined }): void {
  expect(answer.header('location')).toBeUndefined();
  expect(answer.header('refresh')).toBeUndefined();
  expect(answer.text).not.toMatch(/http-equiv="refresh"|evil\.test/i);
}

const MISMATCHES: Record<string, string> = {
  // Row 1. CVE-2024-8883: a host hidden behind user information.
  '1 localhost:80@evil': 'http://localhost:80@evil.test/callback',
  '1 the registered host as user': 'http://player.test@evil.test/callback',
  '1 the registered host as user and password': 'http://player.test:80@evil.test/callback',
  '1 user information added': 'http://evil@player.test/callback',
  '1 a port added': 'http://player.test:8080/callback',
  '1 the default port added': 'http://player.test:80/callback',
  '1 a subdomain': 'http://evil.player.test/callback',
  '1 a longer host': 'http://player.test.evil.test/callback',
  '1 another scheme': 'https://player.test/callback',
  '1 no scheme': '//evil.test/callback',
  '1 a path only': '/callback',
  '1 a fragment that hides the rest': 'http://evil.test/#http://player.test/callback',
  '1 a fragment added': `${REGISTERED}#x`,
  // Row 2. CVE-2024-1132: what a later reader takes for the same path.
  '2 ..%2f': 'http://player.test/callback/..%2fevil',
  '2 ..%252f': 'http://player.test/callback/..%252fevil',
  '2 dot segments': 'http://player.test/callback/../evil',
  '2 dot segments that lead back': 'http://player.test/x/../callback',
  '2 a backslash': 'http://player.test\\@evil.test/callback',
  '2 a backslash for a slash': 'http://player.test/callback\\..\\evil',
  '2 upper case in the host': 'http://PLAYER.test/callback',
  '2 upper case in the path': 'http://player.test/Callback',
  '2 upper case in the scheme': 'HTTP://player.test/callback',
  '2 an escaped letter': 'http://player.test/%63allback',
  '2 a trailing slash': 'http://player.test/callback/',
  '2 a path parameter': 'http://player.test/callback;x=1',
  '2 a space before': ` ${REGISTERED}`,
  '2 a space after': `${REGISTERED} `,
  '2 a tab inside': 'http://player.test/call\tback',
  '2 a line break after': `${REGISTERED}\r\nX: y`,
  '2 a NUL after': `${REGISTERED}\0`,
  '2 a trailing dot in the host': 'http://player.test./callback',
  '2 a full-width dot': 'http://player。test/callback',
  // Row 3. Extra query.
  '3 a query': `${REGISTERED}?x=1`,
  '3 an empty query': `${REGISTERED}?`,
  '3 a query that asks for another answer': `${REGISTERED}?code=stolen`,
};

describe('redirect URIs are compared character by character', () => {
  test.each(Object.entries(MISMATCHES))('%s → an error page, and no redirect', async (_name, redirectUri) => {
    const { hostile, ask } = await signedIn();
    const { player } = hostile;
    const changes = await hostile.changes(async () => {
      for (const parameters of [
        good(player, { redirect_uri: redirectUri }),
        good(player, { redirect_uri: redirectUri, prompt: 'none' }),
        good(player, { redirect_uri: redirectUri, response_mode: 'form_post' }),
        good(player, { redirect_uri: redirectUri, response_mode: 'fragment' }),
        // Wrong in another way as well: the error must not travel there either.
        good(player, { redirect_uri: redirectUri, scope: 'nothing-like-this', response_type: 'token' }),
      ]) {
        const answer = await ask(query(parameters));
        expect(answer.status).toBe(400);
        expectNoWayOut(answer);
      }
      const pushed = await player.post('/request', Object.fromEntries(good(player, { redirect_uri: redirectUri })));
      expect(pushed).toMatchObject({ status: 400 });
    });
    expect(changes).toEqual([]);
  });

  test('1 redirect_uri is missing, although only one is registered → an error page', async () => {
    const { hostile, ask } = await signedIn();
    const changes = await hostile.changes(async () => {
      for (const redirect_uri of [undefined, '']) {
        const answer = await ask(query(good(hostile.player, { redirect_uri })));
        expect(answer.status).toBe(400);
        expectNoWayOut(answer);
      }
    });
    expect(changes).toEqual([]);
  });

  // Row 5. CVE-2024-52289: registered addresses are texts, not patterns.
  test('5 a wildcard or an expression that got registered → matches itself alone', async () => {
    const { hostile, ask } = await signedIn();
    const patterns = ['https://*.app.test/cb', 'https://app.test/*', 'https://app.test/.*', 'https://app.test/cb?.+'];
    // Refusing them would be as good; then nobody has that id below.
    const { json } = await register(hostile, { redirect_uris: patterns });
    const client = { id: json['client_id'] ?? 'nobody', setup: { redirect_uris: patterns } } as unknown as Client;
    const changes = await hostile.changes(async () => {
      for (const redirect_uri of ['https://evil.app.test/cb', 'https://app.test/evil', 'https://app.test/cb?x=1']) {
        const answer = await ask(query(good(client, { redirect_uri })));
        expect(answer.status).toBe(400);
        expectNoWayOut(answer);
      }
    });
    expect(changes).toEqual([]);
  });
});

// Row 4. CVE-2023-6717: an address that a browser runs is refused where it would be written down.
const RUNS = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\tscript:alert(1)',
  ' javascript:alert(1)',
  'javascript://player.test/%0aalert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'blob:https://x.test/1',
  'file:///etc/passwd',
];

describe('4 addresses that run', () => {
  const fields = ['redirect_uris', 'post_logout_redirect_uris', 'logo_uri', 'policy_uri', 'tos_uri', 'client_uri'];
  const more = ['initiate_login_uri', 'backchannel_logout_uri', 'jwks_uri', 'sector_identifier_uri'];

  test.each([...fields, ...more])('4 %s that runs → registration is refused', async (field) => {
    const hostile = shared();
    const token = await initialAccessToken(hostile);
    const changes = await hostile.changes(async () => {
      for (const uri of RUNS) {
        for (const application_type of ['web', 'native']) {
          const value = field.endsWith('uris') ? [uri] : uri;
          const metadata = { redirect_uris: ['https://x.test/cb'], application_type, [field]: value };
          const { status, json } = await register(hostile, metadata, token);
          expect([uri, status, json['error']]).toEqual([
            uri,
            400,
            expect.stringMatching(/^invalid_(redirect_uri|client_metadata)$/),
          ]);
        }
      }
    });
    expect(changes).toEqual([]);
  });

  test.each([...fields, ...more])('4 %s that runs → the configuration is refused', async (field) => {
    const hostile = shared();
    for (const uri of [...RUNS, 'https://*.x.test/cb']) {
      if (uri.includes('*') && !field.endsWith('uris')) continue;
      for (const application_type of ['web', 'native']) {
        const client = {
          client_id: 'x',
          client_secret: 'a secret that only its client knows, 0123456789',
          redirect_uris: ['https://x.test/cb'],
          application_type,
          [field]: field.endsWith('uris') ? [uri] : uri,
        };
        const file = join(hostile.folder, 'hostile.yaml');
        writeFileSync(file, JSON.stringify({ issuer: 'https://id.test', clients: [client] }));
        const reading = readConfig({ file, env: {}, cwd: hostile.folder });
        const named =
          'problems' in reading && reading.problems.some(({ path }) => path.startsWith(`clients[0].${field}`));
        expect([uri, reading.ok, named]).toEqual([uri, false, true]);
      }
    }
  });
});

describe('PKCE', () => {
  // Row 6. RFC 9700 §2.1.1: a public client proves that it is the one that asked.
  const WEAK: Record<string, Record<string, string | undefined>> = {
    'no challenge': { code_challenge: undefined, code_challenge_method: undefined },
    'no challenge, but a method': { code_challenge: undefined },
    'an empty challenge': { code_challenge: '' },
    plain: { code_challenge: VERIFIER, code_challenge_method: 'plain' },
    'plain by omission': { code_challenge: VERIFIER, code_challenge_method: undefined },
    'plain by an empty method': { code_challenge: VERIFIER, code_challenge_method: '' },
    'a method nobody knows': { code_challenge_method: 's256' },
    'a challenge that is too short': { code_challenge: 'abc' },
    'a challenge with forbidden characters': { code_challenge: `${'a'.repeat(42)}!` },
  };

  test.each(Object.entries(WEAK))('6 %s from a public client → invalid_request', async (_name, changed) => {
    const { hostile, ask } = await signedIn();
    const changes = await hostile.changes(async () => {
      const answer = await ask(query(good(hostile.phone, changed)));
      const location = new URL(answer.header('location') ?? 'none:');
      expect(location.origin + location.pathname).toBe('http://phone.test/callback');
      expect(location.searchParams.get('error')).toBe('invalid_request');
      expect(location.searchParams.get('code')).toBeNull();
      const pushed = await hostile.phone.post('/request', Object.fromEntries(good(hostile.phone, changed)));
      expect(pushed).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    });
    expect(changes).toEqual([]);
  });

  test.each(Object.entries(WEAK).slice(3))(
    '6 %s from a confidential client → invalid_request',
    async (_name, changed) => {
      const { hostile, ask } = await signedIn();
      const changes = await hostile.changes(async () => {
        const answer = await ask(query(good(hostile.player, changed)));
        expect(new URL(answer.header('location') ?? 'none:').searchParams.get('error')).toBe('invalid_request');
      });
      expect(changes).toEqual([]);
    },
  );
});

describe('repeated parameters', () => {
  // Row 7. ASVS 15.3.7: two readers of a repeated parameter may believe different ones.
  const names = [
    'client_id',
    'response_type',
    'redirect_uri',
    'scope',
    'state',
    'code_challenge',
    'code_challenge_method',
  ];
  test.each([...names, 'prompt', 'nonce', 'response_mode', 'max_age', 'id_token_hint', 'login_hint', 'request_uri'])(
    '7 %s twice → invalid_request',
    async (name) => {
      const { hostile, ask } = await signedIn();
      const { player } = hostile;
      const parameters = good(player);
      const value = parameters.find(([other]) => other === name)?.[1] ?? 'x';
      const changes = await hostile.changes(async () => {
        for (const second of [value, 'http://evil.test/callback', '']) {
          for (const pairs of [
            [...parameters.filter(([other]) => other !== name), [name, value], [name, second]],
            [[name, second], ...parameters.filter(([other]) => other !== name), [name, value]],
          ] as [string, string][][]) {
            const answer = await ask(query(pairs));
            expect(answer.text).not.toContain('evil.test');
            // Here, or told to the app at its own address.
            expect(answer.header('location') ?? answer.status).toSatisfy(
              (said: string | number) =>
                said === 400 || String(said).startsWith('http://player.test/callback?error=invalid_request&'),
            );
            const pushed = await hostile.send({
              path: '/request',
              headers: [['Authorization', basicOf(player)]],
              body: new URLSearchParams(pairs),
            });
            expect([pushed.status, pushed.json['error']]).toEqual([
              400,
              expect.stringMatching(/^invalid_request|request_uri_not_supported$/),
            ]);
          }
        }
      });
      expect(changes).toEqual([]);
    },
  );

  test('7 an array or an object in brackets → not read as the parameter', async () => {
    const { hostile, ask } = await signedIn();
    const changes = await hostile.changes(async () => {
      for (const bracket of ['[]', '[0]', '[$ne]', '.0']) {
        const parameters = good(hostile.player).map(([name, value]): [string, string] => [
          name === 'redirect_uri' ? `redirect_uri${bracket}` : name,
          value,
        ]);
        const answer = await ask(query(parameters));
        expect(answer.status).toBe(400);
        expectNoWayOut(answer);
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('flows that do not exist', () => {
  // Row 8. RFC 9700 §2.1.2: what the browser sees is not a token.
  test.each([
    'token',
    'id_token',
    'id_token token',
    'code token',
    'code id_token',
    'code id_token token',
    'none',
    'CODE',
    '',
  ])('8 response_type %j → refused', async (response_type) => {
    const { hostile, ask } = await signedIn();
    const changes = await hostile.changes(async () => {
      for (const response_mode of [undefined, 'query', 'fragment', 'form_post']) {
        const answer = await ask(query(good(hostile.player, { response_type, response_mode, nonce: 'n' })));
        const said = `${answer.header('location')} ${answer.text}`;
        expect(said).toMatch(/unsupported_response_type|unauthorized_client|invalid_request/);
        expect(said).not.toMatch(/access_token|id_token=|code=/);
      }
    });
    expect(changes).toEqual([]);
  });

  // Row 8. RFC 9700 §2.4: a password belongs on our own page.
  test.each([
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'urn:openid:params:grant-type:ciba',
    '__proto__',
    'constructor',
    'toString',
  ])('8 grant_type %s → unsupported', async (grant_type) => {
    const hostile = shared();
    const { alice, player, phone } = hostile;
    const form = { grant_type, username: alice.username, password: alice.password, scope: 'openid' };
    const changes = await hostile.changes(async () => {
      for (const client of [player, phone]) {
        expect(await client.post('/token', form)).toMatchObject({
          status: 400,
          body: { error: 'unsupported_grant_type' },
        });
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('requests by reference', () => {
  // Row 9. CVE-2020-10770: whoever may name an address for us to fetch may probe our network.
  test('9 an external request_uri → refused, and nobody is called', async () => {
    const lure = await trap();
    onTestFinished(() => lure.close());
    // The very host is opened to us: it is not called all the same.
    const { hostile, ask } = await signedIn();
    const { player } = hostile;
    const uris = [
      `${lure.url}/request.jwt`,
      `${lure.url}#x`,
      lure.url.replace('127.0.0.1', 'localhost'),
      'file:///etc/passwd',
      'urn:x',
    ];
    const changes = await hostile.changes(async () => {
      for (const request_uri of uris) {
        for (const parameters of [
          good(player, { request_uri }),
          [
            ['client_id', 'player'],
            ['request_uri', request_uri],
          ],
        ]) {
          const answer = await ask(query(parameters as [string, string][]));
          expect(`${answer.header('location')} ${answer.text}`).toMatch(
            /invalid_request_uri|request_uri_not_supported|invalid_request/,
          );
          expect(`${answer.header('location')}`).not.toContain('code=');
        }
        const form = Object.fromEntries(good(player, { request_uri }));
        expect(await player.post('/request', form)).toMatchObject({ status: 400 });
        expect(await hostile.tv.post('/device/auth', { scope: 'openid', request_uri })).toMatchObject({ status: 400 });
      }
    });
    expect(lure.calls()).toBe(0);
    expect(changes).toEqual([]);
  });

  test('9 a pushed request of another client, used twice or with other parameters beside it → nothing but what was pushed', async () => {
    const { hostile, ask } = await signedIn();
    const { player, phone } = hostile;
    const pushed = await player.post('/request', Object.fromEntries(good(player)));
    const request_uri = String(pushed.body['request_uri']);
    const changes = await hostile.changes(async () => {
      const stolen = await ask(
        query([
          ['client_id', phone.id],
          ['request_uri', request_uri],
          ['redirect_uri', 'http://phone.test/callback'],
        ]),
      );
      expect(stolen.header('location') ?? '').not.toContain('code=');
      expect(stolen.status === 400 || `${stolen.header('location')}`.includes('error=')).toBe(true);
    });
    expect(changes).toEqual([]);
    const beside: [string, string][] = [
      ['client_id', player.id],
      ['request_uri', request_uri],
      ['redirect_uri', 'http://evil.test/'],
      ['state', 'evil'],
    ];
    const first = await ask(query(beside));
    expect(first.header('location')).toMatch(/^http:\/\/player\.test\/callback\?code=.*state=a-state/);
    const again = await ask(query(beside.slice(0, 2)));
    expect(again.status).toBe(400);
    expectNoWayOut(again);
  });

  // Row 10. RFC 9101 §10.2, RFC 8725 §3.2: the signer chooses no algorithm.
  test('10 a request object, unsigned, signed with a public key or properly → refused', async () => {
    const { hostile, ask } = await signedIn();
    const { player } = hostile;
    const claims = {
      ...Object.fromEntries(good(player)),
      iss: 'player',
      aud: hostile.issuer,
      redirect_uri: 'http://evil.test/',
    };
    const published = JSON.stringify((await hostile.send({ path: '/jwks' })).json);
    const own = await generateKeyPair('ES256');
    const objects = [
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(published)),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', jwk: {} }).sign(own.privateKey),
      'x.y.z',
      '',
    ];
    const changes = await hostile.changes(async () => {
      for (const request of objects.slice(0, 4)) {
        const answer = await ask(query(good(player, { request })));
        expect(new URL(answer.header('location') ?? 'none:').searchParams.get('error')).toBe('request_not_supported');
        const form = Object.fromEntries(good(player, { request }));
        expect(await player.post('/request', form)).toMatchObject({
          status: 400,
          body: { error: 'request_not_supported' },
        });
      }
    });
    expect(changes).toEqual([]);
  });

  test('10 an id_token_hint without signature, signed with a public key or by a stranger → refused', async () => {
    const { hostile, ask } = await signedIn();
    const { player, alice } = hostile;
    const tokens = await player.signIn(alice, alice.anotherBrowser());
    const [header = '', payload = ''] = tokens.id_token.split('.');
    const published = (await hostile.send({ path: '/jwks' })).text;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const stranger = await generateKeyPair('ES256');
    const hints = [
      new UnsecuredJWT(claims).encode(),
      `${header}.${payload}.`,
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid }).sign(Buffer.from(published)),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(stranger.privateKey),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(stranger.privateKey),
      'garbage',
      '..',
    ];
    const changes = await hostile.changes(async () => {
      for (const id_token_hint of hints) {
        const answer = await ask(query(good(player, { id_token_hint, prompt: 'none' })));
        expect(new URL(answer.header('location') ?? 'none:').searchParams.get('error')).toBe('invalid_request');
        const logout = await ask(`/session/end?${new URLSearchParams({ id_token_hint }).toString()}`);
        // A logout is asked about, hint or no hint (row 32).
        expect([logout.status, logout.text.includes('Sign out?')]).toEqual([200, true]);
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('what comes back', () => {
  // Row 11. CVE-2018-14655: state comes back in a page of ours.
  test('11 HTML in state with form_post → encoded', async () => {
    const { hostile, ask } = await signedIn();
    for (const state of [`"><script>${CANARY}</script>`, `'/>${CANARY}`, '</form>', '&quot;>']) {
      const answer = await ask(query(good(hostile.player, { state, response_mode: 'form_post' })));
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain(CANARY);
      const field = /name="state" value="([^"]*)"/.exec(answer.text)?.[1] ?? '';
      expect(field).not.toMatch(/[<>'"]/);
      expect(unescaped(field)).toBe(state);
      // The page's own script is named in the policy by its digest; nothing else runs.
      expect(answer.header('content-security-policy')).toMatch(/script-src 'self' 'sha256-[^']+'/);
      expect(answer.header('content-security-policy')).not.toContain('unsafe-inline');
    }
  });

  test('11 line breaks in state and error answers → encoded, no header of their own', async () => {
    const { hostile, ask } = await signedIn();
    for (const changed of [
      { state: 'a\r\nSet-Cookie: evil=1' },
      { state: 'a\r\nX: y', prompt: 'none', scope: 'nothing' },
      { state: '\0\u2028é' },
    ]) {
      const answer = await ask(query(good(hostile.player, changed)));
      expect(answer.cookies.join()).not.toContain('evil');
      expect(answer.header('x')).toBeUndefined();
      const back = new URL(answer.header('location') ?? 'none:').searchParams.get('state');
      expect(back).toBe(changed.state);
    }
  });

  test('11 HTML in parameters of a request that cannot be answered → not shown', async () => {
    const { hostile, ask } = await signedIn();
    for (const name of [
      'client_id',
      'response_type',
      'redirect_uri',
      'scope',
      'prompt',
      'response_mode',
      'code_challenge_method',
      'request_uri',
      'resource',
      'ui_locales',
      'acr_values',
      'max_age',
    ]) {
      const answer = await ask(
        query(
          good(hostile.player, { [name]: CANARY, ...(name === 'redirect_uri' ? {} : { redirect_uri: undefined }) }),
        ),
      );
      expect(answer.status).toBe(400);
      expect(answer.text).not.toContain(CANARY);
    }
  });

  // Row 12. Core §3.1.2.1: a hint names who must be signed in already.
  test("12 another person's id_token_hint with prompt=none → login_required", async () => {
    const hostile = await hostileWorld();
    const { alice, bob, player } = hostile;
    const bobs = await player.signIn(bob);
    // She uses it already: what a first-party Client is granted at her visit is not what is looked for.
    await player.signIn(alice);
    const browser = alice.browser();
    const changes = await hostile.changes(async () => {
      const answer = await hostile.send({
        path: query(good(player, { id_token_hint: bobs.id_token, prompt: 'none' })),
        headers: [cookiesOf(browser, '/auth')],
      });
      const location = new URL(answer.header('location') ?? 'none:');
      expect(location.searchParams.get('error')).toBe('login_required');
      expect(location.searchParams.get('code')).toBeNull();
    });
    expect(changes).toEqual([]);
  });

  test("12 another client's id_token_hint, or a Logout Token for one → refused", async () => {
    const hostile = await hostileWorld();
    const { alice, player, cinema, ears } = hostile;
    const cinemas = await cinema.signIn(alice);
    await player.signIn(alice);
    await alice.signOutOfAllDevices();
    await hostile.settle();
    const logoutToken = ears.by('cinema')[0]?.token ?? '';
    const browser = await alice.signIn();
    const changes = await hostile.changes(async () => {
      for (const id_token_hint of [cinemas.id_token, cinemas.access_token, cinemas.refresh_token, logoutToken]) {
        const answer = await hostile.send({
          path: query(good(player, { id_token_hint, prompt: 'none' })),
          headers: [cookiesOf(browser, '/auth')],
        });
        expect(new URL(answer.header('location') ?? 'none:').searchParams.get('error')).toBe('invalid_request');
      }
    });
    expect(changes).toEqual([]);
  });
});

function basicOf(client: Client): string {
  return `Basic ${Buffer.from(`${client.id}:${encodeURIComponent(String(client.setup['client_secret']))}`).toString('base64')}`;
}

function unescaped(html: string): string {
  return html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
