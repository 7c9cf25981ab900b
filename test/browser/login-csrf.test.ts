/**
 * Sign-ins that cross from one browser to another, in a real one: an attacker's answer brought into a victim's browser, and a
 * victim's answer to an attacker's attempt. What keeps them out is which cookies a browser sends across sites, and only a
 * browser knows. Curfew is at localhost, Acme at 127.0.0.1, Corp and the attacker under .localhost: to Chromium four sites.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page, Request } from 'playwright-core';
import { expect, onTestFinished, test, vi } from 'vitest';

import { besieged, SHARED, type Siege } from '../hostile/federation-probe.ts';
import type { Browser } from '../support/browser.ts';
import { until } from '../support/demo.ts';
import { erin } from '../support/saml-world.ts';
import { useChromium } from './chromium.ts';
import { keyboardOn } from './keyboard.ts';

vi.setConfig({ testTimeout: 120_000 });

const chromium = useChromium();
const MALLORY = 'acme-mallory';
const mallory = {
  sub: MALLORY,
  claims: { preferred_username: 'mallory', email: 'mallory@evil.test', email_verified: true },
};
const malloryAtCorp = () => ({ ...erin(), nameId: 'employee-66', attributes: { uid: 'mallory', mail: 'm@corp.test' } });

/** Pages under a name of their own; `evil` holds what the attacker puts there, `corp` answers as Erin. */
async function sites() {
  let evil = '';
  let corps: Siege['corp'] | undefined;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (url.pathname === '/favicon.ico') return void response.writeHead(204).end();
    if (url.hostname === 'evil.localhost') return void response.end(evil);
    if (corps === undefined || url.pathname !== '/sso') return void response.writeHead(404).end();
    const { acsUrl, form } = corps.answer(url, erin());
    response.end(selfPosting(acsUrl, form));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    corpAt: `http://corp.localhost:${port}`,
    evilUrl: `http://evil.localhost:${port}/`,
    serveCorp: (corp: Siege['corp']) => void (corps = corp),
    /** What the attacker's page does as soon as it is looked at. */
    trap: (html: string) => void (evil = `<!doctype html><title>Cats</title>${html}`),
  };
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
function selfPosting(action: string, form: URLSearchParams): string {
  const fields = [...form].map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`);
  return `<form method="post" action="${escaped(action)}">${fields.join('')}</form><script>document.forms[0].submit()</script>`;
}
const leadingTo = (url: string): string => `<script>location.href = ${JSON.stringify(url)}</script>`;

async function scene() {
  const web = await sites();
  const siege = await besieged({ fakeTime: false, accounts: [mallory], corpAt: web.corpAt });
  web.serveCorp(siege.corp);
  const { issuer, alice } = siege.it;
  const page = await (await chromium.open('wide')).newPage();
  const requests: Request[] = [];
  page.on('request', (request) => requests.push(request));
  const keyboard = keyboardOn(page);
  const open = (path: string): Promise<void> => keyboard.open(new URL(path, issuer).href);
  const heading = (wanted: string): Promise<unknown> =>
    until(`the page is "${wanted}"`, async () => (await keyboard.heading()) === wanted).catch(
      async (cause: unknown) => {
        throw new Error(`${page.url()} is not "${wanted}" but: ${await keyboard.text()}`, { cause });
      },
    );
  return {
    ...web,
    siege,
    page,
    keyboard,
    open,
    heading,
    /** Headers of the last request to this path, cookies among them, as Chromium sent them. */
    async sent(path: string): Promise<Record<string, string>> {
      const request = requests.findLast((one) => new URL(one.url()).pathname === path);
      if (request === undefined) throw new Error(`nothing was sent to ${path}`);
      return request.allHeaders();
    },
    async signInAsAlice(): Promise<void> {
      await open('/sign-in');
      await keyboard.type('Username or e-mail', alice.username);
      await keyboard.type('Password', alice.password);
      await page.keyboard.press('Enter');
      await heading('Hello, alice');
    },
    /** The victim is who they were: Alice, or nobody. */
    async staysAs(who: 'alice' | 'nobody'): Promise<void> {
      await open('/account');
      expect(await keyboard.heading()).toBe(who === 'alice' ? 'Hello, alice' : 'Sign in');
    },
  };
}

/** The attacker's own browser, sent to a provider. */
async function attackersAttempt({ it }: Siege, name: 'Acme' | 'Corp'): Promise<{ attacker: Browser; sentTo: URL }> {
  const attacker = it.bob.anotherBrowser();
  await attacker.open('/sign-in');
  await attacker.press(`Continue with ${name}`);
  return { attacker, sentTo: attacker.left as URL };
}

async function signInAtAcme(page: Page, sub: string): Promise<void> {
  await page.fill('input[name=login]', sub);
  await page.fill('input[name=password]', `password of ${sub}`);
  await page.click('button:text-is("Sign in")');
}

test('the honest way, across the same sites: the answer comes without cookies, and the next request has them', async () => {
  const { siege, page, keyboard, open, heading, sent } = await scene();
  await open('/sign-in');
  await keyboard.press('Continue with Acme');
  await page.waitForSelector('input[name=login]');
  await signInAtAcme(page, SHARED);
  await heading('Hello, acme-one');
  expect((await sent('/sign-in/federation'))['cookie']).toContain('curfew-attempt=');
  await keyboard.press('Sign out of this browser');
  await heading('You are signed out');

  await open('/sign-in');
  await keyboard.press('Continue with Corp');
  await heading('Hello, erin');
  const posted = await sent('/saml/corp/acs');
  expect([posted['sec-fetch-site'], posted['cookie']]).toEqual(['cross-site', undefined]);
  expect((await sent('/sign-in/federation'))['cookie']).toContain('curfew-attempt=');
  expect(page.url()).toBe(`${siege.it.issuer}/account`);
});

const victims = ['nobody', 'alice', 'somebody on their way'] as const;

for (const victim of victims) {
  test(`an attacker's answer by OpenID Connect, in the browser of ${victim} → refused, and nobody changes`, async () => {
    const { siege, evilUrl, trap, keyboard, open, page, heading, sent, signInAsAlice, staysAs } = await scene();
    const { attacker } = await attackersAttempt(siege, 'Acme');
    const answer = await siege.askedBack(attacker, siege.acme.person(MALLORY));
    if (victim === 'alice') await signInAsAlice();
    if (victim === 'somebody on their way') {
      await open('/sign-in');
      await keyboard.press('Continue with Acme');
      await page.waitForSelector('input[name=login]');
    }
    trap(leadingTo(answer.href));
    await keyboard.open(evilUrl);
    await heading('Start again');
    const arrived = await sent('/sign-in/federation');
    const own = arrived['cookie']?.includes('curfew-attempt=') ?? false;
    // A cookie of one's own attempt goes along, and is not the attacker's.
    expect(own).toBe(victim === 'somebody on their way');
    await staysAs(victim === 'alice' ? 'alice' : 'nobody');
    // Not even with the code it was exchanged for, handed on while it is good.
    const again = await attackersAttempt(siege, 'Acme');
    const other = await siege.askedBack(again.attacker, siege.acme.person(MALLORY));
    const response = await siege.it.send({ path: other.pathname + other.search });
    trap(leadingTo(new URL(response.header('location') ?? '', siege.it.issuer).href));
    await keyboard.open(evilUrl);
    await heading('Start again');
    await staysAs(victim === 'alice' ? 'alice' : 'nobody');
    expect(await siege.it.core.accounts.resolve('mallory')).toBeNull();
  });

  test(`an attacker's answer by SAML, posted from elsewhere in the browser of ${victim} → refused, and nobody changes`, async () => {
    const { siege, evilUrl, trap, keyboard, open, page, heading, sent, signInAsAlice, staysAs } = await scene();
    const { sentTo } = await attackersAttempt(siege, 'Corp');
    const { acsUrl, form } = siege.corp.answer(sentTo, malloryAtCorp());
    if (victim === 'alice') await signInAsAlice();
    if (victim === 'somebody on their way') {
      await open('/sign-in');
      await keyboard.press('Continue with Acme');
      await page.waitForSelector('input[name=login]');
    }
    trap(selfPosting(acsUrl, form));
    await keyboard.open(evilUrl);
    await heading('Start again');
    expect((await sent('/saml/corp/acs'))['sec-fetch-site']).toBe('cross-site');
    await staysAs(victim === 'alice' ? 'alice' : 'nobody');
    expect(await siege.it.core.accounts.resolve('mallory')).toBeNull();
  });
}

