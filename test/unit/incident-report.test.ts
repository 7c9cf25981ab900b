/** The report of an incident: a file that holds all it shows, runs nothing, and says what the model says. */
import { describe, expect, test } from 'vitest';

import { incidentReportJson, incidentReportLines } from '../../scripts/commands/incident-report.ts';
import { cells } from '../../scripts/terminal/text.ts';
import { areaChart } from '../../src/web/incident-charts.ts';
import { duration, type IncidentReport, renderIncidentReport } from '../../src/web/incident-report.ts';
import { incidentReports } from '../support/incident-fixtures.ts';

const cases = Object.entries(incidentReports).map(([name, report]) => ({ name, report }));
const plain = { style: (_style: unknown, text: string) => text, width: null } as Parameters<
  typeof incidentReportLines
>[1];
const { none, few, many, awkward } = incidentReports;

/** What is read of a page, one line. */
const words = (html: string): string =>
  html
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');

/** The model with something hostile after each text that somebody could have written. */
function poisoned<Model>(model: Model, key = ''): Model {
  if (typeof model === 'string') {
    const closed = ['status', 'step'].includes(key) || (key === 'name' && /^[a-z-]+$/.test(model));
    return (closed ? model : `${model}"'><script>alert(1)</script><img src=x onerror=y>`) as Model;
  }
  if (Array.isArray(model)) return model.map((item) => poisoned(item)) as Model;
  if (typeof model !== 'object' || model === null || model instanceof Date) return model;
  return Object.fromEntries(Object.entries(model).map(([name, value]) => [name, poisoned(value, name)])) as Model;
}

