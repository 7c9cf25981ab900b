/**
 * A SAML identity provider that nobody here wrote: SimpleSAMLphp, as Debian packages it. What it says of itself, what it
 * signs and encrypts, and what it verifies of ours, is its own business.
 */
import { describe, expect, test } from 'vitest';

import { commandWorld } from '../commands/support.ts';
import type { Browser } from '../support/browser.ts';
import { employeeBrowser, type EmployeeBrowser } from '../support/simplesamlphp/employee.ts';
import { findSimplesamlphp } from '../support/simplesamlphp/find.ts';
import { startSimplesamlphp } from '../support/simplesamlphp/start.ts';

const found = findSimplesamlphp();

const ERIN = {
  username: 'erin',
  password: 'a key under the third stone',
  attributes: { uid: 'erin', mail: 'erin@corp.test', displayName: 'Erin' },
};

/** Curfew and SimpleSAMLphp, each with the other's metadata as the other publishes them. */
async function houseWithCorp(connection: Record<string, unknown> = {}) {
  if (found === undefined) throw new Error('there is no SimpleSAMLphp');
  const corp = await startSimplesamlphp(found, [ERIN]);
  const { metadataUrl } = corp;
  const house = await commandWorld({
    configuration: {
      connections: [{ id: 'corp', type: 'saml', name: 'Corp', metadataUrl, trustEmail: true, ...connection }],
    },
  });
  corp.change({ serviceProvider: await (await fetch(`${house.issuer}/saml/corp/metadata`)).text() });

  /** Goes to Corp, where Curfew has just sent the browser, and comes back with the answer. */
  const throughCorp = async (browser: Browser, erin: EmployeeBrowser) => {
    const answer = await erin.signIn(leftFor(browser));
    if (answer.continueAt !== null) await browser.open(answer.continueAt);
    return answer;
  };
  return {
    corp,
    house,
    throughCorp,
    async signIn(browser: Browser, erin: EmployeeBrowser) {
      await browser.open('/sign-in');
      await browser.press('Continue with Corp');
      return throughCorp(browser, erin);
    },
    browser: () => house.alice.anotherBrowser(),
    erinsBrowser: () => employeeBrowser(corp.url, ERIN),
    refresh: async () => (await house.here('connection', 'refresh', 'corp', '--json')).json(),
    /** Why the last answer was not accepted. */
    lastRefusal: () => house.logged.findLast((line) => line.includes('"upstream.refused"')),
  };
}

/** Where the browser was sent, out of the house it is in. */
function leftFor({ left, page, heading }: Browser): URL {
  if (left === undefined) throw new Error(`still at ${page.url}: ${page.status} ${heading}`);
  return left;
}

const isSignedIn = async (browser: Browser): Promise<boolean> => {
  await browser.open('/account');
  return browser.path === '/account';
};

const secondsSince = (instant: Date): number => (Date.now() - instant.getTime()) / 1000;

/** What it logs comes by another way than what it answers. */
const PATIENTLY = { timeout: 30_000 };
const ACCEPTED = { status: 303 };
const REFUSED = { status: 400, continueAt: null };

