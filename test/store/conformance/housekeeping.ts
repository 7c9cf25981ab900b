import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { DeliveryStatus } from '../../../src/store/records.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  day,
  delivery,
  hour,
  identifiers,
  signOutOf,
  signingKey,
  start,
  year,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, isAlive, populate, save, sweepAll } from './together.ts';

/** A Sign-out of Alice's, complete, with what it ended and what it owes, all of it settled as told. */
const finished = async (
  store: Store,
  id: string,
  grants: readonly string[],
  statuses: { readonly [deliveryId: string]: DeliveryStatus },
  at_ = start,
) => {
  for (const grantId of grants) await store.artifacts.save(artifact(`code:${grantId}`), clientSession(grantId));
  const signOut = await store.revocations.signOut(signOutOf(id, 'account:alice', { at: at_ }));
  const deliveries = Object.keys(statuses).map((each) => delivery(each, { signOutId: id, createdAt: at_ }));
  await store.revocations.fanOut({ signOut, deliveries, ended: grants });
  await store.revocations.completeSignOut(signOut);
  await settleAs(store, statuses);
};

/** Settles each of these that is pending as told, `pending` being not at all. */
const settleAs = async (store: Store, statuses: { readonly [deliveryId: string]: DeliveryStatus }) => {
  for (const lease of await store.deliveries.claim({
    clientId: 'player',
    now: start,
    leaseUntil: at(60),
    limit: 1000,
  })) {
    const status = statuses[lease.id] ?? 'pending';
    if (status === 'pending') await store.deliveries.release([lease]);
    else {
      await store.deliveries.settle({
        id: lease.id,
        fence: lease.fence,
        status,
        attempts: 1,
        refusals: 0,
        nextAttemptAt: null,
        lastAttemptAt: at(1),
        lastOutcome: 'answered',
      });
    }
  }
};

const told = (ids: readonly string[]): { [deliveryId: string]: DeliveryStatus } =>
  Object.fromEntries(ids.map((id) => [id, 'delivered']));

