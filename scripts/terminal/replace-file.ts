/**
 * A file as a result: whole or not at all, and for its owner only. What was there before stays until the new one is complete.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

import { Refused } from './outcome.ts';

/** Writes `text` to `path` (0600). Throws Refused where that cannot be done. */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.part`;
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (fault) {
    rmSync(temporary, { force: true });
    const why = fault instanceof Error ? fault.message : String(fault);
    throw new Refused(`${path} cannot be written: ${why}`, {
      exitCode: 1,
      fix: 'name a file in a folder that is there',
    });
  }
}
