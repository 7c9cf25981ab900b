/**
 * Signing XML of ours, enveloped, RSA-SHA256 (SAML Core §5.4).
 *
 * Purpose: the requests that leave by POST. Invariant: the signature stands directly after the Issuer, where the schema
 * wants it, and refers to the root by ID. It refuses to know what is signed.
 */
import { SignedXml } from 'xml-crypto';

import { ENVELOPED_SIGNATURE, EXCLUSIVE_C14N, RSA_SHA256, SHA256 } from './names.ts';
import type { KeyPair } from './party.ts';

/** The document with a signature over its root, which has an ID and begins with an Issuer. */
export function signXml(text: string, { privateKeyPem, certificatePem }: KeyPair): string {
  const signer = new SignedXml({
    privateKey: privateKeyPem,
    publicCert: certificatePem,
    signatureAlgorithm: RSA_SHA256,
    canonicalizationAlgorithm: EXCLUSIVE_C14N,
  });
  signer.addReference({
    xpath: '/*',
    transforms: [ENVELOPED_SIGNATURE, EXCLUSIVE_C14N],
    digestAlgorithm: SHA256,
  });
  signer.computeSignature(text, {
    prefix: 'ds',
    location: { reference: "/*/*[local-name(.)='Issuer']", action: 'after' },
  });
  return signer.getSignedXml();
}
