/**
 * A browser's Session outside the protocol: reading it for a person's own pages, and signing in to them directly.
 *
 * Invariant: a sign-in always gets a new identifier (session fixation), and a browser that changes hands ends the former
 * person's Session through the one door first.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';

import type { Clock } from '../platform/clock.ts';
import { type Assurance, meets } from './assurance.ts';
import { authTimeOf, noteProof, type SignInProof, type UpstreamSession } from './lineage.ts';
import { sessionSeconds } from './provider.ts';
import type { CurfewSession } from './provider-parts.ts';
import { sessionCookie } from './session-cookie.ts';

type RequestContext = Pick<KoaContextWithOIDC, 'req' | 'res' | 'cookies'>;

/** Who is signed in to this browser, and since when. */
export type SignedIn = {
  readonly accountId: string;
  readonly sessionUid: string;
  readonly signedInAt: Date;
  /** When they proved who they are: a provider may have remembered that for long. */
  readonly authenticatedAt: Date;
  /** How sure it is: one factor, or two. */
  readonly acr: Assurance;
  /** The provider they came through. */
  readonly upstream?: UpstreamSession | undefined;
};

export type BrowserSessions = {
  current(ctx: RequestContext): Promise<SignedIn | null>;
  signIn(
    ctx: RequestContext,
    proven: { accountId: string; amr: readonly string[]; acr: Assurance; proof: SignInProof },
  ): Promise<SignedIn>;
  /** Somebody signed in has shown a second factor as well: from now on their Session says so. */
  strengthen(ctx: RequestContext, amr: readonly string[]): Promise<void>;
  /** Forgets the cookie. Access was ended by a Sign-out; this is for the browser's tidiness. */
  forget(ctx: RequestContext): void;
};

export function createBrowserSessions({
  provider,
  clock,
  endBrowserSession,
  issuer,
}: {
  readonly provider: () => Provider;
  readonly clock: Clock;
  readonly endBrowserSession: (session: { uid: string; accountId: string }) => Promise<void>;
  readonly issuer: string;
}): BrowserSessions {
  const cookie = sessionCookie(issuer);
  const load = async (ctx: RequestContext): Promise<CurfewSession> => provider().Session.get(ctx as KoaContextWithOIDC);

  const keep = async (ctx: RequestContext, session: CurfewSession): Promise<void> => {
    const seconds = sessionSeconds(session, clock);
    await session.save(seconds);
    // Another tab may have given the Session a new identifier meanwhile: that one's cookie is the good one.
    if ((await provider().Session.find(session.jti)) === undefined) return;
    ctx.cookies.set(provider().cookieName('session'), session.jti, { ...cookie, maxAge: seconds * 1000 });
  };
  /** Using one's own pages is using the Session: a tenth of its idle time gone by, it is given all of it again. */
  const renew = async (ctx: RequestContext, session: CurfewSession): Promise<void> => {
    const left = (session.exp ?? 0) - clock.now().getTime() / 1000;
    if (left < 0.9 * sessionSeconds(session, clock)) await keep(ctx, session);
  };

  return {
    async current(ctx) {
      const session = await load(ctx);
      if (session.accountId === undefined) return null;
      await renew(ctx, session);
      return {
        accountId: session.accountId,
        sessionUid: session.uid,
        ...instantsOf(session),
        acr: meets(session.acr, 'aal2') ? 'aal2' : 'aal1',
        upstream: session.upstream,
      };
    },
    async signIn(ctx, { accountId, amr, acr, proof }) {
      noteProof(proof);
      let session = await load(ctx);
      if (session.accountId !== undefined && session.accountId !== accountId) {
        await endBrowserSession({ uid: session.uid, accountId: session.accountId });
        session = new (provider().Session)();
      } else if (session.accountId === undefined) {
        session = new (provider().Session)();
      } else {
        session.resetIdentifier();
      }
      session.loginAccount({ accountId, amr: [...amr], acr, loginTs: authTimeOf(proof) });
      await keep(ctx, session);
      return { accountId, sessionUid: session.uid, acr, ...instantsOf(session) };
    },
    async strengthen(ctx, amr) {
      const session = await load(ctx);
      if (session.accountId === undefined) return;
      session.acr = 'aal2';
      session.amr = [...new Set([...(session.amr ?? []), ...amr, 'mfa'])];
      await keep(ctx, session);
    },
    forget(ctx) {
      ctx.cookies.set(provider().cookieName('session'), null, cookie);
    },
  };
}

function instantsOf({ signedInAt, authenticatedAt, loginTs = 0 }: CurfewSession) {
  const signedIn = signedInAt ?? loginTs * 1000;
  return { signedInAt: new Date(signedIn), authenticatedAt: new Date(authenticatedAt ?? signedIn) };
}
