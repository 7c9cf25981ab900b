import { describe, expect } from 'vitest';
import type { TransferReader, TransferRepository } from '../../../src/store/port.ts';
import { digestOf, type Kind, KINDS, type RowOf } from '../../../src/store/transfer.ts';
import {
  account,
  artifact,
  at,
  client,
  credential,
  delivery,
  event,
  identifiers,
  identity,
  mail,
  signOutOf,
  start,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { FURNISHED, furnish, looked, things } from './furnished.ts';
import { ids, populate, walk } from './together.ts';

/** SHA-256 over everything a furnished store holds, kind by kind: the same on every engine, for ever. */
const DIGEST = '76d527b0ce72ff75498a3419d385447380939eb87b3a7a0ce472f775a4820e17';

/** All rows of a kind, a few at a time. */
export const rowsOf = <K extends Kind>(
  { transfer }: { readonly transfer: TransferReader },
  kind: K,
  { aliveAt = looked, limit = 2 } = {},
): Promise<RowOf[K][]> =>
  walk(
    limit,
    (page) => transfer.rows(kind, { ...page, aliveAt }),
    ({ id }) => id,
  );

export const everything = async (
  store: { readonly transfer: TransferReader },
  aliveAt = looked,
): Promise<Record<Kind, object[]>> => {
  const kinds: [Kind, object[]][] = [];
  for (const kind of KINDS) kinds.push([kind, await rowsOf(store, kind, { aliveAt })]);
  return Object.fromEntries(kinds) as Record<Kind, object[]>;
};

const unordered = (kinds: Record<Kind, object[]>) => ({
  ...kinds,
  artifacts: kinds.artifacts.map(({ order: _order, ...row }: { order?: number }) => row),
});

/** Carries every row over, as a copy does. */
export const carry = async (
  from: { readonly transfer: TransferReader },
  to: { readonly transfer: TransferRepository },
) => {
  for (const kind of KINDS) await to.transfer.write(kind, await rowsOf(from, kind));
};

export function transferConformance(test: StoreTest): void {
  test('whatever the other methods keep is read as rows, the same on every engine', async ({ store }) => {
    await furnish(store);
    expect(unordered(await everything(store))).toEqual(FURNISHED);
    const digest = await digestOf(
      (async function* () {
        for (const kind of KINDS) yield await rowsOf(store, kind);
      })(),
    );
    expect(digest.digest).toBe(DIGEST);
  });

  test('rows that are written are read again, and writing twice is writing once', async ({ store, elsewhere }) => {
    await furnish(store);
    await carry(store, elsewhere);
    expect(await everything(elsewhere)).toEqual(await everything(store));
    await carry(store, elsewhere);
    expect(await everything(elsewhere)).toEqual(await everything(store));
  });

  test('rows come in the order of the bytes of their ids, page by page, and are counted', async ({ store }) => {
    // By UTF-16 the last two would change places.
    const names = ['B', 'a', 'ab', 'b', 'é', '\uffee', '\u{10437}'];
    for (const id of names.toReversed()) await store.catalogue.saveClient(client(id));
    for (const limit of [1, 2, 7, 8]) expect(ids(await rowsOf(store, 'clients', { limit }))).toEqual(names);
    expect(await store.transfer.rows('clients', { after: 'b', limit: 2, aliveAt: start })).toHaveLength(2);
    expect(await store.transfer.count('clients', start)).toBe(7);
  });

  test('every kind is counted as it is read', async ({ store }) => {
    await furnish(store);
    for (const kind of KINDS) {
      expect([kind, await store.transfer.count(kind, looked)]).toEqual([kind, FURNISHED[kind].length]);
    }
  });

  test('a pending sign-out is one row, whether or not something of it is done', async ({ store }) => {
    await populate(store);
    for (const nth of [1, 2, 3, 4, 5, 6]) {
      const signOut = await store.revocations.signOut(signOutOf(`sign-out-${nth}`, nth < 4 ? 'everyone' : 'client:tv'));
      if (nth % 2 === 0) await store.revocations.fanOut({ signOut, deliveries: [delivery(`d${nth}`)], ended: [] });
      if (nth === 5) await store.revocations.completeSignOut(signOut);
    }
    const expected = [1, 2, 3, 4, 5, 6].map((nth) => [`sign-out-${nth}`, nth === 5 ? 'complete' : 'pending']);
    for (const limit of [1, 2, 4, 10]) {
      const rows = await rowsOf(store, 'signOuts', { limit });
      expect(rows.map(({ id, status }) => [id, status])).toEqual(expected);
    }
    expect(await store.transfer.count('signOuts', start)).toBe(6);
  });

  test('what has expired is left out, counted out, and is something all the same', async ({ store }) => {
    await store.artifacts.save(artifact('brief', { expiresAt: at(10) }));
    await store.accounts.countAttempt({ key: 'minute', windowStart: start, expiresAt: at(10) });
    for (const kind of ['artifacts', 'attempts'] as const) {
      expect(await rowsOf(store, kind, { aliveAt: at(9.999) })).toHaveLength(1);
      expect(await store.transfer.count(kind, at(9.999))).toBe(1);
      expect(await rowsOf(store, kind, { aliveAt: at(10) })).toEqual([]);
      expect(await store.transfer.count(kind, at(10))).toBe(0);
    }
    expect(await store.transfer.isEmpty()).toBe(false);
  });

  describe('a store that was filled', () => {
    test('knows people by their names, and the deleted by none', async ({ store, elsewhere }) => {
      await furnish(store);
      await carry(store, elsewhere);
      expect(await elsewhere.accounts.findByIdentifier('index:alice@mail')).toEqual(
        account('alice', { locale: 'pt-BR' }),
      );
      expect(await elsewhere.accounts.find('carol')).toMatchObject({ status: 'deleted', password: null });
      expect(await elsewhere.accounts.insert(account('erin'), identifiers('alice'))).toBe('username-taken');
      expect(await elsewhere.accounts.insert(account('erin'), { username: 'e', email: 'index:d' })).toBe('email-taken');
      expect(await elsewhere.accounts.insert(account('erin'), identifiers('carol'))).toBe('inserted');
      expect(await elsewhere.accounts.count()).toBe(5);
      expect(await elsewhere.accounts.throttle('guess')).toEqual({ failures: 2, blockedUntil: at(15) });
      expect(await elsewhere.accounts.countAttempt({ key: 'minute', windowStart: start, expiresAt: at(120) })).toBe(3);
      expect(
        await elsewhere.accounts.setStatus({
          accountId: 'bob',
          status: 'disabled',
          signOut: signOutOf('bob-out', 'account:bob'),
        }),
      ).toBe('set');
      expect(await elsewhere.revocations.epochs(['account:bob'])).toEqual({ 'account:bob': 1 });
    });

    test('keeps what was used once, destroyed or ended so', async ({ store, elsewhere }) => {
      await furnish(store);
      await carry(store, elsewhere);
      const { session, code, tombstone, deviceCode } = things;
      expect(await elsewhere.artifacts.consume(code.key, looked)).toBe(false);
      expect(await elsewhere.artifacts.find(tombstone.key, looked)).toBeNull();
      await elsewhere.artifacts.save(tombstone);
      expect(await elsewhere.artifacts.insert(tombstone, looked)).toBe(false);
      expect(await elsewhere.artifacts.find(tombstone.key, looked)).toBeNull();
      expect(await elsewhere.artifacts.findByUserCode('index:BCDF', looked)).toMatchObject({
        payload: deviceCode.payload,
      });
      // Its stamp is older than what the last Sign-out spared.
      expect(await elsewhere.artifacts.find(session.key, looked)).toBeNull();
      expect(await elsewhere.catalogue.saveClient(client('radio'))).toBe('deleted');
      expect(await elsewhere.catalogue.findClient('player')).toMatchObject({ version: 2 });
      expect(await elsewhere.revocations.findClientSession('phone')).toMatchObject({ endedBy: 'app-lost' });
      expect(await elsewhere.revocations.stand({ 'account:alice': 1, 'session:laptop': 0 })).toBe(true);
      expect(await elsewhere.revocations.stand({ 'account:alice': 0, 'session:laptop': 0 })).toBe(false);
      expect(await elsewhere.revocations.movedBySignOut({ 'grant:phone': 0 })).toBe(false);
    });

    test('goes on with what is pending, and forgets none of it', async ({ store, elsewhere }) => {
      await furnish(store);
      await carry(store, elsewhere);
      const { revocations, deliveries } = elsewhere;
      const pending = await revocations.pendingSignOuts(9);
      expect(ids(pending)).toEqual(['laptop-lost', 'but-this-one', 'carol-leaves', 'radio-off']);
      const [first] = pending;
      if (first === undefined) throw new Error('nothing is pending');
      expect(await revocations.signOut(signOutOf('laptop-lost', 'account:alice', { at: at(5) }))).toEqual(first);
      expect(await revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 2 });
      await revocations.completeSignOut(first);
      expect(ids(await revocations.pendingSignOuts(9))).toEqual(['but-this-one', 'carol-leaves', 'radio-off']);
      expect(await revocations.findSignOut('laptop-lost')).toMatchObject({ status: 'complete' });
      expect(await revocations.ended('laptop-lost')).toMatchObject({ sessions: 1, accounts: 1, clients: 1 });
      expect(ids(await revocations.endedBy('laptop-lost', { limit: 9 }).then(asIds))).toEqual(['desk']);
      // The lease is another worker's still, and its fence counts on.
      const claim = { clientId: 'player', leaseUntil: at(100), limit: 9 };
      expect(ids(await deliveries.claim({ ...claim, now: at(39) }))).toEqual(expect.arrayContaining(['desk', 'due']));
      expect(await deliveries.claim({ ...claim, now: at(41) })).toMatchObject([{ id: 'leased', fence: 2 }]);
      expect(await deliveries.counts({})).toEqual({ pending: 3, delivered: 1, rejected: 1, abandoned: 0 });
    });

    test('holds credentials, mails and events, and goes on with them', async ({ store, elsewhere }) => {
      await furnish(store);
      await carry(store, elsewhere);
      const { accounts, outbox, journal } = elsewhere;
      expect(await accounts.credentialsOf('alice')).toEqual(await store.accounts.credentialsOf('alice'));
      expect(await accounts.addCredential(credential('key', 'bob'), { most: 1 })).toBe('taken');
      expect(await accounts.addCredential(credential('of-carol', 'bob'), { most: 1 })).toBe('added');
      const totp = { id: 'app', accountId: 'alice', sealed: 'sealed:third', usedAt: null };
      expect(await accounts.changeCredential({ ...totp, revision: 0 })).toBe(false);
      expect(await accounts.changeCredential({ ...totp, revision: 1 })).toBe(true);
      // The lease is another worker's still, and its fence counts on.
      expect(await outbox.claim({ now: at(39), leaseUntil: at(41), limit: 9 })).toMatchObject([{ id: 'waiting' }]);
      expect(await outbox.claim({ now: at(40), leaseUntil: at(60), limit: 9 })).toMatchObject([
        { id: 'held', fence: 2 },
      ]);
      expect(await outbox.enqueue([mail('went'), mail('refused')])).toBe(0);
      expect(await outbox.counts()).toEqual({ pending: 3, sent: 1, rejected: 1, abandoned: 0 });
      await journal.append([event('first', { sealed: 'sealed:other' })]);
      expect(await journal.eventsOf('alice', { limit: 5 })).toEqual(
        await store.journal.eventsOf('alice', { limit: 5 }),
      );
    });

    test('knows which of two was saved first', async ({ store, elsewhere }) => {
      const uid = { model: 'Session', uid: 'laptop', accountId: 'alice' };
      const [older, newer, newest] = ['older', 'newer', 'newest'].map((name) => artifact(name, uid));
      if (older === undefined || newer === undefined || newest === undefined) throw new Error('three were made');
      // Their keys are in the other order: it is not by them that it knows.
      const others = Array.from({ length: 20 }, (_, nth) => artifact(`other-${nth}`, { ...uid, uid: `uid-${nth}` }));
      for (const each of [older, ...others, newer]) await store.artifacts.save(each);
      await carry(store, elsewhere);
      expect(await elsewhere.artifacts.findByUid('Session', 'laptop', looked)).toMatchObject({ key: newer.key });
      expect(await elsewhere.artifacts.sessionsOf('alice', looked)).toEqual(
        await store.artifacts.sessionsOf('alice', looked),
      );
      await elsewhere.artifacts.save(newest);
      expect(await elsewhere.artifacts.findByUid('Session', 'laptop', looked)).toMatchObject({ key: newest.key });
    });

    test('is swept like any other', async ({ store, elsewhere }) => {
      await furnish(store);
      await carry(store, elsewhere);
      const later = at(1000 * 86_400);
      while ((await elsewhere.sweep({ now: later, limit: 2 })).more);
      expect(ids(await rowsOf(elsewhere, 'scopes', { aliveAt: later }))).not.toContain('grant:phone');
      expect(await rowsOf(elsewhere, 'failures', { aliveAt: later })).toEqual([]);
      expect(await elsewhere.deliveries.find('rejected')).not.toBeNull();
      expect(ids(await rowsOf(elsewhere, 'mails', { aliveAt: later }))).toEqual(['held', 'not-yet', 'waiting']);
      expect(await rowsOf(elsewhere, 'events', { aliveAt: later })).toEqual(FURNISHED.events);
    });
  });

  test('a name goes with the row that was written last', async ({ store, elsewhere }) => {
    await populate(store, ['alice', 'bob'], []);
    await carry(store, elsewhere);
    const [alice, bob] = await rowsOf(store, 'accounts');
    if (alice === undefined || bob === undefined) throw new Error('two were made');
    // As when alice was deleted meanwhile, and her name taken by bob.
    const taken = { ...bob, username: alice.username };
    await elsewhere.transfer.write('accounts', [taken]);
    expect(await elsewhere.accounts.findByIdentifier('index:alice')).toMatchObject({ id: 'bob' });
    await elsewhere.transfer.write('accounts', [{ ...alice, username: bob.username }, taken]);
    expect(await elsewhere.accounts.findByIdentifier('index:bob')).toMatchObject({ id: 'alice' });
    expect(await elsewhere.accounts.findByIdentifier('index:alice')).toMatchObject({ id: 'bob' });
    // And when bob is deleted, with nobody.
    await elsewhere.transfer.write('accounts', [{ ...taken, username: null, email: null }]);
    expect(await elsewhere.accounts.findByIdentifier('index:alice')).toBeNull();
    expect(await elsewhere.accounts.findByIdentifier('index:bob@mail')).toBeNull();
  });

  test('a credential goes with the row that was written last', async ({ store, elsewhere }) => {
    await populate(store, ['alice', 'bob'], []);
    for (const id of ['key', 'gone']) await store.accounts.addCredential(credential(id, 'alice'), { most: 2 });
    await carry(store, elsewhere);
    // As when both were removed meanwhile, and one of them added by bob.
    for (const id of ['key', 'gone']) await store.accounts.removeCredential({ accountId: 'alice', id });
    await store.accounts.addCredential(credential('key', 'bob'), { most: 1 });
    await elsewhere.transfer.write('accounts', (await rowsOf(store, 'accounts')).toReversed());
    expect(await everything(elsewhere)).toEqual(await everything(store));
    expect((await elsewhere.accounts.findCredential('key'))?.account.id).toBe('bob');
    expect(await elsewhere.accounts.findCredential('gone')).toBeNull();
  });

  test('a sign-out that is complete by now is not pending any more', async ({ store, elsewhere }) => {
    const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
    await carry(store, elsewhere);
    await store.revocations.completeSignOut(signOut);
    await elsewhere.transfer.write('signOuts', await rowsOf(store, 'signOuts'));
    expect(await elsewhere.revocations.pendingSignOuts(5)).toEqual([]);
    expect(await everything(elsewhere)).toEqual(await everything(store));
  });

  describe('the note of an unfinished copy', () => {
    test('is left in an empty store, once, and is no row', async ({ store, other }) => {
      expect(await store.transfer.unfinished()).toBeNull();
      const begun = await Promise.all([store.transfer.begin('a'), other.transfer.begin('b')]);
      expect(begun.filter(Boolean)).toHaveLength(1);
      const note = await store.transfer.unfinished();
      expect(['a', 'b']).toContain(note);
      expect(await store.transfer.begin('c')).toBe(false);
      expect(await other.transfer.unfinished()).toBe(note);
      expect(await store.transfer.isEmpty()).toBe(true);
      expect(await store.transfer.count('facts', start)).toBe(0);
      expect(await rowsOf(store, 'facts')).toEqual([]);
    });

    test('is left beside no row of whatever kind', async ({ store, elsewhere }) => {
      await furnish(store);
      for (const kind of KINDS) {
        await elsewhere.transfer.write(kind, (await rowsOf(store, kind)).slice(0, 1));
        expect([kind, await elsewhere.transfer.isEmpty()]).toEqual([kind, false]);
        expect([kind, await elsewhere.transfer.begin('a')]).toEqual([kind, false]);
        expect(await elsewhere.transfer.unfinished()).toBeNull();
        await elsewhere.transfer.clear();
        expect([kind, await elsewhere.transfer.isEmpty()]).toEqual([kind, true]);
      }
      expect(await elsewhere.transfer.begin('a')).toBe(true);
    });

    test('is changed only by whoever knows it', async ({ store, other }) => {
      await store.transfer.begin('a');
      expect(await other.transfer.note({ from: 'b', to: 'c' })).toBe(false);
      expect(await other.transfer.note({ from: 'a', to: 'c' })).toBe(true);
      expect(await store.transfer.note({ from: 'a', to: null })).toBe(false);
      expect(await store.transfer.unfinished()).toBe('c');
      expect(await store.transfer.note({ from: 'c', to: null })).toBe(true);
      expect(await other.transfer.unfinished()).toBeNull();
      expect(await other.transfer.note({ from: 'c', to: 'a' })).toBe(false);
    });

    test('stays when everything else is cleared away', async ({ store, other }) => {
      await store.transfer.begin('a');
      await furnish(store);
      await store.transfer.clear();
      expect(await other.transfer.unfinished()).toBe('a');
      expect(await other.transfer.isEmpty()).toBe(true);
      expect(await other.accounts.findByIdentifier('index:alice')).toBeNull();
      await populate(other, ['bob'], []);
      expect(await other.accounts.linkIdentity(identity('a', 'bob'))).toBe('linked');
      expect(await other.accounts.addCredential(credential('key', 'bob'), { most: 1 })).toBe('added');
      await store.transfer.clear();
      await furnish(other);
      expect(unordered(await everything(store))).toEqual(FURNISHED);
    });
  });
}

const asIds = (sessions: readonly { readonly grantId: string }[]) => sessions.map(({ grantId: id }) => ({ id }));
