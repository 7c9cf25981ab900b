/**
 * Who a person is.
 *
 * Purpose: create accounts, find them by username, e-mail or id, and say who they are. Invariant: a username and an e-mail
 * address leave this room only sealed, or as a blind index, or unsealed to a caller who asked for a view; the store never
 * sees one. Usernames and e-mail addresses share one space of identifiers, so nobody can take another's address as a name.
 * It refuses to know how a person proves who they are, and how their access ends.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomId as drawId } from '../platform/random.ts';
import type { AccountRepository, Page } from '../store/port.ts';
import type { AccountRecord, IdentityRecord } from '../store/records.ts';
import { canonicalIdentifier, parseEmail, parseUsername } from './identifiers.ts';

/** An account, readable. A deleted one has lost its username and e-mail: both are empty. */
export type AccountView = {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly status: AccountRecord['status'];
  readonly admin: boolean;
  readonly createdAt: Date;
  /** Null: this account has no password. */
  readonly passwordChangedAt: Date | null;
  /** Null: nobody has shown that mail to this address reaches the person. */
  readonly emailVerifiedAt: Date | null;
  /** BCP 47; null when it is not known. */
  readonly locale: string | null;
  /** Null: nobody has signed in to it since that is noted. */
  readonly lastSignedInAt: Date | null;
};

/** Why an account was not created; `problem` is fit to show to whoever asked for it. */
export type AccountRefusal = {
  readonly refused: 'username-taken' | 'email-taken' | 'identity-taken' | 'bad-username' | 'bad-email';
  readonly problem: string;
};

/** Standard claims (OpenID Connect Core §5.1). */
export type AccountClaims = {
  readonly sub: string;
  readonly preferred_username: string;
  /** Both are absent where the account has no address. */
  readonly email?: string;
  readonly email_verified?: boolean;
};

/** `stale`: it was changed by somebody else meanwhile. */
export type IdentifierChange =
  'changed' | 'stale' | { readonly refused: AccountRefusal['refused']; readonly problem: string };

export type Accounts = {
  /** Creates an active account. `passwordHash` comes from authn; without it nobody can sign in by password yet. */
  create(account: {
    readonly username: string;
    readonly email: string;
    readonly admin?: boolean;
    readonly passwordHash?: string;
    /** Whether mail to the address was shown to reach the person. */
    readonly emailVerified?: boolean;
    readonly locale?: string | null;
    /** False for an address that nobody has vouched for: it is shown, but finds nobody and keeps it from nobody. */
    readonly emailIdentifies?: boolean;
    /** The Identity it is made for, as it is kept, by the id that the account is given. */
    readonly identityFor?: (accountId: string) => Omit<IdentityRecord, 'accountId'>;
  }): Promise<{ readonly account: AccountView } | AccountRefusal>;
  /** By id; null when there is none. Deleted accounts are found, to be shown as such. */
  find(accountId: string): Promise<AccountView | null>;
  /** By id, username or e-mail, in this order; null when there is none. For operators: a sign-in takes no ids. */
  resolve(name: string): Promise<AccountView | null>;
  /** By id, ascending. */
  list(page: Page): Promise<readonly AccountView[]>;
  /** What is kept of one, readable. */
  view(record: AccountRecord): AccountView;
  /** The blind index under which an identifier is kept, whether it was typed as a username or as an e-mail address. */
  identifierIndex(typed: string): string;
  /**
   * Gives the account another address, which from then on finds it. `from` is the present one, as it must still be.
   * `verified`: mail to it was shown to reach the person.
   */
  changeEmail(change: {
    readonly accountId: string;
    readonly from: string;
    readonly email: string;
    readonly verified: boolean;
  }): Promise<IdentifierChange>;
  /** Takes an address off that is not its person's: the account has none then. `email` is the present one. */
  dropEmail(change: { readonly accountId: string; readonly email: string }): Promise<'changed' | 'stale'>;
  changeUsername(change: { readonly accountId: string; readonly username: string }): Promise<IdentifierChange>;
  /** The account's claims; null when there is none or it is not active. */
  claimsOf(accountId: string): Promise<AccountClaims | null>;
};

/**
 * `randomId` gives a new account id: unguessable, unique, free of meaning. By default 128 random bits in base64url.
 */
