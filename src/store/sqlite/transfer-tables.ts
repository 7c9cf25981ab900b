/** What each kind of row is in SQLite: its table, how a row is read from it, and the statements that write one. */
import { raisedBy } from '../standing.ts';
import type { Kind, RowOf } from '../transfer.ts';
import { clientSessionFrom, instant } from './client-sessions.ts';
import { date, replace, stamps, type Table, text, textOrNull, whole, type Writer } from './columns.ts';
import { connectionFrom } from './catalogue.ts';
import type { Row } from './database.ts';
import { deliveryFrom } from './deliveries.ts';
import { incidentFrom } from './incidents.ts';
import { eventFrom } from './journal.ts';
import { mailFrom } from './outbox.ts';
import { signOutFrom } from './scopes.ts';
import { ACCOUNTS } from './transfer-accounts.ts';

export const TABLES: { readonly [K in Kind]: Table<RowOf[K]> } = {
  facts: {
    name: 'facts',
    key: 'fact',
    from: (row) => ({ id: text(row, 'fact'), value: text(row, 'value') }),
    write: (database, row) => replace(database, 'facts', { fact: row.id, value: row.value }),
  },
  scopes: {
    name: 'scopes',
    key: 'key',
    from: (row) => ({
      id: text(row, 'key'),
      epoch: whole(row, 'epoch'),
      spared: stamps(row, 'spared'),
      pending: (JSON.parse(text(row, 'pending')) as string[]).sort(),
      signedOutAt: instant(row['signed_out_at']),
      raisedAt: date(row, 'raised_at'),
    }),
    write: (database, row) =>
      replace(database, 'scopes', {
        key: row.id,
        epoch: row.epoch,
        spared: JSON.stringify(row.spared),
        // The Sign-outs put themselves there as they are written.
        pending: '[]',
        signed_out_at: row.signedOutAt,
        raised_at: row.raisedAt,
      }),
  },
  accounts: ACCOUNTS,
  clients: {
    name: 'clients',
    key: 'id',
    from: (row) => ({
      id: text(row, 'id'),
      source: row['source'] as RowOf['clients']['source'],
      status: row['status'] as RowOf['clients']['status'],
      metadata: text(row, 'metadata'),
      version: whole(row, 'version'),
      createdAt: date(row, 'created_at'),
    }),
    write: (database, { id, source, status, metadata, version, createdAt }) =>
      replace(database, 'clients', { id, source, status, metadata, version, created_at: createdAt }),
  },
  connections: {
    name: 'connections',
    key: 'id',
    from: connectionFrom,
    write: (database, { id, type, status, state, version, createdAt }) =>
      replace(database, 'connections', { id, type, status, state, version, created_at: createdAt }),
  },
  signOuts: {
    name: 'sign_outs',
    key: 'id',
    from: (row) => ({
      ...signOutFrom(row),
      endedSessions: whole(row, 'ended_sessions'),
      endedAccounts: whole(row, 'ended_accounts'),
      endedClients: whole(row, 'ended_clients'),
      selfContainedUntil: instant(row['self_contained_until']),
    }),
    write: (database, row) => {
      replace(database, 'sign_outs', {
        id: row.id,
        scope: JSON.stringify(row.scope),
        reason: row.reason,
        actor: JSON.stringify(row.actor),
        at: row.at,
        status: row.status,
        epoch_before: row.epochBefore,
        spared: JSON.stringify(row.spared),
        ended_sessions: row.endedSessions,
        ended_accounts: row.endedAccounts,
        ended_clients: row.endedClients,
        self_contained_until: row.selfContainedUntil,
      });
      database.run(
        `UPDATE scopes SET pending = (SELECT json_group_array(value) FROM json_each(pending) WHERE value <> ?1)
         WHERE key = ?2 AND pending <> '[]'`,
        row.id,
        raisedBy(row.scope),
      );
      if (row.status !== 'pending') return;
      database.run(
        "UPDATE scopes SET pending = json_insert(pending, '$[#]', ?) WHERE key = ?",
        row.id,
        raisedBy(row.scope),
      );
    },
  },
  signingKeys: {
    name: 'signing_keys',
    key: 'kid',
    from: (row) => ({
      id: text(row, 'kid'),
      alg: text(row, 'alg'),
      sealedJwk: text(row, 'sealed_jwk'),
      createdAt: date(row, 'created_at'),
      signsFrom: date(row, 'signs_from'),
      retiresAt: instant(row['retires_at']),
    }),
    write: (database, row) =>
      replace(database, 'signing_keys', {
        kid: row.id,
        alg: row.alg,
        sealed_jwk: row.sealedJwk,
        created_at: row.createdAt,
        signs_from: row.signsFrom,
        retires_at: row.retiresAt,
      }),
  },
  clientSessions: {
    name: 'client_sessions',
    key: 'grant_id',
    from: (row) => {
      const { grantId, ...session } = clientSessionFrom(row);
      return { id: grantId, ...session };
    },
    write: (database, row) =>
      replace(database, 'client_sessions', {
        grant_id: row.id,
        account_id: row.accountId,
        client_id: row.clientId,
        connection_id: row.connectionId,
        session_uid: row.sessionUid,
        kind: row.kind,
        persistent: row.persistent,
        sid: row.sid,
        sealed_device: row.sealedDevice,
        stamps: JSON.stringify(row.stamps),
        first_used_at: row.firstUsedAt,
        last_used_at: row.lastUsedAt,
        self_contained_until: row.selfContainedUntil,
        ended_at: row.endedAt,
        ended_by: row.endedBy,
      }),
  },
  deliveries: {
    name: 'deliveries',
    key: 'id',
    from: (row) => ({ ...deliveryFrom(row), ...leaseFrom(row) }),
    write: (database, row) =>
      replace(database, 'deliveries', {
        id: row.id,
        sign_out_id: row.signOutId,
        account_id: row.accountId,
        client_id: row.clientId,
        sid: row.sid,
        status: row.status,
        attempts: row.attempts,
        refusals: row.refusals,
        next_attempt_at: row.nextAttemptAt,
        last_attempt_at: row.lastAttemptAt,
        last_outcome: row.lastOutcome,
        created_at: row.createdAt,
        deadline_at: row.deadlineAt,
        lease_until: row.leaseUntil ?? 0,
        fence: row.fence,
      }),
  },
  mails: {
    name: 'mails',
    key: 'id',
    from: (row) => ({ ...mailFrom(row), ...leaseFrom(row) }),
    write: (database, row) =>
      replace(database, 'mails', {
        id: row.id,
        account_id: row.accountId,
        kind: row.kind,
        sealed: row.sealed,
        status: row.status,
        attempts: row.attempts,
        next_attempt_at: row.nextAttemptAt,
        last_attempt_at: row.lastAttemptAt,
        last_outcome: row.lastOutcome,
        created_at: row.createdAt,
        deadline_at: row.deadlineAt,
        lease_until: row.leaseUntil ?? 0,
        fence: row.fence,
      }),
  },
  events: {
    name: 'events',
    key: 'id',
    from: eventFrom,
    write: (database, { accountId, actor, ...event }) =>
      replace(database, 'events', { ...event, account_id: accountId, actor: JSON.stringify(actor) }),
  },
  incidents: {
    name: 'incidents',
    key: 'id',
    from: incidentFrom,
    write: (database, { id, openedAt, state, revision }) =>
      replace(database, 'incidents', { id, opened_at: openedAt, state, revision }),
  },
  incidentMembers: {
    name: 'incident_members',
    key: 'id',
    from: (row) => ({
      id: text(row, 'id'),
      incidentId: text(row, 'incident_id'),
      accountId: text(row, 'account_id'),
    }),
    write: (database, { id, incidentId, accountId }) =>
      replace(database, 'incident_members', { id, incident_id: incidentId, account_id: accountId }),
  },
  artifacts: {
    name: 'artifacts',
    key: 'key',
    keyOf: (id) => Buffer.from(id, 'hex'),
    expires: true,
    from: (row) => ({
      id: Buffer.from(row['key'] as Uint8Array).toString('hex'),
      model: text(row, 'model'),
      payload: text(row, 'payload'),
      stamps: stamps(row, 'stamps'),
      expiresAt: date(row, 'expires_at'),
      consumedAt: instant(row['consumed_at']),
      destroyed: row['destroyed'] === 1,
      uid: textOrNull(row, 'uid'),
      userCode: textOrNull(row, 'user_code'),
      accountId: textOrNull(row, 'account_id'),
      order: whole(row, 'id'),
    }),
    write: (database, row) => {
      const key = Buffer.from(row.id, 'hex');
      replace(database, 'artifacts', {
        id: placeFor(database, key, row.order),
        key,
        model: row.model,
        payload: row.payload,
        stamps: JSON.stringify(row.stamps),
        expires_at: row.expiresAt,
        consumed_at: row.consumedAt,
        destroyed: row.destroyed,
        uid: row.uid,
        user_code: row.userCode,
        account_id: row.accountId,
      });
    },
  },
  failures: {
    name: 'failures',
    key: 'key',
    from: (row) => ({
      id: text(row, 'key'),
      failures: whole(row, 'failures'),
      blockedUntil: date(row, 'blocked_until'),
      failedAt: date(row, 'failed_at'),
    }),
    write: (database, { id, failures, blockedUntil, failedAt }) =>
      replace(database, 'failures', { key: id, failures, blocked_until: blockedUntil, failed_at: failedAt }),
  },
  attempts: {
    name: 'attempts',
    key: 'key',
    expires: true,
    from: (row) => ({
      id: text(row, 'key'),
      windowStart: date(row, 'window_start'),
      attempts: whole(row, 'attempts'),
      expiresAt: date(row, 'expires_at'),
    }),
    write: (database, { id, windowStart, attempts, expiresAt }) =>
      replace(database, 'attempts', { key: id, window_start: windowStart, attempts, expires_at: expiresAt }),
  },
};

function leaseFrom(row: Row): Pick<RowOf['mails'], 'leaseUntil' | 'fence'> {
  return { leaseUntil: row['lease_until'] === 0 ? null : date(row, 'lease_until'), fence: whole(row, 'fence') };
}

/** The rowid says which of two was saved first. One that another artifact has goes to the next that is free. */
function placeFor(database: Writer, key: Uint8Array, order: number): number {
  for (let place = order; ; place += 1) {
    const there = database.get('SELECT key FROM artifacts WHERE id = ?', place);
    if (there === undefined || Buffer.compare(there['key'] as Uint8Array, key) === 0) return place;
  }
}
