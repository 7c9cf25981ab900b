/** `curfew account …`: people, as an operator deals with them. Whatever takes access away is a Sign-out in the same write. */
import type { Command } from 'commander';

import { REASONS } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { accountLinkCommands } from './account-links.ts';
import { LIST, type Listed, oneOrList } from './account-list.ts';
import { setStatusOfMany } from './account-many.ts';
import { type Account, accountNamed, allPages, instant, waitSeconds } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';
import { hashPassword, readPassword } from './new-password.ts';
import { tellClients, USUAL_WAIT_SECONDS } from './telling.ts';

const OPERATOR = { kind: 'operator' } as const;

type Create = { username: string; email: string; passwordFile?: string; admin?: boolean };
type Ending = { yes?: boolean; wait: number };
type Disable = Ending & Listed;
type SetPassword = { passwordFile?: string; keepDevices?: boolean; yes?: boolean; wait: number };

const WAIT = ['--wait <seconds>', 'how long to go on telling apps from here', waitSeconds, USUAL_WAIT_SECONDS] as const;

export function accountCommands(program: Command, shell: Shell): void {
  const account = program.command('account').description('accounts; each is named by username, e-mail address or id');
  account
    .command('create')
    .description('create an account; asks for a password, or takes one from a file')
    .requiredOption('--username <name>', 'letters, digits, dots, dashes, underscores')
    .requiredOption('--email <address>', 'where mail goes')
    .option('--password-file <file>', 'a file with the password on its first line; - is stdin')
    .option('--admin', 'may use the admin pages and see every receipt')
    .action((options: Create) => shell.inHouse((house) => create(house, options), { creates: true }));
  account
    .command('list')
    .description('every account')
    .action(() => shell.inHouse(list));
  account
    .command('show <account>')
    .description('one account')
    .action((name: string) => shell.inHouse((house) => show(house, name)));
  account
    .command('disable [account]')
    .description('end the access of an account, or of all on a list, and keep it out; asks first')
    .option(...LIST.file)
    .option(...LIST.skip)
    .option('--yes', 'do not ask')
    .option(...WAIT)
    .action((name: string | undefined, options: Disable) => {
      const chosen = oneOrList(name, options);
      return shell.inHouse((house) =>
        'name' in chosen
          ? end(house, chosen.name, 'disabled', options)
          : setStatusOfMany(house, 'disabled', { ...options, ...chosen }),
      );
    });
  account
    .command('enable [account]')
    .description('let a disabled account, or all on a list, sign in again')
    .option(...LIST.file)
    .option(...LIST.skip)
    .action((name: string | undefined, options: Listed) => {
      const chosen = oneOrList(name, options);
      return shell.inHouse((house) =>
        'name' in chosen ? enable(house, chosen.name) : setStatusOfMany(house, 'active', { ...options, ...chosen }),
      );
    });
  account
    .command('delete <account>')
    .description('end the access of an account and erase who it was, for good; asks first')
    .option('--yes', 'do not ask')
    .option(...WAIT)
    .action((name: string, options: Ending) => shell.inHouse((house) => end(house, name, 'deleted', options)));
  account
    .command('set-password <account>')
    .description('set a new password and sign the account out of all devices; asks at a terminal')
    .option('--password-file <file>', 'a file with the password on its first line; - is stdin')
    .option('--keep-devices', 'leave its devices signed in, and do not ask')
    .option('--yes', 'do not ask')
    .option(...WAIT)
    .action((name: string, options: SetPassword) => shell.inHouse((house) => setPassword(house, name, options)));
  accountLinkCommands(account, shell);
}

async function create(house: House, { username, email, passwordFile, admin = false }: Create): Promise<ExitCode> {
  const { core, terminal } = house;
  const password = await readPassword(terminal, passwordFile);
  const hash = password === null ? null : await hashPassword(house, { password, username, email });
  const created = await core.accounts.create({
    username,
    email,
    admin,
    ...(hash === null ? {} : { passwordHash: hash }),
  });
  if ('refused' in created) {
    const taken = created.refused === 'username-taken' || created.refused === 'email-taken';
    throw new Refused(created.problem, { exitCode: taken ? 1 : 2, fix: 'choose another one' });
  }
  const { id: accountId } = created.account;
  await core.journal.record({ kind: 'account.created', accountId, actor: OPERATOR, facts: { admin } });
  if (hash === null) {
    terminal.note(
      `No password was given, so ${created.account.username} cannot sign in by password yet: \`curfew account set-password\`.`,
    );
  }
  present(house, created.account);
  return 0;
}

async function list({ core, terminal }: House): Promise<ExitCode> {
  await terminal.printList({
    pages: allPages(core.accounts.list, ({ id }) => id),
    columns: [
      { title: 'username', of: ({ username }) => username || '–' },
      { title: 'e-mail', of: ({ email }) => email || '–' },
      { title: 'status', of: ({ status, admin }) => (admin ? `${status}, admin` : status) },
      { title: 'created', of: ({ createdAt }) => createdAt.toISOString().slice(0, 10), whole: true },
      { title: 'id', of: ({ id }) => id, whole: true },
    ],
    json: accountJson,
    none: 'There are no accounts yet: `curfew account create`.',
  });
  return 0;
}

async function show(house: House, name: string): Promise<ExitCode> {
  const { core, terminal } = house;
  const account = await accountNamed(core, name);
  const linked = await core.connections.identities.list(account.id);
  const connections = linked.map(({ connectionId, name, lastUsedAt }) => ({
    id: connectionId,
    name,
    lastUsedAt: lastUsedAt.toISOString(),
  }));
  terminal.printJson({ ...accountJson(account), connections });
  terminal.printFacts([
    ...accountFacts(account),
    ...linked.map(({ connectionId, name, lastUsedAt }): Fact => [
      'comes through',
      `${connectionId}${name === '' ? '' : ` as ${name}`}, last ${instant(lastUsedAt)}`,
    ]),
  ]);
  return 0;
}

