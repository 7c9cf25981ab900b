/**
 * Secrets that are handed out once, on their way to whoever must have them: appended to a file that only its owner can read,
 * and on the disk before the call returns. A file that others can read is refused, never narrowed: they may have it open.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const OTHERS = 0o077;

/** Windows has no such bits: there the folder's access list protects the file. */
const isExposed = (mode: number): boolean => process.platform !== 'win32' && (mode & OTHERS) !== 0;

/** The file is not fit to hold a secret; the message says why. */
class SecretFileRefused extends Error {
  override readonly name = 'SecretFileRefused';
}

/** Why it could not be appended to, in words; null when it can. Makes nothing. */
export function secretFileProblem(path: string): string | null {
  try {
    if (!existsSync(path)) {
      accessSync(dirname(path), constants.W_OK);
      return null;
    }
    const status = statSync(path);
    if (!status.isFile()) return `${path} is not a file`;
    accessSync(path, constants.W_OK);
    return isExposed(status.mode) ? `${path} can be read or written by others` : null;
  } catch {
    return `${path} cannot be written`;
  }
}

/** Appends one line. Makes the file (0600) where there is none. Throws SecretFileRefused, or what the disk says. */
export function appendSecret(path: string, line: string): void {
  const file = openSync(path, 'a', 0o600);
  try {
    // Asked of the open file, so that what is checked is what is written.
    if (isExposed(fstatSync(file).mode)) {
      throw new SecretFileRefused(`${path} can be read or written by others`);
    }
    writeSync(file, `${line}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
