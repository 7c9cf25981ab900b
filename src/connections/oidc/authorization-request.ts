/**
 * The request a browser takes to a provider (OpenID Connect Core §3.1.2.1).
 *
 * Invariant: every request carries state, nonce, and PKCE with S256, and always `max_age`, because the standard obliges a
 * provider to put `auth_time` into the ID Token of whoever asks with `max_age` (§2), and without `auth_time` there is no
 * telling a fresh sign-in from an old one.
 *
 * A fresh sign-in is demanded twice, since either demand alone is ignored somewhere, or can be taken out of the address
 * bar: with `prompt=login`, and with a `max_age` of 1. The standard calls 0 "equivalent to prompt=login", but there are
 * servers that take 0 for "not sent", so that `auth_time` is missing, and others that ask again for ever, since any sign-in
 * is older than that by the time they look. 1 is what every certified provider has been tested with. Measured on
 * oidc-provider 9.13, with a sign-in and a consent of 2.5 s each: `prompt=login` with 0, 1, 5 or no `max_age` asks the same
 * number of times and sends `auth_time`. Whether the demand was met is decided by `finish`, not here.
 */
import { buildAuthorizationUrl, calculatePKCECodeChallenge, type ServerMetadata } from 'openid-client';

import type { Provider } from './provider.ts';
import { ProviderFailure } from './refusals.ts';
import type { OidcUpstream } from './upstream.ts';

export type AuthorizationRequest = {
  readonly attempt: {
    readonly state: string;
    readonly nonce: string;
    /** 43 to 128 characters (RFC 7636 §4.1). */
    readonly pkceVerifier: string;
    /** Demand that the person signs in there now, however long a session they have. */
    readonly forced: boolean;
  };
  readonly loginHint?: string | undefined;
  /** `domain_hint`: which organisation's sign-in page to show, where the provider has several. */
  readonly domainHint?: string | undefined;
  readonly uiLocales?: string | undefined;
};

export const LONGEST_SESSION_SECONDS = 30 * 24 * 3600;
const FORCED_MAX_AGE_SECONDS = 1;
const DEFAULT_SCOPES = ['openid', 'profile', 'email'];

export async function authorizationUrl(
  provider: Provider,
  metadata: ServerMetadata,
  { attempt, loginHint, domainHint, uiLocales }: AuthorizationRequest,
): Promise<URL> {
  const { upstream } = provider;
  const claims = claimsParameter(upstream, metadata);
  try {
    return buildAuthorizationUrl(provider.configure(metadata), {
      response_type: 'code',
      // Said aloud: the callback is a GET, because a cross-site POST would come without cookies.
      response_mode: 'query',
      redirect_uri: upstream.redirectUri,
      scope: [...new Set(['openid', ...(upstream.scopes ?? DEFAULT_SCOPES)])].join(' '),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await calculatePKCECodeChallenge(attempt.pkceVerifier),
      code_challenge_method: 'S256',
      max_age: String(attempt.forced ? FORCED_MAX_AGE_SECONDS : LONGEST_SESSION_SECONDS),
      ...(attempt.forced && { prompt: 'login' }),
      ...(loginHint !== undefined && { login_hint: loginHint }),
      ...(domainHint !== undefined && { domain_hint: domainHint }),
      ...(uiLocales !== undefined && { ui_locales: uiLocales }),
      ...(claims !== undefined && { claims: JSON.stringify(claims) }),
    });
  } catch (cause) {
    throw new ProviderFailure('provider-unusable', 'its authorization endpoint cannot be used', { cause });
  }
}

/** What the operator asks for, and `auth_time` by name where the provider says that it listens (§5.5.1). */
function claimsParameter(
  { requestedClaims }: OidcUpstream,
  { claims_parameter_supported: listens }: ServerMetadata,
): OidcUpstream['requestedClaims'] {
  if (listens !== true) return requestedClaims;
  return { ...requestedClaims, id_token: { auth_time: { essential: true }, ...requestedClaims?.id_token } };
}
