/** Somebody with an account at an upstream provider, and browsers to use it with. */
import { Browser } from './browser.ts';

export type UpstreamPerson = {
  readonly sub: string;
  readonly password: string;
  /** The one browser of this person, with its SSO session; `anotherBrowser` has none yet. */
  browser(): Browser;
  anotherBrowser(): Browser;
  /** Follows an authorization request, signing in where the provider asks; resolves to where it sends the browser. */
  follow(url: URL | string, browser?: Browser): Promise<URL>;
};

export function createPerson(issuer: string, sub: string, password: string): UpstreamPerson {
  let mine: Browser | undefined;
  const person: UpstreamPerson = {
    sub,
    password,
    browser: () => (mine ??= new Browser(issuer)),
    anotherBrowser: () => new Browser(issuer),
    async follow(url, browser = person.browser()) {
      await browser.open(String(url));
      if (browser.buttons.includes('Sign in')) await browser.press('Sign in', { login: sub, password });
      if (browser.left === undefined)
        throw new Error(`${sub} was not sent back: ${browser.page.status} ${browser.heading}`);
      return browser.left;
    },
  };
  return person;
}
