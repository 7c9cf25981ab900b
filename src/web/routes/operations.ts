/** Liveness, readiness and metrics: what a supervisor, a load balancer and Prometheus ask. */
import { type Clock } from '../../platform/clock.ts';
import type { House } from './house.ts';

/** A store slower than this is not one to send people to. */
const READY_WITHIN_MS = 2000;

export function operationRoutes(house: House): void {
  const { router, store, metrics, clock } = house;

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'alive' };
  });

  router.get('/readyz', async (ctx) => {
    const store_ = await answersInTime(clock, () => store.ping());
    ctx.status = store_ === 'answers' ? 200 : 503;
    if (store_ !== 'answers') ctx.set('Retry-After', '1');
    ctx.body = { status: store_ === 'answers' ? 'ready' : 'not-ready', store: store_ };
  });

  router.get('/metrics', async (ctx) => {
    metrics.deliveryStatuses(await store.deliveries.counts({}));
    ctx.type = metrics.contentType;
    ctx.body = await metrics.text();
  });
}

async function answersInTime(clock: Clock, ask: () => Promise<void>): Promise<'answers' | 'unavailable' | 'slow'> {
  const { promise: late, resolve } = Promise.withResolvers<'slow'>();
  const timer = clock.setTimer(READY_WITHIN_MS, () => resolve('slow'), { background: true });
  try {
    return await Promise.race([ask().then(() => 'answers' as const), late]);
  } catch {
    // Whatever is wrong with the store, the answer is the same; the log of the failing request says what it was.
    return 'unavailable';
  } finally {
    timer.cancel();
  }
}
