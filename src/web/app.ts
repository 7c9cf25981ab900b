/**
 * HTTP in, HTML and protocol out: the order in which a request passes through the house.
 *
 * Invariant: every request has an id, a bound, security headers and a lineage before anything reads the store; every
 * failure becomes a page or a JSON error that says what to do next, and its private text stays in the log. What a token
 * request is answered is checked against the epochs once more before it leaves.
 */
import Router from '@koa/router';
import Koa, { type Context, type Middleware, type Next } from 'koa';
import compose from 'koa-compose';

import { unavailable } from '../oidc/artifact-adapter.ts';
import { addressOf } from '../oidc/device.ts';
import { noteEpochs, seenEpochs, withLineage } from '../oidc/lineage.ts';
import { isOwnIdToken } from '../oidc/id-token-hint.ts';
import { introspectSelfContained } from '../oidc/self-contained.ts';
import { randomId } from '../platform/random.ts';
import { StoreUnavailable } from '../store/port.ts';
import { serveAssets } from './assets.ts';
import { createOwnCookies } from './cookies.ts';
import { createCsrf } from './csrf.ts';
import { explainStatus } from './error-pages.ts';
import { securityHeaders } from './headers.ts';
import { Refusal } from './refusal.ts';
import { accountRoutes } from './routes/account.ts';
import type { House, Rooms } from './routes/house.ts';
import { show } from './routes/house.ts';
import { interactionRoutes } from './routes/interaction.ts';
import { operationRoutes } from './routes/operations.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { signOutRoutes } from './routes/sign-outs.ts';

/** The library reads no more than this of a body, and our own forms are smaller. */
const LARGEST_BODY_BYTES = 56 * 1024;
/** As the library's router finds it: in any case, with or without a slash after it. */
const LOGOUT = /^\/session\/end\/?$/i;
const DEVICE_PAGE = /^\/device\/?$/i;
/** Guesses at device codes, everybody's together, per minute (RFC 8628 §5.1). */
const DEVICE_CODES_PER_MINUTE = 600;

export function createApp(rooms: Rooms): Koa {
  const { config, keyring, clock, provider } = rooms;
  const secure = config.issuer.startsWith('https:');
  const house: House = {
    ...rooms,
    router: new Router(),
    csrf: createCsrf({ keyring, issuer: config.issuer }),
    cookies: createOwnCookies({ keyring, clock, secure }),
  };
  const operations = new Router();
  operationRoutes({ ...house, router: operations });
  signInRoutes(house);
  interactionRoutes(house);
  accountRoutes(house);
  signOutRoutes(house);

  const app = new Koa({ proxy: config.trustProxy > 0, maxIpsCount: config.trustProxy });
  // Interaction cookies are set through this app and read by the provider: one set of keys signs both.
  app.keys = provider.current().keys ?? [];
  pinToIssuer(app, config.issuer);
  app.silent = true;
  app.on('error', (err: unknown) => rooms.log.warn({ err }, 'http.connection-failed'));

  app.use(observe(rooms));
  app.use(turnFailuresIntoAnswers(house));
  app.use(securityHeaders({ secure }));
  app.use(boundBodies);
  app.use(serveAssets());
  app.use(operations.routes());
  app.use((_ctx, next) => withLineage(next));
  app.use(noteEveryone(rooms));
  app.use(house.router.routes());
  app.use(
    house.router.allowedMethods({
      throw: true,
      notImplemented: () => new Refusal(405),
      methodNotAllowed: () => new Refusal(405),
    }),
  );
  app.use(boundDeviceCodes(rooms));
  app.use(prefillDeviceCode);
  app.use(dropWorthlessHint(rooms));
  app.use(answerForSelfContained(rooms));
  app.use(checkTokenAnswerAgain(rooms));
  app.use(hideKeptSecrets);
  app.use(passOnStoreFaults);
  app.use(serveProtocol(provider));
  return app;
}

/** The provider that serves now. Its middleware is composed once, and again when a rotation of keys has replaced it. */
function serveProtocol({ current }: Rooms['provider']): Middleware {
  let serving = current();
  let serve = compose(serving.middleware as Middleware[]);
  return (ctx, next) => {
    if (serving !== current()) {
      serving = current();
      serve = compose(serving.middleware as Middleware[]);
    }
    return serve(ctx, next);
  };
}

