/**
 * A stolen database is worth nothing: nothing that ever passed between Curfew and the world can be read in it, in its
 * write-ahead log, in the process log or in the metrics; and nothing that can be read in it opens anything.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';

import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import { MAIL } from '../support/mailbox.ts';
import { engine, type Rows } from '../support/store-under-test.ts';
import { type Person, type World, world } from '../support/world.ts';
import { arm, thiefOfProofs } from './armed.ts';
import { findings, spellings, watch, type Witness } from './witness.ts';

const WRONG_PASSWORDS = ['a guess that is wrong, one', 'another guess that is wrong', 'the third wrong guess of today'];
const STRANGER = 'somebody.unknown@elsewhere.test';
/** Where so much is kept after all this that it was read in vain if it was not long. */
const PLACES = {
  sqlite: ['curfew.db', 'curfew.db-wal', 'curfew.db-shm'],
  mongodb: ['artifacts', 'client_sessions', 'deliveries', 'scopes', 'signing_keys'],
};
const ADDRESSES = ['203.0.113.77', '198.51.100.23', '2001:db8:77:1::2342'];

test('nothing that was ever shown can be read in what is stored, logged or counted', { timeout: 60_000 }, async () => {
  const { place, witness, logged, armed } = await lived({ storeAlone: true });
  const metrics = await (await fetch(`${place.issuer}/metrics`)).text();
  const outside = { log: Buffer.from(logged.join('')), metrics: Buffer.from(metrics) };
  const running: Record<string, Buffer> = { ...(await place.database.bytes()), ...outside };
  expect(witness.seen.size).toBeGreaterThan(220);
  const large = Object.keys(running).filter((name) => (running[name]?.length ?? 0) > 500);
  expect(large).toEqual(expect.arrayContaining([...PLACES[engine], 'log', 'metrics']));
  expect(findings(witness.seen, running)).toEqual([]);
  for (const secret of armed.secrets) {
    expect(Object.entries(running).filter(([, bytes]) => bytes.includes(secret))).toEqual([]);
  }

  // And when everything has been moved from the write-ahead log into the tables.
  expect(findings(witness.seen, await place.database.bytes({ settled: true }))).toEqual([]);
  const bytes = Object.values(running).reduce((sum, { length }) => sum + length, 0);
  process.stdout.write(`${JSON.stringify({ values: witness.seen.size, bytes })}\n`);
});

test('one value in any spelling would have been found', { timeout: 60_000 }, async () => {
  const { place, witness, tokens } = await lived({ storeAlone: true });
  await place.core.store.catalogue.settle('canary', tokens.refresh_token);
  place.core.log.info({ canary: witnessed(witness, 'form password') }, 'canary.planted');
  const log = Buffer.from(place.logged.join(''));
  const found = findings(witness.seen, { ...(await place.database.bytes()), log });
  expect(found.length).toBeGreaterThan(1);
  expect(found.every((line) => line.includes(tokens.refresh_token) || line.startsWith('form password in log'))).toBe(
    true,
  );
  // In the write-ahead log at once, in the table later.
  const canary = new Map([[tokens.refresh_token, 'canary']]);
  const written = findings(canary, await place.database.bytes()).join('\n');
  expect(written).toMatch(/^canary in (curfew\.db-wal|WiredTigerLog\.)/m);
  const settled = findings(canary, await place.database.bytes({ settled: true })).join('\n');
  expect(settled).toMatch(/^canary in (curfew\.db|collection-[-\d]+\.wt):/m);
  const awkward = 'ein "Geheimnis" & mehr: schön/+ geheim';
  for (const spelling of spellings(awkward)) {
    const hidden = Buffer.concat([Buffer.from('before it '), spelling, Buffer.from(' and after it')]);
    expect(findings(new Map([[awkward, 'an awkward one']]), { hidden })).toHaveLength(1);
  }
  for (const shift of ['', 'x', 'xy']) {
    const hidden = Buffer.from(Buffer.from(`${shift}${awkward} and more`).toString('base64'));
    expect(findings(new Map([[awkward, 'an awkward one']]), { hidden })).toHaveLength(1);
  }
});

