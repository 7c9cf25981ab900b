/** Mails on their way out: queued once, held by one worker at a time, and forgotten what they said once they have gone. */
import { describe, expect } from 'vitest';
import type { LeasedMail, MailRecord, MailStatus } from '../../../src/store/outbox.ts';
import type { Store } from '../../../src/store/port.ts';
import { at, day, hour, mail, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, sweepAll, walk } from './together.ts';

const queue = (store: Store, ...mails: readonly MailRecord[]) => store.outbox.enqueue(mails);

const claim = (store: Store, overrides: Partial<Parameters<Store['outbox']['claim']>[0]> = {}) =>
  store.outbox.claim({ now: start, leaseUntil: at(60), limit: 10, ...overrides });

type Outcome = Parameters<Store['outbox']['settle']>[0];

const outcome = ({ id, fence }: Pick<Outcome, 'id' | 'fence'>, overrides: Partial<Outcome> = {}): Outcome => ({
  id,
  fence,
  status: 'sent',
  attempts: 1,
  nextAttemptAt: null,
  lastAttemptAt: at(1),
  lastOutcome: 'accepted',
  ...overrides,
});

/** Claims everything that is due and settles each of these as told. */
const settleAs = async (store: Store, statuses: { readonly [id: string]: MailStatus }) => {
  for (const lease of await claim(store, { limit: 1000 })) {
    const status = statuses[lease.id];
    if (status === undefined) await store.outbox.release([lease]);
    else await store.outbox.settle(outcome(lease, { status, attempts: 7 }));
  }
};

const only = (leases: readonly LeasedMail[]): LeasedMail => {
  expect(leases).toHaveLength(1);
  return leases[0] as LeasedMail;
};

const statuses = async (store: Store) =>
  Object.fromEntries((await store.outbox.list({ page: { limit: 50 } })).map(({ id, status }) => [id, status]));

