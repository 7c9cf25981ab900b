/**
 * The sealed part of an event: how it is sealed, and what is committed to.
 *
 * The commitment is SHA-256 of the whole plaintext, and the plaintext has a random salt in it: whoever has the plaintext can
 * show that it is the one that was written, and nobody can guess it from the commitment. Sealing it anew under another key, and
 * forgetting it, leave the commitment as it is.
 */
import { createHash } from 'node:crypto';

import type { Keyring, SealContext } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';

/** The purpose that an event's detail is sealed for. */
export const EVENT_PURPOSE = 'event';
export const eventContext = (id: string): SealContext => ({ collection: 'events', field: 'detail', id });

export const commitmentOf = (plaintext: string): string =>
  createHash('sha256').update(plaintext, 'utf8').digest('base64url');

export type SealedDetails = {
  /** Salts a detail (JSON of an object), seals it, and commits to it. */
  seal(id: string, detail: string): { readonly sealed: string; readonly commitment: string };
  /** The plaintext, salt included. */
  open(id: string, sealed: string): string;
};

export function sealedDetails(keyring: Pick<Keyring, 'seal' | 'unseal'>): SealedDetails {
  return {
    seal(id, detail) {
      const plaintext = JSON.stringify({ ...(JSON.parse(detail) as object), salt: randomSecret() });
      return { sealed: keyring.seal(EVENT_PURPOSE, eventContext(id), plaintext), commitment: commitmentOf(plaintext) };
    },
    open: (id, sealed) => keyring.unseal(EVENT_PURPOSE, eventContext(id), sealed),
  };
}
