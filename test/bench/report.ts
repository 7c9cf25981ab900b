/** A run's results as tables for people. */
import type { RateRow, Results, Unit } from './results.ts';
import type { Machine } from './machine.ts';
import type { Verdict } from './targets.ts';

export function reportOf(results: Results, verdicts: readonly Verdict[], machine: Machine, seconds: number): string {
  const { rates, values, shares } = results;
  const sections: string[] = [
    `${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, ${machine.filesystem}, ${machine.system}, ` +
      `Node ${machine.node}; load ${machine.load} before; ${seconds} s`,
  ];
  if (rates.length > 0) {
    sections.push(
      table(
        ['Rates', '/s', '/s per core', 'p50 ms', 'p99 ms'],
        rates.map(({ id, rate, limit }: RateRow) => [
          limit ? `  ${id}` : id,
          whole(rate.perSecond),
          whole(rate.perCore),
          fine(rate.p50Ms),
          fine(rate.p99Ms),
        ]),
      ),
    );
  }
  if (shares.length > 0) {
    sections.push(
      table(
        ['Shares of a limit', 'per core', 'per second'],
        shares.map(({ of, limit, perCore, perSecond }) => [
          `${of} ÷ ${limit}`,
          perCore.toFixed(2),
          perSecond.toFixed(2),
        ]),
      ),
    );
  }
  const comparisons = results.comparisons();
  if (comparisons.length > 0) {
    sections.push(
      table(
        ['MongoDB ÷ SQLite', 'per core', 'per second', 'value'],
        comparisons.map((each) =>
          'perCore' in each
            ? [each.id, each.perCore.toFixed(2), each.perSecond.toFixed(2)]
            : [each.id, '', '', `${each.value.toFixed(2)} (${each.unit})`],
        ),
      ),
    );
  }
  if (values.length > 0) {
    sections.push(
      table(
        ['Single values', '', ''],
        values.map(({ id, value, unit }) => [id, inUnit(value, unit), unit]),
      ),
    );
  }
  if (verdicts.length > 0) {
    sections.push(
      table(
        ['Targets', 'measured', 'target', ''],
        verdicts.map(({ name, unit, measured, bound, target, met }) => [
          name,
          inUnit(measured, unit),
          `${bound === 'at least' ? '≥' : '≤'} ${target} ${unit === 'ratio' ? '' : unit}`.trim(),
          met ? 'ok' : 'short',
        ]),
      ),
    );
  }
  return `${sections.join('\n\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...rows.map(line)].join('\n');
}

const whole = (value: number): string => String(Math.round(value));
const fine = (value: number | null): string => (value === null ? '–' : value.toFixed(value < 10 ? 2 : 1));

function inUnit(value: number, unit: Unit): string {
  switch (unit) {
    case 'ratio':
      return value.toFixed(2);
    case 'ms':
      return value.toFixed(value < 10 ? 2 : 1);
    case 's':
      return value.toFixed(1);
    case 'MiB':
    case 'count':
    case 'per second':
    case 'per core':
      return whole(value);
  }
}
