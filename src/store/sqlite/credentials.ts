/** Credentials in SQLite: what an account holds beside its password. A change is decided by the row's own revision. */
import type { CredentialRecord, CredentialRepository } from '../credentials.ts';
import type { AccountRecord } from '../records.ts';
import { instant } from './client-sessions.ts';
import type { Database, Row } from './database.ts';
import { hasMoved } from './scopes.ts';

export function credentialMethods(
  database: Database,
  findAccount: (accountId: string) => AccountRecord | null,
): CredentialRepository {
  const find = (id: string): CredentialRecord | null => {
    const row = database.get('SELECT * FROM credentials WHERE id = ?', id);
    return row === undefined ? null : credentialFrom(row);
  };

  return {
    credentialsOf: (accountId) =>
      database.read('list credentials', () =>
        database
          .all('SELECT * FROM credentials WHERE account_id = ? ORDER BY created_at, id', accountId)
          .map(credentialFrom),
      ),
    findCredential: (id) =>
      database.read('find a credential', () => {
        const credential = find(id);
        const account = credential === null ? null : findAccount(credential.accountId);
        return credential === null || account === null ? null : { account, credential };
      }),
    addCredential: (credential, { most, accountEpoch }) =>
      database.write('add a credential', () => {
        const account = findAccount(credential.accountId);
        if (account === null || account.status === 'deleted') return 'unknown';
        if (hasMoved(database, credential.accountId, accountEpoch)) return 'stale';
        if (find(credential.id) !== null) return 'taken';
        // The one that is added stays, whatever the clock said when the others were.
        database.run(
          `DELETE FROM credentials WHERE id IN (
             SELECT id FROM credentials WHERE account_id = ? AND kind = ?
             ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?)`,
          credential.accountId,
          credential.kind,
          most - 1,
        );
        database.run(
          `INSERT INTO credentials (id, account_id, kind, sealed, revision, created_at, last_used_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
          credential.id,
          credential.accountId,
          credential.kind,
          credential.sealed,
          credential.revision,
          credential.createdAt.getTime(),
          credential.lastUsedAt?.getTime() ?? null,
        );
        return 'added';
      }),
    changeCredential: ({ id, accountId, revision, sealed, usedAt }) =>
      database.write('change a credential', () => {
        const changed = database.run(
          `UPDATE credentials SET sealed = ?, revision = revision + 1, last_used_at = coalesce(?, last_used_at)
           WHERE id = ? AND account_id = ? AND revision = ?`,
          sealed,
          usedAt?.getTime() ?? null,
          id,
          accountId,
          revision,
        );
        return changed === 1;
      }),
    removeCredential: ({ accountId, id }) =>
      database.write(
        'remove a credential',
        () => database.run('DELETE FROM credentials WHERE id = ? AND account_id = ?', id, accountId) === 1,
      ),
  };
}

export function credentialFrom(row: Row): CredentialRecord {
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    kind: row['kind'] as CredentialRecord['kind'],
    sealed: String(row['sealed']),
    revision: Number(row['revision']),
    createdAt: new Date(Number(row['created_at'])),
    lastUsedAt: instant(row['last_used_at']),
  };
}
