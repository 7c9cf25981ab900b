/** What an app's authorization request asks of a person: to sign in, to consent, or to leave. */
import type { Context } from 'koa';
import { z } from 'zod';

import { askedFor } from '../../oidc/assurance.ts';
import { explainStatus } from '../error-pages.ts';
import { depart, land, linkFirst } from '../federated-proof.ts';
import type { Texts } from '../../languages/en.ts';
import { readForm } from '../forms.ts';
import { noteAccountLocale, noteUiLocales, textsOf } from '../language.ts';
import { provePasskey } from '../passkey-sign-in.ts';
import { provePassword, type Proven, type Told } from '../password-sign-in.ts';
import { enterOrAsk, type Onward, secondStep } from '../second-step.ts';
import { noteSignIn, signInOffers } from '../signing-in.ts';
import { type House, seeOther, show } from './house.ts';

const SignInForm = z.strictObject({
  csrf: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});
const ConsentForm = z.strictObject({ csrf: z.string(), decision: z.enum(['allow', 'deny']) });
const CsrfOnly = z.strictObject({ csrf: z.string() });

type Interaction = NonNullable<Awaited<ReturnType<House['interactions']['current']>>>;

export function interactionRoutes(house: House): void {
  const { router, csrf, interactions, connections } = house;

  const onward = async (ctx: Context, { uid, params }: Interaction): Promise<Onward> => {
    const client = await house.clients.lookUp(String(params['client_id']));
    return {
      at: `/interaction/${uid}/second-step`,
      url: `/interaction/${uid}/second-step`,
      asked: askedFor({
        acrValues: params['acr_values'],
        clientRequires: client?.metadata['require_second_factor'] === true,
      }),
      cancelUrl: `/interaction/${uid}?choose`,
      finish: async (proven) => {
        house.cookies.noteSignedIn(ctx);
        await noteSignIn(house, ctx, proven);
        seeOther(ctx, await interactions.signedIn(ctx, proven));
      },
    };
  };
  const enter = async (ctx: Context, interaction: Interaction, proven: Proven): Promise<void> =>
    enterOrAsk(house, ctx, proven, await onward(ctx, interaction));

  /** The Interaction of this browser, if it is the one the address names. A page that says so otherwise. */
  const current = async (ctx: Context): Promise<Interaction | null> => {
    const interaction = await interactions.current(ctx);
    if (interaction !== null && interaction.uid === ctx['params'].uid) {
      noteUiLocales(ctx, interaction.params['ui_locales']);
      return interaction;
    }
    ctx.status = 400;
    const texts = textsOf(ctx);
    const { headline, message, next } = texts.errors.startAgain;
    await show(house, ctx, 'error', {
      ...explainStatus(400, texts),
      title: headline,
      headline,
      message,
      next,
      requestId: String(ctx.state['requestId']),
    });
    return null;
  };

  const showSignIn = async (ctx: Context, interaction: Interaction, username: string, told?: Told): Promise<void> => {
    const client = await house.clients.lookUp(String(interaction.params['client_id']));
    const logo = client?.metadata['logo_uri'];
    const texts = textsOf(ctx);
    await show(house, ctx, 'sign-in', {
      title: texts.signIn.title,
      action: `/interaction/${interaction.uid}/sign-in`,
      csrf: csrf.token(ctx),
      client: { name: nameOf(client?.metadata, texts), logoUri: typeof logo === 'string' ? logo : undefined },
      username,
      refusal: told?.refusal,
      retryAfter: told?.retryAfter,
      note: noteFor(interaction, texts),
      cancel: { action: `/interaction/${interaction.uid}/cancel` },
      connections: connections.list().map(({ id, name }) => {
        return { name, action: `/interaction/${interaction.uid}/connections/${id}` };
      }),
      ...(await signInOffers(house, `/interaction/${interaction.uid}/passkey`)),
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
    noteAccountLocale(ctx, account?.locale);
    const texts = textsOf(ctx);
    const scopes: Readonly<Record<string, { name: string; description: string }>> = texts.consent.scopes;
    await show(house, ctx, 'consent', {
      title: texts.consent.title,
      action: `/interaction/${interaction.uid}/consent`,
      csrf: csrf.token(ctx),
      client: {
        name: nameOf(client, texts),
        uri: textOf(client?.['client_uri']),
        logoUri: textOf(client?.['logo_uri']),
        policyUri: textOf(client?.['policy_uri']),
        tosUri: textOf(client?.['tos_uri']),
      },
      account: { username: account?.username ?? '' },
      scopes: asked.scopes.map(
        (scope) =>
          (Object.hasOwn(scopes, scope) ? scopes[scope] : undefined) ?? {
            name: scope,
            description: house.config.scopes[scope] ?? '',
          },
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
    await enter(ctx, interaction, outcome);
  });

  router.post('/interaction/:uid/passkey', async (ctx) => {
    const interaction = await current(ctx);
    if (interaction === null) return;
    const outcome = await provePasskey(house, ctx);
    if ('refusal' in outcome) {
      ctx.status = outcome.status;
      return showSignIn(ctx, interaction, '', outcome);
    }
    await enter(ctx, interaction, outcome);
  });

  for (const verb of ['get', 'post'] as const) {
    router[verb]('/interaction/:uid/second-step', async (ctx) => {
      const interaction = await current(ctx);
      if (interaction !== null) await secondStep(house, ctx, await onward(ctx, interaction));
    });
  }

  router.post('/interaction/:uid/connections/:connection', async (ctx) => {
    csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const interaction = await current(ctx);
    if (interaction !== null) await leave(ctx, interaction, String(ctx['params'].connection), null);
  });

  router.get('/interaction/:uid/federation', async (ctx) => {
    const interaction = await current(ctx);
    if (interaction === null) return;
    const arrived = await land(house, ctx);
    if (arrived !== null) await enter(ctx, interaction, arrived.proven);
  });

  router.post('/interaction/:uid/federation/link', async (ctx) => {
    const interaction = await current(ctx);
    if (interaction === null) return;
    const linked = await linkFirst(house, ctx);
    if (linked !== null) await enter(ctx, interaction, linked.proven);
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
function noteFor({ prompt }: Interaction, { signIn: { notes } }: Texts): string | undefined {
  if (prompt.reasons.includes('client_signed_out')) return notes.client_signed_out;
  if (prompt.reasons.includes('device_signed_out')) return notes.device_signed_out;
  if (prompt.reasons.includes('acr_not_met')) return notes.acr_not_met;
  if (prompt.reasons.includes('max_age')) return notes.max_age;
  return undefined;
}

function nameOf(metadata: Record<string, unknown> | undefined, { consent }: Texts): string {
  return textOf(metadata?.['client_name']) ?? textOf(metadata?.['client_id']) ?? consent.anApp;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
