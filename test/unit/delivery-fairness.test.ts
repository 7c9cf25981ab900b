import { describe, expect, test } from 'vitest';
import type { OutboundOutcome } from '../../src/platform/outbound-http.ts';
import { answer, deliveryWorld, failure, gate, hanging, quiet } from '../support/delivery-world.ts';
import { at, delivery } from '../support/records.ts';

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('many Clients', () => {
  test('at most two posts are in flight to one Client, and all its Deliveries are made', async () => {
    const { deliveries, worker, behave, peak, told } = deliveryWorld();
    deliveries.owe(...names('d', 25).map((id) => delivery(id)));
    const door = gate();
    behave('player', door.behaviour);
    const telling = worker();
    const running = telling.runUntilIdle();
    for (let opened = 0; opened < 25; opened += 1) {
      telling.wake(); // looking again while everything is taken must change nothing
      await quiet();
      expect(door.waiting()).toBe(opened < 24 ? 2 : 1);
      door.openOne();
    }
    await running;
    expect(peak.perClient).toBe(2);
    expect(told('player')).toBe(25);
  });

  test('at most `concurrency` posts are in flight altogether', async () => {
    const { deliveries, worker, behave, peak } = deliveryWorld();
    const door = gate();
    for (const clientId of names('c', 20)) {
      deliveries.owe(...names('d', 3).map((id) => delivery(`${clientId}-${id}`, { clientId })));
      behave(clientId, door.behaviour);
    }
    const running = worker({ concurrency: 7 }).runUntilIdle();
    for (let opened = 0; opened < 60; opened += 1) {
      await quiet();
      expect(door.waiting()).toBe(Math.min(7, 60 - opened));
      door.openOne();
    }
    await running;
    expect(peak).toEqual({ perClient: 2, overall: 7 });
    expect(deliveries.all().every(({ status }) => status === 'delivered')).toBe(true);
  });

  test('a Client that is owed much does not keep one that is owed little waiting', async () => {
    const { deliveries, worker, behave, told } = deliveryWorld();
    deliveries.owe(...names('d', 100).map((id) => delivery(id, { clientId: 'busy' })));
    deliveries.owe(delivery('one', { clientId: 'quiet' }));
    behave('busy', gate().behaviour);
    worker({ concurrency: 3 }).start();
    await quiet();
    expect(told('busy')).toBe(2);
    expect(told('quiet')).toBe(1);
  });

  test('Clients take turns: nobody is told everything before others are told anything', async () => {
    const { deliveries, worker, posts } = deliveryWorld();
    for (const clientId of names('c', 10)) {
      deliveries.owe(...names('d', 20).map((id) => delivery(`${clientId}-${id}`, { clientId })));
    }
    await worker({ concurrency: 4 }).runUntilIdle();
    const firstHalf = new Set(posts.slice(0, 100).map(({ clientId }) => clientId));
    expect(posts).toHaveLength(200);
    expect(firstHalf.size).toBe(10);
  });

  test('what is leased is bounded, and room that comes free is used at once', async () => {
    const { clock, deliveries, worker, behave, told } = deliveryWorld();
    const hung = gate();
    for (const clientId of ['a-hung', 'b-hung', 'bb-hung']) {
      deliveries.owe(delivery(clientId, { clientId }));
      behave(clientId, hung.behaviour);
    }
    const clients = names('c', 100);
    const door = gate();
    for (const clientId of clients) {
      deliveries.owe(delivery(clientId, { clientId }));
      behave(clientId, door.behaviour);
    }
    const telling = worker({ concurrency: 8 });
    telling.start();
    await quiet();
    expect(deliveries.all().filter(({ id }) => deliveries.leased(id, clock.now())).length).toBeLessThanOrEqual(4 * 8);
    for (const clientId of clients) behave(clientId, answer(200));
    while (door.waiting() > 0) door.openOne();
    expect(hung.waiting()).toBe(3);
    await quiet();
    expect(clients.map(told)).toEqual(clients.map(() => 1));
    expect(clock.now()).toEqual(at(0));
  });

  test('a Client is met carefully again after it was owed nothing for a while', async () => {
    const { clock, deliveries, worker, behave } = deliveryWorld();
    deliveries.owe(...names('d', 5).map((id) => delivery(id)));
    const telling = worker();
    await telling.runUntilIdle();
    await telling.runUntilIdle();
    behave('player', gate().behaviour);
    deliveries.owe(...names('e', 20).map((id) => delivery(id)));
    telling.start();
    await quiet();
    expect(deliveries.all().filter(({ id }) => deliveries.leased(id, clock.now()))).toHaveLength(2);
  });

  test('30 of 100 Clients hang, fail or push back: the other 70 are told without any time passing', async () => {
    const { clock, deliveries, worker, behave, told } = deliveryWorld();
    const clients = names('c', 100);
    const ill = clients.filter((_, n) => n % 10 < 3);
    const well = clients.filter((_, n) => n % 10 >= 3);
    for (const clientId of clients)
      deliveries.owe(...names('d', 10).map((id) => delivery(`${clientId}-${id}`, { clientId })));
    ill.forEach((clientId, n) =>
      behave(clientId, [hanging(clock), answer(500), answer(429, 60)][n % 3] ?? answer(500)),
    );
    const telling = worker();
    telling.start();
    await quiet();
    await quiet();
    expect(clock.now()).toEqual(at(0));
    expect(well.map(told)).toEqual(well.map(() => 10));
    expect(deliveries.all().filter(({ status }) => status === 'delivered')).toHaveLength(700);

    for (const clientId of ill) behave(clientId, answer(200));
    await clock.advance(200);
    expect(deliveries.all().every(({ status }) => status === 'delivered')).toBe(true);
    await telling.stop();
  });

  test('Clients known to hang never take more than half of the places', async () => {
    const { clock, deliveries, worker, behave, told, peak } = deliveryWorld();
    const dead = names('dead', 50);
    for (const clientId of dead) {
      deliveries.owe(...names('d', 2).map((id) => delivery(`${clientId}-${id}`, { clientId })));
      behave(clientId, hanging(clock));
    }
    worker({ concurrency: 8 }).start();
    await clock.advance(200);
    expect(Math.min(...dead.map(told))).toBeGreaterThan(0);
    peak.overall = 0;
    for (let round = 1; round <= 20; round += 1) {
      deliveries.owe(delivery(`live-${round}`, { clientId: 'live', nextAttemptAt: clock.now() }));
      await clock.advance(1.1);
      expect(told('live')).toBe(round);
    }
    expect(peak.overall).toBe(4 + 1);
  });
});

