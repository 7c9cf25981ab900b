/**
 * The metadata of one SAML connection: fetched, read as that connection reads them, and put in words for an operator.
 *
 * Invariant: what is believed came through the one gate (saml/metadata.ts), is of the provider that the connection names, and
 * is signed by the certificate it pins. It refuses to know what is kept of them (saml-states.ts).
 */
import { type Outbound, OutboundFailed } from '../platform/outbound-http.ts';
import { REACH } from './protocol.ts';
import { verificationKey } from './saml/keys.ts';
import { identityProvidersIn, parseMetadata, type ProviderMetadata } from './saml/metadata.ts';
import type { KeyPair } from './saml/party.ts';
import { isRefusal, type SamlRefusal } from './saml/refusal.ts';

/** What is kept of a SAML connection besides its configuration. */
export type SamlState = {
  readonly signing: KeyPair;
  readonly decryption: KeyPair;
  /** As last fetched from `metadataUrl`. */
  readonly metadata: string | null;
  readonly fetchedAt: string | null;
  /** Why they could not be had just now; null where they were had, or nobody asked. */
  readonly failure: string | null;
};

/** What came of fetching metadata again. */
export type Refreshed =
  | { readonly kind: 'file' }
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly added: readonly string[]; readonly removed: readonly string[] }
  /** `why` goes on from "the metadata". `usesOthers`: those that were fetched before are still good. */
  | { readonly kind: 'failed'; readonly why: string; readonly fix: string; readonly usesOthers: boolean };

/** The part of the configuration that says which metadata are meant, and whose. */
type Meant = { readonly entityId?: string | undefined; readonly metadataCertificate?: string | undefined };

/** Metadata as this connection reads them: the provider it names, signed by the certificate it pins. */
export function readSamlMetadata(entry: Meant, document: string, now: Date): ProviderMetadata | SamlRefusal {
  return parseMetadata({
    document,
    ...(entry.entityId === undefined ? {} : { entityId: entry.entityId }),
    ...(entry.metadataCertificate === undefined ? {} : { metadataCertificate: entry.metadataCertificate }),
    now,
  });
}

/** Fetches what the provider publishes. Throws when it cannot be had. */
export async function fetchSamlMetadata(url: string, fetch: Outbound['fetch']): Promise<string> {
  const answer = await fetch(url, { headers: { accept: 'application/samlmetadata+xml, application/xml, text/xml' } });
  if (answer.status !== 200) throw new Error(`${url} answered with status ${answer.status}`);
  return answer.text();
}

const MOST_NAMED = 10;

/** Why a document is of no use to this connection, and what to do about it. */
export function explainMetadata(
  { refused, detail }: SamlRefusal,
  document: string,
): { readonly why: string; readonly fix: string } {
  const why = `cannot be used: ${refused}: ${detail}`;
  switch (refused) {
    case 'no-identity-provider':
    case 'several-identity-providers': {
      const found = identityProvidersIn(document);
      if (found.length === 0) {
        return { why, fix: 'take the metadata of the identity provider; these describe none that speaks SAML 2.0' };
      }
      const more = found.length > MOST_NAMED ? ` and ${found.length - MOST_NAMED} more` : '';
      const names = `${found.slice(0, MOST_NAMED).join(', ')}${more}`;
      return { why: `${why}; found: ${names}`, fix: 'name the one you mean in entityId, to the letter' };
    }
    case 'weak-key':
      return { why, fix: 'ask for a key of RSA 2048 bits or more, or of P-256, P-384 or P-521' };
    case 'expired-metadata':
      return { why, fix: 'take the provider’s present metadata' };
    case 'unsigned':
    case 'unsigned-metadata':
    case 'bad-signature':
    case 'no-usable-certificate':
      return {
        why,
        fix: 'see that metadataCertificateFile holds the certificate the provider signs its metadata with',
      };
    case 'no-certificate':
    case 'bad-certificate':
    case 'no-sign-on-endpoint':
    case 'unsafe-location':
      return { why, fix: 'ask whoever runs the provider for metadata that are complete' };
    default:
      return { why, fix: 'take the metadata again, as the provider publishes them: one XML document' };
  }
}

/** Why they could not be fetched. The way out speaks in our own words. */
export function explainFetch(fault: unknown): { readonly why: string; readonly fix: string } {
  const why = `cannot be fetched: ${fault instanceof Error ? fault.message : String(fault)}`;
  const answered = !(fault instanceof OutboundFailed);
  return { why, fix: answered ? 'see that metadataUrl is where the provider publishes its metadata' : REACH };
}

/** What is wrong with the files that a connection names, before anybody relies on them. */
export type FileFault = {
  readonly field: 'metadataFile' | 'metadataCertificateFile';
  readonly problem: string;
  readonly fix: string;
  /** It will not be right again by itself, and was not right a day ago either. False for metadata that have run out. */
  readonly stopsStart: boolean;
};

/** Judges metadata and pinned certificate as they were read from files. */
export function judgeSamlFiles(
  { metadata, ...meant }: Meant & { readonly metadata?: string | undefined },
  now: Date,
): FileFault[] {
  const pinned = meant.metadataCertificate === undefined ? undefined : judgeCertificate(meant.metadataCertificate);
  const faults: FileFault[] = pinned === undefined ? [] : [pinned];
  if (metadata === undefined) return faults;
  // A certificate that is none is told of by itself; what else is wrong is told too.
  const { metadataCertificate: _, ...unpinned } = meant;
  const read = readSamlMetadata(pinned === undefined ? meant : unpinned, metadata, now);
  if (!isRefusal(read)) return faults;
  const { why, fix } = explainMetadata(read, metadata);
  return [...faults, { field: 'metadataFile', problem: why, fix, stopsStart: read.refused !== 'expired-metadata' }];
}

function judgeCertificate(pem: string): FileFault | undefined {
  const key = verificationKey(pem);
  if (typeof key === 'object') return undefined;
  const field = 'metadataCertificateFile';
  return key === 'weak'
    ? { field, problem: 'has a key that is too weak', fix: 'ask for one of RSA 2048 bits or more', stopsStart: true }
    : {
        field,
        problem: 'holds no certificate',
        fix: 'put one there, in PEM: -----BEGIN CERTIFICATE-----',
        stopsStart: true,
      };
}
