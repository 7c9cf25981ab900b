/**
 * Telling Clients, by several processes at once and whichever of them dies: nobody is forgotten, and nobody is told twice
 * but where a process died between a post and its record.
 *
 * No test waits for a lease to end. When its holder is dead, the leases in the database are moved back by their length: so
 * much time has passed then, for everybody.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import type { Heard } from '../support/ears.ts';
import { artifact, clientSession } from '../support/records.ts';
import type { Person } from '../support/world.ts';
import { type Cluster, cluster } from './cluster.ts';
import { type Command, type Gate, type GatedLine, openGatedLine, type Side } from './gated-line.ts';

const CLIENTS = ['player', 'theatre', 'radio'];
const PROCESSES = 4;
/** As many posts as a process has in flight to one Client. */
const PER_CLIENT = 2;
const FAN_OUT_LEASE_MS = 15_000;
const DELIVERY_LEASE_MS = 60_000;

let house: Cluster<GatedLine>;
beforeAll(async () => {
  house = await cluster({ processes: PROCESSES, line: openGatedLine });
});
afterAll(() => house.stop());
beforeEach(async () => {
  for (const client of CLIENTS) house.ears.behave(client, 200);
  for (const { runs, start } of house.processes) if (!runs()) await start();
});

describe('everybody is told once', () => {
  test('three hundred devices, told by four processes at the same time', async () => {
    const people = await Promise.all(Array.from({ length: 10 }, () => house.person('alice')));
    const owed = (await Promise.all(people.map(({ id }) => devices(id, 33)))).flat();
    const answers = holdAnswers();
    const before = house.processes.map(delivered);
    await house.command('sign-out', '--everyone', '--yes');
    // So many are in flight only when every process is at it.
    await expect.poll(() => answers.held.length, { timeout: 10_000 }).toBe(PROCESSES * PER_CLIENT * CLIENTS.length);
    answers.release();
    await house.settled();
    expectTold(owed, { twice: [] });
    for (const [at, process] of house.processes.entries()) {
      expect(delivered(process) - (before[at] ?? 0)).toBeGreaterThanOrEqual(PER_CLIENT * CLIENTS.length);
    }
  });

  test('one process at a time spreads a sign-out', async () => {
    const person = await signedIn();
    const owed = await devices(person.id, 6);
    const aside = [2, 3].map(keepFromFanOut);
    const spreading = hold(0, writesDeliveries);
    const looks = hold(1, looksForPending);
    await pressAt(0, person);
    await spreading.reached;
    const asks = hold(1, leasesSignOut, 'after');
    looks.open();
    await asks.reached;
    const looksAgain = hold(1, looksForPending);
    asks.open();
    await looksAgain.reached;
    expect(await keysOf({ accountId: person.id })).toEqual([]);
    for (const gate of [spreading, looksAgain, ...aside]) gate.open();
    await house.settled();
    expectTold(owed, { twice: [] });
  });

  test('a process that comes back to a sign-out after its lease changes nothing', async () => {
    const person = await signedIn();
    const owed = await devices(person.id, 12);
    const others = [1, 2, 3].map(keepFromFanOut);
    const late = hold(0, writesDeliveries);
    await pressAt(0, person);
    await late.reached;
    expect(await timePasses()).toEqual({ signOuts: 1, deliveries: 0 });
    for (const gate of others) gate.open();
    await house.settled();
    const lateCompletes = hold(0, completesSignOut, 'after');
    late.open();
    await lateCompletes.reached;
    lateCompletes.open();
    await house.settled();
    expectTold(owed, { twice: [] });
    const [signOut] = await house.core.store.revocations.listSignOuts(1);
    expect(await house.core.store.revocations.ended(signOut?.id ?? '')).toMatchObject({
      sessions: owed.length,
      accounts: 1,
      clients: CLIENTS.length,
    });
  });
});

