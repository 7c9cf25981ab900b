/** Incidents: one change at a time, whom they are about, and what became of their Sign-outs and mails. */
import { describe, expect } from 'vitest';
import type { MailStatus } from '../../../src/store/outbox.ts';
import type { Store } from '../../../src/store/port.ts';
import type { DeliveryStatus } from '../../../src/store/records.ts';
import { account, at, day, delivery, identifiers, mail, signOutOf, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, sweepAll, upTo, walk } from './together.ts';

const opened = (id: string, seconds = 0) => ({ id, openedAt: at(seconds), state: `{"of":"${id}"}` });

const told = { attempts: 1, refusals: 0, nextAttemptAt: null, lastOutcome: 'answered' } as const;

/** A Sign-out of this account, spread to a Client or left as it is. */
const signedOut = async (
  store: Store,
  incident: string,
  accountId: string,
  statuses: Readonly<Record<string, readonly [DeliveryStatus, Date | null]>> | null,
): Promise<void> => {
  await store.accounts.insert(account(accountId), identifiers(accountId));
  const signOut = await store.revocations.signOut(signOutOf(`${incident}-${accountId}`, `account:${accountId}`));
  if (statuses === null) return;
  const deliveries = Object.entries(statuses).map(([clientId, [status, lastAttemptAt]]) => {
    const facts = status === 'pending' ? {} : { ...told, status, lastAttemptAt };
    return delivery(`${incident}-${accountId}-${clientId}`, { signOutId: signOut.id, accountId, clientId, ...facts });
  });
  await store.revocations.fanOut({ signOut, deliveries, ended: [] });
  await store.revocations.completeSignOut(signOut);
};

const mailed = (incident: string, nth: number, status: MailStatus, lastAttemptAt: Date | null = null) =>
  mail(`${incident}-${nth}`, { status, ...(status === 'pending' ? {} : { nextAttemptAt: null, lastAttemptAt }) });

/** Two incidents, the id of one of which begins with that of the other, and what belongs to neither. */
const happen = async (store: Store): Promise<void> => {
  await signedOut(store, 'inc_1', 'alice', { tv: ['delivered', at(10)], radio: ['delivered', at(69)] });
  await signedOut(store, 'inc_1', 'bob', { tv: ['pending', null], radio: ['rejected', at(70)] });
  await signedOut(store, 'inc_1', 'carol', { tv: ['delivered', at(61)] });
  await signedOut(store, 'inc_1', 'dave', null);
  await signedOut(store, 'inc_10', 'erin', { tv: ['abandoned', at(80)] });
  await signedOut(store, 'inc_10', 'frank', null);
  await signedOut(store, 'inc', 'gina', { tv: ['delivered', at(80)] });
  await signedOut(store, 'inc_1x', 'hugo', { tv: ['delivered', at(80)] });
  // A scope may bear the Sign-outs of several.
  await store.revocations.signOut(signOutOf('inc_10-dave', 'account:dave'));
  await store.revocations.signOut(signOutOf('by-hand', 'account:dave'));
  await store.outbox.enqueue([
    mailed('inc_1', 1, 'sent', at(62)),
    mailed('inc_1', 2, 'sent', at(60)),
    mailed('inc_1', 3, 'pending'),
    mailed('inc_1', 4, 'abandoned', at(62)),
    mailed('inc_10', 1, 'rejected', at(62)),
    mailed('inc_10', 2, 'sent', at(500)),
    mail('inc_1'),
    mail('anything'),
  ]);
};

