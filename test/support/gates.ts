/**
 * Gates between the house and its store: the nth call that a request makes can be held, and something else be let happen
 * meanwhile. What runs outside requests (the test itself, fan-out, deliveries, key reload) passes freely and is not counted.
 */
import { LineageIncomplete, stampsFor } from '../../src/oidc/lineage.ts';
import type { Store } from '../../src/store/port.ts';

/** One call of a request to the store, and what it resolved to. */
export type Call = { readonly method: string; readonly args: readonly unknown[]; result?: unknown };

export type Gate = {
  /** Resolves when the call is held. Never, if the request makes fewer. */
  readonly reached: Promise<Call>;
  /** The calls that were begun since the gate was set, the held one included. */
  readonly calls: readonly Call[];
  open(): void;
};

/** `before`: the call has not been made. `after`: it has, and its caller does not know yet. */
export type Side = 'before' | 'after';

export type Gates = {
  /** Give this to `seams.wrapStore`. */
  readonly wrapStore: (store: Store) => Store;
  /** Sets a gate at the nth call from now, or at the first that fits. One gate at a time. */
  set(at: number | ((call: Call) => boolean), side?: Side): Gate;
  /** Counts calls without holding any. */
  count(): { readonly calls: readonly Call[] };
};

/** Background work started by a request carries its lineage along; it is not the request. */
const BACKGROUND = new Set([
  'revocations.pendingSignOuts',
  'revocations.leaseSignOut',
  'revocations.sessionsToEnd',
  'revocations.fanOut',
  'revocations.completeSignOut',
]);

/** `counts`: whether a call is made, right now, by the one that is to be held. */
export function createGates(counts: (call: Call) => boolean = inRequest): Gates {
  type Armed = {
    readonly at: (call: Call, index: number) => boolean;
    readonly side: Side;
    readonly calls: Call[];
    readonly hold: (call: Call) => Promise<void>;
  };
  let armed: Armed | undefined;

  const through = async (call: Call, work: () => Promise<unknown>): Promise<unknown> => {
    const gate = armed;
    if (gate === undefined || BACKGROUND.has(call.method) || call.method.startsWith('deliveries.') || !counts(call))
      return work();
    const index = gate.calls.push(call) - 1;
    const holds = gate.at(call, index);
    if (holds && gate.side === 'before') await gate.hold(call);
    call.result = await work();
    if (holds && gate.side === 'after') await gate.hold(call);
    return call.result;
  };
  const gated = <Repository extends object>(name: string, repository: Repository): Repository =>
    new Proxy(repository, {
      get(target, property, receiver) {
        const member = Reflect.get(target, property, receiver) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) =>
          through(
            { method: `${name}.${String(property)}`, args },
            async () => Reflect.apply(member, target, args) as unknown,
          );
      },
    });

  return {
    wrapStore: (store) => ({
      ...store,
      accounts: gated('accounts', store.accounts),
      catalogue: gated('catalogue', store.catalogue),
      artifacts: gated('artifacts', store.artifacts),
      revocations: gated('revocations', store.revocations),
      deliveries: gated('deliveries', store.deliveries),
      cohorts: gated('cohorts', store.cohorts),
      incidents: gated('incidents', store.incidents),
      seals: gated('seals', store.seals),
    }),
    set(at, side = 'before') {
      const reached = Promise.withResolvers<Call>();
      const opened = Promise.withResolvers<void>();
      let held = false;
      const gate: Armed = {
        at: (call, index) => !held && (typeof at === 'number' ? index === at : at(call)) && (held = true),
        side,
        calls: [],
        async hold(call) {
          reached.resolve(call);
          await opened.promise;
        },
      };
      armed = gate;
      return { reached: reached.promise, calls: gate.calls, open: () => opened.resolve() };
    },
    count() {
      const gate: Armed = { at: () => false, side: 'before', calls: [], hold: async () => {} };
      armed = gate;
      return gate;
    },
  };
}

function inRequest(): boolean {
  try {
    stampsFor([]);
    return true;
  } catch (fault) {
    if (fault instanceof LineageIncomplete) return false;
    throw fault;
  }
}

/** Whether one of these calls read how this scope stands: whatever the request makes is stamped with what it saw then. */
export function saw(calls: readonly Call[], key: string): boolean {
  return calls.some(({ method, result }) => {
    if (typeof result !== 'object' || result === null) return false;
    const epochs = method === 'revocations.epochs' ? result : 'epochs' in result ? result.epochs : undefined;
    return typeof epochs === 'object' && epochs !== null && key in epochs;
  });
}

/** One way through a race: where the request was held, and what it had done by then. */
export type Step = {
  readonly position: number;
  /** Undefined when it had answered. */
  readonly held: Call | undefined;
  /** The last call was made; only the answer was not out yet. */
  readonly last: boolean;
  readonly passed: readonly Call[];
};

/**
 * Runs the same race once for each call the request makes, held before that call while `meanwhile` happens; then once
 * held after the last call, its answer not yet out; then once after the answer. Resolves to how many calls there were.
 */
export async function atEveryStep<Subject, Outcome>(
  gates: Gates,
  race: {
    readonly prepare: () => Promise<Subject>;
    readonly request: (subject: Subject) => Promise<Outcome>;
    readonly meanwhile: (subject: Subject) => Promise<unknown>;
    readonly afterwards: (subject: Subject, outcome: Outcome, step: Step) => Promise<void>;
  },
): Promise<number> {
  const once = async (position: number, side: Side): Promise<boolean> => {
    const subject = await race.prepare();
    const gate = gates.set(position, side);
    const answer = race.request(subject);
    const held = await Promise.race([gate.reached, answer.then(() => undefined)]);
    if (held === undefined) gate.open();
    // Calls made at the same time as the held one come to their end.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    const passed = gate.calls.filter((call) => call !== held || side === 'after');
    await race.meanwhile(subject);
    gate.open();
    const outcome = await answer;
    try {
      await race.afterwards(subject, outcome, { position, held, last: side === 'after', passed });
    } catch (fault) {
      const where = held === undefined ? 'after the answer' : `${side} call ${position}, ${held.method}`;
      if (fault instanceof Error) fault.message = `${where}: ${fault.message}`;
      throw fault;
    }
    return held !== undefined;
  };
  let position = 0;
  while (await once(position, 'before')) position += 1;
  if (position > 0) await once(position - 1, 'after');
  return position;
}
