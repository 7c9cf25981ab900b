/** An installation that people use is moved from one store to another, and nobody notices. */
import { describe, expect, onTestFinished, test } from 'vitest';

import { createLog } from '../../src/platform/log.ts';
import { startServer } from '../../src/server.ts';
import { KINDS } from '../../src/store/transfer.ts';
import { signOutFromApp } from '../journeys/sign-out-from-app.ts';
import type { Tokens } from '../support/client.ts';
import { credential, event, mail } from '../support/records.ts';
import { asking, contents, ENGINES, newPlace, type Place, placeOf, unfinished } from './places.ts';
import { atTerminal, type CommandWorld, commandWorld, here as hereAlone } from './support.ts';

const SHA_256 = expect.stringMatching(/^[0-9a-f]{64}$/);

const UNBOUND = { accountsPerSecond: null, mailsPerMinute: null };
const NOTHING_MORE = {
  requirePasswordReset: false,
  disable: false,
  notify: false,
  rotateSigningKeys: false,
  rotateSealingKeys: false,
  clientSecretsFile: null,
};

/** A house with something of everything in it. */
async function furnished() {
  const world = await commandWorld();
  const { alice, bob, player, cinema, tv, phone, ears, settle, here, database, person } = world;
  ears.behave('cinema', 500);

  const browser = await alice.signIn();
  const kept = await player.signIn(alice, browser);
  const away = await phone.signIn(alice, alice.anotherBrowser());
  await browser.open('/account/devices');
  await browser.press('Sign out of all other devices');
  const television = await tv.connectDevice(alice, browser);
  const used = await cinema.obtainCode(alice, browser);
  const ofCinema = (await cinema.exchange(used.code, used.verifier)).body as unknown as Tokens;
  const unused = await player.obtainCode(alice, browser);

  const ended = [await player.signIn(bob), await cinema.signIn(bob)] as const;
  await bob.signOutOfAllDevices();
  await settle();
  await database.alter('deliveries', { where: { clientId: 'cinema' }, set: { status: 'abandoned' } });

  const erin = await person('erin');
  const leaving = await player.signIn(erin);
  await signOutFromApp(erin.browser(), leaving.id_token);
  const carol = await person('carol');
  await player.signIn(carol);
  await here('account', 'delete', 'carol', '--yes');
  for (const id of ['radio', 'gone']) {
    await here('client', 'create', '--id', id, '--name', id, '--redirect-uri', `https://${id}.test/`);
  }
  await here('client', 'delete', 'gone', '--yes');
  await alice.anotherBrowser().open('/sign-in');
  const guesser = alice.anotherBrowser();
  await guesser.open('/sign-in');
  await guesser.press('Sign in', { username: 'bob', password: 'not the password of bob' });

  // Signed out, and nobody has found out yet whom to tell.
  const dave = await person('dave');
  const davesTokens = await player.signIn(dave);
  await world.core.fanOut.stop();
  const { accounts, catalogue, journal, outbox } = world.core.store;
  await catalogue.saveConnection({ id: 'acme', type: 'oidc', state: '{}', createdAt: new Date() });
  await accounts.addCredential(credential('key', erin.id), { most: 1 });
  await outbox.enqueue([mail('refused', { accountId: erin.id, status: 'rejected', nextAttemptAt: null })]);
  await journal.append([event('noted', { accountId: erin.id })]);
  // Opened, and nobody has begun with it.
  const incident = { id: 'inc_copied', openedAt: new Date(), reason: 'a copy', pace: UNBOUND, actions: NOTHING_MORE };
  await world.core.incidents.begin({ ...incident, meant: { conditions: {}, listed: [erin.id] } }, () => {});
  const receipt = await dave.signOutOfAllDevices();
  await world.stopServer();
  const tokens = { kept, away, television, ofCinema, ended, leaving, davesTokens };
  return { world, tokens, codes: { used, unused }, people: { carol, dave, erin }, receipt };
}

type Furnished = Awaited<ReturnType<typeof furnished>>;