/** Addresses and cookies follow the configured issuer, whatever Host or Forwarded headers say. */
function pinToIssuer(app: Koa, issuer: string): void {
  const { protocol, host } = new URL(issuer);
  Object.defineProperties(app.request, {
    protocol: { get: () => protocol.slice(0, -1) },
    host: { get: () => host },
    // A request target may be a whole URL, and Koa would believe it (RFC 9112 §3.2.2).
    href: {
      get(this: Koa.Request) {
        return `${issuer}${this.path}${this.search}`;
      },
    },
  });
}

function observe({ metrics, clock, log }: Rooms): Middleware {
  return async (ctx, next) => {
    const started = clock.now().getTime();
    ctx.state['requestId'] = randomId();
    ctx.set('X-Request-Id', String(ctx.state['requestId']));
    try {
      await next();
    } finally {
      // The pattern, not the path: a path may hold what only this browser should know.
      const route = String(ctx['_matchedRoute'] ?? ctx['_matchedRouteName'] ?? (ctx.status === 404 ? 'none' : 'other'));
      const seconds = (clock.now().getTime() - started) / 1000;
      metrics.request(route, ctx.method, ctx.status, seconds);
      log.debug(
        { requestId: ctx.state['requestId'], route, method: ctx.method, status: ctx.status, seconds },
        'http.answered',
      );
    }
  };
}

/** A body larger than anything read here is refused before it is read, or once too much of it has come, and not drained. */
async function boundBodies(ctx: Context, next: Next): Promise<void> {
  try {
    if (Number(ctx.get('content-length')) > LARGEST_BODY_BYTES) throw new Refusal(413);
    await next();
    // The library stops reading for one reason only, and calls that a bad request.
    if (ctx.status === 400 && ctx.req.readableDidRead && !ctx.req.complete) throw new Refusal(413);
  } finally {
    if (!ctx.req.complete) ctx.set('Connection', 'close');
  }
}

function turnFailuresIntoAnswers(house: House): Middleware {
  return async (ctx: Context, next: Next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null) throw new Refusal(404);
    } catch (fault) {
      const status = statusOf(fault);
      if (status >= 500) {
        house.log.error({ err: fault, requestId: ctx.state['requestId'], method: ctx.method }, 'http.failed');
      }
      if (fault instanceof Refusal && fault.retryAfterSeconds !== undefined) {
        ctx.set('Retry-After', String(fault.retryAfterSeconds));
      } else if (status === 503) ctx.set('Retry-After', '1');
      ctx.status = status;
      const explained = explainStatus(status);
      if (MACHINES.test(ctx.path) || ctx.accepts('html', 'json') === 'json') {
        ctx.body = { error: errorWord(status), error_description: `${explained.message} ${explained.next}` };
        return;
      }
      await show(house, ctx, 'error', { ...explained, requestId: String(ctx.state['requestId']) });
    }
  };
}

/** Endpoints that only programs call: their errors are JSON whatever is accepted (RFC 6749 §5.2). */
const MACHINES = /^\/(token|me|reg|request|jwks|device\/auth|\.well-known|healthz|readyz|metrics)(\/|$)/;

function statusOf(fault: unknown): number {
  if (fault instanceof StoreUnavailable) return 503;
  if (fault instanceof Refusal) return fault.status;
  const status = fault instanceof Error && 'status' in fault ? Number(fault.status) : 500;
  return status >= 400 && status < 600 ? status : 500;
}

function errorWord(status: number): string {
  if (status === 503) return 'temporarily_unavailable';
  if (status >= 500) return 'server_error';
  return status === 404 ? 'not_found' : status === 429 ? 'slow_down' : 'invalid_request';
}

/** Everything that is made is stamped with everyone's epoch: it is read first, before anything else is looked at. */
function noteEveryone({ store }: Rooms): Middleware {
  return async (_ctx, next) => {
    noteEpochs(await store.revocations.epochs(['everyone']));
    await next();
  };
}

