/**
 * What an attempt may cost. A response that is refused for its signature has been parsed and hashed before, and whoever was
 * sent away with an attempt could send such responses all day. What is counted here is parsing, not time.
 */
import { DOMParser } from '@xmldom/xmldom';
import { expect, test, vi } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { erin, samlWorld } from '../support/saml-world.ts';

const strangersKeys = () => createKeyPair({ entityId: 'https://idp.example.com/', use: 'signing', now: new Date() });

const attempting = async () => {
  const { it, corp } = await samlWorld();
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Continue with Corp');
  const asked = browser.left as URL;
  const post = async (form: URLSearchParams) => {
    const { status } = await fetch(`${it.issuer}/saml/corp/acs`, { method: 'POST', body: form, redirect: 'manual' });
    return status;
  };
  const forge = async (): Promise<URLSearchParams> => {
    const real = corp.signWith(await strangersKeys());
    const { form } = corp.answer(asked, erin());
    corp.signWith(real);
    return form;
  };
  const parsing = vi.spyOn(DOMParser.prototype, 'parseFromString');
  const refusals = (why: string): number =>
    it.logged.filter((line) => line.includes('upstream.refused') && line.includes(why)).length;
  return { it, corp, browser, asked, post, forge, parsing, refusals };
};

test('five answers to an attempt are verified, and after that it is over, whatever comes', async () => {
  const { it, corp, asked, post, forge, parsing, refusals } = await attempting();
  const forged = await forge();
  for (let nth = 0; nth < 5; nth += 1) expect(await post(forged)).toBe(400);
  expect(refusals('bad-signature')).toBe(5);
  parsing.mockClear();
  expect(await post(forged)).toBe(400);
  const { form } = corp.answer(asked, erin());
  parsing.mockClear();
  expect(await post(form)).toBe(400);
  expect(parsing).not.toHaveBeenCalled();
  expect(refusals('bad-signature')).toBe(5);
  expect(refusals('unknown-attempt')).toBe(2);
  expect(await it.core.accounts.resolve('erin')).toBeNull();
});

test('of many at once no more than five are verified', async () => {
  const { post, forge, refusals } = await attempting();
  const forged = await forge();
  const answers = await Promise.all(Array.from({ length: 12 }, () => post(forged)));
  expect(answers).toEqual(Array.from({ length: 12 }, () => 400));
  expect(refusals('bad-signature')).toBe(5);
});

test('fewer than that harm nobody: the real answer is still good', async () => {
  const { it, corp, browser, asked, post, forge } = await attempting();
  const forged = await forge();
  for (let nth = 0; nth < 4; nth += 1) expect(await post(forged)).toBe(400);
  expect(await it.core.accounts.resolve('erin')).toBeNull();
  await corp.sendBack(browser, asked, erin());
  expect(browser.path).toBe('/account');
});

test('an answer to no attempt is refused before it is read', async () => {
  const { it, corp, asked, post, parsing, refusals } = await attempting();
  const { form } = corp.answer(asked, erin());
  parsing.mockClear();
  for (const relayState of ['', 'x', 'A'.repeat(43), 'https://evil.example/']) {
    form.set('RelayState', relayState);
    expect(await post(form)).toBe(400);
  }
  expect(parsing).not.toHaveBeenCalled();
  expect(refusals('unknown-attempt')).toBe(4);
  expect(await it.core.accounts.resolve('erin')).toBeNull();
});
