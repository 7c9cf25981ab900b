/** Instants as pages show them, and how long to wait: in the language of the page. */
import type { Language } from '../languages/languages.ts';
import type { Texts } from '../languages/en.ts';
import type { Instant } from '../languages/text.ts';

export function instant(at: Date, language: Language): Instant {
  return language.instant(at);
}

/** "in 3 seconds", "in 2 minutes": when to try again. */
export function inSeconds(seconds: number, { attempts }: Texts): string {
  return seconds < 90 ? attempts.inSeconds(seconds) : attempts.inMinutes(Math.ceil(seconds / 60));
}
