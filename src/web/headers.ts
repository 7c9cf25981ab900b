/** Headers every answer carries. Set before the provider, whose form_post page adds its script's hash to this policy. */
import type { Middleware } from 'koa';

const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "font-src 'self'",
  "img-src 'self' data: https:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Our own forms lead to our own pages. Not so where a form's answer may lead back to an app: Chrome would stop it. */
const OWN_PAGES = /^\/(account|sign-outs|sign-in|sign-out|reset|register|verify|email|not-me)(\/|$)/i;

/** With connections the same holds where people choose one: a provider may lead on to others, and all of them count. */
const CHOOSING_PAGES = /^\/(sign-in|account)(\/|$)/i;

export function securityHeaders({
  secure,
  connections,
}: {
  readonly secure: boolean;
  readonly connections: boolean;
}): Middleware {
  const always = new Map([
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    ['Referrer-Policy', 'same-origin'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Permissions-Policy', 'camera=(), microphone=(), geolocation=(), payment=()'],
    ['Cache-Control', 'no-store'],
    ...(secure ? ([['Strict-Transport-Security', 'max-age=31536000']] as const) : []),
  ]);
  return (ctx, next) => {
    ctx.res.setHeaders(always);
    const own = OWN_PAGES.test(ctx.path) && !(connections && CHOOSING_PAGES.test(ctx.path));
    ctx.res.setHeader('Content-Security-Policy', own ? `${POLICY}; form-action 'self'` : POLICY);
    return next();
  };
}
