/**
 * Carrying an incident out, from wherever it stands to its end.
 *
 * Invariant: how far it has come is written down after each batch and never before; so a run that is killed anywhere costs
 * the next one a batch to repeat, which comes to the same. A run that is overtaken by another stops at its next batch. The
 * steps that end access come first, and whoever serves people on the same store gets a turn between any two batches.
 */
import { addMilliseconds, type Clock, sleep } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { randomId } from '../../platform/random.ts';
import { type Store, StoreUnavailable } from '../../store/port.ts';
import type { AccountRecord } from '../../store/records.ts';
import { type WalkPage, walk } from './cohort.ts';
import {
  type Incident,
  type Incidents,
  type Step,
  type StepName,
  withFailures,
  withSample,
  withStep,
} from './incident.ts';
import { addresseesOf, type BatchOutcome, checkPage, containPage, endAccessOfEveryone } from './steps.ts';

/** What it takes besides the store, from the rooms that own it. */
export type IncidentNeeds<Addressee extends { readonly id: string; readonly email: string }> = {
  readonly demandPasswords: (at: Date) => Promise<void>;
  readonly passwordsDemandedAt: () => Promise<Date | null>;
  readonly view: (record: AccountRecord) => Addressee;
  /** Null where no mail is configured. */
  readonly write:
    | ((
        incidentId: string,
        addressees: readonly Addressee[],
        about: { readonly at: Date; readonly reset: boolean; readonly locked: boolean },
      ) => Promise<void>)
    | null;
  /** Writes down that these Accounts were contained, each once however often it is asked for. */
  readonly recordContained: (incidentId: string, accountIds: readonly string[]) => Promise<void>;
  /** Writes down what a step came to. */
  readonly recordStep: (incident: Incident, step: Step) => Promise<void>;
  readonly rotateSigningKeys: () => Promise<void>;
  /** Seals everything anew. `finished`: it was not interrupted; `left`: values that did not open, and stay as they are. */
  readonly rotateSealingKeys: (rotating: {
    readonly signal: AbortSignal;
    readonly report: (progress: { readonly done: number; readonly total: number }) => void;
  }) => Promise<{ readonly finished: boolean; readonly left: number }>;
  /** Ids of Clients whose secrets can be replaced here, ascending. */
  readonly clientsWithSecrets: () => Promise<readonly string[]>;
  /** Writes the new secret to `file` before it is the one that counts. */
  readonly replaceClientSecret: (clientId: string, file: string) => Promise<void>;
};

export type RunProgress = { readonly step: StepName; readonly done: number; readonly total: number | null };
export type RunOutcome = 'done' | 'interrupted' | 'overtaken';

/** A batch is one lock of the embedded store, and as long as whoever serves people beside it waits at most. */
const CONTAIN_AT_ONCE = 250;
const CHECK_AT_ONCE = 1000;
const WRITE_AT_ONCE = 250;
const SAMPLE_EVERY_MS = 1000;
/** A store that cannot be reached for a moment is asked again, so often and so far apart. */
const PATIENCE = [500, 1000, 2000, 4000, 8000];

class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

