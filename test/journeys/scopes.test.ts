import { expect, test } from 'vitest';

import { noteEpochs } from '../../src/oidc/lineage.ts';
import { readReceipt } from '../../src/revocation/receipt.ts';
import type { SignOutScope } from '../../src/store/records.ts';
import type { Store } from '../../src/store/port.ts';
import type { Browser } from '../support/browser.ts';
import type { Client, Tokens } from '../support/client.ts';
import { type World, world, type WorldOptions } from '../support/world.ts';

const OPERATOR = { kind: 'operator' } as const;

/** Two people, each with two browsers and a television. */
async function household(options: WorldOptions = {}) {
  const house = await world(options);
  const { alice, bob, player, cinema, phone, tv } = house;
  const laptop = alice.browser();
  const tablet = alice.anotherBrowser();
  const bobs = bob.browser();
  const tokens = {
    laptopPlayer: await player.signIn(alice, laptop),
    laptopCinema: await cinema.signIn(alice, laptop),
    tabletPlayer: await player.signIn(alice, tablet),
    tabletPhone: await phone.signIn(alice, tablet, { scope: 'openid' }),
    television: await tv.connectDevice(alice, laptop),
    bobPlayer: await player.signIn(bob, bobs),
    bobPhone: await phone.signIn(bob, bobs),
  };
  const clients: Record<keyof typeof tokens, Client> = {
    laptopPlayer: player,
    laptopCinema: cinema,
    tabletPlayer: player,
    tabletPhone: phone,
    television: tv,
    bobPlayer: player,
    bobPhone: phone,
  };
  const names = Object.keys(tokens) as (keyof typeof tokens)[];
  /** What still works, by refresh token where there is one, and by userinfo. */
  const working = async (): Promise<(keyof typeof tokens)[]> => {
    const standing = await Promise.all(
      names.map(async (name) => {
        const { access_token, refresh_token }: Tokens = tokens[name];
        const works = (await clients[name].userinfo({ access_token })).status === 200;
        const active = refresh_token === undefined ? works : (await clients[name].introspect(refresh_token)).active;
        expect([name, active]).toEqual([name, works]);
        return works;
      }),
    );
    return names.filter((_name, at) => standing[at]);
  };
  const browsers = { laptop, tablet, bobs };
  /** Browsers that get a code for this Client without a password. */
  const signedIn = async (client: Client): Promise<string[]> => {
    const inside: string[] = [];
    for (const [name, browser] of Object.entries(browsers)) if (await silently(browser, client)) inside.push(name);
    return inside;
  };
  const end = async (scope: SignOutScope) => {
    const signOut = await house.core.signOuts.signOut({ scope, reason: 'test', actor: OPERATOR });
    const before = await working();
    await house.settle();
    expect(await working()).toEqual(before);
    return { ...(await outcomes(house, signOut.id)), working: before };
  };
  const sessionOf = async (name: keyof typeof tokens, personId: string) => {
    const sessions = await house.core.store.revocations.clientSessionsOf(personId);
    const sid = claimsOf(tokens[name].id_token)['sid'];
    const found = sessions.find((session) =>
      sid === undefined ? session.clientId === clients[name].id : session.sid === sid,
    );
    if (found === undefined) throw new Error(`${name} has no Client Session`);
    return found;
  };
  const sid = (name: keyof typeof tokens) => claimsOf(tokens[name].id_token)['sid'];
  return { ...house, tokens, working, signedIn, end, sessionOf, sid, browsers };
}

/** Whether the browser gets a code without asking its person anything. */
async function silently(browser: Browser, client: Client): Promise<boolean> {
  const silent = client.setup['first_party'] === true ? { prompt: 'none' } : { prompt: 'none', scope: 'openid' };
  await browser.open(client.authorization(silent).url);
  if (browser.left?.searchParams.has('code')) return true;
  expect(browser.left?.searchParams.get('error')).toBe('login_required');
  return false;
}

