/**
 * A provider's sign-out, carried out here: whatever came through the person or session it names ends, and every Client is
 * told.
 *
 * Invariant: what a provider said is done before it is remembered as heard, under an id derived from what was said; so a
 * process that dies in between loses nothing, and hearing it again does nothing again. It reaches what came through that
 * very Connection, and nobody's other sign-ins. What it names is marked as ended before anybody looks whose it is: a sign-in
 * that is on its way meanwhile is to find the mark (federated-sign-in.ts).
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
  const ownerOf = async (subject: string): Promise<readonly string[]> => {
    const found = await accounts.findByIdentity(subject);
    return found === null ? [] : [found.account.id];
  };

  /** Whatever came through a person. */
  const byName = async (connectionId: string, { subject, logoutName }: UpstreamSignOut): Promise<SignOutScope[]> => {
    const [index, name] = namesOf(connectionId, { subject, logoutName });
    if (index !== null) {
      await sessions.end(index);
      const owners = await ownerOf(index);
      return owners.map((accountId) => ({ kind: 'identity', accountId, connectionId, subject: index }));
    }
    if (name === null) return [];
    await sessions.end(name);
    const noted = await sessions.accountsOf(name);
    return noted.map((accountId) => ({ kind: 'upstream', accountId, connectionId, upstreamSession: name }));
  };

  /** Whatever came through sessions of a person, if one is named as well. */
  const bySession = async (connectionId: string, said: UpstreamSignOut): Promise<SignOutScope[]> => {
    const [index, name] = namesOf(connectionId, said);
    const named = [
      ...(index === null ? [] : await ownerOf(index)),
      ...(name === null ? [] : await sessions.accountsOf(name)),
    ];
    const scopes = await Promise.all(
      said.upstreamSessions.map(async (session): Promise<SignOutScope[]> => {
        const upstreamSession = identities.upstreamSessionOf(connectionId, session);
        if (upstreamSession === null) return [];
        await sessions.end(upstreamSession);
        const noted = await sessions.accountsOf(upstreamSession);
        const theirs = noted.length === 0 ? named : noted;
        return theirs
          .filter((accountId) => named.length === 0 || named.includes(accountId))
          .map((accountId) => ({ kind: 'upstream', accountId, connectionId, upstreamSession }));
      }),
    );
    return scopes.flat();
  };

  const namesOf = (connectionId: string, { subject, logoutName }: Pick<UpstreamSignOut, 'subject' | 'logoutName'>) =>
    [
      subject === null ? null : identities.indexOf(connectionId, subject),
      identities.logoutNameOf(connectionId, logoutName),
    ] as const;

  return async ({ id: connectionId, name }, said) => {
    const key = hash(
      'sha256',
      `UpstreamSignOutHeard:${JSON.stringify([connectionId, said.issuer, said.id])}`,
      'buffer',
    );
    if ((await artifacts.find(key, clock.now())) !== null) return 'heard-before';
    const scopes = await (said.upstreamSessions.length === 0 ? byName : bySession)(connectionId, said);
    for (const [nth, scope] of scopes.entries()) {
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
