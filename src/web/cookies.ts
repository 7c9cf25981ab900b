/**
 * The small cookies of our own pages: a device that has signed in to an account before, and the browser that may read a
 * receipt. Neither lets anybody in. Both are sealed or authenticated with the keyring, and nothing of them is stored.
 */
import type { Context } from 'koa';

import { addSeconds, type Clock } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { randomId } from '../platform/random.ts';

export type OwnCookies = {
  /** The id of this device if it has signed in to this account before: its guesses have a budget of their own. */
  knownDevice(ctx: Context, accountId: string): string | undefined;
  rememberDevice(ctx: Context, accountId: string): void;
  allowReceipt(ctx: Context, signOutId: string): void;
  mayReadReceipt(ctx: Context, signOutId: string): boolean;
};

const DEVICE_SECONDS = 400 * 86_400;
const MOST_ACCOUNTS = 8;
const RECEIPT_SECONDS = 3600;

export function createOwnCookies({
  keyring,
  clock,
  secure,
}: {
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly secure: boolean;
}): OwnCookies {
  const prefix = secure ? '__Host-' : '';
  const names = { device: `${prefix}curfew-device`, receipt: `${prefix}curfew-receipt` };
  const options = { httpOnly: true, sameSite: 'lax', secure, signed: false, overwrite: true } as const;
  const context = (field: string) => ({ collection: 'cookies', field, id: '' });

  const open = (ctx: Context, field: 'device' | 'receipt'): Record<string, string> => {
    const sealed = ctx.cookies.get(names[field]);
    if (sealed === undefined) return {};
    try {
      return JSON.parse(keyring.unseal('cookie', context(field), sealed)) as Record<string, string>;
    } catch (fault) {
      if (fault instanceof SealBroken) return {};
      throw fault;
    }
  };
  const set = (ctx: Context, field: 'device' | 'receipt', value: Record<string, string>, seconds: number): void => {
    const sealed = keyring.seal('cookie', context(field), JSON.stringify(value));
    ctx.cookies.set(names[field], sealed, { ...options, maxAge: seconds * 1000 });
  };

  return {
    knownDevice: (ctx, accountId) => open(ctx, 'device')[accountId],
    rememberDevice(ctx, accountId) {
      const known = open(ctx, 'device');
      if (known[accountId] !== undefined) return;
      const kept = Object.entries(known).slice(-(MOST_ACCOUNTS - 1));
      set(ctx, 'device', { ...Object.fromEntries(kept), [accountId]: randomId() }, DEVICE_SECONDS);
    },
    allowReceipt(ctx, signOutId) {
      const until = addSeconds(clock.now(), RECEIPT_SECONDS).toISOString();
      set(ctx, 'receipt', { signOutId, until }, RECEIPT_SECONDS);
    },
    mayReadReceipt(ctx, signOutId) {
      const receipt = open(ctx, 'receipt');
      return receipt['signOutId'] === signOutId && clock.now().toISOString() < (receipt['until'] ?? '');
    },
  };
}
