/**
 * Rows 57–62 of security.md at the pages that ask for a password; those that send mail are in mailed-links.test.ts.
 */
import { describe, expect, test } from 'vitest';

import type { Store } from '../../src/store/port.ts';
import type { Browser } from '../support/browser.ts';
import { cookiesOf, csrfOf, type HostileWorld, hostileWorld, type RawAnswer, sharedWorld } from './probe.ts';

const shared = sharedWorld();
const behindProxy = sharedWorld({ configuration: { trustProxy: 1 } });

type Fields = Record<string, string>;
const signInAt = async (
  hostile: HostileWorld,
  browser: Browser,
  fields: Fields | [string, string][],
  { path = '/sign-in', headers = [] as [string, string][] } = {},
): Promise<RawAnswer> => {
  await browser.open('/sign-in');
  const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
  return hostile.send({
    path,
    headers: [cookiesOf(browser, path), ['Accept', 'text/html'], ...headers],
    body: new URLSearchParams([['csrf', csrfOf(browser.page.text)], ...pairs]),
  });
};
const failuresOf = async ({ database }: HostileWorld): Promise<{ keys: number; failures: number }> => {
  const { failures = [] } = await database.rows();
  return { keys: failures.length, failures: failures.reduce((sum, { failures }) => sum + Number(failures), 0) };
};

test.each(['/admin', '/api/admin/v1/accounts'])(
  '56 %s, which this version does not have → nothing there',
  async (path) => {
    const changes = await shared().changes(async () => {
      for (const request of [{ path }, { path, body: new URLSearchParams({ email: 'alice@example.test' }) }]) {
        expect((await shared().send(request)).status).toBe(404);
      }
    });
    expect(changes).toEqual([]);
  },
);

// Row 57. CVE-2023-7028: one field, one text.
const BENT: Record<string, (username: string, password: string) => [string, string][]> = {
  'username[]': (username, password) => [
    ['username[]', username],
    ['password', password],
  ],
  'username twice': (username, password) => [
    ['username', username],
    ['username', 'bob'],
    ['password', password],
  ],
  'username twice, the same': (username, password) => [
    ['username', username],
    ['username', username],
    ['password', password],
  ],
  'password twice': (username, password) => [
    ['username', username],
    ['password', 'x'],
    ['password', password],
  ],
  'csrf twice': (username, password) => [
    ['csrf', 'x'],
    ['username', username],
    ['password', password],
  ],
  'a field nobody asked for': (username, password) => [
    ['username', username],
    ['password', password],
    ['admin', 'true'],
  ],
  'username[$ne]': (_username, password) => [
    ['username[$ne]', 'x'],
    ['password', password],
  ],
  'password[$ne]': (username) => [
    ['username', username],
    ['password[$ne]', 'x'],
  ],
  __proto__: (username, password) => [
    ['username', username],
    ['password', password],
    ['__proto__', 'x'],
  ],
  'no username': (_username, password) => [['password', password]],
  'no password': (username) => [['username', username]],
  'a username beyond all length': (_username, password) => [
    ['username', 'a'.repeat(321)],
    ['password', password],
  ],
  'a password beyond all length': (username) => [
    ['username', username],
    ['password', 'a'.repeat(4097)],
  ],
};
test.each(Object.entries(BENT))('57 sign-in with %s → 400', async (_name, bend) => {
  const { alice } = shared();
  const changes = await shared().changes(async () => {
    const answer = await signInAt(shared(), alice.anotherBrowser(), bend(alice.username, alice.password));
    expect([answer.status, answer.cookies.filter((cookie) => cookie.includes('session'))]).toEqual([400, []]);
  });
  expect(changes).toEqual([]);
});

test.each([
  ['a comma list', 'alice,bob'],
  ['a list of addresses', 'alice@example.test,evil@evil.test'],
  ['a header after it', 'alice@example.test\r\nBcc: evil@evil.test'],
  ['a NUL after it', 'alice\0'],
  ['an escape', 'alice%00'],
  ['a wildcard', 'alic*'],
  ['SQL', "alice' OR '1'='1"],
  ['JSON', '{"$ne":null}'],
  ['an angle address', 'Alice <alice@example.test>'],
  ['a subaddress', 'alice+x@example.test'],
  ['a dot', 'ali.ce@example.test'],
  ['a domain in brackets', 'alice@[example.test]'],
  ['nothing', ''],
])('57 a username that is %s → nobody', async (_name, username) => {
  const { alice } = shared();
  const changes = await shared().changes(async () => {
    const answer = await signInAt(shared(), alice.anotherBrowser(), { username, password: alice.password });
    expect(answer.status).toBe(401);
    expect(answer.header('location')).toBeUndefined();
  });
  expect(changes).toEqual([]);
});

