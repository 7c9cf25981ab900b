/** Identities, Connections, and Sign-outs of what came through them. */
import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import {
  account,
  artifact,
  at,
  clientSession,
  connection,
  identifiers,
  identity,
  signOutOf,
  start,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, grantIds, isAlive, populate, save } from './together.ts';

const withoutPassword = (store: Store, id: string, ...subjects: string[]) =>
  store.accounts
    .insert(account(id, { password: null }), identifiers(id))
    .then(() => Promise.all(subjects.map((subject) => store.accounts.linkIdentity(identity(subject, id)))));

export function federationConformance(test: StoreTest): void {
  describe('identities', () => {
    test('a linked identity finds its account, exactly as it was given', async ({ store, other }) => {
      await populate(store);
      const linked = identity('corp:1', 'alice', { linkedAt: at(0.001), lastUsedAt: at(0.002) });
      expect(await store.accounts.linkIdentity(linked)).toBe('linked');
      expect(await other.accounts.findByIdentity('corp:1')).toEqual({ account: account('alice'), identity: linked });
      expect(await other.accounts.identitiesOf('alice')).toEqual([linked]);
      expect(await other.accounts.identitiesOf('bob')).toEqual([]);
      expect(await other.accounts.findByIdentity('corp:2')).toBeNull();
      expect(await other.accounts.findByIdentity('CORP:1')).toBeNull();
    });

    test('an account may be made with one, in one write', async ({ store, other }) => {
      const { accountId: _, ...first } = identity('corp:1', 'alice');
      expect(await store.accounts.insert(account('alice'), identifiers('alice'), first)).toBe('inserted');
      expect((await other.accounts.findByIdentity('corp:1'))?.account).toEqual(account('alice'));
      expect(await store.accounts.insert(account('bob'), identifiers('bob'), first)).toBe('identity-taken');
      expect(await other.accounts.find('bob')).toBeNull();
      expect(await other.accounts.findByIdentifier('index:bob')).toBeNull();
    });

    test('taken by one account, it is no other’s', async ({ store, other }) => {
      await populate(store);
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      expect(await other.accounts.linkIdentity(identity('corp:1', 'bob'))).toBe('taken');
      expect(await store.accounts.linkIdentity(identity('corp:1', 'alice'))).toBe('linked');
      expect(await store.accounts.identitiesOf('alice')).toHaveLength(1);
      expect(await store.accounts.identitiesOf('bob')).toEqual([]);
    });

    test('whoever links it at once, one account has it', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(20, [store, other], (handle, index) =>
        handle.accounts.linkIdentity(identity('corp:1', index % 4 < 2 ? 'alice' : 'bob')),
      );
      const owner = (await store.accounts.findByIdentity('corp:1'))?.account.id;
      expect(answers.filter((answer) => answer === 'linked')).toHaveLength(10);
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(10);
      const loser = owner === 'alice' ? 'bob' : 'alice';
      expect(await store.accounts.identitiesOf(loser)).toEqual([]);
    });

    test('many linked to one account at once are all there', async ({ store, other }) => {
      await populate(store);
      await atOnce(12, [store, other], (handle, index) =>
        handle.accounts.linkIdentity(identity(`corp:${index}`, 'alice', { linkedAt: at(index) })),
      );
      const linked = await store.accounts.identitiesOf('alice');
      expect(linked.map(({ subject }) => subject)).toEqual(Array.from({ length: 12 }, (_, index) => `corp:${index}`));
    });

    test('none is linked once a sign-out has come that whoever links it has not seen', async ({ store, other }) => {
      await populate(store);
      expect(await store.accounts.linkIdentity(identity('corp:1', 'alice'), 0)).toBe('linked');
      await other.revocations.signOut(signOutOf('one', 'account:alice'));
      expect(await store.accounts.linkIdentity(identity('corp:2', 'alice'), 0)).toBe('stale');
      expect(await store.accounts.linkIdentity(identity('corp:1', 'alice'), 0)).toBe('stale');
      expect(await store.accounts.identitiesOf('alice')).toHaveLength(1);
      expect(await store.accounts.linkIdentity(identity('corp:2', 'alice'), 1)).toBe('linked');
    });

    test('linked and signed out at once, it was linked first or not at all', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(10, [store, other], async (handle, index) => {
        if (index !== 5) return handle.accounts.linkIdentity(identity(`corp:${index}`, 'alice'), 0);
        await handle.revocations.signOut(signOutOf('one', 'account:alice'));
        return (await handle.accounts.identitiesOf('alice')).length;
      });
      const linked = answers.filter((answer) => answer === 'linked');
      expect(answers.filter((answer) => answer === 'stale')).toHaveLength(9 - linked.length);
      expect(answers[5]).toBe(linked.length);
      expect(await store.accounts.identitiesOf('alice')).toHaveLength(linked.length);
    });

    test('none is linked to an account that is not there, or was deleted', async ({ store }) => {
      await populate(store);
      await store.accounts.setStatus({ accountId: 'bob', status: 'deleted' });
      expect(await store.accounts.linkIdentity(identity('corp:1', 'nobody'))).toBe('unknown');
      expect(await store.accounts.linkIdentity(identity('corp:1', 'bob'))).toBe('unknown');
      expect(await store.accounts.findByIdentity('corp:1')).toBeNull();
    });

    test('deleting an account frees its identities; disabling it does not', async ({ store, other }) => {
      await populate(store);
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      await store.accounts.setStatus({ accountId: 'alice', status: 'disabled' });
      expect((await other.accounts.findByIdentity('corp:1'))?.account.status).toBe('disabled');
      await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
      expect(await other.accounts.findByIdentity('corp:1')).toBeNull();
      expect(await other.accounts.identitiesOf('alice')).toEqual([]);
      expect(await other.accounts.linkIdentity(identity('corp:1', 'bob'))).toBe('linked');
    });

    test('a use moves forward, and brings what its provider calls the person', async ({ store, other }) => {
      await populate(store);
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      await store.accounts.touchIdentity({ subject: 'corp:1', usedAt: at(60), sealedIdentity: 'sealed:new' });
      await other.accounts.touchIdentity({ subject: 'corp:1', usedAt: at(30), sealedIdentity: 'sealed:old' });
      expect((await other.accounts.findByIdentity('corp:1'))?.identity).toEqual(
        identity('corp:1', 'alice', { lastUsedAt: at(60), sealedIdentity: 'sealed:new' }),
      );
      await store.accounts.touchIdentity({ subject: 'nothing', usedAt: at(60), sealedIdentity: 'sealed' });
    });

    describe('unlinking', () => {
      test('takes one away and leaves the others', async ({ store, other }) => {
        await populate(store);
        await store.accounts.linkIdentity(identity('corp:1', 'alice'));
        await store.accounts.linkIdentity(identity('corp:2', 'alice'));
        expect(await store.accounts.unlinkIdentity({ accountId: 'alice', subject: 'corp:1' })).toBe('unlinked');
        expect(await other.accounts.findByIdentity('corp:1')).toBeNull();
        expect((await other.accounts.findByIdentity('corp:2'))?.account.id).toBe('alice');
        expect(await store.accounts.unlinkIdentity({ accountId: 'alice', subject: 'corp:1' })).toBe('unknown');
      });

      test('is nobody else’s to do', async ({ store }) => {
        await populate(store);
        await store.accounts.linkIdentity(identity('corp:1', 'alice'));
        expect(await store.accounts.unlinkIdentity({ accountId: 'bob', subject: 'corp:1' })).toBe('unknown');
        expect(await store.accounts.findByIdentity('corp:1')).not.toBeNull();
      });

      test('with a password, the last identity may go', async ({ store }) => {
        await populate(store);
        await store.accounts.linkIdentity(identity('corp:1', 'alice'));
        expect(await store.accounts.unlinkIdentity({ accountId: 'alice', subject: 'corp:1' })).toBe('unlinked');
      });

      test('without one it may not, however many ask at once', async ({ store, other }) => {
        await withoutPassword(store, 'alice', 'corp:1', 'corp:2');
        const answers = await atOnce(10, [store, other], (handle, index) =>
          handle.accounts.unlinkIdentity({ accountId: 'alice', subject: `corp:${(index % 2) + 1}` }),
        );
        expect(answers.filter((answer) => answer === 'unlinked')).toHaveLength(1);
        expect(await store.accounts.identitiesOf('alice')).toHaveLength(1);
      });
    });
  });

  describe('connections', () => {
    test('a saved one is found as it was given, and its version rises', async ({ store, other }) => {
      await store.catalogue.saveConnection(connection('corp'));
      expect(await other.catalogue.findConnection('corp')).toEqual({
        ...connection('corp'),
        status: 'active',
        version: 1,
      });
      await other.catalogue.saveConnection(connection('corp', { state: 'second', createdAt: at(60) }));
      expect(await store.catalogue.findConnection('corp')).toEqual({
        ...connection('corp', { state: 'second' }),
        status: 'active',
        version: 2,
      });
      expect(await store.catalogue.findConnection('nothing')).toBeNull();
    });

    test('they are listed by id, deleted ones too', async ({ store }) => {
      for (const id of ['b', 'a', 'C']) await store.catalogue.saveConnection(connection(id));
      await store.catalogue.deleteConnection('b', signOutOf('one', 'connection:b'));
      expect((await store.catalogue.listConnections()).map(({ id, status }) => [id, status])).toEqual([
        ['C', 'active'],
        ['a', 'active'],
        ['b', 'deleted'],
      ]);
    });

    test('deleting one signs out whoever came through it, in one write; saving brings it back, not them', async ({
      store,
      other,
    }) => {
      await populate(store);
      await store.catalogue.saveConnection(connection('corp'));
      const saved = await save(store, 'one', { 'account:alice': 0, 'connection:corp': 0 });
      const signOut = signOutOf('one', 'connection:corp');
      expect(await store.catalogue.deleteConnection('corp', signOut)).toBe('deleted');
      expect(await isAlive(other, saved)).toBe(false);
      expect(await other.revocations.pendingSignOuts(5)).toHaveLength(1);
      expect(await store.catalogue.deleteConnection('corp', signOutOf('two', 'connection:corp'))).toBe('unknown');
      expect(await store.catalogue.deleteConnection('nothing', signOutOf('three', 'connection:nothing'))).toBe(
        'unknown',
      );
      await store.catalogue.saveConnection(connection('corp'));
      expect(await other.catalogue.findConnection('corp')).toMatchObject({ status: 'active', version: 3 });
      expect(await isAlive(other, saved)).toBe(false);
    });

    test('deleted by many at once, it is signed out once', async ({ store, other }) => {
      await store.catalogue.saveConnection(connection('corp'));
      const answers = await atOnce(8, [store, other], (handle, index) =>
        handle.catalogue.deleteConnection('corp', signOutOf(`sign-out-${index}`, 'connection:corp')),
      );
      expect(answers.filter((answer) => answer === 'deleted')).toHaveLength(1);
      expect(await store.revocations.epochs(['connection:corp'])).toEqual({ 'connection:corp': 1 });
    });
  });

  describe('signing out what came through an identity, or through one session upstream', () => {
    for (const key of ['identity:corp:1', 'upstream:session-1'] as const) {
      test(`${key.split(':')[0]}: ends what bears it and nothing else of the account`, async ({ store, other }) => {
        await populate(store);
        const through = { everyone: 0, 'account:alice': 0, [key]: 0 };
        const session = await save(store, 'through', through);
        const elsewhere = await save(store, 'elsewhere', { everyone: 0, 'account:alice': 0 });
        await store.artifacts.save(artifact('code:a'), clientSession('a', { stamps: through }));
        await store.artifacts.save(artifact('code:b'), clientSession('b'));
        await store.artifacts.save(
          artifact('code:c'),
          clientSession('c', { accountId: 'bob', stamps: { everyone: 0, 'account:bob': 0, [key]: 0 } }),
        );
        const signOut = await other.revocations.signOut(signOutOf('one', key));
        expect(await isAlive(store, session)).toBe(false);
        expect(await isAlive(store, elsewhere)).toBe(true);
        expect(grantIds(await store.revocations.sessionsToEnd(signOut, { limit: 10 }))).toEqual(['a']);
        expect(await store.revocations.reach(signOut.scope)).toEqual({ accounts: 1, clients: 1 });
        expect(await store.revocations.signedOutAt(key)).toEqual(start);
      });

      test(`${key.split(':')[0]}: what came through it afterwards is not touched`, async ({ store }) => {
        await populate(store);
        const signOut = await store.revocations.signOut(signOutOf('one', key));
        const later = { everyone: 0, 'account:alice': 0, [key]: 1 };
        await store.artifacts.save(artifact('code:a'), clientSession('a', { stamps: later }));
        expect(await store.revocations.sessionsToEnd(signOut, { limit: 10 })).toEqual([]);
        expect(await isAlive(store, await save(store, 'later', later))).toBe(true);
      });
    }
  });
}
