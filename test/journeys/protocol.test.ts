import { createHash, randomUUID } from 'node:crypto';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';
import { expect, test } from 'vitest';

import { noteEpochs, withLineage } from '../../src/oidc/lineage.ts';
import type { Answer, Client, Tokens } from '../support/client.ts';
import { type Person, type World, world } from '../support/world.ts';

const ARCHIVE = 'https://archive.test/api';
const TUNER = 'https://tuner.test/api';
const RESOURCES = {
  scopes: { 'archive:read': 'Read the archive.', 'tuner:play': 'Play what is on.' },
  resources: [
    { identifier: ARCHIVE, scopes: ['archive:read'] },
    { identifier: TUNER, scopes: ['tuner:play'], accessTokenFormat: 'jwt', audience: 'tuner' },
  ],
};

test('userinfo tells what the scopes allow', async () => {
  const { alice, player } = await world();
  const all = await player.signIn(alice);
  expect(await player.userinfo(all)).toEqual({
    status: 200,
    body: { sub: alice.id, preferred_username: 'alice', email: alice.email, email_verified: false },
  });
  const little = await player.signIn(alice, alice.anotherBrowser(), { scope: 'openid' });
  expect((await player.userinfo(little)).body).toEqual({ sub: alice.id });
});

test('discovery names the issuer and its addresses, whatever Host says', async () => {
  const { issuer } = await world();
  const { port } = new URL(issuer);
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { host: 'evil.test', 'x-forwarded-host': 'evil.test', forwarded: 'host=evil.test;proto=https' },
    });
  const document = (await (await ask('/.well-known/openid-configuration')).json()) as Record<string, unknown>;
  expect(document['issuer']).toBe(issuer);
  const addresses = Object.entries(document).filter(([name]) => /_(endpoint|uri)$/.test(name));
  expect(addresses.length).toBeGreaterThan(8);
  for (const [name, value] of addresses) expect(`${name} ${String(value)}`).toContain(` ${issuer}/`);
  expect(JSON.stringify(document)).not.toContain('evil');
  expect(document).toMatchObject({
    response_types_supported: ['code', 'none'],
    code_challenge_methods_supported: ['S256'],
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  });
  const algorithms = document['id_token_signing_alg_values_supported'] as string[];
  expect(algorithms.toSorted()).toEqual(['ES256', 'EdDSA', 'RS256']);
});

test('redirects stay with the issuer, whatever Host says', async () => {
  const { issuer, player } = await world();
  const url = player.authorization().url.replace(issuer, `http://127.0.0.1:${new URL(issuer).port}`);
  const response = await fetch(url, { redirect: 'manual', headers: { host: 'evil.test' } });
  expect(response.status).toBe(303);
  expect(new URL(response.headers.get('location') ?? '', issuer).origin).toBe(issuer);
});

test('the key set holds public keys only, one of each algorithm', async () => {
  const keys = (await jwksOf(await world())).keys;
  expect(keys.map(({ alg }) => alg).toSorted()).toEqual(['ES256', 'EdDSA', 'RS256']);
  for (const key of keys)
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(secret);
});

test.for(['ES256', 'EdDSA', 'RS256'])(
  'an app that asks for %s gets ID Tokens and Logout Tokens signed so',
  async (alg) => {
    const house = await world({
      clients: [
        {
          client_id: 'picky',
          client_secret: 'a secret of the picky client, 0123456789',
          first_party: true,
          id_token_signed_response_alg: alg,
          redirect_uris: ['http://picky.test/callback'],
          backchannel_logout_uri: 'http://127.0.0.1:9/unreachable',
        },
      ],
    });
    const { alice, issuer, core } = house;
    const picky = house.client('picky');
    const { id_token } = await picky.signIn(alice);
    const keys = createLocalJWKSet(await jwksOf(house));
    const verified = await jwtVerify(id_token, keys, { issuer, audience: 'picky', algorithms: [alg] });
    expect(verified.payload['sub']).toBe(alice.id);
    await alice.signOutOfAllDevices();
    const { mintLogoutToken } = await import('../../src/oidc/logout-token.ts');
    const minted = await mintLogoutToken(core.provider.current(), core.clients, {
      clientId: 'picky',
      accountId: alice.id,
      sid: null,
    });
    if (!('token' in minted)) throw new Error('no token was minted');
    await jwtVerify(minted.token, keys, { issuer, audience: 'picky', typ: 'logout+jwt', algorithms: [alg] });
  },
);

