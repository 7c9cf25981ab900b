import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { ScopeKey, Stamps } from '../../../src/store/records.ts';
import { clientSession, artifact, signOutOf, signOutRequest, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { aliveAmong, atOnce, grantIds, isAlive, populate, save } from './together.ts';

const scope = { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' } as const;

/** All other devices: `laptop` and its Grant stay. */
const allOthers = (id: string, spares: readonly ScopeKey[] = ['session:laptop', 'grant:web']) =>
  signOutRequest(id, scope, { spares });

/** An artifact's stamps: alice's account at this epoch, and these scopes never raised. */
const stamps = (epoch: number, ...keys: readonly ScopeKey[]): Stamps => ({
  'account:alice': epoch,
  ...Object.fromEntries(keys.map((key) => [key, 0])),
});

const saveAll = async (store: Store, all: { readonly [name: string]: Stamps }) => {
  const saved: { [name: string]: Awaited<ReturnType<typeof save>> } = {};
  for (const [name, each] of Object.entries(all)) saved[name] = await save(store, name, each);
  return saved;
};

export function sparingConformance(test: StoreTest): void {
  test('what bears a spared scope stays alive through the raise; all else of the account dies', async ({
    store,
    other,
  }) => {
    await populate(store);
    const saved = await saveAll(store, {
      session: stamps(0, 'everyone', 'session:laptop'),
      token: stamps(0, 'everyone', 'client:player', 'grant:web'),
      both: stamps(0, 'session:laptop', 'grant:web'),
      'spared grant of another session': stamps(0, 'session:phone', 'grant:web'),
      'other session': stamps(0, 'session:phone'),
      'other grant': stamps(0, 'grant:tv'),
      'neither session nor grant': stamps(0),
      'longer name': stamps(0, 'session:laptop2', 'grant:webb'),
      'other kind': stamps(0, 'grant:laptop', 'session:web'),
    });
    await store.revocations.signOut(allOthers('one'));
    const spared = ['session', 'token', 'both', 'spared grant of another session'];
    expect(await aliveAmong(store, saved)).toEqual(spared);
    expect(await aliveAmong(other, saved)).toEqual(spared);
    expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
  });

  test('what it spares is recorded with the epoch it may still carry', async ({ store, other }) => {
    await populate(store);
    await store.revocations.signOut(signOutOf('zero', 'account:alice'));
    const signOut = await store.revocations.signOut(allOthers('one'));
    expect(signOut).toMatchObject({ epochBefore: 1, spared: { 'session:laptop': 1, 'grant:web': 1 } });
    expect(await other.revocations.findSignOut('one')).toEqual(signOut);
  });

  test('what is found tells the present epochs, so that what is made from it is stamped anew', async ({ store }) => {
    await populate(store);
    const saved = await save(store, 'session', stamps(0, 'session:laptop'));
    await store.revocations.signOut(allOthers('one'));
    const found = await store.artifacts.find(saved.key, start);
    expect(found?.epochs).toEqual({ 'account:alice': 1, 'session:laptop': 0 });
    expect((await store.artifacts.findByUid('Session', 'uid:session', start))?.epochs).toEqual(found?.epochs);
    expect((await store.artifacts.findByUserCode('code:session', start))?.epochs).toEqual(found?.epochs);
    const made = await save(store, 'made', found?.epochs ?? {});
    expect(await isAlive(store, made)).toBe(true);
  });

  test('a request in flight under a spared scope was not moved; one under another was', async ({ store }) => {
    await populate(store);
    await store.revocations.signOut(allOthers('one'));
    expect(await store.revocations.movedBySignOut(stamps(0, 'session:laptop'))).toBe(false);
    expect(await store.revocations.movedBySignOut(stamps(0, 'grant:web'))).toBe(false);
    expect(await store.revocations.movedBySignOut(stamps(0, 'session:phone'))).toBe(true);
    expect(await store.revocations.movedBySignOut(stamps(0))).toBe(true);
    await store.revocations.signOut(signOutOf('two', 'account:alice'));
    expect(await store.revocations.movedBySignOut(stamps(0, 'session:laptop'))).toBe(true);
  });

  test('what is saved in flight under a spared scope is alive', async ({ store, other }) => {
    await populate(store);
    await other.revocations.signOut(allOthers('one'));
    const saved = await saveAll(store, {
      spared: stamps(0, 'session:laptop'),
      other: stamps(0, 'session:phone'),
    });
    expect(await aliveAmong(store, saved)).toEqual(['spared']);
  });

  test('a spared artifact is consumed once like any other', async ({ store, other }) => {
    await populate(store);
    const code = await save(store, 'code', stamps(0, 'grant:web'));
    await store.revocations.signOut(allOthers('one'));
    const consumed = await atOnce(10, [store, other], (handle) => handle.artifacts.consume(code.key, start));
    expect(consumed.filter(Boolean)).toHaveLength(1);
  });

  test('sparing excuses the account’s epoch alone: any other scope that was raised still ends it', async ({
    store,
  }) => {
    await populate(store);
    const others: readonly ScopeKey[] = ['everyone', 'client:player', 'connection:corp', 'session:laptop', 'grant:web'];
    const saved = await saveAll(
      store,
      Object.fromEntries(others.map((key) => [key, stamps(0, 'session:laptop', 'grant:web', key)])),
    );
    await store.revocations.signOut(allOthers('one'));
    expect(await aliveAmong(store, saved)).toEqual(others);
    await store.revocations.signOut(signOutOf('client', 'client:player'));
    await store.revocations.signOut(signOutOf('connection', 'connection:corp'));
    expect(await aliveAmong(store, saved)).toEqual(['everyone', 'session:laptop', 'grant:web']);
    await store.revocations.signOut(signOutOf('browser', 'session:laptop'));
    expect(await aliveAmong(store, saved)).toEqual([]);
  });

  test('a revoked grant is not spared', async ({ store }) => {
    await populate(store);
    const token = await save(store, 'token', stamps(0, 'grant:web'));
    await store.revocations.revokeGrant('web', start);
    await store.revocations.signOut(allOthers('one'));
    expect(await isAlive(store, token)).toBe(false);
  });

  test('sparing never revives what was dead', async ({ store }) => {
    await populate(store);
    const old = await save(store, 'old', stamps(0, 'session:laptop', 'grant:web'));
    await store.revocations.signOut(signOutOf('zero', 'account:alice'));
    const present = await save(store, 'present', stamps(1, 'session:laptop', 'grant:web'));
    await store.revocations.signOut(allOthers('one'));
    expect(await aliveAmong(store, { old, present })).toEqual(['present']);
  });

  test('stamped newer than the account stands, a spared scope does not help', async ({ store }) => {
    await populate(store);
    await store.revocations.signOut(allOthers('one'));
    const saved = await saveAll(store, { newer: stamps(2, 'session:laptop'), present: stamps(1, 'session:laptop') });
    expect(await aliveAmong(store, saved)).toEqual(['present']);
  });

  test('another account that bears the same scope is neither ended nor spared by it', async ({ store }) => {
    await populate(store);
    const hers = await save(store, 'hers', { 'account:bob': 0, 'session:laptop': 0 });
    await store.revocations.signOut(allOthers('one'));
    expect(await isAlive(store, hers)).toBe(true);
    await store.revocations.signOut(signOutOf('two', 'account:bob'));
    expect(await isAlive(store, hers)).toBe(false);
  });

  test('retried, it spares what it spared and raises nothing more', async ({ store, other }) => {
    await populate(store);
    const saved = await saveAll(store, { spared: stamps(0, 'session:laptop'), other: stamps(0, 'session:phone') });
    await atOnce(10, [store, other], (handle) => handle.revocations.signOut(allOthers('one')));
    expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
    expect(await aliveAmong(store, saved)).toEqual(['spared']);
  });

  describe('a second one', () => {
    test('that spares the same carries the sparing: every epoch since the first stays alive', async ({ store }) => {
      await populate(store);
      const first = await save(store, 'first', stamps(0, 'session:laptop'));
      await store.revocations.signOut(allOthers('one'));
      const second = await save(store, 'second', stamps(1, 'session:laptop'));
      const phone = await save(store, 'phone', stamps(1, 'session:phone'));
      expect(await aliveAmong(store, { first, second, phone })).toEqual(['first', 'second', 'phone']);
      const signOut = await store.revocations.signOut(allOthers('two'));
      expect(await aliveAmong(store, { first, second, phone })).toEqual(['first', 'second']);
      expect(signOut).toMatchObject({ epochBefore: 1, spared: { 'session:laptop': 0, 'grant:web': 0 } });
      expect((await store.artifacts.find(first.key, start))?.epochs).toMatchObject({ 'account:alice': 2 });
    });

    test('that no longer spares a scope ends it', async ({ store }) => {
      await populate(store);
      const first = await saveAll(store, { session: stamps(0, 'session:laptop'), token: stamps(0, 'grant:web') });
      await store.revocations.signOut(allOthers('one'));
      await store.revocations.signOut(allOthers('two', ['session:laptop']));
      expect(await aliveAmong(store, first)).toEqual(['session']);
    });

    test('that spares a scope the first ended revives nothing of it', async ({ store }) => {
      await populate(store);
      const dead = await save(store, 'dead', stamps(0, 'session:phone'));
      await store.revocations.signOut(allOthers('one'));
      const anew = await save(store, 'anew', stamps(1, 'session:phone'));
      const signOut = await store.revocations.signOut(allOthers('two', ['session:laptop', 'session:phone']));
      expect(signOut.spared).toEqual({ 'session:laptop': 0, 'session:phone': 1 });
      expect(await aliveAmong(store, { dead, anew })).toEqual(['anew']);
    });

    test('after a full one begins anew: nothing from before the full one comes back', async ({ store }) => {
      await populate(store);
      const saved = {
        first: await save(store, 'first', stamps(0, 'session:laptop')),
      };
      await store.revocations.signOut(allOthers('one'));
      const second = await save(store, 'second', stamps(1, 'session:laptop'));
      await store.revocations.signOut(signOutOf('full', 'account:alice'));
      const third = await save(store, 'third', stamps(2, 'session:laptop'));
      const signOut = await store.revocations.signOut(allOthers('two'));
      expect(signOut.spared).toEqual({ 'session:laptop': 2, 'grant:web': 2 });
      expect(await aliveAmong(store, { ...saved, second, third })).toEqual(['third']);
    });
  });

  test('a full sign-out ends the spared too', async ({ store, other }) => {
    await populate(store);
    const saved = await saveAll(store, { session: stamps(0, 'session:laptop'), token: stamps(0, 'grant:web') });
    await store.revocations.signOut(allOthers('one'));
    const signOut = await store.revocations.signOut(signOutOf('two', 'account:alice'));
    expect(signOut.spared).toEqual({});
    expect(await aliveAmong(other, saved)).toEqual([]);
  });

  test('disabling the account ends the spared too', async ({ store }) => {
    await populate(store);
    const session = await save(store, 'session', stamps(0, 'session:laptop'));
    await store.revocations.signOut(allOthers('one'));
    const signOut = signOutOf('two', 'account:alice');
    await store.accounts.setStatus({ accountId: 'alice', status: 'disabled', signOut });
    expect(await isAlive(store, session)).toBe(false);
  });

  test('sparing nothing, it is a full sign-out', async ({ store }) => {
    await populate(store);
    const session = await save(store, 'session', stamps(0, 'session:laptop'));
    await store.revocations.signOut(allOthers('one', []));
    expect(await isAlive(store, session)).toBe(false);
  });

  test('at once with full ones through two handles, nothing from before a full one is alive', async ({
    store,
    other,
  }) => {
    await populate(store);
    const session = await save(store, 'session', stamps(0, 'session:laptop'));
    const signOuts = await atOnce(10, [store, other], (handle, index) =>
      handle.revocations.signOut(index === 4 ? signOutOf('full', 'account:alice') : allOthers(`${index}`)),
    );
    expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 10 });
    expect(new Set(signOuts.map(({ epochBefore }) => epochBefore)).size).toBe(10);
    expect(await isAlive(store, session)).toBe(false);
  });

  describe('whom it ends', () => {
    const record = async (store: Store, ...sessions: readonly ReturnType<typeof clientSession>[]) => {
      for (const one of sessions) await store.artifacts.save(artifact(`code:${one.grantId}`), one);
    };
    const toEnd = async (store: Store, signOut: Parameters<Store['revocations']['sessionsToEnd']>[0]) =>
      grantIds(await store.revocations.sessionsToEnd(signOut, { limit: 50 }));

    test('every client session of the account but those that bear a spared scope', async ({ store }) => {
      await populate(store);
      await record(
        store,
        clientSession('web'),
        clientSession('radio', { clientId: 'radio' }),
        clientSession('phone', { sessionUid: 'phone' }),
        clientSession('offline', { persistent: true }),
        // Approved in this very browser, and still a device of its own.
        clientSession('tv', { kind: 'device', clientId: 'tv' }),
        clientSession('hers', { accountId: 'bob' }),
      );
      const signOut = await store.revocations.signOut(allOthers('one', ['session:laptop', 'grant:offline']));
      expect(await toEnd(store, signOut)).toEqual(['phone', 'tv']);
    });

    test('a second one leaves out what both spared, and a full one after it takes them all', async ({ store }) => {
      await populate(store);
      await record(store, clientSession('web'), clientSession('phone', { sessionUid: 'phone' }));
      const first = await store.revocations.signOut(allOthers('one'));
      await record(store, clientSession('new', { sessionUid: 'phone', stamps: { 'account:alice': 1 } }));
      const second = await store.revocations.signOut(allOthers('two'));
      expect(await toEnd(store, first)).toEqual(['phone']);
      expect(await toEnd(store, second)).toEqual(['new', 'phone']);
      const full = await store.revocations.signOut(signOutOf('full', 'account:alice'));
      expect(await toEnd(store, full)).toEqual(['new', 'phone', 'web']);
      // What an earlier one spared, it still spares.
      expect(await toEnd(store, first)).toEqual(['phone']);
    });

    test('a client session that bears a spared scope but was dead before must still be told', async ({ store }) => {
      await populate(store);
      await record(store, clientSession('web'));
      await store.revocations.signOut(signOutOf('full', 'account:alice'));
      await record(store, clientSession('again', { stamps: { 'account:alice': 1 } }));
      const signOut = await store.revocations.signOut(allOthers('one'));
      expect(await toEnd(store, signOut)).toEqual(['web']);
    });
  });
}
