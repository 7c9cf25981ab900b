/**
 * The keyring's file: made once, appended to, never guessed.
 *
 * Purpose: bring the root keys from disk, and put them there so that no crash and no second process can leave half a file
 * or lose a key. Invariant: a file that is missing, open to others or not exactly right is a refusal with a fix, never a
 * new keyring; an existing file is never overwritten by creation. It refuses to know what the keys are for.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type Clock, systemClock } from './clock.ts';

/** The file's content, JSON. `keys` is ordered oldest first: the last one seals, all of them unseal. */
export type KeyringFile = {
  version: 1;
  /** 32 bytes, base64url. Never rotated. */
  index: string;
  /** `root`: 32 bytes, base64url. `createdAt`: RFC 3339, UTC. */
  keys: { version: number; root: string; createdAt: string }[];
};

/** Why a keyring cannot be read or written. */
export type KeyringProblemKind =
  | 'missing'
  | 'foreign' // belongs to another store
  | 'behind' // lacks the key that seals
  | 'unreadable'
  | 'exposed' // readable or writable by others
  | 'malformed'
  | 'exists'
  | 'busy' // another process is changing it
  | 'unwritable';

/** A refusal for a human: `message` says what is wrong, `fix` what to do; neither holds anything of the file's content. */
export class KeyringProblem extends Error {
  override readonly name = 'KeyringProblem';
  readonly kind: KeyringProblemKind;
  readonly path: string;
  readonly fix: string;
  constructor(problem: { kind: KeyringProblemKind; path: string; message: string; fix: string; cause?: unknown }) {
    super(problem.message, problem.cause === undefined ? {} : { cause: problem.cause });
    this.kind = problem.kind;
    this.path = problem.path;
    this.fix = problem.fix;
  }
}

const ROOT_BYTES = 32;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

const Root = z.string().refine((text) => {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === ROOT_BYTES && bytes.toString('base64url') === text;
}, 'must be 32 bytes in base64url');

const Content = z.strictObject({
  version: z.literal(1),
  index: Root,
  keys: z
    .array(z.strictObject({ version: z.int().min(1).max(999_999_999), root: Root, createdAt: z.iso.datetime() }))
    .min(1)
    .refine((keys) => keys.every((key, at) => at === 0 || key.version > (keys[at - 1]?.version ?? 0)), {
      message: 'versions must increase from one key to the next',
    }),
});

const RESTORE = 'restore it from your backup; data sealed with it cannot be read without it';

/** Reads and checks the keyring at `path`. Throws `KeyringProblem`: missing, unreadable, exposed or malformed. */
export function loadKeyring(path: string): KeyringFile {
  const text = readPrivately(path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, that is, key material.
    throw new KeyringProblem({ kind: 'malformed', path, message: `the keyring ${path} is not JSON`, fix: RESTORE });
  }
  const checked = Content.safeParse(parsed);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  const where = issue?.path.length ? ` at ${issue.path.join('.')}` : '';
  const what = issue?.code === 'custom' ? issue.message : 'unexpected or missing value';
  throw new KeyringProblem({
    kind: 'malformed',
    path,
    message: `the keyring ${path} is not a keyring${where}: ${what}`,
    fix: RESTORE,
  });
}

/**
 * Makes a new keyring at `path` (0600; missing folders 0700) and returns it. Durable and whole when it returns, absent
 * after a crash before that. Throws `KeyringProblem`: exists (nothing is overwritten) or unwritable.
 */
export function createKeyring(path: string, options: { clock?: Clock } = {}): KeyringFile {
  const { clock = systemClock } = options;
  const content: KeyringFile = {
    version: 1,
    index: newRoot(),
    keys: [{ version: 1, root: newRoot(), createdAt: clock.now().toISOString() }],
  };
  writing(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = writeTemporary(path, content);
    try {
      // A link, unlike a rename, refuses when the name is taken: of two first starts, one makes the keyring.
      linkSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
    syncFolder(path);
  });
  return content;
}

