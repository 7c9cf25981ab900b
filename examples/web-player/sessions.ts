/**
 * The player's own sessions, in memory, one for each browser that signed in. The invariant: once a session has ended
 * nothing brings it back, neither a refresh that was under way nor a sign-in that was overtaken by a logout notice.
 */
import { randomBytes } from 'node:crypto';

export type PlayerSession = {
  readonly id: string;
  readonly sub: string;
  /** The issuer's name for this sign-in, by which a logout notice ends it and no other. */
  readonly sid: string | undefined;
  readonly name: string;
  tokens: Tokens;
  refreshedAt: Date;
  /** Why the last refresh did not work out, for the page. */
  trouble?: string | undefined;
  /** The one refresh under way: a refresh token is spent by its first use. */
  refreshing?: Promise<void> | undefined;
};

export type Tokens = {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string | undefined;
  idToken: string;
};

/** Whom a logout notice names: with a `sid` one sign-in, with only a `sub` everything that person has here. */
export type Named = { sub: string | undefined; sid: string | undefined };

type NewSession = Pick<PlayerSession, 'sub' | 'sid' | 'name' | 'tokens'> & { exchangeStartedAt: Date };

const NOTICE_KEPT_MS = 5 * 60_000;

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions({ now }: { now: () => Date }) {
  const sessions = new Map<string, PlayerSession>();
  let notices: (Named & { at: Date })[] = [];

  return {
    find: (id: string | undefined): PlayerSession | undefined => (id ? sessions.get(id) : undefined),

    /** Nothing if a logout notice for this sign-in came in while its code was being exchanged. */
    start({ exchangeStartedAt, ...person }: NewSession): PlayerSession | undefined {
      if (notices.some((notice) => notice.at >= exchangeStartedAt && isNamed(person, notice))) return undefined;
      const session: PlayerSession = { id: randomBytes(32).toString('base64url'), ...person, refreshedAt: now() };
      sessions.set(session.id, session);
      return session;
    },

    isLive: (session: PlayerSession): boolean => sessions.get(session.id) === session,

    end: (session: PlayerSession): boolean => sessions.delete(session.id),

    endNamed(named: Named): number {
      const at = now();
      notices = [...notices.filter((notice) => at.getTime() - notice.at.getTime() < NOTICE_KEPT_MS), { ...named, at }];
      const ended = [...sessions.values()].filter((session) => isNamed(session, named));
      for (const session of ended) sessions.delete(session.id);
      return ended.length;
    },
  };
}

function isNamed(session: { sub: string; sid: string | undefined }, { sub, sid }: Named): boolean {
  if (sub !== undefined && session.sub !== sub) return false;
  if (sid === undefined) return sub !== undefined;
  // A session of this person whose sid was never told cannot be ruled out: rather one sign-in too many ended.
  return session.sid === sid || (session.sid === undefined && sub !== undefined);
}
