/** What every sign-in page offers besides a password, and what every sign-in leaves behind. */
import type { Context } from 'koa';

import { addressOf } from '../oidc/device.ts';
import { notify } from './notices.ts';
import type { Proven } from './password-sign-in.ts';
import type { House } from './routes/house.ts';
import type { SignInView } from './views.ts';

/** Ways in and out of trouble that the sign-in page shows, as far as this installation has them. */
export async function signInOffers(
  { passkeys, mailer, config }: House,
  passkeyAction: string,
): Promise<Pick<SignInView, 'passkey' | 'forgotPasswordUrl' | 'registerUrl'>> {
  const { options, challenge } = await passkeys.offerToUse({ accountId: null, alone: true });
  return {
    passkey: { action: passkeyAction, options: JSON.stringify(options), challenge },
    forgotPasswordUrl: mailer === null ? undefined : '/reset',
    registerUrl: mailer !== null && config.registration === 'open' ? '/register' : undefined,
  };
}

/**
 * Notes a sign-in, and tells its person when it came from a browser that has not signed in to this account before. The
 * browser is known from then on.
 */
export async function noteSignIn(house: House, ctx: Context, { accountId, acr, amr }: Proven): Promise<void> {
  const known = house.cookies.knownDevice(ctx, accountId) !== undefined;
  house.cookies.rememberDevice(ctx, accountId, acr === 'aal2' ? house.clock.now() : null);
  const facts = { assurance: acr, methods: amr.join(' ') };
  const detail = { address: addressOf(ctx), userAgent: ctx.get('user-agent') };
  await Promise.all([
    noteWhen(house, ctx, accountId),
    known
      ? house.journal.record({ kind: 'account.signed-in', accountId, facts, detail })
      : notify(house, ctx, accountId, { kind: 'account.signed-in', facts }),
  ]);
}

/** Nobody is kept out because it could not be noted. */
async function noteWhen({ store, clock, log }: House, ctx: Context, accountId: string): Promise<void> {
  try {
    await store.accounts.noteSignIn({ accountId, at: clock.now() });
  } catch (err) {
    log.error({ err, account: accountId, requestId: ctx.state['requestId'] }, 'sign-in.not-noted');
  }
}
