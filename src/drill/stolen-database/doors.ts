/**
 * Everything a value could open, and the thief's hands at each of these doors.
 *
 * The thief is given more than any thief has: the other half of whatever needs two (a cookie's signature, a client's secret, a
 * code's verifier, the password before the second factor), and as many tries as there are values. So a door that stays shut is
 * shut by what is kept, and by nothing else.
 */
import type { DrilledHouse, LookUps } from './house.ts';
import { type Life, tokenEndpoint, totpOf } from './life.ts';
import { fromBase32 } from './spellings.ts';
import { type Ask, createVisitor, type Visitor } from './visitor.ts';

export type Door = {
  /** What a value is tried as. */
  readonly as: string;
  /** Asks the room behind the page. */
  readonly lookUp: (value: string) => Promise<boolean>;
  /** Tries it over HTTP, as anybody could. */
  readonly knock: (value: string) => Promise<boolean>;
  /** The true ones, which must open it; each is tried once. */
  readonly genuine: { readonly lookUp: string; readonly knock: string };
};

const URN = 'urn:ietf:params:oauth:request_uri:';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** Half minutes far apart, at all of which two secrets that differ do not show the same code. */
const INSTANTS = [0, 1_000_000, 2_000_000];

export function doorsOf(
  house: DrilledHouse,
  ask: Ask,
  { life, now }: { readonly life: Life; readonly now: () => Date },
): Door[] {
  const { keys, names, client, person, verifier } = life;
  const found: LookUps = house.lookUps(life.accountId);
  const tokens = tokenEndpoint(ask, client);
  const bearer = (value: string) => ({
    headers: { authorization: `Bearer ${header(value)}`, accept: 'application/json' },
  });
  const cookied = (name: string, value: string) => ({
    headers: {
      cookie: `${name}=${header(value)}; ${name}.sig=${house.signCookie(name, header(value))}`,
      accept: 'text/html',
    },
  });
  const both = (value: string) => ({ lookUp: value, knock: value });
  const granted = async (form: Record<string, string>): Promise<boolean> =>
    'access_token' in (await tokens('/token', form));
  const secondStep = createSecondStep(life, ask);
  const guest = createGuest(house, ask);
  const trueSecret = fromBase32(keys.appSecret) ?? Buffer.alloc(0);

  return [
    {
      as: 'session cookie',
      lookUp: found.session,
      knock: async (value) => (await ask('/account', cookied(names.session, value))).status === 200,
      genuine: both(keys.session),
    },
    {
      as: 'interaction cookie',
      lookUp: found.interaction,
      knock: async (value) =>
        (await ask(`/interaction/${encodeURIComponent(value)}`, cookied(names.interaction, value))).status === 200,
      genuine: both(keys.interaction),
    },
    {
      as: 'half-finished sign-in',
      lookUp: found['half-finished sign-in'],
      knock: async (value) => (await ask('/sign-in/second-step', cookied(names.halfWay, value))).status === 200,
      genuine: both(keys.halfWay),
    },
    {
      as: 'trusted-browser cookie',
      lookUp: found['trusted browser'],
      knock: async (value) =>
        (await guest.signIn({ ...person, cookie: `${names.trust}=${header(value)}` })) === 'signed in',
      genuine: both(keys.trust),
    },
    {
      as: 'bearer token',
      lookUp: found['access token'],
      knock: async (value) => (await ask('/me', bearer(value))).status === 200,
      genuine: both(keys.accessToken),
    },
    {
      as: 'token to introspect',
      lookUp: async (value) => (await found['access token'](value)) || (await found['refresh token'](value)),
      knock: async (value) => String((await tokens('/token/introspection', { token: value }))['active']) === 'true',
      genuine: both(keys.accessToken),
    },
    {
      as: 'refresh token',
      lookUp: found['refresh token'],
      knock: (value) => granted({ grant_type: 'refresh_token', refresh_token: value }),
      genuine: { lookUp: keys.refreshToken, knock: keys.spare.refreshToken },
    },
    {
      as: 'authorization code',
      lookUp: found['authorization code'],
      knock: (value) =>
        granted({
          grant_type: 'authorization_code',
          code: value,
          code_verifier: verifier,
          redirect_uri: client.redirect_uri,
        }),
      genuine: { lookUp: keys.code, knock: keys.spare.code },
    },
    {
      as: 'device code',
      lookUp: found['device code'],
      async knock(value) {
        const answer = await tokens('/token', { grant_type: DEVICE_GRANT, device_code: value });
        return 'access_token' in answer || ['authorization_pending', 'slow_down'].includes(answer['error'] ?? '');
      },
      genuine: { lookUp: keys.deviceCode, knock: keys.spare.deviceCode },
    },
    {
      as: 'user code',
      lookUp: found['user code'],
      knock: guest.connectsDevice,
      genuine: both(keys.userCode),
    },
    {
      as: 'pushed request',
      lookUp: found['pushed request'],
      async knock(value) {
        const query = new URLSearchParams({ client_id: client.client_id, request_uri: `${URN}${value}` });
        return (await ask(`/auth?${query.toString()}`)).status === 303;
      },
      genuine: both(keys.pushed),
    },
    {
      as: 'registration token',
      lookUp: found['registration token'],
      knock: async (value) => (await ask(`/reg/${life.registeredId}`, bearer(value))).status === 200,
      genuine: both(keys.registrationToken),
    },
    {
      as: 'initial access token',
      lookUp: found['initial access token'],
      knock: async (value) => {
        const json = { redirect_uris: [client.redirect_uri], id_token_signed_response_alg: 'ES256' };
        return (await ask('/reg', { ...bearer(value), json })).status === 201;
      },
      genuine: both(keys.initialToken),
    },
    {
      as: 'link of a mail',
      lookUp: found['mailed link'],
      knock: async (value) =>
        (await ask(`/reset/confirm?${new URLSearchParams({ link: value }).toString()}`)).status === 200,
      genuine: both(keys.link),
    },
    {
      as: 'client secret',
      lookUp: found['client secret'],
      knock: async (value) =>
        'access_token' in (await tokenEndpoint(ask, client, value)('/token', { grant_type: 'client_credentials' })),
      genuine: both(client.client_secret),
    },
    {
      as: 'password',
      lookUp: async (value) => value.normalize('NFKC') === person.password,
      knock: async (value) => (await guest.signIn({ username: person.username, password: value })) !== 'refused',
      genuine: both(person.password),
    },
    {
      as: 'secret of an app for codes',
      lookUp: async (value) =>
        secretsIn(value).some((secret) =>
          INSTANTS.every((steps) => totpOf(secret, now(), steps) === totpOf(trueSecret, now(), steps)),
        ),
      async knock(value) {
        // The step after this one: the code of this one was used when the app was set up.
        for (const secret of secretsIn(value)) if (await secondStep(totpOf(secret, now(), 1))) return true;
        return false;
      },
      genuine: both(keys.appSecret),
    },
    {
      as: 'recovery code',
      lookUp: found['recovery code'],
      knock: secondStep,
      genuine: { lookUp: keys.recoveryCodes[1] ?? '', knock: keys.recoveryCodes[2] ?? '' },
    },
  ];
}

