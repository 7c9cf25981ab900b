/** A world with a company whose people may sign in by its own provider: a real OpenID Connect provider on loopback. */
import { onTestFinished } from 'vitest';

import type { Browser } from './browser.ts';
import { type Behaviour } from './upstream-behaviour.ts';
import { startUpstream, type Upstream, type UpstreamAccount } from './upstream-idp.ts';
import type { UpstreamPerson } from './upstream-person.ts';
import { type World, world, type WorldOptions } from './world.ts';

export type FederatedWorld = World & {
  readonly acme: Upstream;
  /** Somebody who works at Acme. */
  readonly carol: UpstreamPerson;
  readonly dave: UpstreamPerson;
  /** Presses "Continue with Acme" on the present page, and comes back as this person. Resolves to where Acme was asked. */
  through(browser: Browser, person: UpstreamPerson, options?: { readonly at?: Browser }): Promise<URL>;
  /** Signs in to Curfew's own pages through Acme. */
  signInThrough(person: UpstreamPerson, browser?: Browser): Promise<Browser>;
};

const PEOPLE: UpstreamAccount[] = [
  {
    sub: 'acme-carol',
    claims: { preferred_username: 'carol', email: 'carol@acme.test', email_verified: true, groups: ['staff'] },
  },
  { sub: 'acme-dave', claims: { preferred_username: 'dave', email: 'dave@acme.test', email_verified: true } },
];

export async function federatedWorld({
  connection = {},
  accounts = [],
  behaviour = {},
  configuration = {},
  ...options
}: WorldOptions & {
  /** What the connection is configured with besides. */
  readonly connection?: Record<string, unknown>;
  readonly accounts?: readonly UpstreamAccount[];
  readonly behaviour?: Behaviour;
} = {}): Promise<FederatedWorld> {
  const acme = await startUpstream({ name: 'Acme', accounts: [...PEOPLE, ...accounts], behaviour });
  onTestFinished(() => acme.stop());
  const acmeConnection = {
    id: 'acme',
    type: 'oidc',
    name: 'Acme',
    issuer: acme.issuer,
    client_id: 'curfew',
    scopes: ['openid', 'profile', 'email', 'groups'],
    trustEmail: true,
    ...connection,
  };
  const made = await world({ ...options, configuration: { connections: [acmeConnection], ...configuration } });
  acme.registerClient({
    client_id: 'curfew',
    token_endpoint_auth_method: 'none',
    redirect_uris: [`${made.issuer}/federation/acme/callback`],
    post_logout_redirect_uris: [`${made.issuer}/signed-out`],
    backchannel_logout_uri: `${made.issuer}/federation/acme/backchannel-logout`,
    scope: 'openid profile email groups',
  });
  const through: FederatedWorld['through'] = async (browser, person, { at = person.browser() } = {}) => {
    if (browser.left === undefined) await browser.press('Continue with Acme');
    const asked = browser.left;
    if (asked === undefined) throw new Error(`not sent to Acme: ${browser.page.status} ${browser.heading}`);
    const back = await person.follow(asked, at);
    await browser.open(back.href);
    return asked;
  };
  // `world` has getters that must stay such.
  return Object.defineProperties({} as FederatedWorld, {
    ...Object.getOwnPropertyDescriptors(made),
    acme: { value: acme },
    carol: { value: acme.person('acme-carol') },
    dave: { value: acme.person('acme-dave') },
    through: { value: through },
    signInThrough: {
      value: async (person: UpstreamPerson, browser = made.alice.anotherBrowser()) => {
        await browser.open('/sign-in');
        await through(browser, person);
        return browser;
      },
    },
  });
}
