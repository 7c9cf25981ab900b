/**
 * Where the tests find a MongoDB server: one that somebody runs and names, else a program to start one of their own with.
 * It looks and starts nothing; that there may be none is an answer too.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A server that runs, by its URL, or a program that can be run as one. */
export type FoundServer =
  | { readonly from: 'environment'; readonly url: string }
  | { readonly from: 'path' | 'cache'; readonly program: string };

/** Where obtain.sh puts the program. */
const OBTAINED = fileURLToPath(new URL('../../../node_modules/.cache/curfew-mongod/mongod', import.meta.url));

/** `$CURFEW_TEST_MONGODB_URL`, else a `mongod` on the PATH, else the one that was obtained before, else none. */
export function findServer({
  env = process.env,
  obtained = OBTAINED,
  isProgram = isExecutableFile,
}: {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly obtained?: string;
  readonly isProgram?: (path: string) => boolean;
} = {}): FoundServer | undefined {
  const { CURFEW_TEST_MONGODB_URL: url = '', PATH = '' } = env;
  if (url !== '') return { from: 'environment', url };
  // An empty entry of the PATH means the folder one happens to stand in: nothing is run from there.
  const folders = PATH.split(delimiter).filter((folder) => folder !== '');
  const onPath = folders.map((folder) => join(folder, 'mongod')).find(isProgram);
  if (onPath !== undefined) return { from: 'path', program: onPath };
  return isProgram(obtained) ? { from: 'cache', program: obtained } : undefined;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A program to start servers with, whether or not somebody has named one that runs: some tests must be free to kill theirs. */
export function findProgram(): string | undefined {
  const found = findServer({ env: { PATH: process.env['PATH'] } });
  return found?.from === 'environment' ? undefined : found?.program;
}
