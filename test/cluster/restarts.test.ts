/** Processes go and come back, as planned or not, while people come and go: what was promised is kept. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Cluster, cluster } from './cluster.ts';
import { type GatedLine, openGatedLine } from './gated-line.ts';
import { startTraffic } from './traffic.ts';

let house: Cluster<GatedLine>;
beforeAll(async () => {
  house = await cluster({ processes: 3, line: openGatedLine });
});
afterAll(() => house.stop());

test('each process is taken out, restarted and brought back in turn: nobody notices', async () => {
  const since = house.front.passedOn.length;
  const traffic = await startTraffic(house, { patient: false });
  for (const [at, process] of house.processes.entries()) {
    const { signIns, signOuts } = traffic.counts;
    // A connection that waits to be accepted is reset when a process stops; so it is told of beforehand.
    await house.front.withhold(at);
    await process.stop();
    await traffic.until(() => traffic.counts.signIns > signIns && traffic.counts.signOuts > signOuts);
    await process.start();
    house.front.bringBack(at);
  }
  await traffic.stop();
  const passed = house.front.passedOn.slice(since);
  expect(passed.filter(({ status }) => status >= 500)).toEqual([]);
  expect(new Set(passed.map(({ process }) => process)).size).toBe(house.processes.length);
  await traffic.expectKept();
  process.stdout.write(`planned restarts: ${JSON.stringify(traffic.counts)}\n`);
});

test('each process is killed in turn without a word: what was answered stands', async () => {
  const traffic = await startTraffic(house, { patient: true });
  for (const process of house.processes) {
    await process.kill();
    const { signIns, signOuts } = traffic.counts;
    await traffic.until(() => traffic.counts.signIns > signIns && traffic.counts.signOuts > signOuts);
    await process.start();
  }
  await traffic.stop();
  // Each death may have cut off what was with the dead process at that moment, and no more.
  expect(traffic.counts.unanswered).toBeLessThanOrEqual(house.processes.length * traffic.people);
  await traffic.expectKept();
  process.stdout.write(`kills: ${JSON.stringify(traffic.counts)}\n`);
});

test('a process that is told to stop answers what it has begun, and takes nothing new', async () => {
  const [line] = house.lines;
  const [first] = house.processes;
  if (line === undefined || first === undefined) throw new Error('there is no process');
  const person = await house.person('alice');
  const player = house.client('player');
  const tokens = await player.signIn(person);
  const held = line.hold(({ name, collection }) => name === 'update' && collection === 'artifacts');
  const refreshing = house.front.only(0, () => player.refresh(tokens));
  await held.reached;
  const stopping = first.stop();
  await expect
    .poll(() => fetch(`${first.url}/healthz`).catch(({ cause }: Error) => cause))
    .toMatchObject({ code: 'ECONNREFUSED' });
  held.open();
  const refreshed = await refreshing;
  await stopping;
  if ('error' in refreshed) throw new Error(refreshed.error);
  expect((await player.userinfo(refreshed)).status).toBe(200);
  await first.start();
});
