/**
 * Who goes next: the leased Deliveries a worker holds, in one lane per Client.
 *
 * Keeps these bounds: at most `perClient` of a Client and `concurrency` altogether in flight; lanes take turns; and a
 * Client in doubt (its last attempt found no answer, or a slow one) never holds more than it can have in flight, nor all
 * such Clients together more than half of the places, so that the prompt ones always find a free one. A Client is met
 * with as many Deliveries as it may have in flight, and in batches once it has answered promptly. Memory only, and
 * bounded: what is held would be through before its lease ends even if every attempt timed out. It refuses to know
 * store, network and outcome.
 */
import type { LeasedDelivery } from '../store/records.ts';
import { afterFailure, circuitState, closedCircuit, type Circuit } from './circuit.ts';

/** How many Deliveries to claim for a Client now. */
export type Wanted = { readonly clientId: string; readonly limit: number };

/** What an attempt told about its Client: it answered, could not be reached, is gone, or nothing was learnt. */
export type Sign = 'answered' | 'unreachable' | 'gone' | 'nothing';

/** What became of the Client's circuit. */
export type Learnt =
  | { readonly circuit: 'unchanged' | 'closed' }
  | { readonly circuit: 'opened'; readonly openUntil: Date; readonly untried: readonly LeasedDelivery[] };

export type OpenCircuit = { readonly clientId: string; readonly openUntil: Date };

type Lane = {
  readonly clientId: string;
  queue: LeasedDelivery[];
  inFlight: number;
  circuit: Circuit;
  trust: 'unknown' | 'prompt' | 'doubtful';
  /** The store is known or likely to owe this Client more than is held here. */
  more: boolean;
};

const BATCH = 8;
/** Leases held per place in flight: 64 places hold 256, which time out in 4 × 5 s. */
const HELD_PER_PLACE = 4;
const PROMPT_SECONDS = 1;

