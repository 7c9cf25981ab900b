import { describe, expect, test } from 'vitest';

import { setUpApp } from '../support/authenticator.ts';
import type { Browser } from '../support/browser.ts';
import { world } from '../support/world.ts';
import { endSession } from './sign-out-from-app.ts';

const LANGUAGE = /<html lang="([^"]*)"/;

/** The heading of the page that is open, the language it says it is in, and the one its headers say. */
function spoken(browser: Browser): readonly (string | undefined | null)[] {
  const { text, headers } = browser.page;
  return [browser.heading, LANGUAGE.exec(text)?.[1], headers.get('content-language')];
}

test('an app asks for German, and gets it on every page of the sign-in', async () => {
  const { alice, cinema, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  browser.reads = 'en';
  await browser.open(cinema.authorization({ ui_locales: 'fr de-CH' }).url);
  expect(spoken(browser)).toEqual(['Anmelden', 'de', 'de']);
  expect(browser.page.text).toContain('weiter zu <strong>Cinema</strong>');

  await browser.press('Anmelden', { username: alice.username, password: 'not the password of anybody' });
  expect([browser.page.status, ...spoken(browser)]).toEqual([401, 'Anmelden', 'de', 'de']);
  expect(browser.page.text).toContain('Benutzername oder Passwort ist falsch.');

  advance(10);
  await browser.press('Anmelden', { username: alice.username, password: alice.password });
  expect(spoken(browser)).toEqual(['<span class="name">Cinema</span> erlauben?', 'de', 'de']);
  expect(browser.page.text).toContain('Ihre E-Mail-Adresse sehen.');
  expect(browser.buttons).toEqual(['Erlauben', 'Ablehnen']);
  await browser.press('Erlauben');
  expect(browser.left?.searchParams.get('code')).toMatch(/./);
});

test('a second factor is asked for in the language of the sign-in', async () => {
  const { alice, player } = await world();
  await setUpApp(await alice.signIn());
  const browser = alice.anotherBrowser();
  await browser.open(player.authorization({ ui_locales: 'de' }).url);
  await browser.press('Anmelden', { username: alice.username, password: alice.password });
  expect(spoken(browser)).toEqual(['Noch ein Schritt', 'de', 'de']);
  await browser.press('Weiter', { code: '000000' });
  expect([browser.page.status, ...spoken(browser)]).toEqual([401, 'Noch ein Schritt', 'de', 'de']);
  expect(browser.page.text).toContain('Dieser Code ist falsch oder wurde schon verwendet.');
});

test('an app asks for German when it signs its person out, and the page that says it is done speaks German, too', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await browser.open(endSession({ id_token_hint: id_token, ui_locales: 'de' }));
  expect(spoken(browser)).toEqual(['Abmelden?', 'de', 'de']);
  expect(browser.page.text).toContain('<strong>Player</strong> bittet darum');
  await browser.press('Abmelden');
  expect(spoken(browser)).toEqual(['Sie sind abgemeldet', 'de', 'de']);
});

test('where the app has a way back, what it asked for adds nothing to that', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  const back = 'http://player.test/signed-out';
  await browser.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: back, ui_locales: 'de' }));
  await browser.press('Abmelden');
  expect(browser.left?.href).toBe(back);
});

test('a request that cannot be used is refused in the language it asks for', async () => {
  const { alice, player } = await world();
  const browser = alice.browser();
  await browser.open(player.authorization({ redirect_uri: 'http://player.test/elsewhere', ui_locales: 'de' }).url);
  expect([browser.page.status, ...spoken(browser)]).toEqual([
    400,
    'Die App hat eine Anfrage geschickt, mit der es nicht weitergeht',
    'de',
    'de',
  ]);
});

