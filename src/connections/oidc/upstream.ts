/**
 * An upstream OpenID Connect provider: letting somebody else prove who a person is.
 *
 * Purpose: send a browser to a provider and understand what it brings back. Invariant: whoever comes out of `finish` was
 * named by an ID Token that this provider signed, for this client, for this very attempt, and, where a fresh sign-in was
 * demanded, after the demand; what is demanded of a provider is verified, never assumed. It refuses to know accounts, the
 * store, and HTTP: an attempt is kept, found and used up once by the caller.
 */
import { buildEndSessionUrl } from 'openid-client';

import type { Clock } from '../../platform/clock.ts';
import type { Outbound } from '../../platform/outbound-http.ts';
import { authorizationUrl, type AuthorizationRequest } from './authorization-request.ts';
import { type Callback, finishSignIn, type UpstreamSignIn } from './callback.ts';
import { examine, type Finding } from './findings.ts';
import type { Kept } from './kept.ts';
import type { SigningKey } from './provider-keys.ts';
import { createProvider } from './provider.ts';
import { type ProviderFailureWord, type Refusal, refusalOf, type SignInRefusal } from './refusals.ts';

/** How one claim is asked for (OpenID Connect Core §5.5.1). `null`: voluntarily. */
export type ClaimRequest = null | {
  readonly essential?: boolean;
  readonly value?: unknown;
  readonly values?: readonly unknown[];
};

/** A connection, as it is configured. */
export type OidcUpstream = {
  readonly id: string;
  /** To the letter as the provider's discovery has it. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly redirectUri: string;
  /** Default `openid profile email`; `openid` is always among them. */
  readonly scopes?: readonly string[] | undefined;
  /** Default: what the provider supports, `client_secret_basic` first; `none` without a secret. */
  readonly tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined;
  /** The `claims` parameter, for providers that send some claims only to who asks. */
  readonly requestedClaims?:
    | {
        readonly id_token?: Readonly<Record<string, ClaimRequest>>;
        readonly userinfo?: Readonly<Record<string, ClaimRequest>>;
      }
    | undefined;
  /** Whether UserInfo is asked where the provider has it. Default true: many put e-mail and groups nowhere else. */
  readonly userInfo?: boolean | undefined;
};

export type UpstreamProvider = {
  readonly upstream: OidcUpstream;
  /** Where to send the browser. Nothing is remembered of it: the attempt is the caller's. */
  start(request: AuthorizationRequest): Promise<{ readonly url: URL } | Refusal<ProviderFailureWord>>;
  /** Who the browser has come back as, or why that cannot be said. Spends the code; verifies everything. */
  finish(callback: Callback): Promise<UpstreamSignIn | SignInRefusal>;
  /** Where the person signs out of the provider (RP-Initiated Logout 1.0), or null where that cannot be done now. */
  endSessionUrl(request: {
    readonly idTokenHint: string;
    readonly postLogoutRedirectUri: string;
    readonly state: string;
  }): Promise<URL | null>;
  /** What can be found out about the provider without a person, asked anew. */
  test(): Promise<readonly Finding[]>;
  /** The provider's signing keys, for `verifyLogoutToken`. */
  readonly keys: Kept<readonly SigningKey[]>;
};

/**
 * Sets up a connection; nothing is fetched yet. A `TypeError` for an issuer that is not https, unless it is loopback.
 * Discovery and keys are kept ten minutes, an hour where the provider does not answer. No call takes longer than
 * `timeoutSeconds` (default 5) to be answered.
 */
export function createOidcUpstream({
  upstream,
  fetch,
  clock,
  timeoutSeconds = 5,
}: {
  readonly upstream: OidcUpstream;
  readonly fetch: Outbound['fetch'];
  readonly clock: Clock;
  readonly timeoutSeconds?: number;
}): UpstreamProvider {
  const provider = createProvider({ upstream, fetch, clock, timeoutSeconds });

  return {
    upstream,
    keys: provider.keys,
    async start(request) {
      try {
        return { url: await authorizationUrl(provider, await provider.metadata.get(), request) };
      } catch (error) {
        return refusalOf(error);
      }
    },
    async finish(callback) {
      try {
        return await finishSignIn(provider, callback);
      } catch (error) {
        return refusalOf(error);
      }
    },
    async endSessionUrl({ idTokenHint, postLogoutRedirectUri, state }) {
      // Signing out upstream is a courtesy: access has ended without it, so a provider that is away stops nobody.
      try {
        const metadata = await provider.metadata.get();
        return buildEndSessionUrl(provider.configure(metadata), {
          id_token_hint: idTokenHint,
          post_logout_redirect_uri: postLogoutRedirectUri,
          state,
        });
      } catch {
        return null;
      }
    },
    test: () => examine(createProvider({ upstream, fetch, clock, timeoutSeconds })),
  };
}
