/**
 * What a browser brings back from a provider.
 *
 * Purpose: from a callback to a proven subject. Invariant: nothing is asked of the provider before the callback is known
 * to answer this attempt, and nothing is believed that the ID Token does not say: UserInfo only adds, and only about the
 * same subject. It refuses to know which account this is.
 */
import {
  authorizationCodeGrant,
  type Configuration,
  fetchUserInfo,
  type ServerMetadata,
  skipSubjectCheck,
} from 'openid-client';

import { checkAuthenticationTime } from './authentication-time.ts';
import { verifyIdToken } from './id-token.ts';
import type { Provider } from './provider.ts';
import {
  ProviderFailure,
  type RegisteredError,
  registeredError,
  type SignInRefusal,
  type SignInRefusalWord,
} from './refusals.ts';

export type Callback = {
  /** As the browser asked for it. Only its query is read. */
  readonly callbackUrl: URL;
  readonly attempt: {
    readonly state: string;
    readonly nonce: string;
    readonly pkceVerifier: string;
    /** When the browser was sent away. */
    readonly requestedAt: Date;
    readonly forced: boolean;
  };
  readonly now: Date;
};

export type UpstreamSignIn = {
  readonly subject: string;
  /** The ID Token's claims over UserInfo's. Map them (`mapClaims`); do not decide anything by them here. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** When the person signed in there. Null only where no fresh sign-in was demanded and the provider does not say. */
  readonly authTime: Date | null;
  readonly sid: string | null;
  /** For `endSessionUrl`, later. Names a person: keep it sealed. */
  readonly idToken: string;
  readonly acr?: string;
  readonly amr?: readonly string[];
};

type Exchanged = {
  readonly idToken: string;
  readonly accessToken: string | undefined;
  readonly objection: string | null;
};
type Claims = Readonly<Record<string, unknown>>;

const LONGEST_SID = 512;

/** Rejects with a `ProviderFailure` where the provider cannot be talked to. */
export async function finishSignIn(provider: Provider, callback: Callback): Promise<UpstreamSignIn | SignInRefusal> {
  const { upstream, keys } = provider;
  const { attempt, now } = callback;
  const metadata = await provider.metadata.get();
  const answer = readCallback(callback, upstream.issuer, metadata.authorization_response_iss_parameter_supported);
  if ('refused' in answer) return answer;

  const exchanged = await exchange(provider, metadata, { answer, attempt });
  if ('refused' in exchanged) return exchanged;
  const { idToken, accessToken, objection } = exchanged;
  const verified = await verifyIdToken({ idToken, upstream, keys, nonce: attempt.nonce, now });
  if ('refused' in verified) return verified;
  const { subject, claims } = verified;
  const authenticated = checkAuthenticationTime({ claims, attempt, now });
  if ('refused' in authenticated) return authenticated;
  if (objection !== null) return refuse('exchange-refused', objection);

  const isAsked = upstream.userInfo !== false && metadata.userinfo_endpoint !== undefined;
  const more = isAsked ? await askUserInfo(provider.configure(metadata), accessToken, subject) : { userInfo: {} };
  if ('refused' in more) return more;
  const { sid, acr, amr } = claims;
  return {
    subject,
    claims: merge(claims, more.userInfo),
    authTime: authenticated.authTime,
    sid: typeof sid === 'string' && sid !== '' && sid.length <= LONGEST_SID ? sid : null,
    idToken,
    ...(typeof acr === 'string' && { acr }),
    ...(Array.isArray(amr) && { amr: amr.filter((method) => typeof method === 'string') }),
  };
}

/** The parameters worth handing on, once each, or why this is not the answer to our attempt. */
function readCallback(
  { callbackUrl: { searchParams }, attempt }: Callback,
  issuer: string,
  namesItsIssuer: boolean | undefined,
): Record<'code' | 'state', string> | SignInRefusal {
  for (const name of ['state', 'iss', 'error', 'code']) {
    if (searchParams.getAll(name).length > 1) return refuse('malformed-callback', `${name} is there more than once`);
  }
  const [state, iss, error, code] = ['state', 'iss', 'error', 'code'].map((name) => searchParams.get(name));
  if (state !== attempt.state) return refuse('state-mismatch', 'it does not carry the state of this attempt');
  // RFC 9207 §2.4: an answer of another issuer is not ours to handle, whatever it says. Its code must not leave here.
  if (iss == null ? namesItsIssuer === true : iss !== issuer) {
    return refuse('issuer-mismatch', iss == null ? 'the issuer is not named' : 'another issuer is named');
  }
  if (error != null) return refuse('provider-error', 'an error that no registry knows', registeredError(error));
  if (code == null || code === '') return refuse('code-missing', 'it brings no code');
  // We ask for a code alone. Whoever puts tokens beside it has mixed up two requests, or hopes that we have.
  const strange = ['access_token', 'id_token', 'token', 'response'].find((name) => searchParams.has(name));
  if (strange !== undefined) return refuse('malformed-callback', `it brings ${strange} beside the code`);
  return { code, state };
}

