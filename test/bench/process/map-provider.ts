/**
 * The protocol library by itself: the same Clients, lifetimes and features over an in-memory Map, one process, nothing
 * durable, nothing sealed, nothing revocable at once. What Curfew adds is what it takes longer than this.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { type Adapter, type AdapterPayload, type ClientMetadata, type JWK, Provider } from 'oidc-provider';

import { CLIENTS } from '../house.ts';

const MINUTE = 60;
const DAY = 86_400;

export async function serveMapProvider({ port }: { readonly port: number }): Promise<null> {
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    adapter: mapAdapter(),
    clients: CLIENTS.map(({ first_party: _own, ...metadata }) => {
      const { introspects: _too, ...standard } = { introspects: undefined, ...metadata };
      return { ...standard } as unknown as ClientMetadata;
    }),
    jwks: { keys: [signingKey()] },
    findAccount: async (_ctx, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, preferred_username: sub, email: `${sub}@bench.test`, email_verified: false }),
    }),
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    responseTypes: ['code', 'none'],
    pkce: { required: () => false },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    expiresWithSession: async () => false,
    conformIdTokenClaims: true,
    cookies: { keys: ['a key that signs cookies'] },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    async loadExistingGrant({ oidc: { account, client, session } }) {
      const known = session?.grantIdFor(client?.clientId ?? '');
      if (known !== undefined) return provider.Grant.find(known);
      const grant = new provider.Grant({ accountId: account?.accountId ?? '', clientId: client?.clientId ?? '' });
      grant.addOIDCScope('openid profile email offline_access');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => undefined as never,
        useGrantedResource: async () => false,
      },
      revocation: { enabled: true },
      userinfo: { enabled: true },
    },
    ttl: {
      AccessToken: 10 * MINUTE,
      AuthorizationCode: MINUTE,
      ClientCredentials: 10 * MINUTE,
      Grant: 365 * DAY,
      IdToken: 60 * MINUTE,
      Interaction: 60 * MINUTE,
      RefreshToken: 30 * DAY,
      Session: 14 * DAY,
    },
  });
  const answer = provider.callback();
  const server = createServer((request, response) => {
    // Whoever comes is signed in as the name they bring: what a sign-in costs is not asked of this one.
    const [, uid] = /^\/interaction\/([\w-]+)/.exec(request.url ?? '') ?? [];
    if (uid === undefined) return void answer(request, response);
    const accountId = String(request.headers['x-account'] ?? 'somebody');
    void provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return null;
}

function signingKey(): JWK {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), alg: 'ES256', use: 'sig', kid: 'bench' };
}

/** As little as the library needs. Expiry is its own business; nothing here lives that long. */
function mapAdapter(): (model: string) => Adapter {
  const kept = new Map<string, AdapterPayload>();
  const byUid = new Map<string, string>();
  return (model) => {
    const keyOf = (id: string): string => `${model}:${id}`;
    return {
      async upsert(id, payload) {
        kept.set(keyOf(id), payload);
        if (model === 'Session' && payload.uid !== undefined) byUid.set(payload.uid, keyOf(id));
      },
      find: async (id) => kept.get(keyOf(id)),
      findByUid: async (uid) => kept.get(byUid.get(uid) ?? ''),
      findByUserCode: async () => undefined,
      async consume(id) {
        const payload = kept.get(keyOf(id));
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        kept.delete(keyOf(id));
      },
      revokeByGrantId: async () => undefined,
    };
  };
}
