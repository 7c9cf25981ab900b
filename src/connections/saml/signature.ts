/**
 * Signatures inside XML (SAML Core §5.4).
 *
 * Purpose: hold every signature of a document to the one shape SAML has for it, and verify one over a document's root.
 * Invariant: a signature stands in what it signs, refers to that and nothing else, by ID, through the two transforms SAML
 * allows and algorithms that are listed; what may be read after a verification is the text that was digested, never the
 * document it came in. It refuses to know whose keys it is given, and never looks at a key the document brings along.
 */
import { createHash, createPublicKey } from 'node:crypto';

import { type HashAlgorithm, type SignatureAlgorithm, SignedXml } from 'xml-crypto';

import { attribute, childElements, childrenNamed, isNamed, plainText, withDescendants } from './elements.ts';
import { type Admitted, admitText, decodeBase64 } from './guard.ts';
import {
  DIGEST_METHODS,
  ENVELOPED_SIGNATURE,
  EXCLUSIVE_C14N,
  LIBRARY_ALGORITHMS,
  NAMESPACE,
  SIGNATURE_METHODS,
} from './names.ts';
import { refuse, type SamlRefusal } from './refusal.ts';
import type { ScanLimits } from './scan.ts';
import { keysFor, verifiesOctets } from './verify-octets.ts';

const { signature: DSIG } = NAMESPACE;
// Named as the parts that libraries look for anywhere below a Signature; so they may stand in one place only.
const PARTS = new Set([
  'Signature',
  'SignedInfo',
  'CanonicalizationMethod',
  'SignatureMethod',
  'Reference',
  'Transforms',
]);

/** The Signature of an element, if it has exactly one. */
export function signatureOf(element: Element): Element | undefined {
  const [signature, another] = childrenNamed(element, DSIG, 'Signature');
  return another === undefined ? signature : undefined;
}

/**
 * What is wrong with the signatures of a document, of which only `owners` may have one each. That a signature is fine here
 * does not say that it verifies.
 */