export function outboxConformance(test: StoreTest): void {
  describe('enqueue', () => {
    test('keeps each mail exactly as it was given', async ({ store, other }) => {
      const all = [
        mail('one', { createdAt: at(0.001), deadlineAt: at(hour + 0.002), nextAttemptAt: at(0.003) }),
        mail('two', { accountId: null, kind: 'new-address' }),
        mail('three', {
          status: 'rejected',
          attempts: 3,
          nextAttemptAt: null,
          lastAttemptAt: at(5),
          lastOutcome: 'refused 550',
        }),
      ];
      expect(await queue(store, ...all)).toBe(3);
      for (const each of all) expect(await other.outbox.find(each.id)).toEqual(each);
      expect(await other.outbox.find('nothing')).toBeNull();
    });

    test('of nothing is nothing', async ({ store }) => {
      expect(await queue(store)).toBe(0);
      expect(await store.outbox.nextDueAt()).toBeNull();
    });

    test('twice is once: what is there stays, and only what was not is counted', async ({ store, other }) => {
      expect(await queue(store, mail('one'))).toBe(1);
      expect(await queue(other, mail('one', { sealed: 'sealed:other' }), mail('two'))).toBe(1);
      expect(await queue(store, mail('one'), mail('two'))).toBe(0);
      expect(await store.outbox.find('one')).toEqual(mail('one'));
      expect(await store.outbox.counts()).toMatchObject({ pending: 2 });
    });

    test('twice in one call is once', async ({ store }) => {
      expect(await queue(store, mail('one'), mail('one', { sealed: 'sealed:other' }), mail('two'))).toBe(2);
      expect(await store.outbox.find('one')).toEqual(mail('one'));
    });

    test('by many at once is once', async ({ store, other }) => {
      const both = [mail('one'), mail('two')];
      const counts = await atOnce(20, [store, other], (handle, index) =>
        queue(handle, ...(index % 4 < 2 ? both : both.toReversed())),
      );
      expect(counts.reduce((sum, each) => sum + each)).toBe(2);
      expect(ids(await claim(store)).sort()).toEqual(['one', 'two']);
    });

    for (const status of ['sent', 'rejected', 'abandoned'] as const) {
      test(`again after it was ${status} sends nothing again`, async ({ store, other }) => {
        await queue(store, mail('one'));
        await settleAs(store, { one: status });
        expect(await queue(other, mail('one'))).toBe(0);
        expect(await claim(other)).toEqual([]);
        expect(await store.outbox.find('one')).toMatchObject({ status, attempts: 7 });
      });
    }

    test('again while it is held takes it from nobody', async ({ store, other }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      await queue(other, mail('one'));
      expect(await claim(other)).toEqual([]);
      expect(await store.outbox.settle(outcome(lease))).toBe(true);
    });
  });

  describe('claim', () => {
    test('leases what is due, and no more than asked for', async ({ store, other }) => {
      const due = ['a', 'b', 'c'].map((id) => mail(id));
      await queue(store, ...due, mail('later', { nextAttemptAt: at(0.001) }));
      expect(await claim(store, { now: at(-0.001) })).toEqual([]);
      const some = await claim(store, { limit: 2 });
      expect(some).toHaveLength(2);
      const all = [...some, ...(await claim(other))];
      expect(ids(all).sort()).toEqual(['a', 'b', 'c']);
      for (const lease of all) {
        expect(lease).toEqual({ ...mail(lease.id), leaseUntil: at(60), fence: expect.any(Number) });
      }
      expect(await claim(store)).toEqual([]);
      expect(ids(await claim(store, { now: at(1) }))).toEqual(['later']);
    });

    test('those due first come first', async ({ store, other }) => {
      const seconds = { a: -3, b: -1, c: -5, d: -4, e: -2 };
      await queue(store, ...Object.entries(seconds).map(([id, due]) => mail(id, { nextAttemptAt: at(due) })));
      expect(ids(await claim(other, { limit: 3 }))).toEqual(['c', 'd', 'a']);
      expect(ids(await claim(store, { limit: 3 }))).toEqual(['e', 'b']);
    });

    test('whoever asks at once, each is held exactly once', async ({ store, other }) => {
      const all = Array.from({ length: 40 }, (_, index) => mail(`m-${index}`));
      await queue(store, ...all);
      const claims = await atOnce(20, [store, other], (handle) => claim(handle, { limit: 3 }));
      for (const leases of claims) expect(leases.length).toBeLessThanOrEqual(3);
      const held = ids(claims.flat());
      expect(new Set(held).size).toBe(held.length);
      expect(held.sort()).toEqual(ids(all).sort());
    });

    test('does not give a held mail to another before the lease ends, and then with a higher fence', async ({
      store,
      other,
    }) => {
      await queue(store, mail('one'));
      const first = only(await claim(store));
      expect(await claim(other, { now: at(59.999), leaseUntil: at(100) })).toEqual([]);
      const second = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      expect(second.fence).toBeGreaterThan(first.fence);
      expect(second.leaseUntil).toEqual(at(120));
      expect(await claim(store, { now: at(60), leaseUntil: at(120) })).toEqual([]);
    });

    test('a lease taken over at once by many is one’s', async ({ store, other }) => {
      await queue(store, mail('one'));
      await claim(store);
      const claims = await atOnce(10, [store, other], (handle) => claim(handle, { now: at(60), leaseUntil: at(120) }));
      expect(claims.flat()).toHaveLength(1);
    });

    test('a lease further ahead than 120 s was given before the clock was set back: it is free', async ({
      store,
      other,
    }) => {
      await queue(store, mail('one', { nextAttemptAt: at(-day) }));
      const lost = only(await claim(store, { now: at(0), leaseUntil: at(60) }));
      expect(await claim(other, { now: at(-60), leaseUntil: at(0) })).toEqual([]);
      const again = only(await claim(other, { now: at(-60.001), leaseUntil: at(0) }));
      expect(again.fence).toBeGreaterThan(lost.fence);
      expect(await store.outbox.settle(outcome(lost))).toBe(false);
    });

    test('leaves out what was sent or given up', async ({ store }) => {
      await queue(store, mail('one'), mail('two'), mail('three'));
      await settleAs(store, { one: 'sent', two: 'rejected', three: 'abandoned' });
      expect(await claim(store, { now: at(day), leaseUntil: at(day + 60) })).toEqual([]);
    });
  });

  describe('settle', () => {
    test('as sent records the outcome, and erases what it said', async ({ store, other }) => {
      await queue(store, mail('one'), mail('two'));
      const [lease, held] = await claim(store);
      if (lease === undefined || held === undefined) throw new Error('two were due');
      expect(await store.outbox.settle(outcome(lease, { attempts: 4, lastAttemptAt: at(1.5) }))).toBe(true);
      expect(await other.outbox.find(lease.id)).toEqual(
        mail(lease.id, {
          sealed: '',
          status: 'sent',
          attempts: 4,
          nextAttemptAt: null,
          lastAttemptAt: at(1.5),
          lastOutcome: 'accepted',
        }),
      );
      expect(await other.outbox.find(held.id)).toEqual(mail(held.id));
      expect(await claim(other, { now: at(day), leaseUntil: at(day + 60), limit: 9 })).toMatchObject([{ id: held.id }]);
    });

    for (const status of ['rejected', 'abandoned'] as const) {
      test(`as ${status} keeps what it said: it may be tried again`, async ({ store, other }) => {
        await queue(store, mail('one'));
        const lease = only(await claim(store));
        expect(await store.outbox.settle(outcome(lease, { status, lastOutcome: 'refused 550' }))).toBe(true);
        expect(await other.outbox.find('one')).toEqual(
          mail('one', { status, attempts: 1, nextAttemptAt: null, lastAttemptAt: at(1), lastOutcome: 'refused 550' }),
        );
      });
    }

    test('to try again gives the lease back: it is claimed when it is due, by whoever asks', async ({
      store,
      other,
    }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      const again = { status: 'pending', nextAttemptAt: at(4), lastOutcome: 'timeout' } as const;
      expect(await store.outbox.settle(outcome(lease, again))).toBe(true);
      expect(await claim(other, { now: at(3.999) })).toEqual([]);
      const next = only(await claim(other, { now: at(4) }));
      expect(next).toMatchObject({
        ...mail('one'),
        nextAttemptAt: at(4),
        attempts: 1,
        lastOutcome: 'timeout',
        lastAttemptAt: at(1),
      });
      expect(next.fence).toBeGreaterThan(lease.fence);
    });

    test('with a fence that somebody else has passed is refused and changes nothing', async ({ store, other }) => {
      await queue(store, mail('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      expect(await store.outbox.settle(outcome(slow))).toBe(false);
      expect(await store.outbox.find('one')).toEqual(mail('one'));
      // And the lease of the other still holds.
      expect(await claim(store, { now: at(119), leaseUntil: at(180) })).toEqual([]);
      expect(await other.outbox.settle(outcome(quick, { status: 'rejected' }))).toBe(true);
      expect(await store.outbox.settle(outcome(slow))).toBe(false);
      expect(await store.outbox.find('one')).toMatchObject({ status: 'rejected', sealed: 'sealed:mail:one' });
    });

    test('after the lease ended but before anybody took it is accepted: the mail has gone', async ({ store }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      expect(await store.outbox.settle(outcome(lease, { lastAttemptAt: at(61) }))).toBe(true);
      expect(await store.outbox.find('one')).toMatchObject({ status: 'sent' });
    });

    test('a second time is refused: what was sent is not undone', async ({ store, other }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      await store.outbox.settle(outcome(lease));
      expect(await other.outbox.settle(outcome(lease, { status: 'pending', nextAttemptAt: at(2) }))).toBe(false);
      expect(await store.outbox.find('one')).toMatchObject({ status: 'sent', sealed: '' });
    });

    test('at once by the holder and by one who came before, the holder’s outcome stands', async ({ store, other }) => {
      await queue(store, mail('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      const answers = await Promise.all([
        store.outbox.settle(outcome(slow, { status: 'abandoned' })),
        other.outbox.settle(outcome(quick)),
        store.outbox.settle(outcome(slow, { status: 'abandoned' })),
      ]);
      expect(answers).toEqual([false, true, false]);
      expect(await store.outbox.find('one')).toMatchObject({ status: 'sent' });
    });

    test('what is not there is refused', async ({ store }) => {
      expect(await store.outbox.settle(outcome({ id: 'nothing', fence: 1 }))).toBe(false);
      expect(await store.outbox.find('nothing')).toBeNull();
    });
  });

  describe('release', () => {
    test('gives leases back untried: they are due as before, to anybody', async ({ store, other }) => {
      await queue(store, mail('one'), mail('two'));
      const leases = await claim(store);
      await store.outbox.release(leases);
      expect(await store.outbox.find('one')).toEqual(mail('one'));
      const again = await claim(other);
      expect(ids(again).sort()).toEqual(['one', 'two']);
      for (const { id, fence } of again) {
        expect(fence).toBeGreaterThan(leases.find((lease) => lease.id === id)?.fence ?? Infinity);
      }
    });

    test('once given back, the outcome is somebody else’s to record', async ({ store }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      await store.outbox.release([lease]);
      expect(await store.outbox.settle(outcome(lease))).toBe(false);
      expect(await store.outbox.find('one')).toEqual(mail('one'));
    });

    test('does not give back what somebody else holds by now', async ({ store, other }) => {
      await queue(store, mail('one'));
      const slow = only(await claim(store));
      const quick = only(await claim(other, { now: at(60), leaseUntil: at(120) }));
      await store.outbox.release([slow]);
      expect(await claim(store, { now: at(61), leaseUntil: at(120) })).toEqual([]);
      expect(await other.outbox.settle(outcome(quick))).toBe(true);
    });

    test('of nothing, or of what was settled, is no error', async ({ store }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      await store.outbox.settle(outcome(lease));
      await store.outbox.release([]);
      await store.outbox.release([lease, { id: 'nothing', fence: 1 }]);
      expect(await store.outbox.find('one')).toMatchObject({ status: 'sent' });
    });
  });

  describe('nextDueAt', () => {
    test('is nothing while nothing is pending', async ({ store }) => {
      expect(await store.outbox.nextDueAt()).toBeNull();
      await queue(store, mail('one'), mail('two'), mail('three'));
      await settleAs(store, { one: 'sent', two: 'rejected', three: 'abandoned' });
      expect(await store.outbox.nextDueAt()).toBeNull();
    });

    test('is when the first of the pending is due, or a held one’s lease ends', async ({ store, other }) => {
      await queue(store, mail('one', { nextAttemptAt: at(-5) }), mail('two', { nextAttemptAt: at(30) }));
      expect(await other.outbox.nextDueAt()).toEqual(at(-5));
      const lease = only(await claim(store, { leaseUntil: at(20) }));
      expect(await other.outbox.nextDueAt()).toEqual(at(20));
      await store.outbox.settle(outcome(lease, { status: 'pending', nextAttemptAt: at(90) }));
      expect(await other.outbox.nextDueAt()).toEqual(at(30));
      await claim(store, { now: at(30), leaseUntil: at(120) });
      expect(await other.outbox.nextDueAt()).toEqual(at(90));
    });
  });

  describe('list', () => {
    const all = [mail('e'), mail('b', { accountId: 'bob' }), mail('d', { accountId: null }), mail('a'), mail('c')];
    const filters: readonly [string, Omit<Parameters<Store['outbox']['list']>[0], 'page'>, readonly string[]][] = [
      ['nothing', {}, ['a', 'b', 'c', 'd', 'e']],
      ['account', { accountId: 'alice' }, ['a', 'c', 'e']],
      ['status', { status: 'sent' }, ['a', 'b']],
      ['pending', { status: 'pending' }, ['d', 'e']],
      ['both', { status: 'sent', accountId: 'bob' }, ['b']],
      ['what is not there', { accountId: 'nobody' }, []],
    ];
    for (const [what, filter, expected] of filters) {
      test(`by ${what} gives each that matches, by id, page after page`, async ({ store, other }) => {
        await queue(store, ...all);
        await settleAs(store, { a: 'sent', b: 'sent', c: 'rejected' });
        const walked = await walk(
          1,
          (page) => other.outbox.list({ ...filter, page }),
          ({ id }) => id,
        );
        expect(ids(walked)).toEqual(expected);
        const page = await other.outbox.list({ ...filter, page: { limit: 50 } });
        expect(page).toEqual(walked);
        for (const one of page) expect(await store.outbox.find(one.id)).toEqual(one);
      });
    }
  });

  describe('counts', () => {
    test('counts every status, and a held mail as pending', async ({ store, other }) => {
      expect(await store.outbox.counts()).toEqual({ pending: 0, sent: 0, rejected: 0, abandoned: 0 });
      await queue(store, ...['a', 'b', 'c', 'd', 'e', 'f'].map((id) => mail(id)));
      await settleAs(store, { a: 'sent', b: 'sent', c: 'sent', d: 'rejected' });
      await claim(store, { limit: 1 });
      expect(await other.outbox.counts()).toEqual({ pending: 2, sent: 3, rejected: 1, abandoned: 0 });
      await settleAs(store, { e: 'abandoned', f: 'abandoned' });
      expect(await other.outbox.counts()).toEqual({ pending: 1, sent: 3, rejected: 1, abandoned: 1 });
    });
  });

  describe('revive', () => {
    const again = { now: at(day), deadlineAt: at(4 * day), limit: 100 };
    const dead = async (store: Store) => {
      await queue(store, ...['rejected', 'abandoned', 'sent', 'pending'].map((id) => mail(id)));
      await settleAs(store, { rejected: 'rejected', abandoned: 'abandoned', sent: 'sent' });
    };

    test('makes those that could not be sent pending again, due now, with a new deadline', async ({ store, other }) => {
      await dead(store);
      expect(await other.outbox.revive(again)).toBe(2);
      expect(await statuses(store)).toEqual({
        rejected: 'pending',
        abandoned: 'pending',
        sent: 'sent',
        pending: 'pending',
      });
      for (const id of ['rejected', 'abandoned']) {
        expect(await store.outbox.find(id)).toMatchObject({
          sealed: `sealed:mail:${id}`,
          deadlineAt: at(4 * day),
          nextAttemptAt: at(day),
          createdAt: start,
        });
      }
      expect(await store.outbox.find('pending')).toEqual(mail('pending'));
      expect(await store.outbox.find('sent')).toMatchObject({ sealed: '', deadlineAt: at(day) });
      const claimed = ids(await claim(store, { now: at(day), leaseUntil: at(day + 60) }));
      expect(claimed.sort()).toEqual(['abandoned', 'pending', 'rejected']);
    });

    test('only those of the ids', async ({ store }) => {
      await dead(store);
      expect(await store.outbox.revive({ ...again, ids: ['sent', 'pending', 'nothing'] })).toBe(0);
      expect(await store.outbox.revive({ ...again, ids: ['abandoned', 'sent'] })).toBe(1);
      expect(await statuses(store)).toMatchObject({ rejected: 'rejected', abandoned: 'pending', sent: 'sent' });
    });

    test('of no ids revives none: an empty choice is not everything', async ({ store }) => {
      await dead(store);
      expect(await store.outbox.revive({ ...again, ids: [] })).toBe(0);
      expect(await statuses(store)).toMatchObject({ rejected: 'rejected', abandoned: 'abandoned' });
    });

    test('no more than the limit at once, until there are none', async ({ store, other }) => {
      const all = Array.from({ length: 7 }, (_, index) => mail(`m-${index}`));
      await queue(store, ...all);
      await settleAs(
        store,
        Object.fromEntries(all.map(({ id }, index) => [id, index % 2 ? 'rejected' : 'abandoned'] as const)),
      );
      const batches: number[] = [];
      for (let revived = -1; revived !== 0;) {
        revived = await other.outbox.revive({ ...again, limit: 2 });
        batches.push(revived);
      }
      expect(batches).toEqual([2, 2, 2, 1, 0]);
      expect((await store.outbox.counts()).pending).toBe(7);
    });

    test('with ids no more than the limit either, and only those', async ({ store }) => {
      const all = Array.from({ length: 5 }, (_, index) => mail(`m-${index}`));
      await queue(store, ...all);
      await settleAs(store, Object.fromEntries(ids(all).map((id) => [id, 'rejected'] as const)));
      const chosen = { ...again, ids: ['m-1', 'm-3', 'm-4'], limit: 2 };
      const revived = [await store.outbox.revive(chosen), await store.outbox.revive(chosen)];
      expect([...revived, await store.outbox.revive(chosen)]).toEqual([2, 1, 0]);
      expect(await statuses(store)).toMatchObject({ 'm-0': 'rejected', 'm-2': 'rejected' });
    });

    test('twice at once revives each once', async ({ store, other }) => {
      await dead(store);
      const revived = await atOnce(4, [store, other], (handle) => handle.outbox.revive(again));
      expect(revived.reduce((sum, each) => sum + each)).toBe(2);
    });

    test('gives nothing back to the worker that gave it up', async ({ store }) => {
      await queue(store, mail('one'));
      const lease = only(await claim(store));
      await store.outbox.settle(outcome(lease, { status: 'rejected' }));
      await store.outbox.revive(again);
      expect(await store.outbox.settle(outcome(lease))).toBe(false);
      const next = only(await claim(store, { now: at(day), leaseUntil: at(day + 60) }));
      expect(next.fence).toBeGreaterThan(lease.fence);
    });
  });

  describe('sweep', () => {
    const keep = 90 * day;

    test('forgets what was sent or given up, 90 days after it was queued, and nothing that is pending', async ({
      store,
      other,
    }) => {
      await queue(store, ...['sent', 'rejected', 'abandoned', 'pending', 'held'].map((id) => mail(id)));
      await queue(store, mail('younger', { createdAt: at(0.001) }));
      await settleAs(store, { sent: 'sent', rejected: 'rejected', abandoned: 'abandoned', younger: 'sent' });
      await claim(store, { limit: 1 });
      expect(await sweepAll(other, at(keep - 0.001))).toBe(0);
      expect(await sweepAll(other, at(keep))).toBe(3);
      expect(await statuses(store)).toEqual({ held: 'pending', pending: 'pending', younger: 'sent' });
      expect(await sweepAll(other, at(keep + 1))).toBe(1);
      expect(await sweepAll(store, at(10 * keep))).toBe(0);
      expect(await statuses(store)).toEqual({ held: 'pending', pending: 'pending' });
    });

    test('goes a bounded batch at a time', async ({ store }) => {
      const all = Array.from({ length: 10 }, (_, index) => mail(`m-${index}`));
      await queue(store, ...all);
      const kinds = ['sent', 'rejected', 'abandoned'] as const;
      await settleAs(store, Object.fromEntries(ids(all).map((id, index) => [id, kinds[index % 3] ?? 'sent'] as const)));
      let swept = 0;
      for (let more = true; more;) {
        const batch = await store.sweep({ now: at(keep), limit: 3 });
        expect(batch.swept).toBeLessThanOrEqual(3);
        swept += batch.swept;
        more = batch.more;
      }
      expect(swept).toBe(10);
      expect(await store.outbox.list({ page: { limit: 50 } })).toEqual([]);
    });
  });
}
