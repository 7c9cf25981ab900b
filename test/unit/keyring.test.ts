import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Config } from '../../src/config.ts';
import { readConfig } from '../../src/config/read.ts';
import { openStoreAndKeyring } from '../../src/open-store.ts';
import { systemClock } from '../../src/platform/clock.ts';
import {
  createKeyring,
  type KeyringFile,
  KeyringProblem,
  loadKeyring,
  openKeyring,
  retireKeys,
  rotateKeyring,
  SealBroken,
  sealedWith,
} from '../../src/platform/keyring.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyring-'));
  path = join(folder, 'secrets', 'keyring.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const alice = { collection: 'accounts', field: 'email', id: 'a1' };

function problemOf(run: () => unknown): KeyringProblem {
  try {
    run();
  } catch (error) {
    if (error instanceof KeyringProblem) return error;
    throw error;
  }
  throw new Error('there was no problem');
}

function writeKeyring(content: unknown, mode = 0o600): void {
  mkdirSync(join(folder, 'secrets'), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode });
}

test('a new keyring is a file for its owner only, in a folder for its owner only', () => {
  const clock = { ...systemClock, now: () => new Date('2026-11-23T10:00:00Z') };
  const created = createKeyring(path, { clock });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(folder, 'secrets'))).toEqual(['keyring.json']);
  expect(loadKeyring(path)).toEqual(created);
  expect(created).toMatchObject({ version: 1, keys: [{ version: 1, createdAt: '2026-11-23T10:00:00.000Z' }] });
  expect(Buffer.from(created.index, 'base64url')).toHaveLength(32);
  expect(created.index).not.toBe(created.keys[0]?.root);
});

test('a keyring is made for its owner only under any umask', () => {
  const before = process.umask(0o277);
  try {
    writeFileSync(join(folder, 'witness'), '');
    expect(statSync(join(folder, 'witness')).mode & 0o777).toBe(0o400);
    createKeyring(join(folder, 'keyring.json'));
    expect(statSync(join(folder, 'keyring.json')).mode & 0o777).toBe(0o600);
  } finally {
    process.umask(before);
  }
});

test('creation never overwrites, and changes nothing when it refuses', () => {
  createKeyring(path);
  const before = readFileSync(path);
  expect(problemOf(() => createKeyring(path)).kind).toBe('exists');
  expect(readFileSync(path)).toEqual(before);
  expect(readdirSync(join(folder, 'secrets'))).toEqual(['keyring.json']);
});

/** Runs `meanwhile` after a keyring was looked for and not found, and right before one is made. */
function beforeMaking(meanwhile: () => void): void {
  const now = vi.spyOn(systemClock, 'now').mockImplementationOnce(() => {
    meanwhile();
    return new Date();
  });
  onTestFinished(() => now.mockRestore());
}

const config = (): Config => {
  const reading = readConfig({ env: {} });
  if (!reading.ok) throw new Error('the defaults were refused');
  return { ...reading.config, store: { engine: 'sqlite', path: database() }, keyringFile: path };
};
const database = (): string => join(folder, 'data', 'db');

test('of two first starts at once, the second uses the keyring that the first one made', async () => {
  let first: KeyringFile | undefined;
  beforeMaking(() => (first = createKeyring(path)));
  const { keyring, store } = await openStoreAndKeyring(config());
  await store.close();
  expect(loadKeyring(path)).toEqual(first);
  expect(keyring.fingerprint()).toBe(openKeyring(loadKeyring(path)).fingerprint());
  expect(readdirSync(join(folder, 'secrets'))).toEqual(['keyring.json']);
});

test('the same over a store that is there and holds nothing', async () => {
  await (await openSqliteStore({ path: database() })).close();
  beforeMaking(() => void createKeyring(path));
  const { keyring, store } = await openStoreAndKeyring(config());
  await store.close();
  expect(keyring.fingerprint()).toBe(openKeyring(loadKeyring(path)).fingerprint());
});

test('a start that fails takes away the keyring it made, and not the one of another start', async () => {
  writeFileSync(join(folder, 'data'), 'a file where the folder should be');
  await expect(openStoreAndKeyring(config())).rejects.toThrow('cannot be written');
  expect(existsSync(join(folder, 'secrets'))).toBe(false);

  let other: KeyringFile | undefined;
  beforeMaking(() => (other = createKeyring(path)));
  await expect(openStoreAndKeyring(config())).rejects.toThrow('cannot be written');
  expect(loadKeyring(path)).toEqual(other);
});

