/**
 * How far long work has come, and how long it may still take: as a line that changes for whoever watches, or as JSON lines
 * for a program that does.
 *
 * Invariant: a step's last state is always told, however quickly it came; what is told between is bounded, so that work
 * reports as often as it likes. It refuses to know what the work is, and what time it is: both are arguments.
 */
import { cells } from './text.ts';

/** One step of the work. Another `doing`, or less `done` than before, begins another step. */
export type Step = {
  /** `Telling apps`: what is going on, as the line begins. */
  readonly doing: string;
  readonly done: number;
  /** Null where nobody knows yet. May grow while the work goes on. */
  readonly total: number | null;
  /** Of what, in the plural: `accounts`. */
  readonly unit?: string;
};

/** One line of `--progress json`. */
export type ProgressLine = {
  readonly doing: string;
  readonly done: number;
  readonly total: number | null;
  /** Lately, smoothed; null until there is something to measure. */
  readonly perSecond: number | null;
  readonly etaSeconds: number | null;
  readonly at: string;
};

/** Told to a program at most five times a second. */
const TELL_EVERY_MS = 200;
/** Drawn for a person at most ten times a second. */
const DRAW_EVERY_MS = 100;
/** What was a quarter of a minute ago counts for a third of what is now. */
const SMOOTHED_OVER_MS = 15_000;
/** A rate measured over less than this says nothing. */
const LEAST_MEASURED_MS = 1000;

/**
 * Takes each state of the work; null when it is over. `draw` shows a line for a person, or takes it away; `write` takes a
 * line for a program. Whichever is missing is not wanted.
 */
export function createProgress({
  now,
  columns,
  draw,
  write,
}: {
  readonly now: () => Date;
  readonly columns: () => number;
  readonly draw?: ((line: string | null) => void) | undefined;
  readonly write?: ((line: ProgressLine) => void) | undefined;
}): (step: Step | null) => void {
  const everyMs = write === undefined ? DRAW_EVERY_MS : TELL_EVERY_MS;
  let rate = createRate();
  let latest: Step | null = null;
  let told: Step | null = null;
  let toldAtMs = 0;

  const tell = (step: Step, at: Date): void => {
    const perSecond = rate.perSecond();
    const etaSeconds = secondsLeft(step, perSecond);
    draw?.(progressLine(step, { perSecond, etaSeconds }, columns()));
    write?.({
      doing: step.doing,
      done: step.done,
      total: step.total,
      perSecond: perSecond === null ? null : Math.round(perSecond * 10) / 10,
      etaSeconds: etaSeconds === null ? null : Math.ceil(etaSeconds),
      at: at.toISOString(),
    });
    told = step;
    toldAtMs = at.getTime();
  };
  /** What a step came to is told even where it was too soon to tell it. A line on a screen is gone anyway. */
  const conclude = (at: Date): void => {
    if (write !== undefined && latest !== null && !isSame(latest, told)) tell(latest, at);
  };

  return (step) => {
    if (draw === undefined && write === undefined) return;
    const at = now();
    const begins = step !== null && (latest?.doing !== step.doing || step.done < latest.done);
    if (step === null || begins) {
      conclude(at);
      rate = createRate();
      told = null;
    }
    latest = step;
    if (step === null) return draw?.(null);
    rate.reached(step.done, at.getTime());
    const complete = step.done === step.total && told?.done !== step.done;
    if (!begins && !complete) {
      if (Math.abs(at.getTime() - toldAtMs) < everyMs) return;
      // On a screen the rate and the time left change though nothing else does.
      if (write !== undefined && isSame(step, told)) return;
    }
    tell(step, at);
  };
}

function isSame(step: Step, other: Step | null): boolean {
  return step.doing === other?.doing && step.done === other.done && step.total === other.total;
}

/**
 * How fast it goes lately: what was done in each moment, the older the less it counts. Work that goes on where it was
 * begins with much done already, which says nothing of its speed: only what is done from then on counts.
 */
function createRate() {
  let last: { readonly done: number; readonly atMs: number } | null = null;
  let measuredMs = 0;
  let weightedDone = 0;
  let weightedMs = 0;
  return {
    reached(done: number, atMs: number): void {
      if (last === null) return void (last = { done, atMs });
      const passed = atMs - last.atMs;
      // A clock that was set back: the moment is left out.
      if (passed < 0) return void (last = { done, atMs });
      const fading = Math.exp(-passed / SMOOTHED_OVER_MS);
      weightedDone = weightedDone * fading + (done - last.done);
      weightedMs = weightedMs * fading + passed;
      measuredMs += passed;
      last = { done, atMs };
    },
    perSecond: (): number | null => (measuredMs < LEAST_MEASURED_MS ? null : (weightedDone / weightedMs) * 1000),
  };
}

function secondsLeft({ done, total }: Step, perSecond: number | null): number | null {
  if (total === null) return null;
  if (done >= total) return 0;
  return perSecond === null || perSecond <= 0 ? null : (total - done) / perSecond;
}

const WIDEST_BAR = 24;
/** A shorter bar tells nothing that the percentage does not. */
const SHORTEST_BAR = 6;
const GAP = '  ';

/** `Telling apps  ████████░░░░░░░░   50 %  500 of 1,000 notices  120/s  about 3 min left`; the bar gives way first. */
function progressLine(
  { doing, done, total, unit }: Step,
  { perSecond, etaSeconds }: { readonly perSecond: number | null; readonly etaSeconds: number | null },
  columns: number,
): string {
  const of = unit === undefined ? '' : ` ${unit}`;
  const rate = perSecond === null ? [] : [`${amount(perSecond)}/s`];
  if (total === null) return [doing, `${amount(done)}${of}`, ...rate].join(GAP);
  const share = total === 0 ? 1 : Math.min(done / total, 1);
  const facts = [
    // Rounded down: 100 % is said of what is done.
    `${Math.floor(share * 100)} %`.padStart(5),
    `${amount(done)} of ${amount(total)}${of}`,
    ...rate,
    ...(etaSeconds === null || etaSeconds === 0 ? [] : [timeLeft(etaSeconds)]),
  ];
  // One column stays free, so that no terminal wraps the line.
  const room = columns - 1 - cells([doing, '', ...facts].join(GAP));
  if (room < SHORTEST_BAR) return [doing, ...facts.map((fact) => fact.trim())].join(GAP);
  const width = Math.min(room, WIDEST_BAR);
  const filled = Math.floor(share * width);
  return [doing, `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`, ...facts].join(GAP);
}

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

function amount(count: number): string {
  return count > 0 && count < 1 ? '<1' : numbers.format(count);
}

/** `about 3 min left`: no more precise than a guess may be. */
export function timeLeft(seconds: number): string {
  if (seconds <= 5) return 'a few seconds left';
  if (seconds < 58) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${Math.max(minutes, 1)} min left`;
  const tens = Math.round(seconds / 600);
  const hours = Math.floor(tens / 6);
  const rest = (tens % 6) * 10;
  if (hours < 10) return `about ${hours} h${rest === 0 ? '' : ` ${rest} min`} left`;
  return hours < 48 ? `about ${hours} h left` : `about ${Math.round(hours / 24)} days left`;
}
