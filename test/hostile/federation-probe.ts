/**
 * A Curfew with three companies' providers, for whoever attacks it through them: Acme and Globex speak OpenID Connect,
 * Corp speaks SAML. Two people are called the same at Acme and at Globex.
 */
import { expect, onTestFinished } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { type Corp, corpAndConnection, erin } from '../support/saml-world.ts';
import type { Behaviour } from '../support/upstream-behaviour.ts';
import { startUpstream, type Upstream, type UpstreamAccount } from '../support/upstream-idp.ts';
import type { UpstreamPerson } from '../support/upstream-person.ts';
import { about, cookiesOf, type HostileOptions, hostileWorld, type HostileWorld, type RawAnswer } from './probe.ts';

/** What somebody is called at Acme, and somebody else at Globex. */
export const SHARED = 'employee-1';

export type Siege = {
  readonly it: HostileWorld;
  readonly acme: Upstream;
  readonly globex: Upstream;
  readonly corp: Corp;
  /** A page's "Continue with NAME", up to where the provider sends the browser back to. */
  askedBack(browser: Browser, person: UpstreamPerson): Promise<URL>;
  signIn(name: 'Acme' | 'Globex', person: UpstreamPerson, browser?: Browser): Promise<Browser>;
  /** Signs in as Corp's Erin, or whoever is given. */
  signInByCorp(person?: ReturnType<typeof erin>, browser?: Browser): Promise<Browser>;
  /** Nothing else than what is under way was written: no account, identity, session, token or sign-out is another. */
  untouched(act: () => Promise<unknown>): Promise<void>;
  stillIn(browser: Browser): Promise<void>;
  isOut(browser: Browser): Promise<void>;
};

export type SiegeOptions = Omit<HostileOptions, 'configuration'> & {
  /** Besides, of Acme's connection. */
  readonly connection?: Record<string, unknown>;
  readonly accounts?: readonly UpstreamAccount[];
  readonly behaviour?: Behaviour;
  /** Where Corp's pages are, for a browser that goes there. */
  readonly corpAt?: string;
};

export async function besieged({
  connection = {},
  accounts = [],
  behaviour = {},
  corpAt,
  ...options
}: SiegeOptions = {}): Promise<Siege> {
  const at = async (name: string, more: readonly UpstreamAccount[]): Promise<Upstream> => {
    const username = `${name.toLowerCase()}-one`;
    const claims = { preferred_username: username, email: `${username}@example.net`, email_verified: true };
    const upstream = await startUpstream({ name, accounts: [{ sub: SHARED, claims }, ...more], behaviour });
    onTestFinished(() => upstream.stop());
    return upstream;
  };
  const [acme, globex] = [await at('Acme', accounts), await at('Globex', [])];
  const { corp, entry } = await corpAndConnection({ at: corpAt });
  const settings = (upstream: Upstream, name: string, more = {}) => ({
    id: name.toLowerCase(),
    type: 'oidc',
    name,
    issuer: upstream.issuer,
    client_id: 'curfew',
    scopes: ['openid', 'profile', 'email'],
    trustEmail: true,
    ...more,
  });
  const connections = [settings(acme, 'Acme', connection), settings(globex, 'Globex'), entry];
  const it = await hostileWorld({ fakeTime: true, ...options, configuration: { connections } });
  for (const [upstream, id] of [
    [acme, 'acme'],
    [globex, 'globex'],
  ] as const) {
    upstream.registerClient({
      client_id: 'curfew',
      token_endpoint_auth_method: 'none',
      redirect_uris: [`${it.issuer}/federation/${id}/callback`],
      post_logout_redirect_uris: [`${it.issuer}/signed-out`],
      backchannel_logout_uri: `${it.issuer}/federation/${id}/backchannel-logout`,
      scope: 'openid profile email',
    });
  }

  const siege: Siege = {
    it,
    acme,
    globex,
    corp,
    async askedBack(browser, person) {
      if (browser.left === undefined) throw new Error(`not sent away: ${browser.page.status} ${browser.heading}`);
      return person.follow(browser.left, person.anotherBrowser());
    },
    async signIn(name, person, browser = it.alice.anotherBrowser()) {
      await browser.open('/sign-in');
      await browser.press(`Continue with ${name}`);
      await browser.open((await siege.askedBack(browser, person)).href);
      return browser;
    },
    async signInByCorp(person = erin(), browser = it.alice.anotherBrowser()) {
      await browser.open('/sign-in');
      await browser.press('Continue with Corp');
      await corp.sendBack(browser, browser.left as URL, person);
      return browser;
    },
    async untouched(act) {
      const changes = await it.changes(act);
      expect(changes.filter((line) => !UNDER_WAY.test(line))).toEqual([]);
    },
    async stillIn(browser) {
      await browser.open('/account');
      expect(browser.path).toBe('/account');
    },
    async isOut(browser) {
      await browser.open('/account');
      expect(browser.path).toMatch(/^\/sign-in/);
    },
  };
  return siege;
}

/** Requests and attempts that nobody has finished, the assertions heard in them, and keys of ours, which are made when first needed. */
const UNDER_WAY =
  /^([+-] artifacts .*"model":"(Interaction|Federation\w+|AssertionHeard)"|\+ facts \{"(fact|id)":"connection-keys:corp")/;

/** Posts a form with a browser's own cookies, as a page elsewhere would have it do; nothing is followed. */
export function post(
  { it }: Pick<Siege, 'it'>,
  path: string,
  fields: Record<string, string> | URLSearchParams,
  browser?: Browser,
): Promise<RawAnswer> {
  return it.send({
    path,
    headers: [['Accept', 'text/html'], ...(browser === undefined ? [] : [cookiesOf(browser, path)])],
    body: fields instanceof URLSearchParams ? fields : new URLSearchParams(fields),
  });
}

export const pathOf = (url: URL): string => url.pathname + url.search;
export const get = ({ it }: Pick<Siege, 'it'>, path: string, browser?: Browser): Promise<RawAnswer> =>
  it.send({
    path,
    headers: [['Accept', 'text/html'], ...(browser === undefined ? [] : [cookiesOf(browser, path)])],
  });

/** A browser that was sent to a provider, and has not come back. */
export async function away({ it }: Pick<Siege, 'it'>, name: string): Promise<Browser> {
  const browser = it.alice.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press(`Continue with ${name}`);
  if (browser.left === undefined) throw new Error(`not sent to ${name}`);
  return browser;
}
export const stateOf = (browser: Browser): string =>
  browser.left?.searchParams.get('state') ?? browser.left?.searchParams.get('RelayState') ?? '';

/** What changed of somebody: their account, identities, sessions and sign-outs. */
export function changesOf(changes: readonly string[], accountId: string): string[] {
  return about(changes, accountId);
}

/** A refusal that leads nowhere, sets nobody in, and keeps no copy. */
export function expectRefusal(answer: RawAnswer, status: number | readonly number[]): void {
  const statuses = typeof status === 'number' ? [status] : status;
  expect([statuses, statuses.includes(answer.status), answer.status]).toEqual([statuses, true, answer.status]);
  expect(answer.header('location')).toBeUndefined();
  expect(answer.cookies.join()).not.toMatch(/curfew-(session|attempt)=[^;]/);
  expect(answer.header('cache-control')).toBe('no-store');
}
