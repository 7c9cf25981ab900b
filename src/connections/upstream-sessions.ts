/**
 * Sessions at providers: whose they are here, and which have ended.
 *
 * Invariant: once a provider has said that one of its sessions is over, nobody is signed in by it again, whatever was on
 * its way then. What a provider calls its session is known here by a digest alone.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { ArtifactRepository } from '../store/port.ts';
import type { UpstreamOf } from './vouched.ts';

export type UpstreamSessions = {
  /** Remembers whose it is, for as long as a Session here may live. */
  note(upstreamSession: string, accountId: string): Promise<void>;
  accountOf(upstreamSession: string): Promise<string | null>;
  end(upstreamSession: string): Promise<void>;
  hasEnded(upstreamSession: string): Promise<boolean>;
  /** Keeps what signing out of the provider will need, when the Session that knew it is ending. Resolves to a bearer value. */
  keepForSignOut(upstream: UpstreamOf): Promise<string>;
  findForSignOut(bearer: string): Promise<UpstreamOf | null>;
};

const LONGEST_SESSION_SECONDS = 31 * 86_400;
/** As long as somebody may look at the page that offers it. */
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
  const keyOf = (model: string, upstreamSession: string): Buffer =>
    hash('sha256', `${model}:${upstreamSession}`, 'buffer');
  const context = (key: Uint8Array) => ({
    collection: 'artifacts',
    field: 'UpstreamSession',
    id: Buffer.from(key).toString('base64url'),
  });
  const expiresAt = (): Date => addSeconds(clock.now(), LONGEST_SESSION_SECONDS);
  return {
    async note(upstreamSession, accountId) {
      const key = keyOf('UpstreamSession', upstreamSession);
      const payload = keyring.seal('federation', context(key), JSON.stringify({ accountId }));
      await artifacts.save({ model: 'UpstreamSession', key, payload, stamps: {}, expiresAt: expiresAt() });
    },
    async accountOf(upstreamSession) {
      const found = await artifacts.find(keyOf('UpstreamSession', upstreamSession), clock.now());
      if (found === null) return null;
      const { accountId } = JSON.parse(keyring.unseal('federation', context(found.key), found.payload)) as {
        accountId: string;
      };
      return accountId;
    },
    async end(upstreamSession) {
      const key = keyOf('EndedUpstreamSession', upstreamSession);
      await artifacts.save({
        model: 'EndedUpstreamSession',
        key,
        payload: '{}',
        stamps: {},
        expiresAt: expiresAt(),
      });
    },
    async keepForSignOut(upstream) {
      const bearer = randomSecret();
      const key = keyOf('UpstreamSignOut', bearer);
      const payload = keyring.seal('federation', context(key), JSON.stringify(upstream));
      const until = addSeconds(clock.now(), SIGN_OUT_OFFER_SECONDS);
      await artifacts.save({ model: 'UpstreamSignOut', key, payload, stamps: {}, expiresAt: until });
      return bearer;
    },
    async findForSignOut(bearer) {
      const found = await artifacts.find(keyOf('UpstreamSignOut', bearer), clock.now());
      if (found === null) return null;
      return JSON.parse(keyring.unseal('federation', context(found.key), found.payload)) as UpstreamOf;
    },
    hasEnded: async (upstreamSession) =>
      (await artifacts.find(keyOf('EndedUpstreamSession', upstreamSession), clock.now())) !== null,
  };
}
