/** What only a file can suffer: SQLite on a full disk, behind a lock, cut short, overwritten, or where nobody may write. */
import { once } from 'node:events';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

import { databaseFile } from '../support/sqlite-under-test.ts';
import { world } from '../support/world.ts';
import { expectAlive, expectDead, expectTold, haunted } from './haunted.ts';
import { place, put, refusal, used } from './program.ts';

test('a file that is not a database is refused and left alone', async () => {
  const at = await place();
  const database = databaseFile(at.folder);
  put(database, 'These are the notes of somebody who keeps them here.\n'.repeat(200));
  expect(await refusal(at, 2)).toContain('is not a SQLite database, or is corrupt');
  expect(existsSync(at.keyring)).toBe(false);
});

test('a corrupt database is refused and left as it is', async () => {
  const at = await used();
  const database = databaseFile(at.folder);
  const bytes = readFileSync(database);
  // The header is right; the first page's content, where the schema lies, is not.
  writeFileSync(database, bytes.fill(0x5a, 100, 4096));
  expect(await refusal(at, 2)).toMatch(/malformed|corrupt|not a database/);
});

test('a database whose later pages are corrupt is refused and left as it is', async () => {
  const at = await used();
  const database = databaseFile(at.folder);
  const bytes = readFileSync(database);
  writeFileSync(database, bytes.fill(0x5a, 2 * 4096));
  expect(await refusal(at, 2)).toMatch(/malformed|corrupt|not a database/);
});

test('a truncated database is refused and left as it is', async () => {
  const at = await used();
  const database = databaseFile(at.folder);
  truncateSync(database, 3 * 4096 + 100);
  expect(await refusal(at, 2)).toMatch(/malformed|corrupt|not a database/);
});

test('a data folder that cannot be written is refused', async () => {
  const at = await place();
  // What even root cannot write into: a file where the folder should be.
  put(`${at.folder}/data`, 'a file in the way');
  expect(await refusal(at, 2)).toMatch(/the data folder .* cannot be written/);
  expect(existsSync(at.keyring)).toBe(false);
});

test('on a full disk writes are refused aloud, reads go on, and nothing is lost or half done', async () => {
  const house = await haunted({ boundable: true });
  const victim = await house.start();
  const [resident, other] = [await house.resident(), await house.resident()];
  const { person, signedIn } = resident;
  const [atPlayer] = signedIn;
  if (atPlayer === undefined) throw new Error('nobody is signed in');
  const ready = async (): Promise<number> => (await fetch(`${house.issuer}/readyz`)).status;
  expect(await ready()).toBe(200);

  // From here on the system refuses every write to the database and its log.
  victim.boundFiles(1);
  expect(await ready()).toBe(503);
  expect(await house.player.refresh(atPlayer.tokens)).toEqual({ error: 'temporarily_unavailable' });
  const stranger = person.anotherBrowser();
  await stranger.open('/sign-in').catch(() => {});
  const browser = person.browser();
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  expect(browser.page.status).toBe(503);
  expect(browser.page.headers.has('retry-after')).toBe(true);
  await expectAlive(house, resident);

  victim.boundFiles('unlimited');
  expect(await ready()).toBe(200);
  await expectAlive(house, resident);
  await expectAlive(house, other);
  // What could not be spent is not spent.
  expect(await house.player.refresh(atPlayer.tokens)).toHaveProperty('access_token');
  expect(await house.signOut(resident, 'button')).toBe('answered');
  await expectDead(house, resident);
  await house.settle();
  expectTold(house, resident);
  await expectAlive(house, other);
  expect(victim.complaints()).toContain('the store is unavailable');
});

test('a disk that is full in the middle of many writes loses none that was acknowledged', async () => {
  const house = await haunted({ boundable: true });
  const victim = await house.start();
  const residents = [];
  for (let nth = 0; nth < 4; nth++) residents.push(await house.resident());
  const chains = residents.map(({ person, signedIn: [first] }) => ({
    person,
    tokens: first?.tokens,
    refusal: undefined as object | undefined,
    done: 0,
  }));
  const refreshing = chains.map(async (chain) => {
    while (chain.tokens !== undefined && chain.refusal === undefined) {
      const answer = await house.player.refresh(chain.tokens);
      if ('error' in answer) chain.refusal = answer;
      else {
        chain.tokens = answer;
        chain.done += 1;
        // The log may grow by a little more than is in it now, so that some of the writes to come still fit.
        if (chain.done === 5) victim.boundFiles(300_000);
      }
    }
  });
  await Promise.all(refreshing);
  expect(chains.map(({ refusal }) => refusal)).toEqual(chains.map(() => ({ error: 'temporarily_unavailable' })));
  victim.kill();
  await victim.ended;
  await house.start();
  for (const { tokens } of chains) {
    // Its refresh token may have been spent by the attempt that was refused; it was answered, so it was written.
    const { active } = await house.library.introspect(tokens?.access_token ?? '');
    expect(active).toBe(true);
  }
});

test('a lock that another process holds for a moment delays, and refuses nothing', async () => {
  const house = await world();
  const { alice, player } = house;
  const tokens = await player.signIn(alice);
  const held = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const { DatabaseSync } = require('node:sqlite');
     const database = new DatabaseSync(workerData);
     database.exec('BEGIN EXCLUSIVE');
     parentPort.postMessage('held');
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
     database.exec('COMMIT');
     database.close();`,
    { eval: true, workerData: databaseFile(house.folder) },
  );
  const over = once(held, 'exit');
  await once(held, 'message');
  const began = performance.now();
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  expect(performance.now() - began).toBeGreaterThan(150);
  await over;
  await house.database.check();
});
