/**
 * A password, checked.
 *
 * Purpose: turn what somebody typed into an account id, or a word of refusal. Invariant: the account's epoch is noted
 * before its credential is even read, so a Sign-out or a new password that comes meanwhile ends what this check begins
 * (revocation.md); and an account that is unknown, disabled or without a password costs the same work, and is answered
 * in the same words, as a wrong password (CVE-2023-39522). It refuses to know Sessions, cookies and pages.
 */
import { canonicalIdentifier } from '../accounts/identifiers.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AccountRepository } from '../store/port.ts';
import type { AccountRecord } from '../store/records.ts';
import { type DemandedPasswords, laterDemand } from './demanded-passwords.ts';
import type { Overloaded, PasswordHasher } from './password-hash.ts';
import type { PasswordPolicy, ProblemWords } from './password-policy.ts';
import type { Guessed, Locked, Looked, Throttle, Throttled } from './throttle.ts';

/** `signedInAt` is when the check began: anything that ended access later ended this as well. */
export type SignedIn = { readonly accountId: string; readonly amr: readonly ['pwd']; readonly signedInAt: Date };

/** Fit to show: none of these says whether the account exists. `retryAfterSeconds` goes into `Retry-After`. */
export type SignInRefusal =
  | { readonly refused: 'wrong-credentials' }
  /** Said to whoever knows the password: it may be known to others, and lets nobody in until it is replaced by mail. */
  | { readonly refused: 'reset-required' }
  | Throttled
  | Locked
  | Overloaded;

type Attempt = {
  readonly password: string;
  /** The caller's, as far as web could tell; undefined or unreadable ones share one budget. */
  readonly address: string | undefined;
  /**
   * A device id verified for this very account, or a function that answers which one is, once the account is known. A
   * device known for some other account must not be given: it would have a budget of its own to guess with.
   */
  readonly knownDevice?: string | ((accountId: string) => string | undefined) | undefined;
  /** Aborted when the caller has gone: what still waits is then not done, and the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
};

export type SignIn = {
  /** By username or e-mail. `noteEpoch` remembers the account's epoch as it stands when it is called. */
  verifyPassword(
    attempt: Attempt & { readonly identifier: string; readonly noteEpoch: (accountId: string) => Promise<void> },
  ): Promise<SignedIn | SignInRefusal>;
  /**
   * Once more for an account already signed in: fresh authentication, changing a password. Same counters as a sign-in.
   * `verifiedHash` is the stored hash as it stands after the check: the `expected` of a following password change, so that
   * of two changes at once one is stale.
   */
  verifyAgain(
    attempt: Attempt & { readonly accountId: string; readonly noteEpoch: (accountId: string) => Promise<void> },
  ): Promise<(SignedIn & { readonly verifiedHash: string }) | SignInRefusal>;
  /** A new password, judged and hashed; storing it is the caller's, together with whatever it ends. */
  hashNewPassword(choice: {
    readonly password: string;
    readonly username: string;
    readonly email: string;
    readonly secondFactor?: boolean;
    /** What is wrong is said in these; in English without them. */
    readonly words?: ProblemWords;
    readonly signal?: AbortSignal | undefined;
  }): Promise<
    { readonly hash: string } | { readonly refused: 'bad-password'; readonly problems: readonly string[] } | Overloaded
  >;
};

/** Whether an operator has demanded another password than the present one, of this account or of everyone. */
function mustBeReset({ password, passwordResetRequiredAt }: AccountRecord, ofEveryone: Date | null): boolean {
  const demandedAt = laterDemand(passwordResetRequiredAt, ofEveryone);
  return password !== null && demandedAt !== null && password.changedAt <= demandedAt;
}

// Looked up in place of an account that is not there, so that both cost the same round trips. Too short to be an id.
const NOBODY = 'nobody';

