/**
 * The company as an OpenID Connect provider, on a library. It honours `prompt=login` and `max_age`, says when somebody signed
 * in (`auth_time`), insists on PKCE, ends a sign-in that an application asks it to end, and tells applications of sign-outs
 * at their back channel. What it keeps, keys included, is gone when the program ends. It refuses to know SAML.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { type JWK, Provider } from 'oidc-provider';
import { layOut, type Page } from '../shared/page.ts';
import { confirmSignOutPage, leftPage, refusedPage, type Company } from './pages.ts';
import type { People } from './people.ts';

export type Client = {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  readonly backchannelLogoutUri: string;
};

const SCOPE = 'openid profile email';
const PATIENCE_MS = 10_000;
export const SESSION_SECONDS = 8 * 3600;

export function createProvider(parts: {
  readonly company: Company;
  readonly people: People;
  readonly client: Client;
}): Provider {
  const { company, people, client } = parts;
  const provider = new Provider(company.url, {
    clients: [
      {
        client_id: client.id,
        client_name: client.name,
        client_secret: client.secret,
        redirect_uris: [client.redirectUri],
        post_logout_redirect_uris: [client.postLogoutRedirectUri],
        backchannel_logout_uri: client.backchannelLogoutUri,
        backchannel_logout_session_required: true,
        response_types: ['code'],
        grant_types: ['authorization_code'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [newSigningKey()] },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    findAccount(_ctx, sub) {
      const person = people.find(sub);
      if (!person) return undefined;
      const { username, name, email } = person;
      return {
        accountId: sub,
        claims: () => ({ sub, name, preferred_username: username, email, email_verified: true }),
      };
    },
    pkce: { required: () => true },
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      // Cookies ignore ports: other programs on this host have theirs.
      names: { session: 'company-session', interaction: 'company-interaction', resume: 'company-resume' },
    },
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    // The company has decided for its people: nobody is asked for consent.
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.account?.accountId ?? '',
      });
      grant.addOIDCScope(SCOPE);
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => answer(ctx, confirmSignOutPage(company, { markup: form })),
        postLogoutSuccessSource: (ctx) => answer(ctx, leftPage(company)),
      },
    },
    renderError: (ctx, { error, error_description: description }) =>
      answer(ctx, refusedPage(company, `${description ?? error}.`, ctx.status)),
    // The library's dispatcher refuses loopback addresses, which is where the applications of a demo live; and its patience
    // of 2.5 s is short for a machine that runs a whole demo.
    fetch: (url, options) =>
      fetch(url, Object.assign({}, options, { dispatcher: undefined, signal: AbortSignal.timeout(PATIENCE_MS) })),
    ttl: { AccessToken: 600, Grant: SESSION_SECONDS, IdToken: 600, Interaction: 600, Session: SESSION_SECONDS },
  });
  return provider;
}

function answer(ctx: Context, page: Page): void {
  const { text, headers } = layOut(page);
  ctx.set(headers);
  ctx.type = 'html';
  ctx.body = text;
}

function newSigningKey(): JWK {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(8).toString('base64url');
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } as JWK;
}
