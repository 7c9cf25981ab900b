/**
 * From a mail to a letter: what a person reads, part by part, before anybody lays it out.
 *
 * Invariant: every letter says what happened, when and from where, in one language; every part of it is one line of plain
 * text, whatever was handed in. It refuses to know HTML and the network.
 */
import type { Locale } from '../languages/languages.ts';
import type { Mail, MailKind, MailOf } from './mails.ts';
import { de } from './texts/de.ts';
import { en } from './texts/en.ts';
import type { Texts, Wording } from './texts/texts.ts';

type Link = { readonly label: string; readonly href: string };

export type Letter = {
  readonly language: string;
  readonly direction: 'ltr' | 'rtl';
  readonly subject: string;
  /** What happened, and what follows from it. */
  readonly paragraphs: readonly string[];
  /** When, from where, with what. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly action: (Link & { readonly hint: string; readonly goodUntil: string | null }) | null;
  /** For whoever did not do this. */
  readonly notMe: (Link & { readonly text: string }) | null;
  readonly footer: string;
};

const LANGUAGES: Readonly<Record<Locale, Texts>> = { en, de };

/** Writes it. `site` is the host people know the installation by. */
export function writeLetter(given: Mail, { locale, site }: { locale: Locale; site: string }): Letter {
  const mail = tame(given) as Mail;
  const texts = LANGUAGES[locale];
  const wording = wordingOf(mail, texts, site);
  const { facts, unknown, byOperator } = texts;
  const asked = mail.address !== null || mail.device !== null;
  const goodUntil = 'linkExpiresAt' in mail ? texts.goodUntil(texts.instant(mail.linkExpiresAt)) : null;
  const notMeHref = 'notMeLink' in mail ? mail.notMeLink : 'revertLink' in mail ? mail.revertLink : null;
  return {
    language: texts.language,
    direction: texts.direction,
    subject: wording.subject,
    paragraphs: [wording.happened, ...(wording.advice === undefined ? [] : [wording.advice])],
    facts: [
      [facts.when, texts.instant(mail.at)],
      ...(asked
        ? ([
            [facts.address, mail.address ?? unknown],
            [facts.device, mail.device ?? unknown],
          ] as const)
        : ([[facts.by, byOperator(site)]] as const)),
    ],
    action:
      'link' in mail && wording.action !== undefined
        ? { label: wording.action, href: mail.link, hint: texts.copyLink, goodUntil }
        : null,
    notMe:
      notMeHref !== null && wording.notMe !== undefined
        ? { label: texts.notMe, href: notMeHref, text: wording.notMe }
        : null,
    footer: texts.footer(site),
  };
}

function wordingOf<Kind extends MailKind>(mail: MailOf<Kind>, texts: Texts, site: string): Wording {
  const word = texts.mails[mail.kind as Kind] as Texts['mails'][Kind];
  return word(mail, { site, instant: texts.instant });
}

const LONGEST_VALUE = 2000;
// Control characters and line separators would begin lines of their own; overrides of direction would rearrange others'.
const UNRULY = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** The same with every text on one line and of bounded length. */
function tame(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(UNRULY, ' ').slice(0, LONGEST_VALUE);
  if (Array.isArray(value)) return value.map(tame);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, tame(each)]));
}
