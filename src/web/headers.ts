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
const OWN_PAGES = /^\/(account|sign-outs|sign-in|sign-out)(\/|$)/i;

export function securityHeaders({ secure }: { readonly secure: boolean }): Middleware {
  return async (ctx, next) => {
    ctx.set('Content-Security-Policy', OWN_PAGES.test(ctx.path) ? `${POLICY}; form-action 'self'` : POLICY);
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('X-Frame-Options', 'DENY');
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    ctx.set('Referrer-Policy', 'same-origin');
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
    ctx.set('Permissions-Policy', 'camera=(), microphone=(), geolocation=(), payment=()');
    ctx.set('Cache-Control', 'no-store');
    if (secure) ctx.set('Strict-Transport-Security', 'max-age=31536000');
    await next();
  };
}
