/** Instants as pages show them: RFC 3339 for machines, and a sentence's worth of text in UTC for people. */
import type { Instant } from './views.ts';

const DATE_TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });

export function instant(at: Date): Instant {
  return { iso: at.toISOString(), text: `${DATE_TIME.format(at)} UTC` };
}

/** "in 3 seconds", "in 2 minutes": when to try again. */
export function inSeconds(seconds: number): string {
  if (seconds < 90) return `in ${seconds} second${seconds === 1 ? '' : 's'}`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}
