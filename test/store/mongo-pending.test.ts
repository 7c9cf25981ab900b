/**
 * A Sign-out on its way: from the record it raised to one of its own. Held still between any two steps, it is there for
 * whoever looks; left there by a process that died, it is taken up by another.
 */
import { describe, expect, onTestFinished, test } from 'vitest';

import { openMongoStore } from '../../src/store/mongo/open.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import type { ScopeKey, SignOutRecord } from '../../src/store/records.ts';
import { artifact, at, clientSession, delivery, signOutOf, signOutRequest, start } from '../support/records.ts';
import { recorded } from '../support/mongodb/filled.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { type Command, openTap } from '../support/mongodb/tap.ts';

const REQUEST = signOutOf('one', 'account:alice');
const PENDING = recorded(REQUEST);
const GRANTS = ['a', 'b', 'c'];
const WRITES = ['insert', 'update', 'delete', 'findAndModify'];

/** A process on a line of its own. `stopAt` holds the nth of its writes from now on, and tells when it has come to it. */
async function onALine(fresh: Fresh) {
  const tap = await openTap(fresh.address.url);
  const store = await openMongoStore({ ...fresh.address, url: tap.url });
  onTestFinished(async () => {
    tap.gate = () => undefined;
    await tap.cut();
    await store.close();
  });
  return {
    store,
    stopAt(nth: number): { reached: Promise<Command>; goOn: () => void } {
      let count = 0;
      let goOn = (): void => {};
      const reached = new Promise<Command>((resolve) => {
        tap.gate = (command) => {
          if (!WRITES.includes(command.name) || ++count !== nth) return undefined;
          resolve(command);
          return new Promise<void>((release) => (goOn = release));
        };
      });
      return { reached, goOn: () => goOn() };
    },
    /** Whatever is held is never passed on. */
    die: () => tap.cut(),
  };
}

/** Three devices of Alice's; one is to be told. */
async function signedIn({ artifacts }: Store): Promise<void> {
  for (const grantId of GRANTS) await artifacts.save(artifact(grantId), clientSession(grantId));
}

const spread = async ({ revocations }: Store, signOut: SignOutRecord): Promise<void> => {
  const owed = delivery('owed', { signOutId: signOut.id });
  await revocations.fanOut({ signOut, deliveries: [owed], ended: GRANTS });
  await revocations.completeSignOut(signOut);
};

/** Listened for from the start, so that it is nobody's fault that goes unheard. */
const faultOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (fault: unknown) => fault,
  );

/** It is found by its id and listed once, whatever has become of it; answers what of it can be seen. */
async function seen({ revocations }: Store): Promise<SignOutRecord['status']> {
  const found = await revocations.findSignOut('one');
  expect(found).toEqual({ ...PENDING, status: found?.status });
  expect(await revocations.listSignOuts(10)).toEqual([found]);
  const pending = await revocations.pendingSignOuts(10);
  expect(pending).toEqual(found?.status === 'pending' ? [PENDING] : []);
  return found?.status ?? 'pending';
}

/** What must have come of it in the end, however it came there. */
async function expectComplete(store: Store): Promise<void> {
  expect(await seen(store)).toBe('complete');
  const counted = { sessions: 3, accounts: 1, clients: 1, selfContainedUntil: null };
  expect(await store.revocations.ended('one')).toEqual(counted);
  expect(await store.deliveries.counts({ signOutId: 'one' })).toMatchObject({ pending: 1, delivered: 0 });
  expect(await store.revocations.clientSessionsOf('alice')).toEqual([]);
  expect((await store.revocations.endedBy('one', { limit: 10 })).map(({ grantId }) => grantId)).toEqual(GRANTS);
  expect(await store.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 1 });
}

