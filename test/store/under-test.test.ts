/** The eyes of every other test: whatever is written to the store under test is seen from outside, on either engine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { StoreUnusable } from '../../src/store/port.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  delivery,
  identifiers,
  signingKey,
  signOutOf,
  start,
} from '../support/records.ts';
import { type Rows, storeUnderTest } from '../support/store-under-test.ts';

async function looking() {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-looking-'));
  const database = await storeUnderTest(folder);
  onTestFinished(async () => {
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = async () => {
    const store = await database.open();
    onTestFinished(() => store.close());
    return store;
  };
  return { database, open };
}

/** How many rows each table gained. */
const gained = (before: Rows, after: Rows): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after)
      .map(([table, rows]) => [table, rows.length - (before[table]?.length ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );

test('every kind of record is seen in its table, under its own names', async () => {
  const { database, open } = await looking();
  const { accounts, catalogue, artifacts, revocations } = await open();
  const before = await database.rows();

  await accounts.insert(account('alice'), identifiers('alice'));
  await catalogue.saveClient(client('player'));
  await catalogue.addSigningKey(signingKey('first'));
  await catalogue.settle('a fact', 'is kept');
  await artifacts.save(
    artifact('token', { accountId: 'alice', stamps: { everyone: 0 } }),
    clientSession('grant-1', { clientId: 'player' }),
  );
  const signOut = await revocations.signOut(signOutOf('sign-out', 'account:alice'));
  await revocations.fanOut({ signOut, deliveries: [delivery('delivery')], ended: ['grant-1'] });
  await accounts.addFailure({ key: 'password:alice', now: start, delaySeconds: () => 1 });
  await accounts.countAttempt({ key: 'address', windowStart: start, expiresAt: at(60) });

  const after = await database.rows();
  expect(gained(before, after)).toMatchObject({
    accounts: 1,
    clients: 1,
    signing_keys: 1,
    facts: 1,
    artifacts: 1,
    client_sessions: 1,
    sign_outs: 1,
    deliveries: 1,
    failures: 1,
    attempts: 1,
    scopes: expect.any(Number),
  });
  const { key } = artifact('token');
  expect(after).toMatchObject({
    accounts: [{ id: 'alice', status: 'active', sealedEmail: 'sealed:email:alice', passwordHash: 'hash:alice:first' }],
    clients: [{ id: 'player', source: 'command' }],
    artifacts: [{ key: new Uint8Array(key), model: 'AccessToken', accountId: 'alice' }],
    sign_outs: [{ id: 'sign-out', reason: 'lost laptop' }],
    deliveries: [{ id: 'delivery', clientId: 'player', status: 'pending', sid: null }],
    failures: [{ failures: 1 }],
  });
  await database.check();
});

test('a sign-out is one row, pending or complete, and nothing is lost from sight in between', async () => {
  const { database, open } = await looking();
  const { revocations } = await open();
  const signOut = await revocations.signOut(signOutOf('sign-out', 'everyone'));
  const pending = await database.rows();
  await revocations.completeSignOut(signOut);
  const complete = await database.rows();
  expect([pending, complete].map((rows) => rows['sign_outs'])).toMatchObject([
    [{ id: 'sign-out' }],
    [{ id: 'sign-out' }],
  ]);
});

test('what is changed behind its back is what the store says then', async () => {
  const { database, open } = await looking();
  const store = await open();
  const signOut = await store.revocations.signOut(signOutOf('sign-out', 'account:alice'));
  const owed = [delivery('first'), delivery('second', { clientId: 'cinema' })];
  await store.revocations.fanOut({ signOut, deliveries: owed, ended: [] });
  const change = { where: { clientId: 'cinema' }, set: { status: 'rejected', nextAttemptAt: null } };
  expect(await database.alter('deliveries', change)).toBe(1);
  expect(await store.deliveries.find('first')).toMatchObject({ status: 'pending', nextAttemptAt: start });
  expect(await store.deliveries.find('second')).toMatchObject({ status: 'rejected', nextAttemptAt: null });

  await store.revocations.completeSignOut(signOut);
  expect(await database.alter('sign_outs', { set: { at: at(7) } })).toBe(1);
  expect(await store.revocations.findSignOut('sign-out')).toMatchObject({ at: at(7) });

  await store.catalogue.settle('a fact', 'is kept');
  await database.empty('facts');
  expect(await store.catalogue.fact('a fact')).toBeNull();

  await database.pretendSchema(999);
  await expect(open()).rejects.toThrow(StoreUnusable);
});

test('a thief finds what is not sealed', async () => {
  const { database, open } = await looking();
  const store = await open();
  await store.catalogue.settle('a fact', 'in plain words');
  for (const settled of [false, true]) {
    const found = Object.values(await database.bytes({ settled })).filter((bytes) => bytes.includes('in plain words'));
    expect(found.length).toBeGreaterThan(0);
  }
});
