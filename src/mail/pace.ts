/**
 * How many mails may leave in a minute: a bound for servers that turn away whoever sends too many.
 *
 * Process-local on purpose, like everything that is only about how this process behaves: two of them send twice as many.
 * Pure: time arrives as an argument.
 */
const MINUTE_MS = 60_000;

export type Pace = {
  /** How many may leave at `now`. */
  room(now: Date): number;
  took(count: number, now: Date): void;
  /** Milliseconds until there is room; 0 when there is. */
  wait(now: Date): number;
};

/** No more than `perMinute` in any sixty seconds; without it, as many as like. */
export function createPace(perMinute: number = Infinity): Pace {
  let left: number[] = [];
  const recent = (now: Date): number => {
    // What lies ahead left before the clock was set back.
    left = left.filter((at) => at > now.getTime() - MINUTE_MS && at <= now.getTime());
    return left.length;
  };
  return {
    room: (now) => Math.max(0, perMinute - recent(now)),
    took(count, now) {
      if (perMinute !== Infinity) left.push(...Array<number>(count).fill(now.getTime()));
    },
    wait: (now) => (recent(now) < perMinute ? 0 : (left[0] ?? 0) + MINUTE_MS - now.getTime()),
  };
}
