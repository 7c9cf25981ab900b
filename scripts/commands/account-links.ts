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
import { LIST, type Listed, readAccountList, someOrList } from './account-list.ts';
import { type Account, accountNamed, instant, waitSeconds } from './arguments.ts';
import { atOnce } from './at-once.ts';
import { agree, type House, type Shell } from './house.ts';
import { USUAL_WAIT_SECONDS } from './telling.ts';
import { tellOfMany } from './telling-many.ts';

type Invite = { email: string; expires: number };
type Requirement = Listed & { yes?: boolean; wait: number };

const DAY = 86_400;
/** Named one by one to whoever is asked; of more, so many more. */
const MOST_SHOWN = 20;
const CHANGED_AT_ONCE = 8;

export function accountLinkCommands(account: Command, shell: Shell): void {
  account
    .command('invite')
    .description('let somebody make an account: mails them a link, or shows it where no mail is configured')
    .requiredOption('--email <address>', 'whose account it will be')
    .option('--expires <time>', 'how long the link works: 12h, 7d', lifetime, 7 * DAY)
    .action((options: Invite) => shell.inHouse((house) => invite(house, options)));
  account
    .command('require-password-reset [accounts...]')
    .description(
      'sign accounts out, let nobody in with their present passwords, and mail links to choose new ones; asks first',
    )
    .option(...LIST.file)
    .option(...LIST.skip)
    .option('--yes', 'do not ask')
    .option('--wait <seconds>', 'how long to go on telling apps from here', waitSeconds, USUAL_WAIT_SECONDS)
    .action((names: string[], options: Requirement) => {
      const chosen = someOrList(names, options);
      return shell.inHouse(async (house) => requireReset(house, await meant(house, chosen), options));
    });
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
  await core.journal.record({
    kind: 'account.invited',
    accountId: null,
    actor: { kind: 'operator' },
    detail: { what: email },
  });
  const mailed = core.mailer !== null;
  terminal.printJson({ email, expiresAt: expiresAt.toISOString(), mailed, link: mailed ? null : link });
  if (mailed) terminal.print(`The invitation to ${email} is queued. The running server sends it.`);
  else terminal.print('No mail is configured. Give this link to nobody but them:', link);
  terminal.print(`It works until ${instant(expiresAt)}.`);
  return 0;
}

type Meant = { readonly accounts: readonly Account[]; readonly without: readonly Account[] };

/**
 * Whom it is about. Somebody named who has no password is a mistake; on a list, which may be of everybody at a company, they
 * are left out.
 */
async function meant({ core, terminal }: House, chosen: ReturnType<typeof someOrList>): Promise<Meant> {
  if ('accountFile' in chosen) {
    const { ids } = await readAccountList(core, terminal, {
      file: chosen.accountFile,
      skipUnknown: chosen.skipUnknown,
    });
    const found = await atOnce(ids, { most: CHANGED_AT_ONCE }, (id) => core.accounts.find(id));
    const accounts = found.filter((account) => account !== null);
    return {
      accounts: accounts.filter(({ passwordChangedAt }) => passwordChangedAt !== null),
      without: accounts.filter(({ passwordChangedAt }) => passwordChangedAt === null),
    };
  }
  const accounts = [];
  for (const name of new Set(chosen.names)) accounts.push(await withPassword(core, name));
  return { accounts: [...new Map(accounts.map((account) => [account.id, account])).values()], without: [] };
}

async function requireReset(
  house: House,
  { accounts, without }: Meant,
  { yes = false, wait }: Requirement,
): Promise<ExitCode> {
  const { core, terminal, interrupts } = house;
  if (without.length > 0) {
    terminal.note(`${counted(without.length, 'account')} on the list without a password: left out.`);
  }
  const more = accounts.length - MOST_SHOWN;
  if (accounts.length > 0) {
    await agree(terminal, {
      yes,
      about: [
        `${counted(accounts.length, 'account')} will be signed out everywhere, and the present password will let nobody in:`,
        ...accounts.slice(0, MOST_SHOWN).map(({ username, id }) => `  ${username} (${id})`),
        ...(more > 0 ? [`  and ${more} more`] : []),
        core.mailer === null
          ? 'No mail is configured: set new passwords with `curfew account set-password`.'
          : 'Each gets a mail with a link to choose a new one, which works for a day.',
      ],
      question: 'Require new passwords?',
    });
  }
  const required = await interrupts.hold(async (signal) => {
    const show = (done: number): void =>
      terminal.progress({ doing: 'Requiring new passwords', done, total: accounts.length, unit: 'accounts' });
    const done = await atOnce(accounts, { most: CHANGED_AT_ONCE, signal }, (account, done) => {
      show(done);
      return requireOf(house, account);
    });
    show(done.length);
    terminal.progress(null);
    return done;
  });
  core.signOuts.written();
  const cut = required.length < accounts.length;
  const told = await tellOfMany(
    house,
    required.map(({ signOutId }) => signOutId),
    cut ? 0 : wait,
  );
  terminal.printJson(
    required.map(({ account: { id, username, email } }) => ({
      id,
      username,
      mailed: core.mailer !== null && email !== '',
    })),
  );
  terminal.print(`${counted(required.length, 'account')} must choose a new password.`);
  if (cut) terminal.note(`Interrupted: ${counted(accounts.length - required.length, 'account')} not asked yet.`);
  return cut ? 130 : told.exitCode;
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

async function requireOf({ core }: House, account: Account): Promise<{ account: Account; signOutId: string }> {
  const accountId = account.id;
  const signOut = await core.signOuts.prepare({
    scope: { kind: 'account', accountId },
    reason: REASONS.passwordRequired,
    actor: { kind: 'operator' },
  });
  const set = await core.store.accounts.requirePasswordReset({ accountId, at: core.clock.now(), signOut });
  if (set === 'unknown') throw new Refused(`${account.username} was deleted meanwhile`, { exitCode: 1 });
  await mailLink(core, account);
  await core.journal.record({ kind: 'password.reset-requested', accountId, actor: { kind: 'operator' } });
  return { account, signOutId: signOut.id };
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
