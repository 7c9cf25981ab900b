/** Signing in to one's own pages, without an app; and signing out of this browser. */
import type { Context } from 'koa';
import { z } from 'zod';

import type { UpstreamOf } from '../../connections/vouched.ts';
import { depart, land, linkFirst, showRefusal } from '../federated-proof.ts';
import { readForm } from '../forms.ts';
import { provePassword, type Proven, type Told } from '../password-sign-in.ts';
import { Refusal } from '../refusal.ts';
import { type House, safeReturn, seeOther, show } from './house.ts';

const SignInForm = z.strictObject({
  csrf: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});
const CsrfOnly = z.strictObject({ csrf: z.string() });
const CONTINUE_AT = '/sign-in/federation';

export function signInRoutes(house: House): void {
  const { router, csrf, connections } = house;

  const returnToOf = (ctx: Context): string => safeReturn(oneOf(ctx.query['return_to']));
  const returning = (path: string, returnTo: string): string => `${path}?return_to=${encodeURIComponent(returnTo)}`;
  const showSignIn = async (ctx: Context, username: string, told?: Told): Promise<void> => {
    const returnTo = returnToOf(ctx);
    await show(house, ctx, 'sign-in', {
      title: 'Sign in',
      action: returning('/sign-in', returnTo),
      csrf: csrf.token(ctx),
      username,
      refusal: told?.refusal,
      retryAfter: told?.retryAfter,
      connections: connections.list().map(({ id, name }) => {
        return { name, action: returning(`/sign-in/connections/${id}`, returnTo) };
      }),
    });
  };
  const leave = (ctx: Context, connectionId: string, loginHint: string | null): Promise<void> =>
    depart(house, ctx, {
      connectionId,
      purpose: { kind: 'sign-in' },
      continueAt: CONTINUE_AT,
      returnTo: returnToOf(ctx),
      loginHint,
    });
  const upstreamOf = async (ctx: Context): Promise<UpstreamOf | null> => {
    const bearer = house.cookies.upstreamOf(ctx);
    return bearer === undefined ? null : connections.sessions.findForSignOut(bearer);
  };
  const enter = async (ctx: Context, proven: Proven, returnTo: string): Promise<void> => {
    await house.browsers.signIn(ctx, proven);
    house.cookies.noteSignedIn(ctx);
    seeOther(ctx, returnTo);
  };

  router.get('/sign-in', async (ctx) => {
    if ((await house.browsers.current(ctx)) !== null) return seeOther(ctx, returnToOf(ctx));
    await showSignIn(ctx, '');
  });

  router.post('/sign-in', async (ctx) => {
    const form = await readForm(ctx, SignInForm);
    csrf.check(ctx, form.csrf);
    const home = connections.homeOf(form.username);
    if (home !== null) return leave(ctx, home.id, form.username);
    const outcome = await provePassword(house, ctx, form);
    if ('refusal' in outcome) {
      ctx.status = outcome.status;
      return showSignIn(ctx, form.username, outcome);
    }
    await enter(ctx, outcome, returnToOf(ctx));
  });

  router.post('/sign-in/connections/:connection', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    await leave(ctx, String(ctx['params'].connection), null);
  });

  router.get(CONTINUE_AT, async (ctx) => {
    const arrived = await land(house, ctx);
    if (arrived === null) return;
    if (arrived.attempt.purpose.kind !== 'sign-in') throw new Refusal(400);
    await enter(ctx, arrived.proven, safeReturn(arrived.attempt.returnTo));
  });

  router.post(`${CONTINUE_AT}/link`, async (ctx) => {
    const linked = await linkFirst(house, ctx);
    if (linked !== null) await enter(ctx, linked.proven, safeReturn(linked.attempt.returnTo));
  });

  router.post('/sign-out', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const signedIn = await house.browsers.current(ctx);
    if (signedIn !== null) {
      await house.signOuts.endBrowserSession({ uid: signedIn.sessionUid, accountId: signedIn.accountId });
      house.metrics.signedOut('browser');
      if (signedIn.upstream !== undefined) {
        house.cookies.keepUpstream(ctx, await connections.sessions.keepForSignOut(signedIn.upstream as UpstreamOf));
      }
    }
    house.cookies.noteSignedOut(ctx);
    house.browsers.forget(ctx);
    seeOther(ctx, '/signed-out');
  });

  router.get('/signed-out', async (ctx) => {
    const upstream = await upstreamOf(ctx);
    const settings = upstream === null ? null : connections.settingsOf(upstream.connectionId);
    await show(house, ctx, 'signed-out', {
      title: 'Signed out',
      csrf: csrf.token(ctx),
      signInUrl: '/sign-in',
      upstream: settings === null ? undefined : { name: settings.name, action: '/sign-out/upstream' },
    });
  });

  router.post('/sign-out/upstream', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const upstream = await upstreamOf(ctx);
    house.cookies.forgetUpstream(ctx);
    const location = upstream === null ? null : await connections.signOutUrl(upstream);
    if (location !== null) return seeOther(ctx, location);
    const name = connections.settingsOf(upstream?.connectionId ?? '')?.name ?? 'There';
    await showRefusal(
      house,
      ctx,
      {
        status: 502,
        message: `${name} cannot be asked to sign you out from here.`,
        next: 'You are signed out here all the same. Sign out there by its own page.',
      },
      null,
    );
  });
}

/** A query parameter given once; repeated ones mean nothing. */
function oneOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
