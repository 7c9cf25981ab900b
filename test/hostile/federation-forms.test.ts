/**
 * Row 72 and its like at the doors that providers post to: anybody can knock there, without a cookie and as often as they
 * like. What is too large, not a form, or says a thing twice is refused before anything is verified, and quickly.
 */
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

import { besieged, expectRefusal, post, SHARED, type Siege } from './federation-probe.ts';
import { hold, type RawAnswer } from './probe.ts';

const FORM = 'application/x-www-form-urlencoded';
const ACS = '/saml/corp/acs';
const SLO = '/saml/corp/slo';
const BACKCHANNEL = '/federation/acme/backchannel-logout';
const DOORS = [
  [ACS, 'SAMLResponse'],
  [SLO, 'SAMLRequest'],
  [BACKCHANNEL, 'logout_token'],
] as const;
const KIB = 1024;
/** Nothing here is verified, so nothing takes long; the best of a few tries is the machine's word. */
const QUICK_MS = 50;

async function quickest(act: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let nth = 0; nth < 5; nth += 1) {
    const started = performance.now();
    await act();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

const send = ({ it }: Siege, path: string, type: string | undefined, body: string): Promise<RawAnswer> =>
  it.send({ method: 'POST', path, body, headers: type === undefined ? [] : [['Content-Type', type]] });

describe('72 what is posted to a provider’s doors', () => {
  test.each(DOORS)('too much at %s → 413, and quickly', async (path, field) => {
    const siege = await besieged();
    const most = path === BACKCHANNEL ? 32 * KIB : 400 * KIB;
    const tooLarge = `${field}=${'A'.repeat(most)}&RelayState=x`;
    await siege.untouched(async () => {
      expectRefusal(await send(siege, path, FORM, tooLarge), 413);
      expect(await quickest(() => send(siege, path, FORM, tooLarge))).toBeLessThan(QUICK_MS);
      const declared = (length: string): Promise<RawAnswer> =>
        siege.it.send({
          path,
          body: 'a=b',
          headers: [
            ['Content-Type', FORM],
            ['Content-Length', length],
          ],
        });
      for (const length of ['1073741824', '9007199254740993', String(420 * KIB + 1)]) {
        expectRefusal(await declared(length), 413);
        expect(await quickest(() => declared(length))).toBeLessThan(QUICK_MS);
      }
    });
  });

  test.each(DOORS)('in chunks without an end at %s → 413, and no more is read', async (path) => {
    const siege = await besieged();
    const socket = await hold(siege.it.port);
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const chunk = Buffer.from(`${(64 * KIB).toString(16)}\r\n${'x'.repeat(64 * KIB)}\r\n`);
    let sent = 0;
    const pour = (): void => {
      while (!socket.destroyed && sent < 64 * KIB * KIB) {
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', pour);
    pour();
    await closed;
    expect(sent).toBeLessThan(32 * KIB * KIB);
    const statuses = siege.it.logged
      .map((line) => JSON.parse(line) as { event: string; status?: number })
      .filter(({ event }) => event === 'http.answered');
    expect(statuses.at(-1)?.status).toBe(413);
  });

  test('slowly, from many at once → others are served meanwhile, and nothing comes of it', async () => {
    const siege = await besieged();
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    await siege.untouched(async () => {
      const slow = await Promise.all(Array.from({ length: 60 }, () => hold(siege.it.port)));
      for (const [nth, socket] of slow.entries()) {
        socket.on('error', () => {});
        const [path, field] = DOORS[nth % DOORS.length] ?? DOORS[0];
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nContent-Length: 30000\r\n\r\n${field}=`,
        );
      }
      for (let round = 0; round < 5; round += 1) {
        for (const socket of slow) socket.write('A');
        expect((await siege.it.send({ path: '/sign-in' })).status).toBe(200);
        expectRefusal(await post(siege, BACKCHANNEL, { logout_token: 'x' }), 400);
      }
      for (const socket of slow) socket.destroy();
    });
    await siege.stillIn(browser);
  });

  test('what is no form → 415', async () => {
    const siege = await besieged();
    const types = [undefined, 'text/plain', 'application/json', 'multipart/form-data; boundary=x', 'text/xml', '*/*'];
    types.push('application/x-www-form-urlencoded-not', 'application/samlassertion+xml', 'application/jwt', '');
    await siege.untouched(async () => {
      for (const [path, field] of DOORS) {
        for (const type of types) {
          const answer = await send(siege, path, type, `${field}=x&RelayState=x`);
          expect([path, type, answer.status]).toEqual([path, type, 415]);
          expectRefusal(answer, 415);
        }
      }
    });
  });

  test('anything twice, or that nobody asked for, in any disguise → 400, and quickly', async () => {
    const siege = await besieged();
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    const token = await siege.acme.logoutToken('curfew', { sub: SHARED });
    const bodies = (field: string): string[] => [
      `${field}=x&${field}=x&RelayState=x`,
      `${field}=x&RelayState=x&RelayState=x`,
      `${field}[]=x&RelayState=x`,
      `${field}[$ne]=x&RelayState=x`,
      `${field}%00=x&RelayState=x`,
      '__proto__=x',
      `__proto__[${field}]=x`,
      `constructor=x&prototype=x`,
      'toString=x&hasOwnProperty=x',
      '',
      '&&&',
      '=',
      '%',
      `RelayState=x`,
      `${field}=%ff%fe`,
      'a=b&'.repeat(3000),
      Array.from({ length: 3000 }, (_, nth) => `a${nth}=b`).join('&'),
    ];
    await siege.untouched(async () => {
      for (const [path, field] of DOORS) {
        for (const body of bodies(field)) {
          const answer = await send(siege, path, FORM, body);
          expect([path, body.slice(0, 40), answer.status]).toEqual([path, body.slice(0, 40), 400]);
          expectRefusal(answer, 400);
          expect(await quickest(() => send(siege, path, FORM, body))).toBeLessThan(QUICK_MS);
        }
      }
      // A good token said twice is said by nobody.
      const twice = new URLSearchParams([
        ['logout_token', token],
        ['logout_token', token],
      ]);
      expectRefusal(await post(siege, BACKCHANNEL, twice), 400);
    });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    await siege.stillIn(browser);
    // What the standard says to ignore is ignored (OpenID Connect Back-Channel Logout §2.5).
    const told = await post(siege, BACKCHANNEL, { logout_token: token, more: 'x' });
    expect(told.status).toBe(200);
    await siege.isOut(browser);
  });

  test('both messages at once, or one that inflates without an end, at the logout → 400, and quickly', async () => {
    const siege = await besieged();
    const bomb = deflateRawSync(Buffer.alloc(7 * KIB * KIB)).toString('base64');
    const query = new URLSearchParams({ SAMLRequest: bomb, SigAlg: 'x', Signature: 'x' }).toString();
    await siege.untouched(async () => {
      expectRefusal(await post(siege, SLO, { SAMLRequest: 'x', SAMLResponse: 'x' }), 400);
      expectRefusal(await siege.it.send({ path: `${SLO}?${query}` }), 400);
      expect(await quickest(() => siege.it.send({ path: `${SLO}?${query}` }))).toBeLessThan(QUICK_MS);
      expectRefusal(await post(siege, SLO, { SAMLRequest: bomb }), 400);
      expect(await quickest(() => post(siege, SLO, { SAMLRequest: bomb }))).toBeLessThan(QUICK_MS);
    });
  });

  test('to doors that are not there, or by a method that is not theirs → 404 or 405', async () => {
    const siege = await besieged();
    const names = ['nobody', '__proto__', 'constructor', '..%2facme', '%00', 'ACME', 'acme%20', '%61cme%00'];
    await siege.untouched(async () => {
      for (const name of names) {
        for (const path of [
          `/federation/${name}/backchannel-logout`,
          `/saml/${name}/acs`,
          `/saml/${name}/slo`,
          // Those of the other kind.
          '/saml/acme/acs',
          '/saml/acme/slo',
          '/federation/corp/backchannel-logout',
        ]) {
          const fields = { logout_token: 'x', SAMLResponse: 'x', RelayState: 'x' };
          const answer = await post(siege, path, fields);
          expect([path, [400, 404].includes(answer.status)]).toEqual([path, true]);
          expectRefusal(answer, [400, 404]);
        }
      }
      for (const [path] of DOORS) {
        for (const method of ['PUT', 'DELETE', 'PATCH']) {
          expectRefusal(await siege.it.send({ method, path }), [404, 405]);
        }
      }
      expectRefusal(await siege.it.send({ path: ACS }), [404, 405]);
      expectRefusal(await siege.it.send({ path: `${BACKCHANNEL}?logout_token=x` }), [404, 405]);
    });
  });
});
