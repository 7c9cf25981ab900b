/** What `store copy` refuses, and that nothing is changed by it. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { account, identifiers } from '../support/records.ts';
import { engine } from '../support/store-under-test.ts';
import { asking, contents, newPlace, type Place } from './places.ts';
import { curfew, here } from './support.ts';

const NOW = new Date();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'curfew-copy-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

const copy = (...words: readonly string[]) => here(['store', 'copy', ...words]);

/** A place that somebody has started in. */
async function home(engine: Place['engine'], name = 'alice'): Promise<Place> {
  const place = await newPlace(engine);
  await asking(place.database, async ({ accounts, catalogue }) => {
    await catalogue.settle('keyring', `the keyring of ${name}`);
    await accounts.insert(account(name), identifiers(name));
  });
  return place;
}

const fileOf = (place: Place): string => place.url.slice('sqlite:'.length);

describe('asked wrongly', () => {
  test.for([
    [['--to', 'sqlite:b.db'], "required option '--from <url>'"],
    [['--from', 'sqlite:a.db'], "required option '--to <url>'"],
    [['--from', 'a.db', '--to', 'sqlite:b.db'], '--from must be sqlite: and a path, or a mongodb:// address'],
    [['--from', 'sqlite:a.db', '--to', 'mongodb://host'], '--to names no database'],
    [['--from', 'mongodb://u:secret@host/db', '--to', 'sqlite:b.db'], '--from holds a password'],
    [['--from', 'sqlite:a.db', '--to', 'mongodb://host/db?w=1'], '--to must not set w'],
    [
      ['--from', 'sqlite:a.db', '--to', 'sqlite:b.db', '--from-password-file', 'f'],
      '--from-password-file is given, and SQLite has no password',
    ],
    [
      ['--from', 'sqlite:a.db', '--to', 'mongodb://host/db', '--to-password-file', 'f'],
      '--to-password-file is given, and --to names no user',
    ],
    [
      ['--from', 'sqlite:a.db', '--to', 'mongodb://u@host/db', '--to-password-file', 'no-such-file'],
      'the password file no-such-file cannot be read (ENOENT)',
    ],
  ] as const)('%s', async ([words, message]) => {
    const ended = await copy(...words, '--yes');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).toMatch(/^ {2}fix: \S/m);
    expect(ended.stderr).not.toContain('secret@');
  });

  test('a password in an address is to go into the file of the option it belongs to', async () => {
    const { stderr } = await copy('--from', 'sqlite:a.db', '--to', 'mongodb://u:secret@host/db');
    expect(stderr).toContain('--to-password-file');
    expect(stderr).not.toContain('storePasswordFile');
  });
});

describe('the very same store', () => {
  test(`on ${engine}`, async () => {
    const place = await home(engine);
    const before = await contents(place, NOW);
    const ended = await copy(...place.from, ...place.to, '--yes');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('are the same store') });
    expect(await contents(place, NOW)).toEqual(before);
  });

  test('by another name', async () => {
    const place = await home('sqlite');
    const path = fileOf(place);
    mkdirSync(join(folder, 'else'));
    symlinkSync(path, join(folder, 'link.db'));
    linkSync(path, join(folder, 'else', 'hard.db'));
    const around = join(dirname(path), '..', 'data', 'curfew.db');
    for (const other of [around, join(folder, 'link.db'), join(folder, 'else', 'hard.db')]) {
      const ended = await copy(...place.from, '--to', `sqlite:${other}`, '--yes');
      expect([other, ended]).toEqual([other, expect.objectContaining({ code: 2 })]);
      expect(ended.stderr).toContain('are the same store');
    }
  });

  test('relative paths are those of the working directory', async () => {
    await asking((await home('sqlite')).database, async () => undefined);
    const source = await openSqliteStore({ path: join(folder, 'a.db') });
    await source.catalogue.settle('keyring', 'fingerprint');
    await source.close();
    const words = ['store', 'copy', '--from', 'sqlite:a.db', '--to', 'sqlite:./new/b.db', '--yes', '--json'];
    const ended = await curfew(words, { cwd: folder });
    expect(ended.json()).toMatchObject({
      from: `sqlite:${join(folder, 'a.db')}`,
      to: `sqlite:${join(folder, 'new', 'b.db')}`,
    });
    expect(
      (await curfew(['store', 'copy', '--from', 'sqlite:a.db', '--to', 'sqlite:./a.db'], { cwd: folder })).code,
    ).toBe(2);
  });
});

