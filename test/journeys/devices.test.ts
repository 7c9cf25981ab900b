import { expect, test } from 'vitest';

import type { ClientSessionRecord } from '../../src/store/records.ts';
import { artifact, clientSession } from '../support/records.ts';
import type { Browser } from '../support/browser.ts';
import { type World, world } from '../support/world.ts';

const DAY = 86_400;

/** Gives an account so many Client Sessions with offline access; the later its grant id, the longer ago its last use. */
async function connectMany(
  { core }: Pick<World, 'core'>,
  accountId: string,
  count: number,
  facts: Partial<ClientSessionRecord> = {},
): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    const grantId = `many-${String(nth).padStart(4, '0')}`;
    const usedAt = new Date(Date.now() - nth * 1000);
    const session = clientSession(grantId, {
      accountId,
      persistent: true,
      sealedDevice: core.devices.seal(grantId, { userAgent: `app ${nth}`, address: '127.0.0.1' }),
      firstUsedAt: usedAt,
      lastUsedAt: usedAt,
      ...facts,
    });
    await core.store.artifacts.save(artifact(grantId), session);
  }
}

test('devices come a hundred apps to a page, each once, the browsers on the first', async () => {
  const { alice, ...house } = await world();
  await connectMany(house, alice.id, 201);
  const browser = await alice.signIn();
  const pages: string[][] = [];
  for (let path: string | undefined = '/account/devices'; path !== undefined; path = moreOf(browser)) {
    await browser.open(path);
    pages.push(idsOf(browser));
  }
  expect(pages.map((page) => page.length)).toEqual([101, 100, 1]);
  expect(new Set(pages.flat()).size).toBe(202);
  expect(pages[0]?.[0]).toMatch(/^session-/);
  expect(pages[0]?.[1]).toBe('grant-many-0000');
  expect(browser.page.text).toContain('<a class="button button-plain" href="/account/devices">First devices</a>');
  await browser.open('/account/devices');
  expect(browser.page.text).not.toContain('First devices');
});

test('no page follows the last one', async () => {
  const { alice, ...house } = await world();
  await connectMany(house, alice.id, 100);
  const browser = await alice.signIn();
  await browser.open('/account/devices');
  expect([idsOf(browser).length, moreOf(browser)]).toEqual([101, undefined]);
  await browser.open('/account/devices?after=zzz');
  expect([browser.page.status, idsOf(browser)]).toEqual([200, []]);
  expect(browser.page.text).toContain('No devices on this page.');
});

test('what is counted is counted up to a hundred', async () => {
  const { alice, bob, ...house } = await world();
  await connectMany(house, alice.id, 150);
  const browser = await alice.signIn();
  const bobs = await bob.signIn();
  for (const path of ['/account', '/account/security']) {
    expect((await browser.open(path)).text).toContain('<span class="figure">100+</span>');
    expect((await bobs.open(path)).text).toContain('<span class="figure">1</span>');
  }
});

test('what has lost its access fills no page, and keeps nothing from being found', async () => {
  const { alice, tv, ...house } = await world();
  await connectMany(house, alice.id, 450, { lastUsedAt: new Date(Date.now() - 31 * DAY * 1000) });
  const browser = await alice.signIn();
  await tv.connectDevice(alice, browser);
  await browser.open('/account/devices');
  expect(appsOf(browser)).toEqual(['Curfew', 'Television']);
  expect((await browser.open('/account')).text).toContain('<span class="figure">2</span>');
});

test('a device of a later page is signed out by its id, and nobody else can', async () => {
  const { alice, bob, ...house } = await world();
  await connectMany(house, alice.id, 150);
  const { revocations } = house.core.store;
  const bobs = await bob.signIn();
  await bobs.open('/account/devices');
  await bobs.press('Sign out', { device: 'grant-many-0140' });
  expect(bobs.page.status).toBe(404);
  expect(await revocations.listSignOuts(10)).toEqual([]);

  const browser = await alice.signIn();
  await browser.open('/account/devices?after=many-0099');
  const form = browser.page;
  await browser.press('Sign out', {}, { nth: idsOf(browser).indexOf('grant-many-0140') });
  expect(browser.path).toMatch(/^\/sign-outs\//);
  expect((await revocations.listSignOuts(10)).map(({ scope }) => scope)).toEqual([
    { kind: 'device', accountId: alice.id, grantId: 'many-0140' },
  ]);
  for (const device of ['grant-many-0140', 'grant-none', 'session-none', 'many-0001', 'other-many-0001']) {
    browser.page = form;
    await browser.press('Sign out', { device });
    expect([device, browser.page.status]).toEqual([device, 404]);
  }
  expect(await revocations.listSignOuts(10)).toHaveLength(1);
});

test("a sign-in without offline access is listed as long as its browser's Session lives", async () => {
  const { alice, player, core, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  await player.signIn(alice, browser, { scope: 'openid' });
  await browser.open('/account/devices');
  expect(appsOf(browser)).toEqual(['Curfew', 'Player']);
  advance(20 * DAY);
  await alice.signIn(browser);
  await browser.open('/account/devices');
  expect(appsOf(browser)).toEqual(['Curfew']);
  expect((await browser.open('/account')).text).toContain('<span class="figure">1</span>');
  // It stays in the store: its app may still have a session of its own, and is told when there is something to tell.
  expect(await core.store.revocations.clientSessionsOf(alice.id, { limit: 10 })).toHaveLength(1);
});

test('offline access is listed for thirty days from its last use', async () => {
  const { alice, player, tv, advance } = await world({ fakeTime: true });
  const browser = alice.browser();
  const tokens = await player.signIn(alice, browser);
  await tv.connectDevice(alice, browser);
  advance(20 * DAY);
  await player.refresh(tokens);
  advance(11 * DAY);
  await alice.signIn(browser);
  await browser.open('/account/devices');
  expect(appsOf(browser)).toEqual(['Curfew', 'Player']);
  advance(20 * DAY);
  await alice.signIn(browser);
  await browser.open('/account/devices');
  expect(appsOf(browser)).toEqual(['Curfew']);
});

function idsOf({ page }: Pick<Browser, 'page'>): string[] {
  return [...page.text.matchAll(/name="device" value="([^"]*)"/g)].map(([, id = '']) => id);
}

function appsOf({ page }: Pick<Browser, 'page'>): string[] {
  return [...page.text.matchAll(/<h3[^>]*>([\s\S]*?) <span/g)].map(([, app = '']) => app).toSorted();
}

function moreOf({ page }: Pick<Browser, 'page'>): string | undefined {
  return /href="([^"]*)">More devices</.exec(page.text)?.[1];
}
