import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
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
import { atOnce, isAlive, populate, save } from './together.ts';

/** Sweeps until nothing goes any more; resolves to how many went. An empty pass may be the end of a walk: two are not. */
const sweepAll = async (store: Store, now: Date, limit = 1000) => {
  let swept = 0;
  for (let empty = 0; empty < 3;) {
    const gone = await store.sweep({ now, limit });
    swept += gone;
    empty = gone === 0 ? empty + 1 : 0;
  }
  return swept;
};

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
      expect(await store.sweep({ now: at(year), limit: 100 })).toBe(0);
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
        const gone = await store.sweep({ now: at(60), limit: 4 });
        expect(gone).toBeLessThanOrEqual(4);
        swept += gone;
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
      expect(swept.reduce((sum, each) => sum + each)).toBe(10);
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
        const gone = await store.sweep({ now: at(60), limit: 4 });
        expect(gone).toBeLessThanOrEqual(4);
        swept += gone;
      }
      expect(swept).toBe(10);
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

        test(`${key} stays raised for as long as the longest-lived of them`, async ({ store }) => {
          const saved = await save(store, 'one', { [key]: 0 }, { expiresAt: at(3 * year) });
          await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf('one', key)));
          await sweepAll(store, at(2 * year));
          expect(await isAlive(store, saved, at(2 * year))).toBe(false);
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
