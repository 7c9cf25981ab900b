/** A provider that encrypts what it says of people, to the certificate that our metadata publish for it. */
import { expect, test } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { erin, samlWorld } from '../support/saml-world.ts';

const encryptingWorld = async () => {
  const { it, corp, signIn } = await samlWorld({ fakeTime: true });
  const ours = await (await fetch(`${it.issuer}/saml/corp/metadata`)).text();
  const toUs = (): void => corp.encryptTo(ours);
  const toAnother = async (): Promise<void> => {
    const { certificatePem } = await createKeyPair({ entityId: it.issuer, use: 'encryption', now: new Date() });
    corp.encryptToCertificate(certificatePem);
  };
  toUs();
  const sloUrl = `${it.issuer}/saml/corp/slo`;
  const post = (url: string, body: URLSearchParams) => fetch(url, { method: 'POST', body, redirect: 'manual' });
  return { it, corp, signIn, toUs, toAnother, sloUrl, post };
};

const decoded = (form: URLSearchParams, field: string): string =>
  Buffer.from(form.get(field) ?? '', 'base64').toString();

test('an encrypted assertion signs in, before and after a restart, and says nothing on its way', async () => {
  const { it, corp, signIn } = await encryptingWorld();
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Corp');
  const { form } = corp.answer(browser.left as URL, erin());
  const sent = decoded(form, 'SAMLResponse');
  expect(sent).toContain('EncryptedAssertion');
  for (const secret of ['employee-17', 'erin@corp.test', '_session-1']) expect(sent).not.toContain(secret);
  await corp.sendBack(browser, browser.left as URL, erin());
  expect(browser.path).toBe('/account');
  expect(browser.page.text).toContain('erin@corp.test');
  await it.restart();
  expect((await signIn(erin())).path).toBe('/account');
});

test('an assertion encrypted to another key is refused, nothing is changed, and the attempt goes on', async () => {
  const { it, corp, toUs, toAnother, post } = await encryptingWorld();
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Corp');
  const asked = browser.left as URL;
  await toAnother();
  const { acsUrl, form } = corp.answer(asked, erin());
  const refused = await post(acsUrl, form);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('could not be verified');
  expect(it.logged.join('')).toContain('undecryptable');
  expect(await it.core.accounts.resolve('erin')).toBeNull();
  toUs();
  await corp.sendBack(browser, asked, erin());
  expect(browser.path).toBe('/account');
});

test.for(['redirect', 'post'] as const)('an encrypted name in a logout by %s ends what it names', async (binding) => {
  const { corp, signIn, toUs, toAnother, sloUrl, post } = await encryptingWorld();
  const browser = await signIn(erin());
  const elsewhere = await signIn({ ...erin(), sessionIndex: '_session-2' });
  const tell = (): Promise<Response> => {
    if (binding === 'redirect') return fetch(corp.logoutRequest(sloUrl, erin()), { redirect: 'manual' });
    const form = corp.logoutForm(sloUrl, erin());
    expect(decoded(form, 'SAMLRequest')).not.toContain('employee-17');
    return post(sloUrl, form);
  };
  await toAnother();
  expect((await tell()).status).toBe(400);
  await browser.open('/account');
  expect(browser.path).toBe('/account');
  toUs();
  const answer = await tell();
  expect(answer.status).toBe(303);
  expect(answer.headers.get('location')).toMatch(/^https:\/\/idp\.example\.com\/slo\?SAMLResponse=/);
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);
  await elsewhere.open('/account');
  expect(elsewhere.path).toBe('/account');
});
