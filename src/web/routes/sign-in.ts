/** Signing in to one's own pages, without an app; and signing out of this browser. */
import type { Context } from 'koa';
import { z } from 'zod';

import type { UpstreamOf } from '../../connections/vouched.ts';
import { depart, land, linkFirst } from '../federated-proof.ts';
import { explainSignOutAnswer } from '../federation-texts.ts';
import { readForm } from '../forms.ts';
import { textsOf } from '../language.ts';
import { provePasskey } from '../passkey-sign-in.ts';
import { provePassword, type Proven, type Told } from '../password-sign-in.ts';
import { enterOrAsk, type Onward, secondStep } from '../second-step.ts';
import { noteSignIn, signInOffers } from '../signing-in.ts';
import { Refusal } from '../refusal.ts';
import { showNotThere, SIGN_OUT_UPSTREAM, takeReturn, upstreamLeft, upstreamOffer } from '../sign-out-upstream.ts';
import { type House, safeReturn, seeOther, show } from './house.ts';

const SignInForm = z.strictObject({
  csrf: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});
export const CsrfOnly = z.strictObject({ csrf: z.string() });
const CONTINUE_AT = '/sign-in/federation';
const SECOND_STEP = '/sign-in/second-step';

export function signInRoutes(house: House): void {
  const { router, csrf, connections } = house;

  const returnToOf = (ctx: Context): string => safeReturn(oneOf(ctx.query['return_to']));
  const returning = (path: string, returnTo: string): string => `${path}?return_to=${encodeURIComponent(returnTo)}`;
  const showSignIn = async (ctx: Context, username: string, told?: Told): Promise<void> => {
    const returnTo = returnToOf(ctx);
    const { signIn } = textsOf(ctx);
    await show(house, ctx, 'sign-in', {
      title: signIn.title,
      action: returning('/sign-in', returnTo),
      csrf: csrf.token(ctx),
      username,
      notice: ctx.method === 'GET' ? noticeOf(oneOf(ctx.query['done']), signIn.done) : undefined,
      refusal: told?.refusal,
      retryAfter: told?.retryAfter,
      connections: connections.list().map(({ id, name }) => {
        return { name, action: returning(`/sign-in/connections/${id}`, returnTo) };
      }),
      ...(await signInOffers(house, returning('/sign-in/passkey', returnTo))),
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
  const onward = (ctx: Context, returnTo: string): Onward => ({
    at: SECOND_STEP,
    url: returning(SECOND_STEP, returnTo),
    asked: null,
    cancelUrl: '/sign-in',
    finish: async (proven) => {
      await house.browsers.signIn(ctx, proven);
      house.cookies.noteSignedIn(ctx);
      await noteSignIn(house, ctx, proven);
      seeOther(ctx, returnTo);
    },
  });
  const enter = (ctx: Context, proven: Proven, returnTo: string): Promise<void> =>
    enterOrAsk(house, ctx, proven, onward(ctx, returnTo));

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

  router.post('/sign-in/passkey', async (ctx) => {
    const outcome = await provePasskey(house, ctx);
    if ('refusal' in outcome) {
      ctx.status = outcome.status;
      return showSignIn(ctx, '', outcome);
    }
    await enter(ctx, outcome, returnToOf(ctx));
  });

  for (const verb of ['get', 'post'] as const) {
    router[verb](SECOND_STEP, (ctx) => secondStep(house, ctx, onward(ctx, returnToOf(ctx))));
  }

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
    const answer = await connections.answers.find(oneOf(ctx.query['answer']) ?? '');
    // Back from a provider, in the middle of what an app asked for: on to the app, unless there is something to say first.
    const returnTo = await takeReturn(house, ctx);
    if (returnTo !== null && (answer === null || answer.outcome === 'everywhere')) return seeOther(ctx, returnTo);
    const name = connections.settingsOf(answer?.connectionId ?? '')?.name;
    const texts = textsOf(ctx);
    const { signedOut } = texts;
    await show(house, ctx, 'signed-out', {
      title: signedOut.title,
      signInUrl: '/sign-in',
      ...(await upstreamOffer(house, ctx)),
      notice: answer === null || name === undefined ? undefined : explainSignOutAnswer(answer.outcome, name, texts),
      back: returnTo === null ? undefined : { name: signedOut.theApp, url: returnTo },
    });
  });

  router.post(SIGN_OUT_UPSTREAM, async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const upstream = await upstreamLeft(house, ctx);
    house.cookies.forgetUpstream(ctx);
    if (upstream === null) return seeOther(ctx, '/signed-out');
    const location = await connections.signOutUrl(upstream);
    return location === null ? showNotThere(house, ctx, upstream) : seeOther(ctx, location);
  });
}

function noticeOf(
  done: string | undefined,
  texts: Readonly<Record<string, string>>,
): { tone: 'success'; text: string } | undefined {
  const text = done !== undefined && Object.hasOwn(texts, done) ? texts[done] : undefined;
  return text === undefined ? undefined : { tone: 'success', text };
}

/** A query parameter given once; repeated ones mean nothing. */
function oneOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
