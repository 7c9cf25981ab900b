/** A person's other ways to sign in: linking and unlinking providers, and proving it is them by one. */

import { depart, land } from '../federated-proof.ts';
import { type Act, type Acts, confirmUpstream, performConfirmed } from '../fresh.ts';
import { instant } from '../instants.ts';
import { Refusal } from '../refusal.ts';
import type { SecurityView } from '../views.ts';
import { type House, seeOther } from './house.ts';

const LINK = '/account/security/link';
const UNLINK = '/account/security/unlink';

/** What these pages can be asked to do, by somebody who has just proved who they are. */
export function identityActs(): [string, Act][] {
  return [
    [
      LINK,
      {
        fields: ['connection'],
        words: (house, { connection = '' }) => `Link ${nameOf(house, connection)}`,
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
        words: () => 'Unlink this way to sign in',
        async perform(house, ctx, { accountId, upstream }, { subject = '' }) {
          const unlinked = await house.connections.identities.unlink(accountId, subject);
          if ('refused' in unlinked) throw new Refusal(unlinked.refused === 'unknown' ? 404 : 409);
          house.log.info({ account: accountId, signOut: unlinked.id }, 'identity.unlinked');
          house.metrics.signedOut('identity');
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
      house.log.info({ connection: arrived.settings.id, account: purpose.accountId }, 'identity.linked');
      return seeOther(ctx, '/account/security?changed=linked');
    }
    const signedIn = await house.browsers.signIn(ctx, arrived.proven);
    const account = await house.accounts.find(signedIn.accountId);
    await performConfirmed(house, ctx, { ...signedIn, username: account?.username ?? '' }, purpose.act, acts);
  });
}

/** The identities of the security page. */
export async function identitiesView(
  house: House,
  accountId: string,
  { hasPassword }: { readonly hasPassword: boolean },
): Promise<Pick<SecurityView, 'identities' | 'linkable'>> {
  const linked = await house.connections.identities.list(accountId);
  const removable = hasPassword || linked.length > 1;
  return {
    identities: linked.map(({ connectionId, subject, name, linkedAt, lastUsedAt }) => ({
      connection: nameOf(house, connectionId),
      name,
      linkedAt: instant(linkedAt),
      lastUsedAt: instant(lastUsedAt),
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
