/** What became of an incident, for a person at a terminal and for a program. The file to hand on is web's. */
import type { IncidentReport } from '../../src/compose.ts';
import { factLines, tableLines } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { counted, harmless } from '../terminal/text.ts';
import { instant } from './arguments.ts';

const CLIENTS_SHOWN = 20;
const FAILURES_SHOWN = 10;
const BAR_WIDTH = 16;
const CURVE_WIDTH = 48;

const numbers = new Intl.NumberFormat('en');
const amount = (count: number): string => numbers.format(count);

/** The report, line by line. */
export function incidentReportLines(report: IncidentReport, terminal: Pick<Terminal, 'style' | 'width'>): string[] {
  const { accounts, deliveries, mails, check, record, byHand, openedAt, finishedAt } = report;
  const bold = (text: string): string => terminal.style('bold', text);
  const facts = (pairs: readonly (readonly [string, string])[]): string[] =>
    factLines(pairs, (text) => terminal.style('dim', text));
  const table = { width: terminal.width, heading: bold };
  const curve = curveOf(report);
  return [
    ...facts([
      ['incident', report.id],
      ['reason', report.reason],
      ['status', report.status],
      ['opened', `${instant(openedAt)} by ${report.actor}`],
      ['finished', instant(finishedAt)],
      ['about', report.cohort],
      ['accounts', `${amount(accounts.done)} of ${amount(accounts.total)} contained`],
      ...(accounts.skipped === 0 ? [] : [['left alone', amount(accounts.skipped)] as const]),
      ...(accounts.failed === 0 ? [] : [['failed', amount(accounts.failed)] as const]),
    ]),
    '',
    ...tableLines(
      [
        { title: 'step', of: ({ words }) => words },
        { title: 'status', of: ({ status }) => status, whole: true },
        { title: 'begun', of: ({ startedAt }) => instant(startedAt), whole: true },
        { title: 'done', of: (step) => instant(step.finishedAt), whole: true },
        {
          title: 'how many',
          of: ({ done, total }) => (total === 0 ? '–' : `${amount(done)}/${amount(total)}`),
          align: 'right',
        },
        { title: 'failed', of: ({ failed }) => amount(failed), align: 'right' },
      ],
      report.steps,
      table,
    ),
    ...(curve === null ? [] : ['', ...facts([['contained, as time went by', curve]])]),
    '',
    ...facts([['apps told', outcomes(deliveries)]]),
    ...clientLines(report, table),
    ...facts(
      mails === null
        ? [['mails', 'none']]
        : [['mails', outcomes({ ...mails, delivered: mails.sent }, { delivered: 'sent', pending: 'waiting' })]],
    ),
    ...facts([
      [
        'check',
        check === null
          ? 'not yet'
          : `at ${instant(check.at)}: ${counted(check.lookedAt, 'account')} looked at, ${amount(check.missed)} missed`,
      ],
      ...(record === null ? [] : [['record', `entry ${record.seq}, ${record.hash}`] as const]),
    ]),
    ...(byHand.length === 0 ? [] : ['', bold('Left to do by hand'), ...byHand.map((line) => `  ${harmless(line)}`)]),
    ...failureLines(report, bold),
  ];
}

/** The report as scripts read it. Times are RFC 3339 in UTC once it is written as JSON. */
export function incidentReportJson({ accounts, samples: _samples, timeline: _timeline, ...report }: IncidentReport) {
  return { ...report, ...accounts };
}

const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** How many were contained by then, from the first sample to the last, as a row of blocks. */
function curveOf({ samples, accounts: { total } }: IncidentReport): string | null {
  const points = samples.filter(({ step }) => step === 'contain');
  const [first, last] = [points[0]?.at.getTime(), points.at(-1)?.at.getTime()];
  if (first === undefined || last === undefined || last === first || total === 0) return null;
  const blocks = Array.from({ length: CURVE_WIDTH }, (_, nth) => {
    const at = first + ((last - first) * nth) / (CURVE_WIDTH - 1);
    const done = points.findLast((point) => point.at.getTime() <= at)?.done ?? 0;
    return LEVELS[Math.min(Math.floor((done / total) * LEVELS.length), LEVELS.length - 1)];
  });
  return `${blocks.join('')}  ${instant(new Date(first))} to ${instant(new Date(last))}`;
}

type Outcomes = IncidentReport['deliveries'];

const OUTCOMES = [
  { kind: 'delivered', word: 'told', mark: '█' },
  { kind: 'pending', word: 'still trying', mark: '▒' },
  { kind: 'rejected', word: 'refused', mark: 'x' },
  { kind: 'abandoned', word: 'unreachable', mark: '·' },
] as const;

function outcomes(counts: Outcomes, words: { readonly [kind in keyof Outcomes]?: string } = {}): string {
  return OUTCOMES.map(({ kind, word }) => `${amount(counts[kind])} ${words[kind] ?? word}`).join(', ');
}

/** Each outcome that there was has at least one cell: what went wrong once must not be rounded away. */
function barOf(counts: Outcomes): string {
  const kinds = OUTCOMES.filter(({ kind }) => counts[kind] > 0);
  const total = kinds.reduce((sum, { kind }) => sum + counts[kind], 0);
  if (total === 0) return '';
  const widths = kinds.map(({ kind }) => Math.max(1, Math.round((counts[kind] / total) * BAR_WIDTH)));
  const widest = widths.indexOf(Math.max(...widths));
  widths[widest] = (widths[widest] ?? 0) + BAR_WIDTH - widths.reduce((sum, width) => sum + width, 0);
  return kinds.map(({ mark }, at) => mark.repeat(widths[at] ?? 0)).join('');
}

function clientLines(
  { clients }: IncidentReport,
  table: { readonly width: number | null; readonly heading: (text: string) => string },
): string[] {
  if (clients.length === 0) return [];
  const trouble = (counts: Outcomes): number => counts.pending + counts.rejected + counts.abandoned;
  const ordered = clients.toSorted((a, b) => trouble(b) - trouble(a) || b.delivered - a.delivered);
  const more = ordered.length - CLIENTS_SHOWN;
  return [
    '',
    ...tableLines(
      [
        { title: 'app', of: ({ name, id }) => (name === id ? id : `${name} (${id})`) },
        { title: '█ told ▒ trying', of: (client) => (client.endpoint ? barOf(client) : 'cannot be told') },
        { title: 'told', of: ({ delivered }) => amount(delivered), align: 'right' },
        { title: 'trying', of: ({ pending }) => amount(pending), align: 'right' },
        { title: 'refused', of: ({ rejected }) => amount(rejected), align: 'right' },
        { title: 'unreachable', of: ({ abandoned }) => amount(abandoned), align: 'right' },
      ],
      ordered.slice(0, CLIENTS_SHOWN),
      table,
    ),
    ...(more > 0 ? [`and ${counted(more, 'more app', 'more apps')}: with --json, or in the file of --out`] : []),
    '',
  ];
}

function failureLines({ failures, steps }: IncidentReport, bold: (text: string) => string): string[] {
  const failed = Math.max(
    failures.length,
    steps.reduce((sum, step) => sum + step.failed, 0),
  );
  if (failed === 0) return [];
  const shown = failures.slice(0, FAILURES_SHOWN);
  const more = failed - shown.length;
  return [
    '',
    bold('Failures'),
    ...shown.map(({ accountId, why }) => `  ${harmless(`${accountId}  ${why}`)}`),
    ...(more > 0 ? [`  and ${amount(more)} more`] : []),
  ];
}
