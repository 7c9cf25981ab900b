// What is left after a death is looked at in haunted.ts.
// oxlint-disable vitest/expect-expect
/**
 * kill -9 at every write to the store of a provider's sign-out, at every step of telling Clients of it, and at every write
 * of a sign-in through a provider. A provider that was not answered says the same again.
 */
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';

import { Browser } from '../support/browser.ts';
import {
  answered,
  arrive,
  COMPANIES,
  type Company,
  comeThrough,
  type Delivery,
  type Employee,
  employer,
  type Employer,
} from '../support/employees.ts';
import { createPerson } from '../support/world.ts';
import {
  copyOf,
  expectAlive,
  expectDead,
  expectFewExtraPosts,
  expectTold,
  haunted,
  type Haunted,
  type Resident,
  type SignedIn,
} from './haunted.ts';

/** Steps of telling Clients, by which the sign-out itself is done. */
const TELLING = ['hold-fan-out', 'between-batches', 'half-batch', 'before-complete', 'before-outcome'] as const;

type Federated = { readonly house: Haunted; readonly at: Employer };

/** All lives are lived by one clock, the provider's: leases of the dead are waited for at the end. */
async function hauntedWith(company: Company): Promise<Federated> {
  const at = await employer(company);
  const house = await haunted({ secondsBetweenLives: 0, configuration: { connections: [at.connection] } });
  at.meet(house.issuer);
  await house.start();
  return { house, at };
}

/** Somebody of the company, signed in at two apps in one browser. */
async function residentOf({ house, at }: Federated): Promise<{ employee: Employee; resident: Resident }> {
  const employee = at.stranger();
  const browser = new Browser(house.issuer);
  const signedIn: SignedIn[] = [];
  for (const client of [house.player, house.theatre]) {
    const { url, verifier } = client.authorization();
    await browser.open(url);
    if (browser.left === undefined) await comeThrough(at.company, browser, employee);
    const { body } = await client.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
    const tokens = body as unknown as SignedIn['tokens'];
    signedIn.push({ client, tokens, sid: decodeJwt<{ sid?: string }>(tokens.id_token).sid });
  }
  const id = decodeJwt(signedIn[0]?.tokens.id_token ?? '').sub ?? '';
  const named = { username: employee.username, email: employee.email, password: '' };
  const person = createPerson({ issuer: house.issuer, id, ...named });
  return { employee, resident: { person, signedIn, browsers: [copyOf(browser)], since: [] } };
}

const statusOf = (tell: Delivery): Promise<number | 'cut'> =>
  tell().then(
    ({ status }) => status,
    () => 'cut' as const,
  );

const RACES = COMPANIES.flatMap((company) =>
  (['person', 'session'] as const).map((naming) => [company, naming] as const),
);

test.for(RACES)(
  'a sign-out at %s of the %s that dies at every step is neither lost nor half done',
  { timeout: 300_000 },
  async ([company, naming]) => {
    const it = await hauntedWith(company);
    const { house, at } = it;
    const residents: Resident[] = [];
    const leftBehind: boolean[] = [];

    /** Dies at this write, if so many are made; then it is told again. False when it was answered. */
    const dieAt = async (position: number, side: 'before' | 'after'): Promise<boolean> => {
      const { employee, resident } = await residentOf(it);
      residents.push(resident);
      const tell = await employee.leave(naming);
      await house.victim().ask('arm', { gate: null, write: { position, side } });
      const answer = await statusOf(tell);
      if (answer !== 'cut') {
        expect(answer).toBe(at.heard);
        await house.victim().ask('arm', { gate: null });
        await expectDead(house, resident);
        return false;
      }
      await house.death('hearing it');
      await house.start();
      const [first] = resident.signedIn;
      const { active } = await house.library.introspect(first?.tokens.refresh_token ?? '');
      leftBehind.push(active);
      await (active ? expectAlive : expectDead)(house, resident);
      // Refused as heard before only where it was carried out; where it was not, it is now.
      const again = await statusOf(tell);
      expect([at.heard, active ? at.heard : 400]).toContain(again);
      await expectDead(house, resident);
      return true;
    };
    let steps = 0;
    while (await dieAt(steps, 'before')) steps += 1;
    expect(await dieAt(steps - 1, 'after')).toBe(true);
    expect(steps).toBeGreaterThan(2);
    expect(new Set(leftBehind)).toEqual(new Set([true, false]));

    house.victim().kill();
    await house.death('at the end');
    await house.start({ afterLeases: true });
    await house.settle();
    for (const resident of residents) {
      expectTold(house, resident);
      await expectDead(house, resident);
    }
    expectToldOnceALife(house, residents);
    const killed = [...house.kills.values()].reduce((sum, count) => sum + count, 0);
    expect(killed).toBe(steps + 1 + 1);
  },
);

