/**
 * Mail against a real server that is down, slow, unwilling or dies: nothing is lost, and nothing is sent twice but what
 * somebody died over, or was never answered for; and that bears the same Message-ID.
 */
import { setImmediate as turn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { OutboxRepository } from '../../src/store/outbox.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { counted, mailWorld } from '../support/mail-world.ts';
import type { Ailment } from '../support/post-office.ts';

const HOUR = 3600;
/** Longer than any lease. */
const LEASE_OVER = 121;

test('a mail that is taken is sent once, its content erased, and says so', async () => {
  const { queue, worker, office, store, lines } = await mailWorld();
  const { id } = await queue('event');
  await worker().runUntilIdle();
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
  expect(office.taken[0]?.to).toEqual(['ada@example.org']);
  expect(await store.outbox.find(id)).toMatchObject({
    status: 'sent',
    attempts: 1,
    lastOutcome: 'accepted',
    sealed: '',
  });
  expect(lines).toContainEqual(expect.objectContaining({ event: 'mail.sent', mailId: id, kind: 'password-changed' }));
});

const PASSING: readonly (readonly [Ailment, outcome: string | RegExp])[] = [
  ['is down', 'unreachable'],
  ['never greets', 'timeout'],
  ['holds its answer', 'timeout'],
  ['defers recipients', 'deferred 450'],
  ['defers messages', 'deferred 451'],
  ['turns everybody away', 'connection refused 554'],
  ['refuses senders', 'sender refused 553'],
  ['dies mid-DATA', 'unreachable'],
];

test.each(PASSING)('a server that %s: the mail waits, and is sent once it is well again', async (ailment, outcome) => {
  const { queue, worker, office, store, advance } = await mailWorld();
  await office.catch(ailment);
  const { id } = await queue('event');
  await worker().runUntilIdle();
  const failed = await store.outbox.find(id);
  expect(failed).toMatchObject({ status: 'pending', attempts: 1, lastOutcome: outcome });
  expect(failed?.nextAttemptAt?.getTime()).toBeGreaterThan(failed?.lastAttemptAt?.getTime() ?? 0);
  expect(failed?.sealed).not.toBe('');
  expect(office.taken).toEqual([]);

  await office.catch('none');
  await worker().runUntilIdle();
  expect(office.taken).toEqual([]);
  advance(HOUR);
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent', attempts: 2 });
});

test.each([
  ['refuses recipients', 'refused 550'],
  ['refuses messages', 'refused 554'],
] as const)('a server that %s: the mail is rejected, seen as such, and kept', async (ailment, outcome) => {
  const { queue, worker, office, store, advance, lines } = await mailWorld();
  await office.catch(ailment);
  const { id } = await queue('event');
  await worker().runUntilIdle();
  expect(await store.outbox.find(id)).toMatchObject({
    status: 'rejected',
    attempts: 1,
    lastOutcome: outcome,
    nextAttemptAt: null,
  });
  expect(lines).toContainEqual(expect.objectContaining({ event: 'mail.rejected', outcome }));
  // Nothing that the server said is kept or logged.
  expect(JSON.stringify([lines, await store.outbox.find(id)])).not.toContain('as you wish');
  await office.catch('none');
  advance(HOUR);
  await worker().runUntilIdle();
  expect(office.taken).toEqual([]);

  const now = new Date();
  await store.outbox.revive({ now, deadlineAt: new Date(now.getTime() + HOUR * 1000), limit: 10 });
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
});

test('a server that hangs up before its answer is asked again, and both bear one Message-ID', async () => {
  const { queue, worker, office, store, advance } = await mailWorld();
  await office.catch('hangs up before its answer');
  const { id } = await queue('event');
  await worker().runUntilIdle();
  expect(await store.outbox.find(id)).toMatchObject({ status: 'pending', lastOutcome: 'unreachable' });
  await office.catch('none');
  advance(HOUR);
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 2 });
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent' });
});

test('a slow answer within the bound is waited for, and nobody else sends meanwhile', async () => {
  const { queue, worker, office, store } = await mailWorld();
  await office.catch('holds its answer');
  const { id } = await queue('event');
  const running = worker({ patience: { connecting: 60_000, answering: 60_000, whole: 60_000 } }).runUntilIdle();
  await expect.poll(() => office.held(), { timeout: 30_000 }).toBe(1);
  await worker().runUntilIdle();
  office.answerOne();
  await running;
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
  expect(office.begun()).toBe(1);
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent' });
});

test('one that drips is cut off by the bound on the whole attempt', async () => {
  const { queue, worker, office, store } = await mailWorld();
  await office.catch('holds its answer');
  const { id } = await queue('event');
  await worker({ patience: { connecting: 600_000, answering: 600_000, whole: 500 } }).runUntilIdle();
  expect(await store.outbox.find(id)).toMatchObject({ status: 'pending', lastOutcome: 'timeout' });
});

test('tried for 72 hours and no longer: then it is given up, visibly', async () => {
  const { queue, worker, office, store, advance, lines } = await mailWorld();
  await office.catch('is down');
  const { id } = await queue('event');
  for (let hours = 0; hours <= 73; hours += 1) {
    await worker().runUntilIdle();
    advance(HOUR);
  }
  const given = await store.outbox.find(id);
  expect(given).toMatchObject({ status: 'abandoned', lastOutcome: 'unreachable', nextAttemptAt: null });
  expect(given?.attempts).toBeGreaterThan(72);
  expect(lines.filter(({ event }) => event === 'mail.abandoned')).toHaveLength(1);
});

