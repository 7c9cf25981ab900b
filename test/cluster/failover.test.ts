/**
 * A replica set whose primary steps down, dies, or loses its majority while people come and go: what was answered is never
 * taken back, what cannot be made durable is not answered with a yes, and no Curfew has to be restarted.
 */
import { randomBytes } from 'node:crypto';
import mongoose from 'mongoose';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { findProgram } from '../support/mongodb/find.ts';
import { type ReplicaSet, startReplicaSet } from '../support/mongodb/replica-set.ts';
import { type Cluster, cluster, copyOf } from './cluster.ts';
import { askEveryProcess, type Holdings, holdings, LASTING, unanimous } from './holdings.ts';
import { startTraffic, type Traffic } from './traffic.ts';

const MEMBERS = 3;
const ANSWERED_WITHIN_MS = 7000;

// A server that somebody else runs is not there to be killed.
const isMissing = findProgram() === undefined;

let set: ReplicaSet;
let house: Cluster;
beforeAll(async () => {
  if (isMissing) return;
  set = await startReplicaSet({ members: MEMBERS });
  house = await cluster({
    processes: 2,
    async database(ended) {
      const url = set.url(`curfew-test-${randomBytes(6).toString('hex')}`);
      const client = new mongoose.mongo.MongoClient(url);
      ended(() => client.close());
      return { address: { url, password: undefined }, db: client.db() };
    },
  });
});
afterAll(async () => {
  await house?.stop();
  await set?.stop();
});

test.skipIf(isMissing)(
  'a primary that steps down, and one that dies: nothing that was answered is taken back',
  async () => {
    const traffic = await startTraffic(house, { patient: true });
    await goesOn(traffic);

    await set.stepDown();
    await goesOn(traffic);
    const dead = await set.primary();
    await set.kill(dead);
    await set.primary();
    await goesOn(traffic);
    await set.restart(dead);
    await goesOn(traffic);

    await traffic.stop();
    await traffic.expectKept();
    expectNoRestart();
    process.stdout.write(`failovers: ${JSON.stringify(traffic.counts)}\n`);
  },
);

test.skipIf(isMissing)('without a majority nothing that must be written is answered with a yes', async () => {
  const kept = await holdings(house, 'alice');
  const [atOnce, later] = [await holdings(house, 'bob'), await holdings(house, 'carol')];
  const pressing = await holdings(house, 'dora');
  await pressing.browser.open('/account/security');
  const stranger = kept.person.anotherBrowser();
  await stranger.open('/sign-in');
  const primary = await set.primary();
  const secondaries = Array.from({ length: MEMBERS }, (_, at) => at).filter((at) => at !== primary);
  const restore = bringBack(secondaries);
  onTestFinished(restore);
  await Promise.all(secondaries.map((at) => set.kill(at)));

  // When the primary still believes that it is one, and again when it does not.
  for (const held of [atOnce, later]) {
    const began = performance.now();
    expect(await statuses(held, copyOf(pressing.browser), copyOf(stranger))).toEqual({
      refresh: 'temporarily_unavailable',
      exchange: 503,
      'device poll': 503,
      'device start': 503,
      'the button': 503,
      'sign-in': 503,
    });
    expect(performance.now() - began).toBeLessThan(ANSWERED_WITHIN_MS);
  }

  await restore();
  await set.primary();
  await expect
    .poll(() => Promise.all(house.processes.map(async ({ url }) => (await fetch(`${url}/readyz`)).status)), {
      timeout: 20_000,
    })
    .toEqual([200, 200]);
  expect(await askEveryProcess(house, kept, LASTING)).toEqual(unanimous(house, 'accepted', LASTING));
  // What was not answered may have happened or not; if it did, then everywhere.
  const verdicts = await askEveryProcess(house, pressing, LASTING);
  expect(new Set(Object.values(verdicts).flat()).size).toBe(1);
  await pressing.person.signOutOfAllDevices(pressing.person.anotherBrowser());
  expect(await askEveryProcess(house, pressing)).toEqual(unanimous(house, 'refused'));
  expectNoRestart();
});

/** Starts these members again, once. */
function bringBack(members: readonly number[]): () => Promise<void> {
  let back: Promise<void> | undefined;
  return () => (back ??= Promise.all(members.map((at) => set.restart(at))).then(() => undefined));
}

/** Everything that must write, asked at once. */
async function statuses(held: Holdings, button: Browser, signIn: Browser): Promise<Record<string, unknown>> {
  const [player, tv] = [house.client('player'), house.client('tv')];
  const { username, password } = held.person;
  const [refreshed, exchanged, polled, started] = await Promise.all([
    player.refresh(held.player),
    player.exchange(held.code.code, held.code.verifier),
    tv.pollDevice(held.deviceCode),
    tv.post('/device/auth', { scope: 'openid' }),
    button.press('Sign out of all devices'),
    signIn.press('Sign in', { username, password }),
  ]);
  return {
    refresh: 'error' in refreshed ? refreshed.error : 'new tokens',
    exchange: exchanged.status,
    'device poll': polled.status,
    'device start': started.status,
    'the button': button.page.status,
    'sign-in': signIn.page.status,
  };
}

/** Sign-ins and sign-outs are answered with a yes again. */
function goesOn(traffic: Traffic): Promise<void> {
  const { signIns, signOuts } = traffic.counts;
  return traffic.until(() => traffic.counts.signIns > signIns + 1 && traffic.counts.signOuts > signOuts);
}

function expectNoRestart(): void {
  for (const { logged } of house.processes) {
    expect(logged.filter(({ event }) => event === 'server.listening')).toHaveLength(1);
  }
}
