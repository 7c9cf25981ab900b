/**
 * The OpenID Connect provider: `oidc-provider` set up the Curfew way, as a factory, because its keys are read once.
 *
 * Invariant: everything it issues goes through the artifact adapter and so is stamped; it never calls a Client itself
 * (Logout Tokens leave through deliveries); it never answers from a cache that a Sign-out has not reached. It refuses to
 * know how a password is checked or a page looks.
 */
import { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { JWK } from 'jose';

import type { Config } from '../config.ts';
import { type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Store } from '../store/port.ts';
import { artifactKey } from './artifact-adapter.ts';
import type { ClientDirectory } from './clients.ts';
import { noteEpochs, seenProof } from './lineage.ts';
import { addressOf, type DeviceTraits } from './device.ts';
import { loadGrant } from './grants.ts';
import type { AccessTokenMarks } from './self-contained.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Lifetimes in seconds (security.md). */
const SESSION_SECONDS = { longest: 30 * DAY, idle: 14 * DAY };
const ADMIN_SESSION_SECONDS = { longest: 12 * HOUR, idle: 15 * MINUTE };
/** A browser that has not signed in is remembered only for the form it is filling in. */
const ANONYMOUS_SESSION_SECONDS = HOUR;
const REFRESH_TOKEN_SECONDS = 30 * DAY;
/** Longer than any chain of refreshes is meant to live: after a year a device signs in again. */
const GRANT_SECONDS = 365 * DAY;

/** A request as the provider's pages and hooks see it. */
export type ProviderContext = KoaContextWithOIDC;

/** What a person's pages look like is the web room's business; each renders into `ctx.body`. */
export type ProviderPages = {
  error(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }): Promise<void>;
  confirmSignOut(ctx: KoaContextWithOIDC, form: string): Promise<void>;
  signedOut(ctx: KoaContextWithOIDC): Promise<void>;
  enterDeviceCode(ctx: KoaContextWithOIDC, form: string, refusal: DeviceCodeRefusal | undefined): Promise<void>;
  confirmDevice(ctx: KoaContextWithOIDC, form: string, device: DeviceTraits, userCode: string): Promise<void>;
  deviceDone(ctx: KoaContextWithOIDC): Promise<void>;
};
export type DeviceCodeRefusal = 'missing' | 'unknown' | 'denied' | 'failed';

export type ProviderParts = {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly adapter: NonNullable<Configuration['adapter']>;
  readonly clients: ClientDirectory;
  readonly cookieKeys: readonly string[];
  readonly outboundFetch: NonNullable<Configuration['fetch']>;
  readonly claimsOf: (accountId: string) => Promise<Record<string, unknown> & { sub: string }>;
  readonly pages: ProviderPages;
  readonly marks: AccessTokenMarks;
  /** Ends a browser's Session before the library forgets it: the way RP-initiated logout reaches every Client. */
  readonly endBrowserSession: (session: { uid: string; accountId: string }) => Promise<void>;
  /** Ends one Client's sign-in from this browser (RP-initiated logout, declined for the rest). */
  readonly endClientSession: (session: { sid: string; accountId: string; clientId: string }) => Promise<void>;
};

type Client = InstanceType<Provider['Client']>;

/** What Curfew keeps on a Session besides the library's own fields. */
export type CurfewSession = InstanceType<Provider['Session']> & {
  signedInAt?: number;
  admin?: boolean;
  device?: DeviceTraits;
};

/** Builds a provider over these keys. Cheap (under a millisecond): rotation builds another and swaps. */
export function createProvider(parts: ProviderParts, jwks: { keys: JWK[] }): Provider {
  const provider = new Provider(parts.config.issuer, configuration(parts, jwks));
  pinToIssuer(provider, parts.config.issuer);
  findClientsInDirectory(provider, parts);
  grantOfflineAccessToFirstParties(provider);
  keepProofOnSessions(provider);
  endSessionsThroughTheDoor(provider, parts);
  detectReplaysByInsert(provider, parts);
  provider.on('server_error', (ctx, err) =>
    parts.log.error({ err, route: ctx.oidc?.route, requestId: ctx.state['requestId'] }, 'provider.failed'),
  );
  return provider;
}

