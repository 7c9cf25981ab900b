/**
 * What one request has seen of the epochs, so that whatever it makes is stamped with that and never with "now".
 *
 * Invariant: first seen wins. A refresh, a code exchange or a sign-in that began before a Sign-out and finishes after it
 * yields artifacts stamped with the older epoch, and those are dead when they are born. Work outside a lineage can read,
 * but cannot stamp.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

import type { ScopeKey, Stamps } from '../store/records.ts';
import { stampEntries } from '../store/standing.ts';
import type { DeviceTraits } from './device.ts';

/** How the person of this request proved who they are; travels from the sign-in page through the Interaction. */
export type SignInProof = {
  /** Milliseconds since the Unix epoch, taken before the credential was verified. */
  readonly signedInAt: number;
  readonly admin: boolean;
  /** The browser it was proven in, as its owner will recognise it. */
  readonly device: DeviceTraits;
  /** The Connection that vouched, if one did, and how its provider names the session and the person to its own logout. */
  readonly upstream?: UpstreamSession;
  /** When the person last proved who they are, which a session upstream may have remembered since. Absent: just now. */
  readonly authenticatedAt?: number;
};

/** What a browser's Session remembers of the provider it came through. */
export type UpstreamSession = {
  readonly connectionId: string;
  readonly logout: Readonly<Record<string, string | null>> | null;
};

type Lineage = { readonly seen: Map<ScopeKey, number>; proof: SignInProof | undefined };

const current = new AsyncLocalStorage<Lineage>();

/** Runs one request, or one piece of work, with a lineage of its own. */
export function withLineage<Result>(work: () => Result): Result {
  return current.run({ seen: new Map(), proof: undefined }, work);
}

/** Remembers epochs as they were just read. Outside a lineage there is nothing to remember for. */
export function noteEpochs(epochs: Stamps): void {
  const lineage = current.getStore();
  if (lineage === undefined) return;
  for (const [key, epoch] of stampEntries(epochs)) if (!lineage.seen.has(key)) lineage.seen.set(key, epoch);
}

/** Everything seen so far. */
export function seenEpochs(): Stamps {
  return Object.fromEntries(current.getStore()?.seen ?? []);
}

/** Whoever vouched for somebody in this request: a Connection, the Identity there, its provider's own session. */
export function seenVouchers(): ScopeKey[] {
  return [...(current.getStore()?.seen.keys() ?? [])].filter((key) => /^(connection|identity|upstream):/.test(key));
}

/** Stamping was asked for by work that did not see the epoch it needs: a fault of ours, and refused. */
export class LineageIncomplete extends Error {
  override readonly name = 'LineageIncomplete';
}

/**
 * Stamps for these scopes. A Session or Grant that nobody has read in this request was made by it, and stands at 0 by
 * construction; of every other scope the epoch must have been seen.
 */
export function stampsFor(keys: readonly ScopeKey[]): Stamps {
  const lineage = current.getStore();
  if (lineage === undefined) throw new LineageIncomplete('no lineage: nothing may be stamped here');
  return Object.fromEntries(
    keys.map((key) => {
      const seen = lineage.seen.get(key) ?? (/^(session|grant):/.test(key) ? 0 : undefined);
      if (seen === undefined) throw new LineageIncomplete(`the epoch of a ${key.split(':')[0]} was never read`);
      return [key, seen];
    }),
  );
}

/** `auth_time` of a sign-in (OpenID Connect Core §2), in seconds: when the person authenticated, wherever that was. */
export function authTimeOf({ signedInAt, authenticatedAt = signedInAt }: SignInProof): number {
  return Math.floor(Math.min(signedInAt, authenticatedAt) / 1000);
}

/** Keeps the proof of this request's sign-in for whoever saves the Session. */
export function noteProof(proof: SignInProof): void {
  const lineage = current.getStore();
  if (lineage !== undefined) lineage.proof = proof;
}

export function seenProof(): SignInProof | undefined {
  return current.getStore()?.proof;
}
