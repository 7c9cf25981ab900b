/**
 * Telling every Client until it has heard.
 *
 * Purpose: make sure that each Logout Token owed arrives, at least once, however often this process is killed, or ends
 * as a dead letter that is seen. Invariant: a Delivery is posted only under a lease, by its one holder, with a token of
 * its own, and only the holder of the latest fence records the outcome; nothing is kept in memory that the store could
 * not give to another worker a minute later. A Client that is dead, slow or unwilling never delays the others. It
 * refuses to know why a Client must be told, what a Logout Token looks like and how it is signed.
 */
import { addSeconds, type Clock, sleep } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Outbound } from '../platform/outbound-http.ts';
import { createBell, createStoreWatch, storeBackOffMilliseconds, within } from '../platform/patience.ts';
import { type DeliveryRepository, StoreUnavailable } from '../store/port.ts';
import type { DeliveryRecord, DeliveryStatus, LeasedDelivery } from '../store/records.ts';
import { type Attempt, attemptDelivery, type MintLogoutToken } from './attempt.ts';
import { createLanes, type OpenCircuit, type Sign } from './lanes.ts';
import { isTransportFailure, judgeAttempt, type Verdict } from './retry.ts';

export type { MintLogoutToken } from './attempt.ts';

/** Told what came of each recorded attempt, for whoever counts. Must not throw. */
export type DeliveryObserver = {
  /** `seconds` from the Sign-out's fan-out to the Client's answer. */
  delivered?(clientId: string, seconds: number): void;
  /** `pending`: it will be tried again. `outcome` is one of few words, fit for a label. */
  failed?(clientId: string, status: Exclude<DeliveryStatus, 'delivered'>, outcome: string): void;
  /** Of each that is not tried again. */
  ended?(end: {
    readonly delivery: DeliveryRecord;
    readonly status: Exclude<DeliveryStatus, 'pending'>;
    readonly outcome: string;
    readonly attempts: number;
    readonly at: Date;
  }): void;
};

export type DeliveryWorkerOptions = {
  readonly deliveries: DeliveryRepository;
  readonly mint: MintLogoutToken;
  readonly post: Outbound['post'];
  readonly clock: Clock;
  /** Answers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly observe?: DeliveryObserver;
  /** Posts in flight altogether. Default 64. */
  readonly concurrency?: number;
  /** Posts in flight to one Client. Default 2. */
  readonly perClient?: number;
  /** More than 10, at most 60, which is the default. */
  readonly leaseSeconds?: number;
};

export type DeliveryWorkerStatus = {
  readonly phase: 'idle' | 'running' | 'stopping' | 'stopped';
  readonly inFlight: number;
  /** Leased and waiting for their turn. */
  readonly queued: number;
  readonly openCircuits: readonly OpenCircuit[];
  /** Whether the store's last answer was one. */
  readonly storeAnswers: boolean;
};

export type DeliveryWorker = {
  /** Works until `stop`. Once started, nothing it meets ends the process. */
  start(): void;
  /** Something may have become due: looks at once instead of at the next poll. */
  wake(): void;
  /**
   * Claims nothing more, waits up to 10 s for the posts in flight and gives every other lease back. Resolves within
   * about 11 s whatever hangs; never rejects.
   */
  stop(): Promise<void>;
  /**
   * Attempts, once each, everything that is due now and not held back by an open circuit or another worker, and resolves
   * when the outcomes are recorded. Works with and without `start`. Rejects with StoreUnavailable when it cannot claim.
   */
  runUntilIdle(): Promise<void>;
  status(): DeliveryWorkerStatus;
};

/** Other processes write Deliveries too, and ring no bell here. */
const POLL_MILLISECONDS = 1000;
const STOP_GRACE_MILLISECONDS = 10_000;
const RELEASE_GRACE_MILLISECONDS = 1000;

