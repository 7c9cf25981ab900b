/**
 * A forgotten password: a link by mail, and a new password at its end.
 *
 * Invariant: whether an account exists is told by nothing that comes back, neither by what it says nor by when it comes
 * (CVE-2023-39522). Mail goes to the address that the account has, never to one that was typed (CVE-2023-7028). A link makes
 * one change of password, ends when the password or the address is changed otherwise, signs nobody in, and asks for no second
 * factor less than before.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import type { AccountView } from '../../accounts/accounts.ts';
import { laterDemand, laterThan } from '../../authn/demanded-passwords.ts';
import { linkExpiry } from '../../authn/mailed-links.ts';
import { SHORTEST_PASSWORD } from '../../authn/password-policy.ts';
import { hasSecondFactor } from '../../authn/second-factors.ts';
import { addressOf } from '../../oidc/device.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import type { AccountRecord } from '../../store/records.ts';
import { readForm } from '../forms.ts';
import { textsOf } from '../language.ts';
import { countMail, isIdentifier, LinkForm, linkOf, showDeadLink, showMessage, showNoMail } from '../mailed.ts';
import { linkTo, notify, write } from '../notices.ts';
import { tell } from '../password-sign-in.ts';
import { type House, seeOther, show } from './house.ts';

const ResetForm = z.strictObject({ csrf: z.string(), username: z.string().max(320) });
const NewPasswordForm = LinkForm.extend({
  password: z.string().max(4096),
  signOutDevices: z.string().optional(),
});
const CONFIRM = '/reset/confirm';

export function resetRoutes(house: House): void {
  const { router, csrf } = house;

  router.get('/reset', async (ctx) => {
    if (house.mailer === null) return showNoMail(house, ctx, textsOf(ctx).reset.title);
    await showReset(house, ctx);
  });

  router.post('/reset', async (ctx) => {
    const { csrf: token, username } = await readForm(ctx, ResetForm);
    csrf.check(ctx, token);
    if (house.mailer === null) return showNoMail(house, ctx, textsOf(ctx).reset.title);
    const overdrawn = await house.throttle.countAddress(addressOf(ctx));
    if (overdrawn !== null) {
      const told = tell(ctx, overdrawn, '');
      ctx.status = told.status;
      return showReset(house, ctx, [told.refusal, told.retryAfter].join(' '));
    }
    if (!isIdentifier(username)) {
      ctx.status = 400;
      return showReset(house, ctx, textsOf(ctx).reset.badIdentifier);
    }
    house.afterwards.run(ctx, () => answerAsked(house, ctx, username));
    const { mailed, reset } = textsOf(ctx);
    await showMessage(house, ctx, {
      title: mailed.lookInMail,
      headline: mailed.lookInMail,
      message: reset.sent,
      next: reset.sentNext,
      link: { href: '/reset', label: reset.again },
    });
  });

  router.get(CONFIRM, async (ctx) => {
    const link = linkOf(ctx);
    const pending = await pendingReset(house, link);
    if (pending === null) return dead(house, ctx);
    await showNewPassword(house, ctx, pending, link, { signOutDevicesChecked: true });
  });

  router.post(CONFIRM, async (ctx) => {
    const form = await readForm(ctx, NewPasswordForm);
    csrf.check(ctx, form.csrf);
    await setNewPassword(house, ctx, form);
  });
}

const showReset = (house: House, ctx: Context, refusal?: string): Promise<void> =>
  show(house, ctx, 'reset', {
    title: textsOf(ctx).reset.title,
    csrf: house.csrf.token(ctx),
    action: '/reset',
    cancelUrl: '/sign-in',
    refusal,
  });

function dead(house: House, ctx: Context): Promise<void> {
  const { reset } = textsOf(ctx);
  return showDeadLink(house, ctx, { next: reset.deadNext, link: { href: '/reset', label: reset.again } });
}

/** After the answer: the mail, or as much work for nobody. */
async function answerAsked(house: House, ctx: Context, identifier: string): Promise<void> {
  const found = await house.store.accounts.findByIdentifier(house.accounts.identifierIndex(identifier));
  const account = found?.status === 'active' ? found : null;
  if (!(await countMail(house, 'reset-password', account?.id ?? identifier))) return;
  if (account !== null) return sendReset(house, ctx, account);
  // As many durable writes as below: the next request must not find a busier house behind one that has an account.
  for (let nth = 0; nth < 4; nth++) {
    await house.links.mint({ accountId: null, purpose: { kind: 'not-me' }, seconds: 1 });
  }
}