describe('a process dies in the middle of a fan-out, and the others finish it: everybody is told once', () => {
  const DEATHS: readonly [moment: string, fits: (command: Command) => boolean, side: Side][] = [
    ['before it holds the sign-out', leasesSignOut, 'before'],
    ['when it holds it', leasesSignOut, 'after'],
    ['before deliveries are written', writesDeliveries, 'before'],
    ['when deliveries are written and no device is marked', writesDeliveries, 'after'],
    ['when devices are marked and not counted', marksDevices, 'after'],
    ['between two batches', looksForNextBatch, 'before'],
    ['before the sign-out is noted as complete', notesComplete, 'before'],
    ['when it is noted and still pending', completesSignOut, 'before'],
    ['when it is complete and nobody knows', completesSignOut, 'after'],
  ];

  test.for(DEATHS.map(([moment, fits, side], nth) => ({ moment, fits, side, victim: nth % PROCESSES })))(
    '$moment',
    async ({ fits, side, victim }) => {
      const person = await signedIn();
      // A batch is 200.
      const owed = await devices(person.id, fits === looksForNextBatch ? 210 : 9);
      const others = everyoneBut(victim).flatMap((at) => [keepFromFanOut(at), keepFromDelivering(at)]);
      keepFromDelivering(victim);
      const death = hold(victim, fits, side);
      await pressAt(victim, person);
      await death.reached;
      await house.processes[victim]?.kill();

      const isPending = !(fits === completesSignOut && side === 'after');
      const isHeld = isPending && !(fits === leasesSignOut && side === 'before');
      expect(await pendingOf(person)).toBe(isPending ? 1 : 0);
      expect(await timePasses()).toEqual({ signOuts: isHeld ? 1 : 0, deliveries: 0 });
      if (fits === looksForNextBatch) expect(await keysOf({ accountId: person.id })).toHaveLength(200);
      for (const gate of others) gate.open();
      await house.settled();
      expectTold(owed, { twice: [] });
    },
  );
});

describe('a process dies in the middle of deliveries, and the others finish them', () => {
  const DEATHS: readonly [moment: string, fits: (command: Command) => boolean, side: Side][] = [
    ['when it holds some and has posted nothing', readsClaimed, 'before'],
    ['when one was answered and that is not recorded', recordsOutcome, 'before'],
    ['when one is recorded and it does not know', recordsOutcome, 'after'],
  ];
  test.for(DEATHS.map(([moment, fits, side], nth) => ({ moment, fits, side, victim: nth % PROCESSES })))(
    '$moment',
    async ({ fits, side, victim }) => {
      const person = await signedIn();
      const owed = await devices(person.id, 30);
      const others = everyoneBut(victim).map(keepFromDelivering);
      const death = hold(victim, fits, side);
      // One is answered, and the others it posts are not: however slowly it dies, it has not done with all it holds.
      const answers = holdAnswers();
      await pressAt(victim, person);
      if (fits === recordsOutcome) {
        await expect.poll(() => answers.held.length, { timeout: 10_000 }).toBeGreaterThan(1);
        answers.held[0]?.answer();
      }
      await death.reached;
      await house.processes[victim]?.kill();
      answers.release();

      // Nobody else has had any yet.
      const posted = postsTo(person);
      const heldByTheDead = await keysOf({ accountId: person.id, leaseUntil: { $gt: new Date() } });
      expect(heldByTheDead.length).toBeGreaterThan(0);
      await timePasses();
      for (const gate of others) gate.open();
      await house.settled();
      const unrecorded = postsTo(person).filter((key) => heldByTheDead.includes(key));
      expectTold(owed, { twice: fits === readsClaimed ? posted : unrecorded });
      if (fits === recordsOutcome && side === 'before') expect(twice(person).length).toBeGreaterThan(0);
    },
  );

  test.for([{ victim: 1 }, { victim: 3 }])(
    'when Clients have heard and hold their answers (process $victim)',
    async ({ victim }) => {
      const person = await signedIn();
      const owed = await devices(person.id, 36);
      const answers = holdAnswers();
      const others = everyoneBut(victim).map(keepFromDelivering);
      await pressAt(victim, person);
      const inFlight = PER_CLIENT * CLIENTS.length;
      await expect.poll(() => answers.held.length, { timeout: 10_000 }).toBe(inFlight);
      // With every place taken it claims no more; and nobody else has had any yet.
      const heldByTheVictim = await keysOf({ accountId: person.id, leaseUntil: { $gt: new Date() } });
      for (const gate of others) gate.open();
      await expect.poll(() => answers.held.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2 * inFlight);
      await house.processes[victim]?.kill();
      await expect.poll(() => answers.held.filter(({ cut }) => cut).length).toBe(inFlight);
      const unheard = answers.held.filter(({ cut }) => cut).map(({ heard }) => keyOf(heard));
      expect(heldByTheVictim).toEqual(expect.arrayContaining(unheard));
      answers.release();
      expect((await timePasses(heldByTheVictim)).deliveries).toBe(heldByTheVictim.length);
      await house.settled();
      expectTold(owed, { twice: unheard });
      expect(twice(person).toSorted()).toEqual(unheard.toSorted());
    },
  );
});

