/**
 * What is inside a Credential, sealed and opened.
 *
 * Invariant: a Credential's content leaves the store sealed for the very account and id it belongs to, so that one moved to
 * another account, or under another id, does not open. It refuses to know what any kind of content means.
 */
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';
import type { CredentialKind, CredentialRecord, CredentialRepository } from '../store/credentials.ts';

/** A Credential, readable. */
export type Opened<Content> = Omit<CredentialRecord, 'sealed'> & { readonly content: Content };

export type Credentials<Content> = {
  of(accountId: string): Promise<readonly Opened<Content>[]>;
  /** `active`: whether its account is. */
  find(id: string): Promise<(Opened<Content> & { readonly active: boolean }) | null>;
  add(
    credential: Pick<CredentialRecord, 'id' | 'accountId' | 'createdAt'> & { readonly content: Content },
    options: {
      readonly most: number;
      /** What the addition stands on, as its request saw it: a Sign-out since then leaves nothing of it. */
      readonly standing: Stamps;
    },
  ): Promise<'added' | 'taken' | 'unknown' | 'stale'>;
  /** True for exactly one of those who read the same revision. */
  change(credential: Opened<Content>, content: Content, usedAt: Date | null): Promise<boolean>;
  remove(which: { readonly accountId: string; readonly id: string }): Promise<boolean>;
};

/** How the content of this Credential is sealed. */
export function credentialSeal({
  kind,
  accountId,
  id,
}: Pick<CredentialRecord, 'kind' | 'accountId' | 'id'>): SealBinding {
  return ['credential', { collection: 'credentials', field: kind, id: `${accountId}/${id}` }];
}

export function createCredentials<Content>({
  kind,
  store,
  revocations,
  keyring,
}: {
  readonly kind: CredentialKind;
  readonly store: CredentialRepository;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
}): Credentials<Content> {
  const seal = (whose: Pick<CredentialRecord, 'accountId' | 'id'>, content: Content): string =>
    keyring.seal(...credentialSeal({ ...whose, kind }), JSON.stringify(content));
  const open = ({ sealed, ...record }: CredentialRecord): Opened<Content> => ({
    ...record,
    content: JSON.parse(keyring.unseal(...credentialSeal({ ...record, kind }), sealed)) as Content,
  });
  return {
    of: async (accountId) =>
      (await store.credentialsOf(accountId)).filter((credential) => credential.kind === kind).map(open),
    async find(id) {
      const found = await store.findCredential(id);
      if (found?.credential.kind !== kind) return null;
      return { ...open(found.credential), active: found.account.status === 'active' };
    },
    async add({ content, ...credential }, { most, standing }) {
      const { accountId, id } = credential;
      const sealed = seal(credential, content);
      const record = { ...credential, kind, sealed, revision: 0, lastUsedAt: null };
      const added = await store.addCredential(record, { most, accountEpoch: standing[`account:${accountId}`] });
      if (added !== 'added' || (await revocations.stand(standing))) return added;
      // Everybody was signed out meanwhile, which no write of one account can see.
      await store.removeCredential({ accountId, id });
      return 'stale';
    },
    change: ({ id, accountId, revision }, content, usedAt) =>
      store.changeCredential({ id, accountId, revision, sealed: seal({ id, accountId }, content), usedAt }),
    remove: (which) => store.removeCredential(which),
  };
}