test('Clients that became slow leave half of the places to the others', async () => {
  const { clock, deliveries, worker, behave, told, peak } = deliveryWorld();
  const slow = names('slow', 4);
  for (const clientId of slow) {
    deliveries.owe(...names('d', 40).map((id) => delivery(`${clientId}-${id}`, { clientId })));
    let prompt = 2;
    behave(clientId, () => {
      const { promise, resolve } = Promise.withResolvers<OutboundOutcome>();
      if ((prompt -= 1) >= 0) resolve(answer(200));
      else clock.setTimer(3000, () => resolve(answer(200)));
      return promise;
    });
  }
  worker({ concurrency: 8 }).start();
  await clock.advance(3.5); // each is known by now, and has a batch waiting
  peak.overall = 0;
  for (let round = 1; round <= 20; round += 1) {
    deliveries.owe(delivery(`live-${round}`, { clientId: 'live', nextAttemptAt: clock.now() }));
    await clock.advance(1.1);
    expect(told('live')).toBe(round);
  }
  expect(peak.overall).toBeLessThanOrEqual(4 + 1);
});

describe('a Client that cannot be reached', () => {
  test('opens its circuit after five failures, is then tried one at a time, and all at once when it answers', async () => {
    const { clock, deliveries, worker, behave, told, events, peak } = deliveryWorld();
    deliveries.owe(...names('d', 12).map((id) => delivery(id)));
    behave('player', failure('connection'));
    const telling = worker({ random: () => 0 });
    telling.start();
    await quiet();
    const untilOpen = told('player');
    expect(untilOpen).toBeGreaterThanOrEqual(5);
    expect(untilOpen).toBeLessThanOrEqual(6); // one more may have been in flight
    expect(telling.status().openCircuits).toEqual([{ clientId: 'player', openUntil: at(1) }]);
    // Held back, not held: nothing is leased, nothing is lost, attempts are not counted.
    for (const { id } of deliveries.all()) expect(deliveries.leased(id, clock.now())).toBe(false);
    expect(deliveries.all().filter(({ attempts }) => attempts === 0)).toHaveLength(12 - untilOpen);

    await clock.advance(0.9);
    expect(told('player')).toBe(untilOpen);
    const door = gate();
    behave('player', door.behaviour);
    await clock.advance(0.2);
    expect(door.waiting()).toBe(1); // half-open: one, although more than ten are due
    expect(told('player')).toBe(untilOpen + 1);
    door.openOne(failure('timeout'));
    await clock.advance(1.9);
    expect(told('player')).toBe(untilOpen + 1); // open again, for two seconds now

    await clock.advance(0.3);
    expect(door.waiting()).toBe(1);
    behave('player', answer(200));
    door.openOne();
    await clock.advance(5);
    expect(deliveries.all().every(({ status }) => status === 'delivered')).toBe(true);
    expect(events('delivery.circuit-opened')).toHaveLength(2);
    expect(events('delivery.circuit-closed')).toHaveLength(1);
    expect(peak.perClient).toBe(2);
    await telling.stop();
  });

  test('gives back what was waiting for its turn when its circuit opens', async () => {
    const { clock, deliveries, worker, behave } = deliveryWorld();
    deliveries.owe(...names('d', 20).map((id) => delivery(id)));
    let answers = 3;
    behave('player', () => ((answers -= 1) >= 0 ? answer(200) : failure('connection')));
    await worker().runUntilIdle();
    expect(deliveries.calls('release')).toBe(1);
    for (const { id } of deliveries.all()) expect(deliveries.leased(id, clock.now())).toBe(false);
    expect(deliveries.all().filter(({ attempts }) => attempts === 0).length).toBeGreaterThanOrEqual(11);
  });

  test('an answer of any kind counts as reached', async () => {
    const { deliveries, worker, behave, told } = deliveryWorld();
    deliveries.owe(...names('d', 20).map((id) => delivery(id)));
    behave('player', answer(503));
    const telling = worker();
    await telling.runUntilIdle();
    expect(told('player')).toBe(20);
    expect(telling.status().openCircuits).toEqual([]);
  });
});
