/**
 * Rows 38–41 of security.md over HTTP: sign-outs announced by providers. What a token may say is the matter of
 * inbound-logout-token.test.ts; here it is what an announcement does, and does not.
 */
import { describe, expect, test } from 'vitest';

import { LOGOUT_EVENT } from '../support/upstream-idp.ts';
import { erin } from '../support/saml-world.ts';
import type { Outage, Signature } from '../support/upstream-behaviour.ts';
import { besieged, expectRefusal, post, SHARED, type Siege } from './federation-probe.ts';

type Claims = Record<string, unknown>;
type Twist = { readonly claims?: Claims; readonly header?: Claims; readonly signature?: Signature };

const said = ({ acme }: Siege, { claims = {}, header = {}, signature = 'genuine' }: Twist = {}): Promise<string> =>
  acme.signAs(
    signature,
    { ...acme.logoutClaims('curfew', { sub: SHARED }), ...claims },
    { typ: 'logout+jwt', ...header },
    '',
  );
const announce = (siege: Siege, to: string, token: string) =>
  post(siege, `/federation/${to}/backchannel-logout`, { logout_token: token });
const now = (): number => Math.floor(Date.now() / 1000);

describe('38, 39 an announcement that cannot be believed', () => {
  test('→ 400, no copy kept, and everybody stays where they are; the same without its twist is carried out', async () => {
    const siege = await besieged();
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    const twists: Record<string, Twist> = {
      unsigned: { signature: 'none' },
      'signed with the public key as a secret': { signature: 'public-key-as-secret' },
      'signed by somebody else': { signature: 'foreign-key' },
      'by a key it brought along': { signature: 'embedded-key' },
      altered: { signature: 'tampered' },
      'with a nonce': { claims: { nonce: 'n' } },
      'an ID Token': { header: { typ: 'JWT' }, claims: { events: undefined, nonce: 'n' } },
      'an access token': { header: { typ: 'at+jwt' } },
      'to somebody else': { claims: { aud: 'another-client' } },
      'by somebody else': { claims: { iss: siege.globex.issuer } },
      'without events': { claims: { events: undefined } },
      'of another event': { claims: { events: { 'http://schemas.openid.net/event/other': {} } } },
      'whose event is a list': { claims: { events: { [LOGOUT_EVENT]: [] } } },
      stale: { claims: { iat: now() - 3600, exp: now() - 3000 } },
      'of tomorrow': { claims: { iat: now() + 86_400, exp: now() + 86_520 } },
      'about nobody': { claims: { sub: undefined } },
      'without an id': { claims: { jti: undefined } },
    };
    await siege.untouched(async () => {
      for (const [name, twist] of Object.entries(twists)) {
        const answer = await announce(siege, 'acme', await said(siege, twist));
        expect([name, answer.status]).toEqual([name, 400]);
        expectRefusal(answer, 400);
        expect([name, answer.json['error']]).toEqual([name, 'invalid_request']);
      }
      for (const raw of ['', 'x', 'a.b.c', '..', '{}', 'null', 'x'.repeat(30_000)]) {
        expectRefusal(await announce(siege, 'acme', raw), 400);
      }
    });
    await siege.stillIn(browser);
    expect((await announce(siege, 'acme', await said(siege))).status).toBe(200);
    await siege.isOut(browser);
  });

  test('heard before → 400, and whoever signed in again meanwhile stays', async () => {
    const siege = await besieged();
    const person = siege.acme.person(SHARED);
    const token = await said(siege);
    await siege.signIn('Acme', person);
    expect((await announce(siege, 'acme', token)).status).toBe(200);
    siege.it.advance(2);
    const again = await siege.signIn('Acme', person);
    await siege.untouched(async () => expectRefusal(await announce(siege, 'acme', token), 400));
    await siege.stillIn(again);
  });
});

