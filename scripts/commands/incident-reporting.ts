/**
 * `curfew incident report`: everything that is known of an incident, put together from what is kept, for a person at the
 * terminal, a program, or a file that is handed on.
 */
import { type Core, incidentStatus, renderIncidentReport, accountsDone } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { replaceFile } from '../terminal/replace-file.ts';
import type { House } from './house.ts';
import { describeCohort, type Incident, stepWords } from './incident-facts.ts';
import { incidentReportJson, incidentReportLines } from './incident-report.ts';

type Report = Parameters<typeof renderIncidentReport>[0];
type Outcomes = Report['deliveries'];

/** As many points as a curve needs. */
const SPANS = 60;
const NOTHING: Outcomes = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };

const WHY: Readonly<Record<Incident['failures'][number]['why'], string>> = {
  'deleted-meanwhile': 'was deleted meanwhile',
  'no-address': 'has no mail address, and was not written to',
  disabled: 'was disabled before, and was not written to',
  'not-contained': 'is not contained',
};

export async function reportIncident(
  { core, terminal }: House,
  incident: Incident,
  { out }: { readonly out?: string },
): Promise<ExitCode> {
  const report = await reportOf(core, incident);
  if (out !== undefined) {
    replaceFile(out, renderIncidentReport(report));
    terminal.note(`The report is in ${out}.`);
  }
  terminal.printJson(incidentReportJson(report));
  if (out === undefined) terminal.print(...incidentReportLines(report, terminal));
  return 0;
}

async function reportOf(core: Core, incident: Incident): Promise<Report> {
  const { id, reason, openedAt, finishedAt, cohort, total, steps, samples, byHand, failures, check, actions } =
    incident;
  const now = core.clock.now();
  const seconds = Math.max(1, Math.ceil((now.getTime() - openedAt.getTime()) / 1000 / SPANS));
  const { incidents } = core.store;
  const [progress, head] = await Promise.all([incidents.progress(id), core.store.journal.head()]);
  return {
    id,
    reason,
    actor: 'an operator, at the command line',
    openedAt,
    finishedAt,
    status: incidentStatus(incident, now),
    cohort: describeCohort(cohort),
    accounts: { total, ...accountsDone(incident) },
    steps: steps.map((step) => ({ ...step, words: stepWords(step.name) })),
    samples,
    deliveries: progress.deliveries,
    clients: await clientsOf(core, id),
    mails: actions.notify ? progress.mails : null,
    timeline: await incidents.timeline(id, seconds),
    byHand,
    failures: failures.map(({ accountId, why }) => ({ accountId, why: WHY[why] })),
    check,
    record: head === null ? null : { ...head, at: now },
  };
}

/** Those that were owed a notice, and those that cannot be told. */
async function clientsOf(core: Core, id: string): Promise<Report['clients']> {
  const owed = new Map<string, { [status in keyof Outcomes]: number }>();
  for (const { clientId, status, count } of await core.store.incidents.deliveriesByClient(id)) {
    owed.set(clientId, { ...NOTHING, ...owed.get(clientId), [status]: count });
  }
  const listed = await core.clients.list();
  const mute = listed.filter(
    ({ metadata }) => metadata['backchannel_logout_uri'] === undefined && !owed.has(metadata.client_id),
  );
  const rows = [...owed].map(([clientId, outcomes]) => ({ clientId, outcomes, endpoint: true }));
  const silent = mute.map(({ metadata }) => ({ clientId: metadata.client_id, outcomes: NOTHING, endpoint: false }));
  return Promise.all(
    [...rows, ...silent].map(async ({ clientId, outcomes, endpoint }) => {
      const name = (await core.clients.lookUpFormer(clientId))?.metadata['client_name'];
      return { id: clientId, name: typeof name === 'string' ? name : clientId, ...outcomes, sessions: null, endpoint };
    }),
  );
}
