/** Client Sessions in SQLite: the statements that artifacts and revocations share. */
import type { ClientSessionRecord, Stamps } from '../records.ts';
import type { Database, Row } from './database.ts';

/** Inserts, or brings the device description and last use up to date. Never un-ends, never forgets the first use. */
export function saveClientSession(database: Database, session: ClientSessionRecord): void {
  database.run(
    `INSERT INTO client_sessions (grant_id, account_id, client_id, connection_id, session_uid, kind, persistent, sid,
       sealed_device, stamps, first_used_at, last_used_at, self_contained_until)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
     ON CONFLICT (grant_id) DO UPDATE SET connection_id = coalesce(?4, connection_id), persistent = max(persistent, ?7),
       sid = ?8, sealed_device = ?9, stamps = ?10, last_used_at = max(last_used_at, ?12),
       self_contained_until = CASE WHEN ?13 IS NULL THEN self_contained_until
         ELSE max(coalesce(self_contained_until, 0), ?13) END
       WHERE ended_at IS NULL`,
    session.grantId,
    session.accountId,
    session.clientId,
    session.connectionId,
    session.sessionUid,
    session.kind,
    session.persistent ? 1 : 0,
    session.sid,
    session.sealedDevice,
    JSON.stringify(session.stamps),
    session.firstUsedAt.getTime(),
    session.lastUsedAt.getTime(),
    session.selfContainedUntil?.getTime() ?? null,
  );
}

export function clientSessionFrom(row: Row): ClientSessionRecord {
  return {
    grantId: String(row['grant_id']),
    accountId: String(row['account_id']),
    clientId: String(row['client_id']),
    connectionId: row['connection_id'] === null ? null : String(row['connection_id']),
    sessionUid: String(row['session_uid']),
    kind: row['kind'] as ClientSessionRecord['kind'],
    persistent: row['persistent'] === 1,
    sid: String(row['sid']),
    sealedDevice: String(row['sealed_device']),
    stamps: JSON.parse(String(row['stamps'])) as Stamps,
    firstUsedAt: new Date(Number(row['first_used_at'])),
    lastUsedAt: new Date(Number(row['last_used_at'])),
    selfContainedUntil: instant(row['self_contained_until']),
    endedAt: instant(row['ended_at']),
    endedBy: row['ended_by'] === null ? null : String(row['ended_by']),
  };
}

export function instant(value: unknown): Date | null {
  return value === null || value === undefined ? null : new Date(Number(value));
}
