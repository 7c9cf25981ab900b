/** What the operations pages ask of the store, which anybody may open as often as they like. */
import { expect, test } from 'vitest';

import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { world } from '../support/world.ts';

/** A second passes for the house when the test says so, and for its store and its sockets as always. */
function secondsByHand(): { clock: Clock; pass(): void } {
  const waiting = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    setTimer(milliseconds, run, options) {
      if (milliseconds !== 1000) return systemClock.setTimer(milliseconds, run, options);
      waiting.add(run);
      return { cancel: () => void waiting.delete(run) };
    },
  };
  const pass = (): void => {
    for (const run of Array.from(waiting)) if (waiting.delete(run)) run();
  };
  return { clock, pass };
}

const askedWorld = async () => {
  const asked = { pings: 0, counts: 0 };
  const faults = { down: false };
  const wrapStore = (store: Store): Store => ({
    ...store,
    async ping() {
      asked.pings += 1;
      if (faults.down) throw new StoreUnavailable('answer');
      await store.ping();
    },
    deliveries: {
      ...store.deliveries,
      async counts(filter) {
        asked.counts += 1;
        if (faults.down) throw new StoreUnavailable('count');
        return store.deliveries.counts(filter);
      },
    },
  });
  const { clock, pass } = secondsByHand();
  const { issuer } = await world({ seams: { clock, wrapStore } });
  Object.assign(asked, { pings: 0, counts: 0 });
  const many = (path: string) =>
    Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${issuer}${path}`)).status));
  return { asked, faults, many, pass };
};

const all = (status: number) => Array.from({ length: 20 }, () => status);

test('metrics ask the store once for all who ask within a second, and again after it', async () => {
  const { asked, many, pass } = await askedWorld();
  for (const times of [1, 2]) {
    expect([await many('/metrics'), await many('/metrics')]).toEqual([all(200), all(200)]);
    expect(asked.counts).toBe(times);
    pass();
  }
});

test('a store that goes is not ready at once, and when it returns it is ready at once', async () => {
  const { asked, faults, many } = await askedWorld();
  expect(await many('/readyz')).toEqual(all(200));
  faults.down = true;
  expect(await many('/readyz')).toEqual(all(503));
  expect(await many('/metrics')).toEqual(all(503));
  faults.down = false;
  const before = { ...asked };
  expect([await many('/readyz'), await many('/metrics')]).toEqual([all(200), all(200)]);
  expect(asked.counts).toBe(before.counts + 1);
});
