/** `curfew sign-out`: access ends, by one write, for one account, one Client, one Connection, or everyone. */
import type { Command } from 'commander';

import { type Core, REASONS, scopeText } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted, harmless } from '../terminal/text.ts';
import { accountNamed, waitSeconds } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';
import { receiptFacts, tellClients, USUAL_WAIT_SECONDS } from './telling.ts';

type Options = {
  account?: string;
  client?: string;
  connection?: string;
  everyone?: boolean;
  reason: string;
  dryRun?: boolean;
  yes?: boolean;
  wait?: number;
};
type Scope = Parameters<Core['signOuts']['preview']>[0];
/** Whose access ends, as the store and as a person reads it. */
type Aim = { readonly scope: Scope; readonly words: string };

const LONGEST_REASON = 500;

export function signOutCommand(program: Command, shell: Shell): void {
  program
    .command('sign-out')
    .description('end access on every device, tell every app; asks first')
    .option('--account <account>', 'of one account: username, e-mail address or id')
    .option('--client <id>', 'of everyone at one app')
    .option('--connection <id>', 'of everyone who signed in through one upstream identity provider')
    .option('--everyone', 'of everyone, everywhere')
    .option('--reason <text>', 'why, in words that people read on their receipts', REASONS.operator)
    .option('--dry-run', 'say what would end, and change nothing')
    .option('--yes', 'do not ask')
    .option(
      '--wait <seconds>',
      `how long to go on telling apps from here (default: ${USUAL_WAIT_SECONDS} at a terminal, otherwise 0)`,
      waitSeconds,
    )
    .action((options: Options) => {
      refuseOtherThanOneScope(options);
      return shell.inHouse((house) => signOut(house, options));
    });
}

async function signOut(house: House, options: Options): Promise<ExitCode> {
  const { core, terminal } = house;
  const aim = await aimOf(core, options);
  const { reason, yes = false, dryRun = false } = options;
  if (dryRun) return foretell(house, aim, reason);
  // Agreed beforehand: then nothing is counted, because access is to end now.
  if (!yes)
    await agree(terminal, { yes, about: await foreseen(core, aim), question: `End the access of ${aim.words}?` });
  const { id } = await core.signOuts.signOut({ scope: aim.scope, reason, actor: { kind: 'operator' } });
  const wait = options.wait ?? (terminal.interactive ? USUAL_WAIT_SECONDS : 0);
  const { exitCode, receipt } = await tellClients(house, id, wait);
  if (receipt === null) return exitCode;
  terminal.printJson(receipt);
  terminal.print(terminal.style('bold', 'Access has ended.'));
  terminal.printFacts(receiptFacts(receipt));
  return exitCode;
}

async function foretell({ core, terminal }: House, aim: Aim, reason: string): Promise<ExitCode> {
  const [{ accounts, clients }, pending] = await reach(core, aim);
  terminal.printJson({
    id: null,
    scope: scopeText(aim.scope),
    reason,
    at: core.clock.now().toISOString(),
    url: null,
    dryRun: true,
    accounts,
    clients,
    deliveries: { pending, delivered: 0, rejected: 0, abandoned: 0 },
  });
  terminal.print(...(await foreseen(core, aim)).map(harmless), 'Nothing was changed.');
  return 0;
}

async function foreseen(core: Core, aim: Aim): Promise<string[]> {
  const [{ accounts, clients }, notices] = await reach(core, aim);
  return [
    `Access of ${aim.words} would end on every device:`,
    `  ${counted(accounts, 'account')} at ${counted(clients, 'app')}, with ${counted(notices, 'notice')} to deliver,`,
    '  and every browser session, token, code and pending sign-in.',
    // Only what apps hold is recorded by the connection it came through; a browser's own sign-in is found by its epochs.
    ...(aim.scope.kind === 'connection'
      ? ['  Not counted: people who are signed in here and at no app. Their access ends as well.']
      : []),
  ];
}

function reach(core: Core, { scope }: Aim) {
  return Promise.all([core.signOuts.preview(scope), core.fanOut.foresee(scope)]);
}

function refuseOtherThanOneScope({ account, client, connection, everyone, reason }: Options): void {
  const given = [account, client, connection, everyone].filter((each) => each !== undefined);
  const fix = 'give exactly one of --account, --client, --connection and --everyone';
  if (given.length === 0) throw new Refused('whose access should end?', { fix });
  if (given.length > 1) throw new Refused('a sign-out has one scope', { fix });
  if (reason.trim() === '' || reason.length > LONGEST_REASON) {
    throw new Refused(`a reason has 1 to ${LONGEST_REASON} characters`, { fix: 'people read it on their receipts' });
  }
}

/** Throws Refused for an account, Client or Connection that nobody knows. */
async function aimOf(core: Core, { account, client, connection }: Options): Promise<Aim> {
  if (account !== undefined) {
    const { id, username } = await accountNamed(core, account);
    return { scope: { kind: 'account', accountId: id }, words: username === '' ? id : `${username} (${id})` };
  }
  if (client !== undefined) {
    // A removed one may be named too: sign-ins at it are what an operator may want to be sure about.
    const known = await core.clients.lookUpFormer(client);
    if (known === null) {
      throw new Refused(`there is no client ${JSON.stringify(client)}`, { fix: '`curfew client list` shows them' });
    }
    const { client_name: name } = known.metadata;
    return {
      scope: { kind: 'client', clientId: client },
      words: typeof name === 'string' ? `everyone at ${name} (${client})` : `everyone at ${client}`,
    };
  }
  if (connection !== undefined) {
    const scope = { kind: 'connection', connectionId: connection } as const;
    if (!(await isKnownConnection(core, scope))) {
      throw new Refused(`there is no connection ${JSON.stringify(connection)}`, {
        fix: 'name one that is configured, or that somebody signed in through',
      });
    }
    return { scope, words: `everyone who signed in through ${connection}` };
  }
  return { scope: { kind: 'everyone' }, words: 'everyone' };
}

/** It is configured, somebody is signed in through it, or was until a Sign-out. */
async function isKnownConnection(core: Core, scope: Scope & { readonly kind: 'connection' }): Promise<boolean> {
  if (core.connections.settingsOf(scope.connectionId) !== null) return true;
  const { accounts } = await core.signOuts.preview(scope);
  return accounts > 0 || (await core.store.revocations.signedOutAt(`connection:${scope.connectionId}`)) !== null;
}
