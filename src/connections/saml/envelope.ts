/**
 * The first of three steps: a posted Response, before anybody verifies it.
 *
 * Purpose: refuse what the library would accept or choke on, and leave it exactly one thing to verify. Invariant: nothing
 * read here is ever believed; every check can only refuse. What passes has one assertion, directly in the Response, and
 * signatures that sign just what they stand in. It refuses to know who the person is.
 */
import { decryptElement } from './decryption.ts';
import { attribute, isNamed, withDescendants } from './elements.ts';
import { type Admitted, admitMessage, MESSAGE_LIMITS } from './guard.ts';
import type { Skewed } from './instants.ts';
import { messageFault, statusOf } from './message.ts';
import { NAMESPACE } from './names.ts';
import type { SamlIdentityProvider, SamlPolicy, ServiceProvider } from './party.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import { isKnownToLibrary, signatureFault, signatureOf, verifyRoot } from './signature.ts';

export type Envelope = Admitted & {
  /** Whether the Response bears a signature, good or bad. */
  readonly responseSigned: boolean;
  /** Whether the library knows every algorithm that anything in it was signed with. */
  readonly knownToLibrary: boolean;
};

export type EnvelopeNeeds = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  readonly policy: SamlPolicy;
  readonly requestId: string;
  readonly samlResponse: string;
  readonly clock: Skewed;
};

export function openEnvelope(needs: EnvelopeNeeds): Envelope | SamlRefusal {
  const { sp, idp, policy, clock } = needs;
  const admitted = admitMessage(needs.samlResponse);
  if (isRefusal(admitted)) return admitted;
  const { text, root } = admitted;
  const claimed =
    messageFault(root, { name: 'Response', idp, destination: sp.acsUrl, clock }) ??
    answerFault(root, needs.requestId) ??
    statusFault(root);
  if (claimed !== undefined) return claimed;

  const assertion = theAssertion(root);
  if (isRefusal(assertion)) return assertion;
  const isEncrypted = assertion.localName === 'EncryptedAssertion';
  const responseSigned = signatureOf(root) !== undefined;
  const sealed =
    signatureFault(root, isEncrypted ? [root] : [root, assertion]) ??
    (policy.wantResponseSigned && !responseSigned
      ? refuse('unsigned-response', 'the Response itself is not signed')
      : undefined);
  if (sealed !== undefined) return sealed;
  const inner = isEncrypted ? openAssertion(assertion, admitted, needs) : assertion;
  if (isRefusal(inner)) return inner;
  const knownToLibrary = isKnownToLibrary(root) && isKnownToLibrary(inner);
  return unsignedFault(inner) ?? { text, root, responseSigned, knownToLibrary };
}

/** An answer nobody asked for could be anybody's (SAML Profiles §4.1.5): it is refused, and a fresh sign-in offered. */
function answerFault(root: Element, requestId: string): SamlRefusal | undefined {
  const inResponseTo = attribute(root, 'InResponseTo');
  if (inResponseTo === undefined) return refuse('unsolicited', 'the Response answers no request');
  return inResponseTo === requestId
    ? undefined
    : refuse('wrong-in-response-to', 'the Response answers another request');
}

function statusFault(root: Element): SamlRefusal | undefined {
  const status = statusOf(root);
  if (status?.length === 1 && status[0] === 'Success') return undefined;
  return refuse('status-not-success', `the identity provider says ${status?.join(', ') ?? 'nothing about success'}`);
}

/** The one assertion of a document, its root or directly in it. Any name space counts, since the library looks at none. */
export function theAssertion(root: Element): Element | SamlRefusal {
  const [assertion, another] = withDescendants(root).filter(
    ({ localName }) => localName === 'Assertion' || localName === 'EncryptedAssertion',
  );
  const alone =
    assertion !== undefined &&
    another === undefined &&
    isNamed(assertion, NAMESPACE.assertion, assertion.localName) &&
    (assertion === root || assertion.parentNode === root);
  return alone ? assertion : refuse('assertion-count', 'there is not exactly one assertion, where it belongs');
}

function unsignedFault(assertion: Element): SamlRefusal | undefined {
  return signatureOf(assertion) === undefined
    ? refuse('unsigned-assertion', 'the assertion itself is not signed')
    : undefined;
}

/**
 * What is inside meets the same rules as an assertion in the open. A Response that is signed is verified first, so that
 * only the identity provider's own cipher texts are ever tried.
 */
function openAssertion(encrypted: Element, envelope: Admitted, { sp, idp }: EnvelopeNeeds): Element | SamlRefusal {
  if (sp.decryption === undefined) {
    return refuse('no-decryption-key', 'the assertion is encrypted, and this connection has no key to open it');
  }
  const isSigned = signatureOf(envelope.root) !== undefined;
  if (isSigned) {
    const signed = verifyRoot(envelope, idp.certificates, MESSAGE_LIMITS);
    if (isRefusal(signed)) return signed;
  }
  const inside = decryptElement(encrypted, {
    privateKeyPem: sp.decryption.privateKeyPem,
    written: isSigned ? 'by-provider' : 'by-anybody',
  });
  if (isRefusal(inside)) return inside;
  const assertion = theAssertion(inside.root);
  if (isRefusal(assertion)) return assertion;
  if (assertion !== inside.root || assertion.localName !== 'Assertion') {
    return refuse('assertion-count', 'what was encrypted is not an assertion');
  }
  return signatureFault(assertion, [assertion]) ?? assertion;
}
