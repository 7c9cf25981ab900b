/**
 * Curves of an incident, drawn where the report is made: an area in a unit square that a browser stretches, and labels in
 * per cent of it, so that letters keep their size on a phone and on paper.
 *
 * Invariant: what a curve shows stands beside it as a table. It refuses to know what is counted.
 */

export type Point = { readonly at: Date; readonly value: number };

export type AreaChart = {
  readonly title: string;
  readonly unit: string;
  /** What the picture shows, in a sentence. */
  readonly summary: string;
  /** Of a square of 100 by 100. */
  readonly area: string;
  readonly line: string;
  readonly x: readonly { readonly at: string; readonly label: string; readonly edge: 'first' | 'last' | 'inner' }[];
  readonly y: readonly { readonly at: string; readonly label: string }[];
  /** Which days the labels below are of. */
  readonly days: string;
  readonly table: readonly { readonly iso: string; readonly at: string; readonly value: string }[];
};

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90].map((count) => count * DAY),
];
const MOST_X_LABELS = 6;
const TABLE_ROWS = 40;
const MOST_POINTS = 300;

const full = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** How much there was at each point, from nothing at `from` on; null where nothing was, and where it was all at once. */
export function areaChart({
  title,
  unit,
  from,
  points: given,
  most,
}: {
  readonly title: string;
  readonly unit: string;
  readonly from: Date;
  readonly points: readonly Point[];
  /** The height of the picture, where more than there was could be. */
  readonly most: number;
}): AreaChart | null {
  const last = given.at(-1);
  if (last === undefined || last.value === 0) return null;
  const begin = Math.min(from.getTime(), ...given.map(({ at }) => at.getTime()));
  const span = last.at.getTime() - begin;
  if (span < SECOND) return null;
  const points = [{ at: new Date(begin), value: 0 }, ...thinned(given, MOST_POINTS)];
  const rows = yTicks(Math.max(most, ...given.map(({ value }) => value)));
  const top = rows.at(-1) ?? 1;
  const x = (atMs: number): string => (((atMs - begin) / span) * 100).toFixed(2);
  const y = (value: number): string => (100 - (value / top) * 100).toFixed(2);
  const line = points.map(({ at, value }, nth) => `${nth === 0 ? 'M' : 'L'}${x(at.getTime())} ${y(value)}`).join('');
  const end = new Date(begin + span);
  return {
    title,
    unit,
    summary: `${title}: from 0 at ${clock(new Date(begin))} to ${full.format(last.value)} at ${clock(last.at)}.`,
    line,
    area: `${line}V100H0Z`,
    x: xLabels(begin, span).map(({ atMs, label }) => {
      const share = (atMs - begin) / span;
      return { at: x(atMs), label, edge: share < 0.04 ? 'first' : share > 0.96 ? 'last' : 'inner' } as const;
    }),
    y: rows.map((value) => ({ at: y(value), label: value < 10_000 ? full.format(value) : compact.format(value) })),
    days: days(new Date(begin), end),
    table: thinned(points, TABLE_ROWS).map(({ at, value }) => ({
      iso: at.toISOString(),
      at: clock(at),
      value: full.format(value),
    })),
  };
}

/** No more than `most` of them, evenly spread, the last one always. */
export function thinned<Item>(items: readonly Item[], most: number): readonly Item[] {
  if (items.length <= most) return items;
  const each = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, nth) => items[Math.round(nth * each)]).filter((item) => item !== undefined);
}

/** From 0 on, in steps of 1, 2 or 5 times a power of ten, up to the first that is enough. */
function yTicks(most: number): number[] {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? power;
  return Array.from({ length: Math.max(Math.ceil(most / step), 1) + 1 }, (_, nth) => nth * step);
}

function xLabels(begin: number, span: number): { atMs: number; label: string }[] {
  const step =
    STEPS.find((candidate) => span / candidate < MOST_X_LABELS) ?? Math.ceil(span / MOST_X_LABELS / DAY) * DAY;
  const labels = [];
  for (let atMs = Math.ceil(begin / step) * step; atMs <= begin + span; atMs += step) {
    const iso = new Date(atMs).toISOString();
    const label = step < MINUTE ? iso.slice(11, 19) : step < DAY ? iso.slice(11, 16) : dayOf(new Date(atMs));
    // Where the day changes, the day is what is new.
    labels.push({ atMs, label: step < DAY && atMs % DAY === 0 ? dayOf(new Date(atMs)) : label });
  }
  return labels;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

function dayOf(at: Date): string {
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()] ?? ''}`;
}

function days(from: Date, to: Date): string {
  const whole = (at: Date): string => `${dayOf(at)} ${at.getUTCFullYear()}`;
  return whole(from) === whole(to) ? whole(from) : `${whole(from)} to ${whole(to)}`;
}

function clock(at: Date): string {
  const iso = at.toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
