/**
 * Ending Client Sessions, and counting on the Sign-out's own row what it ended. The count is exact however often a batch
 * is repeated, since only a Client Session that had not ended is counted, in the write that ends it.
 */
import type { SignOutRecord } from '../records.ts';
import type { Database } from './database.ts';

/** Only inside `write`. Those that ended before, or are not there, are passed over. */
export function endClientSessions(database: Database, signOut: SignOutRecord, grantIds: readonly string[]): void {
  const accounts = seenFirst(database, signOut.id, 'account_id');
  const clients = seenFirst(database, signOut.id, 'client_id');
  const ended = { sessions: 0, accounts: 0, clients: 0, until: 0 };
  for (const grantId of grantIds) {
    const session = database.get(
      'SELECT account_id, client_id, self_contained_until FROM client_sessions WHERE grant_id = ? AND ended_at IS NULL',
      grantId,
    );
    if (session === undefined) continue;
    ended.sessions += 1;
    if (accounts(String(session['account_id']))) ended.accounts += 1;
    if (clients(String(session['client_id']))) ended.clients += 1;
    ended.until = Math.max(ended.until, Number(session['self_contained_until'] ?? 0));
    database.run(
      'UPDATE client_sessions SET ended_at = ?, ended_by = ? WHERE grant_id = ?',
      signOut.at.getTime(),
      signOut.id,
      grantId,
    );
  }
  if (ended.sessions === 0) return;
  database.run(
    `UPDATE sign_outs SET ended_sessions = ended_sessions + ?1, ended_accounts = ended_accounts + ?2,
       ended_clients = ended_clients + ?3,
       self_contained_until = CASE WHEN ?4 = 0 THEN self_contained_until
         ELSE max(coalesce(self_contained_until, 0), ?4) END
     WHERE id = ?5`,
    ended.sessions,
    ended.accounts,
    ended.clients,
    ended.until,
    signOut.id,
  );
}

/** Whether nothing this Sign-out ended had that account or Client before; asks the store once for each. */
function seenFirst(database: Database, signOutId: string, column: 'account_id' | 'client_id') {
  const seen = new Set<string>();
  return (id: string): boolean => {
    if (seen.has(id)) return false;
    seen.add(id);
    const sql = `SELECT 1 FROM client_sessions WHERE ended_by = ? AND ${column} = ? LIMIT 1`;
    return database.get(sql, signOutId, id) === undefined;
  };
}
