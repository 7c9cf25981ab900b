/**
 * What became of an incident, as one file that is kept, sent on and printed: for operators, auditors and lawyers.
 *
 * Invariant: the file holds everything it shows. Nothing is loaded, nothing runs, and every text somebody wrote is escaped. It
 * refuses to know the store and the clock: the model is finished, and the file says no more than it does. In English, as
 * everything is that operators read; all times in UTC.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ejs from 'ejs';

import { areaChart, type AreaChart, thinned } from './incident-charts.ts';

export type IncidentReport = {
  readonly id: string;
  readonly reason: string;
  readonly actor: string;
  readonly openedAt: Date;
  readonly finishedAt: Date | null;
  readonly status: 'open' | 'running' | 'interrupted' | 'done';
  /** Whom it is about, in words. */
  readonly cohort: string;
  readonly accounts: {
    readonly total: number;
    readonly done: number;
    readonly failed: number;
    readonly skipped: number;
  };
  readonly steps: readonly {
    readonly name: string;
    /** What it does, as a line begins: `End access`. */
    readonly words: string;
    readonly status: 'waiting' | 'running' | 'done';
    readonly startedAt: Date | null;
    readonly finishedAt: Date | null;
    readonly done: number;
    /** 0 where the step is one act, and counts nothing. */
    readonly total: number;
    readonly failed: number;
  }[];
  /** How many each step had done, as time went by. */
  readonly samples: readonly { readonly step: string; readonly at: Date; readonly done: number }[];
  readonly deliveries: Outcomes;
  readonly clients: readonly (Outcomes & {
    readonly id: string;
    readonly name: string;
    /** Sign-ins that were ended at it; null where nobody counted. */
    readonly sessions: number | null;
    /** Whether it can be told at all. */
    readonly endpoint: boolean;
  })[];
  /** Null where nobody was written to. */
  readonly mails: {
    readonly pending: number;
    readonly sent: number;
    readonly rejected: number;
    readonly abandoned: number;
  } | null;
  /** What went out in the span of time that begins at `at`. */
  readonly timeline: {
    readonly deliveries: readonly { readonly at: Date; readonly count: number }[];
    readonly mails: readonly { readonly at: Date; readonly count: number }[];
  };
  readonly byHand: readonly string[];
  /** The first of them; how many there are, the steps say. */
  readonly failures: readonly { readonly accountId: string; readonly why: string }[];
  readonly check: { readonly at: Date; readonly lookedAt: number; readonly missed: number } | null;
  /** Where the record stood when the report was made. */
  readonly record: { readonly seq: number; readonly hash: string; readonly at: Date } | null;
};

type Outcomes = {
  readonly pending: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly abandoned: number;
};

const TEMPLATE = fileURLToPath(new URL('../../views/operator/incident-report.ejs', import.meta.url));
/** In the open; the rest is folded away. */
const CLIENTS_SHOWN = 25;
const FAILURES_SHOWN = 25;

/** The report as a complete HTML document. */
export function renderIncidentReport(report: IncidentReport): string {
  const source = readFileSync(TEMPLATE, 'utf8');
  return ejs.render(source, viewOf(report), { filename: TEMPLATE, strict: true, localsName: 'view' });
}

function viewOf(report: IncidentReport) {
  const { accounts, mails, deliveries, clients, failures, steps } = report;
  const owed = sum(deliveries);
  const rows = clients.map(clientRow).toSorted((a, b) => b.trouble - a.trouble || b.owed - a.owed);
  const failed = steps.reduce((total, step) => total + step.failed, 0);
  return {
    id: report.id,
    reason: report.reason,
    actor: report.actor,
    status: STATUS[report.status],
    openedAt: when(report.openedAt),
    finishedAt: report.finishedAt && when(report.finishedAt),
    took: report.finishedAt && duration(report.openedAt, report.finishedAt),
    cohort: report.cohort,
    figures: [
      {
        name: 'accounts contained',
        value: number(accounts.done),
        of: number(accounts.total),
        whole: accounts.done === accounts.total,
      },
      {
        name: 'notices heard by apps',
        value: number(deliveries.delivered),
        of: number(owed),
        whole: deliveries.delivered === owed,
      },
      ...(mails === null
        ? []
        : [
            {
              name: 'people written to',
              value: number(mails.sent),
              of: number(sum(mails)),
              whole: mails.sent === sum(mails),
            },
          ]),
    ],
    accounts: [
      ['Accounts', number(accounts.total)],
      ['Contained', number(accounts.done)],
      ['Needed nothing, or were gone', number(accounts.skipped)],
      ['Failed', number(accounts.failed)],
    ],
    steps: steps.map((step) => ({
      words: step.words,
      status: STEP_STATUS[step.status],
      startedAt: step.startedAt && when(step.startedAt),
      finishedAt: step.finishedAt && when(step.finishedAt),
      took: step.startedAt && step.finishedAt && duration(step.startedAt, step.finishedAt),
      done: step.total === 0 ? null : `${number(step.done)} of ${number(step.total)}`,
      failed: number(step.failed),
    })),
    containment: chartOfContainment(report),
    told: chartOf(report, 'deliveries', 'Notices heard by apps', 'notices'),
    written: mails === null ? null : chartOf(report, 'mails', 'Mails sent', 'mails'),
    kinds: OUTCOMES.map(({ kind, word }) => ({ kind, word, count: number(deliveries[kind]) })),
    clients: rows.slice(0, CLIENTS_SHOWN),
    moreClients: rows.slice(CLIENTS_SHOWN),
    mails: mails && [
      ['Sent', number(mails.sent)],
      ['Waiting to be sent', number(mails.pending)],
      ['Refused by a mail server', number(mails.rejected)],
      ['Given up on', number(mails.abandoned)],
    ],
    byHand: byHandOf(report),
    failures: failures.slice(0, FAILURES_SHOWN),
    moreFailures: failures.slice(FAILURES_SHOWN),
    failuresNotListed: failed > failures.length ? number(failed - failures.length) : null,
    check: report.check && {
      at: when(report.check.at),
      lookedAt: number(report.check.lookedAt),
      missed: number(report.check.missed),
      good: report.check.missed === 0,
    },
    record: report.record && { ...report.record, seq: String(report.record.seq), at: when(report.record.at) },
  };
}

