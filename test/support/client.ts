/** A Client as the protocol sees it: it builds requests by hand, so that a test can bend any of them. */
import { createHash, randomBytes } from 'node:crypto';

import type { Browser } from './browser.ts';
import type { Person } from './world.ts';

export type ClientSetup = Record<string, unknown> & { readonly client_id: string };

export type Tokens = {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
  readonly expires_in: number;
};
export type OAuthError = { readonly error: string };
export type Answer<Body = Record<string, unknown>> = { readonly status: number; readonly body: Body };

/** Of an authorization request; undefined leaves out what the Client would send otherwise. */
export type RequestParameters = Readonly<Record<string, string | undefined>>;

export type Client = {
  readonly id: string;
  readonly setup: ClientSetup;
  /** The authorization request's address, and the verifier that goes with it. */
  authorization(parameters?: RequestParameters): {
    readonly url: string;
    readonly verifier: string;
    readonly state: string;
  };
  /** Signs a person in through a browser, consenting if asked; resolves to the code. */
  obtainCode(
    person: Person,
    browser?: Browser,
    parameters?: RequestParameters,
  ): Promise<{ code: string; verifier: string }>;
  exchange(code: string, verifier: string): Promise<Answer>;
  /** The whole way: browser, code, tokens. */
  signIn(person: Person, browser?: Browser, parameters?: RequestParameters): Promise<Tokens>;
  /** New tokens, or `{ error }`. */
  refresh(tokens: Pick<Tokens, 'refresh_token'>): Promise<Tokens | OAuthError>;
  introspect(token: string): Promise<{ active: boolean } & Record<string, unknown>>;
  userinfo(tokens: Pick<Tokens, 'access_token'>): Promise<Answer>;
  revoke(token: string): Promise<Answer>;
  /** A form posted to an endpoint with this Client's authentication. */
  post(path: string, form: Record<string, string>): Promise<Answer>;
  /** Starts the device flow (RFC 8628 §3.1). */
  startDevice(): Promise<{
    device_code: string;
    user_code: string;
    verification_uri: string;
    verification_uri_complete: string;
  }>;
  /** Approves a device code in a person's browser. */
  approveDevice(person: Person, userCode: string, browser?: Browser): Promise<Browser>;
  pollDevice(deviceCode: string): Promise<Answer>;
  connectDevice(person: Person, browser?: Browser): Promise<Tokens>;
};

export function createClient(issuer: string, setup: ClientSetup): Client {
  const id = setup.client_id;
  const secret = setup['client_secret'] as string | undefined;
  const redirectUri = (setup['redirect_uris'] as string[] | undefined)?.[0] ?? '';

  const post = async (path: string, form: Record<string, string>): Promise<Answer> => {
    const headers: Record<string, string> = { accept: 'application/json' };
    const body = new URLSearchParams(form);
    if (secret === undefined) body.set('client_id', id);
    else
      headers['authorization'] =
        `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
    const response = await fetch(new URL(path, issuer), { method: 'POST', headers, body });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
  const tokensOf = ({ status, body }: Answer): Tokens => {
    if (status !== 200) throw new Error(`${id} was refused: ${JSON.stringify(body)}`);
    return body as unknown as Tokens;
  };

  const client: Client = {
    id,
    setup,
    post,
    authorization(parameters = {}) {
      const verifier = randomBytes(32).toString('base64url');
      const state = randomBytes(8).toString('base64url');
      const url = new URL('/auth', issuer);
      const standard = {
        client_id: id,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid profile email offline_access',
        state,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...(setup['first_party'] === true ? {} : { prompt: 'consent' }),
      };
      for (const [name, value] of Object.entries({ ...standard, ...parameters })) {
        if (value !== undefined) url.searchParams.set(name, value);
      }
      return { url: url.href, verifier, state };
    },
    async obtainCode(person, browser = person.browser(), parameters = {}) {
      const { url, verifier } = client.authorization(parameters);
      await browser.open(url);
      if (browser.buttons.includes('Sign in')) {
        await browser.press('Sign in', { username: person.username, password: person.password });
      }
      if (browser.left === undefined && browser.buttons.includes('Allow')) await browser.press('Allow');
      const code = browser.left?.searchParams.get('code');
      if (!code) {
        throw new Error(
          `no code for ${id}: ${browser.left?.href ?? `${browser.page.status} ${browser.heading} at ${browser.path}`}`,
        );
      }
      return { code, verifier };
    },
    exchange: (code, verifier) =>
      post('/token', { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri }),
    async signIn(person, browser, parameters) {
      const { code, verifier } = await client.obtainCode(person, browser, parameters);
      return tokensOf(await client.exchange(code, verifier));
    },
    async refresh({ refresh_token }) {
      const { status, body } = await post('/token', { grant_type: 'refresh_token', refresh_token });
      return status === 200 ? (body as unknown as Tokens) : { error: String(body['error']) };
    },
    async introspect(token) {
      const { body } = await post('/token/introspection', { token });
      return body as { active: boolean };
    },
    async userinfo({ access_token }) {
      const response = await fetch(new URL('/me', issuer), { headers: { authorization: `Bearer ${access_token}` } });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    revoke: (token) => post('/token/revocation', { token }),
    async startDevice() {
      const { status, body } = await post('/device/auth', { scope: 'openid profile offline_access' });
      if (status !== 200) throw new Error(`${id} got no device code: ${JSON.stringify(body)}`);
      return body as Awaited<ReturnType<Client['startDevice']>>;
    },
    async approveDevice(person, userCode, browser = person.browser()) {
      await browser.open('/device');
      await browser.press('Continue', { user_code: userCode });
      await browser.press('Allow');
      if (browser.buttons.includes('Sign in')) {
        await browser.press('Sign in', { username: person.username, password: person.password });
      }
      if (browser.buttons.includes('Allow')) await browser.press('Allow');
      return browser;
    },
    pollDevice: (deviceCode) =>
      post('/token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode }),
    async connectDevice(person, browser) {
      const { device_code, user_code } = await client.startDevice();
      await client.approveDevice(person, user_code, browser);
      return tokensOf(await client.pollDevice(device_code));
    },
  };
  return client;
}
