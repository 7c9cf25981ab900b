/** The chain of events: a place is given once, an event has one place, and its beginning can be taken away. */
import { describe, expect } from 'vitest';

import type { EventRecord, Head } from '../../../src/store/journal.ts';
import type { Store } from '../../../src/store/port.ts';
import { at, event } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids } from './together.ts';

const named = (names: string, overrides: Partial<EventRecord> = {}): EventRecord[] =>
  names.split(' ').map((name, index) => event(name, { at: at(index), ...overrides }));

/** Hashes that tell what they were made over. */
const linksAfter = (head: Head | null, names: readonly string[]) => {
  let hash = head?.hash ?? 'start';
  return names.map((id) => ({ id, hash: (hash = `${hash}>${id}`) }));
};

/** Gives a place to whatever has none, as whoever chains does; resolves to how often it was refused. */
const chainAll = async (store: Store, atMost: number): Promise<number> => {
  for (let refused = 0; ;) {
    const head = await store.journal.head();
    const some = await store.journal.unchained(atMost);
    if (some.length === 0) return refused;
    if (!(await store.journal.chain({ after: head, events: linksAfter(head, ids(some)) }))) refused += 1;
    if (refused > 1000) throw new Error('nobody gets anywhere');
  }
};

const chain = async (store: Store, names: string): Promise<Head> => {
  await store.journal.append(named(names));
  await chainAll(store, 100);
  return (await store.journal.head()) as Head;
};

const places = async (store: Store) =>
  (await store.journal.chained({ after: 0, limit: 1000 })).map(({ seq, id }) => `${seq}:${id}`);

