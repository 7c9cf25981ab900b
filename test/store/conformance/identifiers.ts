/** What is changed of an account that is there: its name and address, that its password must be replaced, its language. */
import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import { account, at, identifiers, signOutRequest, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, isAlive, populate, save } from './together.ts';

type Change = Parameters<Store['accounts']['identify']>[0];

/** What an account is known by once it was renamed. */
const renamed = (accountId: string, name: string, overrides: Partial<Change> = {}): Change => ({
  accountId,
  expected: { sealedUsername: `sealed:username:${accountId}`, sealedEmail: `sealed:email:${accountId}` },
  sealedUsername: `sealed:username:${name}`,
  sealedEmail: `sealed:email:${name}`,
  emailVerifiedAt: null,
  identifiers: identifiers(name),
  ...overrides,
});

const everywhere = (id: string) => signOutRequest(id, { kind: 'account', accountId: 'alice' });

const owners = (store: Store, ...names: readonly string[]) =>
  Promise.all(names.map(async (name) => (await store.accounts.findByIdentifier(name))?.id ?? null));

export function identifiersConformance(test: StoreTest): void {
  test('an account is kept with every field it was given', async ({ store, other }) => {
    const verified = account('alice', { emailVerifiedAt: at(1.5), passwordResetRequiredAt: at(2.5), locale: 'pt-BR' });
    await store.accounts.insert(verified, identifiers('alice'));
    expect(await other.accounts.find('alice')).toEqual(verified);
    expect(await other.accounts.findByIdentifier('index:alice')).toEqual(verified);
    expect(await other.accounts.list({ limit: 1 })).toEqual([verified]);
  });

  describe('identify', () => {
    test('replaces both as one: the account is found by the new ones and not by the old', async ({ store, other }) => {
      await populate(store);
      expect(await store.accounts.identify(renamed('alice', 'alicia', { emailVerifiedAt: at(1.5) }))).toBe('set');
      expect(await other.accounts.find('alice')).toEqual(
        account('alice', {
          sealedUsername: 'sealed:username:alicia',
          sealedEmail: 'sealed:email:alicia',
          emailVerifiedAt: at(1.5),
        }),
      );
      expect(await owners(other, 'index:alicia', 'index:alicia@mail')).toEqual(['alice', 'alice']);
      expect(await owners(other, 'index:alice', 'index:alice@mail')).toEqual([null, null]);
    });

    test('frees the old ones for somebody else, in the same write', async ({ store, other }) => {
      await populate(store);
      await store.accounts.identify(renamed('alice', 'alicia'));
      expect(await other.accounts.identify(renamed('bob', 'alice'))).toBe('set');
      expect(await other.accounts.insert(account('carol'), identifiers('bob'))).toBe('inserted');
      expect(await owners(store, 'index:alice', 'index:bob')).toEqual(['bob', 'carol']);
    });

    test('may keep one of them, or both', async ({ store }) => {
      await populate(store);
      const { username, email } = identifiers('alice');
      expect(
        await store.accounts.identify(
          renamed('alice', 'second', { identifiers: { username, email: 'index:new@mail' } }),
        ),
      ).toBe('set');
      expect(await owners(store, username, email, 'index:new@mail')).toEqual(['alice', null, 'alice']);
      const again = renamed('second', 'third', {
        accountId: 'alice',
        identifiers: { username, email: 'index:new@mail' },
      });
      expect(await store.accounts.identify({ ...again, emailVerifiedAt: at(1) })).toBe('set');
      expect(await owners(store, username, 'index:new@mail')).toEqual(['alice', 'alice']);
      expect((await store.accounts.find('alice'))?.emailVerifiedAt).toEqual(at(1));
    });

    test('may change its own two for each other, or be one from two and two from one', async ({ store }) => {
      await populate(store);
      const { username, email } = identifiers('alice');
      const steps = [
        { username: email, email: username },
        { username: email, email },
        { username, email },
      ];
      for (const [index, wanted] of steps.entries()) {
        const before = index === 0 ? 'alice' : `step-${index - 1}`;
        const step = renamed(before, `step-${index}`, { accountId: 'alice', identifiers: wanted });
        expect(await store.accounts.identify(step)).toBe('set');
        const expected = [username, email].map((one) => (Object.values(wanted).includes(one) ? 'alice' : null));
        expect(await owners(store, username, email)).toEqual(expected);
      }
      // And nothing is left behind that would still be hers.
      await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
      expect(await store.accounts.insert(account('carol'), { username, email })).toBe('inserted');
    });

    test('takes back that an address was shown to be somebody’s', async ({ store, other }) => {
      await populate(store);
      await store.accounts.identify(renamed('alice', 'alicia', { emailVerifiedAt: at(1) }));
      await store.accounts.identify(renamed('alicia', 'alicja', { accountId: 'alice' }));
      expect((await other.accounts.find('alice'))?.emailVerifiedAt).toBeNull();
    });

    const taken = [
      ['a username that is another username', { username: 'index:bob', email: 'index:new' }, 'username-taken'],
      ['a username that is another e-mail', { username: 'index:bob@mail', email: 'index:new' }, 'username-taken'],
      ['an e-mail that is another e-mail', { username: 'index:new', email: 'index:bob@mail' }, 'email-taken'],
      ['an e-mail that is another username', { username: 'index:new', email: 'index:bob' }, 'email-taken'],
      [
        'an e-mail that is another’s, beside its own username',
        { username: 'index:alice', email: 'index:bob' },
        'email-taken',
      ],
    ] as const;
    for (const [what, wanted, answer] of taken) {
      test(`${what} is refused as ${answer}, and nothing is changed`, async ({ store, other }) => {
        await populate(store);
        const change = renamed('alice', 'alicia', { identifiers: wanted, emailVerifiedAt: at(1) });
        expect(await store.accounts.identify(change)).toBe(answer);
        expect(await other.accounts.find('alice')).toEqual(account('alice'));
        const all = ['index:alice', 'index:alice@mail', 'index:bob', 'index:bob@mail', 'index:new'];
        expect(await owners(other, ...all)).toEqual(['alice', 'alice', 'bob', 'bob', null]);
      });
    }

    for (const [what, expected] of [
      ['username', { sealedUsername: 'sealed:other', sealedEmail: 'sealed:email:alice' }],
      ['e-mail', { sealedUsername: 'sealed:username:alice', sealedEmail: 'sealed:other' }],
    ] as const) {
      test(`is stale when another ${what} is kept by now, and nothing is changed`, async ({ store, other }) => {
        await populate(store);
        expect(await store.accounts.identify(renamed('alice', 'alicia', { expected }))).toBe('stale');
        expect(await other.accounts.find('alice')).toEqual(account('alice'));
        expect(await owners(other, 'index:alice', 'index:alicia', 'index:alicia@mail')).toEqual(['alice', null, null]);
      });
    }

    test('an account that is not there, or was deleted, is known by nothing', async ({ store }) => {
      await populate(store);
      await store.accounts.setStatus({ accountId: 'bob', status: 'deleted' });
      expect(await store.accounts.identify(renamed('nobody', 'new'))).toBe('unknown');
      expect(await store.accounts.identify(renamed('bob', 'new'))).toBe('unknown');
      const erased = { sealedUsername: '', sealedEmail: '' };
      expect(await store.accounts.identify(renamed('bob', 'new', { expected: erased }))).toBe('unknown');
      expect(await owners(store, 'index:new', 'index:new@mail')).toEqual([null, null]);
      expect(await store.accounts.find('bob')).toMatchObject({ sealedUsername: '', sealedEmail: '' });
    });

    test('a disabled account is known by what it is told', async ({ store }) => {
      await populate(store);
      await store.accounts.setStatus({ accountId: 'alice', status: 'disabled' });
      expect(await store.accounts.identify(renamed('alice', 'alicia'))).toBe('set');
      expect(await store.accounts.find('alice')).toMatchObject({ status: 'disabled' });
    });

    test('ends nothing by itself', async ({ store }) => {
      await populate(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      await store.accounts.identify(renamed('alice', 'alicia'));
      expect(await isAlive(store, token)).toBe(true);
      expect(await store.revocations.listSignOuts(5)).toEqual([]);
    });

    test('of many accounts that want one name at once, exactly one gets it', async ({ store, other }) => {
      const names = Array.from({ length: 10 }, (_, index) => `account-${index}`);
      await populate(store, names, []);
      const answers = await atOnce(10, [store, other], (handle, index) =>
        handle.accounts.identify(
          renamed(`account-${index}`, `new-${index}`, {
            identifiers: { username: 'index:wanted', email: `index:new-${index}@mail` },
          }),
        ),
      );
      expect(answers.filter((answer) => answer === 'set')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'username-taken')).toHaveLength(9);
      const winner = answers.indexOf('set');
      expect(await owners(store, 'index:wanted', `index:account-${winner}`)).toEqual([`account-${winner}`, null]);
      // Whoever lost is known as before.
      const losers = names.filter((_, index) => index !== winner);
      expect(await owners(store, ...losers.map((name) => `index:${name}`))).toEqual(losers);
    });

    test('one’s username raced against another’s e-mail, and against a new account’s, goes to exactly one', async ({
      store,
      other,
    }) => {
      await populate(store);
      const wanted = 'index:wanted';
      const answers = await Promise.all([
        store.accounts.identify(renamed('alice', 'a', { identifiers: { username: wanted, email: 'index:a@mail' } })),
        other.accounts.identify(renamed('bob', 'b', { identifiers: { username: 'index:b', email: wanted } })),
        store.accounts.insert(account('carol'), { username: 'index:carol', email: wanted }),
      ]);
      expect(answers.filter((answer) => answer === 'set' || answer === 'inserted')).toHaveLength(1);
      const owner = answers.findIndex((answer) => answer === 'set' || answer === 'inserted');
      expect(await owners(store, wanted)).toEqual([['alice', 'bob', 'carol'][owner]]);
    });

    test('of many changes of one account at once, one is set and the others are stale', async ({ store, other }) => {
      await populate(store);
      const answers = await atOnce(10, [store, other], (handle, index) =>
        handle.accounts.identify(renamed('alice', `new-${index}`)),
      );
      expect(answers.filter((answer) => answer === 'set')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'stale')).toHaveLength(9);
      const winner = answers.indexOf('set');
      expect(await store.accounts.find('alice')).toMatchObject({ sealedUsername: `sealed:username:new-${winner}` });
      const all = answers.map((_, index) => `index:new-${index}`);
      expect(await owners(store, ...all)).toEqual(all.map((_, index) => (index === winner ? 'alice' : null)));
    });

    test('raced against deletion leaves nothing that the account would be known by', async ({ store, other }) => {
      await populate(store);
      await Promise.all([
        store.accounts.setStatus({ accountId: 'alice', status: 'deleted' }),
        other.accounts.identify(renamed('alice', 'alicia')),
      ]);
      expect(await store.accounts.find('alice')).toMatchObject({ sealedUsername: '', sealedEmail: '' });
      expect(await owners(store, 'index:alice', 'index:alicia', 'index:alicia@mail')).toEqual([null, null, null]);
      expect(await store.accounts.insert(account('carol'), identifiers('alicia'))).toBe('inserted');
    });
  });

  describe('requirePasswordReset', () => {
    test('notes the instant, and leaves the password where it is', async ({ store, other }) => {
      await populate(store);
      expect(await store.accounts.requirePasswordReset({ accountId: 'alice', at: at(1.5) })).toBe('set');
      expect(await other.accounts.find('alice')).toEqual(account('alice', { passwordResetRequiredAt: at(1.5) }));
      expect(await store.revocations.listSignOuts(5)).toEqual([]);
    });

    test('with a sign-out: the instant, the epoch and the pending sign-out are all there', async ({ store, other }) => {
      await populate(store);
      const token = await save(store, 'token', { 'account:alice': 0 });
      const demand = { accountId: 'alice', at: at(1), signOut: everywhere('demand') };
      expect(await store.accounts.requirePasswordReset(demand)).toBe('set');
      expect(await other.accounts.find('alice')).toEqual(account('alice', { passwordResetRequiredAt: at(1) }));
      expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(ids(await other.revocations.pendingSignOuts(5))).toEqual(['demand']);
      expect(await isAlive(other, token)).toBe(false);
    });

    test('with a sign-out: the present password is worthless, though it was set later', async ({ store, other }) => {
      await populate(store);
      await store.accounts.setPassword({ accountId: 'alice', hash: 'later', changedAt: at(40) });
      const demand = { accountId: 'alice', at: at(1), signOut: everywhere('demand') };
      expect(await store.accounts.requirePasswordReset(demand)).toBe('set');
      expect((await other.accounts.find('alice'))?.passwordResetRequiredAt).toEqual(at(40));
    });

    test('a retry with the same sign-out raises nothing more', async ({ store, other }) => {
      await populate(store);
      const demand = { accountId: 'alice', at: at(1), signOut: everywhere('demand') };
      await atOnce(6, [store, other], (handle) => handle.accounts.requirePasswordReset(demand));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await store.revocations.listSignOuts(5)).toHaveLength(1);
    });

    test('the later instant stays, and an earlier demand signs out all the same', async ({ store, other }) => {
      await populate(store);
      await store.accounts.requirePasswordReset({ accountId: 'alice', at: at(60) });
      const earlier = { accountId: 'alice', at: at(30), signOut: everywhere('earlier') };
      expect(await other.accounts.requirePasswordReset(earlier)).toBe('set');
      expect((await store.accounts.find('alice'))?.passwordResetRequiredAt).toEqual(at(60));
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await other.accounts.requirePasswordReset({ accountId: 'alice', at: at(90) })).toBe('set');
      expect((await store.accounts.find('alice'))?.passwordResetRequiredAt).toEqual(at(90));
    });

    test('of many at once, the latest stays', async ({ store, other }) => {
      await populate(store);
      const order = [3, 9, 1, 7, 5, 0, 8, 2, 6, 4];
      await atOnce(10, [store, other], (handle, index) =>
        handle.accounts.requirePasswordReset({ accountId: 'alice', at: at(order[index] ?? 0) }),
      );
      expect((await store.accounts.find('alice'))?.passwordResetRequiredAt).toEqual(at(9));
    });

    test('a new password does not take it back: when it was demanded stays known', async ({ store, other }) => {
      await populate(store);
      await store.accounts.requirePasswordReset({ accountId: 'alice', at: at(1) });
      await store.accounts.setPassword({ accountId: 'alice', hash: 'hash:new', changedAt: at(2) });
      expect(await other.accounts.find('alice')).toEqual(
        account('alice', { password: { hash: 'hash:new', changedAt: at(2) }, passwordResetRequiredAt: at(1) }),
      );
    });

    test('may be demanded of whoever has no password', async ({ store }) => {
      await store.accounts.insert(account('alice', { password: null }), identifiers('alice'));
      expect(await store.accounts.requirePasswordReset({ accountId: 'alice', at: at(1) })).toBe('set');
      expect(await store.accounts.find('alice')).toMatchObject({ password: null, passwordResetRequiredAt: at(1) });
    });

    test('of an account that is not there, or was deleted, demands nothing and signs nobody out', async ({ store }) => {
      await populate(store, ['alice'], []);
      const demand = { accountId: 'alice', at: at(1), signOut: everywhere('demand') };
      expect(await store.accounts.requirePasswordReset({ ...demand, accountId: 'nobody' })).toBe('unknown');
      await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
      expect(await store.accounts.requirePasswordReset(demand)).toBe('unknown');
      expect((await store.accounts.find('alice'))?.passwordResetRequiredAt).toBeNull();
      expect(await store.revocations.findSignOut('demand')).toBeNull();
      expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });
  });

  describe('setLocale', () => {
    test('is what the person is written to in from now on', async ({ store, other }) => {
      await populate(store);
      await store.accounts.setLocale({ accountId: 'alice', locale: 'de' });
      expect(await other.accounts.find('alice')).toEqual(account('alice', { locale: 'de' }));
      await other.accounts.setLocale({ accountId: 'alice', locale: 'pt-BR' });
      expect(await store.accounts.find('alice')).toEqual(account('alice', { locale: 'pt-BR' }));
      expect(await store.accounts.find('bob')).toEqual(account('bob'));
    });

    test('of nobody is no error, and makes nobody', async ({ store }) => {
      await store.accounts.setLocale({ accountId: 'nobody', locale: 'de' });
      expect(await store.accounts.find('nobody')).toBeNull();
      expect(await store.accounts.count()).toBe(0);
    });
  });

  test('deleting leaves nothing of a person: neither address, nor language, nor demand', async ({ store, other }) => {
    const known = account('alice', { emailVerifiedAt: at(1), passwordResetRequiredAt: at(2), locale: 'de' });
    await store.accounts.insert(known, identifiers('alice'));
    await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
    const erased = account('alice', { status: 'deleted', sealedUsername: '', sealedEmail: '', password: null });
    expect(await other.accounts.find('alice')).toEqual(erased);
    await store.accounts.setLocale({ accountId: 'alice', locale: 'de' });
    expect(await other.accounts.find('alice')).toEqual(erased);
    expect(await other.accounts.find('alice')).toMatchObject({ createdAt: start });
  });
}
