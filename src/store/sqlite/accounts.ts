/** Accounts, identifiers and throttles in SQLite: what is changed of an account is decided by its row, inside one write. */
import type { AccountRepository } from '../port.ts';
import type { AccountIdentifiers, AccountRecord, ThrottleRecord } from '../records.ts';
import { instant } from './client-sessions.ts';
import { textOrNull } from './columns.ts';
import { credentialMethods } from './credentials.ts';
import type { Database, Row } from './database.ts';
import { findIdentity, identityMethods, insertIdentity } from './identities.ts';
import { hasMoved, hasRisen, raiseForSignOut } from './scopes.ts';

export function accountRepository(database: Database): AccountRepository {
  const find = (accountId: string): AccountRecord | null => {
    const row = database.get('SELECT * FROM accounts WHERE id = ?', accountId);
    return row === undefined ? null : accountFrom(row);
  };
  const isTaken = (identifier: string, but: string): boolean =>
    database.get('SELECT 1 FROM account_identifiers WHERE identifier = ? AND account_id <> ?', identifier, but) !==
    undefined;
  const takenFrom = (accountId: string, identifiers: AccountIdentifiers): 'username-taken' | 'email-taken' | null => {
    if (isTaken(identifiers.username, accountId)) return 'username-taken';
    return isTaken(identifiers.email, accountId) ? 'email-taken' : null;
  };
  const giveIdentifiers = (accountId: string, { username, email }: AccountIdentifiers): void => {
    const give = 'INSERT OR IGNORE INTO account_identifiers (identifier, account_id, kind) VALUES (?, ?, ?)';
    database.run(give, username, accountId, 'username');
    database.run(give, email, accountId, 'email');
  };
  const throttle = (key: string): ThrottleRecord => {
    const row = database.get('SELECT failures, blocked_until FROM failures WHERE key = ?', key);
    return { failures: Number(row?.['failures'] ?? 0), blockedUntil: instant(row?.['blocked_until']) };
  };

  return {
    insert: (account, identifiers, identity) =>
      database.write('create an account', () => {
        const taken = takenFrom(account.id, identifiers);
        if (taken !== null) return taken;
        if (identity !== undefined && findIdentity(database, identity.subject) !== null) return 'identity-taken';
        if (identity !== undefined) insertIdentity(database, { ...identity, accountId: account.id });
        database.run(
          `INSERT INTO accounts (id, status, admin, sealed_username, sealed_email, password_hash, password_changed_at,
             password_reset_required_at, email_verified_at, locale, last_signed_in_at, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          account.id,
          account.status,
          account.admin ? 1 : 0,
          account.sealedUsername,
          account.sealedEmail,
          account.password?.hash ?? null,
          account.password?.changedAt.getTime() ?? null,
          account.passwordResetRequiredAt?.getTime() ?? null,
          account.emailVerifiedAt?.getTime() ?? null,
          account.locale,
          account.lastSignedInAt?.getTime() ?? null,
          account.createdAt.getTime(),
        );
        giveIdentifiers(account.id, identifiers);
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
    setPassword: ({ accountId, hash, changedAt, expected, accountEpoch, everyoneEpoch, signOut }) =>
      database.write('set a password', () => {
        const account = find(accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        if (expected !== undefined && (account.password?.hash ?? null) !== expected) return 'stale';
        if (hasMoved(database, accountId, accountEpoch)) return 'stale';
        if (hasRisen(database, 'everyone', everyoneEpoch)) return 'stale';
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
          database.run('DELETE FROM credentials WHERE account_id = ?', accountId);
          database.run(
            `UPDATE accounts SET sealed_username = '', sealed_email = '', password_hash = NULL, password_changed_at = NULL,
               password_reset_required_at = NULL, email_verified_at = NULL, locale = NULL, last_signed_in_at = NULL,
               admin = 0 WHERE id = ?`,
            accountId,
          );
        }
        if (signOut !== undefined) raiseForSignOut(database, signOut);
        return 'set';
      }),

    identify: ({ accountId, expected, sealedUsername, sealedEmail, emailVerifiedAt, identifiers }) =>
      database.write('replace the identifiers of an account', () => {
        const account = find(accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        const stands =
          account.sealedUsername === expected.sealedUsername && account.sealedEmail === expected.sealedEmail;
        if (!stands) return 'stale';
        const taken = takenFrom(accountId, identifiers);
        if (taken !== null) return taken;
        database.run('DELETE FROM account_identifiers WHERE account_id = ?', accountId);
        giveIdentifiers(accountId, identifiers);
        database.run(
          'UPDATE accounts SET sealed_username = ?, sealed_email = ?, email_verified_at = ? WHERE id = ?',
          sealedUsername,
          sealedEmail,
          emailVerifiedAt?.getTime() ?? null,
          accountId,
        );
        return 'set';
      }),
    requirePasswordReset: ({ accountId, at, signOut }) =>
      database.write('require a new password', () => {
        const account = find(accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        database.run(
          `UPDATE accounts SET password_reset_required_at = max(?1, coalesce(password_reset_required_at, ?1),
             CASE WHEN ?3 THEN coalesce(password_changed_at, ?1) ELSE ?1 END) WHERE id = ?2`,
          at.getTime(),
          accountId,
          signOut === undefined ? 0 : 1,
        );
        if (signOut !== undefined) raiseForSignOut(database, signOut);
        return 'set';
      }),
    setLocale: ({ accountId, locale }) =>
      database.write('set the language of an account', () => {
        database.run("UPDATE accounts SET locale = ? WHERE id = ? AND status <> 'deleted'", locale, accountId);
      }),

    noteSignIn: ({ accountId, at }) =>
      database.write('note a sign-in', () => {
        database.run(
          `UPDATE accounts SET last_signed_in_at = max(?1, coalesce(last_signed_in_at, ?1))
           WHERE id = ?2 AND status <> 'deleted'`,
          at.getTime(),
          accountId,
        );
      }),

    ...identityMethods(database, find),
    ...credentialMethods(database, find),

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

export function accountFrom(row: Row): AccountRecord {
  const hash = row['password_hash'];
  return {
    id: String(row['id']),
    status: row['status'] as AccountRecord['status'],
    admin: row['admin'] === 1,
    sealedUsername: String(row['sealed_username']),
    sealedEmail: String(row['sealed_email']),
    password: hash === null ? null : { hash: String(hash), changedAt: new Date(Number(row['password_changed_at'])) },
    passwordResetRequiredAt: instant(row['password_reset_required_at']),
    emailVerifiedAt: instant(row['email_verified_at']),
    locale: textOrNull(row, 'locale'),
    lastSignedInAt: instant(row['last_signed_in_at']),
    createdAt: new Date(Number(row['created_at'])),
  };
}
