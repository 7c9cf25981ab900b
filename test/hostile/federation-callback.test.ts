/**
 * Rows 50 and 54 of security.md over HTTP: what comes back from a provider that speaks OpenID Connect, and the code it is
 * exchanged for. Each is good once, in the browser that asked, and for nothing else.
 */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { away, besieged, expectRefusal, get, pathOf, post, SHARED, stateOf } from './federation-probe.ts';

describe('50, 54 a callback', () => {
  const tokens = { access_token: 'x', token_type: 'Bearer', expires_in: '600', id_token: 'eyJ.eyJ.x' };
  const bringing =
    (change: Record<string, string | undefined>) =>
    (back: URL): string => {
      const bent = new URL(back);
      for (const [name, value] of Object.entries(change)) {
        if (value === undefined) bent.searchParams.delete(name);
        else bent.searchParams.set(name, value);
      }
      return pathOf(bent);
    };
  test('50 without a code, whatever else it brings → refused, and the provider is not asked', async () => {
    const siege = await besieged();
    const asked = (): number => siege.acme.requests.filter((path) => path === '/token' || path === '/me').length;
    for (const bring of [
      bringing({ code: undefined }),
      bringing({ code: '' }),
      bringing({ code: undefined, access_token: 'x', token_type: 'Bearer' }),
      bringing({ code: undefined, ...tokens }),
      bringing(tokens),
      bringing({ code: undefined, response: 'eyJ.eyJ.x' }),
      bringing({ iss: 'https://evil.test' }),
      bringing({ iss: undefined }),
      (back: URL) => `${pathOf(back)}&code=other`,
      (back: URL) => `${pathOf(back)}&state=other`,
      (back: URL) => `${pathOf(back)}&iss=${encodeURIComponent(siege.globex.issuer)}`,
    ]) {
      const browser = await away(siege, 'Acme');
      const back = await siege.askedBack(browser, siege.acme.person(SHARED));
      const before = asked();
      await siege.untouched(async () => {
        expectRefusal(await get(siege, bring(back), browser), 400);
        expectRefusal(await post(siege, '/federation/acme/callback', back.searchParams, browser), [404, 405]);
      });
      expect(asked()).toBe(before);
      await siege.isOut(browser);
    }
    // As the provider sends it, it is good.
    const honest = await away(siege, 'Acme');
    await honest.open((await siege.askedBack(honest, siege.acme.person(SHARED))).href);
    expect(honest.path).toBe('/account');
  });

  test('54 of a state that we did not issue, another connection’s, a used one, or an expired one', async () => {
    const siege = await besieged();
    const person = siege.acme.person(SHARED);
    const [used, late, mixed] = [await away(siege, 'Acme'), await away(siege, 'Acme'), await away(siege, 'Globex')];
    const atCorp = await away(siege, 'Corp');
    const usedBack = await siege.askedBack(used, person);
    const lateBack = await siege.askedBack(late, person);
    await used.open(usedBack.href);
    expect(used.path).toBe('/account');
    const states = ['', 'x', 'x'.repeat(43), '__proto__', '..', stateOf(mixed), stateOf(atCorp), stateOf(used)];
    await siege.untouched(async () => {
      for (const state of states) {
        const bent = new URL(lateBack);
        bent.searchParams.set('state', state);
        expectRefusal(await get(siege, pathOf(bent), late), 400);
        // The mix-up: one provider's whole answer at the other's door (RFC 9700 §4.4).
        expectRefusal(await get(siege, pathOf(bent).replace('/acme/', '/globex/'), mixed), 400);
      }
      expectRefusal(await get(siege, pathOf(lateBack).replace('/acme/', '/globex/'), late), 400);
      expectRefusal(await get(siege, pathOf(lateBack).replace('/acme/', '/corp/'), late), 404);
      siege.it.advance(601);
      expectRefusal(await get(siege, pathOf(lateBack), late), 400);
    });
    for (const browser of [late, mixed]) await siege.isOut(browser);
  });

  test('54 of an attempt that its own provider sent on to another → refused by the one that answers', async () => {
    const siege = await besieged();
    const browser = await away(siege, 'Globex');
    // Everything as Globex was given it, but Acme is asked, and honestly answers for its own person.
    const asked = new URL(`${siege.acme.issuer}/auth${browser.left?.search}`);
    asked.searchParams.set('redirect_uri', `${siege.it.issuer}/federation/acme/callback`);
    const back = await siege.acme.person(SHARED).follow(asked);
    expect(back.searchParams.get('code')).toBeTruthy();
    await siege.untouched(async () => expectRefusal(await get(siege, pathOf(back), browser), 400));
    await siege.isOut(browser);
  });

  test('54 and the code it is exchanged for: once, here, in time, and alone', async () => {
    const siege = await besieged();
    const person = siege.acme.person(SHARED);
    const [mine, others] = [await away(siege, 'Acme'), await away(siege, 'Globex')];
    const exchange = async (browser: Browser): Promise<string> => {
      const back = await siege.askedBack(browser, person);
      return (await get(siege, pathOf(back))).header('location') ?? '';
    };
    const at = await exchange(mine);
    expect(at).toMatch(/^\/sign-in\/federation\?code=/);
    const code = new URL(at, siege.it.issuer).searchParams.get('code') ?? '';
    const crafted = ['', '?', '?code=', '?code=x', `?code=${'x'.repeat(43)}`, `?code=${code}&code=${code}`];
    crafted.push(`?code=${code}&next=//evil.test`, `?code=${code}&__proto__=x`, `?__proto__=${code}`);
    await siege.untouched(async () => {
      for (const query of crafted) expectRefusal(await get(siege, `/sign-in/federation${query}`, mine), 400);
      // In a browser that has an attempt of its own, or none.
      expectRefusal(await get(siege, at, others), 400);
      expectRefusal(await get(siege, at), 400);
    });
    const late = await away(siege, 'Acme');
    const lateAt = await exchange(late);
    siege.it.advance(121);
    await siege.untouched(async () => {
      expectRefusal(await get(siege, at, mine), 400);
      expectRefusal(await get(siege, lateAt, late), 400);
    });
    const again = await away(siege, 'Acme');
    const good = await exchange(again);
    await again.open(good);
    expect(again.path).toBe('/account');
    await siege.untouched(async () => expectRefusal(await get(siege, good, again), 400));
  });
});
