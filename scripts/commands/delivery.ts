/** `curfew delivery …`: Logout Tokens owed, and those that were given up. */
import { setTimeout as pause } from 'node:timers/promises';

import { type Command, Option } from 'commander';

import type { Core } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { allPages, instant } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';

type Delivery = NonNullable<Awaited<ReturnType<Core['store']['deliveries']['find']>>>;
type Status = Delivery['status'];

const STATUSES: readonly Status[] = ['pending', 'delivered', 'rejected', 'abandoned'];
const DEAD: readonly Status[] = ['rejected', 'abandoned'];

/** A post takes at most 5 s, and its outcome a moment to be written. */
const LONGEST_ATTEMPT_MS = 6000;
const LOOK_EVERY_MS = 100;
/** Revived in one write: a running server waits behind it. */
const REVIVED_AT_ONCE = 500;

/** What to try again: named by the operator, or all of one app or of every app. */
type Choice = { readonly ids?: readonly string[]; readonly clientId?: string | undefined };
/** What was revived, known again by the deadline it was given. */
type Revived = Choice & { readonly count: number; readonly at: Date; readonly deadlineAt: Date };

export function deliveryCommands(program: Command, shell: Shell): void {
  const delivery = program.command('delivery').description('what apps are told of sign-outs');
  delivery
    .command('list')
    .description('every notice, delivered or not')
    .addOption(new Option('--status <status>', 'only those').choices(STATUSES))
    .option('--client <id>', 'only those for one app')
    .action((options: { status?: Status; client?: string }) => shell.inHouse((house) => list(house, options)));
  delivery
    .command('retry [ids...]')
    .description('try dead letters again, all of them without a filter, and whatever else is due; asks first')
    .option('--client <id>', 'only those for one app')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nAn id that begins with a dash goes after --: curfew delivery retry --yes -- ID')
    .action((ids: string[], options: { client?: string; yes?: boolean }) =>
      shell.inHouse((house) => retry(house, ids, options)),
    );
}

async function list(
  { core, terminal }: House,
  { status, client }: { readonly status?: Status; readonly client?: string },
): Promise<ExitCode> {
  await terminal.printList({
    pages: matching(core, { status, clientId: client }),
    columns: [
      { title: 'id', of: ({ id }) => id, whole: true },
      { title: 'app', of: ({ clientId }) => clientId },
      { title: 'status', of: (row) => row.status, whole: true },
      { title: 'tries', of: ({ attempts }) => String(attempts), align: 'right' },
      { title: 'last outcome', of: ({ lastOutcome }) => lastOutcome ?? '–' },
      { title: 'next try', of: ({ nextAttemptAt }) => instant(nextAttemptAt) },
      { title: 'sign-out', of: ({ signOutId }) => signOutId },
    ],
    json: ({ id, signOutId, clientId, status, attempts, nextAttemptAt, lastOutcome }) => ({
      id,
      signOut: signOutId,
      client: clientId,
      status,
      attempts,
      nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
      lastOutcome,
    }),
    none: 'There are none.',
  });
  return 0;
}

async function retry(
  house: House,
  ids: readonly string[],
  { client, yes = false }: { readonly client?: string; readonly yes?: boolean },
): Promise<ExitCode> {
  const { core, terminal } = house;
  const choice: Choice = ids.length > 0 ? { ids: await deadAmong(house, ids, client) } : { clientId: client };
  const dead = choice.ids?.length ?? (await countDead(core, client));
  if (dead > 0) {
    await agree(terminal, {
      yes,
      about: [`${counted(dead, 'dead letter')} will be tried again, with a new deadline.`],
      question: 'Try again?',
    });
  }
  const now = core.clock.now();
  const deadlineAt = new Date(now.getTime() + core.config.delivery.deadlineHours * 3_600_000);
  const retried = dead === 0 ? 0 : await reviveAll(core, choice, now, deadlineAt);
  if (retried > 0) {
    const facts = { count: retried, ...(client === undefined ? {} : { client }) };
    await core.journal.record({ kind: 'delivery.revived', accountId: null, actor: { kind: 'operator' }, facts });
  }
  if (!terminal.json) terminal.note(`${counted(retried, 'dead letter')} to be tried again.`);
  const revived: Revived = { ...choice, count: retried, at: now, deadlineAt };
  const interrupted = await tryWhatIsDue(house, revived);
  const deliveries = await outcomes(core, revived);
  terminal.printJson({ retried, deliveries });
  terminal.printFacts([
    ['retried', String(retried)],
    ['delivered', String(deliveries.delivered)],
    ['pending', String(deliveries.pending)],
    ['refused again', String(deliveries.rejected + deliveries.abandoned)],
  ]);
  if (interrupted) return 130;
  return deliveries.pending > 0 ? 3 : 0;
}