test('nothing in a stolen copy opens anything', { timeout: 60_000 }, async () => {
  const { place, tokens, registered, unspent, owner, armed } = await lived();
  const thief = thiefAt(place, registered.client_id);
  // The thief's hands work: what is genuine is taken.
  const genuine = [tokens.access_token, tokens.refresh_token, registered.registration_access_token];
  expect((await Promise.all(genuine.map(thief))).map((taken) => taken.length > 0)).toEqual([true, true, true]);
  expect(await thief(String(place.player.setup['client_secret']))).toEqual(['client secret']);
  const cookie = owner.cookies.get('curfew-session /')?.value ?? '';
  const signature = owner.cookies.get('curfew-session.sig /')?.value ?? '';
  expect(await thief(`${cookie}; curfew-session.sig=${signature}`)).toEqual(['session']);

  const candidates = [...valuesIn(await place.database.rows())];
  const thiefs = [thief, thiefOfProofs(place, armed)] as const;
  expect(candidates.length).toBeGreaterThan(300);
  const opened: string[] = [];
  const queue = candidates.values();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const candidate of queue) {
        for (const hands of thiefs) for (const what of await hands(candidate)) opened.push(`${what}: ${candidate}`);
      }
    }),
  );
  expect(opened).toEqual([]);
  // These hands work as well: each genuine value is taken, and for what it is.
  for (const [what, value] of Object.entries(armed.genuine)) expect(await thiefs[1](value)).toEqual([what]);
  // And the code nobody had spent was still good for its owner all along.
  expect(await place.player.exchange(unspent.code, unspent.verifier)).toMatchObject({ status: 200 });
  process.stdout.write(`${JSON.stringify({ candidates: candidates.length })}\n`);
});

/** A house in which much has happened, with a witness to all of it. */
async function lived({ storeAlone = false } = {}) {
  let failing = false;
  const place = await world({
    storeAlone,
    seams: { wrapStore: (store) => ({ ...store, artifacts: failingArtifacts(store, () => failing) }) },
    clients: [dpopClient],
    configuration: {
      ...MAIL,
      trustProxy: 1,
      resources: [{ identifier: 'https://api.media.test', scopes: ['watch'], accessTokenFormat: 'jwt' }],
    },
  });
  let nth = 0;
  const witness = watch({ address: () => ADDRESSES[nth++ % ADDRESSES.length] ?? '' });
  const { core, player, cinema, phone, tv, library, settle } = place;
  const [margarethe, theodora] = [await place.person('margarethe.lindqvist'), await place.person('theodora.ashworth')];
  for (const { username, email, password } of [margarethe, theodora, place.alice, place.bob]) {
    witness.note([username, email, password], 'person');
  }
  for (const { keys } of [core.provider.jwks()]) for (const { d, p, q } of keys) witness.note([d, p, q], 'signing key');
  for (const key of readKeyring(place)) witness.note(key, 'keyring');

  // Sign-ins, by password, by SSO, by consent; refreshes; a code unspent; an interaction left open.
  const owner = await margarethe.signIn();
  const first = await player.signIn(margarethe);
  let tokens = (await player.refresh(first)) as Tokens;
  tokens = (await player.refresh(tokens)) as Tokens;
  await player.userinfo(tokens);
  await cinema.signIn(margarethe);
  await phone.signIn(theodora, new Browser(place.issuer, 'Hearthside/7.3 (a browser of somebody in particular)'));
  await library.introspect(tokens.access_token);
  await player.post('/token', { grant_type: 'client_credentials' });
  const asApi = await player.obtainCode(margarethe, owner, {
    resource: 'https://api.media.test',
    scope: 'openid watch',
  });
  await player.exchange(asApi.code, asApi.verifier);
  const waiting = new Browser(place.issuer);
  await waiting.open(player.authorization({ login_hint: theodora.email, nonce: 'a nonce that an app has chosen' }).url);

  // A TV approved, one left waiting, one guessed.
  await tv.connectDevice(margarethe, owner);
  await tv.startDevice();
  await owner.open('/device');
  await owner.press('Continue', { user_code: 'BCDF-GHJK' });

  await pushed(place, margarethe);
  await bound(place, margarethe);
  const registered = await dynamic(place);
  const armed = await arm(place, await place.person('wilhelmina.castellan'), witness);

  // A password changed, keys rotated, somebody signed out, every app told.
  await owner.open('/account/security');
  const changed = 'a brand new lantern in the old harbour';
  await owner.press('Change password', {
    currentPassword: margarethe.password,
    password: changed,
    signOutDevices: undefined,
  });
  await core.signingKeys.rotate({ algorithms: ['ES256', 'EdDSA'], immediately: true });
  await core.provider.reload();
  for (const { d } of core.provider.jwks().keys) witness.note(d, 'signing key');
  await player.signIn(theodora);
  await cinema.signIn(theodora);
  await theodora.signOutOfAllDevices();
  await settle();
  expect(place.ears.heard.length).toBeGreaterThan(1);
  witness.note(
    place.ears.heard.map(({ token }) => token),
    'logout token',
  );

  // Guesses: known and unknown names, by name and by address.
  for (const [at, username] of [margarethe.username, theodora.email, STRANGER].entries()) {
    const guesser = new Browser(place.issuer);
    await guesser.open('/sign-in');
    await guesser.press('Sign in', { username, password: WRONG_PASSWORDS[at] ?? '' });
  }

  // The store fails while a token is looked at, and nonsense is shown: what is logged of that?
  failing = true;
  await player.introspect(tokens.access_token);
  await player.refresh(tokens);
  failing = false;
  await player.userinfo({ access_token: 'nonsense that looks like a bearer value' });
  await owner.open('/account/devices');

  const unspent = await player.obtainCode(margarethe, owner);
  return { place, witness, logged: place.logged, tokens, registered, unspent, owner, armed };
}

