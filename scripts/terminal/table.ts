/**
 * Tables that fit where they are shown. Columns that may be cut give way, widest first; where even that is not enough,
 * each row becomes a block of its own. Into a pipe nothing is cut.
 */
import { cells, clip, harmless, pad } from './text.ts';

export type Column<Row> = {
  readonly title: string;
  readonly of: (row: Row) => string;
  /** For what is copied into the next command: shown whole or not in a table at all. */
  readonly whole?: boolean;
  readonly align?: 'left' | 'right';
};

const GAP = '  ';
/** A cut column narrower than this tells nothing. */
const NARROWEST = 8;

/** The lines of a table with a heading. `width` is the terminal's, null for a pipe. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, heading = (line) => line }: { readonly width: number | null; readonly heading?: (line: string) => string },
): string[] {
  const texts = rows.map((row) => columns.map((column) => harmless(column.of(row))));
  const widths = fitted(columns, texts, width);
  if (widths === null) return stacked(columns, texts, heading);
  const line = (values: readonly string[]): string =>
    values
      .map((value, at) => pad(clip(value, widths[at] ?? 0), widths[at] ?? 0, columns[at]?.align))
      .join(GAP)
      .trimEnd();
  return [heading(line(columns.map(({ title }) => title))), ...texts.map(line)];
}

/** Lines of `name  value`, one fact each. */
export function factLines(
  facts: readonly (readonly [string, string])[],
  name: (text: string) => string = (text) => text,
): string[] {
  const widest = Math.max(0, ...facts.map(([title]) => cells(title)));
  return facts.map(([title, value]) => `${name(pad(title, widest))}${GAP}${harmless(value)}`.trimEnd());
}

function fitted<Row>(
  columns: readonly Column<Row>[],
  texts: readonly (readonly string[])[],
  width: number | null,
): number[] | null {
  const widths = columns.map(({ title }, at) =>
    texts.reduce((widest, row) => Math.max(widest, cells(row[at] ?? '')), cells(title)),
  );
  if (width === null) return widths;
  const total = (): number => widths.reduce((sum, each) => sum + each, GAP.length * (columns.length - 1));
  while (total() > width) {
    const yielding = widths.reduce(
      (best, each, at) =>
        columns[at]?.whole !== true && each > Math.max(NARROWEST, widths[best] ?? NARROWEST) ? at : best,
      -1,
    );
    if (yielding === -1) return null;
    widths[yielding] = (widths[yielding] ?? 0) - 1;
  }
  return widths;
}

function stacked<Row>(
  columns: readonly Column<Row>[],
  texts: readonly (readonly string[])[],
  heading: (line: string) => string,
): string[] {
  return texts.flatMap((row, nth) => [
    ...(nth === 0 ? [] : ['']),
    ...factLines(
      columns.map(({ title }, at) => [title, row[at] ?? ''] as const),
      heading,
    ),
  ]);
}
