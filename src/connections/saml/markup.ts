/**
 * Writing XML.
 *
 * Purpose: documents of ours, as templates that look like what they produce. Invariant: whatever is filled in is text or
 * an attribute's value and stays that, unless it is itself markup written here. It refuses to know SAML.
 */

/** XML that was written by `xml`. */
export type Markup = { readonly markup: string };

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

const escape = (text: string): string => text.replace(/[&<>"\t\n\r]/g, (character) => ESCAPES[character] ?? '');

type Part = string | Markup | readonly Markup[] | undefined;

/** Values go in escaped, markup as it is, nothing for `undefined`. Put attribute values in double quotes. */
export function xml(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const written = parts.map((part) => {
    if (part === undefined) return '';
    if (typeof part === 'string') return escape(part);
    return 'markup' in part ? part.markup : part.map((each) => each.markup).join('');
  });
  return { markup: String.raw({ raw: strings }, ...written) };
}

/** ` name="value"`, or nothing. */
export const optionalAttribute = (name: string, value: string | undefined): Markup => ({
  markup: value === undefined ? '' : ` ${name}="${escape(value)}"`,
});