export function signatureFault(root: Element, owners: readonly Element[]): SamlRefusal | undefined {
  for (const element of withDescendants(root)) {
    if (element.localName !== 'Signature') continue;
    const owner = owners.find((candidate) => element.parentNode === candidate);
    if (owner === undefined || signatureOf(owner) !== element) {
      return refuse('misplaced-signature', 'a signature stands where none belongs, or beside another');
    }
    const fault = shapeFault(element) ?? referenceFault(element, owner) ?? algorithmFault(element);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Whether the library knows both algorithms of the element's signature, if there is one. */
export function isKnownToLibrary(element: Element): boolean {
  const signature = signatureOf(element);
  return signature === undefined || algorithmsOf(signature).every((name) => LIBRARY_ALGORITHMS.has(name ?? ''));
}

/** What the signature over the root vouches for. */
export const verifyRoot = (
  admitted: Admitted,
  certificates: readonly string[],
  limits: ScanLimits,
): Admitted | SamlRefusal => verifyElement(admitted, admitted.root, certificates, limits);

/**
 * What the signature over an element of the document vouches for, parsed afresh from the text that was digested. The caller
 * has found no `signatureFault`. Keys: of any of the certificates, of the kind that the method wants.
 */
export function verifyElement(
  { text }: Admitted,
  element: Element,
  certificates: readonly string[],
  limits: ScanLimits,
): Admitted | SamlRefusal {
  const signature = signatureOf(element);
  if (signature === undefined) return refuse('unsigned', 'the message is not signed');
  const [method] = algorithmsOf(signature);
  for (const key of keysFor(method, certificates)) {
    const signed = signedText(text, signature, key.export({ type: 'spki', format: 'pem' }).toString());
    if (signed !== undefined) return admitText(signed, limits);
  }
  return refuse('bad-signature', 'no certificate of the identity provider verifies the signature');
}

function signedText(text: string, signature: Element, publicKeyPem: string): string | undefined {
  const check = new SignedXml({ publicCert: publicKeyPem, getCertFromKeyInfo: () => null });
  // The allow-list once more, where the library cannot miss it.
  check.SignatureAlgorithms = ACCEPTED_SIGNATURES;
  check.HashAlgorithms = ACCEPTED_DIGESTS;
  check.CanonicalizationAlgorithms = pick(check.CanonicalizationAlgorithms, [ENVELOPED_SIGNATURE, EXCLUSIVE_C14N]);
  try {
    check.loadSignature(signature);
    const [signed, another] = check.checkSignature(text) ? check.getSignedReferences() : [];
    return another === undefined ? signed : undefined;
  } catch {
    return undefined; // The library throws for a wrong signature, and returns false for a wrong digest.
  }
}

const ACCEPTED_SIGNATURES = Object.fromEntries(
  [...SIGNATURE_METHODS.keys()].map((name) => [name, signatureAlgorithm(name)]),
);
const ACCEPTED_DIGESTS = Object.fromEntries(
  [...DIGEST_METHODS].map(([name, hash]) => [name, digestAlgorithm(name, hash)]),
);

/** A method as the library takes it. It is given the key as it was given to it, in PEM. */
function signatureAlgorithm(name: string): new () => SignatureAlgorithm {
  return class {
    verifySignature = (octets: string, pem: unknown, value: string): boolean =>
      verifiesOctets(name, {
        key: createPublicKey(String(pem)),
        octets,
        signature: Buffer.from(value, 'base64'),
      });
    getSignature = (): never => {
      throw new Error('only verifies');
    };
    getAlgorithmName = (): string => name;
  } as unknown as new () => SignatureAlgorithm;
}

function digestAlgorithm(name: string, hash: string): new () => HashAlgorithm {
  return class {
    getHash = (octets: string): string => createHash(hash).update(octets, 'utf8').digest('base64');
    getAlgorithmName = (): string => name;
  };
}

function pick<T>(all: Record<string, T>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

function shapeFault(signature: Element): SamlRefusal | undefined {
  const [signedInfo, value, keyInfo, ...rest] = childElements(signature);
  const info = signedInfo === undefined ? [] : childElements(signedInfo);
  const [, , reference] = info;
  const referenced = reference === undefined ? [] : childElements(reference);
  const [transforms, , digest] = referenced;
  const chain = transforms === undefined ? [] : childElements(transforms);
  const wellFormed =
    are([signedInfo, value], ['SignedInfo', 'SignatureValue']) &&
    (keyInfo === undefined || isHarmlessKeyInfo(keyInfo)) &&
    rest.length === 0 &&
    are(info, ['CanonicalizationMethod', 'SignatureMethod', 'Reference']) &&
    are(referenced, ['Transforms', 'DigestMethod', 'DigestValue']) &&
    are(chain, ['Transform', 'Transform']) &&
    isBase64Text(value) &&
    isBase64Text(digest) &&
    [info[0], info[1], referenced[1], chain[0]].every((leaf) => plainText(leaf) !== undefined) &&
    childElements(chain[1]!).every((child, at) => at === 0 && isPrefixList(child));
  return wellFormed ? undefined : refuse('signature-shape', 'a signature is not of the shape SAML gives it');
}

const are = (elements: readonly (Element | undefined)[], names: readonly string[]): boolean =>
  elements.length === names.length &&
  names.every((name, at) => elements[at] !== undefined && isNamed(elements[at], DSIG, name));

const isHarmlessKeyInfo = (element: Element): boolean =>
  isNamed(element, DSIG, 'KeyInfo') && !withDescendants(element).some(({ localName }) => PARTS.has(localName));

const isPrefixList = (element: Element): boolean =>
  isNamed(element, EXCLUSIVE_C14N, 'InclusiveNamespaces') && childElements(element).length === 0;

const isBase64Text = (element: Element | undefined): boolean =>
  decodeBase64((plainText(element) ?? '').replace(/[ \t\r\n]+/g, '')) !== undefined;

// From here on the shape is right, so a position says which element is meant.

function referenceFault(signature: Element, owner: Element): SamlRefusal | undefined {
  const id = attribute(owner, 'ID');
  const [, , reference] = childElements(childElements(signature)[0]!);
  const refersToOwner = id !== undefined && attribute(reference!, 'URI') === `#${id}`;
  return refersToOwner
    ? undefined
    : refuse('signature-reference', 'a signature refers to something it does not stand in');
}

function algorithmFault(signature: Element): SamlRefusal | undefined {
  const [canonicalisation, , reference] = childElements(childElements(signature)[0]!);
  const [transforms] = childElements(reference!);
  const [enveloped, exclusive] = childElements(transforms!);
  const [method, digest] = algorithmsOf(signature);
  const listed =
    algorithmOf(canonicalisation) === EXCLUSIVE_C14N &&
    SIGNATURE_METHODS.has(method ?? '') &&
    DIGEST_METHODS.has(digest ?? '') &&
    algorithmOf(enveloped) === ENVELOPED_SIGNATURE &&
    algorithmOf(exclusive) === EXCLUSIVE_C14N;
  return listed ? undefined : refuse('signature-algorithm', 'a signature uses an algorithm that is not accepted');
}

/** How it was signed, and how what it refers to was digested. */
function algorithmsOf(signature: Element): readonly [method: string | undefined, digest: string | undefined] {
  const [, method, reference] = childElements(childElements(signature)[0]!);
  const [, digest] = childElements(reference!);
  return [algorithmOf(method), algorithmOf(digest)];
}

const algorithmOf = (element: Element | undefined): string | undefined => element && attribute(element, 'Algorithm');
