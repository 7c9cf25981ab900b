/** Deliveries in SQLite. A lease is an instant and a fence in the row itself; claiming is one write. */
import type { DeliveryRepository } from '../port.ts';
import type { DeliveryRecord, DeliveryStatus, LeasedDelivery } from '../records.ts';
import { instant } from './client-sessions.ts';
import { conditions } from './columns.ts';
import type { Database, Row } from './database.ts';
import { farFrom, free } from './leases.ts';

/** What SQLite takes for no limit at all. */
const NO_LIMIT = -1;

/** Inserting twice is inserting once: what an earlier fan-out wrote, delivered or not, stays as it is. */
export function insertDelivery(database: Database, delivery: DeliveryRecord): void {
  database.run(
    `INSERT INTO deliveries (id, sign_out_id, account_id, client_id, sid, status, attempts, refusals, next_attempt_at,
       last_attempt_at, last_outcome, created_at, deadline_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
    delivery.id,
    delivery.signOutId,
    delivery.accountId,
    delivery.clientId,
    delivery.sid,
    delivery.status,
    delivery.attempts,
    delivery.refusals,
    delivery.nextAttemptAt?.getTime() ?? null,
    delivery.lastAttemptAt?.getTime() ?? null,
    delivery.lastOutcome,
    delivery.createdAt.getTime(),
    delivery.deadlineAt.getTime(),
  );
}

export function deliveryRepository(database: Database): DeliveryRepository {
  return {
    clientsDue: (now) =>
      database.read('list clients owed a delivery', () =>
        // Skips along the index from client to client: the cost is that of the clients, not of what they are owed.
        database
          .all(
            `WITH RECURSIVE owed (client_id) AS (
               SELECT min(client_id) FROM deliveries WHERE status = 'pending'
               UNION ALL
               SELECT (SELECT min(client_id) FROM deliveries WHERE status = 'pending' AND client_id > owed.client_id)
               FROM owed WHERE owed.client_id IS NOT NULL
             )
             SELECT client_id FROM owed WHERE client_id IS NOT NULL AND EXISTS (
               SELECT 1 FROM deliveries d WHERE d.client_id = owed.client_id AND d.status = 'pending'
                 AND d.next_attempt_at <= ?1 AND ${free('?1', '?2')})`,
            now.getTime(),
            farFrom(now),
          )
          .map((row) => String(row['client_id'])),
      ),
    claim: ({ clientId, now, leaseUntil, limit }) =>
      database.write('claim deliveries', () =>
        database
          .all(
            `UPDATE deliveries SET lease_until = ?1, fence = fence + 1 WHERE id IN (
               SELECT id FROM deliveries WHERE client_id = ?2 AND status = 'pending' AND next_attempt_at <= ?3
                 AND ${free('?3', '?5')} ORDER BY next_attempt_at LIMIT ?4)
             RETURNING *`,
            leaseUntil.getTime(),
            clientId,
            now.getTime(),
            limit,
            farFrom(now),
          )
          .map(leasedFrom),
      ),
    settle: (outcome) =>
      database.write('record an outcome', () => {
        const settled = database.run(
          `UPDATE deliveries SET status = ?, attempts = ?, refusals = ?, next_attempt_at = ?, last_attempt_at = ?,
             last_outcome = ?, lease_until = 0 WHERE id = ? AND fence = ? AND status = 'pending' AND lease_until > 0`,
          outcome.status,
          outcome.attempts,
          outcome.refusals,
          outcome.nextAttemptAt?.getTime() ?? null,
          outcome.lastAttemptAt.getTime(),
          outcome.lastOutcome,
          outcome.id,
          outcome.fence,
        );
        return settled === 1;
      }),
    release: (leases) =>
      database.write('give leases back', () => {
        for (const { id, fence } of leases) {
          database.run('UPDATE deliveries SET lease_until = 0 WHERE id = ? AND fence = ?', id, fence);
        }
      }),
    nextDueAt: () =>
      database.read('read when the next delivery is due', () =>
        // Two halves with an index each: what nobody holds, and the few that are leased.
        instant(
          database.get(
            `SELECT min(at) AS at FROM (
               SELECT min(next_attempt_at) AS at FROM deliveries WHERE status = 'pending' AND lease_until = 0
               UNION ALL
               SELECT min(max(next_attempt_at, lease_until)) FROM deliveries WHERE status = 'pending' AND lease_until > 0)`,
          )?.['at'],
        ),
      ),
    find: (id) =>
      database.read('find a delivery', () => {
        const row = database.get('SELECT * FROM deliveries WHERE id = ?', id);
        return row === undefined ? null : deliveryFrom(row);
      }),
    list: ({ status, clientId, signOutId, accountId, page }) =>
      database.read('list deliveries', () => {
        const { where, values } = conditions({
          status,
          client_id: clientId,
          sign_out_id: signOutId,
          account_id: accountId,
        });
        return database
          .all(
            `SELECT * FROM deliveries WHERE ${where} AND id > ? ORDER BY id LIMIT ?`,
            ...values,
            page.after ?? '',
            page.limit,
          )
          .map(deliveryFrom);
      }),
    counts: ({ signOutId }) =>
      database.read('count deliveries', () => {
        const { where, values } = conditions({ sign_out_id: signOutId });
        // One count a status: each has a partial index, and a grouped count over everything has none.
        const count = (status: DeliveryStatus): number =>
          Number(
            database.get(
              `SELECT count(*) AS count FROM deliveries WHERE status = '${status}' AND ${where}`,
              ...values,
            )?.['count'],
          );
        return {
          pending: count('pending'),
          delivered: count('delivered'),
          rejected: count('rejected'),
          abandoned: count('abandoned'),
        };
      }),
    revive: ({ ids, clientId, now, deadlineAt, limit }) =>
      database.write('revive dead letters', () => {
        const { where, values } = conditions({ client_id: clientId });
        const chosen = ids === undefined ? '' : 'AND id IN (SELECT value FROM json_each(?))';
        // One status at a time: each has a partial index, and both at once have none.
        const reviveThose = (status: DeliveryStatus, most: number): number =>
          database.run(
            `UPDATE deliveries SET status = 'pending', refusals = 0, next_attempt_at = ?, deadline_at = ?, lease_until = 0
             WHERE id IN (SELECT id FROM deliveries WHERE status = '${status}' AND ${where} ${chosen} LIMIT ?)`,
            now.getTime(),
            deadlineAt.getTime(),
            ...values,
            ...(ids === undefined ? [] : [JSON.stringify(ids)]),
            most,
          );
        const rejected = reviveThose('rejected', limit ?? NO_LIMIT);
        return rejected + reviveThose('abandoned', limit === undefined ? NO_LIMIT : limit - rejected);
      }),
  };
}

export function deliveryFrom(row: Row): DeliveryRecord {
  return {
    id: String(row['id']),
    signOutId: String(row['sign_out_id']),
    accountId: String(row['account_id']),
    clientId: String(row['client_id']),
    sid: row['sid'] === null ? null : String(row['sid']),
    status: row['status'] as DeliveryStatus,
    attempts: Number(row['attempts']),
    refusals: Number(row['refusals']),
    nextAttemptAt: instant(row['next_attempt_at']),
    lastAttemptAt: instant(row['last_attempt_at']),
    lastOutcome: row['last_outcome'] === null ? null : String(row['last_outcome']),
    createdAt: new Date(Number(row['created_at'])),
    deadlineAt: new Date(Number(row['deadline_at'])),
  };
}

function leasedFrom(row: Row): LeasedDelivery {
  return { ...deliveryFrom(row), fence: Number(row['fence']), leaseUntil: new Date(Number(row['lease_until'])) };
}
