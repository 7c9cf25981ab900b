/** The pace of sweeping, by a clock moved by hand. */
import { expect, test } from 'vitest';
import { sleep } from '../../src/platform/clock.ts';
import type { Swept } from '../../src/store/port.ts';
import { startSweeping } from '../../src/store/sweeping.ts';
import { deliveryWorld, quiet } from '../support/delivery-world.ts';

const nothing: Swept = { swept: 0, more: false };
const some: Swept = { swept: 3, more: true };

/** A store whose sweeps answer in turn as told, and nothing to do after that. */
const sweptWorld = (...answers: readonly (Swept | Promise<Swept>)[]) => {
  const { clock } = deliveryWorld();
  const left = [...answers];
  const limits: number[] = [];
  const faults: unknown[] = [];
  const sweep = async ({ limit }: { readonly limit: number }): Promise<Swept> => {
    limits.push(limit);
    return left.shift() ?? nothing;
  };
  const sweeping = startSweeping({
    store: { sweep },
    now: () => clock.now(),
    wait: (milliseconds, signal) => sleep(clock, milliseconds, signal),
    failed: (fault) => void faults.push(fault),
  });
  return { clock, sweeping, limits, faults };
};

test('rests 30 s, then sweeps batch after batch, 50 ms apart, until there is no more', async () => {
  const { clock, sweeping, limits } = sweptWorld(some, { swept: 0, more: true }, nothing);
  await clock.advance(29.999);
  expect(limits).toEqual([]);
  await clock.advance(0.001);
  expect(limits).toEqual([2000]);
  await clock.advance(0.049);
  expect(limits).toHaveLength(1);
  await clock.advance(0.001);
  expect(limits).toHaveLength(2);
  await clock.advance(0.05);
  expect(limits).toHaveLength(3);
  await clock.advance(29.999);
  expect(limits).toHaveLength(3);
  await clock.advance(0.001);
  expect(limits).toHaveLength(4);
  await sweeping.stop();
});

test('a batch that cannot be swept is told, and tried again after a rest', async () => {
  const fault = new Error('no disk');
  const failing = Promise.reject<Swept>(fault);
  failing.catch(() => undefined);
  const { clock, sweeping, limits, faults } = sweptWorld(failing, some);
  await clock.advance(30);
  expect(faults).toEqual([fault]);
  await clock.advance(29.999);
  expect(limits).toHaveLength(1);
  await clock.advance(0.001);
  expect(limits).toHaveLength(2);
  await sweeping.stop();
});

test('stops at once while it rests or pauses, and sets no timer again', async () => {
  for (const seconds of [0, 30]) {
    const { clock, sweeping, limits } = sweptWorld(some);
    await clock.advance(seconds);
    const before = limits.length;
    await sweeping.stop();
    expect(clock.timers()).toBe(0);
    await clock.advance(3600);
    expect(limits).toHaveLength(before);
  }
});

test('stopped in the middle of a batch, it waits for that one and starts no other', async () => {
  const { promise, resolve } = Promise.withResolvers<Swept>();
  const { clock, sweeping, limits } = sweptWorld(promise);
  await clock.advance(30);
  let stopped = false;
  const stopping = sweeping.stop().then(() => (stopped = true));
  await quiet();
  expect(stopped).toBe(false);
  resolve(some);
  await stopping;
  await clock.advance(3600);
  expect(limits).toHaveLength(1);
});
