/** Tokens by which an operator lets somebody register Clients (OpenID Connect Dynamic Client Registration §3). */
import type { Provider } from 'oidc-provider';

import type { RevocationRepository } from '../store/port.ts';
import { noteEpochs, withLineage } from './lineage.ts';

/** A new token, shown once and kept as a digest. It dies with a Sign-out of everyone, like everything that opens a door. */
export function issueInitialAccessToken(
  provider: Provider,
  revocations: Pick<RevocationRepository, 'epochs'>,
  { expiresInSeconds }: { readonly expiresInSeconds: number },
): Promise<string> {
  return withLineage(async () => {
    noteEpochs(await revocations.epochs(['everyone']));
    return new provider.InitialAccessToken({ expiresIn: expiresInSeconds }).save();
  });
}