/** Who was told of what, and the receipt's rows. */
async function outcomes({ core, ears }: Pick<World, 'core' | 'ears'>, signOutId: string) {
  const receipt = await readReceipt(core.store, signOutId);
  if (receipt === null) throw new Error('no receipt');
  expect(receipt.done).toBe(true);
  return {
    told: ears.heard.map(({ client, claims }) => [client, claims['sub'], claims['sid']]).toSorted(byText),
    rows: receipt.rows.map(({ clientId, accountId, outcome }) => [clientId, accountId, outcome]).toSorted(byText),
    receipt,
  };
}

const byText = (a: readonly unknown[], b: readonly unknown[]): number => (String(a) < String(b) ? -1 : 1);

test('everyone: nothing works for anybody, everybody is told, and everybody may come back at once', async () => {
  const { end, signedIn, sid, alice, bob, player, phone, core } = await household({ fakeTime: true });
  const { working, told, rows, receipt } = await end({ kind: 'everyone' });
  expect(working).toEqual([]);
  expect(await signedIn(phone)).toEqual([]);
  expect(told).toEqual(
    [
      ['cinema', alice.id, undefined],
      ['player', alice.id, sid('laptopPlayer')],
      ['player', alice.id, sid('tabletPlayer')],
      ['player', bob.id, sid('bobPlayer')],
    ].toSorted(byText),
  );
  expect(rows).toEqual(
    [
      ['cinema', alice.id, 'told'],
      ['phone', alice.id, 'not-applicable'],
      ['phone', bob.id, 'not-applicable'],
      ['player', alice.id, 'told'],
      ['player', alice.id, 'told'],
      ['player', bob.id, 'told'],
      ['tv', alice.id, 'not-applicable'],
    ].toSorted(byText),
  );
  expect([receipt.accounts, receipt.clients]).toEqual([2, 4]);
  expect(await player.refresh(await player.signIn(bob))).toHaveProperty('access_token');
  expect(await core.store.revocations.clientSessionsOf(alice.id)).toEqual([]);
});

test('a client: its tokens end for everybody, browsers stay signed in, and it must ask for the password again', async () => {
  const { end, signedIn, sid, alice, bob, player, phone, browsers, tokens } = await household({ fakeTime: true });
  const { working, told, rows } = await end({ kind: 'client', clientId: 'player' });
  expect(working).toEqual(['laptopCinema', 'tabletPhone', 'television', 'bobPhone']);
  expect(told).toEqual(
    [
      ['player', alice.id, sid('laptopPlayer')],
      ['player', alice.id, sid('tabletPlayer')],
      ['player', bob.id, sid('bobPlayer')],
    ].toSorted(byText),
  );
  expect(rows.map(([clientId]) => clientId)).toEqual(['player', 'player', 'player']);
  expect(await signedIn(phone)).toEqual(['laptop', 'tablet', 'bobs']);
  expect(await signedIn(player)).toEqual([]);

  const { laptop } = browsers;
  await laptop.open(player.authorization().url);
  expect(laptop.heading).toBe('Sign in');
  expect(laptop.page.text).toContain('Everybody was signed out of this app. Sign in again.');
  // In the very millisecond of the sign-out: the clock stands still.
  const again = await player.signIn(alice, laptop);
  expect(await player.refresh(again)).toHaveProperty('access_token');
  expect(claimsOf(again.id_token)['sid']).not.toBe(sid('laptopPlayer'));
  expect(await player.refresh(tokens.laptopPlayer)).toEqual({ error: 'invalid_grant' });
});

test('a client: one fresh sign-in is enough', async () => {
  const { end, alice, player, browsers, advance } = await household({ fakeTime: true });
  await end({ kind: 'client', clientId: 'player' });
  advance(1);
  await player.signIn(alice, browsers.laptop);
  expect(await silently(browsers.laptop, player)).toBe(true);
  expect(await silently(browsers.tablet, player)).toBe(false);
});