/** Mails a link to choose a new password; or word that there is none to choose, to whoever signs in elsewhere. */
export async function sendReset(house: House, ctx: Context, { id: accountId, password }: AccountRecord): Promise<void> {
  const linked = password === null ? await house.connections.identities.list(accountId) : [];
  const names = linked.map(({ connectionId }) => house.connections.settingsOf(connectionId)?.name ?? connectionId);
  const email = (await house.accounts.find(accountId))?.email ?? '';
  await write(house, ctx, accountId, async (circumstances, notMeLink) => {
    if (names.length > 0) {
      const link = `${house.config.issuer}/sign-in`;
      return { ...circumstances, kind: 'password-reset-sso', connections: [...new Set(names)], link, notMeLink };
    }
    const passwordChangedAt = password?.changedAt.toISOString() ?? null;
    const purpose = { kind: 'reset-password', email, passwordChangedAt } as const;
    const link = linkTo(house, CONFIRM, await house.links.mint({ accountId, purpose }));
    const linkExpiresAt = linkExpiry('reset-password', house.clock.now());
    return { ...circumstances, kind: 'password-reset', link, linkExpiresAt, notMeLink };
  });
  await notify(house, ctx, accountId, { kind: 'password.reset-requested' });
}

type Pending = {
  readonly account: AccountRecord;
  readonly view: AccountView;
  readonly secondFactor: boolean;
  readonly accountEpoch: number | undefined;
  readonly everyoneEpoch: number | undefined;
};

/** Whose password this link may change; null when it may not any more. */
async function pendingReset(house: House, bearer: string): Promise<Pending | null> {
  const link = await house.links.find('reset-password', bearer);
  if (link === null || link.accountId === null) return null;
  const [account, view, held] = await Promise.all([
    house.store.accounts.find(link.accountId),
    house.accounts.find(link.accountId),
    house.factors.held(link.accountId),
  ]);
  if (account?.status !== 'active' || view === null) return null;
  const { email, passwordChangedAt } = link.purpose;
  if (view.email !== email || (account.password?.changedAt.toISOString() ?? null) !== passwordChangedAt) return null;
  const accountEpoch = link.epochs[`account:${account.id}`];
  const everyoneEpoch = link.epochs['everyone'];
  return { account, view, secondFactor: hasSecondFactor(held), accountEpoch, everyoneEpoch };
}

const showNewPassword = (
  house: House,
  ctx: Context,
  { view, secondFactor }: Pending,
  link: string,
  state: { readonly signOutDevicesChecked: boolean; readonly refusal?: string },
): Promise<void> =>
  show(house, ctx, 'new-password', {
    title: textsOf(ctx).newPassword.title,
    csrf: house.csrf.token(ctx),
    action: CONFIRM,
    link,
    username: view.username,
    minimumLength: secondFactor ? SHORTEST_PASSWORD.withSecondFactor : SHORTEST_PASSWORD.alone,
    ...state,
  });

async function setNewPassword(house: House, ctx: Context, form: z.output<typeof NewPasswordForm>): Promise<void> {
  const signOutDevicesChecked = form.signOutDevices !== undefined;
  const pending = await pendingReset(house, form.link);
  if (pending === null) return dead(house, ctx);
  const { account, view, secondFactor, accountEpoch, everyoneEpoch } = pending;
  const { id: accountId } = account;
  const { username, email } = view;
  const { attempts, passwordProblems: words } = textsOf(ctx);
  const hashed = await house.signIn.hashNewPassword({ password: form.password, username, email, secondFactor, words });
  if ('refused' in hashed) {
    const bad = hashed.refused === 'bad-password';
    ctx.status = bad ? 422 : 503;
    if (!bad) ctx.set('Retry-After', String(hashed.retryAfterSeconds));
    const refusal = bad ? hashed.problems.join(' ') : attempts.tooBusy;
    return showNewPassword(house, ctx, pending, form.link, { signOutDevicesChecked, refusal });
  }
  const here = await house.browsers.current(ctx);
  const order = {
    scope: { kind: 'account', accountId },
    reason: REASONS.passwordReset,
    actor: { kind: 'account', accountId },
  } as const;
  const signOut = signOutDevicesChecked ? await house.signOuts.prepare(order) : undefined;
  // Before the link is used up: what is demanded from here on is not outdone by it.
  const demandedAt = laterDemand(account.passwordResetRequiredAt, await house.demands.demandedAt());
  const changedAt = laterThan(demandedAt, house.clock.now());
  // Used up last, so that a password that will not do costs no link; and before the write, so that there is one winner.
  if (!(await house.links.use(form.link))) return dead(house, ctx);
  const set = await house.store.accounts.setPassword({
    accountId,
    hash: hashed.hash,
    changedAt,
    expected: account.password?.hash ?? null,
    accountEpoch,
    everyoneEpoch,
    ...(signOut === undefined ? {} : { signOut }),
  });
  if (set !== 'set') return dead(house, ctx);
  house.log.info({ account: accountId, signOut: signOut?.id }, 'password.reset');
  if (signOut !== undefined) {
    house.signOuts.written();
    house.metrics.signedOut('account');
  }
  await notify(house, ctx, accountId, { kind: 'password.reset' });
  if (signOut === undefined) return seeOther(ctx, '/sign-in?done=password-reset');
  house.cookies.allowReceipt(ctx, signOut.id);
  if (here?.accountId === accountId) house.browsers.forget(ctx);
  seeOther(ctx, `/sign-outs/${signOut.id}`);
}