/** Guessing device codes is bounded for each address, and for everybody together. */
function boundDeviceCodes({ store, throttle, clock, keyring }: Rooms): Middleware {
  return async (ctx, next) => {
    if (ctx.method !== 'POST' || !DEVICE_PAGE.test(ctx.path)) return next();
    const refused = await throttle.countAddress(addressOf(ctx));
    if (refused !== null) throw new Refusal(429, { retryAfterSeconds: refused.retryAfterSeconds });
    const minute = Math.floor(clock.now().getTime() / 60_000) * 60_000;
    const attempts = await store.accounts.countAttempt({
      key: keyring.blindIndex('throttle.device-codes', 'everybody'),
      windowStart: new Date(minute),
      expiresAt: new Date(minute + 60_000),
    });
    if (attempts > DEVICE_CODES_PER_MINUTE) throw new Refusal(429, { retryAfterSeconds: 60 });
    await next();
  };
}

/**
 * A link with the code in it fills in the form and no more: the library would submit it by script, and the person is to
 * see the code, the app and the place before saying yes (RFC 8628 §5.4).
 */
async function prefillDeviceCode(ctx: Context, next: Next): Promise<void> {
  const userCode = ctx.query['user_code'];
  if (ctx.method !== 'POST' && DEVICE_PAGE.test(ctx.path) && userCode !== undefined) {
    if (typeof userCode !== 'string') throw new Refusal(400);
    ctx.state['userCode'] = userCode.slice(0, 32);
    ctx.query = {};
  }
  await next();
}

/** A hint that is not ours is no hint: the person is asked, and nothing in it is believed (the library answers 400). */
function dropWorthlessHint({ provider, config }: Rooms): Middleware {
  return async (ctx, next) => {
    const { id_token_hint: hint, ...others } = ctx.query;
    if (ctx.method === 'GET' && LOGOUT.test(ctx.path) && typeof hint === 'string') {
      const own = await isOwnIdToken(hint, { jwks: provider.jwks(), issuer: config.issuer });
      if (!own) ctx.query = others;
    }
    await next();
  };
}

type ProviderContext = Context & { oidc?: { route?: string; client?: object; params?: Record<string, unknown> } };

/** JWT access tokens are introspected here: the library knows only what it has stored (RFC 7662 §2). */
function answerForSelfContained({ provider, store, clock }: Rooms): Middleware {
  return async (ctx: ProviderContext, next) => {
    await next();
    const { oidc } = ctx;
    const body = ctx.body as { error?: string } | null;
    if (oidc?.route !== 'introspection' || body?.error !== 'unsupported_token_type' || oidc.client === undefined)
      return;
    ctx.status = 200;
    ctx.body = await introspectSelfContained(ctx as never, String(oidc.params?.['token']), {
      provider: provider.current(),
      jwks: provider.jwks(),
      revocations: store.revocations,
      clock,
    });
  };
}

/**
 * The last look before a token answer leaves: a Sign-out that came while it was being made turns it into a refusal. What
 * was stored is dead already; this is for what verifies itself.
 */
function checkTokenAnswerAgain({ store }: Rooms): Middleware {
  return async (ctx: ProviderContext, next) => {
    await next();
    if (ctx.oidc?.route !== 'token' || ctx.status !== 200) return;
    let moved: boolean;
    try {
      moved = await store.revocations.movedBySignOut(seenEpochs());
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable)) throw fault;
      const { error, error_description } = unavailable(fault);
      ctx.status = 503;
      ctx.body = { error, error_description };
      return;
    }
    if (!moved) return;
    ctx.status = 400;
    ctx.body = { error: 'invalid_grant', error_description: 'access was ended by a sign-out' };
  };
}

/** A store that failed under one of the library's hooks is 503 like any other (CVE-2020-15223). */
async function passOnStoreFaults(ctx: Context, next: Next): Promise<void> {
  await next();
  if (ctx.state['storeFault'] !== undefined) throw ctx.state['storeFault'];
}

/** A registered Client that reads its record is not shown the digest that is kept in place of its secret. */
async function hideKeptSecrets(ctx: ProviderContext, next: Next): Promise<void> {
  await next();
  if (
    ctx.oidc?.route === 'client' &&
    typeof ctx.body === 'object' &&
    ctx.body !== null &&
    'client_secret' in ctx.body
  ) {
    const { client_secret: _secret, ...shown } = ctx.body as Record<string, unknown>;
    ctx.body = shown;
  }
}
