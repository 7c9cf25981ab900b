/** A person's other ways to sign in: linking and unlinking providers, and proving it is them by one. */
import type { Context } from 'koa';

import { hasSecondFactor } from '../../authn/second-factors.ts';
import type { Language } from '../../languages/languages.ts';
import { depart, land } from '../federated-proof.ts';
import { type Act, type Acts, confirmUpstream, performConfirmed } from '../fresh.ts';
import { instant } from '../instants.ts';
import { notify } from '../notices.ts';
import { Refusal } from '../refusal.ts';
import { enterOrAsk, type Onward, secondStep } from '../second-step.ts';
import type { SecurityView } from '../views.ts';
import { type House, seeOther } from './house.ts';

const LINK = '/account/security/link';
const UNLINK = '/account/security/unlink';
const SECOND_STEP = '/account/federation/second-step';

/** What these pages can be asked to do, by somebody who has just proved who they are. */
export function identityActs(): [string, Act][] {
  return [
    [
      LINK,
      {
        fields: ['connection'],
        words: ({ security }, { connection = '' }, house) => security.link(nameOf(house, connection)),
        perform: (house, ctx, { accountId }, { connection = '' }) => {
          if (house.connections.settingsOf(connection) === null) throw new Refusal(404);
          return depart(house, ctx, {
            connectionId: connection,
            purpose: { kind: 'link', accountId },
            continueAt: '/account/federation',
            returnTo: '/account/security',
            loginHint: null,
          });
        },
      },
    ],
    [
      UNLINK,
      {
        fields: ['subject'],
        words: ({ security }) => security.unlinkThis,
        async perform(house, ctx, { accountId, upstream }, { subject = '' }) {
          const linked = await house.connections.identities.list(accountId);
          const connection = linked.find((identity) => identity.subject === subject)?.connectionId ?? '';
          const name = nameOf(house, connection);
          const unlinked = await house.connections.identities.unlink(accountId, subject);
          if ('refused' in unlinked) throw new Refusal(unlinked.refused === 'unknown' ? 404 : 409);
          house.log.info({ account: accountId, signOut: unlinked.id }, 'identity.unlinked');
          house.metrics.signedOut('identity');
          await notify(house, ctx, accountId, { kind: 'identity.unlinked', what: name });
          // This browser may have come through it, and then has no Session any more.
          if (upstream !== undefined) house.cookies.allowReceipt(ctx, unlinked.id);
          seeOther(ctx, `/sign-outs/${unlinked.id}`);
        },
      },
    ],
  ];
}

export function identityRoutes(house: House, acts: Acts): void {
  const { router } = house;

  router.post('/account/confirm/:connection', (ctx) =>
    confirmUpstream(house, ctx, String(ctx['params'].connection), acts),
  );

  router.get('/account/federation', async (ctx) => {
    const before = await house.browsers.current(ctx);
    // The account that asked for it is the one that must still be signed in here.
    const arrived = await land(house, ctx, before?.accountId ?? null);
    if (arrived === null) return;
    const { purpose } = arrived.attempt;
    if (purpose.kind === 'sign-in') throw new Refusal(403);
    if (purpose.kind === 'link') {
      await notify(house, ctx, purpose.accountId, { kind: 'identity.linked', what: arrived.settings.name });
      return seeOther(ctx, '/account/security?changed=linked');
    }
    // A provider stands in for the password, and for no second factor; nor does a browser that is trusted, where it matters.
    const { accountId } = arrived.proven;
    const asked = hasSecondFactor(await house.factors.held(accountId)) ? 'aal2' : null;
    await enterOrAsk(house, ctx, arrived.proven, { ...confirming(ctx, purpose.act), asked });
  });

  /** The act comes along in the query of the page that asks for the second factor. */
  const confirming = (ctx: Context, named: string): Onward => ({
    at: SECOND_STEP,
    url: `${SECOND_STEP}?${new URLSearchParams(named).toString()}`,
    asked: null,
    cancelUrl: '/account/security',
    finish: async (proven) => {
      const before = await house.browsers.current(ctx);
      if (before?.accountId !== proven.accountId) throw new Refusal(403);
      const signedIn = await house.browsers.signIn(ctx, proven);
      const account = await house.accounts.find(signedIn.accountId);
      await performConfirmed(house, ctx, { ...signedIn, username: account?.username ?? '' }, named, acts);
    },
  });
  for (const verb of ['get', 'post'] as const) {
    router[verb](SECOND_STEP, (ctx) => secondStep(house, ctx, confirming(ctx, ctx.querystring)));
  }
}

/** The identities of the security page. */
export async function identitiesView(
  house: House,
  accountId: string,
  { hasPassword, language }: { readonly hasPassword: boolean; readonly language: Language },
): Promise<Pick<SecurityView, 'identities' | 'linkable'>> {
  const linked = await house.connections.identities.list(accountId);
  const removable = hasPassword || linked.length > 1;
  return {
    identities: linked.map(({ connectionId, subject, name, linkedAt, lastUsedAt }) => ({
      connection: nameOf(house, connectionId),
      name,
      linkedAt: instant(linkedAt, language),
      lastUsedAt: instant(lastUsedAt, language),
      unlink: removable ? { action: UNLINK, subject } : undefined,
      unverified: house.connections.settingsOf(connectionId)?.reauthentication === 'unable',
    })),
    linkable: house.connections
      .list()
      .filter(({ id }) => !linked.some(({ connectionId }) => connectionId === id))
      .map(({ id, name }) => ({ name, action: LINK, connection: id })),
  };
}

function nameOf({ connections }: House, connectionId: string): string {
  return connections.settingsOf(connectionId)?.name ?? connectionId;
}
