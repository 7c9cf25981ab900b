/** Somebody who tries the demo, over plain HTTP: Curfew in one browser, and the players that send them there. */
import { Browser } from '../support/browser.ts';
import type { Demo } from '../support/demo.ts';
import { cookieJar } from '../support/jar.ts';

export function personAt(demo: Demo) {
  const curfew = new Browser(demo.url('Curfew'));
  const { visit } = cookieJar();

  return {
    curfew,

    /** Presses "Sign in" at a player; resolves to whether Curfew asked for the password. */
    async signIn(player: string): Promise<{ asked: boolean }> {
      await curfew.open((await visit(`${player}/login`)).headers.get('location') ?? '');
      const asked = curfew.buttons.includes('Sign in');
      if (asked) await curfew.press('Sign in', demo.account);
      if (!curfew.left) throw new Error(`no way back to ${player}: ${curfew.page.status} ${curfew.heading}`);
      await visit(curfew.left.href);
      return { asked };
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