describe(`a source on ${engine}`, () => {
  test('where nobody has started', async () => {
    const [source, target] = [await newPlace(engine), await newPlace('sqlite')];
    for (const opened of [false, true]) {
      if (opened) await asking(source.database, (store) => store.ping());
      const ended = await copy(...source.from, ...target.to, '--yes');
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('nobody has started at') });
      if (engine === 'sqlite') expect(existsSync(fileOf(source))).toBe(opened);
      expect(existsSync(fileOf(target))).toBe(false);
    }
  });

  test('of a newer Curfew', async () => {
    const [source, target] = [await home(engine), await newPlace('sqlite')];
    await source.database.pretendSchema(99);
    const ended = await copy(...source.from, ...target.to, '--yes');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('written by a newer Curfew') });
    expect(existsSync(fileOf(target))).toBe(false);
  });
});

describe('a source in a file', () => {
  test('is left as it is, byte by byte, and so is one of an older schema, which is refused', async () => {
    const source = await home('sqlite');
    const path = fileOf(source);
    // As a backup is: not in WAL mode, which opening it for use would change.
    using(path, (database) => database.exec('PRAGMA journal_mode = DELETE'));
    const before = readFileSync(path);
    expect(await copy(...source.from, ...(await newPlace('sqlite')).to, '--yes')).toMatchObject({ code: 0 });
    expect(readFileSync(path).equals(before)).toBe(true);

    await source.database.pretendSchema(1);
    const older = readFileSync(path);
    const ended = await copy(...source.from, ...(await newPlace('sqlite')).to, '--yes');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('start this Curfew on it once') });
    expect(readFileSync(path).equals(older)).toBe(true);
  });

  test.for([
    ['no database at all', 'cannot be read'],
    ['', 'nobody has started at'],
  ] as const)('that holds %j', async ([content, message]) => {
    writeFileSync(join(folder, 'a.db'), content);
    const ended = await copy('--from', `sqlite:${join(folder, 'a.db')}`, '--to', `sqlite:${join(folder, 'b.db')}`);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect(readFileSync(join(folder, 'a.db'), 'utf8')).toBe(content);
    expect(existsSync(join(folder, 'b.db'))).toBe(false);
  });
});

describe(`a target on ${engine}`, () => {
  test('that holds another installation, or this one already', async () => {
    const [source, target] = [await home('sqlite'), await home(engine, 'bob')];
    const before = await contents(target, NOW);
    const ended = await copy(...source.from, ...target.to, '--yes');
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is not empty') });
    expect(await contents(target, NOW)).toEqual(before);

    const empty = await newPlace(engine);
    expect(await copy(...source.from, ...empty.to, '--yes')).toMatchObject({ code: 0 });
    expect(await copy(...source.from, ...empty.to, '--yes')).toMatchObject({ code: 1 });
  });

  test('that holds nothing but its indexes is taken', async () => {
    const [source, target] = [await home('sqlite'), await newPlace(engine)];
    await asking(target.database, (store) => store.ping());
    expect(await copy(...source.from, ...target.to, '--yes')).toMatchObject({ code: 0 });
    expect(await contents(target, NOW)).toEqual(await contents(source, NOW));
  });

  test('that a newer Curfew has written', async () => {
    const [source, target] = [await home('sqlite'), await home(engine, 'bob')];
    await target.database.pretendSchema(99);
    const ended = await copy(...source.from, ...target.to, '--yes');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('written by a newer Curfew') });
  });
});

test('a target that holds somebody else’s tables is left as it is', async () => {
  const source = await home('sqlite');
  for (const schema of [0, 2]) {
    const path = join(folder, `foreign-${schema}.db`);
    using(path, (database) => database.exec(`CREATE TABLE songs (id); PRAGMA user_version = ${schema}`));
    const before = readFileSync(path);
    const ended = await copy(...source.from, '--to', `sqlite:${path}`, '--yes');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("something that is not Curfew's") });
    expect(readFileSync(path).equals(before)).toBe(true);
  }
});

function using(path: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path);
  try {
    work(database);
  } finally {
    database.close();
  }
}
