/**
 * Who is signed in to the company in which browser: one session for both protocols and for its own page, the provider's.
 * The invariant: a session that has ended is gone before anybody is told, so that none of them can be let in by it again.
 */
import type { Request, Response } from 'express';
import type { Provider } from 'oidc-provider';
import type { People, Person } from './people.ts';
import { SESSION_SECONDS } from './provider.ts';
import type { Told } from './sign-outs.ts';

type Session = Awaited<ReturnType<Provider['Session']['get']>>;
export type SignedIn = { readonly person: Person; readonly session: Session; readonly since: Date };

/** A client as the library has it; its types leave out how it is told of a sign-out. */
type Tellable = {
  readonly clientName?: string;
  readonly clientId: string;
  readonly backchannelLogoutUri?: string;
  backchannelLogout(sub: string | undefined, sid: string | undefined): Promise<void>;
};

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions({ provider, people }: { readonly provider: Provider; readonly people: People }) {
  const cookieName = provider.cookieName('session');

  function signedIn(session: Session | undefined): SignedIn | undefined {
    const person = people.find(session?.accountId);
    return session && person && { session, person, since: new Date((session.loginTs ?? 0) * 1000) };
  }

  const clientsOf = async (session: Session): Promise<Tellable[]> => {
    const ids = Object.keys(session.authorizations ?? {});
    const clients = await Promise.all(ids.map((id) => provider.Client.find(id)));
    return clients.filter((client) => client !== undefined) as unknown as Tellable[];
  };

  async function tell(client: Tellable, session: Session): Promise<Told> {
    const told = { who: client.clientName ?? client.clientId, by: 'OpenID Connect, at its back channel' };
    return client.backchannelLogout(session.accountId, session.sidFor(client.clientId)).then(
      () => ({ ...told, answer: 'accepted' }),
      (error: Error & { response?: { status: number } }) => ({
        ...told,
        answer: error.response ? `refused with status ${error.response.status}` : 'not reached',
      }),
    );
  }

  return {
    async current(req: Request, res: Response): Promise<SignedIn | undefined> {
      return signedIn(await provider.Session.get(provider.createContext(req, res)));
    },

    find: async (uid: string): Promise<SignedIn | undefined> => signedIn(await provider.Session.findByUid(uid)),

    async signIn(req: Request, res: Response, person: Person): Promise<SignedIn> {
      const ctx = provider.createContext(req, res);
      const found = await provider.Session.get(ctx);
      // Every sign-in gets an identifier that nobody has seen before (session fixation).
      const session = found.accountId === person.sub ? found : new provider.Session();
      if (session === found) session.resetIdentifier();
      session.loginAccount({ accountId: person.sub, amr: ['pwd'] });
      await session.save(SESSION_SECONDS);
      ctx.cookies.set(cookieName, session.jti, { httpOnly: true, sameSite: 'lax', overwrite: true });
      return { session, person, since: new Date() };
    },

    /** The names of the applications that were entered with it. */
    async applications({ session }: SignedIn): Promise<string[]> {
      return (await clientsOf(session)).map(({ clientName, clientId }) => clientName ?? clientId);
    },

    /** Ends a session, and tells the applications that were entered with it. */
    async end({ session }: SignedIn): Promise<Told[]> {
      const clients = await clientsOf(session);
      await session.destroy();
      return Promise.all(
        clients
          .filter(({ backchannelLogoutUri }) => backchannelLogoutUri !== undefined)
          .map((client) => tell(client, session)),
      );
    },
  };
}