test('a pushed authorization request is used once', async () => {
  const { alice, player, issuer } = await world();
  const { url, verifier } = player.authorization();
  const pushed = await player.post('/request', Object.fromEntries(new URL(url).searchParams));
  expect(pushed.status).toBe(201);
  const address = `${issuer}/auth?client_id=player&request_uri=${encodeURIComponent(String(pushed.body['request_uri']))}`;
  const browser = alice.browser();
  await browser.open(address);
  await browser.press('Sign in', { username: alice.username, password: alice.password });
  expect((await player.exchange(browser.left?.searchParams.get('code') ?? '', verifier)).status).toBe(200);
  await browser.open(address);
  expect(browser.left?.searchParams.get('code') ?? null).toBeNull();
  expect(browser.page.status === 400 || browser.left?.searchParams.get('error') === 'invalid_request_uri').toBe(true);
});

test('a token for a resource is opaque unless the operator chose otherwise', async () => {
  const { alice, player, library } = await world({ configuration: RESOURCES });
  const tokens = await tokensFor(player, alice, ARCHIVE, 'archive:read');
  expect(tokens.access_token).not.toContain('.');
  expect(tokens.expires_in).toBe(300);
  expect(await library.introspect(tokens.access_token)).toMatchObject({
    active: true,
    aud: ARCHIVE,
    scope: 'archive:read',
    sub: alice.id,
  });
  // It is for the archive, and not for userinfo.
  expect((await player.userinfo(tokens)).status).toBe(403);
});

test('a self-contained token lives five minutes, verifies by the key set, and dies at Curfew with the sign-out', async () => {
  const house = await world({ configuration: RESOURCES, fakeTime: true });
  const { alice, player, library, cinema, issuer } = house;
  const tokens = await tokensFor(player, alice, TUNER, 'tuner:play');
  const { payload, protectedHeader } = await jwtVerify(tokens.access_token, createLocalJWKSet(await jwksOf(house)), {
    issuer,
    audience: 'tuner',
    currentDate: new Date(),
  });
  expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
  expect(payload).toMatchObject({ sub: alice.id, client_id: 'player', scope: 'tuner:play' });
  expect(Number(payload.exp) - Number(payload.iat)).toBe(300);
  const active = await library.introspect(tokens.access_token);
  expect(active).toMatchObject({ active: true, sub: alice.id, aud: 'tuner', token_type: 'Bearer' });
  expect(active).not.toHaveProperty('curfew_epochs');
  expect(await cinema.introspect(tokens.access_token)).toEqual({ active: false });

  const receipt = await alice.signOutOfAllDevices();
  expect(await library.introspect(tokens.access_token)).toEqual({ active: false });
  await house.settle();
  const page = await alice.browser().open(receipt);
  expect(page.text).toContain(new Date(Number(payload.exp) * 1000).toISOString().slice(0, 19));
});

test('a self-contained token that was refreshed tells the receipt of its later end', async () => {
  const house = await world({ configuration: RESOURCES, fakeTime: true });
  const { alice, player, core, advance } = house;
  const first = await tokensFor(player, alice, TUNER, 'tuner:play');
  advance(200);
  const second = await player.post('/token', {
    grant_type: 'refresh_token',
    refresh_token: first.refresh_token,
    resource: TUNER,
  });
  const until = Number(decodeJwt(String(second.body['access_token'])).exp) * 1000;
  const [session] = await core.store.revocations.clientSessionsOf(alice.id);
  expect(session?.selfContainedUntil?.getTime()).toBe(until);
});