/**
 * One attempt at whatever is due, fan-outs that were left half done included. What a running server has taken is waited
 * for as long as its attempt may last. True when interrupted.
 */
function tryWhatIsDue({ core, terminal, interrupts }: House, revived: Revived): Promise<boolean> {
  return interrupts.hold(async (signal) => {
    const stop = (): void => void core.deliveries.stop();
    signal.addEventListener('abort', stop, { once: true });
    const deadline = performance.now() + LONGEST_ATTEMPT_MS;
    await core.fanOut.runUntilIdle();
    for (;;) {
      await core.deliveries.runUntilIdle();
      const untried = await countUntried(core, revived);
      if (untried === 0 || signal.aborted || performance.now() > deadline) break;
      terminal.progress({
        doing: 'Telling apps',
        done: revived.count - untried,
        total: revived.count,
        unit: 'notices',
      });
      await pause(LOOK_EVERY_MS);
    }
    terminal.progress(null);
    if (signal.aborted) terminal.note('Interrupted: what is not delivered yet stays due.');
    return signal.aborted;
  });
}

/** Batch by batch; resolves to how many. */
async function reviveAll({ store }: Core, { ids, clientId }: Choice, now: Date, deadlineAt: Date): Promise<number> {
  const filter = { ...(ids && { ids }), ...(clientId !== undefined && { clientId }), now, deadlineAt };
  for (let revived = 0; ;) {
    const batch = await store.deliveries.revive({ ...filter, limit: REVIVED_AT_ONCE });
    if (batch === 0) return revived;
    revived += batch;
  }
}

/** How many of what was revived nobody has tried since. */
function countUntried(core: Core, revived: Revived): Promise<number> {
  return countRevived(core, revived, 'pending', ({ lastAttemptAt }) => !lastAttemptAt || lastAttemptAt < revived.at);
}

/** What became of what was revived. Those that are not owed any more were delivered. */
async function outcomes(core: Core, revived: Revived): Promise<Record<Status, number>> {
  const pending = await countRevived(core, revived, 'pending');
  const rejected = await countRevived(core, revived, 'rejected');
  const abandoned = await countRevived(core, revived, 'abandoned');
  return { pending, delivered: Math.max(revived.count - pending - rejected - abandoned, 0), rejected, abandoned };
}

/** Counts page by page: there may be more than memory should hold. */
async function countRevived(
  core: Core,
  { ids, clientId, at, deadlineAt, count }: Revived,
  status: Status,
  counts: (delivery: Delivery) => boolean = () => true,
): Promise<number> {
  if (count === 0) return 0;
  const named = ids && new Set(ids);
  let found = 0;
  for await (const page of matching(core, { status, clientId })) {
    found += page.filter(
      (delivery) =>
        delivery.deadlineAt.getTime() === deadlineAt.getTime() &&
        delivery.createdAt < at &&
        (named?.has(delivery.id) ?? true) &&
        counts(delivery),
    ).length;
  }
  return found;
}

async function deadAmong(
  { core, terminal }: House,
  ids: readonly string[],
  client: string | undefined,
): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => core.store.deliveries.find(id)));
  const unknown = ids.filter((_, at) => found[at] === null);
  if (unknown.length > 0) {
    throw new Refused(`there is no delivery ${unknown.map((id) => JSON.stringify(id)).join(', ')}`, {
      fix: '`curfew delivery list` shows them',
    });
  }
  return found.flatMap((delivery) => {
    if (delivery === null || (client !== undefined && delivery.clientId !== client)) return [];
    if (DEAD.includes(delivery.status)) return [delivery.id];
    terminal.note(`${delivery.id} is ${delivery.status}, not a dead letter.`);
    return [];
  });
}

async function countDead(core: Core, clientId: string | undefined): Promise<number> {
  if (clientId === undefined) {
    const { rejected, abandoned } = await core.store.deliveries.counts({});
    return rejected + abandoned;
  }
  let dead = 0;
  for (const status of DEAD) {
    for await (const page of matching(core, { status, clientId })) dead += page.length;
  }
  return dead;
}

function matching(
  { store }: Core,
  filter: { readonly status?: Status | undefined; readonly clientId?: string | undefined },
): AsyncIterable<readonly Delivery[]> {
  return allPages(
    (page) => store.deliveries.list({ ...filter, page }),
    ({ id }) => id,
  );
}
