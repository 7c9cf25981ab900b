/** Which accounts a cohort is, page by page, and what they are signed in to. */
import { describe, expect } from 'vitest';
import type { Conditions } from '../../../src/store/cohorts.ts';
import type { Store } from '../../../src/store/port.ts';
import {
  account,
  artifact,
  at,
  clientSession,
  identifiers,
  identity,
  signOutOf,
  start,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { ids, settleMany, upTo, walk } from './together.ts';

/** Who they are is said by their names: what of them is so, and what is not. */
const people = [
  { id: 'app', apps: ['tv'] },
  { id: 'app-corp', apps: ['tv', 'radio'], identities: ['corp'] },
  { id: 'app-early', apps: ['tv'], createdAt: at(-100) },
  { id: 'app-ended', apps: ['tv'], ended: true },
  { id: 'corp', identities: ['corp', 'acme'] },
  { id: 'early', createdAt: at(-100) },
  { id: 'early-seen', createdAt: at(-100), signedInAt: at(20) },
  { id: 'nothing' },
  { id: 'seen', signedInAt: at(10) },
  { id: 'seen-late', signedInAt: at(30), apps: ['radio'] },
  { id: 'through', apps: ['radio', 'player'], through: 'corp' },
  { id: 'through-ended', apps: ['tv'], through: 'corp', ended: true },
  { id: 'zed-deleted', apps: ['tv'], identities: ['corp'], deleted: true },
] as const satisfies readonly {
  id: string;
  apps?: readonly string[];
  identities?: readonly string[];
  through?: string;
  ended?: true;
  createdAt?: Date;
  signedInAt?: Date;
  deleted?: true;
}[];

const everybody = people.map(({ id }) => id).filter((id) => id !== 'zed-deleted');

async function settle({ accounts, artifacts, revocations }: Store): Promise<void> {
  for (const person of people) {
    const { id } = person;
    const createdAt = 'createdAt' in person ? person.createdAt : start;
    await accounts.insert(account(id, { createdAt }), identifiers(id));
    for (const connectionId of 'identities' in person ? person.identities : []) {
      await accounts.linkIdentity(identity(`${connectionId}:${id}`, id, { connectionId }));
    }
    for (const clientId of 'apps' in person ? person.apps : []) {
      // Two devices each: whoever is there twice is there once.
      for (const device of ['phone', 'sofa']) {
        const grantId = `${id}:${clientId}:${device}`;
        const connectionId = 'through' in person ? person.through : null;
        await artifacts.save(artifact(grantId), clientSession(grantId, { accountId: id, clientId, connectionId }));
      }
    }
    if ('signedInAt' in person) await accounts.noteSignIn({ accountId: id, at: person.signedInAt });
    if ('deleted' in person) await accounts.setStatus({ accountId: id, status: 'deleted' });
    if (!('ended' in person)) continue;
    const signOut = await revocations.signOut(signOutOf(`of-${id}`, `account:${id}`));
    const living = await revocations.clientSessionsOf(id);
    await revocations.fanOut({ signOut, deliveries: [], ended: living.map(({ grantId }) => grantId) });
  }
}

const CASES: readonly (readonly [string, Conditions, readonly string[]])[] = [
  ['nothing in particular: everybody who is not deleted', {}, everybody],
  ['signed in at an app', { clientId: 'tv' }, ['app', 'app-corp', 'app-early']],
  ['at one that nobody has', { clientId: 'none' }, []],
  ['linked to a Connection, or signed in through it', { connectionId: 'corp' }, ['app-corp', 'corp', 'through']],
  ['linked to another', { connectionId: 'acme' }, ['corp']],
  ['an app and a Connection', { clientId: 'radio', connectionId: 'corp' }, ['app-corp', 'through']],
  ['made before', { createdBefore: start }, ['app-early', 'early', 'early-seen']],
  ['made after', { createdAfter: at(-100) }, everybody.filter((id) => !id.includes('early'))],
  ['made between', { createdAfter: at(-100.001), createdBefore: at(-99.999) }, ['app-early', 'early', 'early-seen']],
  ['signed in after, which whoever never did is not', { signedInAfter: at(10) }, ['early-seen', 'seen-late']],
  [
    'signed in before, which whoever never did is',
    { signedInBefore: at(20) },
    everybody.filter((id) => id !== 'early-seen' && id !== 'seen-late'),
  ],
  ['signed in between', { signedInAfter: at(9.999), signedInBefore: at(10.001) }, ['seen']],
  ['an app, and made before', { clientId: 'tv', createdBefore: start }, ['app-early']],
  ['an app, and signed in after', { clientId: 'radio', signedInAfter: at(0) }, ['seen-late']],
  [
    'a Connection, and never signed in',
    { connectionId: 'corp', signedInBefore: at(-1e6) },
    ['app-corp', 'corp', 'through'],
  ],
  [
    'all at once',
    { clientId: 'radio', connectionId: 'corp', createdAfter: at(-1), createdBefore: at(1), signedInBefore: at(0) },
    ['app-corp', 'through'],
  ],
  ['what is given as undefined is no condition', { clientId: undefined, createdBefore: undefined }, everybody],
];

export function cohortsConformance(test: StoreTest): void {
  describe('who matches', () => {
    for (const [name, conditions, expected] of CASES) {
      test(name, async ({ store, other }) => {
        await settle(store);
        for (const limit of [1, 3, 100]) {
          const walked = await walk(
            limit,
            (page) => other.cohorts.matching(conditions, page),
            ({ id }) => id,
          );
          expect(ids(walked)).toEqual(expected);
        }
        expect(await other.cohorts.count(conditions)).toBe(expected.length);
        // Of these alone; whoever is not among them, is named twice or does not exist changes nothing.
        const among = [...expected.slice(1), ...expected.slice(1), 'nobody', 'zed-deleted'].toReversed();
        const walked = await walk(
          2,
          (page) => other.cohorts.matching(conditions, { ...page, among }),
          ({ id }) => id,
        );
        expect(ids(walked)).toEqual(expected.slice(1));
      });
    }
  });

  test('whoever matches is given as they are kept', async ({ store, other }) => {
    await settle(store);
    expect(await other.cohorts.matching({ clientId: 'radio', signedInAfter: start }, { limit: 5 })).toEqual([
      account('seen-late', { lastSignedInAt: at(30) }),
    ]);
    expect(await other.cohorts.matching({}, { among: [], limit: 5 })).toEqual([]);
  });

  test('a cohort of thousands is walked whole, few of many or nearly all', async ({ store }) => {
    const names = upTo(2500).map((nth) => `person-${String(nth).padStart(4, '0')}`);
    await settleMany(store, names, (nth) => {
      if (nth % 500 !== 0) return [];
      const { accountId: _accountId, ...linked } = identity(`subject-${nth}`, '', { connectionId: 'corp' });
      return [linked];
    });
    const walked = async (conditions: Conditions, limit: number): Promise<string[]> =>
      ids(
        await walk(
          limit,
          (page) => store.cohorts.matching(conditions, page),
          ({ id }) => id,
        ),
      );
    const linked = names.filter((_, nth) => nth % 500 === 0);
    expect(await walked({ clientId: 'player' }, 999)).toEqual(names);
    expect(await walked({ clientId: 'player', connectionId: 'corp' }, 3)).toEqual(linked);
    expect(await walked({ connectionId: 'corp' }, 2)).toEqual(linked);
    expect(await walked({}, 1000)).toEqual(names);
    expect(await store.cohorts.count({ clientId: 'player' })).toBe(2500);
    expect(await store.cohorts.count({ clientId: 'player', connectionId: 'corp' })).toBe(5);
    expect(await store.cohorts.reach(names)).toEqual([{ clientId: 'player', sessions: 2500, accounts: 2500 }]);
  });

  test('whoever changed a password after an instant is found by that, and nobody without one', async ({
    store,
    other,
  }) => {
    for (const id of ['alice', 'bob', 'carol', 'dave']) await store.accounts.insert(account(id), identifiers(id));
    await store.accounts.insert(account('eve', { password: null }), identifiers('eve'));
    for (const [accountId, seconds] of [
      ['bob', 5],
      ['carol', 6],
      ['dave', 7],
    ] as const) {
      await store.accounts.setPassword({ accountId, hash: 'another', changedAt: at(seconds) });
    }
    await store.accounts.setStatus({ accountId: 'dave', status: 'deleted' });
    const conditions = { passwordChangedAfter: at(5) };
    expect((await other.cohorts.matching(conditions, { limit: 9 })).map(({ id }) => id)).toEqual(['carol']);
    expect(await other.cohorts.count(conditions)).toBe(1);
  });

  describe('what is signed in', () => {
    test('of everyone, by client: those that ended are not', async ({ store, other }) => {
      await settle(store);
      expect(await other.cohorts.reach('everyone')).toEqual([
        { clientId: 'player', sessions: 2, accounts: 1 },
        { clientId: 'radio', sessions: 6, accounts: 3 },
        { clientId: 'tv', sessions: 8, accounts: 4 },
      ]);
    });

    test('of some, however often they are named', async ({ store, other }) => {
      await settle(store);
      expect(await other.cohorts.reach(['through', 'app-corp', 'through', 'app-ended', 'nobody'])).toEqual([
        { clientId: 'player', sessions: 2, accounts: 1 },
        { clientId: 'radio', sessions: 4, accounts: 2 },
        { clientId: 'tv', sessions: 2, accounts: 1 },
      ]);
      expect(await other.cohorts.reach([])).toEqual([]);
    });
  });

  describe('when somebody signed in last', () => {
    test('is the latest instant that was noted, whatever came in between', async ({ store, other }) => {
      await store.accounts.insert(account('alice'), identifiers('alice'));
      expect(await other.accounts.find('alice')).toEqual(account('alice'));
      await Promise.all([3, 9, 4].map((seconds) => store.accounts.noteSignIn({ accountId: 'alice', at: at(seconds) })));
      await other.accounts.noteSignIn({ accountId: 'alice', at: at(1) });
      expect(await other.accounts.find('alice')).toEqual(account('alice', { lastSignedInAt: at(9) }));
      expect(await store.accounts.list({ limit: 5 })).toEqual([account('alice', { lastSignedInAt: at(9) })]);
    });

    test('of somebody who is not there, or was deleted, it is not noted', async ({ store, other }) => {
      await store.accounts.insert(account('alice'), identifiers('alice'));
      await store.accounts.noteSignIn({ accountId: 'alice', at: at(1) });
      await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
      for (const accountId of ['alice', 'nobody']) await other.accounts.noteSignIn({ accountId, at: at(2) });
      expect(await store.accounts.find('alice')).toMatchObject({ status: 'deleted', lastSignedInAt: null });
      expect(await store.accounts.find('nobody')).toBeNull();
    });

    test('changes nothing else, and is lost to no other change', async ({ store, other }) => {
      await store.accounts.insert(account('alice'), identifiers('alice'));
      await store.accounts.linkIdentity(identity('subject', 'alice'));
      await Promise.all([
        store.accounts.noteSignIn({ accountId: 'alice', at: at(5) }),
        other.accounts.unlinkIdentity({ accountId: 'alice', subject: 'subject' }),
        store.accounts.setLocale({ accountId: 'alice', locale: 'de' }),
        other.accounts.setStatus({ accountId: 'alice', status: 'disabled' }),
      ]);
      expect(await other.accounts.find('alice')).toEqual(
        account('alice', { lastSignedInAt: at(5), locale: 'de', status: 'disabled' }),
      );
      expect(await store.accounts.identitiesOf('alice')).toEqual([]);
    });
  });
}
