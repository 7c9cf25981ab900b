/**
 * Sending what is queued, until it has gone or is seen not to.
 *
 * Purpose: each mail leaves at least once, however often this process is killed, and ends where an operator sees it when it
 * cannot. Invariant: a mail is handed over only under a lease that outlasts the attempt, by its one holder, and only the
 * holder of the latest fence records the outcome; so one that is sent twice was sent twice because somebody died, or heard
 * no answer, in between, and then both bear the same Message-ID. It refuses to know why a mail is sent, what it says and
 * how it travels.
 */
import { addSeconds, type Clock, sleep } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { createBell, createStoreWatch, storeBackOffMilliseconds, within } from '../platform/patience.ts';
import type { LeasedMail, MailRecord, MailStatus, OutboxRepository } from '../store/outbox.ts';
import { createPace } from './pace.ts';
import { type AttemptResult, judgeAttempt, type Verdict } from './retry.ts';
import { LONGEST_SEND_SECONDS, type Outgoing, type Transport } from './transport.ts';

/** Opens and renders a queued mail; `expired` when what it asks for works no more at `now`. Throws for one it cannot read. */
export type Render = (mail: LeasedMail, now: Date) => Outgoing | 'expired';

/** Told what came of each recorded attempt, for whoever counts. Must not throw. */
export type MailObserver = {
  sent?(kind: string): void;
  /** `pending`: it will be tried again. `outcome` is one of few words, fit for a label. */
  failed?(kind: string, status: Exclude<MailStatus, 'sent'>, outcome: string): void;
  /** Of each that could not be sent, and is not tried again. */
  gaveUp?(end: {
    readonly mail: MailRecord;
    readonly status: Exclude<MailStatus, 'pending' | 'sent'>;
    readonly outcome: string;
    readonly attempts: number;
    readonly at: Date;
  }): void;
};

export type MailWorkerOptions = {
  readonly outbox: OutboxRepository;
  readonly render: Render;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Answers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly observe?: MailObserver;
  /** Mails on their way at once. Default 4. */
  readonly concurrency?: number;
  /** Mails sent in a minute at most. Default: no bound. */
  readonly perMinute?: number | undefined;
};

export type MailWorker = {
  /** Works until `stop`. Once started, nothing it meets ends the process. */
  start(): void;
  /** Something may have become due: looks at once instead of at the next poll. */
  wake(): void;
  /**
   * Claims nothing more and waits up to 10 s for the mails on their way; then cuts them off and gives their leases back.
   * Resolves within about 11 s whatever hangs; never rejects.
   */
  stop(): Promise<void>;
  /**
   * Attempts, once each, everything that is due now and not held by another worker, and resolves when the outcomes are
   * recorded. Works with and without `start`. Rejects with StoreUnavailable when it cannot claim.
   */
  runUntilIdle(): Promise<void>;
};

/**
 * An attempt, and time before and after it. A lease that ends over 120 s from now is taken for one of a clock that was set back
 * (store/outbox.ts), so it has to be as much shorter than that as clocks of other nodes may be behind.
 */
const LEASE_SECONDS = 75;
const LEAST_LEFT_SECONDS = LONGEST_SEND_SECONDS + 5;
/** Other processes queue mails too, and ring no bell here. */
const POLL_MILLISECONDS = 1000;
const STOP_GRACE_MILLISECONDS = 10_000;
const RELEASE_GRACE_MILLISECONDS = 1000;

type Attempted = { readonly result: AttemptResult; readonly endedAt: Date; readonly detail?: string | undefined };

