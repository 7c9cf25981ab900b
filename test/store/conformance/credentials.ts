/** Credentials: what an account holds beside its password, and what must be decided in one write. */
import { describe, expect } from 'vitest';
import type { CredentialRecord } from '../../../src/store/credentials.ts';
import type { Store } from '../../../src/store/port.ts';
import { account, at, credential, identifiers, identity, signOutOf } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, populate } from './together.ts';

const add = (store: Store, record: CredentialRecord, most = 10) => store.accounts.addCredential(record, { most });

const change = (
  store: Store,
  record: CredentialRecord,
  overrides: Partial<Parameters<Store['accounts']['changeCredential']>[0]> = {},
) =>
  store.accounts.changeCredential({
    id: record.id,
    accountId: record.accountId,
    revision: record.revision,
    sealed: `${record.sealed}:changed`,
    usedAt: null,
    ...overrides,
  });

const heldBy = async (store: Store, accountId = 'alice') => ids(await store.accounts.credentialsOf(accountId));

export function credentialsConformance(test: StoreTest): void {
  describe('adding and finding', () => {
    test('what was added is found with its account, exactly as it was given', async ({ store, other }) => {
      await populate(store);
      const used = credential('key', 'alice', { createdAt: at(0.001), lastUsedAt: at(0.002) });
      expect(await add(store, used)).toBe('added');
      expect(await other.accounts.findCredential('key')).toEqual({ account: account('alice'), credential: used });
      expect(await other.accounts.credentialsOf('alice')).toEqual([used]);
      expect(await other.accounts.credentialsOf('bob')).toEqual([]);
    });

    test('each kind is kept as it is', async ({ store, other }) => {
      await populate(store);
      const all = (['totp', 'recovery-codes', 'passkey', 'trusted-browser'] as const).map((kind, index) =>
        credential(`of-${kind}`, 'alice', { kind, createdAt: at(index) }),
      );
      for (const each of all) expect(await add(store, each, 1)).toBe('added');
      expect(await other.accounts.credentialsOf('alice')).toEqual(all);
    });

    test('nothing is found by an id that is not there, or that differs in case alone', async ({ store }) => {
      await populate(store);
      await add(store, credential('key', 'alice'));
      for (const id of ['nothing', 'KEY', 'alice', '']) expect(await store.accounts.findCredential(id)).toBeNull();
      expect(await store.accounts.credentialsOf('nobody')).toEqual([]);
    });

    test('an account’s come by the instant they were added at, and by id where that is the same', async ({ store }) => {
      await populate(store);
      for (const [id, seconds] of [
        ['b', 5],
        ['c', 1],
        ['a', 5],
        ['d', 0.5],
        ['B', 5],
      ] as const) {
        await add(store, credential(id, 'alice', { createdAt: at(seconds) }));
      }
      expect(await heldBy(store)).toEqual(['d', 'c', 'B', 'a', 'b']);
    });

    test('none is added once a sign-out has come that whoever adds it has not seen', async ({ store, other }) => {
      await populate(store);
      const seen = async (id: string, accountEpoch: number) =>
        store.accounts.addCredential(credential(id, 'alice'), { most: 1, accountEpoch });
      expect(await seen('first', 0)).toBe('added');
      await other.revocations.signOut(signOutOf('one', 'account:alice'));
      expect(await seen('second', 0)).toBe('stale');
      // And nothing has gone to make room for it.
      expect(await heldBy(store)).toEqual(['first']);
      expect(await seen('second', 1)).toBe('added');
    });

    test('added and signed out at once, it was added first or not at all', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(10, [store, other], async (handle, index) => {
        if (index !== 5) {
          return handle.accounts.addCredential(credential(`key-${index}`, 'alice'), { most: 20, accountEpoch: 0 });
        }
        await handle.revocations.signOut(signOutOf('one', 'account:alice'));
        return (await handle.accounts.credentialsOf('alice')).length;
      });
      const added = answers.filter((answer) => answer === 'added');
      expect(answers.filter((answer) => answer === 'stale')).toHaveLength(9 - added.length);
      expect(answers[5]).toBe(added.length);
      expect(await heldBy(store)).toHaveLength(added.length);
    });

    test('it is found whatever the status of its account', async ({ store, other }) => {
      await populate(store);
      await add(store, credential('key', 'alice'));
      await store.accounts.setStatus({ accountId: 'alice', status: 'disabled' });
      expect((await other.accounts.findCredential('key'))?.account.status).toBe('disabled');
      expect(await add(store, credential('second', 'alice'))).toBe('added');
    });

    test('none is added to an account that is not there, or was deleted', async ({ store }) => {
      await populate(store);
      await store.accounts.setStatus({ accountId: 'bob', status: 'deleted' });
      expect(await add(store, credential('key', 'nobody'))).toBe('unknown');
      expect(await add(store, credential('key', 'bob'))).toBe('unknown');
      expect(await store.accounts.findCredential('key')).toBeNull();
      expect(await add(store, credential('key', 'alice'))).toBe('added');
    });

    test('a credential is no identity, nor an identity a credential', async ({ store }) => {
      await populate(store);
      await add(store, credential('same', 'alice'));
      expect(await store.accounts.linkIdentity(identity('same', 'bob'))).toBe('linked');
      expect((await store.accounts.findByIdentity('same'))?.account.id).toBe('bob');
      expect((await store.accounts.findCredential('same'))?.account.id).toBe('alice');
      expect(await store.accounts.findByIdentifier('same')).toBeNull();
    });

    test('whatever else is changed of the account leaves them', async ({ store, other }) => {
      await populate(store);
      const key = credential('key', 'alice');
      await add(store, key);
      await store.accounts.setPassword({
        accountId: 'alice',
        hash: 'hash:new',
        changedAt: at(1),
        signOut: signOutOf('one', 'account:alice'),
      });
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      await store.accounts.unlinkIdentity({ accountId: 'alice', subject: 'corp:1' });
      await store.accounts.setLocale({ accountId: 'alice', locale: 'de' });
      expect(await other.accounts.credentialsOf('alice')).toEqual([key]);
    });
  });

  describe('an id', () => {
    for (const [whose, accountId, kind] of [
      ['another account', 'bob', 'passkey'],
      ['the same account', 'alice', 'passkey'],
      ['the same account, in another kind', 'alice', 'totp'],
    ] as const) {
      test(`that is in use is taken for ${whose}, and nothing goes`, async ({ store, other }) => {
        await populate(store);
        const key = credential('key', 'alice', { createdAt: at(1) });
        await add(store, key);
        const present = credential('present', accountId, { kind });
        await add(store, present);
        const wanted = credential('key', accountId, { kind, sealed: 'sealed:other', createdAt: at(2) });
        expect(await add(other, wanted, 1)).toBe('taken');
        expect((await store.accounts.findCredential('key'))?.credential).toEqual(key);
        expect((await store.accounts.findCredential('present'))?.credential).toEqual(present);
      });
    }

    test('whoever adds it at once, one account has it, once', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(20, [store, other], (handle, index) =>
        add(handle, credential('key', index % 4 < 2 ? 'alice' : 'bob', { sealed: `sealed:${index}` })),
      );
      expect(answers.filter((answer) => answer === 'added')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(19);
      const winner = answers.indexOf('added');
      const found = await store.accounts.findCredential('key');
      expect(found?.credential.sealed).toBe(`sealed:${winner}`);
      expect([...(await heldBy(store)), ...(await heldBy(store, 'bob'))]).toEqual(['key']);
    });

    test('that was removed is free for anybody', async ({ store, other }) => {
      await populate(store);
      await add(store, credential('key', 'alice'));
      await store.accounts.removeCredential({ accountId: 'alice', id: 'key' });
      expect(await add(other, credential('key', 'bob'))).toBe('added');
      expect((await store.accounts.findCredential('key'))?.account.id).toBe('bob');
    });

    test('that had to go for a younger one is free for anybody', async ({ store, other }) => {
      await populate(store);
      await add(store, credential('old', 'alice'));
      await add(store, credential('new', 'alice', { createdAt: at(1) }), 1);
      expect(await add(other, credential('old', 'bob'))).toBe('added');
    });
  });

  describe('no more than so many', () => {
    test('of a kind stay: the oldest go, in the write that adds', async ({ store, other }) => {
      await populate(store);
      for (const [id, seconds] of [
        ['second', 2],
        ['first', 1],
        ['third', 3],
      ] as const) {
        await add(store, credential(id, 'alice', { createdAt: at(seconds) }));
      }
      expect(await add(store, credential('fourth', 'alice', { createdAt: at(4) }), 3)).toBe('added');
      expect(await heldBy(other)).toEqual(['second', 'third', 'fourth']);
      expect(await add(store, credential('fifth', 'alice', { createdAt: at(5) }), 2)).toBe('added');
      expect(await heldBy(other)).toEqual(['fourth', 'fifth']);
      for (const id of ['first', 'second', 'third']) expect(await other.accounts.findCredential(id)).toBeNull();
    });

    test('a set is replaced as a set', async ({ store, other }) => {
      await populate(store);
      const codes = (id: string, seconds: number) =>
        credential(id, 'alice', { kind: 'recovery-codes', createdAt: at(seconds) });
      await add(store, codes('old', 0), 1);
      await add(store, codes('new', 1), 1);
      expect(await other.accounts.credentialsOf('alice')).toEqual([codes('new', 1)]);
    });

    test('another kind and another account are not counted, and lose nothing', async ({ store }) => {
      await populate(store);
      await add(store, credential('totp', 'alice', { kind: 'totp' }), 1);
      await add(store, credential('of-bob', 'bob'), 1);
      await add(store, credential('old', 'alice'), 1);
      await add(store, credential('new', 'alice', { createdAt: at(1) }), 1);
      expect(await heldBy(store)).toEqual(['totp', 'new']);
      expect(await heldBy(store, 'bob')).toEqual(['of-bob']);
    });

    test('where instants are the same, the first by id goes', async ({ store }) => {
      await populate(store);
      for (const id of ['c', 'a', 'b']) await add(store, credential(id, 'alice'));
      await add(store, credential('d', 'alice', { createdAt: at(1) }), 3);
      expect(await heldBy(store)).toEqual(['b', 'c', 'd']);
    });

    test('the one that is added is there, though the clock was set back since', async ({ store }) => {
      await populate(store);
      await add(store, credential('a', 'alice', { createdAt: at(1) }));
      await add(store, credential('b', 'alice', { createdAt: at(2) }));
      expect(await add(store, credential('c', 'alice', { createdAt: at(0) }), 2)).toBe('added');
      expect(await heldBy(store)).toEqual(['c', 'b']);
    });

    test('however many are added at once', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(20, [store, other], (handle, index) =>
        add(handle, credential(`key-${index}`, 'alice', { createdAt: at(index) }), 3),
      );
      expect(answers).toEqual(Array.from({ length: 20 }, () => 'added'));
      expect(await heldBy(store)).toHaveLength(3);
    });

    test('many added at once, with room for all of them, are all there', async ({ store, other }) => {
      await populate(store);
      const all = Array.from({ length: 12 }, (_, index) =>
        credential(`key-${index}`, 'alice', { createdAt: at(index) }),
      );
      await atOnce(12, [store, other], (handle, index) => add(handle, all[index] as CredentialRecord, 12));
      expect(await store.accounts.credentialsOf('alice')).toEqual(all);
    });
  });

  describe('changing', () => {
    test('replaces what is sealed, raises the revision and notes the use', async ({ store, other }) => {
      await populate(store);
      const key = credential('key', 'alice');
      await add(store, key);
      expect(await change(store, key, { sealed: 'sealed:second', usedAt: at(1.5) })).toBe(true);
      const changed = { ...key, sealed: 'sealed:second', revision: 1, lastUsedAt: at(1.5) };
      expect(await other.accounts.credentialsOf('alice')).toEqual([changed]);
      expect((await other.accounts.findCredential('key'))?.credential).toEqual(changed);
    });

    test('without a use leaves the last one', async ({ store, other }) => {
      await populate(store);
      const key = credential('key', 'alice', { lastUsedAt: at(1) });
      await add(store, key);
      expect(await change(store, key, { sealed: 'sealed:second' })).toBe(true);
      expect((await other.accounts.findCredential('key'))?.credential).toMatchObject({
        sealed: 'sealed:second',
        lastUsedAt: at(1),
      });
    });

    test('leaves the others of the account', async ({ store }) => {
      await populate(store);
      const [one, two, three] = [1, 2, 3].map((nth) => credential(`key-${nth}`, 'alice', { createdAt: at(nth) }));
      for (const each of [one, two, three]) await add(store, each as CredentialRecord);
      expect(await change(store, two as CredentialRecord, { sealed: 'sealed:second' })).toBe(true);
      expect(await store.accounts.credentialsOf('alice')).toEqual([
        one,
        { ...two, sealed: 'sealed:second', revision: 1 },
        three,
      ]);
    });

    for (const [what, overrides] of [
      ['another revision', { revision: 1 }],
      ['another account', { accountId: 'bob' }],
      ['an account that is not there', { accountId: 'nobody' }],
      ['another id', { id: 'nothing' }],
    ] as const) {
      test(`is refused for ${what}, and nothing is changed`, async ({ store, other }) => {
        await populate(store);
        const key = credential('key', 'alice');
        await add(store, key);
        await add(store, credential('of-bob', 'bob'));
        expect(await change(store, key, { usedAt: at(9), ...overrides })).toBe(false);
        expect(await other.accounts.credentialsOf('alice')).toEqual([key]);
        expect(await other.accounts.credentialsOf('bob')).toEqual([credential('of-bob', 'bob')]);
      });
    }

    test('of fifty at once on one revision, exactly one is done', async ({ store, other }) => {
      await populate(store);
      const key = credential('key', 'alice');
      await add(store, key);
      const answers = await atOnce(50, [store, other], (handle, index) =>
        change(handle, key, { sealed: `sealed:${index}`, usedAt: at(index) }),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      const winner = answers.indexOf(true);
      expect((await store.accounts.findCredential('key'))?.credential).toEqual({
        ...key,
        sealed: `sealed:${winner}`,
        revision: 1,
        lastUsedAt: at(winner),
      });
    });

    test('of two credentials at once is done for both', async ({ store, other }) => {
      await populate(store);
      const [one, two] = [credential('one', 'alice'), credential('two', 'alice')];
      for (const each of [one, two]) await add(store, each);
      expect(await Promise.all([change(store, one), change(other, two)])).toEqual([true, true]);
      expect((await store.accounts.credentialsOf('alice')).map(({ revision }) => revision)).toEqual([1, 1]);
    });

    test('one after the other, each by the revision that the one before left', async ({ store, other }) => {
      await populate(store);
      const key = credential('key', 'alice');
      await add(store, key);
      for (let revision = 0; revision < 3; revision += 1) {
        expect(await change(store, key, { revision })).toBe(true);
        expect(await change(other, key, { revision })).toBe(false);
      }
      expect((await store.accounts.findCredential('key'))?.credential.revision).toBe(3);
    });
  });

  describe('removing', () => {
    test('takes one away and leaves the others', async ({ store, other }) => {
      await populate(store);
      for (const id of ['a', 'b']) await add(store, credential(id, 'alice'));
      expect(await store.accounts.removeCredential({ accountId: 'alice', id: 'a' })).toBe(true);
      expect(await other.accounts.findCredential('a')).toBeNull();
      expect(await heldBy(other)).toEqual(['b']);
      expect(await store.accounts.removeCredential({ accountId: 'alice', id: 'b' })).toBe(true);
      expect(await heldBy(other)).toEqual([]);
    });

    test('is refused for what the account has not, or not any more', async ({ store }) => {
      await populate(store);
      await add(store, credential('a', 'alice'));
      expect(await store.accounts.removeCredential({ accountId: 'bob', id: 'a' })).toBe(false);
      expect(await store.accounts.removeCredential({ accountId: 'nobody', id: 'a' })).toBe(false);
      expect(await store.accounts.removeCredential({ accountId: 'alice', id: 'nothing' })).toBe(false);
      expect(await heldBy(store)).toEqual(['a']);
      await store.accounts.removeCredential({ accountId: 'alice', id: 'a' });
      expect(await store.accounts.removeCredential({ accountId: 'alice', id: 'a' })).toBe(false);
    });

    test('by many at once is done by one of them', async ({ store, other }) => {
      await populate(store);
      await add(store, credential('a', 'alice'));
      const answers = await atOnce(10, [store, other], (handle) =>
        handle.accounts.removeCredential({ accountId: 'alice', id: 'a' }),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    test('raced against a change leaves nothing', async ({ store, other }) => {
      await populate(store);
      const key = credential('a', 'alice');
      await add(store, key);
      const [removed] = await Promise.all([
        store.accounts.removeCredential({ accountId: 'alice', id: 'a' }),
        change(other, key),
      ]);
      expect(removed).toBe(true);
      expect(await store.accounts.findCredential('a')).toBeNull();
      expect(await change(other, { ...key, revision: 1 })).toBe(false);
    });
  });

  describe('deleting an account', () => {
    test('erases its credentials, and nobody else’s', async ({ store, other }) => {
      await populate(store);
      const key = credential('of-alice', 'alice');
      await add(store, key);
      await add(store, credential('of-bob', 'bob'));
      await store.accounts.setStatus({
        accountId: 'alice',
        status: 'deleted',
        signOut: signOutOf('one', 'account:alice'),
      });
      expect(await other.accounts.credentialsOf('alice')).toEqual([]);
      expect(await other.accounts.findCredential('of-alice')).toBeNull();
      expect(await change(other, key)).toBe(false);
      expect(await other.accounts.removeCredential({ accountId: 'alice', id: 'of-alice' })).toBe(false);
      expect(await heldBy(other, 'bob')).toEqual(['of-bob']);
      // Its id is somebody else's to have.
      expect(await add(other, credential('of-alice', 'bob'))).toBe('added');
    });

    test('raced against an addition leaves none', async ({ store, other }) => {
      await populate(store);
      await Promise.all([
        store.accounts.setStatus({ accountId: 'alice', status: 'deleted' }),
        add(other, credential('key', 'alice')),
        add(store, credential('second', 'alice')),
      ]);
      expect(await store.accounts.credentialsOf('alice')).toEqual([]);
      expect(await store.accounts.findCredential('key')).toBeNull();
    });

    test('several, each with none or one, one after the other', async ({ store }) => {
      await populate(store, ['alice', 'bob', 'carol'], []);
      await add(store, credential('key', 'bob'));
      for (const accountId of ['alice', 'bob', 'carol']) {
        expect(await store.accounts.setStatus({ accountId, status: 'deleted' })).toBe('set');
      }
      expect(await store.accounts.insert(account('dave'), identifiers('alice'))).toBe('inserted');
      expect(await add(store, credential('key', 'dave'))).toBe('added');
    });
  });
}