/** What may stand in a header's value, a cookie's included. */
const header = (value: string): string => value.replaceAll(/[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]/g, '');

/** The bytes that a value may be as a secret of an app: as it is, or in one of the ways in which bytes are written. */
function secretsIn(value: string): Buffer[] {
  const plausible = ({ length }: Buffer): boolean => length >= 10 && length <= 64;
  return [
    fromBase32(value),
    /^(?:[0-9a-f]{2})+$/i.test(value) ? Buffer.from(value, 'hex') : null,
    /^[\w+/-]+={0,2}$/.test(value) ? Buffer.from(value, 'base64') : null,
    // A secret in base32, encoded once more.
    /^[\w+/-]+={0,2}$/.test(value) ? fromBase32(Buffer.from(value, 'base64').toString('latin1')) : null,
  ].filter((secret) => secret !== null && plausible(secret)) as Buffer[];
}

/** Types codes into the page of somebody whose password was right, one after the other. */
function createSecondStep({ halfWay, names }: Life, ask: Ask): (code: string) => Promise<boolean> {
  let waiting: Promise<Visitor> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const type = async (code: string): Promise<boolean> => {
    const browser = await (waiting ??= halfWay());
    const token = /name="csrf" value="([^"]*)"/.exec(browser.page.text)?.[1] ?? '';
    const cookie = [names.halfWay, names.csrf].map((name) => `${name}=${browser.cookie(name) ?? ''}`).join('; ');
    const answer = await ask('/sign-in/second-step', {
      headers: { cookie, accept: 'text/html' },
      form: { csrf: token, code: code.slice(0, 64) },
    });
    const entered = answer.status === 303 && answer.location?.pathname === '/account';
    // Somebody went in there: whoever comes next begins again.
    if (answer.status === 303) waiting = undefined;
    return entered;
  };
  return (code) => {
    const typed = turn.then(() => type(code));
    turn = typed.catch(() => undefined);
    return typed;
  };
}

/** Somebody who is not signed in, before the pages that ask who they are. */
function createGuest(house: DrilledHouse, ask: Ask) {
  const { issuer } = house;
  const userAgent = 'Drill/1.0';
  let device: Promise<unknown> = Promise.resolve();
  const browser = createVisitor(ask, { issuer, userAgent });
  return {
    async signIn({
      username,
      password,
      cookie = '',
    }: {
      readonly username: string;
      readonly password: string;
      readonly cookie?: string;
    }): Promise<'refused' | 'half way' | 'signed in'> {
      const page = await ask('/sign-in', { headers: { accept: 'text/html' } });
      const token = /name="csrf" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
      const own = page.setCookies.map((each) => each.split(';')[0]).join('; ');
      const { status, location } = await ask('/sign-in', {
        headers: { cookie: `${own}; ${cookie}`, accept: 'text/html' },
        form: { csrf: token, username, password: password.slice(0, 4096) },
      });
      if (status !== 303) return 'refused';
      return location?.pathname === '/account' ? 'signed in' : 'half way';
    },
    connectsDevice(value: string): Promise<boolean> {
      const typed = device.then(async () => {
        await browser.open('/device');
        await browser.submit(/\/device$/, { user_code: value });
        return browser.page.status === 200 && browser.page.text.includes('op.deviceConfirmForm');
      });
      device = typed.catch(() => undefined);
      return typed;
    },
  };
}
