/** Rows 32–37 of security.md: ending access, when somebody else asks for it, and after it has ended. */
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';

import { artifactKey } from '../../src/oidc/artifact-adapter.ts';
import type { Browser } from '../support/browser.ts';
import { about, cookieOf, cookiesOf, csrfOf, hostileWorld, type RawAnswer, sharedWorld, xsrfOf } from './probe.ts';

const shared = sharedWorld();
const signedIn = (): Promise<Browser> => shared().alice.signIn(shared().alice.anotherBrowser());
const end = (browser: Browser, parameters: Record<string, string> | [string, string][] = {}): Promise<RawAnswer> =>
  shared().send({
    path: `/session/end?${new URLSearchParams(parameters).toString()}`,
    headers: [cookiesOf(browser, '/session/end'), ['Accept', 'text/html']],
  });

async function expectStillIn(browser: Browser): Promise<void> {
  await browser.open('/account');
  expect(browser.path).toBe('/account');
}

describe('logout asked for by an app', () => {
  // Row 32. RP-Initiated Logout §2: a hint that cannot be believed proves nothing, and nobody leaves unasked.
  test('32 a forged, foreign or expired hint, or none → never signed out without pressing the button', async () => {
    const { player, cinema, alice, bob } = shared();
    const browser = await signedIn();
    const mine = await player.signIn(alice, browser);
    const bobs = await player.signIn(bob, bob.anotherBrowser());
    const [header = '', payload = ''] = mine.id_token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const evil = await generateKeyPair('ES256');
    const cinemas = await cinema.signIn(alice, alice.anotherBrowser());
    const forged = [
      new UnsecuredJWT(claims).encode(),
      `${header}.${payload}.`,
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(evil.privateKey),
      await new SignJWT({ ...claims, aud: ['player', 'cinema'] })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(evil.privateKey),
      await new SignJWT({ ...claims, aud: '__proto__' }).setProtectedHeader({ alg: 'ES256' }).sign(evil.privateKey),
      await new SignJWT({ ...claims, aud: { $ne: 1 } as never })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(evil.privateKey),
      'x',
      'a.b.c',
      '..',
      mine.access_token,
    ];
    const changes = await shared().changes(async () => {
      for (const id_token_hint of forged) {
        for (const more of [{}, { post_logout_redirect_uri: 'http://player.test/signed-out' }] as Record<
          string,
          string
        >[]) {
          const answer = await end(browser, { id_token_hint, ...more });
          expect([answer.status, answer.header('location')]).toEqual([200, undefined]);
          expect(answer.text).toContain('Sign out?');
          // Nothing in it is believed: not even which app it came from.
          expect(answer.text).not.toContain('Player');
        }
      }
      // Ones that can be believed, but are not about this visit.
      for (const parameters of [
        { id_token_hint: bobs.id_token },
        { id_token_hint: cinemas.id_token },
        { client_id: 'player' },
        {},
      ] as Record<string, string>[]) {
        const answer = await end(browser, parameters);
        expect([answer.status, answer.header('location')]).toEqual([200, undefined]);
        expect(answer.text).toContain('Sign out?');
        expect(answer.text).not.toMatch(/\.submit\(\)/);
      }
      expect((await end(browser, { id_token_hint: mine.id_token, client_id: 'cinema' })).status).toBe(400);
      expect(
        (
          await end(browser, [
            ['id_token_hint', mine.id_token],
            ['id_token_hint', bobs.id_token],
          ])
        ).status,
      ).toBe(400);
    });
    expect(changes).toEqual([]);
    await expectStillIn(browser);
  });

  test('32 the confirmation without its secret, or with another browser’s → refused', async () => {
    const browser = await signedIn();
    const other = await signedIn();
    const others = xsrfOf((await end(other)).text);
    await end(browser);
    const changes = await shared().changes(async () => {
      for (const xsrf of [undefined, '', others, 'x'.repeat(48), 'undefined']) {
        const answer = await shared().send({
          path: '/session/end/confirm',
          headers: [cookiesOf(browser, '/session/end')],
          body: new URLSearchParams({ logout: 'yes', ...(xsrf === undefined ? {} : { xsrf }) }),
        });
        expect(answer.status).toBe(400);
      }
      // Nor by following a link.
      const xsrf = xsrfOf((await end(browser)).text);
      const link = await shared().send({
        path: `/session/end/confirm?xsrf=${xsrf}&logout=yes`,
        headers: [cookiesOf(browser, '/session/end')],
      });
      expect([404, 405]).toContain(link.status);
    });
    expect(changes).toEqual([]);
    await expectStillIn(browser);
    await expectStillIn(other);
  });

  // Row 33.
  const ELSEWHERE = [
    'http://evil.test/',
    'http://player.test/callback',
    'http://player.test/signed-out/',
    'http://player.test/signed-out?x',
    'http://player.test/signed-out#x',
    'http://player.test@evil.test/signed-out',
    '//evil.test/signed-out',
    'javascript:alert(1)',
    'data:text/html,x',
    'http://player.test\\@evil.test',
    '/\\evil.test',
    '',
  ];
  test.each(ELSEWHERE)('33 post_logout_redirect_uri %j → nobody is sent there', async (post_logout_redirect_uri) => {
    const { player, alice } = shared();
    const browser = await signedIn();
    const tokens = await player.signIn(alice, browser);
    for (const named of [{ id_token_hint: tokens.id_token }, { client_id: 'player' }, {}] as Record<string, string>[]) {
      const asked = await end(browser, { ...named, post_logout_redirect_uri, state: 'evil' });
      expect(asked.header('location')).toBeUndefined();
      expect(asked.text).not.toContain('evil.test');
      expect([200, 400]).toContain(asked.status);
      if (asked.status !== 200) continue;
      // Nothing registered was named, so pressing the button stays here.
      const confirm = new URL('/session/end/confirm', shared().issuer);
      await browser.request('POST', confirm, new URLSearchParams({ xsrf: xsrfOf(asked.text) }));
      expect([browser.left, browser.page.status]).toEqual([undefined, 200]);
    }
    await expectStillIn(browser);
  });

  test('33 a browser nobody is signed in to, an unregistered address → stays here', async () => {
    const browser = shared().alice.anotherBrowser();
    const asked = await end(browser, { client_id: 'player', post_logout_redirect_uri: 'http://evil.test/' });
    expect([asked.status, asked.header('location')]).toEqual([400, undefined]);
    const unnamed = await end(browser, { post_logout_redirect_uri: 'http://evil.test/' });
    expect(unnamed.text).not.toContain('evil.test');
  });
});

