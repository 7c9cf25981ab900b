/**
 * What a language must be able to say. A language that lacks a mail, or a mail that lacks a part, is a type error.
 *
 * Words only: they are plain text, and whoever lays them out escapes them. It refuses to know layout, links and addresses.
 */
import type { MailKind, MailOf } from '../mails.ts';

/** One mail in words. `happened` is the whole news in one or two sentences; the rest says what to do about it. */
export type Wording = {
  readonly subject: string;
  readonly happened: string;
  readonly advice?: string;
  /** The words on its link, where it has one. */
  readonly action?: string;
  /** What whoever did not do this should know, where they can say so. */
  readonly notMe?: string;
};

/** What every text may name besides its mail. */
export type Surroundings = {
  /** The host people know the installation by: `id.example.org`. */
  readonly site: string;
  /** An instant as this language writes it, in UTC. */
  readonly instant: (at: Date) => string;
};

export type Texts = {
  /** BCP 47. */
  readonly language: string;
  readonly direction: 'ltr' | 'rtl';
  readonly instant: (at: Date) => string;
  readonly facts: { readonly when: string; readonly address: string; readonly device: string; readonly by: string };
  readonly unknown: string;
  /** No request at all: an operator's doing. */
  readonly byOperator: (site: string) => string;
  readonly notMe: string;
  readonly copyLink: string;
  readonly goodUntil: (instant: string) => string;
  readonly footer: (site: string) => string;
  readonly mails: { readonly [Kind in MailKind]: (mail: MailOf<Kind>, about: Surroundings) => Wording };
};

/** How a language writes an instant, in UTC. */
export function instantIn(language: string): (at: Date) => string {
  const format = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return (at) => `${format.format(at)} UTC`;
}
