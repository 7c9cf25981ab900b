/** Many at once with one and the same word of a provider: exactly one is served. */
import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { answered, COMPANIES } from '../support/employees.ts';
import { employee, expectWelcomeBack, federatedHouse } from './federated.ts';

const times = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

test.for(COMPANIES)('five deliveries of one answer of %s: one is taken, and it signs in', async (company) => {
  const at = await federatedHouse(company);
  for (const _ of times(5)) {
    const person = await employee(at);
    const browser = at.house.alice.anotherBrowser();
    const deliver = await answered(at.company, browser, person, '/sign-in');
    const met = await Promise.all(times(5).map(deliver));
    const taken = met.filter(({ status }) => status === 303);
    expect(met.map(({ status }) => status).toSorted()).toEqual([303, 400, 400, 400, 400]);
    await browser.open(String(taken[0]?.headers.get('location')));
    expect(browser.path).toBe('/account');
    expect((await deliver()).status).toBe(400);
  }
});

test.for(COMPANIES)('fifty redemptions of one code that an answer of %s gave: one signs in', async (company) => {
  const at = await federatedHouse(company);
  const { player, alice } = at.house;
  const person = await employee(at);
  for (const page of ['/sign-in', player.authorization().url]) {
    const browser = alice.anotherBrowser();
    const deliver = await answered(at.company, browser, person, page);
    const continueAt = new URL(String((await deliver()).headers.get('location')), at.house.issuer);
    const met = await Promise.all(times(50).map(() => visit(browser, continueAt)));
    expect(met.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(met.filter(({ status }) => status === 400)).toHaveLength(49);
    for (const lost of met.filter(({ status }) => status === 400)) {
      expect(lost.headers.getSetCookie().filter((cookie) => cookie.includes('session'))).toEqual([]);
    }
  }
  await expectWelcomeBack(at, person);
});

/** One more request of this browser, which does not wait for the others and follows nothing. */
function visit(browser: Browser, url: URL): Promise<Response> {
  return fetch(url, { redirect: 'manual', headers: { cookie: browser.cookieHeader(url) } });
}
