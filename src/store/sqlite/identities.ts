/** Identities in SQLite: what each Connection's provider calls a person, and the account it may sign in. */
import type { AccountRepository } from '../port.ts';
import type { AccountRecord, IdentityRecord } from '../records.ts';
import type { Database, Row } from './database.ts';
import { hasMoved } from './scopes.ts';

type IdentityMethods = Pick<
  AccountRepository,
  'findByIdentity' | 'identitiesOf' | 'linkIdentity' | 'unlinkIdentity' | 'touchIdentity'
>;

export function identityMethods(
  database: Database,
  findAccount: (accountId: string) => AccountRecord | null,
): IdentityMethods {
  return {
    findByIdentity: (subject) =>
      database.read('find an account by identity', () => {
        const identity = findIdentity(database, subject);
        const account = identity === null ? null : findAccount(identity.accountId);
        return identity === null || account === null ? null : { account, identity };
      }),
    identitiesOf: (accountId) =>
      database.read('list identities', () =>
        database
          .all('SELECT * FROM identities WHERE account_id = ? ORDER BY linked_at, subject', accountId)
          .map(identityFrom),
      ),
    linkIdentity: (identity, accountEpoch) =>
      database.write('link an identity', () => {
        const account = findAccount(identity.accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        if (hasMoved(database, identity.accountId, accountEpoch)) return 'stale';
        const present = findIdentity(database, identity.subject);
        if (present !== null) return present.accountId === identity.accountId ? 'linked' : 'taken';
        insertIdentity(database, identity);
        return 'linked';
      }),
    unlinkIdentity: ({ accountId, subject }) =>
      database.write('unlink an identity', () => {
        const account = findAccount(accountId);
        if (account === null || findIdentity(database, subject)?.accountId !== accountId) return 'unknown';
        const others = database.get(
          'SELECT 1 FROM identities WHERE account_id = ? AND subject <> ? LIMIT 1',
          accountId,
          subject,
        );
        if (account.password === null && others === undefined) return 'last-way-in';
        database.run('DELETE FROM identities WHERE subject = ?', subject);
        return 'unlinked';
      }),
    touchIdentity: ({ subject, usedAt, sealedIdentity }) =>
      database.write('note the use of an identity', () => {
        database.run(
          'UPDATE identities SET last_used_at = ?1, sealed_identity = ?2 WHERE subject = ?3 AND last_used_at <= ?1',
          usedAt.getTime(),
          sealedIdentity,
          subject,
        );
      }),
  };
}

export function findIdentity(database: Database, subject: string): IdentityRecord | null {
  const row = database.get('SELECT * FROM identities WHERE subject = ?', subject);
  return row === undefined ? null : identityFrom(row);
}

/** Only inside `write`, and where nobody has it. */
export function insertIdentity(database: Database, identity: IdentityRecord): void {
  database.run(
    `INSERT INTO identities (subject, connection_id, account_id, sealed_identity, linked_at, last_used_at)
     VALUES (?, ?, ?, ?, ?, ?)`,
    identity.subject,
    identity.connectionId,
    identity.accountId,
    identity.sealedIdentity,
    identity.linkedAt.getTime(),
    identity.lastUsedAt.getTime(),
  );
}

export function identityFrom(row: Row): IdentityRecord {
  return {
    subject: String(row['subject']),
    connectionId: String(row['connection_id']),
    accountId: String(row['account_id']),
    sealedIdentity: String(row['sealed_identity']),
    linkedAt: new Date(Number(row['linked_at'])),
    lastUsedAt: new Date(Number(row['last_used_at'])),
  };
}
