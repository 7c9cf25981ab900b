/** RP-initiated logout, as an app starts it and a person answers it. */
import type { Browser } from '../support/browser.ts';

/** The address an app sends a browser to (RP-Initiated Logout §2). */
export function endSession(parameters: Record<string, string>): string {
  return `/session/end?${new URLSearchParams(parameters).toString()}`;
}

/** Sends the browser there with a hint, and presses "Sign out". */
export async function signOutFromApp(
  browser: Browser,
  idToken: string,
  parameters: Record<string, string> = {},
): Promise<Browser> {
  await browser.open(endSession({ id_token_hint: idToken, ...parameters }));
  await browser.press('Sign out');
  return browser;
}
