/** An incident as people and programs read it. */
import { accountsDone, type Core, incidentStatus, isEveryone } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { factLines } from '../terminal/table.ts';
import { counted, harmless } from '../terminal/text.ts';
import { instant } from './arguments.ts';

export type Incident = NonNullable<Awaited<ReturnType<Core['incidents']['find']>>>;
export type IncidentProgress = Awaited<ReturnType<Core['store']['incidents']['progress']>>;
type Cohort = Incident['cohort'];

const STEP_WORDS: Readonly<Record<Incident['steps'][number]['name'], string>> = {
  'end-access': 'End the access of everyone',
  contain: 'Contain accounts',
  check: 'Check accounts',
  'signing-keys': 'Rotate signing keys',
  'client-secrets': 'Replace client secrets',
  'sealing-keys': 'Seal the store anew',
  notify: 'Queue mails',
};

export const stepWords = (name: Incident['steps'][number]['name']): string => STEP_WORDS[name];

/** `everyone`, or who exactly. */
export function describeCohort(cohort: Cohort): string {
  if (isEveryone(cohort)) return 'everyone';
  const { connectionId, clientId, createdBefore, createdAfter, signedInBefore, signedInAfter } = cohort.conditions;
  const named: readonly [string, string | undefined][] = [
    ['signs in through', connectionId],
    ['is signed in at', clientId],
    ['was created before', createdBefore && instant(createdBefore)],
    ['was created after', createdAfter && instant(createdAfter)],
    ['did not sign in since', signedInBefore && instant(signedInBefore)],
    ['signed in after', signedInAfter && instant(signedInAfter)],
  ];
  const parts = named.flatMap(([words, value]) => (value === undefined ? [] : [`${words} ${value}`]));
  const listed = cohort.listed === null ? [] : [`is on a list of ${cohort.listed}`];
  return `whoever ${[...listed, ...parts].join(' and ')}`;
}

export const conditionsJson = (cohort: Cohort) => {
  const { conditions, listed } = cohort;
  return {
    everyone: isEveryone(cohort),
    listed,
    connection: conditions.connectionId ?? null,
    client: conditions.clientId ?? null,
    createdBefore: conditions.createdBefore?.toISOString() ?? null,
    createdAfter: conditions.createdAfter?.toISOString() ?? null,
    signedInBefore: conditions.signedInBefore?.toISOString() ?? null,
    signedInAfter: conditions.signedInAfter?.toISOString() ?? null,
  };
};

/** `progress` null: not asked for, as in lists. */
export function incidentJson({ clock }: Pick<Core, 'clock'>, incident: Incident, progress: IncidentProgress | null) {
  const { id, reason, openedAt, finishedAt, cohort, actions, pace, total, steps, check, byHand } = incident;
  return {
    id,
    status: incidentStatus(incident, clock.now()),
    cohort: conditionsJson(cohort),
    total,
    ...accountsDone(incident),
    reason,
    openedAt: openedAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
    dryRun: false,
    actions,
    pace,
    steps: steps.map(({ cursor: _cursor, startedAt, finishedAt: ended, ...step }) => ({
      ...step,
      startedAt: startedAt?.toISOString() ?? null,
      finishedAt: ended?.toISOString() ?? null,
    })),
    check: check === null ? null : { ...check, at: check.at.toISOString() },
    byHand,
    ...(progress === null
      ? {}
      : { spreading: progress.spreading, deliveries: progress.deliveries, mails: progress.mails }),
  };
}

export function incidentLines(core: Pick<Core, 'clock'>, incident: Incident, progress: IncidentProgress): string[] {
  const { id, reason, openedAt, cohort, total, steps, check, byHand } = incident;
  const { done, skipped, failed } = accountsDone(incident);
  const { deliveries, mails, spreading } = progress;
  const mailed = mails.pending + mails.sent + mails.rejected + mails.abandoned;
  return [
    ...factLines([
      ['incident', id],
      ['status', incidentStatus(incident, core.clock.now())],
      ['opened', instant(openedAt)],
      ['reason', reason],
      ['whom', describeCohort(cohort)],
      ['accounts', [`${done} of ${total} contained`, ...named({ skipped, failed })].join(', ')],
      ...steps.map(({ name, status, done: came, total: all }): [string, string] => [
        stepWords(name).toLowerCase(),
        status === 'done' ? 'done' : status === 'waiting' ? 'not yet' : all === 0 ? 'at it' : `${came} of ${all}`,
      ]),
      [
        'apps',
        [
          `${deliveries.delivered} told`,
          ...named({
            'still to be told': deliveries.pending,
            refused: deliveries.rejected,
            'given up on': deliveries.abandoned,
          }),
          ...(spreading === 0 ? [] : [`${counted(spreading, 'sign-out')} not spread yet`]),
        ].join(', '),
      ],
      ...(mailed === 0
        ? []
        : ([
            [
              'mails',
              [
                `${mails.sent} sent`,
                ...named({ queued: mails.pending, refused: mails.rejected, 'given up on': mails.abandoned }),
              ].join(', '),
            ],
          ] as [string, string][])),
      ...(check === null
        ? []
        : ([['checked', `${counted(check.lookedAt, 'account')} looked at, ${check.missed} missed`]] as [
            string,
            string,
          ][])),
    ]),
    ...(byHand.length === 0 ? [] : ['Left to do by hand:', ...byHand.map((each) => `  ${harmless(each)}`)]),
  ];
}

const named = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts).flatMap(([words, count]) => (count === 0 ? [] : [`${count} ${words}`]));

/** 1 where an account was not contained, 3 where apps are still to be told. */
export function exitCodeOf(incident: Incident, { deliveries, spreading }: IncidentProgress): ExitCode {
  const missed = accountsDone(incident).failed + (incident.check?.missed ?? 0);
  if (missed > 0) return 1;
  return spreading > 0 || deliveries.pending > 0 ? 3 : 0;
}

/** Roughly: `40 seconds`, `12 minutes`, `3 hours`. */
export function describeDuration(seconds: number): string {
  if (seconds < 100) return counted(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 6000) return counted(Math.round(seconds / 60), 'minute');
  return counted(Math.round(seconds / 3600), 'hour');
}
