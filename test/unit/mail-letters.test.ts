import { describe, expect, test } from 'vitest';

import { layOutHtml, layOutText } from '../../src/mail/layout.ts';
import { chooseLocale, LOCALES } from '../../src/languages/choose.ts';
import { type Letter, writeLetter } from '../../src/mail/letter.ts';
import { linksOf, type Mail } from '../../src/mail/mails.ts';
import { everyMail } from '../support/mail-fixtures.ts';

const SITE = 'id.example.org';
const cases = everyMail.flatMap(([name, mail]) => LOCALES.map((locale) => [name, locale, mail] as const));
/** The letter as somebody reads it who sees no HTML, on one line. */
const plain = (letter: Letter): string => layOutText(letter).replaceAll(/\s+/g, ' ');

describe.each(cases)('%s in %s', (name, locale, mail) => {
  const letter = writeLetter(mail, { locale, site: SITE });

  test('says what happened, where, and when', () => {
    const text = plain(letter);
    expect(letter.subject).toMatch(/\S/);
    expect(letter.subject.length).toBeLessThanOrEqual(70);
    expect(text).toContain(letter.paragraphs[0]);
    expect(letter.paragraphs[0]).toContain(SITE);
    expect(text).toContain(locale === 'en' ? '4 May 2031 at 03:02 UTC' : '4. Mai 2031 um 03:02 UTC');
    expect(text).not.toMatch(/undefined|null|\[object|\$\{/);
    if (mail.address !== null) expect(text).toContain(mail.address);
    if (mail.device !== null) expect(text).toContain(mail.device);
  });

  test('offers what it is for, and "this was not me" where there is something to deny', () => {
    const withoutDenial = ['account-deleted', 'invite', 'password-reset-required', 'access-ended', 'account-locked'];
    expect(letter.notMe === null).toBe(withoutDenial.includes(mail.kind));
    expect(letter.action === null).toBe(!('link' in mail));
    for (const rendered of [layOutText(letter), layOutHtml(letter)]) {
      for (const link of linksOf(mail)) expect(rendered).toContain(link);
      if (letter.notMe !== null) {
        expect(rendered).toContain(locale === 'en' ? 'This was not me' : 'Das war ich nicht');
      }
    }
    if ('linkExpiresAt' in mail) expect(letter.action?.goodUntil).toContain('03:32 UTC');
    if ('revertExpiresAt' in mail) expect(letter.notMe?.text).toContain('11');
  });

  test('asks for no password, and says that nobody will', () => {
    expect(layOutHtml(letter)).not.toMatch(/<(form|input|button|textarea)/i);
    expect(letter.footer).toMatch(
      locale === 'en' ? /ever ask for your password by mail/ : /nach Ihrem Passwort fragen/,
    );
  });

  test('loads nothing, runs nothing, and links to nothing but what it was given', () => {
    const html = layOutHtml(letter);
    expect(html).not.toMatch(/<(script|img|link|iframe|object|svg|base|video|audio)\b|url\(|@import|\son\w+=|src=/i);
    const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href);
    expect(new Set(links)).toEqual(new Set(linksOf(mail)));
    expect(html).toContain(`<html lang="${locale}" dir="ltr">`);
  });

  test('says the same in text and in HTML', () => {
    const html = layOutHtml(letter);
    for (const part of [letter.subject, ...letter.paragraphs, letter.footer]) expect(unescaped(html)).toContain(part);
    expect(name).toMatch(/\S/);
  });
});

const unescaped = (html: string): string =>
  html
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

test('languages have every mail to themselves', () => {
  for (const [name, mail] of everyMail) {
    const letters = LOCALES.map((locale) => writeLetter(mail, { locale, site: SITE }));
    expect([name, new Set(letters.map(({ subject }) => subject)).size]).toEqual([name, LOCALES.length]);
    expect([name, new Set(letters.map(({ paragraphs }) => paragraphs.join())).size]).toEqual([name, LOCALES.length]);
  }
});

test.each([
  ['de', 'de'],
  ['de-AT', 'de'],
  ['DE_ch', 'de'],
  ['en-US', 'en'],
  ['fr', 'en'],
  ['den', 'en'],
  ['', 'en'],
  [null, 'en'],
])('somebody who reads %s is written to in %s', (wanted, locale) =>
  expect(chooseLocale({ account: wanted })).toBe(locale),
);

describe('what comes from elsewhere', () => {
  const EVIL = `<img src=x onerror=alert(1)>"'&\r\nBcc: eve@evil.test\n\n\u2028\u202Egpj`;
  const poisoned = (mail: Mail): Mail =>
    Object.fromEntries(
      Object.entries(mail).map(([name, value]) => {
        if (['kind', 'change'].includes(name) || /link$/i.test(name)) return [name, value];
        if (typeof value === 'string') return [name, EVIL];
        return [name, Array.isArray(value) ? [EVIL] : value];
      }),
    ) as Mail;

  test.each(everyMail)('stays text in %s, on its own line', (_name, mail) => {
    for (const locale of LOCALES) {
      const letter = writeLetter(poisoned(mail), { locale, site: SITE });
      const html = layOutHtml(letter);
      expect(html).not.toContain('<img');
      expect(html).not.toMatch(/alert\(1\)>/);
      const parts = [
        letter.subject,
        letter.footer,
        ...letter.paragraphs,
        ...letter.facts.flat(),
        letter.notMe?.text ?? '',
      ];
      for (const part of parts) expect(part).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
      expect(layOutText(letter)).not.toMatch(/^Bcc:/m);
    }
  });

  test('is bounded', () => {
    const [, mail] = everyMail[0] ?? [];
    if (mail === undefined) throw new Error('there are none');
    const letter = writeLetter({ ...mail, device: 'x'.repeat(1_000_000) }, { locale: 'en', site: SITE });
    expect(layOutHtml(letter).length).toBeLessThan(20_000);
  });
});
