/** Rows 28–31 of security.md: codes typed by people, for devices that cannot type. */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import {
  about,
  CANARY,
  cookiesOf,
  type HostileWorld,
  hostileWorld,
  type RawAnswer,
  sharedWorld,
  xsrfOf,
} from './probe.ts';

const shared = sharedWorld();
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** A device's user codes as a guesser would make them up. */
const guess = (nth: number): string => {
  const letters = 'BCDFGHJKLMNPQRSTVWXZ';
  let code = '';
  for (let rest = nth, at = 0; at < 8; at++, rest = Math.floor(rest / 20)) code += letters[rest % 20];
  return `${code.slice(0, 4)}-${code.slice(4)}`;
};

async function deviceForm(browser: Browser): Promise<string> {
  await browser.open('/device');
  return xsrfOf(browser.page.text);
}

function typeCode(
  hostile: HostileWorld,
  browser: Browser,
  fields: Record<string, string>,
  { headers = [], path = '/device' }: { headers?: [string, string][]; path?: string } = {},
): Promise<RawAnswer> {
  return hostile.send({
    path,
    headers: [cookiesOf(browser, '/device'), ['Accept', 'text/html'], ...headers],
    body: new URLSearchParams(fields),
  });
}

describe('guessing', () => {
  // Row 28. RFC 8628 §5.1.
  test('28 codes guessed from one address → throttled, a right one among them too', async () => {
    const hostile = await hostileWorld({
      fakeTime: true,
      configuration: { throttle: { addressAttemptsPerMinute: 10 } },
    });
    const { alice, tv } = hostile;
    const device = await tv.startDevice();
    const browser = alice.anotherBrowser();
    const xsrf = await deviceForm(browser);
    const statuses: number[] = [];
    for (let nth = 0; nth < 15; nth++) {
      statuses.push(
        (await typeCode(hostile, browser, { xsrf: xsrfOf(browser.page.text), user_code: guess(nth) })).status,
      );
    }
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
    const changes = await hostile.changes(async () => {
      const right = await typeCode(hostile, browser, { xsrf, user_code: device.user_code, confirm: 'yes' });
      expect(right.status).toBe(429);
      expect(Number(right.header('retry-after'))).toBeGreaterThan(0);
      expect(right.text).not.toContain(device.user_code);
    });
    expect(changes).toEqual([]);
  });

  // The library finds its routes in any case and with a slash after them; so must whoever counts.
  test.each(['/device/', '/DEVICE', '/Device/', '/device?x=1', '/device/?x=1', '/deVice?user_code=x'])(
    '28 codes guessed at %s → counted like any other',
    async (path) => {
      const hostile = await hostileWorld({
        fakeTime: true,
        configuration: { throttle: { addressAttemptsPerMinute: 3 } },
      });
      const browser = hostile.alice.anotherBrowser();
      const xsrf = await deviceForm(browser);
      for (let nth = 0; nth < 3; nth++) await typeCode(hostile, browser, { xsrf, user_code: guess(nth) }, { path });
      expect((await typeCode(hostile, browser, { xsrf, user_code: guess(9) }, { path })).status).toBe(429);
    },
  );

  test('28 codes guessed from ever new addresses → throttled overall', async () => {
    const hostile = await hostileWorld({ fakeTime: true, configuration: { trustProxy: 1 } });
    const browser = hostile.alice.anotherBrowser();
    const xsrf = await deviceForm(browser);
    const from = (nth: number): [string, string][] => [
      ['X-Forwarded-For', `198.51.${Math.floor(nth / 250)}.${nth % 250}`],
    ];
    for (let nth = 0; nth < 600; nth += 50) {
      const wave = Array.from({ length: 50 }, (_, at) =>
        typeCode(hostile, browser, { xsrf, user_code: guess(nth + at) }, { headers: from(nth + at) }),
      );
      expect((await Promise.all(wave)).filter(({ status }) => status === 429)).toEqual([]);
    }
    for (let nth = 600; nth < 605; nth++) {
      const late = await typeCode(hostile, browser, { xsrf, user_code: guess(nth) }, { headers: from(nth) });
      expect([late.status, Number(late.header('retry-after')) > 0]).toEqual([429, true]);
    }
  });

  test('28 a code that is known, unknown, spent or expired → the same words', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { alice, tv, advance } = hostile;
    const expired = await tv.startDevice();
    advance(11 * 60);
    const spent = await tv.startDevice();
    await tv.approveDevice(alice, spent.user_code);
    const answers: string[] = [];
    for (const user_code of [expired.user_code, spent.user_code, 'BBBB-BBBB']) {
      const browser = alice.anotherBrowser();
      const answer = await typeCode(hostile, browser, { xsrf: await deviceForm(browser), user_code });
      expect(answer.status).toBeLessThan(500);
      answers.push(answer.text.replaceAll(user_code, '').replaceAll(/value="[^"]*"/g, ''));
    }
    expect(new Set(answers).size).toBe(1);
  });
});

