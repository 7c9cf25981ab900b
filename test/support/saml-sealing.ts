/**
 * Signatures and encryption as an identity provider makes them, with good algorithms and bad ones.
 */
import {
  constants,
  createCipheriv,
  createHash,
  createSign,
  publicEncrypt,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { deflateRawSync } from 'node:zlib';

import { DOMParser } from '@xmldom/xmldom';
import { ExclusiveCanonicalization, SignedXml } from 'xml-crypto';

import type { KeyPair } from '../../src/connections/saml/party.ts';

const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const MORE = 'http://www.w3.org/2001/04/xmldsig-more#';
const XENC = 'http://www.w3.org/2001/04/xmlenc#';

/** Algorithms by short names, broken ones included. */
export const ALGORITHM = {
  'rsa-sha256': `${MORE}rsa-sha256`,
  'rsa-sha384': `${MORE}rsa-sha384`,
  'rsa-sha512': `${MORE}rsa-sha512`,
  'rsa-pss': 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
  'rsa-sha1': `${DSIG}rsa-sha1`,
  'rsa-md5': `${MORE}rsa-md5`,
  'ecdsa-sha256': `${MORE}ecdsa-sha256`,
  'ecdsa-sha384': `${MORE}ecdsa-sha384`,
  'ecdsa-sha512': `${MORE}ecdsa-sha512`,
  sha256: `${XENC}sha256`,
  sha384: `${MORE}sha384`,
  sha512: `${XENC}sha512`,
  sha1: `${DSIG}sha1`,
  md5: `${MORE}md5`,
  exclusive: 'http://www.w3.org/2001/10/xml-exc-c14n#',
  'exclusive-comments': 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
  inclusive: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
  enveloped: `${DSIG}enveloped-signature`,
  'aes128-gcm': 'http://www.w3.org/2009/xmlenc11#aes128-gcm',
  'aes256-gcm': 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
  'aes128-cbc': `${XENC}aes128-cbc`,
  'aes256-cbc': `${XENC}aes256-cbc`,
  'tripledes-cbc': `${XENC}tripledes-cbc`,
  'rsa-oaep': `${XENC}rsa-oaep-mgf1p`,
  'rsa-1_5': `${XENC}rsa-1_5`,
} as const;
export type Algorithm = keyof typeof ALGORITHM;

export type Signing = {
  readonly keys?: KeyPair;
  readonly method?: Algorithm;
  readonly digest?: Algorithm;
  readonly canonicalisation?: Algorithm;
  readonly transforms?: readonly Algorithm[];
  readonly prefixList?: string[];
  /** How ECDSA writes its two numbers. */
  readonly dsaEncoding?: 'ieee-p1363' | 'der';
};

export type Encryption = {
  readonly content?: Algorithm;
  readonly key?: Algorithm;
  /** Of RSA-OAEP; as it is written in DigestMethod. */
  readonly digest?: Algorithm;
  readonly certificatePem?: string;
};

/** A signature over the root, after its Issuer or at its beginning. Knows algorithms that no library would offer. */
export function signXml(xml: string, signing: Signing & { readonly keys: KeyPair }): string {
  const { keys, method = 'rsa-sha256', digest = 'sha256', canonicalisation = 'exclusive' } = signing;
  if (signing.prefixList) return signByHand(xml, keys, signing.prefixList);
  const transforms = (signing.transforms ?? ['enveloped', 'exclusive']).map((name) => ALGORITHM[name]);
  const signer = new SignedXml({ privateKey: keys.privateKeyPem, publicCert: keys.certificatePem });
  signer.signatureAlgorithm = ALGORITHM[method];
  signer.canonicalizationAlgorithm = ALGORITHM[canonicalisation] as 'http://www.w3.org/2001/10/xml-exc-c14n#';
  for (const hash of ['sha384', 'md5'] as const) {
    signer.HashAlgorithms[ALGORITHM[hash]] = hashAlgorithm(hash);
    signer.SignatureAlgorithms[ALGORITHM[`rsa-${hash}`]] = signingAlgorithm(`rsa-${hash}`, hash);
  }
  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    const name = `ecdsa-${hash}` as const;
    signer.SignatureAlgorithms[ALGORITHM[name]] = signingAlgorithm(name, hash, signing.dsaEncoding);
  }
  signer.addReference({ xpath: '/*', transforms, digestAlgorithm: ALGORITHM[digest] });
  const issuer = "/*/*[local-name(.)='Issuer']";
  const location = /[<:]Issuer/.test(xml)
    ? ({ reference: issuer, action: 'after' } as const)
    : ({ reference: '/*', action: 'prepend' } as const);
  signer.computeSignature(xml, { prefix: 'ds', location });
  return signer.getSignedXml();
}

