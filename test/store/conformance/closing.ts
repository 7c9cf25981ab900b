import { describe, expect } from 'vitest';
import { type Store, StoreUnavailable } from '../../../src/store/port.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  connection,
  credential,
  delivery,
  digest,
  event,
  identifiers,
  identity,
  mail,
  signOutOf,
  signingKey,
  start,
} from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { populate } from './together.ts';

type Asked<Repository> = { readonly [method in keyof Repository]: () => Promise<unknown> };

/** Every question the port can be asked: one that is added to the port and not here does not compile. */
const questions = (store: Store) => {
  const { accounts, artifacts, catalogue, deliveries, journal, outbox, revocations, seals, transfer } = store;
  const { cohorts, incidents, leases } = store;
  const signOut = {
    ...signOutOf('one', 'account:alice'),
    status: 'pending',
    epochBefore: 0,
    spared: {},
  } as const;
  const page = { limit: 1 };
  return {
    accounts: {
      insert: () => accounts.insert(account('carol'), identifiers('carol')),
      find: () => accounts.find('alice'),
      findByIdentifier: () => accounts.findByIdentifier('index:alice'),
      list: () => accounts.list(page),
      count: () => accounts.count(),
      setPassword: () => accounts.setPassword({ accountId: 'alice', hash: 'hash', changedAt: start }),
      setStatus: () => accounts.setStatus({ accountId: 'alice', status: 'disabled' }),
      identify: () =>
        accounts.identify({
          accountId: 'alice',
          expected: account('alice'),
          sealedUsername: 'sealed',
          sealedEmail: 'sealed',
          emailVerifiedAt: null,
          identifiers: identifiers('alicia'),
        }),
      requirePasswordReset: () => accounts.requirePasswordReset({ accountId: 'alice', at: start }),
      setLocale: () => accounts.setLocale({ accountId: 'alice', locale: 'de' }),
      noteSignIn: () => accounts.noteSignIn({ accountId: 'alice', at: start }),
      credentialsOf: () => accounts.credentialsOf('alice'),
      findCredential: () => accounts.findCredential('key'),
      addCredential: () => accounts.addCredential(credential('key', 'alice'), { most: 1 }),
      changeCredential: () =>
        accounts.changeCredential({
          id: 'held',
          accountId: 'alice',
          revision: 0,
          sealed: 'sealed:second',
          usedAt: start,
        }),
      removeCredential: () => accounts.removeCredential({ accountId: 'alice', id: 'held' }),
      findByIdentity: () => accounts.findByIdentity('subject'),
      identitiesOf: () => accounts.identitiesOf('alice'),
      linkIdentity: () => accounts.linkIdentity(identity('subject', 'alice')),
      unlinkIdentity: () => accounts.unlinkIdentity({ accountId: 'alice', subject: 'subject' }),
      touchIdentity: () => accounts.touchIdentity({ subject: 'subject', usedAt: start, sealedIdentity: 'sealed' }),
      throttle: () => accounts.throttle('key'),
      addFailure: () => accounts.addFailure({ key: 'key', now: start, delaySeconds: () => 1 }),
      clearFailures: () => accounts.clearFailures('key'),
      countAttempt: () => accounts.countAttempt({ key: 'key', windowStart: start, expiresAt: at(1) }),
    } satisfies Asked<Store['accounts']>,
    catalogue: {
      saveClient: () => catalogue.saveClient(client('radio')),
      reinstateClient: () => catalogue.reinstateClient('player'),
      findClient: () => catalogue.findClient('player'),
      listClients: () => catalogue.listClients(page),
      deleteClient: () => catalogue.deleteClient('player', signOutOf('one', 'client:player')),
      saveConnection: () => catalogue.saveConnection(connection('corp')),
      findConnection: () => catalogue.findConnection('corp'),
      listConnections: () => catalogue.listConnections(),
      deleteConnection: () => catalogue.deleteConnection('corp', signOutOf('corp', 'connection:corp')),
      addSigningKey: () => catalogue.addSigningKey(signingKey('a')),
      retireSigningKey: () => catalogue.retireSigningKey('a', start),
      removeSigningKey: () => catalogue.removeSigningKey('a'),
      listSigningKeys: () => catalogue.listSigningKeys(),
      settle: () => catalogue.settle('fact', 'value'),
      changeFact: () => catalogue.changeFact({ fact: 'fact', from: null, to: 'value' }),
      fact: () => catalogue.fact('fact'),
    } satisfies Asked<Store['catalogue']>,
    artifacts: {
      save: () => artifacts.save(artifact('code'), clientSession('grant')),
      insert: () => artifacts.insert(artifact('jti'), start),
      find: () => artifacts.find(digest('AccessToken', 'one'), start),
      findByUid: () => artifacts.findByUid('Session', 'uid', start),
      findByUserCode: () => artifacts.findByUserCode('code', start),
      consume: () => artifacts.consume(digest('AccessToken', 'one'), start),
      destroy: () => artifacts.destroy(digest('AccessToken', 'one')),
      sessionsOf: () => artifacts.sessionsOf('alice', start),
    } satisfies Asked<Store['artifacts']>,
    revocations: {
      epochs: () => revocations.epochs(['everyone']),
      stand: () => revocations.stand({ everyone: 0 }),
      movedBySignOut: () => revocations.movedBySignOut({ everyone: 0 }),
      signedOutAt: () => revocations.signedOutAt('everyone'),
      revokeGrant: () => revocations.revokeGrant('grant', start),
      signOut: () => revocations.signOut(signOutOf('one', 'account:alice')),
      findSignOut: () => revocations.findSignOut('one'),
      listSignOuts: () => revocations.listSignOuts(1),
      pendingSignOuts: () => revocations.pendingSignOuts(1),
      sessionsToEnd: () => revocations.sessionsToEnd(signOut, page),
      fanOut: () => revocations.fanOut({ signOut, deliveries: [delivery('one')], ended: ['grant'] }),
      leaseSignOut: async () =>
        revocations.leaseSignOut?.({ signOut, holder: 'first', now: start, leaseUntil: at(15) }),
      completeSignOut: () => revocations.completeSignOut(signOut),
      findClientSession: () => revocations.findClientSession('grant'),
      clientSessionsOf: () => revocations.clientSessionsOf('alice'),
      endedBy: () => revocations.endedBy('one', page),
      touchClientSession: () => revocations.touchClientSession({ grantId: 'grant', lastUsedAt: start }),
      reach: () => revocations.reach({ kind: 'everyone' }),
      ended: () => revocations.ended('one'),
    } satisfies Asked<Store['revocations']>,
    deliveries: {
      clientsDue: () => deliveries.clientsDue(start),
      claim: () => deliveries.claim({ clientId: 'player', now: start, leaseUntil: at(60), limit: 1 }),
      settle: () =>
        deliveries.settle({
          id: 'one',
          fence: 1,
          status: 'delivered',
          attempts: 1,
          refusals: 0,
          nextAttemptAt: null,
          lastAttemptAt: start,
          lastOutcome: 'answered 200',
        }),
      release: () => deliveries.release([{ id: 'one', fence: 1 }]),
      nextDueAt: () => deliveries.nextDueAt(),
      find: () => deliveries.find('one'),
      list: () => deliveries.list({ page }),
      counts: () => deliveries.counts({}),
      revive: () => deliveries.revive({ now: start, deadlineAt: at(1) }),
    } satisfies Asked<Store['deliveries']>,
    outbox: {
      enqueue: () => outbox.enqueue([mail('one')]),
      claim: () => outbox.claim({ now: start, leaseUntil: at(60), limit: 1 }),
      settle: () =>
        outbox.settle({
          id: 'one',
          fence: 1,
          status: 'sent',
          attempts: 1,
          nextAttemptAt: null,
          lastAttemptAt: start,
          lastOutcome: 'accepted',
        }),
      release: () => outbox.release([{ id: 'one', fence: 1 }]),
      nextDueAt: () => outbox.nextDueAt(),
      find: () => outbox.find('one'),
      list: () => outbox.list({ page }),
      counts: () => outbox.counts(),
      revive: () => outbox.revive({ now: start, deadlineAt: at(1), limit: 1 }),
    } satisfies Asked<Store['outbox']>,
    journal: {
      append: () => journal.append([event('one')]),
      eventsOf: () => journal.eventsOf('alice', page),
      forget: () => journal.forget('alice'),
      unchained: () => journal.unchained(5),
      commit: () => journal.commit([{ id: 'one', from: 'a', sealed: 'b', commitment: 'c' }]),
      head: () => journal.head(),
      chain: () => journal.chain({ after: null, events: [{ id: 'one', hash: 'hash' }] }),
      chained: () => journal.chained({ after: 0, limit: 5 }),
      prune: () => journal.prune({ through: 1, limit: 5 }),
    } satisfies Asked<Store['journal']>,
    cohorts: {
      matching: () => cohorts.matching({}, page),
      count: () => cohorts.count({}),
      contain: () =>
        cohorts.contain([
          {
            accountId: 'alice',
            signOut: signOutOf('one', 'account:alice'),
            passwordResetRequiredAt: start,
            disable: true,
          },
        ]),
      reach: () => cohorts.reach('everyone'),
    } satisfies Asked<Store['cohorts']>,
    incidents: {
      open: () => incidents.open({ id: 'inc_1', openedAt: start, state: '{}' }),
      change: () => incidents.change({ id: 'inc_1', revision: 0, state: '{}' }),
      find: () => incidents.find('inc_1'),
      list: () => incidents.list(1),
      addMembers: () => incidents.addMembers('inc_1', ['alice']),
      membersOf: () => incidents.membersOf('inc_1', page),
      countMembers: () => incidents.countMembers('inc_1'),
      progress: () => incidents.progress('inc_1'),
      deliveriesByClient: () => incidents.deliveriesByClient('inc_1'),
      timeline: () => incidents.timeline('inc_1', 60),
    } satisfies Asked<Store['incidents']>,
    leases: {
      hold: () => leases.hold({ name: 'work', holder: 'first', now: start, leaseUntil: at(60) }),
      release: () => leases.release({ name: 'work', holder: 'second' }),
    } satisfies Asked<Store['leases']>,
    seals: {
      rows: () => seals.rows('accounts', { limit: 1 }),
      count: () => seals.count('accounts'),
      replace: () =>
        seals.replace('accounts', [
          { id: 'alice', accountId: null, field: 'sealedEmail', from: 'sealed:email:alice', to: 'another' },
        ]),
    } satisfies Asked<Store['seals']>,
    transfer: {
      rows: () => transfer.rows('accounts', { limit: 1, aliveAt: start }),
      count: () => transfer.count('accounts', start),
      isEmpty: () => transfer.isEmpty(),
      unfinished: () => transfer.unfinished(),
      begin: () => transfer.begin('note'),
      note: () => transfer.note({ from: 'note', to: null }),
      write: () => transfer.write('facts', [{ id: 'fact', value: 'value' }]),
      clear: () => transfer.clear(),
    } satisfies Asked<Store['transfer']>,
    store: {
      ping: () => store.ping(),
      sweep: () => store.sweep({ now: start, limit: 1 }),
    } satisfies Asked<Pick<Store, 'ping' | 'sweep'>>,
  };
};

