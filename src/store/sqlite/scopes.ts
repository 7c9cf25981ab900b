/**
 * Epochs in SQLite: reading how scopes stand, and the one statement group by which a Sign-out raises one. Used inside
 * `write` by every repository whose change must be one fact with a Sign-out.
 */
import type { SignOutRequest } from '../port.ts';
import type { ScopeKey, SignOutRecord, Stamps } from '../records.ts';
import { raisedBy, sparedByRaise, UNRAISED, type ScopeState } from '../standing.ts';
import type { Database, Row } from './database.ts';

/** How these scopes stand now. Keys without a row are left out: they stand at UNRAISED. */
export function scopeStates(database: Database, keys: readonly ScopeKey[]): Map<ScopeKey, ScopeState> {
  const rows = database.all(
    'SELECT s.key, s.epoch, s.spared, s.signed_out_at FROM json_each(?) k JOIN scopes s ON s.key = k.value',
    JSON.stringify(keys),
  );
  return new Map(rows.map((row) => [row['key'] as ScopeKey, scopeState(row)]));
}

/** Whether a Sign-out has raised the account's epoch since it was this; undefined is not asked. */
export function hasMoved(database: Database, accountId: string, accountEpoch: number | undefined): boolean {
  return hasRisen(database, `account:${accountId}`, accountEpoch);
}

/** The same of any scope. */
export function hasRisen(database: Database, key: ScopeKey, epoch: number | undefined): boolean {
  return epoch !== undefined && (scopeStates(database, [key]).get(key) ?? UNRAISED).epoch !== epoch;
}

/** A row of `epoch, spared, signed_out_at`. */
function scopeState(row: Row): ScopeState {
  return {
    epoch: Number(row['epoch']),
    spared: JSON.parse(String(row['spared'])) as Stamps,
    signedOutAt: row['signed_out_at'] === null ? null : new Date(Number(row['signed_out_at'])),
  };
}

/** Raises one epoch and records the pending Sign-out. The same id again changes nothing and answers what stands. */
export function raiseForSignOut(database: Database, request: SignOutRequest): SignOutRecord {
  return findSignOut(database, request.id) ?? raise(database, request);
}

/** The same where there is none of this id. */
export function raise(database: Database, request: SignOutRequest): SignOutRecord {
  const raises = raisedBy(request.scope);
  const row = database.get('SELECT epoch, spared, signed_out_at FROM scopes WHERE key = ?', raises);
  const state = row === undefined ? UNRAISED : scopeState(row);
  const spared = sparedByRaise(request.spares ?? [], state);
  database.run(
    `INSERT INTO scopes (key, epoch, spared, pending, signed_out_at, raised_at) VALUES (?1, 1, ?2, json_array(?3), ?4, ?4)
     ON CONFLICT (key) DO UPDATE SET epoch = epoch + 1, spared = ?2, pending = json_insert(pending, '$[#]', ?3),
       signed_out_at = max(?4, coalesce(signed_out_at, 0)), raised_at = ?4`,
    raises,
    JSON.stringify(spared),
    request.id,
    request.at.getTime(),
  );
  database.run(
    'INSERT INTO sign_outs (id, scope, reason, actor, at, status, epoch_before, spared) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    request.id,
    JSON.stringify(request.scope),
    request.reason,
    JSON.stringify(request.actor),
    request.at.getTime(),
    'pending',
    state.epoch,
    JSON.stringify(spared),
  );
  const { id, scope, reason, actor, at } = request;
  return { id, scope, reason, actor, at, status: 'pending', epochBefore: state.epoch, spared };
}

export function findSignOut(database: Database, id: string): SignOutRecord | null {
  const row = database.get('SELECT * FROM sign_outs WHERE id = ?', id);
  return row === undefined ? null : signOutFrom(row);
}

export function signOutFrom(row: Row): SignOutRecord {
  return {
    id: String(row['id']),
    scope: JSON.parse(String(row['scope'])) as SignOutRecord['scope'],
    reason: String(row['reason']),
    actor: JSON.parse(String(row['actor'])) as SignOutRecord['actor'],
    at: new Date(Number(row['at'])),
    status: row['status'] as SignOutRecord['status'],
    epochBefore: Number(row['epoch_before']),
    spared: JSON.parse(String(row['spared'])) as Stamps,
  };
}
