import { describe, expect, test } from 'vitest';
import type { OutboundOutcome } from '../../src/platform/outbound-http.ts';
import { answer, deliveryWorld, failure, gate, quiet } from '../support/delivery-world.ts';
import { at, delivery } from '../support/records.ts';

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('stopping', () => {
  test('waits for the posts in flight, records them, and gives the others back at once', async () => {
    const { clock, deliveries, worker, behave, told } = deliveryWorld();
    deliveries.owe(...names('d', 20).map((id) => delivery(id)));
    const door = gate();
    let answers = 1;
    behave('player', (signal) => ((answers -= 1) >= 0 ? answer(200) : door.behaviour(signal)));
    const telling = worker();
    telling.start();
    await quiet();
    expect(telling.status()).toMatchObject({ phase: 'running', inFlight: 2 });
    expect(telling.status().queued).toBeGreaterThan(0);
    const posted = told('player');

    let stopped = false;
    const stopping = telling.stop().then(() => (stopped = true));
    await quiet();
    expect(telling.status()).toMatchObject({ phase: 'stopping', inFlight: 2, queued: 0 });
    expect(deliveries.all().filter(({ id }) => deliveries.leased(id, clock.now()))).toHaveLength(2);
    expect(stopped).toBe(false);

    door.openOne();
    door.openOne();
    await stopping;
    expect(told('player')).toBe(posted);
    expect(deliveries.all().filter(({ status }) => status === 'delivered')).toHaveLength(posted);
    for (const { id } of deliveries.all()) expect(deliveries.leased(id, clock.now())).toBe(false);
    expect(clock.now()).toEqual(at(0));
    expect(clock.timers()).toBe(0); // nothing keeps the process alive
    expect(telling.status()).toMatchObject({ phase: 'stopped', inFlight: 0, queued: 0 });
  });

  test('waits ten seconds at most: what hangs is cut and given back untold', async () => {
    const { clock, deliveries, worker, behave, events } = deliveryWorld();
    deliveries.owe(delivery('one'), delivery('two', { clientId: 'tv' }));
    let cut = false;
    behave('player', (signal) => {
      const { promise, resolve } = Promise.withResolvers<OutboundOutcome>();
      signal?.addEventListener('abort', () => {
        cut = true;
        resolve(failure('aborted'));
      });
      return promise;
    });
    behave('tv', () => new Promise(() => {})); // not even that
    const telling = worker();
    telling.start();
    await quiet();
    let stopped = false;
    void telling.stop().then(() => (stopped = true));
    await clock.advance(9.9);
    expect(stopped).toBe(false);
    expect(deliveries.leased('one', clock.now())).toBe(true);
    await clock.advance(0.2);
    expect(stopped).toBe(true);
    expect(cut).toBe(true);
    expect(events('delivery.lease-lost')).toEqual([]);
    for (const id of ['one', 'two']) {
      expect(deliveries.leased(id, clock.now())).toBe(false);
      expect(await deliveries.find(id)).toMatchObject({ status: 'pending', attempts: 0, nextAttemptAt: at(0) });
    }
    const other = worker();
    behave('player', answer(200));
    behave('tv', answer(200));
    await other.runUntilIdle();
    expect(deliveries.all().every(({ status }) => status === 'delivered')).toBe(true);
  });

  test('what a claim under way brings is given back', async () => {
    const { clock, deliveries, worker, posts } = deliveryWorld();
    deliveries.owe(delivery('one'));
    const answerClaim = deliveries.holdNext('claim');
    const telling = worker();
    telling.start();
    await quiet();
    const stopping = telling.stop();
    answerClaim();
    await stopping;
    expect(posts).toEqual([]);
    expect(deliveries.leased('one', clock.now())).toBe(false);
    expect(deliveries.calls('release')).toBe(1);
  });

  test('a store that hangs or fails does not keep it from stopping', async () => {
    const { clock, deliveries, worker } = deliveryWorld();
    deliveries.owe(delivery('one'));
    const telling = worker();
    deliveries.holdNext('clientsDue');
    telling.start();
    await quiet();
    let stopped = false;
    void telling.stop().then(() => (stopped = true));
    await clock.advance(11.5);
    expect(stopped).toBe(true);

    const failing = worker();
    deliveries.takeDown('settle', 'release');
    failing.start();
    await quiet();
    stopped = false;
    void failing.stop().then(() => (stopped = true));
    await clock.advance(10.1);
    expect(stopped).toBe(true);
    expect(clock.timers()).toBe(0);
  });

  test('nothing is claimed afterwards, whoever rings', async () => {
    const { clock, deliveries, worker, posts } = deliveryWorld();
    const telling = worker();
    telling.start();
    await quiet();
    await telling.stop();
    deliveries.owe(delivery('one'));
    telling.wake();
    telling.start();
    await clock.advance(5);
    await telling.runUntilIdle();
    expect(posts).toEqual([]);
    expect(telling.status().phase).toBe('stopped');
    expect(telling.stop()).toBe(telling.stop());
  });
});
