import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { DeliveryRecord, LeasedDelivery } from '../../../src/store/records.ts';
import { at, day, delivery, hour, signOutRequest, start, year } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, walk } from './together.ts';

/** Deliveries come into the store by a fan-out alone. */
const owe = async (store: Store, ...deliveries: readonly DeliveryRecord[]) => {
  for (const signOutId of new Set(deliveries.map((each) => each.signOutId))) {
    const signOut = await store.revocations.signOut(signOutRequest(signOutId, { kind: 'everyone' }));
    const its = deliveries.filter((each) => each.signOutId === signOutId);
    await store.revocations.fanOut({ signOut, deliveries: its, ended: [] });
  }
};

const claim = (store: Store, overrides: Partial<Parameters<Store['deliveries']['claim']>[0]> = {}) =>
  store.deliveries.claim({ clientId: 'player', now: start, leaseUntil: at(60), limit: 10, ...overrides });

type Outcome = Parameters<Store['deliveries']['settle']>[0];

const outcome = ({ id, fence }: Pick<Outcome, 'id' | 'fence'>, overrides: Partial<Outcome> = {}): Outcome => ({
  id,
  fence,
  status: 'delivered',
  attempts: 1,
  refusals: 0,
  nextAttemptAt: null,
  lastAttemptAt: at(1),
  lastOutcome: 'answered 200',
  ...overrides,
});

/** Claims and settles each of these as told. */
const settleAs = async (store: Store, statuses: { readonly [id: string]: DeliveryRecord['status'] }) => {
  for (const clientId of await store.deliveries.clientsDue(start)) {
    for (const lease of await claim(store, { clientId, limit: 100 })) {
      const status = statuses[lease.id];
      if (status === undefined) await store.deliveries.release([lease]);
      else await store.deliveries.settle(outcome(lease, { status, refusals: 3, attempts: 7 }));
    }
  }
};

const only = (leases: readonly LeasedDelivery[]): LeasedDelivery => {
  expect(leases).toHaveLength(1);
  return leases[0] as LeasedDelivery;
};