export function chainConformance(test: StoreTest): void {
  test('begins with nothing', async ({ store }) => {
    expect(await store.journal.head()).toBeNull();
    expect(await store.journal.unchained(5)).toEqual([]);
    expect(await store.journal.chained({ after: 0, limit: 5 })).toEqual([]);
    expect(await store.journal.prune({ through: 5, limit: 5 })).toBe(0);
  });

  test('what has no place is given one by its instant, and by its id where that is the same', async ({
    store,
    other,
  }) => {
    await store.journal.append([
      event('d', { at: at(2) }),
      event('b', { at: at(1) }),
      event('a', { at: at(1) }),
      event('B', { at: at(1) }),
      event('c', { at: at(0.999), accountId: null, facts: '{"count":1}', outcome: 'refused' }),
    ]);
    expect(ids(await other.journal.unchained(9))).toEqual(['c', 'B', 'a', 'b', 'd']);
    expect(ids(await other.journal.unchained(2))).toEqual(['c', 'B']);
    const first = linksAfter(null, ['c', 'B']);
    expect(await other.journal.chain({ after: null, events: first })).toBe(true);
    expect(ids(await store.journal.unchained(9))).toEqual(['a', 'b', 'd']);
    expect(await store.journal.head()).toEqual({ seq: 2, hash: 'start>c>B' });
    const head = await store.journal.head();
    expect(await store.journal.chain({ after: head, events: linksAfter(head, ['a', 'b', 'd']) })).toBe(true);
    expect(await other.journal.head()).toEqual({ seq: 5, hash: 'start>c>B>a>b>d' });
    expect(await other.journal.unchained(9)).toEqual([]);
    expect(await places(other)).toEqual(['1:c', '2:B', '3:a', '4:b', '5:d']);
    expect(await other.journal.chained({ after: 0, limit: 1 })).toEqual([
      event('c', {
        at: at(0.999),
        accountId: null,
        facts: '{"count":1}',
        outcome: 'refused',
        seq: 1,
        hash: 'start>c',
      }),
    ]);
    expect(ids(await other.journal.chained({ after: 2, limit: 2 }))).toEqual(['a', 'b']);
    expect(ids(await other.journal.eventsOf('alice', { limit: 9 }))).toEqual(['d', 'b', 'a', 'B']);
  });

  test('an event that is written again keeps its place', async ({ store, other }) => {
    await chain(store, 'a b');
    await other.journal.append(named('a b', { sealed: 'sealed:other' }));
    expect(await other.journal.unchained(5)).toEqual([]);
    expect(await places(other)).toEqual(['1:a', '2:b']);
  });

  describe('is refused, and nothing is changed,', () => {
    const refusals = {
      'where the chain has moved on': { after: { seq: 1, hash: 'start>a' }, names: ['c'] },
      'where it ends with another hash': { after: { seq: 2, hash: 'start>b>a' }, names: ['c'] },
      'where it is taken to be empty': { after: null, names: ['c'] },
      'where it does not reach yet': { after: { seq: 3, hash: 'start>a>b>c' }, names: ['c'] },
      'for an event that has a place': { after: { seq: 2, hash: 'start>a>b' }, names: ['c', 'a'] },
      'for an event that is not there': { after: { seq: 2, hash: 'start>a>b' }, names: ['c', 'nobody'] },
      'for an event that is named twice': { after: { seq: 2, hash: 'start>a>b' }, names: ['c', 'c'] },
    };
    for (const [when, { after, names }] of Object.entries(refusals)) {
      test(when, async ({ store, other }) => {
        await chain(store, 'a b');
        await store.journal.append([event('c', { at: at(9) })]);
        expect(await other.journal.chain({ after, events: linksAfter(after, names) })).toBe(false);
        expect(await store.journal.head()).toEqual({ seq: 2, hash: 'start>a>b' });
        expect(await places(store)).toEqual(['1:a', '2:b']);
        expect(ids(await store.journal.unchained(9))).toEqual(['c']);
      });
    }
  });

  test('of several at the same end, one goes on', async ({ store, other }) => {
    const head = await chain(store, 'a b');
    await store.journal.append(named('c d e f', { at: at(9) }));
    const outcomes = await atOnce(8, [store, other], (handle, index) => {
      const names = ['c', 'd', 'e', 'f'].slice(index % 4).concat(['c', 'd', 'e', 'f'].slice(0, index % 4));
      return handle.journal.chain({ after: head, events: linksAfter(head, names) });
    });
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    const chained = await store.journal.chained({ after: 0, limit: 9 });
    expect(chained.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Set(ids(chained)).size).toBe(6);
    expect(chained.at(-1)?.hash).toBe(`start>${ids(chained).join('>')}`);
  });

  test('while many write and many chain, every event has one place, and every hash is over the one before', async ({
    store,
    other,
  }) => {
    const names = Array.from({ length: 60 }, (_, nth) => `event-${nth}`);
    await Promise.all([
      ...names.map((name, nth) => (nth % 2 === 0 ? store : other).journal.append([event(name, { at: at(-nth) })])),
      ...Array.from({ length: 4 }, (_, nth) => chainAll(nth % 2 === 0 ? store : other, 3 + nth)),
    ]);
    await chainAll(store, 7);
    const chained = await other.journal.chained({ after: 0, limit: 100 });
    expect(chained.map(({ seq }) => seq)).toEqual(names.map((_, index) => index + 1));
    expect(ids(chained).toSorted()).toEqual(names.toSorted());
    let hash = 'start';
    for (const each of chained) expect(each.hash).toBe((hash = `${hash}>${each.id}`));
    expect(await store.journal.head()).toEqual({ seq: 60, hash });
  });

  test('forgetting a person leaves places, hashes and commitments', async ({ store, other }) => {
    await store.journal.append([...named('a b'), event('of-bob', { at: at(5), accountId: 'bob' })]);
    await chainAll(store, 9);
    await store.journal.append([event('later', { at: at(6) })]);
    const before = await store.journal.chained({ after: 0, limit: 9 });
    await other.journal.forget('alice');
    expect(await store.journal.chained({ after: 0, limit: 9 })).toEqual(
      before.map((each) => (each.id === 'of-bob' ? each : { ...each, sealed: '' })),
    );
    expect(await store.journal.unchained(9)).toEqual([event('later', { at: at(6), sealed: '' })]);
  });

  test('what was written without a commitment is given one, once, and never over what was changed meanwhile', async ({
    store,
    other,
  }) => {
    const bare = { commitment: '' };
    await store.journal.append([...named('a b c d', bare), event('e', { at: at(9) })]);
    await chainAll(store, 9);
    await store.journal.append([event('f', { at: at(10), ...bare }), event('g', { at: at(11), ...bare })]);
    const change = (id: string, from = `sealed:event:${id}`) => ({ id, from, sealed: 'anew', commitment: 'to-it' });
    await other.journal.commit([]);
    // Chained; changed since; not there; and as it was.
    await other.journal.commit([change('a'), change('f', 'sealed:another'), change('nobody'), change('g')]);
    await other.journal.commit([{ ...change('g', 'anew'), sealed: 'again' }]);
    expect(await store.journal.unchained(9)).toEqual([
      event('f', { at: at(10), ...bare }),
      event('g', { at: at(11), sealed: 'anew', commitment: 'to-it' }),
    ]);
    expect((await store.journal.chained({ after: 0, limit: 1 }))[0]).toMatchObject({
      sealed: 'sealed:event:a',
      ...bare,
    });
  });

  describe('prune', () => {
    test('takes away the beginning, a bounded part at a time, and the chain goes on', async ({ store, other }) => {
      const head = await chain(store, 'a b c d e f');
      expect(await other.journal.prune({ through: 4, limit: 3 })).toBe(3);
      expect(await places(store)).toEqual(['4:d', '5:e', '6:f']);
      expect(await store.journal.prune({ through: 4, limit: 3 })).toBe(1);
      expect(await store.journal.prune({ through: 4, limit: 3 })).toBe(0);
      expect(await places(other)).toEqual(['5:e', '6:f']);
      expect(await other.journal.head()).toEqual(head);
      await store.journal.append([event('g', { at: at(50) })]);
      await chainAll(other, 9);
      expect(await places(other)).toEqual(['5:e', '6:f', '7:g']);
    });

    test('never takes the last event, nor one without a place', async ({ store, other }) => {
      await chain(store, 'a b');
      await store.journal.append([event('c', { at: at(9) })]);
      expect(await other.journal.prune({ through: 99, limit: 99 })).toBe(1);
      expect(await places(store)).toEqual(['2:b']);
      expect(ids(await store.journal.unchained(9))).toEqual(['c']);
    });
  });

  test('goes on in a store that it was copied to', async ({ store, other }) => {
    const head = await chain(store, 'a b');
    await store.journal.append([event('c', { at: at(9) })]);
    const rows = await store.transfer.rows('events', { limit: 9, aliveAt: at(0) });
    await other.transfer.clear();
    expect(await store.journal.head()).toBeNull();
    await other.transfer.write('events', rows);
    expect(await store.journal.head()).toEqual(head);
    await chainAll(store, 9);
    expect(await places(other)).toEqual(['1:a', '2:b', '3:c']);
  });
}
