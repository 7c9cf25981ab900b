import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { atTerminal, commandWorld } from './support.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const NONE = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };

describe('while the server runs', () => {
  test('a token that worked right before is dead right after, and its owner can sign in again', async () => {
    const { alice, bob, player, issuer, run, ears, settle } = await commandWorld();
    const tokens = await player.signIn(alice);
    const others = await player.signIn(bob);
    expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });

    const ended = await run(
      'sign-out',
      '--account',
      'alice',
      '--reason',
      'Lost laptop',
      '--yes',
      '--json',
      '--wait',
      '9',
    );

    expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
    expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
    const receipt = ended.json() as { id: string };
    expect(receipt).toStrictEqual({
      id: expect.stringMatching(/^[\w-]{22}$/),
      scope: `account:${alice.id}`,
      reason: 'Lost laptop',
      at: INSTANT,
      url: `${issuer}/sign-outs/${receipt.id}`,
      dryRun: false,
      accounts: 1,
      clients: 1,
      deliveries: { ...NONE, delivered: 1 },
    });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    await settle();
    expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
    expect(await player.introspect(others.access_token)).toMatchObject({ active: true });
    expect(await player.introspect((await player.signIn(alice)).access_token)).toMatchObject({ active: true });
  });

  test('everyone is signed out by one command; one client by another', async () => {
    const { alice, bob, player, cinema, run } = await commandWorld();
    const [first, second] = [await player.signIn(alice), await cinema.signIn(bob)];

    const ofClient = await run('sign-out', '--client', 'cinema', '--yes', '--json', '--wait', '9');
    expect(ofClient.json()).toMatchObject({ scope: 'client:cinema', accounts: 1, clients: 1 });
    expect(await cinema.refresh(second)).toEqual({ error: 'invalid_grant' });
    expect(await player.introspect(first.access_token)).toMatchObject({ active: true });

    const ofAll = await run('sign-out', '--everyone', '--yes', '--json', '--wait', '9');
    expect(ofAll.json()).toMatchObject({ scope: 'everyone', accounts: 2, clients: 1 });
    expect(await player.introspect(first.access_token)).toEqual({ active: false });
    await bob.browser().open('/account');
    expect(bob.browser().path).toMatch(/^\/sign-in/);
  });
});

describe('while the server is down', () => {
  test('clients are told by the command itself', async () => {
    const { alice, player, cinema, ears, run, stopServer } = await commandWorld();
    await player.signIn(alice);
    await cinema.signIn(alice);
    await stopServer();

    const ended = await run('sign-out', '--account', alice.email, '--yes', '--wait', '9', '--json');

    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.json()).toMatchObject({ accounts: 1, clients: 2, deliveries: { ...NONE, delivered: 2 } });
    expect(ears.by('player').map(({ claims }) => [claims['sub'], typeof claims['sid']])).toEqual([
      [alice.id, 'string'],
    ]);
    expect(ears.by('cinema').map(({ claims }) => [claims['sub'], claims['sid']])).toEqual([[alice.id, undefined]]);
  });

  test('without time to wait it writes the notices down and leaves with 3', async () => {
    const { alice, player, ears, run, stopServer } = await commandWorld();
    await player.signIn(alice);
    await stopServer();

    const ended = await run('sign-out', '--account', alice.id, '--yes', '--json');

    expect(ended.code).toBe(3);
    expect(ended.json()).toMatchObject({ deliveries: { ...NONE, pending: 1 } });
    expect(ended.stderr).toContain('1 notice still to be delivered');
    expect(ears.heard).toEqual([]);
  });

  test('a client that does not answer is left to those who come later', async () => {
    const { alice, player, cinema, ears, run, stopServer } = await commandWorld();
    await player.signIn(alice);
    await cinema.signIn(alice);
    await stopServer();
    ears.behave('cinema', 503);

    const ended = await run('sign-out', '--everyone', '--yes', '--wait', '1');

    expect(ended.code).toBe(3);
    expect(ended.stdout).toMatch(/^Access has ended\.$/m);
    expect(ended.stdout).toMatch(/^told +1$/m);
    expect(ended.stdout).toMatch(/^still to be told +1$/m);
  });

  test('Ctrl-C leaves the sign-out standing, and says so', async () => {
    const { alice, player, ears, begin, stopServer, stored } = await commandWorld();
    await player.signIn(alice);
    await stopServer();
    const heard = new Promise<void>((resolve) => ears.behave('player', () => resolve()));

    const command = begin('sign-out', '--account', 'alice', '--yes', '--wait', '600', '--json');
    await heard;
    command.process.kill('SIGINT');
    await command.saying('Access has ended all the same');
    command.process.kill('SIGINT');

    const ended = await command.ended;
    expect(ended.code).toBe(130);
    expect(ended.json()).toMatchObject({ scope: `account:${alice.id}`, deliveries: { ...NONE, pending: 1 } });
    expect(await stored((store) => store.revocations.listSignOuts(10))).toHaveLength(1);
  });
});

