/** Liveness, readiness and metrics: what a supervisor, a load balancer and Prometheus ask. */
import { type Clock } from '../../platform/clock.ts';
import type { House } from './house.ts';

/** A store slower than this is not one to send people to. */
const READY_WITHIN_MS = 2000;
/** Anybody may ask for metrics, as often as they like: everything is counted no more often than this. */
const ANSWER_LASTS_MS = 1000;

export function operationRoutes(house: House): void {
  const { router, store, metrics, clock } = house;
  const readiness = shared(
    clock,
    () => answersInTime(clock, () => store.ping()),
    // Readiness is of this moment: a load balancer must not be sent to a store that has just gone.
    () => false,
  );
  const counts = shared(
    clock,
    () => Promise.all([store.deliveries.counts({}), store.outbox.counts()]),
    () => true,
  );

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'alive' };
  });

  router.get('/readyz', async (ctx) => {
    const store_ = await readiness();
    ctx.status = store_ === 'answers' ? 200 : 503;
    if (store_ !== 'answers') ctx.set('Retry-After', '1');
    ctx.body = { status: store_ === 'answers' ? 'ready' : 'not-ready', store: store_ };
  });

  router.get('/metrics', async (ctx) => {
    const [deliveries, mails] = await counts();
    metrics.deliveryStatuses(deliveries);
    metrics.mailStatuses(mails);
    ctx.type = metrics.contentType;
    ctx.body = await metrics.text();
  });
}

/**
 * One question for all who ask at the same time, and its answer for a second after it came, if `keeps`.
 */
function shared<Answer>(
  clock: Clock,
  ask: () => Promise<Answer>,
  keeps: (answer: Answer) => boolean,
): () => Promise<Answer> {
  let present: Promise<Answer> | undefined;
  const forget = (): void => {
    present = undefined;
  };
  const askNow = async (): Promise<Answer> => {
    try {
      const answer = await ask();
      // A timer, since the wall clock may be set back.
      if (keeps(answer)) clock.setTimer(ANSWER_LASTS_MS, forget, { background: true });
      else forget();
      return answer;
    } catch (fault) {
      forget();
      throw fault;
    }
  };
  return () => (present ??= askNow());
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
