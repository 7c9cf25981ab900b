/**
 * Forgetting, a bounded batch at a time. What may go is found along an index of its age and decided before anything is
 * touched, so that what has to stay costs next to nothing: a Sign-out that still owes one Client keeps all of its rows,
 * and not one of them is looked at.
 */
import type { Store } from '../port.ts';
import type { Database } from './database.ts';
import { rangeOf } from './incidents.ts';

const DAY_MS = 86_400_000;
/** What a Sign-out leaves behind stays for receipts. */
const KEEP_SIGN_OUT_DAYS = 90;
/** Twice the longest life of an artifact: whatever was stamped before the raise, requests in flight included, is gone. */
const KEEP_RAISED_DAYS = 800;
/** A lock outlasts anybody's patience; what was typed once and never again does not stay for ever. */
const KEEP_FAILURES_DAYS = 400;
/** A mail that went, or could not, stays as long for whoever asks what became of it. */
const KEEP_MAILS_DAYS = 90;
/** Longer than anybody owes a report of what was done. */
const KEEP_INCIDENTS_DAYS = 400;
/** At most this many Sign-outs or raised scopes are looked at in one batch, whatever may be deleted. */
const LOOKED_AT = 200;

/** What one batch did: how many rows went, and whether its walk has come to the end and starts over. */
type Batch = { readonly gone: number; readonly atEnd: boolean };
type Walk = (now: number, limit: number) => Batch;

/** The batches share one write; each walk remembers where it is, in this process alone. */
export function createSweeper(database: Database): Store['sweep'] {
  const walks: readonly Walk[] = [
    walkArtifacts(database),
    walkSignOuts(database),
    walkRaised(database),
    (now, limit) => ({
      gone: database.run(
        'DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE expires_at <= ? LIMIT ?)',
        now,
        limit,
      ),
      atEnd: true,
    }),
    (now, limit) => ({
      gone: database.run(
        `DELETE FROM mails WHERE id IN (
           SELECT id FROM mails WHERE status <> 'pending' AND created_at <= ? LIMIT ?)`,
        now - KEEP_MAILS_DAYS * DAY_MS,
        limit,
      ),
      atEnd: true,
    }),
    (now, limit) => ({
      gone: database.run(
        'DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE failed_at <= ? LIMIT ?)',
        now - KEEP_FAILURES_DAYS * DAY_MS,
        limit,
      ),
      atEnd: true,
    }),
    forgetIncidents(database),
  ];
  return ({ now, limit }) =>
    database.write('sweep', () => {
      const batches = walks.map((walk) => walk(now.getTime(), limit));
      const swept = batches.reduce((sum, { gone }) => sum + gone, 0);
      return { swept, more: swept > 0 || batches.some(({ atEnd }) => !atEnd) };
    });
}

/** There are few. Whom one was about goes first, so that a batch that stops half-way is taken up again. */
function forgetIncidents(database: Database): Walk {
  return (now, limit) => {
    const old = database.all('SELECT id FROM incidents WHERE opened_at <= ?', now - KEEP_INCIDENTS_DAYS * DAY_MS);
    let gone = 0;
    for (const { id } of old) {
      gone += database.run(
        'DELETE FROM incident_members WHERE id IN (SELECT id FROM incident_members WHERE id > ? AND id < ? LIMIT ?)',
        ...rangeOf(String(id)),
        limit - gone,
      );
      if (gone === limit) break;
      gone += database.run('DELETE FROM incidents WHERE id = ?', String(id));
      if (gone === limit) break;
    }
    return { gone, atEnd: true };
  };
}

/** By rowid: an index on expiry would cost every write. */
function walkArtifacts(database: Database): Walk {
  let after = 0;
  return (now, limit) => {
    const row = database.get(
      'SELECT count(*) AS seen, max(id) AS last FROM (SELECT id FROM artifacts WHERE id > ? ORDER BY id LIMIT ?)',
      after,
      limit,
    );
    const seen = Number(row?.['seen']);
    const last = Number(row?.['last'] ?? after);
    const gone =
      seen === 0
        ? 0
        : database.run('DELETE FROM artifacts WHERE id > ? AND id <= ? AND expires_at <= ?', after, last, now);
    const atEnd = seen < limit;
    after = atEnd ? 0 : last;
    return { gone, atEnd };
  };
}