test('an account: everything of that person ends, and nothing of anybody else', async () => {
  const { end, signedIn, sid, alice, phone } = await household();
  const { working, told, rows } = await end({ kind: 'account', accountId: alice.id });
  expect(working).toEqual(['bobPlayer', 'bobPhone']);
  expect(await signedIn(phone)).toEqual(['bobs']);
  expect(told).toEqual(
    [
      ['cinema', alice.id, undefined],
      ['player', alice.id, sid('laptopPlayer')],
      ['player', alice.id, sid('tabletPlayer')],
    ].toSorted(byText),
  );
  expect(rows.map(([clientId, , outcome]) => [clientId, outcome])).toEqual([
    ['cinema', 'told'],
    ['phone', 'not-applicable'],
    ['player', 'told'],
    ['player', 'told'],
    ['tv', 'not-applicable'],
  ]);
});

test('an account except one browser: what came through it stays, and is not told', async () => {
  const { end, sessionOf, signedIn, sid, alice, phone } = await household();
  const { sessionUid } = await sessionOf('laptopPlayer', alice.id);
  const { working, told, rows } = await end({ kind: 'account-except', accountId: alice.id, sessionUid });
  expect(working).toEqual(['laptopPlayer', 'laptopCinema', 'bobPlayer', 'bobPhone']);
  expect(await signedIn(phone)).toEqual(['laptop', 'bobs']);
  expect(told).toEqual([['player', alice.id, sid('tabletPlayer')]]);
  expect(rows.map(([clientId]) => clientId)).toEqual(['phone', 'player', 'tv']);
});

test('one device: that app in that browser, named by its sid', async () => {
  const { end, sessionOf, signedIn, alice, phone } = await household();
  const { grantId, sid } = await sessionOf('laptopCinema', alice.id);
  const { working, told, rows } = await end({ kind: 'device', accountId: alice.id, grantId });
  expect(working).toEqual(['laptopPlayer', 'tabletPlayer', 'tabletPhone', 'television', 'bobPlayer', 'bobPhone']);
  expect(told).toEqual([['cinema', alice.id, sid]]);
  expect(rows).toEqual([['cinema', alice.id, 'told']]);
  expect(await signedIn(phone)).toEqual(['laptop', 'tablet', 'bobs']);
});

test('one browser: its Session and what is bound to it; offline access stays, and its apps are told', async () => {
  const { end, sessionOf, signedIn, sid, alice, phone } = await household();
  const { sessionUid } = await sessionOf('tabletPlayer', alice.id);
  const { working, told, rows, receipt } = await end({ kind: 'browser', accountId: alice.id, sessionUid });
  expect(working).toEqual(['laptopPlayer', 'laptopCinema', 'tabletPlayer', 'television', 'bobPlayer', 'bobPhone']);
  expect(await signedIn(phone)).toEqual(['laptop', 'bobs']);
  expect(told).toEqual([['player', alice.id, sid('tabletPlayer')]]);
  expect(rows.map(([clientId, , outcome]) => [clientId, outcome])).toEqual([
    ['phone', 'not-applicable'],
    ['player', 'told'],
  ]);
  expect(receipt.rows.filter(({ keepsAccess }) => keepsAccess).map(({ clientId }) => clientId)).toEqual(['player']);
});

