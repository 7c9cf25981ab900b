/**
 * XML, written and read. Written with the escaping template of the pages: what is filled in stays text. Read without document
 * types, and only by asking an element for its own children, so that nothing is found where it does not belong.
 */
import { DOMParser } from '@xmldom/xmldom';
import { html } from '../../shared/page.ts';

export { html as xml };

export function parseXml(text: string): Element {
  if (text.includes('<!')) throw new Error('it has a document type, a comment or CDATA');
  const refuse = (message: unknown): never => {
    throw new Error(String(message).split('\n')[0]);
  };
  const errorHandler = { warning: refuse, error: refuse, fatalError: refuse };
  const { documentElement } = new DOMParser({ errorHandler }).parseFromString(text, 'text/xml');
  return documentElement ?? refuse('it is empty');
}

export const children = (element: Element | undefined, name: string): Element[] =>
  Array.from(element?.childNodes ?? []).filter(
    (node): node is Element => node.nodeType === 1 && (node as Element).localName === name,
  );

/** The one child of that name; nothing where there is none, or several. */
export function child(element: Element | undefined, name: string): Element | undefined {
  const [only, another] = children(element, name);
  return another ? undefined : only;
}

export const textOf = (element: Element | undefined): string | undefined => element?.textContent?.trim();

export const attribute = (element: Element | undefined, name: string): string | undefined =>
  element?.getAttributeNode(name)?.value;
