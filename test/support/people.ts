/** People: who they are, and the browsers that they sign in with. */
import { Browser } from './browser.ts';

export type Person = {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly password: string;
  /** A browser of this person's, with its own cookies. The same one each time, unless `another`. */
  browser(): Browser;
  anotherBrowser(): Browser;
  /** Signs in to Curfew's own pages. */
  signIn(browser?: Browser): Promise<Browser>;
  /** Presses "Sign out of all devices" on the security page; resolves to the receipt's path. */
  signOutOfAllDevices(browser?: Browser): Promise<string>;
};

export function createPerson({
  issuer,
  ...identity
}: {
  issuer: string;
  id: string;
  username: string;
  email: string;
  password: string;
}): Person {
  let own: Browser | undefined;
  const person: Person = {
    ...identity,
    browser: () => (own ??= new Browser(issuer)),
    anotherBrowser: () => new Browser(issuer),
    async signIn(browser = person.browser()) {
      await browser.open('/sign-in');
      await browser.press('Sign in', { username: identity.username, password: identity.password });
      return browser;
    },
    async signOutOfAllDevices(browser = person.browser()) {
      await browser.open('/account/security');
      if (browser.path.startsWith('/sign-in')) {
        await browser.press('Sign in', { username: identity.username, password: identity.password });
        await browser.open('/account/security');
      }
      await browser.press('Sign out of all devices');
      return browser.path;
    },
  };
  return person;
}
