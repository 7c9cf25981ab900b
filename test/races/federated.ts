/** What races of federated people share: a house with gates and one company, and every way in which access ends there. */
import { expect } from 'vitest';

import type { SignOutScope } from '../../src/store/records.ts';
import type { Browser } from '../support/browser.ts';
import { type Company, comeThrough, type Employee, employer, type Employer } from '../support/employees.ts';
import { createGates, type Gates } from '../support/gates.ts';
import { type World, world } from '../support/world.ts';
import { redeem } from './race.ts';

export type FederatedHouse = Pick<Employer, 'company' | 'stranger' | 'heard'> & {
  readonly house: World;
  readonly gates: Gates;
  readonly connectionId: string;
};

/** Ways for a federated person's access to end: three from here, and two from where they come. */
export const ENDS = ['account', 'connection', 'everyone', 'identity', 'upstream'] as const;
export type End = (typeof ENDS)[number];

export async function federatedHouse(company: Company): Promise<FederatedHouse> {
  const gates = createGates();
  const { connection, meet, ...at } = await employer(company);
  const house = await world({
    fakeTime: true,
    seams: { wrapStore: gates.wrapStore },
    configuration: { connections: [connection] },
  });
  meet(house.issuer);
  return { ...at, house, gates, connectionId: connection.id };
}

/** Somebody who has come through the company before, and has nothing left open here. */
export async function employee(at: FederatedHouse): Promise<Employee> {
  const person = at.stranger();
  const browser = at.house.alice.anotherBrowser();
  await browser.open('/sign-in');
  await comeThrough(at.company, browser, person);
  expect(browser.path).toBe('/account');
  return person;
}

export async function accountOf({ house }: FederatedHouse, { username }: Pick<Employee, 'username'>): Promise<string> {
  const account = await house.core.accounts.resolve(username);
  if (account === null) throw new Error(`${username} has no account`);
  return account.id;
}

export async function endFederated(at: FederatedHouse, end: End, person: Employee): Promise<void> {
  const signOut = async (scope: SignOutScope): Promise<void> => {
    await at.house.core.signOuts.signOut({ scope, reason: 'race', actor: { kind: 'operator' } });
  };
  switch (end) {
    case 'account':
      return signOut({ kind: 'account', accountId: await accountOf(at, person) });
    case 'connection':
      return signOut({ kind: 'connection', connectionId: at.connectionId });
    case 'everyone':
      return signOut({ kind: 'everyone' });
    case 'identity':
    case 'upstream': {
      const tell = await person.leave(end === 'identity' ? 'person' : 'session');
      expect((await tell()).status, 'the sign-out there').toBe(at.heard);
    }
  }
}

/** Nobody is signed in to this browser. */
export async function expectNobody(browser: Browser): Promise<void> {
  await browser.open('/account');
  expect(browser.path, 'our own pages').toMatch(/^\/sign-in/);
}

/** The person begins again, and is given what works. */
export async function expectWelcomeBack(at: FederatedHouse, person: Employee): Promise<void> {
  const { player, alice, advance } = at.house;
  // A proof as old as the sign-out is none.
  advance(1);
  const browser = alice.anotherBrowser();
  const { url, verifier } = player.authorization();
  await browser.open(url);
  await comeThrough(at.company, browser, person);
  const answer = await redeem(player, browser, verifier);
  expect(answer?.status, `a fresh sign-in: ${browser.page.status} ${browser.heading}`).toBe(200);
  expect(await player.refresh(answer?.body as never), 'a fresh sign-in').toHaveProperty('access_token');
}
