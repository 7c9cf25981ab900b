/** What the catalogues hold, and which of them is chosen for whom. */
import { describe, expect, test } from 'vitest';

import { parseEmail, parseUsername } from '../../src/accounts/identifiers.ts';
import { ENGLISH } from '../../src/authn/password-policy.ts';
import { chooseLocale, LOCALES } from '../../src/languages/choose.ts';
import { LANGUAGES } from '../../src/languages/languages.ts';
import { sentence, text } from '../../src/languages/text.ts';
import { describeDevice, describePlace } from '../../src/oidc/device.ts';
import { REASONS } from '../../src/revocation/sign-out.ts';
import { deviceWords, placeWords } from '../../src/web/device-words.ts';

const { en, de } = LANGUAGES;

type Leaf = readonly [path: string, value: unknown];

/** Every text of a catalogue, by its path. */
function leavesOf(value: unknown, path = ''): readonly Leaf[] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([name, each]) => leavesOf(each, path === '' ? name : `${path}.${name}`));
}

const PLACEHOLDERS = ['{0}', '{1}', '{2}', '{3}'];

/** A text in its words; one that is made of others' names, with placeholders for them. */
function wordsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'function') throw new Error(`not a text: ${String(value)}`);
  const made = (value as (...names: string[]) => unknown)(...PLACEHOLDERS);
  return typeof made === 'string' ? made : JSON.stringify(made);
}

describe.each(LOCALES.map((locale) => [locale, LANGUAGES[locale].texts] as const))(
  'the catalogue %s',
  (_locale, texts) => {
    const english = leavesOf(en.texts);
    const leaves = new Map(leavesOf(texts));

    test('has a text wherever English has one, and nowhere else', () => {
      expect([...leaves.keys()]).toEqual(english.map(([path]) => path));
    });

    test('leaves no text empty', () => {
      expect([...leaves].filter(([, value]) => wordsOf(value).trim() === '')).toEqual([]);
    });

    test('names what English names', () => {
      const named = (value: unknown) => PLACEHOLDERS.filter((placeholder) => wordsOf(value).includes(placeholder));
      const differing = english.filter(([path, value]) => String(named(value)) !== String(named(leaves.get(path))));
      expect(differing.map(([path]) => path)).toEqual([]);
    });
  },
);

describe('German', () => {
  const leaves = new Map(leavesOf(de.texts));

  test('is none of it English', () => {
    const same = leavesOf(en.texts).filter(
      ([path, value]) => wordsOf(value).split(' ').length > 2 && wordsOf(value) === wordsOf(leaves.get(path)),
    );
    expect(same.map(([path]) => path)).toEqual([]);
  });

  test('is formal', () => {
    expect([...leaves].filter(([, value]) => /\b(du|dir|dich|dein\w*)\b/i.test(wordsOf(value)))).toEqual([]);
  });
});

describe('English', () => {
  test('says of a password what the policy says', () => {
    const words = (of: object) => leavesOf(of).map(([path, value]) => [path, wordsOf(value)]);
    expect(words(en.texts.passwordProblems)).toEqual(words(ENGLISH));
  });

  test('says of a name or an address what the accounts say', () => {
    const refusals = [parseUsername(''), parseEmail('')];
    expect(refusals.map((refusal) => 'problem' in refusal && refusal.problem)).toEqual([
      en.texts.identifiers['bad-username'],
      en.texts.identifiers['bad-email'],
    ]);
  });

  test('gives the reasons that are kept with a sign-out', () => {
    expect(en.texts.receipt.reasons).toMatchObject(REASONS);
  });

  test.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '127.0.0.1'],
    ['AtticServer/4.2', '203.0.113.7'],
    ['Firefox/140.0', '::1'],
    ['', ''],
  ])('calls the device %j at %j what is kept of it', (userAgent, address) => {
    const traits = { userAgent, address };
    expect([deviceWords(traits, en.texts), placeWords(traits, en.texts)]).toEqual([
      describeDevice(traits),
      describePlace(traits),
    ]);
  });
});

