/**
 * `curfew incident …`: containing a breach by one command that can be cut off anywhere and gone on with.
 *
 * Invariant: nothing is done before it was said what would be, unless that was agreed to beforehand; and once an incident is
 * open, every way out of here, Ctrl-C and the end of the power included, leaves something that `resume` goes on with.
 */
import type { Command } from 'commander';

import { type Core, incidentStatus, newIncidentId } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { LIST, readAccountList } from './account-list.ts';
import { instant, waitSeconds } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';
import { describeCohort, exitCodeOf, incidentJson, incidentLines } from './incident-facts.ts';
import { foretold, foretoldJson, type OpenOptions, orderFrom, refuseUnfit, when } from './incident-order.ts';
import { reportIncident } from './incident-reporting.ts';
import { carryOut } from './incident-work.ts';
import { USUAL_WAIT_SECONDS } from './telling.ts';

type Go = { wait?: number };

export function incidentCommands(program: Command, shell: Shell): void {
  const incident = program
    .command('incident')
    .description('contain a breach: end access, ask for new passwords, tell everybody');
  const wait = [
    '--wait <seconds>',
    `how long to go on telling apps from here (default: ${USUAL_WAIT_SECONDS} at a terminal, otherwise 0)`,
    waitSeconds,
  ] as const;
  incident
    .command('open')
    .description('say what containing would come to, ask, and do it; conditions given together must all hold')
    .requiredOption('--reason <text>', 'why, in words that people read on their receipts')
    .option('--everyone', 'every account')
    .option(...LIST.file)
    .option('--connection <id>', 'whoever signs in through this upstream identity provider')
    .option('--client <id>', 'whoever is signed in at this app')
    .option('--created-before <time>', 'accounts made before then: 2031-05-04, or 2031-05-04T03:02:01Z', when)
    .option('--created-after <time>', 'accounts made after then', when)
    .option('--signed-in-before <time>', 'whose last sign-in was before then, or who never signed in', when)
    .option('--signed-in-after <time>', 'whose last sign-in was after then', when)
    .option(...LIST.skip)
    .option('--require-password-reset', 'present passwords let nobody in any more')
    .option('--disable', 'nobody gets in until `curfew account enable`')
    .option('--notify', 'write to each of them once, with a link to choose a new password where one is required')
    .option('--rotate-keys', 'sign tokens with new keys from now on')
    .option('--rotate-keyring', 'seal the whole store anew, with a new key')
    .option(
      '--rotate-client-secrets <file>',
      'give apps new secrets, and append them to this file, one JSON object a line',
    )
    .option('--accounts-per-second <number>', 'no faster than this (default: as fast as leaves room to serve)')
    .option('--mails-per-minute <number>', 'queue no more mails than this (default: as `mail.perMinute` lets them go)')
    .option('--dry-run', 'say what would be done, and change nothing')
    .option('--yes', 'do not ask')
    .option(...wait)
    .addHelpText(
      'after',
      '\nAccess ends first, everything else comes after. Cut off anywhere, `curfew incident resume ID` goes on.',
    )
    .action((options: OpenOptions) => {
      refuseUnfit(options);
      return shell.inHouse((house) => open(house, options));
    });
  incident
    .command('resume <id>')
    .description('go on with an incident where it was cut off')
    .option(...wait)
    .action((id: string, options: Go) => shell.inHouse((house) => resume(house, id, options)));
  incident
    .command('status <id>')
    .description('how far an incident has come')
    .action((id: string) => shell.inHouse((house) => status(house, id)));
  incident
    .command('list')
    .description('incidents, newest first')
    .action(() => shell.inHouse(list));
  incident
    .command('report <id>')
    .description('what was done, to whom, who was told and what is left to do')
    .option('--out <file>', 'as one HTML file that needs nothing else')
    .action((id: string, options: { out?: string }) =>
      shell.inHouse(async (house) => reportIncident(house, await known(house.core, id), options)),
    );
}

