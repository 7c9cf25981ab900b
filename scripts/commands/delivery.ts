/** `curfew delivery …`: Logout Tokens owed, and those that were given up. */
import { setTimeout as pause } from 'node:timers/promises';

import { type Command, Option } from 'commander';

import type { Core } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { bar } from '../terminal/terminal.ts';
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
  const dead = ids.length > 0 ? await deadAmong(house, ids, client) : await allDead(core, client);
  if (dead.length > 0) {
    await agree(terminal, {
      yes,
      about: [`${counted(dead.length, 'dead letter')} will be tried again, with a new deadline.`],
      question: 'Try again?',
    });
  }
  const now = core.clock.now();
  const deadlineAt = new Date(now.getTime() + core.config.delivery.deadlineHours * 3_600_000);
  const retried = dead.length === 0 ? 0 : await core.store.deliveries.revive({ ids: dead, now, deadlineAt });
  if (!terminal.json) terminal.note(`${counted(retried, 'dead letter')} to be tried again.`);
  const interrupted = await tryWhatIsDue(house, dead);
  const deliveries = await outcomes(core, dead);
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
function tryWhatIsDue({ core, terminal, interrupts }: House, dead: readonly string[]): Promise<boolean> {
  return interrupts.hold(async (signal) => {
    const stop = (): void => void core.deliveries.stop();
    signal.addEventListener('abort', stop, { once: true });
    const before = await attemptsOf(core, dead);
    const deadline = performance.now() + LONGEST_ATTEMPT_MS;
    await core.fanOut.runUntilIdle();
    for (;;) {
      await core.deliveries.runUntilIdle();
      const after = await attemptsOf(core, dead);
      const untried = [...after].filter(([id, attempts]) => attempts === before.get(id)).length;
      if (untried === 0 || signal.aborted || performance.now() > deadline) break;
      terminal.status(`Telling apps  ${bar(dead.length - untried, dead.length)}`);
      await pause(LOOK_EVERY_MS);
    }
    terminal.status(null);
    if (signal.aborted) terminal.note('Interrupted: what is not delivered yet stays due.');
    return signal.aborted;
  });
}

/** How often each was tried so far. */
async function attemptsOf({ store }: Core, ids: readonly string[]): Promise<Map<string, number>> {
  const attempts = new Map<string, number>();
  for (const id of ids) attempts.set(id, (await store.deliveries.find(id))?.attempts ?? 0);
  return attempts;
}

async function outcomes({ store }: Core, ids: readonly string[]): Promise<Record<Status, number>> {
  const counts: Record<Status, number> = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };
  for (const id of ids) {
    const delivery = await store.deliveries.find(id);
    if (delivery !== null) counts[delivery.status] += 1;
  }
  return counts;
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

async function allDead(core: Core, clientId: string | undefined): Promise<string[]> {
  const ids: string[] = [];
  for (const status of DEAD) {
    for await (const page of matching(core, { status, clientId })) ids.push(...page.map(({ id }) => id));
  }
  return ids;
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
