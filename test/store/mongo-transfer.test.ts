/** What only MongoDB can be left in, and what only another engine can show: rows that are read from one and kept by the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import type { Store } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { freshDatabase } from '../support/mongodb/fresh.ts';
import { artifact, at, clientSession, delivery, signOutOf } from '../support/records.ts';
import { furnish, looked } from './conformance/furnished.ts';
import { carry, everything, rowsOf } from './conformance/transfer.ts';

async function inFile(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-transfer-'));
  const store = await openSqliteStore({ path: join(folder, 'curfew.db') });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}

const onServer = async (): Promise<Store> => (await freshDatabase(onTestFinished)).open();

const unordered = (kinds: Awaited<ReturnType<typeof everything>>) => ({
  ...kinds,
  artifacts: kinds.artifacts.map(({ order: _order, ...row }: { order?: number }) => row),
});

describe('from one engine to the other and back', () => {
  test('every row is the same', async () => {
    const [start, file, end] = [await onServer(), await inFile(), await onServer()];
    await furnish(start);
    await carry(start, file);
    await carry(file, end);
    expect(unordered(await everything(file))).toEqual(unordered(await everything(start)));
    expect(unordered(await everything(end))).toEqual(unordered(await everything(start)));
  });

  test('which of two was saved first is known everywhere, and what is saved later is later', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const stores = [await onServer(), await inFile(), await onServer(), await inFile()];
    const [first, ...others] = stores as [Store, ...Store[]];
    const saved: string[] = [];
    const save = async (store: Store): Promise<void> => {
      // By name, and so by key, in no order.
      const name = `${(saved.length * 7) % 10}-${saved.length}`;
      saved.push(name);
      await store.artifacts.save(
        artifact(name, { model: 'Session', uid: 'laptop', accountId: 'alice', payload: name, expiresAt: at(9e6) }),
      );
    };
    for (let nth = 0; nth < 12; nth += 1) await save(first);
    let from = first;
    for (const to of others) {
      await carry(from, to);
      // No copy and no start is so quick that the clock would show the same second.
      vi.setSystemTime(Date.now() + 1000);
      for (let nth = 0; nth < 3; nth += 1) await save(to);
      expect((await to.artifacts.sessionsOf('alice', looked)).map(({ payload }) => payload)).toEqual(saved);
      expect(await to.artifacts.findByUid('Session', 'laptop', looked)).toMatchObject({ payload: saved.at(-1) });
      from = to;
    }
  });
});

test('a sign-out that was cut off between its own document and its scope’s is pending', async () => {
  const fresh = await freshDatabase(onTestFinished);
  const store = await fresh.open();
  await store.artifacts.save(artifact('token'), clientSession('grant'));
  const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
  await store.revocations.fanOut({ signOut, deliveries: [delivery('d')], ended: ['grant'] });
  await fresh.collection('sign_outs').updateOne({ _id: 'one' }, { $set: { status: 'complete' } });
  expect(await rowsOf(store, 'signOuts')).toMatchObject([{ id: 'one', status: 'pending', endedSessions: 1 }]);
  expect(await store.transfer.count('signOuts', looked)).toBe(1);

  const file = await inFile();
  await carry(store, file);
  expect(await file.revocations.pendingSignOuts(5)).toEqual([signOut]);
  expect(unordered(await everything(file))).toEqual(unordered(await everything(store)));
});

test('a document that does not fit its schema is refused aloud', async () => {
  const store = await onServer();
  await furnish(store);
  const [account] = await rowsOf(store, 'accounts');
  if (account === undefined) throw new Error('nobody is there');
  const broken = { ...account, createdAt: 'yesterday' as unknown as Date };
  await expect(store.transfer.write('accounts', [broken])).rejects.toThrow('write accounts');
});
