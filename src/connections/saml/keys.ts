/**
 * Other parties' certificates, as carriers of keys.
 *
 * Purpose: from a certificate in PEM to a key worth verifying with, and its fingerprint. Invariant: a key that could be
 * forged for (RSA below 2048 bits, curves nobody standardised) verifies nothing. It refuses to know a certificate's dates,
 * issuer and extensions: metadata says which keys are trusted and until when (SAML V2.0 Metadata Interoperability
 * Profile §2.6.1), and providers let the dates of self-signed certificates pass.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';

const SHORTEST_RSA_BITS = 2048;
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

export type VerificationKey = { readonly kind: 'rsa' | 'ec'; readonly key: KeyObject };

/** The key of a certificate; `weak` if it is not worth using, nothing if there is no certificate. */
export function verificationKey(certificatePem: string): VerificationKey | 'weak' | undefined {
  const key = publicKeyOf(certificatePem);
  if (key === undefined) return undefined;
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= SHORTEST_RSA_BITS) return { kind: 'rsa', key };
  if (key.asymmetricKeyType === 'ec' && CURVES.has(namedCurve)) return { kind: 'ec', key };
  return 'weak';
}

/** The keys of that kind among the certificates; the others verify nothing. */
export function keysOfKind(certificates: readonly string[], kind: VerificationKey['kind']): KeyObject[] {
  return certificates.flatMap((pem) => {
    const found = verificationKey(pem);
    return typeof found === 'object' && found.kind === kind ? [found.key] : [];
  });
}

/** The certificates with a usable RSA key, each written as OpenSSL writes it. */
export function rsaCertificates(certificates: readonly string[]): string[] {
  return certificates.flatMap((pem) => {
    const found = verificationKey(pem);
    return typeof found === 'object' && found.kind === 'rsa' ? (parseCertificate(pem)?.toString() ?? []) : [];
  });
}

/** SHA-256 over the certificate, colon-separated capitals, as every tool prints it. Nothing if there is no certificate. */
export const fingerprint = (certificatePem: string): string | undefined =>
  parseCertificate(certificatePem)?.fingerprint256;

/** A certificate can be read whose key cannot: an algorithm nobody here knows. */
function publicKeyOf(pem: string): KeyObject | undefined {
  try {
    return parseCertificate(pem)?.publicKey;
  } catch {
    return undefined;
  }
}

/** From PEM or DER. */
export function parseCertificate(pem: string | Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
