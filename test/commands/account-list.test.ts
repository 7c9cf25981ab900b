/** Lists of accounts, as they are handed over: from a file, from stdin, with whatever is wrong with them. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { readAccountList } from '../../scripts/commands/account-list.ts';
import { createTerminal } from '../../scripts/terminal/terminal.ts';
import { MAIL } from '../support/mailbox.ts';
import { type CommandWorld, commandWorld } from './support.ts';

type Accounts = Parameters<typeof readAccountList>[0]['accounts'];

const statuses = async ({ core, alice, bob }: CommandWorld): Promise<(string | undefined)[]> =>
  Promise.all([alice.id, bob.id].map(async (id) => (await core.store.accounts.find(id))?.status));

test('accounts on a list are disabled once each, by username, address or id, and enabled again', async () => {
  const made = await commandWorld();
  const { alice, bob, player, given, file, here, settle, ears } = made;
  const tokens = await player.signIn(alice);
  const list = `\ufeff# who left this week\r\n\r\n  ALICE\t\r\n${bob.email}\r\n# twice\r\nalice\r\n${alice.id}`;

  const refused = await given(list, 'account', 'disable', '--account-file', '-');
  expect([refused.code, refused.stdout, refused.stderr.includes('--yes')]).toEqual([2, '', true]);
  expect(await statuses(made)).toEqual(['active', 'active']);

  const ended = await given(list, 'account', 'disable', '--account-file', '-', '--yes', '--json');
  expect([ended.code, ended.json()]).toEqual([
    0,
    {
      status: 'disabled',
      changed: 2,
      unchanged: 0,
      left: 0,
      unknown: [],
      deliveries: { pending: 0, delivered: 1, rejected: 0, abandoned: 0 },
    },
  ]);
  expect(await statuses(made)).toEqual(['disabled', 'disabled']);
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  await settle();
  expect(ears.heard.map(({ client }) => client)).toEqual(['player']);

  const path = file('people.txt', list);
  const again = await here('account', 'disable', '--account-file', path, '--yes', '--json');
  expect([again.code, again.json()]).toMatchObject([0, { changed: 0, unchanged: 2 }]);
  const enabled = await here('account', 'enable', '--account-file', path, '--json');
  expect([enabled.code, enabled.json()]).toMatchObject([0, { status: 'active', changed: 2, unchanged: 0 }]);
  expect(await statuses(made)).toEqual(['active', 'active']);
});

test('every name that nobody has is told with its line before anything is changed, or left out on demand', async () => {
  const made = await commandWorld();
  const { bob, core, given } = made;
  const gone = await core.accounts.create({ username: 'gone', email: 'gone@example.test' });
  if ('refused' in gone) throw new Error(gone.problem);
  await core.store.accounts.setStatus({ accountId: gone.account.id, status: 'deleted' });
  const list = `alice\n#\nalcie\n${gone.account.id}\nbob\nmallory@example.test\n`;

  const refused = await given(list, 'account', 'disable', '--account-file', '-', '--yes', '--json');
  expect([refused.code, refused.stdout]).toEqual([2, '']);
  expect(refused.stderr.split('\n').slice(0, 4)).toEqual([
    'curfew: the list on stdin names nobody on 3 lines; nothing was changed',
    '  line 3: "alcie" is no account',
    `  line 4: "${gone.account.id}" was deleted`,
    '  line 6: "mallory@example.test" is no account',
  ]);
  expect(await statuses(made)).toEqual(['active', 'active']);

  const ended = await given(list, 'account', 'disable', '--account-file', '-', '--skip-unknown', '--yes', '--json');
  expect([ended.code, ended.json()]).toMatchObject([
    0,
    {
      changed: 2,
      unknown: [
        { line: 3, name: 'alcie', why: 'unknown' },
        { line: 4, name: gone.account.id, why: 'deleted' },
        { line: 6, name: 'mallory@example.test', why: 'unknown' },
      ],
    },
  ]);
  expect(ended.stderr).toContain('line 6: "mallory@example.test"');
  expect((await core.store.accounts.find(bob.id))?.status).toBe('disabled');
});

test.each([
  ['a line that never ends', 'a'.repeat(5_000_000), 'line 1: longer than 1024 bytes'],
  ['a long line among others', `alice\n${'é'.repeat(513)}\nbob`, 'line 2: longer than 1024 bytes'],
  ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00]), 'line 1: not text in UTF-8'],
  ['UTF-16', Buffer.from('\ufeffalice\nbob\n', 'utf16le'), 'line 1: not text in UTF-8'],
  ['zeroes', Buffer.concat([Buffer.from('alice\n'), Buffer.alloc(64)]), 'line 2: has control characters'],
  ['a table', 'alice\nbob\tactive\n', 'line 2: has control characters'],
  ['what a terminal would obey', 'alice\nbob\u001b[2J\n', 'line 2: has control characters'],
])('%s is no list, and nothing is changed', async (_what, content, why) => {
  const made = await commandWorld();
  const ended = await made.given(content, 'account', 'disable', '--account-file', '-', '--yes', '--skip-unknown');
  expect([ended.code, ended.stdout, ended.stderr.includes(why)]).toEqual([2, '', true]);
  expect(await statuses(made)).toEqual(['active', 'active']);
});

test('a file of something else is given up on early', async () => {
  const { given } = await commandWorld();
  const ended = await given('\u0001\n'.repeat(100_000), 'account', 'disable', '--account-file', '-', '--yes');
  expect(ended.stderr.match(/has control characters/g)).toHaveLength(20);
  expect(ended.stderr).toContain('The rest was not read.');
});

test('a list that names nobody changes nothing, and is no failure', async () => {
  const made = await commandWorld();
  const ended = await made.given('# nobody left\n', 'account', 'disable', '--account-file', '-', '--json');
  expect([ended.code, ended.json()]).toMatchObject([0, { changed: 0, unchanged: 0, left: 0 }]);
});

test.each([
  [['alice', '--account-file', '-'], 'an account is named, and a list as well'],
  [[], 'no account is named'],
  [['alice', '--skip-unknown'], '--skip-unknown is about a list'],
  [['--account-file', '/nowhere/at/all'], 'cannot be read (ENOENT)'],
  [['--account-file', '/'], 'cannot be read (EISDIR)'],
])('%s is wrong usage', async (words, why) => {
  const made = await commandWorld();
  for (const command of ['disable', 'enable', 'require-password-reset']) {
    const ended = await made.given('bob\n', 'account', command, ...words, '--json');
    expect([ended.code, ended.stdout, ended.stderr.includes(why)]).toEqual([2, '', true]);
  }
  expect(await statuses(made)).toEqual(['active', 'active']);
});

test('new passwords are required of those on a list who have one', async () => {
  const { core, alice, bob, given } = await commandWorld({ configuration: MAIL });
  const other = await core.accounts.create({ username: 'elsewhere', email: 'elsewhere@example.test' });
  if ('refused' in other) throw new Error(other.problem);
  const words = ['account', 'require-password-reset', '--account-file', '-', '--json'];
  expect((await given('alice\nbob\nelsewhere\n', ...words)).code).toBe(2);
  expect((await core.store.accounts.find(alice.id))?.passwordResetRequiredAt).toBeNull();
  const ended = await given('alice\nbob\nelsewhere\n', ...words, '--yes');
  expect([ended.code, ended.json()]).toEqual([
    0,
    [
      { id: alice.id, username: 'alice', mailed: true },
      { id: bob.id, username: 'bob', mailed: true },
    ],
  ]);
  expect(ended.stderr).toContain('1 account on the list without a password: left out.');
  expect((await core.store.accounts.find(alice.id))?.passwordResetRequiredAt).not.toBeNull();
  expect((await core.store.accounts.find(other.account.id))?.passwordResetRequiredAt).toBeNull();
});

test('a hundred thousand names are looked up many at a time, each once, and in the order of the list', async () => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const terminal = createTerminal(
    { stdin, stdout, stderr, env: {} },
    { json: false, color: false, progress: 'json', now: () => new Date(0) },
  );
  let asked = 0;
  let open = 0;
  let most = 0;
  const accounts = {
    resolve: async (name: string) => {
      asked += 1;
      most = Math.max(most, ++open);
      await Promise.resolve();
      open -= 1;
      return { id: `id-${name.toLowerCase()}`, status: 'active' };
    },
  } as unknown as Accounts;
  const names = Array.from({ length: 100_000 }, (_, nth) => `person-${nth}`);
  stdin.end(`${names.join('\n')}\n${names.join('\n')}\nPERSON-7\n`);
  const { ids, unknown } = await readAccountList({ accounts }, terminal, { file: '-', skipUnknown: false });
  expect([ids.length, ids[0], ids[99_999], unknown]).toEqual([100_000, 'id-person-0', 'id-person-99999', []]);
  expect([asked, most]).toEqual([100_001, 32]);
  stderr.end();
  const told = (await text(stderr)).trimEnd().split('\n');
  expect(JSON.parse(told.at(-1) ?? '')).toMatchObject({ doing: 'Finding accounts', done: 100_001, total: 100_001 });
});
