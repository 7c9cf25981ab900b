/**
 * The OpenID Connect provider: `oidc-provider` set up the Curfew way, as a factory, because its keys are read once.
 *
 * Invariant: everything it issues goes through the artifact adapter and so is stamped; it never calls a Client itself
 * (Logout Tokens leave through deliveries); it never answers from a cache that a Sign-out has not reached. It refuses to
 * know how a password is checked or a page looks.
 */
import type { JWK } from 'jose';
import { type Configuration, errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';

import type { Config } from '../config.ts';
import { RedirectUri } from '../config/client-metadata.ts';
import type { Clock } from '../platform/clock.ts';
import { StoreUnavailable } from '../store/port.ts';
import { ASSURANCES } from './assurance.ts';
import { addressOf, type DeviceTraits } from './device.ts';
import { grantLoader } from './grants.ts';
import { overrideLibrary } from './overrides.ts';
import { promptsFor } from './prompts.ts';
import { returningOf } from './returning-devices.ts';
import { sessionCookie } from './session-cookie.ts';
import { type CurfewSession, type DeviceCodeRefusal, maySee, type ProviderParts } from './provider-parts.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Lifetimes in seconds (security.md). */
const SESSION_SECONDS = { longest: 30 * DAY, idle: 14 * DAY };
const ADMIN_SESSION_SECONDS = { longest: 12 * HOUR, idle: 15 * MINUTE };
/** A browser that has not signed in is remembered only for the form it is filling in. */
const ANONYMOUS_SESSION_SECONDS = HOUR;
export const REFRESH_TOKEN_SECONDS = 30 * DAY;
/** Longer than any chain of refreshes is meant to live: after a year a device signs in again. */
const GRANT_SECONDS = 365 * DAY;
const LONGEST_ASSERTION_SECONDS = HOUR;

/** Builds a provider over these keys. Cheap (under a millisecond): rotation builds another and swaps. */
export function createProvider(parts: ProviderParts, jwks: { keys: JWK[] }): Provider {
  const provider = new Provider(parts.config.issuer, configuration(parts, jwks));
  overrideLibrary(provider, parts);
  provider.on('server_error', (ctx, err) => {
    // The library answers 500 to what its hooks throw; the web room makes it what it is (web/app.ts).
    if (err instanceof StoreUnavailable) ctx.state['storeFault'] = err;
    else parts.log.error({ err, route: ctx.oidc?.route, requestId: ctx.state['requestId'] }, 'provider.failed');
  });
  return provider;
}

function configuration(parts: ProviderParts, jwks: { keys: JWK[] }): Configuration {
  const { config, pages } = parts;
  const https = config.issuer.startsWith('https:');
  const cookie = sessionCookie(config.issuer);
  return {
    adapter: parts.adapter,
    jwks: jwks as NonNullable<Configuration['jwks']>,
    clients: [],
    fetch: parts.outboundFetch,
    findAccount: async (_ctx, sub) => ({ accountId: sub, claims: () => parts.claimsOf(sub) }),
    claims: {
      openid: ['sub', 'acr', 'amr'],
      profile: ['preferred_username'],
      email: ['email', 'email_verified'],
    },
    scopes: scopesKnown(config),
    discovery: { ui_locales_supported: pages.locales },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'EdDSA', 'RS256'],
      clientAuthSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
      requestObjectSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
      userinfoSigningAlgValues: ['ES256', 'EdDSA', 'RS256'],
      dPoPSigningAlgValues: ['ES256', 'EdDSA'],
    },
    acrValues: [...ASSURANCES],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    assertJwtClientAuthClaimsAndHeader: async (_ctx, claims) => refuseLooseAssertion(claims, parts.clock),
    clientBasedCORS: (_ctx, origin, client) =>
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    extraClientMetadata: {
      properties: ['first_party', 'introspects', 'connection', 'require_second_factor'],
      validator: validateMetadata,
    },
    // Where somebody signs in, when the app or a link knows it already.
    extraParams: ['domain_hint', 'connection'],
    responseTypes: ['code', 'none'],
    pkce: { required: (_ctx, client) => client.tokenEndpointAuthMethod === 'none' },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') && (source.scopes.has('offline_access') || source.kind === 'DeviceCode'),
    // A device approved by code is a device of its own: it does not die with the browser that approved it.
    expiresWithSession: async (_ctx, source) => source.kind !== 'DeviceCode' && !source.scopes.has('offline_access'),
    loadExistingGrant: grantLoader(parts.store.revocations),
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
        deviceInfo: (ctx) => ({
          userAgent: ctx.get('user-agent'),
          address: addressOf(ctx),
          ...(ctx.state['returning'] === undefined ? {} : { returning: ctx.state['returning'] as object }),
        }),
        userCodeInputSource: (ctx, form, out, err) => pages.enterDeviceCode(ctx, form, refusalOf(out, err)),
        userCodeConfirmSource: (ctx, form, _client, device, userCode) =>
          pages.confirmDevice(ctx, form, device as DeviceTraits, userCode),
        async successSource(ctx) {
          const { deviceInfo, accountId, grantId } = ctx.oidc.entities.DeviceCode ?? {};
          const was = returningOf(deviceInfo, accountId);
          if (was !== null && grantId !== undefined) await parts.returning.answered(was.grantId, grantId);
          await pages.deviceDone(ctx);
        },
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
      // To everybody else a token is one that does not exist (RFC 7009 §2.2).
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId },
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

/** Scopes that are not a resource's. */
export function scopesKnown(config: Config): string[] {
  return ['openid', 'offline_access', 'profile', 'email', ...Object.keys(config.scopes)];
}

/** How long a Session lives from now: idle, but never past its longest life from the sign-in. Seconds. */
export function sessionSeconds(session: CurfewSession, clock: Clock): number {
  if (session.accountId === undefined) return ANONYMOUS_SESSION_SECONDS;
  const { longest, idle } = session.admin === true ? ADMIN_SESSION_SECONDS : SESSION_SECONDS;
  const age = Math.floor(clock.now().getTime() / 1000) - (session.loginTs ?? 0);
  return Math.max(1, Math.min(idle, longest - age));
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

/**
 * An assertion is for us alone and for now (RFC 7523 §3): one that names other audiences may have been given to them, and
 * each is remembered until it expires.
 */
function refuseLooseAssertion(claims: Record<string, unknown>, clock: Clock): void {
  if (typeof claims['aud'] !== 'string') {
    throw new errors.InvalidClientAuth('audience (aud) of the client assertion must be one string');
  }
  if (Number(claims['exp']) > clock.now().getTime() / 1000 + LONGEST_ASSERTION_SECONDS) {
    throw new errors.InvalidClientAuth('expiration (exp) of the client assertion is too far away');
  }
}

const WEB_URI_METADATA = ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri', 'initiate_login_uri'];

/** Registered addresses obey the rules of configured ones, and none of them runs anything (CVE-2023-6717). */
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
  for (const name of ['redirect_uris', 'post_logout_redirect_uris']) {
    const uris = metadata[name];
    for (const uri of Array.isArray(uris) ? uris : []) {
      if (!RedirectUri.safeParse(uri).success)
        throw new errors.InvalidClientMetadata(`${name} must hold addresses of an app`);
    }
  }
  // What an operator decides cannot be asked for by whoever registers.
  if (ctx !== undefined && value !== undefined && value !== false) {
    throw new errors.InvalidClientMetadata(`${key} cannot be registered`);
  }
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
