/**
 * `curfew account invite` and `require-password-reset`: what an operator begins and its person ends, by a mailed link.
 *
 * Invariant: a link is shown here only where no mail can carry it; and whoever must choose a new password is signed out in the
 * same write, mail or no mail.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { type Core, INCIDENT_RESET_SECONDS, parseEmail, randomId, REASONS } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { type Account, accountNamed, instant, waitSeconds } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';
import { tellClients, USUAL_WAIT_SECONDS } from './telling.ts';

type Invite = { email: string; expires: number };
type Requirement = { yes?: boolean; wait: number };

const DAY = 86_400;

export function accountLinkCommands(account: Command, shell: Shell): void {
  account
    .command('invite')
    .description('let somebody make an account: mails them a link, or shows it where no mail is configured')
    .requiredOption('--email <address>', 'whose account it will be')
    .option('--expires <time>', 'how long the link works: 12h, 7d', lifetime, 7 * DAY)
    .action((options: Invite) => shell.inHouse((house) => invite(house, options)));
  account
    .command('require-password-reset <accounts...>')
    .description(
      'sign accounts out, let nobody in with their present passwords, and mail links to choose new ones; asks first',
    )
    .option('--yes', 'do not ask')
    .option('--wait <seconds>', 'how long to go on telling apps from here', waitSeconds, USUAL_WAIT_SECONDS)
    .action((names: string[], options: Requirement) => shell.inHouse((house) => requireReset(house, names, options)));
}

function lifetime(typed: string): number {
  const [, digits, unit] = /^(\d{1,4})([hd])$/.exec(typed) ?? [];
  const seconds = Number(digits) * (unit === 'd' ? DAY : 3600);
  if (seconds > 0 && seconds <= 30 * DAY) return seconds;
  throw new InvalidArgumentError('It must be a number of hours or days, such as 12h or 7d, and at most 30d.');
}

const operatorsDoing = ({ clock }: Core) => ({ at: clock.now(), address: null, device: null });
const after = ({ clock }: Core, seconds: number): Date => new Date(clock.now().getTime() + seconds * 1000);

async function invite({ core, terminal }: House, { email: typed, expires }: Invite): Promise<ExitCode> {
  if (core.config.registration === 'closed') {
    throw new Refused('`registration` is closed, so an invitation would open nothing', {
      fix: 'set it to invite, restart the server, and invite again; or `curfew account create`',
    });
  }
  const parsed = parseEmail(typed);
  if ('refused' in parsed) throw new Refused(parsed.problem, { fix: 'give one address' });
  const { email } = parsed;
  if ((await core.accounts.resolve(email)) !== null) {
    throw new Refused(`there is an account with the address ${email} already`, {
      exitCode: 1,
      fix: '`curfew account show` shows it',
    });
  }
  const bearer = await core.links.mint({ accountId: null, purpose: { kind: 'invite', email }, seconds: expires });
  const link = `${core.config.issuer}/register/confirm?link=${bearer}`;
  const expiresAt = after(core, expires);
  const mail = { ...operatorsDoing(core), kind: 'invite', invitedBy: null, link, linkExpiresAt: expiresAt } as const;
  await core.mailer?.send({ eventId: randomId(), to: email, accountId: null, locale: null, mail });
  const mailed = core.mailer !== null;
  terminal.printJson({ email, expiresAt: expiresAt.toISOString(), mailed, link: mailed ? null : link });
  if (mailed) terminal.print(`The invitation to ${email} is queued. The running server sends it.`);
  else terminal.print('No mail is configured. Give this link to nobody but them:', link);
  terminal.print(`It works until ${instant(expiresAt)}.`);
  return 0;
}

async function requireReset(
  house: House,
  names: readonly string[],
  { yes = false, wait }: Requirement,
): Promise<ExitCode> {
  const { core, terminal } = house;
  const accounts = [];
  for (const name of new Set(names)) accounts.push(await withPassword(core, name));
  await agree(terminal, {
    yes,
    about: [
      `${counted(accounts.length, 'account')} will be signed out everywhere, and the present password will let nobody in:`,
      ...accounts.map(({ username, id }) => `  ${username} (${id})`),
      core.mailer === null
        ? 'No mail is configured: set new passwords with `curfew account set-password`.'
        : 'Each gets a mail with a link to choose a new one, which works for a day.',
    ],
    question: 'Require new passwords?',
  });
  let exitCode: ExitCode = 0;
  const results = [];
  for (const account of accounts) {
    const told = await requireOf(house, account, wait);
    if (told !== 0) exitCode = told;
    results.push({ id: account.id, username: account.username, mailed: core.mailer !== null && account.email !== '' });
    if (told === 130) break;
  }
  terminal.printJson(results);
  terminal.print(`${counted(results.length, 'account')} must choose a new password.`);
  return exitCode;
}

async function withPassword(core: Core, name: string): Promise<Account> {
  const account = await accountNamed(core, name);
  if (account.status !== 'deleted' && account.passwordChangedAt !== null) return account;
  const why = account.status === 'deleted' ? 'was deleted' : 'has no password';
  throw new Refused(`${account.username || account.id} ${why}`, {
    exitCode: 1,
    fix: 'leave it out; `curfew sign-out --account` ends access where there is no password',
  });
}

async function requireOf(house: House, account: Account, wait: number): Promise<ExitCode> {
  const { core } = house;
  const accountId = account.id;
  const signOut = await core.signOuts.prepare({
    scope: { kind: 'account', accountId },
    reason: REASONS.passwordRequired,
    actor: { kind: 'operator' },
  });
  const set = await core.store.accounts.requirePasswordReset({ accountId, at: core.clock.now(), signOut });
  if (set === 'unknown') throw new Refused(`${account.username} was deleted meanwhile`, { exitCode: 1 });
  core.signOuts.written();
  await mailLink(core, account);
  await core.journal.record({ kind: 'password.reset-requested', accountId, actor: { kind: 'operator' } });
  return (await tellClients(house, signOut.id, wait)).exitCode;
}

/** After the sign-out, which ends every link that was mailed before. */
async function mailLink(core: Core, { id: accountId, email, locale, passwordChangedAt }: Account): Promise<void> {
  const { mailer } = core;
  if (mailer === null || email === '') return;
  const purpose = {
    kind: 'reset-password',
    email,
    passwordChangedAt: passwordChangedAt?.toISOString() ?? null,
  } as const;
  const bearer = await core.links.mint({ accountId, purpose, seconds: INCIDENT_RESET_SECONDS });
  const link = `${core.config.issuer}/reset/confirm?link=${bearer}`;
  const linkExpiresAt = after(core, INCIDENT_RESET_SECONDS);
  const mail = { ...operatorsDoing(core), kind: 'password-reset-required', link, linkExpiresAt } as const;
  await mailer.send({ eventId: randomId(), to: email, accountId, locale, mail });
}
