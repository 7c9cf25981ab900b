/** Rows 71 and 72 of security.md: whatever is sent, the answer is a refusal, one line in the log, and bounded work. */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import {
  answered,
  basic,
  CANARY,
  cookiesOf,
  csrfOf,
  hold,
  hostileWorld,
  parseAnswer,
  type RawAnswer,
  type RawRequest,
  s256,
  sharedWorld,
  xsrfOf,
} from './probe.ts';

const SECRET = 'a secret that only its client knows, 0123456789';
const FORM = 'application/x-www-form-urlencoded';
const shared = sharedWorld();
const asPlayer = basic('player', SECRET);

/** Every form there is, filled in as its owner would. */
type Form = {
  readonly name: string;
  readonly path: string;
  readonly headers: [string, string][];
  readonly fields: Record<string, string>;
};

async function forms(): Promise<{ ours: Form[]; protocol: Form[]; browser: Browser }> {
  const { alice, player, cinema, tv } = shared();
  const browser = await alice.signIn(alice.anotherBrowser());
  const tokens = await player.signIn(alice, alice.anotherBrowser());
  const { code, verifier } = await player.obtainCode(alice, alice.anotherBrowser());
  const device = await tv.startDevice();
  await browser.open('/account/security');
  const csrf = csrfOf(browser.page.text);
  const stranger = alice.anotherBrowser();
  await stranger.open(player.authorization().url);
  const interaction = stranger.path;
  const strangers = csrfOf(stranger.page.text);
  await browser.open(cinema.authorization().url);
  const consent = browser.path;
  const consents = csrfOf(browser.page.text);
  const consentCookies = cookiesOf(browser, consent);
  await browser.open('/device');
  const own = cookiesOf(browser, '/account');
  const form = (name: string, path: string, headers: [string, string][], fields: Record<string, string>): Form => ({
    name,
    path,
    headers,
    fields,
  });
  const credentials = { username: 'nobody', password: 'x' };
  return {
    browser,
    ours: [
      form('sign-in', '/sign-in', [cookiesOf(stranger, '/sign-in')], { csrf: strangers, ...credentials }),
      form('interaction', `${interaction}/sign-in`, [cookiesOf(stranger, interaction)], {
        csrf: strangers,
        ...credentials,
      }),
      form('cancel', `${interaction}/cancel`, [cookiesOf(stranger, interaction)], { csrf: strangers }),
      form('consent', `${consent}/consent`, [consentCookies], { csrf: consents, decision: 'allow' }),
      form('sign out', '/sign-out', [own], { csrf }),
      form('sign out of everything', '/account/sign-out-all', [own], { csrf }),
      form('sign out of the others', '/account/sign-out-others', [own], { csrf }),
      form('sign out a device', '/account/devices/sign-out', [own], { csrf, device: 'session-x' }),
      form('change password', '/account/password', [own], {
        csrf,
        currentPassword: 'x',
        password: 'yet another lantern, yet another harbour',
      }),
    ],
    protocol: [
      form('code', '/token', [asPlayer], {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: 'http://player.test/callback',
      }),
      form('refresh', '/token', [asPlayer], {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token,
        scope: 'openid',
        resource: 'https://x.test',
      }),
      form('client', '/token', [asPlayer], { grant_type: 'client_credentials', scope: 'openid' }),
      form('poll', '/token', [], {
        client_id: 'tv',
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: device.device_code,
      }),
      form('assertion', '/token', [], {
        grant_type: 'client_credentials',
        client_assertion: 'a.b.c',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
      form('introspection', '/token/introspection', [asPlayer], { token: 'x', token_type_hint: 'access_token' }),
      form('revocation', '/token/revocation', [asPlayer], { token: 'x', token_type_hint: 'access_token' }),
      form('pushed request', '/request', [asPlayer], {
        response_type: 'token',
        redirect_uri: 'http://player.test/callback',
        scope: 'openid',
        state: 's',
        nonce: 'n',
        prompt: 'none',
        max_age: '1',
        code_challenge: s256('x'),
        code_challenge_method: 'S256',
        response_mode: 'query',
        id_token_hint: 'a.b.c',
        login_hint: 'x',
        acr_values: 'x',
        ui_locales: 'en',
        resource: 'https://x.test',
        claims: '{}',
        dpop_jkt: 'x',
        display: 'page',
        request: 'a.b.c',
        request_uri: 'x',
        registration: '{}',
      }),
      form('device start', '/device/auth', [], {
        client_id: 'tv',
        scope: 'nothing',
        resource: 'x',
        max_age: 'x',
        id_token_hint: 'x',
      }),
      form('device code', '/device', [cookiesOf(browser, '/device')], {
        xsrf: xsrfOf(browser.page.text),
        user_code: 'x',
        confirm: '',
      }),
      form('logout', '/session/end/confirm', [cookiesOf(browser, '/session/end')], { xsrf: 'x', logout: 'yes' }),
      form('userinfo', '/me', [], { access_token: 'x', scope: 'openid' }),
    ],
  };
}

/** What a browser would read as a page. JSON may say what it was asked: it is never sniffed. */
function inHtml(answer: RawAnswer): string {
  if (!/json/.test(answer.header('content-type') ?? '')) return answer.text;
  expect(answer.header('x-content-type-options')).toBe('nosniff');
  return '';
}

const VALUES: Record<string, string> = {
  'a NUL': 'a\0b',
  'line breaks': 'a\r\nX-Evil: canary\r\n\r\n{"level":"fatal"}',
  'other line breaks': 'a\u2028\u2029\u0085\u000b\u000cb',
  HTML: CANARY,
  quotes: `'"\`\\`,
  'a template': '${7*7}{{7*7}}<%= 7*7 %>#{7*7}',
  SQL: "'; DROP TABLE accounts; --",
  'an operator': '{"$ne":null}',
  __proto__: '__proto__',
  constructor: 'constructor',
  'a path': '../../../../etc/passwd\0',
  'a lone surrogate': '\uD800',
  'an astral character': '💥'.repeat(100),
  'combining characters': `a${'\u0301'.repeat(500)}`,
  'a right-to-left override': '\u202Eabc',
  'a byte order mark': '\uFEFFx',
  'a format': '%s%n%x%00',
  'a number too large': '9'.repeat(400),
  'not a number': 'NaN',
  'minus nothing': '-0',
  'an exponent': '1e309',
  'white space': ' \t\n ',
  'many dots': '.'.repeat(2000),
  'a long value': 'x'.repeat(20_000),
};

describe('71 values', () => {
  test.each(Object.entries(VALUES))(
    '71 %s in every field of every form → a refusal, never a fault',
    async (_name, value) => {
      const { ours, protocol } = await forms();
      const changes = await shared().changes(async () => {
        for (const { name, path, headers, fields } of [...ours, ...protocol]) {
          for (const field of Object.keys(fields)) {
            const answer = await shared().send({
              path,
              headers,
              body: new URLSearchParams({ ...fields, [field]: value }),
            });
            expect([name, field, answer.status < 500]).toEqual([name, field, true]);
            expect(answer.header('x-evil')).toBeUndefined();
            expect([name, field, inHtml(answer).includes('<b>')]).toEqual([name, field, false]);
          }
        }
      });
      // A client may ask for itself, and unknown scopes are left out of what it gets (RFC 6749 §3.3).
      expect(changes.filter((line) => !line.includes('"model":"ClientCredentials"'))).toEqual([]);
    },
  );

  test('71 every value in every parameter of a request from a browser → a refusal or a page, never a fault', async () => {
    const { player } = shared();
    const browser = await shared().alice.signIn(shared().alice.anotherBrowser());
    const names = [
      'client_id',
      'response_type',
      'redirect_uri',
      'scope',
      'state',
      'nonce',
      'prompt',
      'max_age',
      'response_mode',
      'code_challenge',
      'code_challenge_method',
      'id_token_hint',
      'login_hint',
      'acr_values',
      'ui_locales',
      'claims',
      'resource',
      'request',
      'request_uri',
      'registration',
      'display',
      'dpop_jkt',
      'web_message_uri',
      'authorization_details',
    ];
    const url = new URL(player.authorization({ prompt: 'none', scope: 'openid' }).url);
    for (const value of Object.values(VALUES).filter((one) => one.length < 3000)) {
      const paths = names.map((name) => {
        const query = new URLSearchParams(url.search);
        query.set(name, value);
        return `/auth?${query.toString()}`;
      });
      const encoded = encodeURIComponent(value.toWellFormed());
      const others = [
        `/session/end?id_token_hint=${encoded}`,
        `/session/end?client_id=${encoded}`,
        `/session/end?client_id=player&post_logout_redirect_uri=${encoded}`,
        `/session/end?state=${encoded}&logout_hint=${encoded}`,
        `/device?user_code=${encoded}`,
        `/sign-in?return_to=${encoded}`,
        `/sign-outs/${encoded}`,
        `/interaction/${encoded}`,
        `/auth/${encoded}`,
        `/device/${encoded}`,
        `/reg/${encoded}`,
        `/assets/${encoded}`,
        `/${encoded}`,
      ];
      const answers = await Promise.all(
        [...paths, ...others].map(async (path) => ({
          path,
          answer: await shared().send({ path, headers: [cookiesOf(browser, '/auth'), ['Accept', 'text/html']] }),
        })),
      );
      for (const { path, answer } of answers) {
        expect([path, answer.status < 500]).toEqual([path, true]);
        expect(answer.header('x-evil')).toBeUndefined();
        expect([path, inHtml(answer).includes('<b>')]).toEqual([path, false]);
      }
    }
  });

  test('71 operators, brackets and prototypes as names, in every form → 400, and nothing changes', async () => {
    const { ours, protocol } = await forms();
    const changes = await shared().changes(async () => {
      for (const { name, path, headers, fields } of ours) {
        for (const field of Object.keys(fields)) {
          for (const bend of [
            `${field}[$ne]`,
            `${field}[]`,
            `${field}[0]`,
            `${field}.x`,
            `$where`,
            '__proto__',
            '__proto__[x]',
            'constructor',
            'constructor[prototype][x]',
            'toString',
            '',
            ' ',
          ]) {
            const answer = await shared().send({
              path,
              headers,
              body: new URLSearchParams({ ...fields, [bend]: 'x' }),
            });
            expect([name, bend, answer.status]).toEqual([name, bend, 400]);
          }
          for (const bend of [`${field}[$ne]`, `${field}[]`]) {
            const renamed = Object.entries(fields).map(([one, value]): [string, string] => [
              one === field ? bend : one,
              value,
            ]);
            const answer = await shared().send({ path, headers, body: new URLSearchParams(renamed) });
            expect([name, bend, answer.status]).toEqual([name, bend, 400]);
          }
          const twice = await shared().send({
            path,
            headers,
            body: new URLSearchParams([...Object.entries(fields), [field, fields[field] ?? '']]),
          });
          expect([name, field, 'twice', twice.status]).toEqual([name, field, 'twice', 400]);
        }
      }
      for (const { name, path, headers, fields } of protocol) {
        for (const field of Object.keys(fields)) {
          const renamed = Object.entries(fields).map(([one, value]): [string, string] => [
            one === field ? `${field}[$ne]` : one,
            value,
          ]);
          if (name === 'client' && field === 'scope') continue;
          if (['code', 'refresh'].includes(name) && ['resource', 'scope'].includes(field)) continue;
          const answer = await shared().send({ path, headers, body: new URLSearchParams(renamed) });
          expect([name, field, answer.status >= 200 && answer.status < 500]).toEqual([name, field, true]);
          expect([name, answer.text.includes('access_token')]).toEqual([name, false]);
        }
      }
    });
    expect(changes).toEqual([]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('71 JSON, multipart, text, other charsets and codings where a form is expected → 400 or 415, and nothing changes', async () => {
    const { ours, protocol } = await forms();
    const changes = await shared().changes(async () => {
      for (const { name, path, headers, fields } of [...ours, ...protocol]) {
        const encoded = new URLSearchParams(fields).toString();
        const multipart = `--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n${fields['csrf'] ?? ''}\r\n--x--\r\n`;
        const bodies: [string, string | Uint8Array, [string, string][]][] = [
          ['application/json', JSON.stringify(fields), []],
          ['application/json', '{"__proto__":{"x":1}}', []],
          ['multipart/form-data; boundary=x', multipart, []],
          ['text/plain', encoded, []],
          ['text/xml', '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>', []],
          ['application/x-www-form-urlencodedx', encoded, []],
          ['x', encoded, []],
          [`${FORM}; charset=utf-16le`, Buffer.from(encoded, 'utf16le').subarray(0, 40), []],
          [FORM, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), [['Content-Encoding', 'gzip']]],
          [FORM, '', []],
          [FORM, '&&&===&', []],
          [FORM, '%', []],
          [FORM, Buffer.from([0xff, 0xfe, 0x3d, 0x00]), []],
        ];
        for (const [type, body, more] of bodies) {
          const answer = await shared().send({
            path,
            method: 'POST',
            headers: [...headers, ['Content-Type', type], ...more],
            body,
          });
          expect([name, type, answer.status]).toEqual([
            name,
            type,
            expect.toSatisfy((status: number) => [400, 401, 403, 415].includes(status)),
          ]);
        }
        const untyped = await shared().send({ path, method: 'POST', headers, body: encoded });
        expect([name, [400, 401, 403, 415].includes(untyped.status)]).toEqual([name, true]);
        const odd = await shared().send({
          path,
          method: 'POST',
          headers: [...headers, ['Content-Type', `${FORM}; charset=klingon`]],
          body: 'a=b',
        });
        expect([name, odd.status < 500 && odd.status >= 400]).toEqual([name, true]);
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('72 headers', () => {
  const HEADERS = [
    'User-Agent',
    'X-Forwarded-For',
    'Referer',
    'Origin',
    'Accept',
    'Accept-Language',
    'Accept-Encoding',
    'Authorization',
    'DPoP',
    'Cookie',
    'Content-Type',
    'If-None-Match',
    'X-Request-Id',
    'Sec-Fetch-Site',
    'OAuth-Client-Attestation',
    'OAuth-Client-Attestation-PoP',
    'Range',
    'TE',
    'Upgrade',
    'Access-Control-Request-Headers',
    'Access-Control-Request-Method',
    'X-Forwarded-Proto',
    'Via',
    'Expect-CT',
  ];
  const LINES = [
    '\u00ff\u0080\u009f',
    '\t',
    '',
    '{"level":"fatal","event":"evil.canary"}',
    'x'.repeat(6000),
    '%0d%0aX-Evil: canary',
    '<b>canary</b>',
    'a,b,c;q=9',
    'Bearer',
    'Bearer x y',
    'Basic Og==',
    'null',
    'a.b.c',
    '"',
    ';;;',
    '*/*',
    '__proto__',
    '$ne',
  ];
  test.each(HEADERS)('72 %s with anything in it → a refusal or an answer, one line each in the log', async (name) => {
    const { ours, protocol } = await forms();
    const before = shared().logged.length;
    for (const value of LINES) {
      const requests: RawRequest[] = [
        ...['/sign-in', '/account', '/device', '/me', '/assets/curfew.css'].map((path) => ({ path })),
        { method: 'OPTIONS', path: '/token' },
        ...protocol.slice(2, 6).map(({ path, fields }) => ({ path, body: new URLSearchParams(fields) })),
        ...ours.slice(0, 1).map(({ path, fields }) => ({ path, body: new URLSearchParams(fields) })),
        { method: 'POST', path: '/reg', body: '{}' },
      ];
      const answers = await Promise.all(
        requests.map((request) => shared().send({ ...request, headers: [[name, value]] })),
      );
      for (const [at, answer] of answers.entries()) {
        expect([requests[at]?.path, value, answer.status < 500]).toEqual([requests[at]?.path, value, true]);
        expect(answer.header('x-evil')).toBeUndefined();
        expect(inHtml(answer)).not.toContain('<b>canary');
      }
    }
    const fresh = shared().logged.slice(before);
    expect(fresh.filter((line) => line.includes('"event":"evil.canary"'))).toEqual([]);
    expect(fresh.length).toBeGreaterThan(0);
  });

  test('72 raw line breaks, folded, doubled and conflicting headers → 400 by the parser, nothing let in', async () => {
    const { port } = shared();
    const raw = async (text: string): Promise<number> => {
      const socket = await hold(port);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.end(Buffer.from(text, 'latin1'));
      await new Promise((resolve) => socket.on('close', resolve));
      return chunks.length === 0 ? 0 : parseAnswer(Buffer.concat(chunks)).status;
    };
    const changes = await shared().changes(async () => {
      for (const lines of [
        ['GET / HTTP/1.1', 'Host: x', 'User-Agent: a\rX-Evil: b'],
        ['GET / HTTP/1.1', 'Host: x', 'User-Agent: a\nX-Evil: b'],
        ['GET / HTTP/1.1', 'Host: x', 'User-Agent: a', ' folded: b'],
        ['GET / HTTP/1.1', 'Host: x', 'User-Agent: a\0b'],
        ['GET / HTTP/1.1', 'Host: x', 'Us er: b'],
        ['GET / HTTP/1.1'],
        ['POST /token HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Content-Length: 4', '', 'a=b'],
        ['POST /token HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Transfer-Encoding: chunked', '', '0', ''],
        ['POST /token HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked, identity', '', '0', ''],
        ['POST /token HTTP/1.1', 'Host: x', 'Content-Length: -1', ''],
        ['POST /token HTTP/1.1', 'Host: x', 'Content-Length: 1e3', ''],
        ['POST /token HTTP/1.1', 'Host: x', 'Content-Length: +3', '', 'a=b'],
        ['POST /token HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', '', 'zz', 'a=b', '0', ''],
        ['GET /\u0000 HTTP/1.1', 'Host: x'],
        ['GET /a b HTTP/1.1', 'Host: x'],
        ['GET / HTTP/9.9', 'Host: x'],
        ['FOO / HTTP/1.1', 'Host: x'],
        ['GET / HTTP/1.1', 'Host: x', `X: ${'x'.repeat(20_000)}`],
        [`GET /${'x'.repeat(20_000)} HTTP/1.1`, 'Host: x'],
        ['CONNECT evil.test:443 HTTP/1.1', 'Host: x'],
        ['PRI * HTTP/2.0', '', 'SM'],
        ['\x16\x03\x01\x02\x00'],
      ]) {
        const status = await raw(`${lines.join('\r\n')}\r\n\r\n`);
        expect([lines[0], lines[2]?.slice(0, 30), [0, 400, 404, 408, 413, 417, 431, 505].includes(status)]).toEqual([
          lines[0],
          lines[2]?.slice(0, 30),
          true,
        ]);
      }
    });
    expect(changes).toEqual([]);
    expect((await shared().send({ path: '/healthz' })).status).toBe(200);
  });
});

describe('72 bodies', () => {
  const PLACES = [
    '/sign-in',
    '/account/sign-out-all',
    '/interaction/x/sign-in',
    '/token',
    '/token/introspection',
    '/token/revocation',
    '/request',
    '/device/auth',
    '/device',
    '/session/end/confirm',
    '/reg',
    '/me',
    '/nothing',
    '/',
  ];

  test.each(['1073741824', '9007199254740993', '3000000000', '57345'])(
    '72 %s bytes declared → 413 at once, wherever',
    async (length) => {
      const changes = await shared().changes(async () => {
        for (const path of PLACES) {
          for (const type of [FORM, 'application/json']) {
            const answer = await shared().send({
              method: 'POST',
              path,
              headers: [['Content-Type', type], ['Content-Length', length], asPlayer],
              body: 'a=b',
            });
            expect([path, answer.status]).toEqual([path, 413]);
          }
        }
      });
      expect(changes).toEqual([]);
    },
  );

  test('72 a body in chunks that never ends → 413, the connection closed, memory bounded', async () => {
    const chunk = Buffer.from(`${(64 * 1024).toString(16)}\r\n${'x'.repeat(64 * 1024)}\r\n`);
    for (const path of PLACES.slice(0, -2)) {
      const type = path === '/reg' ? 'application/json' : FORM;
      const socket = await hold(shared().port);
      const received: Buffer[] = [];
      let sent = 0;
      const before = process.memoryUsage().rss;
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      socket.on('data', (bytes) => received.push(bytes));
      socket.on('error', () => {});
      const authorization = path === '/me' ? 'Bearer x' : asPlayer[1];
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const pour = (): void => {
        while (!socket.destroyed && sent < 256 * 1024 * 1024) {
          sent += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', pour);
      pour();
      await closed;
      const answer = received.length === 0 ? undefined : parseAnswer(Buffer.concat(received));
      // A reset may overtake the answer; then the log knows.
      const status = answer?.status ?? answered(shared()).at(-1);
      expect([path, status]).toEqual([
        path,
        expect.toSatisfy(
          (one: number) =>
            one === 413 || (path === '/interaction/x/sign-in' && one === 413) || (path === '/me' && one < 500),
        ),
      ]);
      expect([path, sent < 64 * 1024 * 1024]).toEqual([path, true]);
      expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024);
    }
  });

  test('72 many bodies that trickle in, and headers that never end → others are served meanwhile', async () => {
    const { port, send } = shared();
    const slow = await Promise.all(Array.from({ length: 100 }, () => hold(port)));
    for (const [nth, socket] of slow.entries()) {
      socket.on('error', () => {});
      const path = PLACES[nth % PLACES.length] ?? '/';
      socket.write(
        nth % 5 === 0
          ? `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Slow: `
          : `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nContent-Length: 100\r\n\r\na=`,
      );
    }
    for (let round = 0; round < 5; round++) {
      for (const socket of slow) socket.write('x');
      expect((await send({ path: '/sign-in' })).status).toBe(200);
      expect((await shared().player.post('/token', { grant_type: 'client_credentials' })).status).toBe(200);
    }
    for (const socket of slow) socket.destroy();
  });

  test('72 a caller who leaves in the middle → no fault, and nothing done', async () => {
    const { ours } = await forms();
    const changes = await shared().changes(async () => {
      for (const { path, headers, fields } of ours) {
        const socket = await hold(shared().port);
        socket.on('error', () => {});
        const body = new URLSearchParams(fields).toString();
        const lines = [
          `POST ${path} HTTP/1.1`,
          'Host: x',
          `Content-Type: ${FORM}`,
          `Content-Length: ${body.length + 1}`,
          ...headers.map((pair) => pair.join(': ')),
          '',
          body,
        ];
        await new Promise<void>((resolve) => socket.write(lines.join('\r\n'), () => resolve()));
        // Another's round trip: by then the server is reading this one.
        await shared().send({ path: '/healthz' });
        socket.destroy();
      }
      expect((await shared().send({ path: '/healthz' })).status).toBe(200);
    });
    expect(changes).toEqual([]);
  });

  test('72 names and texts on which a careless pattern takes for ever → answered at once', async () => {
    const { alice, send } = shared();
    const browser = alice.anotherBrowser();
    await browser.open('/sign-in');
    const csrf = csrfOf(browser.page.text);
    const evil = [
      `${'a'.repeat(150)}@`,
      `${'a.'.repeat(150)}@x`,
      `a@${'a-'.repeat(150)}`,
      '@'.repeat(300),
      `${' '.repeat(300)}x`,
      `x${'\t'.repeat(300)}x`,
      `"${'\\"'.repeat(150)}@x`,
    ];
    const started = performance.now();
    for (const username of evil) {
      const answer = await send({
        path: '/sign-in',
        headers: [cookiesOf(browser, '/sign-in')],
        body: new URLSearchParams({ csrf, username, password: `${' '.repeat(4000)}x` }),
      });
      expect(answer.status).toBe(401);
    }
    for (const agent of [
      `Mozilla ${'('.repeat(7000)}`,
      'Android '.repeat(800),
      `${'A'.repeat(7000)}/`,
      ' '.repeat(7000),
    ]) {
      expect(
        (
          await send({
            path: '/device/auth',
            headers: [['User-Agent', agent]],
            body: new URLSearchParams({ client_id: 'tv', scope: 'openid' }),
          })
        ).status,
      ).toBe(200);
    }
    for (const body of ['a&'.repeat(14_000), 'a=b&'.repeat(7000), '='.repeat(28_000), `${'a[a]'.repeat(7000)}=x`]) {
      for (const path of ['/token', '/sign-in']) {
        const answer = await send({ path, headers: [['Content-Type', FORM], cookiesOf(browser, '/sign-in')], body });
        expect(answer.status).toBe(400);
      }
    }
    // Milliseconds each; exponential or quadratic work would take minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('72 addresses and methods', () => {
  test('72 path tricks → nothing there, and never another page than asked', async () => {
    const browser = await shared().alice.signIn(shared().alice.anotherBrowser());
    const changes = await shared().changes(async () => {
      for (const path of [
        '//account',
        '/./account',
        '/account/./security',
        '/account/../account',
        '/x/../account',
        '/account/..%2fsecurity',
        '/account%2fsecurity',
        '/account\\security',
        '\\account',
        '/account;x',
        '/account%00',
        '/account%20',
        '/account%0a',
        '/account/%2e%2e/',
        '/%2e%2e/%2e%2e/etc/passwd',
        '/assets/../../package.json',
        '/assets/..%2f..%2fpackage.json',
        '/assets/%2e%2e/%2e%2e/package.json',
        '/assets//curfew.css',
        '/assets/',
        '/assets',
        '/assets/curfew.css%00',
        '/ASSETS/curfew.css',
        '/.env',
        '/.git/config',
        '/package.json',
        '/data/curfew.db',
        '/secrets/keyring.json',
        '/views/sign-in.ejs',
        '/%',
        '/%zz',
        '/%c0%ae',
        '/%ff',
        '/account%',
        '*',
        '/;',
        `/${'a/'.repeat(2000)}`,
        `/${'%41'.repeat(2000)}`,
      ]) {
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
          const answer = await shared().send({
            method,
            path,
            headers: [cookiesOf(browser, '/account'), ['Accept', 'text/html']],
          });
          expect([method, path, [400, 404, 405].includes(answer.status)]).toEqual([method, path, true]);
          expect(answer.text).not.toMatch(/alice@example\.test|root:|"dependencies"/);
        }
      }
    });
    expect(changes).toEqual([]);
  });

  test('72 every page with every method it does not have → 404 or 405, and nothing changes', async () => {
    const browser = await shared().alice.signIn(shared().alice.anotherBrowser());
    const gets = [
      '/account',
      '/account/devices',
      '/account/security',
      '/sign-outs/x',
      '/signed-out',
      '/healthz',
      '/readyz',
      '/metrics',
      '/jwks',
      '/.well-known/openid-configuration',
      '/auth',
      '/session/end',
      '/interaction/x',
      '/assets/curfew.css',
      '/session/end/success',
    ];
    const posts = [
      '/sign-out',
      '/account/sign-out-all',
      '/account/sign-out-others',
      '/account/devices/sign-out',
      '/account/password',
      '/token',
      '/token/introspection',
      '/token/revocation',
      '/request',
      '/device/auth',
      '/session/end/confirm',
      '/reg',
      '/interaction/x/consent',
      '/interaction/x/sign-in',
      '/interaction/x/cancel',
    ];
    const changes = await shared().changes(async () => {
      for (const [paths, methods] of [
        [gets, ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'MKCOL', 'LOCK', 'SEARCH']],
        [posts, ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']],
      ] as const) {
        for (const path of paths) {
          for (const method of methods) {
            const answer = await shared().send({
              method,
              path,
              headers: [cookiesOf(browser, '/account'), asPlayer],
              ...(method === 'POST' ? { body: new URLSearchParams({ a: 'b' }) } : {}),
            });
            expect([method, path, answer.status]).toEqual([
              method,
              path,
              expect.toSatisfy((status: number) => status === 404 || status === 405 || path === '/device/auth'),
            ]);
          }
        }
      }
    });
    expect(changes).toEqual([]);
  });

  test('72 lines in the log: what people type and send is not among them', async () => {
    const hostile = await hostileWorld();
    const { alice, player, send } = hostile;
    const secret = 'canary-of-a-secret-value';
    const browser = alice.anotherBrowser();
    await browser.open('/sign-in');
    await send({
      path: '/sign-in',
      headers: [cookiesOf(browser, '/sign-in'), ['User-Agent', secret]],
      body: new URLSearchParams({ csrf: csrfOf(browser.page.text), username: secret, password: secret }),
    });
    for (const path of [
      `/auth?client_id=${secret}`,
      `/session/end?id_token_hint=${secret}`,
      `/${secret}`,
      `/interaction/${secret}`,
      `/sign-outs/${secret}`,
      `/device?user_code=${secret}`,
    ])
      await send({
        path,
        headers: [
          ['Referer', secret],
          ['X-Forwarded-For', secret],
        ],
      });
    await player.post('/token', { grant_type: 'refresh_token', refresh_token: secret });
    await player.post('/token', { grant_type: secret });
    await player.introspect(secret);
    await player.userinfo({ access_token: secret });
    await send({
      path: '/reg',
      headers: [
        ['Authorization', `Bearer ${secret}`],
        ['Content-Type', 'application/json'],
      ],
      body: `{"x":"${secret}"`,
    });
    const tokens = await player.signIn(alice);
    const said = hostile.logged.join('');
    for (const word of [
      secret,
      tokens.access_token,
      tokens.refresh_token,
      tokens.id_token,
      alice.password,
      alice.email,
      alice.username,
    ]) {
      expect([word, said.includes(word)]).toEqual([word, false]);
    }
  });
});
