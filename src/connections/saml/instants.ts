/**
 * Instants and spans, as SAML writes them.
 *
 * Purpose: read `xs:dateTime` in the one form SAML allows (UTC, SAML Core §1.3.3) and `xs:duration`, and compare with a clock
 * that may be off. Invariant: what is not an instant is never taken for one; a bound that is absent is not a bound that
 * holds. It refuses to know what time it is.
 */
import { addSeconds } from '../../platform/clock.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const DURATION =
  /^P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.\d{1,9})?S)?)?$/;
const SECONDS = [365 * 86_400, 30 * 86_400, 86_400, 3600, 60, 1];

export function parseInstant(text: string | undefined): Date | undefined {
  if (text === undefined || !INSTANT.test(text)) return undefined;
  const instant = new Date(text);
  // 31 June is not 1 July.
  const isReal = !Number.isNaN(instant.getTime()) && instant.toISOString().slice(0, 19) === text.slice(0, 19);
  return isReal ? instant : undefined;
}

/** Seconds; a year is taken for 365 days and a month for 30. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)?.slice(1);
  return parts?.reduce((sum, part, at) => sum + Number(part ?? 0) * (SECONDS[at] ?? 0), 0);
}

/** A clock that may be off by so much, in either direction. */
export type Skewed = { readonly now: Date; readonly skewSeconds: number };

/** Whether `instant` is certainly still to come. */
export const isFuture = (instant: Date, { now, skewSeconds }: Skewed): boolean =>
  instant > addSeconds(now, skewSeconds);

/** Whether `instant` is certainly over, as a bound that is not part of what it bounds (`NotOnOrAfter`). */
export const isPast = (instant: Date, { now, skewSeconds }: Skewed): boolean =>
  instant <= addSeconds(now, -skewSeconds);

export const earliest = (first: Date, ...others: readonly Date[]): Date =>
  others.reduce((least, other) => (other < least ? other : least), first);