/** With InclusiveNamespaces in the second transform alone, where OpenSAML writes it and the library's signer does not. */
function signByHand(xml: string, { privateKeyPem }: KeyPair, prefixes: readonly string[]): string {
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement;
  const canonical = new ExclusiveCanonicalization().process(root, {
    inclusiveNamespacesPrefixList: [...prefixes],
    ancestorNamespaces: [],
  });
  const element = (name: string, algorithm: Algorithm, content = ''): string =>
    `<ds:${name} Algorithm="${ALGORITHM[algorithm]}">${content}</ds:${name}>`;
  const list = `<ec:InclusiveNamespaces xmlns:ec="${ALGORITHM.exclusive}" PrefixList="${prefixes.join(' ')}"></ec:InclusiveNamespaces>`;
  // Written in canonical form, so these octets are what is signed.
  const signedInfo =
    `<ds:SignedInfo xmlns:ds="${DSIG}">${element('CanonicalizationMethod', 'exclusive')}` +
    `${element('SignatureMethod', 'rsa-sha256')}<ds:Reference URI="#${root.getAttribute('ID')}"><ds:Transforms>` +
    `${element('Transform', 'enveloped')}${element('Transform', 'exclusive', list)}</ds:Transforms>` +
    `${element('DigestMethod', 'sha256')}<ds:DigestValue>${createHash('sha256').update(canonical).digest('base64')}` +
    `</ds:DigestValue></ds:Reference></ds:SignedInfo>`;
  const value = createSign('RSA-SHA256').update(signedInfo).sign(privateKeyPem, 'base64');
  const signature = `<ds:Signature xmlns:ds="${DSIG}">${signedInfo}<ds:SignatureValue>${value}</ds:SignatureValue></ds:Signature>`;
  return xml.replace('</saml:Issuer>', `</saml:Issuer>${signature}`);
}

const notVerifying = (): never => {
  throw new Error('only signs');
};

/** Signs with whatever key it is given, of the right kind or not. */
function signingAlgorithm(
  name: Algorithm,
  hash: 'sha256' | 'sha384' | 'sha512' | 'md5',
  dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363',
) {
  return class {
    getSignature = ((text: string, key: string) =>
      sign(hash, Buffer.from(text), { key, dsaEncoding }).toString('base64')) as never;
    verifySignature = notVerifying as never;
    getAlgorithmName = (): string => ALGORITHM[name];
  };
}

function hashAlgorithm(hash: 'sha384' | 'md5') {
  return class {
    getHash = (text: string): string => createHash(hash).update(text, 'utf8').digest('base64');
    getAlgorithmName = (): string => ALGORITHM[hash];
  };
}

const CIPHERS: Partial<Record<Algorithm, { cipher: string; key: number; iv: number }>> = {
  'aes128-gcm': { cipher: 'aes-128-gcm', key: 16, iv: 12 },
  'aes256-gcm': { cipher: 'aes-256-gcm', key: 32, iv: 12 },
  'aes128-cbc': { cipher: 'aes-128-cbc', key: 16, iv: 16 },
  'aes256-cbc': { cipher: 'aes-256-cbc', key: 32, iv: 16 },
  'tripledes-cbc': { cipher: 'des-ede3-cbc', key: 24, iv: 8 },
};