test('a connection: what it vouched for ends, whoever it is, and nothing else does', async () => {
  // Bob's sign-ins are vouched for by a Connection: it is noted with his account, before the credential is looked at.
  let bobId = '';
  const wrapStore = (store: Store): Store => ({
    ...store,
    revocations: {
      ...store.revocations,
      async epochs(keys) {
        if (bobId !== '' && keys.includes(`account:${bobId}`)) {
          noteEpochs(await store.revocations.epochs(['connection:acme']));
        }
        return store.revocations.epochs(keys);
      },
    },
  });
  const house = await world({ seams: { wrapStore } });
  const { alice, bob, player, cinema, phone, tv, core, settle } = house;
  bobId = bob.id;
  const bobs = bob.browser();
  const vouched = {
    player: await player.signIn(bob, bobs),
    cinema: await cinema.signIn(bob, bobs),
    phone: await phone.signIn(bob, bobs, { scope: 'openid' }),
    tv: await tv.connectDevice(bob, bobs),
  };
  const vouchedSid = claimsOf(vouched.player.id_token)['sid'];
  const renewed = await player.refresh(vouched.player);
  if ('error' in renewed) throw new Error(renewed.error);
  const others = await player.signIn(alice);

  const signOut = await core.signOuts.signOut({
    scope: { kind: 'connection', connectionId: 'acme' },
    reason: 'test',
    actor: OPERATOR,
  });
  await settle();
  const { told, rows } = await outcomes(house, signOut.id);
  expect(await player.refresh(renewed)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(renewed.access_token)).toEqual({ active: false });
  expect(await cinema.refresh(vouched.cinema)).toEqual({ error: 'invalid_grant' });
  expect((await phone.userinfo(vouched.phone)).status).toBe(401);
  expect(await tv.refresh(vouched.tv)).toEqual({ error: 'invalid_grant' });
  expect(await silently(bobs, player)).toBe(false);
  // By `sid`: the same person may have other sessions there, through another door.
  expect(told.map(([client, sub]) => [client, sub])).toEqual([
    ['cinema', bob.id],
    ['player', bob.id],
  ]);
  expect(told.find(([client]) => client === 'player')?.[2]).toBe(vouchedSid);
  expect(told.every(([, , sid]) => typeof sid === 'string')).toBe(true);
  expect(rows.map(([clientId]) => clientId)).toEqual(['cinema', 'phone', 'player', 'tv']);

  expect(await player.refresh(others)).toHaveProperty('access_token');
  expect(await silently(alice.browser(), player)).toBe(true);
  expect(await player.refresh(await player.signIn(bob, bobs))).toHaveProperty('access_token');
});

test('a connection: a sign-in by password of the same person is not ended', async () => {
  let vouching = false;
  const wrapStore = (store: Store): Store => ({
    ...store,
    revocations: {
      ...store.revocations,
      async epochs(keys) {
        if (vouching && keys.some((key) => key.startsWith('account:'))) {
          noteEpochs(await store.revocations.epochs(['connection:acme']));
        }
        return store.revocations.epochs(keys);
      },
    },
  });
  const { alice, player, core, ears, settle } = await world({ seams: { wrapStore } });
  const byPassword = await player.signIn(alice, alice.anotherBrowser());
  vouching = true;
  const byConnection = await player.signIn(alice, alice.anotherBrowser());
  vouching = false;
  await core.signOuts.signOut({ scope: { kind: 'connection', connectionId: 'acme' }, reason: 'test', actor: OPERATOR });
  await settle();
  expect(await player.refresh(byConnection)).toEqual({ error: 'invalid_grant' });
  expect(await player.refresh(byPassword)).toHaveProperty('access_token');
  expect(ears.heard.map(({ claims }) => claims['sid'])).toEqual([claimsOf(byConnection.id_token)['sid']]);
});

test.for(['disabled', 'deleted'] as const)(
  'an account that is %s is a sign-out of it, and cannot come back',
  async (status) => {
    const { alice, core, settle, working, phone, signedIn, sid, ...house } = await household();
    const signOut = await core.signOuts.prepare({
      scope: { kind: 'account', accountId: alice.id },
      reason: 'test',
      actor: OPERATOR,
    });
    expect(await core.store.accounts.setStatus({ accountId: alice.id, status, signOut })).toBe('set');
    core.signOuts.written();
    expect(await working()).toEqual(['bobPlayer', 'bobPhone']);
    expect(await signedIn(phone)).toEqual(['bobs']);
    await settle();
    const { told, rows } = await outcomes({ ...house, core }, signOut.id);
    expect(told.map(([client, sub]) => [client, sub])).toEqual([
      ['cinema', alice.id],
      ['player', alice.id],
      ['player', alice.id],
    ]);
    expect(told.map(([, , named]) => named)).toEqual(
      expect.arrayContaining([sid('laptopPlayer'), sid('tabletPlayer')]),
    );
    expect(rows).toHaveLength(5);
    const browser = alice.anotherBrowser();
    await browser.open('/sign-in');
    await browser.press('Sign in', { username: alice.username, password: alice.password });
    expect(browser.page.status).toBe(401);
    expect(browser.page.text).toContain('The username or password is wrong.');
  },
);

