/**
 * Somebody who tries the demo, over plain HTTP: Curfew in one browser, the players that send them there, and the company
 * that Curfew sends them to.
 */
import { Browser } from '../support/browser.ts';
import type { Demo } from '../support/demo.ts';
import { cookieJar } from '../support/jar.ts';

export const COMPANY = 'Pinwhistle Pictures';

/** `company`: the browser they use there, to have one sign-in there in two browsers here. */
export function personAt(demo: Demo, company = new Browser(demo.url(COMPANY))) {
  const curfew = new Browser(demo.url('Curfew'));
  const { visit } = cookieJar();

  return {
    curfew,
    company,

    /** Presses "Sign in" at a player; resolves to whether Curfew asked for the password. */
    async signIn(player: string): Promise<{ asked: boolean }> {
      await curfew.open((await visit(`${player}/login`)).headers.get('location') ?? '');
      const asked = curfew.buttons.includes('Sign in');
      if (asked) await curfew.press('Sign in', demo.account);
      if (!curfew.left) throw new Error(`no way back to ${player}: ${curfew.page.status} ${curfew.heading}`);
      await visit(curfew.left.href);
      return { asked };
    },

    /** The same through the company, by one of its buttons; resolves to what its page said, if it showed its form. */
    async signInThrough(player: string, button: string): Promise<{ asked: string | false }> {
      await curfew.open((await visit(`${player}/login`)).headers.get('location') ?? '');
      await curfew.press(`Continue with ${button}`);
      let asked: string | false = false;
      while (curfew.left?.origin === company.origin) {
        await company.open(curfew.left.href);
        if (company.buttons.includes('Sign in')) {
          asked = company.heading;
          await company.press('Sign in', demo.companyAccount);
        }
        if (company.buttons.includes('Continue')) await company.press('Continue');
        if (!company.left) throw new Error(`no way back to Curfew: ${company.page.status} ${company.heading}`);
        await curfew.open(company.left.href);
      }
      if (!curfew.left) throw new Error(`no way back to ${player}: ${curfew.page.status} ${curfew.heading}`);
      await visit(curfew.left.href);
      return { asked };
    },

    /** Presses "Sign out here" at the company; resolves to what its page says was answered, by whom and how. */
    async signOutAtCompany(): Promise<string[]> {
      await company.open('/');
      await company.press('Sign out here');
      if (company.left) {
        await curfew.open(company.left.href);
        await company.open(curfew.left?.href ?? '');
      }
      const rows = company.page.text.matchAll(/<li>([\s\S]*?)<\/li>/g);
      return [...rows].map(([, row = '']) =>
        row
          .replaceAll(/<[^>]*>/g, ' ')
          .replaceAll(/\s+/g, ' ')
          .trim(),
      );
    },

    async session(player: string): Promise<{ signedIn: boolean; sub?: string }> {
      return (await visit(`${player}/session`)).json() as Promise<{ signedIn: boolean; sub?: string }>;
    },

    async page(player: string): Promise<string> {
      return (await visit(player)).text();
    },

    /** Types a device's code and allows it. */
    async connect(userCode: string): Promise<void> {
      await curfew.open('/device');
      await curfew.press('Continue', { user_code: userCode });
      await curfew.press('Allow');
      if (curfew.buttons.includes('Sign in')) await curfew.press('Sign in', demo.account);
      if (curfew.buttons.includes('Allow')) await curfew.press('Allow');
    },

    /** Lets the device that shows this code back, by the one press its owner's page has for it. */
    async reattach(userCode: string): Promise<void> {
      await curfew.open('/account/security');
      const codes = [...curfew.page.text.matchAll(/aria-label="Re-attach [^"]*, code ([^"]*)"/g)];
      await curfew.press('Re-attach', {}, { nth: codes.findIndex(([, code]) => code === userCode) });
    },

    /** Presses the button; resolves to the receipt as JSON. */
    async signOutOfAllDevices(): Promise<{ read(): Promise<Record<string, unknown>> }> {
      await curfew.open('/account/security');
      await curfew.press('Sign out of all devices');
      const receipt = new URL(curfew.page.url);
      return {
        async read() {
          const { text } = await curfew.request('GET', receipt, undefined, { accept: 'application/json' });
          return JSON.parse(text) as Record<string, unknown>;
        },
      };
    },
  };
}
