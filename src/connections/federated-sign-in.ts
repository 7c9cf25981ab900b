/**
 * Whether a person whom a provider vouched for may come in, and as whom.
 *
 * Invariant: nobody comes back silently. Every epoch the sign-in will stand on is noted before the Account is looked at, so
 * a Sign-out that comes later ends it; and after one that came before, only an authentication upstream that is younger than
 * it, in an attempt that began after it, is good enough: else the person is sent there once more, with a fresh sign-in
 * demanded and verified. No Account is ever found by an e-mail address: one that has the same is told to be signed in to first.
 */
import type { Accounts } from '../accounts/accounts.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { AccountRecord, ScopeKey, Stamps } from '../store/records.ts';
import { type AdmissionRefusal, type AdmissionPolicy, admit } from './admission.ts';
import type { Attempt } from './attempts.ts';
import type { ConnectionSettings } from './connections.ts';
import type { Identities } from './identities.ts';
import type { UpstreamSessions } from './upstream-sessions.ts';
import type { Vouched } from './vouched.ts';

export type Outcome =
  | { readonly kind: 'signed-in'; readonly accountId: string; readonly admin: boolean; readonly created: boolean }
  /** The proof is older than a Sign-out: ask once more, with force. */
  | { readonly kind: 'stale' }
  /** An account has this e-mail address, and the provider is trusted for it: its owner may link after signing in to it. */
  | { readonly kind: 'link-first'; readonly accountId: string }
  /** `rule`: which one keeps them out, where there is more to say than that they are not admitted. */
  | { readonly kind: 'refused'; readonly why: FederationRefusal; readonly rule?: AdmissionRefusal };

export type FederationRefusal =
  | 'not-admitted'
  | 'no-account'
  | 'account-closed'
  | 'another-account'
  | 'identity-taken'
  | 'email-missing'
  | 'email-taken'
  | 'session-ended'
  | 'connection-closed';

export type FederatedSignIn = {
  resolve(attempt: Attempt, vouched: Vouched, noteEpochs: (epochs: Stamps) => void): Promise<Outcome>;
  /**
   * Links somebody who has proved that the account is theirs (`link-first`), and signs them in. `standing`: the Account's
   * epoch and everyone's, seen before the proof was looked at; a Sign-out that has come since is not to find a new way in
   * added behind its back.
   */
  link(
    attempt: Attempt,
    vouched: Vouched,
    account: Pick<AccountRecord, 'id' | 'admin'> & { readonly standing: Stamps },
  ): Promise<Outcome>;
};

