/**
 * Who a message is about.
 *
 * Purpose: read the one NameID of a Subject or a LogoutRequest. Invariant: it is text alone, so that no parser can see a
 * shorter name in it; there is no other that could have been meant; and it is never an attribute, whatever the attribute
 * calls itself. It refuses to know which account it names.
 */
import { attribute, childrenNamed, plainText, withDescendants } from './elements.ts';
import { NAMESPACE, UNSPECIFIED_FORMAT } from './names.ts';
import { refuse, type SamlRefusal } from './refusal.ts';

export type NameId = {
  readonly nameId: string;
  /** A URI. `…:unspecified` where the provider does not say (SAML Core §2.2.2). */
  readonly nameIdFormat: string;
  /** In whose name space the name is unique, if said. Sent back unchanged when asking the provider to log out. */
  readonly nameQualifier: string | undefined;
  readonly spNameQualifier: string | undefined;
};

const LONGEST_NAME = 1024;
// A line feed or tab in a name is a mistake at best: names are compared, logged and shown.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001F\u007F-\u009F]/;

const IDENTIFIER_NAMES = new Set(['NameID', 'EncryptedID', 'BaseID']);

/** The one NameID directly in `parent`, with no identifier of any kind elsewhere below it. */
export function nameIdOf(parent: Element): NameId | SamlRefusal {
  const named = withDescendants(parent).filter(({ localName }) => IDENTIFIER_NAMES.has(localName));
  const [nameId] = childrenNamed(parent, NAMESPACE.assertion, 'NameID');
  if (named.length > 1) return refuse('ambiguous-name-id', 'there is more than one identifier');
  if (nameId === undefined) return refuse('no-name-id', 'there is no NameID');
  return readNameId(nameId);
}

export function readNameId(element: Element): NameId | SamlRefusal {
  const text = plainText(element);
  if (text === undefined) return refuse('ambiguous-name-id', 'the NameID is not text alone');
  if (text.trim() === '') return refuse('no-name-id', 'the NameID is empty');
  if (text.length > LONGEST_NAME || CONTROL.test(text)) {
    return refuse(
      'ambiguous-name-id',
      `the NameID is longer than ${LONGEST_NAME} characters or has control characters`,
    );
  }
  return {
    nameId: text,
    nameIdFormat: attribute(element, 'Format') ?? UNSPECIFIED_FORMAT,
    nameQualifier: attribute(element, 'NameQualifier'),
    spNameQualifier: attribute(element, 'SPNameQualifier'),
  };
}