export function closingConformance(test: StoreTest): void {
  test('a closed store refuses every question as unavailable, by a rejection', async ({ store }) => {
    const asked = questions(store);
    await store.close();
    for (const [repository, methods] of Object.entries(asked)) {
      for (const [method, ask] of Object.entries(methods)) {
        await expect(ask(), `${repository}.${method}`).rejects.toBeInstanceOf(StoreUnavailable);
      }
    }
  });

  test('a refused write has not happened', async ({ store, other }) => {
    await populate(store);
    await store.accounts.addCredential(credential('held', 'alice'), { most: 1 });
    await store.close();
    await Promise.allSettled(
      Object.values(questions(store)).flatMap((methods) => Object.values(methods).map((ask) => ask())),
    );
    expect(await other.accounts.find('carol')).toBeNull();
    expect(await other.catalogue.findClient('radio')).toBeNull();
    expect(await other.catalogue.findClient('player')).toMatchObject({ status: 'active' });
    expect(await other.revocations.listSignOuts(5)).toEqual([]);
    expect(await other.revocations.findClientSession('grant')).toBeNull();
    expect(await other.deliveries.find('one')).toBeNull();
    expect(await other.accounts.find('alice')).toEqual(account('alice'));
    expect(await other.accounts.findByIdentifier('index:alicia')).toBeNull();
    expect(await other.accounts.credentialsOf('alice')).toEqual([credential('held', 'alice')]);
    expect(await other.outbox.find('one')).toBeNull();
    expect(await other.incidents.find('inc_1')).toBeNull();
    expect(await other.incidents.countMembers('inc_1')).toBe(0);
    expect(await other.leases.hold({ name: 'work', holder: 'second', now: start, leaseUntil: at(60) })).toBe(true);
    expect(await other.journal.eventsOf('alice', { limit: 5 })).toEqual([]);
  });

  test('closing twice, or twice at once, is closing once', async ({ store }) => {
    await Promise.all([store.close(), store.close()]);
    await store.close();
  });

  test('closing one handle leaves the others open', async ({ store, other }) => {
    await store.close();
    await other.ping();
    expect(await other.accounts.insert(account('alice'), identifiers('alice'))).toBe('inserted');
  });

  test('a write asked for before closing is either kept or refused, and says which', async ({ store, other }) => {
    const names = Array.from({ length: 50 }, (_, index) => `one-${index}`);
    const asked = names.map((name) => store.artifacts.save(artifact(name)));
    const [outcomes] = await Promise.all([Promise.allSettled(asked), store.close()]);
    for (const [index, { status }] of outcomes.entries()) {
      const found = await other.artifacts.find(artifact(`one-${index}`).key, start);
      expect(found !== null).toBe(status === 'fulfilled');
    }
  });

  describe('what was acknowledged', () => {
    test('is there for a handle opened after every other was closed', async ({ data, store, other }) => {
      await populate(store);
      await store.artifacts.save(artifact('code', { stamps: { 'account:alice': 0 } }), clientSession('grant'));
      const signOut = await other.revocations.signOut(signOutOf('one', 'account:alice'));
      await other.revocations.fanOut({ signOut, deliveries: [delivery('one')], ended: ['grant'] });
      await store.accounts.addCredential(credential('key', 'alice'), { most: 1 });
      await store.outbox.enqueue([mail('one')]);
      await other.journal.append([event('one')]);
      await store.close();
      await other.close();

      const later = await data.open();
      expect(await later.accounts.find('alice')).toEqual(account('alice'));
      expect(await later.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await later.revocations.findSignOut('one')).toEqual(signOut);
      expect(await later.artifacts.find(artifact('code').key, start)).toBeNull();
      expect(await later.revocations.findClientSession('grant')).toMatchObject({ endedBy: 'one' });
      expect(await later.deliveries.find('one')).toEqual(delivery('one'));
      expect(await later.accounts.credentialsOf('alice')).toEqual([credential('key', 'alice')]);
      expect(await later.outbox.find('one')).toEqual(mail('one'));
      expect(await later.journal.eventsOf('alice', { limit: 5 })).toEqual([event('one')]);
    });

    test('is seen by every handle at once', async ({ store, other }) => {
      for (let index = 0; index < 20; index += 1) {
        await store.catalogue.saveClient(client('player', { metadata: { index } }));
        expect((await other.catalogue.findClient('player'))?.metadata).toEqual({ index });
      }
    });
  });

  test('a fault says what was being done and keeps its cause', () => {
    const cause = new Error('disk gone');
    const fault = new StoreUnavailable('claim deliveries', { cause });
    expect(fault).toBeInstanceOf(Error);
    expect(fault).toMatchObject({ name: 'StoreUnavailable', cause });
    expect(fault.message).toContain('claim deliveries');
  });
}
