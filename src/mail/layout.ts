/**
 * The one layout of every mail, once as HTML and once as text.
 *
 * Invariant: whatever is in a letter arrives as text, never as markup; nothing is loaded from anywhere and nothing runs; and
 * it can be read on light and dark, wide and narrow. Styles are written into the elements, because many mail programs drop
 * the rest; the one style sheet there is only turns colours over, and nothing is lost without it. It refuses to know what a
 * letter is about.
 */
import type { Letter } from './letter.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

const FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const P = `margin:0 0 16px;font-size:16px;line-height:1.5`;

const DARK = `
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .paper { background-color: #15161a !important; color: #ececf0 !important; }
  .sheet { background-color: #1f2127 !important; border-color: #3a3d47 !important; }
  .quiet { color: #b3b6c2 !important; }
  .line { border-color: #3a3d47 !important; }
  .press { background-color: #a5b4fc !important; color: #15161a !important; }
  .link { color: #a5b4fc !important; }
}`;

/** The letter as one HTML document. */
export function layOutHtml(letter: Letter): string {
  const { language, direction, subject, paragraphs, facts, action, notMe, footer } = letter;
  const body = [
    `<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">${escape(subject)}</h1>`,
    ...paragraphs.map((text) => `<p style="${P}">${escape(text)}</p>`),
    ...(action === null ? [] : [actionHtml(action)]),
    `<dl class="line" style="margin:0 0 16px;padding:12px 0 0;border-top:1px solid #d8d6cf;font-size:15px;line-height:1.5">`,
    ...facts.map(
      ([name, value]) =>
        `<dt class="quiet" style="color:#5a5c66;font-size:14px">${escape(name)}</dt><dd style="margin:0 0 8px;overflow-wrap:anywhere">${escape(value)}</dd>`,
    ),
    `</dl>`,
    ...(notMe === null
      ? []
      : [
          `<p style="${P}">${escape(notMe.text)}</p>`,
          `<p style="${P}"><a class="link" href="${escape(notMe.href)}" style="color:#4338ca;font-weight:600">${escape(notMe.label)}</a></p>`,
        ]),
  ];
  return `<!doctype html>
<html lang="${language}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escape(subject)}</title>
<style>${DARK}
</style>
</head>
<body class="paper" style="margin:0;padding:0;background-color:#f7f6f3;color:#1c1d21;${FONT}">
<div class="paper" lang="${language}" dir="${direction}" style="padding:24px 12px;background-color:#f7f6f3;color:#1c1d21;${FONT}">
<div role="article" class="sheet" style="max-width:560px;margin:0 auto;padding:24px;background-color:#ffffff;border:1px solid #d8d6cf;border-radius:10px">
${body.join('\n')}
</div>
<p class="quiet" style="max-width:560px;margin:16px auto 0;padding:0 12px;font-size:13px;line-height:1.5;color:#5a5c66">${escape(footer)}</p>
</div>
</body>
</html>
`;
}

function actionHtml({ label, href, hint, goodUntil }: NonNullable<Letter['action']>): string {
  const target = escape(href);
  return [
    `<p style="margin:24px 0 16px"><a class="press" href="${target}" style="display:inline-block;padding:12px 22px;border-radius:8px;background-color:#4338ca;color:#ffffff;font-size:16px;font-weight:600;text-decoration:none">${escape(label)}</a></p>`,
    `<p class="quiet" style="margin:0 0 24px;font-size:14px;line-height:1.5;color:#5a5c66">${escape(hint)}<br><a class="link" href="${target}" style="color:#4338ca;overflow-wrap:anywhere;word-break:break-all">${target}</a>${goodUntil === null ? '' : `<br>${escape(goodUntil)}`}</p>`,
  ].join('\n');
}

const WIDTH = 72;

/** The letter as plain text: each link on a line of its own. */
export function layOutText({ subject, paragraphs, facts, action, notMe, footer }: Letter): string {
  const parts = [
    wrapped(subject),
    ...paragraphs.map(wrapped),
    ...(action === null
      ? []
      : [
          [`${action.label}:`, action.href, ...(action.goodUntil === null ? [] : [wrapped(action.goodUntil)])].join(
            '\n',
          ),
        ]),
    facts.map(([name, value]) => `${name}: ${value}`).join('\n'),
    ...(notMe === null ? [] : [wrapped(notMe.text), `${notMe.label}:\n${notMe.href}`]),
    `-- \n${wrapped(footer)}`,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** Broken between words; a word that is too long stays whole. */
function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
