/**
 * Carrying an incident out from here: its steps, then word to the apps, with everything that is going on told as it goes.
 */
import { setTimeout as pause } from 'node:timers/promises';

import { accountsDone } from '../../src/compose.ts';
import type { House } from './house.ts';
import { type Incident, type IncidentProgress, stepWords } from './incident-facts.ts';
import { USUAL_WAIT_SECONDS } from './telling.ts';

const LOOK_EVERY_MS = 200;

export type Carried = {
  readonly incident: Incident;
  readonly progress: IncidentProgress;
  readonly interrupted: boolean;
  /** Another process has taken it over. */
  readonly overtaken: boolean;
};

export async function carryOut(house: House, given: Incident, typed: number | undefined): Promise<Carried> {
  const { core, terminal, interrupts } = house;
  const waitSeconds = typed ?? (terminal.interactive ? USUAL_WAIT_SECONDS : 0);
  return interrupts.hold(async (signal) => {
    core.fanOut.start();
    let incident = given;
    if (given.finishedAt === null) {
      const { done } = accountsDone(given);
      if (done > 0) terminal.note(`Going on after ${done} of ${given.total} accounts.`);
      const carried = await core.incidents.carryOn(given, {
        signal,
        report: ({ step, done: came, total }) =>
          terminal.progress({
            doing: stepWords(step),
            done: came,
            total,
            unit: step === 'notify' ? 'mails' : 'accounts',
          }),
      });
      incident = carried.incident;
      if (carried.outcome !== 'done') {
        terminal.progress(null);
        const overtaken = carried.outcome === 'overtaken';
        return { incident, progress: await progressOf(house, incident), interrupted: !overtaken, overtaken };
      }
    }
    await tell(house, incident, waitSeconds, signal);
    terminal.progress(null);
    const progress = await progressOf(house, incident);
    return { incident, progress, interrupted: signal.aborted, overtaken: false };
  });
}

/** Until every notice is written, and then until all are delivered or it has taken long enough. */
async function tell(house: House, incident: Incident, waitSeconds: number, signal: AbortSignal): Promise<void> {
  const { core, terminal } = house;
  if (waitSeconds > 0) core.deliveries.start();
  let deadline = Infinity;
  while (!signal.aborted) {
    const { signOuts, spreading, deliveries } = await progressOf(house, incident);
    const { pending, delivered, rejected, abandoned } = deliveries;
    const all = pending + delivered + rejected + abandoned;
    if (spreading > 0) {
      terminal.progress({ doing: 'Finding out whom to tell', done: signOuts - spreading, total: signOuts });
    } else {
      if (deadline === Infinity) deadline = performance.now() + waitSeconds * 1000;
      if (pending === 0 || performance.now() >= deadline) break;
      terminal.progress({ doing: 'Telling apps', done: all - pending, total: all, unit: 'notices' });
    }
    await pause(LOOK_EVERY_MS);
  }
  if (waitSeconds > 0) await core.deliveries.stop();
}

const progressOf = ({ core }: House, { id }: Incident): Promise<IncidentProgress> => core.store.incidents.progress(id);
