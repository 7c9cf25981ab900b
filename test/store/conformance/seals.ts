import { describe, expect } from 'vitest';
import { SEALED_COLLECTIONS, type SealedCollection, type SealedRow } from '../../../src/store/seals.ts';
import type { Store } from '../../../src/store/port.ts';
import {
  account,
  artifact,
  clientSession,
  connection,
  credential,
  event,
  identifiers,
  identity,
  mail,
  signingKey,
  signOutOf,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';

/** Something sealed of every kind, some of it several times. */
async function sealSomething({ accounts, artifacts, catalogue, journal, outbox }: Store): Promise<void> {
  await catalogue.settle('first-signing-key:ES256', 'a fact');
  for (const id of ['alice', 'bob', 'Carol']) {
    await accounts.insert(account(id), identifiers(id));
    for (const nth of [1, 2, 3]) {
      await accounts.linkIdentity(identity(`subject-${nth}-of-${id}`, id));
      const kind = nth === 1 ? 'totp' : 'passkey';
      await accounts.addCredential(credential(`credential-${nth}-of-${id}`, id, { kind }), { most: 5 });
    }
  }
  await catalogue.saveConnection(connection('corp'));
  await catalogue.addSigningKey(signingKey('a'));
  for (const name of ['one', 'two', 'three']) await artifacts.save(artifact(name), clientSession(`grant-${name}`));
  await outbox.enqueue([mail('one'), mail('two')]);
  await journal.append([event('one'), event('two')]);
}

async function walked(store: Store, collection: SealedCollection, limit: number): Promise<SealedRow[]> {
  const rows: SealedRow[] = [];
  for (;;) {
    const page = await store.seals.rows(collection, { after: rows.at(-1), limit });
    expect(page.length).toBeLessThanOrEqual(limit);
    if (page.length === 0) return rows;
    rows.push(...page);
  }
}

const HOW_MANY: Readonly<Record<SealedCollection, number>> = {
  facts: 1,
  accounts: 3,
  identities: 9,
  credentials: 9,
  connections: 1,
  signingKeys: 1,
  clientSessions: 3,
  artifacts: 3,
  mails: 2,
  events: 2,
};

const only = (rows: readonly SealedRow[]): SealedRow => {
  const [row] = rows;
  if (row === undefined) throw new Error('there is none');
  return row;
};

export function sealsConformance(test: StoreTest): void {
  for (const collection of SEALED_COLLECTIONS) {
    test(`${collection}: every row is in one page, whatever the size of a page`, async ({ store }) => {
      expect(await store.seals.rows(collection, { limit: 5 })).toEqual([]);
      await sealSomething(store);
      const all = await store.seals.rows(collection, { limit: 100 });
      expect(all).toHaveLength(HOW_MANY[collection]);
      for (const limit of [1, 2, 4]) expect(await walked(store, collection, limit)).toEqual(all);
      const count = await store.seals.count(collection);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(all.length);
    });

    test(`${collection}: a text is replaced while it is the one that was read, and only then`, async ({
      store,
      other,
    }) => {
      await sealSomething(store);
      const rows = await store.seals.rows(collection, { limit: 100 });
      const row = rows[Math.floor(rows.length / 2)] ?? only(rows);
      const { id, accountId } = row;
      for (const [field, from] of Object.entries(row.fields)) {
        const change = { id, accountId, field, from, to: `${from} anew` };
        expect(await store.seals.replace(collection, [change])).toBe(1);
        expect(await other.seals.replace(collection, [change])).toBe(0);
      }
      const fields = Object.fromEntries(Object.entries(row.fields).map(([field, text]) => [field, `${text} anew`]));
      expect(await other.seals.rows(collection, { limit: 100 })).toEqual(
        rows.map((each) => (each === row ? { ...row, fields } : each)),
      );
    });
  }

  test('rows say what tells them apart, and whose they are where the seal is bound to that', async ({ store }) => {
    await sealSomething(store);
    const { seals } = store;
    expect(only(await seals.rows('facts', { limit: 1 }))).toEqual({
      id: 'first-signing-key:ES256',
      kind: null,
      accountId: null,
      fields: { value: 'a fact' },
    });
    expect((await seals.rows('accounts', { limit: 9 })).find(({ id }) => id === 'alice')?.fields).toEqual({
      sealedUsername: 'sealed:username:alice',
      sealedEmail: 'sealed:email:alice',
    });
    expect((await seals.rows('credentials', { limit: 9 })).find(({ id }) => id === 'credential-1-of-bob')).toEqual({
      id: 'credential-1-of-bob',
      kind: 'totp',
      accountId: 'bob',
      fields: { sealed: 'sealed:credential:credential-1-of-bob' },
    });
    const one = artifact('one');
    const hex = Buffer.from(one.key).toString('hex');
    expect((await seals.rows('artifacts', { limit: 9 })).find(({ id }) => id === hex)).toEqual({
      id: hex,
      kind: 'AccessToken',
      accountId: null,
      fields: { payload: one.payload },
    });
  });

  test('several changes are one call, and each stands or falls by itself', async ({ store }) => {
    await sealSomething(store);
    const change = (id: string, from: string) => ({ id, accountId: null, field: 'sealedDevice', from, to: 'anew' });
    const [first, second] = await store.seals.rows('clientSessions', { limit: 2 });
    if (first === undefined || second === undefined) throw new Error('there are too few');
    const changes = [
      change(first.id, 'not that'),
      change(second.id, second.fields['sealedDevice'] ?? ''),
      change('none', ''),
    ];
    expect(await store.seals.replace('clientSessions', changes)).toBe(1);
    expect(await store.seals.replace('clientSessions', [])).toBe(0);
    const [untouched, changed] = await store.seals.rows('clientSessions', { limit: 2 });
    expect(untouched).toEqual(first);
    expect(changed?.fields).toEqual({ sealedDevice: 'anew' });
  });

  test('what has lost all that was sealed is left out', async ({ store }) => {
    await sealSomething(store);
    await store.accounts.setStatus({ accountId: 'bob', status: 'deleted', signOut: signOutOf('gone', 'account:bob') });
    await store.artifacts.destroy(artifact('two').key);
    await store.journal.forget('alice');
    expect((await store.seals.rows('accounts', { limit: 9 })).map(({ id }) => id)).toEqual(['Carol', 'alice']);
    expect(await store.seals.rows('identities', { limit: 9 })).toHaveLength(6);
    expect(await store.seals.rows('artifacts', { limit: 9 })).toHaveLength(2);
    expect(await store.seals.rows('events', { limit: 9 })).toEqual([]);
  });

  test('a field that holds nothing sealed is refused', async ({ store }) => {
    await sealSomething(store);
    for (const collection of SEALED_COLLECTIONS) {
      const { id, accountId } = only(await store.seals.rows(collection, { limit: 1 }));
      const change = { id, accountId, field: 'status', from: 'active', to: 'disabled' };
      await expect(store.seals.replace(collection, [change]), collection).rejects.toThrow(RangeError);
    }
  });

  describe('beside others', () => {
    test('a replacement and a change of the account: whichever is second, neither is lost', async ({
      store,
      other,
    }) => {
      await sealSomething(store);
      for (let nth = 0; nth < 20; nth += 1) {
        const [row] = (await store.seals.rows('accounts', { limit: 9 })).filter(({ id }) => id === 'alice');
        const from = row?.fields['sealedEmail'] ?? '';
        const change = { id: 'alice', accountId: null, field: 'sealedEmail', from, to: `${from}+` };
        const present = await store.accounts.find('alice');
        if (present === null) throw new Error('she is gone');
        const renamed = other.accounts.identify({
          accountId: 'alice',
          expected: present,
          sealedUsername: `name ${nth}`,
          sealedEmail: `mail ${nth}`,
          emailVerifiedAt: null,
          identifiers: identifiers('alice'),
        });
        const [replaced, identified] = await Promise.all([store.seals.replace('accounts', [change]), renamed]);
        expect([replaced, identified]).toEqual(
          (await store.accounts.find('alice'))?.sealedEmail === `${from}+` ? [1, 'stale'] : [0, 'set'],
        );
      }
    });

    test('what is added to an account meanwhile stays', async ({ store, other }) => {
      await sealSomething(store);
      const rows = (await store.seals.rows('credentials', { limit: 9 })).filter(({ accountId }) => accountId === 'bob');
      await Promise.all([
        ...rows.map(({ id, accountId, fields: { sealed = '' } }) =>
          store.seals.replace('credentials', [{ id, accountId, field: 'sealed', from: sealed, to: 'anew' }]),
        ),
        ...[4, 5, 6, 7].map((nth) =>
          other.accounts.addCredential(credential(`credential-${nth}-of-bob`, 'bob'), { most: 9 }),
        ),
      ]);
      const held = await store.accounts.credentialsOf('bob');
      expect(held).toHaveLength(7);
      expect(held.filter(({ sealed }) => sealed === 'anew')).toHaveLength(3);
    });
  });
}