describe.skipIf(found === undefined)('SimpleSAMLphp', () => {
  test('signs somebody in, and does not ask her twice in one session of its own', async () => {
    const { house, signIn, browser, erinsBrowser } = await houseWithCorp();
    const erin = erinsBrowser();
    const [first, second] = [browser(), browser()];
    expect(await signIn(first, erin)).toMatchObject({ asked: true, ...ACCEPTED });
    expect(first.path).toBe('/account');
    expect(first.page.text).toContain('erin@corp.test');
    const account = await house.core.accounts.resolve('erin');
    expect(await signIn(second, erin)).toMatchObject({ asked: false, ...ACCEPTED });
    expect(await isSignedIn(second)).toBe(true);
    // With another browser she is nobody yet, and then the same person.
    expect(await signIn(browser(), erinsBrowser())).toMatchObject({ asked: true, ...ACCEPTED });
    expect((await house.core.accounts.resolve('erin@corp.test'))?.id).toBe(account?.id);
    expect(await house.core.accounts.resolve('erin-2')).toBeNull();
  });

  test('takes a request of ours as it was signed, and not as it was changed on the way', async () => {
    const { browser, erinsBrowser } = await houseWithCorp();
    const asking = browser();
    await asking.open('/sign-in');
    await asking.press('Continue with Corp');
    const asked = leftFor(asking);
    const changed = new URL(asked);
    changed.searchParams.set('RelayState', 'another');
    const { at } = erinsBrowser();
    await at.open(changed.href);
    expect(at.buttons).not.toContain('Login');
    expect(at.page.text).toContain('Unable to validate signature on query string');
    await at.open(asked.href);
    expect(at.buttons).toContain('Login');
  });

  test('asks again, whatever session it has, after a sign-out of all devices', async () => {
    const { corp, signIn, throughCorp, browser, erinsBrowser } = await houseWithCorp();
    const erin = erinsBrowser();
    const [first, second] = [browser(), browser()];
    await signIn(first, erin);
    corp.pass(3600);
    const again = await signIn(browser(), erin);
    expect(again).toMatchObject({ asked: false, ...ACCEPTED });
    expect(secondsSince(again.authnInstant)).toBeGreaterThan(3599);
    await first.open('/account/security');
    await first.press('Sign out of all devices');
    expect(first.path).toMatch(/^\/sign-outs\//);

    expect(await signIn(second, erin)).toMatchObject({ asked: false, ...ACCEPTED });
    // Nobody came in by the session that was there before. Whoever has proved anew who they are does.
    expect(second.path).not.toBe('/account');
    const proof = await throughCorp(second, erin);
    expect(proof).toMatchObject({ asked: true, ...ACCEPTED });
    expect(secondsSince(proof.authnInstant)).toBeLessThan(60);
    expect(second.path).toBe('/account');
    expect(await isSignedIn(first)).toBe(false);
  });

  test('ends its session when Curfew asks it to, and Curfew takes its answer', async () => {
    const { corp, signIn, browser, erinsBrowser } = await houseWithCorp();
    const erin = erinsBrowser();
    const leaving = browser();
    await signIn(leaving, erin);
    await leaving.press('Sign out of this browser');
    await leaving.press('Also sign out of Corp');
    await erin.at.open(leftFor(leaving).href);
    const answer = leftFor(erin.at);
    expect(answer.pathname).toBe('/saml/corp/slo');
    expect([...answer.searchParams.keys()]).toContain('SAMLResponse');
    await leaving.open(answer.href);
    expect(leaving.page.status).toBe(200);
    expect(leaving.heading).toBe('You are signed out');
    await expect
      .poll(() => corp.events, PATIENTLY)
      .toContainEqual(expect.objectContaining({ op: 'saml:idp:LogoutResponse:sent', partial: false }));
    expect(await signIn(browser(), erin)).toMatchObject({ asked: true, ...ACCEPTED });
  });

  test('has Curfew end the session that came from its own, and takes the answer', async () => {
    const { corp, house, signIn, browser, erinsBrowser } = await houseWithCorp();
    const [erin, elsewhere] = [erinsBrowser(), erinsBrowser()];
    const [here, there] = [browser(), browser()];
    await signIn(here, erin);
    await signIn(there, elsewhere);
    const goodbye = `${corp.url}/logout.php`;
    await erin.at.open(`/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(goodbye)}`);
    expect([...leftFor(erin.at).searchParams.keys()]).toContain('SAMLRequest');
    await here.open(leftFor(erin.at).href);
    const answer = leftFor(here);
    expect([await isSignedIn(here), await isSignedIn(there)]).toEqual([false, true]);

    const changed = new URL(answer);
    changed.searchParams.set('RelayState', 'another');
    await erin.at.open(changed.href);
    expect(erin.at.page.text).toContain('Unable to validate signature on query string');
    await erin.at.open(answer.href);
    expect(erin.at.page).toMatchObject({ status: 200, url: goodbye });
    await expect
      .poll(() => corp.events.filter(({ op }) => op === 'saml:idp:LogoutResponse:recv'), PATIENTLY)
      .toEqual([expect.objectContaining({ spEntityID: `${house.issuer}/saml/corp/metadata` })]);
    expect(corp.events.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  test('may change its key once Curfew has read of the new one, and not before', async () => {
    const { corp, refresh, lastRefusal, signIn, browser, erinsBrowser } = await houseWithCorp();
    const [erin, old, next] = [erinsBrowser(), await corp.newKey(), await corp.newKey()];
    corp.change({ signing: old });
    await refresh();
    expect(await signIn(browser(), erin)).toMatchObject(ACCEPTED);
    const early = browser();
    corp.change({ signing: next });
    expect(await signIn(early, erin)).toMatchObject(REFUSED);
    expect(lastRefusal()).toContain('bad-signature');
    expect(await isSignedIn(early)).toBe(false);

    corp.change({ signing: old, next });
    expect(await refresh()).toMatchObject({ changed: true, added: [expect.any(String)], removed: [] });
    expect(await signIn(browser(), erin)).toMatchObject(ACCEPTED);
    corp.change({ signing: next, next: undefined });
    expect(await signIn(early, erin)).toMatchObject(ACCEPTED);
    expect(await isSignedIn(early)).toBe(true);

    expect(await refresh()).toMatchObject({ changed: true, added: [], removed: [expect.any(String)] });
    expect(await signIn(browser(), erin)).toMatchObject(ACCEPTED);
    corp.change({ signing: old });
    expect(await signIn(browser(), erin)).toMatchObject(REFUSED);
  });

  test('encrypts what it asserts with AES-128-CBC, which is read inside a signature', async () => {
    const { corp, signIn, browser, erinsBrowser } = await houseWithCorp();
    corp.change({ encryptsAssertions: true });
    const here = browser();
    const { xml, ...answer } = await signIn(here, erinsBrowser());
    expect(answer).toMatchObject({ asked: true, ...ACCEPTED });
    expect(xml).not.toContain('erin@corp.test');
    expect(xml).toContain('<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>');
    expect(here.page.text).toContain('erin@corp.test');
  });

  test('may leave its response unsigned where an operator accepts that, but not around what it encrypts', async () => {
    const { corp, lastRefusal, signIn, browser, erinsBrowser } = await houseWithCorp({ wantResponseSigned: false });
    const erin = erinsBrowser();
    const [plain, sealed] = [browser(), browser()];
    corp.change({ signsResponses: false });
    expect(await signIn(plain, erin)).toMatchObject(ACCEPTED);
    expect(await isSignedIn(plain)).toBe(true);
    corp.change({ encryptsAssertions: true });
    expect(await signIn(sealed, erin)).toMatchObject(REFUSED);
    expect(lastRefusal()).toContain('encryption-algorithm');
    expect(await isSignedIn(sealed)).toBe(false);
  });
});
