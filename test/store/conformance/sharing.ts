/** What an engine must keep where several processes share it: one at a time spreads a Sign-out. */
import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { SignOutRecord } from '../../../src/store/records.ts';
import { at, signOutOf, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, populate } from './together.ts';

const lease = async (store: Store, signOut: SignOutRecord, holder: string, now = start, leaseUntil = at(15)) =>
  store.revocations.leaseSignOut?.({ signOut, holder, now, leaseUntil });

/** For engines that have leases of Sign-outs, told by whether one of them was ever asked for. */
export function sharingConformance(test: StoreTest): void {
  describe('leases of sign-outs', () => {
    const sharedTest = test.extend<{ signOut: SignOutRecord }>({
      signOut: async ({ store, skip }, use) => {
        skip(store.revocations.leaseSignOut === undefined, 'this engine has one writer');
        await populate(store);
        await use(await store.revocations.signOut(signOutOf('one', 'account:alice')));
      },
    });

    sharedTest('whoever asks at once, one gets it', async ({ store, other, signOut }) => {
      const answers = await atOnce(20, [store, other], (handle, index) => lease(handle, signOut, `holder-${index}`));
      expect(answers.filter((held) => held === true)).toHaveLength(1);
    });

    sharedTest(
      'its holder keeps it as long as it asks, and nobody else has it meanwhile',
      async ({ store, other, signOut }) => {
        expect(await lease(store, signOut, 'first')).toBe(true);
        expect(await lease(other, signOut, 'second', at(14.999))).toBe(false);
        expect(await lease(store, signOut, 'first', at(10), at(25))).toBe(true);
        expect(await lease(other, signOut, 'second', at(24.999), at(40))).toBe(false);
        expect(await lease(other, signOut, 'second', at(25), at(40))).toBe(true);
        expect(await lease(store, signOut, 'first', at(26), at(41))).toBe(false);
      },
    );

    sharedTest(
      'a lease further ahead than 120 s was given before the clock was set back: it is free',
      async ({ store, other, signOut }) => {
        expect(await lease(store, signOut, 'first', start, at(15))).toBe(true);
        expect(await lease(other, signOut, 'second', at(-105), at(-90))).toBe(false);
        expect(await lease(other, signOut, 'second', at(-105.001), at(-90))).toBe(true);
      },
    );

    sharedTest('each of two on one scope has its own', async ({ store, other, signOut }) => {
      const second = await other.revocations.signOut(signOutOf('two', 'account:alice'));
      expect(await lease(store, signOut, 'first')).toBe(true);
      expect(await lease(other, second, 'second')).toBe(true);
      expect(await lease(store, second, 'first')).toBe(false);
    });

    sharedTest('one that is complete, or that never was, is held by nobody', async ({ store, other, signOut }) => {
      expect(await lease(store, { ...signOut, id: 'never' }, 'first')).toBe(false);
      await other.revocations.completeSignOut(signOut);
      expect(await lease(store, signOut, 'first')).toBe(false);
    });

    sharedTest(
      'changes nothing of the sign-out, and lets the next one raise the same scope',
      async ({ store, other, signOut }) => {
        await lease(store, signOut, 'first');
        expect(await other.revocations.findSignOut('one')).toEqual(signOut);
        expect(await other.revocations.pendingSignOuts(5)).toEqual([signOut]);
        const second = await other.revocations.signOut(signOutOf('two', 'account:alice'));
        expect(second.epochBefore).toBe(signOut.epochBefore + 1);
      },
    );
  });
}
