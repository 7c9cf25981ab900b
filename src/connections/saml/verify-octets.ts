/**
 * Verifying a signature over octets, by any of the listed methods (XML Signature §6.4, which queries borrow).
 *
 * Purpose: one reading of each method, whether what is signed is a query string or canonical XML. Invariant: a method is used
 * with keys of its own kind alone: Node would take an elliptic key under the name of RSA. It refuses to know what the octets
 * say and where the certificates come from.
 */
import { constants, type KeyObject, verify } from 'node:crypto';

import { keysOfKind } from './keys.ts';
import { SIGNATURE_METHODS } from './names.ts';

/** The keys among the certificates that this method can be used with; none for a method that is not listed. */
export function keysFor(algorithm: string | undefined, certificates: readonly string[]): KeyObject[] {
  const method = SIGNATURE_METHODS.get(algorithm ?? '');
  return method === undefined ? [] : keysOfKind(certificates, method.key);
}

/** Whether one of `keysFor` the method made this signature. */
export function verifiesOctets(
  algorithm: string,
  { key, octets, signature }: { readonly key: KeyObject; readonly octets: string; readonly signature: Buffer },
): boolean {
  const method = SIGNATURE_METHODS.get(algorithm);
  if (method === undefined || key.asymmetricKeyType !== method.key) return false;
  return verify(method.hash, Buffer.from(octets, 'utf8'), { key, ...PARAMETERS[method.padding] }, signature);
}

const PARAMETERS = {
  pkcs1: { padding: constants.RSA_PKCS1_PADDING },
  pss: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  // The two numbers side by side, not in DER.
  none: { dsaEncoding: 'ieee-p1363' },
} as const;
