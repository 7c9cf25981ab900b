/**
 * A provider's sign-out, carried out here: whatever came through the person or session it names ends, and every Client is
 * told.
 *
 * Invariant: what a provider said is done before it is remembered as heard, under an id derived from what was said; so a
 * process that dies in between loses nothing, and hearing it again does nothing again. It reaches what came through that
 * very Connection, and nobody's other sign-ins.
 */
import { createHash, hash } from 'node:crypto';

import type { Clock } from '../platform/clock.ts';
import type { SignOuts } from '../revocation/sign-out.ts';
import type { AccountRepository, ArtifactRepository } from '../store/port.ts';
import type { SignOutScope } from '../store/records.ts';
import type { Identities } from './identities.ts';
import type { UpstreamSignOut } from './protocol.ts';
import type { UpstreamSessions } from './upstream-sessions.ts';

export type InboundLogout = (
  connection: { readonly id: string; readonly name: string },
  said: UpstreamSignOut,
) => Promise<'done' | 'heard-before'>;

export function createInboundLogout({
  artifacts,
  accounts,
  identities,
  sessions,
  signOuts,
  clock,
}: {
  readonly artifacts: ArtifactRepository;
  readonly accounts: AccountRepository;
  readonly identities: Identities;
  readonly sessions: UpstreamSessions;
  readonly signOuts: Pick<SignOuts, 'signOut'>;
  readonly clock: Clock;
}): InboundLogout {
  const scopesOf = async (connectionId: string, said: UpstreamSignOut): Promise<SignOutScope[]> => {
    const subject = said.subject === null ? null : identities.indexOf(connectionId, said.subject);
    const owner = subject === null ? null : ((await accounts.findByIdentity(subject))?.account.id ?? null);
    if (said.upstreamSessions.length === 0) {
      return subject === null || owner === null ? [] : [{ kind: 'identity', accountId: owner, connectionId, subject }];
    }
    const named = await Promise.all(
      said.upstreamSessions.map(async (session): Promise<SignOutScope[]> => {
        const upstreamSession = identities.upstreamSessionOf(connectionId, session);
        if (upstreamSession === null) return [];
        // Before its owner is looked for: a sign-in by it that is on its way is to be turned away.
        await sessions.end(upstreamSession);
        const accountId = (await sessions.accountOf(upstreamSession)) ?? owner;
        if (accountId === null || (owner !== null && owner !== accountId)) return [];
        return [{ kind: 'upstream', accountId, connectionId, upstreamSession }];
      }),
    );
    return named.flat();
  };

  return async ({ id: connectionId, name }, said) => {
    const key = hash(
      'sha256',
      `UpstreamSignOutHeard:${JSON.stringify([connectionId, said.issuer, said.id])}`,
      'buffer',
    );
    if ((await artifacts.find(key, clock.now())) !== null) return 'heard-before';
    for (const [nth, scope] of (await scopesOf(connectionId, said)).entries()) {
      await signOuts.signOut({
        id: derivedId(connectionId, said, nth),
        scope,
        reason: `Signed out at ${name}`,
        actor: { kind: 'system' },
      });
    }
    const expiresAt = said.rememberUntil;
    const heard = { model: 'UpstreamSignOutHeard', key, payload: '{}', stamps: {}, expiresAt };
    return (await artifacts.insert(heard, clock.now())) ? 'done' : 'heard-before';
  };
}

function derivedId(connectionId: string, { issuer, id }: UpstreamSignOut, nth: number): string {
  return createHash('sha256')
    .update(JSON.stringify([connectionId, issuer, id, nth]))
    .digest('base64url')
    .slice(0, 22);
}
