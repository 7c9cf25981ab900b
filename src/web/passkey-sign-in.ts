/** A passkey as the whole of a sign-in, taken to authn and brought back as a proof or a sentence: the twin of password-sign-in.ts. */
import type { Context } from 'koa';
import { z } from 'zod';

import { addressOf } from '../oidc/device.ts';
import { readForm } from './forms.ts';
import { textsOf } from './language.ts';
import { noteAccountEpoch, type Proven, tell, type Told } from './password-sign-in.ts';
import type { House } from './routes/house.ts';

const PasskeyForm = z.strictObject({
  csrf: z.string(),
  passkey: z.string().max(16_384),
  challenge: z.string().max(1000),
});

/** Two factors at once (NIST SP 800-63B-4 §2.2): the device, and what it asked of its person. */
export async function provePasskey(house: House, ctx: Context): Promise<Proven | Told> {
  const form = await readForm(ctx, PasskeyForm);
  house.csrf.check(ctx, form.csrf);
  const overdrawn = await house.throttle.countAddress(addressOf(ctx));
  if (overdrawn !== null) return tell(ctx, overdrawn, '');
  const used = await house.passkeys.use({
    accountId: null,
    challenge: form.challenge,
    response: parsed(form.passkey),
    noteEpoch: noteAccountEpoch(house),
  });
  house.metrics.signIn(used === null ? 'wrong-passkey' : 'signed-in-by-passkey');
  if (used === null) return { status: 401, refusal: textsOf(ctx).passkeys.refused };
  const account = await house.accounts.find(used.accountId);
  return {
    accountId: used.accountId,
    amr: ['pop', 'user', 'mfa'],
    acr: 'aal2',
    proof: {
      signedInAt: used.signedInAt.getTime(),
      admin: account?.admin === true,
      device: { userAgent: ctx.get('user-agent'), address: addressOf(ctx) },
    },
  };
}

/** By the account that is signed in, once more. `alone`: its device asked for its person, so that it is two factors at once. */
export async function provePasskeyAgain(
  house: House,
  ctx: Context,
  accountId: string,
  { passkey, challenge }: { readonly passkey: string; readonly challenge: string },
): Promise<{ readonly alone: boolean } | null> {
  if ((await house.throttle.countAddress(addressOf(ctx))) !== null) return null;
  const noteEpoch = noteAccountEpoch(house);
  const used = await house.passkeys.use({ accountId, challenge, response: parsed(passkey), noteEpoch });
  return used === null ? null : { alone: used.userVerified };
}

/** The browser's answer, as it is posted; null when it is no JSON. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return null;
  }
}
