/**
 * People by the thousand, as they lie in a store: written as rows in bulk, and sealed under the real keyring, so that the
 * house reads each of them like one that was made through its pages. It makes no credential that anybody holds.
 */
import { accountSeal } from '../../src/accounts/accounts.ts';
import type { Core } from '../../src/compose.ts';
import type { RowOf } from '../../src/store/transfer.ts';

export type Population = {
  readonly accounts: number;
  /** Ids of the Clients that they are signed in at: each account at `devices` different ones, all of them alike often. */
  readonly clients: readonly string[];
  readonly devices: number;
  /** Everybody's. */
  readonly passwordHash: string;
  readonly at: Date;
  /** What is different about this one. */
  readonly unlike?: (nth: number) => { readonly password?: false; readonly email?: false; readonly disabled?: true };
  /** Told now and then how many there are. */
  readonly seen?: (accounts: number) => void;
};

const AT_ONCE = 2000;

/** In the order of the ids, so that an index grows at its end. */
export const accountIdOf = (nth: number): string => `person-${String(nth).padStart(12, '0')}`;
export const usernameOf = (nth: number): string => `crew.${nth}`;
export const emailOf = (nth: number): string => `crew.${nth}@example.test`;

export async function populate(
  { store, keyring, accounts: { identifierIndex }, devices: device }: Core,
  { accounts, clients, devices, passwordHash, at, unlike = () => ({}), seen = () => undefined }: Population,
): Promise<void> {
  const traits = {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    address: '192.0.2.7',
  };
  const accountOf = (nth: number): RowOf['accounts'] => {
    const [id, username] = [accountIdOf(nth), usernameOf(nth)];
    const { password, email, disabled } = unlike(nth);
    const address = email === false ? '' : emailOf(nth);
    return {
      id,
      status: disabled === true ? 'disabled' : 'active',
      admin: false,
      sealedUsername: keyring.seal(...accountSeal('username', id), username),
      sealedEmail: keyring.seal(...accountSeal('email', id), address),
      passwordHash: password === false ? null : passwordHash,
      passwordChangedAt: password === false ? null : at,
      passwordResetRequiredAt: null,
      emailVerifiedAt: email === false ? null : at,
      locale: nth % 2 === 0 ? 'de' : 'en',
      lastSignedInAt: at,
      createdAt: at,
      username: identifierIndex(username),
      email: email === false ? null : identifierIndex(address),
      identities: [],
      credentials: [],
    };
  };
  const sessionOf = (nth: number, which: number): RowOf['clientSessions'] => {
    const accountId = accountIdOf(nth);
    const id = `grant-${String(nth).padStart(12, '0')}-${which}`;
    const clientId = clients[(nth + which * Math.max(1, Math.floor(clients.length / devices))) % clients.length] ?? '';
    return {
      id,
      accountId,
      clientId,
      connectionId: null,
      sessionUid: `session-${nth}-${which}`,
      kind: 'browser',
      persistent: true,
      sid: `sid-${nth}-${which}`,
      sealedDevice: device.seal(id, traits),
      stamps: { everyone: 0, [`account:${accountId}`]: 0, [`client:${clientId}`]: 0, [`grant:${id}`]: 0 },
      firstUsedAt: at,
      lastUsedAt: at,
      selfContainedUntil: null,
      endedAt: null,
      endedBy: null,
    };
  };
  for (let from = 0; from < accounts; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, accounts - from) }, (_, nth) => from + nth);
    // Of one commit, where commits are shared.
    await Promise.all([
      store.transfer.write('accounts', some.map(accountOf)),
      store.transfer.write(
        'clientSessions',
        some.flatMap((nth) => Array.from({ length: devices }, (_, which) => sessionOf(nth, which))),
      ),
    ]);
    seen(from + some.length);
  }
}
