/** Minting Logout Tokens (OpenID Connect Back-Channel Logout 1.0 §2.4), one afresh for each attempt to deliver. */
import { randomUUID } from 'node:crypto';
import type { Provider } from 'oidc-provider';

import { buildClient } from './build-client.ts';
import type { ClientDirectory } from './clients.ts';

export type LogoutTokenRequest = { readonly clientId: string; readonly accountId: string; readonly sid: string | null };

/** A token and where to post it, or word that the Client is gone or can no longer be told. */
export type MintedLogoutToken = { readonly uri: string; readonly token: string } | { readonly gone: true };

const BACK_CHANNEL_LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/**
 * Mints with the library's own model, so that algorithm, key, encryption and pairwise subject are those of the Client's
 * ID Tokens. Lives 120 seconds, which bounds replay at the Client. Without `sid` it means all sessions of the subject.
 */
export async function mintLogoutToken(
  provider: Provider,
  clients: ClientDirectory,
  { clientId, accountId, sid }: LogoutTokenRequest,
): Promise<MintedLogoutToken> {
  const client = (await provider.Client.find(clientId)) ?? (await formerClient(provider, clients, clientId));
  if (client?.backchannelLogoutUri === undefined) return { gone: true };
  // The library's own sender constructs it so; its types ask for a request that a background delivery does not have.
  const token = new provider.IdToken({ sub: accountId }, { client, ctx: undefined as never });
  Object.assign(token, { mask: { sub: null } });
  token.set('jti', randomUUID());
  token.set('events', { [BACK_CHANNEL_LOGOUT_EVENT]: {} });
  if (sid !== null) token.set('sid', sid);
  return { uri: client.backchannelLogoutUri, token: await token.issue({ use: 'logout' as 'idtoken' }) };
}

/** A Client that was removed, as it was: it is owed word that its people were signed out. */
async function formerClient(provider: Provider, clients: ClientDirectory, clientId: string) {
  const former = await clients.lookUpFormer(clientId);
  if (former === null) return undefined;
  // No secret is kept of it, and none is needed to sign for it; the library's schema asks for one all the same.
  return buildClient(provider, { client_secret: 'not kept', ...former.metadata });
}
