/**
 * A first look at a stranger's XML, in one pass over the text.
 *
 * Purpose: admit only a small, boring subset of XML, on which every parser agrees, and refuse the rest before any parser
 * spends time on it. Invariant: the time taken is linear in the length of the text and ends at the first excess; what is
 * admitted is well-formed, has one root, no construct a signature could be hidden in or read past, and stays within its
 * limits. It refuses to know namespaces, SAML, and what the document says.
 *
 * Comments are left out of what is handed on, so that no parser after this one sees where they were. Only between elements:
 * one in or beside text is how one name was read as two. Canonical form leaves them out as well (Exclusive XML
 * Canonicalization §1), so what was signed with them is what is read without.
 *
 * Two parsers read a response after this one (`@xmldom/xmldom` for signatures, `sax` inside the library), and both repair
 * what is broken, each in its own way. Whatever only one of them would repair must not reach either.
 */
import { refuse, type SamlRefusal } from './refusal.ts';

export type ScanLimits = {
  /** Elements and runs of text together; and, counted apart, attributes. */
  readonly maxNodes: number;
  readonly maxDepth: number;
  /** For documents that may hold comments, which are left out: how many, and how long all of them together. */
  readonly comments?: { readonly most: number; readonly maxLength: number };
};

const MAX_ATTRIBUTES_PER_ELEMENT = 64;

// ASCII names with at most one colon. SAML needs no others, and letters that look alike serve nobody.
const NAME = '[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?';
const SPACE = '[ \\t\\r\\n]';

// Sticky, and each either moves on or fails for good: nothing is looked at more than a fixed number of times.
const DECLARATION = new RegExp(
  `^<\\?xml${SPACE}+version=(?:"1\\.0"|'1\\.0')(?:${SPACE}+encoding=(?:"utf-8"|'utf-8'))?` +
    `(?:${SPACE}+standalone=(?:"(?:yes|no)"|'(?:yes|no)'))?${SPACE}*\\?>`,
  'i',
);
const START_TAG = new RegExp(`<(${NAME})`, 'y');
const ATTRIBUTE = new RegExp(`${SPACE}+(${NAME})${SPACE}*=${SPACE}*(?:"[^"<]*"|'[^'<]*')`, 'y');
const TAG_END = new RegExp(`${SPACE}*(/?)>`, 'y');
const END_TAG = new RegExp(`</(${NAME})${SPACE}*>`, 'y');
const NOT_SPACE = /[^ \t\r\n]/;

// Control characters; and U+0085, U+2028, U+2029, which xmldom turns into line feeds and others keep.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u2028\u2029\uFEFF\uFFFE\uFFFF]/;
// Ampersands that begin neither a predefined entity nor a character reference.
const STRAY_AMPERSAND = /&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)/;
const CHARACTER_REFERENCE = /&#(x?)([0-9a-fA-F]+);/g;

/** The text without its XML declaration and its comments, if every parser would read the same in it. */
export function scanXml(written: string, limits: ScanLimits): { readonly text: string } | SamlRefusal {
  const text = written.replace(DECLARATION, '');
  if (limits.comments === undefined) {
    const fault = forbiddenConstruct(text) ?? forbiddenCharacter(text);
    return fault ?? scanTree(text, limits);
  }
  if (FORBIDDEN.test(text)) return refuse('not-well-formed', 'the document holds a control character');
  const scanned = scanTree(text, limits);
  return 'refused' in scanned
    ? scanned
    : (forbiddenConstruct(scanned.text) ?? forbiddenCharacter(scanned.text) ?? scanned);
}

/** `<` can stand for nothing but markup in well-formed XML, so finding these needs no parser. */
function forbiddenConstruct(text: string): SamlRefusal | undefined {
  if (text.includes('<?')) return refuse('processing-instruction', 'the document holds a processing instruction');
  const declared = text.indexOf('<!');
  if (declared === -1) return undefined;
  if (text.startsWith('<!--', declared)) return refuse('comment', 'the document holds a comment');
  if (text.startsWith('<![CDATA[', declared)) return refuse('cdata', 'the document holds a CDATA section');
  return refuse('doctype', 'the document holds a markup declaration');
}

