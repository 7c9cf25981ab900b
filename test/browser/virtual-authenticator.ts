/**
 * A passkey as Chromium itself makes and uses it: an authenticator that the browser believes to be there (Web Authentication
 * Level 3 §11), driven from outside as a person drives theirs. It does nothing until somebody is there to touch it.
 */
import type { CDPSession, Page } from 'playwright-core';

export type AuthenticatorTraits = {
  /** Built into the device, or a key that is plugged in. */
  readonly transport?: 'internal' | 'usb';
  /** Whether it can ask for its person: a finger, a PIN. */
  readonly userVerification?: boolean;
};

export type VirtualAuthenticator = {
  /** From now on somebody touches it whenever it asks. */
  touched(): Promise<void>;
  untouched(): Promise<void>;
  /** Whether the finger is the right one. */
  recognises(person: boolean): Promise<void>;
  /** How many passkeys are on it. */
  count(): Promise<number>;
  /** Puts what is on this one on another: how a provider of passkeys takes them to another device. */
  copyTo(other: VirtualAuthenticator): Promise<void>;
  readonly own: { readonly cdp: CDPSession; readonly authenticatorId: string };
};

/** Plugs one in, for this page and whatever it goes on to. */
export async function authenticatorAt(
  page: Page,
  { transport = 'internal', userVerification = true }: AuthenticatorTraits = {},
): Promise<VirtualAuthenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport,
      hasResidentKey: true,
      hasUserVerification: userVerification,
      isUserVerified: userVerification,
      automaticPresenceSimulation: false,
    },
  });
  const present = (enabled: boolean) =>
    cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  const credentials = async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  return {
    touched: async () => void (await present(true)),
    untouched: async () => void (await present(false)),
    recognises: async (isUserVerified) =>
      void (await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })),
    count: async () => (await credentials()).length,
    async copyTo({ own }) {
      for (const credential of await credentials()) {
        await own.cdp.send('WebAuthn.addCredential', { authenticatorId: own.authenticatorId, credential });
      }
    },
    own: { cdp, authenticatorId },
  };
}
