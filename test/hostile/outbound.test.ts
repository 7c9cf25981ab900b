/**
 * Row 70 of security.md: addresses that strangers register, and Curfew is made to call. What the network module does by
 * itself (rebinding, every notation of an address, timeouts) is in test/unit/outbound-http.test.ts; here is what reaches it.
 */
import type { Socket } from 'node:net';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';

import {
  cookiesOf,
  csrfOf,
  type HostileWorld,
  hostileWorld,
  type RawAnswer,
  register,
  sharedWorld,
  trap,
} from './probe.ts';

const key = await generateKeyPair('ES256', { extractable: true });
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), alg: 'ES256', use: 'sig', kid: 'k' }] });

/** Nothing private is opened. */
const closed = sharedWorld({ configuration: { outbound: { allow: [] } } });
/** Loopback is opened, as an operator would for a server at home. */
const opened = sharedWorld();

async function lure(answer?: (socket: Socket) => void) {
  const caught = await trap(answer);
  onTestFinished(() => caught.close());
  return caught;
}

const http =
  (status: string, headers: string[], body = '') =>
  (socket: Socket) =>
    void socket.once('data', () =>
      socket.end(
        [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${body.length}`, 'Connection: close', '', body].join(
          '\r\n',
        ),
      ),
    );

/** Registers a client whose keys are said to be at an address, and has it prove itself, so that they are fetched. */
async function proveWithKeysAt(hostile: HostileWorld, jwks_uri: string): Promise<RawAnswer> {
  const registered = await register(hostile, {
    redirect_uris: ['https://x.test/cb'],
    grant_types: ['authorization_code', 'client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri,
  });
  expect([jwks_uri, registered.status]).toEqual([jwks_uri, 201]);
  const id = String(registered.json['client_id']);
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(hostile.issuer)
    .setJti(crypto.randomUUID())
    .setExpirationTime('1m')
    .sign(key.privateKey);
  return hostile.send({
    path: '/token',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
}

/** How a loopback port can be spelled. None of these asks a resolver beyond this machine. */
const spellings = (url: string): string[] => {
  const port = new URL(url).port;
  return [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://LOCALHOST:${port}/`,
    `http://127.1:${port}/`,
    `http://2130706433:${port}/`,
    `http://0x7f000001:${port}/`,
    `http://0177.0.0.1:${port}/`,
    `http://0.0.0.0:${port}/`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    `http://[::]:${port}/`,
    `http://①②⑦.0.0.1:${port}/`,
    `https://127.0.0.1:${port}/`,
  ];
};
const ELSEWHERE = [
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://100.100.100.200/',
  'http://10.0.0.1/',
  'http://192.168.0.1/',
  'http://172.16.0.1/',
  'http://[fe80::1]/',
];

describe('keys of a registered client', () => {
  // CVE-2026-1180.
  test('70 jwks_uri on loopback, private or metadata addresses → not called, and the client is not believed', async () => {
    const caught = await lure(http('200 OK', ['Content-Type: application/json'], jwks));
    for (const uri of [...spellings(caught.url), ...ELSEWHERE]) {
      const answer = await proveWithKeysAt(closed(), uri);
      expect([uri, answer.status]).toEqual([
        uri,
        expect.toSatisfy((status: number) => status === 400 || status === 401),
      ]);
      expect(answer.text).not.toContain('access_token');
      // Whoever registered it learns neither the address nor whether anybody listens there.
      expect(answer.text).not.toMatch(/127\.0\.0\.1|ECONN|refused-address|loopback|metadata/i);
    }
    expect(caught.calls()).toBe(0);
  });

  test('70 jwks_uri that an operator opened → called, so that the refusals mean something', async () => {
    const caught = await lure(http('200 OK', ['Content-Type: application/json'], jwks));
    expect((await proveWithKeysAt(opened(), `${caught.url}/jwks`)).status).toBe(200);
    expect(caught.calls()).toBe(1);
  });

  test.each(['301', '302', '303', '307', '308'])('70 jwks_uri that answers %s → not followed', async (status) => {
    const target = await lure(http('200 OK', ['Content-Type: application/json'], jwks));
    const caught = await lure(http(`${status} Elsewhere`, [`Location: ${target.url}/jwks`]));
    const answer = await proveWithKeysAt(opened(), `${caught.url}/jwks`);
    expect([400, 401]).toContain(answer.status);
    expect(caught.calls()).toBeGreaterThan(0);
    expect(target.calls()).toBe(0);
  });

  test('70 jwks_uri whose answer never ends → cut at 64 KiB, and the connection dropped', async () => {
    const chunk = Buffer.alloc(16 * 1024, ' ');
    const ended = Promise.withResolvers<number>();
    let written = 0;
    const caught = await lure((socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(chunk)) written += chunk.length;
        written += chunk.length;
      };
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n');
        socket.on('drain', pour);
        pour();
      });
      socket.on('close', () => ended.resolve(written));
    });
    const answer = await proveWithKeysAt(opened(), `${caught.url}/jwks`);
    expect([400, 401]).toContain(answer.status);
    // What lies in the buffers of two sockets is beyond us.
    expect(await ended.promise).toBeLessThan(16 * 1024 * 1024);
  });

  const NONSENSE: Record<string, string> = {
    'no JSON': '<html>',
    'a list': '[]',
    'no keys': '{}',
    'keys that are no list': '{"keys":{"kty":"EC"}}',
    'keys that are no objects': '{"keys":[1,null,"x"]}',
    'keys of no kind': '{"keys":[{}]}',
    'a symmetric key': '{"keys":[{"kty":"oct","k":"AAAA","kid":"k","alg":"ES256"}]}',
    'broken points': '{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"k"}]}',
    'a prototype': '{"__proto__":{"keys":[]},"keys":[{"__proto__":{"kty":"EC"}}]}',
    'deep nesting': `{"keys":[${'['.repeat(5000)}${']'.repeat(5000)}]}`,
  };
  test.each(Object.entries(NONSENSE))(
    '70 jwks_uri that answers with %s → the client is not believed',
    async (_name, body) => {
      const caught = await lure(http('200 OK', ['Content-Type: application/json'], body));
      const answer = await proveWithKeysAt(opened(), `${caught.url}/jwks`);
      expect([400, 401]).toContain(answer.status);
    },
  );

  test.each(['500 Down', '404 Nothing', '204 Empty', '206 Part', '100 Continue', '999 Odd'])(
    '70 jwks_uri that answers %s → the client is not believed',
    async (status) => {
      const caught = await lure(http(status, [], ''));
      const answer = await proveWithKeysAt(opened(), `${caught.url}/jwks`);
      expect([400, 401]).toContain(answer.status);
    },
  );

  test('70 jwks_uri that closes at once, or speaks something else → the client is not believed', async () => {
    for (const speak of [
      undefined,
      (socket: Socket) => void socket.end('SSH-2.0-x\r\n'),
      (socket: Socket) => void socket.end(Buffer.alloc(100)),
    ]) {
      const caught = await lure(speak);
      const answer = await proveWithKeysAt(opened(), `${caught.url}/jwks`);
      expect([400, 401]).toContain(answer.status);
    }
  });

  test('70 an address with a password, a file, another scheme → never registered', async () => {
    const changes = await closed().changes(async () => {
      for (const jwks_uri of [
        'file:///etc/passwd',
        'gopher://x.test/',
        'ftp://x.test/',
        'data:application/json,{}',
        'x',
        '//x.test',
        '',
      ]) {
        const { status } = await register(closed(), {
          redirect_uris: ['https://x.test/cb'],
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri,
        });
        expect([jwks_uri, status]).toEqual([jwks_uri, 400]);
      }
    });
    expect(changes.filter((line) => line.includes('clients'))).toEqual([]);
    const caught = await lure();
    const withPassword = caught.url.replace('//', '//user:password@');
    expect([400, 401]).toContain((await proveWithKeysAt(opened(), withPassword)).status);
    expect(caught.calls()).toBe(0);
  });
});

