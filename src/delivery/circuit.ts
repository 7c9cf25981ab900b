/**
 * A circuit per Client, so that one that cannot be reached costs little.
 *
 * After five transport failures in a row it opens for a second, then for twice as long each time, up to a minute; when
 * that is over it is half-open and lets one Delivery through, whose answer closes it and whose failure opens it again.
 * Any answer closes it, a refusal too: it is about being reachable, not about being willing. An open circuit only holds
 * claims back: Deliveries stay pending and unleased, and what becomes of them is for the retry table alone.
 *
 * Process-local on purpose: it remembers how the network looks from here, is cheap to learn again after a restart, and
 * sharing it would let one node's broken network silence the others. Pure: time arrives as an argument.
 */
import { addSeconds } from '../platform/clock.ts';

/** A circuit at rest is `closedCircuit`. Values, never changed in place. */
export type Circuit = {
  /** Transport failures in a row. */
  readonly failures: number;
  readonly openUntil: Date | null;
};

export type CircuitState = 'closed' | 'open' | 'half-open';

export const closedCircuit: Circuit = { failures: 0, openUntil: null };

const FAILURES_UNTIL_OPEN = 5;
const LONGEST_OPEN_SECONDS = 60;

/** How the circuit stands at `now`. */
export function circuitState({ openUntil }: Circuit, now: Date): CircuitState {
  if (openUntil === null) return 'closed';
  // Further ahead than any circuit ever opens: the clock was set back meanwhile, and nobody should wait for it.
  if (openUntil > addSeconds(now, LONGEST_OPEN_SECONDS)) return 'half-open';
  return now < openUntil ? 'open' : 'half-open';
}

/** The circuit after a transport failure. One that comes late, while it is open already, changes nothing. */
export function afterFailure(circuit: Circuit, now: Date): Circuit {
  if (circuitState(circuit, now) === 'open') return circuit;
  const failures = circuit.failures + 1;
  if (failures < FAILURES_UNTIL_OPEN) return { failures, openUntil: null };
  const seconds = Math.min(2 ** (failures - FAILURES_UNTIL_OPEN), LONGEST_OPEN_SECONDS);
  return { failures, openUntil: addSeconds(now, seconds) };
}
