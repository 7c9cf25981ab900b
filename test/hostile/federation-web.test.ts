/**
 * Rows 47 and 48 of security.md over HTTP: answers by SAML that belong to nobody, and what travels beside any answer. Whatever
 * comes back, nobody is signed in by it, and no text of it becomes an address or markup.
 */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { erin } from '../support/saml-world.ts';
import { away, besieged, expectRefusal, get, pathOf, post, SHARED, stateOf } from './federation-probe.ts';
import { CANARY, type RawAnswer } from './probe.ts';

const EVIL = [
  '//evil.test',
  'https://evil.test/',
  '/\\evil.test',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  '<script>alert(1)</script>',
  `"><img src=x onerror=alert(1)>${CANARY}`,
  '/account/security',
  '__proto__',
  `evil.test\r\nSet-Cookie: a=b`,
  '',
];

/** Neither an address that leads there, nor markup. */
function expectNotEchoed(answer: RawAnswer, evil: string): void {
  const { text } = answer;
  for (const raw of [CANARY, '<script>alert', 'onerror=', 'evil.test', 'javascript:alert']) {
    expect([evil, raw, text.includes(raw)]).toEqual([evil, raw, false]);
  }
  expect(answer.headers.filter(([, value]) => /evil\.test|javascript:|a=b/.test(value))).toEqual([]);
}

describe('48 RelayState and state', () => {
  test('of a genuine response → an attempt’s name or nothing: refused, never a URL, never shown', async () => {
    const siege = await besieged();
    const browser = await away(siege, 'Corp');
    const { form } = siege.corp.answer(browser.left as URL, erin());
    await siege.untouched(async () => {
      for (const evil of EVIL) {
        form.set('RelayState', evil);
        const answer = await post(siege, '/saml/corp/acs', form, browser);
        expectRefusal(answer, 400);
        expectNotEchoed(answer, evil);
      }
      form.set('RelayState', 'x'.repeat(201));
      expectRefusal(await post(siege, '/saml/corp/acs', form, browser), 400);
      form.delete('RelayState');
      expectRefusal(await post(siege, '/saml/corp/acs', form, browser), 400);
    });
    // With the attempt's own it leads on, to a page of ours.
    form.set('RelayState', stateOf(browser));
    const honest = await post(siege, '/saml/corp/acs', form);
    expect(honest.header('location')).toMatch(/^\/sign-in\/federation\?code=[\w-]{43}$/);
  });

  test('of a callback → the same', async () => {
    const siege = await besieged();
    const browser = await away(siege, 'Acme');
    const back = await siege.askedBack(browser, siege.acme.person(SHARED));
    await siege.untouched(async () => {
      for (const evil of EVIL) {
        const bent = new URL(back);
        bent.searchParams.set('state', evil);
        const answer = await get(siege, pathOf(bent), browser);
        expectRefusal(answer, 400);
        expectNotEchoed(answer, evil);
      }
    });
    // Words of the provider's, for people, are not shown either. An attempt has only a few answers, so each has its own.
    for (const evil of EVIL) {
      const other = await away(siege, 'Acme');
      const answer = await siege.askedBack(other, siege.acme.person(SHARED));
      answer.searchParams.delete('code');
      for (const [name, value] of [
        ['error', 'access_denied'],
        ['error_description', evil],
        ['error_uri', evil],
      ] as const) {
        answer.searchParams.set(name, value);
      }
      await siege.untouched(async () => {
        const refused = await get(siege, pathOf(answer), other);
        expectRefusal(refused, 403);
        expectNotEchoed(refused, evil);
      });
    }
    await browser.open(back.href);
    expect(browser.path).toBe('/account');
  });

  test('of logout messages → an answer to the provider, or our own page; no other address', async () => {
    const siege = await besieged();
    const signOut = siege.corp.logoutRequest(`${siege.it.issuer}/saml/corp/slo`, erin());
    for (const evil of EVIL) {
      const query = new URLSearchParams({ SAMLResponse: 'x', RelayState: evil }).toString();
      for (const answer of [
        await get(siege, `/saml/corp/slo?${query}`),
        await post(siege, '/saml/corp/slo', { SAMLResponse: 'x', RelayState: evil }),
        await post(siege, '/saml/corp/slo', { SAMLRequest: 'x', RelayState: evil }),
        // What was signed had another RelayState.
        await get(siege, pathOf(new URL(signOut)).replace('RelayState=back', `RelayState=${encodeURIComponent(evil)}`)),
      ]) {
        expect([303, 400]).toContain(answer.status);
        expect(['/signed-out', undefined]).toContain(answer.header('location'));
        expectNotEchoed(answer, evil);
      }
    }
  });

  test('where a sign-in leads back to is a page of ours, whatever it was begun with', async () => {
    const siege = await besieged();
    for (const evil of EVIL) {
      const browser = siege.it.alice.anotherBrowser();
      await browser.open(`/sign-in?return_to=${encodeURIComponent(evil)}`);
      await browser.press('Continue with Acme');
      await browser.open((await siege.askedBack(browser, siege.acme.person(SHARED))).href);
      expect([evil, browser.left, browser.path]).toEqual([
        evil,
        undefined,
        evil === '/account/security' ? evil : '/account',
      ]);
    }
  });
});

