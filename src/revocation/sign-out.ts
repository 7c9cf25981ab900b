/**
 * The only door through which access ends.
 *
 * Invariant: when a Sign-out has returned, one atomic write has raised the epoch of its scope and recorded what is still
 * to be told; no credential issued before it works anywhere, on any process, from the next request. Telling Clients
 * comes after (fan-out.ts) and can be interrupted at any point. This room does not know tokens, cookies or pages.
 */
import { type Clock } from '../platform/clock.ts';
import { randomId } from '../platform/random.ts';
import type { SignOutRequest, Store } from '../store/port.ts';
import type { Actor, ScopeKey, SignOutRecord, SignOutScope } from '../store/records.ts';

/** Why, in words that people read on their receipts; operators may write their own. */
export const REASONS = {
  person: 'At your request',
  password: 'Your password was changed',
  passwordReset: 'Your password was reset by mail',
  passwordRequired: 'A new password is required',
  reported: 'You said: this was not me',
  emailReverted: 'A change of your e-mail address was taken back',
  browser: 'Signed out of this browser',
  disabled: 'The account was disabled',
  deleted: 'The account was deleted',
  clientRemoved: 'The app was removed',
  connectionRemoved: 'This way to sign in was removed',
  operator: 'At the request of an operator',
} as const;

export type SignOutOrder = {
  readonly scope: SignOutScope;
  readonly reason: string;
  readonly actor: Actor;
  /** Derived by whoever may ask twice for the same: done once, and answered the same again. Default: a new one. */
  readonly id?: string;
};

export type SignOuts = {
  signOut(order: SignOutOrder): Promise<SignOutRecord>;
  /** The same, for a change that must be one write with it (a new password, a disabled account, a removed Client). */
  prepare(order: SignOutOrder): Promise<SignOutRequest>;
  /** To be called after a prepared Sign-out was written. */
  written(): void;
  /** What it would end. Changes nothing. */
  preview(scope: SignOutScope): Promise<{ readonly accounts: number; readonly clients: number }>;
  /**
   * How many accounts the scope names, signed in at apps or not: their browser Sessions end as well. Null where only
   * sign-ins tell whom it concerns.
   */
  accountsNamed(scope: SignOutScope): Promise<number | null>;
  /** Ends the Session of one browser, and tells the Clients signed in through it. */
  endBrowserSession(session: { readonly uid: string; readonly accountId: string }): Promise<SignOutRecord>;
  /** Ends one Client's sign-in from one browser; does nothing where it was granted offline access. */
  endClientSession(session: {
    readonly sid: string;
    readonly accountId: string;
    readonly clientId: string;
  }): Promise<void>;
};

export function createSignOuts({
  store,
  clock,
  wake,
}: {
  readonly store: Store;
  readonly clock: Clock;
  /** Tells the fan-out that there is something to do. */
  readonly wake: () => void;
}): SignOuts {
  const prepare = async ({ scope, reason, actor, id = randomId() }: SignOutOrder): Promise<SignOutRequest> => {
    const spares = await sparedBy(store, scope);
    return { id, scope, reason, actor, at: clock.now(), ...(spares.length > 0 ? { spares } : {}) };
  };
  const signOut = async (order: SignOutOrder): Promise<SignOutRecord> => {
    const record = await store.revocations.signOut(await prepare(order));
    wake();
    return record;
  };
  return {
    signOut,
    prepare,
    written: wake,
    async preview(scope) {
      const [reached, named] = await Promise.all([store.revocations.reach(scope), accountsNamed(store, scope)]);
      return { accounts: named ?? reached.accounts, clients: reached.clients };
    },
    accountsNamed: (scope) => accountsNamed(store, scope),
    endBrowserSession: ({ uid, accountId }) =>
      signOut({
        scope: { kind: 'browser', accountId, sessionUid: uid },
        reason: REASONS.browser,
        actor: { kind: 'account', accountId },
      }),
    async endClientSession({ sid, accountId, clientId }) {
      const sessions = await store.revocations.clientSessionsOf(accountId);
      const session = sessions.find((candidate) => candidate.sid === sid && candidate.clientId === clientId);
      // Offline access outlives the session it came from (Back-Channel Logout §2.7); the Client that asked knows.
      if (session === undefined || session.persistent) return;
      await signOut({
        scope: { kind: 'device', accountId, grantId: session.grantId },
        reason: REASONS.browser,
        actor: { kind: 'client', clientId },
      });
    },
  };
}

/**
 * Everything of the account but this browser ends; spared are its Session and the Client Sessions that came from it.
 * TVs and servers approved here are devices of their own, and end.
 */
async function sparedBy(store: Store, scope: SignOutScope): Promise<ScopeKey[]> {
  if (scope.kind !== 'account-except') return [];
  const sessions = await store.revocations.clientSessionsOf(scope.accountId);
  const here = sessions.filter(({ sessionUid, kind }) => sessionUid === scope.sessionUid && kind === 'browser');
  return [`session:${scope.sessionUid}`, ...here.map(({ grantId }): ScopeKey => `grant:${grantId}`)];
}

async function accountsNamed(store: Store, { kind }: SignOutScope): Promise<number | null> {
  switch (kind) {
    case 'account':
    case 'account-except':
    case 'identity':
    case 'upstream':
    case 'browser':
    case 'device':
      return 1;
    case 'everyone':
      return store.cohorts.count({});
    case 'client':
    case 'connection':
      return null;
  }
}
