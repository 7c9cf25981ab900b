/**
 * What became of a Sign-out: when access ended, and for each app and device whether it was told. It reads; it changes
 * nothing, and it says "told" of nobody who has not answered.
 */
import type { Store } from '../store/port.ts';
import type { ClientSessionRecord, DeliveryRecord, SignOutRecord, SignOutScope } from '../store/records.ts';
import { deliveryId } from './fan-out.ts';
import { REASONS } from './sign-out.ts';

export type ReceiptRow = {
  readonly clientId: string;
  readonly accountId: string;
  /** Null when another Sign-out has ended it since: only what was owed to it is still known here. */
  readonly device: { readonly grantId: string; readonly sealedDevice: string } | null;
  /** Told and not ended: offline access outlives the browser it came from. */
  readonly keepsAccess: boolean;
  /** `not-applicable`: cannot be told, and finds out at its next request. `waiting`: not tried yet. */
  readonly outcome: 'told' | 'trying' | 'refused' | 'unreachable' | 'not-applicable' | 'waiting';
  /** Why an `unreachable` one was never sent anything, if it was not. */
  readonly unsent: 'address-refused' | 'client-gone' | null;
  /** When it was told, last tried, or will be tried again. */
  readonly at: Date | null;
};

export type ReceiptActor =
  'you' | 'owner' | 'another-account' | 'operator' | 'app-of-yours' | 'app-of-owner' | 'system';
export type ReceiptReason = keyof typeof REASONS | 'personForOthers' | 'passwordForOthers';

export type Receipt = {
  readonly signOut: SignOutRecord;
  readonly rows: readonly ReceiptRow[];
  /** Client Sessions ended or told that are not among the rows. */
  readonly unlisted: number;
  readonly accounts: number;
  readonly clients: number;
  readonly deliveries: {
    readonly pending: number;
    readonly delivered: number;
    readonly rejected: number;
    readonly abandoned: number;
  };
  readonly lastTokenExpiresAt: Date | null;
  /** Nothing is left to wait for. */
  readonly done: boolean;
};

const MOST_ROWS = 200;

/** The receipt of a Sign-out; null when there is none of that id. */
export async function readReceipt(store: Store, signOutId: string): Promise<Receipt | null> {
  const { revocations, deliveries } = store;
  const signOut = await revocations.findSignOut(signOutId);
  if (signOut === null) return null;
  const ofBrowser = signOut.scope.kind === 'browser';
  const [ended, remaining, counts, totals] = await Promise.all([
    revocations.endedBy(signOutId, { limit: MOST_ROWS + 1 }),
    // Those of a browser with offline access remain for good: they are told, and never end with it.
    signOut.status === 'pending' || ofBrowser ? revocations.sessionsToEnd(signOut, { limit: MOST_ROWS + 1 }) : [],
    deliveries.counts({ signOutId }),
    revocations.ended(signOutId),
  ]);
  const toEnd = remaining.filter((session) => session.endedBy === null && !(ofBrowser && session.persistent));
  const sessions = [...ended, ...toEnd];
  const endedRows = await Promise.all(
    sessions
      .slice(0, MOST_ROWS)
      .map(async (session) => rowOf(session, await deliveryOf(store, signOut, session), signOut)),
  );
  const told = ofBrowser
    ? await toldOnly(store, signOut, { ended: sessions, kept: remaining.filter(({ persistent }) => persistent) })
    : [];
  const rows = [...endedRows, ...told].slice(0, MOST_ROWS);
  const everything = Math.max(totals.sessions + toEnd.length, sessions.length) + told.length;
  return {
    signOut,
    rows,
    unlisted: everything - rows.length,
    accounts: Math.max(totals.accounts, new Set([...sessions, ...told].map(({ accountId }) => accountId)).size),
    clients: Math.max(totals.clients, new Set([...sessions, ...told].map(({ clientId }) => clientId)).size),
    deliveries: counts,
    lastTokenExpiresAt: totals.selfContainedUntil,
    done: signOut.status === 'complete' && counts.pending === 0,
  };
}

/** What a Client Session is owed: a token that names it, or the one that names its person alone. */
async function deliveryOf(
  { deliveries }: Store,
  { id }: SignOutRecord,
  { accountId, clientId, sid }: ClientSessionRecord,
): Promise<DeliveryRecord | null> {
  const [named, unnamed] = await Promise.all([
    deliveries.find(deliveryId(id, accountId, clientId, sid)),
    deliveries.find(deliveryId(id, accountId, clientId, null)),
  ]);
  return named ?? unnamed;
}

/**
 * Rows of those that a browser's Sign-out told without ending them. They are found by what was owed, so that none is
 * forgotten when something else ends it later; the Client Sessions that are left lend them their devices.
 */
