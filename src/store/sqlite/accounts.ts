/** Accounts, identifiers and throttles in SQLite. */
import type { AccountRepository } from '../port.ts';
import type { AccountRecord, ThrottleRecord } from '../records.ts';
import { instant } from './client-sessions.ts';
import type { Database, Row } from './database.ts';
import { findIdentity, identityMethods, insertIdentity } from './identities.ts';
import { raiseForSignOut } from './scopes.ts';

export function accountRepository(database: Database): AccountRepository {
  const find = (accountId: string): AccountRecord | null => {
    const row = database.get('SELECT * FROM accounts WHERE id = ?', accountId);
    return row === undefined ? null : accountFrom(row);
  };
  const taken = (identifier: string): boolean =>
    database.get('SELECT 1 FROM account_identifiers WHERE identifier = ?', identifier) !== undefined;
  const throttle = (key: string): ThrottleRecord => {
    const row = database.get('SELECT failures, blocked_until FROM failures WHERE key = ?', key);
    return { failures: Number(row?.['failures'] ?? 0), blockedUntil: instant(row?.['blocked_until']) };
  };

  return {
    insert: (account, identifiers, identity) =>
      database.write('create an account', () => {
        if (taken(identifiers.username)) return 'username-taken';
        if (taken(identifiers.email)) return 'email-taken';
        if (identity !== undefined && findIdentity(database, identity.subject) !== null) return 'identity-taken';
        if (identity !== undefined) insertIdentity(database, { ...identity, accountId: account.id });
        database.run(
          `INSERT INTO accounts (id, status, admin, sealed_username, sealed_email, password_hash, password_changed_at, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          account.id,
          account.status,
          account.admin ? 1 : 0,
          account.sealedUsername,
          account.sealedEmail,
          account.password?.hash ?? null,
          account.password?.changedAt.getTime() ?? null,
          account.createdAt.getTime(),
        );
        const identify = 'INSERT OR IGNORE INTO account_identifiers (identifier, account_id, kind) VALUES (?, ?, ?)';
        database.run(identify, identifiers.username, account.id, 'username');
        database.run(identify, identifiers.email, account.id, 'email');
        return 'inserted';
      }),
    find: (accountId) => database.read('find an account', () => find(accountId)),
    findByIdentifier: (identifier) =>
      database.read('find an account by name', () => {
        const row = database.get(
          'SELECT a.* FROM account_identifiers i JOIN accounts a ON a.id = i.account_id WHERE i.identifier = ?',
          identifier,
        );
        return row === undefined ? null : accountFrom(row);
      }),
    list: (page) =>
      database.read('list accounts', () =>
        database
          .all('SELECT * FROM accounts WHERE id > ? ORDER BY id LIMIT ?', page.after ?? '', page.limit)
          .map(accountFrom),
      ),
    count: () =>
      database.read('count accounts', () => Number(database.get('SELECT count(*) AS count FROM accounts')?.['count'])),
    setPassword: ({ accountId, hash, changedAt, expected, signOut }) =>
      database.write('set a password', () => {
        const account = find(accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        if (expected !== undefined && account.password?.hash !== expected) return 'stale';
        database.run(
          'UPDATE accounts SET password_hash = ?, password_changed_at = ? WHERE id = ?',
          hash,
          changedAt.getTime(),
          accountId,
        );
        if (signOut !== undefined) raiseForSignOut(database, signOut);
        return 'set';
      }),
    setStatus: ({ accountId, status, signOut }) =>
      database.write('set the status of an account', () => {
        const account = find(accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        database.run('UPDATE accounts SET status = ? WHERE id = ?', status, accountId);
        if (status === 'deleted') {
          database.run('DELETE FROM account_identifiers WHERE account_id = ?', accountId);
          database.run('DELETE FROM identities WHERE account_id = ?', accountId);
          database.run(
            "UPDATE accounts SET sealed_username = '', sealed_email = '', password_hash = NULL, password_changed_at = NULL, admin = 0 WHERE id = ?",
            accountId,
          );
        }
        if (signOut !== undefined) raiseForSignOut(database, signOut);
        return 'set';
      }),

    ...identityMethods(database, find),

    throttle: (key) => database.read('read a throttle', () => throttle(key)),
    addFailure: ({ key, now, delaySeconds }) =>
      database.write('count a failure', () => {
        const failures = throttle(key).failures + 1;
        const blockedUntil = new Date(now.getTime() + delaySeconds(failures) * 1000);
        database.run(
          `INSERT INTO failures (key, failures, blocked_until, failed_at) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT (key) DO UPDATE SET failures = ?2, blocked_until = ?3, failed_at = ?4`,
          key,
          failures,
          blockedUntil.getTime(),
          now.getTime(),
        );
        return { failures, blockedUntil };
      }),
    clearFailures: (key) =>
      database.write('clear failures', () => {
        database.run('DELETE FROM failures WHERE key = ?', key);
      }),
    countAttempt: ({ key, windowStart, expiresAt }) =>
      database.write('count an attempt', () => {
        database.run(
          `INSERT INTO attempts (key, window_start, attempts, expires_at) VALUES (?1, ?2, 1, ?3)
           ON CONFLICT (key) DO UPDATE SET attempts = CASE WHEN window_start = ?2 THEN attempts + 1 ELSE 1 END,
             window_start = ?2, expires_at = ?3`,
          key,
          windowStart.getTime(),
          expiresAt.getTime(),
        );
        return Number(database.get('SELECT attempts FROM attempts WHERE key = ?', key)?.['attempts']);
      }),
  };
}

function accountFrom(row: Row): AccountRecord {
  const hash = row['password_hash'];
  return {
    id: String(row['id']),
    status: row['status'] as AccountRecord['status'],
    admin: row['admin'] === 1,
    sealedUsername: String(row['sealed_username']),
    sealedEmail: String(row['sealed_email']),
    password: hash === null ? null : { hash: String(hash), changedAt: new Date(Number(row['password_changed_at'])) },
    createdAt: new Date(Number(row['created_at'])),
  };
}
