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
.fields { max-width: 22rem; margin: 1.5rem 0; }
.fields label { display: block; margin: 1rem 0 .25rem; }
.fields input { display: block; width: 100%; font: inherit; padding: .5rem .75rem; border: 1px solid var(--quiet);
  border-radius: .5rem; background: var(--paper); color: var(--ink); }
.fields .button { margin-top: 1.5rem; }
.rows { list-style: none; padding: 0; margin: .75rem 0; }
.rows li { border-top: 1px solid var(--line); padding: .75rem 0; overflow-wrap: anywhere; }
`;

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const STYLE_SOURCE = sha256(STYLE);

export type Page = {
  title: string;
  body: Markup;
  status?: number;
  refreshSeconds?: number | undefined;
  /** Its form is answered by a redirect to another site; browsers count that as where the form leads, too. */
  leadsElsewhere?: boolean;
  /** A constant of the program: the only script that may run. */
  script?: string;
};

/** A whole page, for whatever sends it. Never stored: each one shows who is signed in right now. */
export function layOut({ title, body, refreshSeconds, leadsElsewhere = false, script }: Page) {
  // Laid out by hand: style and script must be byte for byte what was hashed.
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${render(title)}</title>
<style>${STYLE}</style>
</head>
<body><main>${body.markup}</main>${script === undefined ? '' : `<script>${script}</script>`}</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    ...(script === undefined ? [] : [`script-src ${sha256(script)}`]),
    "base-uri 'none'",
    ...(leadsElsewhere ? [] : ["form-action 'self'"]),
    "frame-ancestors 'none'",
  ];
  return {
    text,
    headers: {
      'Cache-Control': 'no-store',
      'Content-Security-Policy': policy.join('; '),
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      // The header does what a meta element would, and stays out of the way of the document.
      ...(refreshSeconds !== undefined && { Refresh: String(refreshSeconds) }),
    },
  };
}

/** Sends a whole page. */
export function sendPage(res: Response, page: Page): void {
  const { text, headers } = layOut(page);
  res
    .status(page.status ?? 200)
    .set(headers)
    .type('html')
    .send(text);
}
