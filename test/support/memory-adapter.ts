/** What a provider of a test keeps, in memory. */
import type { Adapter, AdapterPayload, ClientMetadata } from 'oidc-provider';

export function clientAdapter(clients: Map<string, ClientMetadata>): Adapter {
  return { ...mapAdapter('Client', new Map()), find: async (id) => clients.get(id) as AdapterPayload | undefined };
}

export function mapAdapter(model: string, rows: Map<string, AdapterPayload>): Adapter {
  const key = (id: string): string => `${model}:${id}`;
  const all = () => [...rows].filter(([name]) => name.startsWith(`${model}:`));
  return {
    upsert: async (id, payload) => void rows.set(key(id), payload),
    find: async (id) => rows.get(key(id)),
    findByUserCode: async () => undefined,
    findByUid: async (uid) => all().find(([, payload]) => payload.uid === uid)?.[1],
    destroy: async (id) => void rows.delete(key(id)),
    consume: async (id) => void Object.assign(rows.get(key(id)) ?? {}, { consumed: Math.floor(Date.now() / 1000) }),
    revokeByGrantId: async (grantId) => {
      for (const [name, payload] of all()) if (payload.grantId === grantId) rows.delete(name);
    },
  };
}
