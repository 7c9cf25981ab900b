import { expect } from 'vitest';
import { copySource, copyStore, countKinds, unfinishedCopy } from '../../../src/store/copy.ts';
import type { Store, TransferReader, TransferRepository } from '../../../src/store/port.ts';
import { KINDS } from '../../../src/store/transfer.ts';
import { account, artifact, at, identifiers, signOutOf } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { furnish, looked } from './furnished.ts';
import { everything } from './transfer.ts';

type Changes = Partial<Parameters<typeof copyStore>[0]>;

let nth = 0;

const copy = async (source: Store, target: Store, changes: Changes = {}) =>
  copyStore({
    source: source.transfer,
    from: await copySource('source', source.transfer),
    target: target.transfer,
    run: `run-${nth++}`,
    now: () => looked,
    signal: new AbortController().signal,
    report: () => undefined,
    rowsAtOnce: 2,
    ...changes,
  });

/** A target whose process dies: at the step after so many, or as soon as that one is done but before it is known. */
const dying = (target: TransferRepository, steps: number, when: 'before' | 'after'): TransferRepository => {
  let left = steps;
  const step = async <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
    const last = left-- === 0;
    if (last && when === 'before') throw new Error('killed');
    const answer = await work();
    if (last) throw new Error('killed');
    return answer;
  };
  return {
    ...target,
    begin: (note) => step(() => target.begin(note)),
    note: (change) => step(() => target.note(change)),
    write: (kind, rows) => step(() => target.write(kind, rows)),
    clear: () => step(() => target.clear()),
  };
};

/** A source in which something happens when its rows are read for the second time, to be compared. */
const busy = (source: TransferReader, happens: () => Promise<unknown>): TransferReader => {
  let reads = 0;
  return {
    ...source,
    rows: async (kind, page) => {
      if (kind === 'facts' && page.after === undefined && ++reads === 2) await happens();
      return source.rows(kind, page);
    },
  };
};

