/** Whether there is a SimpleSAMLphp to test with: how one is obtained, and what is said when there is none. */
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

import { findSimplesamlphp } from '../support/simplesamlphp/find.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const OBTAIN = 'test/support/simplesamlphp/obtain.sh';
const TOOLS = 'cat chmod dirname grep head id mkdir mktemp mv rm sed'.split(' ');

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-suite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('obtain.sh', () => {
  /** Runs a copy of it, as often as asked, in a tree where nothing was obtained yet and where only these programs are. */
  function obtain(programs: Record<string, string>, times = 1) {
    const tree = temporaryFolder();
    const [bin, obtained] = [join(tree, 'bin'), join(tree, 'node_modules/.cache/curfew-simplesamlphp')];
    mkdirSync(join(tree, dirname(OBTAIN)), { recursive: true });
    copyFileSync(join(root, OBTAIN), join(tree, OBTAIN));
    mkdirSync(bin);
    for (const name of TOOLS) {
      const found = ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find(existsSync);
      if (found !== undefined) symlinkSync(found, join(bin, name));
    }
    const asked = join(tree, 'asked');
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>'${asked}'\n${script}\n`, { mode: 0o755 });
    }
    const run = () => spawnSync('/bin/sh', [join(tree, OBTAIN)], { encoding: 'utf8', env: { PATH: bin } });
    const [last] = Array.from({ length: times }, run).toReversed();
    return {
      status: last?.status,
      stdout: last?.stdout ?? '',
      stderr: last?.stderr,
      obtained,
      cached: existsSync(obtained) ? readdirSync(obtained) : [],
      asked: existsSync(asked) ? spawnSync('/bin/cat', [asked], { encoding: 'utf8' }).stdout.trim().split('\n') : [],
    };
  }

  /** An archive that has what is wanted, in packages that are scripts: each unpacks itself. */
  const apt = `
    case "$*" in
      *simulate*) echo 'Inst php8.2-cli (8.2 Debian)'; echo 'Conf php8.2-cli (8.2 Debian)';;
      *download*) for package in simplesamlphp php8.2-cli; do echo "$package" >"$package.deb"; done;;
    esac`;
  const dpkg = (php: string): string => `
    read -r package <"$2"
    case $package in
      simplesamlphp) mkdir -p "$3/usr/share/simplesamlphp/www/saml2/idp"; echo >"$3/usr/share/simplesamlphp/www/saml2/idp/SSOService.php";;
      php8.2-cli) mkdir -p "$3/usr/bin"; { echo '#!/bin/sh'; echo '${php}'; } >"$3/usr/bin/php8.2"; chmod 755 "$3/usr/bin/php8.2";;
    esac`;

  test('unpacks what apt would install, once, and it is found', () => {
    const { obtained, asked, cached, ...ended } = obtain({ 'apt-get': apt, 'dpkg-deb': dpkg('exit 0') }, 2);
    expect(ended).toEqual({ status: 0, stderr: '', stdout: `SimpleSAMLphp: ${obtained}/1.19\n` });
    expect(cached).toEqual(['1.19']);
    expect(asked.filter((line) => line.startsWith('apt-get'))).toEqual([
      expect.stringMatching(/ install --simulate .* php8\.2-cli /),
      expect.stringMatching(/ download simplesamlphp=1\.19\.\* php8\.2-cli$/),
    ]);
    expect(findSimplesamlphp(join(obtained, '1.19'))?.php).toBe(join(obtained, '1.19/php'));
    expect(findSimplesamlphp(obtained)).toBeUndefined();
  });

  test('where the lists of packages are missing or old, reads its own', () => {
    const stale = `case "$*" in *Dir::State::lists=*) ;; *) echo 'E: Unable to locate package' >&2; exit 100;; esac\n${apt}`;
    const { status, stdout, asked } = obtain({ 'apt-get': stale, 'dpkg-deb': dpkg('exit 0') });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^SimpleSAMLphp: /) });
    expect(asked.filter((line) => / update$/.test(line))).toHaveLength(1);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['another kind of machine', {}, /this needs apt-get and dpkg-deb/],
    ['an archive that is away', { 'apt-get': 'echo "E: no route" >&2; exit 100', 'dpkg-deb': '' }, /\(E: no route\)/],
    ['a PHP that does not run', { 'apt-get': apt, 'dpkg-deb': dpkg('echo no libxml >&2; exit 127') }, /\(no libxml\)/],
  ])('%s: says so in one line, and is no failure', (_what, programs, says) => {
    const { status, stdout, stderr, cached } = obtain(programs);
    expect(stdout).toMatch(says);
    expect(stdout).toMatch(/^no SimpleSAMLphp could be obtained: .*\n$/);
    expect({ status, stderr, cached }).toEqual({ status: 0, stderr: '', cached: [] });
  });
});

test.each([
  ['undefined', /^The SimpleSAMLphp suite did not run: .*obtain\.sh/m],
  ["{ php: '/nowhere/php', documentRoot: '/nowhere' }", /^(?![\s\S]*SimpleSAMLphp)/],
])('a run with %s for a SimpleSAMLphp ends by saying what it did not test', (simplesamlphp, says) => {
  const config = join(temporaryFolder(), 'vitest.config.mts');
  const server = "{ from: 'path', program: '/nowhere/mongod' }";
  writeFileSync(
    config,
    `import { configure } from '${join(root, 'test/vitest.config.ts')}';\nexport default configure(${server}, ${simplesamlphp});\n`,
  );
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', '--config', config, 'test/unit/clock.test.ts'],
    { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(says);
  expect(existsSync(join(root, OBTAIN))).toBe(true);
});
