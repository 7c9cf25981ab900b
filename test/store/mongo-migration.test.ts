/**
 * A database that schema 1 was written to: it is brought up to date by a migration alone, and what is in it then reads as if
 * it had always been asked for what it does not say.
 */
import { describe, expect, test } from 'vitest';

import { migrateMongoStore, openMongoStore } from '../../src/store/mongo/open.ts';
import { StoreUnusable } from '../../src/store/port.ts';
import {
  account,
  artifact,
  at,
  clientSession,
  credential,
  identifiers,
  identity,
  mail,
  start,
} from '../support/records.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';

/** What has come since, as a migration names it. */
const MADE = [
  'client_sessions.endedAt_1_clientId_1_accountId_1',
  'client_sessions.endedAt_1_connectionId_1_accountId_1',
  'events.accountId_1_at_-1__id_-1',
  'events.seq_1',
  'events.unchained_1',
  'incidents.openedAt_-1__id_1',
  'mails.accountId_1__id_1',
  'mails.claim_1',
  'mails.status_1__id_1',
  'mails.status_1_createdAt_1',
  'mails.status_1_leaseUntil_1_nextAttemptAt_1',
  'mails.status_1_nextAttemptAt_1',
  'scopes.account.credentials.id_1',
  'scopes.account.identities.connectionId_1',
];

const { accountId: _accountId, ...linked } = identity('subject', 'alice');

/** As they were written: no field of an account that has come since, and a scope that was raised around one of them. */
const DOCUMENTS = [
  {
    _id: 'account:alice',
    revision: 4,
    epoch: 1,
    spared: [{ key: 'session:laptop', epoch: 0 }],
    pending: [],
    signedOutAt: at(1),
    raisedAt: at(1),
    account: {
      status: 'active',
      admin: false,
      sealedUsername: 'sealed:username:alice',
      sealedEmail: 'sealed:email:alice',
      passwordHash: 'hash:alice:first',
      passwordChangedAt: start,
      createdAt: start,
      identifiers: Object.values(identifiers('alice')),
      identities: [linked],
    },
  },
  {
    _id: 'account:carol',
    revision: 2,
    epoch: 0,
    spared: [],
    pending: [],
    signedOutAt: null,
    raisedAt: null,
    account: {
      status: 'deleted',
      admin: false,
      sealedUsername: '',
      sealedEmail: '',
      passwordHash: null,
      passwordChangedAt: null,
      createdAt: start,
    },
  },
];

/** What schema 3 came with, taken away. */
async function withoutIncidents({ db }: Fresh): Promise<void> {
  await db.dropCollection('incidents');
  await db.collection('scopes').dropIndex('account.identities.connectionId_1');
  for (const field of ['clientId', 'connectionId']) {
    await db.collection('client_sessions').dropIndex(`endedAt_1_${field}_1_accountId_1`);
  }
}

/** A database as the program of schema 1 left it: without what has come since. */
async function former(): Promise<Fresh> {
  const fresh = await freshDatabase();
  const store = await fresh.open();
  await store.close();
  for (const name of ['mails', 'events']) await fresh.db.dropCollection(name);
  await fresh.db.collection('scopes').dropIndex('account.credentials.id_1');
  await withoutIncidents(fresh);
  await fresh.collection('scopes').insertMany(DOCUMENTS as never[]);
  await fresh.collection('house').updateOne({ _id: 'schema' }, { $set: { version: 1 } });
  return fresh;
}

const migrated = async () => {
  const fresh = await former();
  await migrateMongoStore(fresh.address);
  return { fresh, store: await fresh.open() };
};

const scopes = ({ collection }: Fresh) => collection('scopes').find().sort({ _id: 1 }).toArray();

