/** Epochs, Sign-outs and Client Sessions in SQLite. */
import type { RevocationRepository } from '../port.ts';
import type { ScopeKey, SignOutRecord } from '../records.ts';
import { allStand, anyMovedBySignOut, raisedBy, UNRAISED } from '../standing.ts';
import { clientSessionFrom, instant } from './client-sessions.ts';
import type { Database } from './database.ts';
import { insertDelivery } from './deliveries.ts';
import { endClientSessions } from './ending.ts';
import { holdLease } from './held-leases.ts';
import { findSignOut, raiseForSignOut, scopeStates, signOutFrom } from './scopes.ts';

/** What SQLite takes for no limit at all. */
const NO_LIMIT = -1;

/** Under which name a pending Sign-out is held. */
const leaseOf = (signOutId: string): string => `sign-out:${signOutId}`;

const stampKeys = (stamps: object): ScopeKey[] => Object.keys(stamps) as ScopeKey[];

export function revocationRepository(database: Database): RevocationRepository {
  return {
    epochs: (keys) =>
      database.read('read epochs', () => {
        const states = scopeStates(database, keys);
        return Object.fromEntries(keys.map((key) => [key, (states.get(key) ?? UNRAISED).epoch]));
      }),
    stand: (stamps) => database.read('check epochs', () => allStand(stamps, scopeStates(database, stampKeys(stamps)))),
    movedBySignOut: (stamps) =>
      database.read('check epochs', () => anyMovedBySignOut(stamps, scopeStates(database, stampKeys(stamps)))),
    signedOutAt: (key) =>
      database.read('read a scope', () => scopeStates(database, [key]).get(key)?.signedOutAt ?? null),
    revokeGrant: (grantId, now) =>
      database.write('revoke a grant', () => {
        database.run(
          `INSERT INTO scopes (key, epoch, raised_at) VALUES (?1, 1, ?2)
           ON CONFLICT (key) DO UPDATE SET epoch = epoch + 1, raised_at = ?2`,
          `grant:${grantId}`,
          now.getTime(),
        );
      }),
    signOut: (request) => database.write('sign out', () => raiseForSignOut(database, request)),

    findSignOut: (id) => database.read('find a sign-out', () => findSignOut(database, id)),
    listSignOuts: (limit) =>
      database.read('list sign-outs', () =>
        database.all('SELECT * FROM sign_outs ORDER BY at DESC, id LIMIT ?', limit).map(signOutFrom),
      ),
    pendingSignOuts: (limit) =>
      database.read('list pending sign-outs', () =>
        database
          .all(
            "SELECT * FROM sign_outs INDEXED BY sign_outs_pending WHERE status = 'pending' ORDER BY at, id LIMIT ?",
            limit,
          )
          .map(signOutFrom),
      ),
    leaseSignOut: ({ signOut: { id }, ...lease }) =>
      database.write('lease a sign-out', () => {
        if (findSignOut(database, id)?.status !== 'pending') return false;
        return holdLease(database, { name: leaseOf(id), ...lease });
      }),
    sessionsToEnd: (signOut, page) =>
      database.read('list what a sign-out ends', () => {
        const { where, values } = endedByScope(signOut.scope);
        const raises = raisedBy(signOut.scope);
        return database
          .all(
            `SELECT * FROM client_sessions WHERE ended_at IS NULL AND ${where} AND grant_id > ?
               AND NOT EXISTS (SELECT 1 FROM json_each(stamps) k WHERE k.key = ? AND k.value > ?)
               AND NOT EXISTS (SELECT 1 FROM json_each(stamps) k
                 JOIN json_each(?) spared JOIN json_each(stamps) borne ON borne.key = spared.key
                 WHERE k.key = ? AND k.value >= spared.value)
             ORDER BY grant_id LIMIT ?`,
            ...values,
            page.after ?? '',
            raises,
            signOut.epochBefore,
            JSON.stringify(signOut.spared),
            raises,
            page.limit,
          )
          .map(clientSessionFrom);
      }),
    fanOut: ({ signOut, deliveries, ended }) =>
      database.write('write deliveries', () => {
        for (const delivery of deliveries) insertDelivery(database, delivery);
        endClientSessions(database, signOut, ended);
      }),
    completeSignOut: (signOut) =>
      database.write('complete a sign-out', () => {
        database.run(
          `UPDATE scopes SET pending = (SELECT json_group_array(value) FROM json_each(pending) WHERE value <> ?1)
           WHERE key = ?2`,
          signOut.id,
          raisedBy(signOut.scope),
        );
        database.run("UPDATE sign_outs SET status = 'complete' WHERE id = ?", signOut.id);
        database.run('DELETE FROM leases WHERE name = ?', leaseOf(signOut.id));
      }),

    findClientSession: (grantId) =>
      database.read('find a client session', () => {
        const row = database.get('SELECT * FROM client_sessions WHERE grant_id = ?', grantId);
        return row === undefined ? null : clientSessionFrom(row);
      }),
    clientSessionsOf: (accountId, page) =>
      database.read('list client sessions', () =>
        database
          .all(
            `SELECT * FROM client_sessions WHERE account_id = ? AND ended_at IS NULL AND grant_id > ?
             ORDER BY grant_id LIMIT ?`,
            accountId,
            page?.after ?? '',
            page?.limit ?? NO_LIMIT,
          )
          .map(clientSessionFrom),
      ),
    endedBy: (signOutId, page) =>
      database.read('list ended client sessions', () =>
        database
          .all(
            'SELECT * FROM client_sessions WHERE ended_by = ? AND grant_id > ? ORDER BY grant_id LIMIT ?',
            signOutId,
            page.after ?? '',
            page.limit,
          )
          .map(clientSessionFrom),
      ),
    touchClientSession: ({ grantId, lastUsedAt, selfContainedUntil }) =>
      database.write('note a use', () => {
        database.run(
          `UPDATE client_sessions SET last_used_at = max(last_used_at, ?1),
             self_contained_until = CASE WHEN ?2 IS NULL THEN self_contained_until
               ELSE max(coalesce(self_contained_until, 0), ?2) END
           WHERE grant_id = ?3`,
          lastUsedAt.getTime(),
          selfContainedUntil?.getTime() ?? null,
          grantId,
        );
        // Its Sign-out may have counted it already; a token issued meanwhile still has to be waited for.
        if (selfContainedUntil !== undefined) {
          database.run(
            `UPDATE sign_outs SET self_contained_until = max(coalesce(self_contained_until, 0), ?)
             WHERE id = (SELECT ended_by FROM client_sessions WHERE grant_id = ?)`,
            selfContainedUntil.getTime(),
            grantId,
          );
        }
      }),
    reach: (scope) =>
      database.read('measure a sign-out', () => {
        const { where, values } = endedByScope(scope);
        const spares = scope.kind === 'account-except' ? scope.sessionUid : '';
        const row = database.get(
          `SELECT count(DISTINCT account_id) AS accounts, count(DISTINCT client_id) AS clients FROM client_sessions
           WHERE ended_at IS NULL AND ${where} AND NOT (kind = 'browser' AND session_uid = ?)`,
          ...values,
          spares,
        );
        return { accounts: Number(row?.['accounts'] ?? 0), clients: Number(row?.['clients'] ?? 0) };
      }),
    ended: (signOutId) =>
      database.read('measure what a sign-out ended', () => {
        const row = database.get(
          `SELECT ended_sessions AS sessions, ended_accounts AS accounts, ended_clients AS clients,
             self_contained_until AS until FROM sign_outs WHERE id = ?`,
          signOutId,
        );
        return {
          sessions: Number(row?.['sessions'] ?? 0),
          accounts: Number(row?.['accounts'] ?? 0),
          clients: Number(row?.['clients'] ?? 0),
          selfContainedUntil: instant(row?.['until']),
        };
      }),
  };
}

function endedByScope(scope: SignOutRecord['scope']): { where: string; values: string[] } {
  switch (scope.kind) {
    case 'everyone':
      return { where: '1', values: [] };
    case 'client':
      return { where: 'client_id = ?', values: [scope.clientId] };
    case 'connection':
      return { where: 'connection_id = ?', values: [scope.connectionId] };
    case 'account':
    case 'account-except':
      return { where: 'account_id = ?', values: [scope.accountId] };
    case 'identity':
    case 'upstream':
      return {
        where: 'account_id = ? AND EXISTS (SELECT 1 FROM json_each(stamps) borne WHERE borne.key = ?)',
        values: [scope.accountId, raisedBy(scope)],
      };
    case 'device':
      return { where: 'grant_id = ? AND account_id = ?', values: [scope.grantId, scope.accountId] };
    case 'browser':
      return {
        where: "session_uid = ? AND account_id = ? AND kind = 'browser'",
        values: [scope.sessionUid, scope.accountId],
      };
  }
}
