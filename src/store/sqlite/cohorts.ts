/**
 * Many accounts at once in SQLite. Which they are is found from the narrowest condition there is an index for, in the order
 * of their ids, so that a page costs what it holds; what is done to them is one transaction a batch.
 */
import type { SQLInputValue } from 'node:sqlite';

import type { CohortRepository, Conditions, Contained, Containment } from '../cohorts.ts';
import { accountFrom } from './accounts.ts';
import type { Database, Row } from './database.ts';
import { raise } from './scopes.ts';

export function cohortRepository(database: Database): CohortRepository {
  return {
    matching: (conditions, { after = '', limit, among }) =>
      database.read('list a cohort', () => {
        const { where, values } = clausesOf(conditions);
        const those = (ids: readonly string[]): Row[] =>
          database.all(
            `SELECT a.* FROM (SELECT DISTINCT value FROM json_each(?)) these CROSS JOIN accounts a ON a.id = these.value
             WHERE ${where} AND a.id > ? ORDER BY a.id LIMIT ?`,
            JSON.stringify(ids),
            ...values,
            after,
            limit,
          );
        if (among !== undefined) return those(among).map(accountFrom);
        const lead = leadOf(conditions);
        if (lead === null) {
          const all = `SELECT a.* FROM accounts a WHERE ${where} AND a.id > ? ORDER BY a.id LIMIT ?`;
          return database.all(all, ...values, after, limit).map(accountFrom);
        }
        const found: Row[] = [];
        for (let last = after; found.length < limit;) {
          const ids = database
            .all(`${lead.sql} ORDER BY account_id LIMIT ?`, ...lead.values(last), CANDIDATES)
            .map((row) => String(row['account_id']));
          found.push(...those(ids));
          if (ids.length < CANDIDATES) break;
          last = ids.at(-1) ?? last;
        }
        return found.slice(0, limit).map(accountFrom);
      }),
    count: (conditions) =>
      database.read('count a cohort', () => {
        const { where, values } = clausesOf(conditions);
        const lead = leadOf(conditions);
        const from =
          lead === null ? 'accounts a' : `(${lead.sql}) these CROSS JOIN accounts a ON a.id = these.account_id`;
        const sql = `SELECT count(*) AS count FROM ${from} WHERE ${where}`;
        return Number(database.get(sql, ...(lead?.values('') ?? []), ...values)?.['count']);
      }),
    contain: (batch) => database.write('contain accounts', () => batch.map((each) => contain(database, each))),
    reach: (accounts) =>
      database.read('measure what is signed in', () => {
        const everyone = accounts === 'everyone';
        // Along an index that is in the order of both, one row after the other: what is counted is kept nowhere.
        const living = everyone
          ? 'client_sessions INDEXED BY client_sessions_client_account'
          : `(SELECT DISTINCT value FROM json_each(?)) these CROSS JOIN client_sessions ON account_id = these.value`;
        return database
          .all(
            `SELECT client_id, sum(count) AS sessions, count(*) AS accounts FROM (
               SELECT client_id, account_id, count(*) AS count FROM ${living} WHERE ended_at IS NULL
               GROUP BY client_id, account_id)
             GROUP BY client_id ORDER BY client_id`,
            ...(everyone ? [] : [JSON.stringify(accounts)]),
          )
          .map((row) => ({
            clientId: String(row['client_id']),
            sessions: Number(row['sessions']),
            accounts: Number(row['accounts']),
          }));
      }),
  };
}

/** Looked at at once, of those that one condition names. */
const CANDIDATES = 1000;

type Clause = { readonly where: string; readonly values: readonly SQLInputValue[] };

/** All conditions, asked of one account `a`. */
function clausesOf(conditions: Conditions): Clause {
  const { clientId, connectionId } = conditions;
  const clauses: Clause[] = [
    { where: "a.status <> 'deleted'", values: [] },
    ...(clientId === undefined ? [] : [{ where: HAS_CLIENT, values: [clientId] }]),
    ...(connectionId === undefined ? [] : [{ where: HAS_CONNECTION, values: [connectionId, connectionId] }]),
    ...compared('a.created_at', conditions.createdBefore, conditions.createdAfter),
    ...compared(`coalesce(a.last_signed_in_at, ${NEVER})`, conditions.signedInBefore, conditions.signedInAfter),
    ...compared('a.password_changed_at', undefined, conditions.passwordChangedAfter),
  ];
  return {
    where: clauses.map(({ where }) => where).join(' AND '),
    values: clauses.flatMap(({ values }) => values),
  };
}

/** Before any instant there is: whoever never signed in did so before each, and after none. */
const NEVER = -9e15;

const HAS_CLIENT = `EXISTS (SELECT 1 FROM client_sessions INDEXED BY client_sessions_client_account
  WHERE client_id = ? AND account_id = a.id AND ended_at IS NULL)`;
const HAS_CONNECTION = `(EXISTS (SELECT 1 FROM identities WHERE connection_id = ? AND account_id = a.id)
  OR EXISTS (SELECT 1 FROM client_sessions INDEXED BY client_sessions_connection_account
    WHERE connection_id = ? AND account_id = a.id AND ended_at IS NULL AND connection_id IS NOT NULL))`;

/** The condition that an index answers in the order of the accounts, where there is one: whom it names after this one. */
function leadOf({ clientId, connectionId }: Conditions) {
  if (clientId !== undefined) {
    const sql = `SELECT DISTINCT account_id FROM client_sessions INDEXED BY client_sessions_client_account
      WHERE client_id = ? AND account_id > ? AND ended_at IS NULL`;
    return { sql, values: (after: string) => [clientId, after] };
  }
  if (connectionId !== undefined) {
    const sql = `SELECT account_id FROM identities INDEXED BY identities_connection
        WHERE connection_id = ? AND account_id > ?
      UNION SELECT account_id FROM client_sessions INDEXED BY client_sessions_connection_account
        WHERE connection_id = ? AND account_id > ? AND ended_at IS NULL AND connection_id IS NOT NULL`;
    return { sql, values: (after: string) => [connectionId, after, connectionId, after] };
  }
  return null;
}

function compared(column: string, before: Date | undefined, after: Date | undefined): Clause[] {
  return [
    ...(before === undefined ? [] : [{ where: `${column} < ?`, values: [before.getTime()] }]),
    ...(after === undefined ? [] : [{ where: `${column} > ?`, values: [after.getTime()] }]),
  ];
}

/** Only inside `write`. */
function contain(database: Database, { accountId, signOut, passwordResetRequiredAt, disable }: Containment): Contained {
  const before = 'SELECT 1 FROM sign_outs WHERE id = ?';
  if (signOut !== null && database.get(before, signOut.id) !== undefined) return 'contained-before';
  const contained = database.run(
    `UPDATE accounts SET status = CASE WHEN ?1 THEN 'disabled' ELSE status END,
       password_reset_required_at = CASE WHEN ?2 IS NULL THEN password_reset_required_at
         ELSE max(?2, coalesce(password_reset_required_at, ?2), CASE WHEN ?4 THEN coalesce(password_changed_at, ?2) ELSE ?2 END)
         END
     WHERE id = ?3 AND status <> 'deleted'`,
    disable ? 1 : 0,
    passwordResetRequiredAt?.getTime() ?? null,
    accountId,
    signOut === null ? 0 : 1,
  );
  if (contained === 0) return 'unknown';
  if (signOut !== null) raise(database, signOut);
  return 'contained';
}
