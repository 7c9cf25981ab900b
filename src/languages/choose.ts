/**
 * Which language to speak to somebody, from what is known of what they read.
 *
 * Invariant: whatever is asked for, the answer is a language there is. Tags are looked up and never used as keys.
 */
import { LANGUAGES, type Locale } from './languages.ts';

export const LOCALES = Object.keys(LANGUAGES) as readonly Locale[];

/** Nobody reads more languages than that; whoever lists more is not answered for the rest. */
const MOST_TAGS = 30;

/**
 * The language for a reader who asked for these, most wanted first: what the app asked for (`ui_locales`, OpenID Connect Core
 * §3.1.2.1), what the account is kept in, what the browser accepts. English where none of them is spoken here.
 */
export function chooseLocale({
  uiLocales,
  account,
  accepted = [],
}: {
  /** Tags with spaces between them, as the parameter has them. Anything but a text says nothing. */
  readonly uiLocales?: unknown;
  readonly account?: string | null | undefined;
  /** Most wanted first. */
  readonly accepted?: readonly string[];
}): Locale {
  const asked = typeof uiLocales === 'string' ? uiLocales.split(' ', MOST_TAGS) : [];
  return lookUp(asked) ?? lookUp(account == null ? [] : [account]) ?? lookUp(accepted.slice(0, MOST_TAGS)) ?? 'en';
}

/** The first of these that is spoken here, in any of its regions and scripts (RFC 4647 §3.4). */
function lookUp(tags: readonly string[]): Locale | undefined {
  for (const tag of tags) {
    const [language] = tag.toLowerCase().split(/[-_]/, 1);
    const found = LOCALES.find((locale) => locale === language);
    if (found !== undefined) return found;
  }
  return undefined;
}