export function housekeepingConformance(test: StoreTest): void {
  describe('ping', () => {
    test('resolves while the store reads and writes, and changes nothing', async ({ store, other }) => {
      await atOnce(4, [store, other], (handle) => handle.ping());
      expect(await store.accounts.count()).toBe(0);
      expect(await store.accounts.list({ limit: 1 })).toEqual([]);
      expect(await store.catalogue.listClients({ limit: 1 })).toEqual([]);
      expect(await store.catalogue.listSigningKeys()).toEqual([]);
      expect(await store.revocations.listSignOuts(1)).toEqual([]);
      expect(await store.catalogue.fact('ping')).toBeNull();
    });
  });

  describe('sweep', () => {
    test('a new store has nothing to sweep', async ({ store }) => {
      expect(await store.sweep({ now: at(year), limit: 100 })).toEqual({ swept: 0, more: false });
    });

    test('deletes what has expired, from the instant it does, and leaves the rest', async ({ store, other }) => {
      await store.artifacts.save(artifact('one', { expiresAt: at(60) }));
      await store.artifacts.save(artifact('two', { expiresAt: at(60.001) }));
      expect(await sweepAll(other, at(59.999))).toBe(0);
      expect(await sweepAll(other, at(60))).toBe(1);
      expect(await store.artifacts.find(artifact('two').key, at(60))).not.toBeNull();
      // Gone, and not merely hidden: an earlier instant does not find it either.
      expect(await store.artifacts.find(artifact('one').key, start)).toBeNull();
      expect(await sweepAll(other, at(60))).toBe(0);
      expect(await sweepAll(other, at(61))).toBe(1);
    });

    test('goes a bounded batch at a time, and comes to the end', async ({ store }) => {
      for (let index = 0; index < 25; index += 1) {
        await store.artifacts.save(artifact(`old-${index}`, { expiresAt: at(index % 2) }));
        await store.artifacts.save(artifact(`new-${index}`, { expiresAt: at(hour) }));
      }
      let swept = 0;
      for (let round = 0; round < 60; round += 1) {
        const batch = await store.sweep({ now: at(60), limit: 4 });
        expect(batch.swept).toBeLessThanOrEqual(4);
        swept += batch.swept;
      }
      expect(swept).toBe(25);
      for (let index = 0; index < 25; index += 1) {
        expect(await store.artifacts.find(artifact(`new-${index}`).key, start)).not.toBeNull();
      }
    });

    test('at once through two handles, each row is counted once', async ({ store, other }) => {
      for (let index = 0; index < 10; index += 1)
        await store.artifacts.save(artifact(`one-${index}`, { expiresAt: at(1) }));
      const swept = await atOnce(10, [store, other], (handle) => handle.sweep({ now: at(2), limit: 100 }));
      expect(swept.reduce((sum, each) => sum + each.swept, 0)).toBe(10);
    });

    test('keeps a tombstone until the row would have expired', async ({ store }) => {
      const session = artifact('one', { model: 'Session', expiresAt: at(60) });
      await store.artifacts.save(session);
      await store.artifacts.destroy(session.key);
      await sweepAll(store, at(59.999));
      await store.artifacts.save(session);
      expect(await store.artifacts.find(session.key, start)).toBeNull();
      expect(await sweepAll(store, at(60))).toBe(1);
    });

    test('keeps a consumption until the row expires', async ({ store }) => {
      const code = artifact('code', { expiresAt: at(60) });
      await store.artifacts.save(code);
      await store.artifacts.consume(code.key, start);
      await sweepAll(store, at(59.999));
      expect(await store.artifacts.consume(code.key, at(59.999))).toBe(false);
    });

    test('deletes attempt windows that have expired, and no others', async ({ store }) => {
      const attempt = { key: 'address:a', windowStart: start, expiresAt: at(60) };
      await store.accounts.countAttempt(attempt);
      await store.accounts.countAttempt(attempt);
      await sweepAll(store, at(59.999));
      expect(await store.accounts.countAttempt(attempt)).toBe(3);
      expect(await sweepAll(store, at(60))).toBe(1);
    });

    test('deletes attempt windows a bounded batch at a time', async ({ store }) => {
      for (let index = 0; index < 10; index += 1) {
        await store.accounts.countAttempt({ key: `address:${index}`, windowStart: start, expiresAt: at(60) });
      }
      let swept = 0;
      for (let round = 0; round < 10; round += 1) {
        const batch = await store.sweep({ now: at(60), limit: 4 });
        expect(batch.swept).toBeLessThanOrEqual(4);
        swept += batch.swept;
      }
      expect(swept).toBe(10);
    });

    test('says that there may be more after it has deleted something, and comes to an end', async ({ store }) => {
      for (let index = 0; index < 10; index += 1) await store.artifacts.save(artifact(`live-${index}`));
      await store.artifacts.save(artifact('dead', { expiresAt: at(1) }));
      const batches = [];
      do batches.push(await store.sweep({ now: at(2), limit: 4 }));
      while (batches.at(-1)?.more === true && batches.length < 20);
      expect(batches.filter(({ swept }) => swept > 0)).toEqual([{ swept: 1, more: true }]);
      expect(batches.at(-1)).toEqual({ swept: 0, more: false });
      expect(await store.sweep({ now: at(2), limit: 100 })).toEqual({ swept: 0, more: false });
    });

    test('never forgets a failure that still blocks', async ({ store }) => {
      const key = 'password:alice';
      const failure = { key, now: start, delaySeconds: () => day };
      await store.accounts.addFailure(failure);
      await sweepAll(store, at(day - 1));
      expect(await store.accounts.throttle(key)).toEqual({ failures: 1, blockedUntil: at(day) });
    });

    test('never deletes an account, a client, a key or a fact', async ({ store }) => {
      await store.accounts.insert(account('alice'), identifiers('alice'));
      await store.catalogue.saveClient(client('player'));
      await store.catalogue.addSigningKey(signingKey('a', { retiresAt: at(day) }));
      await store.catalogue.settle('keyring', 'first');
      await sweepAll(store, at(10 * year));
      expect(await store.accounts.find('alice')).not.toBeNull();
      expect((await store.accounts.findByIdentifier('index:alice'))?.id).toBe('alice');
      expect(await store.catalogue.findClient('player')).not.toBeNull();
      expect(await store.catalogue.listSigningKeys()).toHaveLength(1);
      expect(await store.catalogue.fact('keyring')).toBe('first');
    });

    test('never deletes the tombstone of an account or a client', async ({ store }) => {
      await populate(store);
      await store.accounts.setStatus({
        accountId: 'alice',
        status: 'deleted',
        signOut: signOutOf('a', 'account:alice'),
      });
      await store.catalogue.deleteClient('player', signOutOf('c', 'client:player'));
      await sweepAll(store, at(10 * year));
      expect(await store.accounts.find('alice')).toMatchObject({ status: 'deleted' });
      expect(await store.catalogue.saveClient(client('player'))).toBe('deleted');
    });

    describe('what a sign-out leaves behind', () => {
      test('goes when it is over 90 days old, complete, and everyone has heard', async ({ store, other }) => {
        await populate(store);
        await finished(store, 'one', ['a', 'b'], told(['d-a', 'd-b']));
        await finished(store, 'young', ['c'], told(['d-c']), at(day));
        await sweepAll(other, at(90 * day - 0.001));
        expect(await store.revocations.listSignOuts(5)).toHaveLength(2);
        expect(await store.revocations.endedBy('one', { limit: 5 })).toHaveLength(2);
        expect(await sweepAll(other, at(90 * day))).toBe(5);
        expect(await store.revocations.findSignOut('one')).toBeNull();
        expect(await store.revocations.findClientSession('a')).toBeNull();
        expect(await store.deliveries.find('d-a')).toBeNull();
        expect(await store.revocations.findSignOut('young')).not.toBeNull();
        expect(await store.revocations.findClientSession('c')).not.toBeNull();
        expect(await store.deliveries.find('d-c')).not.toBeNull();
        // What was ended stays ended.
        expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 2 });
      });

      for (const status of ['pending', 'rejected', 'abandoned'] as const) {
        test(`stays whole while one delivery is ${status}, and goes once it is delivered`, async ({ store }) => {
          await populate(store);
          await finished(store, 'one', ['a', 'b'], { 'd-a': 'delivered', 'd-b': status });
          expect(await sweepAll(store, at(year))).toBe(2); // The artifacts.
          expect(await store.revocations.endedBy('one', { limit: 5 })).toHaveLength(2);
          expect(await store.deliveries.counts({ signOutId: 'one' })).toMatchObject({ delivered: 1, [status]: 1 });
          await store.deliveries.revive({ now: start, deadlineAt: at(day) });
          await settleAs(store, told(['d-b']));
          expect(await sweepAll(store, at(year))).toBe(5);
          expect(await store.revocations.findSignOut('one')).toBeNull();
        });
      }

      test('goes a bounded batch at a time, its own record last', async ({ store }) => {
        await populate(store);
        const names = Array.from({ length: 7 }, (_, index) => `${index}`);
        for (const id of ['one', 'two'])
          await finished(
            store,
            id,
            names.map((name) => `${id}-${name}`),
            told(names.map((name) => `d-${id}-${name}`)),
          );
        await sweepAll(store, at(hour));
        let all = 0;
        for (let more = true; more;) {
          const batch = await store.sweep({ now: at(year), limit: 4 });
          expect(batch.swept).toBeLessThanOrEqual(4);
          all += batch.swept;
          more = batch.more;
          const left = await store.deliveries.list({ page: { limit: 50 } });
          for (const { signOutId } of left) expect(await store.revocations.findSignOut(signOutId)).not.toBeNull();
        }
        expect(all).toBe(2 * (7 + 7 + 1));
        expect(await store.revocations.listSignOuts(5)).toEqual([]);
      });

      test('does not wait behind others that stay, however many', async ({ store }) => {
        await populate(store);
        for (let index = 0; index < 450; index += 1) {
          await store.revocations.signOut(signOutOf(`pending-${index}`, 'account:bob', { at: at(-index) }));
        }
        await finished(store, 'one', ['a'], told(['d-a']), at(1));
        await sweepAll(store, at(year), 100);
        expect(await store.revocations.findSignOut('one')).toBeNull();
        expect(await store.revocations.pendingSignOuts(1000)).toHaveLength(450);
      });
    });

    describe('whom must still be told', () => {
      test('a client session that has not ended stays, however long ago it was used', async ({ store }) => {
        const session = clientSession('grant', { persistent: true, kind: 'device' });
        await store.artifacts.save(artifact('code', { expiresAt: at(60) }), session);
        await sweepAll(store, at(10 * year));
        expect(await store.revocations.findClientSession('grant')).toEqual(session);
        expect(await store.revocations.clientSessionsOf('alice')).toHaveLength(1);
      });

      test('an ended one stays while its delivery is pending, and so does the delivery', async ({ store }) => {
        await populate(store);
        await store.artifacts.save(artifact('code'), clientSession('grant'));
        const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
        await store.revocations.fanOut({ signOut, deliveries: [delivery('one')], ended: ['grant'] });
        await store.revocations.completeSignOut(signOut);
        await sweepAll(store, at(10 * year));
        expect(await store.deliveries.find('one')).toEqual(delivery('one'));
        expect(await store.revocations.findClientSession('grant')).toMatchObject({ endedBy: 'sign-out' });
      });

      test('a pending sign-out stays, with those it must end', async ({ store }) => {
        await populate(store);
        await store.artifacts.save(artifact('code'), clientSession('one'));
        await store.artifacts.save(artifact('other'), clientSession('two'));
        const device = await store.revocations.signOut(signOutOf('device', 'grant:two'));
        const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
        await store.revocations.fanOut({ signOut, deliveries: [], ended: ['one'] });
        await sweepAll(store, at(10 * year));
        expect(await store.revocations.pendingSignOuts(5)).toHaveLength(2);
        expect(await store.revocations.findSignOut('device')).toEqual(device);
        expect(await store.revocations.sessionsToEnd(device, { limit: 5 })).toHaveLength(1);
        expect(await store.revocations.findClientSession('one')).not.toBeNull();
      });

      test('a dead letter stays: a client that never heard is shown, never forgotten', async ({ store }) => {
        await populate(store);
        const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
        await store.revocations.fanOut({ signOut, deliveries: [delivery('r'), delivery('a')], ended: [] });
        await store.revocations.completeSignOut(signOut);
        const claimed = await store.deliveries.claim({ clientId: 'player', now: start, leaseUntil: at(60), limit: 9 });
        for (const { id, fence } of claimed) {
          await store.deliveries.settle({
            id,
            fence,
            status: id === 'r' ? 'rejected' : 'abandoned',
            attempts: 9,
            refusals: 3,
            nextAttemptAt: null,
            lastAttemptAt: at(1),
            lastOutcome: 'answered 400',
          });
        }
        await sweepAll(store, at(10 * year));
        expect(await store.deliveries.counts({})).toMatchObject({ rejected: 1, abandoned: 1 });
      });
    });

    describe('what was raised', () => {
      for (const key of ['everyone', 'account:alice', 'client:player', 'connection:corp'] as const) {
        test(`${key} stays raised for good`, async ({ store }) => {
          await populate(store);
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          await sweepAll(store, at(10 * year));
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
          expect(await store.revocations.signedOutAt(key)).toEqual(start);
        });
      }

      for (const key of ['session:laptop', 'grant:grant'] as const) {
        test(`${key} stays raised while an artifact it ended has not expired`, async ({ store }) => {
          const saved = await save(store, 'one', { [key]: 0 }, { expiresAt: at(year) });
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          await sweepAll(store, at(300 * day));
          expect(await isAlive(store, saved, at(300 * day))).toBe(false);
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
        });

        test(`${key} stays raised for as long as an artifact may live that was saved in flight`, async ({ store }) => {
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          const saved = await save(store, 'one', { [key]: 0 }, { expiresAt: at(400 * day + hour) });
          for (const days of [100, 399, 400]) {
            await sweepAll(store, at(days * day));
            expect(await isAlive(store, saved, at(days * day))).toBe(false);
          }
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
        });

        test(`${key} is forgotten after 800 days, when no sign-out of it is pending`, async ({ store }) => {
          const signOut = await store.revocations.signOut(signOutOf('one', key));
          await sweepAll(store, at(3 * year));
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
          await store.revocations.completeSignOut(signOut);
          await sweepAll(store, at(800 * day - 0.001));
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
          await sweepAll(store, at(800 * day));
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 0 });
        });

        test(`${key} is not forgotten while a client session of it has not ended`, async ({ store }) => {
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          const again = clientSession('grant', { stamps: { [key]: 1 } });
          await store.artifacts.save(artifact('code', { stamps: { [key]: 1 }, expiresAt: at(10 * year) }), again);
          await sweepAll(store, at(3 * year));
          expect(await store.revocations.epochs([key])).toEqual({ [key]: 1 });
          expect(await store.artifacts.find(artifact('code').key, at(3 * year))).not.toBeNull();
        });

        test(`${key} stays raised for requests in flight that saw it before`, async ({ store, other }) => {
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          await sweepAll(other, at(hour));
          expect(await isAlive(store, await save(store, 'one', { [key]: 0 }, { expiresAt: at(30 * day) }))).toBe(false);
        });
      }

      test('a revoked grant stays revoked while its artifacts have not expired', async ({ store }) => {
        const saved = await save(store, 'one', { 'grant:grant': 0 }, { expiresAt: at(year) });
        await store.revocations.revokeGrant('grant', start);
        await sweepAll(store, at(300 * day));
        expect(await isAlive(store, saved, at(300 * day))).toBe(false);
      });

      test('revoked grants are forgotten after 800 days, a bounded batch at a time', async ({ store }) => {
        for (let index = 0; index < 10; index += 1) await store.revocations.revokeGrant(`grant-${index}`, at(index));
        let all = 0;
        for (let more = true; more;) {
          const batch = await store.sweep({ now: at(800 * day + 7), limit: 3 });
          expect(batch.swept).toBeLessThanOrEqual(3);
          all += batch.swept;
          more = batch.more;
        }
        expect(all).toBe(8);
        expect(await store.revocations.epochs(['grant:grant-7', 'grant:grant-8'])).toEqual({
          'grant:grant-7': 0,
          'grant:grant-8': 1,
        });
      });

      test('what an account’s sign-out spared stays spared', async ({ store }) => {
        await populate(store);
        const saved = await save(store, 'one', { 'account:alice': 0, 'session:laptop': 0 }, { expiresAt: at(year) });
        const signOut = signOutOf('one', 'account:alice', {
          scope: { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' },
          spares: ['session:laptop'],
        });
        await store.revocations.completeSignOut(await store.revocations.signOut(signOut));
        await sweepAll(store, at(300 * day));
        expect(await isAlive(store, saved, at(300 * day))).toBe(true);
      });
    });
  });
}
