/**
 * What every SAML protocol message says about itself (SAML Core §3.2).
 *
 * Purpose: the checks that a Response, a LogoutRequest and a LogoutResponse have in common: which message, from whom, to
 * where, and when. Invariant: all of it is demanded, the optional parts included, since each absence has been somebody's
 * way in. It refuses to know whether the message is signed: what it finds in unsigned bytes is only ever a reason to refuse.
 */
import { attribute, childElements, isNamed, onlyChild, plainText } from './elements.ts';
import { isFuture, isPast, parseInstant, type Skewed } from './instants.ts';
import { ENTITY_FORMAT, NAMESPACE, STATUS_PREFIX } from './names.ts';
import type { SamlIdentityProvider } from './party.ts';
import { refuse, type SamlRefusal } from './refusal.ts';
import { addSeconds } from '../../platform/clock.ts';

/** How long after it was issued a message may arrive, and an assertion be used. */
export const MESSAGE_LIFE_SECONDS = 300;

/** Status codes of SAML Core §3.2.2.2; others are reported without their name, which is the sender's to choose. */
const STATUS_WORDS = new Set(
  (
    'Success Requester Responder VersionMismatch AuthnFailed InvalidAttrNameOrValue InvalidNameIDPolicy NoAuthnContext ' +
    'NoAvailableIDP NoPassive NoSupportedIDP PartialLogout ProxyCountExceeded RequestDenied RequestUnsupported ' +
    'RequestVersionDeprecated RequestVersionTooHigh RequestVersionTooLow ResourceNotRecognized TooManyResponses ' +
    'UnknownAttrProfile UnknownPrincipal UnsupportedBinding'
  ).split(' '),
);

export type Expected = {
  readonly name: 'Response' | 'LogoutRequest' | 'LogoutResponse';
  readonly idp: SamlIdentityProvider;
  /** Our own address the message came to. */
  readonly destination: string;
  readonly clock: Skewed;
};

export function messageFault(root: Element, { name, idp, destination, clock }: Expected): SamlRefusal | undefined {
  if (idp.validUntil !== undefined && idp.validUntil <= clock.now) {
    return refuse('expired-metadata', "the identity provider's metadata has expired");
  }
  if (!isNamed(root, NAMESPACE.protocol, name)) return refuse('unexpected-message', `the message is no ${name}`);
  if (attribute(root, 'ID') === undefined) return refuse('unexpected-message', 'the message has no ID');
  return issuanceFault(root, { idp, clock }) ?? destinationFault(root, destination);
}

/** Version, Issuer and IssueInstant: of a message or of an assertion. */
export function issuanceFault(
  root: Element,
  { idp, clock }: { readonly idp: SamlIdentityProvider; readonly clock: Skewed },
): SamlRefusal | undefined {
  if (attribute(root, 'Version') !== '2.0') return refuse('wrong-version', `the ${root.localName} is not of SAML 2.0`);
  if (issuerOf(root) !== idp.entityId) {
    return refuse('wrong-issuer', `the ${root.localName} was not issued by this identity provider`);
  }
  const issuedAt = parseInstant(attribute(root, 'IssueInstant'));
  if (issuedAt === undefined) return refuse('expired', `the ${root.localName} does not say when it was issued`);
  if (isFuture(issuedAt, clock)) return refuse('not-yet-valid', `the ${root.localName} was issued in the future`);
  if (isPast(addSeconds(issuedAt, MESSAGE_LIFE_SECONDS), clock)) {
    return refuse('expired', `the ${root.localName} was issued more than ${MESSAGE_LIFE_SECONDS} seconds ago`);
  }
  return undefined;
}

function destinationFault(root: Element, destination: string): SamlRefusal | undefined {
  return attribute(root, 'Destination') === destination
    ? undefined
    : refuse('wrong-destination', 'the message was not meant for this address');
}

function issuerOf(root: Element): string | undefined {
  const issuer = onlyChild(root, NAMESPACE.assertion, 'Issuer');
  const format = issuer && (attribute(issuer, 'Format') ?? ENTITY_FORMAT);
  return format === ENTITY_FORMAT ? plainText(issuer) : undefined;
}

/** The words of a Status, outermost first: `['Success']`, `['Responder', 'NoPassive']`. Nothing if there is not one Status. */
export function statusOf(root: Element): string[] | undefined {
  const status = onlyChild(root, NAMESPACE.protocol, 'Status');
  const words: string[] = [];
  let code = status && onlyChild(status, NAMESPACE.protocol, 'StatusCode');
  while (code !== undefined) {
    const value = attribute(code, 'Value') ?? '';
    const word = value.startsWith(STATUS_PREFIX) ? value.slice(STATUS_PREFIX.length) : '';
    words.push(STATUS_WORDS.has(word) ? word : 'another');
    const [inner, another] = childElements(code);
    if (another !== undefined) return undefined;
    code = inner && isNamed(inner, NAMESPACE.protocol, 'StatusCode') ? inner : undefined;
  }
  return words.length > 0 ? words : undefined;
}
