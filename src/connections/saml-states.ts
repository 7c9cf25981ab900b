/**
 * What is kept of SAML connections besides their configuration: keys of our own, and metadata as last fetched.
 *
 * Invariant: keys are made once and kept sealed. A provider's certificates change by themselves only where it publishes them
 * over https or signed, and every change is told; where they are in the operator's file, the file alone says.
 */
import type { SamlConnectionEntry } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { Outbound } from '../platform/outbound-http.ts';
import type { CatalogueRepository } from '../store/port.ts';
import {
  explainFetch,
  explainMetadata,
  fetchSamlMetadata,
  readSamlMetadata,
  type Refreshed,
  type SamlState,
} from './saml-metadata.ts';
import { createKeyPair } from './saml/certificate.ts';
import { compareCertificates } from './saml/metadata.ts';
import type { KeyPair } from './saml/party.ts';
import { isRefusal } from './saml/refusal.ts';

export type SamlStates = {
  /** Fetches metadata that were never fetched, or not for hours. */
  of(entry: SamlConnectionEntry): Promise<SamlState>;
  /** Fetches nothing. */
  kept(entry: SamlConnectionEntry): Promise<SamlState>;
  /** Fetches metadata again. What cannot be read, or trusted, changes nothing. Whoever asked is told what came of it. */
  refresh(entry: SamlConnectionEntry): Promise<Refreshed>;
};

/** The state of a connection's record. */
export const NOTHING: Kept = { metadata: null, fetchedAt: null };

type Kept = {
  readonly metadata: string | null;
  readonly fetchedAt: string | null;
};
type Keys = { readonly signing: KeyPair; readonly decryption: KeyPair };

/** What the name of the fact begins with that holds a connection's keys; the connection's id follows. */
export const CONNECTION_KEYS = 'connection-keys:';
/** How the keys of this connection are sealed. */
export const connectionKeysSeal = (id: string): SealBinding => [
  'connection-keys',
  { collection: 'connections', field: 'keys', id },
];

const NEVER = '1970-01-01';
/** A provider that rolls its keys over publishes the next ones long before; a day is soon enough. */
const REFETCH_AFTER_MS = 6 * 3_600_000;

export function createSamlStates({
  catalogue,
  keyring,
  clock,
  log,
  fetch,
  issuer,
}: {
  readonly catalogue: CatalogueRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Log;
  readonly fetch: Outbound['fetch'];
  readonly issuer: string;
}): SamlStates {
  const makeKeys = async ({ id }: SamlConnectionEntry): Promise<string> => {
    const entityId = `${issuer}/saml/${id}/metadata`;
    const now = clock.now();
    const keys: Keys = {
      signing: await createKeyPair({ entityId, use: 'signing', now }),
      decryption: await createKeyPair({ entityId, use: 'encryption', now }),
    };
    return keyring.seal(...connectionKeysSeal(id), JSON.stringify(keys));
  };
  /** Of processes that ask for the first time at once, all take the keys that were settled first. */
  const keysOf = async (entry: SamlConnectionEntry): Promise<Keys> => {
    const name = `${CONNECTION_KEYS}${entry.id}`;
    const sealed = (await catalogue.fact(name)) ?? (await catalogue.settle(name, await makeKeys(entry)));
    return JSON.parse(keyring.unseal(...connectionKeysSeal(entry.id), sealed)) as Keys;
  };
  const keptOf = async ({ id }: SamlConnectionEntry): Promise<Kept> => {
    const record = await catalogue.findConnection(id);
    return record?.type === 'saml' ? (JSON.parse(record.state) as Kept) : NOTHING;
  };

  const stateOf = async (
    entry: SamlConnectionEntry,
    kept: Kept,
    failure: string | null = null,
  ): Promise<SamlState> => ({
    ...(await keysOf(entry)),
    ...kept,
    failure,
  });

  const refresh = async (entry: SamlConnectionEntry): Promise<Refreshed> => {
    const { metadataUrl } = entry;
    if (metadataUrl === undefined) return { kind: 'file' };
    const kept = await keptOf(entry);
    const now = clock.now();
    const before = kept.metadata === null ? null : readSamlMetadata(entry, kept.metadata, now);
    const usesOthers = before !== null && !isRefusal(before);
    let metadata: string;
    try {
      metadata = await fetchSamlMetadata(metadataUrl, fetch);
    } catch (fault) {
      return { kind: 'failed', ...explainFetch(fault), usesOthers };
    }
    const read = readSamlMetadata(entry, metadata, now);
    if (isRefusal(read)) return { kind: 'failed', ...explainMetadata(read, metadata), usesOthers };
    const state = JSON.stringify({ metadata, fetchedAt: now.toISOString() } satisfies Kept);
    await catalogue.saveConnection({ id: entry.id, type: 'saml', state, createdAt: now });
    const trusted = before === null || isRefusal(before) ? [] : before.idp.certificates;
    const { added, removed } = compareCertificates(trusted, read.idp.certificates);
    return added.length + removed.length === 0 ? { kind: 'same' } : { kind: 'changed', added, removed };
  };

  return {
    async of(entry) {
      const kept = await keptOf(entry);
      const age = clock.now().getTime() - Date.parse(kept.fetchedAt ?? NEVER);
      if (entry.metadataUrl === undefined || age <= REFETCH_AFTER_MS) return stateOf(entry, kept);
      const connection = entry.id;
      const refreshed = await refresh(entry);
      if (refreshed.kind === 'changed') {
        const { added, removed } = refreshed;
        log.warn({ connection, added, removed }, 'connection.certificates-changed');
      }
      // What is known goes on being used while the provider does not answer, until it expires by its own word.
      const failure = refreshed.kind === 'failed' ? refreshed.why : null;
      if (failure !== null) log.warn({ connection, why: failure }, 'connection.not-refreshed');
      return stateOf(entry, await keptOf(entry), failure);
    },
    kept: async (entry) => stateOf(entry, await keptOf(entry)),
    refresh,
  };
}
