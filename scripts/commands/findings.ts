/** Things that were looked at, as an operator and as a program read them: how each is, and what to do about it. */
import type { Style, Terminal } from '../terminal/terminal.ts';
import { harmless } from '../terminal/text.ts';

/** One thing that was looked at. */
export type Finding = {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly found: string;
  readonly fix?: string;
};

const MARKS: Record<Finding['status'], readonly [mark: string, style: Style]> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  problem: ['✗', 'red'],
};

/** Whether nothing among them is a problem. */
export const areWell = (findings: readonly Finding[]): boolean => findings.every(({ status }) => status !== 'problem');

export const findingsJson = (findings: readonly Finding[]) =>
  findings.map(({ fix = null, ...finding }) => ({ ...finding, fix }));

export function findingLines(findings: readonly Finding[], terminal: Terminal): string[] {
  const { width } = terminal;
  const widest = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, found, fix }) => {
    const [mark, style] = MARKS[status];
    const indent = ' '.repeat(widest + 4);
    const text = [found, ...(fix === undefined ? [] : [`fix: ${fix}`])];
    const wrapped = text.flatMap((each) => wrap(harmless(each), width === null ? null : width - indent.length));
    return wrapped.map((line, nth) =>
      nth === 0 ? `${terminal.style(style, mark)} ${check.padEnd(widest)}  ${line}` : `${indent}${line}`,
    );
  });
  return lines;
}

/** Broken between words; a word that is too long stays whole. */
function wrap(text: string, width: number | null): string[] {
  if (width === null) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