test('without STARTTLS nothing leaves for another host, and a certificate nobody vouches for is not believed', async () => {
  for (const tls of ['absent', 'offered'] as const) {
    const { queue, worker, office, store } = await mailWorld({ office: { tls } });
    const { id } = await queue('event');
    await worker({ route: { security: 'starttls' } }).runUntilIdle();
    expect(await store.outbox.find(id)).toMatchObject({
      status: 'pending',
      lastOutcome: expect.stringMatching(/^(tls|connection refused 5\d\d)$/) as string,
    });
    expect(office.begun()).toBe(0);
  }
});

test('a password that the server does not know costs no mail', async () => {
  const user = { name: 'curfew', password: 'right' };
  const { queue, worker, office, store, advance } = await mailWorld({ office: { user } });
  const { id } = await queue('event');
  await worker({ route: { user: 'curfew', password: 'wrong' } }).runUntilIdle();
  expect(await store.outbox.find(id)).toMatchObject({ status: 'pending', lastOutcome: 'sign-in refused 535' });
  advance(HOUR);
  await worker({ route: { user: 'curfew', password: 'right' } }).runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
});

test('workers on one store send each mail once', async () => {
  const { queue, worker, office } = await mailWorld();
  for (let nth = 0; nth < 40; nth += 1) await queue(`event-${nth}`, `person-${nth}@example.org`);
  await Promise.all([worker().runUntilIdle(), worker().runUntilIdle(), worker().runUntilIdle()]);
  expect(office.taken).toHaveLength(40);
  expect(new Set(office.taken.map(({ messageId }) => messageId)).size).toBe(40);
});

test('workers whose clocks are half a minute apart take nothing from one that is sending', async () => {
  const { queue, worker, office, clock, advance } = await mailWorld();
  await office.catch('holds its answer');
  const patience = { connecting: 60_000, answering: 60_000, whole: 60_000 };
  const { id } = await queue('event');
  advance(60);
  const running = worker({ patience }).runUntilIdle();
  await expect.poll(() => office.held(), { timeout: 30_000 }).toBe(1);
  for (const apart of [-30_000, 30_000]) {
    const other = worker({ clock: { ...clock, now: () => new Date(clock.now().getTime() + apart) }, patience });
    const seen = { looked: false };
    const looking = other.runUntilIdle().then(() => (seen.looked = true));
    while (!seen.looked && office.begun() === 1) await turn();
    expect(office.begun()).toBe(1);
    await looking;
  }
  office.answerOne();
  await running;
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
});

/** A store whose next outcome is never recorded: whoever was about to write it is gone. */
const diesBeforeSettling = (outbox: OutboxRepository): OutboxRepository => ({
  ...outbox,
  settle: () => new Promise(() => {}),
});

test('a worker that dies after the server took it: once the lease is over it is sent once more, and no more', async () => {
  const { queue, worker, office, store, advance } = await mailWorld();
  const { id } = await queue('event');
  void worker({ outbox: diesBeforeSettling(store.outbox), dies: true }).runUntilIdle();
  await expect.poll(() => office.taken.length, { timeout: 30_000 }).toBe(1);
  advance(60);
  await worker().runUntilIdle();
  expect(office.taken).toHaveLength(1);
  advance(LEASE_OVER);
  await worker().runUntilIdle();
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 2 });
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent' });
});

test('a store that fails after the server took it is asked again until the outcome is recorded', async () => {
  const { queue, worker, office, store } = await mailWorld();
  const { id } = await queue('event');
  let failures = 2;
  const outbox: OutboxRepository = {
    ...store.outbox,
    settle: async (outcome) => {
      if (failures-- > 0) throw new StoreUnavailable('settle');
      return store.outbox.settle(outcome);
    },
  };
  await worker({ outbox }).runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent' });
});

test('a worker that is stopped lets the mail on its way finish', async () => {
  const { queue, worker, office, store } = await mailWorld();
  await office.catch('holds its answer');
  const { id } = await queue('event');
  const stopping = worker({ patience: { connecting: 60_000, answering: 60_000, whole: 60_000 } });
  stopping.start();
  await expect.poll(() => office.held(), { timeout: 30_000 }).toBe(1);
  const stopped = stopping.stop();
  office.answerOne();
  await stopped;
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
  expect(await store.outbox.find(id)).toMatchObject({ status: 'sent' });
});

test('one that hangs is cut off when its time to stop is over, and another sends the mail at once', async () => {
  const { queue, worker, office, store, clock } = await mailWorld();
  await office.catch('holds its answer');
  const { id } = await queue('event');
  const hurried = { ...clock, setTimer: ((ms, run) => clock.setTimer(ms / 20, run)) as typeof clock.setTimer };
  const stopping = worker({ clock: hurried, patience: { connecting: 60_000, answering: 60_000, whole: 60_000 } });
  stopping.start();
  await expect.poll(() => office.held(), { timeout: 30_000 }).toBe(1);
  await stopping.stop();
  expect(await store.outbox.find(id)).toMatchObject({ status: 'pending', attempts: 0 });
  await office.catch('none');
  await worker().runUntilIdle();
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
});

test('a running worker sends what is queued at once, and survives a server that comes back', async () => {
  const { queue, worker, office, store } = await mailWorld();
  await office.catch('is down');
  const running = worker({ random: () => 0 });
  running.start();
  const { id } = await queue('event');
  await expect.poll(async () => (await store.outbox.find(id))?.lastOutcome, { timeout: 30_000 }).toBe('unreachable');
  await office.catch('none');
  await expect.poll(async () => (await store.outbox.find(id))?.status, { timeout: 30_000 }).toBe('sent');
  expect(counted(office)).toEqual({ [`<${id}@example.org>`]: 1 });
});
