/**
 * From one Sign-out to the Deliveries it owes.
 *
 * Invariant: a Sign-out stays pending in the record that ended access until every Client that must be told has its
 * Delivery written; writing one twice is writing it once. So the process may die anywhere in here, or two processes may
 * do the same work, and nobody is forgotten and nobody is told twice. Batches are bounded, whatever the scope.
 */
import { createHash } from 'node:crypto';

import { addSeconds, type Clock, type Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { randomId } from '../platform/random.ts';
import type { Store } from '../store/port.ts';
import type { ClientSessionRecord, DeliveryRecord, SignOutRecord, SignOutScope } from '../store/records.ts';
import { raisedBy } from '../store/standing.ts';

/** How a Client can be told; null when it has no back-channel endpoint, or is gone. */
export type Tellable = { readonly sessionRequired: boolean } | null;

export type FanOut = {
  /** Works until nothing is pending that no other process holds. Overlapping calls share one run. */
  runUntilIdle(): Promise<void>;
  /** Runs now if nothing is running. Failures are logged and tried again by the poll. */
  wake(): void;
  /** Polls for Sign-outs of other processes (commands write to the same store). */
  start(): void;
  stop(): Promise<void>;
  /** How many Deliveries a Sign-out that spares nothing would write now. Changes nothing. */
  foresee(scope: SignOutScope): Promise<number>;
};

/** One batch is one turn of the event loop, reading and writing: a few milliseconds of it. */
const BATCH = 200;
const PENDING = 100;
/**
 * So many Sign-outs of one person each are spread at once: they wait for the disk, or a majority, together. Those of many
 * people come one after the other, since a few large batches in one turn would hold everybody up.
 */
const AT_ONCE = 16;
const POLL_MS = 1000;
/** How long after the death of a process others wait before they go on with what it was spreading. */
const LEASE_SECONDS = 15;
/** A lease is renewed when this much of it is left. */
const RENEW_SECONDS = 10;

export function createFanOut({
  store,
  clock,
  log,
  tellable,
  deadlineHours,
  written,
  spreadOut = async () => {},
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly tellable: (clientId: string) => Promise<Tellable>;
  readonly deadlineHours: number;
  /** Called after Deliveries were written: the worker may start. */
  readonly written: () => void;
  /** Called when all Deliveries of a Sign-out are written, before it is complete; again if that is cut off. Must not reject. */
  readonly spreadOut?: (signOut: SignOutRecord) => Promise<void>;
}): FanOut {
  let running: Promise<void> | undefined;
  let again = false;
  let poll: Timer | undefined;
  let woken: Timer | undefined;
  const stopping = new AbortController();
  const holder = randomId();

  /**
   * Whether this process is the one to spread it. Where several share a store, one at a time does the work; that two never
   * do is no promise, and needs none: all of it can be done twice.
   */
  const hold = async (signOut: SignOutRecord, seconds = LEASE_SECONDS): Promise<Date | null> => {
    const now = clock.now();
    const leaseUntil = addSeconds(now, seconds);
    const held = (await store.revocations.leaseSignOut?.({ signOut, holder, now, leaseUntil })) ?? true;
    return held ? leaseUntil : null;
  };

  /** What these Client Sessions are owed; `clients` remembers who can be told. */
  const owed = async (
    signOut: SignOutRecord,
    sessions: readonly ClientSessionRecord[],
    clients: Map<string, Tellable>,
  ): Promise<DeliveryRecord[]> => {
    for (const { clientId } of sessions) {
      if (!clients.has(clientId)) clients.set(clientId, await tellable(clientId));
    }
    const now = clock.now();
    return sessions.flatMap((session) => {
      const client = clients.get(session.clientId) ?? null;
      return client === null ? [] : [deliveryFor(signOut, session, client, now, deadlineHours)];
    });
  };

  /** Resolves to whether it did: another process may be at it. */
  const spread = async (signOut: SignOutRecord): Promise<boolean> => {
    let heldUntil = await hold(signOut);
    const clients = new Map<string, Tellable>();
    for (let after: string | undefined; !stopping.signal.aborted;) {
      if (heldUntil !== null && heldUntil < addSeconds(clock.now(), RENEW_SECONDS)) heldUntil = await hold(signOut);
      if (heldUntil === null) return false;
      const sessions = await store.revocations.sessionsToEnd(signOut, { after, limit: BATCH });
      if (sessions.length === 0) break;
      await store.revocations.fanOut({
        signOut,
        deliveries: await owed(signOut, sessions, clients),
        ended: sessions.filter(endsWith(signOut)).map(({ grantId }) => grantId),
      });
      written();
      after = sessions.at(-1)?.grantId;
    }
    if (stopping.signal.aborted) {
      // Whoever is left need not wait for the lease to end.
      await hold(signOut, 0);
      return false;
    }
    await spreadOut(signOut);
    await store.revocations.completeSignOut(signOut);
    log.info({ signOut: signOut.id, scope: signOut.scope.kind }, 'sign-out.fanned-out');
    return true;
  };

  /** Takes each pending Sign-out once. */
  const spreadEach = async (): Promise<{ readonly spread: number; readonly fault: unknown }> => {
    const outcome: { spread: number; fault: unknown } = { spread: 0, fault: undefined };
    const taken = new Set<string>();
    const working = new Set<Promise<void>>();
    /** The last of each person's: what one has ended, the next finds ended, and nobody is told of it twice. */
    const last = new Map<string, Promise<void>>();
    let ofMany: Promise<void> = Promise.resolve();
    const attempt = async (signOut: SignOutRecord): Promise<void> => {
      if (stopping.signal.aborted) return;
      try {
        if (await spread(signOut)) outcome.spread += 1;
      } catch (err) {
        // One that cannot be spread must not keep the others waiting; the poll comes back to it.
        log.warn({ err, signOut: signOut.id }, 'sign-out.not-spread');
        outcome.fault = err;
      }
    };
    try {
      while (!stopping.signal.aborted) {
        // What is taken and not spread is still in front: another process is at it, or it cannot be spread now.
        const pending = await store.revocations.pendingSignOuts(PENDING + taken.size - outcome.spread);
        const others = pending.filter(({ id }) => !taken.has(id));
        if (others.length === 0) break;
        for (const signOut of others) {
          taken.add(signOut.id);
          if (!isOfOne(signOut)) {
            ofMany = ofMany.then(() => attempt(signOut));
            continue;
          }
          const { accountId } = signOut.scope;
          const work = (last.get(accountId) ?? Promise.resolve())
            .then(() => attempt(signOut))
            .finally(() => {
              working.delete(work);
              if (last.get(accountId) === work) last.delete(accountId);
            });
          last.set(accountId, work);
          working.add(work);
          if (working.size >= AT_ONCE) await Promise.race(working);
        }
      }
    } finally {
      // Whoever waits for this waits for all that was begun, though the store has gone away in between.
      await Promise.all([...working, ofMany]);
    }
    return outcome;
  };

  const run = async (): Promise<void> => {
    let fault: unknown;
    do {
      again = false;
      const outcome = await spreadEach();
      if (outcome.spread > 0) again = true;
      fault ??= outcome.fault;
    } while (again && !stopping.signal.aborted);
    if (fault !== undefined) throw fault;
  };

  const runUntilIdle = (): Promise<void> => {
    again = true;
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
  // In a turn of its own: whoever has just signed out is answered before the first batch is read.
  const wake = (): void => {
    if (stopping.signal.aborted || woken !== undefined) return;
    woken = clock.setTimer(0, () => {
      woken = undefined;
      runUntilIdle().catch((err: unknown) => log.error({ err }, 'sign-out.fan-out-failed'));
    });
  };

  return {
    runUntilIdle,
    wake,
    start() {
      wake();
      poll = clock.every(POLL_MS, wake, { background: true });
    },
    async stop() {
      stopping.abort();
      poll?.cancel();
      woken?.cancel();
      await running?.catch(() => undefined);
    },
    async foresee(scope) {
      const raises = raisedBy(scope);
      const { [raises]: epochBefore = 0 } = await store.revocations.epochs([raises]);
      const record = {
        id: '',
        scope,
        reason: '',
        actor: { kind: 'operator' },
        at: clock.now(),
        status: 'pending',
      } as const;
      const imagined: SignOutRecord = { ...record, epochBefore, spared: {} };
      const clients = new Map<string, Tellable>();
      const ids = new Set<string>();
      for (let after: string | undefined; ;) {
        const sessions = await store.revocations.sessionsToEnd(imagined, { after, limit: BATCH });
        if (sessions.length === 0) return ids.size;
        for (const { id } of await owed(imagined, sessions, clients)) ids.add(id);
        after = sessions.at(-1)?.grantId;
      }
    },
  };
}

function isOfOne(signOut: SignOutRecord): signOut is SignOutRecord & { scope: { readonly accountId: string } } {
  return 'accountId' in signOut.scope;
}

/** Whether a Client Session ends with this Sign-out, or is only told of it (offline access outlives its browser). */
function endsWith(signOut: SignOutRecord): (session: ClientSessionRecord) => boolean {
  return (session) => signOut.scope.kind !== 'browser' || !session.persistent;
}

/**
 * The Delivery a Client Session is owed. A Client that requires `sid` gets one token for each; any other gets a single
 * token with `sub` alone, which means all of that person's sessions. Where the Sign-out spares something, that would end
 * what was spared: then each ended session is named by its `sid`.
 */
function deliveryFor(
  signOut: SignOutRecord,
  { accountId, clientId, sid }: ClientSessionRecord,
  client: NonNullable<Tellable>,
  now: Date,
  deadlineHours: number,
): DeliveryRecord {
  const named = client.sessionRequired || sparesSomething(signOut) ? sid : null;
  return {
    id: deliveryId(signOut.id, accountId, clientId, named),
    signOutId: signOut.id,
    accountId,
    clientId,
    sid: named,
    status: 'pending',
    attempts: 0,
    refusals: 0,
    nextAttemptAt: now,
    lastAttemptAt: null,
    lastOutcome: null,
    createdAt: now,
    deadlineAt: addSeconds(now, deadlineHours * 3600),
  };
}

function sparesSomething({ scope }: SignOutRecord): boolean {
  switch (scope.kind) {
    case 'everyone':
    case 'client':
    case 'account':
      return false;
    case 'connection':
    case 'identity':
    case 'upstream':
    case 'account-except':
    case 'device':
    case 'browser':
      return true;
  }
}

/** Derived, so that a fan-out repeated after a crash names the same Deliveries; with the account, so that two do not collide. */
export function deliveryId(signOutId: string, accountId: string, clientId: string, sid: string | null): string {
  return createHash('sha256')
    .update(JSON.stringify([signOutId, accountId, clientId, sid]))
    .digest('base64url')
    .slice(0, 32);
}
