/** The inbox's own shell: pages that hold a frame, which no other example's page may. */
import { createHash } from 'node:crypto';
import type { Response } from 'express';

import { html, type Markup } from '../shared/page.ts';

const STYLE = `
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; font: 1.0625rem/1.55 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet { color: light-dark(#5a5c66, #a5a8b5); overflow-wrap: anywhere; }
.mails { list-style: none; padding: 0; }
.mails li { border-top: 1px solid light-dark(#d8d6cf, #33353e); padding: .6rem 0; }
.text { border: 1px solid light-dark(#d8d6cf, #33353e); border-radius: .6rem; padding: 1rem; overflow-wrap: anywhere;
  white-space: pre-wrap; font: .9375rem/1.5 ui-monospace, monospace; }
iframe { width: 100%; height: 46rem; border: 1px solid light-dark(#d8d6cf, #33353e); border-radius: .6rem; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Sends a whole page. */
export function sendInboxPage(
  res: Response,
  { title, body, refreshSeconds }: { title: string; body: Markup; refreshSeconds?: number },
): void {
  // Laid out by hand: the style element must be byte for byte what was hashed.
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html`${title}`.markup}</title>
<style>${STYLE}</style>
</head>
<body><main>${body.markup}</main></body>
</html>
`;
  if (refreshSeconds !== undefined) res.set('Refresh', String(refreshSeconds));
  res
    .set('Cache-Control', 'no-store')
    .set(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    )
    .set('Referrer-Policy', 'no-referrer')
    .set('X-Content-Type-Options', 'nosniff')
    .type('html')
    .send(text);
}
