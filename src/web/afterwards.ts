/**
 * Work that is done once the answer has left.
 *
 * What takes longer for somebody who has an account than for somebody who has none would tell the two apart, were it done
 * before the answer. Invariant: little of it is done at once, so that it does not crowd out the requests that come; whoever
 * comes when too much of it waits is told so, whoever they are; it is done before the house closes; and what fails is a line
 * in the log, since nobody is left to be told.
 */
import type { Context } from 'koa';

import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Refusal } from './refusal.ts';

export type Afterwards = {
  /** Does it after this request's answer, whether or not anybody waited for that. Throws Refusal(503) when too much waits. */
  run(ctx: Context, work: () => Promise<void>): void;
  /** Resolves when nothing is left to do. */
  idle(): Promise<void>;
};

const AT_ONCE = 8;
const MOST_WAITING = 1000;
/** That much is done again after this long. */
const RETRY_AFTER_SECONDS = 10;
/** Somebody who does not read their answer keeps nobody else's work waiting. */
const LONGEST_ANSWER_MS = 5000;

export function createAfterwards({
  log,
  clock,
}: {
  readonly log: Pick<Log, 'error'>;
  readonly clock: Pick<Clock, 'setTimer'>;
}): Afterwards {
  const lanes: Promise<void>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
  const waiting = new Set<Promise<void>>();
  let turn = 0;

  const answered = (ctx: Context): Promise<void> =>
    new Promise((resolve) => {
      if (ctx.res.closed) return resolve();
      const patience = clock.setTimer(LONGEST_ANSWER_MS, resolve);
      ctx.res.once('close', () => {
        patience.cancel();
        resolve();
      });
    });

  return {
    run(ctx, work) {
      if (waiting.size >= MOST_WAITING) throw new Refusal(503, { retryAfterSeconds: RETRY_AFTER_SECONDS });
      const attempt = async (): Promise<void> => {
        try {
          await work();
        } catch (err) {
          log.error({ err, requestId: String(ctx.state['requestId']) }, 'afterwards.failed');
        }
      };
      const finished = answered(ctx).then(() => {
        // It takes its place in a lane only now: an answer that nobody reads holds up none.
        const lane = turn++ % AT_ONCE;
        const next = (lanes[lane] ?? Promise.resolve()).then(attempt);
        lanes[lane] = next;
        return next;
      });
      waiting.add(finished);
      void finished.then(() => waiting.delete(finished));
    },
    async idle() {
      while (waiting.size > 0) await Promise.all(waiting);
    },
  };
}
