/**
 * An upstream identity provider on loopback: a real `oidc-provider` with real sign-in pages and SSO cookies, people who can
 * use them, and a behaviour that a test may bend (upstream-behaviour.ts). It shares nothing with Curfew but the library.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Context } from 'koa';
import { type AdapterPayload, type ClientMetadata, Provider } from 'oidc-provider';

import { clientAdapter, mapAdapter } from './memory-adapter.ts';
import { answerWith, type Behaviour, createKeys, type Endpoint, endpointOf, type Keys } from './upstream-behaviour.ts';
import { createPerson, type UpstreamPerson } from './upstream-person.ts';

export type UpstreamAccount = {
  readonly sub: string;
  /** Default: `password of SUB`. */
  readonly password?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
};

export type UpstreamOptions = {
  /** The heading of its pages. */
  readonly name?: string;
  /** Cookies ignore ports: in a real browser give each party a name of its own under `.localhost`. */
  readonly hostname?: string;
  readonly accounts?: readonly UpstreamAccount[];
  readonly behaviour?: Behaviour;
  /** Where profile, e-mail and groups are told. Default `userinfo`, as the standard has it for the code flow. */
  readonly claimsIn?: 'userinfo' | 'id-token';
};

/** What a client was told of a sign-out, and what it answered; null where nobody listens. */
export type Told = { readonly clientId: string; readonly status: number | null; readonly token: string };

export type Upstream = Awaited<ReturnType<typeof startUpstream>>;

export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const SCOPE = 'openid profile email groups';
const ANCIENT_SECONDS = 365 * 24 * 3600;

