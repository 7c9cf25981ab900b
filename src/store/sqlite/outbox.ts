/**
 * Mails on their way out in SQLite. A lease is an instant and a fence in the row itself; claiming is one write. Where order
 * is by time the index is named: left to itself, SQLite takes all that are pending and sorts them.
 */
import type { LeasedMail, MailRecord, MailStatus, OutboxRepository } from '../outbox.ts';
import { instant } from './client-sessions.ts';
import { conditions, textOrNull } from './columns.ts';
import type { Database, Row } from './database.ts';
import { farFrom, free } from './leases.ts';

export function outboxRepository(database: Database): OutboxRepository {
  return {
    enqueue: (mails) =>
      database.write('queue mails', () => mails.reduce((queued, mail) => queued + insertMail(database, mail), 0)),
    claim: ({ now, leaseUntil, limit }) =>
      database.write('claim mails', () =>
        database
          .all(
            `UPDATE mails SET lease_until = ?1, fence = fence + 1 WHERE id IN (
               SELECT id FROM mails INDEXED BY mails_due WHERE status = 'pending' AND next_attempt_at <= ?2
                 AND ${free('?2', '?4')} ORDER BY next_attempt_at LIMIT ?3)
             RETURNING *`,
            leaseUntil.getTime(),
            now.getTime(),
            limit,
            farFrom(now),
          )
          .map(leasedFrom)
          // Rows come back in whatever order they were updated in.
          .sort((a, b) => Number(a.nextAttemptAt) - Number(b.nextAttemptAt)),
      ),
    settle: (outcome) =>
      database.write('record what became of a mail', () => {
        const settled = database.run(
          `UPDATE mails SET status = ?1, attempts = ?2, next_attempt_at = ?3, last_attempt_at = ?4, last_outcome = ?5,
             lease_until = 0, sealed = CASE WHEN ?1 = 'sent' THEN '' ELSE sealed END
           WHERE id = ?6 AND fence = ?7 AND status = 'pending' AND lease_until > 0`,
          outcome.status,
          outcome.attempts,
          outcome.nextAttemptAt?.getTime() ?? null,
          outcome.lastAttemptAt.getTime(),
          outcome.lastOutcome,
          outcome.id,
          outcome.fence,
        );
        return settled === 1;
      }),
    release: (leases) =>
      database.write('give leases of mails back', () => {
        for (const { id, fence } of leases) {
          database.run('UPDATE mails SET lease_until = 0 WHERE id = ? AND fence = ?', id, fence);
        }
      }),
    nextDueAt: () =>
      database.read('read when the next mail is due', () =>
        // Two halves with an index each: the first that nobody holds, and the few that are leased.
        instant(
          database.get(
            `SELECT min(at) AS at FROM (
               SELECT min(next_attempt_at) AS at FROM mails INDEXED BY mails_due
               WHERE status = 'pending' AND lease_until = 0
               UNION ALL
               SELECT min(max(next_attempt_at, lease_until)) FROM mails INDEXED BY mails_leased
               WHERE status = 'pending' AND lease_until > 0)`,
          )?.['at'],
        ),
      ),
    find: (id) =>
      database.read('find a mail', () => {
        const row = database.get('SELECT * FROM mails WHERE id = ?', id);
        return row === undefined ? null : mailFrom(row);
      }),
    list: ({ status, accountId, page }) =>
      database.read('list mails', () => {
        const { where, values } = conditions({ status, account_id: accountId });
        return database
          .all(
            `SELECT * FROM mails WHERE ${where} AND id > ? ORDER BY id LIMIT ?`,
            ...values,
            page.after ?? '',
            page.limit,
          )
          .map(mailFrom);
      }),
    counts: () =>
      database.read('count mails', () => {
        const count = (status: MailStatus): number =>
          Number(database.get('SELECT count(*) AS count FROM mails WHERE status = ?', status)?.['count']);
        return {
          pending: count('pending'),
          sent: count('sent'),
          rejected: count('rejected'),
          abandoned: count('abandoned'),
        };
      }),
    revive: ({ ids, now, deadlineAt, limit }) =>
      database.write('revive mails', () => {
        const chosen = ids === undefined ? '' : 'AND id IN (SELECT value FROM json_each(?))';
        return database.run(
          `UPDATE mails SET status = 'pending', next_attempt_at = ?, deadline_at = ?, lease_until = 0
           WHERE id IN (SELECT id FROM mails WHERE status IN ('rejected', 'abandoned') ${chosen} LIMIT ?)`,
          now.getTime(),
          deadlineAt.getTime(),
          ...(ids === undefined ? [] : [JSON.stringify(ids)]),
          limit,
        );
      }),
  };
}

/** Resolves to 0 when its id is there: what was queued first stays, whatever became of it. */
function insertMail(database: Database, mail: MailRecord): number {
  return database.run(
    `INSERT INTO mails (id, account_id, kind, sealed, status, attempts, next_attempt_at, last_attempt_at, last_outcome,
       created_at, deadline_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
    mail.id,
    mail.accountId,
    mail.kind,
    mail.sealed,
    mail.status,
    mail.attempts,
    mail.nextAttemptAt?.getTime() ?? null,
    mail.lastAttemptAt?.getTime() ?? null,
    mail.lastOutcome,
    mail.createdAt.getTime(),
    mail.deadlineAt.getTime(),
  );
}

export function mailFrom(row: Row): MailRecord {
  return {
    id: String(row['id']),
    accountId: textOrNull(row, 'account_id'),
    kind: String(row['kind']),
    sealed: String(row['sealed']),
    status: row['status'] as MailStatus,
    attempts: Number(row['attempts']),
    nextAttemptAt: instant(row['next_attempt_at']),
    lastAttemptAt: instant(row['last_attempt_at']),
    lastOutcome: textOrNull(row, 'last_outcome'),
    createdAt: new Date(Number(row['created_at'])),
    deadlineAt: new Date(Number(row['deadline_at'])),
  };
}

function leasedFrom(row: Row): LeasedMail {
  return { ...mailFrom(row), fence: Number(row['fence']), leaseUntil: new Date(Number(row['lease_until'])) };
}