export function incidentsConformance(test: StoreTest): void {
  test('one is opened once under its id, and is kept as it was given', async ({ store, other }) => {
    const answers = await atOnce(6, [store, other], ({ incidents }, nth) =>
      incidents.open({ id: 'inc_1', openedAt: at(nth), state: `by ${nth}` }),
    );
    expect(answers.filter((won) => won)).toHaveLength(1);
    const nth = answers.indexOf(true);
    expect(await other.incidents.find('inc_1')).toEqual({
      id: 'inc_1',
      openedAt: at(nth),
      state: `by ${nth}`,
      revision: 0,
    });
    expect(await other.incidents.find('inc_2')).toBeNull();
  });

  test('it is changed by whoever knows it as it is, and by one of those who do', async ({ store, other }) => {
    await store.incidents.open(opened('inc_1'));
    const answers = await atOnce(10, [store, other], ({ incidents }, nth) =>
      incidents.change({ id: 'inc_1', revision: 0, state: `by ${nth}` }),
    );
    expect(answers.filter((won) => won)).toHaveLength(1);
    const state = `by ${answers.indexOf(true)}`;
    expect(await other.incidents.find('inc_1')).toEqual({ id: 'inc_1', openedAt: start, state, revision: 1 });
    expect(await other.incidents.change({ id: 'inc_1', revision: 0, state: 'late' })).toBe(false);
    expect(await other.incidents.change({ id: 'none', revision: 0, state: 'none' })).toBe(false);
    expect(await other.incidents.change({ id: 'inc_1', revision: 1, state: 'second' })).toBe(true);
    expect(await store.incidents.find('inc_1')).toMatchObject({ state: 'second', revision: 2 });
  });

  test('the newest come first', async ({ store, other }) => {
    for (const nth of [2, 1, 3]) await store.incidents.open(opened(`inc_${nth}`, nth));
    await store.incidents.open(opened('inc_0', 3));
    expect((await other.incidents.list(3)).map(({ id }) => id)).toEqual(['inc_0', 'inc_3', 'inc_2']);
    expect(await other.incidents.list(1)).toEqual([{ ...opened('inc_0', 3), revision: 0 }]);
  });

  describe('whom one is about', () => {
    test('is kept once each, and walked in order', async ({ store, other }) => {
      const names = ['b', 'a', '_', 'C', 'a-a', 'é', '~', 'a.'];
      await store.incidents.addMembers('inc_1', names);
      await atOnce(4, [store, other], ({ incidents }) => incidents.addMembers('inc_1', [...names, 'b', 'late']));
      await store.incidents.addMembers('inc_10', ['of the other']);
      await store.incidents.addMembers('inc_1', []);
      const sorted = ['C', '_', 'a', 'a-a', 'a.', 'b', 'late', '~', 'é'];
      for (const limit of [1, 4, 100]) {
        const walked = await walk(
          limit,
          (page) => other.incidents.membersOf('inc_1', page),
          (id) => id,
        );
        expect(walked).toEqual(sorted);
      }
      expect(await other.incidents.countMembers('inc_1')).toBe(sorted.length);
      expect(await other.incidents.membersOf('inc_10', { limit: 5 })).toEqual(['of the other']);
      expect(await other.incidents.membersOf('inc', { limit: 5 })).toEqual([]);
      expect(await other.incidents.countMembers('inc')).toBe(0);
    });

    test('may be thousands', async ({ store }) => {
      const names = upTo(2000).map((nth) => `person-${String(nth).padStart(4, '0')}`);
      await store.incidents.addMembers('inc_1', names.slice(0, 1000));
      await store.incidents.addMembers('inc_1', names.slice(500));
      expect(await store.incidents.membersOf('inc_1', { limit: 5000 })).toEqual(names);
    });
  });

  describe('what became of one', () => {
    test('counts what is its own, and nothing of one whose id begins with its own', async ({ store, other }) => {
      await happen(store);
      expect(await other.incidents.progress('inc_1')).toEqual({
        signOuts: 4,
        spreading: 1,
        deliveries: { pending: 1, delivered: 3, rejected: 1, abandoned: 0 },
        mails: { pending: 1, sent: 2, rejected: 0, abandoned: 1 },
      });
      expect(await other.incidents.progress('inc_10')).toEqual({
        signOuts: 3,
        spreading: 2,
        deliveries: { pending: 0, delivered: 0, rejected: 0, abandoned: 1 },
        mails: { pending: 0, sent: 1, rejected: 1, abandoned: 0 },
      });
      const nothing = { pending: 0, rejected: 0, abandoned: 0 };
      expect(await other.incidents.progress('inc_2')).toEqual({
        signOuts: 0,
        spreading: 0,
        deliveries: { ...nothing, delivered: 0 },
        mails: { ...nothing, sent: 0 },
      });
    });

    test('by client and status', async ({ store, other }) => {
      await happen(store);
      expect(await other.incidents.deliveriesByClient('inc_1')).toEqual([
        { clientId: 'radio', status: 'delivered', count: 1 },
        { clientId: 'radio', status: 'rejected', count: 1 },
        { clientId: 'tv', status: 'delivered', count: 2 },
        { clientId: 'tv', status: 'pending', count: 1 },
      ]);
      expect(await other.incidents.deliveriesByClient('inc_10')).toEqual([
        { clientId: 'tv', status: 'abandoned', count: 1 },
      ]);
      expect(await other.incidents.deliveriesByClient('inc_2')).toEqual([]);
    });

    test('over time, in spans that begin where the clock is a whole number of them', async ({ store, other }) => {
      await happen(store);
      const minute = (instant: Date): Date => new Date(Math.floor(instant.getTime() / 60_000) * 60_000);
      expect(await other.incidents.timeline('inc_1', 60)).toEqual({
        deliveries: [
          { at: minute(at(10)), count: 1 },
          { at: minute(at(61)), count: 2 },
        ],
        mails: [{ at: minute(at(62)), count: 2 }],
      });
      const seconds = (nth: number): Date => new Date(Math.floor(at(nth).getTime() / 10_000) * 10_000);
      expect((await other.incidents.timeline('inc_1', 10)).deliveries).toEqual([
        { at: seconds(10), count: 1 },
        { at: seconds(61), count: 1 },
        { at: seconds(69), count: 1 },
      ]);
      expect(await other.incidents.timeline('inc_2', 60)).toEqual({ deliveries: [], mails: [] });
    });
  });

  test('one opened 400 days ago is forgotten with whom it was about, whatever the size of a batch', async ({
    store,
    other,
  }) => {
    const names = upTo(5).map((nth) => `person-${nth}`);
    for (const [id, seconds] of [
      ['inc_1', 0],
      ['inc_10', 1],
    ] as const) {
      await store.incidents.open(opened(id, seconds));
      await store.incidents.addMembers(id, names);
    }
    expect(await sweepAll(store, at(400 * day - 1))).toBe(0);
    expect(await store.incidents.countMembers('inc_1')).toBe(5);
    // Cut off half-way it is still known, so that the rest is found.
    expect(await store.sweep({ now: at(400 * day), limit: 3 })).toEqual({ swept: 3, more: true });
    expect(await other.incidents.find('inc_1')).not.toBeNull();
    expect(await other.incidents.countMembers('inc_1')).toBe(2);
    expect(await sweepAll(other, at(400 * day), 2)).toBe(3);
    expect(await store.incidents.find('inc_1')).toBeNull();
    expect(await store.incidents.countMembers('inc_1')).toBe(0);
    expect(await store.incidents.countMembers('inc_10')).toBe(5);
    expect(await store.incidents.find('inc_10')).not.toBeNull();
  });
}
