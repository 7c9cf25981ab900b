/** An account as one row, with what belongs to it: in SQLite these are four tables. */
import type { RowOf } from '../transfer.ts';
import { instant } from './client-sessions.ts';
import { date, replace, type Table, text, textOrNull } from './columns.ts';
import { credentialFrom } from './credentials.ts';
import type { Row } from './database.ts';
import { identityFrom } from './identities.ts';

/** As rows of that table, in order. */
const IDENTITIES = `(SELECT json_group_array(json_object('subject', subject, 'connection_id', connection_id,
    'account_id', account_id, 'sealed_identity', sealed_identity, 'linked_at', linked_at, 'last_used_at', last_used_at))
  FROM (SELECT * FROM identities WHERE account_id = accounts.id ORDER BY linked_at, subject)) AS identities`;

const CREDENTIALS = `(SELECT json_group_array(json_object('id', id, 'account_id', account_id, 'kind', kind,
    'sealed', sealed, 'revision', revision, 'created_at', created_at, 'last_used_at', last_used_at))
  FROM (SELECT * FROM credentials WHERE account_id = accounts.id ORDER BY created_at, id)) AS credentials`;

export const ACCOUNTS: Table<RowOf['accounts']> = {
  name: 'accounts',
  key: 'id',
  columns: `accounts.*, ${identifier('username')}, ${identifier('email')}, ${IDENTITIES},
    ${CREDENTIALS}`,
  from: (row) => ({
    id: text(row, 'id'),
    status: row['status'] as RowOf['accounts']['status'],
    admin: row['admin'] === 1,
    sealedUsername: text(row, 'sealed_username'),
    sealedEmail: text(row, 'sealed_email'),
    passwordHash: textOrNull(row, 'password_hash'),
    passwordChangedAt: instant(row['password_changed_at']),
    passwordResetRequiredAt: instant(row['password_reset_required_at']),
    emailVerifiedAt: instant(row['email_verified_at']),
    locale: textOrNull(row, 'locale'),
    lastSignedInAt: instant(row['last_signed_in_at']),
    createdAt: date(row, 'created_at'),
    username: textOrNull(row, 'username'),
    email: textOrNull(row, 'email'),
    identities: (JSON.parse(text(row, 'identities')) as Row[])
      .map(identityFrom)
      .map(({ accountId: _accountId, ...each }) => each),
    credentials: (JSON.parse(text(row, 'credentials')) as Row[])
      .map(credentialFrom)
      .map(({ accountId: _accountId, ...each }) => each),
  }),
  write: (database, row) => {
    replace(database, 'accounts', {
      id: row.id,
      status: row.status,
      admin: row.admin,
      sealed_username: row.sealedUsername,
      sealed_email: row.sealedEmail,
      password_hash: row.passwordHash,
      password_changed_at: row.passwordChangedAt,
      password_reset_required_at: row.passwordResetRequiredAt,
      email_verified_at: row.emailVerifiedAt,
      locale: row.locale,
      last_signed_in_at: row.lastSignedInAt,
      created_at: row.createdAt,
    });
    database.run('DELETE FROM account_identifiers WHERE account_id = ?', row.id);
    for (const kind of ['username', 'email'] as const) {
      const identifier = row[kind];
      if (identifier === null) continue;
      // Whoever had it before does not have it any more, or the two could not stand in one store.
      replace(database, 'account_identifiers', { identifier, account_id: row.id, kind });
    }
    database.run('DELETE FROM identities WHERE account_id = ?', row.id);
    for (const { subject, connectionId, sealedIdentity, linkedAt, lastUsedAt } of row.identities) {
      replace(database, 'identities', {
        subject,
        connection_id: connectionId,
        account_id: row.id,
        sealed_identity: sealedIdentity,
        linked_at: linkedAt,
        last_used_at: lastUsedAt,
      });
    }
    database.run('DELETE FROM credentials WHERE account_id = ?', row.id);
    for (const { id, kind, sealed, revision, createdAt, lastUsedAt } of row.credentials) {
      replace(database, 'credentials', {
        id,
        account_id: row.id,
        kind,
        sealed,
        revision,
        created_at: createdAt,
        last_used_at: lastUsedAt,
      });
    }
  },
};

function identifier(kind: 'username' | 'email'): string {
  return `(SELECT identifier FROM account_identifiers WHERE account_id = accounts.id AND kind = '${kind}') AS ${kind}`;
}
