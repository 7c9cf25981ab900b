/**
 * A stand-in for an issuer, just enough of one for the example apps: it signs everybody in as the same person without
 * asking, approves device codes by a call, and can be told to hold, refuse or forget. It shares nothing with Curfew
 * but the library, so what passes here passes against any OpenID Connect provider.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from 'koa';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload, type JWTHeaderParameters } from 'jose';
import { Provider, type Adapter, type AdapterPayload, type ClientMetadata } from 'oidc-provider';

export const PERSON = { sub: 'person-1', name: 'Ada <Admin>' };
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

const SIGNING_KEY = { alg: 'ES256', kid: 'stand-in' };
const SCOPE = 'openid profile email offline_access';
const ENDABLE = ['Session', 'Grant', 'AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode'];

/** `refreshToken` is known once the request was answered. */
type TokenRequest = { at: number; refreshToken: string | undefined };
export type StandIn = Awaited<ReturnType<typeof startStandIn>>;

export async function startStandIn() {
  const { privateKey } = await generateKeyPair(SIGNING_KEY.alg, { extractable: true });
  const { server, port } = await listen(0);
  let listening: Server = server;
  const issuer = `http://localhost:${port}`;
  const rows = new Map<string, AdapterPayload>();
  const clients = new Map<string, ClientMetadata>();
  const tokenRequests: TokenRequest[] = [];
  const refusals: string[] = [];
  const hints: unknown[] = [];
  let gate: Promise<void> | undefined;
  let keysServed = true;

  const provider = new Provider(issuer, {
    adapter: (model) => (model === 'Client' ? clientAdapter(clients) : mapAdapter(model, rows)),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), ...SIGNING_KEY, use: 'sig' }] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['stand-in'] },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ ...PERSON, sub }) }),
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = form;
        },
      },
    },
    // Consent is not what these tests are about.
    loadExistingGrant: async (ctx) => grantFor(ctx.oidc.client?.clientId ?? '', ctx.oidc.account?.accountId ?? ''),
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    rotateRefreshToken: true,
    ttl: Object.fromEntries([...ENDABLE, 'IdToken', 'Interaction'].map((model) => [model, 3_600])),
  });

  async function grantFor(clientId: string, accountId: string) {
    const grant = new provider.Grant({ clientId, accountId });
    grant.addOIDCScope(SCOPE);
    await grant.save();
    return grant;
  }

  provider.use(async (ctx, next) => {
    if (ctx.path.startsWith('/interaction/')) {
      const login = { accountId: PERSON.sub };
      return ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login }));
    }
    if (ctx.path === '/jwks' && !keysServed) {
      ctx.status = 500;
      return;
    }
    if (ctx.path === '/token') return answerTokenRequest(ctx, next);
    await next();
    // Polling as fast as a test wants it; the library leaves the default of five seconds.
    if (ctx.path === '/device/auth' && ctx.status === 200) Object.assign(ctx.body as object, { interval: 0.1 });
    if (ctx.path === '/device/auth')
      hints.push((ctx.oidc as { body?: { id_token_hint?: unknown } }).body?.id_token_hint);
  });

  async function answerTokenRequest(ctx: Context, next: () => Promise<unknown>) {
    const request: TokenRequest = { at: performance.now(), refreshToken: undefined };
    tokenRequests.push(request);
    await gate;
    const error = refusals.shift();
    if (error) {
      ctx.status = 400;
      ctx.body = { error };
      return;
    }
    await next();
    const refreshToken: unknown = ctx.oidc?.params?.refresh_token;
    if (typeof refreshToken === 'string') request.refreshToken = refreshToken;
  }

  const answer = provider.callback();
  const onRequest: RequestListener = (incoming, response) => void answer(incoming, response);
  listening.on('request', onRequest);

  async function deviceCode(userCode: string) {
    const code = await provider.DeviceCode.findByUserCode(userCode.replaceAll('-', ''));
    if (!code) throw new Error('no such user code');
    return code;
  }

  return {
    issuer,
    tokenRequests,
    /** What each request for a device code said of who it was. */
    hints,
    register: (client: ClientMetadata) => clients.set(client.client_id, client),

    async approve(userCode: string) {
      const code = await deviceCode(userCode);
      const grant = await grantFor(code.clientId ?? '', PERSON.sub);
      Object.assign(code, {
        accountId: PERSON.sub,
        grantId: grant.jti,
        scope: SCOPE,
        authTime: Math.floor(Date.now() / 1000),
      });
      await code.save();
    },

    async deny(userCode: string) {
      await Object.assign(await deviceCode(userCode), { error: 'access_denied' }).save();
    },

    /** Everything that was ever issued stops working. */
    endAccess() {
      for (const key of rows.keys()) if (ENDABLE.some((model) => key.startsWith(`${model}:`))) rows.delete(key);
    },

    /** The next token request is answered with this error. */
    refuseNext: (error: string) => refusals.push(error),

    /** Token requests wait until the returned function is called. */
    holdTokens(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },

    serveKeys: (served: boolean) => (keysServed = served),

    /** A logout token as the library itself makes it. */
    async logoutToken(clientId: string, { sub, sid }: { sub?: string; sid?: string }): Promise<string> {
      const client = await provider.Client.find(clientId);
      if (!client) throw new Error('no such client');
      const claims = { jti: crypto.randomUUID(), events: { [LOGOUT_EVENT]: {} }, ...(sid && { sid }) };
      const token = new provider.IdToken({ ...(sub && { sub }) }, { client, ctx: undefined });
      // Without a mask the library leaves out every claim that the client did not ask for, the subject included.
      Object.assign(token, { mask: { sub: null } });
      for (const [name, value] of Object.entries(claims)) token.set(name, value);
      return token.issue({ use: 'logout' });
    },

    /** Any claims at all, under the issuer's genuine signature. */
    sign: (claims: JWTPayload, header: Partial<JWTHeaderParameters> = {}) =>
      new SignJWT(claims).setProtectedHeader({ ...SIGNING_KEY, typ: 'logout+jwt', ...header }).sign(privateKey),

    async goDown() {
      const closed = new Promise((resolve) => listening.close(resolve));
      listening.closeAllConnections();
      await closed;
    },

    async comeBack() {
      listening = (await listen(port)).server;
      listening.on('request', onRequest);
    },
  };
}

async function listen(port: number) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

function clientAdapter(clients: Map<string, ClientMetadata>): Adapter {
  return { ...mapAdapter('Client', new Map()), find: async (id) => clients.get(id) as AdapterPayload | undefined };
}

function mapAdapter(model: string, rows: Map<string, AdapterPayload>): Adapter {
  const key = (id: string) => `${model}:${id}`;
  const findBy = (matches: (payload: AdapterPayload) => boolean) =>
    [...rows].find(([name, payload]) => name.startsWith(`${model}:`) && matches(payload))?.[1];
  return {
    upsert: async (id, payload) => void rows.set(key(id), payload),
    find: async (id) => rows.get(key(id)),
    findByUserCode: async (userCode) => findBy((payload) => payload.userCode === userCode),
    findByUid: async (uid) => findBy((payload) => payload.uid === uid),
    destroy: async (id) => void rows.delete(key(id)),
    consume: async (id) => void Object.assign(rows.get(key(id)) ?? {}, { consumed: Math.floor(Date.now() / 1000) }),
    revokeByGrantId: async (grantId) => {
      for (const [name, payload] of rows) {
        if (name.startsWith(`${model}:`) && payload.grantId === grantId) rows.delete(name);
      }
    },
  };
}