async function toldOnly(
  store: Store,
  signOut: SignOutRecord,
  { ended, kept }: { readonly ended: readonly ClientSessionRecord[]; readonly kept: readonly ClientSessionRecord[] },
): Promise<ReceiptRow[]> {
  const owed = await store.deliveries.list({ signOutId: signOut.id, page: { limit: MOST_ROWS } });
  const isOf =
    ({ clientId, accountId, sid }: DeliveryRecord) =>
    (session: ClientSessionRecord): boolean =>
      session.clientId === clientId && session.accountId === accountId && session.sid === sid;
  return owed
    .filter((delivery) => !ended.some(isOf(delivery)))
    .map((delivery) => {
      const session = kept.find(isOf(delivery));
      return {
        clientId: delivery.clientId,
        accountId: delivery.accountId,
        device: session === undefined ? null : { grantId: session.grantId, sealedDevice: session.sealedDevice },
        keepsAccess: session !== undefined,
        ...outcomeOf(delivery, signOut),
      };
    });
}

function rowOf(session: ClientSessionRecord, delivery: DeliveryRecord | null, signOut: SignOutRecord): ReceiptRow {
  const { clientId, accountId, grantId, sealedDevice } = session;
  return {
    clientId,
    accountId,
    device: { grantId, sealedDevice },
    keepsAccess: false,
    ...outcomeOf(delivery, signOut),
  };
}

function outcomeOf(
  delivery: DeliveryRecord | null,
  signOut: SignOutRecord,
): Pick<ReceiptRow, 'outcome' | 'unsent' | 'at'> {
  if (delivery === null) {
    return { outcome: signOut.status === 'pending' ? 'waiting' : 'not-applicable', unsent: null, at: null };
  }
  const { status, attempts, lastOutcome, lastAttemptAt, nextAttemptAt } = delivery;
  switch (status) {
    case 'delivered':
      return { outcome: 'told', unsent: null, at: lastAttemptAt };
    case 'rejected':
      // What Curfew will not call was never sent: nobody there has refused anything.
      return lastOutcome === 'refused-address'
        ? { outcome: 'unreachable', unsent: 'address-refused', at: lastAttemptAt }
        : { outcome: 'refused', unsent: null, at: lastAttemptAt };
    case 'abandoned':
      return {
        outcome: 'unreachable',
        unsent: lastOutcome === 'client gone' ? 'client-gone' : null,
        at: lastAttemptAt,
      };
    case 'pending':
      return attempts === 0
        ? { outcome: 'waiting', unsent: null, at: null }
        : { outcome: 'trying', unsent: null, at: nextAttemptAt };
  }
}

/** The scope as scripts read it: `everyone`, or its kind and what it names. */
export function scopeText(scope: SignOutScope): string {
  switch (scope.kind) {
    case 'everyone':
      return 'everyone';
    case 'client':
      return `client:${scope.clientId}`;
    case 'connection':
      return `connection:${scope.connectionId}`;
    case 'account':
    case 'account-except':
      return `${scope.kind}:${scope.accountId}`;
    case 'identity':
      return `identity:${scope.connectionId}:${scope.accountId}`;
    case 'upstream':
      return `upstream:${scope.connectionId}:${scope.accountId}`;
    case 'device':
      return `device:${scope.grantId}`;
    case 'browser':
      return `browser:${scope.sessionUid}`;
  }
}

/** Whose receipt it is: the account the Sign-out was about. Null for scopes that belong to nobody in particular. */
export function ownerOf(scope: SignOutScope): string | null {
  return 'accountId' in scope ? scope.accountId : null;
}

/** Who asked for it, as this reader knows them; `you` only to who it was. */
export function actorFor({ actor, scope }: SignOutRecord, readerId: string | null): ReceiptActor {
  switch (actor.kind) {
    case 'account':
      if (actor.accountId === readerId) return 'you';
      return actor.accountId === ownerOf(scope) ? 'owner' : 'another-account';
    case 'operator':
      return 'operator';
    case 'client':
      return ownerOf(scope) === readerId ? 'app-of-yours' : 'app-of-owner';
    case 'system':
      return 'system';
  }
}

/** Why, for this reader: which of our own reasons, which are written to the account's owner; null for any other. */
export function reasonFor({ reason, scope }: SignOutRecord, readerId: string | null): ReceiptReason | null {
  const known = (Object.keys(REASONS) as (keyof typeof REASONS)[]).find((name) => REASONS[name] === reason) ?? null;
  if (ownerOf(scope) === readerId) return known;
  if (known === 'person') return 'personForOthers';
  return known === 'password' ? 'passwordForOthers' : known;
}

/** The shape scripts read (`curfew sign-out --json`, `/sign-outs/:id` as JSON). A dry run has no id. */
export function receiptJson(receipt: Receipt, issuer: string) {
  const { signOut } = receipt;
  return {
    id: signOut.id,
    scope: scopeText(signOut.scope),
    reason: signOut.reason,
    at: signOut.at.toISOString(),
    url: `${issuer}/sign-outs/${signOut.id}`,
    dryRun: false,
    accounts: receipt.accounts,
    clients: receipt.clients,
    deliveries: receipt.deliveries,
  };
}