test('a link to nothing is in the way, and not taken for a keyring of another start', async () => {
  mkdirSync(join(folder, 'secrets'));
  symlinkSync(join(folder, 'nothing'), path);
  await expect(openStoreAndKeyring(config())).rejects.toMatchObject({ kind: 'exists', path });
});

test('where no keyring can be written, that is said', () => {
  writeFileSync(join(folder, 'secrets'), 'a file where the folder should be');
  const problem = problemOf(() => createKeyring(path));
  expect(['unwritable', 'exists']).toContain(problem.kind);
  expect(problem.fix).not.toBe('');
});

test('a missing keyring is a refusal, and is not made up', () => {
  const problem = problemOf(() => loadKeyring(path));
  expect(problem).toMatchObject({ kind: 'missing', path });
  expect(problem.fix).toMatch(/backup/);
  expect(existsSync(path)).toBe(false);
});

test('something that cannot be read as a file is a refusal', () => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  expect(problemOf(() => loadKeyring(path)).kind).toBe('unreadable');
});

test.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o777])('mode %o is open to others, and refused', (mode) => {
  createKeyring(path);
  chmodSync(path, mode);
  const problem = problemOf(() => loadKeyring(path));
  expect(problem.kind).toBe('exposed');
  expect(problem.fix).toBe(`chmod 600 ${path}`);
  chmodSync(path, 0o400);
  expect(loadKeyring(path).version).toBe(1);
});

const root = Buffer.alloc(32, 7).toString('base64url');
const key = { version: 1, root, createdAt: '2026-11-23T10:00:00Z' };
test.each([
  ['empty', ''],
  ['cut', '{"version":1,"index":"SECRETSECRET'],
  ['a list', []],
  ['of another version', { version: 2, index: root, keys: [key] }],
  ['without index', { version: 1, keys: [key] }],
  ['without keys', { version: 1, index: root, keys: [] }],
  ['with a short root', { version: 1, index: root, keys: [{ ...key, root: Buffer.alloc(31).toString('base64url') }] }],
  ['with a long root', { version: 1, index: root, keys: [{ ...key, root: Buffer.alloc(33).toString('base64url') }] }],
  ['with base64, not base64url', { version: 1, index: Buffer.alloc(32, 0xfb).toString('base64'), keys: [key] }],
  ['with a key twice', { version: 1, index: root, keys: [key, key] }],
  ['with keys out of order', { version: 1, index: root, keys: [{ ...key, version: 2 }, key] }],
  ['with an unknown key', { version: 1, index: root, keys: [key], pepper: 'SECRETSECRET' }],
])('a keyring that is %s is refused, and nothing of it is told', (_, content) => {
  writeKeyring(content);
  const problem = problemOf(() => loadKeyring(path));
  expect(problem.kind).toBe('malformed');
  expect(`${problem.message} ${problem.fix} ${String(problem.cause)}`).not.toMatch(/SECRETSECRET|BwcHBwcH/);
  expect(() => createKeyring(path)).toThrow(KeyringProblem);
});

test('what is sealed can be opened, and looks like nothing', () => {
  const ring = openKeyring(createKeyring(path));
  for (const text of ['alice@example.org', '', 'é漢字🙂', 'x'.repeat(100_000)]) {
    const sealed = ring.seal('account.email', alice, text);
    expect(sealed).toMatch(/^v1\.1\.[A-Za-z0-9_-]+$/);
    expect(sealed).not.toContain('alice');
    expect(ring.unseal('account.email', alice, sealed)).toBe(text);
  }
  expect(ring.seal('account.email', alice, 'same')).not.toBe(ring.seal('account.email', alice, 'same'));
});

test('a sealed value opens nowhere but in its own place', () => {
  const ring = openKeyring(createKeyring(path));
  const sealed = ring.seal('account.email', alice, 'secret-text');
  const elsewhere = [
    ['account.name', alice],
    ['account.email', { ...alice, id: 'a2' }],
    ['account.email', { ...alice, field: 'username' }],
    ['account.email', { ...alice, collection: 'clients' }],
    // The same letters, cut differently.
    ['account.email', { collection: 'accountse', field: 'mail', id: 'a1' }],
    ['account.email', { collection: 'accounts', field: 'emaila', id: '1' }],
  ] as const;
  for (const [purpose, context] of elsewhere) {
    expect(() => ring.unseal(purpose, context, sealed)).toThrow(SealBroken);
  }
  expect(ring.unseal('account.email', alice, sealed)).toBe('secret-text');
});

