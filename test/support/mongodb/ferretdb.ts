/**
 * A server that speaks MongoDB's protocol and does not keep MongoDB's promises, to be refused: FerretDB 1.24 over SQLite, where
 * ferretdb/build.sh has built it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../../node_modules/.cache/curfew-ferretdb/ferretdb-1.24.2', import.meta.url));

/** Why there is none to start; undefined where there is. */
export const noFerretdb = existsSync(PROGRAM)
  ? undefined
  : 'there is no FerretDB here: test/support/mongodb/ferretdb/build.sh builds one with Go 1.24';

export type Ferretdb = {
  /** Of a database of this name. */
  url(database: string): string;
  stop(): Promise<void>;
};

/** On a port of 127.0.0.1, over a folder of its own. It dies with this process, whose end is the end of its stdin. */
export async function startFerretdb(): Promise<Ferretdb> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-ferretdb-'));
  const child = spawn(PROGRAM, [folder], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [said] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [unknown];
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (typeof said === 'string') return { url: (database) => said.replace(/\/$/, `/${database}`), stop };
  await stop();
  throw new Error('FerretDB ended before it listened');
}
