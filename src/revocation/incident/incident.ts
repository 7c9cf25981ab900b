/**
 * An Incident: an operator's containment of a breach, as it is kept, read and changed.
 *
 * Purpose: one record says whom it is about, what is done about it and how far that has come, so that whoever is cut off
 * while doing it can be followed by anybody. Invariant: the record changes by compare-and-set, and every change names the
 * run that made it: of two runs at once the earlier one finds that it was overtaken, and stops. It refuses to know how a
 * step is carried out.
 */
import { createHash } from 'node:crypto';

import { randomId } from '../../platform/random.ts';
import type { Conditions } from '../../store/cohorts.ts';
import type { IncidentRecord, IncidentRepository } from '../../store/incidents.ts';
import type { Actor } from '../../store/records.ts';

/** Which Accounts. Without conditions and list: everyone. */
export type Cohort = {
  readonly conditions: Conditions;
  /** How many were listed one by one; null when none were. */
  readonly listed: number | null;
};

/** What is done to them, and to the keys of the house. Access is ended always. */
export type Actions = {
  readonly requirePasswordReset: boolean;
  readonly disable: boolean;
  readonly notify: boolean;
  readonly rotateSigningKeys: boolean;
  readonly rotateSealingKeys: boolean;
  /** Where new secrets of Clients are written; null: they keep theirs. */
  readonly clientSecretsFile: string | null;
};

/** Null: as fast as it goes. */
export type Pace = { readonly accountsPerSecond: number | null; readonly mailsPerMinute: number | null };

/** In the order in which they are taken. */
const STEPS = ['end-access', 'contain', 'check', 'signing-keys', 'client-secrets', 'sealing-keys', 'notify'] as const;
export type StepName = (typeof STEPS)[number];

export type Step = {
  readonly name: StepName;
  readonly status: 'waiting' | 'running' | 'done';
  /** Where it goes on: the last account id, or Client id, that is done. */
  readonly cursor: string | null;
  readonly done: number;
  /** Those that needed nothing, or were gone. */
  readonly skipped: number;
  readonly failed: number;
  readonly total: number;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
};

export type Failure = { readonly accountId: string; readonly step: StepName; readonly why: FailureReason };
export type FailureReason = 'deleted-meanwhile' | 'no-address' | 'disabled' | 'not-contained';

export type Sample = { readonly step: StepName; readonly at: Date; readonly done: number };

export type IncidentState = {
  readonly reason: string;
  readonly actor: Actor;
  readonly cohort: Cohort;
  readonly actions: Actions;
  readonly pace: Pace;
  /** How many Accounts it is about. */
  readonly total: number;
  readonly steps: readonly Step[];
  /** The first few; how many there are is in the steps. */
  readonly failures: readonly Failure[];
  readonly samples: readonly Sample[];
  /** What an independent look at the Accounts found. */
  readonly check: { readonly at: Date; readonly lookedAt: number; readonly missed: number } | null;
  /** What nobody but a person can do. */
  readonly byHand: readonly string[];
  readonly finishedAt: Date | null;
  /** Which run is at it, and when it last said so. */
  readonly run: string | null;
  readonly beatAt: Date | null;
};

export type Incident = IncidentState & { readonly id: string; readonly openedAt: Date; readonly revision: number };

export type IncidentStatus = 'open' | 'running' | 'interrupted' | 'done';

/** A run that has not said anything for so long is gone. */
const SILENCE_MS = 60_000;
const MOST_FAILURES = 500;
const MOST_SAMPLES = 240;

export function statusOf({ finishedAt, run, beatAt }: IncidentState, now: Date): IncidentStatus {
  if (finishedAt !== null) return 'done';
  if (run === null || beatAt === null) return beatAt === null ? 'open' : 'interrupted';
  return now.getTime() - beatAt.getTime() < SILENCE_MS ? 'running' : 'interrupted';
}

export const isEveryone = ({ conditions, listed }: Cohort): boolean =>
  listed === null && Object.values(conditions).every((each) => each === undefined);

/**
 * Whether its Accounts are settled when it is opened: what it does, and whoever signs in meanwhile, changes who would
 * match. Whoever is in by the instant of being created alone stays so.
 */
export const isSettledBefore = ({ conditions, listed }: Cohort): boolean => {
  const { createdBefore: _before, createdAfter: _after, ...changing } = conditions;
  return listed !== null || Object.values(changing).some((each) => each !== undefined);
};

