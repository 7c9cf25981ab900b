/** Everything that proves who somebody is besides a password, put together: what compose builds and pages are handed. */
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Store } from '../store/port.ts';
import { createMailedLinks } from './mailed-links.ts';
import { createPasskeys } from './passkeys.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createSecondFactors } from './second-factors.ts';
import type { Throttle } from './throttle.ts';
import { createTotp } from './totp.ts';
import { createTrustedBrowsers } from './trusted-browsers.ts';

export function createMoreProofs({
  store: { accounts, artifacts, revocations },
  keyring,
  clock,
  throttle,
  issuer,
}: {
  readonly store: Pick<Store, 'accounts' | 'artifacts' | 'revocations'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly throttle: Throttle;
  readonly issuer: string;
}) {
  const totp = createTotp({ store: accounts, revocations, keyring, clock, issuer });
  const recoveryCodes = createRecoveryCodes({ store: accounts, revocations, keyring, clock });
  const passkeys = createPasskeys({ store: accounts, artifacts, revocations, keyring, clock, issuer });
  return {
    totp,
    recoveryCodes,
    passkeys,
    factors: createSecondFactors({ store: accounts, totp, recoveryCodes, passkeys, throttle }),
    trustedBrowsers: createTrustedBrowsers({ store: accounts, revocations, keyring, clock }),
    links: createMailedLinks({ artifacts, revocations, keyring, clock }),
  };
}
