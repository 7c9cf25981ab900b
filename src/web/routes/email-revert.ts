/**
 * Taking a change of address back, from the address that was left.
 *
 * Invariant: it works for a week whatever was done to the account meanwhile, since whoever took an account over would sign
 * everybody out first. Access ends before anything else, with every link that was mailed; the password lets nobody in until
 * its owner has chosen another one at the address that is restored. Whoever changed the address twice holds such a link
 * themselves: what came after the change that is taken back can take nothing back.
 */
import { hash } from 'node:crypto';
import type { Context } from 'koa';

import type { Link } from '../../authn/mailed-links.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import { textsOf } from '../language.ts';
import { linkOf, readLink, showDeadLink, showMessage, signInLink } from '../mailed.ts';
import { notify } from '../notices.ts';
import { undoAdditions, undoneSince } from '../undo.ts';
import { type House, show } from './house.ts';
import { sendReset } from './reset.ts';

export const REVERT = '/email/revert';

type Revert = Link<'revert-email'> & { readonly accountId: string };

export function emailRevertRoutes(house: House): void {
  const { router } = house;

  router.get(REVERT, async (ctx) => {
    const link = linkOf(ctx);
    const pending = await pendingRevert(house, link);
    if (pending === null) return dead(house, ctx);
    const { title, headline, message, points, label } = textsOf(ctx).email.revert;
    await show(house, ctx, 'mailed-link', {
      title,
      csrf: house.csrf.token(ctx),
      headline,
      message: message(pending.purpose.email),
      points,
      link,
      action: REVERT,
      label,
    });
  });

  router.post(REVERT, async (ctx) => {
    const link = await readLink(house, ctx);
    const pending = await pendingRevert(house, link);
    if (pending === null) return dead(house, ctx);
    await takeBack(house, ctx, link, pending);
  });
}

async function takeBack(
  house: House,
  ctx: Context,
  link: string,
  { accountId, purpose, madeAt }: Revert,
): Promise<void> {
  const here = await house.browsers.current(ctx);
  const order = {
    // Its id is the link's: done again after a fault, or fifty times at once, it is one and the same sign-out.
    id: hash('sha256', `revert-email:${link}`, 'base64url'),
    scope: { kind: 'account', accountId },
    reason: REASONS.emailReverted,
    actor: { kind: 'account', accountId },
  } as const;
  const since = undoneSince(madeAt);
  await undoAdditions(house, accountId, since);
  const signOut = await house.signOuts.prepare(order);
  await house.store.accounts.requirePasswordReset({ accountId, at: house.clock.now(), signOut });
  house.signOuts.written();
  await undoAdditions(house, accountId, since);
  await house.links.voidReverts({ accountId, since: madeAt });
  const restored = await restore(house, link, accountId, purpose.email);
  const { mailed, email } = textsOf(ctx);
  if (restored === 'taken') return showMessage(house, ctx, { status: 409, ...email.revert.taken });
  if (restored === 'dead') return dead(house, ctx);
  // Used up last: whatever fails before can be done again.
  if (await house.links.use(link)) {
    house.metrics.signedOut('account');
    await notify(house, ctx, accountId, { kind: 'email.reverted' });
    const account = await house.store.accounts.find(accountId);
    if (account?.status === 'active') await sendReset(house, ctx, account);
  }
  house.cookies.allowReceipt(ctx, signOut.id);
  if (here?.accountId === accountId) house.browsers.forget(ctx);
  await showMessage(house, ctx, {
    title: email.revert.done,
    headline: email.revert.done,
    message: email.revert.doneMessage(purpose.email),
    next: email.revert.doneNext,
    link: { href: `/sign-outs/${signOut.id}`, label: mailed.seeReceipt },
  });
}

/** Tried again when the address was changed meanwhile; unless that was by somebody who took back an earlier change. */
async function restore(
  house: House,
  link: string,
  accountId: string,
  email: string,
): Promise<'restored' | 'taken' | 'dead'> {
  for (;;) {
    const account = await house.accounts.find(accountId);
    if (account === null || account.status === 'deleted' || (await pendingRevert(house, link)) === null) return 'dead';
    if (account.email === email) return 'restored';
    const changed = await house.accounts.changeEmail({ accountId, from: account.email, email, verified: true });
    if (changed === 'changed') return 'restored';
    if (changed !== 'stale') return 'taken';
  }
}

async function pendingRevert(house: House, bearer: string): Promise<Revert | null> {
  const link = await house.links.find('revert-email', bearer);
  if (link === null || link.accountId === null) return null;
  const account = await house.accounts.find(link.accountId);
  return account === null || account.status === 'deleted' ? null : { ...link, accountId: link.accountId };
}

const dead = (house: House, ctx: Context): Promise<void> =>
  showDeadLink(house, ctx, { next: textsOf(ctx).email.revert.deadNext, link: signInLink(textsOf(ctx)) });
