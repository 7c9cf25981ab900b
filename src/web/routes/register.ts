/**
 * New accounts, made by the people they are for.
 *
 * Invariant: nobody gets an account without a link that was mailed to its address (CVE-2026-18963), and nothing that comes back
 * tells whether an address has one. A link makes one account, which its address sees to: no two accounts share one.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import { parseEmail, parseUsername } from '../../accounts/identifiers.ts';
import { type LinkKind, linkExpiry } from '../../authn/mailed-links.ts';
import { SHORTEST_PASSWORD } from '../../authn/password-policy.ts';
import { addressOf } from '../../oidc/device.ts';
import { randomId } from '../../platform/random.ts';
import { readForm } from '../forms.ts';
import { languageOf, textsOf } from '../language.ts';
import { countMail, LinkForm, linkOf, readLink, showDeadLink, showMessage, showNoMail, signInLink } from '../mailed.ts';
import { circumstancesOf, linkTo, localeOf, notify, write } from '../notices.ts';
import { tell } from '../password-sign-in.ts';
import { type House, seeOther, show } from './house.ts';

const RegisterForm = z.strictObject({ csrf: z.string(), email: z.string().max(320) });
const NewAccountForm = LinkForm.extend({ username: z.string().max(320), password: z.string().max(4096) });
const CONFIRM = '/register/confirm';
const DECLINE = '/register/decline';

export function registerRoutes(house: House): void {
  const { router, csrf } = house;
  const closed = async (ctx: Context): Promise<boolean> => {
    if (house.config.registration !== 'open') {
      await showClosed(house, ctx);
      return true;
    }
    if (house.mailer !== null) return false;
    await showNoMail(house, ctx, textsOf(ctx).register.title);
    return true;
  };

  router.get('/register', async (ctx) => {
    if (!(await closed(ctx))) await showRegister(house, ctx);
  });

  router.post('/register', async (ctx) => {
    const { csrf: token, email: typed } = await readForm(ctx, RegisterForm);
    csrf.check(ctx, token);
    if (await closed(ctx)) return;
    const overdrawn = await house.throttle.countAddress(addressOf(ctx));
    if (overdrawn !== null) {
      const told = tell(ctx, overdrawn, '');
      ctx.status = told.status;
      return showRegister(house, ctx, [told.refusal, told.retryAfter].join(' '));
    }
    const parsed = parseEmail(typed);
    if ('refused' in parsed) {
      ctx.status = 400;
      return showRegister(house, ctx, textsOf(ctx).identifiers[parsed.refused]);
    }
    house.afterwards.run(ctx, () => answerAsked(house, ctx, parsed.email));
    const { mailed, register } = textsOf(ctx);
    await showMessage(house, ctx, {
      title: mailed.lookInMail,
      headline: mailed.lookInMail,
      message: register.sent,
      next: register.sentNext,
      link: { href: '/register', label: register.again },
    });
  });

  router.get(CONFIRM, async (ctx) => {
    const link = linkOf(ctx);
    const email = await pendingAddress(house, link);
    if (email === null) return dead(house, ctx);
    await showNewAccount(house, ctx, { email, link, username: '' });
  });

  router.post(CONFIRM, async (ctx) => {
    const form = await readForm(ctx, NewAccountForm);
    csrf.check(ctx, form.csrf);
    await makeAccount(house, ctx, form);
  });

  router.get(DECLINE, async (ctx) => {
    const link = linkOf(ctx);
    const email = await pendingAddress(house, link);
    if (email === null) return dead(house, ctx);
    const { title, headline, message, points, label } = textsOf(ctx).register.decline;
    await show(house, ctx, 'mailed-link', {
      title,
      csrf: csrf.token(ctx),
      headline,
      message: message(email),
      points,
      link,
      action: DECLINE,
      label,
    });
  });

  router.post(DECLINE, async (ctx) => {
    const link = await readLink(house, ctx);
    if ((await pendingAddress(house, link)) === null || !(await house.links.use(link))) return dead(house, ctx);
    const { done, doneMessage, doneNext } = textsOf(ctx).register.decline;
    await showMessage(house, ctx, {
      title: done,
      headline: done,
      message: doneMessage,
      next: doneNext,
    });
  });
}

const showRegister = (house: House, ctx: Context, refusal?: string): Promise<void> =>
  show(house, ctx, 'register', {
    title: textsOf(ctx).register.title,
    csrf: house.csrf.token(ctx),
    action: '/register',
    cancelUrl: '/sign-in',
    refusal,
  });

function showClosed(house: House, ctx: Context): Promise<void> {
  const texts = textsOf(ctx);
  const { title, closed, invite } = texts.register;
  const { headline, message } = house.config.registration === 'invite' ? invite : closed;
  return showMessage(house, ctx, {
    status: 403,
    title,
    headline,
    message,
    next: closed.next,
    link: signInLink(texts),
  });
}

function dead(house: House, ctx: Context): Promise<void> {
  const texts = textsOf(ctx);
  return showDeadLink(house, ctx, { next: texts.register.deadNext, link: signInLink(texts) });
}

/** After the answer: a link for a new address; word to whoever has an account with it. Both are the same work. */
async function answerAsked(house: House, ctx: Context, email: string): Promise<void> {
  const account = await house.store.accounts.findByIdentifier(house.accounts.identifierIndex(email));
  if (!(await countMail(house, 'register', email)) || house.mailer === null) return;
  if (account !== null) {
    return write(house, ctx, account.id, (circumstances, notMeLink) => {
      return { ...circumstances, kind: 'registration-duplicate', link: `${house.config.issuer}/sign-in`, notMeLink };
    });
  }
  const link = await house.links.mint({ accountId: null, purpose: { kind: 'register', email } });
  await house.mailer.send({
    eventId: randomId(),
    to: email,
    accountId: null,
    locale: languageOf(ctx).tag,
    mail: {
      ...circumstancesOf(house, ctx),
      kind: 'email-verification',
      link: linkTo(house, CONFIRM, link),
      linkExpiresAt: linkExpiry('register', house.clock.now()),
      notMeLink: linkTo(house, DECLINE, link),
    },
  });
}

