/**
 * Somebody at a house with a browser and a passkey in it. The house lets them in as it lets anybody in; the authenticator does
 * nothing until it is touched.
 */
import type { Page } from 'playwright-core';

import { until } from '../support/demo.ts';
import type { Person, World } from '../support/world.ts';
import type { useChromium } from './chromium.ts';
import { type Keyboard, keyboardOn } from './keyboard.ts';
import { authenticatorAt, type AuthenticatorTraits, type VirtualAuthenticator } from './virtual-authenticator.ts';

export type Visit = {
  readonly page: Page;
  readonly keyboard: Keyboard;
  readonly authenticator: VirtualAuthenticator;
  open(path: string): Promise<void>;
};

export const pathOf = (page: Page): string => new URL(page.url()).pathname;
export const arrives = (page: Page, at: string) => until(`the page is ${at}`, () => pathOf(page) === at);

/** The page has said that nothing came of the dialogue. */
export const troubled = (page: Page) => page.waitForSelector('.passkey-trouble:not([hidden])');

export async function typePassword({ page, keyboard }: Visit, { username, password }: Person): Promise<void> {
  await keyboard.type('Username or e-mail', username);
  await keyboard.type('Password', password);
  await page.keyboard.press('Enter');
}

/** Presses the sign-in page's button, and touches the authenticator. Nothing happens before: the field's own offer waits. */
export async function usePasskey({ page, keyboard, authenticator }: Visit): Promise<void> {
  await keyboard.stepTo('Use a passkey');
  await authenticator.touched();
  await page.keyboard.press('Enter');
}

export function visitors(chromium: ReturnType<typeof useChromium>) {
  /** A browser at a house, with an authenticator. */
  const visit = async ({ issuer }: Pick<World, 'issuer'>, traits?: AuthenticatorTraits): Promise<Visit> => {
    const page = await (await chromium.open('wide')).newPage();
    const keyboard = keyboardOn(page);
    const open = (path: string) => keyboard.open(new URL(path, issuer).href);
    return { page, keyboard, authenticator: await authenticatorAt(page, traits), open };
  };
  const signIn = async (at: Visit, person: Person): Promise<void> => {
    await at.open('/sign-in');
    await typePassword(at, person);
    await arrives(at.page, '/account');
  };
  /** Adds the authenticator's passkey from the security page, under a name, and leaves it untouched. */
  const add = async ({ page, keyboard, authenticator, open }: Visit, name: string): Promise<void> => {
    await open('/account/security');
    await keyboard.press('Add a passkey');
    await arrives(page, '/account/security/passkeys');
    await keyboard.type('A name for it', name);
    await authenticator.touched();
    await page.keyboard.press('Enter');
    await keyboard.sees('Your passkey was added.');
    await authenticator.untouched();
    await keyboard.sees(name);
  };
  return {
    visit,
    signIn,
    add,
    /** Alice, with a passkey and a browser in which nobody is signed in. */
    async withPasskey(house: World, traits?: AuthenticatorTraits): Promise<Visit> {
      const at = await visit(house, traits);
      await signIn(at, house.alice);
      await add(at, 'Laptop');
      await at.page.context().clearCookies();
      return at;
    },
  };
}
