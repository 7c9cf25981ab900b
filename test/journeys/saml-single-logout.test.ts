/** Single logout by SAML over HTTP: requests that are posted, and what is made of the provider's answers to ours. */
import { DOMParser } from '@xmldom/xmldom';
import { expect, test, vi } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { erin, samlWorld } from '../support/saml-world.ts';

const postTo = (url: string, body: URLSearchParams): Promise<Response> =>
  fetch(url, { method: 'POST', body, redirect: 'manual' });

const sloWorld = async () => {
  const { it, corp, signIn } = await samlWorld({ fakeTime: true });
  const sloUrl = `${it.issuer}/saml/corp/slo`;
  const signOuts = async () => (await it.core.store.revocations.listSignOuts(100)).map(({ id }) => id);
  /** Signs out here and then there; resolves to the browser, and where it was sent with the request. */
  const leave = async () => {
    const browser = await signIn(erin());
    await browser.press('Sign out of this browser');
    expect(browser.path).toBe('/signed-out');
    await browser.press('Also sign out of Corp');
    return { browser, asked: browser.left as URL };
  };
  return { it, corp, signIn, sloUrl, signOuts, leave };
};

test('a posted request ends the session it names, and is answered with its RelayState as often as it is heard', async () => {
  const { it, corp, signIn, sloUrl, signOuts } = await sloWorld();
  const browser = await signIn(erin());
  const form = corp.logoutForm(sloUrl, erin());
  const first = await postTo(sloUrl, form);
  expect(first.status).toBe(303);
  const location = new URL(first.headers.get('location') ?? '');
  expect(`${location.origin}${location.pathname}`).toBe('https://idp.example.com/slo');
  expect(location.searchParams.get('RelayState')).toBe('back');
  expect(first.headers.getSetCookie()).toEqual([]);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  const ended = await signOuts();
  expect(ended).toHaveLength(1);

  const again = await signIn({ ...erin(), sessionIndex: '_session-2' });
  const replay = await postTo(sloUrl, form);
  expect(replay.status).toBe(303);
  expect(new URL(replay.headers.get('location') ?? '').searchParams.get('RelayState')).toBe('back');
  expect(await signOuts()).toEqual(ended);
  expect(again.path).toBe('/account');
  await it.settle();
});

test('a posted request that is unsigned, a stranger’s or for another address ends nothing', async () => {
  const { corp, signIn, sloUrl, signOuts } = await sloWorld();
  const browser = await signIn(erin());
  const unsigned = corp.logoutForm(sloUrl, erin());
  const xml = Buffer.from(unsigned.get('SAMLRequest') ?? '', 'base64').toString();
  unsigned.set('SAMLRequest', Buffer.from(xml.replace(/<ds:Signature .*<\/ds:Signature>/, '')).toString('base64'));
  const elsewhere = corp.logoutForm('https://other.example.net/slo', erin());
  const own = corp.signWith(await createKeyPair({ entityId: 'https://x.example/', use: 'signing', now: new Date() }));
  const strange = corp.logoutForm(sloUrl, erin());
  corp.signWith(own);
  const both = corp.logoutForm(sloUrl, erin());
  both.set('SAMLResponse', both.get('SAMLRequest') ?? '');
  for (const form of [unsigned, elsewhere, strange, both, new URLSearchParams({ RelayState: 'x' })]) {
    expect((await postTo(sloUrl, form)).status).toBe(400);
  }
  expect(await signOuts()).toEqual([]);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
});

test.for([
  [['Success'], 'Corp has signed you out as well.'],
  [['Success', 'PartialLogout'], 'Corp could not sign you out of everything'],
  [['Responder', 'PartialLogout'], 'Corp could not sign you out of everything'],
  [['Responder'], 'Corp did not sign you out.'],
  [['Requester', 'UnknownPrincipal'], 'Corp did not sign you out.'],
] as const)('a provider that answers %j is quoted', async ([status, says]) => {
  const { corp, sloUrl, leave } = await sloWorld();
  const { browser, asked } = await leave();
  await browser.open(corp.logoutResponse(asked, sloUrl, status));
  expect(browser.page.status).toBe(200);
  expect(browser.page.text).toContain('This browser is signed out.');
  expect(browser.page.text).toContain(says);
});

test('an answer may be posted', async () => {
  const { it, corp, sloUrl, leave } = await sloWorld();
  const { browser, asked } = await leave();
  const met = await postTo(sloUrl, corp.logoutResponseForm(asked, sloUrl, ['Responder']));
  expect(met.status).toBe(303);
  await browser.open(new URL(met.headers.get('location') ?? '', it.issuer).href);
  expect(browser.page.text).toContain('Corp did not sign you out.');
});

test('an answer of a stranger, or to another question, is no answer', async () => {
  const { corp, sloUrl, leave } = await sloWorld();
  const { browser, asked } = await leave();
  const own = corp.signWith(await createKeyPair({ entityId: 'https://x.example/', use: 'signing', now: new Date() }));
  const forged = corp.logoutResponse(asked, sloUrl);
  corp.signWith(own);
  await browser.open(forged);
  expect(browser.page.text).toContain('What Corp answered could not be verified.');

  const [one, two] = [await leave(), await leave()];
  const mixed = new URL(one.asked);
  mixed.searchParams.set('RelayState', two.asked.searchParams.get('RelayState') ?? '');
  await one.browser.open(corp.logoutResponse(mixed, sloUrl));
  expect(one.browser.page.text).toContain('What Corp answered could not be verified.');
});

test('an answer is heard once, and one to no question costs no look at its XML', async () => {
  const { it, corp, sloUrl, leave } = await sloWorld();
  const { browser, asked } = await leave();
  const answer = corp.logoutResponse(asked, sloUrl, ['Responder']);
  await browser.open(answer);
  expect(browser.page.text).toContain('Corp did not sign you out.');
  const unasked = new URL(asked);
  unasked.searchParams.set('RelayState', 'A'.repeat(43));
  const parsing = vi.spyOn(DOMParser.prototype, 'parseFromString');
  for (const heard of [answer, corp.logoutResponse(unasked, sloUrl, ['Responder'])]) {
    await browser.open(heard);
    expect(browser.path).toBe('/signed-out');
    expect(browser.page.text).not.toContain('Corp did');
  }
  expect(parsing).not.toHaveBeenCalled();
  expect(it.logged.join('')).not.toContain('logout-answer-refused');
});

test('an app’s person whom the provider did not sign out is told so before going on to the app', async () => {
  const { it, corp, sloUrl } = await sloWorld();
  const browser = it.alice.anotherBrowser();
  const { url, verifier } = it.player.authorization();
  await browser.open(url);
  await browser.press('Continue with Corp');
  await corp.sendBack(browser, browser.left as URL, erin());
  const { body } = await it.player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  const { id_token: hint } = body as { id_token: string };
  const back = 'http://player.test/signed-out';
  const query = new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: back, state: 'opaque' });
  await browser.open(`/session/end?${query.toString()}`);
  await browser.press('Sign out here and at Corp');
  await browser.open(corp.logoutResponse(browser.left as URL, sloUrl, ['Responder']));
  expect(browser.page.text).toContain('Corp did not sign you out.');
  expect(browser.page.text).toContain(`${back}?state=opaque`);
});
