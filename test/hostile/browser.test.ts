/** Row 69 of security.md, and what else can be done to, or with, a browser that somebody is signed in with. */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import {
  about,
  basic,
  CANARY,
  cookieOf,
  cookiesOf,
  csrfOf,
  hostileWorld,
  type RawAnswer,
  sharedWorld,
  xsrfOf,
} from './probe.ts';

const SECRET = 'a secret that only its client knows, 0123456789';
const shared = sharedWorld();
const signedIn = (): Promise<Browser> => shared().alice.signIn(shared().alice.anotherBrowser());
const pathOf = (url: string): string => {
  const { pathname, search } = new URL(url);
  return pathname + search;
};

describe('69 session fixation', () => {
  const session = (browser: Browser) => ({
    id: cookieOf(browser, 'curfew-session'),
    sig: cookieOf(browser, 'curfew-session.sig'),
  });
  const plant = (browser: Browser, from: Browser): void => {
    for (const [name, cookie] of from.cookies) if (name.startsWith('curfew-session')) browser.cookies.set(name, cookie);
  };
  const nobodyIn = async (cookies: [string, string]): Promise<void> => {
    const answer = await shared().send({ path: '/account', headers: [cookies] });
    expect(answer.header('location')).toMatch(/^\/sign-in/);
    const silent = await shared().send({
      path: pathOf(shared().player.authorization({ prompt: 'none' }).url),
      headers: [cookies],
    });
    expect(silent.header('location')).toContain('error=login_required');
  };

  test.each(['our own page', 'an app', 'a device'])(
    '69 a session planted before a sign-in at %s → another one after it',
    async (where) => {
      const { alice, player, tv } = shared();
      const attacker = alice.anotherBrowser();
      await attacker.open('/device');
      const planted = session(attacker);
      const victim = alice.anotherBrowser();
      plant(victim, attacker);
      if (where === 'our own page') await alice.signIn(victim);
      else if (where === 'an app') await player.signIn(alice, victim);
      else await tv.connectDevice(alice, victim);
      expect(session(victim).id).not.toBe(planted.id);
      await nobodyIn(cookiesOf(attacker, '/account'));
      await attacker.open('/account');
      expect(attacker.path).toMatch(/^\/sign-in/);
    },
  );

  test.each(['our own page', 'an app'])(
    "69 the attacker's own signed-in session, planted; then a sign-in at %s → the attacker is not in hers",
    async (where) => {
      const hostile = await hostileWorld();
      const { alice, bob, player } = hostile;
      const attacker = await bob.signIn();
      const victim = alice.anotherBrowser();
      plant(victim, attacker);
      if (where === 'our own page') {
        // Somebody is in already: leaving first is the way to the form.
        await victim.open('/account');
        await victim.press('Sign out of this browser');
        await alice.signIn(victim);
      } else {
        await victim.open(player.authorization({ prompt: 'login' }).url);
        await victim.press('Sign in', { username: alice.username, password: alice.password });
        const xsrf = xsrfOf(victim.page.text);
        if (xsrf !== '')
          await victim.request(
            'POST',
            new URL('/session/end/confirm', victim.origin),
            new URLSearchParams({ xsrf, logout: 'yes' }),
          );
      }
      await victim.open('/account');
      expect(victim.page.text).toContain('alice@example.test');
      await attacker.open('/account');
      expect(attacker.page.text).not.toContain('alice@example.test');
    },
  );

  test('69 signing in again in the same browser → a new id, and the old one is dead', async () => {
    const { alice, player } = shared();
    const browser = await signedIn();
    const old = cookiesOf(browser, '/account');
    await browser.open(player.authorization({ prompt: 'login' }).url);
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(cookiesOf(browser, '/account')).not.toEqual(old);
    await nobodyIn(old);
  });
});

