/**
 * Everything a store keeps, as rows that are the same on every engine: what is copied from one to another, and what two
 * stores are compared by.
 *
 * Invariant: two stores that hold the same answer every question alike, and give the same rows in the same order; so equal
 * digests of every kind mean that nobody can tell one from the other. What an engine keeps for itself (revisions, leases on
 * a Sign-out, answered pings) is no row. It knows no engine, and what is sealed stays sealed.
 */
import { createHash } from 'node:crypto';

import type { CredentialRecord } from './credentials.ts';
import type { IncidentRecord } from './incidents.ts';
import type { EventRecord } from './journal.ts';
import type { MailRecord } from './outbox.ts';
import type {
  AccountRecord,
  Actor,
  ClientRecord,
  ClientSessionRecord,
  ConnectionRecord,
  DeliveryRecord,
  IdentityRecord,
  SignOutRecord,
  SignOutScope,
  SigningKeyRecord,
  Stamps,
} from './records.ts';

/** Every kind by the name of its rows. `id` is unique in a kind; rows are ordered by its bytes. */
export type RowOf = {
  readonly facts: { readonly id: string; readonly value: string };
  /** Scopes that were ever raised. */
  readonly scopes: {
    readonly id: string;
    readonly epoch: number;
    readonly spared: Stamps;
    /** Ids of the Sign-outs that are still pending on it, in order. */
    readonly pending: readonly string[];
    readonly signedOutAt: Date | null;
    readonly raisedAt: Date;
  };
  readonly accounts: Omit<AccountRecord, 'password'> & {
    readonly passwordHash: string | null;
    readonly passwordChangedAt: Date | null;
    /** Blind indexes; null on a deleted account, and the e-mail's where both are one. */
    readonly username: string | null;
    readonly email: string | null;
    /** In the order in which they were linked, and by subject where that is the same. */
    readonly identities: readonly Omit<IdentityRecord, 'accountId'>[];
    /** In the order in which they were added, and by id where that is the same. */
    readonly credentials: readonly Omit<CredentialRecord, 'accountId'>[];
  };
  readonly clients: Omit<ClientRecord, 'metadata'> & {
    /** JSON, as it was written. */
    readonly metadata: string;
  };
  readonly connections: ConnectionRecord;
  readonly signOuts: Omit<SignOutRecord, 'scope' | 'actor'> & {
    readonly scope: SignOutScope;
    readonly actor: Actor;
    readonly endedSessions: number;
    readonly endedAccounts: number;
    readonly endedClients: number;
    readonly selfContainedUntil: Date | null;
  };
  readonly signingKeys: Omit<SigningKeyRecord, 'kid'> & { readonly id: string };
  readonly clientSessions: Omit<ClientSessionRecord, 'grantId'> & { readonly id: string };
  readonly deliveries: DeliveryRecord & {
    /** Null when nobody holds it. */
    readonly leaseUntil: Date | null;
    readonly fence: number;
  };
  readonly mails: MailRecord & {
    /** Null when nobody holds it. */
    readonly leaseUntil: Date | null;
    readonly fence: number;
  };
  readonly events: EventRecord;
  readonly incidents: IncidentRecord;
  readonly incidentMembers: {
    /** The id of the incident, a hyphen, and that of the account. */
    readonly id: string;
    readonly incidentId: string;
    readonly accountId: string;
  };
  readonly artifacts: {
    /** The key in hexadecimal. */
    readonly id: string;
    readonly model: string;
    readonly payload: string;
    readonly stamps: Stamps;
    readonly expiresAt: Date;
    readonly consumedAt: Date | null;
    readonly destroyed: boolean;
    readonly uid: string | null;
    readonly userCode: string | null;
    readonly accountId: string | null;
    /**
     * Which of two was saved first: a whole number that engines keep in ways of their own. It is carried over and not
     * compared: where two come out the same, one of them is moved on.
     */
    readonly order: number;
  };
  readonly failures: {
    readonly id: string;
    readonly failures: number;
    readonly blockedUntil: Date;
    readonly failedAt: Date;
  };
  readonly attempts: {
    readonly id: string;
    readonly windowStart: Date;
    readonly attempts: number;
    readonly expiresAt: Date;
  };
};

export type Kind = keyof RowOf;

/** In the order in which they are written: a later kind completes records that an earlier one began. */
export const KINDS = [
  'facts',
  'scopes',
  'accounts',
  'clients',
  'connections',
  'signOuts',
  'signingKeys',
  'clientSessions',
  'deliveries',
  'mails',
  'events',
  'incidents',
  'incidentMembers',
  'artifacts',
  'failures',
  'attempts',
] as const satisfies readonly Kind[];

export type RowPage = {
  /** The id of the last row of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
  /**
   * Artifacts and attempts that expire no later are left out: any sweep, or the server itself, may delete them at any
   * moment, and nobody would notice.
   */
  readonly aliveAt: Date;
};

/** How many rows of one kind there are, and SHA-256 over their canonical form in order of their ids. */
export type KindDigest = { readonly rows: number; readonly digest: string };

/** A row as one line of JSON: names sorted, instants in UTC to the millisecond. Equal rows are equal lines. */
export function canonical(row: object): string {
  const { order: _order, ...compared } = row as { readonly order?: unknown };
  return JSON.stringify(plain(compared));
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const named = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, plain(each)]));
}

/** The digest of rows that come page by page, in order. */
export async function digestOf(pages: AsyncIterable<readonly object[]>): Promise<KindDigest> {
  const hash = createHash('sha256');
  let rows = 0;
  for await (const page of pages) {
    rows += page.length;
    for (const row of page) hash.update(`${canonical(row)}\n`);
  }
  return { rows, digest: hash.digest('hex') };
}
