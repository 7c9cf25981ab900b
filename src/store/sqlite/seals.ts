/** Where sealed texts are in SQLite, and replacing them: each collection is a table, read along its key. */
import type { SQLInputValue } from 'node:sqlite';

import type { SealedCollection, SealedPlace, SealRepository } from '../seals.ts';
import type { Database, Row } from './database.ts';

/** A table, by what it is walked along, and the columns that hold sealed texts by the names of their fields. */
type Sealed = {
  readonly table: string;
  readonly key: string;
  readonly kind?: string;
  /** Rows belong to an account, and are walked by it. */
  readonly ofAccounts?: true;
  readonly fields: { readonly [field: string]: string };
  /** What holds nothing any more, besides those whose fields are all empty. */
  readonly but?: string;
  /** A key that is bytes, in hexadecimal everywhere else. */
  readonly bytes?: true;
};

const SEALED: { readonly [collection in SealedCollection]: Sealed } = {
  facts: { table: 'facts', key: 'fact', fields: { value: 'value' } },
  accounts: {
    table: 'accounts',
    key: 'id',
    fields: { sealedUsername: 'sealed_username', sealedEmail: 'sealed_email' },
  },
  identities: { table: 'identities', key: 'subject', ofAccounts: true, fields: { sealedIdentity: 'sealed_identity' } },
  credentials: { table: 'credentials', key: 'id', kind: 'kind', ofAccounts: true, fields: { sealed: 'sealed' } },
  connections: { table: 'connections', key: 'id', kind: 'type', fields: { state: 'state' } },
  signingKeys: { table: 'signing_keys', key: 'kid', kind: 'alg', fields: { sealedJwk: 'sealed_jwk' } },
  clientSessions: { table: 'client_sessions', key: 'grant_id', fields: { sealedDevice: 'sealed_device' } },
  artifacts: {
    table: 'artifacts',
    key: 'key',
    kind: 'model',
    fields: { payload: 'payload' },
    but: 'destroyed = 0',
    bytes: true,
  },
  mails: { table: 'mails', key: 'id', kind: 'kind', fields: { sealed: 'sealed' } },
  events: { table: 'events', key: 'id', kind: 'kind', fields: { sealed: 'sealed' } },
};

const holding = ({ fields, but = 'TRUE' }: Sealed): string => {
  const filled = Object.values(fields).map((column) => `${column} <> ''`);
  return `${but} AND (${filled.join(' OR ')})`;
};

export function sealRepository(database: Database): SealRepository {
  const keyOf = ({ bytes }: Sealed, id: string): SQLInputValue => (bytes === true ? Buffer.from(id, 'hex') : id);
  const place = (sealed: Sealed, { id, accountId }: SealedPlace): SQLInputValue[] =>
    sealed.ofAccounts === true ? [accountId ?? '', id] : [keyOf(sealed, id)];
  const rowFrom = (sealed: Sealed, row: Row) => {
    const key = row[sealed.key];
    return {
      id: key instanceof Uint8Array ? Buffer.from(key).toString('hex') : String(key),
      kind: sealed.kind === undefined ? null : String(row[sealed.kind]),
      accountId: sealed.ofAccounts === true ? String(row['account_id']) : null,
      fields: Object.fromEntries(
        Object.entries(sealed.fields).map(([field, column]) => [field, String(row[column])] as const),
      ),
    };
  };

  return {
    rows: (collection, { after, limit }) =>
      database.read('read what is sealed', () => {
        const sealed = SEALED[collection];
        const { table, key, kind, ofAccounts, fields } = sealed;
        const order = ofAccounts === true ? ['account_id', key] : [key];
        const columns = [...order, ...(kind === undefined ? [] : [kind]), ...Object.values(fields)];
        const beyond = `(${order.join(', ')}) > (${order.map(() => '?').join(', ')})`;
        return database
          .all(
            `SELECT ${columns.join(', ')} FROM ${table} WHERE ${holding(sealed)} ${after === undefined ? '' : `AND ${beyond}`}
             ORDER BY ${order.join(', ')} LIMIT ?`,
            ...(after === undefined ? [] : place(sealed, after)),
            limit,
          )
          .map((row) => rowFrom(sealed, row));
      }),
    count: (collection) =>
      database.read('count what is sealed', () => {
        const sealed = SEALED[collection];
        const counted = `SELECT count(*) AS count FROM ${sealed.table} WHERE ${holding(sealed)}`;
        return Number(database.get(counted)?.['count']);
      }),
    replace: (collection, changes) =>
      database.write('replace what is sealed', () => {
        const sealed = SEALED[collection];
        const { table, key, ofAccounts, fields } = sealed;
        const where = [...(ofAccounts === true ? ['account_id = ?'] : []), `${key} = ?`].join(' AND ');
        let replaced = 0;
        for (const { field, from, to, ...at } of changes) {
          const column = fields[field];
          if (column === undefined) throw new RangeError(`nothing is sealed in ${collection}.${field}`);
          const sql = `UPDATE ${table} SET ${column} = ? WHERE ${where} AND ${column} = ?`;
          replaced += database.run(sql, to, ...place(sealed, at), from);
        }
        return replaced;
      }),
  };
}