test("a victim who completes an attacker's attempt → is in nowhere, and neither is the attacker", async () => {
  const { siege, evilUrl, trap, keyboard, page, heading, sent, staysAs } = await scene();
  const { attacker, sentTo } = await attackersAttempt(siege, 'Acme');
  trap(leadingTo(sentTo.href));
  await keyboard.open(evilUrl);
  await page.waitForSelector('input[name=login]');
  await signInAtAcme(page, SHARED);
  await heading('Start again');
  expect((await sent('/sign-in/federation'))['cookie'] ?? '').not.toContain('curfew-attempt=');
  await staysAs('nobody');
  // The attacker has the state, and nothing else that is good.
  const state = sentTo.searchParams.get('state') ?? '';
  for (const path of [
    '/sign-in/federation',
    `/sign-in/federation?code=${state}`,
    `/federation/acme/callback?state=${state}&code=x&iss=${encodeURIComponent(siege.acme.issuer)}`,
  ]) {
    await attacker.open(path);
    expect(attacker.page.status).toBe(400);
  }
  await siege.isOut(attacker);
  expect(await siege.it.core.accounts.resolve('acme-one')).toBeNull();
});

test('the same by SAML, where the company answers by itself', async () => {
  const { siege, evilUrl, trap, keyboard, heading, sent, signInAsAlice, staysAs } = await scene();
  const { attacker, sentTo } = await attackersAttempt(siege, 'Corp');
  await signInAsAlice();
  trap(leadingTo(sentTo.href));
  await keyboard.open(evilUrl);
  await heading('Start again');
  const posted = await sent('/saml/corp/acs');
  expect([posted['sec-fetch-site'], posted['cookie']]).toEqual(['cross-site', undefined]);
  await staysAs('alice');
  await siege.isOut(attacker);
  expect(await siege.it.core.accounts.resolve('erin')).toBeNull();
});

test("an attacker's sign-out, posted or linked from elsewhere → asks, and ends nothing", async () => {
  const { siege, evilUrl, trap, keyboard, open, heading, signInAsAlice, staysAs } = await scene();
  await signInAsAlice();
  const { issuer } = siege.it;
  trap(selfPosting(`${issuer}/session/end/confirm`, new URLSearchParams({ xsrf: 'x', logout: 'both' })));
  await keyboard.open(evilUrl);
  await until('Curfew has answered', async () => keyboard.page.url().startsWith(issuer));
  await staysAs('alice');
  trap(leadingTo(`${issuer}/session/end`));
  await keyboard.open(evilUrl);
  await heading('Sign out?');
  await open('/account');
  await staysAs('alice');
});
