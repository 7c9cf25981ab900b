/** `curfew client drill`: what each app does with Logout Tokens, good and bad, before it matters. */
import type { Command } from 'commander';

import type { Core } from '../../src/compose.ts';
import { type ExitCode, Interrupted, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { type Account, accountNamed, seconds } from './arguments.ts';
import { atOnce } from './at-once.ts';
import { everyProbe, findingsOf, worstOf } from './client-drill-words.ts';
import { checkIssuer } from './doctor-surroundings.ts';
import { findingLines } from './findings.ts';
import { agree, type House, type Shell } from './house.ts';

type Options = {
  readonly account?: string;
  readonly timeout: number;
  readonly strict?: boolean;
  readonly verbose?: boolean;
  readonly yes?: boolean;
};
type Listed = Awaited<ReturnType<Core['clients']['list']>>[number];
type Target = Parameters<Core['logoutDrill']['run']>[0];
type Report = NonNullable<Awaited<ReturnType<Core['logoutDrill']['run']>>>;
/** Without a report: there is nothing to drill. */
type Drilled = { readonly client: string; readonly endpoint: string | null; readonly report: Report | null };

/** What a Delivery waits for an answer: an app that needs longer is not told on the bad day either. */
const LONGEST_ANSWER_SECONDS = 5;
/** Apps drilled at once. */
const AT_ONCE = 8;

export function clientDrillCommand(client: Command, shell: Shell): void {
  client
    .command('drill [ids...]')
    .description('the logout drill: what apps do with logout tokens, good and bad; fails where one does wrong')
    .option('--account <account>', 'an account of yours that tokens may name; without, they name nobody')
    .option(
      '--timeout <seconds>',
      'how long one answer may take',
      seconds({ least: 1, most: LONGEST_ANSWER_SECONDS }),
      LONGEST_ANSWER_SECONDS,
    )
    .option('--strict', 'what the specification only recommends counts as well')
    .option('--verbose', 'every probe, not only those that failed')
    .option('--yes', 'do not ask')
    .action((ids: string[], options: Options) => shell.inHouse((house) => drill(house, ids, options)));
}

async function drill(house: House, ids: readonly string[], options: Options): Promise<ExitCode> {
  const { core, terminal } = house;
  const clients = await clientsNamed(core, ids);
  const account = options.account === undefined ? null : await accountNamed(core, options.account);
  const targets = await targetsAmong(core, clients, account);
  await agreeToSignOut(house, targets, account, options);
  const issuer = await checkIssuer(core.config.issuer);
  if (issuer.status !== 'ok' && targets.size > 0) {
    terminal.note(`Note: ${issuer.found}: an app that cannot fetch keys there can verify nothing.`);
  }
  const reports = await drillEach(house, [...targets.values()], options);
  const drilled = clients.map(({ metadata }): Drilled => {
    const uri = metadata['backchannel_logout_uri'];
    const report = reports.get(metadata.client_id) ?? null;
    return { client: metadata.client_id, endpoint: typeof uri === 'string' ? uri : null, report };
  });
  await present(house, drilled, { namedNobody: account === null, verbose: options.verbose === true });
  return drilled.some((each) => verdictOf(each) === 'fail') ? 1 : 0;
}

async function clientsNamed({ clients }: Core, ids: readonly string[]): Promise<readonly Listed[]> {
  const all = await clients.list();
  const unknown = ids.filter((id) => !all.some(({ metadata }) => metadata.client_id === id));
  if (unknown.length > 0) {
    throw new Refused(`there is no client ${unknown.map((id) => JSON.stringify(id)).join(', ')}`, {
      fix: '`curfew client list` shows them',
    });
  }
  return ids.length === 0 ? all : all.filter(({ metadata }) => ids.includes(metadata.client_id));
}

/** Those that are told at all; with the session that a good token ends where the account has one there. */
async function targetsAmong(
  { store }: Core,
  clients: readonly Listed[],
  account: Account | null,
): Promise<ReadonlyMap<string, Target>> {
  const sessions = account === null ? [] : await store.revocations.clientSessionsOf(account.id);
  const newestFirst = sessions.toSorted((a, b) => b.lastUsedAt.getTime() - a.lastUsedAt.getTime());
  return new Map(
    clients
      .filter(({ metadata }) => typeof metadata['backchannel_logout_uri'] === 'string')
      .map(({ metadata: { client_id: clientId, ...metadata } }) => [
        clientId,
        {
          clientId,
          accountId: account?.id ?? null,
          sid: newestFirst.find((session) => session.clientId === clientId)?.sid ?? null,
          sessionRequired: metadata['backchannel_logout_session_required'] === true,
        },
      ]),
  );
}

async function agreeToSignOut(
  { terminal }: House,
  targets: ReadonlyMap<string, Target>,
  account: Account | null,
  { yes = false }: Options,
): Promise<void> {
  const signedIn = [...targets.values()].filter(({ sid }) => sid !== null).map(({ clientId }) => clientId);
  if (account === null || signedIn.length === 0) return;
  await agree(terminal, {
    yes,
    about: [
      `${account.username} is signed in at ${signedIn.join(', ')}. A good token signs that account out there;`,
      'bad ones too, where an app accepts them.',
    ],
    question: `Drill with ${account.username}?`,
  });
}

/** Several apps at once, each one request after the other. Whoever was drilled is in the journal, whatever comes after. */
async function drillEach(
  { core, terminal, interrupts }: House,
  targets: readonly Target[],
  { timeout, strict = false }: Options,
): Promise<ReadonlyMap<string, Report>> {
  const reports = new Map<string, Report>();
  const total = targets.length;
  const show = (done: number): void => terminal.progress({ doing: 'Drilling apps', done, total, unit: 'apps' });
  const interrupted = await interrupts.hold(async (signal) => {
    await atOnce(targets, { most: AT_ONCE, signal }, async (target, done) => {
      show(done);
      const report = await core.logoutDrill.run(target, { timeoutSeconds: timeout, strict, signal });
      if (report === null) return;
      reports.set(target.clientId, report);
      await core.journal.record({
        kind: 'client.drilled',
        accountId: null,
        actor: { kind: 'operator' },
        facts: { client: target.clientId, passed: report.passed, total: report.total },
      });
    });
    return signal.aborted;
  });
  terminal.progress(null);
  if (interrupted) throw new Interrupted(`Interrupted: ${counted(reports.size, 'app')} of ${total} drilled.`);
  return reports;
}

async function present(
  { terminal }: House,
  drilled: readonly Drilled[],
  { namedNobody, verbose }: { readonly namedNobody: boolean; readonly verbose: boolean },
): Promise<void> {
  await terminal.printList({
    pages: (async function* () {
      yield drilled;
    })(),
    columns: [
      { title: 'client', of: ({ client }) => client, whole: true },
      { title: 'told at', of: ({ endpoint }) => hostOf(endpoint) },
      {
        title: 'checks',
        of: ({ report }) => (report === null ? '–' : `${report.passed} of ${report.total}`),
        whole: true,
      },
      { title: 'verdict', of: (each) => verdictOf(each).replaceAll('-', ' '), whole: true },
      {
        title: 'worst finding',
        of: ({ report }) => (report === null ? 'learns by invalid_grant' : worstOf(report.probes)),
      },
    ],
    json: (each) => drilledJson(each, namedNobody),
    none: 'There are no apps yet.',
  });
  for (const each of drilled) {
    const { client, endpoint, report } = each;
    if (report === null || (!verbose && verdictOf(each) === 'pass')) continue;
    const findings = verbose ? everyProbe(report.probes, { namedNobody }) : findingsOf(report.probes, { namedNobody });
    terminal.print('', terminal.style('bold', `${client} (${hostOf(endpoint)})`), ...findingLines(findings, terminal));
  }
}

function verdictOf({ report }: Drilled): 'pass' | 'fail' | 'cannot-be-told' {
  if (report === null) return 'cannot-be-told';
  return report.passed === report.total ? 'pass' : 'fail';
}

function drilledJson(each: Drilled, namedNobody: boolean) {
  const { client, endpoint, report } = each;
  return {
    client,
    endpoint,
    reachable: report?.reachable ?? null,
    passed: report?.passed ?? null,
    total: report?.total ?? null,
    verdict: verdictOf(each),
    // Whom tokens named: an app that refuses whom it does not know may refuse a good one for that.
    subject: report === null ? null : namedNobody ? 'unknown' : 'account',
    probes: report?.probes ?? [],
  };
}

/** Without the path, which may hold what is nobody's business. */
function hostOf(endpoint: string | null): string {
  if (endpoint === null) return '–';
  return URL.canParse(endpoint) ? new URL(endpoint).host : endpoint;
}