test('an instant is written the way its language writes it, and for machines always the same', () => {
  const at = new Date('2026-11-03T21:04:07Z');
  expect(en.instant(at)).toEqual({ iso: '2026-11-03T21:04:07.000Z', text: '3 Nov 2026, 21:04:07 UTC' });
  expect(de.instant(at)).toEqual({ iso: '2026-11-03T21:04:07.000Z', text: '03.11.2026, 21:04:07 UTC' });
});

describe('the language is chosen', () => {
  test.each([
    ['what the app asks for before all else', { uiLocales: 'de', account: 'en', accepted: ['en'] }, 'de'],
    ['the first that is spoken here of those the app asks for', { uiLocales: 'fr-CA fr de-AT en' }, 'de'],
    ['what the account is kept in before what the browser accepts', { account: 'de', accepted: ['en'] }, 'de'],
    ['what the browser accepts', { account: null, accepted: ['fr', 'de', 'en'] }, 'de'],
    ['the browser, where the app asks for nothing that is spoken here', { uiLocales: 'fr', accepted: ['de'] }, 'de'],
    ['a region and a script of a language', { accepted: ['DE-Latn-CH'] }, 'de'],
    ['English, where nothing is known', {}, 'en'],
    ['English, where everything is welcome', { accepted: ['*'] }, 'en'],
    ['English, for whoever reads neither', { accepted: ['fr', 'ja'] }, 'en'],
  ] as const)('by %s', (_rule, known, locale) => expect(chooseLocale(known)).toBe(locale));

  test.each([
    ['names of an object’s own', '__proto__ constructor toString hasOwnProperty'],
    ['an empty text', ''],
    ['spaces', '   '],
    ['rubbish', '-- \u0000 de\u0000 "><script> ../../de %64%65 de;q=1'],
    ['one tag without an end', 'x'.repeat(100_000)],
    ['ten thousand tags', Array.from({ length: 10_000 }, (_, nth) => `x${nth}`).join(' ')],
    ['a list', ['de']],
    ['an object', { toString: () => 'de' }],
    ['a number', 7],
  ])('English, whatever is asked for: %s', (_what, uiLocales) => {
    expect(chooseLocale({ uiLocales })).toBe('en');
    if (typeof uiLocales === 'string') expect(chooseLocale({ account: uiLocales, accepted: [uiLocales] })).toBe('en');
  });

  test('without reading an endless list to its end', () => {
    const many = Array.from({ length: 10_000 }, (_, nth) => `x${nth}`);
    expect(chooseLocale({ uiLocales: [...many, 'de'].join(' '), accepted: [...many, 'de'] })).toBe('en');
  });
});

describe('a name within a sentence', () => {
  const [isolate, pop] = ['\u2068', '\u2069'];

  test('stands as it is where it runs the way of the sentence', () => {
    expect(text`Continue with ${'Acme & Söhne (日本)'}`).toBe('Continue with Acme & Söhne (日本)');
  });

  test.each(['עולם', 'سينما 3', 'Acme \u200f'])('is isolated where it runs the other way: %j', (name) => {
    expect(text`Sign out of ${name}!`).toBe(`Sign out of ${isolate}${name}${pop}!`);
  });

  test('cannot rearrange what follows it', () => {
    expect(text`Also sign out of ${'\u202eemcA\u2066'} now`).toBe('Also sign out of emcA now');
    expect(text`Also sign out of ${`א${pop}`} now`).toBe(`Also sign out of ${isolate}א${pop} now`);
  });

  test('is a part of its own where there is markup', () => {
    expect(sentence`${'Acme'} asks, and ${{ plain: 'Acme' }} waits.`).toEqual([
      { name: 'Acme' },
      ' asks, and ',
      'Acme',
      ' waits.',
    ]);
  });
});
