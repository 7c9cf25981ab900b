/**
 * The languages there are: what each can say, which way it runs, and how it writes an instant.
 *
 * Invariant: a language that is offered is complete; the types say so. It refuses to know who reads, and where its texts stand.
 */
import { de } from './de.ts';
import { en, type Texts } from './en.ts';
import type { Instant } from './text.ts';

export type Locale = 'en' | 'de';

export type Language = {
  /** BCP 47. */
  readonly tag: string;
  /** As its speakers call it. */
  readonly name: string;
  readonly direction: 'ltr' | 'rtl';
  readonly texts: Texts;
  /** RFC 3339 for machines, and a sentence's worth of text in UTC for people. */
  readonly instant: (at: Date) => Instant;
};

export const LANGUAGES: Readonly<Record<Locale, Language>> = {
  en: { tag: 'en', name: 'English', direction: 'ltr', texts: en, instant: instantIn('en-GB') },
  de: { tag: 'de', name: 'Deutsch', direction: 'ltr', texts: de, instant: instantIn('de-DE') },
};

function instantIn(locale: string): Language['instant'] {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });
  return (at) => ({ iso: at.toISOString(), text: `${format.format(at)} UTC` });
}
