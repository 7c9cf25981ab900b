/** When a person is asked something, beyond what the library asks by itself. */
import { interactionPolicy } from 'oidc-provider';

import { askedFor, meets } from './assurance.ts';
import { signedInJustNow } from './grants.ts';
import type { CurfewSession, ProviderParts } from './provider-parts.ts';

/**
 * A Client that was signed out, as a whole or in this browser, demands a fresh sign-in: nobody comes back silently. And
 * first-party Clients are not consented to. What a Client asks of a sign-in is met when a person signs in, not afterwards.
 */
export function promptsFor({ store }: ProviderParts) {
  const policy = interactionPolicy.base();
  const { Check } = interactionPolicy;
  policy.get('login')?.checks.add(
    new Check('client_signed_out', 'sign-in at this client was ended', 'login_required', async (ctx) => {
      const { client, session } = ctx.oidc;
      if (client === undefined || session?.accountId === undefined) return Check.NO_NEED_TO_PROMPT;
      // Signed in just now, in an Interaction that bears the Client's epoch: no clock is needed to know that it is fresh.
      if (signedInJustNow(ctx)) return Check.NO_NEED_TO_PROMPT;
      const endedAt = await store.revocations.signedOutAt(`client:${client.clientId}`);
      const { signedInAt = 0 } = session as CurfewSession;
      return endedAt !== null && signedInAt <= endedAt.getTime() ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
  );
  policy.get('login')?.checks.add(
    new Check(
      'device_signed_out',
      'sign-in at this client was ended in this browser',
      'login_required',
      async (ctx) => {
        const { client, session, grant } = ctx.oidc;
        const ended = client === undefined ? undefined : session?.grantIdFor(client.clientId);
        // A Grant that was found is alive; only one that was not can have been signed out.
        if (ended === undefined || grant?.jti === ended || signedInJustNow(ctx)) return Check.NO_NEED_TO_PROMPT;
        const signedOutAt = await store.revocations.signedOutAt(`grant:${ended}`);
        return signedOutAt === null ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
      },
    ),
  );
  // The library compares values one by one, and asks for ever where a higher one is as good.
  for (const check of ['essential_acr', 'essential_acrs']) policy.get('login')?.checks.remove(check);
  policy.get('login')?.checks.add(
    new Check('acr_not_met', 'a second factor is asked for', 'login_required', (ctx) => {
      const { client, session, params } = ctx.oidc;
      if (session?.accountId === undefined || signedInJustNow(ctx)) return Check.NO_NEED_TO_PROMPT;
      const asked = askedFor({
        acrValues: params?.['acr_values'],
        clientRequires: client?.['require_second_factor'] === true,
      });
      return asked === null || meets(session.acr, asked) ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
    }),
  );
  const consent = policy.get('consent');
  const native = consent?.checks.get('native_client_prompt');
  if (consent && native) {
    consent.checks.remove('native_client_prompt');
    consent.checks.add(
      new Check('native_client_prompt', native.description, native.error ?? 'interaction_required', (ctx) =>
        ctx.oidc.client?.['first_party'] === true ? Check.NO_NEED_TO_PROMPT : native.check(ctx),
      ),
    );
  }
  return policy;
}
