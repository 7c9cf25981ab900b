/**
 * Rows 51–53 of security.md over HTTP: who may become, or be linked to, an account that is somebody else's. What a provider
 * says of an address is at most a reason to ask its owner; what a form says of one is nothing.
 */
import { describe, expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { besieged, changesOf, expectRefusal, post, SHARED, type Siege } from './federation-probe.ts';
import { csrfOf } from './probe.ts';

const MALLORY = 'acme-mallory';
const victims = 'alice@example.test';
const mallory = (claims: Record<string, unknown>) => ({
  sub: MALLORY,
  claims: { preferred_username: 'mal', ...claims },
});
const codeIn = (browser: Browser): string => /name="code" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';

/** Whatever happened, it was not to Alice: same record, no identity, and nobody else is in as her. */
async function expectAlicesOwn({ it }: Siege): Promise<void> {
  expect(await it.core.connections.identities.list(it.alice.id)).toEqual([]);
  expect((await it.core.accounts.resolve(victims))?.id).toBe(it.alice.id);
  expect((await it.core.accounts.resolve('alice'))?.id).toBe(it.alice.id);
}

describe("51, 53 an upstream account with the victim's address", () => {
  const said: [string, Record<string, unknown>, Record<string, unknown>?][] = [
    ['not verified', { email: victims, email_verified: false }],
    ['verified as a word', { email: victims, email_verified: 'true' }],
    ['verified as a number', { email: victims, email_verified: 1 }],
    ['verified as a list', { email: victims, email_verified: [true] }],
    ['verified as an object', { email: victims, email_verified: { true: true } }],
    ['not said to be verified', { email: victims }],
    ['verified as null', { email: victims, email_verified: null }],
    [
      'verified, by a provider that is not trusted for it',
      { email: victims, email_verified: true },
      { trustEmail: false },
    ],
    ['in another case, not verified', { email: 'ALICE@Example.Test', email_verified: false }],
  ];
  test.each<[string, Record<string, unknown>, Record<string, unknown>?]>(said)(
    '%s → an account of its own at most, and no offer to link',
    async (_name, claims, connection = {}) => {
      const siege = await besieged({ accounts: [mallory(claims)], connection });
      const browser = siege.it.alice.anotherBrowser();
      const changes = await siege.it.changes(() => siege.signIn('Acme', siege.acme.person(MALLORY), browser));
      expect(changesOf(changes, siege.it.alice.id)).toEqual([]);
      expect(browser.page.text).not.toContain('Sign in to link');
      expect(browser.path).toBe('/account');
      await expectAlicesOwn(siege);
      // The address that was said finds Alice at the sign-in, and Mallory has no use of it.
      const own = await siege.it.core.accounts.resolve('mal');
      expect(own?.id).not.toBe(siege.it.alice.id);
      expect(await siege.it.core.connections.identities.list(own?.id ?? '')).toHaveLength(1);
    },
  );

  test.each<[string, Record<string, unknown>]>([
    ['two of them', { email: [victims, 'mal@evil.test'], email_verified: true }],
    ['a list within', { email: `${victims},mal@evil.test`, email_verified: true }],
    ['a name before it', { email: `Alice <${victims}>`, email_verified: true }],
    ['a line below it', { email: `mal@evil.test\r\n${victims}`, email_verified: true }],
    ['accents', { email: 'alıce@example.test', email_verified: true }],
    ['full width', { email: 'ａlice@example.test', email_verified: true }],
    ['none', { email_verified: true }],
  ])('an address that is none (%s) → refused, and nothing is made of it', async (_name, claims) => {
    const siege = await besieged({ accounts: [mallory(claims)] });
    const browser = siege.it.alice.anotherBrowser();
    await siege.untouched(() => siege.signIn('Acme', siege.acme.person(MALLORY), browser));
    expect([browser.page.status, browser.page.text.includes('did not tell us an e-mail address')]).toEqual([403, true]);
    await siege.isOut(browser);
  });

  test('53 verified, after a first sign-in with another → the account keeps its own, and finds nobody else', async () => {
    const siege = await besieged({ accounts: [mallory({ email: 'mal@evil.test', email_verified: true })] });
    const person = siege.acme.person(MALLORY);
    const first = await siege.signIn('Acme', person);
    expect(first.path).toBe('/account');
    siege.acme.addAccount(mallory({ email: victims, email_verified: true, preferred_username: 'alice' }));
    const again = await siege.signIn('Acme', person);
    expect(again.page.text).toContain('mal@evil.test');
    expect(again.page.text).not.toContain(victims);
    await expectAlicesOwn(siege);
  });

  test("53 the victim's name → a name of its own", async () => {
    const siege = await besieged({
      accounts: [mallory({ preferred_username: 'alice', email: 'mal@evil.test', email_verified: true })],
    });
    const browser = await siege.signIn('Acme', siege.acme.person(MALLORY));
    expect(browser.page.text).toContain('alice-2');
    await expectAlicesOwn(siege);
  });

  test('53 typed into a form on the way → no such field', async () => {
    const siege = await besieged({ accounts: [mallory({ email: victims, email_verified: true })] });
    const browser = siege.it.alice.anotherBrowser();
    await browser.open('/sign-in');
    const csrf = csrfOf(browser.page.text);
    const more: Record<string, string>[] = [
      { email: victims },
      { username: 'alice' },
      { accountId: siege.it.alice.id },
      { sub: SHARED },
      { email_verified: 'true' },
      { __proto__x: '1' },
      { connection: 'globex' },
    ];
    await siege.untouched(async () => {
      for (const fields of more) {
        expectRefusal(await post(siege, '/sign-in/connections/acme', { csrf, ...fields }, browser), 400);
      }
    });
    // Nor at the page that asks for a password first.
    await siege.signIn('Acme', siege.acme.person(MALLORY), browser);
    expect(browser.heading).toBe('Sign in to link Acme');
    const held = {
      csrf: csrfOf(browser.page.text),
      code: codeIn(browser),
      username: 'bob',
      password: siege.it.bob.password,
    };
    await siege.untouched(async () => {
      for (const fields of more.filter(({ username }) => username === undefined)) {
        expectRefusal(await post(siege, '/sign-in/federation/link', { ...held, ...fields }, browser), 400);
      }
      // Another account's password proves another account.
      expectRefusal(await post(siege, '/sign-in/federation/link', held, browser), 409);
    });
    await expectAlicesOwn(siege);
    await siege.isOut(browser);
  });
});

describe('52 linking', () => {
  const LINK = '/account/security/link';
  const page = async (browser: Browser): Promise<string> => {
    await browser.open('/account/security');
    return csrfOf(browser.page.text);
  };

  test('by nobody, by a stale sign-in, or with the secret of another browser → nobody is sent anywhere', async () => {
    const siege = await besieged();
    const { alice, bob } = siege.it;
    const [browser, bobs] = [await alice.signIn(), await bob.signIn()];
    const csrf = await page(browser);
    const others = await page(bobs);
    await siege.untouched(async () => {
      for (const wrong of ['', 'x', others, '__proto__']) {
        expectRefusal(await post(siege, LINK, { csrf: wrong, connection: 'acme' }, browser), 403);
        expectRefusal(await post(siege, '/account/confirm/acme', { csrf: wrong }, browser), 403);
      }
      expectRefusal(await post(siege, LINK, { csrf, connection: 'acme' }), 403);
      for (const connection of ['', 'nobody', '__proto__', 'constructor']) {
        expectRefusal(await post(siege, LINK, { csrf, connection }, browser), 404);
      }
      expectRefusal(await post(siege, LINK, { csrf, connection: 'acme', accountId: bob.id }, browser), 400);
      expectRefusal(await post(siege, LINK, { csrf }, browser), 400);
      // Nobody signed in, with a secret of their own.
      const stranger = alice.anotherBrowser();
      await stranger.open('/sign-in');
      const asked = await post(siege, LINK, { csrf: csrfOf(stranger.page.text), connection: 'acme' }, stranger);
      expect(asked.header('location')).toMatch(/^\/sign-in\?return_to=/);
    });
    siege.it.advance(16 * 60);
    await siege.untouched(async () => {
      const stale = await post(siege, LINK, { csrf, connection: 'acme' }, browser);
      expect([stale.status, stale.header('location')]).toEqual([200, undefined]);
      expect(stale.text).toContain('Confirm it is you');
      const wrong = { csrf, connection: 'acme', password: bob.password };
      expectRefusal(await post(siege, LINK, wrong, browser), 401);
      expect((await post(siege, LINK, wrong, browser)).cookies.join()).not.toContain('attempt');
    });
    expect(siege.acme.requests).not.toContain('/auth');
  });

  test("the attacker's link attempt, finished in the victim's browser, or the other way round → refused", async () => {
    const siege = await besieged({ accounts: [mallory({ email: 'mal@evil.test', email_verified: true })] });
    const { alice, bob, core } = siege.it;
    const [hers, his] = [await alice.signIn(), await bob.signIn()];
    const person = siege.acme.person(MALLORY);
    const continueOf = async (browser: Browser): Promise<string> => {
      await page(browser);
      await browser.press('Link Acme');
      const back = await siege.askedBack(browser, person);
      const answered = await siege.it.send({ path: back.pathname + back.search });
      return answered.header('location') ?? '';
    };
    const [forHer, forHim] = [await continueOf(hers), await continueOf(his)];
    expect([forHer, forHim].every((path) => path.startsWith('/account/federation?code='))).toBe(true);
    await siege.untouched(async () => {
      for (const [browser, path] of [
        [hers, forHim],
        [his, forHer],
        [alice.anotherBrowser(), forHer],
      ] as const) {
        await browser.open(path);
        expect(browser.page.status).toBe(400);
      }
      // At a page for signing in, its code is not good either.
      await hers.open(forHer.replace('/account/', '/sign-in/'));
      expect(hers.page.status).toBe(400);
    });
    for (const { id } of [alice, bob]) expect(await core.connections.identities.list(id)).toEqual([]);
    await siege.stillIn(hers);
  });

  test.each(['signed out', 'somebody else signed in'])(
    'begun in a browser where meanwhile %s → refused, and nobody is linked',
    async (meanwhile) => {
      const siege = await besieged({ accounts: [mallory({ email: 'mal@evil.test', email_verified: true })] });
      const { alice, bob, core } = siege.it;
      const browser = await alice.signIn();
      await page(browser);
      await browser.press('Link Acme');
      const sent = browser.left;
      await browser.open('/account');
      await browser.press('Sign out of this browser');
      if (meanwhile !== 'signed out') await bob.signIn(browser);
      const back = await siege.acme.person(MALLORY).follow(sent ?? '');
      await siege.untouched(async () => {
        await browser.open(back.href);
        expect(browser.page.status).toBe(403);
      });
      for (const { id } of [alice, bob]) expect(await core.connections.identities.list(id)).toEqual([]);
    },
  );

  test('with what was held for another browser, or for another attempt → refused, and no password is tried', async () => {
    const siege = await besieged({ accounts: [mallory({ email: victims, email_verified: true })] });
    const { alice } = siege.it;
    const attacker = await siege.signIn('Acme', siege.acme.person(MALLORY));
    expect(attacker.heading).toBe('Sign in to link Acme');
    const code = codeIn(attacker);
    // The victim, about to sign in by Globex, is made to post the attacker's code with her own password.
    const victim = alice.anotherBrowser();
    await victim.open('/sign-in');
    const csrf = csrfOf(victim.page.text);
    await victim.press('Continue with Globex');
    const form = { code, username: 'alice', password: alice.password };
    await siege.untouched(async () => {
      expectRefusal(await post(siege, '/sign-in/federation/link', { ...form, csrf }, victim), 400);
      const attackers = csrfOf(attacker.page.text);
      expectRefusal(await post(siege, '/sign-in/federation/link', { ...form, csrf: attackers }, victim), 403);
      expectRefusal(await post(siege, '/sign-in/federation/link', { ...form, csrf: attackers }), 403);
      for (const wrong of ['', 'x', 'x'.repeat(43), '__proto__']) {
        const bent = { ...form, code: wrong, csrf: attackers };
        expectRefusal(await post(siege, '/sign-in/federation/link', bent, attacker), 400);
      }
      // Looking at it by its address uses it up, and tells nothing.
      await victim.open(`/sign-in/federation?code=${code}`);
      expect(victim.page.status).toBe(400);
    });
    await expectAlicesOwn(siege);
    // In its own browser it is good, for who knows the password.
    await attacker.press('Sign in', { password: alice.password });
    expect(attacker.path).toBe('/account');
  });
});
