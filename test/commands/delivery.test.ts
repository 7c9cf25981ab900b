import { expect, test } from 'vitest';

import { atTerminal, commandWorld } from './support.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** Alice was signed out at two clients: the player has been told, the cinema has refused for good. */
async function withDeadLetter() {
  const made = await commandWorld();
  const { alice, player, cinema, ears, here, stopServer, database } = made;
  await player.signIn(alice);
  await cinema.signIn(alice);
  await stopServer();
  ears.behave('cinema', 400);
  const signedOut = await here('sign-out', '--account', 'alice', '--yes', '--wait', '1', '--json');
  const { id: signOut } = signedOut.json() as { id: string };
  await database.alter('deliveries', {
    where: { clientId: 'cinema' },
    set: { status: 'rejected', nextAttemptAt: null },
  });
  ears.behave('cinema', 200);
  ears.heard.splice(0);
  return { ...made, ears, here, signOut };
}

test('deliveries are listed in the shape that scripts rely on, filtered by status and client', async () => {
  const { run, here, signOut } = await withDeadLetter();
  const all = (await run('delivery', 'list', '--json')).json() as unknown[];
  const told = {
    id: expect.stringMatching(/^[\w-]{32}$/),
    signOut,
    client: 'player',
    status: 'delivered',
    attempts: 1,
    nextAttemptAt: null,
    lastOutcome: expect.stringMatching(/200/),
  };
  const dead = {
    ...told,
    client: 'cinema',
    status: 'rejected',
    attempts: expect.any(Number),
    lastOutcome: expect.stringMatching(/400/),
  };
  expect(all).toHaveLength(2);
  expect(all).toContainEqual(told);
  expect(all).toContainEqual(dead);
  for (const each of all) expect(Object.keys(each as object)).toEqual(Object.keys(told));
  expect((await here('delivery', 'list', '--status', 'rejected', '--json')).json()).toEqual([dead]);
  expect((await here('delivery', 'list', '--client', 'player', '--json')).json()).toEqual([told]);
  expect((await here('delivery', 'list', '--status', 'pending', '--json')).json()).toEqual([]);
  expect((await here('delivery', 'list')).stdout).toMatch(
    /^id +app +status +tries +last outcome +next try +sign-out$/m,
  );
  expect(await here('delivery', 'list', '--status', 'lost')).toMatchObject({ code: 2, stdout: '' });
});

test('a pending delivery says when it is tried again', async () => {
  const { alice, player, here, stopServer } = await commandWorld();
  await player.signIn(alice);
  await stopServer();
  await here('sign-out', '--everyone', '--yes');
  expect((await here('delivery', 'list', '--json')).json()).toMatchObject([
    { status: 'pending', attempts: 0, nextAttemptAt: INSTANT },
  ]);
});

test('dead letters are tried again, all of them without a filter', async () => {
  const { run, here, ears, alice } = await withDeadLetter();
  const retried = await run('delivery', 'retry', '--yes', '--json');
  expect(retried.code).toBe(0);
  expect(retried.json()).toEqual({ retried: 1, deliveries: { pending: 0, delivered: 1, rejected: 0, abandoned: 0 } });
  expect(ears.heard.map(({ client, claims }) => [client, claims['sub']])).toEqual([['cinema', alice.id]]);
  expect((await here('delivery', 'retry')).stdout).toMatch(/^retried +0$/m);
});

test('one that fails again stays pending, with exit code 3', async () => {
  const { here, ears } = await withDeadLetter();
  ears.behave('cinema', 503);
  const retried = await here('delivery', 'retry', '--client', 'cinema', '--yes');
  expect(retried.code).toBe(3);
  expect(retried.stderr).toContain('1 dead letter to be tried again');
  expect(retried.stdout).toMatch(/^pending +1$/m);
});

test('filters are heeded, unknown ids refused, and nothing is tried without a yes', async () => {
  const { here, ears, rows, configFile } = await withDeadLetter();
  const [dead] = (await here('delivery', 'list', '--status', 'rejected', '--json')).json() as { id: string }[];
  const [told] = (await here('delivery', 'list', '--status', 'delivered', '--json')).json() as { id: string }[];
  const before = (await rows())['deliveries'];

  expect(await here('delivery', 'retry')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('add --yes'),
  });
  expect(await here('delivery', 'retry', '--yes', 'unknown')).toMatchObject({ code: 2, stdout: '' });
  expect((await here('delivery', 'retry', '--yes', '--client', 'player')).stdout).toMatch(/^retried +0$/m);
  const notDead = atTerminal(['delivery', 'retry', '--yes', '--config', configFile, '--', told?.id ?? '']);
  expect(await notDead.ended).toBe(0);
  expect(notDead.screen.stderr).toContain('is delivered, not a dead letter');
  expect((await rows())['deliveries']).toEqual(before);
  expect(ears.heard).toEqual([]);

  const one = atTerminal(['delivery', 'retry', '--config', configFile, '--', dead?.id ?? '']);
  await one.seeing('[y/N]');
  one.type('yes\n');
  expect(await one.ended).toBe(0);
  expect(ears.heard).toHaveLength(1);
});
