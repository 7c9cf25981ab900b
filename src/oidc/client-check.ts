/** What the protocol library thinks of a Client before it is kept: a wrong one would otherwise be found out at its first request. */
import { errors, type Provider } from 'oidc-provider';

import { buildClient, validateClient } from './build-client.ts';

/** Why this metadata makes no Client, in the library's words, or null. A sector identifier document is fetched. */
export async function refuseClientMetadata(provider: Provider, metadata: object): Promise<string | null> {
  try {
    if (buildClient(provider, metadata).sectorIdentifierUri !== undefined) await validateClient(provider, metadata);
    return null;
  } catch (fault) {
    if (fault instanceof errors.OIDCProviderError) return fault.error_description ?? fault.message;
    throw fault;
  }
}
