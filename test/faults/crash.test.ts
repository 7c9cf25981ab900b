/**
 * kill -9 at every point of a Sign-out. The oracle is kept outside: what the test signed in and what was acknowledged, and
 * what the Clients' own ledger says they heard.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';

import {
  expectAlive,
  expectDead,
  expectFewExtraPosts,
  expectTold,
  haunted,
  type Haunted,
  type Resident,
  type SignedIn,
  signInAt,
} from './haunted.ts';
import { numbersFrom } from './random.ts';
import type { Gate } from './victim.ts';

/** Of each kind of death there are RECOVERIES + SIGN_OUTS. */
const RECOVERIES = 10;
const SIGN_OUTS = 10;
const RANDOM = 20;

const MID_FAN_OUT = ['between-batches', 'half-batch', 'before-complete'] as const;
const midFanOut = (round: number) => MID_FAN_OUT[round % MID_FAN_OUT.length] ?? 'half-batch';

test('a sign-out whose recovery dies at every step is neither lost nor half done', { timeout: 300_000 }, async () => {
  const house = await haunted();
  const residents: Resident[] = [];
  await house.start();
  for (let round = 0; round < RECOVERIES; round++) {
    const how = round % 3 === 0 ? 'password' : 'button';
    const resident = await house.resident({ browsers: 2 });
    residents.push(resident);

    await house.victim().ask('arm', { gate: 'before-commit' });
    expect(await house.signOut(resident, how)).toBe('cut');
    await house.death('before the commit');
    await house.start();
    await expectAlive(house, resident);

    await house.victim().ask('arm', { gate: 'before-answer' });
    expect(await house.signOut(resident, how)).toBe('cut');
    await house.death('before the answer');

    const held = await house.start({ gate: 'hold-fan-out' });
    await held.reached('hold-fan-out');
    await expectDead(house, resident);
    await signInAgain(house, resident);
    held.kill();
    await house.death('before fan-out');

    await house.start({ gate: midFanOut(round), quiet: true });
    await house.death('mid fan-out');
    await house.start({ gate: 'before-outcome' });
    await house.death('after the post');
    await house.start();
    await house.settle();
    expectTold(house, resident);
  }
  await expectPromisesKept(house, residents);
  expect(Object.fromEntries(house.kills)).toEqual({
    'before the commit': RECOVERIES,
    'before the answer': RECOVERIES,
    'before fan-out': RECOVERIES,
    'mid fan-out': RECOVERIES,
    'after the post': RECOVERIES,
  });
});

test('a death right where a sign-out is being worked on loses nothing', { timeout: 300_000 }, async () => {
  const house = await haunted();
  const residents: Resident[] = [];
  const answers = new Map<Gate, Set<string>>();
  await house.start();
  for (let round = 0; round < SIGN_OUTS; round++) {
    const how = round % 3 === 0 ? 'password' : 'button';
    const steps = [
      ['before the commit', 'before-commit'],
      ['before the answer', 'before-answer'],
      ['mid fan-out', midFanOut(round)],
      ['after the post', 'before-outcome'],
      ['before fan-out', 'hold-fan-out'],
    ] as const;
    let unharmed: Resident | undefined;
    for (const [kind, gate] of steps) {
      const resident = unharmed ?? (await house.resident());
      await house.settle();
      await house.victim().ask('arm', { gate });
      const answer = await house.signOut(resident, how);
      answers.set(gate, (answers.get(gate) ?? new Set()).add(answer));
      if (gate === 'hold-fan-out') house.victim().kill();
      await house.death(kind);
      await house.start();
      if (gate === 'before-commit') {
        await expectAlive(house, resident);
        unharmed = resident;
      } else {
        await expectDead(house, resident);
        residents.push(resident);
        unharmed = undefined;
      }
    }
  }
  await house.settle();
  await expectPromisesKept(house, residents);
  const heard = (gate: Gate): string[] => [...(answers.get(gate) ?? [])];
  expect(['before-commit', 'before-answer', 'hold-fan-out'].map((gate) => heard(gate as Gate))).toEqual([
    ['cut'],
    ['cut'],
    ['answered'],
  ]);
});

