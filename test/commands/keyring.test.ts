/** `curfew keyring`, beside a server that goes on serving. */
import { expect, test } from 'vitest';

import { loadKeyring } from '../../src/platform/keyring.ts';
import type { Tokens } from '../support/client.ts';
import { rotator } from '../support/rotation.ts';
import { engine } from '../support/store-under-test.ts';
import { atTerminal, type CommandWorld, commandWorld } from './support.ts';

type Key = { version: number; state: string; values: number; createdAt: string | null };

const fileKeys = ({ config }: CommandWorld): number[] =>
  loadKeyring(config.keyringFile).keys.map(({ version }) => version);

test(
  'staged, copied, rotated: while it goes on, everybody is served, and afterwards the old key is gone',
  { timeout: 90_000 },
  async () => {
    const place = await commandWorld();
    const { run, here, alice, bob, player, library, core } = place;
    const before = (await here('keyring', 'list', '--json')).json() as Key[];
    expect(before).toEqual([
      { version: 1, state: 'sealing', values: expect.any(Number), createdAt: expect.any(String) },
    ]);

    const staged = await here('keyring', 'rotate', '--stage', '--json');
    expect(staged).toMatchObject({ code: 0 });
    expect(staged.json()).toEqual({ version: 2, made: true, file: place.config.keyringFile });
    expect((await here('keyring', 'rotate', '--stage')).stdout).toContain('Key 2 was already in');
    expect(((await here('keyring', 'status', '--json')).json() as Key[]).map(({ state }) => state)).toEqual([
      'sealing',
      'staged',
    ]);
    await core.sealingKeyWatch.look();
    expect(core.keyring.current).toBe(1);

    let tokens: Tokens = await player.signIn(alice);
    const rotation = { over: false };
    const rotating = run('keyring', 'rotate', '--yes', '--json').finally(() => (rotation.over = true));
    const refused: string[] = [];
    let rounds = 0;
    while (!rotation.over && rounds < 2000) {
      rounds += 1;
      const refreshed = await player.refresh(tokens);
      if ('error' in refreshed) refused.push(`refresh: ${refreshed.error}`);
      else tokens = refreshed;
      if (!(await library.introspect(tokens.access_token)).active) refused.push('introspect');
      const browser = await bob.signIn(bob.anotherBrowser());
      if (browser.path !== '/account') refused.push(`sign in: ${browser.page.status} ${browser.path}`);
    }
    const rotated = await rotating;

    expect(rotated).toMatchObject({ code: 0, stderr: '' });
    expect(rotated.json()).toEqual({
      version: 2,
      resealed: expect.any(Number),
      finished: true,
      removed: [1],
      left: [],
    });
    expect(refused).toEqual([]);
    expect(rounds).toBeGreaterThan(3);
    expect(fileKeys(place)).toEqual([2]);
    expect((await here('keyring', 'list', '--json')).json()).toMatchObject([{ version: 2, state: 'sealing' }]);
    const log = place.logged.map((line) => JSON.parse(line) as { level: string; event: string });
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(log.map(({ event }) => event)).toContain('keyring.sealing-key-changed');
  },
);

test('where nobody can be asked it needs --yes; whoever is asked is told what goes', async () => {
  const place = await commandWorld();
  const { here, configFile } = place;
  expect(await here('keyring', 'rotate')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  const asked = atTerminal(['keyring', 'rotate', '--config', configFile]);
  await asked.seeing('Rotate?');
  expect(asked.screen.stderr).toContain(
    'The old keys leave the file. A backup of the database made before needs the file',
  );
  expect(asked.screen.stderr.includes('keyring rotate --stage')).toBe(engine === 'mongodb');
  asked.type('n\n');
  expect(await asked.ended).toBe(1);
  expect(fileKeys(place)).toEqual([1]);
});

test('doctor tells of a key that waits, of a rotation that was cut off, and of a key that is not here', async () => {
  const place = await commandWorld();
  const { here } = place;
  const ofKeyring = async () => {
    const { checks } = (await here('doctor', '--json')).json() as {
      checks: { check: string; found: string; status: string }[];
    };
    return checks.filter(({ check }) => check === 'keyring');
  };
  expect(await ofKeyring()).toMatchObject([
    { status: 'ok', found: expect.stringContaining('the key that seals is 0 days old') },
  ]);
  await here('keyring', 'rotate', '--stage');
  expect(await ofKeyring()).toMatchObject([{ status: 'ok' }, { status: 'warning', found: 'key 2 waits to be used' }]);

  const { sealingKeys, store } = await rotator(place);
  const stopped = new AbortController();
  const cut = await sealingKeys.rotate({ signal: stopped.signal, report: () => stopped.abort() });
  expect(cut).toMatchObject({ version: 2, finished: false });
  expect(fileKeys(place)).toEqual([1, 2]);
  expect(await ofKeyring()).toMatchObject([{ status: 'ok' }, { status: 'warning', found: 'a rotation was cut off' }]);

  const from = (await store.catalogue.fact('sealing-key')) ?? '';
  await store.catalogue.changeFact({ fact: 'sealing-key', from, to: '3 feedfeedfeedfeed' });
  expect(await ofKeyring()).toMatchObject([
    { status: 'problem', found: expect.stringContaining('key 3 seals, and is not in') },
    { status: 'warning' },
  ]);
  expect(await here('keyring', 'rotate', '--yes')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('lacks key 3, which seals now'),
  });
  expect(await here('keyring', 'list')).toMatchObject({ code: 1 });
});

test('interrupted, it says so, and the next one goes on', { timeout: 60_000 }, async () => {
  const place = await commandWorld();
  const asked = atTerminal(['keyring', 'rotate', '--yes', '--keep-old', '--config', place.configFile]);
  await asked.seeing('Waiting until every server has noticed');
  asked.pressControlC();
  expect(await asked.ended).toBe(130);
  expect(asked.screen.stderr).toContain('Run it again, and it goes on.');
  const next = await place.here('keyring', 'rotate', '--yes', '--keep-old', '--json');
  expect(next.json()).toMatchObject({ version: 2, finished: true, removed: [], left: [] });
  expect(fileKeys(place)).toEqual([1, 2]);
});
