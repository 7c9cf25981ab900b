/**
 * What Curfew keeps, in the words of the domain.
 *
 * Every record here is already safe to lose: bearer values are digests, personal data is sealed and found again by a
 * blind index, secrets are hashed or sealed by the room that owns them. An engine stores these shapes and nothing else;
 * it knows no keys and never sees a plain value.
 */

/**
 * What an Epoch belongs to. Raising the integer kept under one of these keys ends everything that was stamped with an
 * older one. A key nobody has raised yet stands at 0.
 */
export type ScopeKey =
  | 'everyone'
  | `account:${string}`
  | `client:${string}`
  | `connection:${string}`
  | `identity:${string}`
  | `upstream:${string}`
  | `session:${string}`
  | `grant:${string}`;

/** The epochs a request saw, or an artifact was made under. */
export type Stamps = { readonly [key in ScopeKey]?: number };

/** Who did it. An operator is whoever ran the command on this machine. */
export type Actor =
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'operator' }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'system' };

/** What a Sign-out ends. `except` and `one device` spare something; the others spare nothing inside their scope. */
export type SignOutScope =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'connection'; readonly connectionId: string }
  | { readonly kind: 'account'; readonly accountId: string }
  /** Whatever of the account came through one Identity: its provider took it back, or it was unlinked. */
  | {
      readonly kind: 'identity';
      readonly accountId: string;
      readonly connectionId: string;
      /** The Identity's blind index. */
      readonly subject: string;
    }
  /** Whatever of the account came through one session at its provider. */
  | {
      readonly kind: 'upstream';
      readonly accountId: string;
      readonly connectionId: string;
      /** A digest of the Connection and its provider's name for the session. */
      readonly upstreamSession: string;
    }
  | { readonly kind: 'account-except'; readonly accountId: string; readonly sessionUid: string }
  | { readonly kind: 'device'; readonly accountId: string; readonly grantId: string }
  | { readonly kind: 'browser'; readonly accountId: string; readonly sessionUid: string };

/** The recorded act that ends access: scope, reason, actor, time. */
export type SignOutRecord = {
  readonly id: string;
  readonly scope: SignOutScope;
  readonly reason: string;
  readonly actor: Actor;
  /** When access ended: the instant of the commit's decision, not of the last delivery. */
  readonly at: Date;
  /** `pending` until every Client that must be told has its Delivery written. */
  readonly status: 'pending' | 'complete';
  /** The epoch before it was raised: whatever is stamped higher came after and is not touched. */
  readonly epochBefore: number;
  /** Scopes that stay alive through an account's raise, with the lowest account epoch they may carry. */
  readonly spared: { readonly [key in ScopeKey]?: number };
};

/** One person. Usernames, e-mails and names are sealed; `identifiers` are their blind indexes. */
export type AccountRecord = {
  readonly id: string;
  readonly status: 'active' | 'disabled' | 'deleted';
  readonly admin: boolean;
  readonly sealedUsername: string;
  readonly sealedEmail: string;
  readonly password: { readonly hash: string; readonly changedAt: Date } | null;
  /** A password set no later than this lets nobody in until it is replaced; null when none was ever demanded. */
  readonly passwordResetRequiredAt: Date | null;
  /** Null: nobody has shown that mail to this address reaches the person. */
  readonly emailVerifiedAt: Date | null;
  /** The language to write to the person in (BCP 47); null when it is not known. */
  readonly locale: string | null;
  /** When somebody last proved to be this person; null when nobody did since that is noted. */
  readonly lastSignedInAt: Date | null;
  readonly createdAt: Date;
};

/** Blind indexes by which an account is found. No two accounts share one, whether it came from a name or an e-mail. */
export type AccountIdentifiers = { readonly username: string; readonly email: string };

/** What one Connection's provider calls a person, linked to the Account that it may sign in. */
export type IdentityRecord = {
  /** A blind index over the Connection and its subject or NameID: no two Accounts share one. */
  readonly subject: string;
  readonly connectionId: string;
  readonly accountId: string;
  /** Sealed JSON: the subject itself, and how its provider names it to people. */
  readonly sealedIdentity: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date;
};

