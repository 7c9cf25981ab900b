/** Another address, another name, or no address: what finds an account before and after. */
import { expect, test } from 'vitest';

import { createAccounts } from '../../src/accounts/accounts.ts';
import { emptyStore, keyring, standingClock } from '../support/authn-world.ts';

async function withAlice(options: { emailIdentifies?: boolean } = {}) {
  const { store } = await emptyStore();
  const accounts = createAccounts({ store: store.accounts, keyring, clock: standingClock() });
  const created = await accounts.create({
    username: 'alice',
    email: 'alice@mail.test',
    emailVerified: true,
    ...options,
  });
  if ('refused' in created) throw new Error(created.problem);
  const { id } = created.account;
  const who = async (name: string) => (await accounts.resolve(name))?.id;
  return { accounts, store, id, who };
}

test('another address finds the account, and the former one is free', async () => {
  const { accounts, id, who } = await withAlice();
  const change = { accountId: id, from: 'alice@mail.test', email: 'Alice@new.test', verified: false };
  expect(await accounts.changeEmail(change)).toBe('changed');
  expect(await accounts.find(id)).toMatchObject({ email: 'Alice@new.test', emailVerifiedAt: null });
  expect([await who('alice@new.test'), await who('alice@mail.test'), await who('alice')]).toEqual([id, undefined, id]);
  expect(await accounts.create({ username: 'other', email: 'alice@mail.test' })).toHaveProperty('account');
  expect(await accounts.changeEmail(change)).toBe('stale');
  const back = { ...change, from: 'Alice@new.test', email: 'alice@mail.test' };
  expect(await accounts.changeEmail(back)).toMatchObject({ refused: 'email-taken' });
});

test('an address taken off finds nobody, is no claim, and may be another’s', async () => {
  const { accounts, id, who } = await withAlice();
  expect(await accounts.dropEmail({ accountId: id, email: 'other@mail.test' })).toBe('stale');
  expect(await accounts.dropEmail({ accountId: id, email: 'alice@mail.test' })).toBe('changed');
  expect(await accounts.find(id)).toMatchObject({ username: 'alice', email: '', emailVerifiedAt: null });
  expect([await who('alice@mail.test'), await who(''), await who('alice')]).toEqual([undefined, undefined, id]);
  expect(await accounts.claimsOf(id)).toEqual({ sub: id, preferred_username: 'alice' });
  expect(await accounts.changeUsername({ accountId: id, username: 'alicia' })).toBe('changed');
  expect(await accounts.create({ username: 'other', email: 'alice@mail.test' })).toHaveProperty('account');
  const again = { accountId: id, from: '', email: 'alicia@mail.test', verified: true };
  expect(await accounts.changeEmail(again)).toBe('changed');
  expect(await who('alicia@mail.test')).toBe(id);
});

test('another name keeps the address, and an address that nobody vouched for stays nobody’s', async () => {
  const { accounts, id, who } = await withAlice();
  expect(await accounts.changeUsername({ accountId: id, username: 'Alicia' })).toBe('changed');
  expect([await who('alicia'), await who('alice'), await who('alice@mail.test')]).toEqual([id, undefined, id]);
  const unvouched = await withAlice({ emailIdentifies: false });
  const change = { accountId: unvouched.id, username: 'alicia' };
  expect(await unvouched.accounts.changeUsername(change)).toBe('changed');
  expect(await unvouched.who('alice@mail.test')).toBeUndefined();
});