async function end(
  house: House,
  name: string,
  status: 'disabled' | 'deleted',
  { yes = false, wait }: Ending,
): Promise<ExitCode> {
  const { core, terminal } = house;
  const account = await accountNamed(core, name);
  if (account.status === status) {
    terminal.note(`${called(account)} is ${status} already; nothing was changed.`);
    present(house, account);
    return 0;
  }
  refuseDeleted(account);
  const scope = { kind: 'account', accountId: account.id } as const;
  const [{ clients }, notices] = await Promise.all([core.signOuts.preview(scope), core.fanOut.foresee(scope)]);
  await agree(terminal, {
    yes,
    about: [
      `${called(account)} will be ${status}${status === 'deleted' ? ', name and e-mail address erased, for good' : ''}.`,
      `Access ends on every device, at ${counted(clients, 'app')}; ${counted(notices, 'notice')} to deliver.`,
    ],
    question: `${status === 'deleted' ? 'Delete' : 'Disable'} ${account.username}?`,
  });
  const signOut = await core.signOuts.prepare({ scope, reason: REASONS[status], actor: { kind: 'operator' } });
  const forget = async () => (status === 'deleted' ? core.journal.forget(account.id) : undefined);
  await forget();
  const set = await core.store.accounts.setStatus({ accountId: account.id, status, signOut });
  await forget();
  if (set === 'unknown') throw new Refused(`${called(account)} was deleted meanwhile`, { exitCode: 1 });
  core.signOuts.written();
  await core.journal.record({ kind: `account.${status}`, accountId: account.id, actor: OPERATOR });
  const { exitCode } = await tellClients(house, signOut.id, wait);
  present(house, await accountNamed(core, account.id));
  return exitCode;
}

async function enable(house: House, name: string): Promise<ExitCode> {
  const { core } = house;
  const account = await accountNamed(core, name);
  refuseDeleted(account);
  await core.store.accounts.setStatus({ accountId: account.id, status: 'active' });
  await core.journal.record({ kind: 'account.enabled', accountId: account.id, actor: OPERATOR });
  present(house, await accountNamed(core, account.id));
  return 0;
}

async function setPassword(
  house: House,
  name: string,
  { passwordFile, keepDevices = false, yes = false, wait }: SetPassword,
): Promise<ExitCode> {
  const { core, terminal } = house;
  const account = await accountNamed(core, name);
  refuseDeleted(account);
  const scope = { kind: 'account', accountId: account.id } as const;
  if (!keepDevices) {
    const [{ clients }, notices] = await Promise.all([core.signOuts.preview(scope), core.fanOut.foresee(scope)]);
    await agree(terminal, {
      yes,
      about: [
        `${called(account)} will get a new password.`,
        `Access ends on every device, at ${counted(clients, 'app')}; ${counted(notices, 'notice')} to deliver.`,
      ],
      question: `Set a new password for ${account.username}?`,
      byScript: 'goes-on',
    });
  }
  const password = await readPassword(terminal, passwordFile);
  if (password === null) {
    throw new Refused('there is no terminal to ask for a password at', { fix: 'name a --password-file; - is stdin' });
  }
  const hash = await hashPassword(house, { password, username: account.username, email: account.email });
  const order = { scope, reason: REASONS.password, actor: { kind: 'operator' } } as const;
  const signOut = keepDevices ? undefined : await core.signOuts.prepare(order);
  const set = await core.store.accounts.setPassword({
    accountId: account.id,
    hash,
    changedAt: core.clock.now(),
    ...(signOut === undefined ? {} : { signOut }),
  });
  if (set !== 'set') throw new Refused(`${called(account)} was deleted meanwhile`, { exitCode: 1 });
  core.signOuts.written();
  await core.journal.record({ kind: 'password.changed', accountId: account.id, actor: OPERATOR });
  const exitCode = signOut === undefined ? 0 : (await tellClients(house, signOut.id, wait)).exitCode;
  if (keepDevices) terminal.note('Its devices stay signed in.');
  present(house, await accountNamed(core, account.id));
  return exitCode;
}

/** The account as scripts read it. */
function accountJson({ id, username, email, status, createdAt }: Account) {
  return { id, username, email, status, createdAt: createdAt.toISOString() };
}

function present({ terminal }: House, account: Account): void {
  terminal.printJson(accountJson(account));
  terminal.printFacts(accountFacts(account));
}

type Fact = readonly [string, string];

function accountFacts(account: Account): Fact[] {
  return [
    ['id', account.id],
    ['username', account.username || '–'],
    ['e-mail', account.email || '–'],
    ['status', account.status],
    ['admin', account.admin ? 'yes' : 'no'],
    ['created', instant(account.createdAt)],
    ['password', account.passwordChangedAt === null ? 'none' : `set ${instant(account.passwordChangedAt)}`],
    ['last signed in', account.lastSignedInAt === null ? 'not noted' : instant(account.lastSignedInAt)],
  ];
}

function called({ username, id }: Account): string {
  return username === '' ? `The account ${id}` : `${username} (${id})`;
}

function refuseDeleted(account: Account): void {
  if (account.status === 'deleted') {
    throw new Refused(`the account ${account.id} was deleted, which cannot be undone`, {
      exitCode: 1,
      fix: 'create another one',
    });
  }
}