function configuration(parts: ProviderParts, jwks: { keys: JWK[] }): Configuration {
  const { config, pages } = parts;
  const https = config.issuer.startsWith('https:');
  const cookie = { httpOnly: true, signed: true, sameSite: 'lax', secure: https, overwrite: true } as const;
  return {
    adapter: parts.adapter,
    jwks: jwks as NonNullable<Configuration['jwks']>,
    clients: [],
    fetch: parts.outboundFetch,
    findAccount: async (_ctx, sub) => ({ accountId: sub, claims: () => parts.claimsOf(sub) }),
    claims: {
      openid: ['sub'],
      profile: ['preferred_username'],
      email: ['email', 'email_verified'],
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', ...Object.keys(config.scopes)],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'EdDSA', 'RS256'],
      clientAuthSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
      requestObjectSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
      userinfoSigningAlgValues: ['ES256', 'EdDSA', 'RS256'],
      dPoPSigningAlgValues: ['ES256', 'EdDSA'],
    },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    clientBasedCORS: (_ctx, origin, client) =>
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    extraClientMetadata: { properties: ['first_party', 'introspects'], validator: validateMetadata },
    responseTypes: ['code', 'none'],
    pkce: { required: (_ctx, client) => client.tokenEndpointAuthMethod === 'none' },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') && (source.scopes.has('offline_access') || source.kind === 'DeviceCode'),
    // A device approved by code is a device of its own: it does not die with the browser that approved it.
    expiresWithSession: async (_ctx, source) => source.kind !== 'DeviceCode' && !source.scopes.has('offline_access'),
    loadExistingGrant: loadGrant,
    conformIdTokenClaims: true,
    allowOmittingSingleRegisteredRedirectUri: false,
    cookies: {
      keys: [...parts.cookieKeys],
      // Interaction cookies are bound to a path, which the __Host- prefix forbids.
      names: {
        session: https ? '__Host-curfew-session' : 'curfew-session',
        interaction: https ? '__Secure-curfew-interaction' : 'curfew-interaction',
        resume: https ? '__Secure-curfew-resume' : 'curfew-resume',
      },
      long: cookie,
      short: cookie,
    },
    interactions: { policy: promptsFor(parts), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: pages.error,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: {
        enabled: true,
        charset: 'base-20',
        mask: '****-****',
        deviceInfo: (ctx) => ({ userAgent: ctx.get('user-agent'), address: addressOf(ctx) }),
        userCodeInputSource: (ctx, form, out, err) => pages.enterDeviceCode(ctx, form, refusalOf(out, err)),
        userCodeConfirmSource: (ctx, form, _client, device, userCode) =>
          pages.confirmDevice(ctx, form, device as DeviceTraits, userCode),
        successSource: pages.deviceDone,
      },
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async (_ctx, client, token) => maySee(client, token.clientId) },
      pushedAuthorizationRequests: { enabled: true },
      registration: { enabled: true, initialAccessToken: true },
      resourceIndicators: {
        enabled: true,
        // No resource unless one is asked for; the library's types know no such answer.
        defaultResource: async () => undefined as never,
        useGrantedResource: async () => false,
        getResourceServerInfo: async (_ctx, indicator) => resourceServer(config, indicator),
      },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: pages.confirmSignOut,
        postLogoutSuccessSource: pages.signedOut,
      },
      userinfo: { enabled: true },
    },
    formats: { customizers: { jwt: (_ctx, token, parts_) => parts.marks.mark(token, parts_) } },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 10 * MINUTE,
      AuthorizationCode: MINUTE,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 10 * MINUTE,
      DeviceCode: 10 * MINUTE,
      Grant: GRANT_SECONDS,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: REFRESH_TOKEN_SECONDS,
      Session: (_ctx, session) => sessionSeconds(session as CurfewSession, parts.clock),
    },
  };
}

/** How long a Session lives from now: idle, but never past its longest life from the sign-in. Seconds. */
export function sessionSeconds(session: CurfewSession, clock: Clock): number {
  if (session.accountId === undefined) return ANONYMOUS_SESSION_SECONDS;
  const { longest, idle } = session.admin === true ? ADMIN_SESSION_SECONDS : SESSION_SECONDS;
  const age = Math.floor(clock.now().getTime() / 1000) - (session.loginTs ?? 0);
  return Math.max(1, Math.min(idle, longest - age));
}

/** Whether a Client may see this token: its own, or one of those it was set up to introspect (RFC 7662 §4). */
export function maySee(client: Client, tokenClientId: string | undefined): boolean {
  if (client.clientId === tokenClientId) return true;
  if (client.tokenEndpointAuthMethod === 'none' || tokenClientId === undefined) return false;
  const introspects = client['introspects'];
  return introspects === 'all' || (Array.isArray(introspects) && introspects.includes(tokenClientId));
}

