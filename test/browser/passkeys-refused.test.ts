/** Passkeys that come to nothing: cancelled, brought to another origin or service, or to a browser without script. */
import { expect, test, vi } from 'vitest';

import { codeOf } from '../support/authenticator.ts';
import { until } from '../support/demo.ts';
import { world } from '../support/world.ts';
import { useChromium } from './chromium.ts';
import { arrives, pathOf, troubled, typePassword, usePasskey, visitors } from './passkey-visits.ts';
import { authenticatorAt } from './virtual-authenticator.ts';

vi.setConfig({ testTimeout: 120_000 });

const chromium = useChromium();
const { withPasskey } = visitors(chromium);

test('whoever cancels, or has the wrong finger, is told, and goes on with the password or tries again', async () => {
  const house = await world();
  const at = await withPasskey(house);
  const { page, keyboard, authenticator, open } = at;
  const trouble = page.locator('.passkey-trouble');
  await open('/sign-in');
  await authenticator.recognises(false);
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await troubled(page);
  expect(await keyboard.text()).toContain('The passkey was not used. Try again, or go on another way.');
  // While another try is under way the page does not go on complaining, however often the button is pressed.
  await authenticator.untouched();
  for (const _press of [1, 2]) await keyboard.press('Use a passkey');
  await page.waitForFunction(`document.activeElement.textContent.includes('Use a passkey')`);
  expect(await trouble.isHidden()).toBe(true);
  // The right finger, at last.
  await authenticator.recognises(true);
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await arrives(page, '/account');

  await page.context().clearCookies();
  await authenticator.recognises(false);
  await open('/sign-in');
  await keyboard.press('Use a passkey');
  await troubled(page);
  await typePassword(at, house.alice);
  await arrives(page, '/sign-in/second-step');
});

test('a dialogue that was cancelled leaves the offer where the username is typed', async () => {
  const house = await world();
  const { page, keyboard, authenticator, open } = await withPasskey(house);
  await page.addInitScript(`{
    const get = navigator.credentials.get.bind(navigator.credentials);
    globalThis.asked = [];
    navigator.credentials.get = (options) => {
      asked.push(options.mediation ?? 'button');
      return get(options);
    };
  }`);
  await open('/sign-in');
  await page.waitForFunction(`asked.length === 1`);
  await authenticator.recognises(false);
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await troubled(page);
  await page.waitForFunction(`asked.length === 3`);
  expect(await page.evaluate('asked')).toEqual(['conditional', 'button', 'conditional']);
});

test('a passkey is not even asked for at another origin, and what a false page relays is refused', async () => {
  const house = await world();
  const { page, keyboard, authenticator, open } = await withPasskey(house);
  // The house itself, by a name that is not the one its passkeys are for.
  const elsewhere = house.issuer.replace('localhost', '127.0.0.1');
  await keyboard.open(`${elsewhere}/sign-in`);
  await authenticator.touched();
  await keyboard.press('Use a passkey');
  await troubled(page);
  expect(new URL(page.url()).origin).toBe(elsewhere);

  // A false page on the same host, which the browser lets ask: it hands a genuine challenge on, and gets a signature.
  await authenticator.untouched();
  await open('/sign-in');
  const form = `document.querySelector('form[data-passkey=use]')`;
  const genuine = await page.evaluate<{ options: string; challenge: string }>(
    `({ options: ${form}.dataset.options, challenge: ${form}.elements.challenge.value })`,
  );
  const falsePage = await page.context().newPage();
  const victim = await authenticatorAt(falsePage);
  await authenticator.copyTo(victim);
  await victim.touched();
  await falsePage.route('http://localhost:1/**', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Sign in</title><h1>Sign in</h1>' }),
  );
  await falsePage.goto('http://localhost:1/sign-in');
  const relayed = await falsePage.evaluate<{ answer: unknown; origin: string }>(`(async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(${genuine.options});
    const credential = (await navigator.credentials.get({ publicKey })).toJSON();
    return { answer: credential, origin: JSON.parse(atob(credential.response.clientDataJSON)).origin };
  })()`);
  expect(relayed.origin).toBe('http://localhost:1');
  const relay = async (answer: unknown): Promise<void> => {
    await page.evaluate(`((form, answer, challenge) => {
      form.elements.passkey.value = answer;
      form.elements.challenge.value = challenge;
      form.submit();
    })(${form}, ${JSON.stringify(JSON.stringify(answer))}, ${JSON.stringify(genuine.challenge)})`);
  };
  await relay(relayed.answer);
  await keyboard.sees('This passkey was not accepted.');
  expect(pathOf(page)).toBe('/sign-in/passkey');
  // The same challenge, signed at the genuine origin, is good: it was the origin that was wrong.
  await falsePage.goto(`${house.issuer}/nowhere`);
  const answer = await falsePage.evaluate(`(async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(${genuine.options});
    return (await navigator.credentials.get({ publicKey })).toJSON();
  })()`);
  await relay(answer);
  await arrives(page, '/account');
});

test('a passkey of another service on the same host is refused', async () => {
  const [house, neighbour] = [await world(), await world()];
  const at = await withPasskey(house);
  await at.keyboard.open(`${neighbour.issuer}/sign-in`);
  await usePasskey(at);
  await at.keyboard.sees('This passkey was not accepted.');
});

test('without script the pages work with codes, and say what passkeys need', async () => {
  const house = await world({ configuration: { secondFactor: { requiredFor: 'everybody' } } });
  const page = await (await chromium.open('wide', { script: false })).newPage();
  // Without script in the page there is none to ask it with, either: what it says is read from outside.
  const says = (text: string) => until(`it says ${text}`, async () => (await page.innerText('main')).includes(text));
  const fillIn = async (): Promise<void> => {
    await page.fill('#username', house.alice.username);
    await page.fill('#password', house.alice.password);
    await page.keyboard.press('Enter');
  };
  await page.goto(`${house.issuer}/sign-in`);
  expect(await page.locator('form[data-passkey]').isHidden()).toBe(true);
  await fillIn();
  await says('Passkeys need script, and this browser runs none here.');
  await page.click('summary');
  const secret = (await page.innerText('.secret')).replaceAll(' ', '');
  await page.fill('#code', codeOf(secret));
  await page.keyboard.press('Enter');
  await arrives(page, '/account');
  await page.goto(`${house.issuer}/account/security`);
  await page.click('text=Add a passkey');
  await says('Passkeys need script, and this browser runs none here.');

  await page.context().clearCookies();
  await page.goto(`${house.issuer}/sign-in`);
  await fillIn();
  await arrives(page, '/sign-in/second-step');
  await page.fill('#code', codeOf(secret, { steps: 1 }));
  await page.keyboard.press('Enter');
  await arrives(page, '/account');
});
