/**
 * Reading elements strictly.
 *
 * Purpose: the few questions that the rest asks of a document, each answered with one thing or nothing. Invariant: where a
 * second candidate could be meant, the answer is nothing; where an element stands for its text, it holds text alone. It
 * refuses to know whether a document may be believed.
 */

const ELEMENT_NODE = 1;

/** Every child that is an element, in order. */
export function childElements(parent: Element): Element[] {
  return Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === ELEMENT_NODE);
}

export const isNamed = (element: Element, namespace: string, name: string): boolean =>
  element.localName === name && element.namespaceURI === namespace;

export function childrenNamed(parent: Element, namespace: string, name: string): Element[] {
  return childElements(parent).filter((child) => isNamed(child, namespace, name));
}

/** The only child of that name; nothing if there are none or several. */
export function onlyChild(parent: Element, namespace: string, name: string): Element | undefined {
  const [child, another] = childrenNamed(parent, namespace, name);
  return another === undefined ? child : undefined;
}

/** The element and everything below it, in document order. Depth is bounded by the scan. */
export function withDescendants(element: Element): Element[] {
  return [element, ...childElements(element).flatMap(withDescendants)];
}

/** An attribute of no namespace, as written. Absent and empty are not the same. */
export function attribute(element: Element, name: string): string | undefined {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? undefined) : undefined;
}

/** What an element says that says it in text alone: no element within, so nothing can be cut out of the middle. */
export function plainText(element: Element | undefined): string | undefined {
  if (element === undefined || childElements(element).length > 0) return undefined;
  return element.textContent ?? '';
}
