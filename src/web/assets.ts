/**
 * The stylesheet and scripts of our pages, and the one library that they use in a browser: a fixed list, read once. Nothing
 * else on the disk can be asked for.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Middleware } from 'koa';

const FOLDER = fileURLToPath(new URL('../../views/assets', import.meta.url));
/** The browser's half of passkeys (@simplewebauthn/browser), as its authors bundle it. */
export const webauthnBundle = join(
  dirname(fileURLToPath(import.meta.resolve('@simplewebauthn/browser'))),
  '../dist/bundle/index.umd.min.js',
);
const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export function serveAssets(): Middleware {
  const assets = new Map<string, { body: Buffer; etag: string; type: string }>(
    [
      ...readdirSync(FOLDER).map((name) => [name, join(FOLDER, name)] as const),
      ['webauthn.js', webauthnBundle] as const,
    ].map(([name, path]) => {
      const body = readFileSync(path);
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      return [`/assets/${name}`, { body, etag, type: TYPES[extname(name)] ?? 'application/octet-stream' }];
    }),
  );
  return async (ctx, next) => {
    const asset = assets.get(ctx.path);
    if (asset === undefined || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.set('ETag', asset.etag);
    ctx.type = asset.type;
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.body = asset.body;
  };
}
