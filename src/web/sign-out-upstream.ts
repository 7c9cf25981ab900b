/**
 * Signing out of the provider as well: the offer on our own pages, and the way there and back when an app asked for the
 * sign-out.
 *
 * Invariant: access here has ended before a provider is asked anything. Where the browser goes on to afterwards is what the
 * library found registered for the app; it is kept here, and the browser holds nothing but its name. It refuses to know how
 * a provider is asked.
 */
import type { Context, Middleware } from 'koa';

import type { UpstreamOf } from '../connections/vouched.ts';
import type { CurfewSession, ProviderContext } from '../oidc/provider-parts.ts';
import { chooseLocale } from '../languages/choose.ts';
import { textsOf } from './language.ts';
import { type House, seeOther, show } from './routes/house.ts';
import type { SignedOutView } from './views.ts';

/** Where the offer's form is posted to. */
export const SIGN_OUT_UPSTREAM = '/sign-out/upstream';
/** The answer of the button that means both (views/sign-out-confirm.ejs); to the library any answer is a yes. */
const BOTH = 'both';
const SUCCESS = /^\/session\/end\/success\/?$/i;

type Offer = Pick<SignedOutView, 'csrf' | 'upstream'>;

/** What this browser had come through before the last sign-out in it. */
export async function upstreamLeft({ cookies, connections }: House, ctx: Context): Promise<UpstreamOf | null> {
  const bearer = cookies.upstreamOf(ctx);
  return bearer === undefined ? null : connections.sessions.findForSignOut(bearer);
}

export async function upstreamOffer(house: House, ctx: Context): Promise<Offer> {
  const upstream = await upstreamLeft(house, ctx);
  const settings = upstream === null ? null : house.connections.settingsOf(upstream.connectionId);
  return {
    csrf: house.csrf.token(ctx),
    upstream: settings === null ? undefined : { name: settings.name, action: SIGN_OUT_UPSTREAM },
  };
}

/** The same, where the library renders the page. */
export function upstreamOfferedIn({ state }: Pick<ProviderContext, 'state'>): Offer {
  return (state['upstreamOffer'] as Offer | undefined) ?? {};
}

/** Where this browser was going when it was sent to a provider to sign out; null when nowhere, or it was led there before. */
export async function takeReturn({ cookies, connections }: House, ctx: Context): Promise<string | null> {
  const bearer = cookies.returnOf(ctx);
  if (bearer === undefined) return null;
  cookies.forgetReturn(ctx);
  return connections.sessions.takeReturn(bearer);
}

type Answered = Context & {
  oidc?: {
    route?: string;
    params?: Record<string, unknown>;
    body?: Record<string, unknown> | undefined;
    session?: Partial<CurfewSession>;
    client?: Client;
  };
};
type Client = { readonly clientName?: string; readonly clientId: string };

/** Around the library's logout endpoints, for a browser that came through a provider. */
export function signOutUpstreamToo(house: House): Middleware {
  return async (ctx: Answered, next) => {
    if (SUCCESS.test(ctx.path)) ctx.state['upstreamOffer'] = await upstreamOffer(house, ctx);
    await next();
    if (ctx.oidc?.route !== 'end_session_confirm' || ctx.status !== 303) return;
    keepLanguage(house, ctx);
    const { params = {}, session } = ctx.oidc;
    const agreed = Boolean(params['logout']) && ctx.state['storeFault'] === undefined;
    if (!agreed || session?.accountId === undefined) return;
    // By a session that is still open there nobody comes back in unasked, whoever wanted the sign-out.
    house.cookies.noteSignedOut(ctx);
    house.cookies.forgetUpstream(ctx);
    const upstream = (session.upstream ?? null) as UpstreamOf | null;
    if (upstream === null || house.connections.settingsOf(upstream.connectionId) === null) return;
    if (params['logout'] === BOTH) return goUpstream(house, ctx, upstream);
    // The offer is for whoever stays here: an app's person is led back to the app (RP-Initiated Logout §3).
    if (!isOurs(house, ctx.response.get('location'))) return;
    house.cookies.keepUpstream(ctx, await house.connections.sessions.keepForSignOut(upstream));
  };
}

/** The page that says it is done speaks the language of the one that asked: the library forgets what the app asked for. */
function keepLanguage({ config }: House, ctx: Answered): void {
  const asked = ctx.oidc?.body?.['ui_locales'];
  const done = URL.parse(ctx.response.get('location'), config.issuer);
  if (typeof asked !== 'string' || done?.origin !== new URL(config.issuer).origin || !SUCCESS.test(done.pathname))
    return;
  done.searchParams.set('ui_locales', chooseLocale({ uiLocales: asked }));
  ctx.set('Location', done.href);
}

async function goUpstream(house: House, ctx: Answered, upstream: UpstreamOf): Promise<void> {
  const { connections, cookies } = house;
  const returnTo = ctx.response.get('location');
  const location = await connections.signOutUrl(upstream);
  if (location !== null) {
    cookies.keepReturn(ctx, await connections.sessions.keepReturn(returnTo));
    return seeOther(ctx, location);
  }
  ctx.remove('Location');
  ctx.status = 200;
  const { client } = ctx.oidc ?? {};
  const app = client === undefined ? undefined : { name: client.clientName ?? client.clientId };
  const back = app === undefined || isOurs(house, returnTo) ? undefined : { ...app, url: returnTo };
  await showNotThere(house, ctx, upstream, { client: app, back });
}

/** The person is signed out here, and the provider cannot be asked for more. */
export async function showNotThere(
  house: House,
  ctx: Context,
  { connectionId }: UpstreamOf,
  asked: Pick<SignedOutView, 'client' | 'back'> = {},
): Promise<void> {
  const name = house.connections.settingsOf(connectionId)?.name ?? connectionId;
  const { signedOut } = textsOf(ctx);
  const text = signedOut.cannotBeAsked(name);
  await show(house, ctx, 'signed-out', {
    title: signedOut.title,
    notice: { tone: 'warning', text },
    signInUrl: '/sign-in',
    ...asked,
  });
}

function isOurs({ config }: House, location: string): boolean {
  return URL.parse(location, config.issuer)?.origin === new URL(config.issuer).origin;
}