describe('47 a SAML response', () => {
  type Bend = (form: URLSearchParams, others: { readonly corp: Browser; readonly acme: Browser }) => void;
  const altered =
    (from: string | RegExp, to: string): Bend =>
    (form) => {
      const xml = Buffer.from(form.get('SAMLResponse') ?? '', 'base64').toString();
      expect(xml).toMatch(from);
      form.set('SAMLResponse', Buffer.from(xml.replaceAll(new RegExp(from, 'g'), to)).toString('base64'));
    };
  const being =
    (response: string): Bend =>
    (form) =>
      form.set('SAMLResponse', response);
  const hostile: readonly (readonly [string, Bend])[] = [
    ['at another attempt', (form, { corp }) => form.set('RelayState', stateOf(corp))],
    ['at an attempt of another connection', (form, { acme }) => form.set('RelayState', stateOf(acme))],
    ['of another person', altered('employee-17', SHARED)],
    ['of another Issuer', altered(/https:\/\/idp\.example\.com\/metadata/, 'https://evil.test/metadata')],
    ['to another Recipient', altered(/Recipient="[^"]*"/, 'Recipient="https://evil.test/acs"')],
    ['for another Audience', altered(/<saml:Audience>[^<]*/, '<saml:Audience>https://evil.test')],
    ['for another Destination', altered(/Destination="[^"]*"/, 'Destination="https://evil.test/acs"')],
    ['of no success', altered('status:Success', 'status:Responder')],
    ['unsigned', altered(/<(ds:)?Signature [\s\S]*?<\/(ds:)?Signature>/, '')],
    ['with a DOCTYPE', altered(/^/, '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>')],
    ['that is no XML', being(Buffer.from(CANARY).toString('base64'))],
    ['that is no base64', being('<script>alert(1)</script>')],
    ['that is empty', being('')],
  ];
  test('altered, or to another question → refused, and nobody is in; and as it was made it is good, once', async () => {
    const siege = await besieged();
    const others = { corp: await away(siege, 'Corp'), acme: await away(siege, 'Acme') };
    for (const [name, bend] of hostile) {
      const browser = await away(siege, 'Corp');
      const { form } = siege.corp.answer(browser.left as URL, erin());
      const bent = new URLSearchParams(form);
      bend(bent, others);
      await siege.untouched(async () => {
        const answer = await post(siege, '/saml/corp/acs', bent, browser);
        expect([name, [400, 403].includes(answer.status)]).toEqual([name, true]);
        expectRefusal(answer, [400, 403]);
        expectNotEchoed(answer, name);
      });
      const honest = await post(siege, '/saml/corp/acs', form);
      expect([name, honest.status]).toEqual([name, 303]);
      await siege.untouched(async () => expectRefusal(await post(siege, '/saml/corp/acs', form, browser), 400));
      await browser.open(honest.header('location') ?? '');
      expect([name, browser.path]).toEqual([name, '/account']);
    }
    await siege.isOut(others.corp);
  });
});
