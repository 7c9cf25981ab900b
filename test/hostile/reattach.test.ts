/**
 * Devices that say who they were (row 29 of security.md, and what an `id_token_hint` may never do): whoever asks with a hint that
 * is not theirs gets an ordinary code, and nothing is let back but by its owner's own press.
 */
import { generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Client, Tokens } from '../support/client.ts';
import type { Person } from '../support/world.ts';
import { about, CANARY, cookiesOf, csrfOf, type HostileWorld, hostileWorld, type RawAnswer } from './probe.ts';

const SECURITY = '/account/security';
const REATTACH = '/account/security/devices/reattach';
const IGNORE = '/account/security/devices/ignore';
const LISTED = 'Waiting to be re-attached';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

type Code = { device_code: string; user_code: string };
type Claims = Record<string, unknown>;

const askWith = async (client: Client, hint: string): Promise<Code> => {
  const { status, body } = await client.post('/device/auth', { scope: 'openid offline_access', id_token_hint: hint });
  expect([status, body]).toEqual([200, expect.objectContaining({ user_code: expect.any(String) })]);
  return body as Code;
};
const claimsOf = (idToken: string): Claims =>
  JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()) as Claims;

async function listedFor(person: Person): Promise<string[]> {
  const browser = await person.signIn(person.anotherBrowser());
  await browser.open(SECURITY);
  expect(browser.heading).toBe('Security');
  return [...browser.page.text.matchAll(/aria-label="Re-attach [^"]*, code ([^"]*)"/g)].map(([, code = '']) => code);
}

async function signedOut({ alice, library }: HostileWorld): Promise<Tokens> {
  const tokens = await library.connectDevice(alice);
  await alice.signOutOfAllDevices();
  return tokens;
}

/** The security page of somebody signed in, with the tap as it would be sent. */
async function page(person: Person): Promise<Browser> {
  const browser = await person.signIn(person.anotherBrowser());
  await browser.open(SECURITY);
  return browser;
}
function press(
  hostile: HostileWorld,
  browser: Browser,
  fields: Record<string, string>,
  { path = REATTACH, method = 'POST' }: { path?: string; method?: string } = {},
): Promise<RawAnswer> {
  return hostile.send({
    method,
    path,
    headers: [cookiesOf(browser, path), ['Accept', 'text/html']],
    body: new URLSearchParams(fields),
  });
}

type Signer = (claims: Claims, header?: object) => Promise<string>;
type Scene = { mine: Claims; bobs: Claims; own: Signer; evil: Signer; hostile: HostileWorld; token: string };

const HINTS: Record<string, (scene: Scene) => string | Promise<string>> = {
  'no token at all': () => 'x',
  HTML: () => CANARY,
  'a token of nothing': () => '..',
  'one cut short': ({ token }) => token.slice(0, -3),
  'one without a signature': ({ mine }) => new UnsecuredJWT(mine).encode(),
  'one that somebody else signed': ({ mine, evil }) => evil(mine),
  'a payload of ours changed': ({ mine, bobs, token }) => {
    const [header = '', , signature = ''] = token.split('.');
    return `${header}.${Buffer.from(JSON.stringify({ ...mine, sub: bobs['sub'] })).toString('base64url')}.${signature}`;
  },
  "another account's name on it": ({ mine, bobs, own }) => own({ ...mine, sub: bobs['sub'] }),
  "another account's device": ({ mine, bobs, own }) => own({ ...mine, sid: bobs['sid'] }),
  'an account nobody has': ({ mine, own }) => own({ ...mine, sub: 'nobody' }),
  "another Client's": ({ mine, own }) => own({ ...mine, aud: 'tv' }),
  "another issuer's": ({ mine, own }) => own({ ...mine, iss: 'https://elsewhere.test' }),
  'no device named': ({ mine, own }) => own({ ...mine, sid: undefined }),
  'a device nobody has': ({ mine, own }) => own({ ...mine, sid: 'AAAAAAAAAAAAAAAAAAAAAA' }),
  'a device that is no text': ({ mine, own }) => own({ ...mine, sid: { $ne: '' } }),
  'a Logout Token': ({ mine, own }) => own({ ...mine, events: {} }, { typ: 'logout+jwt' }),
  'a token for something else': ({ mine, own }) => own(mine, { typ: 'at+jwt' }),
  'what a Logout Token says': ({ mine, own }) => own({ ...mine, events: {} }),
};

describe('hints', () => {
  test.each(Object.entries(HINTS))('29 %s → an ordinary code, listed nowhere', async (_name, makeHint) => {
    const hostile = await hostileWorld();
    const { alice, bob, library, core, issuer } = hostile;
    const token = (await signedOut(hostile)).id_token;
    const bobs = claimsOf((await library.connectDevice(bob)).id_token);
    await bob.signOutOfAllDevices();
    const [jwk] = (await core.signingKeys.load()).jwks.keys.filter(({ alg }) => alg === 'ES256');
    if (jwk === undefined) throw new Error('there is no key to sign with');
    const [ownKey, evilKey] = [await importJWK(jwk), (await generateKeyPair('ES256')).privateKey];
    const signer =
      (key: CryptoKey | Uint8Array): Signer =>
      (claims, header = {}) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: jwk.kid ?? '', ...header }).sign(key);
    const scene = { mine: claimsOf(token), bobs, own: signer(ownKey), evil: signer(evilKey), hostile, token };
    expect(scene.mine).toMatchObject({ iss: issuer, sub: alice.id, aud: library.id, sid: expect.any(String) });

    const code = await askWith(library, await makeHint(scene));
    expect([await listedFor(alice), await listedFor(bob)]).toEqual([[], []]);
    expect(about(await hostile.holdings(), 'WaitingDevice')).toEqual([]);
    await library.approveDevice(bob, code.user_code, bob.anotherBrowser());
    expect(await library.pollDevice(code.device_code)).toMatchObject({ status: 200 });

    // The same claims, honestly signed, are listed: it was the hint, and nothing else, that was not believed.
    const honest = await askWith(library, await scene.own(scene.mine));
    expect([await listedFor(alice), await listedFor(bob)]).toEqual([[honest.user_code], []]);
  });

  test("29 another Client's genuine ID Token, and one of a browser's → listed nowhere", async () => {
    const hostile = await hostileWorld();
    const { alice, tv, library, player } = hostile;
    const tvs = await tv.connectDevice(alice);
    const players = await player.signIn(alice);
    await alice.signOutOfAllDevices();
    for (const { id_token } of [tvs, players]) await askWith(library, id_token);
    expect(await listedFor(alice)).toEqual([]);
  });

  test('29 a device that still has its access, whoever kept its ID Token → listed nowhere', async () => {
    const hostile = await hostileWorld();
    const { alice, library } = hostile;
    const { id_token } = await library.connectDevice(alice);
    await askWith(library, id_token);
    expect(await listedFor(alice)).toEqual([]);
  });

  test('29 a device that is back, by an ID Token from before → listed nowhere', async () => {
    const hostile = await hostileWorld();
    const { alice, library } = hostile;
    const { id_token } = await signedOut(hostile);
    const code = await askWith(library, id_token);
    await (await page(alice)).press('Re-attach');
    // Before it has fetched its tokens, and after.
    await askWith(library, id_token);
    expect(await library.pollDevice(code.device_code)).toMatchObject({ status: 200 });
    await askWith(library, id_token);
    expect(await listedFor(alice)).toEqual([]);
  });

  test.each(['disabled', 'deleted'] as const)('29 an account that is %s → nothing is kept for it', async (status) => {
    const hostile = await hostileWorld();
    const { alice, library, core } = hostile;
    const { id_token } = await signedOut(hostile);
    await core.store.accounts.setStatus({ accountId: alice.id, status });
    await askWith(library, id_token);
    expect(about(await hostile.holdings(), 'WaitingDevice')).toEqual([]);
  });

  test("29 one device's hint a hundred times → one entry, and the others keep theirs", async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, library, tv, advance } = hostile;
    const [one, two] = [await library.connectDevice(alice), await tv.connectDevice(alice)];
    await alice.signOutOfAllDevices();
    const others = await askWith(tv, two.id_token);
    const codes: Code[] = [];
    for (let wave = 0; wave < 10; wave++) {
      codes.push(...(await Promise.all(Array.from({ length: 10 }, () => askWith(library, one.id_token)))));
    }
    const listed = await listedFor(alice);
    expect(listed).toHaveLength(2);
    expect(listed).toContain(others.user_code);
    // Past its share of ten minutes it gets ordinary codes.
    expect(codes.slice(30).map(({ user_code }) => user_code)).not.toContain(listed.find((c) => c !== others.user_code));
    advance(601);
    expect(await listedFor(alice)).toEqual([]);
    const next = await askWith(library, one.id_token);
    expect(await listedFor(alice)).toEqual([next.user_code]);
  });

  test('29 more devices than are shown → the newest few', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, tv, advance } = hostile;
    const tokens: Tokens[] = [];
    for (let nth = 0; nth < 9; nth++) tokens.push(await tv.connectDevice(alice));
    await alice.signOutOfAllDevices();
    const codes: string[] = [];
    for (const { id_token } of tokens) {
      advance(1);
      codes.push((await askWith(tv, id_token)).user_code);
    }
    expect(await listedFor(alice)).toEqual(codes.slice(-6).toReversed());
  });

  test('29 a hint in a request that is refused anyway → listed nowhere', async () => {
    const hostile = await hostileWorld();
    const { alice, library, send, settle } = hostile;
    const { id_token } = await signedOut(hostile);
    await settle();
    const ask = (fields: [string, string][]) =>
      send({ path: '/device/auth', body: new URLSearchParams([['id_token_hint', id_token], ...fields]) });
    const changes = await hostile.changes(async () => {
      // A confidential Client without its secret; a hint twice; no openid.
      expect((await ask([['client_id', library.id]])).status).toBe(401);
      expect((await ask([['client_id', 'tv'], ['scope', 'openid'], ['id_token_hint', 'x']])).status).toBe(400); // prettier-ignore
      expect((await ask([['client_id', 'tv']])).status).toBe(400);
    });
    expect([changes, await listedFor(alice)]).toEqual([[], []]);
  });
});