describe('40 a subject of another connection', () => {
  test('→ its own people leave, and nobody who is called the same elsewhere', async () => {
    const siege = await besieged();
    const atAcme = await siege.signIn('Acme', siege.acme.person(SHARED));
    const atGlobex = await siege.signIn('Globex', siege.globex.person(SHARED));
    const byCorp = await siege.signInByCorp({ ...erin(), nameId: SHARED });
    const globexs = await siege.globex.logoutToken('curfew', { sub: SHARED });
    // Told at the wrong door it is told by nobody.
    await siege.untouched(async () => expectRefusal(await announce(siege, 'acme', globexs), 400));
    expect((await announce(siege, 'globex', globexs)).status).toBe(200);
    await siege.isOut(atGlobex);
    await siege.stillIn(atAcme);
    await siege.stillIn(byCorp);
    // By SAML the other way round.
    const person = { ...erin(), nameId: SHARED };
    const request = siege.corp.logoutRequest(`${siege.it.issuer}/saml/corp/slo`, person);
    expect((await fetch(request, { redirect: 'manual' })).status).toBe(303);
    await siege.isOut(byCorp);
    await siege.stillIn(atAcme);
  });

  test('of one account that is linked to both → the sessions of the other connection stay', async () => {
    const siege = await besieged();
    const { alice, core } = siege.it;
    const link = async (name: 'Acme' | 'Globex', upstream: Siege['acme']): Promise<void> => {
      const browser = await alice.signIn(alice.anotherBrowser());
      await browser.open('/account/security');
      await browser.press(`Link ${name}`);
      await browser.open((await siege.askedBack(browser, upstream.person(SHARED))).href);
      expect(browser.path).toBe('/account/security?changed=linked');
    };
    await link('Acme', siege.acme);
    await link('Globex', siege.globex);
    expect(await core.connections.identities.list(alice.id)).toHaveLength(2);
    const throughAcme = await siege.signIn('Acme', siege.acme.person(SHARED));
    const throughGlobex = await siege.signIn('Globex', siege.globex.person(SHARED));
    const byPassword = await alice.signIn(alice.anotherBrowser());
    expect((await announce(siege, 'acme', await said(siege))).status).toBe(200);
    await siege.isOut(throughAcme);
    await siege.stillIn(throughGlobex);
    await siege.stillIn(byPassword);
  });

  test("naming the other connection's session → nobody leaves", async () => {
    const siege = await besieged();
    let sid: unknown;
    siege.acme.behave({ idToken: (claims) => ({ ...claims, sid: (sid = claims['sid'] ?? 'session-1') }) });
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    expect(sid).toEqual(expect.any(String));
    const changes = await siege.it.changes(async () => {
      for (const named of [{ sid: String(sid) }, { sid: String(sid), sub: SHARED }, { sub: 'nobody' }]) {
        const answer = await announce(siege, 'globex', await siege.globex.logoutToken('curfew', named));
        expect([named, answer.status]).toEqual([named, 200]);
      }
    });
    expect(changes.filter((line) => !/"model":"(UpstreamSignOutHeard|EndedUpstreamSession)"/.test(line))).toEqual([]);
    await siege.stillIn(browser);
    // The very same words, by whoever may say them.
    const own = await siege.acme.logoutToken('curfew', { sid: String(sid) });
    expect((await announce(siege, 'acme', own)).status).toBe(200);
    await siege.isOut(browser);
  });
});

describe('41 what an announcement is judged by cannot be had', () => {
  const html = { status: 200, type: 'text/html', body: '<h1>Back soon</h1>' };
  test.each<[string, 'discovery' | 'jwks', Outage]>([
    ['its discovery answers 500', 'discovery', 500],
    ['its discovery is a web page', 'discovery', html],
    ['its keys answer 503', 'jwks', 503],
    ['its keys are a web page', 'jwks', html],
  ])('%s → 503 and when to try again; and then it is carried out', async (_name, endpoint, outage) => {
    const siege = await besieged({ faults: true });
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    const token = await said(siege);
    // What a running process has fetched it need not fetch again.
    await siege.it.restart();
    siege.acme.behave({ down: { [endpoint]: outage } });
    await siege.untouched(async () => {
      const answer = await announce(siege, 'acme', token);
      expectRefusal(answer, 503);
      expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
      expect(answer.json['error']).toBe('temporarily_unavailable');
    });
    await siege.stillIn(browser);
    siege.acme.behave({});
    siege.it.advance(10);
    expect((await announce(siege, 'acme', token)).status).toBe(200);
    await siege.isOut(browser);
  });

  test('nobody answers at its address at all → the same', async () => {
    const siege = await besieged({ faults: true });
    const browser = await siege.signIn('Acme', siege.acme.person(SHARED));
    const token = await said(siege);
    await siege.it.restart();
    await siege.acme.goDown();
    await siege.untouched(async () => expectRefusal(await announce(siege, 'acme', token), 503));
    await siege.stillIn(browser);
    await siege.acme.comeBack();
    siege.it.advance(10);
    expect((await announce(siege, 'acme', token)).status).toBe(200);
    await siege.isOut(browser);
  });
});
