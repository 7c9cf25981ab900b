/**
 * A world of Clients to be told: a clock moved by hand, relying parties that answer, hang or are held at a gate, and a
 * log that can be read. Nothing here sleeps: what is waited for is a condition, and what must not happen is looked for
 * after every microtask and several turns of the event loop have run.
 */
import { createDeliveryWorker, type DeliveryWorker, type DeliveryWorkerOptions } from '../../src/delivery/worker.ts';
import type { Clock, Timer } from '../../src/platform/clock.ts';
import type { Log, LogMethod } from '../../src/platform/log.ts';
import type { OutboundOutcome } from '../../src/platform/outbound-http.ts';
import { memoryDeliveries, type MemoryDeliveries } from './memory-deliveries.ts';
import { start } from './records.ts';

/** Lets everything that can happen without time passing happen. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export type ManualClock = Clock & {
  /** Moves time on, timer by timer, letting each one's consequences happen before the next. */
  advance(seconds: number): Promise<void>;
  /** How many timers are set. */
  timers(): number;
  /** Corrects the wall clock; timers do not notice. */
  correct(seconds: number): void;
};

function manualClock(): ManualClock {
  type Entry = { readonly at: number; readonly run: () => void };
  const timers = new Set<Entry>();
  let elapsed = 0;
  let wall = start.getTime();
  const setTimer = (milliseconds: number, run: () => void): Timer => {
    const entry = { at: elapsed + Math.max(milliseconds, 0), run };
    timers.add(entry);
    return { cancel: () => void timers.delete(entry) };
  };
  const passUntil = (instant: number): void => {
    wall += instant - elapsed;
    elapsed = instant;
  };
  return {
    now: () => new Date(Math.floor(wall)),
    setTimer,
    every: () => {
      throw new Error('nothing here is expected to repeat');
    },
    async advance(seconds) {
      const target = elapsed + seconds * 1000;
      await quiet();
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= target).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        passUntil(next.at);
        next.run();
        await quiet();
      }
      passUntil(target);
    },
    timers: () => timers.size,
    correct(seconds) {
      wall += seconds * 1000;
    },
  };
}

export type Post = { readonly clientId: string; readonly uri: string; readonly token: string; readonly at: Date };
export type Behaviour = (signal?: AbortSignal) => OutboundOutcome | Promise<OutboundOutcome>;
export type Line = { readonly event: string; readonly [field: string]: unknown };

export const answer = (status: number, retryAfterSeconds?: number): OutboundOutcome => ({
  kind: 'answered',
  status,
  headers: {},
  body: '',
  truncated: false,
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
});

export const failure = (reason: (OutboundOutcome & { kind: 'failed' })['reason']): OutboundOutcome => ({
  kind: 'failed',
  reason,
  detail: `${reason} at this host`,
});

/** Accepts the connection and says nothing: given up after 5 s, or when the caller gives up. */
export const hanging =
  (clock: Clock): Behaviour =>
  (signal) =>
    new Promise((resolve) => {
      const timer = clock.setTimer(5000, () => resolve(failure('timeout')));
      signal?.addEventListener('abort', () => {
        timer.cancel();
        resolve(failure('aborted'));
      });
    });

/** Holds every post until it is opened; `waiting` counts those held. */
export function gate(): { behaviour: Behaviour; waiting(): number; openOne(outcome?: OutboundOutcome): void } {
  const held: ((outcome: OutboundOutcome) => void)[] = [];
  return {
    behaviour: () => new Promise((resolve) => held.push(resolve)),
    waiting: () => held.length,
    openOne(outcome = answer(200)) {
      const open = held.shift();
      if (open === undefined) throw new Error('nobody waits at this gate');
      open(outcome);
    },
  };
}

export type DeliveryWorld = {
  readonly clock: ManualClock;
  readonly deliveries: MemoryDeliveries;
  readonly posts: Post[];
  readonly lines: Line[];
  /** How a Client behaves from now on; a Client of whom nothing was said answers 200. */
  behave(clientId: string, behaviour: Behaviour | OutboundOutcome): void;
  /** Clients that exist no longer. */
  readonly gone: Set<string>;
  /** Most posts in flight at one moment: to one Client, and altogether. */
  readonly peak: { perClient: number; overall: number };
  worker(options?: Partial<DeliveryWorkerOptions>): DeliveryWorker;
  told(clientId: string): number;
  events(event: string): readonly Line[];
};

export function deliveryWorld(): DeliveryWorld {
  const clock = manualClock();
  const deliveries = memoryDeliveries();
  const posts: Post[] = [];
  const lines: Line[] = [];
  const gone = new Set<string>();
  const behaviours = new Map<string, Behaviour>();
  const inFlight = new Map<string, number>();
  const peak = { perClient: 0, overall: 0 };
  let minted = 0;

  const mint: DeliveryWorkerOptions['mint'] = async ({ clientId, accountId, sid }) => {
    if (gone.has(clientId)) return { gone: true };
    minted += 1;
    const token = JSON.stringify({ jti: minted, iat: clock.now().getTime(), sub: accountId, sid });
    return { uri: `https://${clientId}.example/logout?tenant=secret`, token };
  };

  const post: DeliveryWorkerOptions['post'] = async (uri, { form, signal }) => {
    const clientId = new URL(uri).hostname.replace('.example', '');
    posts.push({ clientId, uri, token: form['logout_token'] ?? '', at: clock.now() });
    const mine = (inFlight.get(clientId) ?? 0) + 1;
    inFlight.set(clientId, mine);
    peak.perClient = Math.max(peak.perClient, mine);
    peak.overall = Math.max(
      peak.overall,
      [...inFlight.values()].reduce((sum, count) => sum + count, 0),
    );
    try {
      return await (behaviours.get(clientId) ?? (() => answer(200)))(signal);
    } finally {
      inFlight.set(clientId, (inFlight.get(clientId) ?? 1) - 1);
    }
  };

  const write: LogMethod = (first: Record<string, unknown> | string, event?: string): void => {
    lines.push(typeof first === 'string' ? { event: first } : { ...first, event: event ?? '' });
  };
  const log: Log = { debug: write, info: write, warn: write, error: write, fatal: write, child: () => log };

  return {
    clock,
    deliveries,
    posts,
    lines,
    gone,
    peak,
    behave: (clientId, behaviour) =>
      void behaviours.set(clientId, typeof behaviour === 'function' ? behaviour : () => behaviour),
    worker: (options = {}) =>
      createDeliveryWorker({ deliveries, mint, post, clock, random: () => 0.5, log, ...options }),
    told: (clientId) => posts.filter((each) => each.clientId === clientId).length,
    events: (event) => lines.filter((line) => line.event === event),
  };
}