/** Somebody with a browser in which the button can be pressed. */
async function signedIn(): Promise<Person> {
  const person = await house.person('alice');
  const browser = await person.signIn();
  await browser.open('/account/security');
  return person;
}

async function pressAt(process: number, person: Person): Promise<void> {
  const browser = person.browser();
  await house.front.only(process, () => browser.press('Sign out of all devices'));
  expect(browser.heading).toBe('Access has ended');
}

/** So many Client Sessions of one account, as sign-ins leave them, at the Clients in turn. Resolves to their keys. */
async function devices(accountId: string, count: number): Promise<string[]> {
  const {
    devices: sealer,
    store: { artifacts },
  } = house.core;
  const sessions = Array.from({ length: count }, (_, nth) => {
    const grantId = `${accountId}-${nth}`;
    const sealedDevice = sealer.seal(grantId, { userAgent: 'a device', address: '127.0.0.1' });
    return clientSession(grantId, { accountId, clientId: CLIENTS[nth % CLIENTS.length] ?? '', sealedDevice });
  });
  const expiresAt = new Date(Date.now() + 3_600_000);
  await Promise.all(
    sessions.map((session) =>
      artifacts.save(artifact(session.grantId, { stamps: session.stamps, expiresAt }), session),
    ),
  );
  return sessions.map(({ clientId, sid }) => [clientId, accountId, sid].join(' '));
}

const keyOf = ({ client, claims }: Heard): string => [client, claims['sub'], claims['sid']].join(' ');

/** Keys of Deliveries in the database. */
async function keysOf(filter: object): Promise<string[]> {
  const found = await house.db.collection('deliveries').find(filter).toArray();
  return found.map(({ clientId, accountId, sid }) => [clientId, accountId, sid].join(' '));
}

const postsTo = ({ id }: Person): string[] => house.ears.heard.filter(({ claims }) => claims['sub'] === id).map(keyOf);

function twice(person: Person): string[] {
  const posts = Map.groupBy(postsTo(person), (key) => key);
  return [...posts].filter(([, each]) => each.length > 1).map(([key]) => key);
}

/** Each was told, each with a token of its own, and none more than once but these, which may have been told twice. */
function expectTold(owed: readonly string[], { twice }: { readonly twice: readonly string[] }): void {
  const heard = house.ears.heard.filter((entry) => owed.includes(keyOf(entry)));
  const posts = Map.groupBy(heard, keyOf);
  expect(
    owed.filter((key) => !posts.has(key)),
    'forgotten',
  ).toEqual([]);
  for (const [key, each] of posts) expect(each.length, key).toBeLessThanOrEqual(twice.includes(key) ? 2 : 1);
  expect(new Set(heard.map(({ claims }) => claims['jti'])).size).toBe(heard.length);
}

async function pendingOf({ id }: Person): Promise<number> {
  const scope = await house.db
    .collection<{ _id: string; pending: object[] }>('scopes')
    .findOne({ _id: `account:${id}` });
  return scope?.pending.length ?? 0;
}