describe('sector identifiers', () => {
  test('70 sector_identifier_uri on loopback, private or metadata addresses → not called, not registered', async () => {
    const caught = await lure(http('200 OK', ['Content-Type: application/json'], '["https://x.test/cb"]'));
    const changes = await closed().changes(async () => {
      for (const uri of [...spellings(caught.url), ...ELSEWHERE].map((spelled) =>
        spelled.replace(/^http:/, 'https:'),
      )) {
        const answer = await register(closed(), {
          redirect_uris: ['https://x.test/cb'],
          subject_type: 'pairwise',
          sector_identifier_uri: uri,
        });
        expect([uri, answer.status]).toEqual([uri, 400]);
        expect(answer.text).not.toMatch(/127\.0\.0\.1|ECONN|refused-address|loopback|metadata address/i);
      }
    });
    expect(caught.calls()).toBe(0);
    expect(changes.filter((line) => line.includes('clients '))).toEqual([]);
  });
});

describe('back-channel endpoints', () => {
  /** A client registers itself with an endpoint, a person signs in to it and out of everything. */
  async function tell(hostile: HostileWorld, backchannel_logout_uri: string) {
    const registered = await register(hostile, {
      redirect_uris: ['https://x.test/cb'],
      token_endpoint_auth_method: 'none',
      backchannel_logout_uri,
    });
    expect(registered.status).toBe(201);
    const person = await hostile.person(`p${crypto.randomUUID().slice(0, 8)}`);
    const browser = await person.signIn();
    const query = new URLSearchParams({
      client_id: String(registered.json['client_id']),
      response_type: 'code',
      redirect_uri: 'https://x.test/cb',
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    });
    await browser.open(`/auth?${query.toString()}`);
    await browser.press('Allow');
    expect(browser.left?.searchParams.get('code')).toBeTruthy();
    await browser.open('/account/security');
    const ended = await hostile.send({
      path: '/account/sign-out-all',
      headers: [cookiesOf(browser, '/account')],
      body: new URLSearchParams({ csrf: csrfOf(browser.page.text) }),
    });
    expect(ended.status).toBe(303);
    await hostile.settle();
    const signOutId = ended.header('location')?.split('/')[2] ?? '';
    const deliveries = await hostile.core.store.deliveries.list({ signOutId, page: { limit: 10 } });
    expect(deliveries).toHaveLength(1);
    return deliveries[0];
  }

  test('70 backchannel_logout_uri on loopback, private or metadata addresses → not called, and shown as not told', async () => {
    const caught = await lure(http('200 OK', []));
    for (const uri of [...spellings(caught.url).slice(0, -1), ...ELSEWHERE]) {
      const delivery = await tell(closed(), uri);
      expect([uri, delivery?.status === 'delivered', delivery?.lastOutcome]).toEqual([uri, false, 'refused-address']);
    }
    expect(caught.calls()).toBe(0);
  });

  test.each(['301', '307', '308'])(
    '70 backchannel_logout_uri that answers %s → the Logout Token goes nowhere else',
    async (status) => {
      const target = await lure(http('200 OK', []));
      const caught = await lure(http(`${status} Elsewhere`, [`Location: ${target.url}/`]));
      const delivery = await tell(opened(), caught.url);
      expect(delivery?.status).not.toBe('delivered');
      expect(caught.calls()).toBeGreaterThan(0);
      expect(target.calls()).toBe(0);
    },
  );

  test('70 backchannel_logout_uri that answers with line breaks and HTML → none of it is kept, shown or logged', async () => {
    const caught = await lure(
      http(
        '400 <script>canary</script>',
        ['X-Evil: canary', 'Set-Cookie: canary=1'],
        '{"error":"canary\\r\\n<script>"}',
      ),
    );
    const hostile = await hostileWorld();
    const delivery = await tell(hostile, caught.url);
    expect(JSON.stringify(delivery)).not.toContain('canary');
    expect(hostile.logged.join('')).not.toContain('canary');
  });
});
