/**
 * One attempt: a fresh Logout Token, posted once (Back-Channel Logout §2.5).
 *
 * Keeps two promises: the token is made for this attempt and for no other, and nothing is posted unless the lease
 * outlasts the post, so that no two workers post the same Delivery at the same time. It refuses to know what an answer
 * means.
 */
import type { Clock } from '../platform/clock.ts';
import { addSeconds } from '../platform/clock.ts';
import type { Outbound } from '../platform/outbound-http.ts';
import type { LeasedDelivery } from '../store/records.ts';
import type { AttemptResult } from './retry.ts';

/**
 * Makes a Logout Token with its own `jti`, `iat` and `exp`, and says where it goes. `gone`: the Client was deleted or has
 * no `backchannel_logout_uri` any more. `sid` null: the token names the subject alone.
 */
export type MintLogoutToken = (about: {
  readonly clientId: string;
  readonly accountId: string;
  readonly sid: string | null;
}) => Promise<{ readonly uri: string; readonly token: string } | { readonly gone: true }>;

/** An attempt that was made; `seconds` from sending to hearing. `detail` is for the log: safe to show, never kept. */
export type Attempt = {
  readonly result: AttemptResult;
  readonly seconds: number;
  readonly endedAt: Date;
  readonly detail?: string;
  readonly error?: Error;
};

/** A post takes at most 5 s; with less than this left, the lease could end during it. */
const SHORTEST_LEASE_SECONDS = 10;

/** Makes one attempt. Null when it was not made because the lease runs out. Never rejects. */
export async function attemptDelivery(
  delivery: LeasedDelivery,
  {
    mint,
    post,
    clock,
    signal,
  }: {
    readonly mint: MintLogoutToken;
    readonly post: Outbound['post'];
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Attempt | null> {
  let startedAt = clock.now();
  const ended = (result: AttemptResult): Attempt => {
    const endedAt = clock.now();
    return { result, seconds: (endedAt.getTime() - startedAt.getTime()) / 1000, endedAt };
  };
  try {
    const { clientId, accountId, sid } = delivery;
    const minted = await mint({ clientId, accountId, sid });
    if ('gone' in minted) return ended({ kind: 'gone' });
    startedAt = clock.now();
    // Asked last: waiting for its turn took time, and so may have minting, which reads the store.
    if (leaseRunsOut(delivery, startedAt)) return null;
    const outcome = await post(minted.uri, { form: { logout_token: minted.token }, signal });
    return { ...ended(outcome), ...(outcome.kind === 'failed' && { detail: outcome.detail }) };
  } catch (cause) {
    return { ...ended({ kind: 'fault' }), error: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

function leaseRunsOut(delivery: LeasedDelivery, now: Date): boolean {
  return delivery.leaseUntil < addSeconds(now, SHORTEST_LEASE_SECONDS);
}
