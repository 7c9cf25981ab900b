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

/**
 * Signatures inside XML: those that both `node-saml` and `xml-crypto` know. SHA-384 and ECDSA are not among them, so they
 * are refused here everywhere, and a connection does not work for sign-in and fail for logout.
 */
export const XML_SIGNATURE_METHODS = [
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
] as const;

export const XML_DIGEST_METHODS = [
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512',
] as const;

export const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';

/** Signatures over a query string, which Node verifies by itself. */
export const QUERY_SIGNATURE_METHODS: ReadonlyMap<string, { hash: string; key: 'rsa' | 'ec'; pss?: boolean }> = new Map(
  [
    [RSA_SHA256, { hash: 'sha256', key: 'rsa' }],
    ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', { hash: 'sha384', key: 'rsa' }],
    ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', { hash: 'sha512', key: 'rsa' }],
    ['http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1', { hash: 'sha256', key: 'rsa', pss: true }],
    ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', { hash: 'sha256', key: 'ec' }],
    ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384', { hash: 'sha384', key: 'ec' }],
    ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512', { hash: 'sha512', key: 'ec' }],
  ],
);

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
