/**
 * What an incident must have come to, asked of the database in SQL by somebody who knows nothing of how one is carried out.
 * Only looks. Every figure but `accounts` and `untouched` is a count of mistakes.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import type { Place } from '../house.ts';

/** The Clients that can be told, and how. */
export type Told = { readonly bySid: readonly string[]; readonly bySub: readonly string[] };

export type Verdict = {
  readonly accounts: number;
  /** Whoever has a password of before that still works, or was not signed out, or has a device that has not ended. */
  readonly missed: number;
  readonly mailsMissing: number;
  readonly mailsTwice: number;
  readonly noticesMissing: number;
  readonly noticesTwice: number;
  /** Whatever was done to those who are not meant. */
  readonly touched: number;
  readonly untouched: number;
};

const MAILS = "('password-reset-required', 'access-ended', 'account-locked')";

export async function verdict({
  place,
  reason,
  list,
  told,
}: {
  readonly place: Place;
  /** The incident's own, by which its Sign-outs are known. */
  readonly reason: string;
  /** Ids of the accounts that were listed; null: everyone. */
  readonly list: readonly string[] | null;
  readonly told: Told;
}): Promise<Verdict> {
  const database = new DatabaseSync(join(place.folder, 'data', 'curfew.db'), { readOnly: true });
  try {
    database.exec('PRAGMA temp_store = MEMORY; PRAGMA cache_size = -262144');
    const one = (sql: string, ...values: (string | number)[]): number =>
      Number(Object.values(database.prepare(sql).get(...values) ?? {})[0] ?? Number.NaN);
    const openedAt = one("SELECT opened_at FROM incidents WHERE json_extract(state, '$.reason') = ?", reason);
    database.exec('CREATE TEMP TABLE meant (id TEXT PRIMARY KEY) WITHOUT ROWID');
    if (list === null) {
      database.prepare('INSERT INTO meant SELECT id FROM accounts WHERE created_at <= ?').run(openedAt);
    } else database.prepare('INSERT INTO meant SELECT value FROM json_each(?)').run(JSON.stringify(list));
    database.exec('CREATE TEMP TABLE ends (id TEXT PRIMARY KEY, account_id TEXT) WITHOUT ROWID');
    database
      .prepare(
        `INSERT INTO ends SELECT id, json_extract(scope, '$.accountId') FROM sign_outs
         WHERE reason = ? AND at >= ? AND status = 'complete' AND json_extract(scope, '$.kind') = ?`,
      )
      .run(reason, openedAt, list === null ? 'everyone' : 'account');
    database.exec(`CREATE TEMP TABLE letters AS SELECT account_id, count(*) AS count FROM mails
      WHERE kind IN ${MAILS} AND created_at >= ${openedAt} GROUP BY account_id;
      CREATE UNIQUE INDEX letters_account ON letters (account_id)`);
    const passwords = one(
      `SELECT count(*) FROM meant JOIN accounts a USING (id) WHERE a.password_hash IS NOT NULL
         AND a.password_changed_at <= ?1 AND coalesce(a.password_reset_required_at, 0) < ?1`,
      openedAt,
    );
    const signedOut =
      list === null
        ? Math.abs(one('SELECT count(*) FROM ends') - 1)
        : one('SELECT count(*) FROM (SELECT id FROM meant EXCEPT SELECT account_id FROM ends)') +
          one('SELECT count(*) - count(DISTINCT account_id) FROM ends');
    const devices = one(
      `SELECT count(*) FROM meant JOIN client_sessions s ON s.account_id = meant.id
       WHERE s.first_used_at <= ? AND s.ended_at IS NULL`,
      openedAt,
    );
    const among = (ids: readonly string[]): string => `(SELECT value FROM json_each('${JSON.stringify(ids)}'))`;
    database.exec(
      `CREATE TEMP TABLE owed AS
      SELECT account_id, client_id, sid FROM client_sessions JOIN ends ON ended_by = ends.id WHERE client_id IN ${among(told.bySid)}
      UNION SELECT account_id, client_id, NULL FROM client_sessions JOIN ends ON ended_by = ends.id
        WHERE client_id IN ${among(told.bySub)}`.replaceAll(
        'account_id, client_id',
        'client_sessions.account_id, client_id',
      ),
    );
    database.exec(`CREATE TEMP TABLE written AS SELECT d.account_id, d.client_id, d.sid FROM deliveries d
      JOIN ends ON d.sign_out_id = ends.id`);
    const others = 'accounts a WHERE NOT EXISTS (SELECT 1 FROM meant WHERE meant.id = a.id)';
    const touched =
      list === null
        ? 0
        : one(`SELECT count(*) FROM ${others} AND (a.password_reset_required_at IS NOT NULL OR a.status <> 'active'
             OR EXISTS (SELECT 1 FROM letters WHERE letters.account_id = a.id))`) +
          one('SELECT count(*) FROM (SELECT account_id FROM ends EXCEPT SELECT id FROM meant)') +
          one(`SELECT count(*) FROM client_sessions s WHERE s.ended_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM meant WHERE meant.id = s.account_id)`);
    return {
      accounts: one('SELECT count(*) FROM meant JOIN accounts USING (id)'),
      missed: passwords + signedOut + devices,
      mailsMissing: one(
        'SELECT count(*) FROM meant WHERE NOT EXISTS (SELECT 1 FROM letters WHERE letters.account_id = meant.id)',
      ),
      mailsTwice: one('SELECT coalesce(sum(count - 1), 0) FROM letters'),
      noticesMissing: one('SELECT count(*) FROM (SELECT * FROM owed EXCEPT SELECT * FROM written)'),
      noticesTwice:
        one('SELECT count(*) FROM written') -
        one('SELECT count(*) FROM (SELECT DISTINCT * FROM written)') +
        one('SELECT count(*) FROM (SELECT * FROM written EXCEPT SELECT * FROM owed)'),
      touched,
      untouched: one(`SELECT count(*) FROM ${others}`),
    };
  } finally {
    database.close();
  }
}
