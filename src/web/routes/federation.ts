/**
 * Through an upstream identity provider and back: its answers, and the page at which the browser has its cookies again.
 *
 * An answer arrives without cookies and signs nobody in. It is exchanged for a code; the browser is sent on to where the
 * attempt began, and there code and cookie must meet. So neither an attacker's answer in a victim's browser nor a victim's
 * answer to an attacker's attempt leads anywhere.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import type { Arrival } from '../../connections/connections.ts';
import { showRefusal } from '../federated-proof.ts';
import { explainArrival } from '../federation-texts.ts';
import { readForm } from '../forms.ts';
import { textsOf } from '../language.ts';
import { Refusal } from '../refusal.ts';
import { type House, seeOther } from './house.ts';

/** A signed response with an encrypted assertion, in base64, in a form. */
const LARGEST_SAML_FORM_BYTES = 400 * 1024;

const SamlForm = z.strictObject({ SAMLResponse: z.string(), RelayState: z.string().max(200) });
const LogoutTokenForm = z.object({ logout_token: z.string().max(32_768) });

export function federationRoutes(house: House): void {
  const { router, connections } = house;

  router.get('/federation/:connection/callback', async (ctx) => {
    const id = connectionOf(house, ctx, 'oidc');
    await arrive(house, ctx, id, await connections.oidcCallback(id, ctx.querystring));
  });

  router.post('/federation/:connection/backchannel-logout', async (ctx) => {
    const id = connectionOf(house, ctx, 'oidc');
    const { logout_token: token } = await readForm(ctx, LogoutTokenForm);
    const heard = await connections.backchannelLogout(id, token);
    ctx.set('Cache-Control', 'no-store');
    switch (heard.kind) {
      case 'done':
        ctx.status = 200;
        ctx.body = '';
        return;
      case 'refused':
        house.log.warn({ connection: id, why: heard.why }, 'upstream.logout-refused');
        ctx.status = 400;
        ctx.body = { error: 'invalid_request', error_description: 'this logout token is not accepted' };
        return;
      case 'unavailable':
        // The provider is to try again: what it told us could not be checked, and must not be lost.
        house.log.warn({ connection: id, why: heard.why }, 'upstream.logout-not-checked');
        throw new Refusal(503, { retryAfterSeconds: 5 });
    }
  });

  router.get('/saml/:connection/metadata', async (ctx) => {
    const id = connectionOf(house, ctx, 'saml');
    ctx.type = 'application/samlmetadata+xml';
    ctx.body = await connections.serviceProviderMetadata(id);
  });

  router.post('/saml/:connection/acs', async (ctx) => {
    const id = connectionOf(house, ctx, 'saml');
    const form = await readForm(ctx, SamlForm, { largestBytes: LARGEST_SAML_FORM_BYTES });
    await arrive(house, ctx, id, await connections.samlResponse(id, form));
  });

  router.get('/saml/:connection/slo', (ctx) =>
    singleLogout(house, ctx, { binding: 'redirect', query: ctx.querystring }),
  );
  router.post('/saml/:connection/slo', async (ctx) => {
    const form = await readForm(ctx, SloForm, { largestBytes: LARGEST_SAML_FORM_BYTES });
    await singleLogout(house, ctx, { binding: 'post', form });
  });
}

const SloForm = z.strictObject({
  SAMLRequest: z.string().optional(),
  SAMLResponse: z.string().optional(),
  RelayState: z.string().max(200).optional(),
});

async function singleLogout(
  house: House,
  ctx: Context,
  message: Parameters<House['connections']['samlLogout']>[1],
): Promise<void> {
  const id = connectionOf(house, ctx, 'saml');
  const heard = await house.connections.samlLogout(id, message);
  switch (heard.kind) {
    case 'answer':
      return seeOther(ctx, heard.location);
    case 'finished':
      return seeOther(ctx, heard.answer === null ? '/signed-out' : `/signed-out?answer=${heard.answer}`);
    case 'refused': {
      house.log.warn({ connection: id, why: heard.why }, 'upstream.logout-refused');
      throw new Refusal(400);
    }
  }
}

/** The connection an address names, if it is one of this kind. */
function connectionOf(house: House, ctx: Context, type: 'oidc' | 'saml'): string {
  const settings = house.connections.settingsOf(String(ctx['params'].connection));
  if (settings?.type !== type) throw new Refusal(404);
  return settings.id;
}

/** On to where the attempt began, or a page that says why not. */
async function arrive(house: House, ctx: Context, connectionId: string, arrival: Arrival): Promise<void> {
  if ('code' in arrival) {
    return seeOther(ctx, `${arrival.continueAt}?code=${encodeURIComponent(arrival.code)}`);
  }
  const { refused, detail } = arrival;
  house.log.warn(
    { connection: connectionId, why: refused, detail, requestId: ctx.state['requestId'] },
    'upstream.refused',
  );
  house.metrics.signIn(`upstream-${refused}`);
  const name = house.connections.settingsOf(connectionId)?.name ?? connectionId;
  await showRefusal(house, ctx, explainArrival(refused, name, textsOf(ctx)), arrival.startAgainAt);
}