export function createMailWorker(options: MailWorkerOptions): MailWorker {
  const { outbox, render, transport, clock, random, log, observe, concurrency = 4 } = options;
  const pace = createPace(options.perMinute);
  const bell = createBell(clock);
  const store = createStoreWatch<'claim mails' | 'record outcomes'>(log, 'mail');
  /** Aborted first: no new claims. */
  const stopping = new AbortController();
  /** Aborted when the grace is over: mails on their way are cut off. */
  const cutting = new AbortController();
  const active = new Map<LeasedMail, Promise<void>>();
  let phase: 'idle' | 'running' | 'stopped' = 'idle';
  let looping: Promise<void> = Promise.resolve();
  let claiming: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | undefined;

  /**
   * Claims what is due, as much as there is room for, and sends it; resolves to how many. `by` leaves alone what became
   * due after that: mails come due first first, so nothing earlier is left once one of those is met.
   */
  function claimDue(by: Date | null): Promise<number> {
    const pass = claiming.then(() => claimPass(by));
    claiming = pass.catch(() => {});
    return pass;
  }

  async function claimPass(by: Date | null): Promise<number> {
    const now = clock.now();
    const limit = Math.min(concurrency - active.size, pace.room(now));
    if (limit <= 0 || stopping.signal.aborted) return 0;
    const leased = await outbox.claim({ now, leaseUntil: addSeconds(now, LEASE_SECONDS), limit });
    const wanted = leased.filter(
      ({ nextAttemptAt }) =>
        !stopping.signal.aborted && (by === null || (nextAttemptAt !== null && nextAttemptAt <= by)),
    );
    await giveBack(leased.filter((mail) => !wanted.includes(mail)));
    pace.took(wanted.length, now);
    for (const mail of wanted) launch(mail);
    return wanted.length;
  }

  function launch(mail: LeasedMail): void {
    const running = run(mail).finally(() => {
      active.delete(mail);
      bell.ring();
    });
    active.set(mail, running);
  }

  /** Never rejects. */
  async function run(mail: LeasedMail): Promise<void> {
    try {
      const attempted = await attempt(mail);
      const cut = attempted?.result.kind === 'failed' && attempted.result.reason === 'cut';
      if (attempted === null || cut) return await giveBack([mail]);
      await record(mail, attempted);
    } catch (err) {
      log.error({ err, ...named(mail) }, 'mail.fault');
    }
  }

  /** Null when it was not made because the lease runs out. */
  async function attempt(mail: LeasedMail): Promise<Attempted | null> {
    const now = clock.now();
    // Whatever the machine did since the claim: asked last.
    if (mail.leaseUntil < addSeconds(now, LEAST_LEFT_SECONDS)) return null;
    let outgoing: Outgoing | 'expired';
    try {
      outgoing = render(mail, now);
    } catch (err) {
      log.error({ err, ...named(mail) }, 'mail.fault');
      return { result: { kind: 'fault' }, endedAt: now };
    }
    if (outgoing === 'expired') return { result: { kind: 'expired' }, endedAt: now };
    const { result, detail } = await transport.send(outgoing, cutting.signal);
    return { result, detail, endedAt: clock.now() };
  }

  async function record(mail: LeasedMail, { result, detail, endedAt }: Attempted): Promise<void> {
    const verdict = judgeAttempt(mail, result, endedAt, random);
    const settled = await settle(mail, verdict, endedAt);
    if (settled === 'unrecorded') return log.warn(named(mail), 'mail.unrecorded');
    if (settled === 'lost') return log.warn(named(mail), 'mail.lease-lost');

    const { status, lastOutcome: outcome, attempts, nextAttemptAt } = verdict;
    const told = { ...named(mail), attempt: attempts, outcome, ...(detail !== undefined && { detail }) };
    if (status === 'sent') {
      log.info(told, 'mail.sent');
      observe?.sent?.(mail.kind);
      return;
    }
    if (status === 'pending') log.info({ ...told, nextAttemptAt }, 'mail.retrying');
    else log.warn(told, status === 'rejected' ? 'mail.rejected' : 'mail.abandoned');
    observe?.failed?.(mail.kind, status, outcome);
    if (status !== 'pending') observe?.gaveUp?.({ mail, status, outcome, attempts, at: endedAt });
  }

  /** Asks again while the store does not answer and the lease stands: what was sent should not be sent again. */
  async function settle({ id, fence, leaseUntil }: LeasedMail, verdict: Verdict, lastAttemptAt: Date) {
    for (let failures = 0; ; failures += 1) {
      try {
        const held = await outbox.settle({ id, fence, ...verdict, lastAttemptAt });
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
  async function giveBack(leases: readonly LeasedMail[]): Promise<void> {
    if (leases.length === 0) return;
    try {
      await outbox.release(leases.map(({ id, fence }) => ({ id, fence })));
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
        const claimed = await claimDue(null);
        const pause = claimed > 0 ? POLL_MILLISECONDS : await untilNextDue();
        store.answered('claim mails');
        failures = 0;
        await bell.after(rings, pause);
      } catch (err) {
        store.failed('claim mails', err);
        await sleep(clock, storeBackOffMilliseconds(failures), stopping.signal);
        failures += 1;
      }
    }
  }

  async function untilNextDue(): Promise<number> {
    // A mail that has gone makes room, and rings.
    if (active.size >= concurrency) return POLL_MILLISECONDS;
    const dueAt = await outbox.nextDueAt();
    const now = clock.now();
    const wait = Math.max(dueAt === null ? POLL_MILLISECONDS : dueAt.getTime() - now.getTime(), pace.wait(now), 1);
    return Math.min(wait, POLL_MILLISECONDS);
  }

  async function stopNow(): Promise<void> {
    stopping.abort();
    bell.ring();
    if (!(await within(clock, STOP_GRACE_MILLISECONDS, Promise.all([looping, claiming, ...active.values()])))) {
      cutting.abort();
      // Each gives its own lease back once it is cut off.
      await within(clock, RELEASE_GRACE_MILLISECONDS, Promise.all(active.values()));
    }
    phase = 'stopped';
    log.info('mail.stopped');
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
      const by = clock.now();
      try {
        while (!stopping.signal.aborted) {
          const rings = bell.rings();
          if ((await claimDue(by)) > 0) continue;
          const heldBack = pace.wait(clock.now());
          if (heldBack === 0 && active.size === 0) return;
          const dueAt = await outbox.nextDueAt();
          if (active.size === 0 && (dueAt === null || dueAt > by)) return;
          await bell.after(rings, heldBack > 0 ? heldBack : undefined);
        }
      } finally {
        while (active.size > 0) await Promise.all(active.values());
      }
    },
  };
}

function named({ id, kind }: LeasedMail): Record<string, unknown> {
  return { mailId: id, kind };
}
