/**
 * What an identity provider says about itself (SAML Metadata).
 *
 * Purpose: from a document to the endpoints and signing certificates of one provider, or why not. Invariant: the document
 * comes through the same gate as a message; it describes exactly one provider, or the one asked for; every address and key
 * that could be used later is judged now. It refuses to know where the document came from: without a pinned certificate it
 * is worth as much as the https connection or the file it was read from.
 */
import { attribute, childElements, childrenNamed, isNamed, plainText, withDescendants } from './elements.ts';
import { type Admitted, admitBytes, decodeBase64 } from './guard.ts';
import { earliest, parseDuration, parseInstant } from './instants.ts';
import { fingerprint, parseCertificate, verificationKey } from './keys.ts';
import { isSafeLocation } from './locations.ts';
import { BINDING, NAMESPACE } from './names.ts';
import type { SamlIdentityProvider } from './party.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import type { ScanLimits } from './scan.ts';
import { signatureFault, verifyRoot } from './signature.ts';

const { metadata: MD, signature: DSIG, protocol: SAMLP } = NAMESPACE;

/** One provider is 5 to 100 KB. A whole federation is not read: it is another kind of trust. */
const MAX_METADATA_BYTES = 1024 * 1024;
/** People keep metadata in files, under licences and remarks; nobody writes those into a message. */
const METADATA_LIMITS: ScanLimits = {
  maxNodes: 10_000,
  maxDepth: 40,
  comments: { most: 200, maxLength: 64 * 1024 },
};

export type MetadataNeeds = {
  /** As fetched or read. */
  readonly document: Uint8Array | string;
  /** Which provider is meant, where the document describes several. */
  readonly entityId?: string;
  /** PEM. The document must be signed, as a whole, with this certificate's key. */
  readonly metadataCertificate?: string;
  readonly now: Date;
};

export type ProviderMetadata = {
  readonly idp: SamlIdentityProvider;
  /** Whether a pinned certificate vouches for it. */
  readonly signed: boolean;
  /** For how long the provider wants it kept before it is read again (`cacheDuration`). */
  readonly cacheSeconds: number | undefined;
};

export function parseMetadata(needs: MetadataNeeds): ProviderMetadata | SamlRefusal {
  const { metadataCertificate } = needs;
  const bytes = typeof needs.document === 'string' ? Buffer.from(needs.document, 'utf8') : needs.document;
  if (bytes.length > MAX_METADATA_BYTES)
    return refuse('too-large', `more than ${MAX_METADATA_BYTES} bytes of metadata`);
  const admitted = admitBytes(bytes, METADATA_LIMITS);
  if (isRefusal(admitted)) return admitted;
  const trusted = metadataCertificate === undefined ? admitted : signedBy(admitted, metadataCertificate);
  if (isRefusal(trusted)) return trusted;
  const chosen = chooseProvider(trusted.root, needs.entityId);
  if (isRefusal(chosen)) return chosen;
  const life = readLife(chosen, needs.now);
  if (isRefusal(life)) return life;
  const idp = readProvider(chosen);
  if (isRefusal(idp)) return idp;
  return {
    idp: { ...idp, ...(life.validUntil && { validUntil: life.validUntil }) },
    signed: metadataCertificate !== undefined,
    cacheSeconds: life.cacheSeconds,
  };
}

/** The identity providers that a document describes, by entity ID. For an operator who has named another one. */
export function identityProvidersIn(document: string): string[] {
  const admitted = admitBytes(Buffer.from(document, 'utf8'), METADATA_LIMITS);
  if (isRefusal(admitted)) return [];
  return providersUnder(admitted.root).flatMap(({ entity }) => attribute(entity, 'entityID')?.slice(0, 200) ?? []);
}

/** What changed in a provider's signing certificates, as SHA-256 fingerprints. What is no certificate is not counted. */
export function compareCertificates(
  before: readonly string[],
  after: readonly string[],
): { readonly added: string[]; readonly removed: string[] } {
  const prints = (certificates: readonly string[]): Set<string> =>
    new Set(certificates.flatMap((certificate) => fingerprint(certificate) ?? []));
  const [old, fresh] = [prints(before), prints(after)];
  return {
    added: [...fresh].filter((print) => !old.has(print)).sort(),
    removed: [...old].filter((print) => !fresh.has(print)).sort(),
  };
}

/** Only the whole document counts: a signed part says nothing about which part we would have chosen. */
function signedBy(admitted: Admitted, certificate: string): Admitted | SamlRefusal {
  const signed = signatureFault(admitted.root, [admitted.root]) ?? verifyRoot(admitted, [certificate], METADATA_LIMITS);
  return isRefusal(signed) && signed.refused === 'unsigned'
    ? refuse('unsigned-metadata', 'the metadata is not signed, and a certificate is pinned')
    : signed;
}

type Chosen = { readonly entity: Element; readonly role: Element };

function chooseProvider(root: Element, entityId: string | undefined): Chosen | SamlRefusal {
  if (!['EntityDescriptor', 'EntitiesDescriptor'].some((name) => isNamed(root, MD, name))) {
    return refuse('not-metadata', 'the document is no SAML metadata');
  }
  const providers = providersUnder(root).filter(
    ({ entity }) => entityId === undefined || attribute(entity, 'entityID') === entityId,
  );
  const [provider, another] = providers;
  if (provider === undefined) return refuse('no-identity-provider', 'the metadata describes no such identity provider');
  return another === undefined
    ? provider
    : refuse('several-identity-providers', 'the metadata describes several identity providers that could be meant');
}

