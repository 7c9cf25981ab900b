/**
 * Events that come by the thousand, and those whose writing nobody may notice: kept for a moment and written together.
 *
 * A sign-in that is refused is written so that its answer takes no longer where there is an account; an attempt to tell a Client
 * so that each does not cost a write of its own. What is kept in memory when a process dies is lost; the log has it.
 */
import type { Clock, Timer } from '../platform/clock.ts';
import type { Journal, NewEvent } from './journal.ts';

const WAIT_MS = 1000;
const AT_ONCE = 200;

export type Later = {
  add(event: NewEvent): void;
  /** Resolves when everything that was added before is written, or could not be. Never rejects. */
  flush(): Promise<void>;
};

export function createLater({
  journal,
  clock,
}: {
  readonly journal: Pick<Journal, 'recordAll'>;
  readonly clock: Pick<Clock, 'now' | 'setTimer'>;
}): Later {
  let waiting: NewEvent[] = [];
  let timer: Timer | undefined;
  let writing: Promise<void> = Promise.resolve();

  const flush = (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    const events = waiting;
    waiting = [];
    // One batch after the other: whoever adds faster than the store writes does not ask it for everything at once.
    if (events.length > 0) writing = writing.then(() => journal.recordAll(events));
    return writing;
  };
  return {
    add(event) {
      waiting.push({ at: clock.now(), ...event });
      if (waiting.length >= AT_ONCE) void flush();
      else timer ??= clock.setTimer(WAIT_MS, () => void flush(), { background: true });
    },
    flush,
  };
}
