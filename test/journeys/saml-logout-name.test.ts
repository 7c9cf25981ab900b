/**
 * Sign-out at a SAML provider whose logout calls people by a NameID, while another attribute is what names them for good. The
 * NameID may be a new one for every session.
 */
import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { SamlPerson } from '../support/saml-company.ts';
import { erin, samlWorld } from '../support/saml-world.ts';

const TRANSIENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';

const named = (nameId: string, sessionIndex: string, more: Partial<SamlPerson> = {}): SamlPerson => ({
  ...erin(),
  nameId,
  nameIdFormat: TRANSIENT,
  sessionIndex,
  ...more,
  attributes: { ...erin().attributes, employeeNumber: '17', ...more.attributes },
});

const numberedWorld = async () => {
  const { it, corp, signIn } = await samlWorld({
    fakeTime: true,
    connection: { claims: { subject: 'employeeNumber' } },
  });
  const logOut = async (person: Pick<SamlPerson, 'nameId'> & { readonly sessionIndex?: string }): Promise<void> => {
    const told = await fetch(corp.logoutRequest(`${it.issuer}/saml/corp/slo`, person), { redirect: 'manual' });
    expect(told.status).toBe(303);
    expect(told.headers.get('location')).toContain('SAMLResponse=');
  };
  const isSignedIn = async (browser: Browser): Promise<boolean> => {
    await browser.open('/account');
    return browser.path === '/account';
  };
  const signOuts = () => it.core.store.revocations.listSignOuts(100);
  return { it, corp, signIn, logOut, isSignedIn, signOuts };
};

test('a NameID alone ends what came through it, and apps are told', async () => {
  const { it, corp, signIn, logOut, isSignedIn } = await numberedWorld();
  const app = it.alice.anotherBrowser();
  const { url, verifier } = it.player.authorization();
  await app.open(url);
  await app.press('Continue with Corp');
  await corp.sendBack(app, app.left as URL, named('_t1', '_s1'));
  const { body } = await it.player.exchange(app.left?.searchParams.get('code') ?? '', verifier);
  const other = await signIn(named('_t2', '_s2'));
  await logOut({ nameId: '_t1' });
  expect(await isSignedIn(app)).toBe(false);
  expect(await it.player.refresh(body as never)).toMatchObject({ error: 'invalid_grant' });
  await it.settle();
  expect(it.ears.by('player')).toHaveLength(1);
  expect(await isSignedIn(other)).toBe(true);
});

test('a NameID with a session ends that session', async () => {
  const { signIn, logOut, isSignedIn } = await numberedWorld();
  const [one, two] = [await signIn(named('erin', '_s1')), await signIn(named('erin', '_s2'))];
  await logOut({ nameId: 'erin', sessionIndex: '_s1' });
  expect([await isSignedIn(one), await isSignedIn(two)]).toEqual([false, true]);
  await logOut({ nameId: 'erin' });
  expect(await isSignedIn(two)).toBe(false);
});

test('names and sessions that do not belong together end nothing, and neither does a name nobody came by', async () => {
  const { signIn, logOut, isSignedIn, signOuts } = await numberedWorld();
  const one = await signIn(named('_t1', '_s1'));
  const attributes = { uid: 'fred', mail: 'fred@corp.test', employeeNumber: '18' };
  const other = await signIn(named('_t2', '_s2', { attributes }));
  await logOut({ nameId: '_t1', sessionIndex: '_s2' });
  await logOut({ nameId: '_t3' });
  // What names the person for good is nothing its logout says.
  await logOut({ nameId: '17' });
  expect([await isSignedIn(one), await isSignedIn(other)]).toEqual([true, true]);
  expect(await signOuts()).toEqual([]);
});

test('a name that has been given to somebody new ends what came through it, whoever it was', async () => {
  const { signIn, logOut, isSignedIn, signOuts } = await numberedWorld();
  const attributes = { uid: 'fred', mail: 'fred@corp.test', employeeNumber: '18' };
  const one = await signIn(named('desk-4', '_s1'));
  const other = await signIn(named('desk-4', '_s2', { attributes }));
  await logOut({ nameId: 'desk-4' });
  expect([await isSignedIn(one), await isSignedIn(other)]).toEqual([false, false]);
  expect(new Set((await signOuts()).map(({ scope }) => 'accountId' in scope && scope.accountId)).size).toBe(2);
});

test('afterwards the same name comes in with a fresh proof alone', async () => {
  const { it, corp, signIn, logOut, isSignedIn } = await numberedWorld();
  const person = named('erin', '_s1');
  await signIn(person);
  it.advance(60);
  await logOut({ nameId: 'erin' });
  it.advance(60);
  const browser = await signIn({ ...person, sessionIndex: '_s2' });
  expect(await isSignedIn(browser)).toBe(false);
  const again = await signIn({ ...person, sessionIndex: '_s3' });
  expect(corp.read(again.left as URL).forced).toBe(true);
  await corp.sendBack(again, again.left as URL, { ...person, sessionIndex: '_s3' });
  expect(again.path).toBe('/account');
});

test('whoever was on the way for the first time is asked once more', async () => {
  const { it, corp, logOut, isSignedIn } = await numberedWorld();
  const person = named('erin', '_s1');
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Corp');
  const { acsUrl, form } = corp.answer(browser.left as URL, person);
  const met = await fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
  it.advance(1);
  await logOut({ nameId: 'erin' });
  it.advance(1);
  await browser.open(met.headers.get('location') ?? '');
  expect(corp.read(browser.left as URL).forced).toBe(true);
  expect(await isSignedIn(it.alice.anotherBrowser())).toBe(false);
  await browser.open('/sign-in');
  await browser.press('Continue with Corp');
  await corp.sendBack(browser, browser.left as URL, { ...person, authenticatedAt: new Date(), sessionIndex: '_s2' });
  expect(browser.path).toBe('/account');
});

test('whoever was linked on the way in is known by the name as well', async () => {
  const { it, signIn, logOut, isSignedIn } = await numberedWorld();
  const browser = await signIn(named('_t1', '_s1', { attributes: { mail: it.alice.email } }));
  expect(browser.heading).toBe('Sign in to link Corp');
  await browser.press('Sign in', { username: it.alice.username, password: it.alice.password });
  expect(browser.path).toBe('/account');
  await logOut({ nameId: '_t1' });
  expect(await isSignedIn(browser)).toBe(false);
});

test('it is known after a restart, and what the provider calls anybody is nowhere to be read', async () => {
  const { it, signIn, logOut, isSignedIn } = await numberedWorld();
  const person = named('name-in-the-clear', 'session-in-the-clear', {
    attributes: { employeeNumber: 'number-in-clear' },
  });
  const browser = await signIn(person);
  await it.restart();
  expect(await isSignedIn(browser)).toBe(true);
  await logOut({ nameId: 'name-in-the-clear' });
  expect(await isSignedIn(browser)).toBe(false);
  for (const [file, bytes] of Object.entries(await it.database.bytes())) {
    for (const text of ['name-in-the-clear', 'session-in-the-clear', 'number-in-clear']) {
      expect([file, bytes.includes(text)]).toEqual([file, false]);
    }
  }
  expect(it.logged.join('')).not.toContain('in-the-clear');
});
