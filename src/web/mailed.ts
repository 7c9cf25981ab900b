/**
 * What the pages have in common that mailed links lead to, and that send them.
 *
 * Invariant: opening a link changes nothing; only its form does, once. However often somebody asks, an account or an address
 * gets a few mails an hour and no more. A link that does not work is answered in the same words, whyever it does not.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import { canonicalIdentifier, parseEmail, parseUsername } from '../accounts/identifiers.ts';
import type { LinkKind } from '../authn/mailed-links.ts';
import { addSeconds } from '../platform/clock.ts';
import type { Texts } from '../languages/en.ts';
import { readForm, readQuery } from './forms.ts';
import { textsOf } from './language.ts';
import { type House, show } from './routes/house.ts';
import type { MessageView } from './views.ts';

const bearer = z.string().max(100);
const LinkQuery = z.strictObject({ link: bearer });
export const LinkForm = z.strictObject({ csrf: z.string(), link: bearer });

/** The link that leads here. Throws Refusal(400) when there is none. */
export const linkOf = (ctx: Context): string => readQuery(ctx, LinkQuery).link;

/** The link of a form that was sent. Throws Refusal. */
export async function readLink(house: House, ctx: Context): Promise<string> {
  const { csrf, link } = await readForm(ctx, LinkForm);
  house.csrf.check(ctx, csrf);
  return link;
}

/** One username or one address, as far as its form goes: whatever else is typed can belong to nobody. */
export const isIdentifier = (typed: string): boolean =>
  'email' in parseEmail(typed) || 'username' in parseUsername(typed);

const HOUR_SECONDS = 3600;
const MAILS_AN_HOUR = 3;

/** Counts one mail that somebody asked for; false once there were enough of them this hour. */
export async function countMail(
  { store, keyring, clock }: Pick<House, 'store' | 'keyring' | 'clock'>,
  about: LinkKind,
  whom: string,
): Promise<boolean> {
  const now = clock.now();
  const windowStart = new Date(Math.floor(now.getTime() / 1000 / HOUR_SECONDS) * HOUR_SECONDS * 1000);
  const count = await store.accounts.countAttempt({
    key: keyring.blindIndex('throttle.mails', JSON.stringify([about, canonicalIdentifier(whom)])),
    windowStart,
    expiresAt: addSeconds(windowStart, 2 * HOUR_SECONDS),
  });
  return count <= MAILS_AN_HOUR;
}

/** A page that only says something. */
export async function showMessage(
  house: House,
  ctx: Context,
  { status = 200, ...message }: Omit<MessageView, 'csrf' | 'viewer' | 'notice'> & { readonly status?: number },
): Promise<void> {
  ctx.status = status;
  await show(house, ctx, 'message', message);
}

export const signInLink = ({ mailed }: Texts) => ({ href: '/sign-in', label: mailed.toSignIn });

/** The answer to a link that is unknown, too old, used up or ended: which of these is nobody's business. */
export const showDeadLink = (
  house: House,
  ctx: Context,
  { next, link }: { readonly next: string; readonly link?: MessageView['link'] },
): Promise<void> =>
  showMessage(house, ctx, {
    status: 410,
    ...textsOf(ctx).mailed.dead,
    next,
    link,
  });

/** Where no mail is configured, nothing that needs it can be done, and the page says so. */
export const showNoMail = (house: House, ctx: Context, title: string): Promise<void> =>
  showMessage(house, ctx, {
    title,
    ...textsOf(ctx).mailed.noMail,
    link: signInLink(textsOf(ctx)),
  });
