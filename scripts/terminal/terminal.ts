/**
 * Where a command speaks: results on stdout, everything else on stderr.
 *
 * Invariant: with `json`, stdout carries JSON and nothing else; colours and bars appear only for somebody who can see
 * them, and nobody is asked who cannot answer. It refuses to know what is said.
 */
import { styleText } from 'node:util';

import { createProgress, type Step } from './progress.ts';
import { type Column, factLines, tableLines } from './table.ts';
import { clip, harmless } from './text.ts';

export type Streams = {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** `auto`: a line on a terminal, nothing elsewhere. `json`: JSON lines on stderr. */
export const PROGRESS = ['auto', 'json', 'none'] as const;

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

export type Terminal = {
  readonly streams: Streams;
  readonly json: boolean;
  /** Somebody sits there: can be asked, and sees the question. */
  readonly interactive: boolean;
  /** Of stdout; null where nothing needs to fit. */
  readonly width: number | null;
  /** A result for a person. Does nothing with `json`. */
  print(...lines: readonly string[]): void;
  /** The result for a program. Does nothing without `json`. */
  printJson(value: unknown): void;
  /** Facts about one thing. */
  printFacts(facts: readonly (readonly [string, string])[]): void;
  /** Many of a kind: a table, or one JSON array that is written as the pages come. */
  printList<Row>(list: {
    readonly pages: AsyncIterable<readonly Row[]>;
    readonly columns: readonly Column<Row>[];
    readonly json: (row: Row) => unknown;
    /** What is said instead of an empty table. */
    readonly none: string;
  }): Promise<void>;
  /** For whoever is looking, not part of the result. */
  note(...lines: readonly string[]): void;
  /**
   * How far long work has come, as often as the caller likes; null when it is over. A line at the bottom that changes, with
   * a bar and the time left; or what `--progress` asks for.
   */
  progress(step: Step | null): void;
  style(style: Style, text: string, where?: 'stdout' | 'stderr'): string;
};

export function createTerminal(
  streams: Streams,
  {
    json,
    color,
    progress = 'auto',
    now,
  }: {
    readonly json: boolean;
    readonly color: boolean;
    readonly progress?: (typeof PROGRESS)[number];
    readonly now: () => Date;
  },
): Terminal {
  const { stdin, stdout, stderr, env } = streams;
  const wanted = color && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  // A terminal that does not know its width says 0.
  const width = stdout.isTTY === true ? stdout.columns || 80 : null;
  let status: string | null = null;

  const style = (name: Style, text: string, where: 'stdout' | 'stderr' = 'stdout'): string =>
    wanted && streams[where].isTTY === true ? styleText(name, text, { validateStream: false }) : text;
  const clearStatus = (): void => {
    if (status !== null) stderr.write('\r\u001b[K');
  };
  const drawStatus = (): void => {
    if (status !== null) stderr.write(clip(status, (stderr.columns || 80) - 1));
  };
  const above = (stream: NodeJS.WritableStream, text: string): void => {
    clearStatus();
    stream.write(text);
    drawStatus();
  };
  const showStatus = (line: string | null): void => {
    clearStatus();
    status = line === null ? null : harmless(line);
    drawStatus();
  };
  const print = (...lines: readonly string[]): void => {
    if (!json && lines.length > 0) above(stdout, `${lines.join('\n')}\n`);
  };

  return {
    streams,
    json,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    width,
    print,
    printJson(value) {
      if (json) above(stdout, `${JSON.stringify(value)}\n`);
    },
    printFacts: (facts) => print(...factLines(facts, (text) => style('dim', text))),
    async printList({ pages, columns, json: jsonOf, none }) {
      const rows = [];
      let written = 0;
      if (json) stdout.write('[');
      for await (const page of pages) {
        if (!json) rows.push(...page);
        else for (const row of page) stdout.write(`${written++ === 0 ? '\n' : ',\n'}${JSON.stringify(jsonOf(row))}`);
      }
      if (json) stdout.write(written === 0 ? ']\n' : '\n]\n');
      else if (rows.length === 0) print(none);
      else print(...tableLines(columns, rows, { width, heading: (line) => style('bold', line) }));
    },
    note(...lines) {
      const told = lines.flatMap((line) => line.split('\n')).map(harmless);
      above(stderr, `${told.join('\n')}\n`);
    },
    progress: createProgress({
      now,
      columns: () => stderr.columns || 80,
      draw: progress === 'auto' && stderr.isTTY === true ? showStatus : undefined,
      write:
        progress === 'json'
          ? (line) =>
              void stderr.write(`${JSON.stringify(line)}
`)
          : undefined,
    }),
    style,
  };
}
