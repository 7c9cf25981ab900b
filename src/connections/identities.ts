/**
 * Who a provider's people are here: the Identities linked to an Account, and linking and unlinking them.
 *
 * Invariant: an Identity signs in to one Account at most, an Account never loses its last way in, and what a provider calls a
 * person is kept sealed, found by a blind index alone. Unlinking ends whatever came through the Identity.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { SignOuts } from '../revocation/sign-out.ts';
import type { AccountRepository, RevocationRepository } from '../store/port.ts';
import type { AccountRecord, IdentityRecord, ScopeKey, SignOutRecord, Stamps } from '../store/records.ts';
import type { Vouched } from './vouched.ts';

/** An Identity, readable. `name` is how its provider names the person to people. */
export type IdentityView = {
  readonly subject: string;
  readonly connectionId: string;
  readonly name: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date;
};

export type Identities = {
  /** The blind index under which a provider's person is known. */
  indexOf(connectionId: string, subject: string): string;
  /** A digest of one of the provider's own sessions; null when it gave it no name. */
  upstreamSessionOf(connectionId: string, upstreamSession: string | null): string | null;
  /** A digest of what the provider's logout calls somebody whom it otherwise calls something else. */
  logoutNameOf(connectionId: string, logoutName: string | null): string | null;
  /** Every scope, besides the Account's, that whatever comes of this sign-in stands on. */
  scopesOf(vouched: Vouched): ScopeKey[];
  find(vouched: Vouched): Promise<AccountRecord | null>;
  /** The record as it is kept. */
  recordOf(vouched: Vouched): Omit<IdentityRecord, 'accountId'>;
  list(accountId: string): Promise<readonly IdentityView[]>;
  /** `standing`: epochs as they were seen when the Account was proven, its own among them; `stale` when one has moved since. */
  link(accountId: string, vouched: Vouched, standing: Stamps): Promise<'linked' | 'taken' | 'unknown' | 'stale'>;
  noteUse(vouched: Vouched): Promise<void>;
  /** Resolves to the Sign-out of what came through it. */
  unlink(accountId: string, subject: string): Promise<SignOutRecord | { readonly refused: 'last-way-in' | 'unknown' }>;
};

const REASON = 'You unlinked it';

/** How what is kept of this Identity is sealed; `index` is its blind index. */
export const identitySeal = (index: string): SealBinding => [
  'identity',
  { collection: 'identities', field: 'identity', id: index },
];

export function createIdentities({
  store,
  revocations,
  keyring,
  clock,
  signOuts,
}: {
  readonly store: AccountRepository;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly signOuts: Pick<SignOuts, 'signOut'>;
}): Identities {
  const indexOf = (connectionId: string, subject: string): string =>
    keyring.blindIndex('identity.subject', JSON.stringify([connectionId, subject]));
  const upstreamSessionOf = (connectionId: string, upstreamSession: string | null): string | null =>
    upstreamSession === null
      ? null
      : keyring.blindIndex('identity.session', JSON.stringify([connectionId, upstreamSession]));
  const logoutNameOf = (connectionId: string, logoutName: string | null): string | null =>
    logoutName === null ? null : keyring.blindIndex('identity.logout-name', JSON.stringify([connectionId, logoutName]));
  const sealed = ({ connectionId, subject, claims }: Vouched): string => {
    const name = claims.email ?? claims.username ?? claims.name ?? '';
    const index = indexOf(connectionId, subject);
    return keyring.seal(...identitySeal(index), JSON.stringify({ subject, name }));
  };
  const view = ({ subject, connectionId, sealedIdentity, linkedAt, lastUsedAt }: IdentityRecord): IdentityView => {
    const { name } = JSON.parse(keyring.unseal(...identitySeal(subject), sealedIdentity)) as { name: string };
    return { subject, connectionId, name, linkedAt, lastUsedAt };
  };
  const recordOf = (vouched: Vouched): Omit<IdentityRecord, 'accountId'> => {
    const now = clock.now();
    const { connectionId } = vouched;
    const subject = indexOf(connectionId, vouched.subject);
    return { subject, connectionId, sealedIdentity: sealed(vouched), linkedAt: now, lastUsedAt: now };
  };

  return {
    indexOf,
    upstreamSessionOf,
    logoutNameOf,
    scopesOf({ connectionId, subject, upstreamSession, logoutName }) {
      const upstream = [upstreamSessionOf(connectionId, upstreamSession), logoutNameOf(connectionId, logoutName)];
      return [
        `connection:${connectionId}`,
        `identity:${indexOf(connectionId, subject)}`,
        ...upstream.flatMap((name): ScopeKey[] => (name === null ? [] : [`upstream:${name}`])),
      ];
    },
    async find({ connectionId, subject }) {
      return (await store.findByIdentity(indexOf(connectionId, subject)))?.account ?? null;
    },
    recordOf,
    list: async (accountId) => (await store.identitiesOf(accountId)).map(view),
    async link(accountId, vouched, standing) {
      const record = recordOf(vouched);
      const before = await store.findByIdentity(record.subject);
      const linked = await store.linkIdentity({ ...record, accountId }, standing[`account:${accountId}`]);
      if (linked !== 'linked' || before !== null) return linked;
      if (await revocations.stand({ everyone: standing.everyone ?? 0 })) return linked;
      // Everybody was signed out meanwhile, which no write of one account can see.
      await store.unlinkIdentity({ accountId, subject: record.subject });
      return 'stale';
    },
    noteUse: (vouched) =>
      store.touchIdentity({
        subject: indexOf(vouched.connectionId, vouched.subject),
        usedAt: clock.now(),
        sealedIdentity: sealed(vouched),
      }),
    async unlink(accountId, subject) {
      const linked = await store.identitiesOf(accountId);
      const identity = linked.find((each) => each.subject === subject);
      if (identity === undefined) return { refused: 'unknown' };
      const account = await store.find(accountId);
      if (account?.password === null && linked.length === 1) return { refused: 'last-way-in' };
      const scope = { kind: 'identity', accountId, connectionId: identity.connectionId, subject } as const;
      const order = { scope, reason: REASON, actor: { kind: 'account', accountId } } as const;
      // Before, so that a crash in between leaves nobody in; and after, for a sign-in that was under way meanwhile.
      const signOut = await signOuts.signOut(order);
      const unlinked = await store.unlinkIdentity({ accountId, subject });
      if (unlinked !== 'unlinked') return { refused: unlinked };
      await signOuts.signOut(order);
      return signOut;
    },
  };
}