describe('58 Host and Forwarded', () => {
  // Row 58. GHSA-2wmj-46rj-qm2w: a link made of what the request said of itself leads where its sender wants.
  const SPOOFS: Record<string, { host?: string; headers?: [string, string][]; target?: (path: string) => string }> = {
    Host: { host: 'evil.test' },
    'Host with a port': { host: 'localhost:1@evil.test' },
    'X-Forwarded-Host': { headers: [['X-Forwarded-Host', 'evil.test']] },
    'X-Forwarded-Server': {
      headers: [
        ['X-Forwarded-Server', 'evil.test'],
        ['X-Host', 'evil.test'],
        ['X-Forwarded-Prefix', '/evil.test'],
      ],
    },
    Forwarded: { headers: [['Forwarded', 'for=1;host=evil.test;proto=https']] },
    'X-Original-URL': {
      headers: [
        ['X-Original-URL', '//evil.test/'],
        ['X-Rewrite-URL', '//evil.test/'],
      ],
    },
    'X-Forwarded-Proto': {
      headers: [
        ['X-Forwarded-Proto', 'evil.test'],
        ['X-Forwarded-Port', '666'],
      ],
    },
    'a whole URL as target': { target: (path) => `http://evil.test${path}` },
    Referer: {
      headers: [
        ['Referer', 'http://evil.test/'],
        ['Origin', 'http://evil.test'],
      ],
    },
  };
  test.each(
    [0, 1].flatMap((trustProxy) => Object.entries(SPOOFS).map(([name, spoof]) => [name, trustProxy, spoof] as const)),
  )('58 %s spoofed, trustProxy %i → every link is of the configured issuer', async (_name, trustProxy, spoof) => {
    const { alice, player, tv, issuer, send } = trustProxy === 0 ? shared() : behindProxy();
    const browser = await alice.signIn(alice.anotherBrowser());
    const authorize = new URL(player.authorization().url);
    const asked: [string, string, [string, string][]][] = [
      ['GET', '/.well-known/openid-configuration', []],
      ['GET', '/.well-known/oauth-authorization-server', []],
      ['GET', '/account', []],
      ['GET', '/account', [cookiesOf(browser, '/account')]],
      ['GET', '/sign-in', []],
      ['GET', authorize.pathname + authorize.search, []],
      ['GET', authorize.pathname + authorize.search, [cookiesOf(browser, '/auth')]],
      ['GET', '/session/end', [cookiesOf(browser, '/session/end')]],
      ['GET', '/device', []],
      ['GET', '/nothing', []],
    ];
    for (const [method, path, headers] of asked) {
      const answer = await send({
        method,
        path: spoof.target?.(path) ?? path,
        headers: [['Accept', 'text/html'], ...headers, ...(spoof.headers ?? [])],
        ...(spoof.host === undefined ? {} : { host: spoof.host }),
      });
      const said = `${answer.headers
        .filter(([name]) => name !== 'access-control-allow-origin')
        .map((pair) => pair.join(': '))
        .join('\n')}\n${answer.text}`;
      expect([path, said]).toEqual([path, expect.not.stringMatching(/evil\.test|:666/)]);
      const published = path.startsWith('/.well-known') ? Object.values(answer.json) : [];
      const addresses = published.filter((value) => typeof value === 'string' && /^https?:/.test(value)) as string[];
      expect(addresses.filter((address) => !address.startsWith(issuer))).toEqual([]);
    }
    expect((await tv.startDevice()).verification_uri).toBe(`${issuer}/device`);
  });

  test('58 the address of a receipt → of the configured issuer', async () => {
    const hostile = await hostileWorld({ configuration: { trustProxy: 1 } });
    const browser = await hostile.alice.signIn();
    const path = await hostile.alice.signOutOfAllDevices(browser);
    const { json } = await hostile.send({
      path,
      host: 'evil.test',
      headers: [cookiesOf(browser, path), ['Accept', 'application/json'], ['X-Forwarded-Host', 'evil.test']],
    });
    expect(json['url']).toBe(`${hostile.issuer}${path}`);
  });
});