describe('69 login CSRF', () => {
  test('69 a sign-in posted from elsewhere → refused, and nobody is in', async () => {
    const { bob, alice, player, send } = shared();
    const victim = alice.anotherBrowser();
    await victim.open('/sign-in');
    const attacker = bob.anotherBrowser();
    await attacker.open('/sign-in');
    const credentials = { username: bob.username, password: bob.password };
    const own = csrfOf(victim.page.text);
    await victim.open(player.authorization().url);
    const interaction = `${victim.path}/sign-in`;
    const changes = await shared().changes(async () => {
      for (const path of ['/sign-in', interaction]) {
        for (const [headers, csrf] of [
          [[], undefined],
          [[], csrfOf(attacker.page.text)],
          [[['Origin', 'http://evil.test']], own],
          [[['Origin', 'null']], own],
          [[['Sec-Fetch-Site', 'cross-site']], own],
          [[['Sec-Fetch-Site', 'same-site']], own],
        ] as [[string, string][], string | undefined][]) {
          const body = new URLSearchParams({ ...credentials, ...(csrf === undefined ? {} : { csrf }) });
          const answer = await send({ path, headers: [cookiesOf(victim, path), ...headers], body });
          expect([400, 403]).toContain(answer.status);
          expect(answer.cookies.join()).not.toContain('curfew-session');
        }
        const nothing = await send({ path, body: new URLSearchParams({ ...credentials, csrf: own }) });
        expect(nothing.status).toBe(403);
      }
    });
    expect(changes).toEqual([]);
  });
});

describe('interactions', () => {
  test("69 another browser's interaction, or one made up → start again, and nothing is decided", async () => {
    const { alice, player, cinema } = shared();
    const attacker = alice.anotherBrowser();
    await attacker.open(player.authorization().url);
    const [theirs, theirCookies] = [attacker.path, cookiesOf(attacker, attacker.path)];
    const victim = await signedIn();
    await victim.open(cinema.authorization().url);
    const mine = victim.path;
    const csrf = csrfOf(victim.page.text);
    const changes = await shared().changes(async () => {
      for (const path of [
        theirs,
        '/interaction/x',
        '/interaction/__proto__',
        '/interaction/%00',
        '/interaction/..%2faccount',
      ]) {
        for (const [to, body] of [
          [path, undefined],
          [`${path}/sign-in`, { csrf, username: alice.username, password: alice.password }],
          [`${path}/consent`, { csrf, decision: 'allow' }],
          [`${path}/cancel`, { csrf }],
        ] as [string, Record<string, string> | undefined][]) {
          const answer = await shared().send({
            path: to,
            headers: [cookiesOf(victim, mine), ['Accept', 'text/html']],
            ...(body === undefined ? {} : { body: new URLSearchParams(body) }),
          });
          expect([to, answer.status]).toEqual([to, 400]);
          expect(answer.text).not.toContain('name="password"');
        }
      }
      // The attacker's cookie at the victim's address, and the other way round.
      const crossed = await shared().send({ path: mine, headers: [theirCookies] });
      expect(crossed.status).toBe(400);
      // Resuming somebody's request.
      for (const path of [theirs, mine].map((one) => one.replace('/interaction/', '/auth/'))) {
        const resumed = await shared().send({ path, headers: [['Accept', 'text/html']] });
        expect([resumed.status, resumed.header('location')]).toEqual([400, undefined]);
      }
    });
    expect(changes).toEqual([]);
  });

  test('69 consent given twice, by GET, with a made-up decision, or at the sign-in → one code at most', async () => {
    const { cinema, player, alice } = shared();
    const browser = await signedIn();
    await browser.open(cinema.authorization().url);
    const path = browser.path;
    const csrf = csrfOf(browser.page.text);
    const cookies = cookiesOf(browser, path);
    const changes = await shared().changes(async () => {
      for (const fields of [
        { csrf },
        { csrf, decision: 'yes' },
        { csrf, decision: '' },
        { csrf, decision: 'allow', scope: 'all' },
        { decision: 'allow' },
      ]) {
        const answer = await shared().send({
          path: `${path}/consent`,
          headers: [cookies],
          body: new URLSearchParams(fields as Record<string, string>),
        });
        expect([400, 403]).toContain(answer.status);
      }
      const link = await shared().send({ path: `${path}/consent?decision=allow&csrf=${csrf}`, headers: [cookies] });
      expect([404, 405]).toContain(link.status);
    });
    expect(changes).toEqual([]);

    const allow = () =>
      shared().send({
        path: `${path}/consent`,
        headers: [cookies],
        body: new URLSearchParams({ csrf, decision: 'allow' }),
      });
    const granted = await Promise.all(Array.from({ length: 10 }, allow));
    expect(granted.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 303));
    const resume = pathOf(granted[0]?.header('location') ?? '');
    const resumed = await shared().send({ path: resume, headers: [cookiesOf(browser, resume)] });
    expect(resumed.header('location')).toMatch(/^http:\/\/cinema\.test\/callback\?code=/);
    const again = await shared().changes(async () => {
      expect((await allow()).status).toBe(400);
      expect((await shared().send({ path: resume, headers: [cookiesOf(browser, resume)] })).status).toBe(400);
    });
    expect(again).toEqual([]);

    // A sign-in page is no consent page: "allow" there is no way past the password.
    const stranger = alice.anotherBrowser();
    await stranger.open(player.authorization().url);
    const skipped = await stranger.request(
      'POST',
      new URL(`${stranger.path}/consent`, stranger.origin),
      new URLSearchParams({ csrf: csrfOf(stranger.page.text), decision: 'allow' }),
    );
    expect(skipped.text).not.toContain('code=');
    expect(stranger.left?.searchParams.get('error')).toBe('access_denied');
  });
});

