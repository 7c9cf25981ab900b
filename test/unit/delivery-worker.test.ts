import { describe, expect, test } from 'vitest';
import { answer, deliveryWorld, failure, gate, quiet } from '../support/delivery-world.ts';
import { at, delivery, hour } from '../support/records.ts';

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('telling', () => {
  test('a Client that is owed a Logout Token is told, and it is recorded', async () => {
    const { deliveries, worker, posts, events, clock } = deliveryWorld();
    deliveries.owe(delivery('one', { clientId: 'player', sid: 'sid-1', createdAt: at(-3) }));
    const seen: unknown[] = [];
    await worker({ observe: { delivered: (...args) => seen.push(args) } }).runUntilIdle();

    expect(posts).toHaveLength(1);
    expect(posts[0]?.uri).toMatch('https://player.example/logout');
    expect(JSON.parse(posts[0]?.token ?? '')).toMatchObject({ sub: 'alice', sid: 'sid-1' });
    expect(await deliveries.find('one')).toMatchObject({
      status: 'delivered',
      attempts: 1,
      nextAttemptAt: null,
      lastAttemptAt: clock.now(),
      lastOutcome: 'answered 200',
    });
    expect(events('delivery.delivered')).toMatchObject([
      { deliveryId: 'one', signOutId: 'sign-out', clientId: 'player', attempt: 1, outcome: 'answered 200' },
    ]);
    expect(seen).toEqual([['player', 3]]);
  });

  test('each attempt carries a token of its own', async () => {
    const { clock, deliveries, worker, posts, behave } = deliveryWorld();
    deliveries.owe(delivery('one'));
    behave('player', answer(503));
    const telling = worker();
    await telling.runUntilIdle();
    await clock.advance(2);
    await telling.runUntilIdle();
    behave('player', answer(200));
    await clock.advance(2);
    await telling.runUntilIdle();

    const tokens = posts.map(({ token }) => JSON.parse(token) as { jti: number; iat: number });
    expect(tokens).toHaveLength(3);
    expect(new Set(tokens.map(({ jti }) => jti)).size).toBe(3);
    expect(tokens.map(({ iat }) => iat)).toEqual(posts.map((post) => post.at.getTime()));
    expect(new Set(tokens.map(({ iat }) => iat)).size).toBe(3);
    expect(await deliveries.find('one')).toMatchObject({ status: 'delivered', attempts: 3 });
  });

  test('no log line holds a token or where it went', async () => {
    const { deliveries, worker, posts, lines, behave } = deliveryWorld();
    deliveries.owe(delivery('one'), delivery('two', { clientId: 'tv' }), delivery('three', { clientId: 'radio' }));
    behave('tv', answer(404));
    behave('radio', failure('tls'));
    await worker().runUntilIdle();
    const log = JSON.stringify(lines);
    expect(lines.length).toBeGreaterThanOrEqual(3);
    for (const { token, uri } of posts) {
      expect(log).not.toContain(JSON.stringify(token).slice(1, -1));
      expect(log).not.toContain(new URL(uri).search);
    }
    expect(log).not.toContain('jti');
  });

  test('a Client that says when to come back is not asked before', async () => {
    const { clock, deliveries, worker, told, behave } = deliveryWorld();
    deliveries.owe(delivery('one'));
    behave('player', answer(429, 30));
    const telling = worker();
    await telling.runUntilIdle();
    expect((await deliveries.find('one'))?.nextAttemptAt).toEqual(at(30));
    behave('player', answer(204));
    telling.start();
    await clock.advance(29.5);
    expect(told('player')).toBe(1);
    await clock.advance(1);
    expect(told('player')).toBe(2);
    expect((await deliveries.find('one'))?.status).toBe('delivered');
    await telling.stop();
  });

  test('dead letters: three refusals are rejected, a Client silent until the deadline is abandoned', async () => {
    const { clock, deliveries, worker, told, behave, events } = deliveryWorld();
    deliveries.owe(
      delivery('refused', { clientId: 'tv' }),
      delivery('unheard', { clientId: 'radio', deadlineAt: at(600) }),
    );
    behave('tv', answer(404));
    behave('radio', answer(500));
    const failures: string[] = [];
    const telling = worker({ observe: { failed: (clientId, status) => failures.push(`${clientId} ${status}`) } });
    telling.start();
    await clock.advance(601);

    expect(told('tv')).toBe(3);
    expect(await deliveries.find('refused')).toMatchObject({
      status: 'rejected',
      refusals: 3,
      nextAttemptAt: null,
      lastOutcome: 'answered 404',
    });
    expect(await deliveries.find('unheard')).toMatchObject({ status: 'abandoned', lastOutcome: 'answered 500' });
    expect((await deliveries.find('unheard'))?.lastAttemptAt?.getTime()).toBeGreaterThanOrEqual(at(600).getTime());
    expect(events('delivery.rejected')).toMatchObject([{ deliveryId: 'refused', attempt: 3 }]);
    expect(events('delivery.abandoned')).toMatchObject([{ deliveryId: 'unheard' }]);
    expect(failures.filter((each) => each === 'tv pending')).toHaveLength(2);
    expect(failures).toContain('tv rejected');
    expect(failures).toContain('radio abandoned');

    const posts = told('tv');
    await clock.advance(10);
    expect(told('tv')).toBe(posts);
    behave('tv', answer(200));
    await deliveries.revive({ now: clock.now(), deadlineAt: at(72 * hour), clientId: 'tv' });
    telling.wake();
    await quiet();
    expect((await deliveries.find('refused'))?.status).toBe('delivered');
    await telling.stop();
  });

  test('nobody is called for a Client that is gone', async () => {
    const { deliveries, worker, posts, gone, events } = deliveryWorld();
    deliveries.owe(delivery('one'));
    gone.add('player');
    await worker().runUntilIdle();
    expect(posts).toEqual([]);
    expect(await deliveries.find('one')).toMatchObject({
      status: 'abandoned',
      attempts: 0,
      lastOutcome: 'client gone',
    });
    expect(events('delivery.abandoned')).toHaveLength(1);
  });

  test('a token that cannot be made is our fault: seen, tried again, and no concern of the others', async () => {
    const { clock, deliveries, worker, told, events } = deliveryWorld();
    deliveries.owe(delivery('one'), delivery('two', { clientId: 'tv' }));
    let broken = true;
    const telling = worker({
      mint: async ({ clientId }) => {
        if (broken && clientId === 'player') throw new Error('no signing key');
        return { uri: `https://${clientId}.example/`, token: 'fresh' };
      },
    });
    await telling.runUntilIdle();
    expect(told('tv')).toBe(1);
    expect(told('player')).toBe(0);
    expect(await deliveries.find('one')).toMatchObject({ status: 'pending', refusals: 0, lastOutcome: 'fault' });
    expect(events('delivery.fault')).toHaveLength(1);
    broken = false;
    await clock.advance(1);
    await telling.runUntilIdle();
    expect((await deliveries.find('one'))?.status).toBe('delivered');
  });
});

