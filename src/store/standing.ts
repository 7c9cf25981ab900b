/**
 * The rule by which access ends, in one place for every engine: a stamp stands when it equals its scope's present
 * epoch, or when the artifact also bears a scope that the last Sign-out spared and the stamp is not older than what was
 * spared. It reads no clock: an epoch cannot be too coarse, and a wrong clock cannot revive anything.
 */
import type { ScopeKey, SignOutScope, Stamps } from './records.ts';

/** A scope as it stands now. Keys nobody raised stand at epoch 0 and spare nothing. */
export type ScopeState = {
  readonly epoch: number;
  readonly spared: Stamps;
  readonly signedOutAt: Date | null;
};

export const UNRAISED: ScopeState = { epoch: 0, spared: {}, signedOutAt: null };

export type ScopeStates = ReadonlyMap<ScopeKey, ScopeState>;

/** The entries of stamps, typed. */
export function stampEntries(stamps: Stamps): readonly (readonly [ScopeKey, number])[] {
  return Object.entries(stamps) as [ScopeKey, number][];
}

/** Whether one stamp stands, given everything the artifact bears. */
function stampStands(key: ScopeKey, stamp: number, bears: Stamps, states: ScopeStates): boolean {
  const state = states.get(key) ?? UNRAISED;
  if (stamp === state.epoch) return true;
  if (stamp > state.epoch) return false; // Never issued by this store: forged, or restored from another one.
  return stampEntries(state.spared).some(([spared, since]) => spared in bears && stamp >= since);
}

/** Whether every stamp stands. */
export function allStand(stamps: Stamps, states: ScopeStates): boolean {
  return stampEntries(stamps).every(([key, stamp]) => stampStands(key, stamp, stamps, states));
}

/** Whether a Sign-out moved any of these; a Grant revoked for token reuse has no Sign-out and does not count. */
export function anyMovedBySignOut(stamps: Stamps, states: ScopeStates): boolean {
  return stampEntries(stamps).some(
    ([key, stamp]) => states.get(key)?.signedOutAt != null && !stampStands(key, stamp, stamps, states),
  );
}

/** The epochs as they stand now, for the keys of these stamps. */
export function presentEpochs(stamps: Stamps, states: ScopeStates): Stamps {
  return Object.fromEntries(stampEntries(stamps).map(([key]) => [key, (states.get(key) ?? UNRAISED).epoch]));
}

/**
 * What a raise from `epochBefore` spares: each scope with the oldest stamp it may carry. A scope that was spared before
 * keeps its age, since its artifacts may still bear the older stamp.
 */
export function sparedByRaise(spares: readonly ScopeKey[], present: ScopeState): Stamps {
  return Object.fromEntries(spares.map((key) => [key, present.spared[key] ?? present.epoch]));
}

/** The scope whose epoch a Sign-out of this kind raises, and whose record carries it while it is pending. */
export function raisedBy(scope: SignOutScope): ScopeKey {
  switch (scope.kind) {
    case 'everyone':
      return 'everyone';
    case 'client':
      return `client:${scope.clientId}`;
    case 'connection':
      return `connection:${scope.connectionId}`;
    case 'account':
    case 'account-except':
      return `account:${scope.accountId}`;
    case 'identity':
      return `identity:${scope.subject}`;
    case 'upstream':
      return `upstream:${scope.upstreamSession}`;
    case 'device':
      return `grant:${scope.grantId}`;
    case 'browser':
      return `session:${scope.sessionUid}`;
  }
}
