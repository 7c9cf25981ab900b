/**
 * The language a request is answered in: the one its app asked for, else the one its account is kept in, else the one its
 * browser accepts.
 *
 * What an app asks for travels with its Interaction, so that every page of a sign-in speaks the language of the first.
 */
import type { Context } from 'koa';

import { chooseLocale } from '../languages/choose.ts';
import type { Texts } from '../languages/en.ts';
import { type Language, LANGUAGES } from '../languages/languages.ts';

type Asking = Pick<Context, 'state' | 'query' | 'acceptsLanguages'> & {
  readonly oidc?: { readonly params?: Readonly<Record<string, unknown>> | undefined };
};

export function languageOf(ctx: Asking): Language {
  const { state, query, oidc } = ctx;
  return LANGUAGES[
    chooseLocale({
      uiLocales: state['uiLocales'] ?? oidc?.params?.['ui_locales'] ?? query['ui_locales'],
      account: state['accountLocale'] as string | null | undefined,
      accepted: ctx.acceptsLanguages(),
    })
  ];
}

export const textsOf = (ctx: Asking): Texts => languageOf(ctx).texts;

/** What the app asked for at the beginning, known again on a later page. */
export function noteUiLocales(ctx: Pick<Context, 'state'>, uiLocales: unknown): void {
  ctx.state['uiLocales'] = uiLocales;
}

/** The language of whoever is signed in (BCP 47). */
export function noteAccountLocale(ctx: Pick<Context, 'state'>, locale: string | null | undefined): void {
  ctx.state['accountLocale'] = locale;
}

/** The language of a page that is about to be rendered as the answer, said in its headers. */
export function speak(ctx: Asking & Pick<Context, 'set' | 'vary'>): Language {
  const language = languageOf(ctx);
  ctx.vary('Accept-Language');
  ctx.set('Content-Language', language.tag);
  return language;
}