test('an account that is enabled again starts with nothing', async () => {
  const { alice, core, working, phone } = await household();
  const order = { scope: { kind: 'account', accountId: alice.id }, reason: 'test', actor: OPERATOR } as const;
  const signOut = await core.signOuts.prepare(order);
  await core.store.accounts.setStatus({ accountId: alice.id, status: 'disabled', signOut });
  await core.store.accounts.setStatus({ accountId: alice.id, status: 'active' });
  expect(await working()).toEqual(['bobPlayer', 'bobPhone']);
  expect(await phone.refresh(await phone.signIn(alice))).toHaveProperty('access_token');
});

test('a client that is removed: its tokens are dead, it is known no more, and it is told', async () => {
  const house = await world();
  const { alice, core, ears, settle, issuer, library } = house;
  const setup = {
    client_id: 'guest',
    client_name: 'Guest',
    client_secret: 'a secret of the guest client, 0123456789',
    token_endpoint_auth_method: 'client_secret_basic',
    first_party: true,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://guest.test/callback'],
    backchannel_logout_uri: `${ears.url}/guest`,
    backchannel_logout_session_required: true,
  };
  await core.clients.register('guest', setup, 'command');
  const { createClient } = await import('../support/client.ts');
  const guest = createClient(issuer, setup);
  const tokens = await guest.signIn(alice);
  await core.clients.remove('guest');
  expect(await guest.refresh(tokens)).toEqual({ error: 'invalid_client' });
  expect(await library.introspect(tokens.access_token)).toEqual({ active: false });
  const browser = alice.browser();
  await browser.open(guest.authorization().url);
  expect([browser.page.status, browser.left]).toEqual([400, undefined]);
  await settle();
  expect(ears.by('guest').map(({ claims }) => [claims['sub'], claims['sid']])).toEqual([
    [alice.id, claimsOf(tokens.id_token)['sid']],
  ]);
  const [signOut] = await core.store.revocations.listSignOuts(1);
  const { rows } = await outcomes(house, signOut?.id ?? '');
  expect(rows).toEqual([['guest', alice.id, 'told']]);
  await expect(core.clients.register('guest', setup, 'command')).rejects.toThrow('cannot be used again');
});

test('a sign-out asked for twice tells nobody twice', async () => {
  const { core, alice, player, ears, settle } = await world();
  await player.signIn(alice);
  const order = { scope: { kind: 'account', accountId: alice.id }, reason: 'test', actor: OPERATOR } as const;
  const request = await core.signOuts.prepare(order);
  await Promise.all([core.store.revocations.signOut(request), core.store.revocations.signOut(request)]);
  await core.signOuts.signOut(order);
  await settle();
  expect(ears.heard).toHaveLength(1);
});

test('two people of one client that hears by sub alone are told of both', async () => {
  const { core, alice, bob, cinema, ears, settle } = await world();
  await cinema.signIn(alice);
  await cinema.signIn(alice, alice.anotherBrowser());
  await cinema.signIn(bob);
  await core.signOuts.signOut({ scope: { kind: 'everyone' }, reason: 'test', actor: OPERATOR });
  await settle();
  expect(ears.heard.map(({ claims }) => [claims['sub'], claims['sid']]).toSorted(byText)).toEqual(
    [
      [alice.id, undefined],
      [bob.id, undefined],
    ].toSorted(byText),
  );
});

test('a preview counts what a sign-out would end, and ends nothing', async () => {
  const { core, alice, working } = await household();
  const before = await working();
  expect(await core.signOuts.preview({ kind: 'account', accountId: alice.id })).toEqual({ accounts: 1, clients: 4 });
  expect(await core.signOuts.preview({ kind: 'everyone' })).toEqual({ accounts: 2, clients: 4 });
  expect(await core.signOuts.preview({ kind: 'client', clientId: 'player' })).toEqual({ accounts: 2, clients: 1 });
  expect(await working()).toEqual(before);
});

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