export function createSignIn(needs: {
  readonly store: Pick<AccountRepository, 'find' | 'findByIdentifier' | 'setPassword'>;
  readonly accounts: Pick<Accounts, 'identifierIndex'>;
  readonly demands: Pick<DemandedPasswords, 'demandedAt'>;
  readonly throttle: Throttle;
  readonly hasher: PasswordHasher;
  readonly policy: PasswordPolicy;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'warn'>;
}): SignIn {
  const { store, accounts, demands, throttle, hasher, policy, clock, log } = needs;

  type Verified = SignedIn & { readonly verifiedHash: string };
  const wrong: Looked<SignInRefusal> = { verdict: 'wrong', answer: { refused: 'wrong-credentials' } };

  const lookAtStranger = async ({ password, signal }: Attempt): Promise<Looked<Verified | SignInRefusal>> => {
    // Stand in for noting the epoch and for reading the account.
    await store.find(NOBODY);
    await Promise.all([store.find(NOBODY), demands.demandedAt()]);
    const outcome = await hasher.verifyNothing(password, signal);
    return 'refused' in outcome ? { verdict: 'not-looked-at', answer: outcome } : wrong;
  };

  const lookAtAccount = async (
    accountId: string,
    { password, signal, noteEpoch }: Attempt & { noteEpoch: (accountId: string) => Promise<void> },
  ): Promise<Looked<Verified | SignInRefusal>> => {
    const signedInAt = clock.now();
    await noteEpoch(accountId);
    // Read again, now that the epoch is noted: an older copy may hold a password that has since been changed.
    const [account, ofEveryone] = await Promise.all([store.find(accountId), demands.demandedAt()]);
    const present = account?.password?.hash;
    const outcome =
      present === undefined
        ? await hasher.verifyNothing(password, signal)
        : await hasher.verify(present, password, signal);
    if ('refused' in outcome) return { verdict: 'not-looked-at', answer: outcome };
    if (!outcome.ok || account?.status !== 'active' || !account.password) return wrong;
    if (mustBeReset(account, ofEveryone)) return { verdict: 'right', answer: { refused: 'reset-required' } };
    const verifiedHash = outcome.weaker
      ? await strengthen(account.id, account.password, password)
      : account.password.hash;
    return { verdict: 'right', answer: { accountId: account.id, amr: ['pwd'], signedInAt, verifiedHash } };
  };

  // The password is known only now, so now is when a hash of older parameters can be renewed. Never a reason to refuse.
  const strengthen = async (accountId: string, present: { hash: string; changedAt: Date }, password: string) => {
    try {
      const hashed = await hasher.hash(password);
      if ('refused' in hashed) return present.hash;
      const { hash } = hashed;
      // Same password, same `changedAt`: it is not a change of password.
      const change = { accountId, hash, changedAt: present.changedAt, expected: present.hash };
      return (await store.setPassword(change)) === 'set' ? hash : present.hash;
    } catch (err) {
      log.warn({ err, accountId }, 'password.rehash-failed');
      return present.hash;
    }
  };

  const guessAt = (account: AccountRecord, { knownDevice, address }: Attempt): Guessed => ({
    address,
    authenticator: 'password',
    accountId: account.id,
    since: account.password?.changedAt ?? null,
    knownDevice: typeof knownDevice === 'function' ? knownDevice(account.id) : knownDevice,
  });

  const verify = async (
    account: AccountRecord | null,
    named: string,
    attempt: Attempt & { noteEpoch: (accountId: string) => Promise<void> },
  ): Promise<Verified | SignInRefusal> =>
    throttle.attempt<Verified | SignInRefusal>(
      account === null ? { authenticator: 'password', unknownIdentifier: named } : guessAt(account, attempt),
      async () => {
        attempt.signal?.throwIfAborted();
        return account === null ? lookAtStranger(attempt) : lookAtAccount(account.id, attempt);
      },
    );

  return {
    async verifyPassword(attempt) {
      const overdrawn = await throttle.countAddress(attempt.address);
      if (overdrawn !== null) return overdrawn;
      const account = await store.findByIdentifier(accounts.identifierIndex(attempt.identifier));
      const verified = await verify(account, `name:${canonicalIdentifier(attempt.identifier)}`, attempt);
      if ('refused' in verified) return verified;
      const { accountId, amr, signedInAt } = verified;
      return { accountId, amr, signedInAt };
    },

    async verifyAgain(attempt) {
      const overdrawn = await throttle.countAddress(attempt.address);
      if (overdrawn !== null) return overdrawn;
      return verify(await store.find(attempt.accountId), `id:${attempt.accountId}`, attempt);
    },

    async hashNewPassword({ signal, ...choice }) {
      const problems = policy.problems(choice);
      if (problems.length > 0) return { refused: 'bad-password', problems };
      const hashed = await hasher.hash(choice.password, signal);
      if ('refused' in hashed && hashed.refused === 'unusable') {
        throw new Error('the password policy let through what cannot be hashed');
      }
      return hashed;
    },
  };
}