function resourceServer(config: Config, indicator: string) {
  const resource = config.resources.find(({ identifier }) => identifier === indicator);
  if (resource === undefined) throw new errors.InvalidTarget();
  return {
    scope: resource.scopes.join(' '),
    audience: resource.audience,
    accessTokenFormat: resource.accessTokenFormat,
    accessTokenTTL: resource.accessTokenSeconds,
    jwt: { sign: { alg: 'ES256' as const } },
  };
}

/** Prompts: a Client that was signed out as a whole demands a fresh sign-in; first-party Clients are not consented to. */
function promptsFor({ store }: ProviderParts) {
  const policy = interactionPolicy.base();
  const { Check } = interactionPolicy;
  policy.get('login')?.checks.add(
    new Check('client_signed_out', 'sign-in at this client was ended', 'login_required', async (ctx) => {
      const { client, session, result } = ctx.oidc;
      if (client === undefined || session?.accountId === undefined) return Check.NO_NEED_TO_PROMPT;
      // Signed in just now, in an Interaction that bears the Client's epoch: no clock is needed to know that it is fresh.
      if (result !== undefined && 'login' in result) return Check.NO_NEED_TO_PROMPT;
      const endedAt = await store.revocations.signedOutAt(`client:${client.clientId}`);
      const { signedInAt = 0 } = session as CurfewSession;
      return endedAt !== null && signedInAt <= endedAt.getTime() ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
  );
  const consent = policy.get('consent');
  const native = consent?.checks.get('native_client_prompt');
  if (consent && native) {
    consent.checks.remove('native_client_prompt');
    consent.checks.add(
      new Check('native_client_prompt', native.description, native.error ?? 'interaction_required', (ctx) =>
        ctx.oidc.client?.['first_party'] === true ? Check.NO_NEED_TO_PROMPT : native.check(ctx),
      ),
    );
  }
  return policy;
}

const WEB_URI_METADATA = ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri', 'initiate_login_uri'];

/** Registered addresses that people or pages will follow are web addresses, and nothing that runs (CVE-2023-6717). */
function validateMetadata(
  ctx: KoaContextWithOIDC | undefined,
  key: string,
  value: unknown,
  metadata: Record<string, unknown>,
): void {
  for (const name of WEB_URI_METADATA) {
    const uri = metadata[name];
    if (uri !== undefined && (typeof uri !== 'string' || !/^https?:$/.test(URL.parse(uri)?.protocol ?? ''))) {
      throw new errors.InvalidClientMetadata(`${name} must be a web uri`);
    }
  }
  // What an operator decides cannot be asked for by whoever registers.
  if (ctx !== undefined && value !== undefined && value !== false) {
    throw new errors.InvalidClientMetadata(`${key} cannot be registered`);
  }
}

/** Discovery and every address the library builds come from the configured issuer, never from Host or Forwarded. */
function pinToIssuer(provider: Provider, issuer: string): void {
  const { protocol, host } = new URL(issuer);
  Object.defineProperties(provider.request, {
    protocol: { get: () => protocol.slice(0, -1), configurable: true },
    host: { get: () => host, configurable: true },
  });
}

/** Clients are found in the directory, built once per version, and their epoch is noted each time. */
function findClientsInDirectory(provider: Provider, { clients, store }: ProviderParts): void {
  // The library's types leave out what its constructor and validator take.
  const Client = provider.Client as unknown as new (metadata: object) => Client;
  const validateSector = provider.Client.validate as unknown as (metadata: object) => Promise<void>;
  const built = new Map<string, { version: number; client: Client }>();
  const find = async (id: unknown): Promise<Client | undefined> => {
    if (typeof id !== 'string' || id === '') return undefined;
    const [listed, epochs] = await Promise.all([clients.lookUp(id), store.revocations.epochs([`client:${id}`])]);
    if (listed === null) {
      built.delete(id);
      return undefined;
    }
    noteEpochs(epochs);
    const cached = built.get(id);
    if (cached?.version === listed.version) return cached.client;
    const client = new Client(listed.metadata);
    if (client.sectorIdentifierUri !== undefined) await validateSector(listed.metadata);
    built.set(id, { version: listed.version, client });
    return client;
  };
  Object.assign(provider.Client, { find });
  Object.assign(provider.Client.prototype, {
    compareClientSecret(this: Client, actual: string): boolean {
      return clients.matches(this.clientId, this.clientSecret ?? '', actual);
    },
    // A Client that can be told is given a `sid`, so that one device of several can be ended at it.
    includeSid(this: Client): boolean {
      return this.backchannelLogoutUri !== undefined;
    },
  });
}

/**
 * First-party Clients have no consent page to prompt for, so `offline_access` is theirs without `prompt=consent`. The
 * library drops the scope unless that prompt is there: it sees it, while nothing that shows pages does.
 */
function grantOfflineAccessToFirstParties(provider: Provider): void {
  type Context = KoaContextWithOIDC['oidc'];
  const context = provider.OIDCContext.prototype;
  const prompts = Object.getOwnPropertyDescriptor(context, 'prompts')?.get;
  const { promptPending } = context;
  if (prompts === undefined) throw new Error('oidc-provider changed: OIDCContext has no `prompts`');
  const asked = (oidc: Context): Set<string> => prompts.call(oidc) as Set<string>;
  class WithConsent extends Set<string> {
    override has(prompt: string): boolean {
      return prompt === 'consent' || super.has(prompt);
    }
  }
  Object.defineProperty(context, 'prompts', {
    get(this: Context) {
      return this.client?.['first_party'] === true ? new WithConsent(asked(this)) : asked(this);
    },
    configurable: true,
  });
  context.promptPending = function (this: Context, name: string) {
    const resuming = this.route.endsWith('resume');
    return resuming || name !== 'consent' ? promptPending.call(this, name) : asked(this).has(name);
  };
}

/** Sessions keep when exactly, and by whom, their person was vouched for. */
function keepProofOnSessions(provider: Provider): void {
  const { Session } = provider;
  const fields = Session.IN_PAYLOAD;
  Object.defineProperty(Session, 'IN_PAYLOAD', { get: () => [...fields, 'signedInAt', 'admin', 'device'] });
  const { loginAccount } = Session.prototype;
  Session.prototype.loginAccount = function (this: CurfewSession, details) {
    loginAccount.call(this, details);
    const proof = seenProof();
    if (proof === undefined) throw new Error('a session was signed in without a proof of sign-in');
    Object.assign(this, { signedInAt: proof.signedInAt, admin: proof.admin, device: proof.device });
  };
}

/**
 * A destroyed Session is a Sign-out of that browser: its epoch is raised first, so that a request in flight cannot bring
 * it back, and Clients are told by deliveries. The library's own sender (one try, awaited by the person) is replaced.
 */
function endSessionsThroughTheDoor(provider: Provider, parts: ProviderParts): void {
  const { destroy } = provider.Session.prototype;
  provider.Session.prototype.destroy = async function (this: CurfewSession) {
    if (this.accountId !== undefined) await parts.endBrowserSession({ uid: this.uid, accountId: this.accountId });
    await destroy.call(this);
  };
  Object.assign(provider.Client.prototype, {
    async backchannelLogout(this: { clientId: string }, accountId: string, sid: string): Promise<void> {
      const { oidc } = Provider.ctx ?? {};
      // The whole browser signs out: its Session's end tells every Client.
      if (oidc?.params?.['logout'] !== undefined) return;
      await parts.endClientSession({ sid, accountId, clientId: this.clientId });
    },
  });
}

/** The library finds and then saves; one insert decides instead, so that of two at once one is a replay. */
function detectReplaysByInsert(provider: Provider, { store, clock }: ProviderParts): void {
  const unique = (issuer: string, jti: string, expiresAtSeconds: number): Promise<boolean> =>
    store.artifacts.insert(
      {
        model: 'ReplayDetection',
        key: artifactKey('ReplayDetection', JSON.stringify([issuer, jti])),
        payload: '{}',
        stamps: {},
        expiresAt: new Date((expiresAtSeconds + 60) * 1000),
      },
      clock.now(),
    );
  Object.assign(provider.ReplayDetection, { unique });
}

function refusalOf(out: { error?: string } | undefined, err: Error | undefined): DeviceCodeRefusal | undefined {
  switch (err?.name) {
    case undefined:
      return out === undefined ? undefined : 'failed';
    case 'NoCodeError':
      return 'missing';
    case 'NotFoundError':
    case 'ExpiredError':
    case 'AlreadyUsedError':
      return 'unknown';
    case 'AbortedError':
      return 'denied';
    default:
      return 'failed';
  }
}
