/**
 * Artifacts in SQLite. A find reads the payload and how every scope of its stamps stands in one statement, so that no
 * commit can slip between the two.
 */
import type { ArtifactRepository } from '../port.ts';
import type { ArtifactRecord, FoundArtifact, ScopeKey, Stamps } from '../records.ts';
import { allStand, presentEpochs, type ScopeState } from '../standing.ts';
import { saveClientSession } from './client-sessions.ts';
import type { Database, Row } from './database.ts';

const COLUMNS = `a.key, a.payload, a.stamps, a.consumed_at, a.uid,
  (SELECT json_group_array(json_array(s.key, s.epoch, json(s.spared)))
     FROM json_each(a.stamps) j JOIN scopes s ON s.key = j.key) AS states`;

const ALIVE = 'a.destroyed = 0 AND a.expires_at > ?';

export function artifactRepository(database: Database): ArtifactRepository {
  return {
    save: (artifact, clientSession) =>
      database.write('save an artifact', () => {
        if (clientSession !== undefined) saveClientSession(database, clientSession);
        database.run(
          `INSERT INTO artifacts (key, model, payload, stamps, expires_at, uid, user_code, account_id)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
           ON CONFLICT (key) DO UPDATE SET payload = ?3, stamps = ?4, expires_at = ?5, uid = ?6, user_code = ?7, account_id = ?8
             WHERE destroyed = 0`,
          ...values(artifact),
        );
      }),
    insert: (artifact, now) =>
      database.write('insert an artifact', () => {
        database.run('DELETE FROM artifacts WHERE key = ? AND expires_at <= ?', artifact.key, now.getTime());
        const inserted = database.run(
          `INSERT INTO artifacts (key, model, payload, stamps, expires_at, uid, user_code, account_id)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
          ...values(artifact),
        );
        return inserted === 1;
      }),
    find: (key, now) =>
      database.read('find an artifact', () =>
        alive(database.get(`SELECT ${COLUMNS} FROM artifacts a WHERE a.key = ? AND ${ALIVE}`, key, now.getTime())),
      ),
    findByUid: (model, uid, now) =>
      database.read('find an artifact by uid', () =>
        firstAlive(
          database.all(
            `SELECT ${COLUMNS} FROM artifacts a WHERE a.uid = ? AND a.model = ? AND ${ALIVE} ORDER BY a.id DESC`,
            uid,
            model,
            now.getTime(),
          ),
        ),
      ),
    findByUserCode: (userCode, now) =>
      database.read('find a device code', () =>
        firstAlive(
          database.all(
            `SELECT ${COLUMNS} FROM artifacts a WHERE a.user_code = ? AND ${ALIVE} ORDER BY a.id DESC`,
            userCode,
            now.getTime(),
          ),
        ),
      ),
    consume: (key, now) =>
      database.write('consume an artifact', () => {
        const found = alive(
          database.get(`SELECT ${COLUMNS} FROM artifacts a WHERE a.key = ? AND ${ALIVE}`, key, now.getTime()),
        );
        if (found === null || found.consumedAt !== null) return false;
        database.run('UPDATE artifacts SET consumed_at = ? WHERE key = ?', now.getTime(), key);
        return true;
      }),
    destroy: (key) =>
      database.write('destroy an artifact', () => {
        database.run("UPDATE artifacts SET destroyed = 1, payload = '{}' WHERE key = ?", key);
      }),
    sessionsOf: (accountId, now) =>
      database.read("list an account's sessions", () =>
        database
          .all(
            `SELECT ${COLUMNS} FROM artifacts a WHERE a.model = 'Session' AND a.account_id = ? AND ${ALIVE} ORDER BY a.id`,
            accountId,
            now.getTime(),
          )
          .flatMap((row) => {
            const found = alive(row);
            return found === null ? [] : [{ uid: String(row['uid']), payload: found.payload, key: found.key }];
          }),
      ),
  };
}

function values(artifact: ArtifactRecord) {
  return [
    artifact.key,
    artifact.model,
    artifact.payload,
    JSON.stringify(artifact.stamps),
    artifact.expiresAt.getTime(),
    artifact.uid ?? null,
    artifact.userCode ?? null,
    artifact.accountId ?? null,
  ] as const;
}

function firstAlive(rows: readonly Row[]): FoundArtifact | null {
  for (const row of rows) {
    const found = alive(row);
    if (found !== null) return found;
  }
  return null;
}

function alive(row: Row | undefined): FoundArtifact | null {
  if (row === undefined) return null;
  const stamps = JSON.parse(String(row['stamps'])) as Stamps;
  const raised = JSON.parse(String(row['states'])) as [ScopeKey, number, Stamps][];
  const states = new Map<ScopeKey, ScopeState>(
    raised.map(([key, epoch, spared]) => [key, { epoch, spared, signedOutAt: null }]),
  );
  if (!allStand(stamps, states)) return null;
  return {
    key: row['key'] as Uint8Array,
    payload: String(row['payload']),
    consumedAt: row['consumed_at'] === null ? null : new Date(Number(row['consumed_at'])),
    epochs: presentEpochs(stamps, states),
  };
}
