/** Work that is done once the answer has left. */
import { EventEmitter } from 'node:events';
import type { Context } from 'koa';
import { expect, test } from 'vitest';

import { createAfterwards } from '../../src/web/afterwards.ts';

/** A request, as far as it matters here; `answer` lets its answer leave. */
function request(id = 'r') {
  const res = Object.assign(new EventEmitter(), { closed: false });
  res.setMaxListeners(0);
  const answer = (): void => {
    res.closed = true;
    res.emit('close');
  };
  return { ctx: { res, state: { requestId: id } } as unknown as Context, answer };
}
const inHouse = () => {
  /** What runs when patience is out. */
  const patience = new Set<() => void>();
  const failed: unknown[] = [];
  const afterwards = createAfterwards({
    log: { error: (...line: unknown[]) => void failed.push(line) } as never,
    clock: { setTimer: (_ms, run) => ({ cancel: () => void patience.delete(run), ...(patience.add(run) && {}) }) },
  });
  const runOutOfPatience = (): void => [...patience].forEach((run) => run());
  return { afterwards, failed, runOutOfPatience };
};

test('nothing is done before the answer has left', async () => {
  const { afterwards } = inHouse();
  const done: string[] = [];
  const { ctx, answer } = request();
  afterwards.run(ctx, async () => void done.push('work'));
  await Promise.resolve();
  expect(done).toEqual([]);
  answer();
  await afterwards.idle();
  expect(done).toEqual(['work']);
});

test('it is done though nobody waited for the answer, and what fails is logged and keeps nothing up', async () => {
  const { afterwards, failed } = inHouse();
  const done: number[] = [];
  const { ctx, answer } = request('the failing one');
  answer();
  for (let nth = 0; nth < 20; nth++) {
    afterwards.run(ctx, async () => {
      if (nth === 3) throw new Error('no');
      done.push(nth);
    });
  }
  await afterwards.idle();
  expect(done).toHaveLength(19);
  expect(failed).toEqual([[expect.objectContaining({ requestId: 'the failing one' }), 'afterwards.failed']]);
});

test('eight at once, and past a thousand waiting whoever comes is told to come back', async () => {
  const { afterwards } = inHouse();
  const { ctx, answer } = request();
  const held = Promise.withResolvers<void>();
  let [running, most] = [0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await held.promise;
    running -= 1;
  };
  for (let nth = 0; nth < 1000; nth++) afterwards.run(ctx, work);
  expect(() => afterwards.run(ctx, work)).toThrow(expect.objectContaining({ status: 503, retryAfterSeconds: 10 }));
  answer();
  await expect.poll(() => running).toBe(8);
  held.resolve();
  await afterwards.idle();
  expect([running, most]).toEqual([0, 8]);
  afterwards.run(ctx, work);
  await afterwards.idle();
});

test('an answer that nobody reads keeps up nobody else, and its own work only for a while', async () => {
  const { afterwards, runOutOfPatience } = inHouse();
  const done: string[] = [];
  for (let nth = 0; nth < 20; nth++) afterwards.run(request().ctx, async () => void done.push('unread'));
  const { ctx, answer } = request();
  afterwards.run(ctx, async () => void done.push('read'));
  answer();
  await expect.poll(() => done).toEqual(['read']);
  runOutOfPatience();
  await afterwards.idle();
  expect(done).toHaveLength(21);
});
