/**
 * A password typed into one of our pages, taken to authn and brought back as a proof or a sentence. The same for every
 * page that asks for one, so that there is one counter, one wording and one timing.
 */
import type { Context } from 'koa';

import type { SignInRefusal } from '../authn/sign-in.ts';
import { addressOf } from '../oidc/device.ts';
import { noteEpochs, type SignInProof } from '../oidc/lineage.ts';
import { inSeconds } from './instants.ts';
import type { House } from './routes/house.ts';

export type Proven = { readonly accountId: string; readonly amr: readonly string[]; readonly proof: SignInProof };
export type Told = { readonly status: number; readonly refusal: string; readonly retryAfter?: string };

/** Signs in by username or e-mail. */
export async function provePassword(
  house: House,
  ctx: Context,
  typed: { readonly username: string; readonly password: string },
): Promise<Proven | Told> {
  const outcome = await house.signIn.verifyPassword({
    identifier: typed.username,
    password: typed.password,
    address: addressOf(ctx),
    knownDevice: (accountId) => house.cookies.knownDevice(ctx, accountId),
    noteEpoch: noteAccountEpoch(house),
  });
  house.metrics.signIn('refused' in outcome ? outcome.refused : 'signed-in');
  if ('refused' in outcome) return tell(ctx, outcome, 'The username or password is wrong.');
  const account = await house.accounts.find(outcome.accountId);
  house.cookies.rememberDevice(ctx, outcome.accountId);
  return {
    accountId: outcome.accountId,
    amr: outcome.amr,
    proof: {
      signedInAt: outcome.signedInAt.getTime(),
      admin: account?.admin === true,
      device: { userAgent: ctx.get('user-agent'), address: addressOf(ctx) },
    },
  };
}

/** Proves again the password of the account that is signed in. `verifiedHash`: what a change of it must start from. */
export async function proveAgain(
  house: House,
  ctx: Context,
  accountId: string,
  password: string,
): Promise<{ readonly verifiedHash: string } | Told> {
  const outcome = await house.signIn.verifyAgain({
    accountId,
    password,
    address: addressOf(ctx),
    knownDevice: () => house.cookies.knownDevice(ctx, accountId),
    noteEpoch: noteAccountEpoch(house),
  });
  return 'refused' in outcome ? tell(ctx, outcome, 'The password is wrong.') : { verifiedHash: outcome.verifiedHash };
}

/** What a sign-in stands on, seen before the password is looked at: our own sign-in page has read no artifact yet. */
function noteAccountEpoch(house: House): (accountId: string) => Promise<void> {
  return async (accountId) => noteEpochs(await house.store.revocations.epochs(['everyone', `account:${accountId}`]));
}

function tell(ctx: Context, outcome: SignInRefusal, wrong: string): Told {
  switch (outcome.refused) {
    case 'wrong-credentials':
      return { status: 401, refusal: wrong };
    case 'throttled':
      ctx.set('Retry-After', String(outcome.retryAfterSeconds));
      return {
        status: 429,
        refusal: 'Too many attempts. Nothing was checked this time.',
        retryAfter: `Try again ${inSeconds(outcome.retryAfterSeconds)}.`,
      };
    case 'locked':
      return {
        status: 403,
        refusal: 'Signing in with this password is switched off after too many wrong attempts.',
        retryAfter: 'Ask whoever runs this service to set a new password.',
      };
    case 'overloaded':
      ctx.set('Retry-After', String(outcome.retryAfterSeconds));
      return {
        status: 503,
        refusal: 'Too many people are signing in right now.',
        retryAfter: `Try again ${inSeconds(outcome.retryAfterSeconds)}.`,
      };
  }
}
