/**
 * A house with nothing but accounts in it: a real store in a folder of its own, a real keyring, a clock that stands still,
 * and a hasher whose work can be counted and held open. Real hashing is tested in password-hash.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { createDemandedPasswords } from '../../src/authn/demanded-passwords.ts';
import type { PasswordHasher } from '../../src/authn/password-hash.ts';
import { createPasswordPolicy } from '../../src/authn/password-policy.ts';
import { createSignIn } from '../../src/authn/sign-in.ts';
import { createThrottle } from '../../src/authn/throttle.ts';
import { openKeyring } from '../../src/platform/keyring.ts';
import type { Log } from '../../src/platform/log.ts';
import type { AccountRepository, Store } from '../../src/store/port.ts';
import type { ThrottleRecord } from '../../src/store/records.ts';
import { start } from './records.ts';
import { storeUnderTest } from './store-under-test.ts';

export const keyring = openKeyring({
  version: 1,
  index: Buffer.alloc(32, 1).toString('base64url'),
  keys: [{ version: 1, root: Buffer.alloc(32, 2).toString('base64url'), createdAt: '2031-01-01T00:00:00.000Z' }],
});

/** A clock moved by hand. */
export function standingClock() {
  let now = start;
  return { now: () => now, pass: (seconds: number) => void (now = new Date(now.getTime() + seconds * 1000)) };
}

/** A promise that a test settles when it wants to. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { closed: promise, open: () => resolve() };
}

/** Resolves once everything that can go on without time passing, files and hashing included, has been begun. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

type PlainHasher = PasswordHasher & {
  /** One word for each piece of work done. */
  readonly work: string[];
  /** What new hashes begin with; older ones that begin otherwise are weaker. */
  strength: string;
  /** Awaited inside each check. */
  hold: () => Promise<void>;
  overloaded: boolean;
};

/** Hashes that can be read. */
function plainHasher(): PlainHasher {
  const check = async (ok: (strength: string) => { ok: boolean; weaker: boolean }) => {
    if (hasher.overloaded) return { refused: 'overloaded' as const, retryAfterSeconds: 7 };
    hasher.work.push('verify');
    await hasher.hold();
    return ok(`${hasher.strength}:`);
  };
  const hasher: PlainHasher = {
    work: [],
    strength: 'strong',
    hold: async () => {},
    overloaded: false,
    async hash(password) {
      hasher.work.push('hash');
      return { hash: `${hasher.strength}:${password}` };
    },
    verify: (hash, password) =>
      check((strength) => {
        const ok = hash.slice(hash.indexOf(':') + 1) === password;
        return { ok, weaker: ok && !hash.startsWith(strength) };
      }),
    async verifyNothing() {
      const outcome = await check(() => ({ ok: false, weaker: false }));
      return 'refused' in outcome ? outcome : { ok: false, weaker: false };
    },
  };
  return hasher;
}

/** A log that keeps the names of events, and their fields. */
export function keptLog() {
  const events: { event: string; fields: Record<string, unknown> }[] = [];
  const keep = (fields: Record<string, unknown> | string, event?: string): void => {
    events.push(typeof fields === 'string' ? { event: fields, fields: {} } : { event: event ?? '', fields });
  };
  const log: Pick<Log, 'warn'> = { warn: keep };
  return { log, events };
}

type Counters = Pick<AccountRepository, 'throttle' | 'addFailure' | 'clearFailures' | 'countAttempt'>;

/** Counters that cost no disk, for tests that fail a hundred times. What they keep to: test/store/conformance/throttling.ts. */
export function memoryCounters(): Counters {
  const failures = new Map<string, ThrottleRecord>();
  const attempts = new Map<string, { windowStart: number; count: number }>();
  const of = (key: string): ThrottleRecord => failures.get(key) ?? { failures: 0, blockedUntil: null };
  return {
    throttle: async (key) => of(key),
    async addFailure({ key, now, delaySeconds }) {
      const count = of(key).failures + 1;
      const record = { failures: count, blockedUntil: new Date(now.getTime() + delaySeconds(count) * 1000) };
      failures.set(key, record);
      return record;
    },
    clearFailures: async (key) => void failures.delete(key),
    async countAttempt({ key, windowStart }) {
      const before = attempts.get(key);
      const count = before?.windowStart === windowStart.getTime() ? before.count + 1 : 1;
      attempts.set(key, { windowStart: windowStart.getTime(), count });
      return count;
    },
  };
}

/** A store of its own, removed when the test ends. `open` gives another handle, as another process would hold it. */
export async function emptyStore() {
  const folder = await mkdtemp(join(tmpdir(), 'curfew-authn-'));
  const database = await storeUnderTest(folder);
  onTestFinished(async () => {
    await database.dispose();
    await rm(folder, { recursive: true, force: true });
  });
  const open = async (): Promise<Store> => {
    const store = await database.open();
    onTestFinished(() => store.close());
    return store;
  };
  return { folder, database, open, store: await open() };
}

export const PASSWORD = 'nine purple otters';

/** Alice is there, with `PASSWORD`. `signInFrom` composes another process over the same data. */
export async function authnWorld(options: { addressAttemptsPerMinute?: number; waitingPerBudget?: number } = {}) {
  const { store: disk, open } = await emptyStore();
  const store: Store = { ...disk, accounts: { ...disk.accounts, ...memoryCounters() } };
  const clock = standingClock();
  const hasher = plainHasher();
  const { log, events } = keptLog();
  const policy = createPasswordPolicy({ issuer: 'https://id.house.test', blocklist: { has: () => false } });
  const accounts = createAccounts({ store: store.accounts, keyring, clock });

  const signInFrom = (handle: Pick<Store, 'accounts'>) => {
    const throttle = createThrottle({
      store: handle.accounts,
      keyring,
      clock,
      log,
      addressAttemptsPerMinute: options.addressAttemptsPerMinute ?? 1_000_000,
      ...(options.waitingPerBudget === undefined ? {} : { waitingPerBudget: options.waitingPerBudget }),
    });
    const demands = createDemandedPasswords(disk.catalogue);
    return createSignIn({ store: handle.accounts, accounts, demands, throttle, hasher, policy, clock, log });
  };

  const addAccount = async (username: string, password: string | null = PASSWORD) => {
    const created = await accounts.create({
      username,
      email: `${username}@mail.test`,
      ...(password === null ? {} : { passwordHash: `strong:${password}` }),
    });
    if ('refused' in created) throw new Error(created.problem);
    return created.account;
  };

  const alice = await addAccount('alice');
  const signIn = signInFrom(store);
  const noteEpoch = async (accountId: string): Promise<void> => {
    await store.revocations.epochs([`account:${accountId}`]);
  };
  const address = '192.0.2.7';

  return {
    store,
    open,
    clock,
    hasher,
    events,
    accounts,
    alice,
    addAccount,
    signIn,
    signInFrom,
    noteEpoch,
    /** Tries a password as a stranger would. */
    guess: (identifier: string, password: string, knownDevice?: string) =>
      signIn.verifyPassword({ identifier, password, address, noteEpoch, knownDevice }),
    guessAgain: (accountId: string, password: string) =>
      signIn.verifyAgain({ accountId, password, address, noteEpoch }),
  };
}