function forbiddenCharacter(text: string): SamlRefusal | undefined {
  if (FORBIDDEN.test(text)) return refuse('not-well-formed', 'the document holds a control character');
  if (text.includes(']]>')) return refuse('not-well-formed', 'the document ends a CDATA section it never began');
  if (STRAY_AMPERSAND.test(text)) return refuse('not-well-formed', 'the document refers to an unknown entity');
  for (const [, hexadecimal, digits = ''] of text.matchAll(CHARACTER_REFERENCE)) {
    const code = Number.parseInt(digits, hexadecimal === 'x' ? 16 : 10);
    // A carriage return may be referred to: Java writes `&#13;` at the line ends of its base64.
    const isCharacter = code <= 0x10_ff_ff && (code < 0xd8_00 || code > 0xdf_ff);
    if (!isCharacter || FORBIDDEN.test(String.fromCodePoint(code))) {
      return refuse('not-well-formed', 'the document refers to a forbidden character');
    }
  }
  return undefined;
}

/** An element that has begun, and what stands directly in it. */
type Open = { readonly name: string; commented: boolean; worded: boolean };

function scanTree(text: string, { maxNodes, maxDepth, comments }: ScanLimits): { readonly text: string } | SamlRefusal {
  const open: Open[] = [];
  const kept: string[] = [];
  let [nodes, attributes, roots, at, keptTo, commented, commentLength] = [0, 0, 0, 0, 0, 0, 0];
  for (;;) {
    const tag = text.indexOf('<', at);
    const run = text.slice(at, tag === -1 ? text.length : tag);
    const around = open.at(-1);
    if (NOT_SPACE.test(run)) {
      if (around === undefined) return refuse('not-well-formed', 'there is text outside the root element');
      around.worded = true;
      if (around.commented) return refuse('comment', 'an element holds a comment and text');
    }
    if (tag === -1) break;
    if (run !== '') nodes += 1;

    if (comments !== undefined && text.startsWith('<!--', tag)) {
      const end = endOfComment(text, tag);
      if (end === undefined) return refuse('not-well-formed', 'a comment is broken');
      if (around?.worded === true) return refuse('comment', 'an element holds a comment and text');
      if (around !== undefined) around.commented = true;
      [commented, commentLength] = [commented + 1, commentLength + end - tag];
      if (commented > comments.most || commentLength > comments.maxLength) {
        return refuse('comment', `there are more than ${comments.most} comments, or they are too long`);
      }
      kept.push(text.slice(keptTo, tag));
      [at, keptTo] = [end, end];
    } else if (text[tag + 1] === '/') {
      const ended = matchAt(END_TAG, text, tag);
      if (ended === null || ended[1] !== open.pop()?.name) {
        return refuse('not-well-formed', 'an end tag is broken or ends nothing');
      }
      at = END_TAG.lastIndex;
    } else {
      const started = matchAt(START_TAG, text, tag);
      if (started === null) {
        return forbiddenConstruct(text.slice(tag, tag + 9)) ?? refuse('not-well-formed', 'a tag is broken');
      }
      if (around === undefined && ++roots > 1) return refuse('several-roots', 'there is more than one root element');
      const named = new Set<string>();
      let next = START_TAG.lastIndex;
      for (let found = matchAt(ATTRIBUTE, text, next); found !== null; found = matchAt(ATTRIBUTE, text, next)) {
        if (named.has(found[1] ?? '')) return refuse('not-well-formed', 'an attribute is given twice');
        named.add(found[1] ?? '');
        if (named.size > MAX_ATTRIBUTES_PER_ELEMENT) {
          return refuse('too-many-nodes', `an element has more than ${MAX_ATTRIBUTES_PER_ELEMENT} attributes`);
        }
        next = ATTRIBUTE.lastIndex;
      }
      const ended = matchAt(TAG_END, text, next);
      if (ended === null) return refuse('not-well-formed', 'a tag is broken');
      at = TAG_END.lastIndex;
      nodes += 1;
      attributes += named.size;
      if (open.length >= maxDepth) return refuse('too-deep', `elements are nested more than ${maxDepth} deep`);
      if (ended[1] === '') open.push({ name: started[1] ?? '', commented: false, worded: false });
    }
    if (nodes > maxNodes || attributes > maxNodes) {
      return refuse('too-many-nodes', `the document has more than ${maxNodes} nodes`);
    }
  }
  if (open.length > 0) return refuse('not-well-formed', 'the document ends within an element');
  if (roots !== 1) return refuse('not-well-formed', 'there is no root element');
  return { text: [...kept, text.slice(keptTo)].join('') };
}

/**
 * Where the comment that begins here ends. Two hyphens inside are not XML (§2.5), and one that begins as HTML's would end is
 * read in two ways.
 */
function endOfComment(text: string, start: number): number | undefined {
  if (/^-?>/.test(text.slice(start + 4, start + 6))) return undefined;
  const hyphens = text.indexOf('--', start + 4);
  return hyphens !== -1 && text[hyphens + 2] === '>' ? hyphens + 3 : undefined;
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
