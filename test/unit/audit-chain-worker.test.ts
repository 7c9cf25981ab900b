/** The chain in the background: one process of all does it, a fault is not the end of it, and what is gathered is written. */
import { expect, onTestFinished, test } from 'vitest';

import { CHAIN_LEASE, createChainWorker } from '../../src/audit/chain-worker.ts';
import type { NewEvent } from '../../src/audit/journal.ts';
import { createLater } from '../../src/audit/later.ts';
import { auditWorld } from '../support/audit-world.ts';
import { movableClock } from '../support/upstream-connection.ts';

const workerOf = ({ audit, store, clock, logged }: Awaited<ReturnType<typeof auditWorld>>, chain = audit.chain) => {
  const note = (fields: unknown, event?: string) => void logged.push({ event: event ?? String(fields) });
  const log = { error: note, info: note };
  const worker = createChainWorker({ chain, leases: store.leases, clock, log, checkpointMinutes: 10 });
  onTestFinished(() => worker.stop());
  return worker;
};

test('chains what is there, signs where it ends, and gives the lease back when it stops', async () => {
  const world = await auditWorld();
  await world.happen(5);
  const worker = workerOf(world);
  worker.start();
  await expect.poll(async () => (await world.store.journal.head())?.seq).toBe(6);
  expect(world.logged.map(({ event }) => event)).toContain('audit.checkpoint');
  const lease = { name: CHAIN_LEASE, holder: 'another', now: world.clock.now() };
  const leaseUntil = new Date(world.clock.now().getTime() + 1000);
  expect(await world.store.leases.hold({ ...lease, leaseUntil })).toBe(false);
  await worker.stop();
  expect(await world.store.leases.hold({ ...lease, leaseUntil })).toBe(true);
});

test('leaves it to whoever holds the lease', async () => {
  const world = await auditWorld();
  const leaseUntil = new Date(world.clock.now().getTime() + 60_000);
  await world.store.leases.hold({ name: CHAIN_LEASE, holder: 'another', now: world.clock.now(), leaseUntil });
  let asked = 0;
  const { hold } = world.store.leases;
  const counting = {
    ...world,
    store: {
      ...world.store,
      leases: {
        ...world.store.leases,
        hold: (lease: Parameters<typeof hold>[0]) => hold(lease).finally(() => (asked += 1)),
      },
    },
  };
  await world.happen(2);
  const worker = workerOf(counting);
  worker.start();
  await expect.poll(() => asked).toBe(1);
  await worker.stop();
  expect(await world.store.journal.head()).toBeNull();
});

test('a fault is a line in the log, once, and it goes on', async () => {
  const world = await auditWorld();
  await world.happen(1);
  let faults = 2;
  const worker = workerOf(world, {
    ...world.audit.chain,
    extend: (signal) => (faults-- > 0 ? Promise.reject(new Error('not now')) : world.audit.chain.extend(signal)),
  });
  worker.start();
  await expect.poll(async () => (await world.store.journal.head())?.seq, { timeout: 20_000 }).toBe(2);
  await worker.stop();
  const said = world.logged.map(({ event }) => event).filter((event) => /stalled|resumed/.test(event));
  expect(said).toEqual(['audit.stalled', 'audit.resumed']);
});

test('an event that cannot be written is a line in the log, and nobody’s failure', async () => {
  const world = await auditWorld({
    wrap: (store) => ({ ...store, journal: { ...store.journal, append: () => Promise.reject(new Error('full')) } }),
  });
  await world.happen(1);
  expect(world.logged).toEqual([{ event: 'journal.not-written', account: 'person-0', err: new Error('full') }]);
});

test('what comes by the thousand is written together: after a moment, at two hundred, and when it is asked for', async () => {
  const clock = movableClock({ still: true });
  const written: number[] = [];
  const later = createLater({
    clock,
    journal: { recordAll: async (events) => void written.push(events.length) },
  });
  const event: NewEvent = { kind: 'delivery.delivered', accountId: 'alice' };
  for (let nth = 0; nth < 450; nth++) later.add(event);
  await later.flush();
  expect(written).toEqual([200, 200, 50]);
  await later.flush();
  expect(written).toHaveLength(3);
  later.add(event);
  clock.advance(0.9);
  expect(written).toHaveLength(3);
  clock.advance(0.1);
  await expect.poll(() => written).toEqual([200, 200, 50, 1]);
});
