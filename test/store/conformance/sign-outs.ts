import { describe, expect } from 'vitest';
import type { SignOutScope } from '../../../src/store/records.ts';
import { account, at, client, identifiers, raisedBy, signOutOf, signOutRequest, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, populate } from './together.ts';

const scopes: readonly SignOutScope[] = [
  { kind: 'everyone' },
  { kind: 'client', clientId: 'player' },
  { kind: 'connection', connectionId: 'corp' },
  { kind: 'account', accountId: 'alice' },
  { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' },
  { kind: 'device', accountId: 'alice', grantId: 'grant' },
  { kind: 'browser', accountId: 'alice', sessionUid: 'laptop' },
];

const everywhere = (id: string, overrides = {}) => signOutOf(id, 'account:alice', overrides);

export function signOutsConformance(test: StoreTest): void {
  describe('signOut', () => {
    for (const scope of scopes) {
      test(`of ${scope.kind} is recorded whole, pending, with the epoch it raised`, async ({ store, other }) => {
        await populate(store);
        const facts = signOutRequest('one', scope, {
          reason: 'stolen — “all of it”',
          actor: { kind: 'account', accountId: 'alice' },
          at: at(0.001),
        });
        const recorded = await store.revocations.signOut(facts);
        expect(recorded).toEqual({ ...facts, status: 'pending', epochBefore: 0, spared: {} });
        expect(await other.revocations.findSignOut('one')).toEqual(recorded);
        expect(await other.revocations.listSignOuts(5)).toEqual([recorded]);
        expect(await other.revocations.pendingSignOuts(5)).toEqual([recorded]);
      });
    }

    test('any actor may have done it', async ({ store }) => {
      await populate(store);
      const actors = [
        { kind: 'account', accountId: 'bob' },
        { kind: 'operator' },
        { kind: 'client', clientId: 'player' },
        { kind: 'system' },
      ] as const;
      for (const actor of actors) {
        await store.revocations.signOut(everywhere(actor.kind, { actor }));
        expect((await store.revocations.findSignOut(actor.kind))?.actor).toEqual(actor);
      }
    });

    test('a request repeated raises once and is answered with what was recorded', async ({ store, other }) => {
      await populate(store);
      const first = await store.revocations.signOut(everywhere('one'));
      expect(await store.revocations.signOut(everywhere('one'))).toEqual(first);
      expect(await other.revocations.signOut(everywhere('one'))).toEqual(first);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.revocations.listSignOuts(5)).toEqual([first]);
      expect(await store.revocations.pendingSignOuts(5)).toEqual([first]);
    });

    test('a request repeated at once through two handles raises once', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(20, [store, other], (handle) => handle.revocations.signOut(everywhere('one')));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await store.revocations.pendingSignOuts(5))).toEqual(['one']);
    });

    test('a request repeated after a later sign-out changes nothing', async ({ store }) => {
      await populate(store);
      const first = await store.revocations.signOut(everywhere('one', { at: at(1) }));
      await store.revocations.signOut(everywhere('two', { at: at(2) }));
      expect(await store.revocations.signOut(everywhere('one', { at: at(3) }))).toEqual(first);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 2 });
      expect(await store.revocations.signedOutAt('account:alice')).toEqual(at(2));
    });

    test('a request repeated after its fan-out is complete neither raises nor is pending again', async ({
      store,
      other,
    }) => {
      await populate(store);
      const first = await store.revocations.signOut(everywhere('one'));
      await store.revocations.completeSignOut(first);
      expect(await other.revocations.signOut(everywhere('one'))).toEqual({ ...first, status: 'complete' });
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });

    test('sign-outs of one account at once each raise by one and are each pending', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(20, [store, other], (handle, index) =>
        handle.revocations.signOut(everywhere(`one-${index}`)),
      );
      const befores = answers.map(({ epochBefore }) => epochBefore).sort((left, right) => left - right);
      expect(befores).toEqual(Array.from({ length: 20 }, (_, index) => index));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 20 });
      expect(ids(await other.revocations.pendingSignOuts(50)).sort()).toEqual(ids(answers).sort());
    });

    test('sign-outs of different scopes at once do not disturb each other', async ({ store, other }) => {
      const names = Array.from({ length: 20 }, (_, index) => `account-${index}`);
      for (const name of names) await store.accounts.insert(account(name), identifiers(name));
      await atOnce(20, [store, other], (handle, index) =>
        handle.revocations.signOut(signOutOf(`one-${index}`, `account:account-${index}`)),
      );
      const epochs = await store.revocations.epochs(names.map((name) => `account:${name}` as const));
      expect(Object.values(epochs)).toEqual(names.map(() => 1));
      expect(await other.revocations.pendingSignOuts(50)).toHaveLength(20);
    });
  });

  describe('signedOutAt', () => {
    test('a scope never signed out says so', async ({ store }) => {
      await populate(store);
      expect(await store.revocations.signedOutAt('everyone')).toBeNull();
      expect(await store.revocations.signedOutAt('account:alice')).toBeNull();
      expect(await store.revocations.signedOutAt('client:nobody')).toBeNull();
    });

    for (const scope of scopes) {
      test(`a sign-out of ${scope.kind} is remembered for the scope it raised, and no other`, async ({
        store,
        other,
      }) => {
        await populate(store);
        const request = signOutRequest('one', scope, { at: at(1.5) });
        const { completeSignOut, signOut } = store.revocations;
        await completeSignOut(await signOut(request));
        expect(await other.revocations.signedOutAt(raisedBy(scope))).toEqual(at(1.5));
        expect(await other.revocations.signedOutAt('account:bob')).toBeNull();
        expect(await other.revocations.signedOutAt('client:tv')).toBeNull();
      });
    }

    test('the later sign-out counts, even where a clock went backwards in between', async ({ store }) => {
      await populate(store);
      await store.revocations.signOut(everywhere('one', { at: at(60) }));
      await store.revocations.signOut(everywhere('two', { at: at(120) }));
      expect(await store.revocations.signedOutAt('account:alice')).toEqual(at(120));
      await store.revocations.signOut(everywhere('three', { at: at(30) }));
      expect(await store.revocations.signedOutAt('account:alice')).toEqual(at(120));
    });

    test('a password change, a status and a removal that sign out are remembered too', async ({ store }) => {
      await populate(store);
      await store.accounts.setPassword({
        accountId: 'alice',
        hash: 'hash',
        changedAt: at(1),
        signOut: everywhere('password', { at: at(1) }),
      });
      await store.accounts.setStatus({
        accountId: 'bob',
        status: 'disabled',
        signOut: signOutOf('status', 'account:bob', { at: at(2) }),
      });
      await store.catalogue.saveClient(client('player'));
      await store.catalogue.deleteClient('player', signOutOf('removal', 'client:player', { at: at(3) }));
      expect(await store.revocations.signedOutAt('account:alice')).toEqual(at(1));
      expect(await store.revocations.signedOutAt('account:bob')).toEqual(at(2));
      expect(await store.revocations.signedOutAt('client:player')).toEqual(at(3));
    });
  });

  describe('listing', () => {
    test('a sign-out nobody asked for is not found', async ({ store }) => {
      expect(await store.revocations.findSignOut('one')).toBeNull();
      expect(await store.revocations.listSignOuts(5)).toEqual([]);
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });

    test('the newest are listed first, and no more than asked for', async ({ store, other }) => {
      await populate(store);
      for (const seconds of [20, 50, 10, 40, 30]) {
        await store.revocations.signOut(everywhere(`at-${seconds}`, { at: at(seconds) }));
      }
      expect(ids(await other.revocations.listSignOuts(10))).toEqual(['at-50', 'at-40', 'at-30', 'at-20', 'at-10']);
      expect(ids(await other.revocations.listSignOuts(2))).toEqual(['at-50', 'at-40']);
    });
  });

  describe('pending', () => {
    test('a sign-out is pending until it is completed, on whatever record it stands', async ({ store, other }) => {
      await populate(store);
      for (const scope of scopes) await store.revocations.signOut(signOutRequest(scope.kind, scope));
      const left = new Set(scopes.map(({ kind }) => kind as string));
      for (const scope of scopes) {
        expect(new Set(ids(await other.revocations.pendingSignOuts(50)))).toEqual(left);
        const signOut = await other.revocations.findSignOut(scope.kind);
        if (signOut === null) throw new Error('not recorded');
        await store.revocations.completeSignOut(signOut);
        left.delete(scope.kind);
        expect(await other.revocations.findSignOut(scope.kind)).toEqual({ ...signOut, status: 'complete' });
      }
      expect(await store.revocations.pendingSignOuts(50)).toEqual([]);
      expect(await store.revocations.listSignOuts(50)).toHaveLength(scopes.length);
    });

    test('completing one leaves the others of the same record pending, and lowers no epoch', async ({ store }) => {
      await populate(store);
      const one = await store.revocations.signOut(everywhere('one'));
      await store.revocations.signOut(everywhere('two'));
      await store.revocations.completeSignOut(one);
      expect(ids(await store.revocations.pendingSignOuts(5))).toEqual(['two']);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 2 });
    });

    test('completing twice is completing once', async ({ store, other }) => {
      await populate(store);
      const one = await store.revocations.signOut(everywhere('one'));
      await atOnce(4, [store, other], (handle) => handle.revocations.completeSignOut(one));
      expect(await store.revocations.findSignOut('one')).toMatchObject({ status: 'complete' });
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });

    test('completing raced against new sign-outs of the same record loses none', async ({ store, other }) => {
      await populate(store);
      const one = await store.revocations.signOut(everywhere('one'));
      await Promise.all([
        store.revocations.completeSignOut(one),
        ...Array.from({ length: 10 }, (_, index) => other.revocations.signOut(everywhere(`later-${index}`))),
      ]);
      const pending = ids(await store.revocations.pendingSignOuts(50));
      expect(pending.sort()).toEqual(Array.from({ length: 10 }, (_, index) => `later-${index}`));
    });

    test('no more are given than asked for, and every one of them in the end', async ({ store }) => {
      await populate(store);
      for (let index = 0; index < 7; index += 1) {
        await store.revocations.signOut(everywhere(`alice-${index}`));
        await store.revocations.signOut(signOutOf(`bob-${index}`, 'account:bob'));
      }
      const seen = new Set<string>();
      for (let round = 0; round < 20; round += 1) {
        const some = await store.revocations.pendingSignOuts(3);
        expect(some.length).toBeLessThanOrEqual(3);
        for (const signOut of some) {
          seen.add(signOut.id);
          await store.revocations.completeSignOut(signOut);
        }
      }
      expect(seen.size).toBe(14);
      expect(await store.revocations.pendingSignOuts(3)).toEqual([]);
    });

    test('what is pending is there for a handle opened later, as after a crash', async ({ data, store }) => {
      await populate(store);
      const one = await store.revocations.signOut(everywhere('one', { at: start }));
      await store.close();
      const later = await data.open();
      expect(await later.revocations.pendingSignOuts(5)).toEqual([one]);
    });
  });
}
