/** Being the one process that does something: what an engine must keep of a lease. */
import { expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import { at, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce } from './together.ts';

const hold = ({ leases }: Store, holder: string, now = start, leaseUntil = at(60), name = 'work') =>
  leases.hold({ name, holder, now, leaseUntil });

export function leasesConformance(test: StoreTest): void {
  test('whoever asks at once, one gets it', async ({ store, other }) => {
    const answers = await atOnce(20, [store, other], (handle, nth) => hold(handle, `holder-${nth}`));
    expect(answers.filter((held) => held)).toHaveLength(1);
    const holder = `holder-${answers.indexOf(true)}`;
    expect(await hold(store, holder, at(1), at(61))).toBe(true);
  });

  test('whoever asks for it several times at once is not told that another has it', async ({ store, other }) => {
    expect(await atOnce(20, [store, other], (handle) => hold(handle, 'first'))).toEqual(Array(20).fill(true));
    expect(await hold(other, 'second')).toBe(false);
  });

  test('its holder keeps it as long as it asks, and whoever comes after it has ended takes it', async ({
    store,
    other,
  }) => {
    expect(await hold(store, 'first')).toBe(true);
    expect(await hold(other, 'second', at(59.999), at(100))).toBe(false);
    expect(await hold(store, 'first', at(50), at(110))).toBe(true);
    expect(await hold(other, 'second', at(109.999), at(160))).toBe(false);
    expect(await hold(other, 'second', at(110), at(170))).toBe(true);
    expect(await hold(store, 'first', at(111), at(171))).toBe(false);
  });

  test('one that has ended is taken by one of those who ask', async ({ store, other }) => {
    await hold(store, 'first');
    const answers = await atOnce(20, [store, other], (handle, nth) => hold(handle, `holder-${nth}`, at(60), at(120)));
    expect(answers.filter((held) => held)).toHaveLength(1);
  });

  test('one that ends further ahead than 120 s was given before the clock was set back: it is free', async ({
    store,
    other,
  }) => {
    expect(await hold(store, 'first')).toBe(true);
    expect(await hold(other, 'second', at(-60), at(0))).toBe(false);
    expect(await hold(other, 'second', at(-60.001), at(0))).toBe(true);
    expect(await hold(store, 'first', at(-59), at(1))).toBe(false);
  });

  test('given back, it is free at once; and only its holder gives it back', async ({ store, other }) => {
    await hold(store, 'first');
    await other.leases.release({ name: 'work', holder: 'second' });
    expect(await hold(other, 'second')).toBe(false);
    await store.leases.release({ name: 'work', holder: 'first' });
    expect(await hold(other, 'second')).toBe(true);
    await store.leases.release({ name: 'work', holder: 'first' });
    expect(await hold(store, 'first')).toBe(false);
    await store.leases.release({ name: 'never', holder: 'first' });
  });

  test('each name is held by itself', async ({ store, other }) => {
    expect(await hold(store, 'first')).toBe(true);
    expect(await hold(other, 'second', start, at(60), 'other work')).toBe(true);
    await other.leases.release({ name: 'other work', holder: 'second' });
    expect(await hold(other, 'second')).toBe(false);
  });
}
