import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { Browser } from '../support/browser.ts';
import type { Person } from '../support/world.ts';
import { atTerminal, commandWorld, curfew } from './support.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const PASSWORD = 'seven herons wade at dusk';

/** Where a browser stands after trying this password. */
async function signInWith(issuer: string, { username }: Pick<Person, 'username'>, password: string): Promise<string> {
  const browser = new Browser(issuer);
  await browser.open('/sign-in');
  await browser.press('Sign in', { username, password });
  return browser.path;
}

test('an account made by command can sign in at the running server, and is found by every name', async () => {
  const { run, here, file, issuer, core } = await commandWorld();
  const passwordFile = file('password', `${PASSWORD}\nsecond line\n`);

  const made = await run(
    'account',
    'create',
    '--username',
    'carol',
    '--email',
    'carol@example.test',
    '--password-file',
    passwordFile,
    '--admin',
    '--json',
  );

  expect(made).toMatchObject({ code: 0, stderr: '' });
  const account = made.json() as { id: string };
  expect(account).toStrictEqual({
    id: expect.stringMatching(/^[A-Za-z0-9][\w-]{21}$/),
    username: 'carol',
    email: 'carol@example.test',
    status: 'active',
    createdAt: INSTANT,
  });
  expect(await signInWith(issuer, { username: 'carol' }, PASSWORD)).not.toMatch(/^\/sign-in/);
  expect(await core.accounts.find(account.id)).toMatchObject({ admin: true });
  const shown = await Promise.all(
    ['carol', 'CAROL@example.test', account.id].map((name) => here('account', 'show', name, '--json')),
  );
  const alone = { ...account, connections: [] };
  expect(shown.map((each) => each.json())).toEqual([alone, alone, alone]);
  const listed = (await here('account', 'list', '--json')).json();
  expect(listed).toHaveLength(3);
  expect(listed).toContainEqual(account);
});

test('an address that nobody confirmed finds nobody, and says whose accounts show it', async () => {
  const { core, here } = await commandWorld();
  for (const username of ['mira', 'mira-2']) {
    await core.accounts.create({ username, email: 'mira@pinwhistle.test', emailIdentifies: false });
  }
  const refused = await here('sign-out', '--account', 'Mira@pinwhistle.test', '--yes');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(
    /^curfew: 2 accounts show "Mira@pinwhistle\.test", but nobody has confirmed that it is theirs: (mira, mira-2|mira-2, mira)$/m,
  );
  expect(refused.stderr).toContain('fix: name the account by username or id');
  expect((await here('account', 'show', 'nobody@pinwhistle.test')).stderr).toContain('there is no account');
});

test('an account says through which connections it comes', async () => {
  const { core, here } = await commandWorld();
  const made = await core.accounts.create({
    username: 'mira',
    email: 'mira@pinwhistle.test',
    identityFor: () =>
      core.connections.identities.recordOf({
        connectionId: 'company',
        subject: 'p-104',
        authenticatedAt: null,
        upstreamSession: null,
        logoutName: null,
        claims: { email: 'mira@pinwhistle.test', emailVerified: true, groups: [] },
        amr: [],
        logout: null,
        once: null,
      }),
  });
  expect(made).toHaveProperty('account');
  expect((await here('account', 'show', 'mira', '--json')).json()).toMatchObject({
    username: 'mira',
    connections: [{ id: 'company', name: 'mira@pinwhistle.test', lastUsedAt: INSTANT }],
  });
  expect((await here('account', 'show', 'mira')).stdout).toMatch(
    /^comes through +company as mira@pinwhistle\.test, last \d{4}-/m,
  );
});

test('without a password and without a terminal the account is made, and stderr says what it lacks', async () => {
  const { here, issuer, configFile } = await commandWorld();

  const made = await here('account', 'create', '--username', 'dave', '--email', 'dave@example.test');
  expect(made.code).toBe(0);
  expect(made.stderr).toContain('No password was given');
  expect(made.stdout).toMatch(/^password +none$/m);

  const refused = await here('account', 'set-password', 'dave', '--yes');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('name a --password-file');

  const typed = atTerminal(['account', 'set-password', 'dave', '--config', configFile]);
  await typed.seeing('[y/N]');
  expect(typed.screen.stderr).toContain('Access ends on every device');
  typed.type('y\n');
  await typed.seeing('New password: ');
  expect(typed.isSilent()).toBe(true);
  typed.type(`${PASSWORD}\n`);
  await typed.seeing('The same again: ');
  expect(typed.isSilent()).toBe(true);
  typed.type(`${PASSWORD}\n`);
  expect(await typed.ended).toBe(0);
  expect(`${typed.screen.stdout}${typed.screen.stderr}`).not.toContain(PASSWORD);
  expect(await signInWith(issuer, { username: 'dave' }, PASSWORD)).not.toMatch(/^\/sign-in/);
});

test('what cannot be made is refused with every reason, and nothing is written', async () => {
  const { here, file, folder, rows } = await commandWorld();
  const weak = file('weak', 'alice123\n');
  const empty = file('empty', '\nsecond line');
  const create = (username: string, email: string, ...more: string[]) =>
    here('account', 'create', '--username', username, '--email', email, ...more);
  const before = (await rows())['accounts'];

  const refused = await Promise.all([
    create('alice', 'other@example.test'),
    create('erin', 'alice@example.test'),
    create('erin!', 'erin@example.test'),
    create('erin', 'erin@example.test,mallory@example.test'),
    create('erin', 'erin@example.test', '--password-file', weak),
    create('erin', 'erin@example.test', '--password-file', empty),
    create('erin', 'erin@example.test', '--password-file', `${folder}/nowhere`),
    here('account', 'create', '--username', 'erin'),
    here('account', 'show', 'mallory'),
  ]);

  // 1 where another day, or another account, would have it otherwise: a name that is taken, a password that is weak.
  expect(refused.map(({ code }) => code)).toEqual([1, 1, 2, 2, 1, 2, 2, 2, 2]);
  expect(refused.map(({ stdout }) => stdout)).toEqual(refused.map(() => ''));
  const messages = refused.map(({ stderr }) => stderr);
  expect(messages[0]).toContain('This username is taken.');
  expect(messages[1]).toContain('belongs to another account');
  expect(messages[4]).toContain('at least 15 characters');
  expect(messages[5]).toContain('no password on the first line');
  expect(messages[6]).toContain('cannot be read (ENOENT)');
  expect(messages[7]).toContain("required option '--email <address>'");
  expect(messages.join('\n')).not.toMatch(/alice123|^ +at /m);
  expect((await rows())['accounts']).toEqual(before);
});

