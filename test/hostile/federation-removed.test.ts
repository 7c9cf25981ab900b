/**
 * Row 55 of security.md: a connection that an operator has taken away (CVE-2026-1486). It vouches for nobody, whatever was
 * begun while it was there, and it does not come back to life for what was begun before.
 */
import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { erin } from '../support/saml-world.ts';
import { besieged, expectRefusal, post, SHARED, type Siege } from './federation-probe.ts';
import { cookiesOf, csrfOf, type RawAnswer } from './probe.ts';

/** Everything that can be under way at Acme and Corp while they are taken out of the configuration. */
async function underWay(siege: Siege) {
  const { it, acme, corp } = siege;
  const person = acme.person(SHARED);
  const away = async (name: string): Promise<Browser> => {
    const browser = it.alice.anotherBrowser();
    await browser.open('/sign-in');
    await browser.press(`Continue with ${name}`);
    return browser;
  };
  const signedIn = [await siege.signIn('Acme', person), await siege.signInByCorp()];
  const [atAcme, atCorp, answered] = [await away('Acme'), await away('Corp'), await away('Acme')];
  const callback = await siege.askedBack(atAcme, person);
  const { form } = corp.answer(atCorp.left as URL, erin());
  const back = await siege.askedBack(answered, person);
  const continueAt = (await it.send({ path: back.pathname + back.search })).header('location') ?? '';
  expect(continueAt).toMatch(/^\/sign-in\/federation\?code=/);
  // Alice asked for a link, and was answered; her security page is still open.
  const alices = await it.alice.signIn();
  await alices.open('/account/security');
  const csrf = csrfOf(alices.page.text);
  await alices.press('Link Globex');
  const linkBack = await siege.globex.person(SHARED).follow(alices.left ?? '');
  const linkAt = (await it.send({ path: linkBack.pathname + linkBack.search })).header('location') ?? '';
  expect(linkAt).toMatch(/^\/account\/federation\?code=/);
  // Somebody came in by a link, and has signed out: the offer to leave Acme as well is on their screen.
  const left = await siege.signIn('Acme', person);
  await left.press('Sign out of this browser');
  expect(left.buttons).toContain('Also sign out of Acme');
  const offer = csrfOf(left.page.text);

  const announcement = await acme.logoutToken('curfew', { sub: SHARED });
  const sloRequest = new URL(corp.logoutRequest(`${it.issuer}/saml/corp/slo`, erin()));
  const get = (path: string, browser?: Browser): Promise<RawAnswer> =>
    it.send({ path, headers: [['Accept', 'text/html'], ...(browser === undefined ? [] : [cookiesOf(browser, path)])] });
  return {
    signedIn,
    /** What a browser, a provider or an attacker sends afterwards: the answer, and what it must be. */
    async attack(): Promise<void> {
      expectRefusal(await get(callback.pathname + callback.search, atAcme), [400, 404]);
      expectRefusal(await post(siege, '/saml/corp/acs', form, atCorp), [400, 404]);
      expectRefusal(await get(continueAt, answered), 400);
      expectRefusal(await get(linkAt, alices), 400);
    },
    async whileGone(): Promise<void> {
      expectRefusal(await get(callback.pathname + callback.search, atAcme), 404);
      expectRefusal(await post(siege, '/saml/corp/acs', form, atCorp), 404);
      expectRefusal(await get(sloRequest.pathname + sloRequest.search), 404);
      expectRefusal(await post(siege, '/saml/corp/slo', { SAMLResponse: 'x' }), 404);
      expectRefusal(await get('/saml/corp/metadata'), 404);
      const told = await post(siege, '/federation/acme/backchannel-logout', { logout_token: announcement });
      expectRefusal(told, 404);
      expect(told.json['error']).toBe('not_found');
      for (const connection of ['acme', 'globex', 'corp']) {
        expectRefusal(await post(siege, '/account/security/link', { csrf, connection }, alices), 404);
        const act = `?act=${encodeURIComponent('/account/sign-out-all')}`;
        expectRefusal(await post(siege, `/account/confirm/${connection}${act}`, { csrf }, alices), 404);
        const stranger = it.alice.anotherBrowser();
        await stranger.open('/sign-in');
        expect(stranger.buttons.filter((label) => label.startsWith('Continue'))).toEqual([]);
        const own = csrfOf(stranger.page.text);
        expectRefusal(await post(siege, `/sign-in/connections/${connection}`, { csrf: own }, stranger), 404);
        await stranger.open(it.player.authorization({ connection }).url);
        expect([stranger.left, stranger.heading]).toEqual([undefined, 'Sign in']);
        const chosen = `${stranger.path}/connections/${connection}`;
        expectRefusal(await post(siege, chosen, { csrf: csrfOf(stranger.page.text) }, stranger), 404);
      }
      // The way out of a provider that is not there any more leads nowhere, and harms nobody.
      await left.open('/signed-out');
      expect(left.buttons).not.toContain('Also sign out of Acme');
      const asked = await post(siege, '/sign-out/upstream', { csrf: offer }, left);
      expect([asked.status, asked.header('location')]).toEqual([200, undefined]);
    },
  };
}

