/**
 * The Clients, wherever they are written down: in the configuration, or in the store (by command or by dynamic
 * registration). The configuration wins. Secrets are compared by keyed digest and never kept.
 */
import { timingSafeEqual } from 'node:crypto';

import type { ClientEntry } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { CatalogueRepository } from '../store/port.ts';
import type { ClientRecord } from '../store/records.ts';

export type ClientMetadata = Record<string, unknown> & { readonly client_id: string };

/** A Client's metadata with `client_secret` replaced by its digest, and the version by which a cache knows it. */
export type ListedClient = {
  readonly metadata: ClientMetadata;
  readonly version: number;
  readonly source: ClientRecord['source'];
};

export type ClientDirectory = {
  lookUp(clientId: string): Promise<ListedClient | null>;
  /** Also one that was removed: it may still be owed word of it. */
  lookUpFormer(clientId: string): Promise<ListedClient | null>;
  /** Records what the configuration lists, and removes through the door what it no longer lists. For the server's start. */
  recordConfiguration(): Promise<void>;
  list(): Promise<readonly ListedClient[]>;
  /** Keeps a dynamically registered or commanded Client. Throws when the id belongs to the configuration. */
  register(clientId: string, metadata: Record<string, unknown>, source?: ClientRecord['source']): Promise<void>;
  /** Removing a Client is a Sign-out; the caller is given here. */
  remove(clientId: string): Promise<void>;
  /** What is kept in place of a secret. */
  digest(clientId: string, secret: string): string;
  matches(clientId: string, digest: string, secret: string): boolean;
};

const PAGE = 500;

/** Ids of the configuration cannot be registered by anybody else. */
class ClientIdTaken extends Error {
  override readonly name = 'ClientIdTaken';
}

export function createClientDirectory({
  configured,
  catalogue,
  keyring,
  clock,
  removeClient,
}: {
  readonly configured: readonly ClientEntry[];
  readonly catalogue: CatalogueRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly removeClient: (clientId: string) => Promise<void>;
}): ClientDirectory {
  const digest = (clientId: string, secret: string): string =>
    keyring.mac('client-secret', `${clientId}:${secret}`).toString('base64url');
  /** Its secret as a digest; and without `contacts`, which are people's addresses and of no use here. */
  const withoutSecret = ({ contacts: _contacts, ...metadata }: ClientMetadata): ClientMetadata =>
    typeof metadata['client_secret'] === 'string'
      ? { ...metadata, client_secret: digest(metadata.client_id, metadata['client_secret']) }
      : metadata;
  const fromConfiguration = new Map<string, ListedClient>(
    configured.map((entry) => [
      entry.client_id,
      { metadata: withoutSecret({ ...entry }), version: 0, source: 'configuration' },
    ]),
  );
  const former = ({ id, metadata, version, source }: ClientRecord): ListedClient => ({
    metadata: { ...metadata, client_id: id },
    version,
    source,
  });
  const listed = (record: ClientRecord): ListedClient | null =>
    record.status === 'active' && record.source !== 'configuration' ? former(record) : null;
  const records = async (): Promise<ClientRecord[]> => {
    const all: ClientRecord[] = [];
    for (;;) {
      const page = await catalogue.listClients({ after: all.at(-1)?.id, limit: PAGE });
      all.push(...page);
      if (page.length < PAGE) return all;
    }
  };

  return {
    async lookUp(clientId) {
      const configuredClient = fromConfiguration.get(clientId);
      if (configuredClient !== undefined) return configuredClient;
      const record = await catalogue.findClient(clientId);
      return record === null ? null : listed(record);
    },
    async lookUpFormer(clientId) {
      const configuredClient = fromConfiguration.get(clientId);
      if (configuredClient !== undefined) return configuredClient;
      const record = await catalogue.findClient(clientId);
      return record === null ? null : former(record);
    },
    async recordConfiguration() {
      const present = new Map((await records()).map((record) => [record.id, record]));
      for (const [id, { metadata }] of fromConfiguration) {
        const { client_secret: _secret, contacts: _contacts, ...kept } = metadata;
        const record = present.get(id);
        if (record?.status === 'deleted') await catalogue.reinstateClient(id);
        if (record?.source === 'configuration' && JSON.stringify(record.metadata) === JSON.stringify(kept)) continue;
        await catalogue.saveClient({ id, source: 'configuration', metadata: kept, createdAt: clock.now() });
      }
      for (const { id, source, status } of present.values()) {
        if (source === 'configuration' && status === 'active' && !fromConfiguration.has(id)) await removeClient(id);
      }
    },
    async list() {
      const stored = (await records()).flatMap((record) => {
        const client = fromConfiguration.has(record.id) ? null : listed(record);
        return client === null ? [] : [client];
      });
      return [...fromConfiguration.values(), ...stored];
    },
    async register(clientId, metadata, source = 'registration') {
      if (fromConfiguration.has(clientId))
        throw new ClientIdTaken(`the client ${clientId} belongs to the configuration`);
      const saved = await catalogue.saveClient({
        id: clientId,
        source,
        metadata: withoutSecret({ ...metadata, client_id: clientId }),
        createdAt: clock.now(),
      });
      if (saved === 'deleted')
        throw new ClientIdTaken(`the client id ${clientId} was deleted and cannot be used again`);
    },
    remove: removeClient,
    digest,
    matches: (clientId, kept, secret) => {
      const expected = Buffer.from(kept);
      const actual = Buffer.from(digest(clientId, secret));
      return expected.length === actual.length && timingSafeEqual(expected, actual);
    },
  };
}
