import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { commandWorld, curfew, start } from './support.ts';

const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

test('everything that is wrong with a configuration is told at once, before anything is opened', async () => {
  const { file, folder } = await commandWorld();
  const wrong = file('wrong.yaml', 'listn: {}\nlisten: { port: many }\nclients: [{ client_id: a }]\n');
  const refused = await curfew(['account', 'list', '--json', '--config', wrong], { cwd: folder });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('wrong.yaml');
  expect(refused.stderr).toContain('did you mean listen?');
  expect(refused.stderr).toContain('listen.port');
  expect(refused.stderr).toContain('clients[0].clientSecretFile');
});

test('over data without its keyring nothing is written', async () => {
  const { run, config, stopServer } = await commandWorld();
  await stopServer();
  renameSync(config.keyringFile, `${config.keyringFile}.away`);
  const before = digest(config.store.path);
  const refused = await run('sign-out', '--everyone', '--yes');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/^curfew: .*keyring/);
  expect(refused.stderr).toContain('fix: put the keyring back');
  expect(digest(config.store.path)).toBe(before);
  expect(() => readFileSync(config.keyringFile)).toThrow('ENOENT');
});

test('a database of a newer program, and a file that is none, are left as they are', async () => {
  const { run, config, stopServer, tamper } = await commandWorld();
  await stopServer();
  tamper('PRAGMA user_version = 9999');
  const newer = digest(config.store.path);
  const refused = await run('account', 'list');
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('newer Curfew') });
  expect(digest(config.store.path)).toBe(newer);

  writeFileSync(config.store.path, 'no database at all');
  const corrupt = await run('account', 'list');
  expect(corrupt).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('not a SQLite database') });
  expect(corrupt.stderr).not.toMatch(/^ +at /m);
  expect(readFileSync(config.store.path, 'utf8')).toBe('no database at all');
});

test('the server runs by command, with the configuration named before or after it, and stops cleanly', async () => {
  const { configFile, issuer, stopServer } = await commandWorld();
  await stopServer();
  const server = start(['--config', configFile, 'serve']);
  await server.saying(`Curfew is at ${issuer}`);
  expect((await fetch(`${issuer}/readyz`)).status).toBe(200);
  server.process.kill('SIGINT');
  const ended = await server.ended;
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain('"event":"server.stopped"');
});

test('wrong usage is 2 and says so; asking for help is 0', async () => {
  const [unknown, option, none, help] = await Promise.all([
    curfew(['sing-out']),
    curfew(['account', 'list', '--colour']),
    curfew([]),
    curfew(['sign-out', '--help']),
  ]);
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
  expect(unknown.stderr).toContain("curfew: unknown command 'sing-out'");
  expect(unknown.stderr).toContain('Did you mean sign-out?');
  expect(option).toMatchObject({ code: 2, stdout: '' });
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('Usage: curfew');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('--everyone');
});
