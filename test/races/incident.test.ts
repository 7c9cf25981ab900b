// What every way through a race has in common is looked at in `expectContained`.
// oxlint-disable vitest/expect-expect
/**
 * An incident against people who are at it in the same moment: with a password that is about to be worthless, at a change of
 * it, at the end of a mailed link. Whatever began before gets nobody in afterwards, and neither does a password chosen there;
 * whoever is held, the person at each of their store calls or the incident at each of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test, vi } from 'vitest';

import { newIncidentId } from '../../src/compose.ts';
import type { Browser } from '../support/browser.ts';
import { atEveryStep, createGates, type Gates } from '../support/gates.ts';
import { type Person, type World, world } from '../support/world.ts';
import { expectRefused, expectSignedOut, expectWelcome, redeem, somebody } from './race.ts';

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 180_000 });

const CHOSEN = 'seven lighthouses in the fog';

type Held = { readonly house: World; readonly people: Gates; readonly incidents: Gates };
const working = new AsyncLocalStorage<true>();

/** Two sets of gates: for what people ask for, and for what an incident does. */
async function gated(): Promise<Held> {
  const people = createGates();
  const incidents = createGates(() => working.getStore() === true);
  const house = await world({
    fakeTime: true,
    seams: { wrapStore: (store) => people.wrapStore(incidents.wrapStore(store)) },
  });
  return { house, people, incidents };
}

const COHORTS = ['everyone', 'a list'] as const;
type Cohort = (typeof COHORTS)[number];

/** `curfew incident open … --require-password-reset`, from its record to its end. */
function contain({ core }: World, cohort: Cohort, { id }: Person): Promise<void> {
  return working.run(true, async () => {
    const opened = await core.incidents.begin(
      {
        id: newIncidentId(),
        openedAt: core.clock.now(),
        reason: 'a database was lost',
        meant: { conditions: {}, listed: cohort === 'everyone' ? null : [id] },
        actions: {
          requirePasswordReset: true,
          disable: false,
          notify: false,
          rotateSigningKeys: false,
          rotateSealingKeys: false,
          clientSecretsFile: null,
        },
        pace: { accountsPerSecond: null, mailsPerMinute: null },
      },
      () => undefined,
    );
    const { signal } = new AbortController();
    const { outcome, incident } = await core.incidents.carryOn(opened, { signal, report: () => undefined });
    expect([outcome, incident.check?.missed]).toEqual(['done', 0]);
  });
}

/** Somebody with a page before them, and what they are about to press there. */
type Begun = { readonly person: Person; readonly browser: Browser; readonly verifier: string };
type Act = {
  readonly what: string;
  readonly begin: (house: World, person: Person) => Promise<Begun>;
  readonly press: (begun: Begun) => Promise<unknown>;
};

const ACTS: readonly Act[] = [
  {
    what: 'a sign-in with the old password',
    async begin({ player }, person) {
      const browser = person.browser();
      const { url, verifier } = player.authorization();
      await browser.open(url);
      return { person, browser, verifier };
    },
    press: ({ person, browser }) => browser.press('Sign in', { username: person.username, password: person.password }),
  },
  ...([true, false] as const).map((spares): Act => ({
    what: `a change of password that ${spares ? 'signs nobody out' : 'signs out everywhere'}`,
    async begin(_house, person) {
      const browser = await person.signIn();
      await browser.open('/account/security');
      return { person, browser, verifier: '' };
    },
    press: ({ person, browser }) =>
      browser.press('Change password', {
        currentPassword: person.password,
        password: CHOSEN,
        ...(spares ? { signOutDevices: undefined } : {}),
      }),
  })),
  {
    what: 'a mailed link',
    async begin(house, person) {
      const browser = person.browser();
      await browser.open(await resetLink(house, person));
      return { person, browser, verifier: '' };
    },
    press: ({ browser }) => browser.press('Change password', { password: CHOSEN, signOutDevices: undefined }),
  },
];

/** A link as it is mailed to whoever has forgotten their password, and with an incident. */
async function resetLink({ core }: World, { id: accountId, email }: Person): Promise<string> {
  const passwordChangedAt = (await core.accounts.find(accountId))?.passwordChangedAt?.toISOString() ?? null;
  const link = await core.links.mint({ accountId, purpose: { kind: 'reset-password', email, passwordChangedAt } });
  return `/reset/confirm?link=${link}`;
}

const prepare = async (house: World, { begin }: Act): Promise<Begun> => {
  // Nobody's password is as old as the incident before.
  house.advance(5);
  return begin(house, await somebody(house));
};

