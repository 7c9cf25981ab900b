/** What both kinds of connection do, each in its own protocol. Verification is theirs; attempts, people and stores are not. */
import type { Attempt } from './attempts.ts';
import type { SignOutQuestion } from './upstream-answers.ts';
import type { UpstreamLogout, Vouched } from './vouched.ts';

/** How a browser gets to the provider. */
export type Departure =
  | { readonly kind: 'redirect'; readonly location: string }
  /** A form to be submitted as it is. */
  | { readonly kind: 'post'; readonly action: string; readonly fields: Readonly<Record<string, string>> };

/** Why an answer leads nowhere; `detail` is for the log. */
export type ArrivalRefusal =
  'unreachable' | 'unprovable' | 'declined' | 'unsolicited' | 'unknown-attempt' | 'not-verified';

export type Refused = { readonly refused: ArrivalRefusal; readonly detail: string };

/** Something an operator can look at, and how it is. */
export type Finding = {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly found: string;
  /** What to do about it, where something can be done. */
  readonly fix?: string;
};

/** What to do about a provider that cannot be reached, whatever it speaks. */
export const REACH =
  'see that the provider runs, and that its name, network and certificate are right from this machine; an address of a private network must be in outbound.allow';

export type UpstreamProtocol = {
  depart(attempt: Attempt): Promise<Departure | Refused>;
  test(): Promise<readonly Finding[]>;
  /**
   * Where a person signs out of the provider itself; null where that cannot be done. `question`: how its answer will be
   * known, in a protocol that has answers.
   */
  signOutUrl(logout: UpstreamLogout, question: () => Promise<SignOutQuestion>): Promise<string | null>;
};

/** A provider's word that somebody has signed out there: the people and sessions it is about. */
export type UpstreamSignOut = {
  /** Unique among everything this provider ever says: heard twice, it is done once. */
  readonly issuer: string;
  readonly id: string;
  readonly rememberUntil: Date;
  readonly subject: string | null;
  /** Where it names the person otherwise than by `subject` (vouched.ts). */
  readonly logoutName: string | null;
  /** None: every session of the person. */
  readonly upstreamSessions: readonly string[];
};

export type Answered = Vouched | Refused;
