/**
 * A list of accounts, one a line, from a file or from stdin: what an export, a query or a colleague hands over.
 *
 * Invariant: the whole list is read, and every name on it looked up, before a caller changes anything; whatever is wrong is
 * told with its line. It refuses to know what is done to whom it names.
 */
import { createReadStream } from 'node:fs';

import type { Core } from '../../src/compose.ts';
import { Refused } from '../terminal/outcome.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { counted } from '../terminal/text.ts';
import { atOnce } from './at-once.ts';

/** The options of a command that takes a list, as it declares them. */
export const LIST = {
  file: ['--account-file <file>', 'a list, one account a line: username, e-mail address or id; - is stdin'],
  skip: ['--skip-unknown', 'leave out what names nobody on the list, and go on'],
} as const;

export type Listed = { readonly accountFile?: string; readonly skipUnknown?: boolean };

type List = { readonly accountFile: string; readonly skipUnknown: boolean };

/** What a command is about: some accounts, or a list. Throws Refused for both, and for neither. */
export function someOrList(
  names: readonly string[],
  { accountFile: file, skipUnknown = false }: Listed,
): { readonly names: readonly string[] } | List {
  if (names.length > 0 && file !== undefined) {
    throw new Refused('an account is named, and a list as well', { fix: 'leave one of them out' });
  }
  if (file !== undefined) return { accountFile: file, skipUnknown };
  if (names.length === 0) throw new Refused('no account is named', { fix: 'name one, or a list in --account-file' });
  if (skipUnknown)
    throw new Refused('--skip-unknown is about a list', { fix: 'leave it out, or name an --account-file' });
  return { names };
}

/** The same for a command that takes one account. */
export function oneOrList(name: string | undefined, listed: Listed): { readonly name: string } | List {
  const chosen = someOrList(name === undefined ? [] : [name], listed);
  return 'names' in chosen ? { name: chosen.names[0] ?? '' } : chosen;
}

export type NotFound = {
  readonly line: number;
  readonly name: string;
  readonly why: 'unknown' | 'deleted';
};

/** Twice what the longest e-mail address, in the longest comment somebody writes beside it, should take. */
const LONGEST_LINE_BYTES = 1024;
/** More would be everyone, for which there are better words than a list. */
const MOST_NAMES = 1_000_000;
/** A file that is wrong in so many places is another file. */
const MOST_BAD_LINES = 20;
const LOOKED_UP_AT_ONCE = 32;

/**
 * Whom a list names by username, e-mail address or id, in its order, each account once. `file`: `-` is stdin. Blank lines and
 * lines that begin with `#` are left out; so are, with `skipUnknown`, names that nobody has, which are noted. A list that
 * names nobody gives no ids: whether that is a mistake, its caller knows. Throws Refused for anything else.
 */
export async function readAccountList(
  { accounts }: Pick<Core, 'accounts'>,
  terminal: Terminal,
  { file, skipUnknown }: { readonly file: string; readonly skipUnknown: boolean },
): Promise<{ readonly ids: readonly string[]; readonly unknown: readonly NotFound[] }> {
  const called = file === '-' ? 'the list on stdin' : `the list ${file}`;
  const names = await namesIn(open(terminal, file), called);
  const { ids, unknown } = await lookUp(accounts, terminal, names);
  if (unknown.length > 0) {
    const lines = unknown.map(({ line, name, why }) => `  line ${line}: ${JSON.stringify(name)} ${WHY[why]}`);
    const found = counted(unknown.length, 'line');
    if (!skipUnknown) {
      throw new Refused([`${called} names nobody on ${found}; nothing was changed`, ...lines].join('\n'), {
        fix: 'name accounts by username, id or confirmed e-mail address, or leave those out with --skip-unknown',
      });
    }
    terminal.note(`Left out ${found} of ${called}:`, ...lines);
  }
  return { ids, unknown };
}

const WHY = { unknown: 'is no account', deleted: 'was deleted' } as const;