describe('59 known or unknown', () => {
  /** An answer without what is drawn anew for each. */
  const bare = ({ status, headers, text }: RawAnswer, username: string) => ({
    status,
    headers: headers.filter(([name]) => !['x-request-id', 'date'].includes(name)),
    text: text
      .replaceAll(username, 'WHO')
      .replaceAll(/name="(?:csrf|challenge)" value="[^"]*"/g, '')
      .replaceAll(/(?<=challenge&#34;:&#34;)[\w-]{43}/g, ''),
  });

  // Row 59. CVE-2023-39522.
  const SPELLINGS: [string, (name: string) => string][] = [
    ['a username', (name) => name],
    ['a username in capitals', (name) => name.toUpperCase()],
    ['an address', (name) => `${name}@example.test`],
  ];
  const PLACES = ['/sign-in', 'interaction'].flatMap((where) =>
    SPELLINGS.map((spelling) => [...spelling, where] as const),
  );
  test.each(PLACES)(
    '59 %s that exists, does not, is disabled or has no password (at $2) → the same bytes',
    async (_name, spelled, where) => {
      const calls: string[] = [];
      const counting = <Repository extends object>(name: string, repository: Repository): Repository =>
        new Proxy(repository, {
          get(target, property) {
            const value: unknown = Reflect.get(target, property);
            if (typeof value !== 'function') return value;
            return (...args: unknown[]): unknown => {
              calls.push(`${name}.${String(property)}`);
              return (value as (...args: unknown[]) => unknown).apply(target, args);
            };
          },
        });
      const wrapStore = (store: Store): Store => ({
        ...store,
        accounts: counting('accounts', store.accounts),
        artifacts: counting('artifacts', store.artifacts),
        revocations: counting('revocations', store.revocations),
      });
      const hostile = await hostileWorld({ fakeTime: true, seams: { wrapStore } });
      const { alice, core, player } = hostile;
      const gone = await hostile.person('carol');
      await core.store.accounts.setStatus({ accountId: gone.id, status: 'disabled' });
      await core.accounts.create({ username: 'dave0', email: 'dave0@example.test' });
      const names = ['alice', 'nobdy', 'carol', 'dave0'];
      const browser = alice.anotherBrowser();
      await browser.open(where === 'interaction' ? player.authorization().url : '/sign-in');
      const path = where === 'interaction' ? `${browser.path}/sign-in` : '/sign-in';
      const csrf = csrfOf(browser.page.text);
      const ask = async (username: string, password: string) => {
        calls.length = 0;
        const answer = await hostile.send({
          path,
          headers: [cookiesOf(browser, path), ['Accept', 'text/html']],
          body: new URLSearchParams({ csrf, username, password }),
        });
        // What the background asks for is not this request's.
        return { answer: bare(answer, username), calls: calls.filter((call) => !/ending/.test(call)).length };
      };
      // Wrong, blocked, and wrong again.
      for (const [password, seconds] of [
        ['wrong', 0],
        ['wrong', 11],
        ['', 11],
        ['x'.repeat(300), 11],
      ] as const) {
        const answers = [];
        for (const name of names) answers.push(await ask(spelled(name), password));
        for (const answer of answers) expect(answer).toEqual(answers[0]);
        expect([401, 429]).toContain(answers[0]?.answer.status);
        hostile.advance(seconds);
      }
      // The right password of a disabled account says nothing either.
      expect(await ask(spelled('carol'), gone.password)).toEqual(await ask(spelled('nobdy'), gone.password));
    },
  );
});

describe('60 one counter', () => {
  // Row 60. CVE-2024-4629: guesses made at once each found the counter still at nought.
  test('60 forty guesses at once, by name, by address and at several forms → one is looked at', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, player, send } = hostile;
    const browser = alice.anotherBrowser();
    await browser.open('/sign-in');
    const csrf = csrfOf(browser.page.text);
    await browser.open(player.authorization().url);
    const paths = ['/sign-in', '/sign-in?return_to=/account/security', '/SIGN-IN', `${browser.path}/sign-in`];
    const names = ['alice', 'ALICE', ' alice ', 'alice@example.test', 'Alice@Example.Test'];
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, nth) => {
        const path = paths[nth % paths.length] ?? '';
        const body = new URLSearchParams({ csrf, username: names[nth % names.length] ?? '', password: `guess ${nth}` });
        return send({ path, headers: [cookiesOf(browser, path === '/SIGN-IN' ? '/sign-in' : path)], body });
      }),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(1);
    const blocked = answers.filter(({ status }) => status === 429);
    expect(blocked).toHaveLength(39);
    for (const answer of blocked) expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
    expect(await failuresOf(hostile)).toEqual({ keys: 1, failures: 1 });
  });

  test('60 a right guess behind a wrong one → not looked at, and no session', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice } = hostile;
    const browser = alice.anotherBrowser();
    await signInAt(hostile, browser, { username: 'alice', password: 'wrong' });
    const changes = await hostile.changes(async () => {
      const answer = await signInAt(hostile, browser, { username: 'alice@example.test', password: alice.password });
      expect([answer.status, answer.cookies.filter((cookie) => cookie.includes('session'))]).toEqual([429, []]);
    });
    expect(changes).toEqual([]);
  });

  test('60 guesses at the pages of somebody signed in → the same counter as at the sign-in', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, advance, send } = hostile;
    const browser = await alice.signIn();
    // A stolen session in a browser that the account does not know.
    for (const name of browser.cookies.keys()) if (name.startsWith('curfew-device')) browser.cookies.delete(name);
    await browser.open('/account/security');
    const csrf = csrfOf(browser.page.text);
    const acts: [string, Fields][] = [
      ['/account/password', { currentPassword: 'wrong', password: 'another lantern, another harbour' }],
      ['/account/sign-out-all', { password: 'wrong' }],
      ['/account/sign-out-others', { password: 'wrong' }],
    ];
    for (const [nth, [path, fields]] of acts.entries()) {
      const answer = await send({
        path,
        headers: [cookiesOf(browser, '/account')],
        body: new URLSearchParams({ csrf, ...fields }),
      });
      expect(answer.status).toBe(401);
      expect(await failuresOf(hostile)).toEqual({ keys: 1, failures: nth + 1 });
      const elsewhere = await signInAt(hostile, alice.anotherBrowser(), {
        username: 'alice',
        password: alice.password,
      });
      expect(elsewhere.status).toBe(429);
      advance(11);
    }
  });

  test('60 a device cookie of another account, or a made-up one → no budget of its own', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, bob } = hostile;
    const bobs = await bob.signIn();
    expect((await signInAt(hostile, bobs, { username: 'alice', password: 'wrong' })).status).toBe(401);
    for (const browser of [alice.anotherBrowser(), bobs]) {
      const made = browser === bobs ? [] : [['Cookie', 'curfew-device=e30; curfew-device={}']];
      const answer = await signInAt(
        hostile,
        browser,
        { username: 'alice', password: alice.password },
        { headers: made as [string, string][] },
      );
      expect([403, 429]).toContain(answer.status);
    }
    expect(await failuresOf(hostile)).toEqual({ keys: 1, failures: 1 });
  });
});

