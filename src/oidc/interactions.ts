/**
 * Finishing what an authorization request asked of a person: signing in, consenting, or declining.
 *
 * The result is kept in the Interaction and the person is sent back to the authorization endpoint; nothing here issues
 * anything. An Interaction that a Sign-out ended is not found, and the person is told to start again.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';

import type { Assurance } from './assurance.ts';
import { authTimeOf, noteProof, type SignInProof } from './lineage.ts';

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;
type RequestContext = Pick<KoaContextWithOIDC, 'req' | 'res'>;

/** What is still to be granted, as the person is asked: scopes of OpenID Connect and of resources. */
export type Asked = { readonly scopes: readonly string[]; readonly offline: boolean };

export type Interactions = {
  /** The Interaction this browser is in; null when there is none, or it was ended. */
  current(ctx: RequestContext): Promise<Interaction | null>;
  asked(interaction: Interaction): Asked;
  /** Resolves to where the browser continues. */
  signedIn(
    ctx: RequestContext,
    proven: { accountId: string; amr: readonly string[]; acr: Assurance; proof: SignInProof },
  ): Promise<string>;
  allowed(ctx: RequestContext, interaction: Interaction): Promise<string>;
  denied(ctx: RequestContext): Promise<string>;
};

type ConsentDetails = {
  missingOIDCScope?: string[];
  missingOIDCClaims?: string[];
  missingResourceScopes?: Record<string, string[]>;
};

/** `provider` is asked for each time, since a rotation of keys replaces it. */
export function createInteractions(provider: () => Provider): Interactions {
  return {
    async current(ctx) {
      try {
        return await provider().interactionDetails(ctx.req, ctx.res);
      } catch (fault) {
        if (fault instanceof errors.SessionNotFound) return null;
        throw fault;
      }
    },
    asked({ prompt, params }) {
      const details = prompt.details as ConsentDetails;
      const scopes = [
        ...(details.missingOIDCScope ?? []),
        ...Object.values(details.missingResourceScopes ?? {}).flat(),
      ];
      const shown =
        scopes.length > 0 ? scopes : (typeof params['scope'] === 'string' ? params['scope'] : 'openid').split(' ');
      return { scopes: shown.filter((scope) => scope !== 'offline_access'), offline: shown.includes('offline_access') };
    },
    signedIn(ctx, { accountId, amr, acr, proof }) {
      noteProof(proof);
      return provider().interactionResult(
        ctx.req,
        ctx.res,
        {
          login: { accountId, amr: [...amr], acr, ts: authTimeOf(proof), remember: true },
          curfew: proof,
        },
        { mergeWithLastSubmission: false },
      );
    },
    async allowed(ctx, { grantId, session, params, prompt }) {
      const clientId = String(params['client_id']);
      const accountId = session?.accountId;
      if (accountId === undefined) throw new errors.SessionNotFound('nobody is signed in');
      const found = grantId === undefined ? undefined : await provider().Grant.find(grantId);
      const grant = found ?? new (provider().Grant)({ accountId, clientId });
      const details = prompt.details as ConsentDetails;
      if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
      if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
      for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
        grant.addResourceScope(resource, scopes.join(' '));
      }
      const consent = { grantId: await grant.save() };
      return provider().interactionResult(ctx.req, ctx.res, { consent }, { mergeWithLastSubmission: true });
    },
    denied(ctx) {
      const result = { error: 'access_denied', error_description: 'the person declined' };
      return provider().interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
    },
  };
}
