import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { ClientSessionRecord, SignOutScope } from '../../../src/store/records.ts';
import { artifact, at, clientSession, hour, raisedBy, signOutOf, signOutRequest } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, grantIds, populate, walk } from './together.ts';

const record = async (store: Store, ...sessions: readonly ClientSessionRecord[]) => {
  for (const session of sessions) await store.artifacts.save(artifact(`code:${session.grantId}`), session);
};

/** Two people, two browsers of one of them, a TV approved in the first, a sign-in through a connection. */
const household: readonly ClientSessionRecord[] = [
  clientSession('a-laptop-player'),
  clientSession('a-laptop-radio', { clientId: 'radio', connectionId: 'corp' }),
  clientSession('a-laptop-sync', { clientId: 'sync', persistent: true }),
  clientSession('a-phone-player', { sessionUid: 'phone' }),
  clientSession('a-tv', { clientId: 'tv', kind: 'device' }),
  clientSession('b-player', { accountId: 'bob', sessionUid: 'desk' }),
  clientSession('b-radio', { accountId: 'bob', sessionUid: 'desk', clientId: 'radio', connectionId: 'corp' }),
  clientSession('b-tv', { accountId: 'bob', sessionUid: 'desk', clientId: 'tv', kind: 'device' }),
];

/** Whom each scope ends, and how many accounts and clients these are. */
const ends: readonly { scope: SignOutScope; ended: readonly string[]; reach: { accounts: number; clients: number } }[] =
  [
    { scope: { kind: 'everyone' }, ended: grantIds(household), reach: { accounts: 2, clients: 4 } },
    {
      scope: { kind: 'client', clientId: 'player' },
      ended: ['a-laptop-player', 'a-phone-player', 'b-player'],
      reach: { accounts: 2, clients: 1 },
    },
    {
      scope: { kind: 'connection', connectionId: 'corp' },
      ended: ['a-laptop-radio', 'b-radio'],
      reach: { accounts: 2, clients: 1 },
    },
    {
      scope: { kind: 'account', accountId: 'alice' },
      ended: ['a-laptop-player', 'a-laptop-radio', 'a-laptop-sync', 'a-phone-player', 'a-tv'],
      reach: { accounts: 1, clients: 4 },
    },
    {
      scope: { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' },
      ended: ['a-phone-player', 'a-tv'],
      reach: { accounts: 1, clients: 2 },
    },
    {
      scope: { kind: 'device', accountId: 'alice', grantId: 'a-tv' },
      ended: ['a-tv'],
      reach: { accounts: 1, clients: 1 },
    },
    {
      scope: { kind: 'browser', accountId: 'alice', sessionUid: 'laptop' },
      ended: ['a-laptop-player', 'a-laptop-radio', 'a-laptop-sync'],
      reach: { accounts: 1, clients: 3 },
    },
  ];

/** Sparing a browser spares its Session, and by their Grants the Client Sessions that outlive it. */
const sparing = (scope: SignOutScope) =>
  scope.kind === 'account-except' ? { spares: ['session:laptop', 'grant:a-laptop-sync'] as const } : {};

const nowhere: readonly SignOutScope[] = [
  { kind: 'client', clientId: 'nothing' },
  { kind: 'connection', connectionId: 'nothing' },
  { kind: 'account', accountId: 'nobody' },
  { kind: 'account-except', accountId: 'nobody', sessionUid: 'laptop' },
  { kind: 'device', accountId: 'alice', grantId: 'nothing' },
  { kind: 'browser', accountId: 'alice', sessionUid: 'nothing' },
];

const toEnd = (store: Store, signOut: Parameters<Store['revocations']['sessionsToEnd']>[0], limit = 50) =>
  walk(
    limit,
    (page) => store.revocations.sessionsToEnd(signOut, page),
    ({ grantId }) => grantId,
  );

export function clientSessionsConformance(test: StoreTest): void {
  describe('finding', () => {
    test('one is found by its grant, and nothing by a grant that has none', async ({ store }) => {
      await record(store, ...household);
      expect(await store.revocations.findClientSession('a-tv')).toEqual(
        household.find(({ grantId }) => grantId === 'a-tv'),
      );
      expect(await store.revocations.findClientSession('nothing')).toBeNull();
    });

    test('an account’s are those not ended, whether or not their tokens still work', async ({ store, other }) => {
      await populate(store);
      await record(store, ...household);
      await store.revocations.revokeGrant('a-tv', at(1));
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
      const of = async (accountId: string) => grantIds(await other.revocations.clientSessionsOf(accountId)).sort();
      expect(await of('alice')).toHaveLength(5);
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['a-tv', 'a-laptop-sync'] });
      expect(await of('alice')).toEqual(['a-laptop-player', 'a-laptop-radio', 'a-phone-player']);
      expect(await of('bob')).toEqual(['b-player', 'b-radio', 'b-tv']);
      expect(await of('nobody')).toEqual([]);
      // An ended one is still found: it is what the receipt shows.
      expect(await store.revocations.findClientSession('a-tv')).toMatchObject({ endedBy: 'one' });
    });
  });

  describe('clientSessionsOf', () => {
    test('goes by grant id, page after page when asked to, and without a page gives all', async ({ store, other }) => {
      await populate(store);
      await record(store, ...['d', 'a', 'c', 'b', 'E', 'ended'].map((grantId) => clientSession(grantId)));
      await record(store, clientSession('bob’s', { accountId: 'bob' }));
      const signOut = await store.revocations.signOut(signOutOf('one', 'grant:ended'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['ended'] });
      const walked = await walk(
        2,
        (page) => other.revocations.clientSessionsOf('alice', page),
        ({ grantId }) => grantId,
      );
      expect(grantIds(walked)).toEqual(['E', 'a', 'b', 'c', 'd']);
      expect(await store.revocations.clientSessionsOf('alice')).toEqual(walked);
      expect(await store.revocations.clientSessionsOf('alice', { after: 'c', limit: 5 })).toEqual(walked.slice(4));
    });
  });

  describe('touchClientSession', () => {
    test('moves the instants forward and never back', async ({ store, other }) => {
      await record(store, clientSession('grant'));
      const touch = (lastUsedAt: Date, selfContainedUntil?: Date) =>
        other.revocations.touchClientSession(
          selfContainedUntil ? { grantId: 'grant', lastUsedAt, selfContainedUntil } : { grantId: 'grant', lastUsedAt },
        );
      const instants = async () => {
        const found = await store.revocations.findClientSession('grant');
        return [found?.lastUsedAt, found?.selfContainedUntil];
      };
      await touch(at(10));
      expect(await instants()).toEqual([at(10), null]);
      await touch(at(20), at(300));
      expect(await instants()).toEqual([at(20), at(300)]);
      await touch(at(5), at(200));
      expect(await instants()).toEqual([at(20), at(300)]);
      await touch(at(30));
      expect(await instants()).toEqual([at(30), at(300)]);
      expect(await store.revocations.findClientSession('grant')).toEqual(
        clientSession('grant', { lastUsedAt: at(30), selfContainedUntil: at(300) }),
      );
    });

    test('at once through two handles leaves the latest', async ({ store, other }) => {
      await record(store, clientSession('grant'));
      await atOnce(20, [store, other], (handle, index) =>
        handle.revocations.touchClientSession({
          grantId: 'grant',
          lastUsedAt: at((index * 7) % 20),
          selfContainedUntil: at(100 + ((index * 3) % 20)),
        }),
      );
      expect(await store.revocations.findClientSession('grant')).toMatchObject({
        lastUsedAt: at(19),
        selfContainedUntil: at(119),
      });
    });

    test('neither invents one nor brings one back, and still learns of the last self-contained token', async ({
      store,
    }) => {
      await populate(store);
      await store.revocations.touchClientSession({ grantId: 'nothing', lastUsedAt: at(1) });
      expect(await store.revocations.findClientSession('nothing')).toBeNull();

      await record(store, clientSession('grant'));
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['grant'] });
      await store.revocations.touchClientSession({ grantId: 'grant', lastUsedAt: at(1), selfContainedUntil: at(300) });
      expect(await store.revocations.findClientSession('grant')).toMatchObject({
        endedBy: 'one',
        selfContainedUntil: at(300),
      });
      expect((await store.revocations.ended('one')).selfContainedUntil).toEqual(at(300));
    });
  });

  describe('sessionsToEnd', () => {
    for (const { scope, ended } of ends) {
      test(`of ${scope.kind} are exactly those inside the scope, by grant id, page after page`, async ({
        store,
        other,
      }) => {
        await populate(store);
        await record(store, ...household.toReversed());
        const signOut = await store.revocations.signOut(signOutRequest('one', scope, sparing(scope)));
        expect(grantIds(await toEnd(other, signOut))).toEqual(ended);
        expect(grantIds(await toEnd(other, signOut, 2))).toEqual(ended);
        expect(await toEnd(other, signOut, 1)).toEqual(household.filter(({ grantId }) => ended.includes(grantId)));
      });

      test(`of ${scope.kind} leave out what came after the raise`, async ({ store }) => {
        await populate(store);
        const signOut = await store.revocations.signOut(signOutRequest('one', scope, sparing(scope)));
        const after = household.map((session) => ({
          ...session,
          stamps: { ...session.stamps, [raisedBy(scope)]: 1 },
        }));
        await record(store, ...after);
        expect(await toEnd(store, signOut)).toEqual([]);
      });

      test(`of ${scope.kind} include what was recorded in flight, with what was seen before the raise`, async ({
        store,
      }) => {
        await populate(store);
        const signOut = await store.revocations.signOut(signOutRequest('one', scope, sparing(scope)));
        await record(store, ...household);
        expect(grantIds(await toEnd(store, signOut))).toEqual(ended);
      });
    }

    for (const scope of nowhere) {
      test(`of ${scope.kind} with nobody in it are none`, async ({ store }) => {
        await record(store, ...household);
        const signOut = await store.revocations.signOut(signOutRequest('one', scope));
        expect(await toEnd(store, signOut)).toEqual([]);
      });
    }

    test('are ordered by code units, and a page starts after its cursor', async ({ store }) => {
      await populate(store);
      await record(store, ...['b', 'B', 'a', 'C'].map((grantId) => clientSession(grantId)));
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
      expect(grantIds(await toEnd(store, signOut, 1))).toEqual(['B', 'C', 'a', 'b']);
      const rest = await store.revocations.sessionsToEnd(signOut, { after: 'Z', limit: 50 });
      expect(grantIds(rest)).toEqual(['a', 'b']);
    });

    test('include those of older epochs, and those whose grant was revoked', async ({ store }) => {
      await populate(store);
      await record(store, clientSession('old'), clientSession('revoked'));
      await store.revocations.revokeGrant('revoked', at(1));
      await store.revocations.signOut(signOutOf('one', 'account:alice'));
      const second = await store.revocations.signOut(signOutOf('two', 'account:alice'));
      expect(grantIds(await toEnd(store, second))).toEqual(['old', 'revoked']);
      const device = await store.revocations.signOut(signOutOf('three', 'grant:revoked'));
      expect(grantIds(await toEnd(store, device))).toEqual(['revoked']);
    });

    test('leave out those another sign-out ended', async ({ store }) => {
      await populate(store);
      await record(store, clientSession('one'), clientSession('two'));
      const device = await store.revocations.signOut(signOutOf('device', 'grant:one'));
      await store.revocations.fanOut({ signOut: device, deliveries: [], ended: ['one'] });
      const account = await store.revocations.signOut(signOutOf('account', 'account:alice'));
      expect(grantIds(await toEnd(store, account))).toEqual(['two']);
    });

    test('leave out those this sign-out has ended already: their deliveries were written before they were', async ({
      store,
    }) => {
      await populate(store);
      await record(store, clientSession('one'), clientSession('two'));
      const signOut = await store.revocations.signOut(signOutOf('account', 'account:alice'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['one'] });
      expect(grantIds(await toEnd(store, signOut))).toEqual(['two']);
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['two'] });
      expect(await toEnd(store, signOut)).toEqual([]);
    });

    test('may be ended page by page without losing one', async ({ store, other }) => {
      await populate(store);
      await record(store, ...Array.from({ length: 9 }, (_, index) => clientSession(`grant-${index}`)));
      const signOut = await store.revocations.signOut(signOutOf('account', 'account:alice'));
      const seen: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await other.revocations.sessionsToEnd(signOut, { after, limit: 2 });
        if (page.length === 0) break;
        await store.revocations.fanOut({ signOut, deliveries: [], ended: grantIds(page) });
        seen.push(...grantIds(page));
        after = page.at(-1)?.grantId;
      }
      expect(seen).toEqual(Array.from({ length: 9 }, (_, index) => `grant-${index}`));
      expect(await store.revocations.clientSessionsOf('alice')).toEqual([]);
    });

    test('of one account do not include another’s on the same browser or grant', async ({ store }) => {
      await populate(store);
      await record(store, clientSession('hers', { accountId: 'bob', sessionUid: 'laptop' }), clientSession('his'));
      const browser = await store.revocations.signOut(
        signOutRequest('one', { kind: 'browser', accountId: 'alice', sessionUid: 'laptop' }),
      );
      expect(grantIds(await toEnd(store, browser))).toEqual(['his']);
    });
  });

  describe('reach', () => {
    for (const { scope, reach } of ends) {
      test(`of ${scope.kind} counts the accounts and clients it would end, each once`, async ({ store }) => {
        await populate(store);
        await record(store, ...household);
        expect(await store.revocations.reach(scope)).toEqual(reach);
      });
    }

    for (const scope of nowhere) {
      test(`of ${scope.kind} with nobody in it is nothing`, async ({ store }) => {
        await record(store, ...household);
        expect(await store.revocations.reach(scope)).toEqual({ accounts: 0, clients: 0 });
      });
    }

    test('counts none that has ended, and is a dry run: it changes nothing', async ({ store }) => {
      await populate(store);
      await record(store, ...household);
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:bob'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['b-player', 'b-radio', 'b-tv'] });
      expect(await store.revocations.reach({ kind: 'everyone' })).toEqual({ accounts: 1, clients: 4 });
      expect(await store.revocations.reach({ kind: 'account', accountId: 'bob' })).toEqual({ accounts: 0, clients: 0 });
      expect(await store.revocations.epochs(['everyone'])).toEqual({ everyone: 0 });
      expect(await store.revocations.listSignOuts(5)).toHaveLength(1);
    });
  });

  describe('ended', () => {
    const nothing = { sessions: 0, accounts: 0, clients: 0, selfContainedUntil: null };

    test('counts the sessions, accounts and clients a sign-out ended so far, each once, and no other’s', async ({
      store,
      other,
    }) => {
      await populate(store);
      await record(store, ...household);
      const device = await store.revocations.signOut(signOutOf('device', 'grant:b-player'));
      await store.revocations.fanOut({ signOut: device, deliveries: [], ended: ['b-player'] });
      const signOut = await store.revocations.signOut(signOutOf('one', 'everyone'));
      expect(await other.revocations.ended('one')).toEqual(nothing);
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['a-laptop-player', 'a-phone-player'] });
      expect(await other.revocations.ended('one')).toMatchObject({ sessions: 2, accounts: 1, clients: 1 });
      await store.revocations.fanOut({ signOut, deliveries: [], ended: grantIds(household) });
      expect(await other.revocations.ended('one')).toEqual({
        sessions: household.length - 1,
        accounts: 2,
        clients: 4,
        selfContainedUntil: null,
      });
      expect(await other.revocations.ended('device')).toEqual({
        sessions: 1,
        accounts: 1,
        clients: 1,
        selfContainedUntil: null,
      });
      expect(await other.revocations.ended('nothing')).toEqual(nothing);
    });

    test('is exact however often, in whatever parts and by however many at once a batch is repeated', async ({
      store,
      other,
    }) => {
      await populate(store);
      await record(store, ...household);
      const signOut = await store.revocations.signOut(signOutOf('one', 'everyone'));
      const all = grantIds(household);
      await atOnce(all.length * 2, [store, other], (handle, index) =>
        handle.revocations.fanOut({ signOut, deliveries: [], ended: all.slice(0, (index % all.length) + 1) }),
      );
      await other.revocations.fanOut({ signOut, deliveries: [], ended: [...all, ...all, 'nothing'] });
      await store.revocations.completeSignOut(signOut);
      expect(await store.revocations.ended('one')).toEqual({
        sessions: household.length,
        accounts: new Set(household.map(({ accountId }) => accountId)).size,
        clients: new Set(household.map(({ clientId }) => clientId)).size,
        selfContainedUntil: null,
      });
    });

    test('shared by two sign-outs, each counts what it ended', async ({ store, other }) => {
      await populate(store);
      await record(store, ...household);
      const [one, two] = [
        await store.revocations.signOut(signOutOf('one', 'everyone')),
        await store.revocations.signOut(signOutOf('two', 'everyone')),
      ];
      const all = grantIds(household);
      await atOnce(8, [store, other], (handle, index) =>
        handle.revocations.fanOut({ signOut: index % 2 ? one : two, deliveries: [], ended: all.slice(index) }),
      );
      for (const signOut of [one, two]) await other.revocations.completeSignOut(signOut);
      for (const id of ['one', 'two']) {
        const mine = await store.revocations.endedBy(id, { limit: 50 });
        expect(await store.revocations.ended(id)).toEqual({
          sessions: mine.length,
          accounts: new Set(mine.map(({ accountId }) => accountId)).size,
          clients: new Set(mine.map(({ clientId }) => clientId)).size,
          selfContainedUntil: null,
        });
      }
    });

    test('learns of a later self-contained token of what it ended, and of no other', async ({ store, other }) => {
      await populate(store);
      await record(
        store,
        clientSession('ended', { selfContainedUntil: at(100) }),
        clientSession('alive', { clientId: 'tv' }),
      );
      const signOut = await store.revocations.signOut(signOutOf('one', 'everyone'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['ended'] });
      const until = async () => (await other.revocations.ended('one')).selfContainedUntil;
      const touch = (grantId: string, selfContainedUntil: Date) =>
        store.revocations.touchClientSession({ grantId, lastUsedAt: at(1), selfContainedUntil });
      await touch('ended', at(50));
      await touch('alive', at(hour));
      expect(await until()).toEqual(at(100));
      await touch('ended', at(300));
      await store.revocations.touchClientSession({ grantId: 'ended', lastUsedAt: at(2) });
      expect(await until()).toEqual(at(300));
    });

    test('tells when the last self-contained token of what was ended expires', async ({ store, other }) => {
      await populate(store);
      await record(
        store,
        clientSession('one', { selfContainedUntil: at(200) }),
        clientSession('two', { selfContainedUntil: at(300) }),
        clientSession('three'),
        clientSession('spared', { selfContainedUntil: at(hour) }),
      );
      const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['one', 'two', 'three'] });
      expect(await other.revocations.ended('sign-out')).toEqual({
        sessions: 3,
        accounts: 1,
        clients: 1,
        selfContainedUntil: at(300),
      });
    });
  });
}
