import { expect, test } from 'vitest';

import { erin, samlWorld as worldWithCorp } from '../support/saml-world.ts';

const samlWorld = async (connection: Record<string, unknown> = {}) => ({
  ...(await worldWithCorp({ fakeTime: true, connection })),
  erin,
});

test('somebody signs in by SAML, and is the same person the next time', async () => {
  const { it, erin, signIn } = await samlWorld();
  const browser = await signIn(erin());
  expect(browser.path).toBe('/account');
  expect(browser.page.text).toContain('erin@corp.test');
  const account = await it.core.accounts.resolve('erin');
  const again = await signIn(erin());
  expect(again.path).toBe('/account');
  expect((await it.core.accounts.resolve('erin@corp.test'))?.id).toBe(account?.id);
});

test('an app is signed in to by SAML', async () => {
  const { it, corp, erin } = await samlWorld();
  const browser = it.alice.anotherBrowser();
  const { url, verifier } = it.player.authorization();
  await browser.open(url);
  await browser.press('Continue with Corp');
  await corp.sendBack(browser, browser.left as URL, erin());
  const code = browser.left?.searchParams.get('code') ?? '';
  expect((await it.player.exchange(code, verifier)).status).toBe(200);
});

test('after a sign-out an old AuthnInstant is not good enough, and ForceAuthn is asked for', async () => {
  const { it, corp, erin, signIn } = await samlWorld();
  const person = erin();
  const browser = await signIn(person);
  it.advance(60);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  it.advance(60);
  const other = await signIn(person);
  expect(other.left?.origin).toBe('https://idp.example.com');
  expect(corp.read(other.left as URL).forced).toBe(true);
  await corp.sendBack(other, other.left as URL, person);
  expect(other.path).toBe('/account');
});

test('a provider that answers ForceAuthn with an old AuthnInstant is refused', async () => {
  const { it, corp, erin, signIn } = await samlWorld();
  const person = erin();
  const browser = await signIn(person);
  it.advance(60);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  it.advance(60);
  const other = await signIn(person);
  const stale = Object.defineProperty({ ...person }, 'authenticatedAt', {
    get: () => person.authenticatedAt,
    set: () => {},
  });
  const { acsUrl, form } = corp.answer(other.left as URL, stale);
  const refused = await fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain('it did not say that you did');
});

test('an answer is good once, in the browser that asked', async () => {
  const { it, corp, erin } = await samlWorld();
  const victim = it.alice.anotherBrowser();
  await victim.open('/sign-in');
  await victim.press('Continue with Corp');
  const { acsUrl, form } = corp.answer(victim.left as URL, erin());
  const post = () => fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
  const answers = await Promise.all([post(), post(), post(), post(), post()]);
  const accepted = answers.filter(({ status }) => status === 303);
  expect(accepted).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(4);
  expect(accepted[0]?.headers.getSetCookie()).toEqual([]);

  const continueAt = accepted[0]?.headers.get('location') ?? '';
  const attacker = it.alice.anotherBrowser();
  await attacker.open(continueAt);
  expect(attacker.page.status).toBe(400);
  await attacker.open('/account');
  expect(attacker.path).toMatch(/^\/sign-in/);
  await victim.open(continueAt);
  expect(victim.path).toBe('/account');
  await victim.open(continueAt);
  expect(victim.page.status).toBe(400);
});

test('a sign-out at the provider ends the session that it names, and is answered', async () => {
  const { it, corp, erin, signIn } = await samlWorld();
  const person = erin();
  const browser = await signIn(person);
  const elsewhere = await signIn({ ...person, sessionIndex: '_session-2' });
  const sloUrl = `${it.issuer}/saml/corp/slo`;
  const request = corp.logoutRequest(sloUrl, person);
  const answer = await fetch(request, { redirect: 'manual' });
  expect(answer.status).toBe(303);
  expect(answer.headers.get('location')).toMatch(/^https:\/\/idp\.example\.com\/slo\?SAMLResponse=/);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  await elsewhere.open('/account');
  expect(elsewhere.path).toBe('/account');

  const forged = await fetch(request.replace('RelayState=back', 'RelayState=other'), { redirect: 'manual' });
  expect(forged.status).toBe(400);
});

test('what the provider is told of us is published, with keys that stay the same', async () => {
  const { it } = await samlWorld();
  const read = async () => (await fetch(`${it.issuer}/saml/corp/metadata`)).text();
  const metadata = await read();
  expect(metadata).toContain(`entityID="${it.issuer}/saml/corp/metadata"`);
  expect(metadata).toContain(`${it.issuer}/saml/corp/acs`);
  await it.restart();
  expect(await read()).toBe(metadata);
  expect((await fetch(`${it.issuer}/saml/nobody/metadata`)).status).toBe(404);
  expect((await fetch(`${it.issuer}/federation/corp/callback?code=x&state=y`)).status).toBe(404);
});
