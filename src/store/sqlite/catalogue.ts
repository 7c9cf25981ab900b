/** Clients, signing keys and settled facts in SQLite. */
import type { CatalogueRepository } from '../port.ts';
import type { ClientRecord, ConnectionRecord, SigningKeyRecord } from '../records.ts';
import { instant } from './client-sessions.ts';
import type { Database, Row } from './database.ts';
import { raiseForSignOut } from './scopes.ts';

export function catalogueRepository(database: Database): CatalogueRepository {
  const findClient = (clientId: string): ClientRecord | null => {
    const row = database.get('SELECT * FROM clients WHERE id = ?', clientId);
    return row === undefined ? null : clientFrom(row);
  };
  const findConnection = (connectionId: string): ConnectionRecord | null => {
    const row = database.get('SELECT * FROM connections WHERE id = ?', connectionId);
    return row === undefined ? null : connectionFrom(row);
  };
  const fact = (name: string): string | null => {
    const row = database.get('SELECT value FROM facts WHERE fact = ?', name);
    return row === undefined ? null : String(row['value']);
  };

  return {
    saveClient: ({ id, source, metadata, createdAt }) =>
      database.write('save a client', () => {
        if (findClient(id)?.status === 'deleted') return 'deleted';
        database.run(
          `INSERT INTO clients (id, source, status, metadata, version, created_at) VALUES (?1, ?2, 'active', ?3, 1, ?4)
           ON CONFLICT (id) DO UPDATE SET source = ?2, metadata = ?3, version = version + 1`,
          id,
          source,
          JSON.stringify(metadata),
          createdAt.getTime(),
        );
        return 'saved';
      }),
    reinstateClient: (clientId) =>
      database.write('reinstate a client', () => {
        database.run("UPDATE clients SET status = 'active', version = version + 1 WHERE id = ?", clientId);
      }),
    findClient: (clientId) => database.read('find a client', () => findClient(clientId)),
    listClients: (page) =>
      database.read('list clients', () =>
        database
          .all('SELECT * FROM clients WHERE id > ? ORDER BY id LIMIT ?', page.after ?? '', page.limit)
          .map(clientFrom),
      ),
    deleteClient: (clientId, signOut) =>
      database.write('delete a client', () => {
        if (findClient(clientId)?.status !== 'active') return 'unknown';
        database.run("UPDATE clients SET status = 'deleted', version = version + 1 WHERE id = ?", clientId);
        raiseForSignOut(database, signOut);
        return 'deleted';
      }),

    saveConnection: ({ id, type, state, createdAt }) =>
      database.write('save a connection', () => {
        database.run(
          `INSERT INTO connections (id, type, status, state, version, created_at) VALUES (?1, ?2, 'active', ?3, 1, ?4)
           ON CONFLICT (id) DO UPDATE SET type = ?2, status = 'active', state = ?3, version = version + 1`,
          id,
          type,
          state,
          createdAt.getTime(),
        );
      }),
    findConnection: (connectionId) => database.read('find a connection', () => findConnection(connectionId)),
    listConnections: () =>
      database.read('list connections', () =>
        database.all('SELECT * FROM connections ORDER BY id').map(connectionFrom),
      ),
    deleteConnection: (connectionId, signOut) =>
      database.write('delete a connection', () => {
        if (findConnection(connectionId)?.status !== 'active') return 'unknown';
        database.run("UPDATE connections SET status = 'deleted', version = version + 1 WHERE id = ?", connectionId);
        raiseForSignOut(database, signOut);
        return 'deleted';
      }),

    addSigningKey: (key) =>
      database.write('add a signing key', () => {
        const added = database.run(
          `INSERT INTO signing_keys (kid, alg, sealed_jwk, created_at, signs_from, retires_at) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (kid) DO NOTHING`,
          key.kid,
          key.alg,
          key.sealedJwk,
          key.createdAt.getTime(),
          key.signsFrom.getTime(),
          key.retiresAt?.getTime() ?? null,
        );
        return added === 1;
      }),
    retireSigningKey: (kid, retiresAt) =>
      database.write('retire a signing key', () => {
        database.run('UPDATE signing_keys SET retires_at = ? WHERE kid = ?', retiresAt.getTime(), kid);
      }),
    removeSigningKey: (kid) =>
      database.write('remove a signing key', () => {
        database.run('DELETE FROM signing_keys WHERE kid = ?', kid);
      }),
    listSigningKeys: () =>
      database.read('list signing keys', () =>
        database.all('SELECT * FROM signing_keys ORDER BY signs_from, kid').map(signingKeyFrom),
      ),

    settle: (name, value) =>
      database.write('settle a fact', () => {
        database.run('INSERT INTO facts (fact, value) VALUES (?, ?) ON CONFLICT (fact) DO NOTHING', name, value);
        return fact(name) ?? value;
      }),
    changeFact: ({ fact: name, from, to }) =>
      database.write('change a fact', () => {
        const changed =
          from === null
            ? database.run('INSERT INTO facts (fact, value) VALUES (?, ?) ON CONFLICT (fact) DO NOTHING', name, to)
            : database.run('UPDATE facts SET value = ? WHERE fact = ? AND value = ?', to, name, from);
        return changed === 1;
      }),
    fact: (name) => database.read('read a fact', () => fact(name)),
  };
}

function clientFrom(row: Row): ClientRecord {
  return {
    id: String(row['id']),
    source: row['source'] as ClientRecord['source'],
    status: row['status'] as ClientRecord['status'],
    metadata: JSON.parse(String(row['metadata'])) as ClientRecord['metadata'],
    version: Number(row['version']),
    createdAt: new Date(Number(row['created_at'])),
  };
}

export function connectionFrom(row: Row): ConnectionRecord {
  return {
    id: String(row['id']),
    type: row['type'] as ConnectionRecord['type'],
    status: row['status'] as ConnectionRecord['status'],
    state: String(row['state']),
    version: Number(row['version']),
    createdAt: new Date(Number(row['created_at'])),
  };
}

function signingKeyFrom(row: Row): SigningKeyRecord {
  return {
    kid: String(row['kid']),
    alg: String(row['alg']),
    sealedJwk: String(row['sealed_jwk']),
    createdAt: new Date(Number(row['created_at'])),
    signsFrom: new Date(Number(row['signs_from'])),
    retiresAt: instant(row['retires_at']),
  };
}
