/** The journal in SQLite: rows that are inserted and read, and never updated. */
import type { EventRecord, JournalRepository } from '../journal.ts';
import { textOrNull } from './columns.ts';
import type { Database, Row } from './database.ts';

/** After every event there can be. */
const END = { at: Number.MAX_SAFE_INTEGER, id: '' };

export function journalRepository(database: Database): JournalRepository {
  return {
    append: (events) =>
      database.write('append to the journal', () => {
        for (const event of events) {
          database.run(
            `INSERT INTO events (id, at, kind, account_id, actor, sealed) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO NOTHING`,
            event.id,
            event.at.getTime(),
            event.kind,
            event.accountId,
            JSON.stringify(event.actor),
            event.sealed,
          );
        }
      }),
    eventsOf: (accountId, { after, limit }) =>
      database.read('read the journal', () => {
        const before = after === undefined ? END : { at: after.at.getTime(), id: after.id };
        return database
          .all(
            'SELECT * FROM events WHERE account_id = ? AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?',
            accountId,
            before.at,
            before.id,
            limit,
          )
          .map(eventFrom);
      }),
    forget: (accountId) =>
      database.write('forget what happened to an account', () => {
        database.run('DELETE FROM events WHERE account_id = ?', accountId);
      }),
  };
}

export function eventFrom(row: Row): EventRecord {
  return {
    id: String(row['id']),
    at: new Date(Number(row['at'])),
    kind: String(row['kind']),
    accountId: textOrNull(row, 'account_id'),
    actor: JSON.parse(String(row['actor'])) as EventRecord['actor'],
    sealed: String(row['sealed']),
  };
}