test('a changed value does not open, wherever it was changed', () => {
  const ring = openKeyring(createKeyring(path));
  const sealed = ring.seal('p', alice, 'secret-text');
  const box = Buffer.from(sealed.split('.')[2] ?? '', 'base64url');
  for (let at = 0; at < box.length; at += 1) {
    const changed = Buffer.from(box);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => ring.unseal('p', alice, `v1.1.${changed.toString('base64url')}`)).toThrow(SealBroken);
  }
  for (const cut of [
    box.subarray(0, 27),
    box.subarray(0, -1),
    box.subarray(1),
    Buffer.concat([box, Buffer.alloc(1)]),
  ]) {
    expect(() => ring.unseal('p', alice, `v1.1.${cut.toString('base64url')}`)).toThrow(SealBroken);
  }
  for (const form of [
    '',
    'v1',
    sealed.replace('v1.', 'v2.'),
    sealed.replace('v1.1.', 'v1.01.'),
    sealed.replace('v1.1.', 'v1.2.'),
    `${sealed}=`,
    `${sealed}\n`,
    ` ${sealed}`,
    'plain text',
  ]) {
    expect(() => ring.unseal('p', alice, form)).toThrow(SealBroken);
  }
});

test('a sealed value has one spelling', () => {
  const ring = openKeyring(createKeyring(path));
  const sealed = ring.seal('p', alice, 'abc'); // 31 bytes, so the last letter has bits that decode to nothing.
  expect((sealed.split('.')[2] ?? '').length % 4).not.toBe(0);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const others = letters
    .split('')
    .map((letter) => sealed.slice(0, -1) + letter)
    .filter((spelling) => spelling !== sealed);
  for (const spelling of others) expect(() => ring.unseal('p', alice, spelling)).toThrow(SealBroken);
});

test('a refusal to open tells where, and neither the value nor the record', () => {
  const ring = openKeyring(createKeyring(path));
  const sealed = ring.seal('p', { ...alice, id: 'alice-id' }, 'secret-text');
  try {
    openKeyring(createKeyring(join(folder, 'other.json'))).unseal('p', { ...alice, id: 'alice-id' }, sealed);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(SealBroken);
    expect(String(error)).toContain('accounts.email');
    expect(String(error)).not.toMatch(/secret-text|alice-id/);
    expect(String(error)).not.toContain(sealed);
  }
});

test('after a rotation the new key seals, both open, and what is compared stays the same', () => {
  const before = openKeyring(createKeyring(path));
  const old = before.seal('p', alice, 'old');
  rotateKeyring(path);
  const after = openKeyring(loadKeyring(path));
  const fresh = after.seal('p', alice, 'new');
  expect([before.current, after.current, after.versions]).toEqual([1, 2, [1, 2]]);
  expect([sealedWith(old), sealedWith(fresh), sealedWith('plain')]).toEqual([1, 2, undefined]);
  expect([after.unseal('p', alice, old), after.unseal('p', alice, fresh)]).toEqual(['old', 'new']);
  expect(after.blindIndex('e', 'alice')).toBe(before.blindIndex('e', 'alice'));
  expect(after.mac('e', 'alice')).toEqual(before.mac('e', 'alice'));
  expect(after.derive('pepper')).toEqual(before.derive('pepper'));
  expect(after.fingerprint()).toBe(before.fingerprint());
  expect(after.fingerprint(2)).not.toBe(after.fingerprint(1));
  expect(() => before.unseal('p', alice, fresh)).toThrow(SealBroken);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a value relabelled with another key version does not open', () => {
  createKeyring(path);
  const ring = openKeyring(rotateKeyring(path));
  const sealed = ring.seal('p', alice, 'text');
  expect(() => ring.unseal('p', alice, sealed.replace('v1.2.', 'v1.1.'))).toThrow(SealBroken);
});

