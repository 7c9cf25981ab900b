import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { type Application, fillIn, startApplication } from './application.ts';
import { openBrowser, type Program } from './drive.ts';
import { SECRET, useWorld } from './world.ts';

const world = useWorld();
const MIRA = { username: 'mira', password: SECRET };
const SUB = 'pinwhistle-1001';

let application: Application;
let company: Program;
beforeEach(async () => {
  application = await startApplication();
  onTestFinished(() => void application.goDown());
  company = await world.startCompany(application.flags);
});

const open = (url: string, browser = openBrowser()) => browser.get(url);
const isSignedIn = async (browser: ReturnType<typeof openBrowser>): Promise<boolean> =>
  (await browser.get(company.url)).text.includes('Mira Okafor');

describe('the company', () => {
  test('knows its people by their password, and nobody else', async () => {
    const browser = openBrowser();
    const wrong = [
      { username: 'mira', password: `${SECRET}.` },
      { username: 'mira', password: '' },
      { username: 'nobody', password: SECRET },
    ];
    const asked = await application.samlRequest(company);
    for (const url of [`${company.url}/sign-in`, application.authorization(company), asked.url]) {
      for (const typed of wrong) {
        const answer = await fillIn(browser, await browser.get(url), typed);
        expect([url, answer.status]).toEqual([url, 403]);
        expect(answer.text).toContain('not a username and password of ours');
        expect(await isSignedIn(browser)).toBe(false);
      }
    }
    const answer = await fillIn(browser, await browser.get(`${company.url}/sign-in`), MIRA);
    expect(answer.text).toContain('Signed in as <strong>Mira Okafor</strong>');
    expect(answer.text).toContain('Nothing yet.');
    expect(await isSignedIn(openBrowser())).toBe(false);
  });

  test('takes its forms from its own pages alone', async () => {
    for (const site of ['cross-site', 'same-site', 'none']) {
      const body = new URLSearchParams(MIRA);
      const headers = { 'sec-fetch-site': site };
      for (const path of ['/sign-in', '/sign-in/of-a-request', '/sign-out', '/saml/sign-in']) {
        const answer = await fetch(company.url + path, { method: 'POST', body, headers, redirect: 'manual' });
        expect([site, path, answer.status, answer.headers.getSetCookie()]).toEqual([site, path, 403, []]);
      }
    }
  });

  test('gives every sign-in a new name for its session', async () => {
    const form = new URLSearchParams(MIRA);
    const signIn = async (cookie: string) => {
      const answer = await fetch(`${company.url}/sign-in`, {
        method: 'POST',
        body: form,
        headers: { cookie },
        redirect: 'manual',
      });
      return answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? '');
    };
    const first = await signIn('');
    const second = await signIn(first.join('; '));
    expect(first.find((cookie) => cookie.startsWith('company-session='))).toMatch(/=.{21}/);
    expect(second).not.toEqual(first);
    const old = await fetch(company.url, { headers: { cookie: first.join('; ') } });
    expect(await old.text()).not.toContain('Mira');
  });

  test('as an OpenID Connect provider sends nobody to a stranger, and insists on PKCE', async () => {
    const strangers = {
      'an unknown client': { client_id: 'stranger' },
      'an unregistered address': { redirect_uri: 'http://localhost:1/callback' },
    };
    for (const [what, parameters] of Object.entries(strangers)) {
      const answer = await fetch(application.authorization(company, parameters), { redirect: 'manual' });
      expect([what, answer.status, answer.headers.get('location')]).toEqual([what, 400, null]);
    }
    const plain = application.authorization(company, { code_challenge: '', code_challenge_method: '' });
    const location = (await fetch(plain, { redirect: 'manual' })).headers.get('location') ?? '';
    expect(new URL(location).searchParams.get('error')).toBe('invalid_request');
  });

  test('as an OpenID Connect provider asks again when it is told to', async () => {
    const browser = openBrowser();
    const code = async (parameters: Record<string, string> = {}) => {
      const page = await browser.get(application.authorization(company, parameters));
      return { asked: /<h1>(Sign in.*?)<\/h1>/.exec(page.text)?.[1], page };
    };
    const first = await code();
    expect(first.asked).toBe('Sign in');
    expect((await fillIn(browser, first.page, MIRA)).url).toContain('/callback?code=');
    expect((await code()).page.url).toContain('/callback?code=');
    expect((await code({ prompt: 'none' })).page.url).toContain('/callback?code=');
    const forced = await code({ prompt: 'login' });
    expect(forced.asked).toBe('Sign in again');
    expect((await fillIn(browser, forced.page, MIRA)).url).toContain('/callback?code=');
  });

  test('vouches by SAML for whoever is signed in, and asks again when it is told to', async () => {
    const browser = openBrowser();
    const first = await application.samlRequest(company);
    const form = await browser.get(first.url);
    expect(form.text).toContain('<h1>Sign in</h1>');
    const answer = await application.readAnswer(company, await fillIn(browser, form, MIRA), first);
    expect(answer).toMatchObject({
      action: application.sp.acsUrl,
      relayState: 'a &quot;relay&quot; &lt;state&gt;',
      identity: {
        nameId: SUB,
        attributes: { uid: ['mira'], mail: ['mira@pinwhistle.example'], displayName: ['Mira Okafor'] },
      },
    });

    const again = await application.samlRequest(company);
    const silent = await application.readAnswer(company, await browser.get(again.url), again);
    expect(silent.identity).toMatchObject({ nameId: SUB });
    const forced = await application.samlRequest(company, { forced: true });
    const asked = await browser.get(forced.url);
    expect(asked.text).toContain('<h1>Sign in again</h1>');
    const fresh = await application.readAnswer(company, await fillIn(browser, asked, MIRA), forced);
    expect(fresh.identity).toMatchObject({ nameId: SUB });
    // One session, whatever it was entered with.
    expect((await browser.get(application.authorization(company))).url).toContain('/callback?code=');
  });

  test('answers no SAML request that its application did not make for it', async () => {
    const { sp } = application;
    const strange = await createKeyPair({ entityId: sp.entityId, use: 'signing', now: new Date() });
    const request = async (bent: Parameters<typeof application.samlRequest>[1] = {}) =>
      (await application.samlRequest(company, bent)).url;
    const good = await request();
    const without = (name: string): string => good.replace(new RegExp(`&${name}=[^&]*`), '');
    const idp = { entityId: '', slo: {}, certificates: [] };
    const bad: Record<string, readonly [url: string, reason: string]> = {
      'an unregistered address': [
        await request({ sp: { ...sp, acsUrl: 'http://localhost:1/acs' } }),
        'did not register the address',
      ],
      'an unknown application': [
        await request({ sp: { ...sp, entityId: 'http://localhost:1/saml' } }),
        'do not know this application',
      ],
      'the key of somebody else': [await request({ sp: { ...sp, signing: strange } }), 'did not sign'],
      'meant for another provider': [
        await request({ idp: { ...idp, sso: { redirect: `${company.url}/saml/sso?` } } }),
        'not meant for us',
      ],
      'an old request': [await request({ now: new Date(Date.now() - 6 * 60_000) }), 'too old'],
      'no signature': [without('Signature'), 'did not sign'],
      'no algorithm': [without('SigAlg'), 'did not sign'],
      'another relay state': [`${without('RelayState')}&RelayState=other`, 'did not sign'],
      'two requests': [`${good}&SAMLRequest=second`, 'SAMLRequest twice'],
      'a logout request': [
        (await application.samlLogout(company, SUB)).url.replace('/slo?', '/sso?'),
        'This is no AuthnRequest',
      ],
      'no request': [`${company.url}/saml/sso`, 'This is no AuthnRequest'],
      'not deflated': [`${company.url}/saml/sso?SAMLRequest=AAAA`, 'This is no AuthnRequest'],
    };
    const browser = openBrowser();
    await fillIn(browser, await browser.get(`${company.url}/sign-in`), MIRA);
    for (const [what, [url, reason]] of Object.entries(bad)) {
      const answer = await browser.get(url);
      expect([what, answer.status, answer.text.includes('SAMLResponse')]).toEqual([what, 400, false]);
      expect(answer.text).toContain(reason);
    }
    expect((await browser.get(good)).text).toContain('SAMLResponse');
    const unheld = await browser.post(`${company.url}/saml/sign-in`, { ...MIRA, request: 'guessed' });
    expect([unheld.status, unheld.text.includes('SAMLResponse')]).toEqual([400, false]);
  });

  test('a sign-out on its page tells both protocols, and shows what was answered', async () => {
    const browser = openBrowser();
    await fillIn(browser, await open(application.authorization(company), browser), MIRA);
    const asked = await application.samlRequest(company);
    await application.readAnswer(company, await browser.get(asked.url), asked);
    expect((await browser.get(company.url)).text.match(/is told when you sign out here/g)).toHaveLength(2);
    application.answerBackChannelWith(400);
    const page = await browser.post(`${company.url}/sign-out`);
    expect(page.url).toContain(`${company.url}/signed-out/`);
    expect(page.text).toMatch(
      /<strong>Curfew<\/strong>: refused with status 400<br \/><span class="quiet"\s*>by OpenID/,
    );
    expect(page.text).toMatch(/<strong>Curfew<\/strong>: accepted<br \/><span class="quiet"\s*>by SAML/);
    expect(application.told.backChannel).toEqual([
      expect.objectContaining({ iss: company.url, aud: 'curfew', sub: SUB, sid: expect.any(String) }),
    ]);
    expect(application.told.saml).toEqual([
      expect.objectContaining({ nameId: SUB, sessionIndexes: [expect.any(String)] }),
    ]);
    expect(await isSignedIn(browser)).toBe(false);
    expect((await browser.get(application.authorization(company))).text).toContain('<h1>Sign in</h1>');
  });

  test('an application’s logout ends the session that it names, and tells the others; a forged one ends nothing', async () => {
    const [browser, bystander] = [openBrowser(), openBrowser()];
    const enter = async (by: typeof browser) => {
      const asked = await application.samlRequest(company);
      const page = await fillIn(by, await by.get(asked.url), MIRA);
      const { identity } = await application.readAnswer(company, page, asked);
      return 'sessionIndex' in identity ? identity.sessionIndex : undefined;
    };
    const sessionIndex = await enter(browser);
    await enter(bystander);
    await browser.get(application.authorization(company));

    const strange = await createKeyPair({ entityId: application.sp.entityId, use: 'signing', now: new Date() });
    const sp = { ...application.sp, signing: strange };
    const forged = await application.samlLogout(company, SUB, { sp, sessionIndex });
    expect((await browser.get(forged.url)).status).toBe(400);
    expect(await isSignedIn(browser)).toBe(true);

    const asked = await application.samlLogout(company, SUB, { sessionIndex, relayState: 'back' });
    const location = (await fetch(asked.url, { redirect: 'manual' })).headers.get('location') ?? '';
    expect(await application.readLogoutAnswer(company, location, asked.id)).toMatchObject({
      status: ['Success'],
      relayState: 'back',
    });
    expect(await isSignedIn(browser)).toBe(false);
    expect(await isSignedIn(bystander)).toBe(true);
    expect(application.told.backChannel).toHaveLength(1);
  });

  test('an application that asks for a sign-out here is asked back for a press, and then everybody is told', async () => {
    const browser = openBrowser();
    await fillIn(browser, await open(application.authorization(company), browser), MIRA);
    const back = { client_id: 'curfew', post_logout_redirect_uri: application.flags['post-logout-redirect-uri'] };
    const page = await browser.get(`${company.url}/session/end?${new URLSearchParams(back)}`);
    expect(page.text).toContain('<h1>Sign out of Pinwhistle Pictures?</h1>');
    expect(await isSignedIn(browser)).toBe(true);
    const xsrf = /name="xsrf" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    const done = await browser.post(`${company.url}/session/end/confirm`, { xsrf, logout: 'yes' });
    expect(done.url).toBe(back.post_logout_redirect_uri);
    expect(application.told.backChannel).toHaveLength(1);
    expect(await isSignedIn(browser)).toBe(false);
  });

  test('while its application cannot be asked who it is, nobody is vouched for, and then it works', async () => {
    await application.goDown();
    const asked = await application.samlRequest(company);
    expect((await open(asked.url)).status).toBe(503);
    await application.comeBack();
    expect((await open(asked.url)).text).toContain('<h1>Sign in</h1>');
  });
});