describe('what a device says', () => {
  test('29 HTML in its name, a place claimed in headers → shown as text, the address that called is shown', async () => {
    const hostile = await hostileWorld();
    const { alice, tv, send } = hostile;
    const { id_token } = await tv.connectDevice(alice);
    await alice.signOutOfAllDevices();
    await send({
      path: '/device/auth',
      headers: [
        ['User-Agent', `Tizen ${CANARY}`],
        ['X-Forwarded-For', '203.0.113.9'],
        ['Forwarded', 'for=203.0.113.9'],
      ],
      body: new URLSearchParams({ client_id: 'tv', scope: 'openid', id_token_hint: id_token }),
    });
    const browser = await page(alice);
    expect(browser.page.text).toContain(LISTED);
    expect(browser.page.text).not.toContain(CANARY);
    expect(browser.page.text).toContain('this machine (127.0.0.1)');
    expect(browser.page.text).not.toContain('203.0.113.9');
  });
});

describe('the tap', () => {
  test('29 by a link, without csrf, with another’s, with a field too many → refused, nothing changed', async () => {
    const hostile = await hostileWorld();
    const { alice, bob, library } = hostile;
    const { user_code } = await askWith(library, (await signedOut(hostile)).id_token);
    const browser = await page(alice);
    const csrf = csrfOf(browser.page.text);
    const others = csrfOf((await page(bob)).page.text);
    const changes = await hostile.changes(async () => {
      for (const path of [REATTACH, IGNORE]) {
        const statuses = [
          await press(hostile, browser, { user_code }, { path }),
          await press(hostile, browser, { user_code, csrf: '' }, { path }),
          await press(hostile, browser, { user_code, csrf: others }, { path }),
          await press(hostile, browser, { user_code, csrf, account: bob.id }, { path }),
          await press(hostile, browser, { 'user_code[$ne]': 'x', csrf }, { path }),
        ].map(({ status }) => status);
        expect(statuses.every((status) => status === 400 || status === 403)).toBe(true);
        for (const link of [
          path,
          `${path}?user_code=${user_code}&csrf=${csrf}`,
          `${SECURITY}?user_code=${user_code}`,
        ]) {
          await browser.open(link);
        }
      }
    });
    expect(changes).toEqual([]);
    expect(await listedFor(alice)).toEqual([user_code]);
  });

  test("29 somebody else's device, an ordinary code, a code nobody has → gone, nothing changed", async () => {
    const hostile = await hostileWorld();
    const { alice, bob, library, tv } = hostile;
    const mine = await askWith(library, (await signedOut(hostile)).id_token);
    const ordinary = await tv.startDevice();
    const browser = await page(bob);
    const csrf = csrfOf(browser.page.text);
    const changes = await hostile.changes(async () => {
      for (const user_code of [mine.user_code, ordinary.user_code, 'BBBB-BBBB', '', CANARY, '__proto__']) {
        for (const path of [REATTACH, IGNORE]) {
          const answer = await press(hostile, browser, { csrf, user_code }, { path });
          expect([answer.status, answer.header('location')]).toEqual([303, `${SECURITY}?changed=device-gone`]);
        }
      }
    });
    expect(changes).toEqual([]);
    for (const { device_code } of [mine, ordinary]) {
      const client = device_code === mine.device_code ? library : tv;
      expect(await client.pollDevice(device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
    }
    expect(await listedFor(alice)).toEqual([mine.user_code]);
  });

  test('29 a code that expired, was denied or was allowed meanwhile → gone, nothing changed', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, library, tv, advance } = hostile;
    const [one, two] = [await library.connectDevice(alice), await tv.connectDevice(alice)];
    await alice.signOutOfAllDevices();
    const [denied, allowed] = [await askWith(library, one.id_token), await askWith(tv, two.id_token)];
    const browser = await page(alice);
    const csrf = csrfOf(browser.page.text);
    await browser.open('/device');
    await browser.press('Continue', { user_code: denied.user_code });
    await browser.press('Deny');
    await tv.approveDevice(alice, allowed.user_code, browser);
    const expired = await askWith(library, one.id_token);
    advance(601);
    const changes = await hostile.changes(async () => {
      for (const { user_code } of [denied, allowed, expired]) {
        const answer = await press(hostile, browser, { csrf, user_code });
        expect([answer.status, answer.header('location')]).toEqual([303, `${SECURITY}?changed=device-gone`]);
      }
    });
    expect(changes).toEqual([]);
    expect(await library.pollDevice(expired.device_code)).toMatchObject({ body: { error: 'expired_token' } });
  });

  test('29 fifty taps at once, and as many more → one approval, one set of tokens', async () => {
    const hostile = await hostileWorld();
    const { alice, library, core } = hostile;
    const code = await askWith(library, (await signedOut(hostile)).id_token);
    const browser = await page(alice);
    const fields = { csrf: csrfOf(browser.page.text), user_code: code.user_code };
    const wave = () => Promise.all(Array.from({ length: 50 }, () => press(hostile, browser, fields)));
    const answers = [...(await wave()), ...(await wave())].map((answer) => answer.header('location'));
    expect(answers.filter((location) => location === `${SECURITY}?changed=device-reattached`)).toHaveLength(1);
    expect(answers.filter((location) => location === `${SECURITY}?changed=device-gone`)).toHaveLength(99);
    expect(await core.store.revocations.clientSessionsOf(alice.id)).toHaveLength(1);
    expect((await library.pollDevice(code.device_code)).status).toBe(200);
    expect((await library.pollDevice(code.device_code)).status).toBe(400);
  });

  test('29 Re-attach and Ignore at once → one of them', async () => {
    const hostile = await hostileWorld();
    const { alice, library } = hostile;
    const code = await askWith(library, (await signedOut(hostile)).id_token);
    const browser = await page(alice);
    const fields = { csrf: csrfOf(browser.page.text), user_code: code.user_code };
    const answers = await Promise.all(
      [REATTACH, IGNORE, REATTACH, IGNORE].map((path) => press(hostile, browser, fields, { path })),
    );
    const done = answers.map((answer) => answer.header('location')).filter((to) => !to?.endsWith('device-gone'));
    expect(done).toHaveLength(1);
    const let_in = done[0]?.endsWith('device-reattached') === true;
    expect((await library.pollDevice(code.device_code)).status).toBe(let_in ? 200 : 400);
  });

  test('29 from a browser that was signed out meanwhile → asked to sign in, nothing changed', async () => {
    const hostile = await hostileWorld();
    const { alice, library } = hostile;
    const code = await askWith(library, (await signedOut(hostile)).id_token);
    const browser = await page(alice);
    const fields = { csrf: csrfOf(browser.page.text), user_code: code.user_code };
    await alice.signOutOfAllDevices(alice.anotherBrowser());
    await hostile.settle();
    const changes = await hostile.changes(async () => {
      for (const path of [REATTACH, IGNORE]) {
        const answer = await press(hostile, browser, fields, { path });
        expect([answer.status, answer.header('location')]).toEqual([303, expect.stringMatching(/^\/sign-in\?/)]);
      }
    });
    expect(changes).toEqual([]);
    expect(await library.pollDevice(code.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
    expect(await listedFor(alice)).toEqual([code.user_code]);
  });

  test('31 a sign-out between tap and poll → never a token; the device is listed again', async () => {
    const hostile = await hostileWorld();
    const { alice, library } = hostile;
    const { id_token } = await signedOut(hostile);
    const code = await askWith(library, id_token);
    await (await page(alice)).press('Re-attach');
    await alice.signOutOfAllDevices(alice.anotherBrowser());
    expect(await library.pollDevice(code.device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    const next = await askWith(library, id_token);
    expect(await listedFor(alice)).toEqual([next.user_code]);
  });

  test('29 an app that was signed out as a whole → its codes are dead, and so are their entries', async () => {
    const hostile = await hostileWorld();
    const { alice, library, core } = hostile;
    const { id_token } = await signedOut(hostile);
    await askWith(library, id_token);
    const actor = { kind: 'operator' } as const;
    await core.signOuts.signOut({ scope: { kind: 'client', clientId: library.id }, reason: 'test', actor });
    expect(await listedFor(alice)).toEqual([]);
    // Where somebody had signed in before, they are asked to once more: nobody comes back silently.
    const before = await page(alice);
    const code = await askWith(library, id_token);
    await core.signOuts.signOut({ scope: { kind: 'client', clientId: library.id }, reason: 'test', actor });
    const again = await askWith(library, id_token);
    await before.open(SECURITY);
    await before.press('Re-attach');
    expect(before.heading).toBe('Connect a device');
    for (const { device_code } of [code, again]) {
      expect((await library.post('/token', { grant_type: DEVICE_GRANT, device_code })).status).toBe(400);
    }
  });
});
