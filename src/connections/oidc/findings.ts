/**
 * What can be found out about a provider before anybody signs in through it, for the operator.
 *
 * Invariant: nothing here asks a person, spends a code, or proves that a provider keeps its word: whether it heeds a demand
 * for a fresh sign-in shows at the first one, where it is verified. It refuses to know how findings are shown.
 */
import type { ServerMetadata } from 'openid-client';

import { REACH } from '../protocol.ts';
import { authenticationMethod, type Provider } from './provider.ts';
import { ProviderFailure } from './refusals.ts';
import { SIGNING_ALGORITHMS } from './signed-token.ts';

export type Finding = {
  readonly about:
    | 'discovery'
    | 'signing-keys'
    | 'signing-algorithm'
    | 'code-flow'
    | 'pkce'
    | 'client-authentication'
    | 'scopes'
    | 'issuer-parameter'
    | 'fresh-sign-in'
    | 'user-info'
    | 'end-session'
    | 'back-channel-logout';
  /** `problem`: nobody can sign in. `notice`: something the operator should know. */
  readonly level: 'good' | 'notice' | 'problem';
  readonly says: string;
  /** With every problem: what to do about it. */
  readonly fix?: string;
};

export async function examine(provider: Provider): Promise<readonly Finding[]> {
  let metadata: ServerMetadata;
  try {
    metadata = await provider.metadata.get();
  } catch (error) {
    return [failed('discovery', error)];
  }
  return [
    { about: 'discovery', level: 'good', says: 'Discovery answers, and names this issuer.' },
    await examineKeys(provider),
    ...examineSignIn(provider, metadata),
    ...examineSignOut(metadata),
  ];
}

async function examineKeys({ keys }: Provider): Promise<Finding> {
  try {
    const count = (await keys.get()).length;
    return count > 0
      ? { about: 'signing-keys', level: 'good', says: `Signing keys answer; ${count} can be used.` }
      : bad('signing-keys', 'Of the published keys, none can verify a signature.', ASK);
  } catch (error) {
    return failed('signing-keys', error);
  }
}

function examineSignIn({ upstream }: Provider, metadata: ServerMetadata): readonly Finding[] {
  const says = createSayer(metadata);
  const method = authenticationMethod(upstream, metadata);
  const asked = ['openid', ...(upstream.scopes ?? ['profile', 'email'])];
  const unknown = asked.filter((scope) => says('scopes_supported', [scope]) === false);
  return [
    says('id_token_signing_alg_values_supported', SIGNING_ALGORITHMS) === false
      ? bad(
          'signing-algorithm',
          'ID Tokens are signed with none of the algorithms that are accepted.',
          `have it sign with one of ${SIGNING_ALGORITHMS.join(', ')}`,
        )
      : good('signing-algorithm', 'ID Tokens are signed with an algorithm that is accepted.'),
    says('response_types_supported', ['code']) === false || says('response_modes_supported', ['query']) === false
      ? bad(
          'code-flow',
          'It does not say that it answers with a code in the query.',
          'have it allow the authorization code flow for this client',
        )
      : good('code-flow', 'It answers with a code in the query.'),
    says('code_challenge_methods_supported', ['S256']) === true
      ? good('pkce', 'It supports PKCE with S256.')
      : note(
          'pkce',
          'It does not say that it supports PKCE with S256. It is sent all the same; nonces bind the answer.',
        ),
    says('token_endpoint_auth_methods_supported', [method]) === false
      ? bad(
          'client-authentication',
          `It does not accept ${method} at its token endpoint.`,
          method === 'none' ? 'name the secret it gave out in clientSecretFile' : `have it accept ${method}`,
        )
      : good(
          'client-authentication',
          `Curfew authenticates with ${method}. ${method === 'none' ? 'The redirect address is' : 'The secret and the redirect address are'} first tried at a sign-in.`,
        ),
    unknown.length > 0
      ? note('scopes', `It does not list ${unknown.join(', ')} among its scopes.`)
      : good('scopes', `Curfew asks for ${[...new Set(asked)].join(', ')}.`),
    metadata.authorization_response_iss_parameter_supported === true
      ? good('issuer-parameter', 'It names itself in its answers (RFC 9207), and is held to it.')
      : note(
          'issuer-parameter',
          'It does not name itself in its answers; each attempt is bound to its connection anyway.',
        ),
    examineFreshness(metadata),
    metadata.userinfo_endpoint === undefined
      ? note('user-info', 'It has no UserInfo: what is not in the ID Token is not known.')
      : good('user-info', upstream.userInfo === false ? 'UserInfo is there, and is not asked.' : 'UserInfo is asked.'),
  ];
}

function examineFreshness(metadata: ServerMetadata): Finding {
  const says = createSayer(metadata);
  if (says('prompt_values_supported', ['login']) === false) {
    return note(
      'fresh-sign-in',
      'It does not list prompt=login. After a sign-out its people may find that they cannot come back.',
    );
  }
  return says('claims_supported', ['auth_time']) === true
    ? good('fresh-sign-in', 'It knows auth_time. Whether it asks people again on demand is verified at each sign-in.')
    : note(
        'fresh-sign-in',
        'It does not list auth_time. Unless it sends it, nobody can come back through it after a sign-out.',
      );
}

function examineSignOut(metadata: ServerMetadata): readonly Finding[] {
  const { backchannel_logout_supported: tells, backchannel_logout_session_supported: tellsWhich } = metadata;
  return [
    metadata.end_session_endpoint === undefined
      ? note('end-session', 'It has no end_session_endpoint: signing out of Curfew leaves its own session open.')
      : good('end-session', 'People can be led to sign out of it.'),
    tells !== true
      ? note('back-channel-logout', 'It does not announce sign-outs: one that happens there is not heard of here.')
      : good('back-channel-logout', `It announces sign-outs${tellsWhich === true ? ', session by session' : ''}.`),
  ];
}

/** Whether a list of the metadata has one of some values; undefined where there is no such list. */
function createSayer(metadata: ServerMetadata) {
  return (list: string, values: readonly string[]): boolean | undefined => {
    const said = metadata[list];
    return Array.isArray(said) ? values.some((value) => said.includes(value)) : undefined;
  };
}

function failed(about: Finding['about'], error: unknown): Finding {
  if (!(error instanceof ProviderFailure)) throw error;
  if (error.refused === 'provider-unreachable') return bad(about, `It cannot be reached: ${error.message}.`, REACH);
  const issuer = 'see that issuer is to the letter what the provider calls itself, without /.well-known/…';
  return bad(about, `It cannot be used: ${error.message}.`, about === 'discovery' ? issuer : ASK);
}

const good = (about: Finding['about'], says: string): Finding => ({ about, level: 'good', says });
const note = (about: Finding['about'], says: string): Finding => ({ about, level: 'notice', says });
const bad = (about: Finding['about'], says: string, fix: string): Finding => ({ about, level: 'problem', says, fix });
const ASK = 'ask whoever runs the provider';