export function copyingConformance(test: StoreTest): void {
  test('everything is moved, and both are the same', async ({ store, elsewhere }) => {
    await furnish(store);
    const before = await everything(store);

    const outcome = await copy(store, elsewhere);

    expect(outcome).toMatchObject({ status: 'verified', resumed: false });
    if (outcome.status !== 'verified') throw new Error(outcome.status);
    const counts = await countKinds(store.transfer, looked);
    expect(Object.fromEntries(KINDS.map((kind) => [kind, outcome.kinds[kind].rows]))).toEqual(counts);
    expect(await everything(elsewhere)).toEqual(before);
    expect(await everything(store)).toEqual(before);
    expect(await elsewhere.transfer.unfinished()).toBeNull();
  });

  test('killed at one step after another, it goes on where it was', async ({ store, elsewhere }) => {
    await furnish(store);
    const kills: string[] = [];
    for (let run = 0; ; run += 1) {
      // A run takes the note over, and moves on by at least one batch.
      const target = dying(elsewhere.transfer, 3 + (run % 3), run % 2 === 0 ? 'before' : 'after');
      try {
        const outcome = await copy(store, elsewhere, { target });
        expect(outcome).toMatchObject({ status: 'verified', resumed: true });
        break;
      } catch (fault) {
        expect(fault).toMatchObject({ message: 'killed' });
        // Whatever was done last, nobody takes it for whole.
        expect(await unfinishedCopy(elsewhere.transfer)).toEqual({ name: 'source', keyring: 'fingerprint' });
        kills.push(JSON.stringify(JSON.parse((await elsewhere.transfer.unfinished()) ?? '').next));
      }
    }
    expect(new Set(kills).size).toBeGreaterThan(KINDS.length);
    expect(await everything(elsewhere)).toEqual(await everything(store));
  });

  test('killed after the last note was taken away, it is finished', async ({ store, elsewhere }) => {
    await furnish(store);
    const target: TransferRepository = {
      ...elsewhere.transfer,
      note: async (change) => {
        await elsewhere.transfer.note(change);
        if (change.to === null) throw new Error('killed');
        return true;
      },
    };
    await expect(copy(store, elsewhere, { target })).rejects.toThrow('killed');
    expect(await elsewhere.transfer.unfinished()).toBeNull();
    expect(await copy(store, elsewhere)).toEqual({ status: 'occupied' });
    expect(await everything(elsewhere)).toEqual(await everything(store));
  });

  test('interrupted while copying or comparing, it stays unfinished and goes on', async ({ store, elsewhere }) => {
    await furnish(store);
    for (const when of ['copying', 'comparing'] as const) {
      const controller = new AbortController();
      const interrupted = await copy(store, elsewhere, {
        signal: controller.signal,
        report: ({ doing, kind, done }) => {
          if (doing === when && kind === 'deliveries' && done > 0) controller.abort();
        },
      });
      expect(interrupted).toEqual({ status: 'interrupted' });
      expect(await unfinishedCopy(elsewhere.transfer)).toMatchObject({ name: 'source' });
    }
    expect(await copy(store, elsewhere)).toMatchObject({ status: 'verified', resumed: true });
  });

  test('progress is told kind by kind, up to the last row', async ({ store, elsewhere }) => {
    await furnish(store);
    const told: string[] = [];
    await copy(store, elsewhere, {
      report: ({ doing, kind, done, total }) => told.push(`${doing} ${kind} ${done}/${total}`),
    });
    expect(told.filter((line) => line.startsWith('copying scopes'))).toEqual([
      'copying scopes 0/5',
      'copying scopes 2/5',
      'copying scopes 4/5',
      'copying scopes 5/5',
    ]);
    for (const kind of KINDS) expect(told.filter((line) => line.startsWith(`comparing ${kind} `))).not.toEqual([]);
    expect(told.at(-1)).toBe('comparing attempts 1/1');
  });

  test('a source that changes meanwhile is noticed, and the next run begins anew', async ({ store, elsewhere }) => {
    await furnish(store);
    const source = busy(store.transfer, async () => {
      await store.revocations.signOut(signOutOf('late', 'client:tv'));
      await store.accounts.clearFailures('guess');
      // As many rows as before, and one of them another.
      await store.accounts.setPassword({ accountId: 'bob', hash: 'hash:bob:third', changedAt: looked });
    });

    const outcome = await copy(store, elsewhere, { source });

    expect(outcome).toMatchObject({ status: 'differs', differing: ['scopes', 'accounts', 'signOuts', 'failures'] });
    expect(await unfinishedCopy(elsewhere.transfer)).toMatchObject({ name: 'source' });
    // Killed just when it had begun anew.
    const target = dying(elsewhere.transfer, 2, 'before');
    await expect(copy(store, elsewhere, { target })).rejects.toThrow('killed');
    expect(await copy(store, elsewhere)).toMatchObject({ status: 'verified', resumed: true });
    expect(await everything(elsewhere)).toEqual(await everything(store));
    expect(await elsewhere.revocations.findSignOut('late')).toMatchObject({ status: 'pending' });
  });

  test('a source that changed between two runs is noticed, whatever became of it', async ({ store, elsewhere }) => {
    await furnish(store);
    await expect(copy(store, elsewhere, { target: dying(elsewhere.transfer, 30, 'before') })).rejects.toThrow('killed');
    // Alice is gone, and somebody behind her in the order of ids has her name.
    await store.accounts.setStatus({ accountId: 'alice', status: 'deleted' });
    await store.accounts.insert(account('zoe'), identifiers('alice'));
    expect(await copy(store, elsewhere)).toMatchObject({ status: 'differs' });
    expect(await copy(store, elsewhere)).toMatchObject({ status: 'verified', resumed: true });
    expect(await elsewhere.accounts.findByIdentifier('index:alice')).toMatchObject({ id: 'zoe' });
  });

  test('what expires while it is copied is missed by nobody', async ({ store, elsewhere }) => {
    await furnish(store);
    await store.artifacts.save(artifact('brief', { expiresAt: at(70) }));
    const source = busy(store.transfer, () => store.artifacts.destroy(artifact('brief').key));
    let now = looked;
    const report = ({ doing }: { readonly doing: string }): void => void (now = doing === 'comparing' ? now : at(71));
    expect(await copy(store, elsewhere, { source, report, now: () => now })).toMatchObject({ status: 'verified' });
  });

  test('a clock that is set back meanwhile makes nothing differ', async ({ store, elsewhere }) => {
    await furnish(store);
    await store.artifacts.save(artifact('expired by then', { expiresAt: at(50) }));
    let now = looked;
    const report = (): void => void (now = at(40));
    expect(await copy(store, elsewhere, { report, now: () => now })).toMatchObject({ status: 'verified' });
  });

  test('what is there already is refused, and left as it is', async ({ store, elsewhere }) => {
    await furnish(store);
    await elsewhere.catalogue.settle('keyring', 'of somebody else');
    const before = await everything(elsewhere);
    expect(await copy(store, elsewhere)).toEqual({ status: 'occupied' });
    expect(await everything(elsewhere)).toEqual(before);
    expect(await elsewhere.transfer.unfinished()).toBeNull();
  });

  test('so is the unfinished copy of another source, or of another one at the same address', async ({
    store,
    elsewhere,
  }) => {
    await furnish(store);
    await expect(copy(store, elsewhere, { target: dying(elsewhere.transfer, 9, 'before') })).rejects.toThrow('killed');
    const [before, note] = [await everything(elsewhere), await elsewhere.transfer.unfinished()];
    for (const from of [
      { name: 'another', keyring: 'fingerprint' },
      { name: 'source', keyring: 'another' },
    ]) {
      expect(await copy(store, elsewhere, { from })).toEqual({ status: 'occupied' });
    }
    expect(await everything(elsewhere)).toEqual(before);
    expect(await elsewhere.transfer.unfinished()).toBe(note);
  });

  test('a run that another has taken over from writes no more', async ({ store, elsewhere }) => {
    await furnish(store);
    let finished = false;
    const writes: string[] = [];
    const target: TransferRepository = {
      ...elsewhere.transfer,
      write: async (kind, rows) => {
        if (finished) writes.push(kind);
        await elsewhere.transfer.write(kind, rows);
        if (kind !== 'accounts' || finished) return;
        finished = (await copy(store, elsewhere)).status === 'verified';
      },
    };
    expect(await copy(store, elsewhere, { target })).toEqual({ status: 'overtaken' });
    expect([finished, writes]).toEqual([true, []]);
    expect(await everything(elsewhere)).toEqual(await everything(store));
  });
}
