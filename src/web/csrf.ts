/**
 * Every form that changes something proves that it came from a page of ours, shown in this browser: a random cookie, and
 * in the form a MAC of it. Where the browser says where a request comes from, that must be us too.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';

import type { Keyring } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import { Refusal } from './refusal.ts';

export type Csrf = {
  /** The value for the form's hidden field `csrf`; sets the cookie when there is none. */
  token(ctx: Context): string;
  /** Throws Refusal(403) unless the token is this browser's and the request comes from our own pages. */
  check(ctx: Context, token: string): void;
};

export function createCsrf({ keyring, issuer }: { readonly keyring: Keyring; readonly issuer: string }): Csrf {
  const { origin, protocol } = new URL(issuer);
  const secure = protocol === 'https:';
  const name = secure ? '__Host-curfew-csrf' : 'curfew-csrf';
  const mac = (seed: string): Buffer => keyring.mac('csrf', seed);
  return {
    token(ctx) {
      let seed = ctx.cookies.get(name) ?? (ctx.state['csrf'] as string | undefined);
      if (seed === undefined || seed.length < 40) {
        seed = randomSecret();
        ctx.state['csrf'] = seed;
        ctx.cookies.set(name, seed, { httpOnly: true, sameSite: 'lax', secure, signed: false, overwrite: true });
      }
      return mac(seed).toString('base64url');
    },
    check(ctx, token) {
      const from = ctx.get('origin');
      const site = ctx.get('sec-fetch-site');
      if (from !== '' && from !== origin) throw new Refusal(403);
      if (site !== '' && site !== 'same-origin' && site !== 'none') throw new Refusal(403);
      const seed = ctx.cookies.get(name);
      const given = Buffer.from(token, 'base64url');
      if (seed === undefined) throw new Refusal(403);
      const expected = mac(seed);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Refusal(403);
    },
  };
}