describe('61 addresses', () => {
  let names = 0;
  const attempts = async (hostile: HostileWorld, headersOf: (nth: number) => [string, string][], count = 8) => {
    const browser = hostile.alice.anotherBrowser();
    const statuses: number[] = [];
    for (let nth = 0; nth < count; nth++) {
      // Each time another name: only the address is the same.
      const answer = await signInAt(
        hostile,
        browser,
        { username: `nobody${names++}`, password: 'x' },
        { headers: headersOf(nth) },
      );
      statuses.push(answer.status);
    }
    return statuses;
  };
  const FIVE = [401, 401, 401, 401, 401, 429, 429, 429];
  const limited = (trustProxy: number) =>
    hostileWorld({ fakeTime: true, configuration: { trustProxy, throttle: { addressAttemptsPerMinute: 5 } } });

  // Row 61. CVE-2024-47070: a header nobody can read must not mean a caller nobody counts.
  const UNREADABLE: Record<string, (nth: number) => string> = {
    words: (nth) => `garbage-${nth}`,
    'an address with a port': (nth) => `198.51.100.7:${nth}`,
    'an IPv6 address in brackets': (nth) => `[2001:db8::${nth}]:1`,
    'numbers too large': (nth) => `999.1.1.${nth}`,
    'octal and short forms': (nth) => `0177.1.${nth}`,
    'an obfuscated identifier': (nth) => `_hidden${nth}`,
    HTML: (nth) => `<b>${nth}</b>`,
    'a very long text': (nth) => `${nth}${'x'.repeat(4000)}`,
    quotes: (nth) => `"${nth}`,
    'a readable one before it': (nth) => `198.51.100.${nth}, garbage-${nth}`,
  };
  test(`61 X-Forwarded-For of ${Object.keys(UNREADABLE).join(', ')} → counted all the same`, async () => {
    const hostile = await limited(1);
    for (const [name, value] of Object.entries(UNREADABLE)) {
      expect([name, await attempts(hostile, (nth) => [['X-Forwarded-For', value(nth)]])]).toEqual([name, FIVE]);
      hostile.advance(60);
    }
  });

  const ONE_CALLER: Record<string, (nth: number) => [string, string][]> = {
    'hops before the last': (nth) => [['X-Forwarded-For', `198.51.100.${nth}, 203.0.113.5`]],
    'many hops before the last': (nth) => [['X-Forwarded-For', `${`198.51.100.${nth}, `.repeat(50)}203.0.113.5`]],
    'several header lines': (nth) => [
      ['X-Forwarded-For', `198.51.100.${nth}`],
      ['X-Forwarded-For', '203.0.113.5'],
    ],
    'no address at all': (nth) => [['X-Forwarded-For', nth % 2 === 0 ? '' : ' , ,']],
    'other headers': (nth) => [
      ['X-Real-IP', `198.51.100.${nth}`],
      ['Forwarded', `for=198.51.100.${nth}`],
      ['X-Client-IP', `198.51.100.${nth}`],
    ],
    'one /64 of IPv6': (nth) => [['X-Forwarded-For', `2001:db8:0:7:${nth}::${nth}`]],
    'spellings of one address': (nth) => [
      [
        'X-Forwarded-For',
        ['203.0.113.5', '::ffff:203.0.113.5', '::FFFF:CB00:7105', '0:0:0:0:0:ffff:203.0.113.5'][nth % 4] ?? '',
      ],
    ],
  };
  test(`61 behind a proxy, ${Object.keys(ONE_CALLER).join(', ')} → one caller`, async () => {
    const hostile = await limited(1);
    for (const [name, headersOf] of Object.entries(ONE_CALLER)) {
      expect([name, await attempts(hostile, headersOf)]).toEqual([name, FIVE]);
      hostile.advance(60);
    }
  });

  test('61 X-Forwarded-For without a proxy → not believed', async () => {
    expect(await attempts(await limited(0), (nth) => [['X-Forwarded-For', `198.51.100.${nth}`]])).toEqual(FIVE);
  });

  test('61 what an address used up → does not keep others out', async () => {
    const hostile = await limited(1);
    await attempts(hostile, () => [['X-Forwarded-For', '203.0.113.5']]);
    expect(await attempts(hostile, () => [['X-Forwarded-For', '203.0.113.6']], 1)).toEqual([401]);
  });
});