test('55 taken out of the configuration → every door of it is closed, also for what was begun before', async () => {
  const siege = await besieged();
  const { signedIn, attack, whileGone } = await underWay(siege);
  await siege.it.restart((config) => ({ ...config, connections: [] }));
  await siege.it.settle();
  for (const browser of signedIn) await siege.isOut(browser);
  await siege.untouched(async () => {
    await whileGone();
    await attack();
  });
});

test('55 taken out and put back → what was begun before stays dead, and a new sign-in is good', async () => {
  const siege = await besieged();
  const { signedIn, attack } = await underWay(siege);
  const { connections } = siege.it.config;
  await siege.it.restart((config) => ({ ...config, connections: [] }));
  await siege.it.restart((config) => ({ ...config, connections }));
  await siege.it.settle();
  for (const browser of signedIn) await siege.isOut(browser);
  await siege.untouched(attack);
  siege.it.advance(2);
  const browser = siege.it.alice.anotherBrowser();
  const person = siege.acme.person(SHARED);
  await siege.signIn('Acme', person, browser);
  // Anew: there has been a sign-out since.
  if (browser.left !== undefined) await browser.open((await siege.askedBack(browser, person)).href);
  expect(browser.path).toBe('/account');
});

test('55 one that became another kind → the doors of the former kind are closed', async () => {
  const siege = await besieged();
  const { it, acme, corp } = siege;
  const token = await acme.logoutToken('curfew', { sub: SHARED });
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Acme');
  const back = await siege.askedBack(browser, acme.person(SHARED));
  // Acme is a SAML company now, and Corp speaks OpenID Connect.
  const [oidc, , saml] = it.config.connections;
  if (oidc === undefined || saml === undefined) throw new Error('the siege has three connections');
  const { id: acmeId, name: acmeName } = oidc;
  await it.restart((config) => ({
    ...config,
    connections: [
      { ...saml, id: acmeId, name: acmeName },
      { ...oidc, id: saml.id, name: saml.name },
    ],
  }));
  await it.settle();
  await siege.untouched(async () => {
    const path = back.pathname + back.search;
    expectRefusal(await it.send({ path, headers: [cookiesOf(browser, path), ['Accept', 'text/html']] }), 404);
    expectRefusal(await post(siege, '/federation/acme/backchannel-logout', { logout_token: token }), 404);
    const slo = new URL(corp.logoutRequest(`${it.issuer}/saml/corp/slo`, erin()));
    expectRefusal(await it.send({ path: slo.pathname + slo.search }), 404);
    const asCorp = path.replace('/acme/', '/corp/');
    expectRefusal(await it.send({ path: asCorp, headers: [cookiesOf(browser, asCorp)] }), 400);
  });
});
