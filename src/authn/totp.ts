/**
 * Codes of an authenticator app (RFC 6238).
 *
 * Purpose: set one up, and check what somebody typed. Invariant: a code lets somebody in once. Its time step must be later
 * than the last one that was used, and that is decided by compare-and-set, so that of fifty who send the same code at once one
 * wins (GHSA-jm35-h8q2-73mp). A secret is kept only once a code of it was shown; until then it travels sealed with its
 * owner's page, and opens for nobody else (CVE-2026-105209). It refuses to count guesses: that is the throttle's.
 */
import { generateSecret, generateURI, verifySync } from 'otplib';

import { addSeconds, type Clock } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { randomId } from '../platform/random.ts';
import type { CredentialRepository } from '../store/credentials.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';
import { createCredentials } from './credentials.ts';

/** `lastStep`: the time step of the last code that was used (RFC 6238 §5.2). */
type Content = { readonly secret: string; readonly lastStep: number };

export type TotpEnrolment = {
  /** In base32, for typing. */
  readonly secret: string;
  /** For the camera: `otpauth://…`. */
  readonly uri: string;
  /** What comes back with the first code; opens for this account alone, for ten minutes. */
  readonly enrolment: string;
};

export type Totp = {
  begin(person: { readonly accountId: string; readonly username: string }): TotpEnrolment;
  /** The same enrolment once more: after a wrong code, its owner's app holds the secret already. Null when it is not theirs, or too old. */
  resume(person: { readonly accountId: string; readonly username: string }, enrolment: string): TotpEnrolment | null;
  /** Keeps the secret, in place of a former one, if the code is one of it. */
  confirm(proof: {
    readonly accountId: string;
    readonly enrolment: string;
    readonly code: string;
    readonly standing: Stamps;
  }): Promise<'confirmed' | 'wrong-code' | 'expired'>;
  /** When it was set up and last used; null when there is none. */
  of(accountId: string): Promise<{ readonly createdAt: Date; readonly lastUsedAt: Date | null } | null>;
  /** Uses a code up. */
  use(accountId: string, code: string): Promise<boolean>;
  remove(accountId: string): Promise<boolean>;
};

const STEP_SECONDS = 30;
const ENROLMENT_SECONDS = 600;
const CODE = /^\d{6}$/;

/** As people type it: with a space in the middle. */
export const looksLikeTotp = (typed: string): boolean => CODE.test(plain(typed));
const plain = (typed: string): string => typed.replaceAll(/[\s-]/g, '');

export function createTotp({
  store,
  revocations,
  keyring,
  clock,
  issuer,
}: {
  readonly store: CredentialRepository;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly issuer: string;
}): Totp {
  const kept = createCredentials<Content>({ kind: 'totp', store, revocations, keyring });
  const context = (accountId: string) => ({ collection: 'enrolments', field: 'totp', id: accountId });
  const label = new URL(issuer).hostname;

  const enrolmentOf = (
    { accountId, username }: { readonly accountId: string; readonly username: string },
    secret: string,
    until: Date,
  ): TotpEnrolment => ({
    secret,
    uri: generateURI({ issuer: label, label: username, secret }),
    enrolment: keyring.seal('enrolment', context(accountId), JSON.stringify({ secret, until })),
  });
  const open = (accountId: string, enrolment: string): { secret: string; until: Date } | null => {
    try {
      const { secret, until } = JSON.parse(keyring.unseal('enrolment', context(accountId), enrolment)) as {
        secret: string;
        until: string;
      };
      return new Date(until) > clock.now() ? { secret, until: new Date(until) } : null;
    } catch (fault) {
      if (fault instanceof SealBroken) return null;
      throw fault;
    }
  };
  /** The time step that a code is of; null when it is of none, or of one no later than `after`. */
  const stepOf = (secret: string, code: string, after: number): number | null => {
    const token = plain(code);
    if (!CODE.test(token)) return null;
    const result = verifySync({
      strategy: 'totp',
      secret,
      token,
      epoch: Math.floor(clock.now().getTime() / 1000),
      period: STEP_SECONDS,
      epochTolerance: STEP_SECONDS,
    });
    if (!result.valid || !('timeStep' in result)) return null;
    return result.timeStep > after ? result.timeStep : null;
  };

  return {
    begin: (person) => enrolmentOf(person, generateSecret(), addSeconds(clock.now(), ENROLMENT_SECONDS)),
    resume(person, enrolment) {
      const opened = open(person.accountId, enrolment);
      return opened === null ? null : enrolmentOf(person, opened.secret, opened.until);
    },
    async confirm({ accountId, enrolment, code, standing }) {
      const opened = open(accountId, enrolment);
      if (opened === null) return 'expired';
      const lastStep = stepOf(opened.secret, code, 0);
      if (lastStep === null) return 'wrong-code';
      const content = { secret: opened.secret, lastStep };
      const credential = { id: randomId(), accountId, createdAt: clock.now(), content };
      const added = await kept.add(credential, { most: 1, standing });
      return added === 'added' ? 'confirmed' : 'expired';
    },
    async of(accountId) {
      const [present] = await kept.of(accountId);
      return present === undefined ? null : { createdAt: present.createdAt, lastUsedAt: present.lastUsedAt };
    },
    async use(accountId, code) {
      const [present] = await kept.of(accountId);
      if (present === undefined) return false;
      const step = stepOf(present.content.secret, code, present.content.lastStep);
      // Whoever loses the compare-and-set sent a code that another one has just used.
      return step !== null && kept.change(present, { ...present.content, lastStep: step }, clock.now());
    },
    async remove(accountId) {
      const [present] = await kept.of(accountId);
      return present !== undefined && kept.remove({ accountId, id: present.id });
    },
  };
}
