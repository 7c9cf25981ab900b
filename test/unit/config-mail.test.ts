import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readConfig } from '../../src/config/read.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'curfew-config-mail-'));
  mkdirSync(join(folder, 'secrets'));
  writeFileSync(join(folder, 'secrets/mail'), 'hunter2\n');
  writeFileSync(join(folder, 'secrets/empty'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(mail: unknown) {
  const file = join(folder, 'curfew.yaml');
  writeFileSync(file, JSON.stringify({ issuer: 'https://id.example.org', mail }));
  return readConfig({ file, env: {} });
}
function accepted(mail: unknown) {
  const reading = read(mail);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.config.mail;
}
function refused(mail: unknown): string[] {
  const reading = read(mail);
  if (reading.ok) throw new Error('it was accepted');
  expect(JSON.stringify(reading.problems)).not.toContain('hunter');
  for (const { fix } of reading.problems) expect(fix).toMatch(/\S/);
  return reading.problems.map(({ path }) => path);
}

const from = 'Curfew <no-reply@example.org>';
const smtp = { by: 'smtp', port: 587, user: undefined, password: undefined };

test('without it no mail is sent', () => expect(accepted(null)).toBeNull());

describe('where it goes', () => {
  test.each([
    ['smtp://mail.example.org', { ...smtp, host: 'mail.example.org', security: 'starttls' }],
    ['smtp://mail.example.org:2525/', { ...smtp, host: 'mail.example.org', port: 2525, security: 'starttls' }],
    ['smtps://mail.example.org', { ...smtp, host: 'mail.example.org', port: 465, security: 'tls' }],
    ['smtp://127.0.0.1:1025', { ...smtp, host: '127.0.0.1', port: 1025, security: 'none' }],
    ['smtp://localhost:1025', { ...smtp, host: 'localhost', port: 1025, security: 'none' }],
    ['smtp://[::1]:1025', { ...smtp, host: '::1', port: 1025, security: 'none' }],
    ['smtps://127.0.0.1:1465', { ...smtp, host: '127.0.0.1', port: 1465, security: 'tls' }],
    ['smtp://mail:1025?starttls=off', { ...smtp, host: 'mail', port: 1025, security: 'none' }],
  ])('%s', (url, route) => expect(accepted({ url, from })?.route).toEqual(route));

  test.each([
    ['file:./mail', 'mail'],
    ['file:mail/', 'mail'],
  ])('%s is a folder beside the file', (url, name) =>
    expect(accepted({ url, from })?.route).toEqual({ by: 'folder', folder: join(folder, name) }),
  );
  test.each(['file:/var/mail', 'file:///var/mail'])('%s is where it says', (url) =>
    expect(accepted({ url, from })?.route).toEqual({ by: 'folder', folder: '/var/mail' }),
  );

  test.each([
    'mail.example.org',
    'http://mail.example.org',
    'file:',
    'smtp:',
    'smtp://',
    'smtp:mail.example.org',
    'smtp://mail.example.org:99999',
    'smtp://mail.example.org/path',
    'smtp://mail.example.org#x',
    'smtp://mail.example.org?starttls=on',
    'smtp://mail.example.org?tls.rejectUnauthorized=false',
    'smtps://mail.example.org?starttls=off',
    'smtp://u%ff@mail.example.org',
    'smtp://a b',
    '',
  ])('"%s" is refused', (url) => expect(refused({ url, from })).toContain('mail.url'));
});

describe('passwords', () => {
  test('come from a file, and belong to a user', () => {
    const url = 'smtp://curfew%40example.org@mail.example.org';
    expect(accepted({ url, from, passwordFile: './secrets/mail' })?.route).toMatchObject({
      user: 'curfew@example.org',
      password: 'hunter2',
      security: 'starttls',
    });
  });

  test.each([
    ['in the address', { url: 'smtp://u:hunter2@mail.example.org' }, 'mail.url'],
    ['in the address, empty', { url: 'smtp://u:@mail.example.org' }, 'mail.url'],
    ['in the clear', { url: 'smtp://u@mail:25?starttls=off', passwordFile: './secrets/mail' }, 'mail.url'],
    ['of nobody', { url: 'smtp://mail.example.org', passwordFile: './secrets/mail' }, 'mail.passwordFile'],
    ['of a folder', { url: 'file:./mail', passwordFile: './secrets/mail' }, 'mail.passwordFile'],
    ['missing', { url: 'smtp://u@mail.example.org' }, 'mail.passwordFile'],
    ['in no file', { url: 'smtp://u@mail.example.org', passwordFile: './secrets/none' }, 'mail.passwordFile'],
    ['in an empty file', { url: 'smtp://u@mail.example.org', passwordFile: './secrets/empty' }, 'mail.passwordFile'],
  ])('%s: refused', (_what, mail, path) => expect(refused({ from, ...mail })).toEqual([path]));
});

describe('the sender', () => {
  const url = 'file:./mail';
  test.each([
    [from, { name: 'Curfew', address: 'no-reply@example.org' }],
    ['no-reply@example.org', { name: '', address: 'no-reply@example.org' }],
    ['<no-reply@example.org>', { name: '', address: 'no-reply@example.org' }],
    ['Kino & Küche <no-reply@example.org>', { name: 'Kino & Küche', address: 'no-reply@example.org' }],
  ])('%s', (text, address) => expect(accepted({ url, from: text })?.from).toEqual(address));

  test.each([
    'Curfew',
    '',
    'a@example.org, b@example.org',
    'A <a@example.org>, B <b@example.org>',
    'A\r\nBcc: x@evil.test <a@example.org>',
    '"A" <a@example.org>',
    'A <a@example.org> B',
    'A <a@example.org\r\n>',
    ' a@example.org',
  ])('%j is refused', (text) => expect(refused({ url, from: text })).toEqual(['mail.from']));
});

test('how many a minute is a whole number, and unknown keys are named', () => {
  expect(accepted({ url: 'file:./mail', from, perMinute: 60 })).toMatchObject({ perMinute: 60 });
  expect(refused({ url: 'file:./mail', from, perMinute: 0 })).toEqual(['mail.perMinute']);
  expect(refused({ url: 'file:./mail', from, password: 'hunter2' })).toEqual(['mail.password']);
});
