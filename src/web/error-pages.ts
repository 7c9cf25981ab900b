/**
 * Errors as people get them: what happened, and what to do next. What happened inside stays in the log, under the
 * request id that the page shows.
 */
import type { ErrorView } from './views.ts';

type Explained = Omit<ErrorView, 'requestId'>;

const EXPLANATIONS: Record<number, Pick<ErrorView, 'headline' | 'message' | 'next'>> = {
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
};

/** The page for a status. */
export function explainStatus(status: number): Explained {
  const known = EXPLANATIONS[status] ?? EXPLANATIONS[status >= 500 ? 500 : 400];
  if (known === undefined) throw new Error(`no explanation for status ${status}`);
  return { title: known.headline, status, ...known, link: { href: '/account', label: 'Go to your account' } };
}

/** The page for an OAuth error that cannot be sent back to an app. */
export function explainProviderError(
  out: { readonly error: string; readonly error_description?: string | undefined },
  status: number,
): Explained {
  if (status >= 500) return explainStatus(status === 503 ? 503 : 500);
  // The library's descriptions are its own words; a Client's text never gets into them.
  const said = out.error_description ?? out.error.replaceAll('_', ' ');
  if (/session|expired|interaction|logout details|device form/i.test(said)) {
    return {
      title: 'Start again',
      status,
      headline: 'Start again',
      message: 'This sign-in has expired, was finished already, or was ended by a sign-out.',
      next: 'Go back to the app and sign in again.',
      link: { href: '/account', label: 'Go to your account' },
    };
  }
  return {
    title: 'The app sent a request that cannot be used',
    status,
    headline: 'The app sent a request that cannot be used',
    message: `What is wrong with it: ${said} (${out.error}).`,
    next: 'Go back to the app and try again. If it stays like this, tell the people who make the app.',
  };
}
