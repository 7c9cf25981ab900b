/**
 * The life that the drill's account lives in the copy: everything there is to do here, done through the pages that people use,
 * so that it comes to lie where people's own lies.
 *
 * Everything that passes is a canary: what opens something, and what names somebody. It ends with one of everything unspent,
 * and with spares that may be spent.
 */
import { createHash, createHmac, randomBytes, randomInt } from 'node:crypto';

import type { DrillClient, DrilledHouse, DrillPerson } from './house.ts';
import { type Canary, fromBase32 } from './spellings.ts';
import { type Ask, createVisitor, type Visitor } from './visitor.ts';

/** What opens something. Each is good once at least; `spare` may be spent. */
export type Keys = {
  readonly session: string;
  readonly interaction: string;
  readonly halfWay: string;
  readonly trust: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly code: string;
  readonly deviceCode: string;
  readonly userCode: string;
  readonly pushed: string;
  readonly registrationToken: string;
  readonly initialToken: string;
  readonly link: string;
  readonly recoveryCodes: readonly string[];
  readonly appSecret: string;
  readonly spare: { readonly refreshToken: string; readonly code: string; readonly deviceCode: string };
};

export type Life = {
  readonly accountId: string;
  readonly person: DrillPerson;
  readonly client: DrillClient;
  readonly registeredId: string;
  readonly verifier: string;
  readonly names: CookieNames;
  readonly keys: Keys;
  readonly canaries: readonly Canary[];
  readonly owner: Visitor;
  /** A browser that has given the password and is asked for the second factor. */
  halfWay(): Promise<Visitor>;
};

export type CookieNames = { readonly [name in 'session' | 'interaction' | 'halfWay' | 'trust' | 'csrf']: string };

/** As the house names them (web/cookies.ts, oidc/provider.ts). */
function cookieNames(issuer: string): CookieNames {
  const [host, secure] = issuer.startsWith('https:') ? ['__Host-', '__Secure-'] : ['', ''];
  return {
    session: `${host}curfew-session`,
    interaction: `${secure}curfew-interaction`,
    halfWay: `${secure}curfew-half-way`,
    trust: `${host}curfew-trust`,
    csrf: `${host}curfew-csrf`,
  };
}

const letters = (length: number): string =>
  Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz'[randomInt(26)]).join('');

/** A name, an address and a password that occur nowhere else. */
export function inventPerson(): DrillPerson {
  const username = `drill-${letters(14)}`;
  return { username, email: `${username}@drill.invalid`, password: `${letters(9)} ${letters(11)} ${letters(8)}` };
}

export function inventClient(): DrillClient {
  const client_id = `drill-${letters(10)}`;
  const client_secret = randomBytes(32).toString('base64url');
  return { client_id, client_secret, redirect_uri: `https://${client_id}.invalid/callback` };
}

