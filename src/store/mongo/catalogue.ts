/** Clients, signing keys and settled facts in MongoDB. A Client lives in the document of its scope, and so does its epoch. */
import type { CatalogueRepository } from '../port.ts';
import type { ClientRecord, ConnectionRecord, SigningKeyRecord } from '../records.ts';
import { type Database, isDuplicateKey, trusted } from './database.ts';
import type { ClientFields, ConnectionFields, FactDocument, ScopeDocument, SigningKeyDocument } from './documents.ts';
import { changeScope, decideSignOut } from './scopes.ts';

const connectionKeyOf = (connectionId: string): string => `connection:${connectionId}`;
const keyOf = (clientId: string): string => `client:${clientId}`;
/** After every key that begins with `client:`. */
const AFTER_ALL = 'client;';

export function catalogueRepository(database: Database): CatalogueRepository {
  return {
    saveClient: ({ id, source, metadata, createdAt }) =>
      database.ask('save a client', (models) =>
        changeScope<'saved' | 'deleted'>(models, keyOf(id), (present) => {
          if (present?.client?.status === 'deleted') return { answer: 'deleted' };
          const client: ClientFields = {
            source,
            status: 'active',
            metadata: JSON.stringify(metadata),
            version: (present?.client?.version ?? 0) + 1,
            createdAt: present?.client?.createdAt ?? createdAt,
          };
          return { answer: 'saved', change: { $set: { client } } };
        }),
      ),
    reinstateClient: (clientId) =>
      database.ask('reinstate a client', (models) =>
        changeScope<void>(models, keyOf(clientId), (present) =>
          present?.client === undefined
            ? { answer: undefined }
            : {
                answer: undefined,
                change: { $set: { 'client.status': 'active', 'client.version': present.client.version + 1 } },
              },
        ),
      ),
    findClient: (clientId) =>
      database.ask('find a client', async ({ scopes }) =>
        clientFrom(await scopes.findById(keyOf(clientId), { client: 1 }).lean<ScopeDocument>()),
      ),
    listClients: (page) =>
      database.ask('list clients', async ({ scopes }) => {
        const found = await scopes
          .find(
            { _id: trusted({ $gt: keyOf(page.after ?? ''), $lt: AFTER_ALL }), client: trusted({ $exists: true }) },
            { client: 1 },
          )
          .sort({ _id: 1 })
          .limit(page.limit)
          .lean<ScopeDocument[]>();
        return found.flatMap((each) => clientFrom(each) ?? []);
      }),
    deleteClient: (clientId, signOut) =>
      database.ask('delete a client', (models) =>
        changeScope<'deleted' | 'unknown'>(models, keyOf(clientId), async (present) => {
          if (present?.client?.status !== 'active') return { answer: 'unknown' };
          const { change } = await decideSignOut(models, signOut, present);
          const tombstone = { 'client.status': 'deleted', 'client.version': present.client.version + 1 };
          return { answer: 'deleted', change: { ...change, $set: { ...change?.$set, ...tombstone } } };
        }),
      ),

    saveConnection: ({ id, type, state, createdAt }) =>
      database.ask('save a connection', (models) =>
        changeScope<void>(models, connectionKeyOf(id), (present) => {
          const connection: ConnectionFields = {
            type,
            status: 'active',
            state,
            version: (present?.connection?.version ?? 0) + 1,
            createdAt: present?.connection?.createdAt ?? createdAt,
          };
          return { answer: undefined, change: { $set: { connection } } };
        }),
      ),
    findConnection: (connectionId) =>
      database.ask('find a connection', async ({ scopes }) =>
        connectionFrom(await scopes.findById(connectionKeyOf(connectionId), { connection: 1 }).lean<ScopeDocument>()),
      ),
    listConnections: () =>
      database.ask('list connections', async ({ scopes }) => {
        const found = await scopes
          .find(
            { _id: trusted({ $gt: 'connection:', $lt: 'connection;' }), connection: trusted({ $exists: true }) },
            { connection: 1 },
          )
          .sort({ _id: 1 })
          .lean<ScopeDocument[]>();
        return found.flatMap((each) => connectionFrom(each) ?? []);
      }),
    deleteConnection: (connectionId, signOut) =>
      database.ask('delete a connection', (models) =>
        changeScope<'deleted' | 'unknown'>(models, connectionKeyOf(connectionId), async (present) => {
          if (present?.connection?.status !== 'active') return { answer: 'unknown' };
          const { change } = await decideSignOut(models, signOut, present);
          const tombstone = { 'connection.status': 'deleted', 'connection.version': present.connection.version + 1 };
          return { answer: 'deleted', change: { ...change, $set: { ...change?.$set, ...tombstone } } };
        }),
      ),

    addSigningKey: ({ kid, ...key }) =>
      database.ask('add a signing key', async ({ signingKeys }) => {
        try {
          await signingKeys.create([{ _id: kid, ...key }]);
          return true;
        } catch (fault) {
          if (isDuplicateKey(fault)) return false;
          throw fault;
        }
      }),
    retireSigningKey: (kid, retiresAt) =>
      database.ask('retire a signing key', async ({ signingKeys }) => {
        await signingKeys.updateOne({ _id: kid }, { $set: { retiresAt } });
      }),
    removeSigningKey: (kid) =>
      database.ask('remove a signing key', async ({ signingKeys }) => {
        await signingKeys.deleteOne({ _id: kid });
      }),
    listSigningKeys: () =>
      database.ask('list signing keys', async ({ signingKeys }) => {
        const found = await signingKeys.find().sort({ signsFrom: 1, _id: 1 }).lean<SigningKeyDocument[]>();
        return found.map(({ _id, alg, sealedJwk, createdAt, signsFrom, retiresAt }): SigningKeyRecord => {
          return { kid: _id, alg, sealedJwk, createdAt, signsFrom, retiresAt };
        });
      }),

    settle: (fact, value) =>
      database.ask('settle a fact', async ({ facts }) => {
        try {
          await facts.create([{ _id: fact, value }]);
          return value;
        } catch (fault) {
          if (!isDuplicateKey(fault)) throw fault;
          const standing = await facts.findById(fact).lean<FactDocument>();
          return standing?.value ?? value;
        }
      }),
    changeFact: ({ fact, from, to }) =>
      database.ask('change a fact', async ({ facts }) => {
        if (from !== null)
          return (await facts.updateOne({ _id: fact, value: from }, { $set: { value: to } })).matchedCount === 1;
        try {
          await facts.create([{ _id: fact, value: to }]);
          return true;
        } catch (fault) {
          if (isDuplicateKey(fault)) return false;
          throw fault;
        }
      }),
    fact: (fact) =>
      database.ask(
        'read a fact',
        async ({ facts }) => (await facts.findById(fact).lean<FactDocument>())?.value ?? null,
      ),
  };
}

function clientFrom(document: Pick<ScopeDocument, '_id' | 'client'> | null): ClientRecord | null {
  const client = document?.client;
  if (document === null || client === undefined) return null;
  const { source, status, metadata, version, createdAt } = client;
  return {
    id: document._id.slice('client:'.length),
    source,
    status,
    metadata: JSON.parse(metadata) as ClientRecord['metadata'],
    version,
    createdAt,
  };
}

export function connectionFrom(document: Pick<ScopeDocument, '_id' | 'connection'> | null): ConnectionRecord | null {
  const connection = document?.connection;
  if (document === null || connection === undefined) return null;
  const { type, status, state, version, createdAt } = connection;
  return { id: document._id.slice('connection:'.length), type, status, state, version, createdAt };
}