test.for(COMPANIES)(
  'a sign-out at %s loses nothing by a death while Clients are being told of it',
  { timeout: 300_000 },
  async (company) => {
    for (const gate of TELLING) {
      const it = await hauntedWith(company);
      const { house, at } = it;
      const { employee, resident } = await residentOf(it);
      const tell = await employee.leave('session');
      await house.victim().ask('arm', { gate });
      const answer = await statusOf(tell);
      if (gate === 'hold-fan-out') {
        expect(answer).toBe(at.heard);
        await house.victim().reached(gate);
        house.victim().kill();
      }
      await house.death(gate);
      await house.start({ afterLeases: true });
      await expectDead(house, resident);
      expect([at.heard, 400]).toContain(await statusOf(tell));
      await house.settle();
      expectTold(house, resident);
      await expectDead(house, resident);
      expectToldOnceALife(house, [resident]);
    }
  },
);

const PAGES = [
  ['Acme', 'an app'],
  ['Corp', 'our own pages'],
] as const;

test.for(PAGES)(
  'a first sign-in through %s at %s that dies at every step leaves nothing half done, and is begun again',
  { timeout: 300_000 },
  async ([company, where]) => {
    const it = await hauntedWith(company);
    const { house, at } = it;
    const { player } = house;
    const begin = async (browser: Browser, person: Employee) => {
      const { url, verifier } = player.authorization();
      const deliver = await answered(company, browser, person, where === 'an app' ? url : '/sign-in');
      const finish = async (): Promise<void> => {
        await arrive(browser, deliver);
        if (where === 'an app') await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
      };
      return { deliver, finish };
    };
    const dieAt = async (position: number): Promise<boolean> => {
      const person = at.stranger();
      const browser = new Browser(house.issuer);
      const { deliver, finish } = await begin(browser, person);
      await house.victim().ask('arm', { gate: null, write: { position, side: 'before' } });
      const cut = await finish().then(
        () => false,
        () => true,
      );
      await house
        .victim()
        .ask('arm', { gate: null })
        .catch(() => {});
      if (!cut) return false;
      await house.death('signing in');
      await house.start();
      await expectWholeAccounts(house);
      // Nobody is in but whose browser was told so, and then they are.
      await copyOf(browser).open('/account');
      expect((await deliver()).status).toBeLessThan(500);
      await expectComesIn(it, browser, person);
      await expectWholeAccounts(house);
      return true;
    };
    let steps = 0;
    while (await dieAt(steps)) steps += 1;
    expect(steps).toBeGreaterThan(where === 'an app' ? 10 : 6);
  },
);

/** Each has two apps, each app was told of it, and again only where a death came between. */
function expectToldOnceALife(house: Haunted, residents: readonly Resident[]): void {
  expect(expectFewExtraPosts(house).deliveries).toBe(2 * residents.length);
}

/** Every account has the one Identity it was made for, so its person is known the next time. */
async function expectWholeAccounts({ database }: Haunted): Promise<void> {
  const store = await database.open();
  try {
    const accounts = await store.accounts.list({ limit: 500 });
    const identities = await Promise.all(accounts.map(({ id }) => store.accounts.identitiesOf(id)));
    expect(identities.map(({ length }) => length)).toEqual(accounts.map(() => 1));
    expect(new Set(identities.flat().map(({ subject }) => subject)).size).toBe(accounts.length);
  } finally {
    await store.close();
  }
}

/** Begun again in the same browser, it gives an app what works. */
async function expectComesIn({ house, at }: Federated, browser: Browser, person: Employee): Promise<void> {
  const { player } = house;
  const { url, verifier } = player.authorization();
  await browser.open(url);
  if (browser.left === undefined) await comeThrough(at.company, browser, person);
  const { status, body } = await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier);
  expect(status, `${browser.page.status} ${browser.heading}`).toBe(200);
  expect(await player.refresh(body as never)).toHaveProperty('access_token');
}
