/** How many Sign-outs are spread at once, and what does not keep the others waiting. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { addSeconds, systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { createFanOut } from '../../src/revocation/fan-out.ts';
import type { Store } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { artifact, at, clientSession, signOutOf } from '../support/records.ts';

/** A store, and a fan-out on it of which `watched` sees every batch before it is written. */
async function spreading(
  watched: (signOutId: string) => void | Promise<void> = () => {},
  asked: () => void | Promise<void> = () => {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-fan-out-'));
  const store = await openSqliteStore({ path: join(folder, 'curfew.db') });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const revocations: Store['revocations'] = {
    ...store.revocations,
    async pendingSignOuts(limit) {
      await asked();
      return store.revocations.pendingSignOuts(limit);
    },
    async fanOut(batch) {
      await watched(batch.signOut.id);
      await store.revocations.fanOut(batch);
    },
  };
  const fanOut = createFanOut({
    store: { ...store, revocations },
    clock: systemClock,
    log: createLog({ level: 'fatal', destination: { write: () => {} } }),
    tellable: async () => ({ sessionRequired: false }),
    deadlineHours: 72,
    written: () => {},
  });
  return { store, fanOut };
}

const signOutEach = async (store: Store, names: readonly string[]): Promise<void> => {
  await Promise.all(
    names.map(async (name) => {
      await store.artifacts.save(artifact(name), clientSession(name, { accountId: name }));
      await store.revocations.signOut(signOutOf(`of-${name}`, `account:${name}`));
    }),
  );
};

const named = (count: number): string[] => Array.from({ length: count }, (_, nth) => `person-${nth}`);

test('those of one person each are spread together, as many as there is room for, and every one of them', async () => {
  let present = 0;
  let most = 0;
  const { store, fanOut } = await spreading(async () => {
    present += 1;
    most = Math.max(most, present);
    await new Promise((resolve) => setImmediate(resolve));
    present -= 1;
  });
  await signOutEach(store, named(250));
  await fanOut.runUntilIdle();
  expect(most).toBe(16);
  expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
  expect(await store.deliveries.counts({})).toMatchObject({ pending: 250 });
});

test('those of many people come one after the other, and keep nobody else waiting', async () => {
  const opened = Promise.withResolvers<void>();
  const begun: string[] = [];
  const { store, fanOut } = await spreading(async (id) => {
    begun.push(id);
    if (id === 'everyone') await opened.promise;
  });
  await store.artifacts.save(artifact('tv'), clientSession('tv', { clientId: 'tv', accountId: 'somebody' }));
  await store.revocations.signOut(signOutOf('everyone', 'everyone'));
  await store.revocations.signOut(signOutOf('app', 'client:tv', { at: at(1) }));
  await signOutEach(store, named(20));
  const running = fanOut.runUntilIdle();
  await expect.poll(() => begun.length).toBe(21);
  expect(begun).not.toContain('app');
  opened.resolve();
  await running;
  expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
});

test('those that another process holds, or that cannot be spread, do not hide the others behind them', async () => {
  const { store, fanOut } = await spreading((id) => {
    if (id === 'of-person-7') throw new Error('not now');
  });
  const names = named(150);
  await signOutEach(store, names);
  const now = new Date();
  const held = (await store.revocations.pendingSignOuts(500)).slice(0, 110);
  for (const signOut of held) {
    await store.revocations.leaseSignOut?.({ signOut, holder: 'another', now, leaseUntil: addSeconds(now, 60) });
  }
  await fanOut.runUntilIdle().catch(() => undefined);
  const left = (await store.revocations.pendingSignOuts(500)).map(({ id }) => id).sort();
  expect(left).toEqual([...new Set([...held.map(({ id }) => id), 'of-person-7'])].sort());
});

test('where the store goes away meanwhile, nothing goes on behind the back of whoever waits', async () => {
  const begun = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let [present, questions] = [0, 0];
  const { store, fanOut } = await spreading(
    async () => {
      present += 1;
      if (present === 3) begun.resolve();
      await opened.promise;
      present -= 1;
    },
    async () => {
      questions += 1;
      if (questions < 2) return;
      await begun.promise;
      gone.resolve();
      throw new Error('it is gone');
    },
  );
  await signOutEach(store, named(3));
  const ended = fanOut.runUntilIdle().then(
    () => 'well',
    (fault: unknown) => ({ fault, left: present }),
  );
  await gone.promise;
  await new Promise((resolve) => setImmediate(resolve));
  opened.resolve();
  expect(await ended).toEqual({ fault: new Error('it is gone'), left: 0 });
});
