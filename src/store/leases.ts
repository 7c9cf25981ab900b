/**
 * Being the one process that does something, as the store keeps it: part of the port.
 *
 * For work that must not be done by several at once only because that would be waste or noise; what must be right when two
 * do it all the same is decided by a compare-and-set of its own.
 */
export type LeaseRepository = {
  /**
   * Takes the lease of this name, or goes on holding it, until `leaseUntil`, which is at most 120 s after `now`: false when
   * another holder has it. One that ends later than that was given before the clock was set back, and is free.
   */
  hold(lease: {
    readonly name: string;
    readonly holder: string;
    readonly now: Date;
    readonly leaseUntil: Date;
  }): Promise<boolean>;
  /** Gives it back; nothing happens when another has it by now. */
  release(lease: { readonly name: string; readonly holder: string }): Promise<void>;
};