// Row 62. CVE-2019-19844: two spellings that some library takes for one.
test.each([
  ['a dotless i', 'mıke@example.test'],
  ['a dotted capital I', 'mİke@example.test'],
  ['an accent', 'míke@example.test'],
  ['a combining accent', 'mi\u0301ke@example.test'],
  ['full-width letters', 'ｍike@example.test'],
  ['a Kelvin sign', 'mi\u212Ae'],
  ['a long s in the domain', 'mike@example.te\u017Ft'],
  ['a Cyrillic letter', 'mіke'],
  ['a zero-width space', 'mi\u200Bke'],
  ['a soft hyphen', 'mi\u00ADke'],
  ['a no-break space after it', 'mike\u00A0'],
  ['a right-to-left mark', '\u200Fmike'],
  ['a line break after it', 'mike\n'],
  ['a lone surrogate', 'mike\uD800'],
  ['an ideographic full stop', 'mike@example。test'],
  ['a full-width at sign', 'mike＠example.test'],
  ['the address in punycode', 'mike@xn--example-.test'],
])('62 %s → not mike', async (_name, username) => {
  const hostile = shared();
  const mike = await hostile.person('mike').catch(() => undefined);
  if (mike !== undefined) passwords.set(hostile, mike.password);
  const password = passwords.get(hostile) ?? '';
  const changes = await hostile.changes(async () => {
    const answer = await signInAt(hostile, hostile.alice.anotherBrowser(), { username, password });
    expect(answer.status).toBe(401);
    const asked = await hostile.core.accounts.create({ username, email: username });
    expect(asked).toHaveProperty('refused');
  });
  expect(changes).toEqual([]);
  expect((await signInAt(hostile, hostile.alice.anotherBrowser(), { username: ' MIKE ', password })).status).toBe(303);
});
const passwords = new WeakMap<HostileWorld, string>();

test('62 bytes that are no UTF-8 → nobody', async () => {
  const { alice, send } = shared();
  const browser = alice.anotherBrowser();
  await browser.open('/sign-in');
  const changes = await shared().changes(async () => {
    for (const bytes of ['%FF', '%C0%80', '%ED%A0%80', '%F8%88%80%80%80', '%zz', '%', '%u0041']) {
      const body = `csrf=${csrfOf(browser.page.text)}&username=alice${bytes}&password=${encodeURIComponent(alice.password)}`;
      const headers: [string, string][] = [
        cookiesOf(browser, '/sign-in'),
        ['Content-Type', 'application/x-www-form-urlencoded'],
      ];
      expect((await send({ path: '/sign-in', headers, body })).status).toBe(401);
    }
  });
  expect(changes).toEqual([]);
});
