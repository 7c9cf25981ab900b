/** How a SQLite store is: looked at, not changed. */
import type { StoreCondition } from '../port.ts';
import { instant } from './client-sessions.ts';
import type { Database } from './database.ts';
import { SCHEMA_VERSION } from './migrations.ts';

const FAULTS_TOLD = 5;

/** Reads the whole file once. */
export function inspect(database: Database): Promise<StoreCondition> {
  return database.read('inspect', () => {
    const faults = database
      .all(`PRAGMA quick_check(${FAULTS_TOLD})`)
      .map((row) => String(Object.values(row)[0]))
      .filter((found) => found !== 'ok');
    const newest = database.get(
      `SELECT max(at) AS at FROM (
         SELECT max(at) AS at FROM sign_outs
         UNION ALL SELECT max(created_at) FROM accounts UNION ALL SELECT max(password_changed_at) FROM accounts
         UNION ALL SELECT max(created_at) FROM clients UNION ALL SELECT max(created_at) FROM signing_keys
         UNION ALL SELECT max(last_used_at) FROM client_sessions
         UNION ALL SELECT max(created_at) FROM deliveries UNION ALL SELECT max(last_attempt_at) FROM deliveries
         UNION ALL SELECT max(created_at) FROM mails UNION ALL SELECT max(last_attempt_at) FROM mails
         UNION ALL SELECT max(at) FROM events)`,
    );
    const remedy = 'stop the server and restore the database from a backup';
    return { schema: SCHEMA_VERSION, faults, remedy, newestRecordAt: instant(newest?.['at']) };
  });
}
