/**
 * The names SAML is spelt with: namespaces, bindings, status codes, algorithms.
 *
 * Purpose: one spelling of each URI. Invariant: an algorithm that is not listed here does not exist; everything that is
 * broken (md5, sha1, PKCS #1 v1.5 key transport, triple DES) or more than we need (inclusive canonicalisation, XPath,
 * XSLT) is absent, not forbidden. It refuses to know what any of them does.
 */

export const NAMESPACE = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
  encryption: 'http://www.w3.org/2001/04/xmlenc#',
} as const;

export const BINDING = {
  redirect: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
  post: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
} as const;

export const ENTITY_FORMAT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity';
export const PERSISTENT_FORMAT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
export const UNSPECIFIED_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
export const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';

/** Status codes are this and one word (SAML Core §3.2.2.2). */
export const STATUS_PREFIX = 'urn:oasis:names:tc:SAML:2.0:status:';

export const ENVELOPED_SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
export const EXCLUSIVE_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';

export const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const RSA_SHA512 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512';
const RSA_PSS_SHA256 = 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1';
export const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const SHA512 = 'http://www.w3.org/2001/04/xmlenc#sha512';

type Hash = 'sha256' | 'sha384' | 'sha512';
export type SignatureMethod = {
  readonly hash: Hash;
  readonly key: 'rsa' | 'ec';
  readonly padding: 'pkcs1' | 'pss' | 'none';
};

/** Over a query string or inside XML alike, so that a connection does not work for sign-in and fail for logout. */
export const SIGNATURE_METHODS: ReadonlyMap<string, SignatureMethod> = new Map<string, SignatureMethod>([
  [RSA_SHA256, { hash: 'sha256', key: 'rsa', padding: 'pkcs1' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', { hash: 'sha384', key: 'rsa', padding: 'pkcs1' }],
  [RSA_SHA512, { hash: 'sha512', key: 'rsa', padding: 'pkcs1' }],
  [RSA_PSS_SHA256, { hash: 'sha256', key: 'rsa', padding: 'pss' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', { hash: 'sha256', key: 'ec', padding: 'none' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384', { hash: 'sha384', key: 'ec', padding: 'none' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512', { hash: 'sha512', key: 'ec', padding: 'none' }],
]);

export const DIGEST_METHODS: ReadonlyMap<string, Hash> = new Map<string, Hash>([
  [SHA256, 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#sha384', 'sha384'],
  [SHA512, 'sha512'],
]);

/** What the library knows of the two. Whatever else signed a Response is verified without it. */
export const LIBRARY_ALGORITHMS: ReadonlySet<string> = new Set([
  RSA_SHA256,
  RSA_SHA512,
  RSA_PSS_SHA256,
  SHA256,
  SHA512,
]);

/** RSA-OAEP with SHA-1 inside: the one key transport that `xml-encryption` gets right. OAEP needs no collision resistance. */
export const KEY_TRANSPORT = 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p';
export const OAEP_DIGEST = 'http://www.w3.org/2000/09/xmldsig#sha1';

/** Content encryption. CBC proves nothing about who wrote the text, so it is read only inside a signature. */
export const CONTENT_ENCRYPTION: ReadonlyMap<string, { cipher: string; authenticated: boolean }> = new Map([
  ['http://www.w3.org/2009/xmlenc11#aes128-gcm', { cipher: 'aes-128-gcm', authenticated: true }],
  ['http://www.w3.org/2009/xmlenc11#aes256-gcm', { cipher: 'aes-256-gcm', authenticated: true }],
  ['http://www.w3.org/2001/04/xmlenc#aes128-cbc', { cipher: 'aes-128-cbc', authenticated: false }],
  ['http://www.w3.org/2001/04/xmlenc#aes256-cbc', { cipher: 'aes-256-cbc', authenticated: false }],
]);
