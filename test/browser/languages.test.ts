/**
 * Pages in languages whose words are longer, or run the other way: every state of every page, on a phone. Names put into them
 * stay in one piece and where they belong.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';

import { type Language, LANGUAGES } from '../../src/languages/languages.ts';
import { createViews, type ViewModels } from '../../src/web/views.ts';
import { RIGHT_TO_LEFT } from '../support/right-to-left.ts';
import { everyFixture, type FixtureCase, fixtures } from '../support/view-fixtures.ts';
import { useChromium } from './chromium.ts';
import { axeObjections, overflow } from './inspect.ts';

vi.setConfig({ testTimeout: 180_000 });

const directory = fileURLToPath(new URL('../../views', import.meta.url));
const views = createViews({ directory, cache: true });
const chromium = useChromium();
const ORIGIN = 'http://pages.test';

const PAGES = everyFixture().filter(({ page }) => page !== 'receipt-body');
/** An app whose name turns whatever follows it around, unless it is kept apart (UAX #9, U+202E). */
const otherWay: FixtureCase = {
  page: 'consent',
  state: 'other-way',
  model: { ...fixtures.consent['bare'], client: { name: '\u202eemaniC' } } as ViewModels['consent'],
};

/** A phone that is served pages in this language, and the style sheet; their scripts are empty, so that each stays as it is. */
async function openPhone(language: Language): Promise<Page> {
  const cases: FixtureCase[] = [...PAGES, otherWay];
  const page = await (await chromium.open('phone')).newPage();
  await page.route('**/*', async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === '/assets/curfew.css') {
      return route.fulfill({ contentType: 'text/css', body: await readFile(`${directory}${pathname}`, 'utf8') });
    }
    const shown = cases.find(({ page: name, state }) => pathname === `/${name}/${state}`);
    if (shown === undefined) return route.fulfill({ contentType: 'text/javascript', body: '' });
    const body = await views.render(shown.page, shown.model, language);
    return route.fulfill({ contentType: 'text/html; charset=utf-8', body });
  });
  return page;
}

test.each([
  ['German', LANGUAGES.de],
  ['a language that runs from right to left', RIGHT_TO_LEFT],
])('every page in %s fits a phone, and axe objects to nothing', async (_name, language) => {
  const phone = await openPhone(language);
  const faults: string[] = [];
  for (const { page, state } of PAGES) {
    await phone.goto(`${ORIGIN}/${page}/${state}`);
    await phone.evaluate(SHOWN);
    const found = [
      ...(await overflow(phone)),
      ...(await axeObjections(phone)),
      ...(await phone.evaluate<string[]>(CUT)),
    ];
    faults.push(...found.map((fault) => `${page} (${state}): ${fault}`));
  }
  expect(faults).toEqual([]);
});

test('a page that runs from right to left begins at the right, and what stands beside its text does as well', async () => {
  const phone = await openPhone(RIGHT_TO_LEFT);
  await phone.goto(`${ORIGIN}/consent/full`);
  // The tick of each line stands before it: to its right.
  expect(await phone.evaluate(SIDES)).toEqual({ direction: 'rtl', tickBefore: true, labelAtTheRight: true });
});

test('an address keeps its order on a page that runs from right to left', async () => {
  const phone = await openPhone(RIGHT_TO_LEFT);
  await phone.goto(`${ORIGIN}/devices/some`);
  expect(await phone.evaluate(ADDRESS)).toEqual({ ordered: true, atTheRight: true });
});

test('a name that runs the other way takes nothing of the sentence with it', async () => {
  const phone = await openPhone(LANGUAGES.en);
  await phone.goto(`${ORIGIN}/consent/other-way`);
  const { name, mark } = await phone.evaluate<{ name: number; mark: number }>(QUESTION);
  expect(mark).toBeGreaterThanOrEqual(name);
});

/** Evaluated in pages, where this project's types do not reach: passkey forms stand where script shows them. */
const SHOWN = `for (const form of document.querySelectorAll('form[data-passkey]')) form.hidden = false`;

/** Words cut off within what can be pressed. */
const CUT = `[...document.querySelectorAll('button, .button, .tag, h1, h2, tbody th, dt')]
  .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1)
  .filter((element) => getComputedStyle(element).display !== 'inline')
  .map((element) => 'cut off: ' + element.textContent.trim())`;

const SIDES = `(() => {
  const line = document.querySelector('.scopes li');
  const style = getComputedStyle(line);
  return {
    direction: getComputedStyle(document.body).direction,
    tickBefore: parseFloat(style.paddingRight) > parseFloat(style.paddingLeft),
    labelAtTheRight: getComputedStyle(document.querySelector('h2')).direction === 'rtl',
  };
})()`;

/** An address of numbers and letters: whether its first part is left of the one that follows, and where its line begins. */
const ADDRESS = `(() => {
  const value = [...document.querySelectorAll('.device-facts dd')].find((each) => each.textContent.startsWith('2001:db8'));
  const [number, letters] = [[0, 4], [5, 8]].map(([from, to]) => {
    const range = document.createRange();
    range.setStart(value.firstChild, from);
    range.setEnd(value.firstChild, to);
    return range.getBoundingClientRect();
  });
  const short = [...document.querySelectorAll('.device-facts dd')].find((each) => each.textContent === '203.0.113.7');
  const line = document.createRange();
  line.selectNodeContents(short);
  return {
    ordered: number.right <= letters.left,
    atTheRight: Math.abs(line.getBoundingClientRect().right - short.getBoundingClientRect().right) < 1,
  };
})()`;

/** Where the name in the heading ends, and where the question mark after it stands. */
const QUESTION = `(() => {
  const heading = document.querySelector('h1');
  const name = heading.querySelector('.name').getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(heading.lastChild);
  return { name: name.right, mark: range.getBoundingClientRect().left + 1 };
})()`;