describe('cookies that are not ours', () => {
  // Row 34. CVE-2025-71402: a session cookie somebody wrote ended, or opened, somebody's session.
  test('34 a forged, altered or borrowed session cookie → nobody, and no effect', async () => {
    const { player, alice } = shared();
    const browser = await signedIn();
    await player.signIn(alice, browser);
    const id = cookieOf(browser, 'curfew-session');
    const signature = cookieOf(browser, 'curfew-session.sig');
    const csrf = `curfew-csrf=${cookieOf(browser, 'curfew-csrf')}`;
    const stranger = shared().alice.anotherBrowser();
    await stranger.open(player.authorization().url);
    await browser.open('/account/security');
    const form = new URLSearchParams({ csrf: csrfOf(browser.page.text) });
    const interaction = stranger.path;
    const [interactionId, interactionSignature] = [
      cookieOf(stranger, 'curfew-interaction'),
      cookieOf(stranger, 'curfew-interaction.sig'),
    ];
    const forged = [
      `curfew-session=${id}`,
      `curfew-session=${id}; curfew-session.sig=`,
      `curfew-session=${id}; curfew-session.sig=x`,
      `curfew-session=${id}; curfew-session.sig=${signature.slice(0, -1)}`,
      `curfew-session=${id}; curfew-session.sig=${signature}x`,
      `curfew-session=${id.slice(0, -1)}; curfew-session.sig=${signature}`,
      `curfew-session=${id}x; curfew-session.sig=${signature}`,
      `curfew-session=x; curfew-session=${id}; curfew-session.sig=${signature}`,
      `curfew-session=${interactionId}; curfew-session.sig=${interactionSignature}`,
      `__Host-curfew-session=${id}; __Host-curfew-session.sig=${signature}`,
      `Curfew-Session=${id}; Curfew-Session.sig=${signature}`,
      `_session=${id}; _session.sig=${signature}`,
      `curfew-session="${id}x"; curfew-session.sig=${signature}`,
      `curfew-session=%00; curfew-session.sig=%zz`,
      `curfew-session=${'x'.repeat(12_000)}; curfew-session.sig=${signature}`,
      `curfew-session=${'../'.repeat(20)}`,
      ';=; =;;; curfew-session',
      `curfew-session=${id}; curfew-session.sig=${signature}`.replaceAll('curfew', 'curf ew'),
    ];
    const changes = await shared().changes(async () => {
      for (const cookies of forged) {
        const headers: [string, string][] = [
          ['Cookie', `${cookies}; ${csrf}`],
          ['Accept', 'text/html'],
        ];
        const account = await shared().send({ path: '/account', headers });
        expect([303, account.header('location')]).toEqual([account.status, expect.stringMatching(/^\/sign-in/)]);
        const all = await shared().send({ path: '/account/sign-out-all', headers, body: form });
        expect(all.status === 403 || all.header('location')?.startsWith('/sign-in')).toBe(true);
        const out = await shared().send({ path: '/sign-out', headers, body: form });
        expect([303, 403]).toContain(out.status);
        const silent = await shared().send({ path: pathOf(player.authorization({ prompt: 'none' }).url), headers });
        expect(new URL(silent.header('location') ?? 'none:').searchParams.get('error')).toBe('login_required');
        expect((await shared().send({ path: interaction, headers })).status).toBe(400);
      }
    });
    expect(about(changes, 'sign_outs', 'scopes', '"Session"', 'deliveries')).toEqual([]);
    await expectStillIn(browser);
  });

  test('34 a receipt cookie, a device cookie and a csrf cookie for one another → worth nothing', async () => {
    const hostile = await hostileWorld();
    const { alice, bob, send } = hostile;
    const browser = await alice.signIn();
    const receipt = await alice.signOutOfAllDevices(browser);
    const [device, allowed] = [cookieOf(browser, 'curfew-device'), cookieOf(browser, 'curfew-receipt')];
    const read = (cookies: string) =>
      send({
        path: receipt,
        headers: [
          ['Cookie', cookies],
          ['Accept', 'application/json'],
        ],
      });
    expect((await read(`curfew-receipt=${allowed}`)).status).toBe(200);
    for (const cookies of [
      `curfew-receipt=${device}`,
      `curfew-device=${allowed}`,
      `curfew-receipt=${allowed.slice(0, -2)}`,
      `curfew-receipt=${Buffer.from(JSON.stringify({ signOutId: receipt.split('/')[2], until: '9999' })).toString('base64url')}`,
      'curfew-receipt={}',
      'curfew-receipt=null',
      'curfew-receipt=',
    ]) {
      expect((await read(cookies)).status).toBe(303);
    }
    // The receipt of this sign-out, not of another one.
    const bobs = await bob.signOutOfAllDevices(await bob.signIn());
    for (const path of [bobs, `${bobs}/events`]) {
      expect((await send({ path, headers: [['Cookie', `curfew-receipt=${allowed}`]] })).status).toBe(303);
    }
  });

  test('34 the receipt cookie → lets its browser read, and do nothing else', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, advance, send } = hostile;
    const browser = await alice.signIn();
    const receipt = await alice.signOutOfAllDevices(browser);
    for (const path of ['/account', '/account/devices', '/account/security']) {
      await browser.open(path);
      expect(browser.path).toMatch(/^\/sign-in/);
    }
    const allowed: [string, string] = ['Cookie', `curfew-receipt=${cookieOf(browser, 'curfew-receipt')}`];
    advance(3601);
    expect((await send({ path: receipt, headers: [allowed] })).status).toBe(303);
  });
});