test('neither an ID Token nor a forged token is an access token', async () => {
  const { alice, player, library } = await world({ configuration: RESOURCES });
  const tokens = await tokensFor(player, alice, TUNER, 'tuner:play');
  expect(await library.introspect(tokens.id_token)).toEqual({ active: false });
  const { privateKey } = await generateKeyPair('ES256');
  const forged = await new SignJWT(decodeJwt(tokens.access_token))
    .setProtectedHeader({ ...decodeProtectedHeader(tokens.access_token), alg: 'ES256' })
    .sign(privateKey);
  expect(await library.introspect(forged)).toEqual({ active: false });
});

test('client_credentials gives a token of the client itself, and a sign-out of the client ends it', async () => {
  const { player, library, core } = await world({ configuration: RESOURCES });
  const ask = async (parameters: Record<string, string> = {}): Promise<string> => {
    const { status, body } = await player.post('/token', { grant_type: 'client_credentials', ...parameters });
    expect(status).toBe(200);
    expect(body).not.toHaveProperty('refresh_token');
    return String(body['access_token']);
  };
  const opaque = await ask();
  const selfContained = await ask({ resource: TUNER, scope: 'tuner:play' });
  expect(await library.introspect(opaque)).toMatchObject({ active: true, client_id: 'player' });
  expect(await library.introspect(selfContained)).toMatchObject({ active: true, client_id: 'player', sub: 'player' });
  await core.signOuts.signOut({
    scope: { kind: 'client', clientId: 'player' },
    reason: 'test',
    actor: { kind: 'operator' },
  });
  expect(await library.introspect(opaque)).toEqual({ active: false });
  expect(await library.introspect(selfContained)).toEqual({ active: false });
  expect(await library.introspect(await ask())).toMatchObject({ active: true });
});

test('tokens bound to a key work with that key alone, from sign-in to refresh', async () => {
  const house = await world();
  const { alice, phone, library, issuer } = house;
  const [own, other] = [await proofKey(issuer), await proofKey(issuer)];
  const { code, verifier } = await phone.obtainCode(alice);
  const form = {
    grant_type: 'authorization_code',
    client_id: 'phone',
    code,
    code_verifier: verifier,
    redirect_uri: 'http://phone.test/callback',
  };
  const first = await own.post('/token', form);
  expect(first).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
  const token = String(first.body['access_token']);
  expect(await library.introspect(token)).toMatchObject({
    active: true,
    token_type: 'DPoP',
    cnf: { jkt: own.thumbprint },
  });

  expect((await own.userinfo(token)).status).toBe(200);
  expect((await other.userinfo(token)).status).toBe(401);
  expect((await phone.userinfo({ access_token: token })).status).toBe(401);

  const refresh = {
    grant_type: 'refresh_token',
    client_id: 'phone',
    refresh_token: String(first.body['refresh_token']),
  };
  expect(await other.post('/token', refresh)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await phone.post('/token', refresh)).toMatchObject({ status: 400 });
  const second = await own.post('/token', refresh);
  expect(second).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
  expect((await own.userinfo(String(second.body['access_token']))).status).toBe(200);
  await alice.signOutOfAllDevices();
  expect((await own.userinfo(String(second.body['access_token']))).status).toBe(401);
});

test('a proof of possession is used once', async () => {
  const { alice, phone, issuer } = await world();
  const key = await proofKey(issuer);
  const { code, verifier } = await phone.obtainCode(alice);
  const redirect_uri = 'http://phone.test/callback';
  const first = await key.post('/token', {
    grant_type: 'authorization_code',
    client_id: 'phone',
    code,
    code_verifier: verifier,
    redirect_uri,
  });
  const proof = await key.proof('GET', '/me', String(first.body['access_token']));
  const ask = () =>
    fetch(`${issuer}/me`, { headers: { authorization: `DPoP ${String(first.body['access_token'])}`, dpop: proof } });
  const statuses = (await Promise.all([ask(), ask(), ask(), ask(), ask()])).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 401)).toHaveLength(4);
});

