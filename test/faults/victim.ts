/**
 * A real Curfew in a process of its own, there to be killed. Its parent tells it when to start and at which point of a
 * Sign-out to die; it dies by SIGKILL, so nothing of it is tidied up.
 */
import type { Seams } from '../../src/compose.ts';
import { startServer, type RunningServer } from '../../src/server.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { readConfig } from '../../src/config/read.ts';
import type { Store } from '../../src/store/port.ts';
import { createGates, type Side } from '../support/gates.ts';

/** Where it dies; `hold-fan-out` says that it got there, and waits for what its parent does. */
export type Gate =
  | 'before-commit'
  | 'before-answer'
  | 'hold-fan-out'
  | 'before-fan-out'
  | 'between-batches'
  | 'half-batch'
  | 'before-complete'
  | 'before-outcome';

export type Orders = {
  /** `quiet`: delivers nothing meanwhile. */
  start: { file: string; secondsAhead: number; gate: Gate | null; quiet: boolean };
  /** `write`: dies at that one of the calls by which requests change the store from now on. */
  arm: { gate: Gate | null; write?: { position: number; side: Side } };
  createPerson: { username: string; email: string; password: string };
  settle: object;
};
export type Answers = {
  start: { milliseconds: number };
  arm: object;
  createPerson: { id: string };
  settle: { pending: number; delivered: number; dead: number };
};
export type Order = { [Kind in keyof Orders]: { id: number; kind: Kind } & Orders[Kind] }[keyof Orders];
export type Word = { id: number; answer?: unknown; fault?: string } | { reached: Gate };

const CHEAP_HASHING = { memoryKiB: 1024, iterations: 1, parallelism: 1 };
/** Small, so that two Client Sessions are several batches. */
const BATCH = 1;

const calls = createGates();
let gate: Gate | null = null;
let quiet = false;
let server: RunningServer | undefined;
const say = (word: Word): void => void process.send?.(word);

/** What only looks leaves nothing behind: a death there is one at the next write. */
const LOOKS =
  /\.(find|list|count$|epochs|stand|moved|signedOutAt|clientSessionsOf|sessionsOf|identitiesOf|fact$|throttle$)/;

function dieAtWrite({ position, side }: { position: number; side: Side }): void {
  let nth = 0;
  void calls.set(({ method }) => !LOOKS.test(method) && nth++ === position, side).reached.then(die);
}

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

function gated(store: Store): Store {
  const { accounts, revocations, deliveries } = store;
  const aroundCommit = async <Result>(commit: () => Promise<Result>): Promise<Result> => {
    if (gate === 'before-commit') return die();
    const result = await commit();
    return gate === 'before-answer' ? die() : result;
  };
  return {
    ...store,
    accounts: {
      ...accounts,
      setPassword: (change) =>
        change.signOut === undefined ? accounts.setPassword(change) : aroundCommit(() => accounts.setPassword(change)),
    },
    revocations: {
      ...revocations,
      signOut: (request) => aroundCommit(() => revocations.signOut(request)),
      async pendingSignOuts(limit) {
        const pending = await revocations.pendingSignOuts(limit);
        if (pending.length === 0) return pending;
        if (gate === 'before-fan-out') return die();
        if (gate === 'hold-fan-out') {
          say({ reached: gate });
          return new Promise(() => {});
        }
        return pending;
      },
      sessionsToEnd: (signOut, page) =>
        revocations.sessionsToEnd(signOut, { ...page, limit: page.limit === 200 ? BATCH : page.limit }),
      async fanOut(batch) {
        // What an engine without transactions may leave behind: Deliveries written, Client Sessions not marked.
        if (gate === 'half-batch') return revocations.fanOut({ ...batch, ended: [] }).then(die);
        await revocations.fanOut(batch);
        if (gate === 'between-batches') return die();
      },
      completeSignOut: (signOut) => (gate === 'before-complete' ? die() : revocations.completeSignOut(signOut)),
    },
    deliveries: {
      ...deliveries,
      clientsDue: async (now) => (quiet ? [] : deliveries.clientsDue(now)),
      settle: (outcome) => (gate === 'before-outcome' ? die() : deliveries.settle(outcome)),
    },
  };
}

async function obey(order: Order): Promise<unknown> {
  if (order.kind === 'start') {
    const began = performance.now();
    ({ gate, quiet } = order);
    const reading = readConfig({ file: order.file, env: {} });
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    const clock = { ...systemClock, now: () => new Date(Date.now() + order.secondsAhead * 1000) };
    const wrapStore = (store: Store): Store => calls.wrapStore(gated(store));
    const seams: Seams = { clock, wrapStore, hashFloor: CHEAP_HASHING };
    const log = createLog({ level: 'error', destination: 'stderr' });
    server = await startServer({ ...reading.config, passwordHashing: CHEAP_HASHING }, log, seams);
    return { milliseconds: performance.now() - began };
  }
  if (order.kind === 'arm') {
    ({ gate } = order);
    if (order.write === undefined) calls.count();
    else dieAtWrite(order.write);
    return {};
  }
  if (server === undefined) throw new Error('not started');
  const { signIn, accounts, fanOut, deliveries, store } = server.core;
  switch (order.kind) {
    case 'createPerson': {
      const hashed = await signIn.hashNewPassword(order);
      const created = 'hash' in hashed ? await accounts.create({ ...order, passwordHash: hashed.hash }) : hashed;
      if (!('account' in created)) throw new Error(JSON.stringify(created));
      return { id: created.account.id };
    }
    case 'settle': {
      await fanOut.runUntilIdle();
      await deliveries.runUntilIdle();
      const { pending, delivered, rejected, abandoned } = await store.deliveries.counts({});
      return { pending, delivered, dead: rejected + abandoned };
    }
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => say({ id: order.id, answer }),
    (fault: unknown) =>
      say({ id: order.id, fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }),
  );
});
// Nobody is left to kill it.
process.on('disconnect', () => process.exit(0));