describe('without an app', () => {
  test('pages speak the language that the browser asks for, and say that they depend on it', async () => {
    const { alice } = await world();
    const browser = alice.browser();
    browser.reads = 'fr, de-AT;q=0.9, en;q=0.8';
    await browser.open('/account/security');
    expect(spoken(browser)).toEqual(['Anmelden', 'de', 'de']);
    expect(browser.page.headers.get('vary')).toMatch(/Accept-Language/i);
    await browser.press('Anmelden', { username: alice.username, password: alice.password });
    expect(spoken(browser)).toEqual(['Sicherheit', 'de', 'de']);
    expect(browser.page.text).toMatch(/Zuletzt geändert: <time datetime="[^"]*Z">\d\d\.\d\d\.\d{4}, /);

    await browser.press('Passwort ändern', { currentPassword: alice.password, password: 'short' });
    expect(browser.page.text).toContain('Verwenden Sie mindestens 15 Zeichen.');

    await browser.open('/account/devices');
    expect(spoken(browser)).toEqual(['Geräte', 'de', 'de']);
    expect(browser.page.text).toContain('Firefox unter Linux');
    await browser.press('Alle Geräte abmelden');
    expect(spoken(browser)).toEqual(['Der Zugriff ist beendet', 'de', 'de']);
    expect(browser.page.text).toContain('<dd>Alle Geräte</dd>');
    expect(browser.page.text).toContain('<dd>Auf Ihren Wunsch</dd>');
    expect(browser.page.text).toContain('<dd>Ihnen</dd>');
  });

  test.each([
    ['nothing is asked for', undefined],
    ['English is wanted more', 'de;q=0.4, en-US;q=0.5'],
    ['German is not wanted', 'de;q=0, fr'],
    ['what is asked for is no language', '*;q=0.1, __proto__, <script>'],
  ])('English, where %s', async (_what, reads) => {
    const { alice } = await world();
    const browser = alice.browser();
    browser.reads = reads;
    await browser.open('/sign-in');
    expect(spoken(browser)).toEqual(['Sign in', 'en', 'en']);
    await browser.open('/nowhere');
    expect(spoken(browser)).toEqual(['There is nothing here', 'en', 'en']);
  });

  test('a device is connected in German', async () => {
    const { alice, tv } = await world();
    const browser = await alice.signIn();
    browser.reads = 'de';
    const { user_code } = await tv.startDevice();
    await browser.open('/device');
    expect(spoken(browser)).toEqual(['Gerät verbinden', 'de', 'de']);
    await browser.press('Weiter', { user_code: 'BBBB-BBBB' });
    expect(browser.page.text).toContain('Dieser Code ist unbekannt oder abgelaufen.');
    await browser.press('Weiter', { user_code });
    expect(browser.page.text).toContain('dieser Rechner (127.0.0.1)');
    await browser.press('Erlauben');
    expect(spoken(browser)).toEqual(['<span class="name">Television</span> ist verbunden', 'de', 'de']);
  });
});

test('what an account is kept in comes before what its browser asks for', async () => {
  const { alice, core } = await world();
  const browser = await alice.signIn();
  browser.reads = 'en';
  await core.store.accounts.setLocale({ accountId: alice.id, locale: 'de-AT' });
  await browser.open('/account');
  expect(spoken(browser)).toEqual(['Guten Tag, <span class="name">alice</span>', 'de', 'de']);
  await browser.open('/session/end');
  expect(spoken(browser)).toEqual(['Abmelden?', 'de', 'de']);
});

test('somebody chooses a language on their account page, for pages and for mails', async () => {
  const { alice, core } = await world();
  const browser = await alice.signIn();
  browser.reads = 'en';
  await browser.open('/account');
  await browser.press('Deutsch');
  expect(spoken(browser)).toEqual(['Guten Tag, <span class="name">alice</span>', 'de', 'de']);
  expect(await core.accounts.find(alice.id)).toMatchObject({ locale: 'de' });
  await browser.press('English');
  expect(spoken(browser)).toEqual(['Hello, <span class="name">alice</span>', 'en', 'en']);
});

test('a language that is none is refused, and changes nothing', async () => {
  const { alice, core } = await world();
  const browser = await alice.signIn();
  await browser.open('/account');
  for (const locale of ['fr', '', '__proto__', 'de en']) {
    await browser.open('/account');
    const csrf = /name="csrf" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';
    await browser.request('POST', new URL('/account/language', browser.origin), new URLSearchParams({ csrf, locale }));
    expect(browser.page.status).toBe(400);
  }
  await browser.request(
    'POST',
    new URL('/account/language', browser.origin),
    new URLSearchParams({ locale: 'de', csrf: 'x' }),
  );
  expect(browser.page.status).toBe(403);
  expect(await core.accounts.find(alice.id)).toMatchObject({ locale: null });
});

test('programs are told in English what is wrong, and a receipt reads the same in every language', async () => {
  const { alice, issuer } = await world();
  const headers = { accept: 'application/json', 'accept-language': 'de' };
  const answer = await fetch(new URL('/nowhere', issuer), { headers });
  expect(await answer.json()).toMatchObject({
    error: 'not_found',
    error_description: expect.stringMatching(/^The address/),
  });

  const browser = await alice.signIn();
  browser.reads = 'de';
  await browser.open('/account/devices');
  await browser.press('Alle Geräte abmelden');
  const receipt = await browser.request('GET', new URL(browser.page.url), undefined, { accept: 'application/json' });
  expect(JSON.parse(receipt.text)).toMatchObject({ reason: 'At your request' });
});

test('discovery says which languages there are', async () => {
  const { issuer } = await world();
  const discovery = await fetch(new URL('/.well-known/openid-configuration', issuer));
  expect(await discovery.json()).toMatchObject({ ui_locales_supported: ['en', 'de'] });
});
