// A race has two right outcomes, and what they share is looked at in race.ts, federated.ts and gates.ts.
// oxlint-disable vitest/expect-expect
/**
 * What a provider's answer makes that lasts, against sign-outs: the account of somebody who comes for the first time, and a
 * new way into an account that is there. An account without a sign-in harms nobody; a way in that was added
 * behind the back of a sign-out would.
 */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Answer } from '../support/client.ts';
import {
  answered,
  arrive,
  COMPANIES,
  type Company,
  comeThrough,
  type Delivery,
  type Employee,
  goOn,
} from '../support/employees.ts';
import { atEveryStep } from '../support/gates.ts';
import type { Person } from '../support/world.ts';
import {
  accountOf,
  endFederated,
  expectNobody,
  expectWelcomeBack,
  type FederatedHouse,
  federatedHouse,
} from './federated.ts';
import { end, expectRefused, expectSignedOut, expectWelcome, redeem, somebody } from './race.ts';

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 300_000 });

type Begun = { readonly person: Employee; readonly browser: Browser; readonly deliver: Delivery };

/** Everybody here but Alice and Bob came through the company: each has one account, and each account one way in. */
async function expectOneAccountEach({ house }: FederatedHouse, people: readonly Employee[]): Promise<void> {
  const accounts = await house.core.accounts.list({ limit: 500 });
  const federated = accounts.filter(({ passwordChangedAt }) => passwordChangedAt === null);
  expect(federated.map(({ username }) => username).toSorted()).toEqual(
    people.map(({ username }) => username).toSorted(),
  );
  for (const { id } of federated) expect(await house.core.connections.identities.list(id)).toHaveLength(1);
}

const FIRST = COMPANIES.flatMap((company) =>
  (['connection', 'everyone', 'identity', 'account'] as const).map((end) => [company, end] as const),
);

test.for(FIRST)('a first sign-in through %s against a sign-out of %s', async ([company, how]) => {
  const at = await federatedHouse(company);
  const { player, alice } = at.house;
  const people: Employee[] = [];
  const ended: boolean[] = [];
  const steps = await atEveryStep<Begun & { verifier: string }, Answer | undefined>(at.gates, {
    async prepare() {
      const person = at.stranger();
      people.push(person);
      const browser = alice.anotherBrowser();
      const { url, verifier } = player.authorization();
      return { person, browser, verifier, deliver: await answered(at.company, browser, person, url) };
    },
    async request({ browser, deliver, verifier }) {
      expect(await arrive(browser, deliver)).toBeLessThan(500);
      return redeem(player, browser, verifier);
    },
    async meanwhile({ person }) {
      // There is no signing out an account that is not there yet.
      const there = how !== 'account' || (await at.house.core.accounts.resolve(person.username)) !== null;
      ended.push(there);
      if (there) await endFederated(at, how, person);
    },
    async afterwards({ person, browser }, answer, { held, last }) {
      expect(browser.page.status).toBeLessThan(500);
      if (ended.at(-1) === true) {
        if (answer !== undefined) await expectRefused(player, answer, { late: held === undefined || last });
        await expectSignedOut(browser, player);
        await expectNobody(browser);
      } else expect(answer?.status).toBe(200);
      await expectWelcomeBack(at, person);
    },
  });
  expect(steps).toBeGreaterThan(25);
  expect(ended).toContain(true);
  await expectOneAccountEach(at, people);
});

type Linking = { readonly owner: Person; readonly browser: Browser; readonly at: Employee; readonly deliver: Delivery };

async function linking(at: FederatedHouse): Promise<Linking> {
  const owner = await somebody(at.house);
  const browser = await owner.signIn();
  await browser.open('/account/security');
  await browser.press(`Link ${at.company}`);
  const person = at.stranger();
  return { owner, browser, at: person, deliver: await person.answer(browser.left as URL) };
}

/** How many ways in the account had when the sign-out came: afterwards it has as many. */
async function linksOf({ house }: FederatedHouse, { id }: Person): Promise<number> {
  return (await house.core.connections.identities.list(id)).length;
}