test('who may introspect what', async () => {
  const listening = { client_secret: 'a secret of a resource server, 0123456789', grant_types: ['client_credentials'] };
  const house = await world({
    clients: [
      { client_id: 'songs', ...listening, introspects: ['player', 'phone'] },
      { client_id: 'nosy', ...listening },
    ],
  });
  const { alice, player, cinema, phone, library } = house;
  const [songs, nosy] = [house.client('songs'), house.client('nosy')];
  const ofPlayer = await player.signIn(alice);
  const ofCinema = await cinema.signIn(alice);
  const ofPhone = await phone.signIn(alice);
  const active = async (client: Client, token: string): Promise<boolean> => (await client.introspect(token)).active;
  const sees = async (client: Client): Promise<boolean[]> =>
    Promise.all([ofPlayer, ofCinema, ofPhone].map(({ access_token }) => active(client, access_token)));
  expect({
    player: await sees(player),
    cinema: await sees(cinema),
    songs: await sees(songs),
    library: await sees(library),
    nosy: await sees(nosy),
  }).toEqual({
    player: [true, false, false],
    cinema: [false, true, false],
    songs: [true, false, true],
    library: [true, true, true],
    nosy: [false, false, false],
  });
  // Of another client's token not even a trace.
  expect(await nosy.introspect(ofPlayer.access_token)).toEqual({ active: false });
  expect(await active(player, ofPlayer.refresh_token)).toBe(true);
  expect(await active(cinema, ofPlayer.refresh_token)).toBe(false);
  // A public client proves nothing, and is shown nothing but its own.
  expect(await active(phone, ofPlayer.access_token)).toBe(false);
  expect(await active(phone, ofPhone.access_token)).toBe(true);
});

test('a revoked refresh token takes its device along, and no other', async () => {
  const { alice, player, phone } = await world();
  const here = await player.signIn(alice);
  const there = await player.signIn(alice, alice.anotherBrowser());
  const app = await phone.signIn(alice);
  expect((await player.revoke(here.refresh_token)).status).toBe(200);
  expect(await player.refresh(here)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(here.access_token)).toEqual({ active: false });
  expect(await player.refresh(there)).toHaveProperty('access_token');
  expect(await phone.refresh(app)).toHaveProperty('access_token');
});

test("another client's token cannot be revoked", async () => {
  const { alice, player, cinema } = await world();
  const tokens = await player.signIn(alice);
  await cinema.revoke(tokens.refresh_token);
  await cinema.revoke(tokens.access_token);
  expect(await player.introspect(tokens.access_token)).toMatchObject({ active: true });
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
});

test('who revoked its tokens is still told when its person signs out everywhere', async () => {
  const { alice, player, ears, settle } = await world();
  const tokens = await player.signIn(alice);
  await player.revoke(tokens.refresh_token);
  await alice.signOutOfAllDevices();
  await settle();
  expect(ears.by('player').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
});

test('an app registers itself with an initial access token, and with nothing less', async () => {
  const house = await world();
  const { alice, issuer, library } = house;
  const metadata = {
    client_name: 'Newcomer',
    redirect_uris: ['https://newcomer.test/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const register = (token?: string, extra: object = {}) =>
    json(`${issuer}/reg`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ ...metadata, ...extra }),
    });
  expect((await register()).status).toBe(401);
  expect((await register('guess')).status).toBe(401);

  const token = await initialAccessToken(house);
  expect(await register(token, { first_party: true })).toMatchObject({
    status: 400,
    body: { error: 'invalid_client_metadata' },
  });
  expect(await register(token, { introspects: 'all' })).toMatchObject({
    status: 400,
    body: { error: 'invalid_client_metadata' },
  });
  const registered = await register(token);
  expect(registered).toMatchObject({ status: 201, body: { client_name: 'Newcomer' } });
  const { client_id, client_secret, registration_access_token, registration_client_uri } = registered.body as Record<
    string,
    string
  >;

  const { createClient } = await import('../support/client.ts');
  const newcomer = createClient(issuer, { ...metadata, client_id: client_id ?? '', client_secret });
  const tokens = await newcomer.signIn(alice);
  expect(await newcomer.refresh(tokens)).toHaveProperty('access_token');
  expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });

  const read = await json(registration_client_uri ?? '', {
    headers: { authorization: `Bearer ${registration_access_token}` },
  });
  expect(read).toMatchObject({ status: 200, body: { client_id, client_name: 'Newcomer' } });
  // What is kept in place of the secret is nobody's business.
  expect(read.body).not.toHaveProperty('client_secret');
});