export async function live(
  house: DrilledHouse,
  ask: Ask,
  { person, client, now }: { readonly person: DrillPerson; readonly client: DrillClient; readonly now: () => Date },
): Promise<Life> {
  const { issuer } = house;
  const names = cookieNames(issuer);
  const agent = `Mozilla/5.0 (X11; Linux x86_64) Drill-${letters(16)}/1.0`;
  const visitors: Visitor[] = [];
  const visitor = (): Visitor => {
    const made = createVisitor(ask, { issuer, userAgent: agent });
    visitors.push(made);
    return made;
  };
  const tokens = tokenEndpoint(ask, client);

  const accountId = await house.createAccount(person);
  const { username, password } = person;
  const begin = async (): Promise<Visitor> => {
    const browser = visitor();
    await browser.open('/sign-in');
    await browser.submit(/^\/sign-in\?/, { username, password });
    return browser;
  };

  // Signed in, with an app for codes and codes on paper.
  const owner = await begin();
  await owner.open('/account/security');
  await owner.submit(/^\/account\/security\/totp$/);
  const appSecret = (/<p class="secret">([A-Z2-7 ]+)<\/p>/.exec(owner.page.text)?.[1] ?? '').replaceAll(' ', '');
  await owner.submit(/\/totp\/confirm$/, { code: totpOf(fromBase32(appSecret) ?? Buffer.alloc(0), now()) });
  const recoveryCodes = [...owner.page.text.matchAll(/<li><code>([^<]+)<\/code><\/li>/g)].map(([, code = '']) => code);
  const trusted = await begin();
  await trusted.submit(/second-step/, { code: recoveryCodes[0] ?? '', trust: 'on' });
  const halfWay = await begin();

  // Apps: codes, tokens, an authorization that nobody went on with, a request that was pushed.
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const authorization = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: client.redirect_uri,
    scope: 'openid profile email offline_access',
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  const authorize = `/auth?${new URLSearchParams(authorization).toString()}`;
  const code = async (): Promise<string> => {
    await owner.open(authorize);
    return owner.left?.searchParams.get('code') ?? '';
  };
  const exchange = async (unspent: string): Promise<Record<string, string>> =>
    tokens('/token', {
      grant_type: 'authorization_code',
      code: unspent,
      code_verifier: verifier,
      redirect_uri: client.redirect_uri,
    });
  const spent = await code();
  const first = await exchange(spent);
  const second = await tokens('/token', { grant_type: 'refresh_token', refresh_token: first['refresh_token'] ?? '' });
  const third = await exchange(await code());
  await ask('/me', { headers: { authorization: `Bearer ${second['access_token']}` } });
  const [unspent, spareCode] = [await code(), await code()];
  const stranger = visitor();
  await stranger.open(authorize);
  const pushed = await tokens('/request', authorization);

  // Devices: one that waits, two that were let in and do not know it yet.
  const device = () => tokens('/device/auth', { scope: 'openid profile offline_access' });
  const allow = async (userCode: string): Promise<void> => {
    await owner.open('/device');
    await owner.submit(/\/device$/, { user_code: userCode });
    await owner.submit(/\/device$/);
  };
  const [waiting, allowed, spareDevice] = [await device(), await device(), await device()];
  await allow(allowed['user_code'] ?? '');
  await allow(spareDevice['user_code'] ?? '');

  // Mail: a link that resets, one that confirms, and those with which somebody says that it was not them.
  await stranger.open('/reset');
  await stranger.submit(/^\/reset$/, { username });
  await owner.open('/account');
  await owner.submit(/^\/account\/verify$/);
  await house.settled();
  const mails = await house.mailsTo(accountId);
  const links = mails.flatMap((mail) => [...mail.matchAll(/[?&]link=([\w-]{43})/g)].map(([, link = '']) => link));
  const link = mails.flatMap((mail) => [...mail.matchAll(/\/reset\/confirm\?link=([\w-]{43})/g)])[0]?.[1] ?? '';

  // An app that registers itself.
  const initialToken = await house.issueInitialAccessToken();
  const registered = await registerClient(ask, initialToken);
  const cookie = (browser: Visitor, name: string): string => browser.cookie(name) ?? '';
  const keys: Keys = {
    session: cookie(owner, names.session),
    interaction: cookie(stranger, names.interaction),
    halfWay: cookie(halfWay, names.halfWay),
    trust: cookie(trusted, names.trust),
    accessToken: second['access_token'] ?? '',
    refreshToken: second['refresh_token'] ?? '',
    code: unspent,
    deviceCode: allowed['device_code'] ?? '',
    userCode: waiting['user_code'] ?? '',
    pushed: (pushed['request_uri'] ?? '').replace(/^.*:/, ''),
    registrationToken: registered['registration_access_token'] ?? '',
    initialToken,
    link,
    recoveryCodes,
    appSecret,
    spare: {
      refreshToken: third['refresh_token'] ?? '',
      code: spareCode,
      deviceCode: spareDevice['device_code'] ?? '',
    },
  };
  const named = (what: string, values: readonly (string | undefined)[]): Canary[] =>
    values.map((value = '') => ({ what, value }));
  const canaries: Canary[] = [
    { what: 'the password', value: password, guessable: true },
    { what: 'the username', value: username, guessable: true },
    { what: 'the e-mail address', value: person.email, guessable: true },
    ...named('the user agent', [agent]),
    ...named('the secret of the app for codes', [appSecret]),
    { what: 'the secret of the app for codes', value: fromBase32(appSecret) ?? Buffer.alloc(0) },
    ...named('a recovery code', [...recoveryCodes, ...recoveryCodes.map((each) => each.replaceAll('-', ''))]),
    ...named('an authorization code', [spent, unspent, spareCode]),
    ...named('the code verifier', [verifier]),
    ...named('the state of an authorization request', [state]),
    ...named('an access token', [first['access_token'], keys.accessToken, third['access_token']]),
    ...named('a refresh token', [first['refresh_token'], keys.refreshToken, third['refresh_token']]),
    ...named('an ID Token', [first['id_token'], second['id_token']]),
    ...named('a device code', [keys.deviceCode, waiting['device_code'], keys.spare.deviceCode]),
    ...named('a user code', [keys.userCode, keys.userCode.replaceAll('-', ''), allowed['user_code']]),
    ...named('a pushed request', [keys.pushed]),
    ...named('the link of a mail', links),
    ...named('a registration token', [keys.registrationToken, initialToken]),
    ...named('a client secret', [client.client_secret, registered['client_secret']]),
    ...visitors.flatMap((each) =>
      named(
        'a cookie',
        each.cookies().filter((value) => value.length >= 16),
      ),
    ),
  ];
  const missing = Object.entries({ ...keys, ...keys.spare, links: links[0] ?? '', agent }).filter(
    ([, value]) => value === '' || (Array.isArray(value) && value.length < 10),
  );
  if (missing.length > 0) {
    throw new Error(`the drill's account could not live a whole life: no ${missing.map(([name]) => name).join(', ')}`);
  }
  return {
    accountId,
    person,
    client,
    registeredId: registered['client_id'] ?? '',
    verifier,
    names,
    keys,
    canaries,
    owner,
    halfWay: begin,
  };
}

/** Posts as the app does; resolves to what it is told. */
export function tokenEndpoint(ask: Ask, { client_id, client_secret }: DrillClient, secret = client_secret) {
  const credential = Buffer.from(`${encodeURIComponent(client_id)}:${encodeURIComponent(secret)}`).toString('base64');
  const headers = { authorization: `Basic ${credential}`, accept: 'application/json' };
  return async (path: string, form: Readonly<Record<string, string>>): Promise<Record<string, string>> =>
    JSON.parse((await ask(path, { headers, form })).text) as Record<string, string>;
}

async function registerClient(ask: Ask, initialToken: string): Promise<Record<string, string>> {
  const { text } = await ask('/reg', {
    headers: { authorization: `Bearer ${initialToken}` },
    json: { redirect_uris: [`https://${letters(12)}.invalid/callback`], id_token_signed_response_alg: 'ES256' },
  });
  return JSON.parse(text) as Record<string, string>;
}

const STEP_SECONDS = 30;

/** RFC 6238 over whatever bytes a secret is: the code so many half minutes from an instant. */
export function totpOf(secret: Uint8Array, at: Date, steps = 0): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 1000 / STEP_SECONDS) + steps));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const word = mac.readUInt32BE((mac.at(-1) ?? 0) & 0xf) & 0x7f_ff_ff_ff;
  return String(word % 1_000_000).padStart(6, '0');
}