test('a dry run says what would end and changes nothing', async () => {
  const { alice, bob, player, cinema, phone, run, here, stopServer, rows, ears } = await commandWorld();
  await player.signIn(alice);
  await player.signIn(alice, alice.anotherBrowser());
  await cinema.signIn(alice);
  await cinema.signIn(bob);
  await phone.signIn(bob);
  await stopServer();
  const before = await rows();

  const ended = await run('sign-out', '--everyone', '--dry-run', '--json');

  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(ended.json()).toStrictEqual({
    id: null,
    scope: 'everyone',
    reason: 'At the request of an operator',
    at: INSTANT,
    url: null,
    dryRun: true,
    accounts: 2,
    clients: 3,
    // Both of alice's at the player, which asks for each sid; one for each person at the cinema; none at the phone.
    deliveries: { ...NONE, pending: 4 },
  });
  const text = await here('sign-out', '--everyone', '--dry-run');
  expect(text.stdout).toContain('2 accounts at 3 apps, with 4 notices');
  expect(await rows()).toEqual(before);
  expect(ears.heard).toEqual([]);

  const real = await run('sign-out', '--everyone', '--yes', '--json');
  expect(real.json()).toMatchObject({ accounts: 2, clients: 3, deliveries: { ...NONE, pending: 4 } });
});

test('an account that is signed in at no app counts as one: its browser is signed out all the same', async () => {
  const { alice, here } = await commandWorld();
  const browser = alice.browser();
  await alice.signIn(browser);
  const foretold = await here('sign-out', '--account', 'alice', '--dry-run', '--json');
  const ended = await here('sign-out', '--account', 'alice', '--yes', '--json');
  expect(foretold.json()).toMatchObject({ accounts: 1, clients: 0 });
  expect(ended.json()).toMatchObject({ accounts: 1, clients: 0 });
  await browser.open('/account');
  expect(browser.path).toMatch(/^\/sign-in/);

  const everyone = (await here('sign-out', '--everyone', '--dry-run', '--json')).json();
  expect(everyone).toMatchObject({ accounts: 2, clients: 0 });
  expect((await here('sign-out', '--everyone', '--yes', '--json')).json()).toMatchObject({ accounts: 2, clients: 0 });
  // Here only sign-ins tell whom it concerns.
  expect((await here('sign-out', '--client', 'player', '--yes', '--json')).json()).toMatchObject({ accounts: 0 });
});

test('what cannot be meant is refused with 2, and nothing is written', async () => {
  const { here, stopServer, rows, configFile } = await commandWorld();
  await stopServer();
  const before = await rows();

  const refused = await Promise.all([
    here('sign-out', '--yes'),
    here('sign-out', '--yes', '--everyone', '--account', 'alice'),
    here('sign-out', '--yes', '--account', 'mallory'),
    here('sign-out', '--yes', '--client', 'nobody'),
    here('sign-out', '--yes', '--connection', 'acme'),
    here('sign-out', '--account', 'alice'),
    here('sign-out', '--yes', '--everyone', '--wait', 'long'),
    here('sign-out', '--yes', '--everyone', '--reason', ''),
  ]);

  expect(refused.map(({ code, stdout }) => [code, stdout])).toEqual(refused.map(() => [2, '']));
  expect(refused.map(({ stderr }) => stderr.split('\n')[0])).toEqual([
    'curfew: whose access should end?',
    'curfew: a sign-out has one scope',
    'curfew: there is no account "mallory"',
    'curfew: there is no client "nobody"',
    'curfew: there is no connection "acme"',
    'curfew: this needs a yes, and there is no terminal to ask at',
    "curfew: option '--wait <seconds>' argument 'long' is invalid. It must be a whole number of seconds, 0 to 86400.",
    'curfew: a reason has 1 to 500 characters',
  ]);
  for (const { stderr } of refused) expect(stderr).toContain('fix: ');
  expect(await rows()).toEqual(before);
  expect(readFileSync(configFile, 'utf8')).toContain('player');
});

describe('at a terminal', () => {
  test('it says what would end and does nothing without a yes', async () => {
    const { alice, player, configFile, stopServer, rows } = await commandWorld();
    await player.signIn(alice);
    await stopServer();
    const before = await rows();

    const screen = atTerminal(['sign-out', '--account', 'alice', '--config', configFile]);
    await screen.seeing('[y/N]');
    screen.type('\n');

    expect(await screen.ended).toBe(1);
    expect(screen.screen.stderr).toContain('1 account at 1 app, with 1 notice');
    expect(screen.screen.stderr).toContain('Nothing was changed.');
    expect(screen.screen.stdout).toBe('');
    expect(await rows()).toEqual(before);
  });

  test('a yes ends access, and a bar shows who is told', async () => {
    const { alice, player, configFile, stopServer, ears } = await commandWorld();
    await player.signIn(alice);
    await stopServer();

    const screen = atTerminal(['sign-out', '--account', 'alice', '--config', configFile]);
    ears.behave('player', (response) => {
      void screen.seeing('0 of 1').then(() => response.writeHead(200).end());
    });
    await screen.seeing('[y/N]');
    screen.type('y\n');

    expect(await screen.ended).toBe(0);
    expect(screen.screen.stderr).toContain('░');
    expect(screen.screen.stdout).toMatch(/told.*1/);
    expect(screen.screen.stdout).toContain('\u001b[');
  });

  test('Ctrl-C instead of an answer leaves with 130 and changes nothing', async () => {
    const { configFile, stopServer, rows } = await commandWorld();
    await stopServer();
    const before = await rows();

    const screen = atTerminal(['sign-out', '--everyone', '--config', configFile], { env: { NO_COLOR: '1' } });
    await screen.seeing('[y/N]');
    screen.type('\u0003');

    expect(await screen.ended).toBe(130);
    expect(await rows()).toEqual(before);
  });
});