/**
 * The library exchanges the code and checks what comes back. Where it objects to an ID Token, the token is handed on with
 * the objection: our own verification, which follows in any case, has the better words for what is wrong with it. Where ours
 * finds nothing, the objection stands.
 *
 * The library's check of the signature is not used: without one it lets `alg: none` pass where a provider lists it, and
 * with one it does not look for new keys within a minute of its last look, so that nobody could sign in through a provider
 * that has just rotated (both measured on 6.9.0).
 */
async function exchange(
  provider: Provider,
  metadata: ServerMetadata,
  {
    answer,
    attempt: { state, nonce, pkceVerifier },
  }: { readonly answer: Record<'code' | 'state', string>; readonly attempt: Callback['attempt'] },
): Promise<Exchanged | SignInRefusal> {
  // As it was registered: behind a proxy, the address we were called at may be another.
  const redirected = new URL(provider.upstream.redirectUri);
  // The library would insist on the issuer too; it was judged before.
  redirected.search = new URLSearchParams({ ...answer, iss: metadata.issuer }).toString();
  let heard: { readonly body: unknown } | undefined;
  const configuration = provider.configure(metadata, async (response) => {
    heard = { body: await response.json().catch(() => undefined) };
  });
  try {
    const tokens = await authorizationCodeGrant(configuration, redirected, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: pkceVerifier,
      idTokenExpected: true,
    });
    return { idToken: tokens.id_token ?? '', accessToken: tokens.access_token, objection: null };
  } catch (error) {
    const failure = ProviderFailure.in(error);
    if (failure !== undefined) throw failure;
    // Before there was an answer, there is nothing that a stranger could have caused.
    if (heard === undefined || !(error instanceof Error)) throw error;
    const { id_token: idToken, access_token: accessToken, error: code } = isRecord(heard.body) ? heard.body : {};
    const objection = error.cause instanceof Error ? error.cause.message : error.message;
    if (code !== undefined) return refuse('exchange-refused', 'an error that no registry knows', registeredError(code));
    if (typeof idToken === 'string') return { idToken, accessToken: undefined, objection };
    if (typeof accessToken === 'string') return refuse('id-token-missing', 'the token endpoint answered without one');
    return refuse('exchange-refused', objection);
  }
}

async function askUserInfo(
  configuration: Configuration,
  accessToken: string | undefined,
  subject: string,
): Promise<{ readonly userInfo: Claims } | SignInRefusal> {
  let userInfo: Claims;
  try {
    userInfo = await fetchUserInfo(configuration, accessToken ?? '', skipSubjectCheck);
  } catch (error) {
    const failure = ProviderFailure.in(error);
    if (failure !== undefined) throw failure;
    return refuse('userinfo-refused', error instanceof Error ? error.message : 'the library objects');
  }
  // OpenID Connect Core §5.3.2: else the access token was swapped for somebody else's.
  if (userInfo['sub'] !== subject) return refuse('userinfo-subject', 'UserInfo is about somebody else');
  return { userInfo };
}

/**
 * What was signed comes first. An address and the word that it was verified come from the same mouth, or a verified address
 * of one would vouch for an unverified one of the other.
 */
function merge(idToken: Claims, userInfo: Claims): Claims {
  const { email_verified: _, ...merged } = { ...userInfo, ...idToken };
  const hasAddress = idToken['email'] !== undefined;
  const agreed = hasAddress && idToken['email'] === userInfo['email'];
  const speaker = agreed ? { ...userInfo, ...idToken } : hasAddress ? idToken : userInfo;
  return 'email_verified' in speaker ? { ...merged, email_verified: speaker['email_verified'] } : merged;
}

function refuse(refused: SignInRefusalWord, detail: string, code?: RegisteredError): SignInRefusal {
  return code === undefined ? { refused, detail } : { refused, detail: code, code };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
