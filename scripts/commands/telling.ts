/**
 * After access has ended: telling Clients, from this very process, for as long as somebody wants to wait.
 *
 * The Sign-out is durable before anything here begins. Whatever happens in here, to the network, to the store or to this
 * process, takes nothing of it back, and what is left untold is told by the next server or command that runs.
 */
import { setTimeout as pause } from 'node:timers/promises';

import { readReceipt, receiptJson, StoreUnavailable } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import type { House } from './house.ts';

/** For commands whose purpose is something else: long enough for every Client that answers. */
export const USUAL_WAIT_SECONDS = 10;

const LOOK_EVERY_MS = 50;

export type Told = {
  readonly exitCode: ExitCode;
  /** As scripts read it; null when the store could not say. */
  readonly receipt: ReturnType<typeof receiptJson> | null;
};

/**
 * Fans a Sign-out out and delivers for up to `waitSeconds`; 0 leaves delivering to others. What the store
 * cannot say here is no failure.
 */
export async function tellClients(house: House, signOutId: string, waitSeconds: number): Promise<Told> {
  const { core, terminal, interrupts } = house;
  try {
    const interrupted = await interrupts.hold(async (signal) => {
      await work(house, signOutId, waitSeconds, signal);
      terminal.progress(null);
      if (!signal.aborted) await core.deliveries.stop();
      return signal.aborted;
    });
    const receipt = await readReceipt(core.store, signOutId);
    if (receipt === null) throw new StoreUnavailable('read what became of the sign-out');
    if (interrupted) terminal.note('Interrupted. Access has ended all the same; who is not told yet will be.');
    else if (!receipt.done) explainPending(house, receipt.deliveries.pending);
    const exitCode = interrupted ? 130 : receipt.done ? 0 : 3;
    const accounts = (await core.signOuts.accountsNamed(receipt.signOut.scope)) ?? receipt.accounts;
    return { exitCode, receipt: receiptJson({ ...receipt, accounts }, core.config.issuer) };
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    terminal.note(`Access has ended (sign-out ${signOutId}), but the store cannot be read to say who was told.`);
    return { exitCode: 3, receipt: null };
  }
}

/** What became of the Sign-out, for a person. */
export function receiptFacts(receipt: NonNullable<Told['receipt']>): [string, string][] {
  const { pending, delivered, rejected, abandoned } = receipt.deliveries;
  return [
    ['sign-out', receipt.id],
    ['scope', receipt.scope],
    ['reason', receipt.reason],
    ['access ended at', receipt.at],
    ['accounts', String(receipt.accounts)],
    ['apps', String(receipt.clients)],
    ['told', String(delivered)],
    ['still to be told', String(pending)],
    ...(rejected + abandoned === 0
      ? []
      : ([
          ['refused to listen', String(rejected)],
          ['given up on', String(abandoned)],
        ] as [string, string][])),
    ['receipt', receipt.url],
  ];
}

async function work(
  { core: { fanOut, deliveries, store }, terminal }: House,
  signOutId: string,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  let fanningOut = true;
  const fanned = fanOut.runUntilIdle().then(
    () => void (fanningOut = false),
    // The Sign-out is kept as pending: the next process that runs goes on with it.
    () => void (fanningOut = false),
  );
  if (waitSeconds > 0) deliveries.start();
  const deadline = performance.now() + waitSeconds * 1000;
  while (!signal.aborted) {
    await Promise.race([fanningOut ? fanned : undefined, pause(LOOK_EVERY_MS)].filter((each) => each !== undefined));
    const [counts, signOut] = await Promise.all([
      store.deliveries.counts({ signOutId }),
      store.revocations.findSignOut(signOutId),
    ]);
    const { pending, delivered, rejected, abandoned } = counts;
    const all = pending + delivered + rejected + abandoned;
    if (signOut?.status === 'complete' && pending === 0) return;
    if (!fanningOut && performance.now() >= deadline) return;
    if (fanningOut) terminal.progress({ doing: 'Finding out whom to tell', done: all, total: null, unit: 'notices' });
    else if (waitSeconds > 0) {
      terminal.progress({ doing: 'Telling apps', done: all - pending, total: all, unit: 'notices' });
    }
  }
}

function explainPending({ terminal }: House, pending: number): void {
  const whom = pending === 0 ? 'Apps are still to be told' : `${counted(pending, 'notice')} still to be delivered`;
  terminal.note(
    `Access has ended. ${whom}: a running server does it; without one, \`curfew delivery retry\` tries again.`,
  );
}
