/**
 * As telling.ts, for very many Sign-outs at once: each is durable before anything here begins, and what is left untold is
 * told by the next server or command that runs. What is counted is counted Sign-out by Sign-out, so nobody else's is.
 */
import { setTimeout as pause } from 'node:timers/promises';

import { StoreUnavailable } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { atOnce } from './at-once.ts';
import type { House } from './house.ts';

const LOOK_EVERY_MS = 50;
/** Looked at in one go: few enough that the end of the wait is noticed. */
const LOOKED_AT = 256;
const READ_AT_ONCE = 32;

type Counts = Record<'pending' | 'delivered' | 'rejected' | 'abandoned', number>;

export type ToldMany = {
  readonly exitCode: ExitCode;
  /** Null when the store could not say. */
  readonly deliveries: Counts | null;
};

/** Fans the Sign-outs out and delivers for up to `waitSeconds`; 0 leaves delivering to others. */
export async function tellOfMany(house: House, ids: readonly string[], waitSeconds: number): Promise<ToldMany> {
  const { core, terminal, interrupts } = house;
  if (ids.length === 0) return { exitCode: 0, deliveries: { pending: 0, delivered: 0, rejected: 0, abandoned: 0 } };
  try {
    const interrupted = await interrupts.hold(async (signal) => {
      await work(house, ids, waitSeconds, signal);
      if (!signal.aborted) await core.deliveries.stop();
      return signal.aborted;
    });
    const { deliveries, unfinished } = await countOf(core.store, ids);
    if (interrupted) terminal.note('Interrupted. Access has ended all the same; who is not told yet will be.');
    else if (unfinished > 0) {
      const whom = counted(deliveries.pending, 'notice');
      terminal.note(
        `Access has ended. ${whom} still to be delivered: a running server does it; without one, \`curfew delivery retry\` tries again.`,
      );
    }
    return { exitCode: interrupted ? 130 : unfinished > 0 ? 3 : 0, deliveries };
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    terminal.note('Access has ended, but the store cannot be read to say who was told.');
    return { exitCode: 3, deliveries: null };
  } finally {
    terminal.progress(null);
  }
}

/** Those at the front are looked at, and go to the back while somebody is still to be told. */
async function work(
  { core: { fanOut, deliveries, store }, terminal }: House,
  ids: readonly string[],
  waitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  let fanningOut = true;
  // Were it to fail, the Sign-outs are kept as pending: the next process that runs goes on with them.
  const spread = (): void => void (fanningOut = false);
  void fanOut.runUntilIdle().then(spread, spread);
  if (waitSeconds > 0) deliveries.start();
  const deadline = performance.now() + waitSeconds * 1000;
  const open = [...ids];
  while (!signal.aborted && open.length > 0) {
    terminal.progress({ doing: 'Telling apps', done: ids.length - open.length, total: ids.length, unit: 'sign-outs' });
    const looked = open.splice(0, LOOKED_AT);
    const told = await atOnce(looked, { most: READ_AT_ONCE, signal }, (id) => isTold(store, id));
    open.push(...looked.filter((_, at) => told[at] !== true));
    if (!fanningOut && performance.now() >= deadline) return;
    if (!told.includes(true)) await pause(LOOK_EVERY_MS);
  }
}

async function isTold({ revocations, deliveries }: House['core']['store'], signOutId: string): Promise<boolean> {
  // In this order: once it is complete, no more Deliveries are written.
  const signOut = await revocations.findSignOut(signOutId);
  return signOut?.status === 'complete' && (await deliveries.counts({ signOutId })).pending === 0;
}

async function countOf(
  store: House['core']['store'],
  ids: readonly string[],
): Promise<{ readonly deliveries: Counts; readonly unfinished: number }> {
  const deliveries: Counts = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };
  let unfinished = 0;
  await atOnce(ids, { most: READ_AT_ONCE }, async (signOutId) => {
    const signOut = await store.revocations.findSignOut(signOutId);
    const counts = await store.deliveries.counts({ signOutId });
    for (const status of Object.keys(deliveries) as (keyof Counts)[]) deliveries[status] += counts[status];
    if (signOut?.status !== 'complete' || counts.pending > 0) unfinished += 1;
  });
  return { deliveries, unfinished };
}