test('a running server learns of a rotation from the first value it does not know, and reads no file otherwise', () => {
  const reread = vi.fn(() => loadKeyring(path));
  const running = openKeyring(createKeyring(path), { reread });
  running.unseal('p', alice, running.seal('p', alice, 'x'));
  const fresh = openKeyring(rotateKeyring(path)).seal('p', alice, 'new');
  expect(reread).not.toHaveBeenCalled();
  expect(running.unseal('p', alice, fresh)).toBe('new');
  expect(running.current).toBe(2);
  running.unseal('p', alice, fresh);
  expect(reread).toHaveBeenCalledOnce();
});

test('a retired key opens nothing; the newest cannot be retired', () => {
  const ring = openKeyring(createKeyring(path));
  const old = ring.seal('p', alice, 'old');
  rotateKeyring(path);
  expect(() => retireKeys(path, [2])).toThrow(RangeError);
  expect(loadKeyring(path).keys).toHaveLength(2);
  const kept = openKeyring(retireKeys(path, [1]));
  expect(retireKeys(path, [1]).keys.map(({ version }) => version)).toEqual([2]);
  expect(() => kept.unseal('p', alice, old)).toThrow(SealBroken);
  expect(rotateKeyring(path).keys.map(({ version }) => version)).toEqual([2, 3]);
});

test('two changes at once do not lose a key: the second is refused', () => {
  createKeyring(path);
  writeFileSync(`${path}.lock`, '');
  const before = readFileSync(path);
  const problem = problemOf(() => rotateKeyring(path));
  expect(problem.kind).toBe('busy');
  expect(problem.fix).toContain(`${path}.lock`);
  expect(readFileSync(path)).toEqual(before);
  rmSync(`${path}.lock`);
  expect(rotateKeyring(path).keys).toHaveLength(2);
  expect(readdirSync(join(folder, 'secrets'))).toEqual(['keyring.json']);
});

test('rotation of a missing or exposed keyring is refused and leaves no lock', () => {
  mkdirSync(join(folder, 'secrets'));
  expect(problemOf(() => rotateKeyring(path)).kind).toBe('missing');
  createKeyring(path);
  chmodSync(path, 0o644);
  expect(problemOf(() => rotateKeyring(path)).kind).toBe('exposed');
  expect(readdirSync(join(folder, 'secrets'))).toEqual(['keyring.json']);
});

test('every use and every purpose has a key of its own', () => {
  const ring = openKeyring(createKeyring(path));
  const values = [
    ring.blindIndex('a', 'x'),
    ring.blindIndex('b', 'x'),
    ring.blindIndex('a', 'y'),
    ring.mac('a', 'x').toString('base64url'),
    ring.mac('b', 'x').toString('base64url'),
    ring.derive('a').toString('base64url'),
    ring.derive('b').toString('base64url'),
    ring.fingerprint(),
    ring.fingerprint(1),
  ];
  expect(new Set(values).size).toBe(values.length);
  expect(ring.blindIndex('a', 'x')).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(ring.fingerprint()).toMatch(/^[0-9a-f]{16}$/);
  expect(ring.mac('a', Buffer.from('x'))).toEqual(ring.mac('a', 'x'));
});

test('keyrings are told apart by their fingerprints, also two rotations of one backup', () => {
  const one = createKeyring(path);
  const other = createKeyring(join(folder, 'other.json'));
  expect(openKeyring(one).fingerprint()).not.toBe(openKeyring(other).fingerprint());
  const copy = join(folder, 'copy.json');
  writeFileSync(copy, JSON.stringify(one), { mode: 0o600 });
  const [left, right] = [openKeyring(rotateKeyring(path)), openKeyring(rotateKeyring(copy))];
  expect(left.fingerprint()).toBe(right.fingerprint());
  expect(left.fingerprint(2)).not.toBe(right.fingerprint(2));
  expect(() => left.fingerprint(3)).toThrow(RangeError);
});

test('whoever wipes a derived secret does not wipe it for the next', () => {
  const ring = openKeyring(createKeyring(path));
  const expected = ring.derive('pepper').toString('hex');
  ring.derive('pepper').fill(0);
  expect(ring.derive('pepper').toString('hex')).toBe(expected);
});

test('values sealed by the first release open for ever', () => {
  const file: KeyringFile = { version: 1, index: Buffer.alloc(32, 1).toString('base64url'), keys: [{ ...key, root }] };
  const ring = openKeyring(file);
  expect(ring.blindIndex('account.email', 'alice@example.org')).toBe('JQiRDBMJz5PlO_pVn8vOSSOj94n-dw81AP0FxazluMk');
  expect(ring.fingerprint()).toBe('7c4af78e0dca4fbd');
  expect(ring.derive('password.pepper').toString('base64url')).toBe('6j0qFoyKzSE6M8Ex9_pMv7j0zswQLVyN_Qc1QFzzIBQ');
  expect(ring.unseal('account.email', alice, 'v1.1._hfCug0mmblcGP4CAWRGpKNI3hfvCM6uRwl2bylA5x_kerKTwFdRRlsAYaub')).toBe(
    'alice@example.org',
  );
});

