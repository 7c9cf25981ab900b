import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import { artifact, at, clientSession, delivery, hour, signOutOf, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, grantIds, ids, populate, walk } from './together.ts';

/** Alice, two of her Client Sessions, and the Sign-out of all of them. */
const signedOut = async (store: Store) => {
  await populate(store);
  for (const grantId of ['one', 'two']) await store.artifacts.save(artifact(`code:${grantId}`), clientSession(grantId));
  return store.revocations.signOut(signOutOf('sign-out', 'account:alice', { at: at(5) }));
};

const owed = [delivery('d-one', { sid: 'sid:one' }), delivery('d-two', { sid: 'sid:two', deadlineAt: at(hour) })];

const settled = {
  status: 'delivered',
  attempts: 1,
  refusals: 0,
  nextAttemptAt: null,
  lastAttemptAt: at(10),
  lastOutcome: 'answered 200',
} as const;

const deliver = async (store: Store, id: string) => {
  const leases = await store.deliveries.claim({ clientId: 'player', now: at(9), leaseUntil: at(60), limit: 10 });
  for (const lease of leases) {
    if (lease.id === id) await store.deliveries.settle({ id, fence: lease.fence, ...settled });
    else await store.deliveries.release([lease]);
  }
};

export function fanOutConformance(test: StoreTest): void {
  test('writes the deliveries as given and marks the client sessions ended by this sign-out', async ({
    store,
    other,
  }) => {
    const signOut = await signedOut(store);
    await store.revocations.fanOut({ signOut, deliveries: owed, ended: ['one', 'two'] });
    for (const each of owed) expect(await other.deliveries.find(each.id)).toEqual(each);
    for (const grantId of ['one', 'two']) {
      expect(await other.revocations.findClientSession(grantId)).toEqual(
        clientSession(grantId, { endedAt: at(5), endedBy: 'sign-out' }),
      );
    }
    expect(await other.revocations.clientSessionsOf('alice')).toEqual([]);
  });

  test('leaves the sign-out pending: a crash before it is completed is resumed', async ({ data, store }) => {
    const signOut = await signedOut(store);
    await store.revocations.fanOut({ signOut, deliveries: owed, ended: ['one', 'two'] });
    await store.close();

    const later = await data.open();
    expect(await later.revocations.pendingSignOuts(5)).toEqual([signOut]);
    await later.revocations.fanOut({ signOut, deliveries: owed, ended: ['one', 'two'] });
    await later.revocations.completeSignOut(signOut);
    expect(await later.revocations.pendingSignOuts(5)).toEqual([]);
    expect((await later.deliveries.counts({})).pending).toBe(2);
  });

  test('done twice is done once', async ({ store, other }) => {
    const signOut = await signedOut(store);
    const batch = { signOut, deliveries: owed, ended: ['one', 'two'] };
    await atOnce(6, [store, other], (handle) => handle.revocations.fanOut(batch));
    expect(await store.deliveries.counts({})).toEqual({ pending: 2, delivered: 0, rejected: 0, abandoned: 0 });
    expect(ids(await store.deliveries.list({ page: { limit: 50 } })).sort()).toEqual(['d-one', 'd-two']);
  });

  test('done again does not send again what was delivered, nor forget what was tried', async ({ store, other }) => {
    const signOut = await signedOut(store);
    await store.revocations.fanOut({ signOut, deliveries: owed, ended: ['one'] });
    await deliver(store, 'd-one');
    const before = await store.deliveries.find('d-one');
    await other.revocations.fanOut({ signOut, deliveries: owed, ended: ['one', 'two'] });
    expect(await store.deliveries.find('d-one')).toEqual(before);
    expect(before).toMatchObject(settled);
    expect(await store.deliveries.counts({})).toMatchObject({ pending: 1, delivered: 1 });
  });

  test('done again does not free what a worker holds', async ({ store, other }) => {
    const signOut = await signedOut(store);
    const batch = { signOut, deliveries: owed, ended: ['one', 'two'] };
    await store.revocations.fanOut(batch);
    const claim = { clientId: 'player', now: at(9), leaseUntil: at(60), limit: 10 };
    const leases = await store.deliveries.claim(claim);
    expect(leases).toHaveLength(2);
    await other.revocations.fanOut(batch);
    expect(await other.deliveries.claim(claim)).toEqual([]);
    for (const { id, fence } of leases) expect(await store.deliveries.settle({ id, fence, ...settled })).toBe(true);
  });

  test('a client session is ended by the first sign-out that ends it', async ({ store, other }) => {
    const first = await signedOut(store);
    const second = await store.revocations.signOut(signOutOf('second', 'account:alice', { at: at(6) }));
    await store.revocations.fanOut({ signOut: second, deliveries: [], ended: ['one'] });
    await other.revocations.fanOut({ signOut: first, deliveries: [], ended: ['one', 'two'] });
    await store.revocations.fanOut({ signOut: second, deliveries: [], ended: ['two'] });
    expect(await store.revocations.findClientSession('one')).toMatchObject({ endedBy: 'second', endedAt: at(6) });
    expect(await store.revocations.findClientSession('two')).toMatchObject({ endedBy: 'sign-out', endedAt: at(5) });
  });

  test('two sign-outs that end one client session at once: one of them did', async ({ store, other }) => {
    const first = await signedOut(store);
    const second = await store.revocations.signOut(signOutOf('second', 'account:alice', { at: at(6) }));
    await Promise.all([
      store.revocations.fanOut({ signOut: first, deliveries: [], ended: ['one'] }),
      other.revocations.fanOut({ signOut: second, deliveries: [], ended: ['one'] }),
    ]);
    const by = (id: string) => store.revocations.endedBy(id, { limit: 5 });
    expect(grantIds([...(await by('sign-out')), ...(await by('second'))])).toEqual(['one']);
  });

  test('an empty batch is no error, nor is ending what is not there', async ({ store }) => {
    const signOut = await signedOut(store);
    await store.revocations.fanOut({ signOut, deliveries: [], ended: [] });
    await store.revocations.fanOut({ signOut, deliveries: [], ended: ['nothing'] });
    expect(await store.revocations.findClientSession('nothing')).toBeNull();
    expect(await store.revocations.clientSessionsOf('alice')).toHaveLength(2);
  });

  test('a large batch is written whole', async ({ store }) => {
    await populate(store);
    const grants = Array.from({ length: 1000 }, (_, index) => `grant-${String(index).padStart(4, '0')}`);
    await Promise.all(
      grants.map((grantId) => store.artifacts.save(artifact(`code:${grantId}`), clientSession(grantId))),
    );
    const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
    const deliveries = grants.map((grantId) => delivery(`d-${grantId}`, { sid: `sid:${grantId}` }));
    await store.revocations.fanOut({ signOut, deliveries, ended: grants });
    expect((await store.deliveries.counts({ signOutId: 'sign-out' })).pending).toBe(1000);
    expect(await store.revocations.clientSessionsOf('alice')).toEqual([]);
  });

  describe('endedBy', () => {
    test('gives those a sign-out ended, by grant id, page after page', async ({ store, other }) => {
      await populate(store);
      const grants = ['d', 'a', 'c', 'b', 'E'];
      for (const grantId of [...grants, 'f']) {
        await store.artifacts.save(artifact(`code:${grantId}`), clientSession(grantId));
      }
      const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice', { at: start }));
      expect(await store.revocations.endedBy('sign-out', { limit: 5 })).toEqual([]);
      await store.revocations.fanOut({ signOut, deliveries: [], ended: grants });
      const walked = await walk(
        2,
        (page) => other.revocations.endedBy('sign-out', page),
        ({ grantId }) => grantId,
      );
      expect(grantIds(walked)).toEqual(['E', 'a', 'b', 'c', 'd']);
      expect(walked[0]).toEqual(clientSession('E', { endedAt: start, endedBy: 'sign-out' }));
      expect(await store.revocations.endedBy('nothing', { limit: 5 })).toEqual([]);
    });
  });
}
