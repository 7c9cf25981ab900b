import { expect, test } from 'vitest';

import { world } from '../support/world.ts';

test('a person signs in to their own pages without an app, and is led back to the page they wanted', async () => {
  const { alice } = await world();
  const browser = alice.anotherBrowser();
  await browser.open('/account/devices');
  expect(browser.path).toBe('/sign-in?return_to=%2Faccount%2Fdevices');
  await browser.press('Sign in', { username: alice.email, password: alice.password });
  expect(browser.path).toBe('/account/devices');
  expect(browser.page.text).toContain('Firefox on Linux');
});