describe('when', () => {
  test('a started worker finds what another process wrote within a second, and what it is woken for at once', async () => {
    const { clock, deliveries, worker, told } = deliveryWorld();
    const telling = worker();
    telling.start();
    await quiet();
    deliveries.owe(delivery('one'));
    await quiet();
    expect(told('player')).toBe(0);
    await clock.advance(1);
    expect(told('player')).toBe(1);
    deliveries.owe(delivery('two'));
    telling.wake();
    await quiet();
    expect(told('player')).toBe(2);
    await telling.stop();
  });

  test('a retry that is due before the next poll is not late', async () => {
    const { clock, deliveries, worker, posts, behave } = deliveryWorld();
    deliveries.owe(delivery('one'));
    behave('player', answer(503));
    const telling = worker({ random: () => 0 });
    telling.start();
    await clock.advance(0.9);
    expect(posts.map((post) => post.at)).toEqual([at(0), at(0.25), at(0.5), at(0.75)]);
    await telling.stop();
  });

  test('while it is busy it does not ask the store when more is due', async () => {
    const { deliveries, worker, told } = deliveryWorld();
    deliveries.owe(...names('d', 50).map((id) => delivery(id)));
    worker().start();
    await quiet();
    expect(told('player')).toBe(50);
    expect(deliveries.calls('nextDueAt')).toBeLessThan(4); // of more than six passes
  });

  test('runUntilIdle attempts once each what is due, and not what is due later', async () => {
    const { clock, deliveries, worker, told, behave } = deliveryWorld();
    deliveries.owe(...names('d', 50).map((id) => delivery(id)));
    deliveries.owe(delivery('later', { clientId: 'tv', nextAttemptAt: at(1) }));
    behave('player', answer(500));
    const door = gate();
    behave('radio', door.behaviour);
    deliveries.owe(delivery('slow', { clientId: 'radio' }));
    const running = worker().runUntilIdle();
    await clock.advance(5); // meanwhile the other one, and every retry, falls due
    door.openOne();
    await running;
    expect(told('player')).toBe(50);
    expect(told('radio')).toBe(1);
    expect(told('tv')).toBe(0);
  });
});