test('a sign-out of everyone ends initial and registration access tokens', async () => {
  const house = await world();
  const { issuer, core } = house;
  const body = JSON.stringify({ redirect_uris: ['https://newcomer.test/callback'] });
  const headers = (token: string) => ({ 'content-type': 'application/json', authorization: `Bearer ${token}` });
  const token = await initialAccessToken(house);
  const registered = await json(`${issuer}/reg`, { method: 'POST', headers: headers(token), body });
  expect(registered.status).toBe(201);
  await core.signOuts.signOut({ scope: { kind: 'everyone' }, reason: 'test', actor: { kind: 'operator' } });
  expect((await json(`${issuer}/reg`, { method: 'POST', headers: headers(token), body })).status).toBe(401);
  const { registration_access_token, registration_client_uri } = registered.body as Record<string, string>;
  expect(
    (await json(registration_client_uri ?? '', { headers: headers(registration_access_token ?? '') })).status,
  ).toBe(401);
});

/** Signs in for a resource, and asks for a token that is for it (RFC 8707 §2.2). */
async function tokensFor(client: Client, person: Person, resource: string, scope: string): Promise<Tokens> {
  const parameters = { resource, scope: `openid offline_access ${scope}` };
  const { code, verifier } = await client.obtainCode(person, person.browser(), parameters);
  const { status, body } = await client.post('/token', {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: (client.setup['redirect_uris'] as string[])[0] ?? '',
    resource,
  });
  expect(status).toBe(200);
  return body as unknown as Tokens;
}

async function initialAccessToken({ core }: World): Promise<string> {
  return withLineage(async () => {
    noteEpochs(await core.store.revocations.epochs(['everyone']));
    const Token = core.provider.current().InitialAccessToken;
    return new Token({ expiresIn: 3600 }).save();
  });
}

async function json(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function jwksOf({ issuer }: World) {
  const { body } = await json(`${issuer}/.well-known/openid-configuration`, {});
  const set = await json(String(body['jwks_uri']), {});
  return set.body as { keys: (Record<string, unknown> & { kty: string; alg: string; kid: string })[] };
}

/** A device's own key, and requests that prove it is held (RFC 9449). */
async function proofKey(issuer: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const { calculateJwkThumbprint } = await import('jose');
  const proof = (method: string, path: string, accessToken?: string): Promise<string> =>
    new SignJWT({
      htm: method,
      htu: `${issuer}${path}`,
      jti: randomUUID(),
      ...(accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey);
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    proof,
    post: async (path: string, form: Record<string, string>): Promise<Answer> =>
      json(`${issuer}${path}`, {
        method: 'POST',
        headers: { dpop: await proof('POST', path) },
        body: new URLSearchParams(form),
      }),
    userinfo: async (token: string): Promise<Answer> =>
      json(`${issuer}/me`, { headers: { authorization: `DPoP ${token}`, dpop: await proof('GET', '/me', token) } }),
  };
}