test('a death at any moment loses nothing that was acknowledged', { timeout: 300_000 }, async () => {
  // Leases of the dead end a few lives later, and the sign-ins of the first life are fresh enough in the last.
  const house = await haunted({ secondsBetweenLives: 12 });
  const random = numbersFrom(Date.now() % 1_000_000);
  await house.start();
  const residents: Resident[] = [];
  const bystander = await house.resident();
  for (let nth = 0; nth < RANDOM; nth++) residents.push(await house.resident());
  const [signedOut, untouched]: [Resident[], Resident[]] = [[], []];
  const bystanders: SignedIn[] = [];

  for (const [round, resident] of residents.entries()) {
    const busy = Promise.allSettled([
      house.signOut(resident, round % 3 === 0 ? 'password' : 'button'),
      signInAndRefresh(house, bystander).then((signedIn) => signedIn && bystanders.push(signedIn)),
    ]);
    await pause(random(160));
    house.victim().kill();
    const [pressed] = await busy;
    await house.death('at a random moment');
    if (round % 4 === 3) {
      await house.startToBeKilled(random(120));
      await house.death('at a random moment of the start');
    }
    await house.start();

    const [first] = resident.signedIn;
    const active = first && (await house.library.introspect(first.tokens.refresh_token)).active;
    const acknowledged = pressed.status === 'fulfilled' && pressed.value === 'answered';
    expect({ acknowledged, active }).not.toEqual({ acknowledged: true, active: true });
    if (active) await expectAlive(house, resident);
    else await expectDead(house, resident);
    (active ? untouched : signedOut).push(resident);
  }
  house.victim().kill();
  await house.death('at the end');
  await house.start({ afterLeases: true });
  await house.settle();
  for (const resident of [...untouched, bystander]) await expectAlive(house, resident);
  for (const { tokens } of bystanders) {
    expect(await house.library.introspect(tokens.refresh_token)).toMatchObject({ active: true });
  }
  await expectPromisesKept(house, signedOut);
  expect(house.kills.get('at a random moment')).toBe(RANDOM);
});

test('a first start that dies leaves nothing in the way of the next', { timeout: 60_000 }, async () => {
  for (const milliseconds of [2, 20, 50, 90]) {
    const house = await haunted();
    await house.startToBeKilled(milliseconds);
    await house.death('at the first start');
    await house.start();
    expect(house.kills.get('at the first start')).toBe(1);
    await expectAlive(house, await house.resident());
  }
});

/** A sign-in between the Sign-out's commit and its fan-out: it is not what was signed out. */
async function signInAgain({ player }: Haunted, resident: Resident): Promise<void> {
  const { person, newPassword } = resident;
  const now = newPassword === undefined ? person : { ...person, password: newPassword };
  resident.since.push(await signInAt(player, now, person.anotherBrowser()));
}

/** What was acknowledged in the end, or undefined where the last answer did not come. */
async function signInAndRefresh({ theatre }: Haunted, { person }: Resident): Promise<SignedIn | undefined> {
  const signedIn = await signInAt(theatre, person, person.anotherBrowser());
  const tokens = await theatre.refresh(signedIn.tokens);
  return 'error' in tokens ? undefined : { ...signedIn, tokens };
}

/** At the end of all lives: nothing lost, nothing resurrected, no more posts than deaths explain. */
async function expectPromisesKept(house: Haunted, residents: readonly Resident[]): Promise<void> {
  for (const resident of residents) {
    expectTold(house, resident);
    await expectDead(house, resident);
    for (const { client, tokens } of resident.since)
      expect(await client.refresh(tokens)).toHaveProperty('access_token');
  }
  const { deliveries, extra } = expectFewExtraPosts(house);
  expect(house.starts.toSorted((a, b) => a - b)[Math.floor(house.starts.length / 2)]).toBeLessThan(1000);
  report(house, { signOuts: residents.length, deliveries, extraPosts: extra });
}

/** The figures, for whoever reads the run. */
function report({ kills, starts }: Haunted, figures: Record<string, number>): void {
  const slowestStartMs = Math.round(Math.max(...starts));
  process.stdout.write(`${JSON.stringify({ kills: Object.fromEntries(kills), ...figures, slowestStartMs })}\n`);
}
