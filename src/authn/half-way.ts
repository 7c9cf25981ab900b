/**
 * Somebody who has proven one factor and must bring another, or set one up.
 *
 * Invariant: what was proven is kept sealed under a value that this browser alone holds, stamped with every epoch the first
 * proof saw, so that a Sign-out ends it with everything else; it is good for ten minutes, for five wrong codes, and for one
 * sign-in. It refuses to know what the proof is: its caller gives it back to itself.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { AccountRepository, ArtifactRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';

export type HalfWay<Proof> = {
  readonly accountId: string;
  /** The page it belongs to: brought to another one, it is none. */
  readonly at: string;
  readonly proof: Proof;
};

export type HalfWaySignIns<Proof> = {
  /** Resolves to what the browser keeps until it comes back. */
  begin(halfWay: HalfWay<Proof>, stamps: Stamps): Promise<string>;
  /** Looks without using it up. `epochs`: what it stands on, as it stands now. */
  find(
    bearer: string | undefined,
    at: string,
  ): Promise<{ readonly halfWay: HalfWay<Proof>; readonly epochs: Stamps } | null>;
  /** Counts a wrong code; false when it was the last that this one is good for. */
  countWrong(bearer: string): Promise<boolean>;
  /** True for one caller, and for none once a Sign-out has ended it. */
  finish(bearer: string): Promise<boolean>;
};

export const HALF_WAY_SECONDS = 600;
const WRONG_CODES = 5;
export const HALF_WAY_MODEL = 'HalfWaySignIn';

/** How such an artifact is sealed. */
export function halfWaySeal(key: Uint8Array): SealBinding {
  return ['half-way', { collection: 'artifacts', field: HALF_WAY_MODEL, id: Buffer.from(key).toString('base64url') }];
}

export function createHalfWaySignIns<Proof>({
  artifacts,
  attempts,
  keyring,
  clock,
}: {
  readonly artifacts: Pick<ArtifactRepository, 'save' | 'find' | 'consume' | 'destroy'>;
  readonly attempts: Pick<AccountRepository, 'countAttempt'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
}): HalfWaySignIns<Proof> {
  const keyOf = (bearer: string): Buffer => hash('sha256', `${HALF_WAY_MODEL}:${bearer}`, 'buffer');

  return {
    async begin(halfWay, stamps) {
      const bearer = randomSecret();
      const key = keyOf(bearer);
      const payload = keyring.seal(...halfWaySeal(key), JSON.stringify(halfWay));
      const expiresAt = addSeconds(clock.now(), HALF_WAY_SECONDS);
      await artifacts.save({ model: HALF_WAY_MODEL, key, payload, stamps, expiresAt });
      return bearer;
    },
    async find(bearer, at) {
      if (bearer === undefined || !/^[\w-]{43}$/.test(bearer)) return null;
      const found = await artifacts.find(keyOf(bearer), clock.now());
      if (found === null || found.consumedAt !== null) return null;
      const halfWay = JSON.parse(keyring.unseal(...halfWaySeal(found.key), found.payload)) as HalfWay<Proof>;
      return halfWay.at === at ? { halfWay, epochs: found.epochs } : null;
    },
    async countWrong(bearer) {
      const key = keyOf(bearer);
      const wrong = await attempts.countAttempt({
        key: `half-way:${key.toString('base64url')}`,
        windowStart: new Date(0),
        expiresAt: addSeconds(clock.now(), 2 * HALF_WAY_SECONDS),
      });
      if (wrong < WRONG_CODES) return true;
      await artifacts.destroy(key);
      return false;
    },
    finish: (bearer) => artifacts.consume(keyOf(bearer), clock.now()),
  };
}