function providersUnder(root: Element): Chosen[] {
  return entitiesOf(root)
    .flatMap((entity) => childrenNamed(entity, MD, 'IDPSSODescriptor').map((role) => ({ entity, role })))
    .filter(({ role }) => (attribute(role, 'protocolSupportEnumeration') ?? '').split(/[ \t\r\n]+/).includes(SAMLP));
}

function entitiesOf(element: Element): Element[] {
  if (isNamed(element, MD, 'EntityDescriptor')) return [element];
  return isNamed(element, MD, 'EntitiesDescriptor') ? childElements(element).flatMap(entitiesOf) : [];
}

/** The strictest of what the document, the entity and the role say of themselves. */
function readLife(
  { role }: Chosen,
  now: Date,
): { readonly validUntil: Date | undefined; readonly cacheSeconds: number | undefined } | SamlRefusal {
  const ends: Date[] = [];
  const spans: number[] = [];
  for (let element: Element | null = role; element !== null; element = parentOf(element)) {
    const validUntil = attribute(element, 'validUntil');
    const cacheDuration = attribute(element, 'cacheDuration');
    const end = parseInstant(validUntil);
    const span = cacheDuration === undefined ? undefined : parseDuration(cacheDuration);
    if ((validUntil !== undefined && end === undefined) || (cacheDuration !== undefined && span === undefined)) {
      return refuse('not-metadata', 'the metadata says in no known form how long it is valid');
    }
    if (end !== undefined) ends.push(end);
    if (span !== undefined) spans.push(span);
  }
  const [first, ...others] = ends;
  const validUntil = first && earliest(first, ...others);
  if (validUntil !== undefined && validUntil <= now) return refuse('expired-metadata', 'the metadata has expired');
  return { validUntil, cacheSeconds: spans.length === 0 ? undefined : Math.min(...spans) };
}

function parentOf({ parentNode }: Element): Element | null {
  return parentNode?.nodeType === 1 ? (parentNode as Element) : null;
}

function readProvider({ entity, role }: Chosen): SamlIdentityProvider | SamlRefusal {
  const entityId = attribute(entity, 'entityID') ?? '';
  if (entityId === '' || entityId.length > 1024) return refuse('not-metadata', 'the identity provider has no entityID');
  const sso = readEndpoints(role, 'SingleSignOnService');
  if (isRefusal(sso)) return sso;
  if (sso.redirect === undefined && sso.post === undefined) {
    return refuse('no-sign-on-endpoint', 'the identity provider signs nobody in by redirect or POST');
  }
  const slo = readEndpoints(role, 'SingleLogoutService');
  if (isRefusal(slo)) return slo;
  const certificates = readCertificates(role);
  if (isRefusal(certificates)) return certificates;
  const { responseLocation: _, ...signOn } = sso;
  const wanted = attribute(role, 'WantAuthnRequestsSigned') ?? 'false';
  return { entityId, sso: signOn, slo, certificates, wantsSignedRequests: wanted === 'true' || wanted === '1' };
}

function readEndpoints(role: Element, name: string): SamlIdentityProvider['slo'] | SamlRefusal {
  const endpoints: { redirect?: string; post?: string; responseLocation?: string } = {};
  for (const element of childrenNamed(role, MD, name)) {
    const binding = attribute(element, 'Binding');
    const kind = binding === BINDING.redirect ? 'redirect' : binding === BINDING.post ? 'post' : undefined;
    // The first of a kind is the provider's preference.
    if (kind === undefined || endpoints[kind] !== undefined) continue;
    const location = attribute(element, 'Location') ?? '';
    const responseLocation = attribute(element, 'ResponseLocation');
    if (!isSafeLocation(location) || (responseLocation !== undefined && !isSafeLocation(responseLocation))) {
      return refuse('unsafe-location', `a ${name} is at an address nobody may be sent to: https is needed`);
    }
    endpoints[kind] = location;
    if (kind === 'redirect' && responseLocation !== undefined) endpoints.responseLocation = responseLocation;
  }
  return endpoints;
}

function readCertificates(role: Element): string[] | SamlRefusal {
  const found = new Map<string, string>();
  for (const descriptor of childrenNamed(role, MD, 'KeyDescriptor')) {
    if ((attribute(descriptor, 'use') ?? 'signing') !== 'signing') continue;
    for (const data of withDescendants(descriptor).filter((element) => isNamed(element, DSIG, 'X509Data'))) {
      const [encoded, another] = childrenNamed(data, DSIG, 'X509Certificate');
      if (encoded === undefined) continue;
      // The others would be issuers, whose keys sign for everybody they issue to.
      if (another !== undefined) return refuse('bad-certificate', 'a signing key comes with a chain of certificates');
      const bytes = decodeBase64((plainText(encoded) ?? '').replace(/[ \t\r\n]+/g, ''));
      const certificate = bytes && parseCertificate(bytes);
      const key = certificate && verificationKey(certificate.toString());
      if (certificate === undefined || key === undefined)
        return refuse('bad-certificate', 'a signing certificate is none');
      if (key === 'weak') return refuse('weak-key', 'a signing key is shorter than RSA 2048, or of an unknown kind');
      found.set(certificate.fingerprint256, certificate.toString());
    }
  }
  return found.size > 0
    ? [...found.values()]
    : refuse('no-certificate', 'the identity provider has no signing certificate');
}
