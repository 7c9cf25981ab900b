/** When somebody signed in at a provider, and whether that is recent enough for what was asked. */
import { addSeconds } from '../../platform/clock.ts';
import { LONGEST_SESSION_SECONDS } from './authorization-request.ts';
import type { Refusal } from './refusals.ts';

/** `auth_time` is in whole seconds, and two clocks never agree. */
const TOLERANCE_SECONDS = 5;
const FAR_AHEAD_SECONDS = 60;

/**
 * Fails closed: where a fresh sign-in was demanded, a provider that does not say when it took place has not shown one. A
 * time ahead of us would pass for fresh for ever after, and is what milliseconds in place of seconds look like.
 */
export function checkAuthenticationTime({
  claims: { auth_time: seconds },
  attempt: { requestedAt, forced },
  now,
}: {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly attempt: { readonly requestedAt: Date; readonly forced: boolean };
  readonly now: Date;
}):
  | { readonly authTime: Date | null }
  | Refusal<'authentication-time-missing' | 'authentication-time-wrong' | 'stale-authentication'> {
  if (seconds === undefined) {
    if (!forced) return { authTime: null };
    return { refused: 'authentication-time-missing', detail: 'the ID Token has no auth_time' };
  }
  if (typeof seconds !== 'number' || !(seconds >= 0)) {
    return { refused: 'authentication-time-wrong', detail: 'auth_time is not a time' };
  }
  if (seconds * 1000 > addSeconds(now, FAR_AHEAD_SECONDS).getTime()) {
    return { refused: 'authentication-time-wrong', detail: 'auth_time lies ahead' };
  }
  const oldest = addSeconds(requestedAt, -TOLERANCE_SECONDS - (forced ? 0 : LONGEST_SESSION_SECONDS));
  const authTime = new Date(seconds * 1000);
  if (authTime >= oldest) return { authTime };
  return { refused: 'stale-authentication', detail: 'the person signed in there before that was demanded' };
}