describe('approving', () => {
  // Row 29. RFC 8628 §5.4: a link that approves by itself lets anybody's device in.
  test.each([
    (code: string) => `/device?user_code=${code}`,
    (code: string) => `/device/?user_code=${code}`,
    (code: string) => `/DEVICE?user_code=${code}`,
    (code: string) => `/device?user_code=${code}&confirm=yes`,
    (code: string) => `/device?user_code=${code.toLowerCase()}`,
    (code: string) => `/device?user%5fcode=${code}`,
  ])('29 a link with the code in it → a form to read first, then app and place, then a choice (%#)', async (link) => {
    const { alice, tv, send } = shared();
    const device = await tv.startDevice();
    const browser = await alice.signIn(alice.anotherBrowser());
    const changes = await shared().changes(async () => {
      await browser.open(link(device.user_code));
      // No page that sends itself: it is read and pressed.
      expect(browser.page.text).not.toMatch(/\.submit\(\)|<script(?![^>]*src=)/);
      expect(browser.buttons).toContain('Continue');
      const agent = 'AtticServer/4.2';
      expect(browser.page.text).not.toContain(agent);
      await browser.press('Continue', { user_code: device.user_code });
      expect(browser.page.text).toContain('Television');
      expect(browser.page.text).toContain('127.0.0.1');
      expect(browser.page.text).toContain(device.user_code);
      expect(browser.buttons).toEqual(expect.arrayContaining(['Allow', 'Deny']));
    });
    expect(changes).toEqual([]);
    expect(await tv.pollDevice(device.device_code)).toMatchObject({
      status: 400,
      body: { error: 'authorization_pending' },
    });
    expect((await send({ path: `/device?user_code=${device.user_code}&user_code=x` })).status).toBe(400);
  });

  test('29 the link that a device is given → leads here, and to nowhere else', async () => {
    const { tv, issuer, send } = shared();
    const answer = await send({
      path: '/device/auth',
      host: 'evil.test',
      headers: [
        ['X-Forwarded-Host', 'evil.test'],
        ['Forwarded', 'host=evil.test'],
      ],
      body: new URLSearchParams({ client_id: tv.id, scope: 'openid' }),
    });
    expect(answer.text).not.toContain('evil.test');
    expect(answer.json['verification_uri']).toBe(`${issuer}/device`);
    expect(String(answer.json['verification_uri_complete'])).toMatch(new RegExp(`^${issuer}/device\\?user_code=`));
  });

  const FORGED: Record<string, (parts: { own: string; others: string }) => Record<string, string>> = {
    'no xsrf': () => ({}),
    'an empty xsrf': () => ({ xsrf: '' }),
    "another browser's xsrf": ({ others }) => ({ xsrf: others }),
    'an xsrf cut short': ({ own }) => ({ xsrf: own.slice(0, -1) }),
    'the word undefined': () => ({ xsrf: 'undefined' }),
    'an xsrf in brackets': ({ own }) => ({ 'xsrf[]': own }),
  };
  test.each(Object.entries(FORGED))('29 approval or denial with %s → refused', async (_name, forge) => {
    const { alice, tv } = shared();
    const device = await tv.startDevice();
    const browser = await alice.signIn(alice.anotherBrowser());
    const others = await deviceForm(alice.anotherBrowser());
    for (const signedIn of [browser, alice.anotherBrowser()]) {
      const own = await deviceForm(signedIn);
      const changes = await shared().changes(async () => {
        for (const decision of [{ confirm: 'yes' }, { abort: 'yes' }, {}] as Record<string, string>[]) {
          const fields = { ...forge({ own, others }), user_code: device.user_code, ...decision };
          const answer = await typeCode(shared(), signedIn, fields);
          expect(answer.status).toBe(400);
          expect(answer.text).not.toContain('Television');
          // The page shown instead works: it belongs to this browser.
          expect(xsrfOf(answer.text)).toHaveLength(48);
        }
      });
      expect(changes).toEqual([]);
    }
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
  });

  test('29 a form sent by a browser that was never here → refused, and the page it gets can be used', async () => {
    const { alice, tv } = shared();
    const device = await tv.startDevice();
    const browser = alice.anotherBrowser();
    const changes = await shared().changes(async () => {
      await browser.request(
        'POST',
        new URL('/device', browser.origin),
        new URLSearchParams({ user_code: device.user_code, confirm: 'yes' }),
      );
      expect(browser.page.status).toBe(400);
      await browser.press('Continue', { user_code: device.user_code });
      expect(browser.buttons).toContain('Allow');
    });
    expect(changes).toEqual([]);
  });

  test('29 approval without being signed in → asks who it is, and lets nobody in before', async () => {
    const { alice, tv } = shared();
    const device = await tv.startDevice();
    const browser = alice.anotherBrowser();
    await browser.open('/device');
    await browser.press('Continue', { user_code: device.user_code });
    await browser.press('Allow');
    expect(browser.buttons).toContain('Sign in');
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ body: { error: 'authorization_pending' } });
    // The same code in another browser meanwhile: it is taken.
    const other = await alice.signIn(alice.anotherBrowser());
    await other.open('/device');
    await other.press('Continue', { user_code: device.user_code });
    expect(other.buttons).not.toContain('Allow');
  });

  test('29 HTML in what a device says of itself, or typed as a code → shown as text', async () => {
    const { alice, send } = shared();
    const answer = await send({
      path: '/device/auth',
      headers: [['User-Agent', `${CANARY} Tizen`]],
      body: new URLSearchParams({ client_id: 'tv', scope: 'openid' }),
    });
    const browser = await alice.signIn(alice.anotherBrowser());
    await browser.open('/device');
    await browser.press('Continue', { user_code: String(answer.json['user_code']) });
    expect(browser.page.text).not.toContain(CANARY);
    for (const user_code of [CANARY, `"><script>x</script>`, "'", '\0', '💥'.repeat(40), 'x'.repeat(5000)]) {
      const typed = await typeCode(shared(), browser, { xsrf: await deviceForm(browser), user_code });
      expect(typed.status).toBeLessThan(500);
      expect(typed.text).not.toMatch(/<b>canary|<script>x/);
      const linked = await send({ path: `/device?user_code=${encodeURIComponent(user_code)}` });
      expect(linked.text).not.toMatch(/<b>canary|<script>x/);
    }
  });

  test('29 a place claimed in headers → the address that called is shown', async () => {
    const { alice, send } = shared();
    const answer = await send({
      path: '/device/auth',
      headers: [
        ['X-Forwarded-For', '203.0.113.9'],
        ['Forwarded', 'for=203.0.113.9'],
        ['X-Real-IP', '203.0.113.9'],
        ['CF-Connecting-IP', '203.0.113.9'],
      ],
      body: new URLSearchParams({ client_id: 'tv', scope: 'openid' }),
    });
    const browser = await alice.signIn(alice.anotherBrowser());
    await browser.open('/device');
    await browser.press('Continue', { user_code: String(answer.json['user_code']) });
    expect(browser.page.text).toContain('127.0.0.1');
    expect(browser.page.text).not.toContain('203.0.113.9');
  });
});

