/**
 * The gate every stranger's XML comes through.
 *
 * Purpose: from bytes to a document whose reading is beyond dispute, cheaply even for those who mean harm. Invariant: the
 * size is judged first, then the text in one linear pass (`scan.ts`), and only what is left is parsed; identifiers are
 * unique, every prefix is bound, and the text handed back is exactly the text that was judged. It refuses to know what a
 * message means and whether anybody signed it.
 */
import { DOMParser } from '@xmldom/xmldom';

import { withDescendants } from './elements.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import { type ScanLimits, scanXml } from './scan.ts';

/** A document that may be read, and the very text it was read from. */
export type Admitted = { readonly text: string; readonly root: Element };

/** Of a message as it is posted, in base64. A large response with a few hundred groups is a tenth of it. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
export const MESSAGE_LIMITS: ScanLimits = { maxNodes: 3000, maxDepth: 40 };

// Carriage returns and line feeds: some providers break lines as in mail (RFC 2045 §6.8).
const LINE_BREAKS = /[\r\n]+/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
// What a reference can point at (NCName, ASCII).
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/;
// Both xml-crypto and xmlenc take any of these for an ID.
const ID_NAMES = new Set(['ID', 'Id', 'id']);

const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';
// xmldom reads the content of some elements of this namespace as HTML.
const XHTML_NAMESPACE = 'http://www.w3.org/1999/xhtml';

/** A message from a form field (SAML Bindings §3.5.4). */
export function admitMessage(field: string): Admitted | SamlRefusal {
  if (field.length > MAX_MESSAGE_BYTES) return refuse('too-large', `more than ${MAX_MESSAGE_BYTES} bytes of base64`);
  const bytes = decodeBase64(field.replace(LINE_BREAKS, ''));
  if (bytes === undefined) return refuse('not-base64', 'the message is not base64');
  return admitBytes(bytes, MESSAGE_LIMITS);
}

/** Bytes that claim to be XML in UTF-8. One byte order mark is dropped. */
export function admitBytes(bytes: Uint8Array, limits: ScanLimits): Admitted | SamlRefusal {
  const written = decodeUtf8(bytes);
  return written === undefined ? refuse('not-utf8', 'the document is not UTF-8') : admitText(written, limits);
}

/** Text that claims to be XML. */
export function admitText(written: string, limits: ScanLimits): Admitted | SamlRefusal {
  const scanned = scanXml(written, limits);
  if (isRefusal(scanned)) return scanned;
  const { text } = scanned;
  const root = parse(text);
  if (root === undefined) return refuse('not-well-formed', 'the parser found fault with the document');
  return ambiguity(root) ?? { text, root };
}

/** Base64 in its one spelling: what re-encodes to something else could be compared as one thing and read as another. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parse(text: string): Element | undefined {
  let complaints = 0;
  const complain = (): void => void (complaints += 1);
  // Warnings count: xmldom repairs what it warns about.
  const parser = new DOMParser({ errorHandler: { warning: complain, error: complain, fatalError: complain } });
  const root = parser.parseFromString(text, 'text/xml').documentElement;
  return complaints === 0 ? (root ?? undefined) : undefined;
}

/** What the scan cannot see: names that mean two things, or nothing. */
function ambiguity(root: Element): SamlRefusal | undefined {
  const ids = new Set<string>();
  for (const element of withDescendants(root)) {
    if (!isBound(element) || element.namespaceURI === XHTML_NAMESPACE) {
      return refuse('not-well-formed', 'an element is in no known namespace');
    }
    const names = new Set<string>();
    for (const attribute of Array.from(element.attributes)) {
      if (!isBound(attribute) || isForbiddenDeclaration(attribute)) {
        return refuse('not-well-formed', 'an attribute is in no known namespace');
      }
      const name = `${attribute.namespaceURI ?? ''} ${attribute.localName}`;
      if (names.has(name)) return refuse('not-well-formed', 'an attribute is given twice under two prefixes');
      names.add(name);
      if (!ID_NAMES.has(attribute.localName)) continue;
      if (!IDENTIFIER.test(attribute.value)) return refuse('not-well-formed', 'an ID is not one');
      if (ids.has(attribute.value)) return refuse('duplicate-id', 'two elements have the same ID');
      ids.add(attribute.value);
    }
  }
  return undefined;
}

// An unbound prefix named like a property of every object finds that property in xmldom's map: hence the type.
const isBound = ({ prefix, namespaceURI }: Element | Attr): boolean =>
  prefix
    ? typeof namespaceURI === 'string' && namespaceURI !== ''
    : namespaceURI == null || typeof namespaceURI === 'string';

function isForbiddenDeclaration({ prefix, localName, value }: Attr): boolean {
  if (prefix !== 'xmlns') return false;
  return (
    value === '' || localName === 'xml' || localName === 'xmlns' || value === XML_NAMESPACE || value === XMLNS_NAMESPACE
  );
}
