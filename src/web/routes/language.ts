/** The language that a person wants to be spoken to in, whatever their browser asks for: in pages and in mails. */
import { z } from 'zod';

import { LOCALES } from '../../languages/choose.ts';
import { ABOUT_YOU } from '../account-page.ts';
import { readForm } from '../forms.ts';
import { type House, requireSignIn, seeOther } from './house.ts';

const LanguageForm = z.strictObject({ csrf: z.string(), locale: z.enum(LOCALES) });

export function languageRoutes(house: House): void {
  const { router, csrf, store } = house;
  router.post(ABOUT_YOU.language, async (ctx) => {
    const form = await readForm(ctx, LanguageForm);
    csrf.check(ctx, form.csrf);
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    await store.accounts.setLocale({ accountId: person.accountId, locale: form.locale });
    seeOther(ctx, '/account');
  });
}