/** Which links count under which setting: an operator who closes the door closes it for links under way, too. */
const LINKS: Readonly<Record<House['config']['registration'], readonly (LinkKind & ('register' | 'invite'))[]>> = {
  closed: [],
  invite: ['invite'],
  open: ['invite', 'register'],
};

/** The address that this link proves; null when it makes no account (any more). */
async function pendingAddress(house: House, bearer: string): Promise<string | null> {
  for (const kind of LINKS[house.config.registration]) {
    const link = await house.links.find(kind, bearer);
    if (link !== null) return (await isTaken(house, link.purpose.email)) ? null : link.purpose.email;
  }
  return null;
}

const isTaken = async ({ store, accounts }: House, identifier: string): Promise<boolean> =>
  (await store.accounts.findByIdentifier(accounts.identifierIndex(identifier))) !== null;

type Shown = {
  readonly email: string;
  readonly link: string;
  readonly username: string;
  readonly refusal?: { readonly field: 'username' | 'password'; readonly text: string };
};

const showNewAccount = (house: House, ctx: Context, shown: Shown): Promise<void> =>
  show(house, ctx, 'register-confirm', {
    title: textsOf(ctx).register.title,
    csrf: house.csrf.token(ctx),
    action: CONFIRM,
    minimumLength: SHORTEST_PASSWORD.alone,
    ...shown,
  });

async function makeAccount(
  house: House,
  ctx: Context,
  { link, username, password }: z.output<typeof NewAccountForm>,
): Promise<void> {
  const email = await pendingAddress(house, link);
  if (email === null) return dead(house, ctx);
  const refuse = (status: number, field: 'username' | 'password', text: string): Promise<void> => {
    ctx.status = status;
    return showNewAccount(house, ctx, { email, link, username, refusal: { field, text } });
  };
  const texts = textsOf(ctx);
  const { taken } = texts.register;
  const named = parseUsername(username);
  if ('refused' in named) return refuse(422, 'username', texts.identifiers[named.refused]);
  // Before the password is hashed; decided once more when the account is made.
  if (await isTaken(house, named.username)) return refuse(409, 'username', taken);
  const words = texts.passwordProblems;
  const hashed = await house.signIn.hashNewPassword({ password, username: named.username, email, words });
  if ('refused' in hashed) {
    if (hashed.refused === 'bad-password') return refuse(422, 'password', hashed.problems.join(' '));
    ctx.set('Retry-After', String(hashed.retryAfterSeconds));
    return refuse(503, 'password', texts.attempts.tooBusy);
  }
  const made = await house.accounts.create({
    username: named.username,
    email,
    passwordHash: hashed.hash,
    emailVerified: true,
    locale: localeOf(ctx),
  });
  // The link is used up afterwards: a name that somebody else took meanwhile costs none, and one address makes one account.
  if ('refused' in made) return made.refused === 'username-taken' ? refuse(409, 'username', taken) : dead(house, ctx);
  await house.links.use(link);
  await notify(house, ctx, made.account.id, { kind: 'account.created' });
  seeOther(ctx, '/sign-in?done=registered');
}
