import { describe, expect } from 'vitest';
import { at, hour, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, upTo } from './together.ts';

const ascending = (left: number, right: number) => left - right;

/** Ten seconds for each failure so far. */
const delaySeconds = (failures: number) => failures * 10;

export function throttlingConformance(test: StoreTest): void {
  describe('failures', () => {
    test('a key that never failed has no failures and is not blocked', async ({ store }) => {
      expect(await store.accounts.throttle('password:alice')).toEqual({ failures: 0, blockedUntil: null });
    });

    test('a failure is counted and blocks for the delay of that many failures, itself included', async ({
      store,
      other,
    }) => {
      const key = 'password:alice';
      const first = { failures: 1, blockedUntil: at(10) };
      expect(await store.accounts.addFailure({ key, now: start, delaySeconds })).toEqual(first);
      expect(await other.accounts.throttle(key)).toEqual(first);
      const second = { failures: 2, blockedUntil: at(35) };
      expect(await other.accounts.addFailure({ key, now: at(15), delaySeconds })).toEqual(second);
      expect(await store.accounts.throttle(key)).toEqual(second);
    });

    test('fifty failures at once through two handles are fifty failures', async ({ store, other }) => {
      const key = 'password:alice';
      const answers = await atOnce(50, [store, other], (handle) =>
        handle.accounts.addFailure({ key, now: start, delaySeconds }),
      );
      expect(answers.map(({ failures }) => failures).sort(ascending)).toEqual(upTo(50));
      for (const { failures, blockedUntil } of answers) expect(blockedUntil).toEqual(at(failures * 10));
      expect(await store.accounts.throttle(key)).toEqual({ failures: 50, blockedUntil: at(500) });
    });

    test('one key’s failures are nobody else’s', async ({ store }) => {
      await store.accounts.addFailure({ key: 'password:alice', now: start, delaySeconds });
      expect((await store.accounts.throttle('password:alice2')).failures).toBe(0);
      expect((await store.accounts.throttle('totp:alice')).failures).toBe(0);
    });

    test('clearing forgets the failures and the block; the next failure is the first', async ({ store, other }) => {
      const key = 'password:alice';
      await atOnce(3, [store, other], (handle) => handle.accounts.addFailure({ key, now: start, delaySeconds }));
      await other.accounts.clearFailures(key);
      expect(await store.accounts.throttle(key)).toEqual({ failures: 0, blockedUntil: null });
      expect((await store.accounts.addFailure({ key, now: start, delaySeconds })).failures).toBe(1);
    });

    test('clearing what never failed is no error', async ({ store }) => {
      await store.accounts.clearFailures('password:nobody');
      expect((await store.accounts.throttle('password:nobody')).failures).toBe(0);
    });
  });

  describe('attempts', () => {
    const expiresAt = at(hour);

    test('attempts in one window are counted, the one just made included', async ({ store, other }) => {
      const attempt = { key: 'address:a', windowStart: start, expiresAt };
      expect(await store.accounts.countAttempt(attempt)).toBe(1);
      expect(await other.accounts.countAttempt(attempt)).toBe(2);
      expect(await store.accounts.countAttempt(attempt)).toBe(3);
    });

    test('another window and another key start at one', async ({ store }) => {
      const attempt = { key: 'address:a', windowStart: start, expiresAt };
      await store.accounts.countAttempt(attempt);
      await store.accounts.countAttempt(attempt);
      expect(await store.accounts.countAttempt({ ...attempt, windowStart: at(60) })).toBe(1);
      expect(await store.accounts.countAttempt({ ...attempt, windowStart: at(60) })).toBe(2);
      expect(await store.accounts.countAttempt({ ...attempt, key: 'address:b' })).toBe(1);
    });

    test('fifty attempts at once through two handles are counted one by one', async ({ store, other }) => {
      const counts = await atOnce(50, [store, other], (handle) =>
        handle.accounts.countAttempt({ key: 'address:a', windowStart: start, expiresAt }),
      );
      expect(counts.sort(ascending)).toEqual(upTo(50));
    });

    test('an attempt is no failure, and clearing failures forgets no attempt', async ({ store }) => {
      const attempt = { key: 'one key', windowStart: start, expiresAt };
      await store.accounts.countAttempt(attempt);
      expect((await store.accounts.throttle('one key')).failures).toBe(0);
      await store.accounts.clearFailures('one key');
      expect(await store.accounts.countAttempt(attempt)).toBe(2);
    });
  });
}
