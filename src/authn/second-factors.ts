/**
 * The second factor of a sign-in: which ones an account has, and whether what was brought is one.
 *
 * Invariant: every wrong code counts against the account, through whichever page and half-finished sign-in it came
 * (CVE-2025-64102); a right one is used up before it is believed. It refuses to know what the first factor was, and what a
 * sign-in is for.
 */
import type { CredentialRepository } from '../store/credentials.ts';
import type { Passkeys } from './passkeys.ts';
import { looksLikeRecoveryCode, type RecoveryCodes } from './recovery-codes.ts';
import type { Guessed, Locked, Throttle, Throttled } from './throttle.ts';
import { looksLikeTotp, type Totp } from './totp.ts';

/** Authentication methods (RFC 8176 §2). */
export type SecondFactorUsed = {
  readonly method: 'otp' | 'recovery-code' | 'passkey';
  readonly amr: readonly string[];
};

export type SecondFactorRefusal = { readonly refused: 'wrong-code' } | Throttled | Locked;

/** What an account can prove itself with, besides what it signs in with. */
export type HeldFactors = { readonly totp: boolean; readonly passkeys: boolean; readonly recoveryCodes: boolean };

export type SecondFactors = {
  held(accountId: string): Promise<HeldFactors>;
  /** A code of the app, or one from paper. */
  useCode(typed: {
    readonly accountId: string;
    readonly code: string;
    readonly address: string | undefined;
    /** The device, if this very factor, set up at this instant, was shown from it before: its guesses are its own. */
    readonly knownDevice: (since: Date) => string | undefined;
  }): Promise<SecondFactorUsed | SecondFactorRefusal>;
  usePasskey(answer: {
    readonly accountId: string;
    readonly challenge: string;
    readonly response: unknown;
    readonly address: string | undefined;
  }): Promise<SecondFactorUsed | SecondFactorRefusal>;
};

/** Whether there is anything that could be asked for. Recovery codes alone are for the day a factor is lost. */
export const hasSecondFactor = ({ totp, passkeys }: HeldFactors): boolean => totp || passkeys;

export function createSecondFactors({
  store,
  totp,
  recoveryCodes,
  passkeys,
  throttle,
}: {
  readonly store: Pick<CredentialRepository, 'credentialsOf'>;
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly passkeys: Passkeys;
  readonly throttle: Throttle;
}): SecondFactors {
  const used = { otp: ['otp'], 'recovery-code': ['otp'], passkey: ['pop'] } as const;

  return {
    async held(accountId) {
      // Asked at every sign-in: one read, and a second only for who has recovery codes.
      const kinds = new Set((await store.credentialsOf(accountId)).map(({ kind }) => kind));
      const codes = kinds.has('recovery-codes') ? await recoveryCodes.of(accountId) : null;
      return { totp: kinds.has('totp'), passkeys: kinds.has('passkey'), recoveryCodes: (codes?.left ?? 0) > 0 };
    },
    async useCode({ accountId, code, address, knownDevice }) {
      const overdrawn = await throttle.countAddress(address);
      if (overdrawn !== null) return overdrawn;
      const paper = looksLikeRecoveryCode(code);
      const since = paper
        ? ((await recoveryCodes.of(accountId))?.createdAt ?? null)
        : ((await totp.of(accountId))?.createdAt ?? null);
      const method = paper ? 'recovery-code' : 'otp';
      const guessed: Guessed = {
        authenticator: method,
        accountId,
        since,
        knownDevice: since === null ? undefined : knownDevice(since),
        pace: 'code',
      };
      return throttle.attempt<SecondFactorUsed | SecondFactorRefusal>(guessed, async () => {
        const right = paper
          ? await recoveryCodes.use(accountId, code)
          : looksLikeTotp(code) && (await totp.use(accountId, code));
        return right
          ? { verdict: 'right', answer: { method, amr: used[method] } }
          : { verdict: 'wrong', answer: { refused: 'wrong-code' } };
      });
    },
    async usePasskey({ address, ...answer }) {
      const overdrawn = await throttle.countAddress(address);
      if (overdrawn !== null) return overdrawn;
      // A signature cannot be guessed: there is nothing to count. The epochs were noted with the first factor.
      const verified = await passkeys.use({ ...answer, noteEpoch: async () => {} });
      return verified === null ? { refused: 'wrong-code' } : { method: 'passkey', amr: used.passkey };
    },
  };
}
