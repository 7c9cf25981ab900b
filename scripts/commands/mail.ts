/** `curfew mail …`: what was written to people, and what did not arrive. */
import { type Command, Option } from 'commander';

import { type Core, MAIL_DEADLINE_SECONDS } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { allPages, instant } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';

type Mail = NonNullable<Awaited<ReturnType<Core['store']['outbox']['find']>>>;
type Status = Mail['status'];

const STATUSES: readonly Status[] = ['pending', 'sent', 'rejected', 'abandoned'];
const DEAD: readonly Status[] = ['rejected', 'abandoned'];
/** Revived in one write: a running server waits behind it. */
const REVIVED_AT_ONCE = 500;

/** What to try again: named by the operator, or every dead letter there is. */
type Choice = { readonly ids?: readonly string[] };
/** What was revived, known again by the deadline it was given. */
type Revived = Choice & { readonly count: number; readonly deadlineAt: Date };

export function mailCommands(program: Command, shell: Shell): void {
  const mail = program.command('mail').description('mails to people: confirmations, reset links, notices');
  mail
    .command('list')
    .description('every mail, sent or not; never to whom, and never what it says')
    .addOption(new Option('--status <status>', 'only those').choices(STATUSES))
    .action((options: { status?: Status }) => shell.inHouse((house) => list(house, options)));
  mail
    .command('retry [ids...]')
    .description(
      'try mails again that were refused or given up, all of them without an id, and whatever is due; asks first',
    )
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nAn id that begins with a dash goes after --: curfew mail retry --yes -- ID')
    .action((ids: string[], options: { yes?: boolean }) => shell.inHouse((house) => retry(house, ids, options)));
}

async function list({ core, terminal }: House, { status }: { readonly status?: Status }): Promise<ExitCode> {
  await terminal.printList({
    pages: matching(core, status),
    columns: [
      { title: 'id', of: ({ id }) => id, whole: true },
      { title: 'about', of: ({ kind }) => kind },
      { title: 'status', of: (row) => row.status, whole: true },
      { title: 'tries', of: ({ attempts }) => String(attempts), align: 'right' },
      { title: 'last outcome', of: ({ lastOutcome }) => lastOutcome ?? '–' },
      { title: 'next try', of: ({ nextAttemptAt }) => instant(nextAttemptAt) },
      { title: 'account', of: ({ accountId }) => accountId ?? '–' },
    ],
    json: ({ id, kind, accountId, status, attempts, nextAttemptAt, lastOutcome, createdAt }) => ({
      id,
      kind,
      account: accountId,
      status,
      attempts,
      nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
      lastOutcome,
      createdAt: createdAt.toISOString(),
    }),
    none: 'There are none.',
  });
  return 0;
}

async function retry(
  house: House,
  ids: readonly string[],
  { yes = false }: { readonly yes?: boolean },
): Promise<ExitCode> {
  const { core, terminal, interrupts } = house;
  const { mails } = core;
  if (mails === null) {
    throw new Refused('no mail is configured, so none can be sent', { fix: 'add `mail` to the configuration' });
  }
  const choice: Choice = ids.length > 0 ? { ids: await deadAmong(house, ids) } : {};
  const { rejected, abandoned } = await core.store.outbox.counts();
  const dead = choice.ids?.length ?? rejected + abandoned;
  if (dead > 0) {
    await agree(terminal, {
      yes,
      about: [`${counted(dead, 'mail')} will be tried again, with a new deadline.`],
      question: 'Try again?',
    });
  }
  const now = core.clock.now();
  const deadlineAt = new Date(now.getTime() + MAIL_DEADLINE_SECONDS * 1000);
  const retried = dead === 0 ? 0 : await reviveAll(core, choice, now, deadlineAt);
  if (retried > 0) {
    const facts = { count: retried };
    await core.journal.record({ kind: 'mail.revived', accountId: null, actor: { kind: 'operator' }, facts });
  }
  if (!terminal.json) terminal.note(`${counted(retried, 'mail')} to be tried again.`);
  const interrupted = await interrupts.hold(async (signal) => {
    signal.addEventListener('abort', () => void mails.stop(), { once: true });
    await mails.runUntilIdle();
    if (signal.aborted) terminal.note('Interrupted: what is not sent yet stays due.');
    return signal.aborted;
  });
  const outcome = await outcomes(core, { ...choice, count: retried, deadlineAt });
  terminal.printJson({ retried, mails: outcome });
  terminal.printFacts([
    ['retried', String(retried)],
    ['sent', String(outcome.sent)],
    ['pending', String(outcome.pending)],
    ['refused again', String(outcome.rejected + outcome.abandoned)],
  ]);
  if (interrupted) return 130;
  return outcome.pending > 0 ? 3 : 0;
}

/** Batch by batch; resolves to how many. */
async function reviveAll({ store }: Core, { ids }: Choice, now: Date, deadlineAt: Date): Promise<number> {
  for (let revived = 0; ;) {
    const batch = await store.outbox.revive({ ...(ids && { ids }), now, deadlineAt, limit: REVIVED_AT_ONCE });
    if (batch === 0) return revived;
    revived += batch;
  }
}

/** What became of what was revived, counted page by page: there may be more than memory should hold. */
async function outcomes(core: Core, { ids, count, deadlineAt }: Revived): Promise<Record<Status, number>> {
  const found: Record<Status, number> = { pending: 0, sent: 0, rejected: 0, abandoned: 0 };
  if (count === 0) return found;
  const named = ids && new Set(ids);
  for await (const page of matching(core, undefined)) {
    for (const mail of page) {
      if (mail.deadlineAt.getTime() === deadlineAt.getTime() && (named?.has(mail.id) ?? true)) found[mail.status] += 1;
    }
  }
  return found;
}

async function deadAmong({ core, terminal }: House, ids: readonly string[]): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => core.store.outbox.find(id)));
  const unknown = ids.filter((_, at) => found[at] === null);
  if (unknown.length > 0) {
    throw new Refused(`there is no mail ${unknown.map((id) => JSON.stringify(id)).join(', ')}`, {
      fix: '`curfew mail list` shows them',
    });
  }
  return found.flatMap((mail) => {
    if (mail === null) return [];
    if (DEAD.includes(mail.status)) return [mail.id];
    terminal.note(`${mail.id} is ${mail.status}, and needs no other try.`);
    return [];
  });
}

function matching({ store }: Core, status: Status | undefined): AsyncIterable<readonly Mail[]> {
  return allPages(
    (page) => store.outbox.list({ status, page }),
    ({ id }) => id,
  );
}
