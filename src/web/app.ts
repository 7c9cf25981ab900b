/**
 * HTTP in, HTML and protocol out: the order in which a request passes through the house.
 *
 * Invariant: every request has an id, a bound, security headers and a lineage before anything reads the store; every
 * failure becomes a page or a JSON error that says what to do next, and its private text stays in the log.
 */
import Router from '@koa/router';
import Koa, { type Context, type Middleware, type Next } from 'koa';

import { LANGUAGES } from '../languages/languages.ts';
import { noteEpochs, withLineage } from '../oidc/lineage.ts';
import { randomId } from '../platform/random.ts';
import { StoreUnavailable } from '../store/port.ts';
import { serveAssets } from './assets.ts';
import { createOwnCookies } from './cookies.ts';
import { createCsrf } from './csrf.ts';
import { explainStatus } from './error-pages.ts';
import { securityHeaders } from './headers.ts';
import { textsOf } from './language.ts';
import { serveProtocol } from './protocol.ts';
import { Refusal } from './refusal.ts';
import { accountRoutes } from './routes/account.ts';
import type { House, Rooms } from './routes/house.ts';
import { show } from './routes/house.ts';
import { emailRoutes } from './routes/email.ts';
import { emailRevertRoutes } from './routes/email-revert.ts';
import { federationRoutes } from './routes/federation.ts';
import { interactionRoutes } from './routes/interaction.ts';
import { languageRoutes } from './routes/language.ts';
import { notMeRoutes } from './routes/not-me.ts';
import { operationRoutes } from './routes/operations.ts';
import { registerRoutes } from './routes/register.ts';
import { resetRoutes } from './routes/reset.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { signOutRoutes } from './routes/sign-outs.ts';

/** The library reads no more than this of a body, and our own forms are smaller. */
const LARGEST_BODY_BYTES = 56 * 1024;
/** Where a SAML provider's messages arrive; their own reader bounds them closer. */
const SAML_ENDPOINTS = /^\/saml\/[^/]+\/(acs|slo)$/;
const LARGEST_SAML_BODY_BYTES = 420 * 1024;

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
  federationRoutes(house);
  signInRoutes(house);
  interactionRoutes(house);
  accountRoutes(house);
  signOutRoutes(house);
  resetRoutes(house);
  registerRoutes(house);
  languageRoutes(house);
  notMeRoutes(house);
  emailRoutes(house);
  emailRevertRoutes(house);

  const app = new Koa({ proxy: config.trustProxy > 0, maxIpsCount: config.trustProxy });
  // Interaction cookies are set through this app and read by the provider: one set of keys signs both.
  app.keys = provider.current().keys ?? [];
  pinToIssuer(app, config.issuer);
  app.silent = true;
  app.on('error', (err: unknown) => rooms.log.warn({ err }, 'http.connection-failed'));

  app.use(observe(rooms));
  app.use(turnFailuresIntoAnswers(house));
  app.use(securityHeaders({ secure, connections: config.connections.length > 0 }));
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
  for (const middleware of serveProtocol(house)) app.use(middleware);
  return app;
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
    const most = SAML_ENDPOINTS.test(ctx.path) ? LARGEST_SAML_BODY_BYTES : LARGEST_BODY_BYTES;
    if (Number(ctx.get('content-length')) > most) throw new Refusal(413);
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
      if (MACHINES.test(ctx.path) || ctx.accepts('html', 'json') === 'json') {
        // For whoever writes the program: `error_description` has no letters but ASCII (RFC 6749 §5.2).
        const explained = explainStatus(status, LANGUAGES.en.texts);
        ctx.body = { error: errorWord(status), error_description: `${explained.message} ${explained.next}` };
        return;
      }
      const explained = explainStatus(status, textsOf(ctx));
      await show(house, ctx, 'error', { ...explained, requestId: String(ctx.state['requestId']) });
    }
  };
}

/** Endpoints that only programs call: their errors are JSON whatever is accepted (RFC 6749 §5.2). */
const MACHINES =
  /^\/(federation\/[^/]+\/backchannel-logout|token|me|reg|request|jwks|device\/auth|\.well-known|healthz|readyz|metrics)(\/|$)/;

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
