import { readFileSync, renameSync } from 'node:fs';
import { expect, test } from 'vitest';

import { commandWorld, curfew, start } from './support.ts';

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

test('neither a command nor the server starts with metadata that nobody could be believed by', async () => {
  const { file, folder, stopServer } = await commandWorld();
  await stopServer();
  file('corp.xml', '<x/>');
  const connections = [{ id: 'corp', type: 'saml', name: 'Corp', metadataFile: './corp.xml' }];
  const wrong = file('wrong.yaml', JSON.stringify({ connections }));
  for (const words of [['serve'], ['doctor'], ['connection', 'test', 'corp']]) {
    const refused = await curfew([...words, '--config', wrong], { cwd: folder });
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('connections[0].metadataFile: cannot be used: not-metadata');
  }
});

test('over data without its keyring nothing is written', async () => {
  const { run, config, database, stopServer } = await commandWorld();
  await stopServer();
  renameSync(config.keyringFile, `${config.keyringFile}.away`);
  const before = await database.bytes();
  const refused = await run('sign-out', '--everyone', '--yes');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/^curfew: .*keyring/);
  expect(refused.stderr).toContain('fix: put the keyring back');
  expect(await database.bytes()).toEqual(before);
  expect(() => readFileSync(config.keyringFile)).toThrow('ENOENT');
});

test('a database of a newer program is left as it is', async () => {
  const { run, database, stopServer } = await commandWorld();
  await stopServer();
  await database.pretendSchema(9999);
  const newer = await database.bytes();
  const refused = await run('account', 'list');
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('newer Curfew') });
  expect(await database.bytes()).toEqual(newer);
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
