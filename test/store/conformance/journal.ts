/** The journal: written after the fact, never changed, read from its end. */
import { describe, expect } from 'vitest';
import type { EventRecord } from '../../../src/store/journal.ts';
import type { Store } from '../../../src/store/port.ts';
import type { Actor } from '../../../src/store/records.ts';
import { at, event, start, year } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, populate, sweepAll } from './together.ts';

/** Everything of an account's, `limit` at a time. */
const read = async (store: Store, limit: number, accountId = 'alice'): Promise<EventRecord[]> => {
  const all: EventRecord[] = [];
  for (;;) {
    const page = await store.journal.eventsOf(accountId, { after: all.at(-1), limit });
    expect(page.length).toBeLessThanOrEqual(limit);
    if (page.length === 0) return all;
    all.push(...page);
    if (all.length > 1000) throw new Error('the cursor does not move');
  }
};

export function journalConformance(test: StoreTest): void {
  describe('append', () => {
    const actors: readonly Actor[] = [
      { kind: 'account', accountId: 'bob' },
      { kind: 'operator' },
      { kind: 'client', clientId: 'player' },
      { kind: 'system' },
    ];
    for (const actor of actors) {
      test(`keeps what ${actor.kind} did, exactly as it was given`, async ({ store, other }) => {
        const one = event('one', { at: at(0.001), kind: 'two-factor.disabled', actor });
        await store.journal.append([one]);
        expect(await other.journal.eventsOf('alice', { limit: 5 })).toEqual([one]);
      });
    }

    test('twice is once: what was written first stays', async ({ store, other }) => {
      await store.journal.append([event('one')]);
      await other.journal.append([event('one', { sealed: 'sealed:other', at: at(5) }), event('two', { at: at(1) })]);
      await store.journal.append([event('one'), event('two')]);
      expect(await store.journal.eventsOf('alice', { limit: 5 })).toEqual([event('two', { at: at(1) }), event('one')]);
    });

    test('twice in one call is once', async ({ store }) => {
      await store.journal.append([event('one'), event('one', { sealed: 'sealed:other' }), event('two')]);
      expect(await store.journal.eventsOf('alice', { limit: 5 })).toEqual([event('two'), event('one')]);
    });

    test('by many at once is once', async ({ store, other }) => {
      const both = [event('a'), event('b')];
      await atOnce(20, [store, other], (handle, index) =>
        handle.journal.append(index % 4 < 2 ? both : both.toReversed()),
      );
      expect(await store.journal.eventsOf('alice', { limit: 50 })).toEqual(both.toReversed());
    });

    test('of nothing is no error', async ({ store }) => {
      await store.journal.append([]);
      expect(await store.journal.eventsOf('alice', { limit: 5 })).toEqual([]);
    });
  });

  describe('eventsOf', () => {
    const all = [
      event('b', { at: at(1) }),
      event('a', { at: at(2) }),
      event('d', { at: at(1) }),
      event('c', { at: at(1) }),
      event('B', { at: at(1) }),
      event('e', { at: at(0.999) }),
    ];

    test('newest first, and by id, descending, where the instants are the same; each once, page after page', async ({
      store,
      other,
    }) => {
      await store.journal.append(all);
      for (const limit of [1, 2, 3, 5, 6, 50]) {
        expect(ids(await read(other, limit))).toEqual(['a', 'd', 'c', 'b', 'B', 'e']);
      }
    });

    test('a page goes on behind its cursor, whether or not that event is there', async ({ store }) => {
      await store.journal.append(all);
      const after = async (id: string, seconds: number) =>
        ids(await store.journal.eventsOf('alice', { after: { id, at: at(seconds) }, limit: 2 }));
      expect(await after('bb', 1)).toEqual(['b', 'B']);
      expect(await after('zzz', 1)).toEqual(['d', 'c']);
      expect(await after('', 1)).toEqual(['e']);
      expect(await after('a', 100)).toEqual(['a', 'd']);
      expect(await after('e', 0.999)).toEqual([]);
    });

    test('is of one account: neither another’s, nor what happened to nobody, nor what it did to others', async ({
      store,
    }) => {
      await store.journal.append([
        event('of-alice'),
        event('of-bob', { accountId: 'bob', actor: { kind: 'account', accountId: 'alice' } }),
        event('of-nobody', { accountId: null, actor: { kind: 'operator' } }),
      ]);
      expect(ids(await read(store, 2))).toEqual(['of-alice']);
      expect(ids(await read(store, 2, 'bob'))).toEqual(['of-bob']);
      for (const nobody of ['nobody', '', 'null', 'Alice']) expect(await read(store, 2, nobody)).toEqual([]);
    });

    test('what comes in while pages are read changes none that were not read yet', async ({ store, other }) => {
      await store.journal.append(all);
      const first = await store.journal.eventsOf('alice', { limit: 2 });
      await other.journal.append([event('newer', { at: at(9) })]);
      const rest = await store.journal.eventsOf('alice', { after: first.at(-1), limit: 50 });
      expect(ids([...first, ...rest])).toEqual(['a', 'd', 'c', 'b', 'B', 'e']);
    });
  });

  test('of some kinds alone, page after page', async ({ store, other }) => {
    await store.journal.append([
      event('a', { at: at(1) }),
      event('b', { at: at(2), kind: 'delivery.delivered' }),
      event('c', { at: at(3), kind: 'account.signed-in' }),
      event('d', { at: at(4), kind: 'it"s [odd]' }),
    ]);
    const kinds = ['password.changed', 'account.signed-in', 'it"s [odd]'];
    expect(ids(await other.journal.eventsOf('alice', { limit: 2, kinds }))).toEqual(['d', 'c']);
    expect(ids(await other.journal.eventsOf('alice', { limit: 2, kinds, after: event('c', { at: at(3) }) }))).toEqual([
      'a',
    ]);
    expect(await other.journal.eventsOf('alice', { limit: 9, kinds: [] })).toEqual([]);
  });

  test('is forgotten with the person it happened to, and with nobody else', async ({ store, other }) => {
    await populate(store);
    const byAlice = { kind: 'account', accountId: 'alice' } as const;
    await store.journal.append([
      event('one'),
      event('two'),
      event('of-bob', { accountId: 'bob', actor: byAlice }),
      event('of-nobody', { accountId: null, actor: byAlice }),
    ]);
    await store.journal.forget('alice');
    await other.journal.forget('alice');
    for (const nobody of ['nobody', '', 'null', 'Bob']) await store.journal.forget(nobody);
    expect(await other.journal.eventsOf('alice', { limit: 5 })).toEqual([]);
    expect(ids(await other.journal.eventsOf('bob', { limit: 5 }))).toEqual(['of-bob']);
    // That something happened stays, and what was committed to; what it said of alice does not.
    expect(await other.transfer.rows('events', { limit: 9, aliveAt: start })).toEqual([
      event('of-bob', { accountId: 'bob', actor: byAlice }),
      event('of-nobody', { accountId: null, actor: byAlice }),
      event('one', { sealed: '' }),
      event('two', { sealed: '' }),
    ]);
  });

  test('outlives its account until it is forgotten, and every sweep', async ({ store, other }) => {
    await populate(store);
    await store.journal.append([event('one')]);
    await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
    await sweepAll(other, at(10 * year));
    expect(await store.journal.eventsOf('alice', { limit: 5 })).toEqual([event('one')]);
  });
}