describe('from its commit to its completion', () => {
  /** The raise; the Delivery, the Client Sessions, what it ended; complete, and no longer pending. */
  const STEPS = ['update', 'insert', 'update', 'update', 'update', 'update'];

  test('these are its steps', async () => {
    const fresh = await freshDatabase();
    const witness = await fresh.open();
    await signedIn(witness);
    const names: string[] = [];
    const tap = await openTap(fresh.address.url);
    onTestFinished(() => tap.cut());
    const store = await openMongoStore({ ...fresh.address, url: tap.url });
    onTestFinished(() => store.close());
    tap.gate = ({ name }) => void (WRITES.includes(name) && names.push(name));
    await spread(store, await store.revocations.signOut(REQUEST));
    expect(names).toEqual(STEPS);
  });

  for (let step = 2; step <= STEPS.length; step += 1) {
    test(`held before step ${step}, it is there for everybody; and when it went on it is complete`, async () => {
      const fresh = await freshDatabase();
      const witness = await fresh.open();
      await signedIn(witness);
      const worker = await onALine(fresh);
      const { reached, goOn } = worker.stopAt(step);
      const working = worker.store.revocations.signOut(REQUEST).then((signOut) => spread(worker.store, signOut));
      await reached;
      expect(await seen(witness)).toBe('pending');
      goOn();
      await working;
      await expectComplete(witness);
    });

    test(`a process that dies before step ${step} leaves it to another, and nothing is lost or told twice`, async () => {
      const fresh = await freshDatabase();
      const other = await fresh.open();
      await signedIn(other);
      const worker = await onALine(fresh);
      const { reached } = worker.stopAt(step);
      const working = worker.store.revocations.signOut(REQUEST).then((signOut) => spread(worker.store, signOut));
      const died = faultOf(working);
      await reached;
      await worker.die();
      expect(await died).toBeInstanceOf(StoreUnavailable);
      const [pending] = await other.revocations.pendingSignOuts(10);
      expect(pending).toEqual(PENDING);
      await spread(other, pending as SignOutRecord);
      await expectComplete(other);
    });
  }

  test('a process that dies before the first step has done nothing', async () => {
    const fresh = await freshDatabase();
    const other = await fresh.open();
    await signedIn(other);
    const worker = await onALine(fresh);
    const { reached } = worker.stopAt(1);
    const died = faultOf(worker.store.revocations.signOut(REQUEST));
    await reached;
    await worker.die();
    expect(await died).toBeInstanceOf(StoreUnavailable);
    expect(await other.revocations.findSignOut('one')).toBeNull();
    expect(await other.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': 0 });
    await spread(other, await other.revocations.signOut(REQUEST));
    await expectComplete(other);
  });

  test('asked for again at any step it is the same one, and raises nothing', async () => {
    const fresh = await freshDatabase();
    const witness = await fresh.open();
    await signedIn(witness);
    const worker = await onALine(fresh);
    for (let step = 2; step <= STEPS.length; step += 1) {
      const { reached, goOn } = worker.stopAt(step);
      const working = worker.store.revocations.signOut(REQUEST).then((signOut) => spread(worker.store, signOut));
      // The raise, once made, is no step any more.
      const held = await Promise.race([reached, working]);
      expect(await witness.revocations.signOut(REQUEST)).toMatchObject({ id: 'one', epochBefore: 0 });
      if (held !== undefined) goOn();
      await working;
    }
    await expectComplete(witness);
  });
});

describe('ids of any signs', () => {
  const IDS = [
    'dots.in.it',
    '$where',
    'a.$b.$[].c',
    '.',
    '__proto__',
    'constructor',
    'colon:and:another',
    'slash/and\\backslash "quoted"',
    'naïve—ünïcødé-日本-\u{1f3a7}',
    'nul\u0000inside',
    '[object Object]',
    'space at its end ',
  ];

  for (const id of IDS) {
    test(`${JSON.stringify(id)} works in stamps, in what is spared, and as a scope`, async () => {
      const fresh = await freshDatabase();
      const [store, other] = [await fresh.open(), await fresh.open()];
      const session: ScopeKey = `session:${id}`;
      const stamps = { everyone: 0, [`account:${id}`]: 0, [`client:${id}`]: 0, [session]: 0, [`grant:${id}`]: 0 };
      const about = { grantId: id, accountId: id, clientId: id, sessionUid: id, connectionId: id };
      const here = clientSession(id, { ...about, stamps });
      const kept = artifact('kept', { model: 'Session', stamps, uid: id, userCode: id, accountId: id });
      await store.artifacts.save(kept, here);
      const gone = artifact('gone', { stamps: { [`account:${id}`]: 0 } });
      await store.artifacts.save(gone);

      const scope = { kind: 'account-except', accountId: id, sessionUid: id } as const;
      const signOut = await store.revocations.signOut(signOutRequest(`but ${id}`, scope, { spares: [session] }));
      expect(signOut.spared).toEqual({ [session]: 0 });
      expect(await other.revocations.findSignOut(`but ${id}`)).toEqual(signOut);
      expect(await other.revocations.listSignOuts(5)).toEqual([signOut]);
      expect(await other.artifacts.find(gone.key, start)).toBeNull();
      for (const found of [
        await other.artifacts.find(kept.key, start),
        await other.artifacts.findByUid('Session', id, start),
        await other.artifacts.findByUserCode(id, start),
      ]) {
        expect(found?.epochs).toEqual({ ...stamps, [`account:${id}`]: 1 });
      }
      expect(await other.artifacts.sessionsOf(id, start)).toHaveLength(1);
      expect(await other.revocations.sessionsToEnd(signOut, { limit: 5 })).toEqual([]);
      expect(await other.revocations.findClientSession(id)).toEqual({ ...here, ...about });

      for (const [nth, key] of (['client', 'connection', 'session', 'grant'] as const).entries()) {
        const each = signOutOf(`${key} ${id}`, `${key}:${id}`, { at: at(nth + 1) });
        const about = { ...each, scope: 'accountId' in each.scope ? { ...each.scope, accountId: id } : each.scope };
        const raised = await store.revocations.signOut(about);
        expect(await other.revocations.sessionsToEnd(raised, { limit: 5 })).toEqual([{ ...here }]);
        expect(await other.revocations.signedOutAt(`${key}:${id}`)).toEqual(at(nth + 1));
        await other.revocations.completeSignOut(raised);
        expect(await store.revocations.findSignOut(raised.id)).toEqual({ ...raised, status: 'complete' });
      }
      expect(await other.artifacts.find(kept.key, start)).toBeNull();
    });
  }
});