export function createIncidentRun<Addressee extends { readonly id: string; readonly email: string }>({
  store,
  incidents,
  clock,
  log,
  needs,
  spread,
}: {
  readonly store: Store;
  readonly incidents: Incidents;
  readonly clock: Clock;
  readonly log: Log;
  readonly needs: IncidentNeeds<Addressee>;
  /** Told that Sign-outs were written. */
  readonly spread: () => void;
}) {
  type Run = { incident: Incident; readonly signal: AbortSignal; readonly report: (progress: RunProgress) => void };

  const save = async (run: Run, next: Incident): Promise<void> => {
    const saved = await incidents.change({ ...next, beatAt: clock.now() });
    run.incident = saved ?? (await ownWrite(next));
  };

  /** What was written, where it was this run and its answer was lost: nobody else writes in its name. */
  const ownWrite = async ({ id, run, revision }: Incident): Promise<Incident> => {
    const kept = await incidents.find(id);
    if (run === null || kept === null || kept.run !== run || kept.revision !== revision + 1) throw new Overtaken();
    return kept;
  };

  const patiently = async <Result>(run: Run, work: () => Promise<Result>): Promise<Result> => {
    for (const wait of PATIENCE) {
      try {
        return await work();
      } catch (fault) {
        if (!(fault instanceof StoreUnavailable) || run.signal.aborted) throw fault;
        log.warn({ err: fault, incident: run.incident.id }, 'incident.waits-for-store');
        await sleep(clock, wait, run.signal);
      }
    }
    return work();
  };

  /** Page by page to the end of the cohort. `perSecond` bounds how many Accounts are come by in a second. */
  const walkThrough = async (
    run: Run,
    name: StepName,
    { atOnce, perSecond }: { readonly atOnce: number; readonly perSecond: number | null },
    work: (page: WalkPage) => Promise<BatchOutcome>,
  ): Promise<boolean> => {
    const limit = perSecond === null ? atOnce : Math.max(1, Math.min(atOnce, Math.floor(perSecond / 4)));
    let mayGoOnAt = clock.now();
    let sampledAt = 0;
    while (!run.signal.aborted) {
      const begunAt = clock.now();
      const step = present(run.incident, name);
      const page = await patiently(run, () => walk(store, run.incident, { cursor: step.cursor, limit }));
      if (page.ids.length === 0) return true;
      const { done, skipped, failures } = await patiently(run, () => work(page));
      const now = clock.now();
      const came = {
        cursor: page.ids.at(-1) ?? null,
        done: step.done + done,
        skipped: step.skipped + skipped,
        failed: step.failed + failures.filter(({ why }) => why === 'not-contained').length,
      };
      const counted = withFailures(withStep(run.incident, name, came), failures);
      const sampled = now.getTime() - sampledAt >= SAMPLE_EVERY_MS;
      if (sampled) sampledAt = now.getTime();
      const next = sampled ? withSample(counted, { step: name, at: now, done: came.done }) : counted;
      await patiently(run, () => save(run, next));
      run.report({ step: name, done: came.done + came.skipped + came.failed, total: step.total });
      if (perSecond === null) {
        // As long as the batch took: half of the store's time belongs to those who serve.
        await sleep(clock, Math.min(250, now.getTime() - begunAt.getTime()), run.signal);
      } else {
        const from = mayGoOnAt > begunAt ? mayGoOnAt : begunAt;
        mayGoOnAt = addMilliseconds(from, (page.ids.length / perSecond) * 1000);
        await sleep(clock, mayGoOnAt.getTime() - clock.now().getTime(), run.signal);
      }
    }
    return false;
  };

  const replaceSecrets = async (run: Run, file: string): Promise<boolean> => {
    const clients = await needs.clientsWithSecrets();
    const { cursor } = present(run.incident, 'client-secrets');
    for (const clientId of clients.filter((id) => cursor === null || id > cursor)) {
      if (run.signal.aborted) return false;
      await needs.replaceClientSecret(clientId, file);
      const done = present(run.incident, 'client-secrets').done + 1;
      await save(run, withStep(run.incident, 'client-secrets', { cursor: clientId, done }));
      run.report({ step: 'client-secrets', done, total: clients.length });
    }
    return true;
  };

  /** Resolves to whether the step is at its end. */
  const carryOut = async (run: Run, name: StepName): Promise<boolean> => {
    const { actions, pace, openedAt, id } = run.incident;
    switch (name) {
      case 'end-access':
        await patiently(run, () =>
          endAccessOfEveryone(store, run.incident, { ...needs, now: clock.now, still: () => save(run, run.incident) }),
        );
        spread();
        return true;
      case 'contain':
        return walkThrough(run, name, { atOnce: CONTAIN_AT_ONCE, perSecond: pace.accountsPerSecond }, async (page) => {
          const outcome = await containPage(store, run.incident, page, clock.now());
          spread();
          await needs.recordContained(id, outcome.contained);
          return outcome;
        });
      case 'check': {
        const ended = await walkThrough(run, name, { atOnce: CHECK_AT_ONCE, perSecond: null }, (page) =>
          checkPage(store, run.incident, page),
        );
        if (!ended) return false;
        const { done, failed } = present(run.incident, name);
        const check = { at: clock.now(), lookedAt: done + failed, missed: failed };
        await save(run, { ...run.incident, check });
        return true;
      }
      case 'signing-keys':
        await needs.rotateSigningKeys();
        return true;
      case 'client-secrets':
        return actions.clientSecretsFile === null || replaceSecrets(run, actions.clientSecretsFile);
      case 'sealing-keys': {
        const report = (came: { readonly done: number; readonly total: number }): void =>
          run.report({ step: name, ...came });
        const { finished, left } = await needs.rotateSealingKeys({ signal: run.signal, report });
        if (left > 0) {
          const task = `${left} sealed values that do not open: \`curfew keyring list\` and \`curfew doctor\` say more`;
          await save(run, { ...run.incident, byHand: [...run.incident.byHand, task] });
        }
        return finished;
      }
      case 'notify': {
        const { write, view } = needs;
        if (write === null) return true;
        const perSecond = pace.mailsPerMinute === null ? null : pace.mailsPerMinute / 60;
        return walkThrough(run, name, { atOnce: WRITE_AT_ONCE, perSecond }, async (page) => {
          const { addressees, failures } = addresseesOf(run.incident, page, view);
          const about = { at: openedAt, reset: actions.requirePasswordReset, locked: actions.disable };
          await write(id, addressees, about);
          return { done: addressees.length, skipped: failures.length, failures };
        });
      }
    }
  };

  return {
    /** Goes on with it until its end, or until `signal` aborts. Throws StoreUnavailable when the store stays away. */
    async carryOn(
      given: Incident,
      { signal, report }: { readonly signal: AbortSignal; readonly report: (progress: RunProgress) => void },
    ): Promise<{ readonly outcome: RunOutcome; readonly incident: Incident }> {
      const run: Run = { incident: given, signal, report };
      try {
        await save(run, { ...given, run: randomId() });
        for (const { name, status } of given.steps) {
          if (status === 'done') continue;
          const { startedAt } = present(run.incident, name);
          await save(run, withStep(run.incident, name, { status: 'running', startedAt: startedAt ?? clock.now() }));
          if (!(await carryOut(run, name))) {
            await save(run, { ...run.incident, run: null });
            return { outcome: 'interrupted', incident: run.incident };
          }
          const finishedAt = clock.now();
          const ended = withStep(run.incident, name, { status: 'done', finishedAt });
          const { cursor, done } = present(ended, name);
          await save(run, cursor === null ? ended : withSample(ended, { step: name, at: finishedAt, done }));
          log.info({ incident: given.id, step: name }, 'incident.step-done');
          await needs.recordStep(run.incident, present(run.incident, name));
        }
        await save(run, { ...run.incident, finishedAt: clock.now(), run: null });
        return { outcome: 'done', incident: run.incident };
      } catch (fault) {
        if (fault instanceof Overtaken) return { outcome: 'overtaken', incident: run.incident };
        throw fault;
      }
    },
  };
}

function present({ steps }: Incident, name: StepName): Step {
  const step = steps.find((each) => each.name === name);
  if (step === undefined) throw new Error(`the incident has no step ${name}`);
  return step;
}
