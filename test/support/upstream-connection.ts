/** Curfew's side of an upstream provider, without Curfew: a connection, and attempts that a test may bend on their way. */
import { randomBytes } from 'node:crypto';
import type { ClientMetadata } from 'oidc-provider';
import { expect } from 'vitest';

import { createOidcUpstream, type OidcUpstream } from '../../src/connections/oidc/upstream.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createOutbound, type OutboundFetch } from '../../src/platform/outbound-http.ts';
import type { Browser } from './browser.ts';
import type { Upstream } from './upstream-idp.ts';
import type { UpstreamPerson } from './upstream-person.ts';

export const REDIRECT_URI = 'http://curfew.test/federation/acme/callback';

export type Attempt = ReturnType<typeof newAttempt>;
export type Connection = ReturnType<typeof connect>;

let nth = 0;

/** A client of its own at the provider, and a connection to it over the real way out. */
export function connect(
  { issuer, registerClient }: Pick<Upstream, 'issuer' | 'registerClient'>,
  {
    settings = {},
    metadata = {},
    clock = systemClock,
    watch,
  }: {
    readonly settings?: Partial<OidcUpstream>;
    readonly metadata?: Partial<ClientMetadata>;
    readonly clock?: Clock;
    /** Sees every call on its way out. */
    readonly watch?: (url: string, init: OutboundFetch) => void;
  } = {},
) {
  const { clientId, clientSecret } = registerClient({
    client_id: `curfew-${(nth += 1)}`,
    redirect_uris: [REDIRECT_URI],
    // Nobody listens there; but only whoever can be told is given a `sid`.
    backchannel_logout_uri: 'http://127.0.0.1:1/backchannel-logout',
    ...metadata,
  });
  // Its own time is long, so that what runs out is the connection's.
  const outbound = createOutbound({ allow: ['127.0.0.1'], timeoutSeconds: 60 });
  const upstream: OidcUpstream = {
    id: 'acme',
    issuer,
    clientId,
    clientSecret,
    redirectUri: REDIRECT_URI,
    scopes: ['openid', 'profile', 'email', 'groups'],
    ...settings,
  };
  const provider = createOidcUpstream({
    upstream,
    fetch: (url, init = {}) => {
      watch?.(String(url), init);
      return outbound.fetch(url, init);
    },
    clock,
  });

  return {
    provider,
    upstream,
    clientId,
    clientSecret,
    close: outbound.close,
    /** The whole way: sent away, signed in there, back again. Every step may be bent. */
    async signIn(
      person: UpstreamPerson,
      {
        forced = false,
        browser = person.browser(),
        send = (url) => url,
        bring = (url) => url,
        remember = (attempt) => attempt,
        now = () => clock.now(),
      }: {
        readonly forced?: boolean;
        readonly browser?: Browser;
        readonly send?: (url: URL) => URL;
        readonly bring?: (callback: URL) => URL;
        readonly remember?: (attempt: Attempt) => Attempt;
        readonly now?: () => Date;
      } = {},
    ) {
      const attempt = newAttempt(clock, forced);
      const started = await provider.start({ attempt });
      if ('refused' in started) return started;
      const callbackUrl = bring(await person.follow(send(started.url), browser));
      return provider.finish({ callbackUrl, attempt: remember(attempt), now: now() });
    },
  };
}

export function newAttempt(clock: Clock = systemClock, forced = false) {
  const random = (): string => randomBytes(32).toString('base64url');
  return { state: random(), nonce: random(), pkceVerifier: random(), requestedAt: clock.now(), forced };
}

export type MovableClock = Clock & {
  advance(seconds: number): void;
};

/**
 * A clock that runs as the system's does, or stands still, and can be moved ahead. Its timers run out when it is moved, and
 * only then.
 */
export function movableClock({ still = false } = {}): MovableClock {
  let ahead = 0;
  const timers = new Set<{ readonly at: number; run(): void }>();
  const started = systemClock.now();
  const now = (): Date => new Date((still ? started : systemClock.now()).getTime() + ahead);
  return {
    ...systemClock,
    now,
    setTimer(milliseconds, run) {
      const timer = { at: now().getTime() + milliseconds, run };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(seconds) {
      ahead += seconds * 1000;
      for (const timer of timers) {
        if (timer.at <= now().getTime() && timers.delete(timer)) timer.run();
      }
    },
  };
}

/** Lets the time run out that a provider is given, once it has been asked for something that it never answers. */
export async function outwait(
  { requests }: Pick<Upstream, 'requests'>,
  clock: MovableClock,
  { path, ask }: { readonly path: string; readonly ask: () => Promise<unknown> },
): Promise<unknown> {
  const asked = (): number => requests.filter((one) => one === path).length;
  const before = asked();
  const answer = ask();
  await expect.poll(asked, { timeout: 30_000 }).toBe(before + 1);
  clock.advance(5);
  return answer;
}

/** The same URL with parameters set, or taken away by `undefined`. */
export function withParameters(url: URL, parameters: Readonly<Record<string, string | undefined>>): URL {
  const bent = new URL(url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) bent.searchParams.delete(name);
    else bent.searchParams.set(name, value);
  }
  return bent;
}