/** Nothing of before opens anything, and there is a way back in. */
async function expectContained(house: World, { person, browser, verifier }: Begun): Promise<void> {
  const { player, core } = house;
  expect(browser.page.status).toBeLessThan(500);
  const answer = await redeem(player, browser, verifier);
  if (answer !== undefined) await expectRefused(player, answer, { late: false });
  await expectSignedOut(browser, player);
  house.advance(2);
  for (const password of [person.password, CHOSEN]) {
    const outcome = await core.signIn.verifyPassword({
      identifier: person.username,
      password,
      address: '192.0.2.1',
      knownDevice: `test ${password}`,
      noteEpoch: async () => {},
    });
    expect(outcome, `with ${password === CHOSEN ? 'the chosen' : 'the old'} password`).toHaveProperty('refused');
  }
  const afterwards = { ...person, password: 'a third password, of afterwards' };
  const back = person.anotherBrowser();
  await back.open(await resetLink(house, person));
  await back.press('Change password', { password: afterwards.password });
  await expectWelcome(player, afterwards);
}

const RACES = COHORTS.flatMap((cohort) => ACTS.map((act) => ({ ...act, cohort })));

test.for(RACES)('$what, held at every step, against an incident of $cohort', async ({ cohort, ...act }) => {
  const { house, people } = await gated();
  const steps = await atEveryStep<Begun, unknown>(people, {
    prepare: () => prepare(house, act),
    request: act.press,
    meanwhile: ({ person }) => contain(house, cohort, person),
    afterwards: (begun) => expectContained(house, begun),
  });
  expect(steps).toBeGreaterThan(5);
});

test.for(RACES)('an incident of $cohort, held at every step, against $what', async ({ cohort, ...act }) => {
  const { house, incidents } = await gated();
  const steps = await atEveryStep<Begun, unknown>(incidents, {
    prepare: () => prepare(house, act),
    request: ({ person }) => contain(house, cohort, person),
    async meanwhile(begun) {
      // Later than whatever instant the incident has taken down by now.
      house.advance(1);
      await act.press(begun);
    },
    afterwards: (begun) => expectContained(house, begun),
  });
  expect(steps).toBeGreaterThan(5);
});

const CHOICES = RACES.filter(({ what }) => !what.startsWith('a sign-in'));

test.for(CHOICES)('both held, $what and an incident of $cohort', async ({ cohort, ...act }) => {
  const { house, people, incidents } = await gated();
  const begun = await prepare(house, act);
  // It has taken down its instant and written nothing; they are proven after that instant, and write when all is done.
  const writes = cohort === 'everyone' ? 'catalogue.changeFact' : 'cohorts.contain';
  const its = incidents.set(({ method }) => method === writes);
  const contained = contain(house, cohort, begun.person);
  await its.reached;
  house.advance(1);
  const theirs = people.set(({ method }) => method === 'accounts.setPassword');
  const pressed = act.press(begun);
  await theirs.reached;
  its.open();
  await contained;
  theirs.open();
  await pressed;
  await expectContained(house, begun);
});

test('an incident of everyone after one by a clock that is ahead lets in no password that was chosen between the two', async () => {
  const { house } = await gated();
  const person = await somebody(house);
  const { catalogue } = house.core.store;
  const ahead = new Date(house.core.clock.now().getTime() + 3_600_000).toISOString();
  expect(await catalogue.changeFact({ fact: 'passwords-demanded-at', from: null, to: ahead })).toBe(true);
  const browser = person.anotherBrowser();
  await browser.open(await resetLink(house, person));
  await browser.press('Change password', { password: CHOSEN });
  const chosen = { ...person, password: CHOSEN };
  await expectWelcome(house.player, chosen);
  house.advance(60);
  await contain(house, 'everyone', chosen);
  await expectContained(house, { person, browser, verifier: '' });
});

test('an incident of everyone lets in no password that a machine whose clock is ahead put before it', async () => {
  const { house } = await gated();
  const person = await somebody(house);
  const browser = await person.signIn();
  await browser.open('/account/security');
  await browser.press('Change password', { currentPassword: person.password, password: CHOSEN });
  const { accounts } = house.core.store;
  const hash = (await accounts.find(person.id))?.password?.hash ?? '';
  const ahead = new Date(house.core.clock.now().getTime() + 300_000);
  expect(await accounts.setPassword({ accountId: person.id, hash, changedAt: ahead })).toBe('set');
  await contain(house, 'everyone', person);
  await expectContained(house, { person, browser, verifier: '' });
});

test.for(ACTS.filter(({ what }) => !what.startsWith('a sign-in')))(
  '$what that was decided before an incident of everyone is not written after it, whatever its clock says',
  async (act) => {
    const { house, people } = await gated();
    const begun = await prepare(house, act);
    const { accounts } = house.core.store;
    const before = (await accounts.find(begun.person.id))?.password?.hash;
    const theirs = people.set(({ method }) => method === 'accounts.setPassword');
    const pressed = act.press(begun);
    await theirs.reached;
    await contain(house, 'everyone', begun.person);
    theirs.open();
    await pressed;
    expect((await accounts.find(begun.person.id))?.password?.hash).toBe(before);
    await expectContained(house, begun);
  },
);
