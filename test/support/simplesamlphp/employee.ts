/** Somebody with an account at a company that runs SimpleSAMLphp, and a browser with a session there, or none yet. */
import { Browser } from '../browser.ts';
import type { Employee } from './settings.ts';

export type EmployeeBrowser = {
  /** At the company's pages. */
  readonly at: Browser;
  /** Goes where Curfew sent this browser and comes back with the answer, signing in if asked to. */
  signIn(location: URL): Promise<Answer>;
};

export type Answer = {
  /** Whether there was a form to sign in with, or the session there was good enough. */
  readonly asked: boolean;
  /** What Curfew said to the answer: where the browser goes on, or that it is refused. */
  readonly status: number;
  readonly continueAt: string | null;
  /** The message itself. */
  readonly xml: string;
  /** When she proved who she is, by that message; no instant, where that is encrypted. */
  readonly authnInstant: Date;
};

export function employeeBrowser(url: string, { username, password }: Employee): EmployeeBrowser {
  const at = new Browser(url);
  return {
    at,
    async signIn(location) {
      await at.open(location.href);
      const asked = at.buttons.includes('Login');
      if (asked) await at.press('Login', { username, password });
      const { action, fields } = formOf(at.page.text);
      const message = fields.get('SAMLResponse');
      if (action === undefined || message === null) {
        throw new Error(`${username} was not sent back from ${at.page.url}: ${at.page.status} ${at.page.text}`);
      }
      // A form that submits itself, across sites: so without cookies.
      const response = await fetch(action, { method: 'POST', body: fields, redirect: 'manual' });
      const xml = Buffer.from(message, 'base64').toString('utf8');
      return {
        asked,
        status: response.status,
        continueAt: response.headers.get('location'),
        xml,
        authnInstant: new Date(/AuthnInstant="([^"]*)"/.exec(xml)?.[1] ?? NaN),
      };
    },
  };
}

/** The page's first form and what is hidden in it; base64 and identifiers, that is, nothing to unescape. */
function formOf(html: string): { readonly action: string | undefined; readonly fields: URLSearchParams } {
  const [, action] = /<form method="post"\s+action="([^"]*)"/.exec(html) ?? [];
  const hidden = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return { action, fields: new URLSearchParams([...hidden].map(([, name = '', value = '']) => [name, value])) };
}
