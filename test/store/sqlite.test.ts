/** The embedded engine: the port's specification, and what only a file can promise or break. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Store, StoreUnavailable, StoreUnusable } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import {
  account,
  artifact,
  at,
  clientSession,
  credential,
  day,
  delivery,
  digest,
  event,
  identifiers,
  identity,
  mail,
  signOutOf,
  start,
  year,
} from '../support/records.ts';
import { storeConformance } from './conformance.ts';

const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'curfew-store-'));

storeConformance('the store on SQLite', async () => {
  const folder = temporaryFolder();
  return {
    open: () => openSqliteStore({ path: join(folder, 'curfew.db') }),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

describe('SQLite', () => {
  let folder: string;
  let path: string;
  let opened: Store[];

  const open = async (at = path) => {
    const store = await openSqliteStore({ path: at });
    opened.push(store);
    return store;
  };

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, 'curfew.db');
    opened = [];
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    for (const store of opened) await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Looks into the file from outside, on a connection of its own. */
  const look = <T>(ask: (database: DatabaseSync) => T, where = path): T => {
    const database = new DatabaseSync(where);
    try {
      return ask(database);
    } finally {
      database.close();
    }
  };

  const pragma = (database: DatabaseSync, name: string) =>
    Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];

  const tables = (database: DatabaseSync) =>
    database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();

  /** Watches every statement of every connection; `fail` makes those it matches fail as SQLite itself would. */
  const watch = () => {
    const { exec } = DatabaseSync.prototype;
    const { run } = StatementSync.prototype;
    const said: string[] = [];
    const connections = new Set<DatabaseSync>();
    const watching = { said, connections, fail: (_sql: string): boolean => false };
    const say = (sql: string) => {
      said.push(sql);
      if (watching.fail(sql)) {
        throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
      }
    };
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
      connections.add(this);
      say(sql);
      exec.call(this, sql);
    });
    vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...values) {
      say(this.sourceSQL);
      return Reflect.apply(run, this, values);
    });
    return watching;
  };

  const isCommit = (sql: string) => /^\s*(commit|end)\b/i.test(sql);

  const refuses = async (where = path) => {
    const refusal = await openSqliteStore({ path: where }).then(
      (store) => store.close(),
      (fault: unknown) => fault,
    );
    expect(refusal).toBeInstanceOf(StoreUnusable);
    return refusal as StoreUnusable;
  };

  describe('durability', () => {
    test('the file is in WAL mode, and every connection that writes synchronises each commit', async () => {
      const { connections } = watch();
      const store = await open();
      await store.ping();
      expect(connections.size).toBeGreaterThan(0);
      for (const connection of connections) {
        expect(pragma(connection, 'journal_mode')).toBe('wal');
        expect(pragma(connection, 'synchronous')).toBe(2); // FULL
      }
      expect(look((database) => pragma(database, 'journal_mode'))).toBe('wal');
    });

    test('what was acknowledged is in the files: a copy taken as a crash would leave them has it', async () => {
      const store = await open();
      await store.accounts.insert(account('alice'), identifiers('alice'));
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice'));
      const copy = join(folder, 'copy.db');
      for (const suffix of ['', '-wal']) {
        if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
      }
      const crashed = await open(copy);
      expect(await crashed.accounts.find('alice')).toEqual(account('alice'));
      expect(await crashed.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
      expect(await crashed.revocations.pendingSignOuts(5)).toEqual([signOut]);
    });
  });

  describe('group commit', () => {
    const saveMany = (store: Store, count: number) =>
      Array.from({ length: count }, (_, index) => store.artifacts.save(artifact(`one-${index}`)));

    test('writes of one turn share one commit', async () => {
      const watching = watch();
      const store = await open();
      watching.said.length = 0;
      await Promise.all([...saveMany(store, 30), store.ping(), store.accounts.clearFailures('key')]);
      expect(watching.said.filter(isCommit)).toHaveLength(1);
    });

    test('writes of another turn have a commit of their own', async () => {
      const watching = watch();
      const store = await open();
      watching.said.length = 0;
      await store.artifacts.save(artifact('one'));
      await store.artifacts.save(artifact('two'));
      expect(watching.said.filter(isCommit)).toHaveLength(2);
    });

    test('one that fails does not fail its neighbours, and leaves nothing of itself', async () => {
      const watching = watch();
      const store = await open();
      watching.said.length = 0;
      const failing = store.accounts.addFailure({
        key: 'key',
        now: start,
        delaySeconds: () => {
          throw new Error('no such delay');
        },
      });
      const [failed, ...saved] = await Promise.allSettled([failing, ...saveMany(store, 10)]);
      expect(failed.status).toBe('rejected');
      expect(saved.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'fulfilled'));
      expect(watching.said.filter(isCommit)).toHaveLength(1);
      const other = await open();
      expect(await other.accounts.throttle('key')).toEqual({ failures: 0, blockedUntil: null });
      expect(await other.artifacts.find(artifact('one-9').key, start)).not.toBeNull();
    });

    test('one that fails half-way through undoes its first half, and no neighbour', async () => {
      const watching = watch();
      const store = await open();
      await store.accounts.insert(account('alice'), identifiers('alice'));
      // The password is set first or the epoch raised first: either way the sign-out's own row cannot be written.
      watching.fail = (sql) => /insert\s+into\s+sign_outs/i.test(sql);
      const [change, neighbour] = await Promise.allSettled([
        store.accounts.setPassword({
          accountId: 'alice',
          hash: 'hash:new',
          changedAt: at(1),
          signOut: signOutOf('one', 'account:alice'),
        }),
        store.artifacts.save(artifact('neighbour')),
      ]);
      expect(change).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
      expect(neighbour.status).toBe('fulfilled');
      const other = await open();
      expect(await other.accounts.find('alice')).toEqual(account('alice'));
      expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
      expect(await other.revocations.pendingSignOuts(5)).toEqual([]);
      expect(await other.artifacts.find(artifact('neighbour').key, start)).not.toBeNull();
    });

    test('a commit that fails rejects every caller of the group, keeps nothing, and the next one works', async () => {
      const watching = watch();
      const store = await open();
      await store.accounts.insert(account('alice'), identifiers('alice'));
      watching.fail = isCommit;
      const outcomes = await Promise.allSettled([
        ...saveMany(store, 10),
        store.revocations.signOut(signOutOf('one', 'account:alice')),
        store.ping(),
      ]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
      }
      watching.fail = () => false;

      const other = await open();
      for (const handle of [store, other]) {
        expect(await handle.artifacts.find(artifact('one-0').key, start)).toBeNull();
        expect(await handle.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
        expect(await handle.revocations.findSignOut('one')).toBeNull();
      }
      await store.ping();
      await store.artifacts.save(artifact('after'));
      expect(await other.artifacts.find(artifact('after').key, start)).not.toBeNull();
    });
  });

  describe('faults', () => {
    test('a full disk is refused aloud, and what was kept is intact', async () => {
      const { connections } = watch();
      const store = await open();
      await store.artifacts.save(artifact('before'));
      const large = artifact('large', { payload: JSON.stringify('x'.repeat(4_000_000)) });
      for (const connection of connections)
        connection.exec(`PRAGMA max_page_count = ${Number(pragma(connection, 'page_count'))}`);
      await expect(store.artifacts.save(large)).rejects.toBeInstanceOf(StoreUnavailable);
      expect(await store.artifacts.find(artifact('before').key, start)).not.toBeNull();
      expect(await store.artifacts.find(large.key, start)).toBeNull();
      for (const connection of connections) connection.exec('PRAGMA max_page_count = 4294967294');
      await store.artifacts.save(large);
      expect((await store.artifacts.find(large.key, start))?.payload).toBe(large.payload);
      expect(look((database) => pragma(database, 'integrity_check'))).toBe('ok');
    });

    test('a file another process keeps locked is unavailable for writes, readable meanwhile, and recovers', async () => {
      const { connections } = watch();
      const store = await open();
      await store.artifacts.save(artifact('before'));
      for (const connection of connections) connection.exec('PRAGMA busy_timeout = 0');
      const locking = new DatabaseSync(path);
      locking.exec('BEGIN IMMEDIATE');
      await expect(store.artifacts.save(artifact('after'))).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable);
      expect(await store.artifacts.find(artifact('before').key, start)).not.toBeNull();
      locking.exec('ROLLBACK');
      locking.close();
      await store.artifacts.save(artifact('after'));
      await store.ping();
    });
  });

  describe('the schema', () => {
    test('is numbered: a new file is brought to the present number, and opening it again changes nothing', async () => {
      const first = await open();
      await first.close();
      const version = look((database) => pragma(database, 'user_version'));
      const schema = look((database) => database.prepare('SELECT sql FROM sqlite_schema ORDER BY rowid').all());
      expect(version).toBeGreaterThanOrEqual(1);

      const { said } = watch();
      await open();
      expect(said.filter((sql) => /\b(create|alter|drop)\b/i.test(sql))).toEqual([]);
      expect(look((database) => pragma(database, 'user_version'))).toBe(version);
      expect(look((database) => database.prepare('SELECT sql FROM sqlite_schema ORDER BY rowid').all())).toEqual(
        schema,
      );
    });

    /** Takes the file back to where the step before the present one left it. */
    const UNDO_5 = `
      DROP INDEX events_unchained; DROP INDEX events_seq; ALTER TABLE events DROP COLUMN hash;
      ALTER TABLE events DROP COLUMN seq; ALTER TABLE events DROP COLUMN commitment;
      ALTER TABLE events DROP COLUMN facts; ALTER TABLE events DROP COLUMN outcome;
      CREATE INDEX scopes_pending ON scopes (key) WHERE pending <> '[]'; DROP INDEX sign_outs_pending;
      DROP INDEX client_sessions_connection_account; DROP INDEX client_sessions_client_account;
      DROP TABLE incident_members; DROP TABLE incidents; DROP TABLE leases; DROP INDEX identities_connection;
      ALTER TABLE accounts DROP COLUMN last_signed_in_at; PRAGMA user_version = 4;`;
    const UNDO_4 = `${UNDO_5}
      DROP TABLE credentials; DROP TABLE mails; DROP TABLE events;
      ALTER TABLE accounts DROP COLUMN password_reset_required_at; ALTER TABLE accounts DROP COLUMN email_verified_at;
      ALTER TABLE accounts DROP COLUMN locale; PRAGMA user_version = 3;`;
    const schema = () =>
      look((database) =>
        database.prepare("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name").all(),
      );

    test('the fourth number is brought up to date, and knows who is signed in where and what is still pending', async () => {
      const store = await open();
      await store.accounts.insert(account('alice'), identifiers('alice'));
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      await store.artifacts.save(artifact('code'), clientSession('grant'));
      const signOut = await store.revocations.signOut(signOutOf('one', 'client:tv'));
      await store.journal.append([event('one')]);
      await store.outbox.enqueue([mail('one')]);
      await store.close();
      const present = schema();
      look((database) => database.exec(UNDO_5));
      expect(schema()).not.toEqual(present);
      const again = await open();
      expect(schema()).toEqual(present);
      const alice = account('alice');
      for (const condition of [{ clientId: 'player' }, { connectionId: 'corp' }, { signedInBefore: start }]) {
        expect(await again.cohorts.matching(condition, { limit: 5 })).toEqual([alice]);
      }
      expect(await again.revocations.pendingSignOuts(5)).toEqual([signOut]);
      expect(await again.journal.eventsOf('alice', { limit: 5 })).toEqual([event('one', { commitment: '' })]);
      expect(await again.outbox.find('one')).toEqual(mail('one'));
      await again.accounts.noteSignIn({ accountId: 'alice', at: at(5) });
      expect(await again.accounts.find('alice')).toEqual({ ...alice, lastSignedInAt: at(5) });
      expect(await again.incidents.open({ id: 'inc_1', openedAt: start, state: '{}' })).toBe(true);
      expect(await again.leases.hold({ name: 'work', holder: 'me', now: start, leaseUntil: at(9) })).toBe(true);
    });

    test('the third number is brought up to date, and knows of its people what it knew', async () => {
      const store = await open();
      await store.accounts.insert(account('alice', { admin: true }), identifiers('alice'));
      await store.accounts.linkIdentity(identity('corp:1', 'alice'));
      await store.close();
      const present = schema();
      look((database) => database.exec(UNDO_4));
      expect(schema()).not.toEqual(present);
      const again = await open();
      expect(schema()).toEqual(present);
      expect(await again.accounts.findByIdentifier('index:alice')).toEqual(account('alice', { admin: true }));
      expect(await again.accounts.identitiesOf('alice')).toEqual([identity('corp:1', 'alice')]);
      expect(await again.accounts.addCredential(credential('key', 'alice'), { most: 1 })).toBe('added');
      expect(await again.outbox.enqueue([mail('one')])).toBe(1);
    });

    test('the first number is brought up to date with what its sign-outs ended counted', async () => {
      const store = await open();
      for (const [index, accountId] of ['alice', 'alice', 'bob'].entries()) {
        const session = clientSession(`grant-${index}`, { accountId, selfContainedUntil: at(index) });
        await store.artifacts.save(artifact(`code-${index}`), session);
      }
      const signOut = await store.revocations.signOut(signOutOf('one', 'everyone'));
      await store.revocations.signOut(signOutOf('two', 'everyone'));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['grant-0', 'grant-1', 'grant-2'] });
      await store.close();
      const present = schema();
      look((database) =>
        database.exec(`${UNDO_4}
          DROP INDEX client_sessions_ended_account; DROP INDEX client_sessions_ended_client;
          DROP INDEX client_sessions_alive; DROP INDEX scopes_raised; DROP TABLE identities; DROP TABLE connections;
          ALTER TABLE sign_outs DROP COLUMN ended_sessions; ALTER TABLE sign_outs DROP COLUMN ended_accounts;
          ALTER TABLE sign_outs DROP COLUMN ended_clients; ALTER TABLE sign_outs DROP COLUMN self_contained_until;
          CREATE INDEX client_sessions_ended_at ON client_sessions (ended_at) WHERE ended_at IS NOT NULL;
          PRAGMA user_version = 1`),
      );
      const again = await open();
      expect(schema()).toEqual(present);
      const counted = { sessions: 3, accounts: 2, clients: 1, selfContainedUntil: at(2) };
      expect(await again.revocations.ended('one')).toEqual(counted);
      expect(await again.revocations.ended('two')).toEqual({
        sessions: 0,
        accounts: 0,
        clients: 0,
        selfContainedUntil: null,
      });
    });

    test('an empty file is a new store', async () => {
      writeFileSync(path, '');
      const store = await open();
      await store.ping();
      expect(await store.accounts.count()).toBe(0);
    });

    test('a step that fails leaves the file at the number it had, with nothing of the step', async () => {
      const taken = await open();
      await taken.close();
      // A table of the first step is there already, though the file says that no step has run.
      const name = look((database) => tables(database)).at(-1)?.['name'];
      rmSync(path);
      look((database) => database.exec(`CREATE TABLE "${String(name)}" (somebody TEXT)`));
      const before = look((database) => tables(database));
      await refuses();
      expect(look((database) => pragma(database, 'user_version'))).toBe(0);
      expect(look((database) => tables(database))).toEqual(before);
    });

    for (const journal of ['wal', 'delete']) {
      test(`a file of a newer schema is refused and left as it is (journal mode ${journal})`, async () => {
        const store = await open();
        await store.accounts.insert(account('alice'), identifiers('alice'));
        await store.close();
        look((database) => {
          database.exec(`PRAGMA journal_mode = ${journal}`);
          database.exec(`PRAGMA user_version = ${Number(pragma(database, 'user_version')) + 1}`);
        });
        const before = readFileSync(path);
        expect((await refuses()).message).toMatch(/newer/);
        expect(readFileSync(path).equals(before)).toBe(true);
      });
    }

    test('two handles that open a new file at once both have it', async () => {
      const [one, two] = await Promise.all([open(), open()]);
      await one.accounts.insert(account('alice'), identifiers('alice'));
      expect(await two.accounts.count()).toBe(1);
    });
  });

  describe('what grows with the house', () => {
    test('a sweep walks everything, batch after batch, and says that there is more until a whole walk found nothing', async () => {
      const store = await open();
      for (let index = 0; index < 10; index += 1) await store.artifacts.save(artifact(`live-${index}`));
      await store.artifacts.save(artifact('dead', { expiresAt: at(1) }));
      const seen = [];
      for (let round = 0; round < 6; round += 1) seen.push(await store.sweep({ now: at(2), limit: 4 }));
      const walk = [
        { swept: 0, more: true },
        { swept: 0, more: true },
      ];
      expect(seen).toEqual([...walk, { swept: 1, more: true }, ...walk, { swept: 0, more: false }]);
    });

    /** How SQLite goes about every statement that `work` prepares, those it prepared before left out. */
    const plansOf = async (work: () => Promise<unknown>): Promise<string[]> => {
      const { prepare } = DatabaseSync.prototype;
      const asked = new Set<string>();
      vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql) {
        asked.add(sql);
        return prepare.call(this, sql);
      });
      await work();
      vi.restoreAllMocks();
      return look((database) =>
        [...asked].flatMap((sql) =>
          database
            .prepare(`EXPLAIN QUERY PLAN ${sql}`)
            .all()
            .map((step) => String(step['detail'])),
        ),
      );
    };
    const scans = (plans: readonly string[]) =>
      plans.filter((plan) =>
        /^SCAN (a|accounts|artifacts|c|client_sessions|credentials|d|deliveries|events|mails|o|s|scopes|sign_outs)\b/.test(
          plan,
        ),
      );
    const everyone = async (store: Store) => {
      for (const grantId of ['a', 'b']) {
        await store.artifacts.save(artifact(grantId, { expiresAt: at(60) }), clientSession(grantId));
      }
      return store.revocations.signOut(signOutOf('one', 'everyone'));
    };

    test('is swept along an index, down to each row', async () => {
      const store = await open();
      const signOut = await everyone(store);
      for (const key of ['grant:a', 'session:laptop'] as const) {
        await store.revocations.completeSignOut(await store.revocations.signOut(signOutOf(key, key)));
      }
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['a', 'b'] });
      await store.revocations.completeSignOut(signOut);
      let swept = 0;
      const plans = await plansOf(async () => {
        for (let more = true; more;) {
          const batch = await store.sweep({ now: at(3 * year), limit: 100 });
          swept += batch.swept;
          more = batch.more;
        }
      });
      // Two artifacts, two client sessions, three sign-outs, a grant and a session.
      expect(swept).toBe(9);
      expect(plans.filter((plan) => plan.includes('scopes_raised'))).not.toEqual([]);
      expect(plans.filter((plan) => plan.includes('sign_outs_at'))).not.toEqual([]);
      expect(scans(plans)).toEqual([]);
    });

    test('a sweep looks at no row of a sign-out that has to stay', async () => {
      const store = await open();
      const grants = Array.from({ length: 2000 }, (_, index) => `grant-${index}`);
      await Promise.all(
        grants.map((grantId) => store.artifacts.save(artifact(grantId, { expiresAt: at(60) }), clientSession(grantId))),
      );
      const signOut = await store.revocations.signOut(signOutOf('one', 'everyone'));
      await store.revocations.fanOut({ signOut, deliveries: [delivery('d', { signOutId: 'one' })], ended: grants });
      await store.revocations.completeSignOut(signOut);
      while ((await store.sweep({ now: at(day), limit: 1000 })).more);
      const watching = watch();
      expect(await store.sweep({ now: at(year), limit: 1000 })).toEqual({ swept: 0, more: false });
      expect(watching.said.filter((sql) => sql.includes('client_sessions'))).toEqual([]);
    });

    test('is ended for everyone along those that live, and counted on the sign-out’s own row', async () => {
      const store = await open();
      const signOut = await everyone(store);
      const walking = await plansOf(() => store.revocations.sessionsToEnd(signOut, { limit: 5 }));
      expect(walking[0]).toContain('client_sessions_alive');
      const ending = await plansOf(() => store.revocations.fanOut({ signOut, deliveries: [], ended: ['a'] }));
      expect(ending.filter((plan) => /ended_(account|client)/.test(plan))).toHaveLength(2);
      expect(scans(ending)).toEqual([]);
      const counting = await plansOf(() => store.revocations.ended('one'));
      expect(counting).toEqual([expect.stringMatching(/^SEARCH sign_outs /)]);
    });

    test('mails are found along an index, whatever is asked of them', async () => {
      const store = await open();
      const one = mail('one', { createdAt: at(-year) });
      const plans = await plansOf(async () => {
        await store.outbox.enqueue([one]);
        const [lease] = await store.outbox.claim({ now: start, leaseUntil: at(60), limit: 5 });
        if (lease === undefined) throw new Error('one was due');
        await store.outbox.nextDueAt();
        const failed = { attempts: 1, nextAttemptAt: null, lastAttemptAt: start, lastOutcome: 'timeout' };
        await store.outbox.settle({ id: 'one', fence: lease.fence, status: 'rejected', ...failed });
        await store.outbox.release([lease]);
        await store.outbox.find('one');
        await store.outbox.counts();
        for (const filter of [{ status: 'sent' } as const, { accountId: 'alice' }]) {
          await store.outbox.list({ ...filter, page: { limit: 5 } });
          await store.outbox.list({ status: 'pending', ...filter, page: { after: 'a', limit: 5 } });
        }
        const again = { now: start, deadlineAt: at(day), limit: 500 };
        await store.outbox.revive(again);
        await store.outbox.revive({ ...again, ids: ['one'] });
        await store.sweep({ now: at(day), limit: 5 });
      });
      for (const index of ['due', 'leased', 'status', 'account', 'over']) {
        expect(plans.filter((plan) => plan.includes(`mails_${index}`))).not.toEqual([]);
      }
      expect(scans(plans)).toEqual([]);
      expect(plans.filter((plan) => plan.includes('TEMP B-TREE'))).toEqual([]);
    });

    test('credentials and the journal are found along an index, in their order', async () => {
      const store = await open();
      await store.accounts.insert(account('alice'), identifiers('alice'));
      const plans = await plansOf(async () => {
        await store.accounts.addCredential(credential('key', 'alice'), { most: 3 });
        const change = { id: 'key', accountId: 'alice', revision: 0, sealed: 'sealed', usedAt: start };
        await store.accounts.changeCredential(change);
        await store.accounts.credentialsOf('alice');
        await store.accounts.findCredential('key');
        await store.accounts.removeCredential({ accountId: 'alice', id: 'key' });
        await store.journal.append([event('one')]);
        await store.journal.eventsOf('alice', { limit: 5 });
        await store.journal.eventsOf('alice', { after: event('one'), limit: 5 });
        await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
      });
      expect(plans.filter((plan) => plan.includes('credentials_account'))).not.toEqual([]);
      expect(plans.filter((plan) => plan.includes('events_account'))).not.toEqual([]);
      expect(plans.filter((plan) => plan.startsWith('SCAN') || plan.includes('TEMP B-TREE'))).toEqual([]);
    });

    test('is revived along an index, named or not', async () => {
      const store = await open();
      const again = { now: start, deadlineAt: at(day), limit: 500 };
      const plans = await plansOf(async () => {
        await store.deliveries.revive(again);
        await store.deliveries.revive({ ...again, clientId: 'player' });
        await store.deliveries.revive({ ...again, ids: ['one'] });
      });
      const full = scans(plans).filter((plan) => !/USING (COVERING )?INDEX deliveries_(rejected|abandoned)/.test(plan));
      expect(full).toEqual([]);
    });
  });

  describe('a file that cannot be used', () => {
    test('one that is no database is refused and left as it is', async () => {
      writeFileSync(path, 'Dear diary, '.repeat(1000));
      const before = readFileSync(path);
      expect((await refuses()).message).toContain(path);
      expect(readFileSync(path).equals(before)).toBe(true);
    });

    test('one that is shorter than a header, but not empty, is refused and left as it is', async () => {
      writeFileSync(path, 'SQLite');
      await refuses();
      expect(readFileSync(path, 'utf8')).toBe('SQLite');
    });

    test('one that is garbage behind a right beginning is refused and left as it is', async () => {
      const garbage = Buffer.alloc(20_000, 0xa5);
      garbage.write('SQLite format 3\0', 'latin1');
      writeFileSync(path, garbage);
      await refuses();
      expect(readFileSync(path).equals(garbage)).toBe(true);
    });

    test('one that was cut short is refused and left as it is', async () => {
      const store = await open();
      await store.artifacts.save(
        artifact('one', { payload: JSON.stringify('x'.repeat(100_000)) }),
        clientSession('grant'),
      );
      await store.close();
      truncateSync(path, 8192);
      const before = readFileSync(path);
      await refuses();
      expect(readFileSync(path).equals(before)).toBe(true);
    });

    test('a folder in its place is refused', async () => {
      mkdirSync(path);
      await refuses();
    });
  });

  describe('the data folder', () => {
    test('is made when it is not there, for its owner alone', async () => {
      const inside = join(folder, 'deep', 'down', 'curfew.db');
      const store = await open(inside);
      await store.ping();
      expect(existsSync(inside)).toBe(true);
      if (process.platform !== 'win32') expect(statSync(dirname(inside)).mode & 0o077).toBe(0);
    });

    test('one that cannot be made is refused, and says which', async () => {
      writeFileSync(join(folder, 'file'), 'in the way');
      const refusal = await refuses(join(folder, 'file', 'curfew.db'));
      expect(refusal.message).toContain(join(folder, 'file'));
      expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('in the way');
    });

    // Who is root may write anywhere.
    test.skipIf(process.getuid?.() === 0)('one that cannot be written is refused, and says which', async () => {
      const locked = join(folder, 'locked');
      mkdirSync(locked, { mode: 0o500 });
      expect((await refuses(join(locked, 'curfew.db'))).message).toContain(locked);
      expect(existsSync(join(locked, 'curfew.db'))).toBe(false);
    });
  });

  test('no bearer value of an artifact is in any file, whatever was done with it', async () => {
    const store = await open();
    const bearer = 'the-bearer-value-of-a-refresh-token-kept-by-nobody';
    const key = digest('RefreshToken', bearer);
    await store.artifacts.save({ ...artifact('one', { model: 'RefreshToken' }), key }, clientSession('grant'));
    await store.artifacts.find(key, start);
    await store.artifacts.consume(key, start);
    await store.artifacts.destroy(key);
    const files = ['', '-wal', '-shm'].filter((suffix) => existsSync(path + suffix));
    const kept = Buffer.concat(files.map((suffix) => readFileSync(path + suffix)));
    expect(kept.includes(Buffer.from(key))).toBe(true);
    for (const encoding of ['utf8', 'utf16le', 'hex', 'base64url'] as const) {
      const written = encoding === 'utf16le' ? Buffer.from(bearer, encoding) : Buffer.from(bearer).toString(encoding);
      expect(kept.includes(written)).toBe(false);
    }
  });
});
