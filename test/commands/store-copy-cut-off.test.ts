/** A copy that is cut off, wherever that is, goes on when it is asked for again; and nobody uses what is not whole. */
import { createHash } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';

import type { Store } from '../../src/store/port.ts';
import { type Kind, KINDS, type RowOf } from '../../src/store/transfer.ts';
import { artifact, at, clientSession, hour, signOutOf } from '../support/records.ts';
import { engine } from '../support/store-under-test.ts';
import { asking, digests, ENGINES, newPlace, type Place, placeOf, unfinished } from './places.ts';
import { atTerminal, commandWorld, here as hereAlone, start } from './support.ts';

const SESSIONS = 5000;
const TOKENS = 8000;
/** None of what `records` makes has expired by then. */
const NOW = new Date();

const batch = <Row>(count: number, row: (nth: number) => Row): Row[] =>
  Array.from({ length: count }, (_, nth) => row(nth));

/** A store that takes many batches to copy. */
async function large(engine: Place['engine']): Promise<Place> {
  const place = await newPlace(engine);
  await asking(place.database, async (store) => {
    await store.catalogue.settle('keyring', 'fingerprint');
    await store.revocations.signOut(signOutOf('pending', 'client:player'));
    const write = async <K extends Kind>(kind: K, rows: readonly RowOf[K][]): Promise<void> => {
      for (let from = 0; from < rows.length; from += 1000) {
        await store.transfer.write(kind, rows.slice(from, from + 1000));
      }
    };
    const { grantId: _grantId, ...session } = clientSession('one');
    await write(
      'clientSessions',
      batch(SESSIONS, (nth) => ({ id: `grant-${nth}`, ...session })),
    );
    const { key: _key, ...token } = artifact('one', { expiresAt: at(hour) });
    await write(
      'artifacts',
      batch(TOKENS, (nth) => ({
        ...token,
        id: createHash('sha256').update(`${nth}`).digest('hex'),
        consumedAt: null,
        destroyed: nth % 3 === 0,
        uid: null,
        userCode: null,
        accountId: null,
        order: nth + 1,
      })),
    );
  });
  return place;
}

type Stage = Kind | 'compare' | 'nothing';
const STAGES: readonly Stage[] = ['nothing', ...KINDS, 'compare'];

/** How far the copy has come; past the end it is nothing again. */
async function stageOf(store: Store): Promise<Stage> {
  const note = await store.transfer.unfinished();
  if (note === null) return 'nothing';
  const { next } = JSON.parse(note) as { next: { kind: Kind } | 'compare' };
  return typeof next === 'object' ? next.kind : next;
}

/** Starts the copy in a process of its own, and ends that by this signal once it has come so far. */
async function cutOff(from: Place, to: Place, stage: Stage, signal: NodeJS.Signals) {
  const watching = await to.database.open();
  onTestFinished(() => watching.close());
  const { process, ended } = start(['store', 'copy', ...from.from, ...to.to, '--yes', '--json']);
  await expect
    .poll(async () => STAGES.indexOf(await stageOf(watching)), { interval: 2, timeout: 60_000 })
    .toBeGreaterThanOrEqual(STAGES.indexOf(stage));
  process.kill(signal);
  return ended;
}

/** Every pair that the engine of this run is one of. */
const PAIRS = ENGINES.flatMap((from) => ENGINES.map((to) => ({ from, to }))).filter(
  ({ from, to }) => from === engine || to === engine,
);

