/**
 * Incidents in SQLite. What became of one is counted along the ids that begin with its own and a hyphen: a stretch of an
 * index, whatever else there is.
 */
import type { IncidentRecord, IncidentRepository, Told } from '../incidents.ts';
import type { DeliveryStatus } from '../records.ts';
import { date, text, whole } from './columns.ts';
import type { Database, Row } from './database.ts';

export function incidentRepository(database: Database): IncidentRepository {
  const count = (sql: string, ...values: string[]): number => Number(database.get(sql, ...values)?.['count']);
  return {
    open: ({ id, openedAt, state }) =>
      database.write('open an incident', () => {
        const opened = database.run(
          'INSERT INTO incidents (id, opened_at, state, revision) VALUES (?, ?, ?, 0) ON CONFLICT (id) DO NOTHING',
          id,
          openedAt.getTime(),
          state,
        );
        return opened === 1;
      }),
    change: ({ id, revision, state }) =>
      database.write('note how far an incident is', () => {
        const changed = database.run(
          'UPDATE incidents SET state = ?, revision = revision + 1 WHERE id = ? AND revision = ?',
          state,
          id,
          revision,
        );
        return changed === 1;
      }),
    find: (id) =>
      database.read('find an incident', () => {
        const row = database.get('SELECT * FROM incidents WHERE id = ?', id);
        return row === undefined ? null : incidentFrom(row);
      }),
    list: (limit) =>
      database.read('list incidents', () =>
        database.all('SELECT * FROM incidents ORDER BY opened_at DESC, id LIMIT ?', limit).map(incidentFrom),
      ),
    addMembers: (id, accountIds) =>
      database.write('note whom an incident is about', () => {
        for (const accountId of accountIds) {
          database.run(
            'INSERT INTO incident_members (id, incident_id, account_id) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING',
            `${id}-${accountId}`,
            id,
            accountId,
          );
        }
      }),
    membersOf: (id, page) =>
      database.read('list whom an incident is about', () =>
        database
          .all(
            'SELECT account_id FROM incident_members WHERE id > ? AND id < ? ORDER BY id LIMIT ?',
            `${id}-${page.after ?? ''}`,
            endOf(id),
            page.limit,
          )
          .map((row) => text(row, 'account_id')),
      ),
    countMembers: (id) =>
      database.read('count whom an incident is about', () =>
        count('SELECT count(*) AS count FROM incident_members WHERE id > ? AND id < ?', ...rangeOf(id)),
      ),
    progress: (id) =>
      database.read('measure an incident', () => {
        const range = rangeOf(id);
        const deliveries = database.all(
          `SELECT status, count(*) AS count FROM deliveries INDEXED BY deliveries_sign_out
           WHERE sign_out_id > ? AND sign_out_id < ? GROUP BY status`,
          ...range,
        );
        const mails = (status: string): number =>
          count('SELECT count(*) AS count FROM mails WHERE status = ? AND id > ? AND id < ?', status, ...range);
        return {
          signOuts: count('SELECT count(*) AS count FROM sign_outs WHERE id > ? AND id < ?', ...range),
          spreading: count(
            `SELECT count(*) AS count FROM sign_outs INDEXED BY sign_outs_pending
             WHERE status = 'pending' AND id > ? AND id < ?`,
            ...range,
          ),
          deliveries: {
            pending: 0,
            delivered: 0,
            rejected: 0,
            abandoned: 0,
            ...Object.fromEntries(deliveries.map((row) => [text(row, 'status'), whole(row, 'count')])),
          },
          mails: {
            pending: mails('pending'),
            sent: mails('sent'),
            rejected: mails('rejected'),
            abandoned: mails('abandoned'),
          },
        };
      }),
    deliveriesByClient: (id) =>
      database.read('count the deliveries of an incident', () =>
        database
          .all(
            `SELECT client_id, status, count(*) AS count FROM deliveries INDEXED BY deliveries_sign_out
             WHERE sign_out_id > ? AND sign_out_id < ? GROUP BY client_id, status ORDER BY client_id, status`,
            ...rangeOf(id),
          )
          .map((row) => ({
            clientId: text(row, 'client_id'),
            status: row['status'] as DeliveryStatus,
            count: whole(row, 'count'),
          })),
      ),
    timeline: (id, seconds) =>
      database.read('list when people were told', () => {
        const told = (where: string): Told[] =>
          database
            .all(
              `SELECT last_attempt_at / CAST(?1 AS INTEGER) * CAST(?1 AS INTEGER) AS at, count(*) AS count FROM ${where} AND last_attempt_at IS NOT NULL
               GROUP BY 1 ORDER BY 1`,
              Math.round(seconds * 1000),
              ...rangeOf(id),
            )
            .map((row) => ({ at: date(row, 'at'), count: whole(row, 'count') }));
        return {
          deliveries: told(`deliveries INDEXED BY deliveries_sign_out
            WHERE status = 'delivered' AND sign_out_id > ?2 AND sign_out_id < ?3`),
          mails: told("mails WHERE status = 'sent' AND id > ?2 AND id < ?3"),
        };
      }),
  };
}

/** A hyphen comes before every sign that the id of an incident may have, and this one right after it. */
const endOf = (id: string): string => `${id}.`;

/** Ids that begin with this incident's and a hyphen lie between these two. */
export const rangeOf = (id: string): [string, string] => [`${id}-`, endOf(id)];

export function incidentFrom(row: Row): IncidentRecord {
  return {
    id: text(row, 'id'),
    openedAt: date(row, 'opened_at'),
    state: text(row, 'state'),
    revision: whole(row, 'revision'),
  };
}
