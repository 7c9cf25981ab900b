/** A connection to an OpenID Connect provider: from its configuration to a verified word of it. */
import type { OidcConnectionEntry } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Outbound } from '../platform/outbound-http.ts';
import type { Attempt } from './attempts.ts';
import { mapClaims, OIDC_CLAIMS } from './claims.ts';
import { verifyLogoutToken } from './oidc/logout-token.ts';
import type { SignInRefusal } from './oidc/refusals.ts';
import { createOidcUpstream } from './oidc/upstream.ts';
import type { Answered, ArrivalRefusal, UpstreamProtocol, UpstreamSignOut } from './protocol.ts';

export type OidcConnection = UpstreamProtocol & {
  /** `query` as the browser brought it. */
  answer(attempt: Attempt, query: string): Promise<Answered>;
  /** What a Logout Token says; why it is refused; or that the provider's keys cannot be had to judge it. */
  hearLogout(token: string): Promise<UpstreamSignOut | { readonly refused: string } | { readonly unavailable: string }>;
};

export function createOidcConnection({
  entry,
  issuer,
  fetch,
  clock,
}: {
  readonly entry: OidcConnectionEntry;
  /** Curfew's own. */
  readonly issuer: string;
  readonly fetch: Outbound['fetch'];
  readonly clock: Clock;
}): OidcConnection {
  const redirectUri = `${issuer}/federation/${entry.id}/callback`;
  const upstream = createOidcUpstream({
    upstream: {
      id: entry.id,
      issuer: entry.issuer,
      clientId: entry.client_id,
      clientSecret: entry.clientSecret,
      redirectUri,
      scopes: entry.scopes,
    },
    fetch,
    clock,
  });
  const mapping = { ...OIDC_CLAIMS, ...given(entry.claims) };
  // A provider that cannot prove a fresh sign-in is still asked for one; an operator has accepted that it is not verified.
  const verifiable = entry.reauthentication === 'verified';

  return {
    async depart(attempt) {
      const { state, nonce, pkceVerifier, forced, loginHint } = attempt;
      const started = await upstream.start({
        attempt: { state, nonce, pkceVerifier, forced },
        loginHint: loginHint ?? undefined,
      });
      if ('refused' in started) return { refused: 'unreachable', detail: `${started.refused}: ${started.detail}` };
      return { kind: 'redirect', location: started.url.href };
    },
    async answer(attempt, query) {
      const { state, nonce, pkceVerifier, requestedAt } = attempt;
      const answered = await upstream.finish({
        callbackUrl: new URL(`${redirectUri}?${query}`),
        attempt: { state, nonce, pkceVerifier, requestedAt, forced: attempt.forced && verifiable },
        now: clock.now(),
      });
      if ('refused' in answered) return { refused: arrivalRefusal(answered), detail: detailOf(answered) };
      return {
        connectionId: entry.id,
        subject: answered.subject,
        authenticatedAt: answered.authTime,
        upstreamSession: answered.sid,
        logoutName: null,
        claims: mapClaims({ claims: answered.claims, mapping }),
        amr: answered.amr ?? [],
        logout: { kind: 'oidc', idToken: answered.idToken },
        once: null,
      };
    },
    async hearLogout(token) {
      const heard = await verifyLogoutToken({
        token,
        upstream: upstream.upstream,
        keys: upstream.keys,
        now: clock.now(),
      });
      if ('unavailable' in heard) return { unavailable: 'its keys cannot be had' };
      if ('refused' in heard) return { refused: heard.refused };
      return {
        issuer: entry.issuer,
        id: heard.jti,
        rememberUntil: heard.replayableUntil,
        subject: heard.subject,
        logoutName: null,
        upstreamSessions: heard.sid === null ? [] : [heard.sid],
      };
    },
    test: async () =>
      (await upstream.test()).map(({ about, level, says, fix }) => ({
        check: about,
        status: level === 'good' ? 'ok' : level === 'notice' ? 'warning' : 'problem',
        found: says,
        ...(fix === undefined ? {} : { fix }),
      })),
    async signOutUrl(logout) {
      if (logout.kind !== 'oidc') return null;
      const url = await upstream.endSessionUrl({
        idTokenHint: logout.idToken,
        postLogoutRedirectUri: `${issuer}/signed-out`,
        state: entry.id,
      });
      return url?.href ?? null;
    },
  };
}

function arrivalRefusal({ refused, code }: SignInRefusal): ArrivalRefusal {
  switch (refused) {
    case 'provider-unreachable':
    case 'provider-unusable':
      return 'unreachable';
    case 'stale-authentication':
    case 'authentication-time-missing':
      return 'unprovable';
    case 'provider-error':
      return code === 'temporarily_unavailable' || code === 'server_error' ? 'unreachable' : 'declined';
    case 'malformed-callback':
    case 'state-mismatch':
    case 'issuer-mismatch':
    case 'code-missing':
    case 'exchange-refused':
    case 'authentication-time-wrong':
    case 'userinfo-refused':
    case 'userinfo-subject':
    case 'id-token-missing':
    case 'id-token-malformed':
    case 'id-token-algorithm':
    case 'id-token-issuer':
    case 'id-token-audience':
    case 'id-token-expired':
    case 'id-token-nonce':
    case 'id-token-signature':
      return 'not-verified';
  }
}

const detailOf = ({ refused, detail, code }: SignInRefusal): string =>
  [refused, code, detail].filter((part) => part !== undefined).join(': ');

function given(claims: OidcConnectionEntry['claims']): Record<string, string> {
  const { subject: _subject, ...mapping } = claims;
  return Object.fromEntries(
    Object.entries(mapping).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
