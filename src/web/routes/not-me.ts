/**
 * "This was not me": the link in every mail that tells of something done to an account.
 *
 * Invariant: looking does nothing. Once said, all access ends, whatever fails after it; what opens the account by mail or
 * without its second factor ends with it, and so does whatever was added since to sign in by; and its owner gets a way back at
 * the address that the account has. It is said once.
 */
import { hash } from 'node:crypto';

import { REASONS } from '../../revocation/sign-out.ts';
import type { Context } from 'koa';

import { textsOf } from '../language.ts';
import { linkOf, readLink, showDeadLink, showMessage, signInLink } from '../mailed.ts';
import { notify } from '../notices.ts';
import { additionsSince, undoAdditions, undoneSince } from '../undo.ts';
import { type House, show } from './house.ts';
import { sendReset } from './reset.ts';

const PATH = '/not-me';

export function notMeRoutes(house: House): void {
  const { router } = house;
  const pending = async (bearer: string) => {
    const link = await house.links.find('not-me', bearer);
    const account = link?.accountId == null ? null : await house.store.accounts.find(link.accountId);
    if (link === null || account === null || account.status === 'deleted') return null;
    return { account, since: undoneSince(link.madeAt) };
  };
  const dead = (ctx: Context): Promise<void> => {
    const texts = textsOf(ctx);
    return showDeadLink(house, ctx, { next: texts.notMe.deadNext, link: signInLink(texts) });
  };

  router.get(PATH, async (ctx) => {
    const link = linkOf(ctx);
    const found = await pending(link);
    if (found === null) return dead(ctx);
    const { account, since } = found;
    const { notMe } = textsOf(ctx);
    const added = await additionsSince(house, account.id, since, notMe);
    const { username } = (await house.accounts.find(account.id)) ?? { username: '' };
    await show(house, ctx, 'mailed-link', {
      title: notMe.title,
      csrf: house.csrf.token(ctx),
      headline: notMe.headline,
      message: notMe.message(username),
      points: [
        notMe.points.ends,
        notMe.points.untrusted,
        ...(added.length === 0 ? [] : [notMe.points.added(added.join(', '))]),
        notMe.points.links,
        ...(house.mailer === null ? [] : [notMe.newLink]),
      ],
      link,
      action: PATH,
      label: notMe.label,
    });
  });

  router.post(PATH, async (ctx) => {
    const link = await readLink(house, ctx);
    const found = await pending(link);
    if (found === null) return dead(ctx);
    const { account, since } = found;
    const { id: accountId } = account;
    await undoAdditions(house, accountId, since);
    const here = await house.browsers.current(ctx);
    // Its id is the link's: said again after a fault, or fifty times at once, it is one and the same sign-out.
    const signOut = await house.signOuts.signOut({
      id: hash('sha256', `not-me:${link}`, 'base64url'),
      scope: { kind: 'account', accountId },
      reason: REASONS.reported,
      actor: { kind: 'account', accountId },
    });
    await undoAdditions(house, accountId, since);
    await house.trustedBrowsers.forgetAll(accountId);
    if (await house.links.use(link)) {
      house.metrics.signedOut('account');
      await notify(house, ctx, accountId, { kind: 'account.reported' });
      if (account.status === 'active') await sendReset(house, ctx, account);
    }
    house.cookies.allowReceipt(ctx, signOut.id);
    if (here?.accountId === accountId) house.browsers.forget(ctx);
    const { notMe, mailed } = textsOf(ctx);
    await showMessage(house, ctx, {
      title: notMe.done,
      headline: notMe.done,
      message: notMe.doneMessage,
      next: house.mailer === null ? notMe.doneNextNoMail : notMe.doneNext,
      link: { href: `/sign-outs/${signOut.id}`, label: mailed.seeReceipt },
    });
  });
}
