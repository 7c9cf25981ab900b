/** What an app's authorization request asks of a person: to sign in, to consent, or to leave. */
import type { Context } from 'koa';
import { z } from 'zod';

import { explainStatus } from '../error-pages.ts';
import { depart, land, linkFirst } from '../federated-proof.ts';
import { readForm } from '../forms.ts';
import { provePassword, type Proven, type Told } from '../password-sign-in.ts';
import { type House, seeOther, show } from './house.ts';

const SignInForm = z.strictObject({
  csrf: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});
const ConsentForm = z.strictObject({ csrf: z.string(), decision: z.enum(['allow', 'deny']) });
const CsrfOnly = z.strictObject({ csrf: z.string() });

const SCOPE_TEXTS: Record<string, { name: string; description: string }> = {
  openid: { name: 'Know who you are', description: 'Recognise you when you come back.' },
  profile: { name: 'Your profile', description: 'See your username.' },
  email: { name: 'Your e-mail address', description: 'See your e-mail address.' },
};

type Interaction = NonNullable<Awaited<ReturnType<House['interactions']['current']>>>;

export function interactionRoutes(house: House): void {
  const { router, csrf, interactions, connections } = house;

  const enter = async (ctx: Context, proven: Proven): Promise<void> => {
    house.cookies.noteSignedIn(ctx);
    seeOther(ctx, await interactions.signedIn(ctx, proven));
  };

  /** The Interaction of this browser, if it is the one the address names. A page that says so otherwise. */
  const current = async (ctx: Context): Promise<Interaction | null> => {
    const interaction = await interactions.current(ctx);
    if (interaction !== null && interaction.uid === ctx['params'].uid) return interaction;
    ctx.status = 400;
    await show(house, ctx, 'error', {
      ...explainStatus(400),
      title: 'Start again',
      headline: 'Start again',
      message: 'This sign-in has expired, was finished already, or was ended by a sign-out.',
      next: 'Go back to the app and sign in again.',
      requestId: String(ctx.state['requestId']),
    });
    return null;
  };

  const showSignIn = async (ctx: Context, interaction: Interaction, username: string, told?: Told): Promise<void> => {
    const client = await house.clients.lookUp(String(interaction.params['client_id']));
    const logo = client?.metadata['logo_uri'];
    await show(house, ctx, 'sign-in', {
      title: 'Sign in',
      action: `/interaction/${interaction.uid}/sign-in`,
      csrf: csrf.token(ctx),
      client: { name: nameOf(client?.metadata), logoUri: typeof logo === 'string' ? logo : undefined },
      username,
      refusal: told?.refusal,
      retryAfter: told?.retryAfter,
      note: noteFor(interaction),
      cancel: { action: `/interaction/${interaction.uid}/cancel` },
      connections: connections.list().map(({ id, name }) => {
        return { name, action: `/interaction/${interaction.uid}/connections/${id}` };
      }),
    });
  };

  const leave = (
    ctx: Context,
    { uid, prompt }: Interaction,
    connectionId: string,
    loginHint: string | null,
  ): Promise<void> =>
    depart(house, ctx, {
      connectionId,
      purpose: { kind: 'sign-in' },
      continueAt: `/interaction/${uid}/federation`,
      returnTo: '',
      loginHint,
      // Whoever is asked to sign in again is asked again where they come from as well.
      forced: prompt.reasons.some((reason) => reason !== 'no_session'),
    });

  /** Where this person signs in, when app, link or address tells; null where they are to choose. */
  const homeOf = async ({ params, lastSubmission }: Interaction): Promise<string | null> => {
    if (lastSubmission !== undefined) return null;
    const client = await house.clients.lookUp(String(params['client_id']));
    const named = [params['connection'], client?.metadata['connection']].find((id) => typeof id === 'string');
    if (typeof named === 'string') return connections.settingsOf(named)?.id ?? null;
    const [domain, hint] = [params['domain_hint'], params['login_hint']];
    if (typeof domain === 'string') return connections.homeOf(`@${domain}`)?.id ?? null;
    return typeof hint === 'string' ? (connections.homeOf(hint)?.id ?? null) : null;
  };

  router.get('/interaction/:uid', async (ctx) => {
    const interaction = await current(ctx);
    if (interaction === null) return;
    if (interaction.prompt.name !== 'consent') {
      const given = interaction.params['login_hint'];
      const hint = typeof given === 'string' ? given.slice(0, 320) : '';
      const home = ctx.query['choose'] === undefined ? await homeOf(interaction) : null;
      return home === null ? showSignIn(ctx, interaction, hint) : leave(ctx, interaction, home, hint || null);
    }
    const client = (await house.clients.lookUp(String(interaction.params['client_id'])))?.metadata;
    const account = await house.accounts.find(interaction.session?.accountId ?? '');
    const asked = interactions.asked(interaction);
    await show(house, ctx, 'consent', {
      title: 'Allow access',
      action: `/interaction/${interaction.uid}/consent`,
      csrf: csrf.token(ctx),
      client: {
        name: nameOf(client),
        uri: textOf(client?.['client_uri']),
        logoUri: textOf(client?.['logo_uri']),
        policyUri: textOf(client?.['policy_uri']),
        tosUri: textOf(client?.['tos_uri']),
      },
      account: { username: account?.username ?? '' },
      scopes: asked.scopes.map(
        (scope) => SCOPE_TEXTS[scope] ?? { name: scope, description: house.config.scopes[scope] ?? '' },
      ),
      offline: asked.offline,
    });
  });

  router.post('/interaction/:uid/sign-in', async (ctx) => {
    const form = await readForm(ctx, SignInForm);
    csrf.check(ctx, form.csrf);
    const interaction = await current(ctx);
    if (interaction === null) return;
    const home = connections.homeOf(form.username);
    if (home !== null) return leave(ctx, interaction, home.id, form.username);
    const outcome = await provePassword(house, ctx, form);
    if ('refusal' in outcome) {
      ctx.status = outcome.status;
      return showSignIn(ctx, interaction, form.username, outcome);
    }
    await enter(ctx, outcome);
  });

  router.post('/interaction/:uid/connections/:connection', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const interaction = await current(ctx);
    if (interaction !== null) await leave(ctx, interaction, String(ctx['params'].connection), null);
  });

  router.get('/interaction/:uid/federation', async (ctx) => {
    if ((await current(ctx)) === null) return;
    const arrived = await land(house, ctx);
    if (arrived !== null) await enter(ctx, arrived.proven);
  });

  router.post('/interaction/:uid/federation/link', async (ctx) => {
    if ((await current(ctx)) === null) return;
    const linked = await linkFirst(house, ctx);
    if (linked !== null) await enter(ctx, linked.proven);
  });

  router.post('/interaction/:uid/consent', async (ctx) => {
    const form = await readForm(ctx, ConsentForm);
    csrf.check(ctx, form.csrf);
    const interaction = await current(ctx);
    if (interaction === null) return;
    const allowed = form.decision === 'allow' && interaction.prompt.name === 'consent';
    seeOther(ctx, allowed ? await interactions.allowed(ctx, interaction) : await interactions.denied(ctx));
  });

  router.post('/interaction/:uid/cancel', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    if ((await current(ctx)) === null) return;
    seeOther(ctx, await interactions.denied(ctx));
  });
}

/** Why somebody who has a Session is asked again. */
function noteFor({ prompt }: Interaction): string | undefined {
  if (prompt.reasons.includes('client_signed_out')) return 'Everybody was signed out of this app. Sign in again.';
  if (prompt.reasons.includes('device_signed_out')) return 'You signed out of this app in this browser. Sign in again.';
  if (prompt.reasons.includes('max_age')) return 'The app asks you to sign in again to go on.';
  return undefined;
}

function nameOf(metadata: Record<string, unknown> | undefined): string {
  return textOf(metadata?.['client_name']) ?? textOf(metadata?.['client_id']) ?? 'an app';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