/** Whoever was in is in, whoever was out is out, and what was begun is gone on with. */
async function expectUnchanged({ world, tokens, codes, people, receipt }: Furnished, place: Place): Promise<void> {
  const { alice, bob, player, cinema, tv, phone, ears, config } = world;
  const toldBefore = ears.heard.length;
  const log = createLog({ level: 'silent' });
  const server = await startServer({ ...config, store: place.store }, log, { hashFloor: config.passwordHashing });
  onTestFinished(() => server.stop());
  const { fanOut, deliveries, store } = server.core;

  expect(await player.refresh(tokens.kept)).toHaveProperty('access_token');
  expect(await cinema.introspect(tokens.ofCinema.access_token)).toMatchObject({ active: true });
  expect(await tv.refresh(tokens.television)).toHaveProperty('access_token');
  await alice.browser().open('/account');
  expect(alice.browser().path).toBe('/account');
  await alice.browser().open(player.authorization({ prompt: 'none' }).url);
  expect(alice.browser().left?.searchParams.has('code')).toBe(true);

  expect(await phone.refresh(tokens.away)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(tokens.ended[0])).toEqual({ error: 'invalid_grant' });
  expect(await cinema.introspect(tokens.ended[1].access_token)).toEqual({ active: false });
  expect(await player.refresh(tokens.davesTokens)).toEqual({ error: 'invalid_grant' });
  await people.erin.browser().open('/account');
  expect(people.erin.browser().path).toMatch(/^\/sign-in/);
  await people.carol.signIn();
  expect(people.carol.browser().path).toMatch(/^\/sign-in/);
  expect((await player.exchange(codes.unused.code, codes.unused.verifier)).status).toBe(200);

  await fanOut.runUntilIdle();
  await deliveries.runUntilIdle();
  const told = ears.heard.slice(toldBefore);
  expect(told.map(({ client, claims }) => [client, claims['sub']])).toEqual([['player', people.dave.id]]);
  await people.dave.browser().open(receipt);
  expect(people.dave.browser().page.text).toContain('Player');
  expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
  expect(await store.deliveries.counts({})).toMatchObject({ abandoned: 1 });
  await bob.signIn();
  expect(await player.signIn(bob)).toHaveProperty('refresh_token');
  // Used a second time: that ends what it gave.
  expect(await cinema.exchange(codes.used.code, codes.used.verifier)).toMatchObject({ status: 400 });
  expect(await cinema.introspect(tokens.ofCinema.access_token)).toEqual({ active: false });
}

describe.each(ENGINES)('into a store on %s', (engine) => {
  test('everybody stays signed in or out, and what is pending goes on there', async () => {
    const house = await furnished();
    const target = await newPlace(engine);

    const copied = await hereAlone(['store', 'copy', ...placeOf(house.world.database).from, ...target.to, '--yes']);

    expect(copied).toMatchObject({ code: 0 });
    expect(copied.stdout).toMatch(/^accounts +5 +[0-9a-f]{64}$/m);
    expect(copied.stdout).toContain('both are the same');
    expect(copied.stderr).toContain(`Point \`store\` at ${target.url}`);
    expect(copied.stderr).toContain('keep the keyring');
    await expectUnchanged(house, target);
  });

  test('there and back again, it is the same row by row, and so is the source', async () => {
    const { world } = await furnished();
    const home = placeOf(world.database);
    const [there, back] = [await newPlace(engine), await newPlace(home.engine)];
    const began = new Date();
    const before = await contents(home, began);

    const out = (await world.run('store', 'copy', ...home.from, ...there.to, '--yes', '--json')).json();
    const returned = (await world.run('store', 'copy', ...there.from, ...back.to, '--yes', '--json')).json();

    expect(out).toEqual({
      from: home.url,
      to: there.url,
      kinds: Object.fromEntries(KINDS.map((kind) => [kind, { rows: expect.any(Number), digest: SHA_256 }])),
      resumed: false,
      verified: true,
    });
    expect(returned).toMatchObject({ from: there.url, to: back.url, resumed: false, verified: true });
    const lasting = ({ kinds: { artifacts: _artifacts, attempts: _attempts, ...kinds } }: Report) => kinds;
    expect(lasting(returned as Report)).toEqual(lasting(out as Report));
    for (const [kind, rows] of Object.entries(before)) expect([kind, rows]).not.toEqual([kind, []]);
    expect(await contents(home, began)).toEqual(before);
    const ended = new Date();
    expect(await contents(back, ended)).toEqual(await contents(home, ended));
    expect(await contents(there, ended)).toEqual(await contents(home, ended));
    expect([await unfinished(there), await unfinished(back)]).toEqual([null, null]);
  });
});

type Report = { readonly kinds: Record<string, unknown> };

describe('before anything is written', () => {
  const seated = (world: CommandWorld, target: Place) =>
    atTerminal(['store', 'copy', ...placeOf(world.database).from, ...target.to]);

  test('what there is to copy is shown, and a yes is asked for', async () => {
    const world = await commandWorld();
    await world.stopServer();
    const target = await newPlace(ENGINES.at(-1) ?? 'sqlite');

    const no = seated(world, target);
    await no.seeing('Copy?');
    expect(no.screen.stderr).toMatch(/accounts +2\r?\n/);
    expect(no.screen.stderr).toContain('Curfew must be stopped');
    no.type('n\n');
    expect(await no.ended).toBe(1);
    expect(no.screen.stderr).toContain('Nothing was changed.');
    expect(await asking(target.database, ({ transfer }) => transfer.isEmpty())).toBe(true);
    expect(await unfinished(target)).toBeNull();

    const yes = seated(world, target);
    await yes.seeing('Copy?');
    yes.type('y\n');
    expect(await yes.ended).toBe(0);
    expect(yes.screen.stderr).toMatch(/Copying accounts {2}[█░]+ {2}100 % {2}2 of 2/);
    expect(yes.screen.stderr).toMatch(/Comparing accounts {2}[█░]+ {2}100 % {2}2 of 2/);
    expect((await contents(target, new Date())).accounts).toHaveLength(2);
  });

  test('nobody at a terminal is nobody to ask', async () => {
    const world = await commandWorld();
    await world.stopServer();
    const target = await newPlace('sqlite');
    const asked = await hereAlone(['store', 'copy', ...placeOf(world.database).from, ...target.to]);
    expect(asked).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('add --yes') });
    expect(await unfinished(target)).toBeNull();
  });
});
