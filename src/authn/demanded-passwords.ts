/**
 * A new password demanded of everyone, by one write.
 *
 * Invariant: once `demand` has resolved, no password set no later than its instant lets anybody in, on any process, however
 * many accounts there are. A check that read before the demand was written has noted its epochs before that, so the sign-out
 * of everyone that follows ends what it begins: demand first, then sign out. An account's own demand is kept with the account.
 */
import type { CatalogueRepository } from '../store/port.ts';

const FACT = 'passwords-demanded-at';

export type DemandedPasswords = {
  /** Null when none was ever demanded of everyone. */
  demandedAt(): Promise<Date | null>;
  /** The later instant stays. */
  demand(at: Date): Promise<void>;
};

export function createDemandedPasswords(
  catalogue: Pick<CatalogueRepository, 'fact' | 'changeFact'>,
): DemandedPasswords {
  return {
    async demandedAt() {
      const kept = await catalogue.fact(FACT);
      return kept === null ? null : new Date(kept);
    },
    async demand(at) {
      for (;;) {
        const from = await catalogue.fact(FACT);
        if (from !== null && new Date(from) >= at) return;
        if (await catalogue.changeFact({ fact: FACT, from, to: at.toISOString() })) return;
      }
    },
  };
}

/** The later of two demands, for those who look at both. */
export const laterDemand = (one: Date | null, other: Date | null): Date | null =>
  one === null || (other !== null && other > one) ? other : one;

/** When a password is put, for whoever knew of this demand: it lets its owner in although a clock set back says it is older. */
export const laterThan = (demanded: Date | null, now: Date): Date =>
  demanded !== null && demanded >= now ? new Date(demanded.getTime() + 1) : now;