function open({ streams: { stdin } }: Terminal, file: string): AsyncIterable<Buffer | string> {
  if (file !== '-') return createReadStream(file);
  if (stdin.isTTY === true) {
    throw new Refused('a list is read from stdin, which is a terminal', { fix: 'pipe the list in, or name its file' });
  }
  return stdin;
}

/** Each name with the first line it stands on. Throws Refused for lines that are no names, and for what cannot be read. */
async function namesIn(content: AsyncIterable<Buffer | string>, called: string): Promise<Map<string, number>> {
  const names = new Map<string, number>();
  const bad: string[] = [];
  let read = 0;
  try {
    for await (const bytes of linesOf(content)) {
      read += 1;
      const line = parsed(bytes, read);
      if (typeof line === 'object') bad.push(`  line ${read}: ${line.problem}`);
      else if (line !== '' && !names.has(line)) names.set(line, read);
      if (bad.length === MOST_BAD_LINES || names.size > MOST_NAMES) break;
    }
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    throw new Refused(`${called} cannot be read (${code})`, { fix: 'name a file that you may read; - is stdin' });
  }
  if (names.size > MOST_NAMES) {
    throw new Refused(`${called} has more than ${MOST_NAMES} names`, { fix: 'split it' });
  }
  if (bad.length === 0) return names;
  const more = bad.length < MOST_BAD_LINES ? [] : ['  The rest was not read.'];
  throw new Refused([`${called} is no list of names`, ...bad, ...more].join('\n'), {
    fix: 'one account a line, as plain text in UTF-8',
  });
}

/**
 * Lines as bytes, without what ends them. Of one that is too long only its beginning is kept, which is too long as well: a
 * file without a line's end costs no memory.
 */
async function* linesOf(content: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let kept = 0;
  const keep = (part: Buffer): void => {
    const room = LONGEST_LINE_BYTES + 2 - kept;
    if (room <= 0 || part.length === 0) return;
    parts.push(part.subarray(0, room));
    kept += Math.min(part.length, room);
  };
  const take = (): Buffer => {
    const line = Buffer.concat(parts);
    parts = [];
    kept = 0;
    return line;
  };
  for await (const piece of content) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, begin)) {
      keep(chunk.subarray(begin, end));
      yield take();
      begin = end + 1;
    }
    keep(chunk.subarray(begin));
  }
  if (kept > 0) yield take();
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name on a line, empty where there is none. */
function parsed(bytes: Buffer, nth: number): string | { readonly problem: string } {
  const content = bytes.at(-1) === 0x0d ? bytes.subarray(0, -1) : bytes;
  if (content.length > LONGEST_LINE_BYTES) return { problem: `longer than ${LONGEST_LINE_BYTES} bytes` };
  let text;
  try {
    text = utf8.decode(content);
  } catch {
    return { problem: 'not text in UTF-8' };
  }
  if (nth === 1 && text.startsWith('\ufeff')) text = text.slice(1);
  const name = text.replaceAll(/^[ \t]+/g, '').trimEnd();
  if (name.startsWith('#')) return '';
  // Whoever reads what is refused sees a terminal; and no name has any of these.
  return /\p{Cc}/u.test(name) ? { problem: 'has control characters' } : name;
}

async function lookUp(
  accounts: Core['accounts'],
  terminal: Terminal,
  names: ReadonlyMap<string, number>,
): Promise<{ ids: string[]; unknown: NotFound[] }> {
  const wanted = [...names].map(([name, line]) => ({ name, line }));
  const show = (done: number): void =>
    terminal.progress({ doing: 'Finding accounts', done, total: wanted.length, unit: 'names' });
  try {
    const found = await atOnce(wanted, { most: LOOKED_UP_AT_ONCE }, async ({ name, line }, done) => {
      show(done);
      const account = await accounts.resolve(name);
      if (account === null) return { line, name, why: 'unknown' } as const;
      return account.status === 'deleted' ? ({ line, name, why: 'deleted' } as const) : account.id;
    });
    if (wanted.length > 0) show(wanted.length);
    const ids = new Set(found.filter((each) => typeof each === 'string'));
    return { ids: [...ids], unknown: found.filter((each) => typeof each === 'object') };
  } finally {
    terminal.progress(null);
  }
}
