/** Leases in SQLite: an instant in the row itself, and what makes one that was never given back free again. */

/** A lease that ends later than this after now was not given by this clock: it was set back since, and its holder is gone. */
const LONGEST_LEASE_MS = 120_000;

/** Whether nobody holds it: `now` and `far` name the parameters with the instants that a lease lies outside of then. */
export const free = (now: string, far: string): string => `(lease_until <= ${now} OR lease_until > ${far})`;

export const farFrom = (now: Date): number => now.getTime() + LONGEST_LEASE_MS;
