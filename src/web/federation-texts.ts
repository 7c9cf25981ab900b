/** Why a sign-in through a provider, or a sign-out of it, came to nothing, as the person who meets it needs to hear it. */
import type { ArrivalRefusal } from '../connections/connections.ts';
import type { FederationRefusal } from '../connections/federated-sign-in.ts';
import type { SignOutOutcome } from '../connections/upstream-answers.ts';
import type { Texts } from '../languages/en.ts';
import type { SignedOutView } from './views.ts';

export type Explained = { readonly status: number; readonly message: string; readonly next: string };

const REFUSAL_STATUS: Readonly<Record<FederationRefusal, number>> = {
  'not-admitted': 403,
  'no-account': 403,
  'account-closed': 403,
  'another-account': 403,
  'identity-taken': 409,
  'email-missing': 403,
  'email-taken': 409,
  'session-ended': 403,
  'connection-closed': 403,
};

export function explainRefusal(why: FederationRefusal, name: string, { federation }: Texts): Explained {
  const { message, next } = federation.refusals[why];
  return { status: REFUSAL_STATUS[why], message: message(name), next: next(name) };
}

const ARRIVALS = {
  unreachable: { status: 503, words: 'unreachable' },
  unprovable: { status: 403, words: 'unprovable' },
  declined: { status: 403, words: 'declined' },
  unsolicited: { status: 400, words: 'unknown' },
  'unknown-attempt': { status: 400, words: 'unknown' },
  'not-verified': { status: 400, words: 'not-verified' },
} as const satisfies Readonly<Record<ArrivalRefusal, unknown>>;

export function explainArrival(why: ArrivalRefusal, name: string, { federation }: Texts): Explained {
  const { status, words } = ARRIVALS[why];
  const { message, next } = federation.arrivals[words];
  return { status, message: message(name), next: next(name) };
}

/** What a provider answered when it was asked to sign somebody out as well. Here they are signed out in any case. */
export function explainSignOutAnswer(
  outcome: SignOutOutcome,
  name: string,
  { signedOut }: Texts,
): SignedOutView['notice'] {
  return { tone: outcome === 'everywhere' ? 'success' : 'warning', text: signedOut.answers[outcome](name) };
}
