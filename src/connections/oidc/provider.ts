/**
 * One upstream provider as the rest of this folder sees it: its metadata, its keys, and a configured library.
 *
 * Purpose: everything that is fetched from a provider is fetched here. Invariant: the issuer that discovery names is, byte
 * for byte, the one that was configured (OpenID Connect Discovery §4.3), and plain http is spoken with loopback alone. It
 * refuses to know what anybody is trying to do.
 */
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  type CustomFetch,
  discovery,
  None,
  type ServerMetadata,
} from 'openid-client';

import { specialRange, withoutBrackets } from '../../platform/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Outbound } from '../../platform/outbound-http.ts';
import { keep, type Kept } from './kept.ts';
import { readKeySet, type SigningKey } from './provider-keys.ts';
import { ProviderFailure } from './refusals.ts';
import type { OidcUpstream } from './upstream.ts';

export type Provider = {
  readonly upstream: OidcUpstream;
  readonly metadata: Kept<ServerMetadata>;
  readonly keys: Kept<readonly SigningKey[]>;
  /** The library, set up for this provider. Its own, so that `hear` hears the answers of one exchange alone. */
  configure(metadata: ServerMetadata, hear?: (answer: Response) => Promise<void>): Configuration;
};

export function createProvider({
  upstream,
  fetch,
  clock,
  timeoutSeconds,
}: {
  readonly upstream: OidcUpstream;
  readonly fetch: Outbound['fetch'];
  readonly clock: Clock;
  readonly timeoutSeconds: number;
}): Provider {
  const issuer = issuerUrl(upstream.issuer);
  // OpenID Connect Discovery §4.1.
  const document = new URL(`${upstream.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const insecurely = issuer.protocol === 'http:' ? [allowInsecureRequests] : [];

  const ask: CustomFetch = async (url, { method, headers, body }) => {
    const controller = new AbortController();
    const timer = clock.setTimer(timeoutSeconds * 1000, () => controller.abort());
    const { host } = new URL(url);
    try {
      const sent = typeof body === 'string' || body instanceof URLSearchParams ? body : null;
      const answer = await fetch(url, { method, headers, body: sent, signal: controller.signal });
      // "Not now" is not "no": what may pass by itself is told apart from what somebody must mend.
      if (answer.status < 500 && answer.status !== 429) return answer;
      throw new ProviderFailure('provider-unreachable', `${host} answered with status ${answer.status}`);
    } catch (error) {
      if (error instanceof ProviderFailure) throw error;
      const reason = controller.signal.aborted ? `no answer within ${timeoutSeconds} s` : reasonOf(error);
      throw new ProviderFailure('provider-unreachable', `${host}: ${reason}`, { cause: error });
    } finally {
      timer.cancel();
    }
  };

  const discover = async (): Promise<ServerMetadata> => {
    // Given the whole address, the library leaves the issuer to us: it would let some well-known hosts differ, and all by
    // a slash, while tokens are compared with what is configured.
    let status = 200;
    const metadata = await discovery(document, upstream.clientId, undefined, None(), {
      [customFetch]: async (url, options) => {
        const answer = await ask(url, options);
        ({ status } = answer);
        return answer;
      },
      execute: insecurely,
    })
      .then((configuration) => configuration.serverMetadata())
      .catch((error: unknown) => {
        const why = status === 200 ? said(error) : `answered with status ${status}`;
        throw (
          ProviderFailure.in(error) ??
          new ProviderFailure('provider-unusable', `${document.href}: ${why}`, { cause: error })
        );
      });
    if (metadata.issuer !== upstream.issuer) {
      throw new ProviderFailure(
        'provider-unusable',
        `discovery names another issuer, ${JSON.stringify(metadata.issuer.slice(0, 200))}: the two must be equal to the letter`,
      );
    }
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
      const url = metadata[name];
      const usable = typeof url === 'string' && URL.canParse(url) && speaks(new URL(url), insecurely.length > 0);
      if (!usable) throw new ProviderFailure('provider-unusable', `discovery has no usable ${name}`);
    }
    return metadata;
  };
  const metadata = keep({ load: discover, clock });

  const loadKeys = async (): Promise<readonly SigningKey[]> => {
    const { jwks_uri: url = '' } = await metadata.get();
    const answer = await ask(url, {
      method: 'GET',
      headers: { accept: 'application/jwk-set+json, application/json' },
      body: null,
      redirect: 'manual',
    });
    if (answer.status !== 200) {
      throw new ProviderFailure('provider-unusable', `jwks_uri answered with status ${answer.status}`);
    }
    const set: unknown = await answer.json().catch((cause: unknown) => {
      throw new ProviderFailure('provider-unusable', 'jwks_uri did not answer with JSON', { cause });
    });
    return readKeySet(set);
  };

  return {
    upstream,
    metadata,
    keys: keep({ load: loadKeys, clock }),
    configure(metadata, hear) {
      const configuration = new Configuration(
        metadata,
        upstream.clientId,
        undefined,
        authentication(upstream, metadata),
      );
      configuration[customFetch] = async (url, options) => {
        const answer = await ask(url, options);
        await hear?.(answer.clone());
        return answer;
      };
      for (const extension of insecurely) extension(configuration);
      return configuration;
    },
  };
}

/** The method the operator chose; else the standard's default (OpenID Connect Core §9), where the provider takes it. */
export function authenticationMethod(
  { clientSecret, tokenEndpointAuthMethod }: OidcUpstream,
  { token_endpoint_auth_methods_supported: supported }: ServerMetadata,
): NonNullable<OidcUpstream['tokenEndpointAuthMethod']> {
  if (tokenEndpointAuthMethod !== undefined) return tokenEndpointAuthMethod;
  if (clientSecret === undefined) return 'none';
  const basic = !Array.isArray(supported) || supported.includes('client_secret_basic');
  return basic || !supported.includes('client_secret_post') ? 'client_secret_basic' : 'client_secret_post';
}

function authentication(upstream: OidcUpstream, metadata: ServerMetadata): ClientAuth {
  const method = authenticationMethod(upstream, metadata);
  switch (method) {
    case 'none':
      return None();
    case 'client_secret_basic':
      return ClientSecretBasic(upstream.clientSecret);
    case 'client_secret_post':
      return ClientSecretPost(upstream.clientSecret);
  }
}

function issuerUrl(issuer: string): URL {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (url === undefined || url.search !== '' || url.hash !== '' || !speaks(url, isLoopback(url))) {
    throw new TypeError('an issuer is an https URL without query or fragment; http is for loopback alone');
  }
  return url;
}

const speaks = ({ protocol }: URL, insecurely: boolean): boolean =>
  protocol === 'https:' || (insecurely && protocol === 'http:');

function isLoopback({ hostname }: URL): boolean {
  // RFC 6761 §6.3: these names are loopback wherever they are resolved.
  return /^(.+\.)?localhost$/.test(hostname) || specialRange(withoutBrackets(hostname)) === 'loopback';
}

/** The message of the way out is made of our own words; that of anything else could quote what was sent. */
const reasonOf = (error: unknown): string =>
  error instanceof Error && error.name === 'OutboundFailed' ? error.message : 'the call failed';

const said = (error: unknown): string => (error instanceof Error ? error.message : 'discovery failed');