/** Empty lanes. */
export function createLanes({ concurrency, perClient }: { concurrency: number; perClient: number }) {
  const lanes = new Map<string, Lane>();
  /** Lanes with a queue, whose turn comes in this order. */
  const waiting = new Set<Lane>();
  const busy = new Set<Lane>();
  const mostHeld = concurrency * HELD_PER_PLACE;
  const doubtfulShare = Math.max(1, Math.floor(concurrency / 2));
  let inFlight = 0;
  let queued = 0;
  /** Somebody was owed a Delivery and found no room. */
  let starved = false;
  let lastPlanned = '';

  const heldBy = (lane: Lane): number => lane.queue.length + lane.inFlight;

  function laneOf(clientId: string): Lane {
    let lane = lanes.get(clientId);
    if (lane === undefined) {
      lane = { clientId, queue: [], inFlight: 0, circuit: closedCircuit, trust: 'unknown', more: false };
      lanes.set(clientId, lane);
    }
    return lane;
  }

  function roomIn(lane: Lane, now: Date): number {
    switch (circuitState(lane.circuit, now)) {
      case 'open':
        return 0;
      case 'half-open':
        return Math.max(0, 1 - heldBy(lane));
      case 'closed':
        // The next batch of a prompt Client is fetched a little before it is needed.
        if (lane.trust === 'prompt') return lane.queue.length < perClient ? BATCH - lane.queue.length : 0;
        return Math.max(0, perClient - heldBy(lane));
    }
  }

  function doubtful(count: (lane: Lane) => number): number {
    let sum = 0;
    for (const lane of new Set([...busy, ...waiting])) if (lane.trust === 'doubtful') sum += count(lane);
    return sum;
  }

  /** Every client in turn, whoever came after the last one planned for first. */
  function inTurn(clientIds: readonly string[]): readonly string[] {
    const sorted = clientIds.toSorted();
    const start = sorted.findIndex((clientId) => clientId > lastPlanned);
    return start <= 0 ? sorted : [...sorted.slice(start), ...sorted.slice(0, start)];
  }

  function emptied(lane: Lane): readonly LeasedDelivery[] {
    const { queue } = lane;
    lane.queue = [];
    queued -= queue.length;
    waiting.delete(lane);
    return queue;
  }

  function forgetIdle(due: readonly string[]): void {
    const owed = new Set(due);
    for (const [clientId, lane] of lanes) {
      if (!owed.has(clientId) && heldBy(lane) === 0 && lane.circuit.failures === 0) lanes.delete(clientId);
    }
  }

  return {
    /** What to claim for the Clients that are due. Held until `add` says what came of it. */
    plan(due: readonly string[], now: Date): readonly Wanted[] {
      forgetIdle(due);
      let room = mostHeld - inFlight - queued;
      let doubtfulRoom = doubtfulShare - doubtful(heldBy);
      starved = false;
      const wanted: Wanted[] = [];
      for (const clientId of inTurn(due)) {
        const lane = laneOf(clientId);
        lane.more = true;
        const asked = roomIn(lane, now);
        const limit = Math.min(asked, room, lane.trust === 'doubtful' ? doubtfulRoom : asked);
        if (asked > 0 && limit <= 0) starved = true;
        if (limit <= 0) continue;
        room -= limit;
        if (lane.trust === 'doubtful') doubtfulRoom -= limit;
        wanted.push({ clientId, limit });
      }
      lastPlanned = wanted.at(-1)?.clientId ?? lastPlanned;
      return wanted;
    },

    /** Takes in what was claimed. */
    add({ clientId, limit }: Wanted, leased: readonly LeasedDelivery[]): void {
      const lane = laneOf(clientId);
      lane.more = leased.length >= limit;
      lane.queue.push(...leased);
      queued += leased.length;
      if (lane.queue.length > 0) waiting.add(lane);
    },

    /** The next Delivery that may leave, now in flight; null when none may. */
    next(): LeasedDelivery | null {
      if (inFlight >= concurrency) return null;
      let doubtfulInFlight: number | undefined;
      for (const lane of waiting) {
        if (lane.inFlight >= perClient) continue;
        if (lane.trust === 'doubtful') {
          doubtfulInFlight ??= doubtful((each) => each.inFlight);
          if (doubtfulInFlight >= doubtfulShare) continue;
        }
        waiting.delete(lane);
        const delivery = lane.queue.shift();
        if (delivery === undefined) continue;
        if (lane.queue.length > 0) waiting.add(lane);
        lane.inFlight += 1;
        busy.add(lane);
        inFlight += 1;
        queued -= 1;
        return delivery;
      }
      return null;
    },

    /**
     * Learns from an attempt that took `seconds` and ended at `now`. When that opens the circuit, what was still queued
     * comes back in `untried`, to be released.
     */
    learn(clientId: string, { sign, seconds, now }: { sign: Sign; seconds: number; now: Date }): Learnt {
      const lane = laneOf(clientId);
      const before = lane.circuit;
      switch (sign) {
        case 'nothing':
          break;
        case 'gone':
          lane.circuit = closedCircuit;
          break;
        case 'answered':
          lane.circuit = closedCircuit;
          lane.trust = seconds <= PROMPT_SECONDS ? 'prompt' : 'doubtful';
          break;
        case 'unreachable':
          lane.circuit = afterFailure(before, now);
          lane.trust = 'doubtful';
          break;
      }
      const { openUntil } = lane.circuit;
      if (openUntil === before.openUntil) return { circuit: 'unchanged' };
      if (openUntil === null) return { circuit: 'closed' };
      return { circuit: 'opened', openUntil, untried: emptied(lane) };
    },

    /** An attempt is over and its place free. True when it is time to claim more. */
    finished(clientId: string): boolean {
      const lane = laneOf(clientId);
      lane.inFlight -= 1;
      inFlight -= 1;
      if (lane.inFlight === 0) busy.delete(lane);
      if (inFlight + queued === 0) return true;
      if (lane.more && lane.queue.length < perClient) return true;
      return starved && (lane.trust === 'doubtful' || inFlight + queued <= mostHeld / 2);
    },

    /** Empties every queue, to be released. */
    takeAll(): readonly LeasedDelivery[] {
      return [...lanes.values()].flatMap(emptied);
    },

    inFlight: () => inFlight,
    queued: () => queued,

    /** Clients whose circuit is open at `now`, and until when. */
    openCircuits(now: Date): readonly OpenCircuit[] {
      return [...lanes.values()].flatMap(({ clientId, circuit }) =>
        circuit.openUntil !== null && circuitState(circuit, now) === 'open'
          ? [{ clientId, openUntil: circuit.openUntil }]
          : [],
      );
    },
  };
}