/** Moves every lease back by its length, or those of these Deliveries alone. Resolves to how many leases there were. */
async function timePasses(keys?: readonly string[]): Promise<{ signOuts: number; deliveries: number }> {
  const now = new Date();
  const back = (field: string, milliseconds: number) => ({ $subtract: [field, milliseconds] });
  const deliveries = house.db.collection('deliveries');
  const leased = await deliveries.find({ leaseUntil: { $gt: now } }).toArray();
  const chosen = leased.filter(
    ({ clientId, accountId, sid }) => keys === undefined || keys.includes([clientId, accountId, sid].join(' ')),
  );
  const moved = await deliveries.updateMany({ _id: { $in: chosen.map(({ _id }) => _id) } }, [
    { $set: { leaseUntil: back('$leaseUntil', DELIVERY_LEASE_MS) } },
  ]);
  const pending = {
    $map: {
      input: '$pending',
      in: { $mergeObjects: ['$$this', { leaseUntil: back('$$this.leaseUntil', FAN_OUT_LEASE_MS) }] },
    },
  };
  const signOuts = await house.db
    .collection('scopes')
    .updateMany({ 'pending.leaseUntil': { $gt: now } }, [{ $set: { pending } }]);
  return { signOuts: signOuts.modifiedCount, deliveries: moved.modifiedCount };
}

/** From now on Clients hear, and do not answer until they are told to. */
function holdAnswers() {
  type Held = { readonly heard: Heard; readonly answer: () => void; cut: boolean };
  const held: Held[] = [];
  for (const client of CLIENTS) {
    house.ears.behave(client, (response, heard) => {
      const answer = () => void (response.headersSent || response.writeHead(200).end());
      const one: Held = { heard, cut: false, answer };
      held.push(one);
      response.once('close', () => (one.cut = !response.writableFinished));
    });
  }
  return {
    held,
    release(): void {
      for (const client of CLIENTS) house.ears.behave(client, 200);
      for (const { cut, answer } of held) if (!cut) answer();
    },
  };
}

const delivered = ({ logged }: Cluster['processes'][number]): number =>
  logged.filter(({ event }) => event === 'delivery.delivered').length;

/** A gate on a process's line, open at the latest when the test ends. */
function hold(process: number, fits: (command: Command) => boolean, side?: Side): Gate {
  const line = house.lines[process];
  if (line === undefined) throw new Error(`there is no process ${process}`);
  const gate = line.hold(fits, side);
  onTestFinished(() => gate.open());
  return gate;
}

const everyoneBut = (process: number): number[] => [...house.processes.keys()].filter((each) => each !== process);

/** Before it looks for something to spread, or to deliver: what it asks then changes nothing, however late it is asked. */
const keepFromFanOut = (process: number): Gate => hold(process, looksForPending);
const keepFromDelivering = (process: number): Gate => hold(process, looksForDeliveries);

function updates({
  name,
  body,
}: Command): { q: Record<string, unknown>; u: Record<string, Record<string, unknown>> }[] {
  return name === 'update' ? body['updates'] : [];
}

function looksForPending({ name, collection, body }: Command): boolean {
  return name === 'find' && collection === 'scopes' && body['sort']?.['pending.at'] === 1;
}

function looksForDeliveries({ name, collection }: Command): boolean {
  return name === 'distinct' && collection === 'deliveries';
}

function leasesSignOut(command: Command): boolean {
  return updates(command).some(({ u }) => u['$set'] !== undefined && 'pending.$.holder' in u['$set']);
}

function looksForNextBatch({ name, collection, body }: Command): boolean {
  return name === 'find' && collection === 'client_sessions' && body['limit'] === 200 && body['filter']._id.$gt !== '';
}

function writesDeliveries({ name, collection }: Command): boolean {
  return name === 'insert' && collection === 'deliveries';
}

function marksDevices(command: Command): boolean {
  return updates(command).some(({ u }) => u['$set'] !== undefined && 'endedBy' in u['$set']);
}

function notesComplete(command: Command): boolean {
  return updates(command).some(({ u }) => u['$set']?.['status'] === 'complete');
}

function completesSignOut(command: Command): boolean {
  return updates(command).some(({ u }) => u['$pull'] !== undefined && 'pending' in u['$pull']);
}

function readsClaimed({ name, collection, body }: Command): boolean {
  return name === 'find' && collection === 'deliveries' && 'claim' in body['filter'];
}

function recordsOutcome(command: Command): boolean {
  return updates(command).some(({ u }) => u['$set'] !== undefined && 'lastOutcome' in u['$set']);
}