export function deliveriesConformance(test: StoreTest): void {
  describe('clientsDue', () => {
    test('names each client that is owed something due, once', async ({ store, other }) => {
      await owe(
        store,
        delivery('one'),
        delivery('two'),
        delivery('three', { clientId: 'tv', nextAttemptAt: at(10) }),
        delivery('four', { clientId: 'radio', nextAttemptAt: at(10.001) }),
      );
      expect(await other.deliveries.clientsDue(at(-0.001))).toEqual([]);
      expect(await other.deliveries.clientsDue(start)).toEqual(['player']);
      expect([...(await other.deliveries.clientsDue(at(10)))].sort()).toEqual(['player', 'tv']);
      expect([...(await other.deliveries.clientsDue(at(11)))].sort()).toEqual(['player', 'radio', 'tv']);
    });

    test('leaves out a client whose deliveries are all held, until a lease ends', async ({ store, other }) => {
      await owe(store, delivery('one'), delivery('two'));
      await claim(store, { limit: 1 });
      expect(await other.deliveries.clientsDue(start)).toEqual(['player']);
      await claim(store, { limit: 1 });
      expect(await other.deliveries.clientsDue(at(59.999))).toEqual([]);
      expect(await other.deliveries.clientsDue(at(60))).toEqual(['player']);
    });

    test('leaves out what was delivered or given up', async ({ store }) => {
      await owe(store, delivery('one'), delivery('two', { clientId: 'tv' }), delivery('three', { clientId: 'radio' }));
      await settleAs(store, { one: 'delivered', two: 'rejected', three: 'abandoned' });
      expect(await store.deliveries.clientsDue(at(year))).toEqual([]);
    });
  });

  describe('claim', () => {
    test('leases what is due of this client, and no more than asked for', async ({ store }) => {
      const due = ['a', 'b', 'c'].map((id) => delivery(id));
      await owe(store, ...due, delivery('later', { nextAttemptAt: at(0.001) }), delivery('tv', { clientId: 'tv' }));
      const some = await claim(store, { limit: 2 });
      expect(some).toHaveLength(2);
      const all = [...some, ...(await claim(store))];
      expect(ids(all).sort()).toEqual(['a', 'b', 'c']);
      for (const lease of all) {
        expect(lease).toMatchObject({ ...due.find(({ id }) => id === lease.id), leaseUntil: at(60) });
        expect(lease.fence).toEqual(expect.any(Number));
      }
      expect(await claim(store)).toEqual([]);
      expect(ids(await claim(store, { now: at(1) }))).toEqual(['later']);
      expect(ids(await claim(store, { clientId: 'tv' }))).toEqual(['tv']);
    });

    test('gives one delivery to one worker: whoever asks at once, each is held exactly once', async ({
      store,
      other,
    }) => {
      const all = Array.from({ length: 40 }, (_, index) => delivery(`d-${index}`));
      await owe(store, ...all);
      const claims = await atOnce(20, [store, other], (handle) => claim(handle, { limit: 3 }));
      for (const leases of claims) expect(leases.length).toBeLessThanOrEqual(3);
      expect(ids(claims.flat()).sort()).toEqual(ids(all).sort());
    });

    test('does not give a held delivery to another before the lease ends, and then with a higher fence', async ({
      store,
      other,
    }) => {
      await owe(store, delivery('one'));
      const first = only(await claim(store));
      expect(await claim(other, { now: at(59.999) })).toEqual([]);
      const second = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      expect(second.fence).toBeGreaterThan(first.fence);
      expect(second.leaseUntil).toEqual(at(120));
      expect(await claim(store, { now: at(60) })).toEqual([]);
    });

    test('a lease further ahead than 120 s was given before the clock was set back: it is free', async ({
      store,
      other,
    }) => {
      await owe(store, delivery('one', { nextAttemptAt: at(-day) }));
      const lost = only(await claim(store, { now: at(0), leaseUntil: at(60) }));
      expect(await other.deliveries.clientsDue(at(-60))).toEqual([]);
      expect(await claim(other, { now: at(-60), leaseUntil: at(0) })).toEqual([]);
      expect(await other.deliveries.clientsDue(at(-60.001))).toEqual(['player']);
      const claims = await atOnce(10, [store, other], (handle) =>
        claim(handle, { now: at(-60.001), leaseUntil: at(-0.001) }),
      );
      const taken = only(claims.flat());
      expect(taken.fence).toBeGreaterThan(lost.fence);
      expect(await store.deliveries.settle(outcome(lost))).toBe(false);
      expect(await store.deliveries.settle(outcome(taken))).toBe(true);
    });

    test('at once after a lease ended, exactly one gets it', async ({ store, other }) => {
      await owe(store, delivery('one'));
      await claim(store);
      const claims = await atOnce(10, [store, other], (handle) => claim(handle, { now: at(60), leaseUntil: at(120) }));
      expect(ids(claims.flat())).toEqual(['one']);
    });

    test('past its deadline a delivery is still given: giving up is the worker’s to record', async ({ store }) => {
      await owe(store, delivery('one', { deadlineAt: at(hour) }));
      expect(ids(await claim(store, { now: at(2 * hour), leaseUntil: at(2 * hour + 60) }))).toEqual(['one']);
    });
  });

  describe('settle', () => {
    test('records the outcome', async ({ store, other }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      expect(await store.deliveries.settle(outcome(lease, { attempts: 4, lastAttemptAt: at(1.5) }))).toBe(true);
      expect(await other.deliveries.find('one')).toEqual(
        delivery('one', {
          status: 'delivered',
          attempts: 4,
          nextAttemptAt: null,
          lastAttemptAt: at(1.5),
          lastOutcome: 'answered 200',
        }),
      );
      expect(
        await other.deliveries.claim({ clientId: 'player', now: at(day), leaseUntil: at(2 * day), limit: 9 }),
      ).toEqual([]);
    });

    test('to try again gives the lease back: it is claimed when it is due, by whoever asks', async ({
      store,
      other,
    }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      const again = { status: 'pending', refusals: 1, nextAttemptAt: at(4), lastOutcome: 'timeout' } as const;
      expect(await store.deliveries.settle(outcome(lease, again))).toBe(true);
      expect(await claim(other, { now: at(3.999) })).toEqual([]);
      const next = only(await claim(other, { now: at(4) }));
      expect(next).toMatchObject({ attempts: 1, refusals: 1, lastAttemptAt: at(1), lastOutcome: 'timeout' });
      expect(next.fence).toBeGreaterThan(lease.fence);
    });

    test('with a fence that somebody else has passed is refused and changes nothing', async ({ store, other }) => {
      await owe(store, delivery('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      expect(await store.deliveries.settle(outcome(slow))).toBe(false);
      expect(await store.deliveries.find('one')).toEqual(delivery('one'));
      // And the lease of the other still holds.
      expect(await claim(store, { now: at(119), leaseUntil: at(180) })).toEqual([]);
      expect(await other.deliveries.settle(outcome(quick, { status: 'rejected', lastOutcome: 'answered 400' }))).toBe(
        true,
      );
      expect(await store.deliveries.settle(outcome(slow))).toBe(false);
      expect(await store.deliveries.find('one')).toMatchObject({ status: 'rejected', lastOutcome: 'answered 400' });
    });

    test('after the lease ended but before anybody took it is accepted: the client has heard', async ({ store }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      expect(await store.deliveries.settle(outcome(lease, { lastAttemptAt: at(61) }))).toBe(true);
      expect(await store.deliveries.find('one')).toMatchObject({ status: 'delivered' });
    });

    test('a second time is refused: a delivered delivery is not undone', async ({ store, other }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      await store.deliveries.settle(outcome(lease));
      expect(await other.deliveries.settle(outcome(lease, { status: 'pending', nextAttemptAt: at(2) }))).toBe(false);
      expect(await store.deliveries.find('one')).toMatchObject({ status: 'delivered' });
    });

    test('at once by the holder and by one who came before, the holder’s outcome stands', async ({ store, other }) => {
      await owe(store, delivery('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      const answers = await Promise.all([
        store.deliveries.settle(outcome(slow, { status: 'abandoned' })),
        other.deliveries.settle(outcome(quick)),
        store.deliveries.settle(outcome(slow, { status: 'abandoned' })),
      ]);
      expect(answers).toEqual([false, true, false]);
      expect(await store.deliveries.find('one')).toMatchObject({ status: 'delivered' });
    });

    test('what is not there is refused', async ({ store }) => {
      expect(await store.deliveries.settle(outcome({ id: 'nothing', fence: 1 }))).toBe(false);
      expect(await store.deliveries.find('nothing')).toBeNull();
    });
  });

  describe('release', () => {
    test('gives leases back untried: they are due as before, to anybody', async ({ store, other }) => {
      await owe(store, delivery('one'), delivery('two'));
      const leases = await claim(store);
      await store.deliveries.release(leases);
      expect(await store.deliveries.find('one')).toEqual(delivery('one'));
      expect(await other.deliveries.clientsDue(start)).toEqual(['player']);
      const again = await claim(other);
      expect(ids(again).sort()).toEqual(['one', 'two']);
      for (const { id, fence } of again) {
        expect(fence).toBeGreaterThan(leases.find((lease) => lease.id === id)?.fence ?? Infinity);
      }
    });

    test('once given back, the outcome is somebody else’s to record', async ({ store }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      await store.deliveries.release([lease]);
      expect(await store.deliveries.settle(outcome(lease))).toBe(false);
      expect(await store.deliveries.find('one')).toEqual(delivery('one'));
    });

    test('does not give back what somebody else holds by now', async ({ store, other }) => {
      await owe(store, delivery('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      await store.deliveries.release([slow]);
      expect(await claim(store, { now: at(61), leaseUntil: at(120) })).toEqual([]);
      expect(await other.deliveries.settle(outcome(quick))).toBe(true);
    });

    test('of nothing, or of what was settled, is no error', async ({ store }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      await store.deliveries.settle(outcome(lease));
      await store.deliveries.release([]);
      await store.deliveries.release([lease, { id: 'nothing', fence: 1 }]);
      expect(await store.deliveries.find('one')).toMatchObject({ status: 'delivered' });
    });
  });

  describe('nextDueAt', () => {
    test('is nothing while nothing is pending', async ({ store }) => {
      expect(await store.deliveries.nextDueAt()).toBeNull();
      await owe(store, delivery('one'), delivery('two'));
      await settleAs(store, { one: 'delivered', two: 'rejected' });
      expect(await store.deliveries.nextDueAt()).toBeNull();
    });

    test('is when the first of the pending is due, or a held one’s lease ends', async ({ store, other }) => {
      await owe(store, delivery('one', { nextAttemptAt: at(-5) }), delivery('two', { nextAttemptAt: at(30) }));
      expect(await other.deliveries.nextDueAt()).toEqual(at(-5));
      const lease = only(await claim(store, { leaseUntil: at(20) }));
      expect(await other.deliveries.nextDueAt()).toEqual(at(20));
      await store.deliveries.settle(outcome(lease, { status: 'pending', nextAttemptAt: at(90) }));
      expect(await other.deliveries.nextDueAt()).toEqual(at(30));
      await claim(store, { now: at(30), leaseUntil: at(120) });
      expect(await other.deliveries.nextDueAt()).toEqual(at(90));
    });
  });

  describe('list', () => {
    const all: readonly DeliveryRecord[] = [
      delivery('a', { signOutId: 'one' }),
      delivery('b', { signOutId: 'one', clientId: 'tv' }),
      delivery('c', { signOutId: 'one', accountId: 'bob' }),
      delivery('d', { signOutId: 'two', accountId: 'bob', clientId: 'tv' }),
      delivery('e', { signOutId: 'two' }),
    ];
    const filters: readonly [string, Omit<Parameters<Store['deliveries']['list']>[0], 'page'>, readonly string[]][] = [
      ['nothing', {}, ['a', 'b', 'c', 'd', 'e']],
      ['sign-out', { signOutId: 'one' }, ['a', 'b', 'c']],
      ['client', { clientId: 'tv' }, ['b', 'd']],
      ['account', { accountId: 'bob' }, ['c', 'd']],
      ['status', { status: 'delivered' }, ['a', 'd']],
      ['pending', { status: 'pending' }, ['b', 'e']],
      ['client and account', { clientId: 'tv', accountId: 'alice' }, ['b']],
      ['everything', { status: 'delivered', clientId: 'tv', signOutId: 'two', accountId: 'bob' }, ['d']],
      ['what is not there', { clientId: 'nothing' }, []],
    ];
    for (const [what, filter, expected] of filters) {
      test(`by ${what} gives each that matches, once, page after page`, async ({ store, other }) => {
        await owe(store, ...all);
        await settleAs(store, { a: 'delivered', c: 'rejected', d: 'delivered' });
        const walked = await walk(
          1,
          (page) => other.deliveries.list({ ...filter, page }),
          ({ id }) => id,
        );
        expect(ids(walked).sort()).toEqual(expected);
        const page = await other.deliveries.list({ ...filter, page: { limit: 50 } });
        expect(page).toEqual(walked);
        for (const one of page) expect(await store.deliveries.find(one.id)).toEqual(one);
      });
    }
  });

  describe('counts', () => {
    test('counts every status, of all or of one sign-out', async ({ store }) => {
      const none = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };
      expect(await store.deliveries.counts({})).toEqual(none);
      await owe(
        store,
        ...['a', 'b', 'c', 'd', 'e'].map((id) => delivery(id, { signOutId: 'one' })),
        delivery('f', { signOutId: 'two' }),
      );
      await settleAs(store, { a: 'delivered', b: 'delivered', c: 'rejected', d: 'abandoned', f: 'delivered' });
      expect(await store.deliveries.counts({})).toEqual({ pending: 1, delivered: 3, rejected: 1, abandoned: 1 });
      expect(await store.deliveries.counts({ signOutId: 'one' })).toEqual({
        pending: 1,
        delivered: 2,
        rejected: 1,
        abandoned: 1,
      });
      expect(await store.deliveries.counts({ signOutId: 'nothing' })).toEqual(none);
    });

    test('a held delivery is pending', async ({ store }) => {
      await owe(store, delivery('one'));
      await claim(store);
      expect((await store.deliveries.counts({})).pending).toBe(1);
    });
  });

  describe('revive', () => {
    const again = { now: at(day), deadlineAt: at(4 * day) };
    const dead = async (store: Store) => {
      await owe(
        store,
        delivery('rejected'),
        delivery('abandoned', { clientId: 'tv' }),
        delivery('delivered'),
        delivery('pending', { deadlineAt: at(hour) }),
      );
      await settleAs(store, { rejected: 'rejected', abandoned: 'abandoned', delivered: 'delivered' });
    };
    const statuses = async (store: Store) =>
      Object.fromEntries((await store.deliveries.list({ page: { limit: 50 } })).map(({ id, status }) => [id, status]));

    test('makes dead letters pending again, due now, with a new deadline and no refusals', async ({ store, other }) => {
      await dead(store);
      expect(await other.deliveries.revive(again)).toBe(2);
      expect(await statuses(store)).toEqual({
        rejected: 'pending',
        abandoned: 'pending',
        delivered: 'delivered',
        pending: 'pending',
      });
      const revived = await store.deliveries.find('rejected');
      expect(revived).toMatchObject({ refusals: 0, deadlineAt: at(4 * day), nextAttemptAt: at(day), createdAt: start });
      expect(await store.deliveries.find('pending')).toEqual(delivery('pending', { deadlineAt: at(hour) }));
      expect(ids(await claim(store, { clientId: 'tv', now: at(day), leaseUntil: at(day + 60) }))).toEqual([
        'abandoned',
      ]);
    });

    test('only those of the client, or of the ids, or of both', async ({ store }) => {
      await dead(store);
      expect(await store.deliveries.revive({ ...again, clientId: 'tv', ids: ['rejected'] })).toBe(0);
      expect(await store.deliveries.revive({ ...again, ids: ['delivered', 'pending', 'nothing'] })).toBe(0);
      expect(await store.deliveries.revive({ ...again, clientId: 'nothing' })).toBe(0);
      expect(await store.deliveries.revive({ ...again, clientId: 'tv' })).toBe(1);
      expect(await statuses(store)).toMatchObject({ rejected: 'rejected', abandoned: 'pending' });
      expect(await store.deliveries.revive({ ...again, clientId: 'player', ids: ['rejected', 'abandoned'] })).toBe(1);
      expect(await statuses(store)).toMatchObject({ rejected: 'pending', abandoned: 'pending' });
    });

    test('with a limit no more than that at once, until there are none', async ({ store, other }) => {
      const all = Array.from({ length: 7 }, (_, index) => delivery(`d-${index}`));
      await owe(store, ...all);
      await settleAs(
        store,
        Object.fromEntries(all.map(({ id }, index) => [id, index % 2 ? 'rejected' : 'abandoned'] as const)),
      );
      const batches: number[] = [];
      for (let revived = -1; revived !== 0;) {
        revived = await other.deliveries.revive({ ...again, clientId: 'player', limit: 2 });
        batches.push(revived);
      }
      expect(batches).toEqual([2, 2, 2, 1, 0]);
      expect((await store.deliveries.counts({})).pending).toBe(7);
    });

    test('with a limit and ids, only those', async ({ store }) => {
      const all = Array.from({ length: 5 }, (_, index) => delivery(`d-${index}`));
      await owe(store, ...all);
      await settleAs(store, Object.fromEntries(ids(all).map((id) => [id, 'rejected'] as const)));
      const chosen = { ...again, ids: ['d-1', 'd-3', 'd-4'], limit: 2 };
      const revived = [await store.deliveries.revive(chosen), await store.deliveries.revive(chosen)];
      expect([...revived, await store.deliveries.revive(chosen)]).toEqual([2, 1, 0]);
      expect(await statuses(store)).toEqual({
        'd-0': 'rejected',
        'd-1': 'pending',
        'd-2': 'rejected',
        'd-3': 'pending',
        'd-4': 'pending',
      });
    });

    test('of no ids revives none: an empty choice is not everything', async ({ store }) => {
      await dead(store);
      expect(await store.deliveries.revive({ ...again, ids: [] })).toBe(0);
      expect(await statuses(store)).toMatchObject({ rejected: 'rejected', abandoned: 'abandoned' });
    });

    test('twice at once revives each once', async ({ store, other }) => {
      await dead(store);
      const revived = await atOnce(4, [store, other], (handle) => handle.deliveries.revive(again));
      expect(revived.reduce((sum, each) => sum + each)).toBe(2);
    });

    test('gives nothing back to the worker that gave it up', async ({ store }) => {
      await owe(store, delivery('one'));
      const lease = only(await claim(store));
      await store.deliveries.settle(outcome(lease, { status: 'rejected' }));
      await store.deliveries.revive(again);
      expect(await store.deliveries.settle(outcome(lease))).toBe(false);
      const next = only(await claim(store, { now: at(day), leaseUntil: at(day + 60) }));
      expect(next.fence).toBeGreaterThan(lease.fence);
    });
  });

  test('a delivery that nobody owes is not found', async ({ store }) => {
    expect(await store.deliveries.find('nothing')).toBeNull();
  });
}
