/**
 * Sentences with something of somebody else's in them: a name, an instant, a link.
 *
 * Invariant: no name rearranges the sentence around it. A name may be written from right to left, or hold characters that
 * reorder what follows; in plain text it is isolated where that could show (UAX #9, 2.4), and in markup it is an element of
 * its own, which the style sheet isolates. It refuses to know which languages there are.
 */

/** An instant, ready to show: `iso` is RFC 3339 in UTC, `text` is what a person reads. */
export type Instant = { readonly iso: string; readonly text: string };
export type Link = { readonly href: string; readonly label: string };

/** Words are strings; what stands between them is placed by the page as what it is. */
export type Sentence = readonly (string | { readonly name: string } | Instant | Link)[];

const EMBEDDINGS = /[\u202a-\u202e\u2066-\u2069]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const FIRST_STRONG_ISOLATE = '\u2068';
const POP_ISOLATE = '\u2069';

/** The name as it may stand within a sentence of plain text. */
function isolated(name: string): string {
  const plain = name.replaceAll(EMBEDDINGS, '');
  return RIGHT_TO_LEFT.test(plain) ? `${FIRST_STRONG_ISOLATE}${plain}${POP_ISOLATE}` : plain;
}

/** A sentence as plain text: for labels, attributes and whatever holds no markup. */
export function text(words: TemplateStringsArray, ...names: readonly (string | number)[]): string {
  return words.map((word, at) => (at === 0 ? word : `${isolated(String(names[at - 1]))}${word}`)).join('');
}

/** A sentence for partials/sentence.ejs. What is `plain` stands in it without an emphasis. */
export function sentence(
  words: TemplateStringsArray,
  ...slots: readonly (string | { readonly plain: string } | Instant | Link)[]
): Sentence {
  const parts = words.flatMap((word, at): Sentence => {
    const slot = slots[at - 1];
    if (at === 0 || slot === undefined) return [word];
    if (typeof slot === 'string') return [{ name: slot }, word];
    return ['plain' in slot ? isolated(slot.plain) : slot, word];
  });
  return parts.filter((part) => part !== '');
}
