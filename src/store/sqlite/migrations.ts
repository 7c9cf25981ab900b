/**
 * The schema, as numbered steps that run once each, in order, in one transaction. A database newer than this list was
 * written by a newer Curfew: it is refused and left as it is, since an older program cannot know what it would break.
 */
import type { DatabaseSync } from 'node:sqlite';

import { StoreUnusable } from '../port.ts';

const MIGRATIONS: readonly string[] = [
  /* 1 */ `
  CREATE TABLE facts (fact TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE pings (id INTEGER PRIMARY KEY, answered INTEGER NOT NULL);

  CREATE TABLE scopes (
    key TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    spared TEXT NOT NULL DEFAULT '{}',
    pending TEXT NOT NULL DEFAULT '[]',
    signed_out_at INTEGER,
    raised_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX scopes_pending ON scopes (key) WHERE pending <> '[]';

  CREATE TABLE sign_outs (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    status TEXT NOT NULL,
    epoch_before INTEGER NOT NULL,
    spared TEXT NOT NULL
  );
  CREATE INDEX sign_outs_at ON sign_outs (at);

  CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    admin INTEGER NOT NULL,
    sealed_username TEXT NOT NULL,
    sealed_email TEXT NOT NULL,
    password_hash TEXT,
    password_changed_at INTEGER,
    created_at INTEGER NOT NULL
  );
  CREATE TABLE account_identifiers (
    identifier TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX account_identifiers_account ON account_identifiers (account_id);
  CREATE TABLE failures (
    key TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    failed_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX failures_failed_at ON failures (failed_at);
  CREATE TABLE attempts (
    key TEXT PRIMARY KEY,
    window_start INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX attempts_expires_at ON attempts (expires_at);

  CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    alg TEXT NOT NULL,
    sealed_jwk TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL,
    retires_at INTEGER
  );

  -- A rowid table under a 32-byte key: measured 1.75 to 2.5 times faster than text keys without rowid. There is no
  -- index on expiry: it would cost every write, and the sweeper walks by rowid.
  CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    model TEXT NOT NULL,
    payload TEXT NOT NULL,
    stamps TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER,
    destroyed INTEGER NOT NULL DEFAULT 0,
    uid TEXT,
    user_code TEXT,
    account_id TEXT
  );
  CREATE INDEX artifacts_uid ON artifacts (uid) WHERE uid IS NOT NULL;
  CREATE INDEX artifacts_user_code ON artifacts (user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX artifacts_sessions ON artifacts (account_id) WHERE model = 'Session';

  CREATE TABLE client_sessions (
    grant_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    connection_id TEXT,
    session_uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    persistent INTEGER NOT NULL,
    sid TEXT NOT NULL,
    sealed_device TEXT NOT NULL,
    stamps TEXT NOT NULL,
    first_used_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    self_contained_until INTEGER,
    ended_at INTEGER,
    ended_by TEXT
  );
  CREATE INDEX client_sessions_account ON client_sessions (account_id, grant_id) WHERE ended_at IS NULL;
  CREATE INDEX client_sessions_client ON client_sessions (client_id, grant_id) WHERE ended_at IS NULL;
  CREATE INDEX client_sessions_connection ON client_sessions (connection_id, grant_id)
    WHERE ended_at IS NULL AND connection_id IS NOT NULL;
  CREATE INDEX client_sessions_session ON client_sessions (session_uid, grant_id) WHERE ended_at IS NULL;
  CREATE INDEX client_sessions_ended ON client_sessions (ended_by, grant_id) WHERE ended_by IS NOT NULL;
  CREATE INDEX client_sessions_ended_at ON client_sessions (ended_at) WHERE ended_at IS NOT NULL;

  CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    sign_out_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    sid TEXT,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    last_attempt_at INTEGER,
    last_outcome TEXT,
    created_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX deliveries_due ON deliveries (client_id, next_attempt_at) WHERE status = 'pending';
  CREATE INDEX deliveries_next ON deliveries (next_attempt_at) WHERE status = 'pending' AND lease_until = 0;
  CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE status = 'pending' AND lease_until > 0;
  CREATE INDEX deliveries_sign_out ON deliveries (sign_out_id, status, id);
  CREATE INDEX deliveries_told ON deliveries (created_at) WHERE status = 'delivered';
  CREATE INDEX deliveries_rejected ON deliveries (client_id, id) WHERE status = 'rejected';
  CREATE INDEX deliveries_abandoned ON deliveries (client_id, id) WHERE status = 'abandoned';
  `,
  /* 2 */ `
  -- What a Sign-out ended is counted as it ends: a receipt is read again and again while millions of rows are told.
  ALTER TABLE sign_outs ADD COLUMN ended_sessions INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sign_outs ADD COLUMN ended_accounts INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sign_outs ADD COLUMN ended_clients INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sign_outs ADD COLUMN self_contained_until INTEGER;
  CREATE INDEX client_sessions_ended_account ON client_sessions (ended_by, account_id) WHERE ended_by IS NOT NULL;
  CREATE INDEX client_sessions_ended_client ON client_sessions (ended_by, client_id) WHERE ended_by IS NOT NULL;
  UPDATE sign_outs SET
    ended_sessions = (SELECT count(*) FROM client_sessions WHERE ended_by = sign_outs.id),
    ended_accounts = (SELECT count(DISTINCT account_id) FROM client_sessions WHERE ended_by = sign_outs.id),
    ended_clients = (SELECT count(DISTINCT client_id) FROM client_sessions WHERE ended_by = sign_outs.id),
    self_contained_until = (SELECT max(self_contained_until) FROM client_sessions WHERE ended_by = sign_outs.id);

  -- A Sign-out of everyone walks those that live, however many have ended.
  CREATE INDEX client_sessions_alive ON client_sessions (grant_id) WHERE ended_at IS NULL;

  -- The sweeper decides for a whole Sign-out by its own age, and walks raised Grants and Sessions by theirs.
  DROP INDEX client_sessions_ended_at;
  CREATE INDEX scopes_raised ON scopes (raised_at)
    WHERE pending = '[]' AND (key BETWEEN 'grant:' AND 'grant;' OR key BETWEEN 'session:' AND 'session;');
  `,
  /* 3 */ `
  CREATE TABLE identities (
    subject TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    sealed_identity TEXT NOT NULL,
    linked_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX identities_account ON identities (account_id, linked_at);
  CREATE TABLE connections (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  );
  `,
  /* 4 */ `
  ALTER TABLE accounts ADD COLUMN password_reset_required_at INTEGER;
  ALTER TABLE accounts ADD COLUMN email_verified_at INTEGER;
  ALTER TABLE accounts ADD COLUMN locale TEXT;
  CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    sealed TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX credentials_account ON credentials (account_id, created_at);

  CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    account_id TEXT,
    kind TEXT NOT NULL,
    sealed TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER,
    last_attempt_at INTEGER,
    last_outcome TEXT,
    created_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX mails_due ON mails (next_attempt_at) WHERE status = 'pending';
  CREATE INDEX mails_leased ON mails (lease_until) WHERE status = 'pending' AND lease_until > 0;
  CREATE INDEX mails_status ON mails (status, id);
  CREATE INDEX mails_account ON mails (account_id, id) WHERE account_id IS NOT NULL;
  CREATE INDEX mails_over ON mails (created_at) WHERE status <> 'pending';

  CREATE TABLE events (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account_id TEXT,
    actor TEXT NOT NULL,
    sealed TEXT NOT NULL
  );
  CREATE INDEX events_account ON events (account_id, at, id) WHERE account_id IS NOT NULL;
  `,
  /* 5 */ `
  ALTER TABLE accounts ADD COLUMN last_signed_in_at INTEGER;
  CREATE INDEX identities_connection ON identities (connection_id, account_id);

  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    lease_until INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL
  ) WITHOUT ROWID;
  -- The id is that of the incident, a hyphen and that of the account: in its order they lie together and ascend.
  CREATE TABLE incident_members (
    id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    account_id TEXT NOT NULL
  ) WITHOUT ROWID;
  -- Whoever is signed in at an app, or through a Connection, in the order of the accounts.
  CREATE INDEX client_sessions_client_account ON client_sessions (client_id, account_id) WHERE ended_at IS NULL;
  CREATE INDEX client_sessions_connection_account ON client_sessions (connection_id, account_id)
    WHERE ended_at IS NULL AND connection_id IS NOT NULL;
  -- A hundred thousand may be pending at once: the first of them are found without sorting all.
  CREATE INDEX sign_outs_pending ON sign_outs (at, id) WHERE status = 'pending';
  DROP INDEX scopes_pending;

  -- Events are written first and chained after, so that whoever writes one waits for nobody.
  ALTER TABLE events ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';
  ALTER TABLE events ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE events ADD COLUMN commitment TEXT NOT NULL DEFAULT '';
  ALTER TABLE events ADD COLUMN seq INTEGER;
  ALTER TABLE events ADD COLUMN hash TEXT;
  CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;
  CREATE INDEX events_unchained ON events (at, id) WHERE seq IS NULL;
  `,
];

/** The schema version this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Throws StoreUnusable for a database written by a newer program; changes nothing. */
export function refuseNewerSchema(handle: DatabaseSync): void {
  refuseNewer(Number(handle.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0));
}

/** Brings an older database up to date, and returns the schema it had. Throws StoreUnusable for a newer one. */
export function migrate(handle: DatabaseSync): number {
  const version = (): number => Number(handle.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version() === SCHEMA_VERSION) return SCHEMA_VERSION;
  refuseNewer(version());
  handle.exec('BEGIN EXCLUSIVE');
  try {
    // Another process may have migrated while this one waited for the lock.
    const from = version();
    refuseNewer(from);
    for (const migration of MIGRATIONS.slice(from)) handle.exec(migration);
    handle.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    handle.exec('COMMIT');
    return from;
  } catch (fault) {
    if (handle.isTransaction) handle.exec('ROLLBACK');
    throw fault;
  }
}

function refuseNewer(version: number): void {
  if (version > SCHEMA_VERSION) {
    throw new StoreUnusable(
      `the database has schema ${version}, this program knows up to ${SCHEMA_VERSION}: it was written by a newer Curfew. Start that version; nothing was changed.`,
    );
  }
}
