/**
 * The protocol endpoints as Curfew serves them: the provider, and around it what it does not do by itself. Guesses at
 * device codes are bounded, worthless hints dropped, devices that come back put before their owner, JWT access tokens
 * introspected by epoch, and what a token request is answered is checked against the epochs once more before it leaves.
 */
import type { Context, Middleware, Next } from 'koa';
import compose from 'koa-compose';

import { unavailable } from '../oidc/artifact-adapter.ts';
import { addressOf } from '../oidc/device.ts';
import { isOwnIdToken } from '../oidc/id-token-hint.ts';
import { seenEpochs } from '../oidc/lineage.ts';
import type { Returning } from '../oidc/returning-devices.ts';
import { introspectSelfContained } from '../oidc/self-contained.ts';
import { addSeconds } from '../platform/clock.ts';
import { StoreUnavailable } from '../store/port.ts';
import { Refusal } from './refusal.ts';
import type { House, Rooms } from './routes/house.ts';
import { signOutUpstreamToo } from './sign-out-upstream.ts';

/** As the library's router finds it: in any case, with or without a slash after it. */
const LOGOUT = /^\/session\/end\/?$/i;
const DEVICE_PAGE = /^\/device\/?$/i;
/** Guesses at device codes, everybody's together, per minute (RFC 8628 §5.1). */
const DEVICE_CODES_PER_MINUTE = 600;

/** In the order in which a request passes them; the provider itself is the last. */
export function serveProtocol(house: House): readonly Middleware[] {
  const rooms: Rooms = house;
  return [
    boundDeviceCodes(rooms),
    prefillDeviceCode,
    dropWorthlessHint(rooms),
    listReturningDevices(rooms),
    answerForSelfContained(rooms),
    checkTokenAnswerAgain(rooms),
    hideKeptSecrets,
    passOnStoreFaults,
    signOutUpstreamToo(house),
    provide(rooms.provider),
  ];
}

/** The provider that serves now. Its middleware is composed once, and again when a rotation of keys has replaced it. */
function provide({ current }: Rooms['provider']): Middleware {
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

/** A device that was recognised by its hint (oidc/overrides.ts) waits on its owner's page as well. */
function listReturningDevices({ returning, clock }: Rooms): Middleware {
  return async (ctx: ProviderContext, next) => {
    await next();
    const was = ctx.state['returning'] as Returning | undefined;
    if (was === undefined || ctx.oidc?.route !== 'device_authorization' || ctx.status !== 200) return;
    const { user_code: userCode, expires_in: seconds } = ctx.body as { user_code: string; expires_in: number };
    const clientId = String((ctx.oidc.client as { clientId?: string } | undefined)?.clientId);
    await returning.list(was, { clientId, userCode, expiresAt: addSeconds(clock.now(), seconds) });
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
