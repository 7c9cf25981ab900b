/** Signing in to one's own pages, without an app; and signing out of this browser. */
import { z } from 'zod';

import { readForm } from '../forms.ts';
import { provePassword } from '../password-sign-in.ts';
import { type House, safeReturn, seeOther, show } from './house.ts';

const SignInForm = z.strictObject({
  csrf: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});
const CsrfOnly = z.strictObject({ csrf: z.string() });

export function signInRoutes(house: House): void {
  const { router, csrf } = house;

  router.get('/sign-in', async (ctx) => {
    const returnTo = safeReturn(oneOf(ctx.query['return_to']));
    if ((await house.browsers.current(ctx)) !== null) return seeOther(ctx, returnTo);
    await show(house, ctx, 'sign-in', {
      title: 'Sign in',
      action: `/sign-in?return_to=${encodeURIComponent(returnTo)}`,
      csrf: csrf.token(ctx),
      username: '',
      connections: [],
    });
  });

  router.post('/sign-in', async (ctx) => {
    const form = await readForm(ctx, SignInForm);
    csrf.check(ctx, form.csrf);
    const returnTo = safeReturn(oneOf(ctx.query['return_to']));
    const outcome = await provePassword(house, ctx, form);
    if ('refusal' in outcome) {
      ctx.status = outcome.status;
      return show(house, ctx, 'sign-in', {
        title: 'Sign in',
        action: `/sign-in?return_to=${encodeURIComponent(returnTo)}`,
        csrf: csrf.token(ctx),
        username: form.username,
        refusal: outcome.refusal,
        retryAfter: outcome.retryAfter,
        connections: [],
      });
    }
    await house.browsers.signIn(ctx, outcome);
    seeOther(ctx, returnTo);
  });

  router.post('/sign-out', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const signedIn = await house.browsers.current(ctx);
    if (signedIn !== null) {
      await house.signOuts.endBrowserSession({ uid: signedIn.sessionUid, accountId: signedIn.accountId });
      house.metrics.signedOut('browser');
    }
    house.browsers.forget(ctx);
    seeOther(ctx, '/signed-out');
  });

  router.get('/signed-out', async (ctx) => {
    await show(house, ctx, 'signed-out', { title: 'Signed out', signInUrl: '/sign-in' });
  });
}

/** A query parameter given once; repeated ones mean nothing. */
function oneOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
