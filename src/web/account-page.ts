/** The account page: who somebody is here, and what they can change about it. */
import type { Context } from 'koa';

import { LOCALES } from '../languages/choose.ts';
import { LANGUAGES } from '../languages/languages.ts';
import { countDevices } from './devices.ts';
import type { Person } from './fresh.ts';
import { instant } from './instants.ts';
import { languageOf } from './language.ts';
import { type House, show } from './routes/house.ts';
import type { AccountView } from './views.ts';

export const ABOUT_YOU = {
  verify: '/account/verify',
  email: '/account/email',
  username: '/account/username',
  language: '/account/language',
  download: '/account/download',
  delete: '/account/delete',
} as const;

export async function showAccount(
  house: House,
  ctx: Context,
  { accountId, username }: Person,
  refusal?: AccountView['refusal'],
): Promise<void> {
  const account = await house.accounts.find(accountId);
  const email = account?.email ?? '';
  const { changed } = ctx.query;
  const language = languageOf(ctx);
  const { account: texts } = language.texts;
  const notices: Readonly<Record<string, string>> = texts.changed;
  const notice = typeof changed === 'string' && Object.hasOwn(notices, changed) ? notices[changed] : undefined;
  await show(house, ctx, 'account', {
    title: texts.title,
    viewer: { username: account?.username ?? username },
    csrf: house.csrf.token(ctx),
    notice: notice === undefined ? undefined : { tone: 'success', text: notice },
    email,
    emailConfirmed: account?.emailVerifiedAt != null,
    verifyAction: house.mailer === null || email === '' ? undefined : ABOUT_YOU.verify,
    changeEmailAction: house.mailer === null ? undefined : ABOUT_YOU.email,
    changeUsernameAction: ABOUT_YOU.username,
    language: {
      name: language.name,
      action: ABOUT_YOU.language,
      others: LOCALES.map((locale) => LANGUAGES[locale]).filter(({ tag }) => tag !== language.tag),
    },
    downloadAction: ABOUT_YOU.download,
    deleteAction: ABOUT_YOU.delete,
    refusal,
    createdAt: instant(account?.createdAt ?? house.clock.now(), language),
    deviceCount: await countDevices(house, accountId),
  });
}

/** The page again, with what is wrong about what was asked. */
export function refuse(
  house: House,
  ctx: Context,
  person: Person,
  status: number,
  field: NonNullable<AccountView['refusal']>['field'],
  text: string,
): Promise<void> {
  ctx.status = status;
  return showAccount(house, ctx, person, { field, text });
}