/** Letters, digits and `_`: ids of what belongs to it begin with this one and `-`. */
export const newIncidentId = (): string => `inc_${Buffer.from(randomId(), 'base64url').toString('hex').slice(0, 20)}`;

/** The Sign-out of everyone by this incident. */
export const everyoneSignOutId = (incidentId: string): string => `${incidentId}-everyone`;

/** The Sign-out of one Account by this incident: the same however often it is asked for. */
export function signOutIdOf(incidentId: string, accountId: string): string {
  const digest = createHash('sha256').update(`${incidentId}\n${accountId}`).digest('base64url');
  return `${incidentId}-${digest.slice(0, 22)}`;
}

/** The steps that these actions need. */
export function plannedSteps(
  { conditions, listed }: Cohort,
  actions: Actions,
  totals: { readonly accounts: number; readonly clients: number },
): readonly Step[] {
  const everyone = isEveryone({ conditions, listed });
  const { requirePasswordReset, disable, notify, rotateSigningKeys, rotateSealingKeys, clientSecretsFile } = actions;
  const wanted: { readonly [name in StepName]: boolean } = {
    'end-access': everyone,
    contain: !everyone || requirePasswordReset || disable,
    check: true,
    'signing-keys': rotateSigningKeys,
    'client-secrets': clientSecretsFile !== null,
    'sealing-keys': rotateSealingKeys,
    notify,
  };
  const totalOf = (name: StepName): number =>
    name === 'client-secrets' ? totals.clients : /keys|access/.test(name) ? 0 : totals.accounts;
  return STEPS.filter((name) => wanted[name]).map((name) => ({
    name,
    status: 'waiting',
    cursor: null,
    done: 0,
    skipped: 0,
    failed: 0,
    total: totalOf(name),
    startedAt: null,
    finishedAt: null,
  }));
}

const stepOf = ({ steps }: IncidentState, name: StepName): Step | undefined => steps.find((step) => step.name === name);

export const withStep = <State extends IncidentState>(
  incident: State,
  name: StepName,
  change: Partial<Step>,
): State => ({
  ...incident,
  steps: incident.steps.map((step) => (step.name === name ? { ...step, ...change } : step)),
});

export const withFailures = <State extends IncidentState>(incident: State, failures: readonly Failure[]): State => ({
  ...incident,
  failures: [...incident.failures, ...failures].slice(0, MOST_FAILURES),
});

/** One more point of the curve. Once there are too many, every other one goes: it keeps its shape, however long it gets. */
export function withSample<State extends IncidentState>(incident: State, sample: Sample): State {
  const samples = [...incident.samples, sample];
  const thinned = samples.length > MOST_SAMPLES ? samples.filter((_, nth) => nth % 2 === 0) : samples;
  return { ...incident, samples: thinned };
}

/** Containing is counted once: for everyone without a walk it is done with the one write. */
export function accountsDone(incident: IncidentState): {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
} {
  const contain = stepOf(incident, 'contain');
  if (contain !== undefined) return { done: contain.done, failed: contain.failed, skipped: contain.skipped };
  const ended = stepOf(incident, 'end-access')?.status === 'done';
  return { done: ended ? incident.total : 0, failed: 0, skipped: 0 };
}

export type Incidents = ReturnType<typeof createIncidents>;

export function createIncidents(store: IncidentRepository) {
  return {
    /** False when there is one of this id. */
    open: (id: string, openedAt: Date, state: IncidentState): Promise<boolean> =>
      store.open({ id, openedAt, state: JSON.stringify(state) }),
    async find(id: string): Promise<Incident | null> {
      const record = await store.find(id);
      return record === null ? null : opened(record);
    },
    /** Newest first. */
    list: async (limit: number): Promise<readonly Incident[]> => (await store.list(limit)).map(opened),
    /** The incident as it stands after the change; null when another has changed it since. */
    async change(incident: Incident): Promise<Incident | null> {
      const { id, openedAt: _openedAt, revision, ...state } = incident;
      const changed = await store.change({ id, revision, state: JSON.stringify(state) });
      return changed ? { ...incident, revision: revision + 1 } : null;
    },
  };
}

function opened({ id, openedAt, state, revision }: IncidentRecord): Incident {
  const parsed = JSON.parse(state, (name, value: unknown) =>
    typeof value === 'string' && /^at$|(At|Before|After)$/.test(name) ? new Date(value) : value,
  ) as IncidentState;
  return { ...parsed, id, openedAt, revision };
}
