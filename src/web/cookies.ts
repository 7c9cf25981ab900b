/**
 * The small cookies of our own pages: a device that has signed in to an account before, the browser that may read a receipt, a
 * sign-in on its way. None of them lets anybody in by itself. Those that say something are sealed with the keyring; the others
 * are bearer values, which the store knows by digest.
 */
import type { Context } from 'koa';

import { HALF_WAY_SECONDS } from '../authn/half-way.ts';
import { TRUST_SECONDS } from '../authn/trusted-browsers.ts';
import { ATTEMPT_SECONDS } from '../connections/attempts.ts';
import { SIGN_OUT_OFFER_SECONDS } from '../connections/upstream-sessions.ts';
import { addSeconds, type Clock } from '../platform/clock.ts';
import { type Keyring, SealBroken } from '../platform/keyring.ts';
import { randomId } from '../platform/random.ts';

export type OwnCookies = {
  /** The id of this device if it has signed in to this account before: its guesses have a budget of their own. */
  knownDevice(ctx: Context, accountId: string): string | undefined;
  /** The same, if a second factor was shown from it at this instant or later: guesses of a factor are another budget. */
  provenDevice(ctx: Context, accountId: string, since: Date): string | undefined;
  /** `provenAt`: when a second factor was shown from it; null where none was. */
  rememberDevice(ctx: Context, accountId: string, provenAt: Date | null): void;
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
  /** What a sign-in between its two steps is found by, at the one page that goes on with it. */
  keepHalfWay(ctx: Context, at: string, bearer: string): void;
  halfWayOf(ctx: Context): string | undefined;
  forgetHalfWay(ctx: Context, at: string): void;
  /** What a browser is trusted by: it stands in for the second factor. */
  keepTrust(ctx: Context, bearer: string): void;
  trustOf(ctx: Context): string | undefined;
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
    trust: `${prefix}curfew-trust`,
    signOutReturn: `${prefix}curfew-sign-out-return`,
  };
  // Bound to a path, which the __Host- prefix forbids.
  const attempt = secure ? '__Secure-curfew-attempt' : 'curfew-attempt';
  const halfWay = secure ? '__Secure-curfew-half-way' : 'curfew-half-way';
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
    knownDevice: (ctx, accountId) => deviceOf(open(ctx, 'device')[accountId])?.id,
    provenDevice(ctx, accountId, since) {
      const device = deviceOf(open(ctx, 'device')[accountId]);
      return device !== undefined && device.provenAt >= since.getTime() ? device.id : undefined;
    },
    rememberDevice(ctx, accountId, provenAt) {
      const { [accountId]: present, ...others } = open(ctx, 'device');
      const device = deviceOf(present);
      if (device !== undefined && provenAt === null) return;
      const kept = Object.entries(others).slice(-(MOST_ACCOUNTS - 1));
      const value = `${device?.id ?? randomId()} ${provenAt?.getTime() ?? 0}`;
      set(ctx, 'device', { ...Object.fromEntries(kept), [accountId]: value }, DEVICE_SECONDS);
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
    keepHalfWay(ctx, at, bearer) {
      ctx.cookies.set(halfWay, bearer, { ...options, path: at, maxAge: HALF_WAY_SECONDS * 1000 });
    },
    halfWayOf: (ctx) => ctx.cookies.get(halfWay),
    forgetHalfWay(ctx, at) {
      ctx.cookies.set(halfWay, null, { ...options, path: at });
    },
    keepTrust(ctx, bearer) {
      ctx.cookies.set(names.trust, bearer, { ...options, maxAge: TRUST_SECONDS * 1000 });
    },
    trustOf: (ctx) => ctx.cookies.get(names.trust),
    keepReturn(ctx, bearer) {
      ctx.cookies.set(names.signOutReturn, bearer, { ...options, maxAge: SIGN_OUT_OFFER_SECONDS * 1000 });
    },
    returnOf: (ctx) => ctx.cookies.get(names.signOutReturn),
    forgetReturn(ctx) {
      ctx.cookies.set(names.signOutReturn, null, options);
    },
  };
}

/** A device as its cookie has it: its id, and when a second factor was last shown from it, in milliseconds. */
function deviceOf(value: string | undefined): { readonly id: string; readonly provenAt: number } | undefined {
  if (value === undefined) return undefined;
  const [id = '', provenAt = '0'] = value.split(' ');
  return { id, provenAt: Number(provenAt) };
}
