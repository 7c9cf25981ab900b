/**
 * Passkeys (Web Authentication Level 3): as a second factor, and as the whole of a sign-in.
 *
 * Purpose: add one, and check what a browser brings back. Invariant: a challenge answers once, and only for the page, account
 * and act it was drawn for; a signature is believed only under a key that its account added; and one that was made without
 * asking for the person (no PIN, no finger: user verification) is a thing they have, never the whole of a sign-in. It refuses
 * to know Sessions and pages.
 */
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';

import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { CredentialRepository } from '../store/credentials.ts';
import type { ArtifactRepository, RevocationRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';
import { createCredentials, type Opened } from './credentials.ts';
import { createPasskeyChallenges } from './passkey-challenges.ts';

type Content = {
  /** As the browser names it, base64url. */
  readonly credentialId: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  /** What the authenticator counted so far; 0 where it does not count. */
  readonly signCount: number;
  readonly transports: readonly string[];
  /** Whether its provider copies it to other devices of the person. */
  readonly syncs: boolean;
  readonly backedUp: boolean;
  readonly name: string;
};

export type Passkey = {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly signCount: number;
  readonly syncs: boolean;
  readonly backedUp: boolean;
};

/** `options` go to the browser; `challenge` comes back with its answer, and opens for this account and act alone. */
export type PasskeyOffer<Options> = { readonly options: Options; readonly challenge: string };

export type Passkeys = {
  of(accountId: string): Promise<readonly Passkey[]>;
  offerToAdd(person: {
    readonly accountId: string;
    readonly username: string;
  }): Promise<PasskeyOffer<PublicKeyCredentialCreationOptionsJSON>>;
  add(answer: {
    readonly accountId: string;
    readonly challenge: string;
    readonly response: unknown;
    readonly name: string;
    readonly standing: Stamps;
  }): Promise<'added' | 'not-verified' | 'known' | 'too-many'>;
  /** For this account; for anybody, when it is null: then the passkey says who. `alone`: nothing else proves who it is. */
  offerToUse(use: {
    readonly accountId: string | null;
    readonly alone: boolean;
  }): Promise<PasskeyOffer<PublicKeyCredentialRequestOptionsJSON>>;
  /** Null when nothing may be concluded. `userVerified`: whether the device asked for the person, not just for a touch. */
  use(answer: {
    readonly accountId: string | null;
    readonly challenge: string;
    readonly response: unknown;
    /** Remembers the account's epoch as it stands when it is called: before anything is believed. */
    readonly noteEpoch: (accountId: string) => Promise<void>;
  }): Promise<{ readonly accountId: string; readonly userVerified: boolean; readonly signedInAt: Date } | null>;
  /** False when the account has none of this id. */
  rename(which: { readonly accountId: string; readonly id: string; readonly name: string }): Promise<boolean>;
  remove(which: { readonly accountId: string; readonly id: string }): Promise<boolean>;
};

const MOST_PASSKEYS = 20;
const LONGEST_NAME = 60;
// EdDSA, ES256, RS256 (RFC 9053): what authenticators have.
const ALGORITHMS = [-8, -7, -257];

export function createPasskeys({
  store,
  artifacts,
  revocations,
  keyring,
  clock,
  issuer,
}: {
  readonly store: CredentialRepository;
  readonly artifacts: Pick<ArtifactRepository, 'insert'>;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'mac' | 'blindIndex'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly issuer: string;
}): Passkeys {
  const kept = createCredentials<Content>({ kind: 'passkey', store, revocations, keyring });
  const challenges = createPasskeyChallenges({ artifacts, keyring, clock });
  const rpId = new URL(issuer).hostname;
  const idOf = (credentialId: string): string => keyring.blindIndex('passkey', credentialId);
  /** What a passkey calls its person: the same for every passkey of an account, and no help to whoever reads it. */
  const handleOf = (accountId: string) => new Uint8Array(keyring.mac('passkey-user', accountId));
  const named = (name: string): string => name.trim().slice(0, LONGEST_NAME) || 'Passkey';
  const listed = ({ content }: Opened<Content>) => ({
    id: content.credentialId,
    transports: [...content.transports],
  });

  return {
    of: async (accountId) => (await kept.of(accountId)).map(shown),
    async offerToAdd({ accountId, username }) {
      const { challenge, value } = challenges.draw('add', accountId);
      const options = await generateRegistrationOptions({
        rpName: rpId,
        rpID: rpId,
        userName: username,
        userDisplayName: username,
        userID: handleOf(accountId),
        challenge: value,
        attestationType: 'none',
        supportedAlgorithmIDs: ALGORITHMS,
        excludeCredentials: (await kept.of(accountId)).map(listed),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
      });
      return { options, challenge };
    },
    async add({ accountId, challenge, response, name, standing }) {
      const expectedChallenge = challenges.open('add', accountId, challenge);
      if (expectedChallenge === null) return 'not-verified';
      const verified = await believed(() =>
        verifyRegistrationResponse({
          response: response as RegistrationResponseJSON,
          expectedChallenge,
          expectedOrigin: issuer,
          expectedRPID: rpId,
          requireUserVerification: false,
          supportedAlgorithmIDs: ALGORITHMS,
        }),
      );
      if (verified?.verified !== true) return 'not-verified';
      if (!(await challenges.spend(challenge))) return 'not-verified';
      if ((await kept.of(accountId)).length >= MOST_PASSKEYS) return 'too-many';
      const { credential, credentialDeviceType, credentialBackedUp } = verified.registrationInfo;
      const added = await kept.add(
        {
          id: idOf(credential.id),
          accountId,
          createdAt: clock.now(),
          content: {
            credentialId: credential.id,
            publicKey: Buffer.from(credential.publicKey).toString('base64url'),
            signCount: credential.counter,
            transports: credential.transports ?? [],
            syncs: credentialDeviceType === 'multiDevice',
            backedUp: credentialBackedUp,
            name: named(name),
          },
        },
        { most: MOST_PASSKEYS, standing },
      );
      if (added === 'taken') return 'known';
      return added === 'added' ? 'added' : 'not-verified';
    },
    async offerToUse({ accountId, alone }) {
      const { challenge, value } = challenges.draw('use', accountId);
      const options = await generateAuthenticationOptions({
        rpID: rpId,
        challenge: value,
        userVerification: alone ? 'required' : 'preferred',
        ...(accountId !== null && { allowCredentials: (await kept.of(accountId)).map(listed) }),
      });
      return { options, challenge };
    },
    async use({ accountId, challenge, response, noteEpoch }) {
      const expectedChallenge = challenges.open('use', accountId, challenge);
      const credentialId = credentialIdOf(response);
      if (expectedChallenge === null || credentialId === null) return null;
      const signedInAt = clock.now();
      const owner = (await kept.find(idOf(credentialId)))?.accountId;
      if (owner === undefined || (accountId !== null && owner !== accountId)) return null;
      await noteEpoch(owner);
      // Read again, now that the epoch is noted: it may have been removed, or its account disabled.
      const present = await kept.find(idOf(credentialId));
      if (present?.active !== true || present.accountId !== owner) return null;
      // A discoverable passkey says whose it is; it must agree with us (Web Authentication §7.2, step 6).
      const handle = userHandleOf(response);
      const expectedHandle = Buffer.from(handleOf(present.accountId)).toString('base64url');
      if (handle === null ? accountId === null : handle !== expectedHandle) return null;
      const { content } = present;
      const verified = await believed(() =>
        verifyAuthenticationResponse({
          response: response as AuthenticationResponseJSON,
          expectedChallenge,
          expectedOrigin: issuer,
          expectedRPID: rpId,
          requireUserVerification: false,
          credential: {
            id: content.credentialId,
            publicKey: new Uint8Array(Buffer.from(content.publicKey, 'base64url')),
            counter: content.signCount,
            transports: [...content.transports],
          },
        }),
      );
      if (verified?.verified !== true) return null;
      const { userVerified, newCounter, credentialBackedUp } = verified.authenticationInfo;
      if (accountId === null && !userVerified) return null;
      // Spent last: a stranger who posts rubbish uses up nobody's challenge.
      if (!(await challenges.spend(challenge))) return null;
      const used = { ...content, signCount: newCounter, backedUp: credentialBackedUp };
      // Lost only to another use of the same passkey, or to its removal: then it must not let anybody in any more.
      if (!(await kept.change(present, used, clock.now()))) return null;
      return { accountId: owner, userVerified, signedInAt };
    },
    async rename({ accountId, id, name }) {
      const present = (await kept.of(accountId)).find((passkey) => passkey.id === id);
      return present !== undefined && kept.change(present, { ...present.content, name: named(name) }, null);
    },
    remove: (which) => kept.remove(which),
  };
}

const shown = ({ id, createdAt, lastUsedAt, content }: Opened<Content>): Passkey => ({
  id,
  createdAt,
  lastUsedAt,
  name: content.name,
  signCount: content.signCount,
  syncs: content.syncs,
  backedUp: content.backedUp,
});

/** The library throws at whatever it does not believe, and at whatever it cannot read. */
async function believed<T>(verify: () => Promise<T>): Promise<T | null> {
  try {
    return await verify();
  } catch {
    return null;
  }
}

/** `id` and `rawId` name the same credential, or the answer names none (CVE-2026-126952). */
function credentialIdOf(response: unknown): string | null {
  if (typeof response !== 'object' || response === null) return null;
  const { id, rawId } = response as { id?: unknown; rawId?: unknown };
  return typeof id === 'string' && id !== '' && id.length <= 1400 && id === rawId ? id : null;
}

function userHandleOf(response: unknown): string | null {
  const { response: inner } = response as { response?: { userHandle?: unknown } };
  const handle = inner?.userHandle;
  return typeof handle === 'string' && handle !== '' ? handle : null;
}