test.for(COMPANIES.flatMap((company) => (['account', 'everyone'] as const).map((scope) => [company, scope] as const)))(
  'linking %s against a sign-out of scope %s: no way in is added behind its back',
  async ([company, scope]) => {
    const at = await federatedHouse(company);
    const { player } = at.house;
    const before: number[] = [];
    const steps = await atEveryStep<Linking, number>(at.gates, {
      prepare: () => linking(at),
      request: ({ browser, deliver }) => arrive(browser, deliver),
      async meanwhile({ owner }) {
        await end(at.house, scope, owner, player);
        before.push(await linksOf(at, owner));
      },
      async afterwards({ owner, browser, at: person }, met) {
        expect(Math.max(met, browser.page.status)).toBeLessThan(500);
        // Asked for a newer proof, the company gives one: of who they are there, and not of whose account this is.
        at.house.advance(1);
        await goOn(browser, person);
        await goOn(browser, person);
        const links = await linksOf(at, owner);
        // One written in the moment before everyone's sign-out may be taken back, and none is added.
        expect(scope === 'account' ? links : Math.max(links, before.at(-1) ?? 0)).toBe(before.at(-1));
        await expectSignedOut(browser, player);
        await expectNobody(browser);
        if (links === 0) await expectStranger(at, owner, person);
        await expectWelcome(player, owner);
      },
    });
    expect(steps).toBeGreaterThan(15);
    expect(new Set(before)).toEqual(new Set([0, 1]));
  },
);

test.for(COMPANIES)('proving an account to link %s to it against a sign-out of that account', async (company) => {
  const at = await federatedHouse(company);
  const { player } = at.house;
  const before: number[] = [];
  const steps = await atEveryStep<Omit<Linking, 'deliver'>, unknown>(at.gates, {
    async prepare() {
      const owner = await somebody(at.house);
      const person = at.stranger(owner.email);
      const browser = owner.browser();
      await browser.open('/sign-in');
      await comeThrough(at.company, browser, person);
      expect(browser.heading).toBe(`Sign in to link ${company}`);
      return { owner, browser, at: person };
    },
    request: ({ owner, browser }) => browser.press('Sign in', { username: owner.username, password: owner.password }),
    async meanwhile({ owner }) {
      await end(at.house, 'account', owner, player);
      before.push(await linksOf(at, owner));
    },
    async afterwards({ owner, browser }) {
      expect(browser.page.status).toBeLessThan(500);
      const signedIn = await isSignedIn(browser);
      // Either the password was looked at after the sign-out, and all of it is new; or none of it is.
      expect(await linksOf(at, owner)).toBe(signedIn ? 1 : before.at(-1));
      if (!signedIn) await expectSignedOut(browser, player);
      await expectWelcome(player, owner);
    },
  });
  expect(steps).toBeGreaterThan(15);
  expect(new Set(before)).toEqual(new Set([0, 1]));
});

/** The company's person comes in as somebody else than this owner. */
async function expectStranger(at: FederatedHouse, owner: Person, person: Employee): Promise<void> {
  await expectWelcomeBack(at, person);
  expect(await accountOf(at, person)).not.toBe(owner.id);
}

async function isSignedIn(browser: Browser): Promise<boolean> {
  await browser.open('/account');
  return browser.path === '/account';
}

const together = async (company: Company) => {
  const at = await federatedHouse(company);
  const begin = async (person: Employee): Promise<Begun> => {
    const browser = at.house.alice.anotherBrowser();
    return { person, browser, deliver: await answered(at.company, browser, person, '/sign-in', 'elsewhere') };
  };
  return { at, begin };
};

test.for(COMPANIES)(
  'two first sign-ins of one person through %s at once make one account, and both are in',
  async (company) => {
    const { at, begin } = await together(company);
    const people: Employee[] = [];
    const steps = await atEveryStep<{ here: Begun; there: Begun }, number>(at.gates, {
      async prepare() {
        const person = at.stranger();
        people.push(person);
        return { here: await begin(person), there: await begin(person) };
      },
      request: ({ here }) => arrive(here.browser, here.deliver),
      meanwhile: ({ there }) => arrive(there.browser, there.deliver),
      async afterwards({ here, there }) {
        for (const { browser } of [here, there]) {
          expect(`${browser.page.status} ${browser.heading} ${browser.path}`).toMatch(/^200 .* \/account$/);
          expect(await isSignedIn(browser)).toBe(true);
        }
      },
    });
    expect(steps).toBeGreaterThan(15);
    await expectOneAccountEach(at, people);
  },
);

test.for(COMPANIES)('ten first sign-ins of one person through %s at once make one account', async (company) => {
  const { at, begin } = await together(company);
  const person = at.stranger();
  const tabs: Begun[] = [];
  for (let tab = 0; tab < 10; tab++) tabs.push(await begin(person));
  await Promise.all(tabs.map(({ browser, deliver }) => arrive(browser, deliver)));
  expect(tabs.map(({ browser }) => `${browser.path} ${browser.heading}`)).toEqual(
    tabs.map(() => expect.stringMatching(/^\/account /)),
  );
  await expectOneAccountEach(at, [person]);
});
