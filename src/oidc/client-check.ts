/** What the protocol library thinks of a Client before it is kept: a wrong one would otherwise be found out at its first request. */
import { errors, type Provider } from 'oidc-provider';

/** Why this metadata makes no Client, in the library's words, or null. A sector identifier document is fetched. */
export async function refuseClientMetadata(provider: Provider, metadata: object): Promise<string | null> {
  // The library's types leave out what its constructor and validator take.
  const Client = provider.Client as unknown as new (metadata: object) => { readonly sectorIdentifierUri?: string };
  const validateSector = provider.Client.validate as unknown as (metadata: object) => Promise<void>;
  try {
    const client = new Client(metadata);
    if (client.sectorIdentifierUri !== undefined) await validateSector(metadata);
    return null;
  } catch (fault) {
    if (fault instanceof errors.OIDCProviderError) return fault.error_description ?? fault.message;
    throw fault;
  }
}