describe("other people's sign-outs", () => {
  test('35 a receipt for somebody who is neither owner nor admin → nothing there, like one that does not exist', async () => {
    const hostile = await hostileWorld();
    const { alice, bob, send } = hostile;
    const receipt = await alice.signOutOfAllDevices(await alice.signIn());
    const bobs = await bob.signIn();
    const texts = new Set<string>();
    for (const path of [
      receipt,
      `${receipt}/events`,
      `${receipt}/`,
      '/sign-outs/AAAAAAAAAAAAAAAAAAAAAA',
      '/sign-outs/__proto__',
      '/sign-outs/%00',
      '/sign-outs/x%27--',
    ]) {
      const answer = await send({ path, headers: [cookiesOf(bobs, path), ['Accept', 'text/html']] });
      expect([path, answer.status]).toEqual([path, 404]);
      texts.add(answer.text.replace(/<dd>[\w-]{20,}<\/dd>/, ''));
      const anonymous = await send({ path, headers: [['Accept', 'application/json']] });
      expect(anonymous.status).toBe(303);
    }
    expect(texts.size).toBe(1);
  });

  test("35 another person's device row, or one that is none → nothing ends", async () => {
    const { alice, bob, player, core } = shared();
    const browser = await signedIn();
    const bobsBrowser = bob.anotherBrowser();
    await player.signIn(bob, bobsBrowser);
    const [theirs] = await core.store.revocations.clientSessionsOf(bob.id);
    await browser.open('/account/devices');
    const csrf = csrfOf(browser.page.text);
    const changes = await shared().changes(async () => {
      for (const device of [
        `grant-${theirs?.grantId}`,
        `session-${theirs?.sessionUid}`,
        'session-',
        'grant-',
        '',
        '-',
        'everyone',
        'account-x',
        '__proto__',
      ]) {
        const answer = await shared().send({
          path: '/account/devices/sign-out',
          headers: [cookiesOf(browser, '/account')],
          body: new URLSearchParams({ csrf, device }),
        });
        expect([device, answer.status]).toEqual([device, 404]);
      }
    });
    expect(changes).toEqual([]);
    await expectStillIn(browser);
    expect(alice.id).not.toBe(bob.id);
  });

  // Row 35.
  const ACTS: [string, Record<string, string>][] = [
    ['/account/sign-out-all', {}],
    ['/account/sign-out-others', {}],
    ['/account/devices/sign-out', { device: 'session-x' }],
    ['/account/password', { currentPassword: 'x', password: 'a lantern that nobody has lit yet' }],
    ['/sign-out', {}],
  ];
  const CROSS_SITE: Record<
    string,
    { forge?: (own: string, others: string) => string | undefined; headers?: [string, string][]; without?: string }
  > = {
    'no token': { forge: () => undefined },
    'an empty token': { forge: () => '' },
    "another browser's token": { forge: (_own, others) => others },
    'a token cut short': { forge: (own) => own.slice(0, -2) },
    'a token of zeros': { forge: () => Buffer.alloc(32).toString('base64url') },
    'no csrf cookie': { without: 'curfew-csrf' },
    'another origin': { headers: [['Origin', 'http://evil.test']] },
    'an origin that begins like ours': { headers: [['Origin', 'http://localhost.evil.test']] },
    'the origin null': { headers: [['Origin', 'null']] },
    'our origin over https': { headers: [['Origin', 'https://localhost']] },
    'two origins': {
      headers: [
        ['Origin', 'http://evil.test'],
        ['Origin', 'http://evil.test'],
      ],
    },
    'a cross-site fetch': { headers: [['Sec-Fetch-Site', 'cross-site']] },
    'a same-site fetch': { headers: [['Sec-Fetch-Site', 'same-site']] },
    'a fetch of no known site': { headers: [['Sec-Fetch-Site', 'x']] },
  };
  test.each(Object.entries(CROSS_SITE))(
    '35 every form with %s → refused',
    async (_name, { forge = (own: string) => own, headers = [], without }) => {
      const browser = await signedIn();
      const other = await signedIn();
      await browser.open('/account/security');
      await other.open('/account/security');
      const token = forge(csrfOf(browser.page.text), csrfOf(other.page.text));
      const [name, cookies] = cookiesOf(browser, '/account');
      const kept =
        without === undefined
          ? cookies
          : cookies
              .split('; ')
              .filter((cookie) => !cookie.startsWith(`${without}=`))
              .join('; ');
      const changes = await shared().changes(async () => {
        for (const [path, fields] of ACTS) {
          const answer = await shared().send({
            path,
            headers: [[name, kept], ...headers],
            body: new URLSearchParams({ ...fields, ...(token === undefined ? {} : { csrf: token }) }),
          });
          expect([path, [400, 403].includes(answer.status)]).toEqual([path, true]);
        }
      });
      expect(changes).toEqual([]);
      await expectStillIn(browser);
    },
  );

  test('35 by GET, HEAD, PUT, DELETE, or a method override → nothing ends', async () => {
    const browser = await signedIn();
    await browser.open('/account/security');
    const csrf = csrfOf(browser.page.text);
    const changes = await shared().changes(async () => {
      for (const [path] of ACTS) {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
          const answer = await shared().send({
            method,
            path: `${path}?csrf=${csrf}&_method=POST`,
            headers: [
              cookiesOf(browser, '/account'),
              ['X-HTTP-Method-Override', 'POST'],
              ['X-Method-Override', 'POST'],
            ],
          });
          expect(answer.header('location') ?? '').not.toContain('/sign-outs');
          expect([path, method, answer.status < 500]).toEqual([path, method, true]);
        }
      }
    });
    expect(changes).toEqual([]);
    await expectStillIn(browser);
  });

  test('35 a sign-in that is not recent → the password is asked for, and a wrong one ends nothing', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, advance, send, player } = hostile;
    await player.signIn(alice);
    const browser = alice.browser();
    advance(15 * 60 + 1);
    await browser.open('/account/security');
    const csrf = csrfOf(browser.page.text);
    const changes = await hostile.changes(async () => {
      for (const path of ['/account/sign-out-all', '/account/sign-out-others']) {
        for (const [fields, status] of [
          [{}, 200],
          [{ password: '' }, 401],
          [{ password: 'wrong' }, 401],
          [{ username: alice.username }, 200],
        ] as [Record<string, string>, number][]) {
          const answer = await send({
            path,
            headers: [cookiesOf(browser, '/account')],
            body: new URLSearchParams({ csrf, ...fields }),
          });
          expect(answer.header('location')).toBeUndefined();
          expect([status, 429]).toContain(answer.status);
          advance(11);
        }
      }
    });
    expect(changes).toEqual([]);
    await browser.open('/account/security');
    await browser.press('Sign out of all devices');
    expect(browser.page.text).toContain('Confirm it is you');
    await browser.press('Sign out of all devices', { password: alice.password });
    expect(browser.path).toMatch(/^\/sign-outs\//);
  });

  test("35 somebody else's name and password at the confirmation → ends nothing of either", async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, bob, advance, send } = hostile;
    const browser = await alice.signIn();
    advance(15 * 60 + 1);
    await browser.open('/account/security');
    const csrf = csrfOf(browser.page.text);
    const changes = await hostile.changes(async () => {
      const body = new URLSearchParams({ csrf, username: bob.username, password: bob.password });
      expect(
        (await send({ path: '/account/sign-out-all', headers: [cookiesOf(browser, '/account')], body })).status,
      ).toBe(401);
    });
    expect(changes).toEqual([]);
  });
});