/** An upstream identity provider of the configuration; kept so that its removal is noticed, and for what is learnt of it. */
export type ConnectionRecord = {
  readonly id: string;
  readonly type: 'oidc' | 'saml';
  readonly status: 'active' | 'deleted';
  /** JSON of the room that owns it: keys made for it (sealed), metadata last fetched. */
  readonly state: string;
  /** Raised by each change, so that a cache knows. */
  readonly version: number;
  readonly createdAt: Date;
};

/** Failures counted against one authenticator of one account, or attempts counted against one address. */
export type ThrottleRecord = {
  readonly failures: number;
  /** No attempt is looked at before this instant. */
  readonly blockedUntil: Date | null;
};

/** A relying party. Those of the configuration keep a record too, so that their removal is noticed. */
export type ClientRecord = {
  readonly id: string;
  readonly source: 'configuration' | 'command' | 'registration';
  readonly status: 'active' | 'deleted';
  /** OpenID Connect client metadata, snake_case, without any plain secret. Empty for those of the configuration. */
  readonly metadata: { readonly [name: string]: unknown };
  /** Raised by each change, so that a cache knows. */
  readonly version: number;
  readonly createdAt: Date;
};

/** A signing key pair: the private half sealed. Published from `createdAt`, signs from `signsFrom`, gone at `retiresAt`. */
export type SigningKeyRecord = {
  readonly kid: string;
  readonly alg: string;
  readonly sealedJwk: string;
  readonly createdAt: Date;
  readonly signsFrom: Date;
  readonly retiresAt: Date | null;
};

/** A payload of the protocol library, under the digest of its bearer value. */
export type ArtifactRecord = {
  readonly model: string;
  /** 32 bytes: SHA-256 of model and bearer value. */
  readonly key: Uint8Array;
  /** JSON, or JSON sealed; without any bearer value. */
  readonly payload: string;
  readonly stamps: Stamps;
  readonly expiresAt: Date;
  readonly uid?: string;
  readonly userCode?: string;
  readonly accountId?: string;
};

/** What a find gives back: the payload, whether it was consumed, and every scope of its stamps as it stands now. */
export type FoundArtifact = {
  readonly key: Uint8Array;
  readonly payload: string;
  readonly consumedAt: Date | null;
  readonly epochs: Stamps;
};

/** One device's sign-in at one Client. Its id is its Grant's: one device, one Grant. Outlives its tokens. */
export type ClientSessionRecord = {
  readonly grantId: string;
  readonly accountId: string;
  readonly clientId: string;
  readonly connectionId: string | null;
  /** The browser Session it came from; kept for devices too, to say where they were approved. */
  readonly sessionUid: string;
  /** `device`: approved by code, and so a device of its own. `browser`: signed in through the browser it runs in. */
  readonly kind: 'browser' | 'device';
  /** Survives the end of the browser's Session (offline access, OpenID Connect Core §11). */
  readonly persistent: boolean;
  readonly sid: string;
  /** Sealed JSON: user agent and address. */
  readonly sealedDevice: string;
  readonly stamps: Stamps;
  readonly firstUsedAt: Date;
  readonly lastUsedAt: Date;
  /** When the last self-contained access token given to it expires. */
  readonly selfContainedUntil: Date | null;
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
};

/** A browser's sign-in at Curfew, as the devices page shows it. */
export type BrowserSession = { readonly uid: string; readonly payload: string; readonly key: Uint8Array };

export type DeliveryStatus = 'pending' | 'delivered' | 'rejected' | 'abandoned';

/** One Logout Token owed to one Client. The token itself is never kept: each attempt mints its own. */
export type DeliveryRecord = {
  readonly id: string;
  readonly signOutId: string;
  readonly accountId: string;
  readonly clientId: string;
  /** Null: the token names the subject alone and so ends all of its sessions. */
  readonly sid: string | null;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  /** Refusals in a row that a further try is not expected to change; two more tries are given. */
  readonly refusals: number;
  readonly nextAttemptAt: Date | null;
  readonly lastAttemptAt: Date | null;
  /** A word and perhaps a status: `answered 200`, `timeout`, `refused-address`. Never anything the client sent. */
  readonly lastOutcome: string | null;
  readonly createdAt: Date;
  readonly deadlineAt: Date;
};

/** A Delivery held by one worker until `leaseUntil`. Only the holder of the latest fence may settle it. */
export type LeasedDelivery = DeliveryRecord & { readonly fence: number; readonly leaseUntil: Date };
