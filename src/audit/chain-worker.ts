/**
 * The chain, extended in the background by one process of all that share a store.
 *
 * The lease is there so that the others rest; two that chain at once because a lease ended do no harm. A fault is a line in the
 * log and another try.
 */
import { addSeconds, type Clock, sleep } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { randomId } from '../platform/random.ts';
import type { LeaseRepository } from '../store/leases.ts';
import type { Chain } from './chain.ts';

export const CHAIN_LEASE = 'audit-chain';
const LEASE_SECONDS = 60;
/** A lease is renewed when less than this is left of it. */
const RENEW_SECONDS = 30;
const REST_MS = 2000;
/** How often who does not hold the lease asks for it. */
const WAIT_MS = 15_000;
const PRUNE_SECONDS = 3600;

export type ChainWorker = {
  start(): void;
  /** Resolves when the round that is running has ended, and the lease is given back. Never rejects. */
  stop(): Promise<void>;
};

export function createChainWorker({
  chain,
  leases,
  clock,
  log,
  checkpointMinutes,
}: {
  readonly chain: Pick<Chain, 'extend' | 'checkpoint' | 'prune'>;
  readonly leases: LeaseRepository;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error' | 'info'>;
  readonly checkpointMinutes: number;
}): ChainWorker {
  const holder = randomId();
  const stopping = new AbortController();
  const { signal } = stopping;
  let heldUntil: Date | null = null;
  let checkpointAt: Date | null = null;
  let pruneAt: Date | null = null;
  let failing = false;
  let running: Promise<void> | undefined;

  const hold = async (): Promise<boolean> => {
    const now = clock.now();
    if (heldUntil !== null && heldUntil > addSeconds(now, RENEW_SECONDS)) return true;
    const leaseUntil = addSeconds(now, LEASE_SECONDS);
    heldUntil = (await leases.hold({ name: CHAIN_LEASE, holder, now, leaseUntil })) ? leaseUntil : null;
    return heldUntil !== null;
  };
  /** Due from the first time on. One that was set when the clock was ahead is due as well. */
  const due = (at: Date | null, every: number): boolean => {
    const now = clock.now();
    return at === null || at <= now || at > addSeconds(now, every);
  };

  const round = async (): Promise<void> => {
    await chain.extend(signal);
    const seconds = checkpointMinutes * 60;
    if (due(checkpointAt, seconds) && !signal.aborted) {
      await chain.checkpoint();
      checkpointAt = addSeconds(clock.now(), seconds);
    }
    if (due(pruneAt, PRUNE_SECONDS) && !signal.aborted) {
      await chain.prune(signal);
      pruneAt = addSeconds(clock.now(), PRUNE_SECONDS);
    }
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      let held = false;
      try {
        held = await hold();
        if (held) await round();
        if (failing) log.info('audit.resumed');
        failing = false;
      } catch (err) {
        if (!failing) log.error({ err }, 'audit.stalled');
        failing = true;
      }
      await sleep(clock, held ? REST_MS : WAIT_MS, signal);
    }
    if (heldUntil === null) return;
    await leases.release({ name: CHAIN_LEASE, holder }).catch((err: unknown) => {
      log.error({ err }, 'audit.lease-not-released');
    });
  };

  return {
    start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
