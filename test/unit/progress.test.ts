/** How far long work has come: at which moments it is told, and how the time left is guessed. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { createProgress, type ProgressLine, type Step, timeLeft } from '../../scripts/terminal/progress.ts';
import { createTerminal, type PROGRESS } from '../../scripts/terminal/terminal.ts';
import { cells } from '../../scripts/terminal/text.ts';

const BEGIN = Date.parse('2026-11-26T12:00:00Z');

/** Progress that is watched, by a clock that is moved by hand. */
function watched({ columns = 100, as }: { columns?: number; as: 'bar' | 'json' }) {
  let passedMs = 0;
  const drawn: (string | null)[] = [];
  const written: ProgressLine[] = [];
  const progress = createProgress({
    now: () => new Date(BEGIN + passedMs),
    columns: () => columns,
    ...(as === 'bar'
      ? { draw: (line: string | null) => void drawn.push(line) }
      : { write: (line: ProgressLine) => void written.push(line) }),
  });
  return {
    drawn,
    written,
    /** Reports each state in turn, `everyMs` apart. */
    report(everyMs: number, ...steps: (Step | null)[]) {
      for (const step of steps) {
        progress(step);
        passedMs += everyMs;
      }
    },
    setBack: (ms: number) => void (passedMs -= ms),
  };
}

const telling = (done: number, total: number | null = 1000): Step => ({ doing: 'Telling apps', done, total });

test('a line has a bar, the percentage, the rate and the time left', () => {
  const { drawn, report } = watched({ as: 'bar' });
  report(1000, { ...telling(0), unit: 'notices' }, { ...telling(250), unit: 'notices' });
  expect(drawn).toEqual([
    `Telling apps  ${'░'.repeat(24)}    0 %  0 of 1,000 notices`,
    `Telling apps  ${'█'.repeat(6)}${'░'.repeat(18)}   25 %  250 of 1,000 notices  250/s  a few seconds left`,
  ]);
  report(0, null);
  expect(drawn.at(-1)).toBeNull();
});

test('where nobody knows how much there is, it says how much there was', () => {
  const { drawn, report } = watched({ as: 'bar' });
  report(2000, telling(0, null), telling(3000, null));
  expect(drawn.at(-1)).toBe('Telling apps  3,000  1,500/s');
});

test('100 % is said of what is done, and of nothing to do', () => {
  const { drawn, report } = watched({ as: 'bar' });
  report(1000, telling(999_999, 1_000_000), telling(1_000_000, 1_000_000), telling(0, 0));
  expect(drawn[0]).toContain(' 99 %');
  expect(drawn[0]).toContain('░');
  expect(drawn[1]).toContain(' 100 %');
  expect(drawn[2]).toContain(' 100 %');
});

test.each([20, 40, 60, 72, 80, 100])('at %i columns the line fits, or has no bar', (columns) => {
  const { drawn, report } = watched({ as: 'bar', columns });
  report(1000, telling(0, 1_000_000), telling(5000, 1_000_000), telling(10_000, 1_000_000));
  const line = drawn.at(-1) ?? '';
  expect(line.includes('░') ? cells(line) < columns : columns < 80).toBe(true);
});

test('the rate follows what happens lately, and forgets what was done before it looked', () => {
  const { written, report } = watched({ as: 'json' });
  const counted = (from: number, each: number) =>
    Array.from({ length: 120 }, (_, nth) => telling(from + nth * each, 1e6));
  // Resumed where it was: what was done before is not speed.
  report(1000, ...counted(500_000, 100));
  expect(written.at(-1)).toMatchObject({ perSecond: 100 });
  report(1000, ...counted(511_900, 10));
  expect(written.at(-1)?.perSecond).toBeCloseTo(10, 0);
});

test('nothing is guessed from the first moment, from a standstill, or from a clock that was set back', () => {
  const { written, report, setBack } = watched({ as: 'json' });
  report(500, telling(0), telling(100));
  expect(written.map(({ perSecond, etaSeconds }) => ({ perSecond, etaSeconds }))).toEqual([
    { perSecond: null, etaSeconds: null },
    { perSecond: null, etaSeconds: null },
  ]);
  report(500, telling(200));
  expect(written.at(-1)).toMatchObject({ perSecond: 200, etaSeconds: 4 });
  setBack(3_600_000);
  report(1000, telling(210), telling(410));
  expect(written.at(-1)?.perSecond).toBeGreaterThan(150);
  const still = watched({ as: 'json' });
  still.report(2000, telling(7, 10), telling(7, 11));
  expect(still.written.at(-1)).toMatchObject({ perSecond: 0, etaSeconds: null });
});

test('a program is told at most five times a second, and always how a step ended', () => {
  const { written, report } = watched({ as: 'json' });
  report(1, ...Array.from({ length: 2001 }, (_, nth) => telling(nth, 5000)));
  // Cut short, and the next step begins.
  report(1, { doing: 'Comparing', done: 0, total: 3 }, { doing: 'Comparing', done: 1, total: 3 }, null);
  const told = written.map(({ doing, done }) => `${doing} ${done}`);
  expect(told.slice(0, 3)).toEqual(['Telling apps 0', 'Telling apps 200', 'Telling apps 400']);
  expect(told.slice(-3)).toEqual(['Telling apps 2000', 'Comparing 0', 'Comparing 1']);
  expect(told).toHaveLength(13);
  expect(written[1]).toEqual({
    doing: 'Telling apps',
    done: 200,
    total: 5000,
    perSecond: null,
    etaSeconds: null,
    at: '2026-11-26T12:00:00.200Z',
  });
});

test('a program is told of changes only; a step that is complete is told at once, and once', () => {
  const { written, report } = watched({ as: 'json' });
  report(1000, telling(1), telling(1), telling(1));
  expect(written).toHaveLength(1);
  report(1, telling(999), telling(1000), telling(1000), null, null);
  expect(written.map(({ done }) => done)).toEqual([1, 999, 1000]);
});

test('less than before is another run of the same step', () => {
  const { written, report } = watched({ as: 'json' });
  report(1, telling(400), telling(500), telling(0));
  expect(written.map(({ done }) => done)).toEqual([400, 500, 0]);
});

test.each([
  [0.4, 'a few seconds left'],
  [7, 'about 10 s left'],
  [57, 'about 60 s left'],
  [58, 'about 1 min left'],
  [170, 'about 3 min left'],
  [3599, 'about 1 h left'],
  [7800, 'about 2 h 10 min left'],
  [11 * 3600 + 1800, 'about 11 h left'],
  [72 * 3600, 'about 3 days left'],
])('%i seconds are %s', (seconds, words) => {
  expect(timeLeft(seconds)).toBe(words);
});

test.each([
  ['auto', true, /Telling apps {2}█/],
  ['auto', false, /^$/],
  ['json', true, /^\{"doing":"Telling apps","done":1000,"total":1000,[^\n]*\}\n$/],
  ['json', false, /^\{"doing":"Telling apps","done":1000,"total":1000,[^\n]*\}\n$/],
  ['none', true, /^$/],
  ['none', false, /^$/],
] as const)('--progress %s, at a terminal: %s', async (how: (typeof PROGRESS)[number], isTTY, expected) => {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const terminal = createTerminal(
    { stdin, stdout, stderr, env: {} },
    { json: true, color: false, progress: how, now: () => new Date(BEGIN) },
  );
  terminal.progress(telling(1000));
  terminal.progress(null);
  terminal.printJson({ result: 1 });
  stdout.end();
  stderr.end();
  expect(await text(stderr)).toMatch(expected);
  expect(await text(stdout)).toBe('{"result":1}\n');
});
