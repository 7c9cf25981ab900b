/**
 * Challenges for passkeys: drawn without writing anything down, so that every sign-in page may carry one, and spent once.
 *
 * Invariant: a challenge is good for five minutes, for the act and account it was drawn for, and for one answer. What is kept
 * of it is a digest, and only once it was answered.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { randomBytes } from '../platform/random.ts';
import type { ArtifactRepository } from '../store/port.ts';

type Use = 'add' | 'use';

const CHALLENGE_SECONDS = 300;

export function createPasskeyChallenges({
  artifacts,
  keyring,
  clock,
}: {
  readonly artifacts: Pick<ArtifactRepository, 'insert'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
}) {
  const context = (use: Use, accountId: string | null) => ({
    collection: 'challenges',
    field: use,
    id: accountId ?? '',
  });
  return {
    /** `value` is what the authenticator signs; `challenge` is how its page carries it. */
    draw(use: Use, accountId: string | null) {
      const value = randomBytes(32);
      const content = {
        value: Buffer.from(value).toString('base64url'),
        until: addSeconds(clock.now(), CHALLENGE_SECONDS),
      };
      return { value, challenge: keyring.seal('challenge', context(use, accountId), JSON.stringify(content)) };
    },
    /** What must have been signed, in base64url; null when this is no challenge of ours for this, or too old. */
    open(use: Use, accountId: string | null, challenge: string): string | null {
      try {
        const opened = JSON.parse(keyring.unseal('challenge', context(use, accountId), challenge)) as {
          value: string;
          until: string;
        };
        return new Date(opened.until) > clock.now() ? opened.value : null;
      } catch (fault) {
        if (fault instanceof SealBroken) return null;
        throw fault;
      }
    },
    /** True for one caller. */
    spend(challenge: string): Promise<boolean> {
      const key = hash('sha256', `PasskeyChallenge:${challenge}`, 'buffer');
      const expiresAt = addSeconds(clock.now(), 2 * CHALLENGE_SECONDS);
      return artifacts.insert({ model: 'PasskeyChallenge', key, payload: '{}', stamps: {}, expiresAt }, clock.now());
    },
  };
}
