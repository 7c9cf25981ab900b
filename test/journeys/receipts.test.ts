import { expect, test } from 'vitest';

import { readReceipt } from '../../src/revocation/receipt.ts';
import { artifact, clientSession } from '../support/records.ts';
import { signOutFromApp } from './sign-out-from-app.ts';
import type { Browser } from '../support/browser.ts';
import { type World, world } from '../support/world.ts';

const HOUR = 3600;

test('however many are owed a token, every listed row knows its own', async () => {
  const { alice, core } = await world();
  for (let nth = 0; nth < 1200; nth++) {
    const session = clientSession(`grant-${nth}`, { accountId: alice.id, persistent: true });
    await core.store.artifacts.save(artifact(session.grantId), session);
  }
  const { id } = await core.signOuts.signOut({
    scope: { kind: 'account', accountId: alice.id },
    reason: 'test',
    actor: { kind: 'operator' },
  });
  await core.fanOut.runUntilIdle();
  const receipt = await readReceipt(core.store, id);
  expect(receipt?.rows).toHaveLength(200);
  expect(receipt?.rows.filter(({ outcome }) => outcome === 'not-applicable')).toEqual([]);
  expect(receipt?.unlisted).toBe(1000);
});

test('a client that hears by subject alone has its one token on each of its rows', async () => {
  const { alice, cinema, settle } = await world();
  await cinema.signIn(alice, alice.anotherBrowser());
  await cinema.signIn(alice, alice.anotherBrowser());
  const browser = alice.browser();
  const receipt = await alice.signOutOfAllDevices(browser);
  await settle();
  await browser.open(receipt);
  expect(outcomesOf(browser)).toEqual(['Cinema: Told at', 'Cinema: Told at']);
});

test('a browser signed out at an app: those with offline access are listed as told and as keeping it', async () => {
  const { alice, player, cinema, phone, settle, ...house } = await world();
  const browser = alice.browser();
  const { id_token } = await player.signIn(alice, browser);
  await cinema.signIn(alice, browser, { scope: 'openid' });
  await phone.signIn(alice, browser);
  await player.signIn(alice, alice.anotherBrowser());
  await signOutFromApp(browser, id_token);
  await settle();
  const receipt = await latest(house);
  await alice.signIn(browser);
  await browser.open(receipt);
  // The phone keeps its access and takes no notices: nothing ended, nothing was owed, nothing is to be told.
  expect(outcomesOf(browser)).toEqual(['Cinema: Told at', 'Player: Keeps its offline access. Told at']);
  expect(browser.page.text).toContain('Told: 2 of 2.');
  const json = await asJson(browser, receipt);
  expect(json).toMatchObject({ accounts: 1, clients: 2, deliveries: { delivered: 2 } });
  expect(json.devices).toContainEqual({
    app: 'Player',
    device: 'Firefox on Linux',
    outcome: 'told',
    keepsAccess: true,
    at: expect.any(String),
  });
});

test('an app with offline access that refused to hear is shown, also once something else has ended it', async () => {
  const { alice, player, ears, settle, advance, ...house } = await world({ fakeTime: true });
  ears.behave('player', 400);
  const browser = await alice.signIn();
  await player.signIn(alice, browser);
  await browser.open('/account');
  await browser.press('Sign out of this browser');
  const receipt = await latest(house);
  for (let nth = 0; nth < 3; nth++) {
    await settle();
    advance(10);
  }
  await alice.signIn(browser);
  await browser.open(receipt);
  expect(outcomesOf(browser)).toEqual(['Player: Keeps its offline access. Told, and refused to listen']);
  expect(browser.page.text).not.toContain('nobody had to be told');
  await alice.signOutOfAllDevices(browser);
  await settle();
  await alice.signIn(browser);
  await browser.open(receipt);
  expect(outcomesOf(browser)).toEqual(['Player: Told, and refused to listen. It finds out at its next request']);
});

test('an app whose address may not be called was not told, and has refused nothing', async () => {
  const { alice, player, ears, settle, advance } = await world({
    fakeTime: true,
    configuration: { outbound: { allow: [] } },
  });
  const browser = alice.browser();
  await player.signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices(browser);
  for (let nth = 0; nth < 3; nth++) {
    await settle();
    advance(10);
  }
  await browser.open(receipt);
  expect(outcomesOf(browser)).toEqual([
    'Player: Its address may not be called from here. It finds out at its next request',
  ]);
  expect(await asJson(browser, receipt)).toMatchObject({ devices: [{ outcome: 'unreachable', at: null }] });
  expect(ears.heard).toEqual([]);
});