describe('69 cookies', () => {
  const flags = (cookie: string) => ({
    name: cookie.slice(0, cookie.indexOf('=')),
    secure: /; secure/i.test(cookie),
    httpOnly: /; httponly/i.test(cookie),
    lax: /; samesite=lax/i.test(cookie),
    domain: /; domain=/i.test(cookie),
    path: /; path=([^;]*)/i.exec(cookie)?.[1],
  });

  test('69 over https → __Host- where the whole site is meant, Secure, HttpOnly and Lax everywhere', async () => {
    const hostile = await hostileWorld({ configuration: { issuer: 'https://id.test', trustProxy: 1 } });
    const { alice, player, send } = hostile;
    const jar = new Map<string, string>();
    const seen: string[] = [];
    const keep = (answer: RawAnswer): RawAnswer => {
      for (const cookie of answer.cookies) {
        seen.push(cookie);
        jar.set(cookie.slice(0, cookie.indexOf('=')), cookie.slice(cookie.indexOf('=') + 1).split(';')[0] ?? '');
      }
      return answer;
    };
    const visit = async (path: string, fields?: Record<string, string>, headers: [string, string][] = []) =>
      keep(
        await send({
          path,
          host: 'id.test',
          headers: [
            ['Accept', 'text/html'],
            ['X-Forwarded-Proto', 'https'],
            ['Cookie', [...jar].map((pair) => pair.join('=')).join('; ')],
            ...(fields === undefined ? [] : ([['Origin', 'https://id.test']] as [string, string][])),
            ...headers,
          ],
          ...(fields === undefined ? {} : { body: new URLSearchParams(fields) }),
        }),
      );
    const started = await visit(pathOf(player.authorization().url));
    const interaction = started.header('location') ?? '';
    expect(interaction).toMatch(/^\/interaction\//);
    const page = await visit(interaction);
    const credentials = { csrf: csrfOf(page.text), username: alice.username, password: alice.password };
    const signed = await visit(`${interaction}/sign-in`, credentials);
    expect(signed.status).toBe(303);
    const resumed = await visit(pathOf(signed.header('location') ?? ''));
    expect(resumed.header('location')).toContain('code=');
    const security = await visit('/account/security');
    expect(security.header('strict-transport-security')).toMatch(/^max-age=\d{8}/);
    const done = await visit('/account/sign-out-all', { csrf: csrfOf(security.text) });
    expect(done.header('location')).toMatch(/^\/sign-outs\//);
    await visit('/device');

    const names = new Set(seen.map((cookie) => flags(cookie).name));
    expect([...names].toSorted()).toEqual([
      '__Host-curfew-csrf',
      '__Host-curfew-device',
      '__Host-curfew-receipt',
      '__Host-curfew-session',
      '__Host-curfew-session.sig',
      '__Host-curfew-signed-out',
      '__Secure-curfew-interaction',
      '__Secure-curfew-interaction.sig',
      '__Secure-curfew-resume',
      '__Secure-curfew-resume.sig',
    ]);
    for (const cookie of seen) {
      const { name, path, ...rest } = flags(cookie);
      expect([name, rest]).toEqual([name, { secure: true, httpOnly: true, lax: true, domain: false }]);
      expect(path).toMatch(name.startsWith('__Host-') ? /^\/$/ : /^\/(interaction|auth)\/[\w-]{20,}$/);
    }
    // A cookie without the prefix, as a neighbouring host can set one, is none of ours.
    jar.clear();
    const fresh = await visit('/sign-in');
    const names_ = { csrf: csrfOf(fresh.text), username: alice.username, password: alice.password };
    expect((await visit('/sign-in', names_)).status).toBe(303);
    const tossed = [...jar].map(([name, value]) => `${name.replace(/^__(Host|Secure)-/, '')}=${value}`).join('; ');
    const answer = await send({
      path: '/account',
      headers: [
        ['Cookie', tossed],
        ['X-Forwarded-Proto', 'https'],
      ],
    });
    expect(answer.header('location')).toMatch(/^\/sign-in/);
  });

  test('69 the same names twice, tossed from a neighbouring path → the first that the browser sends, whole or not at all', async () => {
    const { bob, send } = shared();
    const mine = await signedIn();
    const theirs = await bob.signIn(bob.anotherBrowser());
    const [own, other] = [mine, theirs].map((browser) => ({
      id: cookieOf(browser, 'curfew-session'),
      sig: cookieOf(browser, 'curfew-session.sig'),
    }));
    // Id of one, signature of the other: never accepted, in any order.
    for (const cookies of [
      `curfew-session=${own?.id}; curfew-session.sig=${other?.sig}`,
      `curfew-session=${other?.id}; curfew-session.sig=${own?.sig}`,
      `curfew-session=${other?.id}; curfew-session=${own?.id}; curfew-session.sig=${own?.sig}; curfew-session.sig=${other?.sig}`,
    ]) {
      expect((await send({ path: '/account', headers: [['Cookie', cookies]] })).header('location')).toMatch(
        /^\/sign-in/,
      );
    }
  });

  test('69 cookies that are too many, too long or broken → as if there were none', async () => {
    const { send } = shared();
    for (const cookies of [
      'x',
      '=',
      ';;;',
      '\u00ff\u00fe',
      'a=b;'.repeat(2000),
      `curfew-csrf=${'x'.repeat(8000)}`,
      'curfew-device=%%%',
      'curfew-receipt=a.b.c',
      '__proto__=x; constructor=y',
    ]) {
      for (const path of ['/sign-in', '/account', '/device', '/session/end', '/sign-outs/x']) {
        const answer = await send({
          path,
          headers: [
            ['Cookie', cookies],
            ['Accept', 'text/html'],
          ],
        });
        expect(answer.status).toBeLessThan(500);
      }
    }
  });
});

describe('69 what every answer says', () => {
  test('69 framing, sniffing, caching → forbidden on every kind of answer', async () => {
    const { player, cinema, tv } = shared();
    const browser = await signedIn();
    const signedInAs = cookiesOf(browser, '/account');
    const device = await tv.startDevice();
    const paths = [
      '/',
      '/sign-in',
      '/SIGN-IN',
      '/account',
      '/account/',
      '/Account/Security',
      '/account/security',
      '/account/devices',
      '/signed-out',
      '/sign-outs/x',
      '/nothing',
      '/device',
      `/device?user_code=${device.user_code}`,
      '/session/end',
      '/interaction/x',
      '/auth',
      '/me',
      '/jwks',
      '/.well-known/openid-configuration',
      '/healthz',
      '/readyz',
      '/metrics',
      pathOf(player.authorization({ response_mode: 'form_post' }).url),
      pathOf(player.authorization({ prompt: 'login' }).url),
      pathOf(cinema.authorization().url),
    ];
    for (const path of paths) {
      for (const headers of [[], [signedInAs]] as [string, string][][]) {
        const answer = await shared().send({ path, headers: [['Accept', 'text/html'], ...headers] });
        const policy = answer.header('content-security-policy') ?? '';
        expect([path, policy]).toEqual([path, expect.stringContaining("frame-ancestors 'none'")]);
        expect(policy).toContain("default-src 'none'");
        expect(policy).toContain("base-uri 'none'");
        expect(policy).not.toMatch(/unsafe|\*|script-src[^;]*(data:|http)/);
        const own = /^\/(account|sign-in|sign-outs)/i.test(path);
        expect([path, policy]).toEqual([
          path,
          expect.stringContaining(own ? "form-action 'self'" : "default-src 'none'"),
        ]);
        expect([path, answer.header('x-frame-options')]).toEqual([path, 'DENY']);
        expect(answer.header('x-content-type-options')).toBe('nosniff');
        expect([path, answer.header('cache-control')]).toEqual([path, 'no-store']);
        expect(answer.header('referrer-policy')).toBe('same-origin');
        expect(answer.header('x-powered-by') ?? answer.header('server')).toBeUndefined();
      }
    }
  });

  test('69 another origin asking with a browser’s cookies or a client’s name → nothing it may read', async () => {
    const { player, alice, send } = shared();
    const browser = await signedIn();
    const tokens = await player.signIn(alice, alice.anotherBrowser());
    const evil: [string, string] = ['Origin', 'http://evil.test'];
    for (const path of [
      '/account',
      '/account/devices',
      '/sign-in',
      '/sign-outs/x',
      '/session/end',
      '/device',
      '/metrics',
      pathOf(player.authorization().url),
    ]) {
      for (const method of ['GET', 'OPTIONS']) {
        const answer = await send({
          method,
          path,
          headers: [cookiesOf(browser, '/account'), evil, ['Access-Control-Request-Method', 'GET']],
        });
        expect([path, answer.header('access-control-allow-origin')]).toEqual([path, undefined]);
      }
    }
    const body = (form: Record<string, string>) => new URLSearchParams(form);
    for (const request of [
      { path: '/me', headers: [evil, ['Authorization', `Bearer ${tokens.access_token}`]] },
      { path: '/token', headers: [evil, basic('player', SECRET)], body: body({ grant_type: 'client_credentials' }) },
      {
        path: '/token/introspection',
        headers: [evil, basic('player', SECRET)],
        body: body({ token: tokens.access_token }),
      },
      {
        path: '/token/revocation',
        headers: [evil, basic('player', SECRET)],
        body: body({ token: tokens.access_token }),
      },
      { path: '/request', headers: [evil, basic('player', SECRET)], body: body({ response_type: 'code' }) },
    ] as Parameters<typeof send>[0][]) {
      const answer = await send(request);
      expect([request.path, answer.status, answer.header('access-control-allow-origin')]).toEqual([
        request.path,
        400,
        undefined,
      ]);
      expect(answer.header('access-control-allow-credentials')).toBeUndefined();
      expect(answer.text).not.toMatch(/preferred_username|access_token|"active":true/);
    }
    expect(await player.userinfo(tokens)).toMatchObject({ status: 200 });
  });

  test('69 where a sign-in leads → only to pages of ours', async () => {
    const { alice, send } = shared();
    const targets = [
      '//evil.test',
      'http://evil.test/',
      '/\\evil.test',
      '\\\\evil.test',
      '/account/../..//evil.test',
      '/account//evil.test',
      '/account@evil.test',
      '/account?next=http://evil.test',
      '/account#x',
      '/account\r\nSet-Cookie: evil=1',
      '/account\n',
      'javascript:alert(1)',
      'data:text/html,x',
      '/sign-outs/../session/end',
      '/sign-outs/x/y',
      '/sign-out',
      '/metrics',
      ' /account',
      '',
    ];
    for (const target of targets) {
      const browser = alice.anotherBrowser();
      const path = `/sign-in?${new URLSearchParams({ return_to: target }).toString()}`;
      await browser.open(path);
      expect(browser.page.text).not.toContain('evil');
      const answer = await send({
        path,
        headers: [cookiesOf(browser, '/sign-in')],
        body: new URLSearchParams({
          csrf: csrfOf(browser.page.text),
          username: alice.username,
          password: alice.password,
        }),
      });
      expect([target, answer.status, answer.header('location')]).toEqual([target, 303, '/account']);
      expect(answer.cookies.join()).not.toContain('evil');
      const already = await send({
        path,
        headers: [['Cookie', answer.cookies.map((cookie) => cookie.split(';')[0]).join('; ')]],
      });
      expect(already.header('location')).toBe('/account');
    }
    const twice = await send({ path: '/sign-in?return_to=/account/security&return_to=//evil.test' });
    expect(twice.text).not.toContain('evil.test');
  });

  test('69 what an error page says of what was asked → nothing of it', async () => {
    const { send } = shared();
    const browser = await signedIn();
    const encoded = encodeURIComponent(CANARY);
    for (const [method, path] of [
      ['GET', `/${encoded}`],
      ['GET', `/${CANARY.replaceAll(' ', '')}`],
      ['GET', `/interaction/${encoded}`],
      ['GET', `/sign-outs/${encoded}`],
      ['GET', `/auth/${encoded}`],
      ['GET', `/device/${encoded}`],
      ['GET', `/reg/${encoded}`],
      ['GET', `/sign-in?return_to=${encoded}`],
      ['GET', `/account/security?changed=${encoded}`],
      ['GET', `/session/end?client_id=${encoded}&state=${encoded}&ui_locales=${encoded}`],
      ['GET', `/session/end/success?client_id=${encoded}`],
      ['POST', `/sign-in?return_to=${encoded}`],
      ['POST', `/account/password?${encoded}`],
    ] as const) {
      for (const accept of ['text/html', 'application/json', CANARY.replaceAll(/[<>]/g, '')]) {
        const answer = await send({
          method,
          path,
          headers: [
            cookiesOf(browser, '/account'),
            ['Accept', accept],
            ['User-Agent', CANARY],
            ['Referer', CANARY],
            ['Accept-Language', CANARY],
            ['X-Request-Id', CANARY],
          ],
          ...(method === 'POST'
            ? { body: new URLSearchParams({ csrf: CANARY, username: CANARY, [CANARY]: CANARY }) }
            : {}),
        });
        expect(answer.status).toBeLessThan(500);
        expect([path, answer.text.includes('<b>')]).toEqual([path, false]);
        expect(answer.headers.map(([, value]) => value).join()).not.toContain('canary');
      }
    }
  });

  test('69 the name a person types → comes back as text', async () => {
    const { alice, player, send } = shared();
    for (const open of ['/sign-in', player.authorization({ login_hint: `"><script>${CANARY}` }).url]) {
      const browser = alice.anotherBrowser();
      await browser.open(open);
      expect(browser.page.text).not.toContain(CANARY);
      const path = open === '/sign-in' ? open : `${browser.path}/sign-in`;
      const body = new URLSearchParams({
        csrf: csrfOf(browser.page.text),
        username: `"><script>${CANARY}`,
        password: CANARY,
      });
      const answer = await send({ path, headers: [cookiesOf(browser, path), ['Accept', 'text/html']], body });
      expect([401, 429]).toContain(answer.status);
      expect(answer.text).not.toContain(CANARY);
    }
  });
});

test('69 the metrics → nobody, no token, no address, and few labels whatever was asked', async () => {
  const hostile = await hostileWorld();
  const { alice, player, tv, send } = hostile;
  const tokens = await player.signIn(alice);
  const device = await tv.startDevice();
  await tv.approveDevice(alice, device.user_code);
  const receipt = await alice.signOutOfAllDevices();
  await hostile.settle();
  for (let nth = 0; nth < 30; nth++) {
    await send({ path: `/made-up-${nth}` });
    await send({ path: `/interaction/made-up-${nth}` });
    await send({ path: `/sign-outs/made-up-${nth}` });
    await send({ path: `/reg/made-up-${nth}` });
    await send({
      path: `/auth/made-up-${nth}`,
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PROPFIND', 'MKCOL'][nth % 6] ?? 'GET',
    });
  }
  const { text } = await send({ path: '/metrics' });
  expect(text).toContain('curfew_http_request_seconds');
  const secrets = [
    alice.id,
    alice.username,
    alice.email,
    tokens.access_token,
    tokens.refresh_token,
    device.device_code,
    device.user_code,
    receipt.split('/')[2] ?? '',
    'made-up',
    '127.0.0.1',
    'Firefox',
  ];
  for (const secret of secrets) expect([secret, text.includes(secret)]).toEqual([secret, false]);
  const series = text.split('\n').filter((line) => line.startsWith('curfew_http_request_seconds_count'));
  expect(series.length).toBeLessThan(80);
  expect(
    about(
      hostile.logged,
      alice.username,
      alice.email,
      alice.password,
      tokens.access_token,
      tokens.refresh_token,
      device.user_code,
    ),
  ).toEqual([]);
});
