/** Commands over a file of SQLite's that is damaged, locked, not there, or something else. */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';

import { databaseFile } from '../support/sqlite-under-test.ts';
import { commandWorld, here as hereAlone } from './support.ts';

type Check = { check: string; status: string; found: string; fix: string | null };
type Report = { ok: boolean; checks: Check[] };

const of = (report: unknown, check: string): Check[] =>
  (report as Report).checks.filter((each) => each.check === check);

test('a file that is no database is left as it is', async () => {
  const { run, folder, stopServer } = await commandWorld();
  await stopServer();
  writeFileSync(databaseFile(folder), 'no database at all');
  const corrupt = await run('account', 'list');
  expect(corrupt).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('not a SQLite database') });
  expect(corrupt.stderr).not.toMatch(/^ +at /m);
  expect(readFileSync(databaseFile(folder), 'utf8')).toBe('no database at all');
});

test('a store that another process has locked for a moment is waited for', async () => {
  const { folder, configFile, begin, stopServer } = await commandWorld();
  await stopServer();
  await hereAlone(['keys', 'list', '--config', configFile]);
  const other = new DatabaseSync(databaseFile(folder));
  other.exec('BEGIN IMMEDIATE');

  const command = begin('sign-out', '--everyone', '--yes', '--json');
  const opened = join('/proc', String(command.process.pid), 'fd');
  await vi.waitUntil(() => !existsSync('/proc') || openFiles(opened).includes(`${databaseFile(folder)}-wal`), {
    timeout: 20_000,
    interval: 5,
  });
  other.exec('COMMIT');
  other.close();

  expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
});

test('over a database that is not there, nobody is told that access has ended', async () => {
  const { file, folder } = await commandWorld();
  const elsewhere = file(
    'elsewhere.yaml',
    JSON.stringify({ store: 'sqlite:./none/curfew.db', keyringFile: './none.json' }),
  );

  const ended = await hereAlone(['sign-out', '--everyone', '--yes', '--config', elsewhere]);

  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('there is no database');
  expect(readdirSync(folder)).not.toContain('none');
  expect(existsSync(databaseFile(folder))).toBe(true);
});

test('doctor reads the whole database once, not once for each point', async () => {
  const { here, stopServer } = await commandWorld();
  await stopServer();
  const asked: string[] = [];
  const { all } = StatementSync.prototype;
  const spied = vi.spyOn(StatementSync.prototype, 'all').mockImplementation(function (this: StatementSync, ...values) {
    asked.push(this.sourceSQL);
    return all.apply(this, values);
  });
  try {
    const { code, stdout } = await here('doctor', '--json');
    expect(code).toBe(0);
    expect(of(JSON.parse(stdout), 'clock')).toMatchObject([{ status: 'ok' }]);
    expect(asked.filter((sql) => sql.startsWith('PRAGMA quick_check'))).toHaveLength(1);
  } finally {
    spied.mockRestore();
  }
});

test('doctor finds a damaged page', async () => {
  const { here, folder, stopServer } = await commandWorld();
  await stopServer();
  const database = new DatabaseSync(databaseFile(folder));
  const index = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'attempts_expires_at'").get();
  const page = database.prepare('PRAGMA page_size').get();
  database.close();
  const size = Number(page?.['page_size']);
  const file = openSync(databaseFile(folder), 'r+');
  writeSync(file, Buffer.alloc(size, 0xa5), 0, size, (Number(index?.['rootpage']) - 1) * size);
  closeSync(file);

  const ended = await here('doctor', '--json');

  expect(ended.code).toBe(1);
  expect(of(ended.json(), 'store')).toMatchObject([{ status: 'problem', fix: expect.stringContaining('backup') }]);
});

test('doctor finds that it is no database; and where there is none, makes none', async () => {
  const { here, stopServer, file, folder } = await commandWorld();
  await stopServer();
  writeFileSync(databaseFile(folder), 'no database at all');
  const corrupt = await here('doctor');
  expect(corrupt.code).toBe(1);
  expect(corrupt.stdout).toMatch(/^✗ store .*not a SQLite database/m);

  const empty = file(
    'empty.yaml',
    JSON.stringify({ store: 'sqlite:./new/curfew.db', keyringFile: './new/keyring.json' }),
  );
  const fresh = await hereAlone(['doctor', '--json', '--config', empty]);
  expect(of(fresh.json(), 'store')).toMatchObject([
    { status: 'warning', found: expect.stringContaining('no database') },
  ]);
  expect(existsSync(`${folder}/new`)).toBe(false);
});

function openFiles(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => readlinkSync(join(folder, name)));
  } catch {
    return []; // A descriptor was closed while they were listed.
  }
}
