/**
 * What became of a Sign-out: when access ended, and for each app and device whether it was told. It reads; it changes
 * nothing, and it says "told" of nobody who has not answered.
 */
import type { Store } from '../store/port.ts';
import type { Actor, ClientSessionRecord, DeliveryRecord, SignOutRecord, SignOutScope } from '../store/records.ts';

export type ReceiptRow = {
  readonly clientId: string;
  readonly accountId: string;
  readonly grantId: string;
  readonly sealedDevice: string;
  /** `not-applicable`: cannot be told, and finds out at its next request. `waiting`: not tried yet. */
  readonly outcome: 'told' | 'trying' | 'refused' | 'unreachable' | 'not-applicable' | 'waiting';
  /** When it was told, last tried, or will be tried again. */
  readonly at: Date | null;
};

export type Receipt = {
  readonly signOut: SignOutRecord;
  readonly rows: readonly ReceiptRow[];
  /** Client Sessions ended that are not among the rows. */
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
const MOST_DELIVERIES = 1000;

/** The receipt of a Sign-out; null when there is none of that id. */
export async function readReceipt(store: Store, signOutId: string): Promise<Receipt | null> {
  const { revocations, deliveries } = store;
  const signOut = await revocations.findSignOut(signOutId);
  if (signOut === null) return null;
  const [ended, waiting, counts, owed, totals] = await Promise.all([
    revocations.endedBy(signOutId, { limit: MOST_ROWS + 1 }),
    signOut.status === 'pending' ? revocations.sessionsToEnd(signOut, { limit: MOST_ROWS + 1 }) : [],
    deliveries.counts({ signOutId }),
    deliveries.list({ signOutId, page: { limit: MOST_DELIVERIES } }),
    revocations.ended(signOutId),
  ]);
  // Offline access outlives its browser: told, not ended, and so not on the list of what ended.
  const outlives = ({ persistent }: ClientSessionRecord): boolean => signOut.scope.kind === 'browser' && persistent;
  const toEnd = waiting.filter((session) => session.endedBy === null && !outlives(session));
  const sessions = [...ended, ...toEnd];
  const rows = sessions.slice(0, MOST_ROWS).map((session) => rowFor(session, owed, signOut));
  return {
    signOut,
    rows,
    unlisted: Math.max(totals.sessions + toEnd.length, sessions.length) - Math.min(sessions.length, MOST_ROWS),
    accounts: Math.max(totals.accounts, new Set(sessions.map(({ accountId }) => accountId)).size),
    clients: Math.max(totals.clients, new Set(sessions.map(({ clientId }) => clientId)).size),
    deliveries: counts,
    lastTokenExpiresAt: totals.selfContainedUntil,
    done: signOut.status === 'complete' && counts.pending === 0,
  };
}

function rowFor(session: ClientSessionRecord, owed: readonly DeliveryRecord[], signOut: SignOutRecord): ReceiptRow {
  const { clientId, accountId, grantId, sealedDevice, sid } = session;
  const delivery = owed.find(
    (candidate) =>
      candidate.clientId === clientId &&
      candidate.accountId === accountId &&
      (candidate.sid === null || candidate.sid === sid),
  );
  return { clientId, accountId, grantId, sealedDevice, ...outcomeOf(delivery, signOut) };
}

function outcomeOf(delivery: DeliveryRecord | undefined, signOut: SignOutRecord): Pick<ReceiptRow, 'outcome' | 'at'> {
  if (delivery === undefined) {
    return { outcome: signOut.status === 'pending' ? 'waiting' : 'not-applicable', at: null };
  }
  switch (delivery.status) {
    case 'delivered':
      return { outcome: 'told', at: delivery.lastAttemptAt };
    case 'rejected':
      return { outcome: 'refused', at: delivery.lastAttemptAt };
    case 'abandoned':
      return { outcome: 'unreachable', at: delivery.lastAttemptAt };
    case 'pending':
      return delivery.attempts === 0
        ? { outcome: 'waiting', at: null }
        : { outcome: 'trying', at: delivery.nextAttemptAt };
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

export function actorText(actor: Actor): string {
  switch (actor.kind) {
    case 'account':
      return 'you';
    case 'operator':
      return 'an operator';
    case 'client':
      return 'an app you signed out of';
    case 'system':
      return 'Curfew';
  }
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