test('a command in the wrong folder says so and leaves nothing behind; creating an account may be the first', async () => {
  const { folder } = await commandWorld();
  const cwd = join(folder, 'wrong');
  mkdirSync(cwd);
  for (const words of [
    ['account', 'show', 'ada'],
    ['account', 'list'],
    ['account', 'set-password', 'ada', '--yes'],
    ['client', 'list'],
    ['keys', 'rotate', '--yes'],
    ['delivery', 'list'],
  ]) {
    const refused = await curfew(words, { cwd });
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^curfew: there is no database at .*\n {2}fix: .*--config.*\n$/);
    expect(readdirSync(cwd)).toEqual([]);
  }
  expect(
    await curfew(['account', 'create', '--username', 'ada', '--email', 'ada@example.test'], { cwd }),
  ).toMatchObject({
    code: 0,
  });
  expect(existsSync(join(cwd, 'data', 'curfew.db'))).toBe(true);
  expect(await curfew(['account', 'show', 'ada'], { cwd })).toMatchObject({ code: 0 });
});

describe('taking access away', () => {
  test('a disabled account is out at once, cannot come back, and its clients are told', async () => {
    const { alice, player, issuer, run, here, ears, core, advance } = await commandWorld({ fakeTime: true });
    const tokens = await player.signIn(alice);
    expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });

    const disabled = await run('account', 'disable', 'alice', '--yes', '--json');

    expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
    expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
    expect(await signInWith(issuer, alice, alice.password)).toMatch(/^\/sign-in/);
    expect(disabled).toMatchObject({ code: 0, stderr: '' });
    expect(disabled.json()).toMatchObject({ id: alice.id, status: 'disabled' });
    expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
    const signOuts = () => core.store.revocations.listSignOuts(10);
    expect(await signOuts()).toMatchObject([{ reason: 'The account was disabled', actor: { kind: 'operator' } }]);

    const again = await here('account', 'disable', 'alice', '--yes');
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('already') });
    expect(await signOuts()).toHaveLength(1);

    advance(60); // A wrong guess is paid for with a wait.
    expect((await here('account', 'enable', 'alice', '--json')).json()).toMatchObject({ status: 'active' });
    expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
    expect(await signInWith(issuer, alice, alice.password)).not.toMatch(/^\/sign-in/);
  });

  test('a deleted account is out at once and forgotten', async () => {
    const { alice, player, run, here, rows, ears, stopServer } = await commandWorld();
    const tokens = await player.signIn(alice);

    const deleted = await run('account', 'delete', 'alice', '--yes', '--json');

    expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
    expect(deleted.code).toBe(0);
    expect(deleted.json()).toMatchObject({ id: alice.id, username: '', email: '', status: 'deleted' });
    expect(ears.by('player')).toHaveLength(1);
    expect(await here('account', 'show', 'alice')).toMatchObject({ code: 2, stdout: '' });
    for (const change of ['enable', 'disable', 'set-password']) {
      expect(await here('account', change, alice.id)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('was deleted'),
      });
    }
    await stopServer();
    expect((await rows())['accounts']).toContainEqual(
      expect.objectContaining({ id: alice.id, sealedEmail: '', passwordHash: null }),
    );
  });

  test('a new password signs out every device, unless they are kept', async () => {
    const { alice, bob, player, issuer, run, here, file, ears } = await commandWorld();
    const [first, kept] = [await player.signIn(alice), await player.signIn(bob)];
    const passwordFile = file('password', PASSWORD);

    const changed = await run('account', 'set-password', 'alice', '--password-file', passwordFile, '--json');

    expect(await player.introspect(first.access_token)).toEqual({ active: false });
    expect(changed).toMatchObject({ code: 0, stderr: '' });
    expect(changed.json()).toMatchObject({ id: alice.id, status: 'active' });
    expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
    expect(await signInWith(issuer, alice, PASSWORD)).not.toMatch(/^\/sign-in/);
    expect(await signInWith(issuer, alice, alice.password)).toMatch(/^\/sign-in/);

    const keeping = await here('account', 'set-password', 'bob', '--password-file', passwordFile, '--keep-devices');
    expect(keeping).toMatchObject({ code: 0, stderr: expect.stringContaining('stay signed in') });
    expect(await player.introspect(kept.access_token)).toMatchObject({ active: true });
    expect(await signInWith(issuer, bob, PASSWORD)).not.toMatch(/^\/sign-in/);
  });

  test('without a yes and without a terminal nothing happens', async () => {
    const { here, stopServer, rows } = await commandWorld();
    await stopServer();
    const before = await rows();
    const refused = await Promise.all([here('account', 'disable', 'alice'), here('account', 'delete', 'bob')]);
    for (const { code, stderr } of refused) {
      expect(code).toBe(2);
      expect(stderr).toContain('add --yes');
    }
    expect(await rows()).toEqual(before);
  });
});