describe.each(PAIRS)('from $from to $to', ({ from, to }) => {
  test('killed again and again, it goes on, and both are the same in the end', async () => {
    const [source, target] = [await large(from), await newPlace(to)];
    const before = await digests(source, NOW);

    for (const stage of ['scopes', 'clientSessions', 'artifacts'] as const) {
      expect(await cutOff(source, target, stage, 'SIGKILL')).toMatchObject({ code: null, stdout: '' });
      expect(await unfinished(target)).not.toBeNull();
    }
    const ended = await hereAlone(['store', 'copy', ...source.from, ...target.to, '--yes', '--json']);

    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.json()).toMatchObject({
      resumed: true,
      verified: true,
      kinds: { clientSessions: { rows: SESSIONS }, artifacts: { rows: TOKENS }, signOuts: { rows: 1 } },
    });
    expect(await digests(target, NOW)).toEqual(before);
    expect(await digests(source, NOW)).toEqual(before);
    expect(await unfinished(target)).toBeNull();
  });

  test('interrupted, it says so, ends with 130, and goes on', async () => {
    const [source, target] = [await large(from), await newPlace(to)];
    const words = ['store', 'copy', ...source.from, ...target.to, '--yes'];

    const seated = atTerminal(words);
    await seated.seeing('Copying client sessions');
    seated.pressControlC();
    expect(await seated.ended).toBe(130);
    expect(seated.left).toEqual([]);
    expect(seated.screen.stderr).toContain('The same command goes on where it was.');
    expect(await cutOff(source, target, 'artifacts', 'SIGINT')).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining('Interrupted'),
    });

    const again = atTerminal(words);
    expect(await again.ended).toBe(0);
    // It does not begin with the first again.
    expect(again.screen.stderr).not.toContain('Copying facts');
    expect(await digests(target, NOW)).toEqual(await digests(source, NOW));
  });

  test('a source that is written to meanwhile is noticed; copied again when it rests, it is the same', async () => {
    const [source, target] = [await large(from), await newPlace(to)];
    const words = ['store', 'copy', ...source.from, ...target.to, '--yes'];
    const server = await source.database.open();
    onTestFinished(() => server.close());

    const noticed = atTerminal([...words, '--json']);
    await noticed.seeing('Copying sessions and tokens');
    await server.revocations.signOut(signOutOf('late', 'account:alice'));

    expect(await noticed.ended).toBe(1);
    expect(noticed.screen.stderr).toContain('the two stores differ in: epochs, sign-outs');
    expect(noticed.screen.stderr).toContain('fix: stop Curfew on the source and run it again');
    expect(JSON.parse(noticed.screen.stdout)).toMatchObject({ verified: false, kinds: { signOuts: { rows: 2 } } });
    expect(await unfinished(target)).not.toBeNull();
    expect(await hereAlone(words)).toMatchObject({ code: 0 });
    expect(await digests(target, NOW)).toEqual(await digests(source, NOW));
  });
});

test(`while it is unfinished on ${engine}, no server and no command uses it, and it is no source`, async () => {
  const [source, target] = [await large('sqlite'), await newPlace(engine)];
  await cutOff(source, target, 'clientSessions', 'SIGKILL');
  const { file, config, stopServer, run } = await commandWorld();
  await stopServer();
  const { store, storePasswordFile } = target.database.configuration;
  const { keyringFile, issuer } = config;
  const configFile = file('target.yaml', JSON.stringify({ issuer, keyringFile, store, storePasswordFile }));
  const before = await digests(target, NOW);

  const again = `a copy into ${target.url.replace('sqlite:', '')} is unfinished: run \`npx curfew store copy --from '${source.url}' --to '${target.url}'\` again`;
  for (const words of [
    ['serve'],
    ['account', 'list'],
    ['account', 'create', '--username', 'eve', '--email', 'eve@example.test'],
    ['sign-out', '--everyone', '--yes'],
    ['keys', 'rotate'],
    ['store', 'migrate'],
  ]) {
    const ended = await start([...words, '--config', configFile]).ended;
    expect([words, ended]).toEqual([words, expect.objectContaining({ code: 2, stdout: '' })]);
    expect(ended.stderr).toContain(again);
  }
  const examined = await hereAlone(['doctor', '--json', '--config', configFile]);
  expect(examined).toMatchObject({ code: 1, stdout: expect.stringContaining('is unfinished') });
  const further = await hereAlone(['store', 'copy', ...target.from, ...(await newPlace('sqlite')).to, '--yes']);
  expect(further).toMatchObject({ code: 1, stderr: expect.stringContaining('an unfinished copy itself') });
  const other = await run('store', 'copy', ...placeOf(await otherStore()).from, ...target.to, '--yes');
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining(`an unfinished copy of ${source.url}`) });
  expect(await digests(target, NOW)).toEqual(before);

  expect(await hereAlone(['store', 'copy', ...source.from, ...target.to, '--yes'])).toMatchObject({ code: 0 });
  expect(await digests(target, NOW)).toEqual(await digests(source, NOW));
});

async function otherStore() {
  const { database } = await newPlace('sqlite');
  await asking(database, (store) => store.catalogue.settle('keyring', 'of another house'));
  return database;
}