test('which key seals can be told: a key that is there and newer waits until then', () => {
  createKeyring(path);
  const ring = openKeyring(rotateKeyring(path));
  const [first, second] = [1, 2].map((version) => ({ version, fingerprint: ring.fingerprint(version) }));
  if (first === undefined || second === undefined) throw new Error('there are two');
  expect(ring.current).toBe(2);
  expect(ring.sealWith(first)).toBe(true);
  expect(ring.current).toBe(1);
  expect(sealedWith(ring.seal('p', alice, 'text'))).toBe(1);
  expect(ring.sealWith(second)).toBe(true);
  expect(sealedWith(ring.seal('p', alice, 'text'))).toBe(2);
  ring.sealWith(first);
  expect(ring.sealWith(null)).toBe(true);
  expect(ring.current).toBe(2);
});

test('told to seal with a key it lacks, a keyring looks at its file, and goes on with what it has', () => {
  const running = openKeyring(createKeyring(path), { reread: () => loadKeyring(path) });
  const fingerprint = 'feedfeedfeedfeed';
  expect(running.sealWith({ version: 2, fingerprint })).toBe(false);
  expect(running.current).toBe(1);
  const sealed = running.seal('p', alice, 'text');
  expect(running.unseal('p', alice, sealed)).toBe('text');

  // Another key of the same version was made elsewhere: this one is not it, and does not seal either.
  const elsewhere = openKeyring(rotateKeyring(path));
  expect(running.sealWith({ version: 2, fingerprint })).toBe(false);
  expect(running.versions).toEqual([1, 2]);
  expect(running.current).toBe(1);
  expect(running.sealWith({ version: 2, fingerprint: elsewhere.fingerprint(2) })).toBe(true);
  expect(sealedWith(running.seal('p', alice, 'text'))).toBe(2);
});

test('a file that is gone, broken, or another keyring’s takes no key from a running server', () => {
  const running = openKeyring(createKeyring(path), { reread: () => loadKeyring(path) });
  const sealed = running.seal('p', alice, 'text');
  const lacking = { version: 2, fingerprint: 'feedfeedfeedfeed' };
  const harm: readonly (() => void)[] = [
    () => rmSync(path),
    () => writeKeyring('not json'),
    () => {
      rmSync(path);
      createKeyring(path);
      rotateKeyring(path);
    },
  ];
  for (const harms of harm) {
    harms();
    expect(running.sealWith(lacking)).toBe(false);
    expect(running.versions).toEqual([1]);
    expect(running.unseal('p', alice, sealed)).toBe('text');
  }
});

test('a key that has left the file is known to whoever knew it, until the end', () => {
  createKeyring(path);
  const running = openKeyring(rotateKeyring(path), { reread: () => loadKeyring(path) });
  running.sealWith({ version: 1, fingerprint: running.fingerprint(1) });
  const sealed = running.seal('p', alice, 'text');
  retireKeys(path, [1]);
  rotateKeyring(path);
  const fresh = openKeyring(loadKeyring(path)).seal('p', alice, 'fresh');
  expect(running.unseal('p', alice, fresh)).toBe('fresh');
  expect(running.unseal('p', alice, sealed)).toBe('text');
});

test('values that name versions out of thin air do not have the file read for each of them', () => {
  let milliseconds = 0;
  const clock = { now: () => new Date(milliseconds) };
  const reread = vi.fn(() => loadKeyring(path));
  const running = openKeyring(createKeyring(path), { reread, clock });
  const invented = running.seal('p', alice, 'text').replace('v1.1.', 'v1.77.');
  for (let nth = 0; nth < 50; nth += 1) expect(() => running.unseal('p', alice, invented)).toThrow(SealBroken);
  expect(reread).toHaveBeenCalledOnce();
  milliseconds += 1000;
  expect(() => running.unseal('p', alice, invented)).toThrow(SealBroken);
  expect(reread).toHaveBeenCalledTimes(2);
});
