/**
 * kill -9 at every point of a Sign-out. The oracle is kept outside: what the test signed in and what was acknowledged, and
 * what the Clients' own ledger says they heard.
 */
import { expect, test } from 'vitest';

import { expectAlive, expectDead, expectFewExtraPosts, expectTold, haunted, type Haunted, type Resident, signInAt } from './haunted.ts';

const RECOVERIES = 12;
const SIGN_OUTS = 8;

test('a sign-out whose recovery is killed at every step is neither lost nor half done', { timeout: 120_000 }, async () => {
  const house = await haunted();
  const residents: Resident[] = [];
  await house.start();
  for (let round = 0; round < RECOVERIES; round++) {
    const how = round % 3 === 0 ? 'password' : 'button';
    const resident = await house.resident();
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
    await signInAgain(house, resident, how);
    held.kill();
    await house.death('before fan-out');

    for (const gate of ['between-batches', 'half-batch', 'before-complete'] as const) {
      await house.start({ gate, quiet: true });
      await house.death('mid fan-out');
    }
    for (let post = 0; post < 2; post++) {
      await house.start({ gate: 'before-outcome' });
      await house.death('after the post');
    }
    await house.start();
    await house.settle();
    expectTold(house, resident);
  }
  await expectPromisesKept(house, residents);
  expect(Object.fromEntries(house.kills)).toEqual({
    'before the commit': RECOVERIES,
    'before the answer': RECOVERIES,
    'before fan-out': RECOVERIES,
    'mid fan-out': 3 * RECOVERIES,
    'after the post': 2 * RECOVERIES,
  });
});

/** A sign-in between the Sign-out's commit and its fan-out: it is not what was signed out. */
async function signInAgain({ player }: Haunted, resident: Resident, how: 'button' | 'password'): Promise<void> {
  const { person, newPassword } = resident;
  const now = how === 'password' && newPassword !== undefined ? { ...person, password: newPassword } : person;
  resident.since.push(await signInAt(player, now, person.anotherBrowser()));
}

/** At the end of all lives: nothing lost, nothing resurrected, no more posts than deaths explain. */
async function expectPromisesKept(house: Haunted, residents: readonly Resident[]): Promise<void> {
  for (const resident of residents) {
    expectTold(house, resident);
    await expectDead(house, resident);
    for (const { client, tokens } of resident.since) expect(await client.refresh(tokens)).toHaveProperty('access_token');
  }
  const { deliveries, extra } = expectFewExtraPosts(house);
  const slowest = Math.max(...house.starts);
  process.stdout.write(
    `${JSON.stringify({ kills: Object.fromEntries(house.kills), deliveries, extra, lives: house.starts.length, slowestStartMs: Math.round(slowest) })}\n`,
  );
}