/** Appends a new sealing key and returns the new content; older versions keep unsealing. Throws `KeyringProblem`. */
export function rotateKeyring(path: string, options: { clock?: Clock } = {}): KeyringFile {
  const { clock = systemClock } = options;
  return change(path, ({ keys, ...rest }) => {
    const version = (keys.at(-1)?.version ?? 0) + 1;
    return { ...rest, keys: [...keys, { version, root: newRoot(), createdAt: clock.now().toISOString() }] };
  });
}

/**
 * Removes sealing keys that nothing is sealed with any more. The newest is never removed (`RangeError`); versions that are
 * not there are ignored, so an interrupted retirement can be repeated. Throws `KeyringProblem`.
 */
export function retireKeys(path: string, versions: readonly number[]): KeyringFile {
  return change(path, ({ keys, ...rest }) => {
    const newest = keys.at(-1)?.version;
    if (newest !== undefined && versions.includes(newest)) throw new RangeError('the newest key cannot be retired');
    return { ...rest, keys: keys.filter((key) => !versions.includes(key.version)) };
  });
}

const newRoot = (): string => randomBytes(ROOT_BYTES).toString('base64url');

function readPrivately(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new KeyringProblem({
        kind: 'missing',
        path,
        message: `there is no keyring at ${path}`,
        fix: `check keyringFile, or ${RESTORE}`,
        cause,
      });
    }
    throw unreadable(path, cause);
  }
  try {
    // Asked of the open file, so that what is checked is what is read.
    const { mode } = fstatSync(descriptor);
    // Windows has no such bits: there the folder's access list protects the file.
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
      throw new KeyringProblem({
        kind: 'exposed',
        path,
        message: `the keyring ${path} is open to other users of this machine (mode 0${(mode & 0o777).toString(8)})`,
        fix: `chmod 600 ${path}`,
      });
    }
    return readFileSync(descriptor, 'utf8');
  } catch (cause) {
    throw cause instanceof KeyringProblem ? cause : unreadable(path, cause);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(path: string, cause: unknown): KeyringProblem {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  return new KeyringProblem({
    kind: 'unreadable',
    path,
    message: `the keyring ${path} cannot be read (${code})`,
    fix: 'make it a file that the user running Curfew can read',
    cause,
  });
}

// Two rotations at once would each append the same version with a different key, and one of them would be lost.
function change(path: string, next: (content: KeyringFile) => KeyringFile): KeyringFile {
  const lock = `${path}.lock`;
  return writing(path, () => {
    let held: number;
    try {
      held = openSync(lock, 'wx', OWNER_ONLY);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new KeyringProblem({
        kind: 'busy',
        path,
        message: `another process is changing the keyring ${path}`,
        fix: `let it finish; if none is running, one was killed half-way and ${lock} can be deleted`,
      });
    }
    try {
      const content = next(loadKeyring(path));
      const temporary = writeTemporary(path, content);
      renameSync(temporary, path);
      syncFolder(path);
      return content;
    } finally {
      closeSync(held);
      rmSync(lock, { force: true });
    }
  });
}

function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof KeyringProblem || cause instanceof RangeError) throw cause;
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new KeyringProblem({
        kind: 'exists',
        path,
        message: `there is already something at ${path}`,
        fix: 'nothing was changed; to begin anew, move it away first',
        cause,
      });
    }
    throw new KeyringProblem({
      kind: 'unwritable',
      path,
      message: `the keyring ${path} cannot be written (${code})`,
      fix: 'make its folder writable for the user running Curfew, on a file system with hard links',
      cause,
    });
  }
}

function writeTemporary(path: string, content: KeyringFile): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const descriptor = openSync(temporary, 'wx', OWNER_ONLY);
  try {
    fchmodSync(descriptor, OWNER_ONLY); // An unusual umask may have taken bits away from the owner.
    writeFileSync(descriptor, `${JSON.stringify(content, null, 2)}\n`);
    fsyncSync(descriptor);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  } finally {
    closeSync(descriptor);
  }
  return temporary;
}

// The name itself must survive a power cut. Windows cannot open a folder for this.
function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
