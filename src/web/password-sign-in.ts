/**
 * A password typed into one of our pages, taken to authn and brought back as a proof or a sentence. The same for every
 * page that asks for one, so that there is one counter, one wording and one timing.
 */
import type { Context } from 'koa';

import type { SignInRefusal } from '../authn/sign-in.ts';
import type { Assurance } from '../oidc/assurance.ts';
import { addressOf } from '../oidc/device.ts';
import { noteEpochs, type SignInProof } from '../oidc/lineage.ts';
import { inSeconds } from './instants.ts';
import { textsOf } from './language.ts';
import type { House } from './routes/house.ts';

export type Proven = {
  readonly accountId: string;
  readonly amr: readonly string[];
  readonly acr: Assurance;
  readonly proof: SignInProof;
  /** The code of what a provider vouched for, to be linked once nothing is left to be proven. */
  readonly linking?: string;
};
export type Told = { readonly status: number; readonly refusal: string; readonly retryAfter?: string };

/**
 * Signs in by username or e-mail. The browser is not known by that yet: whoever has the password alone would get a budget of
 * guesses of its own for the second factor.
 */
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
  if ('refused' in outcome) return tell(ctx, outcome, textsOf(ctx).signIn.wrong);
  const account = await house.accounts.find(outcome.accountId);
  return {
    accountId: outcome.accountId,
    amr: outcome.amr,
    acr: 'aal1',
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
): Promise<{ readonly verifiedHash: string; readonly signedInAt: Date } | Told> {
  const outcome = await house.signIn.verifyAgain({
    accountId,
    password,
    address: addressOf(ctx),
    knownDevice: () => house.cookies.knownDevice(ctx, accountId),
    noteEpoch: noteAccountEpoch(house),
  });
  return 'refused' in outcome
    ? tell(ctx, outcome, textsOf(ctx).attempts.wrongPassword)
    : { verifiedHash: outcome.verifiedHash, signedInAt: outcome.signedInAt };
}

/** What a sign-in stands on, seen before the password is looked at: our own sign-in page has read no artifact yet. */
export function noteAccountEpoch(house: House): (accountId: string) => Promise<void> {
  return async (accountId) => noteEpochs(await house.store.revocations.epochs(['everyone', `account:${accountId}`]));
}

export function tell(ctx: Context, outcome: SignInRefusal, wrong: string): Told {
  const texts = textsOf(ctx);
  const { attempts } = texts;
  switch (outcome.refused) {
    case 'wrong-credentials':
      return { status: 401, refusal: wrong };
    case 'reset-required':
      return {
        status: 403,
        refusal: attempts.resetRequired,
        retryAfter: attempts.resetRequiredNext,
      };
    case 'throttled':
      ctx.set('Retry-After', String(outcome.retryAfterSeconds));
      return {
        status: 429,
        refusal: attempts.throttled,
        retryAfter: attempts.tryAgain(inSeconds(outcome.retryAfterSeconds, texts)),
      };
    case 'locked':
      return {
        status: 403,
        refusal: attempts.locked,
        retryAfter: attempts.lockedNext,
      };
    case 'overloaded':
      ctx.set('Retry-After', String(outcome.retryAfterSeconds));
      return {
        status: 503,
        refusal: attempts.overloaded,
        retryAfter: attempts.tryAgain(inSeconds(outcome.retryAfterSeconds, texts)),
      };
  }
}
