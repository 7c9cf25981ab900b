/**
 * The HTML the example apps have in common: an escaping template, one stylesheet, one shell. It keeps one promise: text
 * that came from elsewhere (names, codes, titles) can never become markup. It knows nothing of sign-in.
 */
import { createHash } from 'node:crypto';
import type { Response } from 'express';

export type Markup = { readonly markup: string };
type Value = string | number | Markup | readonly Markup[] | undefined;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function render(value: Value): string {
  if (value === undefined) return '';
  if (typeof value === 'object') return 'markup' in value ? value.markup : value.map(render).join('');
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A template that escapes every value which is not itself the result of this template. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Markup {
  return { markup: String.raw({ raw: strings }, ...values.map(render)) };
}

/** A link target, or none: an issuer's answer must not be able to put `javascript:` into a page. */
export function safeHref(address: string): string | undefined {
  return /^https?:\/\//i.test(address) ? address : undefined;
}

const STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#f7f6f3, #15161a); --ink: light-dark(#1c1d21, #ececf0);
  --quiet: light-dark(#5a5c66, #a5a8b5); --line: light-dark(#d8d6cf, #33353e); --accent: light-dark(#4338ca, #a5b4fc);
  --on-accent: light-dark(#ffffff, #15161a); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
.quiet { color: var(--quiet); }
.notice { border-left: .3rem solid var(--accent); padding: .6rem 1rem; margin: 1.25rem 0; background: var(--line); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin: 1.5rem 0; }
.actions form { margin: 0; }
.button { display: inline-block; font: inherit; padding: .5rem 1.1rem; border-radius: .5rem; cursor: pointer;
  text-decoration: none; border: 1px solid var(--accent); background: transparent; color: var(--accent); }
.button.first { background: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.shelf { list-style: none; padding: 0; display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.shelf li { border: 1px solid var(--line); border-radius: .6rem; padding: 1.5rem 1rem .9rem; }
.code { font: 700 clamp(2.5rem, 11vw, 5.5rem)/1.2 ui-monospace, monospace; letter-spacing: .06em; margin: 1rem 0; }
.address { font-size: 1.25rem; overflow-wrap: anywhere; }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

export type Page = { title: string; body: Markup; status?: number; refreshSeconds?: number | undefined };

/** Sends a whole page. Never stored: each one shows who is signed in right now. */
export function sendPage(res: Response, page: Page): void {
  // Laid out by hand: the style element must be byte for byte what was hashed.
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${render(page.title)}</title>
<style>${STYLE}</style>
</head>
<body><main>${page.body.markup}</main></body>
</html>
`;
  // The header does what a meta element would, and stays out of the way of the document.
  if (page.refreshSeconds !== undefined) res.set('Refresh', String(page.refreshSeconds));
  res
    .status(page.status ?? 200)
    .set('Cache-Control', 'no-store')
    .set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
    .set('Referrer-Policy', 'no-referrer')
    .set('X-Content-Type-Options', 'nosniff')
    .type('html')
    .send(text);
}
