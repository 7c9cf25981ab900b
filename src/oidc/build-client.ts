/** Building the library's Client from metadata. Its types leave out what constructor and validator take. */
import type { Provider } from 'oidc-provider';

import type { Client } from './provider-parts.ts';

/** Throws the library's InvalidClientMetadata for what makes no Client. Fetches nothing. */
export function buildClient(provider: Provider, metadata: object): Client {
  const Model = provider.Client as unknown as new (metadata: object) => Client;
  return new Model(metadata);
}

/** Fetches what the metadata points to, as for `sector_identifier_uri`, and throws when it does not agree. */
export function validateClient(provider: Provider, metadata: object): Promise<void> {
  return (provider.Client.validate as unknown as (metadata: object) => Promise<void>)(metadata);
}
