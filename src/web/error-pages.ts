/**
 * Errors as people get them: what happened, and what to do next. What happened inside stays in the log, under the
 * request id that the page shows.
 */
import type { Texts } from '../languages/en.ts';
import type { ErrorView } from './views.ts';

type Explained = Omit<ErrorView, 'requestId'>;

/** The page for a status. */
export function explainStatus(status: number, { errors }: Texts): Explained {
  const statuses: Readonly<Record<number, Pick<ErrorView, 'headline' | 'message' | 'next'>>> = errors.statuses;
  const known = statuses[status] ?? errors.statuses[status >= 500 ? 500 : 400];
  return { title: known.headline, status, ...known, link: { href: '/account', label: errors.toAccount } };
}

/** The page for an OAuth error that cannot be sent back to an app. */
export function explainProviderError(
  out: { readonly error: string; readonly error_description?: string | undefined },
  status: number,
  texts: Texts,
): Explained {
  if (status >= 500) return explainStatus(status === 503 ? 503 : 500, texts);
  const { startAgain, badRequest, toAccount } = texts.errors;
  // The library's descriptions are its own words; a Client's text never gets into them.
  const said = out.error_description ?? out.error.replaceAll('_', ' ');
  if (/session|expired|interaction|logout details|device form/i.test(said)) {
    const { headline, message, next } = startAgain;
    return { title: headline, status, headline, message, next, link: { href: '/account', label: toAccount } };
  }
  const { headline, next } = badRequest;
  return { title: headline, status, headline, message: badRequest.message(said, out.error), next };
}
