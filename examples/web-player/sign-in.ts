/**
 * The player's conversation with the issuer: sign-in by authorization code and PKCE, refresh, and sign-out. It decides
 * when a local session starts and ends; it renders nothing.
 */
import { randomBytes } from 'node:crypto';
import * as client from 'openid-client';
import { refusalOf } from '../shared/issuer.ts';
import { log, reasonOf } from '../shared/log.ts';
import type { PlayerSession, Sessions, Tokens } from './sessions.ts';

const SCOPE = 'openid profile email offline_access';
const SIGN_IN_EXPIRES_MS = 10 * 60_000;
const MOST_SIGN_INS_UNDER_WAY = 1_000;
const NEAR_EXPIRY_MS = 30_000;

type SignInUnderWay = { state: string; nonce: string; codeVerifier: string; startedAt: Date };

export type SignInResult = { session: PlayerSession } | { refused: string };

export type SignIn = ReturnType<typeof createSignIn>;

export function createSignIn(options: { url: string; sessions: Sessions; sessionRequired: boolean; now: () => Date }) {
  const { url, sessions, sessionRequired, now } = options;
  const underWay = new Map<string, SignInUnderWay>();

  /** Where to send the browser, and the secret that binds this sign-in to it. */
  async function begin(config: client.Configuration): Promise<{ location: URL; binding: string }> {
    const binding = randomBytes(32).toString('base64url');
    const attempt = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      codeVerifier: client.randomPKCECodeVerifier(),
      startedAt: now(),
    };
    underWay.set(binding, attempt);
    // A Map keeps insertion order: the oldest unfinished sign-in makes room.
    const [oldest] = underWay.keys();
    if (underWay.size > MOST_SIGN_INS_UNDER_WAY && oldest) underWay.delete(oldest);
    const location = client.buildAuthorizationUrl(config, {
      redirect_uri: `${url}/callback`,
      scope: SCOPE,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(attempt.codeVerifier),
      code_challenge_method: 'S256',
    });
    return { location, binding };
  }

  async function finish(
    config: client.Configuration,
    answer: { currentUrl: URL; binding: string | undefined },
  ): Promise<SignInResult> {
    const attempt = underWay.get(answer.binding ?? '');
    underWay.delete(answer.binding ?? '');
    if (!attempt || now().getTime() - attempt.startedAt.getTime() > SIGN_IN_EXPIRES_MS) {
      return { refused: 'This sign-in was not started in this browser, or it took too long.' };
    }
    const exchangeStartedAt = now();
    let response: TokenResponse;
    try {
      response = await client.authorizationCodeGrant(config, answer.currentUrl, {
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        pkceCodeVerifier: attempt.codeVerifier,
        idTokenExpected: true,
      });
    } catch (error) {
      log('sign-in.failed', { reason: refusalOf(error) ?? reasonOf(error) });
      return { refused: 'The sign-in was not completed.' };
    }
    const claims = response.claims();
    if (!claims) return { refused: 'The sign-in was not completed.' };
    const sid = typeof claims.sid === 'string' ? claims.sid : undefined;
    if (sessionRequired && sid === undefined) {
      log('sign-in.no-sid', { hint: 'register this client with backchannel_logout_session_required: true' });
      return { refused: 'The sign-in carries no session (sid), and this player needs one to be signed out by.' };
    }
    const name = await nameOf(config, response.access_token, claims.sub);
    const tokens = tokensFrom(response, { idToken: response.id_token ?? '', refreshToken: undefined });
    const session = sessions.start({ sub: claims.sub, sid, name, tokens, exchangeStartedAt });
    return session ? { session } : { refused: 'You were signed out in the meantime.' };
  }

  /** Refreshes if the access token is about to expire. Whether the session lives on is for the caller to look up. */
  async function keepFresh(config: client.Configuration, session: PlayerSession): Promise<void> {
    const remainingMs = session.tokens.accessTokenExpiresAt.getTime() - now().getTime();
    if (remainingMs < NEAR_EXPIRY_MS) await refresh(config, session);
  }

  /** Callers that come while a refresh is under way share it. */
  function refresh(config: client.Configuration, session: PlayerSession): Promise<void> {
    session.refreshing ??= exchangeRefreshToken(config, session).finally(() => {
      session.refreshing = undefined;
    });
    return session.refreshing;
  }

  async function exchangeRefreshToken(config: client.Configuration, session: PlayerSession): Promise<void> {
    const { refreshToken } = session.tokens;
    if (!refreshToken) {
      session.trouble = 'The issuer gave this player no refresh token.';
      if (session.tokens.accessTokenExpiresAt <= now()) sessions.end(session);
      return;
    }
    try {
      const response = await client.refreshTokenGrant(config, refreshToken);
      const sub = response.claims()?.sub ?? session.sub;
      // OpenID Connect Core §12.2: a refresh must not turn one person into another.
      if (sub !== session.sub) {
        sessions.end(session);
        return;
      }
      session.tokens = tokensFrom(response, session.tokens);
      session.refreshedAt = now();
      session.trouble = undefined;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === 'invalid_grant') {
        sessions.end(session);
        log('session.ended', { by: 'invalid_grant' });
        return;
      }
      log('refresh.failed', { reason: refusal ?? reasonOf(error) });
      session.trouble = 'The sign-in service could not be asked just now.';
    }
  }

  /** Ends the session here first, then tells where the browser goes to end it at the issuer. */
  async function signOut(
    config: client.Configuration,
    session: PlayerSession,
  ): Promise<{ location: URL; state: string }> {
    sessions.end(session);
    await session.refreshing;
    const { refreshToken, idToken } = session.tokens;
    if (refreshToken && config.serverMetadata().revocation_endpoint) {
      // Offline access outlives the issuer's own session, and nobody is left here to use it.
      await client.tokenRevocation(config, refreshToken).catch((error: unknown) => {
        log('revocation.failed', { reason: reasonOf(error) });
      });
    }
    const state = client.randomState();
    const location = client.buildEndSessionUrl(config, {
      id_token_hint: idToken,
      post_logout_redirect_uri: `${url}/signed-out`,
      state,
    });
    return { location, state };
  }

  function tokensFrom(response: TokenResponse, previous: Pick<Tokens, 'idToken' | 'refreshToken'>): Tokens {
    return {
      accessToken: response.access_token,
      // Without a lifetime (RFC 6749 §5.1 only recommends one) a minute is assumed: too short costs a refresh.
      accessTokenExpiresAt: new Date(now().getTime() + (response.expiresIn() ?? 60) * 1000),
      refreshToken: response.refresh_token ?? previous.refreshToken,
      idToken: response.id_token ?? previous.idToken,
    };
  }

  return { begin, finish, keepFresh, refresh, signOut };
}

type TokenResponse = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers;

async function nameOf(config: client.Configuration, accessToken: string, sub: string): Promise<string> {
  try {
    const person = await client.fetchUserInfo(config, accessToken, sub);
    return person.name ?? person.preferred_username ?? person.email ?? sub;
  } catch (error) {
    log('sign-in.name-unknown', { reason: reasonOf(error) });
    return sub;
  }
}
