/**
 * Sessions at providers, and what their logout calls people: whose they are here, and which have ended.
 *
 * Invariant: once a provider has said that one of its sessions is over, nobody is signed in by it again, whatever was on
 * its way then. A name is heard again after that, with the person's next session; so of a name it is known when it ended.
 * What a provider calls either is known here by a digest alone.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { ArtifactRepository } from '../store/port.ts';
import type { UpstreamOf } from './vouched.ts';

export type UpstreamSessions = {
  /**
   * Remembers whose it is, for as long as a Session here may live. It can be several accounts', as when a name was given to
   * somebody new; past eight the others are not told of its end, though their access ends as well.
   */
  note(upstream: string, accountId: string): Promise<void>;
  accountsOf(upstream: string): Promise<readonly string[]>;
  end(upstream: string): Promise<void>;
  /** Null where it has not. */
  endedAt(upstream: string): Promise<Date | null>;
  /** Keeps what signing out of the provider will need, when the Session that knew it is ending. Resolves to a bearer value. */
  keepForSignOut(upstream: UpstreamOf): Promise<string>;
  findForSignOut(bearer: string): Promise<UpstreamOf | null>;
  /** Keeps where a browser goes on to once the provider has signed it out and sent it back. Resolves to a bearer value. */
  keepReturn(location: string): Promise<string>;
  /** Once, and then nobody is led there any more. */
  takeReturn(bearer: string): Promise<string | null>;
};

/** Those of them that hold something sealed. */
export const UPSTREAM_SESSION_MODELS = ['UpstreamSession', 'UpstreamSignOut', 'UpstreamSignOutReturn'] as const;

/** How such an artifact is sealed: their keys tell them apart. */
export function upstreamSessionSeal(key: Uint8Array): SealBinding {
  return [
    'federation',
    { collection: 'artifacts', field: 'UpstreamSession', id: Buffer.from(key).toString('base64url') },
  ];
}

const LONGEST_SESSION_SECONDS = 31 * 86_400;
const MOST_ACCOUNTS = 8;
/** As long as somebody may look at the page that offers it, or at the provider's own. */
export const SIGN_OUT_OFFER_SECONDS = 600;

export function createUpstreamSessions({
  artifacts,
  keyring,
  clock,
}: {
  readonly artifacts: ArtifactRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
}): UpstreamSessions {
  const keyOf = (model: string, name: string): Buffer => hash('sha256', `${model}:${name}`, 'buffer');
  const expiresAt = (): Date => addSeconds(clock.now(), LONGEST_SESSION_SECONDS);
  const placesOf = (upstream: string): Buffer[] =>
    Array.from({ length: MOST_ACCOUNTS }, (_, nth) => keyOf('UpstreamSession', `${upstream}:${nth}`));
  const accountAt = async (key: Uint8Array): Promise<string | null> => {
    const found = await artifacts.find(key, clock.now());
    if (found === null) return null;
    const opened = keyring.unseal(...upstreamSessionSeal(key), found.payload);
    return (JSON.parse(opened) as { accountId: string }).accountId;
  };
  return {
    async note(upstream, accountId) {
      for (const key of placesOf(upstream)) {
        const payload = keyring.seal(...upstreamSessionSeal(key), JSON.stringify({ accountId }));
        const noted = { model: 'UpstreamSession', key, payload, stamps: {}, expiresAt: expiresAt() };
        if (await artifacts.insert(noted, clock.now())) return;
        if ((await accountAt(key)) === accountId) return artifacts.save(noted);
      }
    },
    async accountsOf(upstream) {
      const noted = await Promise.all(placesOf(upstream).map(accountAt));
      return [...new Set(noted.filter((accountId) => accountId !== null))];
    },
    async end(upstream) {
      const key = keyOf('EndedUpstreamSession', upstream);
      const payload = JSON.stringify({ endedAt: clock.now().toISOString() });
      await artifacts.save({ model: 'EndedUpstreamSession', key, payload, stamps: {}, expiresAt: expiresAt() });
    },
    async endedAt(upstream) {
      const found = await artifacts.find(keyOf('EndedUpstreamSession', upstream), clock.now());
      return found === null ? null : new Date((JSON.parse(found.payload) as { endedAt: string }).endedAt);
    },
    async keepForSignOut(upstream) {
      const bearer = randomSecret();
      const key = keyOf('UpstreamSignOut', bearer);
      const payload = keyring.seal(...upstreamSessionSeal(key), JSON.stringify(upstream));
      const until = addSeconds(clock.now(), SIGN_OUT_OFFER_SECONDS);
      await artifacts.save({ model: 'UpstreamSignOut', key, payload, stamps: {}, expiresAt: until });
      return bearer;
    },
    async findForSignOut(bearer) {
      const found = await artifacts.find(keyOf('UpstreamSignOut', bearer), clock.now());
      if (found === null) return null;
      return JSON.parse(keyring.unseal(...upstreamSessionSeal(found.key), found.payload)) as UpstreamOf;
    },
    async keepReturn(location) {
      const bearer = randomSecret();
      const key = keyOf('UpstreamSignOutReturn', bearer);
      const payload = keyring.seal(...upstreamSessionSeal(key), JSON.stringify({ location }));
      const until = addSeconds(clock.now(), SIGN_OUT_OFFER_SECONDS);
      await artifacts.save({ model: 'UpstreamSignOutReturn', key, payload, stamps: {}, expiresAt: until });
      return bearer;
    },
    async takeReturn(bearer) {
      const found = await artifacts.find(keyOf('UpstreamSignOutReturn', bearer), clock.now());
      if (found === null || !(await artifacts.consume(found.key, clock.now()))) return null;
      const { location } = JSON.parse(keyring.unseal(...upstreamSessionSeal(found.key), found.payload)) as {
        location: string;
      };
      return location;
    },
  };
}