describe('polling', () => {
  // Row 30. CVE-2024-38371.
  test("30 another client's device code → invalid_grant; the device still gets in", async () => {
    const { alice, tv, library, phone, player } = shared();
    const device = await tv.startDevice();
    await tv.approveDevice(alice, device.user_code, alice.anotherBrowser());
    const changes = await shared().changes(async () => {
      for (const thief of [library, phone, player]) {
        const answer = await thief.pollDevice(device.device_code);
        expect([answer.status, answer.body['access_token']]).toEqual([400, undefined]);
        expect(answer.body['error']).toMatch(/^invalid_grant|unauthorized_client|invalid_request$/);
      }
    });
    expect(changes).toEqual([]);
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ status: 200 });
  });

  // Row 31. RFC 8628 §3.5.
  test('31 polled fast and by many at once, before anybody answers → never a token', async () => {
    const { tv } = shared();
    const device = await tv.startDevice();
    const changes = await shared().changes(async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => tv.pollDevice(device.device_code)));
      for (const { status, body } of answers) {
        expect(status).toBe(400);
        expect(['authorization_pending', 'slow_down']).toContain(body['error']);
      }
    });
    expect(changes).toEqual([]);
  });

  test('31 approved and polled by many at once → one token', async () => {
    const { tv, alice } = shared();
    const device = await tv.startDevice();
    await tv.approveDevice(alice, device.user_code, alice.anotherBrowser());
    const answers = await Promise.all(Array.from({ length: 50 }, () => tv.pollDevice(device.device_code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const losers = answers.filter(({ status }) => status !== 200);
    for (const { status, body } of losers) expect([status, body['error']]).toEqual([400, 'invalid_grant']);
  });

  test('31 denied → access_denied, and then nothing, however often', async () => {
    const { tv, alice } = shared();
    const device = await tv.startDevice();
    const browser = await alice.signIn(alice.anotherBrowser());
    await browser.open('/device');
    await browser.press('Continue', { user_code: device.user_code });
    await browser.press('Deny');
    expect(await tv.pollDevice(device.device_code)).toMatchObject({ status: 400, body: { error: 'access_denied' } });
    const changes = await shared().changes(async () => {
      expect(await tv.pollDevice(device.device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
      await browser.open('/device');
      await browser.press('Continue', { user_code: device.user_code });
      expect(browser.buttons).not.toContain('Allow');
    });
    expect(changes).toEqual([]);
  });

  test('31 expired → expired_token, and it cannot be approved any more', async () => {
    const hostile = await hostileWorld({ fakeTime: true });
    const { tv, alice, advance } = hostile;
    const device = await tv.startDevice();
    const browser = await alice.signIn();
    await browser.open('/device');
    await browser.press('Continue', { user_code: device.user_code });
    const [xsrf, approve] = [xsrfOf(browser.page.text), { user_code: device.user_code, confirm: 'yes' }];
    advance(10 * 60 + 1);
    const changes = await hostile.changes(async () => {
      await typeCode(hostile, browser, { xsrf, ...approve });
      expect(await tv.pollDevice(device.device_code)).toMatchObject({ status: 400, body: { error: 'expired_token' } });
    });
    expect(about(changes, 'DeviceCode', 'client_sessions', 'Token')).toEqual([]);
  });

  test('31 a sign-out between approval and poll → never a token', async () => {
    const hostile = await hostileWorld();
    const { tv, alice } = hostile;
    const device = await tv.startDevice();
    await tv.approveDevice(alice, device.user_code);
    await alice.signOutOfAllDevices();
    const answer = await tv.pollDevice(device.device_code);
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_grant']);
  });

  test.each(['', 'x', 'undefined', '\0', 'a'.repeat(5000), '__proto__', '{"$ne":1}'])(
    '30 device code %j → refused',
    async (device_code) => {
      const { tv } = shared();
      const changes = await shared().changes(async () => {
        const answer = await tv.post('/token', { grant_type: GRANT, device_code });
        expect([answer.status, answer.body['error']]).toEqual([
          400,
          expect.stringMatching(/^invalid_(grant|request)$/),
        ]);
      });
      expect(changes).toEqual([]);
    },
  );

  test('30 the user code in place of the device code → refused', async () => {
    const { tv, alice } = shared();
    const device = await tv.startDevice();
    await tv.approveDevice(alice, device.user_code, alice.anotherBrowser());
    for (const device_code of [device.user_code, device.user_code.replace('-', '')]) {
      expect(await tv.pollDevice(device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    }
  });

  test('30 starting for a client that may not, or in no name → refused', async () => {
    const { phone, player, send } = shared();
    const changes = await shared().changes(async () => {
      for (const client of [phone, player]) {
        expect((await client.post('/device/auth', { scope: 'openid' })).status).toBe(400);
      }
      for (const client_id of ['', 'nobody', 'player', '__proto__', '\0']) {
        const answer = await send({ path: '/device/auth', body: new URLSearchParams({ client_id, scope: 'openid' }) });
        expect([400, 401]).toContain(answer.status);
      }
    });
    expect(changes).toEqual([]);
  });
});
