/**
 * The journal in SQLite: rows that are inserted, read, and given a place in the chain once. The end of the chain is its last row,
 * and one transaction compares it and moves it.
 */
import type { EventRecord, Head, JournalRepository } from '../journal.ts';
import { textOrNull } from './columns.ts';
import type { Database, Row } from './database.ts';

/** After every event there can be. */
const END = { at: Number.MAX_SAFE_INTEGER, id: '' };

export function journalRepository(database: Database): JournalRepository {
  const head = (): Head | null => {
    const row = database.get('SELECT seq, hash FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1');
    return row === undefined ? null : { seq: Number(row['seq']), hash: String(row['hash']) };
  };
  return {
    append: (events) =>
      database.write('append to the journal', () => {
        for (const event of events) {
          const { id, at, kind, accountId, actor, outcome, facts, commitment, sealed, seq, hash } = event;
          database.run(
            `INSERT INTO events (id, at, kind, account_id, actor, outcome, facts, commitment, sealed, seq, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
            id,
            at.getTime(),
            kind,
            accountId,
            JSON.stringify(actor),
            outcome,
            facts,
            commitment,
            sealed,
            seq,
            hash,
          );
        }
      }),
    eventsOf: (accountId, { after, limit, kinds }) =>
      database.read('read the journal', () => {
        const before = after === undefined ? END : { at: after.at.getTime(), id: after.id };
        const ofKind = kinds === undefined ? '' : 'AND kind IN (SELECT value FROM json_each(?))';
        return database
          .all(
            `SELECT * FROM events WHERE account_id = ? AND (at, id) < (?, ?) AND sealed <> '' ${ofKind}
             ORDER BY at DESC, id DESC LIMIT ?`,
            accountId,
            before.at,
            before.id,
            ...(kinds === undefined ? [] : [JSON.stringify(kinds)]),
            limit,
          )
          .map(eventFrom);
      }),
    forget: (accountId) =>
      database.write('forget what happened to an account', () => {
        database.run("UPDATE events SET sealed = '' WHERE account_id = ? AND sealed <> ''", accountId);
      }),

    unchained: (limit) =>
      database.read('read what is not chained', () =>
        database.all('SELECT * FROM events WHERE seq IS NULL ORDER BY at, id LIMIT ?', limit).map(eventFrom),
      ),
    commit: (changes) =>
      database.write('commit to events', () => {
        for (const { id, from, sealed, commitment } of changes) {
          database.run(
            `UPDATE events SET sealed = ?, commitment = ?
             WHERE id = ? AND sealed = ? AND commitment = '' AND seq IS NULL`,
            sealed,
            commitment,
            id,
            from,
          );
        }
      }),
    head: () => database.read('find the end of the chain', head),
    chain: ({ after, events }) =>
      database.write('chain events', () => {
        const end = head();
        if (end?.seq !== after?.seq || end?.hash !== after?.hash) return false;
        const free = events.filter(
          ({ id }) => database.get('SELECT 1 FROM events WHERE id = ? AND seq IS NULL', id) !== undefined,
        );
        if (new Set(free.map(({ id }) => id)).size !== events.length) return false;
        const first = (after?.seq ?? 0) + 1;
        for (const [index, { id, hash }] of events.entries()) {
          database.run('UPDATE events SET seq = ?, hash = ? WHERE id = ?', first + index, hash, id);
        }
        return true;
      }),
    chained: ({ after, limit }) =>
      database.read('read the chain', () =>
        database.all('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?', after, limit).map(eventFrom),
      ),
    prune: ({ through, limit }) =>
      database.write('prune the chain', () => {
        const last = Math.min(through, (head()?.seq ?? 0) - 1);
        return database.run(
          'DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= ? ORDER BY seq LIMIT ?)',
          last,
          limit,
        );
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
    outcome: String(row['outcome']),
    facts: String(row['facts']),
    commitment: String(row['commitment']),
    sealed: String(row['sealed']),
    seq: row['seq'] === null ? null : Number(row['seq']),
    hash: textOrNull(row, 'hash'),
  };
}