/** An EncryptedAssertion or EncryptedID. */
export function encryptXml(xml: string, wrapper: string, encryption: Encryption & { certificatePem: string }): string {
  const { content = 'aes256-gcm', key = 'rsa-oaep', digest, certificatePem } = encryption;
  const method = CIPHERS[content];
  if (method === undefined) throw new Error(`cannot encrypt with ${content}`);
  const [secret, iv] = [randomBytes(method.key), randomBytes(method.iv)];
  // Both modes pad as the library of the other side reads it: PKCS #7 in CBC, none in GCM.
  const cipher = createCipheriv(method.cipher as 'aes-128-gcm', secret, iv);
  const body = Buffer.concat([iv, cipher.update(xml, 'utf8'), cipher.final()]);
  const sealed = content.endsWith('gcm') ? Buffer.concat([body, cipher.getAuthTag()]) : body;
  const padding = key === 'rsa-1_5' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING;
  const { publicKey } = new X509Certificate(certificatePem);
  const wrapped = publicEncrypt({ key: publicKey, padding, oaepHash: 'sha1' }, secret);
  const digestMethod = digest ? `<ds:DigestMethod Algorithm="${ALGORITHM[digest]}"/>` : '';
  return (
    `<${wrapper} xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="${XENC}"` +
    ` xmlns:ds="${DSIG}" Type="${XENC}Element"><xenc:EncryptionMethod Algorithm="${ALGORITHM[content]}"/><ds:KeyInfo>` +
    `<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="${ALGORITHM[key]}">${digestMethod}</xenc:EncryptionMethod>` +
    `<xenc:CipherData><xenc:CipherValue>${wrapped.toString('base64')}</xenc:CipherValue></xenc:CipherData>` +
    `</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>${sealed.toString('base64')}</xenc:CipherValue>` +
    `</xenc:CipherData></xenc:EncryptedData></${wrapper}>`
  );
}

export type QueryRecipe = {
  readonly field?: 'SAMLRequest' | 'SAMLResponse';
  readonly relayState?: string | undefined;
  readonly privateKeyPem: string;
  readonly algorithm?: Algorithm;
  /** How ECDSA writes its two numbers. */
  readonly dsaEncoding?: 'ieee-p1363' | 'der';
  /** Octets to send in place of the deflated message. */
  readonly compressed?: Buffer;
  /** A raw parameter to send, and sign, in place of the one of its name. */
  readonly replacing?: string;
};

/** The parameters of the redirect binding, raw and in order; the last one signs those before it. */
export function signedPairs(xml: string, recipe: QueryRecipe): string[] {
  const { field = 'SAMLRequest', relayState, privateKeyPem, algorithm = 'rsa-sha256' } = recipe;
  const message = (recipe.compressed ?? deflateRawSync(xml)).toString('base64');
  const pairs = [
    `${field}=${encodeURIComponent(message)}`,
    ...(relayState === undefined ? [] : [`RelayState=${encodeURIComponent(relayState)}`]),
    `SigAlg=${encodeURIComponent(ALGORITHM[algorithm])}`,
  ].map((pair) => (recipe.replacing?.split('=')[0] === pair.split('=')[0] ? (recipe.replacing ?? pair) : pair));
  const hash = algorithm === 'rsa-pss' ? 'sha256' : (algorithm.split('-')[1] ?? '');
  const signature = sign(hash, Buffer.from(pairs.join('&')), {
    key: privateKeyPem,
    dsaEncoding: recipe.dsaEncoding ?? 'ieee-p1363',
    ...(algorithm === 'rsa-pss' && {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  });
  return [...pairs, `Signature=${encodeURIComponent(signature.toString('base64'))}`];
}

export const signedQuery = (xml: string, recipe: QueryRecipe): string => signedPairs(xml, recipe).join('&');
