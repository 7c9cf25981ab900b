/** `store migrate`: what it makes, what it finds made, and that it needs nothing but a configuration. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { COLLECTIONS } from '../../src/store/mongo/schemas.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { engine } from '../support/store-under-test.ts';
import { here } from './support.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'curfew-migrate-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

/** A configuration whose keyring is nowhere. */
function configured(store: string, password?: string): string[] {
  const configFile = join(folder, 'curfew.yaml');
  if (password !== undefined) writeFileSync(join(folder, 'password'), password);
  const storePasswordFile = password === undefined ? {} : { storePasswordFile: './password' };
  writeFileSync(configFile, JSON.stringify({ store, keyringFile: './no/keyring.json', ...storePasswordFile }));
  return ['store', 'migrate', '--config', configFile];
}

describe('on SQLite', () => {
  const migrate = () => configured('sqlite:./curfew.db');
  const path = () => join(folder, 'curfew.db');
  const made = { engine: 'sqlite', to: 5, indexes: [], serverDeletesExpired: false };

  test('there is nothing to be done', async () => {
    await (await openSqliteStore({ path: path() })).close();
    const ended = await here(migrate());
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^schema +5$/m);
    expect(ended.stdout).toContain('Nothing is to be done.');
    expect((await here([...migrate(), '--json'])).json()).toEqual({ ...made, store: path(), from: 5 });
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });

  test('an older schema is brought up to date', async () => {
    await (await openSqliteStore({ path: path() })).close();
    const database = new DatabaseSync(path());
    database.exec('DROP INDEX events_unchained; DROP INDEX events_seq; DROP INDEX sign_outs_pending');
    database.exec("CREATE INDEX scopes_pending ON scopes (key) WHERE pending <> '[]'");
    for (const column of ['outcome', 'facts', 'commitment', 'seq', 'hash']) {
      database.exec(`ALTER TABLE events DROP COLUMN ${column}`);
    }
    for (const index of [
      'client_sessions_connection_account',
      'client_sessions_client_account',
      'identities_connection',
    ]) {
      database.exec(`DROP INDEX ${index}`);
    }
    for (const table of ['incident_members', 'incidents', 'leases']) database.exec(`DROP TABLE ${table}`);
    database.exec('ALTER TABLE accounts DROP COLUMN last_signed_in_at; PRAGMA user_version = 4');
    database.close();
    const ended = await here(migrate());
    expect(ended.stdout).toMatch(/^schema +5, was 4$/m);
    expect(ended.stdout).not.toContain('Nothing is to be done.');
    expect((await here([...migrate(), '--json'])).json()).toEqual({ ...made, store: path(), from: 5 });
  });

  test('where there is no database, none is made', async () => {
    const ended = await here(migrate());
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('there is no database at') });
    expect(existsSync(path())).toBe(false);
  });
});

describe.runIf(engine === 'mongodb')('on MongoDB', () => {
  let fresh: Fresh;
  let migrate: string[];
  beforeEach(async () => {
    fresh = await freshDatabase(onTestFinished);
    migrate = configured(fresh.address.url, fresh.address.password);
  });

  type Report = { readonly indexes: readonly { collection: string; index: string; status: string }[] };
  const count = Object.values(COLLECTIONS).reduce(
    (sum, collection) => sum + collection.indexes.length + ('expiry' in collection ? 1 : 0),
    0,
  );
  const reported = async (): Promise<Report> => (await here([...migrate, '--json'])).json() as Report;

  test('every index is made where nobody has started, and found the second time', async () => {
    const first = await reported();
    expect(first).toEqual({
      engine: 'mongodb',
      store: fresh.address.url,
      from: 0,
      to: 3,
      indexes: expect.any(Array),
      serverDeletesExpired: true,
    });
    expect(first.indexes).toHaveLength(count);
    for (const index of first.indexes) expect(index).toMatchObject({ status: 'made' });

    const second = await reported();
    expect(second).toMatchObject({ from: 3, to: 3, serverDeletesExpired: true });
    expect(second.indexes).toEqual(first.indexes.map((index) => ({ ...index, status: 'there' })));
    const ended = await here(migrate);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^deliveries +claim_1 +there$/m);
    expect(ended.stdout).toContain('is deleted by the server itself');
    expect(ended.stdout).toContain('Nothing is to be done.');
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });

  test('an index that is missing is made, and no other', async () => {
    await here(migrate);
    await fresh.collection('deliveries').dropIndex('claim_1');
    await fresh.collection('scopes').dropIndex('pending.at_1');
    const ended = await here(migrate);
    const made = ended.stdout.split('\n').filter((line) => line.endsWith(' made'));
    expect(made.map((line) => line.split(/ +/))).toEqual([
      ['scopes', 'pending.at_1', 'made'],
      ['deliveries', 'claim_1', 'made'],
    ]);
    expect(ended.stdout).not.toContain('Nothing is to be done.');
    const names = await fresh.collection('deliveries').indexes();
    expect(names.map(({ name }) => name)).toContain('claim_1');
  });

  test('whether the server deletes what has expired is told', async () => {
    // As on a server that keeps an index like any other of this.
    await fresh.collection('attempts').createIndex({ expiresAt: 1 });
    expect(await reported()).toMatchObject({ serverDeletesExpired: false });
    expect((await here(migrate)).stdout).toContain("is deleted by Curfew's sweeper");
  });

  test('what a newer Curfew has migrated is left as it is', async () => {
    await here(migrate);
    await fresh.collection('house').updateOne({ _id: 'schema' }, { $set: { version: 99 } });
    await fresh.collection('deliveries').dropIndex('claim_1');
    const ended = await here(migrate);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('written by a newer Curfew') });
    const names = await fresh.collection('deliveries').indexes();
    expect(names.map(({ name }) => name)).not.toContain('claim_1');
  });

  test('a database of somebody else gets none', async () => {
    await fresh.collection('songs').insertOne({ _id: 'one' });
    const ended = await here(migrate);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("not Curfew's (songs)") });
    expect((await fresh.db.listCollections().toArray()).map(({ name }) => name)).toEqual(['songs']);
  });
});