export function createFederatedSignIn({
  identities,
  accounts,
  revocations,
  settingsOf,
  upstreamSessions,
}: {
  readonly identities: Identities;
  readonly accounts: Accounts;
  readonly revocations: Pick<RevocationRepository, 'epochs' | 'signedOutAt'>;
  /** Null for a connection that is not configured any more. */
  readonly settingsOf: (connectionId: string) => ConnectionSettings | null;
  readonly upstreamSessions: UpstreamSessions;
}): FederatedSignIn {
  const refused = (why: FederationRefusal): Outcome => ({ kind: 'refused', why });

  /** Whether the proof is younger than everything that has ended access since. */
  const isFresh = async (attempt: Attempt, vouched: Vouched, scopes: readonly ScopeKey[]): Promise<boolean> => {
    const ended = await Promise.all(scopes.map((scope) => revocations.signedOutAt(scope)));
    return ended.every((at) => at === null || isSince(at, attempt, vouched));
  };

  /**
   * Noted before it is looked for among those that have ended; whoever ends one does it the other way round. So of a sign-in
   * and a sign-out at the same time at least one sees the other. That goes for the session and for either name of the person:
   * the provider's sign-out may have known of no account yet, and then it raised nothing.
   */
  const stillOpen = async (attempt: Attempt, vouched: Vouched, outcome: Outcome): Promise<Outcome> => {
    if (outcome.kind !== 'signed-in') return outcome;
    const { connectionId, subject } = vouched;
    const session = identities.upstreamSessionOf(connectionId, vouched.upstreamSession);
    const logoutName = identities.logoutNameOf(connectionId, vouched.logoutName);
    for (const upstream of [session, logoutName]) {
      if (upstream !== null) await upstreamSessions.note(upstream, outcome.accountId);
    }
    if (session !== null && (await upstreamSessions.endedAt(session)) !== null) return refused('session-ended');
    const endedAt = await upstreamSessions.endedAt(logoutName ?? identities.indexOf(connectionId, subject));
    return endedAt === null || isSince(endedAt, attempt, vouched) ? outcome : { kind: 'stale' };
  };

  const create = async (
    settings: ConnectionSettings,
    vouched: Vouched,
    noteEpochs: (epochs: Stamps) => void,
  ): Promise<Outcome> => {
    const { email, emailVerified } = vouched.claims;
    if (email === undefined) return refused('email-missing');
    const believed = settings.trustEmail && emailVerified;
    if (believed) {
      const owner = await accounts.resolve(email);
      if (owner !== null) return { kind: 'link-first', accountId: owner.id };
    }
    for (const username of usernamesFor(vouched)) {
      const made = await accounts.create({
        username,
        email,
        emailIdentifies: believed,
        emailVerified: believed,
        identityFor: () => identities.recordOf(vouched),
      });
      if ('account' in made) {
        // As it is made: whoever signs it out from here on ends this as well.
        noteEpochs({ [`account:${made.account.id}`]: 0 });
        return { kind: 'signed-in', accountId: made.account.id, admin: false, created: true };
      }
      if (made.refused === 'bad-email') return refused('email-missing');
      if (made.refused === 'email-taken') return refused('email-taken');
    }
    return refused('email-taken');
  };

  const notLinked = (why: 'taken' | 'unknown' | 'stale'): Outcome =>
    why === 'stale' ? { kind: 'stale' } : refused(why === 'taken' ? 'identity-taken' : 'account-closed');

  const signedIn = (account: AccountRecord | null): Outcome =>
    account?.status === 'active'
      ? { kind: 'signed-in', accountId: account.id, admin: account.admin, created: false }
      : refused('account-closed');

  const signIn: FederatedSignIn = {
    async resolve(attempt, vouched, noteEpochs) {
      const settings = settingsOf(attempt.connectionId);
      if (settings === null) return refused('connection-closed');
      const scopes = identities.scopesOf(vouched);
      const before = await revocations.epochs(['everyone', ...scopes]);
      const { everyone = 0 } = before;
      noteEpochs(before);
      const admission = admit({ person: vouched.claims, policy: admissionOf(settings) });
      if ('refused' in admission) return { kind: 'refused', why: 'not-admitted', rule: admission.refused };

      const known = await identities.find(vouched);
      if (attempt.purpose.kind !== 'sign-in' && known !== null && known.id !== attempt.purpose.accountId) {
        return refused(attempt.purpose.kind === 'link' ? 'identity-taken' : 'another-account');
      }
      const accountId = known?.id ?? (attempt.purpose.kind === 'link' ? attempt.purpose.accountId : null);
      if (accountId === null) {
        const beforeAccount: ScopeKey[] = ['everyone', ...scopes];
        if (!(await isFresh(attempt, vouched, beforeAccount))) return { kind: 'stale' };
        if (attempt.purpose.kind === 'confirm') return refused('another-account');
        if (!settings.createAccounts) return refused('no-account');
        const made = await create(settings, vouched, noteEpochs);
        // Of two first sign-ins at once the other has made it, and this one is not the first.
        if (made.kind !== 'signed-in' && (await identities.find(vouched)) !== null) {
          return signIn.resolve(attempt, vouched, noteEpochs);
        }
        return stillOpen(attempt, vouched, made);
      }
      const account: ScopeKey = `account:${accountId}`;
      const seen = await revocations.epochs([account]);
      noteEpochs(seen);
      if (!(await isFresh(attempt, vouched, ['everyone', account, ...scopes]))) return { kind: 'stale' };
      if (attempt.purpose.kind === 'link') {
        const linked = await identities.link(accountId, vouched, { everyone, ...seen });
        if (linked !== 'linked') return notLinked(linked);
      }
      // Read again, now that the epochs are noted: an older copy may say active, or linked.
      const present = await identities.find(vouched);
      if (present?.id !== accountId) return refused('account-closed');
      if (present.status === 'active') await identities.noteUse(vouched);
      return stillOpen(attempt, vouched, signedIn(present));
    },
    async link(attempt, vouched, { id, admin, standing }) {
      const linked = await identities.link(id, vouched, standing);
      if (linked !== 'linked') return notLinked(linked);
      return stillOpen(attempt, vouched, { kind: 'signed-in', accountId: id, admin, created: false });
    },
  };
  return signIn;
}

/** Whether somebody was asked, and has proved who they are, after an instant at which access ended. */
function isSince(endedAt: Date, { requestedAt, forced }: Attempt, { authenticatedAt }: Vouched): boolean {
  if (requestedAt <= endedAt) return false;
  // Demanded and verified when the answer came in; or the provider cannot prove it, and an operator accepted that.
  return forced || (authenticatedAt !== null && authenticatedAt > endedAt);
}

/** In a configuration an empty list is no rule; a rule that lets in nobody has no use there. */
function admissionOf({ admit: { emailDomains, groups } }: ConnectionSettings): AdmissionPolicy {
  return {
    ...(emailDomains.length > 0 && { emailDomains }),
    ...(groups.length > 0 && { groups }),
  };
}

const MOST_NAMES = 20;

/** Names to try, from what the provider calls the person: as it is, then numbered. */
function* usernamesFor({ claims }: Vouched): Generator<string> {
  const wanted = claims.username ?? claims.email?.split('@')[0] ?? '';
  const name =
    wanted
      .split('@')[0]
      ?.replaceAll(/[^A-Za-z0-9._-]/g, '')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 56) || 'member';
  yield name;
  for (let nth = 2; nth <= MOST_NAMES; nth += 1) yield `${name}-${nth}`;
}
