/** Containing many accounts: one write each, once each, whoever else is at it. */
import { describe, expect } from 'vitest';
import type { Containment } from '../../../src/store/cohorts.ts';
import type { Store } from '../../../src/store/port.ts';
import { account, artifact, at, clientSession, signOutOf, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, isAlive, populate, save, settleMany, upTo } from './together.ts';

const containment = (accountId: string, incident = 'inc_1', overrides: Partial<Containment> = {}): Containment => ({
  accountId,
  signOut: signOutOf(`${incident}-${accountId}`, `account:${accountId}`, { at: at(5) }),
  passwordResetRequiredAt: at(5),
  disable: true,
  ...overrides,
});

const contained = { status: 'disabled', passwordResetRequiredAt: at(5) } as const;

const epochOf = async ({ revocations }: Store, accountId: string): Promise<number | undefined> =>
  (await revocations.epochs([`account:${accountId}`]))[`account:${accountId}`];

const many = upTo(200).map((nth) => `person-${nth}`);
export function containingConformance(test: StoreTest): void {
  test('ends access, demands another password and keeps out, all in one', async ({ store, other }) => {
    await populate(store);
    const session = await save(store, 'laptop', { 'account:alice': 0 });
    expect(await store.cohorts.contain([containment('alice')])).toEqual(['contained']);
    expect(await other.accounts.find('alice')).toEqual(account('alice', contained));
    expect(await epochOf(other, 'alice')).toBe(1);
    expect(await isAlive(other, session)).toBe(false);
    const recorded = { ...signOutOf('inc_1-alice', 'account:alice', { at: at(5) }), status: 'pending', epochBefore: 0 };
    expect(await other.revocations.pendingSignOuts(5)).toEqual([{ ...recorded, spared: {} }]);
    expect(await other.revocations.signedOutAt('account:alice')).toEqual(at(5));
    expect(await other.accounts.find('bob')).toEqual(account('bob'));
    expect(await epochOf(other, 'bob')).toBe(0);
  });

  test('what is not asked for does not happen', async ({ store, other }) => {
    await populate(store, ['alice', 'bob', 'carol', 'dave']);
    expect(
      await store.cohorts.contain([
        containment('alice', 'inc_1', { disable: false, passwordResetRequiredAt: null }),
        containment('bob', 'inc_1', { signOut: null, disable: false }),
        containment('carol', 'inc_1', { signOut: null, passwordResetRequiredAt: null }),
        containment('dave', 'inc_1', { signOut: null, passwordResetRequiredAt: null, disable: false }),
      ]),
    ).toEqual(['contained', 'contained', 'contained', 'contained']);
    expect(await other.accounts.find('alice')).toEqual(account('alice'));
    expect(await other.accounts.find('bob')).toEqual(account('bob', { passwordResetRequiredAt: at(5) }));
    expect(await other.accounts.find('carol')).toEqual(account('carol', { status: 'disabled' }));
    expect(await other.accounts.find('dave')).toEqual(account('dave'));
    expect(await Promise.all(['alice', 'bob', 'carol', 'dave'].map((id) => epochOf(other, id)))).toEqual([1, 0, 0, 0]);
  });

  test('with a sign-out it is the password that stands which is worthless, however new', async ({ store, other }) => {
    await populate(store);
    for (const accountId of ['alice', 'bob']) {
      await store.accounts.setPassword({ accountId, hash: 'of a moment ago', changedAt: at(7) });
    }
    await store.cohorts.contain([containment('alice'), containment('bob', 'inc_1', { signOut: null })]);
    expect(await other.accounts.find('alice')).toMatchObject({ passwordResetRequiredAt: at(7) });
    expect(await other.accounts.find('bob')).toMatchObject({ passwordResetRequiredAt: at(5) });
  });

  test('a later demand of another password stays', async ({ store, other }) => {
    await populate(store);
    await store.accounts.requirePasswordReset({ accountId: 'alice', at: at(9) });
    await store.accounts.requirePasswordReset({ accountId: 'bob', at: at(1) });
    await store.cohorts.contain([containment('alice'), containment('bob')]);
    expect(await other.accounts.find('alice')).toMatchObject({ passwordResetRequiredAt: at(9) });
    expect(await other.accounts.find('bob')).toMatchObject({ passwordResetRequiredAt: at(5) });
  });

  test('one that is not there, or was deleted, leaves the others alone', async ({ store, other }) => {
    await populate(store, ['alice', 'bob', 'carol']);
    await store.accounts.setStatus({ accountId: 'bob', status: 'deleted' });
    const batch = ['alice', 'nobody', 'bob', 'carol'].map((id) => containment(id));
    expect(await store.cohorts.contain(batch)).toEqual(['contained', 'unknown', 'unknown', 'contained']);
    for (const id of ['nobody', 'bob']) {
      expect(await epochOf(other, id)).toBe(0);
      expect(await other.revocations.findSignOut(`inc_1-${id}`)).toBeNull();
    }
    expect(await other.accounts.find('bob')).toMatchObject({ status: 'deleted', passwordResetRequiredAt: null });
    expect(await other.accounts.find('carol')).toEqual(account('carol', contained));
    expect(await store.cohorts.contain([])).toEqual([]);
  });

  describe('asked for again', () => {
    const again = [containment('alice', 'inc_1', { passwordResetRequiredAt: at(50) })];

    test('it changes nothing', async ({ store, other }) => {
      await populate(store);
      await store.cohorts.contain([containment('alice')]);
      expect(await other.cohorts.contain(again)).toEqual(['contained-before']);
      expect(await store.accounts.find('alice')).toEqual(account('alice', contained));
      expect(await epochOf(store, 'alice')).toBe(1);
      expect(await store.revocations.pendingSignOuts(5)).toHaveLength(1);
    });

    test('not even when its sign-out was spread, its person let in again, and another password set', async ({
      store,
      other,
    }) => {
      await populate(store);
      await store.artifacts.save(artifact('code'), clientSession('grant'));
      await store.cohorts.contain([containment('alice')]);
      const [signOut] = await store.revocations.pendingSignOuts(1);
      if (signOut === undefined) throw new Error('nothing is pending');
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['grant'] });
      await store.revocations.completeSignOut(signOut);
      await store.accounts.setStatus({ accountId: 'alice', status: 'active' });
      await store.accounts.setPassword({ accountId: 'alice', hash: 'hash:alice:second', changedAt: at(20) });
      const before = await store.accounts.find('alice');
      expect(await other.cohorts.contain(again)).toEqual(['contained-before']);
      expect(await store.accounts.find('alice')).toEqual(before);
      expect(await epochOf(store, 'alice')).toBe(1);
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
      expect(await store.revocations.findSignOut('inc_1-alice')).toMatchObject({ status: 'complete' });
    });

    test('in the same batch, it is once', async ({ store, other }) => {
      await populate(store);
      const batch = [containment('alice'), containment('bob'), containment('alice'), containment('alice', 'inc_2')];
      expect(await store.cohorts.contain(batch)).toEqual(['contained', 'contained', 'contained-before', 'contained']);
      expect(await epochOf(other, 'alice')).toBe(2);
      expect(await epochOf(other, 'bob')).toBe(1);
    });
  });

  test('a thousand at once, each is contained', async ({ store, other }) => {
    const names = upTo(1000).map((nth) => `person-${nth}`);
    await settleMany(store, names);
    expect(await store.cohorts.contain(names.map((id) => containment(id)))).toEqual(Array(1000).fill('contained'));
    expect(await other.cohorts.count({})).toBe(1000);
    expect(await other.revocations.pendingSignOuts(2000)).toHaveLength(1000);
    const [first] = await other.cohorts.matching({}, { limit: 1 });
    expect(first).toMatchObject(contained);
  });

  describe('at the same time', () => {
    test('by two for one incident: each account is contained once, by one of them', async ({ store, other }) => {
      await settleMany(store, many);
      const batch = many.map((id) => containment(id));
      const answers = await atOnce(4, [store, other], ({ cohorts }) => cohorts.contain(batch));
      for (const [nth, id] of many.entries()) {
        expect(answers.map((each) => each[nth]).sort()).toEqual([
          'contained',
          'contained-before',
          'contained-before',
          'contained-before',
        ]);
        expect(await epochOf(store, id)).toBe(1);
      }
      expect(await store.revocations.pendingSignOuts(1000)).toHaveLength(many.length);
    });

    test('by two for different incidents: each account is contained by both', async ({ store, other }) => {
      await settleMany(store, many);
      const answers = await atOnce(4, [store, other], ({ cohorts }, nth) =>
        cohorts.contain((nth % 2 === 0 ? many : many.toReversed()).map((id) => containment(id, `inc_${nth}`))),
      );
      expect(new Set(answers.flat())).toEqual(new Set(['contained']));
      for (const id of many) expect(await epochOf(store, id)).toBe(4);
      expect(await store.revocations.pendingSignOuts(5000)).toHaveLength(4 * many.length);
    });

    test('as their people change their passwords: whoever decided before is refused, and nobody is left out', async ({
      store,
      other,
    }) => {
      await settleMany(store, many);
      const [answers, changes] = await Promise.all([
        store.cohorts.contain(many.map((id) => containment(id))),
        Promise.all(
          many.map((accountId) =>
            other.accounts.setPassword({
              accountId,
              hash: 'second',
              changedAt: start,
              expected: `hash:${accountId}:first`,
              accountEpoch: 0,
            }),
          ),
        ),
      ]);
      expect(new Set(answers)).toEqual(new Set(['contained']));
      for (const [nth, id] of many.entries()) {
        const kept = await store.accounts.find(id);
        expect(kept).toMatchObject(contained);
        expect(kept?.password?.hash).toBe(changes[nth] === 'set' ? 'second' : `hash:${id}:first`);
        expect(await epochOf(store, id)).toBe(1);
      }
      const late = { accountId: 'person-1', hash: 'third', changedAt: start, accountEpoch: 0 };
      expect(await other.accounts.setPassword(late)).toBe('stale');
    });

    test('as they sign in: what they had seen before does not live', async ({ store, other }) => {
      await settleMany(store, many);
      const [, saved] = await Promise.all([
        store.cohorts.contain(many.map((id) => containment(id))),
        Promise.all(
          many.map(async (id) => {
            const stamps = { [`account:${id}`]: 0 } as const;
            const session = artifact(id, { model: 'Session', uid: id, accountId: id, stamps });
            await Promise.all([
              other.artifacts.save(session, clientSession(`${id}-again`, { accountId: id })),
              other.accounts.noteSignIn({ accountId: id, at: at(3) }),
            ]);
            return session;
          }),
        ),
      ]);
      for (const session of saved) expect(await store.artifacts.find(session.key, start)).toBeNull();
      const kept = await store.cohorts.matching({}, { limit: 1000 });
      for (const each of kept) expect(each).toMatchObject({ ...contained, lastSignedInAt: at(3) });
      const [signOut] = await store.revocations.pendingSignOuts(1);
      if (signOut === undefined) throw new Error('nothing is pending');
      expect(await store.revocations.sessionsToEnd(signOut, { limit: 5 })).toHaveLength(2);
    });

    test('as one of them is deleted: deleted it stays, and nothing of it comes back', async ({ store, other }) => {
      await populate(store, ['alice']);
      const gone = signOutOf('leaves', 'account:alice');
      await Promise.all([
        store.cohorts.contain([containment('alice')]),
        other.accounts.setStatus({ accountId: 'alice', status: 'deleted', signOut: gone }),
      ]);
      const kept = await store.accounts.find('alice');
      expect(kept).toMatchObject({ status: 'deleted', passwordResetRequiredAt: null, sealedEmail: '' });
    });
  });
}