describe.each(cases)('the report "$name"', ({ report }) => {
  test('is one file that loads and runs nothing', () => {
    const html = renderIncidentReport(report);
    expect(html).toMatch(/^<!doctype html>\s*<html lang="en">[\s\S]*<\/html>\s*$/);
    expect(html).toContain(`default-src 'none'; style-src 'unsafe-inline'`);
    expect(html).not.toMatch(/<(script|link|img|iframe|object|embed|form|base)\b|\son\w+=|\ssrc=|\shref=|@import/i);
    expect(html.match(/url\((?!#)/g)).toBeNull();
    expect(words(html)).not.toMatch(/undefined|NaN|\[object|Invalid|null/);
  });

  test('shows what others wrote as text', () => {
    const html = renderIncidentReport(poisoned(report));
    expect(html).toContain('&lt;script&gt;alert(1)');
    expect(html).not.toMatch(/<script|<img/);
    // Nothing of it became a tag or an attribute: as many tags as without it.
    const tags = (text: string): number => text.match(/<[a-z][^>]*>/g)?.length ?? 0;
    const codes = (text: string): number => text.match(/<code>/g)?.length ?? 0;
    expect(tags(html) - codes(html)).toBe(tags(renderIncidentReport(report)) - codes(renderIncidentReport(report)));
  });

  test('has every part, whatever there is to say', () => {
    const headings = Array.from(
      renderIncidentReport(report).matchAll(/<h2 id="[^"]+">([^<]+)<\/h2>/g),
      ([, text]) => text,
    );
    expect(headings).toEqual([
      'What happened',
      'Whom it is about',
      'What was done',
      'Who was told',
      'Who was written to',
      'What is left to do by hand',
      'Independent check',
      'Failures',
      'The record',
    ]);
  });

  test('at a terminal fits it, and is never obeyed by it', () => {
    const hostile = { ...report, reason: `${report.reason}\u001b[2J`, byHand: ['line\r\nforged'] };
    for (const width of [null, 100, 60]) {
      const lines = incidentReportLines(hostile, { ...plain, width });
      // oxlint-disable-next-line no-control-regex
      expect(lines.join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      expect(lines.join('\n')).not.toMatch(/undefined|NaN|\[object|Invalid/);
      const table = lines.filter((line) => line.includes('█') && !line.startsWith('contained'));
      if (width === 100) expect(table.filter((line) => cells(line) > width)).toEqual([]);
    }
  });
});

test('says what was done, and what was not', () => {
  const text = words(renderIncidentReport(many));
  for (const part of [
    '999,377 of 1,000,000 accounts contained · not all',
    '2,713,902 of 2,730,097 notices heard by apps · not all',
    'after 4 h 13 min',
    'Require new passwords done 2026-11-23 22:41:09 2026-11-23 23:02:07 20 min 58 s 999,377 of 1,000,000 611',
    'Refused: 5,120',
    'And 175 more apps',
    'Reach people whose mail did not arrive another way: 1,173.',
    'Secrets in the configuration file are changed by hand: attic, billing.',
    '999,988 accounts looked at, 0 missed',
    'And 475 more',
    'Not listed: 1,284.',
    'stood at entry 4118203',
    many.record?.hash ?? 'a hash',
  ]) {
    expect(text).toContain(part);
  }
  expect(text.match(/Northern Lights \d+ app-/g)).toHaveLength(200);
  expect(words(renderIncidentReport(none))).toContain(
    '12 of 12 accounts contained 0 of 0 notices heard by apps What happened',
  );
  expect(words(renderIncidentReport(awkward))).toContain('7 missed');
});

test('apps with trouble come first, and are named among what is left to do', () => {
  const html = renderIncidentReport(few);
  expect(Array.from(html.matchAll(/rowheader"><bdi>([^<]+)/g), ([, name]) => name)).toEqual([
    'Attic media server, on the third floor of the old building behind the harbour',
    'Lumen Player',
    'Lumen TV',
  ]);
  expect(words(html)).toMatch(/could not be reached: Attic media server[^.]*\. .* no sooner: Lumen TV\./);
});

test('each curve has a title, a description and the same in numbers', () => {
  const html = renderIncidentReport(many);
  const pictures = Array.from(html.matchAll(/<svg [^>]*role="img" aria-labelledby="(\S+) (\S+)"/g));
  expect(pictures).toHaveLength(3);
  for (const [, title, summary] of pictures) {
    expect(html).toMatch(new RegExp(`<title id="${title}">[^<]+</title>`));
    expect(html).toMatch(new RegExp(`<desc id="${summary}">[^<]*from 0 at 2026-11-23[^<]+ UTC\\.</desc>`));
  }
  expect(html.match(/<summary>The same in numbers<\/summary>/g)).toHaveLength(3);
  expect(words(html)).toContain('Number of accounts so far. Times in UTC, 23 Nov 2026.');
});

describe('a curve', () => {
  const at = (seconds: number): Date => new Date(Date.parse('2026-11-23T23:59:50Z') + seconds * 1000);
  const curve = (points: readonly (readonly [number, number])[], most = 0) =>
    areaChart({
      title: 'Told',
      unit: 'apps',
      from: at(0),
      points: points.map(([seconds, value]) => ({ at: at(seconds), value })),
      most,
    });

  test('runs from nothing to all there was, in a square of 100', () => {
    expect(
      curve(
        [
          [10, 30],
          [20, 40],
        ],
        40,
      ),
    ).toMatchObject({
      line: 'M0.00 100.00L50.00 25.00L100.00 0.00',
      area: 'M0.00 100.00L50.00 25.00L100.00 0.00V100H0Z',
      summary: 'Told: from 0 at 2026-11-23 23:59:50 UTC to 40 at 2026-11-24 00:00:10 UTC.',
      days: '23 Nov 2026 to 24 Nov 2026',
    });
  });

  test('has few labels, and names the day where it changes', () => {
    expect(curve([[20, 40]])?.x.map(({ label }) => label)).toEqual([
      '23:59:50',
      '23:59:55',
      '24 Nov',
      '00:00:05',
      '00:00:10',
    ]);
    expect(curve([[20, 40]])?.y.map(({ label }) => label)).toEqual(['0', '10', '20', '30', '40']);
    expect(curve([[20, 1]])?.y.map(({ label }) => label)).toEqual(['0', '1']);
    for (const span of [1, 7, 59, 61, 3599, 3601, 50_000, 400_000, 90 * 86_400, 900 * 86_400]) {
      const labels = curve([[span, 1_234_567]])?.x.length ?? 99;
      expect({ span, labels, few: labels <= 7 }).toEqual({ span, labels, few: true });
    }
  });

  test('is not drawn of nothing, or of one moment', () => {
    expect([curve([]), curve([[20, 0]]), curve([[0.5, 12]])]).toEqual([null, null, null]);
  });

  test('of very many points keeps its ends', () => {
    const points = Array.from({ length: 5000 }, (_, nth) => [nth + 1, nth + 1] as const);
    const drawn = curve(points, 5000);
    expect(drawn?.line.match(/L/g)).toHaveLength(300);
    // The highest label is 6,000.
    expect(drawn?.line.endsWith('L100.00 16.67')).toBe(true);
    expect(drawn?.table).toHaveLength(40);
    expect(drawn?.table.at(-1)?.value).toBe('5,000');
  });
});

test.each([
  [0.4, 'less than a second'],
  [59, '59 s'],
  [192, '3 min 12 s'],
  [3600, '1 h'],
  [2 * 86_400 + 3 * 3600 + 60, '2 d 3 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(new Date(0), new Date(seconds * 1000))).toBe(text);
});

test('a program reads how far it is at the top, and times in UTC', () => {
  const report = JSON.parse(JSON.stringify(incidentReportJson(many))) as Record<string, unknown>;
  expect(report).toMatchObject({
    id: many.id,
    status: 'done',
    cohort: many.cohort,
    done: 999_377,
    total: 1_000_000,
    failed: 611,
    openedAt: '2026-11-23T22:41:07.000Z',
    check: { at: '2026-11-23T23:04:17.000Z', missed: 0 },
  });
  expect(Object.keys(report)).not.toContain('samples');
});

test('at a terminal what went wrong once is not rounded away', () => {
  const one: IncidentReport = {
    ...few,
    clients: [
      { id: 'app', name: 'App', delivered: 9999, pending: 0, rejected: 1, abandoned: 0, sessions: 1, endpoint: true },
    ],
  };
  expect(incidentReportLines(one, plain).find((line) => line.startsWith('App (app)'))).toContain(`${'█'.repeat(15)}x `);
  expect(incidentReportLines(few, plain).join('\n')).toMatch(/contained, as time went by {2}[▁▂▃▄▅▆▇█]{48} {2}2026/);
});
