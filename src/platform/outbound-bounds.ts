/**
 * How much one call, and one origin, may take.
 *
 * Purpose: keep a slow, endless or dead other side from holding more than its share. Invariant: whoever is let in is
 * counted until it leaves, and never more than the limit are in; a body ends by itself or is ended. It refuses to know
 * what is called and who waits.
 */
import type { Readable } from 'node:stream';
import type { Clock } from './clock.ts';

/** Lets a limited number in per origin, in order of arrival. */
export type Gate = {
  /** Resolves with the way out once there is room, or with `undefined` if `signal` aborts first. */
  enter(origin: string, signal: AbortSignal): Promise<(() => void) | undefined>;
};

/** A gate that admits `limit` per origin. Our own queue: the library's forgets those behind a failed connection. */
export function createGate(limit: number): Gate {
  const origins = new Map<string, { inside: number; waiting: Set<(admitted: boolean) => void> }>();
  return {
    async enter(origin, signal) {
      if (signal.aborted) return undefined;
      const here = origins.get(origin) ?? { inside: 0, waiting: new Set() };
      origins.set(origin, here);
      if (here.inside < limit) here.inside += 1;
      else if (!(await turn(here.waiting, signal))) return undefined;
      return () => {
        // A place is handed over still counted, so nobody can slip in between.
        const [next] = here.waiting;
        if (next) next(true);
        else here.inside -= 1;
        if (here.inside === 0) origins.delete(origin);
      };
    },
  };
}

function turn(waiting: Set<(admitted: boolean) => void>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const go = (admitted: boolean): void => {
      waiting.delete(go);
      signal.removeEventListener('abort', giveUp);
      resolve(admitted);
    };
    const giveUp = (): void => go(false);
    waiting.add(go);
    signal.addEventListener('abort', giveUp, { once: true });
  });
}

/** What was read of a body, and why not all of it. */
export type BoundedBody = { bytes: Buffer; cut?: 'size' | 'time' | 'connection' };

/** Reads at most `maxBytes` within `milliseconds`, then drops the connection. Never rejects. */
export function readBody(
  body: Readable,
  { maxBytes, milliseconds, clock }: { maxBytes: number; milliseconds: number; clock: Clock },
): Promise<BoundedBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (cut?: 'size' | 'time' | 'connection'): void => {
      timer.cancel();
      if (cut) body.destroy();
      resolve({ bytes: Buffer.concat(chunks), ...(cut && { cut }) });
    };
    const timer = clock.setTimer(milliseconds, () => finish('time'));
    body.on('data', (chunk: Buffer) => {
      const room = maxBytes - length;
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      length += Math.min(chunk.length, room);
      if (chunk.length > room) finish('size');
    });
    body.on('end', () => finish());
    body.on('error', () => finish('connection'));
  });
}