async function open(house: House, options: OpenOptions): Promise<ExitCode> {
  const { core, terminal } = house;
  const listed =
    options.accountFile === undefined
      ? null
      : await readAccountList(core, terminal, {
          file: options.accountFile,
          skipUnknown: options.skipUnknown ?? false,
        });
  if (listed !== null && listed.ids.length === 0) {
    throw new Refused('the list names nobody', { fix: 'give a list with at least one account on it' });
  }
  const order = await orderFrom(core, options, listed?.ids ?? null);
  const { yes = false, dryRun = false } = options;
  if (dryRun || !yes) {
    const foreseen = await core.incidents.foresee(order.meant, {
      ...order,
      seen: (done) =>
        terminal.progress({ doing: 'Counting', done, total: listed?.ids.length ?? null, unit: 'accounts' }),
    });
    terminal.progress(null);
    const lines = await foretold(core, order, foreseen);
    if (dryRun) {
      terminal.printJson(foretoldJson(order, foreseen));
      terminal.print(...lines, 'Nothing was changed.');
      return 0;
    }
    // For whoever is not sure which installation this is.
    await agree(terminal, { yes, about: lines, question: `Contain ${counted(foreseen.accounts, 'account')} now?` });
  }
  const id = newIncidentId();
  const openedAt = core.clock.now();
  const opened = await core.incidents.begin({ id, openedAt, ...order }, (done) =>
    terminal.progress({ doing: 'Writing down who is concerned', done, total: null, unit: 'accounts' }),
  );
  terminal.progress(null);
  await core.journal.record({
    kind: 'incident.opened',
    accountId: null,
    actor: { kind: 'operator' },
    facts: { incident: id, accounts: opened.total, steps: opened.steps.map(({ name }) => name).join(' ') },
  });
  terminal.note(`Incident ${id} is open. Should this be cut off: \`curfew incident resume ${id}\` goes on with it.`);
  return finish(house, await carryOut(house, opened, options.wait));
}

async function resume(house: House, id: string, { wait }: Go): Promise<ExitCode> {
  const { core, terminal } = house;
  const incident = await known(core, id);
  if (incident.finishedAt === null) {
    await core.journal.record({
      kind: 'incident.resumed',
      accountId: null,
      actor: { kind: 'operator' },
      facts: { incident: id },
    });
  } else terminal.note('It is done already; whoever is still to be told is told.');
  return finish(house, await carryOut(house, incident, wait));
}

async function finish(house: House, outcome: Awaited<ReturnType<typeof carryOut>>): Promise<ExitCode> {
  const { terminal } = house;
  const { incident, progress, interrupted, overtaken } = outcome;
  terminal.printJson(incidentJson(house.core, incident, progress));
  terminal.print(...incidentLines(house.core, incident, progress));
  if (overtaken) terminal.note('Another process goes on with it, so this one has stopped.');
  if (interrupted) terminal.note(`Interrupted: \`curfew incident resume ${incident.id}\` goes on where it stopped.`);
  return overtaken ? 1 : interrupted ? 130 : exitCodeOf(incident, progress);
}

async function status({ core, terminal }: House, id: string): Promise<ExitCode> {
  const incident = await known(core, id);
  const progress = await core.store.incidents.progress(id);
  terminal.printJson(incidentJson(core, incident, progress));
  terminal.print(...incidentLines(core, incident, progress));
  return 0;
}

async function list({ core, terminal }: House): Promise<ExitCode> {
  type Row = Awaited<ReturnType<Core['incidents']['list']>>[number];
  await terminal.printList<Row>({
    pages: (async function* () {
      yield await core.incidents.list(200);
    })(),
    columns: [
      { title: 'id', of: ({ id }) => id, whole: true },
      { title: 'opened', of: ({ openedAt }) => instant(openedAt) },
      { title: 'status', of: (each) => incidentStatus(each, core.clock.now()), whole: true },
      { title: 'accounts', of: ({ total }) => String(total), align: 'right' },
      { title: 'whom', of: ({ cohort }) => describeCohort(cohort) },
      { title: 'reason', of: ({ reason }) => reason },
    ],
    json: (each) => incidentJson(core, each, null),
    none: 'There was none.',
  });
  return 0;
}

async function known({ incidents }: Core, id: string) {
  const incident = await incidents.find(id);
  if (incident !== null) return incident;
  throw new Refused(`there is no incident ${JSON.stringify(id)}`, { fix: '`curfew incident list` shows them' });
}