export async function startUpstream({
  name = 'Upstream',
  hostname = '127.0.0.1',
  accounts = [],
  behaviour: initial = {},
  claimsIn = 'userinfo',
}: UpstreamOptions = {}) {
  let behaviour = initial;
  const people = new Map(accounts.map((account) => [account.sub, account]));
  const persons = new Map<string, UpstreamPerson>();
  const clients = new Map<string, ClientMetadata>();
  const rows = new Map<string, AdapterPayload>();
  const requests: string[] = [];
  const stopped = Promise.withResolvers<void>();
  const keys = await createKeys();
  const server = createServer();
  let port = 0;
  const listen = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  };
  await listen();
  const issuer = `http://${hostname}:${port}`;
  const provider = new Provider(issuer, {
    adapter: (model) => (model === 'Client' ? clientAdapter(clients) : mapAdapter(model, rows)),
    jwks: { keys: [keys.first] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['upstream'] },
    conformIdTokenClaims: claimsIn === 'userinfo',
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    findAccount: (_ctx, sub) =>
      people.has(sub) ? { accountId: sub, claims: () => ({ ...people.get(sub)?.claims, sub }) } : undefined,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          const button = '<button form="op.logoutForm" name="logout" value="yes">Sign out</button>';
          ctx.body = page(`Sign out of ${name}`, `${form}${button}`);
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = page(`Signed out of ${name}`, '');
        },
      },
    },
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    // Consent is not what this is for.
    loadExistingGrant: (ctx) => grantFor(ctx.oidc.client?.clientId ?? '', ctx.oidc.account?.accountId ?? ''),
    ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 3600, Session: ANCIENT_SECONDS },
  });
  // The library's own sender does not call loopback.
  Object.assign(provider.Client.prototype, {
    backchannelLogout(this: { clientId: string }, sub: string, sid: string) {
      return tell(this.clientId, { sub, sid });
    },
  });

  async function grantFor(clientId: string, accountId: string) {
    const grant = new provider.Grant({ clientId, accountId });
    grant.addOIDCScope(SCOPE);
    await grant.save();
    return grant;
  }

  provider.use(async (ctx, next) => {
    const endpoint = endpointOf(ctx.path);
    requests.push(ctx.path);
    const outage = endpoint === undefined ? undefined : behaviour.down?.[endpoint];
    if (outage === 'hangs') return stopped.promise;
    if (outage !== undefined) return answerWith(ctx, outage);
    if (ctx.path.startsWith('/sign-in/')) return signInPage(ctx);
    if (ctx.path === '/auth' && behaviour.freshness === 'ignored') {
      const query = new URLSearchParams(ctx.querystring);
      query.delete('prompt');
      query.set('max_age', String(ANCIENT_SECONDS));
      ctx.querystring = query.toString();
    }
    await next();
    await bend(ctx, endpoint);
  });

  async function bend(ctx: Context, endpoint: Endpoint | undefined): Promise<void> {
    const { callback, discovery = same, userInfo = same, token = same } = behaviour;
    if (ctx.path.startsWith('/auth') && isCallback(ctx) && callback !== undefined) {
      ctx.redirect(callback(new URL(ctx.response.get('location'))).href);
    }
    if (ctx.status !== 200) return;
    if (endpoint === 'jwks') ctx.body = keys.published();
    if (endpoint === 'discovery') ctx.body = discovery(ctx.body as Record<string, unknown>);
    if (endpoint === 'userinfo') ctx.body = userInfo(ctx.body as Record<string, unknown>);
    if (endpoint === 'token') {
      const answer = ctx.body as Record<string, unknown>;
      ctx.body = token({ ...answer, id_token: await resign(String(answer['id_token']), ctx, keys, behaviour) });
    }
  }

  function isCallback(ctx: Context): boolean {
    const location = ctx.response.get('location');
    return [...clients.values()].some(({ redirect_uris: uris }) => uris?.some((uri) => location.startsWith(`${uri}?`)));
  }

  async function signInPage(ctx: Context): Promise<void> {
    const fields =
      '<input name="login"><input name="password" type="password"><button>Sign in</button><button name="cancel" value="yes">Cancel</button>';
    if (ctx.method === 'GET') {
      await provider.interactionDetails(ctx.req, ctx.res);
      ctx.body = page(name, `<form method="post" action="${ctx.path}">${fields}</form>`);
      return;
    }
    const form = new URLSearchParams(await textOf(ctx.req));
    const sub = form.get('login') ?? '';
    if (form.has('cancel')) {
      const refusal = { error: 'access_denied', error_description: 'The person <b>changed</b> their mind' };
      return ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, refusal));
    }
    const account = people.get(sub);
    if (account === undefined || form.get('password') !== passwordOf(account)) {
      ctx.status = 403;
      ctx.body = page(`${name} does not know you`, '');
      return;
    }
    const login = { accountId: sub, acr: 'urn:example:password', amr: ['pwd'] };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login }));
  }

  const logoutClaims = (clientId: string, named: { sub?: string; sid?: string }): Record<string, unknown> => {
    const iat = Math.floor(Date.now() / 1000);
    return {
      iss: issuer,
      aud: clientId,
      iat,
      exp: iat + 120,
      jti: randomUUID(),
      events: { [LOGOUT_EVENT]: {} },
      ...named,
    };
  };
  const logoutToken = (clientId: string, named: { sub?: string; sid?: string }): Promise<string> =>
    keys.sign(logoutClaims(clientId, named), { typ: 'logout+jwt' });

  async function tell(clientId: string, named: { sub?: string; sid?: string }): Promise<Told | undefined> {
    const { backchannel_logout_uri: uri } = clients.get(clientId) ?? {};
    if (typeof uri !== 'string') return undefined;
    const token = await logoutToken(clientId, named);
    const told = fetch(uri, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
    const status = await told.then(
      (response) => response.status,
      () => null,
    );
    return { clientId, status, token };
  }

  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));

  return {
    issuer,
    /** Every path that was asked for, in order. */
    requests,
    /** Misbehaves so from now on; nothing of the former behaviour stays. */
    behave: (next: Behaviour) => void (behaviour = next),
    registerClient({ client_id: clientId, ...metadata }: ClientMetadata): { clientId: string; clientSecret: string } {
      const clientSecret = metadata.client_secret ?? `a secret of ${clientId} that is long enough to be one`;
      const isPublic = metadata.token_endpoint_auth_method === 'none';
      clients.set(clientId, {
        client_id: clientId,
        ...(!isPublic && { client_secret: clientSecret }),
        backchannel_logout_session_required: true,
        ...metadata,
      });
      return { clientId, clientSecret };
    },
    addAccount: (account: UpstreamAccount) => void people.set(account.sub, account),
    /** The same person each time, with the same browser. */
    person(sub: string): UpstreamPerson {
      const account = people.get(sub);
      if (account === undefined) throw new Error(`nobody is called ${sub} at ${name}`);
      const person = persons.get(sub) ?? createPerson(issuer, sub, passwordOf(account));
      persons.set(sub, person);
      return person;
    },
    /**
     * Ends every session of a person here, and tells every client that had a part in one: which session, whose, or both.
     * A token without `sid` means all of them.
     */
    async signOutEverywhere(sub: string, naming: 'sub' | 'sid' | 'both' = 'both'): Promise<readonly Told[]> {
      const told: Promise<Told | undefined>[] = [];
      for (const [key, session] of rows) {
        if (!key.startsWith('Session:') || session.accountId !== sub) continue;
        rows.delete(key);
        const authorizations = Object.entries((session['authorizations'] ?? {}) as Record<string, { sid?: string }>);
        for (const [clientId, { sid }] of authorizations) {
          const named = { ...(naming !== 'sid' && { sub }), ...(naming !== 'sub' && sid !== undefined && { sid }) };
          told.push(tell(clientId, named));
        }
      }
      return (await Promise.all(told)).filter((one) => one !== undefined);
    },
    /** A Logout Token as it should be; its claims, to bend them; and any claims at all under the genuine signature. */
    logoutToken,
    logoutClaims,
    sign: keys.sign,
    signAs: keys.signAs,
    publicJwk: keys.publicJwk,
    /** A new key signs from now on; its predecessors stay published unless told otherwise. */
    rotateKeys: keys.rotate,
    /** Nobody answers at the port any more, until `comeBack`. */
    async goDown() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    comeBack: listen,
    async stop() {
      stopped.resolve();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The ID Token, signed anew: with the key of the day, and as the behaviour has it. */
async function resign(idToken: string, ctx: Context, keys: Keys, behaviour: Behaviour): Promise<string> {
  const { idToken: bendClaims = same, idTokenHeader: bendHeader = same, signature = 'genuine' } = behaviour;
  const { typ } = decodeProtectedHeader(idToken);
  const header = bendHeader(typ === undefined ? {} : { typ });
  return keys.signAs(signature, bendClaims(decodeJwt(idToken)), header, ctx.oidc.client?.clientSecret ?? '');
}

const same = (claims: Record<string, unknown>): Record<string, unknown> => claims;
const passwordOf = ({ sub, password = `password of ${sub}` }: UpstreamAccount): string => password;
const page = (heading: string, content: string): string =>
  `<!doctype html><html lang="en"><title>${heading}</title><h1>${heading}</h1>${content}</html>`;

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
