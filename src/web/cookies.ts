/**
 * The small cookies of our own pages: a device that has signed in to an account before, and the browser that may read a
 * receipt. Neither lets anybody in. Both are sealed or authenticated with the keyring, and nothing of them is stored.
 */
import type { Context } from 'koa';

import { ATTEMPT_SECONDS } from '../connections/attempts.ts';
import { SIGN_OUT_OFFER_SECONDS } from '../connections/upstream-sessions.ts';
import { addSeconds, type Clock } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { randomId } from '../platform/random.ts';

export type OwnCookies = {
  /** The id of this device if it has signed in to this account before: its guesses have a budget of their own. */
  knownDevice(ctx: Context, accountId: string): string | undefined;
  rememberDevice(ctx: Context, accountId: string): void;
  allowReceipt(ctx: Context, signOutId: string): void;
  mayReadReceipt(ctx: Context, signOutId: string): boolean;
  /** Binds a sign-in through a provider to this browser, at the one page it comes back to. */
  bindAttempt(ctx: Context, continueAt: string, cookie: string): void;
  attemptOf(ctx: Context): string | undefined;
  releaseAttempt(ctx: Context, continueAt: string): void;
  /** Whether somebody signed out in this browser and nobody has signed in since. */
  signedOutHere(ctx: Context): boolean;
  noteSignedOut(ctx: Context): void;
  noteSignedIn(ctx: Context): void;
  /** What "also sign out of the provider" needs, once the Session that knew it has ended. */
  keepUpstream(ctx: Context, bearer: string): void;
  upstreamOf(ctx: Context): string | undefined;
  forgetUpstream(ctx: Context): void;
  /** Names where this browser goes on to after the provider has signed it out. */
  keepReturn(ctx: Context, bearer: string): void;
  returnOf(ctx: Context): string | undefined;
  forgetReturn(ctx: Context): void;
};

const DEVICE_SECONDS = 400 * 86_400;
const MOST_ACCOUNTS = 8;
const RECEIPT_SECONDS = 3600;
const SIGNED_OUT_SECONDS = 30 * 86_400;

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
  const names = {
    device: `${prefix}curfew-device`,
    receipt: `${prefix}curfew-receipt`,
    signedOut: `${prefix}curfew-signed-out`,
    upstream: `${prefix}curfew-upstream`,
    signOutReturn: `${prefix}curfew-sign-out-return`,
  };
  // Bound to a path, which the __Host- prefix forbids.
  const attempt = secure ? '__Secure-curfew-attempt' : 'curfew-attempt';
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
    bindAttempt(ctx, continueAt, cookie) {
      ctx.cookies.set(attempt, cookie, { ...options, path: continueAt, maxAge: ATTEMPT_SECONDS * 1000 });
    },
    attemptOf: (ctx) => ctx.cookies.get(attempt),
    releaseAttempt(ctx, continueAt) {
      ctx.cookies.set(attempt, null, { ...options, path: continueAt });
    },
    signedOutHere: (ctx) => ctx.cookies.get(names.signedOut) !== undefined,
    noteSignedOut(ctx) {
      ctx.cookies.set(names.signedOut, '1', { ...options, maxAge: SIGNED_OUT_SECONDS * 1000 });
    },
    noteSignedIn(ctx) {
      // With them goes what was left to do after the last sign-out.
      for (const name of [names.signedOut, names.upstream, names.signOutReturn]) {
        if (ctx.cookies.get(name) !== undefined) ctx.cookies.set(name, null, options);
      }
    },
    keepUpstream(ctx, bearer) {
      ctx.cookies.set(names.upstream, bearer, { ...options, maxAge: SIGN_OUT_OFFER_SECONDS * 1000 });
    },
    upstreamOf: (ctx) => ctx.cookies.get(names.upstream),
    forgetUpstream(ctx) {
      ctx.cookies.set(names.upstream, null, options);
    },
    keepReturn(ctx, bearer) {
      ctx.cookies.set(names.signOutReturn, bearer, { ...options, maxAge: SIGN_OUT_OFFER_SECONDS * 1000 });
    },
    returnOf: (ctx) => ctx.cookies.get(names.signOutReturn),
    forgetReturn(ctx) {
      ctx.cookies.set(names.signOutReturn, null, options);
    },
  };
}