const STATUS = {
  open: { word: 'Open, not begun', tone: 'warn' },
  running: { word: 'Under way', tone: 'info' },
  interrupted: { word: 'Interrupted', tone: 'bad' },
  done: { word: 'Done', tone: 'good' },
} as const;

const STEP_STATUS = { waiting: 'to be done', running: 'under way', done: 'done' } as const;

const OUTCOMES = [
  { kind: 'delivered', word: 'Told' },
  { kind: 'pending', word: 'Still trying' },
  { kind: 'rejected', word: 'Refused' },
  { kind: 'abandoned', word: 'Unreachable' },
] as const;

function clientRow(client: IncidentReport['clients'][number]) {
  const owed = sum(client);
  let begin = 0;
  const bar = OUTCOMES.flatMap(({ kind }) => {
    const width = owed === 0 ? 0 : (client[kind] / owed) * 100;
    const part = { kind, x: begin.toFixed(2), width: width.toFixed(2) };
    begin += width;
    return width === 0 ? [] : [part];
  });
  return {
    id: client.id,
    name: client.name,
    sessions: client.sessions === null ? null : number(client.sessions),
    endpoint: client.endpoint,
    counts: OUTCOMES.map(({ kind, word }) => ({ word, count: number(client[kind]), none: client[kind] === 0 })),
    bar,
    owed,
    trouble: client.rejected + client.abandoned + client.pending,
  };
}

/** What the figures say is left to do, and what whoever made the model knows beside. */
function byHandOf({ clients, mails, byHand }: IncidentReport): string[] {
  const unheard = clients.filter(({ rejected, abandoned }) => rejected + abandoned > 0);
  const without = clients.filter(({ endpoint, sessions }) => !endpoint && sessions !== 0);
  const unsent = mails === null ? 0 : mails.rejected + mails.abandoned;
  return [
    ...(unheard.length === 0
      ? []
      : [`End sign-ins by hand at apps that refused a notice or could not be reached: ${named(unheard)}.`]),
    ...(without.length === 0
      ? []
      : [`Apps without a logout address notice at their next request to us, and no sooner: ${named(without)}.`]),
    ...(unsent === 0 ? [] : [`Reach people whose mail did not arrive another way: ${number(unsent)}.`]),
    ...byHand,
  ];
}

const NAMED = 10;

function named(clients: readonly { readonly name: string; readonly id: string }[]): string {
  const names = clients.slice(0, NAMED).map(({ name, id }) => name || id);
  const more = clients.length - names.length;
  return more === 0 ? names.join(', ') : `${names.join(', ')} and ${number(more)} more`;
}

function chartOfContainment({ openedAt, samples, steps, accounts }: IncidentReport): AreaChart | null {
  const name = steps.some((step) => step.name === 'contain') ? 'contain' : 'end-access';
  const step = steps.find((each) => each.name === name);
  if (step === undefined || step.startedAt === null) return null;
  const points = samples.filter((sample) => sample.step === name).map(({ at, done }) => ({ at, value: done }));
  if (step.finishedAt !== null) {
    points.push({ at: step.finishedAt, value: step.total === 0 ? accounts.done : step.done });
  }
  const from = step.startedAt < openedAt ? openedAt : step.startedAt;
  return areaChart({ title: 'Accounts contained', unit: 'accounts', from, points, most: accounts.total });
}

function chartOf(
  { openedAt, timeline }: IncidentReport,
  what: 'deliveries' | 'mails',
  title: string,
  unit: string,
): AreaChart | null {
  let value = 0;
  const points = timeline[what].map(({ at, count }) => ({ at, value: (value += count) }));
  return areaChart({ title, unit, from: openedAt, points: thinned(points, 400), most: value });
}

function sum(counts: { readonly [kind: string]: unknown }): number {
  return ['pending', 'delivered', 'sent', 'rejected', 'abandoned']
    .map((kind) => counts[kind])
    .filter((count) => typeof count === 'number')
    .reduce((total, count) => total + count, 0);
}

const numbers = new Intl.NumberFormat('en');
const number = (count: number): string => numbers.format(count);

/** `short` where it is said beside that it is UTC. */
function when(at: Date): { readonly iso: string; readonly text: string; readonly short: string } {
  const iso = at.toISOString();
  const short = `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
  return { iso, text: `${short} UTC`, short };
}

/** `3 min 12 s`, `2 h 5 min`, `less than a second`. */
export function duration(from: Date, to: Date): string {
  const seconds = Math.floor((to.getTime() - from.getTime()) / 1000);
  if (seconds < 1) return 'less than a second';
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  const parts = [
    [days, 'd'],
    [hours, 'h'],
    [minutes, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
