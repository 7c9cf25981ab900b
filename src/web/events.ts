/** What happened to an account lately, in plain words. */
import type { Happened, PersonalKind } from '../audit/journal.ts';
import type { Texts } from '../languages/en.ts';
import type { Language } from '../languages/languages.ts';
import { deviceWords, placeWords } from './device-words.ts';
import { instant } from './instants.ts';
import type { House } from './routes/house.ts';
import type { SecurityView } from './views.ts';

const SHOWN = 20;

export async function eventsView(
  { journal }: House,
  accountId: string,
  language: Language,
): Promise<SecurityView['events']> {
  return (await journal.recent(accountId, SHOWN)).map((event) => ({
    text: textOf(event, language.texts),
    at: instant(event.at, language),
    from: fromOf(event, language.texts),
  }));
}

function textOf({ kind, detail }: Happened, { events }: Texts): string {
  const kinds: Readonly<Record<PersonalKind, string>> = events.kinds;
  // An event of a newer version, read by an older one.
  const text = Object.hasOwn(kinds, kind) ? kinds[kind] : kind;
  return detail.what ? events.about(text, detail.what) : text;
}

function fromOf({ detail: { address, userAgent } }: Happened, texts: Texts): string {
  if (address === undefined && userAgent === undefined) return texts.events.byOperator;
  const traits = { address: address ?? '', userAgent: userAgent ?? '' };
  return texts.events.from(deviceWords(traits, texts), placeWords(traits, texts));
}