/** A worker at rest. Throws RangeError for a lease that a post could outlast. */
export function createDeliveryWorker(options: DeliveryWorkerOptions): DeliveryWorker {
  const { deliveries, mint, post, clock, random, log, observe } = options;
  const { concurrency = 64, perClient = 2, leaseSeconds = 60 } = options;
  if (!(leaseSeconds > 10 && leaseSeconds <= 60)) throw new RangeError('leaseSeconds must be over 10 and at most 60');

  const lanes = createLanes({ concurrency, perClient });
  const bell = createBell(clock);
  const store = createStoreWatch<'claim deliveries' | 'record outcomes'>(log, 'delivery');
  /** Aborted first: no new claims, no new attempts. */
  const stopping = new AbortController();
  /** Aborted when the grace is over: posts in flight are cut. */
  const cutting = new AbortController();
  const active = new Map<LeasedDelivery, Promise<void>>();
  let phase: DeliveryWorkerStatus['phase'] = 'idle';
  let looping: Promise<void> = Promise.resolve();
  let claiming: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | undefined;

  /** Claims for whoever is due at `now`, one pass after another; resolves to how many were claimed. */
  function claimDue(now: Date): Promise<number> {
    const pass = claiming.then(() => claimPass(now));
    claiming = pass.catch(() => {});
    return pass;
  }

  async function claimPass(now: Date): Promise<number> {
    if (stopping.signal.aborted) return 0;
    const wanted = lanes.plan(await deliveries.clientsDue(now), clock.now());
    const claims = await Promise.allSettled(
      wanted.map(async (each) => {
        const leaseUntil = addSeconds(clock.now(), leaseSeconds);
        const leased = await deliveries.claim({ ...each, now, leaseUntil });
        if (stopping.signal.aborted) await giveBack(leased);
        else lanes.add(each, leased);
        dispatch();
        return leased.length;
      }),
    );
    let claimed = 0;
    for (const claim of claims) {
      if (claim.status === 'rejected') throw claim.reason;
      claimed += claim.value;
    }
    return claimed;
  }

  function dispatch(): void {
    for (let delivery = lanes.next(); delivery !== null; delivery = lanes.next()) launch(delivery);
  }

  function launch(delivery: LeasedDelivery): void {
    const running = run(delivery).finally(() => {
      active.delete(delivery);
      const roomForMore = lanes.finished(delivery.clientId);
      dispatch();
      if (roomForMore) bell.ring();
    });
    active.set(delivery, running);
  }

  /** Never rejects. */
  async function run(delivery: LeasedDelivery): Promise<void> {
    try {
      const attempt = await attemptDelivery(delivery, { mint, post, clock, signal: cutting.signal });
      const cut = attempt?.result.kind === 'failed' && attempt.result.reason === 'aborted';
      if (attempt === null || (cut && stopping.signal.aborted)) return await giveBack([delivery]);
      if (attempt.error instanceof StoreUnavailable) store.failed('record outcomes', attempt.error);
      else if (attempt.error) log.error({ err: attempt.error, ...named(delivery) }, 'delivery.fault');
      await Promise.all([learn(delivery, attempt), record(delivery, attempt)]);
    } catch (err) {
      log.error({ err, ...named(delivery) }, 'delivery.fault');
    }
  }

  async function learn({ clientId }: LeasedDelivery, { result, seconds, endedAt }: Attempt): Promise<void> {
    const signs = { answered: 'answered', gone: 'gone', fault: 'nothing', failed: 'nothing' } as const;
    const sign: Sign = isTransportFailure(result) ? 'unreachable' : signs[result.kind];
    const learnt = lanes.learn(clientId, { sign, seconds, now: endedAt });
    if (learnt.circuit === 'closed') log.info({ clientId }, 'delivery.circuit-closed');
    if (learnt.circuit !== 'opened') return;
    log.warn({ clientId, openUntil: learnt.openUntil }, 'delivery.circuit-opened');
    await giveBack(learnt.untried);
  }

  async function record(delivery: LeasedDelivery, attempt: Attempt): Promise<void> {
    const verdict = judgeAttempt(delivery, attempt.result, attempt.endedAt, random);
    const settled = await settle(delivery, verdict, attempt.endedAt);
    if (settled === 'unrecorded') return log.warn(named(delivery), 'delivery.unrecorded');
    if (settled === 'lost') return log.warn(named(delivery), 'delivery.lease-lost');

    const { status, lastOutcome: outcome, attempts, nextAttemptAt } = verdict;
    const told = { ...named(delivery), attempt: attempts, outcome, ...(attempt.detail && { detail: attempt.detail }) };
    if (status !== 'pending') observe?.ended?.({ delivery, status, outcome, attempts, at: attempt.endedAt });
    if (status === 'delivered') {
      log.info(told, 'delivery.delivered');
      observe?.delivered?.(delivery.clientId, (attempt.endedAt.getTime() - delivery.createdAt.getTime()) / 1000);
      return;
    }
    if (status === 'pending') log.info({ ...told, nextAttemptAt }, 'delivery.retrying');
    else log.warn(told, status === 'rejected' ? 'delivery.rejected' : 'delivery.abandoned');
    observe?.failed?.(delivery.clientId, status, outcome);
  }

  /** Asks again while the store does not answer and the lease stands: what the Client heard should not be lost. */
  async function settle(delivery: LeasedDelivery, verdict: Verdict, lastAttemptAt: Date) {
    const { id, fence, leaseUntil } = delivery;
    for (let failures = 0; ; failures += 1) {
      try {
        const held = await deliveries.settle({ id, fence, ...verdict, lastAttemptAt });
        store.answered('record outcomes');
        return held ? 'recorded' : 'lost';
      } catch (err) {
        store.failed('record outcomes', err);
        if (clock.now() >= leaseUntil || cutting.signal.aborted) return 'unrecorded';
        await sleep(clock, storeBackOffMilliseconds(failures), cutting.signal);
      }
    }
  }

  /** Never rejects: leases that cannot be given back end by themselves. */
  async function giveBack(leases: readonly LeasedDelivery[]): Promise<void> {
    if (leases.length === 0) return;
    try {
      await deliveries.release(leases.map(({ id, fence }) => ({ id, fence })));
    } catch (err) {
      store.failed('record outcomes', err);
    }
  }

  /** Never rejects. */
  async function loop(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const rings = bell.rings();
      try {
        const claimed = await claimDue(clock.now());
        const pause = claimed > 0 ? POLL_MILLISECONDS : await untilNextDue();
        store.answered('claim deliveries');
        failures = 0;
        await bell.after(rings, pause);
      } catch (err) {
        store.failed('claim deliveries', err);
        await sleep(clock, storeBackOffMilliseconds(failures), stopping.signal);
        failures += 1;
      }
    }
  }

  async function untilNextDue(): Promise<number> {
    const dueAt = await deliveries.nextDueAt();
    const wait = dueAt === null ? POLL_MILLISECONDS : dueAt.getTime() - clock.now().getTime();
    // What is due already was just passed over: for want of room, which rings, or for a circuit, which can wait.
    return wait > 0 ? Math.min(wait, POLL_MILLISECONDS) : POLL_MILLISECONDS;
  }

  async function stopNow(): Promise<void> {
    phase = 'stopping';
    stopping.abort();
    bell.ring();
    const over = Promise.all([giveBack(lanes.takeAll()), looping, claiming, ...active.values()]);
    if (!(await within(clock, STOP_GRACE_MILLISECONDS, over))) {
      cutting.abort();
      await within(clock, RELEASE_GRACE_MILLISECONDS, giveBack([...active.keys()]));
    }
    phase = 'stopped';
    log.info('delivery.stopped');
  }

  return {
    start() {
      if (phase !== 'idle') return;
      phase = 'running';
      looping = loop();
    },
    wake: () => bell.ring(),
    stop: () => (stopped ??= stopNow()),
    async runUntilIdle() {
      const now = clock.now();
      try {
        while (!stopping.signal.aborted) {
          const rings = bell.rings();
          const claimed = await claimDue(now);
          if (claimed === 0 && active.size === 0) return;
          await bell.after(rings);
        }
      } finally {
        while (active.size > 0) await Promise.all(active.values());
      }
    },
    status: () => ({
      phase,
      inFlight: lanes.inFlight(),
      queued: lanes.queued(),
      openCircuits: lanes.openCircuits(clock.now()),
      storeAnswers: store.answers(),
    }),
  };
}

function named({ id, signOutId, clientId }: LeasedDelivery): Record<string, unknown> {
  return { deliveryId: id, signOutId, clientId };
}