/**
 * A Sign-out that is complete, old, and heard of by everyone goes with what it ended and what was delivered; its own
 * record last, so that a batch that stops half-way is taken up again.
 */
function walkSignOuts(database: Database): Walk {
  const start = { at: Number.MIN_SAFE_INTEGER, row: 0 };
  let after = start;
  const owesNobody = (id: string): boolean =>
    database.get(
      "SELECT 1 FROM deliveries WHERE sign_out_id = ? AND status IN ('pending', 'rejected', 'abandoned') LIMIT 1",
      id,
    ) === undefined;
  const forget = (id: string, limit: number): number => {
    let gone = database.run(
      'DELETE FROM client_sessions WHERE grant_id IN (SELECT grant_id FROM client_sessions WHERE ended_by = ? LIMIT ?)',
      id,
      limit,
    );
    if (gone === limit) return gone;
    gone += database.run(
      'DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE sign_out_id = ? LIMIT ?)',
      id,
      limit - gone,
    );
    if (gone === limit) return gone;
    return gone + database.run('DELETE FROM sign_outs WHERE id = ?', id);
  };
  return (now, limit) => {
    const candidates = database.all(
      `SELECT rowid AS row, id, at, status FROM sign_outs WHERE at <= ? AND (at, rowid) > (?, ?)
       ORDER BY at, rowid LIMIT ?`,
      now - KEEP_SIGN_OUT_DAYS * DAY_MS,
      after.at,
      after.row,
      LOOKED_AT,
    );
    let gone = 0;
    for (const { row, id, at, status } of candidates) {
      if (status === 'complete' && owesNobody(String(id))) gone += forget(String(id), limit - gone);
      // The last one may not be finished: the next batch looks at it again.
      if (gone === limit) return { gone, atEnd: false };
      after = { at: Number(at), row: Number(row) };
    }
    const atEnd = candidates.length < LOOKED_AT;
    if (atEnd) after = start;
    return { gone, atEnd };
  };
}

/**
 * Raised Grants and browser Sessions that nothing bears any more. One that a Client Session still to be told or a
 * Session still kept belongs to stays: forgetting it would take the epoch back to 0, below what those may be stamped
 * with.
 */
function walkRaised(database: Database): Walk {
  const start = { at: Number.MIN_SAFE_INTEGER, key: '' };
  let after = start;
  const forget = (key: string): number => {
    const id = key.slice(key.indexOf(':') + 1);
    return key.startsWith('grant:')
      ? database.run(
          `DELETE FROM scopes WHERE key = ? AND NOT EXISTS (
             SELECT 1 FROM client_sessions WHERE grant_id = ? AND ended_at IS NULL)`,
          key,
          id,
        )
      : database.run(
          `DELETE FROM scopes WHERE key = ?1 AND NOT EXISTS (
             SELECT 1 FROM client_sessions WHERE session_uid = ?2 AND ended_at IS NULL)
             AND NOT EXISTS (SELECT 1 FROM artifacts WHERE uid = ?2)`,
          key,
          id,
        );
  };
  return (now, limit) => {
    const most = Math.min(limit, LOOKED_AT);
    const candidates = database.all(
      `SELECT key, raised_at FROM scopes
       WHERE pending = '[]' AND (key BETWEEN 'grant:' AND 'grant;' OR key BETWEEN 'session:' AND 'session;')
         AND raised_at <= ? AND (raised_at, key) > (?, ?) ORDER BY raised_at, key LIMIT ?`,
      now - KEEP_RAISED_DAYS * DAY_MS,
      after.at,
      after.key,
      most,
    );
    let gone = 0;
    for (const { key } of candidates) gone += forget(String(key));
    const last = candidates.at(-1);
    const atEnd = last === undefined || candidates.length < most;
    after = atEnd ? start : { at: Number(last['raised_at']), key: String(last['key']) };
    return { gone, atEnd };
  };
}
