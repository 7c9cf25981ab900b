import { expect, test } from 'vitest';

import { tableLines } from '../../scripts/terminal/table.ts';
import { cells, clip, harmless } from '../../scripts/terminal/text.ts';
import { atTerminal, commandWorld } from './support.ts';

const columns = [
  { title: 'id', of: ({ id }: Row) => id, whole: true },
  { title: 'name', of: ({ name }: Row) => name },
  { title: 'tries', of: ({ tries }: Row) => String(tries), align: 'right' as const },
];
type Row = { id: string; name: string; tries: number };
const rows: Row[] = [
  { id: 'a'.repeat(22), name: 'A name that is a good deal longer than its column', tries: 3 },
  { id: 'b'.repeat(22), name: '放送局のアプリ', tries: 12 },
];

test('a table fits the terminal: names are cut, ids never', () => {
  const lines = tableLines(columns, rows, { width: 48 });
  expect(lines.map(cells).every((width) => width <= 48)).toBe(true);
  expect(lines).toEqual([
    'id                      name               tries',
    'aaaaaaaaaaaaaaaaaaaaaa  A name that is a…      3',
    'bbbbbbbbbbbbbbbbbbbbbb  放送局のアプリ        12',
  ]);
});

test('where even that is too wide each row becomes a block; into a pipe nothing is cut', () => {
  expect(tableLines(columns, rows, { width: 30 }).slice(0, 4)).toEqual([
    `id     ${'a'.repeat(22)}`,
    'name   A name that is a good deal longer than its column',
    'tries  3',
    '',
  ]);
  expect(tableLines(columns, rows, { width: null })[1]).toContain('longer than its column');
});

test('what others wrote cannot move the cursor, forge a line or turn the text around', () => {
  expect(harmless('Player\u001b[2J\r\nadmin\u202egnp.exe\u009b1A')).toBe('Player�[2J��admin�gnp.exe�1A');
  expect(clip('a long name', 7)).toBe('a long…');
  const hostile = [{ id: 'x', name: 'evil\u001b]0;title\u0007', tries: 1 }];
  // oxlint-disable-next-line no-control-regex
  expect(tableLines(columns, hostile, { width: 80 }).join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});

test('colours are for terminals that want them', async () => {
  const { configFile } = await commandWorld();
  const list = async (args: string[], env: Record<string, string>): Promise<string> => {
    const screen = atTerminal([...args, 'account', 'list', '--config', configFile], { env });
    expect(await screen.ended).toBe(0);
    return screen.screen.stdout;
  };
  expect(await list([], { TERM: 'xterm' })).toContain('\u001b[1m');
  expect(await list(['--no-color'], { TERM: 'xterm' })).not.toContain('\u001b');
  expect(await list([], { TERM: 'xterm', NO_COLOR: '1' })).not.toContain('\u001b');
  expect(await list([], { TERM: 'dumb' })).not.toContain('\u001b');
  expect(await list(['--json'], { TERM: 'xterm' })).toMatch(/^\[\n\{.*\},\n\{.*\}\n\]\n$/);
});
