/** Clients, signing keys and settled facts in MongoDB. A Client lives in the document of its scope, and so does its epoch. */
import type { CatalogueRepository } from '../port.ts';
import type { ClientRecord, SigningKeyRecord } from '../records.ts';
import { type Database, isDuplicateKey, trusted } from './database.ts';
import type { ClientFields, FactDocument, ScopeDocument, SigningKeyDocument } from './schemas.ts';
import { changeScope, decideSignOut } from './scopes.ts';

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