describe('after the end', () => {
  // Row 36. CVE-2025-29928.
  test('36 a session deleted in the store → dead at the next request, everywhere', async () => {
    const hostile = await hostileWorld();
    const { alice, player, core } = hostile;
    const browser = await alice.signIn();
    await player.obtainCode(alice, browser);
    await core.store.artifacts.destroy(artifactKey('Session', cookieOf(browser, 'curfew-session')));
    const cookies = new Map(browser.cookies);
    await browser.open('/account');
    expect(browser.path).toMatch(/^\/sign-in/);
    browser.cookies.clear();
    for (const [name, cookie] of cookies) browser.cookies.set(name, cookie);
    await browser.open(player.authorization({ prompt: 'none' }).url);
    expect(browser.left?.searchParams.get('error')).toBe('login_required');
  });

  test('36 a cookie from before a sign-out, put back → dead, and stays dead after visiting', async () => {
    const hostile = await hostileWorld();
    const { alice, player, send } = hostile;
    const browser = await alice.signIn();
    const { code, verifier } = await player.obtainCode(alice, browser);
    const old = cookiesOf(browser, '/account');
    const pending = alice.anotherBrowser();
    await pending.open(player.authorization().url);
    await alice.signOutOfAllDevices(browser);
    for (let visit = 0; visit < 3; visit++) {
      for (const path of [
        '/account',
        '/account/devices',
        pathOf(player.authorization().url),
        '/device',
        '/session/end',
        '/account',
      ]) {
        const answer = await send({ path, headers: [old] });
        expect(answer.text).not.toContain('viewer');
        expect(answer.header('location') ?? '').toMatch(path.startsWith('/account') ? /^\/sign-in/ : /^(?!.*code=)/);
      }
    }
    expect(await player.exchange(code, verifier)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  // Row 37. CVE-2025-12390.
  test('37 two people at one browser, one after the other → each sees their own, and the first has left', async () => {
    const hostile = await hostileWorld();
    const { alice, bob, player } = hostile;
    const browser = await alice.signIn();
    const alices = await player.signIn(alice, browser);
    const before = cookiesOf(browser, '/account');
    // Bob signs in over her session, without her signing out.
    browser.cookies.forEach((_cookie, name) => name.startsWith('curfew-session') && browser.cookies.delete(name));
    await bob.signIn(browser);
    const bobs = await player.signIn(bob, browser);
    const said = async (token: string) => (await player.userinfo({ access_token: token })).body['sub'];
    expect([await said(alices.access_token), await said(bobs.access_token)]).toEqual([alice.id, bob.id]);
    expect(cookiesOf(browser, '/account')).not.toEqual(before);
    await browser.open('/account');
    expect(browser.page.text).toContain('bob@example.test');
    expect(browser.page.text).not.toContain('alice@example.test');
  });

  test('37 signing in as somebody else in a browser that is signed in → the former session ends', async () => {
    const hostile = await hostileWorld();
    const { alice, bob, player, send, core } = hostile;
    const browser = await alice.signIn();
    await browser.open(player.authorization({ prompt: 'login' }).url);
    const old = cookiesOf(browser, '/account');
    await browser.press('Sign in', { username: bob.username, password: bob.password });
    // The library asks the browser to sign the other one out first, by a page that sends itself.
    if (xsrfOf(browser.page.text) !== '') {
      const action = new URL(/action="([^"]*)"/.exec(browser.page.text)?.[1] ?? '', browser.page.url);
      await browser.request('POST', action, new URLSearchParams({ xsrf: xsrfOf(browser.page.text), logout: 'yes' }));
    }
    expect(browser.left?.searchParams.get('code')).toBeTruthy();
    await browser.open('/account');
    expect(browser.page.text).toContain('bob@example.test');
    expect((await send({ path: '/account', headers: [old] })).header('location')).toMatch(/^\/sign-in/);
    expect((await core.store.revocations.listSignOuts(10)).map(({ scope }) => scope)).toEqual([
      expect.objectContaining({ kind: 'browser', accountId: alice.id }),
    ]);
  });

  test('37 a consent page left open while somebody else signs in → consents to nothing', async () => {
    const { alice, bob, cinema, send } = shared();
    const browser = await signedIn();
    await browser.open(cinema.authorization().url);
    const path = `${browser.path}/consent`;
    const csrf = csrfOf(browser.page.text);
    const consentCookies = [...browser.cookies].filter(([name]) => name.startsWith('curfew-interaction'));
    await browser.open('/account');
    await browser.press('Sign out of this browser');
    await bob.signIn(browser);
    for (const [name, cookie] of consentCookies) browser.cookies.set(name, cookie);
    const changes = await shared().changes(async () => {
      const answer = await send({
        path,
        headers: [cookiesOf(browser, path)],
        body: new URLSearchParams({ csrf, decision: 'allow' }),
      });
      expect([400, 403]).toContain(answer.status);
    });
    expect(about(changes, '"Grant"', 'client_sessions')).toEqual([]);
    expect(alice.id).not.toBe(bob.id);
  });
});

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
