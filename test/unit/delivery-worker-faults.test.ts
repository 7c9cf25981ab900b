import { describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/store/port.ts';
import { answer, deliveryWorld, failure, gate, hanging, quiet } from '../support/delivery-world.ts';
import { at, delivery } from '../support/records.ts';

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('leases and fences', () => {
  test('two workers on one store make each attempt once', async () => {
    const { deliveries, worker, posts } = deliveryWorld();
    for (const clientId of names('c', 30)) {
      deliveries.owe(...names('d', 10).map((id) => delivery(`${clientId}-${id}`, { clientId })));
    }
    await Promise.all([worker().runUntilIdle(), worker().runUntilIdle(), worker().runUntilIdle()]);
    expect(posts).toHaveLength(300);
    expect(deliveries.all().every(({ status, attempts }) => status === 'delivered' && attempts === 1)).toBe(true);
  });

  test('an outcome that comes after the lease went to another worker is not recorded; the other one stands', async () => {
    const { clock, deliveries, worker, behave, events } = deliveryWorld();
    deliveries.owe(delivery('one'));
    const door = gate();
    behave('player', door.behaviour);
    const late = worker();
    const lateRun = late.runUntilIdle();
    await quiet();
    expect(door.waiting()).toBe(1);

    await clock.advance(61);
    behave('player', answer(204));
    await worker().runUntilIdle();
    expect(await deliveries.find('one')).toMatchObject({ status: 'delivered', lastOutcome: 'answered 204' });

    door.openOne(answer(404));
    await lateRun;
    expect(await deliveries.find('one')).toMatchObject({
      status: 'delivered',
      attempts: 1,
      refusals: 0,
      lastOutcome: 'answered 204',
    });
    expect(events('delivery.lease-lost')).toMatchObject([{ deliveryId: 'one', clientId: 'player' }]);
    expect(events('delivery.retrying')).toEqual([]);
  });

  test('killed between post and record: exactly one more post, once the lease has ended', async () => {
    const { clock, deliveries, worker, told } = deliveryWorld();
    deliveries.owe(delivery('one'));
    deliveries.holdNext('settle'); // and never answered: the process is gone
    void worker().runUntilIdle();
    await quiet();
    expect(told('player')).toBe(1);

    const next = worker();
    next.start();
    await clock.advance(59);
    expect(told('player')).toBe(1);
    await clock.advance(2);
    expect(told('player')).toBe(2);
    expect(await deliveries.find('one')).toMatchObject({ status: 'delivered', attempts: 1 });
    await clock.advance(120);
    expect(told('player')).toBe(2);
    await next.stop();
  });

  test('what waits until a post no longer fits into its lease is given back untried', async () => {
    const { clock, deliveries, worker, behave } = deliveryWorld();
    deliveries.owe(...names('d', 10).map((id) => delivery(id)));
    const door = gate();
    let answers = 2;
    behave('player', (signal) => ((answers -= 1) >= 0 ? answer(200) : door.behaviour(signal)));
    const telling = worker();
    telling.start();
    await quiet();
    expect(door.waiting()).toBe(2);
    const { queued } = telling.status();
    expect(queued).toBeGreaterThan(0);

    await clock.advance(51); // 9 s are left
    expect(deliveries.calls('release')).toBe(0);
    const claimed = deliveries.calls('claim');
    door.openOne();
    await quiet();
    expect(deliveries.calls('release')).toBe(queued);
    expect(deliveries.calls('claim')).toBeGreaterThan(claimed); // and leased anew, for a whole minute
    expect(door.waiting()).toBe(2);
    behave('player', answer(200));
    door.openOne();
    door.openOne();
    await quiet();
    expect(deliveries.all().every(({ status, attempts }) => status === 'delivered' && attempts === 1)).toBe(true);
    await telling.stop();
  });

  test('a token that took too long to make is not posted under a lease that ends', async () => {
    const { clock, deliveries, worker, posts } = deliveryWorld();
    deliveries.owe(delivery('one'));
    const slow = Promise.withResolvers<{ uri: string; token: string }>();
    const mints = [slow.promise, Promise.resolve({ uri: 'https://player.example/', token: 'second' })];
    const telling = worker({ mint: () => mints.shift() ?? Promise.reject(new Error('made twice already')) });
    const running = telling.runUntilIdle();
    await clock.advance(55);
    slow.resolve({ uri: 'https://player.example/', token: 'first' });
    await running;
    expect(posts.map(({ token }) => token)).toEqual(['second']);
    expect(await deliveries.find('one')).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  test.each([10, 61, 0, NaN])('a lease of %d s is refused', (leaseSeconds) => {
    expect(() => deliveryWorld().worker({ leaseSeconds })).toThrow(RangeError);
  });
});

describe('a store that fails', () => {
  test('while claiming: said once, asked less and less often, and everything is told when it is back', async () => {
    const { clock, deliveries, worker, told, events } = deliveryWorld();
    deliveries.owe(delivery('one'));
    deliveries.takeDown();
    const telling = worker();
    telling.start();
    await clock.advance(60);
    expect(told('player')).toBe(0);
    expect(events('delivery.stalled')).toHaveLength(1);
    expect(telling.status().storeAnswers).toBe(false);
    // 0.25 + 0.5 + 1 + 2 + 4 s, and every 5 s from then on.
    expect(deliveries.calls('clientsDue')).toBe(6 + 10);

    deliveries.bringBack();
    await clock.advance(5);
    expect(told('player')).toBe(1);
    expect((await deliveries.find('one'))?.status).toBe('delivered');
    expect(events('delivery.resumed')).toHaveLength(1);
    expect(telling.status().storeAnswers).toBe(true);
    await telling.stop();
  });

  test('for one claim of many: what the others leased is told', async () => {
    const { clock, deliveries, worker, told } = deliveryWorld();
    deliveries.owe(...names('c', 5).map((clientId) => delivery(`d-${clientId}`, { clientId })));
    let first = true;
    const shaky: typeof deliveries = {
      ...deliveries,
      claim: (claim) => {
        if (!first) return deliveries.claim(claim);
        first = false;
        return Promise.reject(new StoreUnavailable('claim deliveries'));
      },
    };
    const telling = worker({ deliveries: shaky });
    telling.start();
    await quiet();
    expect(names('c', 5).map(told)).toEqual([0, 1, 1, 1, 1]);
    await clock.advance(0.3);
    expect(told('c0')).toBe(1);
    await telling.stop();
  });

  test('while an outcome is recorded: it is recorded when the store is back, without another post', async () => {
    const { clock, deliveries, worker, told, events } = deliveryWorld();
    deliveries.owe(delivery('one'));
    deliveries.takeDown('settle');
    const telling = worker();
    telling.start();
    await clock.advance(30);
    expect(told('player')).toBe(1);
    expect(events('delivery.stalled')).toHaveLength(1);
    deliveries.bringBack();
    await clock.advance(5);
    expect(await deliveries.find('one')).toMatchObject({ status: 'delivered', attempts: 1, lastAttemptAt: at(0) });
    expect(events('delivery.resumed')).toHaveLength(1);
    await clock.advance(120);
    expect(told('player')).toBe(1);
    await telling.stop();
  });

  test('for longer than the lease: the outcome is given up and the Client told once more', async () => {
    const { clock, deliveries, worker, told, events } = deliveryWorld();
    deliveries.owe(delivery('one'));
    const answerSettle = deliveries.holdNext('settle');
    const telling = worker();
    telling.start();
    await quiet();
    deliveries.takeDown();
    answerSettle();
    await clock.advance(70);
    expect(told('player')).toBe(1);
    expect(events('delivery.unrecorded')).toMatchObject([{ deliveryId: 'one' }]);
    deliveries.bringBack();
    await clock.advance(6);
    expect(told('player')).toBe(2);
    expect((await deliveries.find('one'))?.status).toBe('delivered');
    expect(events('delivery.resumed')).toHaveLength(1);
    await telling.stop();
  });

  test('runUntilIdle says so, once what was in flight is over', async () => {
    const { deliveries, worker, behave } = deliveryWorld();
    deliveries.owe(...names('d', 3).map((id) => delivery(id)));
    const door = gate();
    behave('player', door.behaviour);
    let outcome = 'running';
    const running = worker()
      .runUntilIdle()
      .catch((err: unknown) => (outcome = err instanceof StoreUnavailable ? 'unavailable' : 'other'));
    await quiet();
    deliveries.takeDown('clientsDue');
    door.openOne();
    await quiet();
    expect(outcome).toBe('running');
    door.openOne();
    await running;
    expect(outcome).toBe('unavailable');
    expect(deliveries.all().map(({ status }) => status)).toEqual(['delivered', 'delivered', 'pending']);
  });
});

test('a corrected clock neither loses a Delivery nor tells twice', async () => {
  const { clock, deliveries, worker, behave, told } = deliveryWorld();
  deliveries.owe(...names('d', 10).map((id) => delivery(id)), delivery('slow', { clientId: 'tv' }));
  behave('player', failure('connection'));
  behave('tv', hanging(clock));
  const telling = worker();
  telling.start();
  await clock.advance(3);
  clock.correct(3600);
  behave('player', answer(200));
  behave('tv', answer(200));
  await clock.advance(90);
  expect(deliveries.all().every(({ status }) => status === 'delivered')).toBe(true);
  expect(told('tv')).toBeLessThanOrEqual(3);
  await telling.stop();
});