export function createAccounts(needs: {
  readonly store: Pick<AccountRepository, 'insert' | 'find' | 'findByIdentifier' | 'list' | 'identify'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'blindIndex'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly randomId?: () => string;
}): Accounts {
  const { store, keyring, clock, randomId = randomAccountId } = needs;

  const seal = (field: 'username' | 'email', id: string, plain: string): string =>
    keyring.seal(...accountSeal(field, id), plain);

  const unseal = (field: 'username' | 'email', id: string, sealed: string): string =>
    keyring.unseal(...accountSeal(field, id), sealed);

  const identifierIndex = (typed: string): string =>
    keyring.blindIndex('account.identifier', canonicalIdentifier(typed));

  const view = (record: AccountRecord): AccountView => ({
    id: record.id,
    ...(record.status === 'deleted'
      ? { username: '', email: '' }
      : {
          username: unseal('username', record.id, record.sealedUsername),
          email: unseal('email', record.id, record.sealedEmail),
        }),
    status: record.status,
    admin: record.admin,
    createdAt: record.createdAt,
    passwordChangedAt: record.password?.changedAt ?? null,
    emailVerifiedAt: record.emailVerifiedAt,
    locale: record.locale,
    lastSignedInAt: record.lastSignedInAt,
  });

  type Identified = Awaited<ReturnType<AccountRepository['identify']>>;
  /**
   * Changes the identifiers that an account has. Sealing them anew (a keyring rotates while everybody is served) is a change
   * to what is kept and none to the account: whoever is told so looks again, and goes on while they are the same.
   */
  const untilNotResealed = async (
    accountId: string,
    change: (record: AccountRecord) => Promise<Identified>,
  ): Promise<Identified> => {
    let record = await store.find(accountId);
    for (;;) {
      if (record === null || record.status === 'deleted') return 'stale';
      const changed = await change(record);
      if (changed !== 'stale') return changed;
      const since = await store.find(accountId);
      if (since === null || !isOnlyResealed(record, since)) return 'stale';
      record = since;
    }
  };
  const isOnlyResealed = (before: AccountRecord, since: AccountRecord): boolean => {
    if (since.status === 'deleted') return false;
    if (before.sealedUsername === since.sealedUsername && before.sealedEmail === since.sealedEmail) return false;
    const [present, now] = [view(before), view(since)];
    return present.username === now.username && present.email === now.email;
  };

  const viewed = (record: AccountRecord | null): AccountView | null => (record === null ? null : view(record));

  return {
    view,
    async create({
      username: typedUsername,
      email: typedEmail,
      admin = false,
      passwordHash,
      emailVerified = false,
      locale = null,
      emailIdentifies = true,
      identityFor,
    }) {
      const username = parseUsername(typedUsername);
      if ('refused' in username) return username;
      const email = parseEmail(typedEmail);
      if ('refused' in email) return email;

      const id = randomId();
      const createdAt = clock.now();
      const record: AccountRecord = {
        id,
        status: 'active',
        admin,
        sealedUsername: seal('username', id, username.username),
        sealedEmail: seal('email', id, email.email),
        password: passwordHash === undefined ? null : { hash: passwordHash, changedAt: createdAt },
        passwordResetRequiredAt: null,
        emailVerifiedAt: emailVerified ? createdAt : null,
        locale,
        lastSignedInAt: null,
        createdAt,
      };
      const inserted = await store.insert(
        record,
        {
          username: identifierIndex(username.username),
          email: identifierIndex(emailIdentifies ? email.email : username.username),
        },
        identityFor?.(id),
      );
      return inserted === 'inserted' ? { account: view(record) } : { refused: inserted, problem: TAKEN[inserted] };
    },

    find: async (accountId) => viewed(await store.find(accountId)),

    // The id first: a username may look like an id, and must not stand in for another account when an operator names it.
    resolve: async (name) => viewed((await store.find(name)) ?? (await store.findByIdentifier(identifierIndex(name)))),

    list: async (page) => (await store.list(page)).map(view),

    identifierIndex,

    async changeEmail({ accountId, from, email: typed, verified }) {
      const email = parseEmail(typed);
      if ('refused' in email) return email;
      return identified(
        await untilNotResealed(accountId, async (record) => {
          const present = view(record);
          if (present.email !== from) return 'stale';
          return store.identify({
            accountId,
            expected: record,
            sealedUsername: record.sealedUsername,
            sealedEmail: seal('email', accountId, email.email),
            emailVerifiedAt: verified ? clock.now() : null,
            identifiers: { username: identifierIndex(present.username), email: identifierIndex(email.email) },
          });
        }),
      );
    },

    async dropEmail({ accountId, email }) {
      const dropped = await untilNotResealed(accountId, async (record) => {
        const present = view(record);
        if (present.email !== email) return 'stale';
        const byUsername = identifierIndex(present.username);
        return store.identify({
          accountId,
          expected: record,
          sealedUsername: record.sealedUsername,
          sealedEmail: seal('email', accountId, ''),
          emailVerifiedAt: null,
          identifiers: { username: byUsername, email: byUsername },
        });
      });
      return dropped === 'set' ? 'changed' : 'stale';
    },

    async changeUsername({ accountId, username: typed }) {
      const username = parseUsername(typed);
      if ('refused' in username) return username;
      return identified(
        await untilNotResealed(accountId, async (record) => {
          const byEmail = identifierIndex(view(record).email);
          // An address that nobody has vouched for finds nobody, and a change of name does not make it.
          const identifies = (await store.findByIdentifier(byEmail))?.id === accountId;
          const byUsername = identifierIndex(username.username);
          return store.identify({
            accountId,
            expected: record,
            sealedUsername: seal('username', accountId, username.username),
            sealedEmail: record.sealedEmail,
            emailVerifiedAt: record.emailVerifiedAt,
            identifiers: { username: byUsername, email: identifies ? byEmail : byUsername },
          });
        }),
      );
    },

    async claimsOf(accountId) {
      const record = await store.find(accountId);
      if (record?.status !== 'active') return null;
      const { id, username, email, emailVerifiedAt } = view(record);
      const named = { sub: id, preferred_username: username };
      return email === '' ? named : { ...named, email, email_verified: emailVerifiedAt !== null };
    },
  };
}

/** How an identifier of this account is sealed. */
export function accountSeal(field: 'username' | 'email', id: string): SealBinding {
  return [`account.${field}`, { collection: 'accounts', field, id }];
}

const TAKEN = {
  'username-taken': 'This username is taken.',
  'email-taken': 'This e-mail address belongs to another account.',
  'identity-taken': 'This identity signs in to another account.',
} as const;

function identified(outcome: Awaited<ReturnType<AccountRepository['identify']>>): IdentifierChange {
  switch (outcome) {
    case 'set':
      return 'changed';
    case 'stale':
    case 'unknown':
      return 'stale';
    case 'username-taken':
    case 'email-taken':
      return { refused: outcome, problem: TAKEN[outcome] };
  }
}

// Drawn again while it starts with `-` or `_`: an id must be usable as an argument on a command line.
function randomAccountId(): string {
  for (;;) {
    const id = drawId();
    if (/^[A-Za-z0-9]/.test(id)) return id;
  }
}