const dpopClient = {
  client_id: 'bound-player',
  client_secret: 'the secret of a client whose tokens are bound',
  first_party: true,
  dpop_bound_access_tokens: true,
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: ['http://bound.test/callback'],
};

/** A pushed request (RFC 9126), used, and another left lying. */
async function pushed({ player }: World, person: Person): Promise<void> {
  for (const used of [true, false]) {
    const asked = new URL(player.authorization({ nonce: `a nonce pushed ${used}` }).url).searchParams;
    const { status, body } = await player.post('/request', Object.fromEntries(asked));
    expect(status).toBe(201);
    if (used) await player.obtainCode(person, person.browser(), { request_uri: String(body['request_uri']) });
  }
}

/** Tokens bound to a key (RFC 9449). */
async function bound(place: World, person: Person): Promise<void> {
  const client = place.client('bound-player');
  const { code, verifier } = await client.obtainCode(person);
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const proof = await new SignJWT({ htm: 'POST', htu: `${place.issuer}/token`, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
    .setIssuedAt()
    .sign(privateKey);
  const answer = await fetch(`${place.issuer}/token`, {
    method: 'POST',
    headers: {
      dpop: proof,
      authorization: `Basic ${Buffer.from(`bound-player:${encodeURIComponent(dpopClient.client_secret)}`).toString('base64')}`,
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: 'http://bound.test/callback',
    }),
  });
  expect(await answer.json()).toMatchObject({ token_type: 'DPoP' });
}

type Registered = { client_id: string; client_secret: string; registration_access_token: string };

/** A Client that registers itself, and reads its record (RFC 7591, RFC 7592 §2.1). */
async function dynamic(place: World): Promise<Registered> {
  const initial = await place.core.issueInitialAccessToken({ expiresInSeconds: 600 });
  const answer = await fetch(`${place.issuer}/reg`, {
    method: 'POST',
    headers: { authorization: `Bearer ${initial}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Newcomer',
      redirect_uris: ['https://newcomer.test/callback'],
      id_token_signed_response_alg: 'ES256',
    }),
  });
  const registered = (await answer.json()) as Registered;
  expect(registered).toHaveProperty('client_secret');
  await fetch(`${place.issuer}/reg/${registered.client_id}`, {
    headers: { authorization: `Bearer ${registered.registration_access_token}` },
  });
  return registered;
}

/** Tries a value as everything it could be; resolves to what it opened. */
function thiefAt({ issuer, player, tv, library }: World, registeredId: string) {
  const uri = 'urn:ietf:params:oauth:request_uri:';
  const asHeader = (value: string): string =>
    Buffer.from(value, 'utf8')
      .toString('latin1')
      .replaceAll(/[^\x20-\x7e]/g, '');
  return async (value: string): Promise<string[]> => {
    const header = asHeader(value);
    const bearer = { authorization: `Bearer ${header}` };
    const basic = Buffer.from(`player:${encodeURIComponent(value)}`).toString('base64');
    const opened = await Promise.all([
      fetch(`${issuer}/account`, { redirect: 'manual', headers: { cookie: `curfew-session=${header}` } }).then(
        ({ status }) => status === 200 && 'session',
      ),
      fetch(`${issuer}/me`, { headers: bearer }).then(({ status }) => status === 200 && 'access token'),
      library.introspect(value).then(({ active }) => active && 'a token of some kind'),
      player.exchange(value, value).then(({ status }) => status === 200 && 'code'),
      player.refresh({ refresh_token: value }).then((answer) => !('error' in answer) && 'refresh token'),
      tv
        .pollDevice(value)
        .then(({ status, body }) => (status === 200 || body['error'] === 'authorization_pending') && 'device code'),
      fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      }).then(({ status }) => status === 200 && 'client secret'),
      fetch(`${issuer}/reg/${registeredId}`, { headers: bearer }).then(
        ({ status }) => status === 200 && 'registration',
      ),
      fetch(`${issuer}/reg`, {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['https://thief.test/callback'], id_token_signed_response_alg: 'ES256' }),
      }).then(({ status }) => status === 201 && 'initial access token'),
      fetch(
        `${issuer}/auth?${new URLSearchParams({ client_id: 'player', request_uri: `${uri}${value}` }).toString()}`,
        {
          redirect: 'manual',
        },
      ).then(({ status }) => status === 303 && 'pushed request'),
    ]);
    return opened.filter((what) => what !== false);
  };
}

/** Every value of every column of every row, whole, in the spellings a thief would try, and whatever JSON is made of. */
function valuesIn(rows: Rows): Set<string> {
  const values = new Set<string>();
  const add = (value: unknown): void => {
    if (value instanceof Uint8Array) {
      for (const encoding of ['base64url', 'hex', 'base64'] as const) add(Buffer.from(value).toString(encoding));
      const text = Buffer.from(value).toString('latin1');
      if (/^[\x20-\x7e]*$/.test(text)) add(text);
      return;
    }
    if (typeof value === 'object' && value !== null) for (const inner of Object.entries(value).flat()) add(inner);
    if (typeof value !== 'string' || values.has(value) || value.length < 8) return;
    values.add(value);
    try {
      add(JSON.parse(value));
    } catch {
      // Not JSON: it was tried as it is.
    }
  };
  for (const row of Object.values(rows).flat()) for (const cell of Object.values(row)) add(cell);
  // Sealed values have parts; a thief would try them too.
  for (const value of values) if (value.startsWith('v1.')) values.add(value.split('.')[2] ?? '');
  return values;
}

function readKeyring({ config }: World): string[] {
  const { index, keys } = JSON.parse(readFileSync(config.keyringFile, 'utf8')) as {
    index: string;
    keys: { root: string }[];
  };
  return [index, ...keys.map(({ root }) => root)];
}

function witnessed({ seen }: Witness, where: string): string {
  const entry = [...seen].find(([, place]) => place === where);
  if (entry === undefined) throw new Error(`nothing was seen as ${where}`);
  return entry[0];
}

function failingArtifacts({ artifacts }: Store, failing: () => boolean): Store['artifacts'] {
  return {
    ...artifacts,
    find: (key, now) =>
      failing()
        ? Promise.reject(new StoreUnavailable('find an artifact', { cause: new Error(digestOf(key)) }))
        : artifacts.find(key, now),
  };
}

const digestOf = (key: Uint8Array): string => `disk I/O error (${createHash('sha256').update(key).digest('hex')})`;
