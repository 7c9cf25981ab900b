/** What went wrong, and what to do next, in English. */
import { text } from '../text.ts';

export const errors = {
  status: 'Status',
  request: 'Request',
  toAccount: 'Go to your account',
  toSignIn: 'Back to sign-in',
  statuses: {
    400: {
      headline: 'That request cannot be used',
      message: 'Something in it is missing, repeated or not understood.',
      next: 'Go back and try again. If an app sent you here, start again from the app.',
    },
    403: {
      headline: 'This form has expired',
      message: 'The page it came from is too old, or did not come from here. Nothing was changed.',
      next: 'Go back, reload the page and try again.',
    },
    404: {
      headline: 'There is nothing here',
      message: 'The address is wrong, or what it named is not yours to see.',
      next: 'Check the address, or go to your account.',
    },
    405: {
      headline: 'That cannot be done here',
      message: 'The address exists, but not for this kind of request.',
      next: 'Go back and try again.',
    },
    413: {
      headline: 'That is too much',
      message: 'The request is larger than anything Curfew reads.',
      next: 'Go back and send less.',
    },
    415: {
      headline: 'That request cannot be used',
      message: 'It is not a form.',
      next: 'Go back and use the form on the page.',
    },
    429: {
      headline: 'Too many attempts',
      message: 'There were too many attempts from here in a short time.',
      next: 'Wait a minute, then try again.',
    },
    500: {
      headline: 'Something went wrong here',
      message: 'Your request was not completed. It is our fault, not yours.',
      next: 'Try again. If it stays like this, tell whoever runs this service the request id below.',
    },
    503: {
      headline: 'Not right now',
      message: 'Curfew cannot reach its records, and lets nobody in on trust.',
      next: 'Try again in a moment. Nothing was lost.',
    },
  },
  startAgain: {
    headline: 'Start again',
    message: 'This sign-in has expired, was finished already, or was ended by a sign-out.',
    elsewhere:
      'This sign-in has expired, was finished already, was begun in another browser, or was ended by a sign-out.',
    next: 'Go back to the app and sign in again.',
    whereYouCameFrom: 'Go back to where you came from and sign in again.',
  },
  badRequest: {
    headline: 'The app sent a request that cannot be used',
    message: (said: string, code: string) => `What is wrong with it: ${said} (${code}).`,
    next: 'Go back to the app and try again. If it stays like this, tell the people who make the app.',
  },
};

/** Why a sign-in through a provider came to nothing. */
export const federation = {
  title: 'Not signed in',
  headline: 'You are not signed in',
  /** Which rule of who may sign in keeps somebody out. */
  rules: {
    'email-missing': 'Your organisation did not tell us your e-mail address, which decides who may sign in here.',
    'email-unverified':
      'Your organisation has not confirmed that your e-mail address is yours. Only confirmed addresses may sign in here.',
    'email-domain': 'People with an e-mail address like yours may not sign in here.',
    group: 'You are not in a group that may sign in here. Whoever runs your organisation’s accounts can add you.',
  },
  refusals: {
    'not-admitted': {
      message: (connection: string) =>
        text`${connection} knows you, but this service does not let you in with that account.`,
      next: (_connection: string) => 'Use another account there, or ask whoever runs this service.',
    },
    'no-account': {
      message: (connection: string) => text`Nobody here is linked to your ${connection} account.`,
      next: (connection: string) =>
        text`Sign in another way first and link ${connection} on your security page, or ask for an account.`,
    },
    'account-closed': {
      message: (_connection: string) => 'This account cannot be signed in to.',
      next: (_connection: string) => 'Ask whoever runs this service.',
    },
    'another-account': {
      message: (connection: string) => text`You came back from ${connection} as somebody else.`,
      next: (_connection: string) => 'Sign in there as the person whose account this is, and try again.',
    },
    'identity-taken': {
      message: (connection: string) => text`That ${connection} account signs in to another account here.`,
      next: (_connection: string) => 'Unlink it there first, or use another one.',
    },
    'email-missing': {
      message: (connection: string) => text`${connection} did not tell us an e-mail address for you.`,
      next: (connection: string) => text`Allow it to, or ask whoever runs ${connection}.`,
    },
    'email-taken': {
      message: (connection: string) => text`We could not make an account from what ${connection} told us.`,
      next: (connection: string) =>
        text`If you have an account here, sign in to it and link ${connection} on its security page.`,
    },
    'session-ended': {
      message: (connection: string) => text`${connection} has signed you out since.`,
      next: (_connection: string) => 'Sign in again.',
    },
    'connection-closed': {
      message: (_connection: string) => 'Signing in this way is not possible here any more.',
      next: (_connection: string) => 'Sign in another way, or ask whoever runs this service.',
    },
  },
  arrivals: {
    unreachable: {
      message: (connection: string) => text`${connection} does not answer right now.`,
      next: (_connection: string) => 'Nothing was changed. Try again in a moment, or sign in another way.',
    },
    unprovable: {
      message: (connection: string) =>
        text`After a sign-out you have to sign in anew at ${connection}, and it did not say that you did.`,
      next: (connection: string) =>
        text`Sign out of ${connection} itself, and try again. If it stays so, tell whoever runs this service.`,
    },
    declined: {
      message: (connection: string) => text`${connection} did not sign you in.`,
      next: (_connection: string) => 'Try again, or sign in another way.',
    },
    unknown: {
      message: (_connection: string) => 'This sign-in has expired, was finished already, or was not begun here.',
      next: (_connection: string) => 'Sign in again from the beginning.',
    },
    'not-verified': {
      message: (connection: string) => text`What ${connection} answered could not be verified. You were not signed in.`,
      next: (_connection: string) =>
        'Sign in again. If it stays so, tell whoever runs this service, with the request number below.',
    },
  },
};
