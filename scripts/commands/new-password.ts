/** A password somebody chose for an account, from a file, from stdin, or from the keyboard; never from the command line. */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

import { Refused } from '../terminal/outcome.ts';
import { askSecret } from '../terminal/questions.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { House } from './house.ts';

const ATTEMPTS = 3;

/** The password, or null where no file is named and nobody sits at a terminal. `file`: `-` is stdin. */
export async function readPassword(terminal: Terminal, file: string | undefined): Promise<string | null> {
  if (file !== undefined) return firstLine(await read(terminal, file), file);
  return terminal.interactive ? askTwice(terminal) : null;
}

/** Judged by the policy and hashed. Throws Refused with everything that is wrong with it. */
export async function hashPassword(
  { core: { signIn } }: House,
  choice: { readonly password: string; readonly username: string; readonly email: string },
): Promise<string> {
  const hashed = await signIn.hashNewPassword(choice);
  if ('hash' in hashed) return hashed.hash;
  if (hashed.refused === 'bad-password') {
    throw new Refused(`this password cannot be used. ${hashed.problems.join(' ')}`, {
      exitCode: 1,
      fix: 'choose another one',
    });
  }
  throw new Refused('the password could not be hashed now', { exitCode: 1, fix: 'try again' });
}

async function read({ streams }: Terminal, file: string): Promise<string> {
  if (file === '-') return text(streams.stdin);
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    throw new Refused(`the password file ${file} cannot be read (${code})`, { fix: 'name a file that you may read' });
  }
}

function firstLine(content: string, file: string): string {
  const line = /^[^\r\n]*/.exec(content)?.[0] ?? '';
  if (line !== '') return line;
  const where = file === '-' ? 'stdin' : file;
  throw new Refused(`there is no password on the first line of ${where}`, { fix: 'put it there, alone on its line' });
}

async function askTwice(terminal: Terminal): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const password = await askSecret(terminal, 'New password');
    if (password === '') throw new Refused('no password was typed', { fix: 'type one, or name a --password-file' });
    if (password === (await askSecret(terminal, 'The same again'))) return password;
    terminal.note('The two differ.');
  }
  throw new Refused('the two passwords differed each time', { fix: 'name a --password-file instead' });
}
