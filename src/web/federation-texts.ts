/** Why a sign-in through a provider, or a sign-out of it, came to nothing, as the person who meets it needs to hear it. */
import type { ArrivalRefusal } from '../connections/connections.ts';
import type { FederationRefusal } from '../connections/federated-sign-in.ts';
import type { SignOutOutcome } from '../connections/upstream-answers.ts';
import type { SignedOutView } from './views.ts';

export type Explained = { readonly status: number; readonly message: string; readonly next: string };

export function explainRefusal(why: FederationRefusal, name: string): Explained {
  switch (why) {
    case 'not-admitted':
      return {
        status: 403,
        message: `${name} knows you, but this service does not let you in with that account.`,
        next: 'Use another account there, or ask whoever runs this service.',
      };
    case 'no-account':
      return {
        status: 403,
        message: `Nobody here is linked to your ${name} account.`,
        next: `Sign in another way first and link ${name} on your security page, or ask for an account.`,
      };
    case 'account-closed':
      return {
        status: 403,
        message: 'This account cannot be signed in to.',
        next: 'Ask whoever runs this service.',
      };
    case 'another-account':
      return {
        status: 403,
        message: `You came back from ${name} as somebody else.`,
        next: `Sign in there as the person whose account this is, and try again.`,
      };
    case 'identity-taken':
      return {
        status: 409,
        message: `That ${name} account signs in to another account here.`,
        next: 'Unlink it there first, or use another one.',
      };
    case 'email-missing':
      return {
        status: 403,
        message: `${name} did not tell us an e-mail address for you.`,
        next: `Allow it to, or ask whoever runs ${name}.`,
      };
    case 'email-taken':
      return {
        status: 409,
        message: `We could not make an account from what ${name} told us.`,
        next: `If you have an account here, sign in to it and link ${name} on its security page.`,
      };
    case 'session-ended':
      return {
        status: 403,
        message: `${name} has signed you out since.`,
        next: 'Sign in again.',
      };
    case 'connection-closed':
      return {
        status: 403,
        message: 'Signing in this way is not possible here any more.',
        next: 'Sign in another way, or ask whoever runs this service.',
      };
  }
}

export function explainArrival(why: ArrivalRefusal, name: string): Explained {
  switch (why) {
    case 'unreachable':
      return {
        status: 503,
        message: `${name} does not answer right now.`,
        next: 'Nothing was changed. Try again in a moment, or sign in another way.',
      };
    case 'unprovable':
      return {
        status: 403,
        message: `After a sign-out you have to sign in anew at ${name}, and it did not say that you did.`,
        next: `Sign out of ${name} itself, and try again. If it stays so, tell whoever runs this service.`,
      };
    case 'declined':
      return { status: 403, message: `${name} did not sign you in.`, next: 'Try again, or sign in another way.' };
    case 'unsolicited':
    case 'unknown-attempt':
      return {
        status: 400,
        message: 'This sign-in has expired, was finished already, or was not begun here.',
        next: 'Sign in again from the beginning.',
      };
    case 'not-verified':
      return {
        status: 400,
        message: `What ${name} answered could not be verified. You were not signed in.`,
        next: 'Sign in again. If it stays so, tell whoever runs this service, with the request number below.',
      };
  }
}

/** What a provider answered when it was asked to sign somebody out as well. Here they are signed out in any case. */
export function explainSignOutAnswer(outcome: SignOutOutcome, name: string): SignedOutView['notice'] {
  switch (outcome) {
    case 'everywhere':
      return { tone: 'success', text: `${name} has signed you out as well.` };
    case 'in-part':
      return {
        tone: 'warning',
        text: `${name} could not sign you out of everything that you had signed in to through it. Sign out there by its own page, or close your browser.`,
      };
    case 'refused':
      return {
        tone: 'warning',
        text: `${name} did not sign you out. You may still be signed in there: sign out by its own page.`,
      };
    case 'not-verified':
      return {
        tone: 'warning',
        text: `What ${name} answered could not be verified. You may still be signed in there: sign out by its own page.`,
      };
  }
}
