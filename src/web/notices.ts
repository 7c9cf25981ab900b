/**
 * Telling a person what was done to their account: a line in their journal, and a mail that carries "this was not me".
 *
 * Invariant: nothing that changes how somebody signs in goes untold. The mail is queued after the change is durable; a change
 * is never undone because nobody could be told. Mail goes to the address the account had when it happened, and links lead to
 * the configured issuer, whatever the request said.
 */
import type { Context } from 'koa';

import type { EventFacts, PersonalKind } from '../audit/journal.ts';
import type { Circumstances, FactorChange, Mail } from '../mail/mails.ts';
import { addressOf, describeDevice } from '../oidc/device.ts';
import { randomId } from '../platform/random.ts';
import { languageOf } from './language.ts';
import type { House } from './routes/house.ts';

export type Notice = {
  readonly kind: PersonalKind;
  /** What it happened to, by the name its owner gave it, or its provider's. */
  readonly what?: string | undefined;
  /** Recovery codes that are left. */
  readonly left?: number | undefined;
  /** For the record, in clear. */
  readonly facts?: EventFacts;
};

/** Notes what happened to an account, and writes to its person where that is worth a mail. */
export async function notify(house: House, ctx: Context, accountId: string, notice: Notice): Promise<void> {
  const { kind, what, facts = {} } = notice;
  const userAgent = ctx.get('user-agent');
  await house.journal.record({ kind, accountId, facts, detail: { address: addressOf(ctx), userAgent, what } });
  house.log.info({ account: accountId, requestId: ctx.state['requestId'] }, kind);
  const mail = mailAbout(notice);
  if (mail === null) return;
  await write(house, ctx, accountId, (circumstances, notMeLink) => ({ ...circumstances, notMeLink, ...mail }) as Mail);
}

/**
 * Queues a mail to an account's own address. A fault is a line in the log: what happened has happened, and the page that
 * says so must not say otherwise.
 */
export async function write(
  house: House,
  ctx: Context,
  accountId: string,
  compose: (circumstances: Circumstances, notMeLink: string) => Mail | Promise<Mail>,
  { to }: { readonly to?: string } = {},
): Promise<void> {
  const { mailer } = house;
  if (mailer === null) return;
  try {
    const account = await house.accounts.find(accountId);
    const address = to ?? account?.email ?? '';
    if (account === null || address === '') return;
    const mail = await compose(circumstancesOf(house, ctx), await notMeLink(house, accountId));
    await mailer.send({
      eventId: randomId(),
      to: address,
      accountId,
      locale: account.locale ?? languageOf(ctx).tag,
      mail,
    });
  } catch (err) {
    house.log.error({ err, account: accountId, requestId: ctx.state['requestId'] }, 'mail.not-queued');
  }
}

export function circumstancesOf(house: House, ctx: Context): Circumstances {
  const userAgent = ctx.get('user-agent');
  const address = addressOf(ctx);
  return {
    at: house.clock.now(),
    address: address === '' ? null : address,
    device: userAgent === '' ? null : describeDevice({ userAgent, address }),
  };
}

/** A page of ours that a mail leads to. */
export const linkTo = ({ config }: House, path: string, bearer: string): string =>
  `${config.issuer}${path}?link=${bearer}`;

async function notMeLink(house: House, accountId: string): Promise<string> {
  return linkTo(house, '/not-me', await house.links.mint({ accountId, purpose: { kind: 'not-me' } }));
}

/** The language that the browser asks for first. */
export function localeOf(ctx: Context): string | null {
  const [first] = ctx.acceptsLanguages();
  return first === undefined || first === '*' ? null : first;
}

type Bare<M> = M extends unknown ? Omit<M, keyof Circumstances | 'notMeLink'> : never;

/** What a mail about it says besides when and from where; null for what is not worth one. */
function mailAbout({ kind, what = '', left }: Notice): Bare<Mail> | null {
  const factor = (change: FactorChange): Bare<Mail> => ({
    kind: 'second-factor-changed',
    change,
    name: what === '' ? null : what,
    left: left ?? null,
  });
  switch (kind) {
    case 'totp.added':
      return factor('authenticator-added');
    case 'totp.removed':
      return factor('authenticator-removed');
    case 'passkey.added':
      return factor('passkey-added');
    case 'passkey.removed':
      return factor('passkey-removed');
    case 'recovery-codes.made':
      return factor('recovery-codes-replaced');
    case 'sign-in.recovery-code':
      return factor('recovery-code-used');
    case 'password.changed':
    case 'password.reset':
      return { kind: 'password-changed' };
    case 'account.signed-in':
      return { kind: 'new-sign-in' };
    case 'account.signed-out':
      return { kind: 'signed-out-everywhere' };
    case 'identity.linked':
      return { kind: 'identity-linked', connection: what };
    case 'identity.unlinked':
      return { kind: 'identity-unlinked', connection: what };
    // Pages of their own write about these, with links of their own; the rest is for the journal alone.
    case 'password.reset-requested':
    case 'email.verified':
    case 'email.changed':
    case 'email.reverted':
    case 'username.changed':
    case 'browser.trusted':
    case 'browsers.forgotten':
    case 'device.reattached':
    case 'account.created':
    case 'account.reported':
      return null;
  }
}
