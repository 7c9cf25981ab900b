// A race has two right outcomes, and what they share is looked at in race.ts, federated.ts and gates.ts.
// oxlint-disable vitest/expect-expect
/**
 * Signing in through a provider against sign-outs, from the moment at which the provider has answered: whatever ended, here
 * or there, and wherever the request was, nothing of that sign-in works. There is no fresh one in it, because what
 * the person proved, they proved before.
 */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Answer } from '../support/client.ts';
import { answered, arrive, COMPANIES, type Delivery, type Employee } from '../support/employees.ts';
import { atEveryStep } from '../support/gates.ts';
import { employee, endFederated, ENDS, expectNobody, expectWelcomeBack, federatedHouse } from './federated.ts';
import { expectRefused, expectSignedOut, redeem } from './race.ts';

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 300_000 });

type Begun = { readonly person: Employee; readonly browser: Browser; readonly deliver: Delivery };

const RACES = COMPANIES.flatMap((company) => ENDS.map((end) => [company, end] as const));

test.for(RACES)('a sign-in at an app through %s against a sign-out of %s', async ([company, end]) => {
  const at = await federatedHouse(company);
  const { player, alice } = at.house;
  const steps = await atEveryStep<Begun & { verifier: string }, Answer | undefined>(at.gates, {
    async prepare() {
      const person = await employee(at);
      const browser = alice.anotherBrowser();
      const { url, verifier } = player.authorization();
      return { person, browser, verifier, deliver: await answered(at.company, browser, person, url) };
    },
    async request({ browser, deliver, verifier }) {
      expect(await arrive(browser, deliver)).toBeLessThan(500);
      return redeem(player, browser, verifier);
    },
    meanwhile: ({ person }) => endFederated(at, end, person),
    async afterwards({ person, browser, deliver }, answer, { held, last }) {
      expect(browser.page.status).toBeLessThan(500);
      if (answer !== undefined) await expectRefused(player, answer, { late: held === undefined || last });
      await expectSignedOut(browser, player);
      await expectNobody(browser);
      // Whoever still has the answer has nothing.
      expect((await deliver()).status).toBe(400);
      await expectWelcomeBack(at, person);
    },
  });
  expect(steps).toBeGreaterThan(25);
});

test.for(RACES)('a sign-in at our own pages through %s against a sign-out of %s', async ([company, end]) => {
  const at = await federatedHouse(company);
  const { player, alice } = at.house;
  const steps = await atEveryStep<Begun, number>(at.gates, {
    async prepare() {
      const person = await employee(at);
      const browser = alice.anotherBrowser();
      return { person, browser, deliver: await answered(at.company, browser, person, '/sign-in') };
    },
    request: ({ browser, deliver }) => arrive(browser, deliver),
    meanwhile: ({ person }) => endFederated(at, end, person),
    async afterwards({ person, browser, deliver }, met) {
      expect(Math.max(met, browser.page.status)).toBeLessThan(500);
      await expectNobody(browser);
      await expectSignedOut(browser, player);
      expect((await deliver()).status).toBe(400);
      await expectWelcomeBack(at, person);
    },
  });
  expect(steps).toBeGreaterThan(15);
});

test.for(COMPANIES)('a sign-in through %s that is held anywhere while nothing ends goes through', async (company) => {
  const at = await federatedHouse(company);
  const { player, alice } = at.house;
  await atEveryStep<Begun & { verifier: string }, Answer | undefined>(at.gates, {
    async prepare() {
      const person = await employee(at);
      const browser = alice.anotherBrowser();
      const { url, verifier } = player.authorization();
      return { person, browser, verifier, deliver: await answered(at.company, browser, person, url) };
    },
    async request({ browser, deliver, verifier }) {
      await arrive(browser, deliver);
      return redeem(player, browser, verifier);
    },
    meanwhile: async () => {},
    async afterwards({ browser }, answer) {
      expect(answer?.status).toBe(200);
      expect(await player.refresh(answer?.body as never)).toHaveProperty('access_token');
      await browser.open('/account');
      expect(browser.path).toBe('/account');
    },
  });
});