describe('a database of schema 1', () => {
  test('is refused until it is migrated, and left as it is', async () => {
    const fresh = await former();
    const refusal = await openMongoStore(fresh.address).catch((fault: unknown) => fault);
    expect(refusal).toBeInstanceOf(StoreUnusable);
    expect((refusal as Error).message).toMatch(/has schema 1, and this program needs 3.*store migrate/);
    expect(await scopes(fresh)).toEqual(DOCUMENTS);
    expect(await fresh.db.listCollections({ name: 'mails' }).toArray()).toEqual([]);
  });

  test('is given the indexes that have come since, and no document is touched', async () => {
    const fresh = await former();
    const { from, to, indexes } = await migrateMongoStore(fresh.address);
    expect({ from, to }).toEqual({ from: 1, to: 3 });
    const made = indexes.filter(({ status }) => status === 'made');
    expect(made.map(({ collection, index }) => `${collection}.${index}`).sort()).toEqual(MADE);
    expect(await scopes(fresh)).toEqual(DOCUMENTS);
    expect(await migrateMongoStore(fresh.address)).toMatchObject({ from: 3, to: 3 });
    const store = await fresh.open();
    expect(await store.inspect?.()).toMatchObject({ schema: 3, faults: [] });
  });

  test('reads as if nothing of it had been asked, demanded or added', async () => {
    const { store } = await migrated();
    const deleted = account('carol', { status: 'deleted', sealedUsername: '', sealedEmail: '', password: null });
    expect(await store.accounts.find('alice')).toEqual(account('alice'));
    expect(await store.accounts.list({ limit: 5 })).toEqual([account('alice'), deleted]);
    expect(await store.accounts.findByIdentity('subject')).toEqual({
      account: account('alice'),
      identity: identity('subject', 'alice'),
    });
    expect(await store.accounts.credentialsOf('alice')).toEqual([]);
    const unsaid = { passwordResetRequiredAt: null, emailVerifiedAt: null, locale: null, credentials: [] };
    expect(await store.transfer.rows('accounts', { limit: 5, aliveAt: start })).toEqual([
      expect.objectContaining({ id: 'alice', ...unsaid }),
      expect.objectContaining({ id: 'carol', ...unsaid }),
    ]);
    for (const kind of ['mails', 'events'] as const) expect(await store.transfer.count(kind, start)).toBe(0);
  });

  test('takes every change that has come since, and loses nothing by it', async () => {
    const { fresh, store } = await migrated();
    const { accounts } = store;
    expect(await accounts.addCredential(credential('key', 'alice'), { most: 1 })).toBe('added');
    expect(await accounts.addCredential(credential('key', 'carol'), { most: 1 })).toBe('unknown');
    expect(await accounts.requirePasswordReset({ accountId: 'alice', at: at(5) })).toBe('set');
    await accounts.setLocale({ accountId: 'alice', locale: 'de' });
    expect(
      await accounts.identify({
        accountId: 'alice',
        expected: account('alice'),
        sealedUsername: 'sealed:username:alicia',
        sealedEmail: 'sealed:email:alicia',
        emailVerifiedAt: at(6),
        identifiers: identifiers('alicia'),
      }),
    ).toBe('set');
    expect(await accounts.find('alice')).toEqual(
      account('alice', {
        sealedUsername: 'sealed:username:alicia',
        sealedEmail: 'sealed:email:alicia',
        passwordResetRequiredAt: at(5),
        emailVerifiedAt: at(6),
        locale: 'de',
      }),
    );
    expect(await accounts.identitiesOf('alice')).toEqual([identity('subject', 'alice')]);
    expect(await accounts.credentialsOf('alice')).toEqual([credential('key', 'alice')]);
    const { account: _account, revision: _revision, ...around } = DOCUMENTS[0] ?? {};
    expect(await fresh.collection('scopes').findOne({ _id: 'account:alice' })).toMatchObject(around);
    expect(await store.outbox.enqueue([mail('one')])).toBe(1);
  });
});

test('a database of schema 2 knows who is signed in where, as soon as it is migrated', async () => {
  const fresh = await freshDatabase();
  const store = await fresh.open();
  await store.accounts.insert(account('alice'), identifiers('alice'), identity('subject', 'alice'));
  await store.artifacts.save(artifact('code'), clientSession('grant'));
  await store.outbox.enqueue([mail('one')]);
  await store.close();
  await withoutIncidents(fresh);
  // As schema 2 wrote an account.
  await fresh.collection('scopes').updateOne({ _id: 'account:alice' }, { $unset: { 'account.lastSignedInAt': 1 } });
  await fresh.collection('house').updateOne({ _id: 'schema' }, { $set: { version: 2 } });
  const refusal = await openMongoStore(fresh.address).catch((fault: unknown) => fault);
  expect(refusal).toBeInstanceOf(StoreUnusable);
  expect(await migrateMongoStore(fresh.address)).toMatchObject({ from: 2, to: 3 });
  const again = await fresh.open();
  const alice = account('alice');
  for (const condition of [{ clientId: 'player' }, { connectionId: 'corp' }, { signedInBefore: start }]) {
    expect(await again.cohorts.matching(condition, { limit: 5 })).toEqual([alice]);
  }
  expect(await again.cohorts.matching({ signedInAfter: at(-1e9) }, { limit: 5 })).toEqual([]);
  await again.accounts.noteSignIn({ accountId: 'alice', at: at(5) });
  expect(await again.accounts.find('alice')).toEqual({ ...alice, lastSignedInAt: at(5) });
  expect(await again.outbox.find('one')).toEqual(mail('one'));
  expect((await again.inspect?.())?.faults).toEqual([]);
});

test('whoever has no credential any more is kept as one who never had any', async () => {
  const fresh = await freshDatabase();
  const { accounts } = await fresh.open();
  for (const name of ['alice', 'bob', 'carol']) {
    await accounts.insert(account(name), identifiers(name));
    expect(await accounts.addCredential(credential(`of-${name}`, name), { most: 1 })).toBe('added');
    expect(await accounts.removeCredential({ accountId: name, id: `of-${name}` })).toBe(true);
  }
  for (const document of await scopes(fresh)) expect(document['account']).not.toHaveProperty('credentials');
});