test('an app that stopped taking notices before it heard one', async () => {
  const { alice, core, ears, settle, advance, issuer } = await world({ fakeTime: true });
  const setup = {
    client_id: 'guest',
    client_name: 'Guest',
    client_secret: 'a secret of the guest client, 0123456789',
    token_endpoint_auth_method: 'client_secret_basic',
    first_party: true,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://guest.test/callback'],
  };
  await core.clients.register('guest', { ...setup, backchannel_logout_uri: `${ears.url}/guest` }, 'command');
  ears.behave('guest', 503);
  const { createClient } = await import('../support/client.ts');
  const browser = alice.browser();
  await createClient(issuer, setup).signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices(browser);
  await settle();
  await core.clients.register('guest', setup, 'command');
  advance(10);
  await settle();
  await browser.open(receipt);
  expect(outcomesOf(browser)).toEqual(['Guest: Takes no notices any more. It finds out at its next request']);
});

test('"you" is said to nobody but the account itself', async () => {
  const { alice, core, issuer } = await world();
  const browser = alice.browser();
  const receipt = await alice.signOutOfAllDevices(browser);
  await browser.open(receipt);
  expect(ledgerOf(browser)).toMatchObject({ 'Asked by': 'you', Reason: 'At your request' });
  await alice.signIn(browser);
  await browser.open(receipt);
  expect(ledgerOf(browser)).toMatchObject({ 'Asked by': 'you', Reason: 'At your request' });
  const admin = await signInAsAdmin(core, issuer);
  await admin.open(receipt);
  expect(ledgerOf(admin)).toMatchObject({
    'Asked by': 'the account&#39;s owner',
    Reason: 'At the request of the account&#39;s owner',
  });
});

test('a live receipt ends when the Session of its reader does', async () => {
  const { alice, player, ears, settle, ...house } = await world();
  ears.behave('player', 503);
  await player.signIn(alice, alice.anotherBrowser());
  const receipt = await alice.signOutOfAllDevices();
  await settle();
  const reader = alice.anotherBrowser();
  await alice.signIn(reader);
  const stream = await openStream(house, reader, receipt);
  await alice.signOutOfAllDevices();
  const text = await stream.rest();
  expect(text).toContain('event: receipt');
  expect(text).not.toContain('event: done');
});

test("a live receipt ends with its cookie's hour", async () => {
  const { alice, player, ears, settle, advance, ...house } = await world({ fakeTime: true });
  ears.behave('player', 503);
  const browser = alice.browser();
  await player.signIn(alice, browser);
  const receipt = await alice.signOutOfAllDevices(browser);
  await settle();
  const stream = await openStream(house, browser, receipt);
  advance(HOUR + 1);
  const text = await stream.rest();
  expect(text).toContain('event: receipt');
  expect(text).not.toContain('event: done');
});

/** What each row says of its app, without the time. */
function outcomesOf({ page }: Pick<Browser, 'page'>): string[] {
  return [...page.text.matchAll(/<th role="rowheader"[^>]*>([^<]*)<\/th>[\s\S]*?<span class="outcome [^"]*">([^<]*)</g)]
    .map(([, app = '', text = '']) => `${app}: ${text.trim()}`)
    .toSorted();
}

function ledgerOf({ page }: Pick<Browser, 'page'>): Record<string, string> {
  return Object.fromEntries(
    [...page.text.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)].map(([, term = '', text = '']) => [term, text]),
  );
}

/** The path of the receipt of the Sign-out recorded last. */
async function latest({ core }: Pick<World, 'core'>): Promise<string> {
  const [signOut] = await core.store.revocations.listSignOuts(1);
  return `/sign-outs/${signOut?.id}`;
}

async function asJson(browser: Browser, receipt: string): Promise<Record<string, unknown>> {
  const url = new URL(receipt, browser.origin);
  const { text } = await browser.request('GET', url, undefined, { accept: 'application/json' });
  return JSON.parse(text) as Record<string, unknown>;
}

/** The live receipt, opened: its first event has arrived. `rest` resolves when the server has ended it. */
async function openStream({ issuer }: Pick<World, 'issuer'>, browser: Browser, receipt: string) {
  const url = new URL(`${receipt}/events`, issuer);
  const response = await fetch(url, { headers: { cookie: browser.cookieHeader(url) } });
  if (response.status !== 200 || response.body === null) throw new Error(`no stream: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? '';
  return {
    async rest(): Promise<string> {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return text;
        text += value;
      }
    },
  };
}

async function signInAsAdmin(core: World['core'], issuer: string): Promise<Browser> {
  const { Browser } = await import('../support/browser.ts');
  const identity = { username: 'root', email: 'root@example.test' };
  const password = 'the keys of the whole house';
  const hashed = await core.signIn.hashNewPassword({ password, ...identity });
  if (!('hash' in hashed)) throw new Error('refused');
  await core.accounts.create({ ...identity, passwordHash: hashed.hash, admin: true });
  const browser = new Browser(issuer);
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: identity.username, password });
  return browser;
}
