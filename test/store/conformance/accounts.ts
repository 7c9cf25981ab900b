import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import { account, artifact, at, identifiers, signOutOf, signOutRequest, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, isAlive, save, walk } from './together.ts';

const everywhere = (id: string) => signOutRequest(id, { kind: 'account', accountId: 'alice' });

const insertAlice = (store: Store) => store.accounts.insert(account('alice'), identifiers('alice'));

export function accountsConformance(test: StoreTest): void {
  describe('insert and find', () => {
    test('an inserted account is found by its id, exactly as it was given', async ({ store, other }) => {
      const admin = account('alice', { admin: true, createdAt: at(0.001) });
      expect(await store.accounts.insert(admin, identifiers('alice'))).toBe('inserted');
      expect(await other.accounts.find('alice')).toEqual(admin);
    });

    test('an account without a password has none', async ({ store }) => {
      await store.accounts.insert(account('alice', { password: null }), identifiers('alice'));
      expect((await store.accounts.find('alice'))?.password).toBeNull();
    });

    test('an account is found by its username and by its e-mail', async ({ store }) => {
      await store.accounts.insert(account('alice'), { username: 'index:name', email: 'index:mail' });
      expect((await store.accounts.findByIdentifier('index:name'))?.id).toBe('alice');
      expect((await store.accounts.findByIdentifier('index:mail'))?.id).toBe('alice');
    });

    test('nobody is found by an id or identifier that is not there, or that differs in case alone', async ({
      store,
    }) => {
      await insertAlice(store);
      expect(await store.accounts.find('nobody')).toBeNull();
      expect(await store.accounts.find('Alice')).toBeNull();
      expect(await store.accounts.findByIdentifier('index:nobody')).toBeNull();
      expect(await store.accounts.findByIdentifier('INDEX:alice')).toBeNull();
    });

    test('an id is not an identifier, nor an identifier an id', async ({ store }) => {
      await insertAlice(store);
      expect(await store.accounts.findByIdentifier('alice')).toBeNull();
      expect(await store.accounts.find('index:alice')).toBeNull();
    });
  });

  describe('identifiers', () => {
    const taken = [
      ['a username that is another username', { username: 'index:name', email: 'index:new' }, 'username-taken'],
      ['a username that is another e-mail', { username: 'index:mail', email: 'index:new' }, 'username-taken'],
      ['an e-mail that is another e-mail', { username: 'index:new', email: 'index:mail' }, 'email-taken'],
      ['an e-mail that is another username', { username: 'index:new', email: 'index:name' }, 'email-taken'],
    ] as const;
    for (const [what, wanted, answer] of taken) {
      test(`${what} is refused as ${answer}, and nothing is kept`, async ({ store }) => {
        await store.accounts.insert(account('alice'), { username: 'index:name', email: 'index:mail' });
        expect(await store.accounts.insert(account('bob'), wanted)).toBe(answer);
        expect(await store.accounts.find('bob')).toBeNull();
        expect(await store.accounts.findByIdentifier('index:new')).toBeNull();
        expect((await store.accounts.findByIdentifier('index:name'))?.id).toBe('alice');
        expect((await store.accounts.findByIdentifier('index:mail'))?.id).toBe('alice');
        // What the refused one also asked for is still free.
        expect(await store.accounts.insert(account('carol'), { username: 'index:new', email: 'index:carol' })).toBe(
          'inserted',
        );
      });
    }

    test('an account may use its own e-mail as its username', async ({ store }) => {
      const one = { username: 'index:same', email: 'index:same' };
      expect(await store.accounts.insert(account('alice'), one)).toBe('inserted');
      expect((await store.accounts.findByIdentifier('index:same'))?.id).toBe('alice');
      expect(await store.accounts.insert(account('bob'), one)).not.toBe('inserted');
    });

    test('of many who want one name at once, exactly one gets it', async ({ store, other }) => {
      const answers = await atOnce(20, [store, other], (handle, index) =>
        handle.accounts.insert(account(`account-${index}`), { username: 'index:name', email: `index:${index}` }),
      );
      expect(answers.filter((answer) => answer === 'inserted')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'username-taken')).toHaveLength(19);
      expect(await store.accounts.count()).toBe(1);
      const winner = answers.indexOf('inserted');
      expect((await other.accounts.findByIdentifier('index:name'))?.id).toBe(`account-${winner}`);
    });

    test("one account's username raced against another's e-mail goes to exactly one of them", async ({
      store,
      other,
    }) => {
      const answers = await Promise.all([
        store.accounts.insert(account('alice'), { username: 'index:wanted', email: 'index:alice' }),
        other.accounts.insert(account('bob'), { username: 'index:bob', email: 'index:wanted' }),
      ]);
      expect(answers.filter((answer) => answer === 'inserted')).toHaveLength(1);
    });
  });

  describe('list and count', () => {
    test('accounts are listed by id, ascending, page after page, each once', async ({ store }) => {
      const all = ['b', 'B', 'a', 'a1', 'c', 'a0', 'z'];
      for (const id of all) await store.accounts.insert(account(id), identifiers(id));
      const walked = await walk(
        2,
        (page) => store.accounts.list(page),
        ({ id }) => id,
      );
      // The order of code units, not of a language.
      expect(ids(walked)).toEqual([...all].sort());
      expect(walked[0]).toEqual(account('B'));
    });

    test('a page starts after its cursor, whether or not that account is there', async ({ store }) => {
      for (const id of ['a', 'c']) await store.accounts.insert(account(id), identifiers(id));
      expect(ids(await store.accounts.list({ after: 'a', limit: 5 }))).toEqual(['c']);
      expect(ids(await store.accounts.list({ after: 'b', limit: 5 }))).toEqual(['c']);
      expect(await store.accounts.list({ after: 'c', limit: 5 })).toEqual([]);
    });

    test('the count is of accounts, and 0 in a new store', async ({ store }) => {
      expect(await store.accounts.count()).toBe(0);
      expect(await store.accounts.list({ limit: 5 })).toEqual([]);
      for (const id of ['a', 'b', 'c']) await store.accounts.insert(account(id), identifiers(id));
      expect(await store.accounts.count()).toBe(3);
    });
  });

  describe('setPassword', () => {
    const hash = 'hash:alice:second';

    test('sets the hash and when it was changed, and ends nothing by itself', async ({ store, other }) => {
      await insertAlice(store);
      expect(await store.accounts.setPassword({ accountId: 'alice', hash, changedAt: at(9) })).toBe('set');
      expect((await other.accounts.find('alice'))?.password).toEqual({ hash, changedAt: at(9) });
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await store.revocations.listSignOuts(5)).toEqual([]);
    });

    test('gives an account its first password', async ({ store }) => {
      await store.accounts.insert(account('alice', { password: null }), identifiers('alice'));
      expect(await store.accounts.setPassword({ accountId: 'alice', hash, changedAt: start })).toBe('set');
      expect((await store.accounts.find('alice'))?.password?.hash).toBe(hash);
    });

    test('with a sign-out: the hash, the epoch and the pending sign-out are all there', async ({ store, other }) => {
      await insertAlice(store);
      const code = await save(store, 'code', { 'account:alice': 0 });
      const change = { accountId: 'alice', hash, changedAt: start, signOut: everywhere('change') };
      expect(await store.accounts.setPassword(change)).toBe('set');
      expect((await other.accounts.find('alice'))?.password?.hash).toBe(hash);
      expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await other.revocations.pendingSignOuts(5))).toEqual(['change']);
      expect(await other.revocations.findSignOut('change')).toMatchObject({ status: 'pending', epochBefore: 0 });
      expect(await isAlive(other, code)).toBe(false);
    });

    test('with a sign-out that spares: what it spares stays alive', async ({ store }) => {
      await insertAlice(store);
      const here = await save(store, 'here', { 'account:alice': 0, 'session:laptop': 0 });
      const there = await save(store, 'there', { 'account:alice': 0, 'session:phone': 0 });
      const scope = { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' } as const;
      const signOut = signOutRequest('change', scope, { spares: ['session:laptop'] });
      expect(await store.accounts.setPassword({ accountId: 'alice', hash, changedAt: start, signOut })).toBe('set');
      expect(await isAlive(store, here)).toBe(true);
      expect(await isAlive(store, there)).toBe(false);
    });

    test('a retry with the same sign-out raises nothing more', async ({ store, other }) => {
      await insertAlice(store);
      const change = { accountId: 'alice', hash, changedAt: start, signOut: everywhere('change') };
      await store.accounts.setPassword(change);
      await other.accounts.setPassword(change);
      await other.revocations.signOut(change.signOut);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.revocations.listSignOuts(5)).toHaveLength(1);
    });

    test('an expected hash that still stands is replaced', async ({ store }) => {
      await insertAlice(store);
      const change = { accountId: 'alice', hash, changedAt: start, expected: 'hash:alice:first' };
      expect(await store.accounts.setPassword(change)).toBe('set');
      expect((await store.accounts.find('alice'))?.password?.hash).toBe(hash);
    });

    test('an expected hash that no longer stands is stale: nothing is set and nobody is signed out', async ({
      store,
    }) => {
      await insertAlice(store);
      const change = {
        accountId: 'alice',
        hash,
        changedAt: at(9),
        expected: 'hash:other',
        signOut: everywhere('change'),
      };
      expect(await store.accounts.setPassword(change)).toBe('stale');
      expect(await store.accounts.find('alice')).toEqual(account('alice'));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await store.revocations.findSignOut('change')).toBeNull();
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });

    test('a change that was decided before a sign-out is stale after it, and changes nothing', async ({
      store,
      other,
    }) => {
      await insertAlice(store);
      await other.revocations.signOut(everywhere('meanwhile'));
      const change = { accountId: 'alice', hash, changedAt: at(9), accountEpoch: 0, signOut: everywhere('change') };
      expect(await store.accounts.setPassword(change)).toBe('stale');
      expect(await store.accounts.find('alice')).toEqual(account('alice'));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.accounts.setPassword({ ...change, accountEpoch: 1 })).toBe('set');
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 2 });
    });

    test('one that was decided before a sign-out of everyone is stale after it as well', async ({ store, other }) => {
      await insertAlice(store);
      const change = { accountId: 'alice', hash, changedAt: at(9), accountEpoch: 0, everyoneEpoch: 0 };
      await other.revocations.signOut(signOutOf('of-all', 'everyone'));
      expect(await store.accounts.setPassword(change)).toBe('stale');
      expect(await store.accounts.find('alice')).toEqual(account('alice'));
      expect(await store.accounts.setPassword({ ...change, everyoneEpoch: 1 })).toBe('set');
    });

    test('no password is what is expected: a first one is set, and a second one is stale', async ({ store, other }) => {
      await store.accounts.insert(account('alice', { password: null }), identifiers('alice'));
      const change = { accountId: 'alice', hash, changedAt: start, expected: null, signOut: everywhere('change') };
      expect(await store.accounts.setPassword(change)).toBe('set');
      const second = { ...change, hash: 'hash:alice:third', signOut: everywhere('second') };
      expect(await other.accounts.setPassword(second)).toBe('stale');
      expect((await store.accounts.find('alice'))?.password?.hash).toBe(hash);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
    });

    test('an expected hash is stale for an account that has no password', async ({ store }) => {
      await store.accounts.insert(account('alice', { password: null }), identifiers('alice'));
      const change = { accountId: 'alice', hash, changedAt: start, expected: 'hash:alice:first' };
      expect(await store.accounts.setPassword(change)).toBe('stale');
      expect((await store.accounts.find('alice'))?.password).toBeNull();
    });

    test('of two changes that expect the same hash, one is set and signs out; the other is stale', async ({
      store,
      other,
    }) => {
      await insertAlice(store);
      const answers = await atOnce(10, [store, other], (handle, index) =>
        handle.accounts.setPassword({
          accountId: 'alice',
          hash: `hash:${index}`,
          changedAt: start,
          expected: 'hash:alice:first',
          signOut: everywhere(`change-${index}`),
        }),
      );
      expect(answers.filter((answer) => answer === 'set')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'stale')).toHaveLength(9);
      const winner = answers.indexOf('set');
      expect((await store.accounts.find('alice'))?.password?.hash).toBe(`hash:${winner}`);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await store.revocations.listSignOuts(20))).toEqual([`change-${winner}`]);
    });

    test('an unknown account has nothing set and nothing raised', async ({ store }) => {
      const change = { accountId: 'alice', hash, changedAt: start, signOut: everywhere('change') };
      expect(await store.accounts.setPassword(change)).toBe('unknown');
      expect(await store.accounts.setPassword({ ...change, expected: 'hash' })).toBe('unknown');
      expect(await store.accounts.find('alice')).toBeNull();
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await store.revocations.findSignOut('change')).toBeNull();
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });
  });

  describe('setStatus', () => {
    test('disabling with a sign-out sets the status, raises the epoch and leaves it pending, at once', async ({
      store,
      other,
    }) => {
      await insertAlice(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      const change = { accountId: 'alice', status: 'disabled', signOut: everywhere('disable') } as const;
      expect(await store.accounts.setStatus(change)).toBe('set');
      expect(await other.accounts.find('alice')).toEqual(account('alice', { status: 'disabled' }));
      expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await other.revocations.pendingSignOuts(5))).toEqual(['disable']);
      expect(await isAlive(other, token)).toBe(false);
    });

    test('a disabled account is still found by its identifiers, and enabling it revives nothing', async ({ store }) => {
      await insertAlice(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      await store.accounts.setStatus({ accountId: 'alice', status: 'disabled', signOut: everywhere('disable') });
      expect((await store.accounts.findByIdentifier('index:alice'))?.status).toBe('disabled');
      expect(await store.accounts.setStatus({ accountId: 'alice', status: 'active' })).toBe('set');
      expect(await store.accounts.find('alice')).toEqual(account('alice'));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await isAlive(store, token)).toBe(false);
    });

    test('a retry with the same sign-out raises nothing more', async ({ store, other }) => {
      await insertAlice(store);
      const change = { accountId: 'alice', status: 'disabled', signOut: everywhere('disable') } as const;
      await atOnce(6, [store, other], (handle) => handle.accounts.setStatus(change));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.revocations.listSignOuts(5)).toHaveLength(1);
    });

    test('an unknown account has nothing set and nothing raised', async ({ store }) => {
      const change = { accountId: 'alice', status: 'disabled', signOut: everywhere('disable') } as const;
      expect(await store.accounts.setStatus(change)).toBe('unknown');
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await store.revocations.findSignOut('disable')).toBeNull();
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });
  });

  describe('deleting', () => {
    const remove = (store: Store) =>
      store.accounts.setStatus({ accountId: 'alice', status: 'deleted', signOut: everywhere('delete') });

    test('erases identifiers, sealed data and password, and keeps the id', async ({ store, other }) => {
      await insertAlice(store);
      expect(await remove(store)).toBe('set');
      expect(await other.accounts.find('alice')).toMatchObject({
        id: 'alice',
        status: 'deleted',
        sealedUsername: '',
        sealedEmail: '',
        password: null,
      });
      expect(await other.accounts.findByIdentifier(identifiers('alice').username)).toBeNull();
      expect(await other.accounts.findByIdentifier(identifiers('alice').email)).toBeNull();
    });

    test('is a sign-out: pending, told, and everything older is dead', async ({ store }) => {
      await insertAlice(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      await remove(store);
      expect(await isAlive(store, token)).toBe(false);
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await store.revocations.pendingSignOuts(5))).toEqual(['delete']);
    });

    test('frees the names for somebody else, who inherits nothing', async ({ store, other }) => {
      await insertAlice(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      await remove(store);
      expect(await other.accounts.insert(account('alice-2'), identifiers('alice'))).toBe('inserted');
      expect((await store.accounts.findByIdentifier('index:alice'))?.id).toBe('alice-2');
      expect(await isAlive(store, token)).toBe(false);
      expect(await store.revocations.epochs(['account:alice', 'account:alice-2'])).toEqual({
        'account:alice': 1,
        'account:alice-2': 0,
      });
    });

    test('several accounts may be deleted one after the other', async ({ store }) => {
      for (const id of ['alice', 'bob', 'carol']) {
        await store.accounts.insert(account(id), identifiers(id));
        expect(await store.accounts.setStatus({ accountId: id, status: 'deleted' })).toBe('set');
      }
      expect(await store.accounts.insert(account('dave'), identifiers('alice'))).toBe('inserted');
    });

    test('is final: neither a status nor a password brings the account back', async ({ store }) => {
      await insertAlice(store);
      await remove(store);
      expect(await store.accounts.setStatus({ accountId: 'alice', status: 'active' })).toBe('unknown');
      expect(await store.accounts.setPassword({ accountId: 'alice', hash: 'hash', changedAt: start })).toBe('unknown');
      expect(await store.accounts.find('alice')).toMatchObject({ status: 'deleted', password: null });
    });

    test('raced against a password change leaves a deleted account without a password', async ({ store, other }) => {
      await insertAlice(store);
      await Promise.all([
        remove(store),
        other.accounts.setPassword({ accountId: 'alice', hash: 'hash:new', changedAt: start }),
      ]);
      expect(await store.accounts.find('alice')).toMatchObject({ status: 'deleted', password: null });
    });
  });

  test('an artifact of an account that does not exist is kept like any other', async ({ store }) => {
    const pending = artifact('pending', { accountId: 'not-yet', stamps: { 'account:not-yet': 0 } });
    await store.artifacts.save(pending);
    expect(await store.artifacts.find(pending.key, start)).not.toBeNull();
  });
}
