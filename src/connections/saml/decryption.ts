/**
 * Reading what was encrypted for us (XML Encryption 1.1).
 *
 * Purpose: open an EncryptedAssertion or EncryptedID of the one shape that leaves no choice of which key and which cipher
 * text is meant. Invariant: whatever goes wrong once a key is used gives one and the same answer, and cipher texts that
 * anybody could have written are opened only if the cipher itself proves them whole; so nobody can use our answers to
 * decrypt with (Jager and Somorovsky, "How to Break XML Encryption"; Bleichenbacher). It refuses to know what is inside.
 *
 * The library decrypts once more for itself. It looks for key and text anywhere in the document, and finds the same ones
 * because there are no others.
 */
import { constants, createDecipheriv, privateDecrypt } from 'node:crypto';

import { attribute, childElements, isNamed, plainText, withDescendants } from './elements.ts';
import { type Admitted, admitBytes, decodeBase64, MESSAGE_LIMITS } from './guard.ts';
import { CONTENT_ENCRYPTION, KEY_TRANSPORT, NAMESPACE, OAEP_DIGEST } from './names.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';

const { encryption: XENC, signature: DSIG } = NAMESPACE;
const ELEMENT_TYPE = 'http://www.w3.org/2001/04/xmlenc#Element';
const GCM_TAG_BYTES = 16;
const GCM_IV_BYTES = 12;
const CBC_BLOCK_BYTES = 16;

type Sealed = {
  readonly contentMethod: string | undefined;
  readonly keyMethod: string | undefined;
  readonly keyDigest: string | undefined;
  readonly wrappedKey: Buffer;
  readonly content: Buffer;
};

/**
 * The document inside an EncryptedAssertion or EncryptedID.
 *
 * @param written whether a signature already vouches for who wrote the cipher text
 */
export function decryptElement(
  encrypted: Element,
  { privateKeyPem, written }: { readonly privateKeyPem: string; readonly written: 'by-provider' | 'by-anybody' },
): Admitted | SamlRefusal {
  const sealed = readSealed(encrypted);
  if (isRefusal(sealed)) return sealed;
  const method = CONTENT_ENCRYPTION.get(sealed.contentMethod ?? '');
  const transported = sealed.keyMethod === KEY_TRANSPORT && (sealed.keyDigest ?? OAEP_DIGEST) === OAEP_DIGEST;
  if (method === undefined || !transported) {
    return refuse('encryption-algorithm', 'something is encrypted with an algorithm that is not accepted');
  }
  if (!method.authenticated && written === 'by-anybody') {
    return refuse('encryption-algorithm', 'something is encrypted with CBC, and no signature is around it');
  }
  const clear = open(sealed, method, privateKeyPem);
  return clear === undefined
    ? refuse('undecryptable', 'something is encrypted, and our key does not open it')
    : admitBytes(clear, MESSAGE_LIMITS);
}

function open(
  { wrappedKey, content }: Sealed,
  { cipher, authenticated }: { cipher: string; authenticated: boolean },
  privateKeyPem: string,
): Buffer | undefined {
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const key = privateDecrypt({ key: privateKeyPem, padding, oaepHash: 'sha1' }, wrappedKey);
    return authenticated ? openGcm(cipher, key, content) : openCbc(cipher, key, content);
  } catch {
    return undefined;
  }
}

function openGcm(cipher: string, key: Buffer, content: Buffer): Buffer {
  const opened = createDecipheriv(cipher as 'aes-128-gcm', key, content.subarray(0, GCM_IV_BYTES), {
    authTagLength: GCM_TAG_BYTES,
  });
  opened.setAuthTag(content.subarray(-GCM_TAG_BYTES));
  return Buffer.concat([opened.update(content.subarray(GCM_IV_BYTES, -GCM_TAG_BYTES)), opened.final()]);
}

function openCbc(cipher: string, key: Buffer, content: Buffer): Buffer | undefined {
  const opened = createDecipheriv(cipher, key, content.subarray(0, CBC_BLOCK_BYTES)).setAutoPadding(false);
  const padded = Buffer.concat([opened.update(content.subarray(CBC_BLOCK_BYTES)), opened.final()]);
  // The last byte counts the padding, whatever the others hold (XML Encryption §5.2).
  const padding = padded.at(-1) ?? 0;
  return padding >= 1 && padding <= CBC_BLOCK_BYTES ? padded.subarray(0, -padding) : undefined;
}

function readSealed(encrypted: Element): Sealed | SamlRefusal {
  const fault = refuse('encryption-shape', 'something is encrypted in a shape that is not read');
  const [data, beside] = childElements(encrypted);
  if (data === undefined || beside !== undefined || !isNamed(data, XENC, 'EncryptedData')) return fault;
  if ((attribute(data, 'Type') ?? ELEMENT_TYPE) !== ELEMENT_TYPE) return fault;

  const [method, keyInfo, cipherData, ...rest] = childElements(data);
  const [encryptedKey, another] = keyInfo === undefined ? [] : childElements(keyInfo);
  const [keyMethod, ...keyParts] = encryptedKey === undefined ? [] : childElements(encryptedKey);
  // Whose key it was wrapped for, and what for, are remarks, as long as they are not keys themselves.
  const remarks = keyParts.filter((part) => isNamed(part, DSIG, 'KeyInfo') || isNamed(part, XENC, 'ReferenceList'));
  const [keyCipherData, ...more] = keyParts.filter((part) => !remarks.includes(part));
  const shaped =
    is(method, XENC, 'EncryptionMethod') &&
    is(keyInfo, DSIG, 'KeyInfo') &&
    is(cipherData, XENC, 'CipherData') &&
    rest.length === 0 &&
    is(encryptedKey, XENC, 'EncryptedKey') &&
    another === undefined &&
    is(keyMethod, XENC, 'EncryptionMethod') &&
    is(keyCipherData, XENC, 'CipherData') &&
    more.length === 0 &&
    remarks.every((remark) => !withDescendants(remark).some(isPartOfEncryption));
  if (!shaped) return fault;

  const digests = childElements(keyMethod!);
  const wrappedKey = cipherValue(keyCipherData!);
  const content = cipherValue(cipherData!);
  const digestsFine = digests.every((digest, at) => at === 0 && isNamed(digest, DSIG, 'DigestMethod'));
  if (childElements(method!).length > 0 || !digestsFine || wrappedKey === undefined || content === undefined)
    return fault;
  return {
    contentMethod: attribute(method!, 'Algorithm'),
    keyMethod: attribute(keyMethod!, 'Algorithm'),
    keyDigest: digests[0] && attribute(digests[0], 'Algorithm'),
    wrappedKey,
    content,
  };
}

const is = (element: Element | undefined, namespace: string, name: string): boolean =>
  element !== undefined && isNamed(element, namespace, name);

const isPartOfEncryption = ({ localName }: Element): boolean =>
  ['CipherValue', 'CipherData', 'EncryptedKey', 'EncryptedData', 'EncryptionMethod', 'RetrievalMethod'].includes(
    localName,
  );

/** Line breaks are common; everything else is base64, here and not by reference. */
function cipherValue(cipherData: Element): Buffer | undefined {
  const [value, another] = childElements(cipherData);
  if (another !== undefined || !is(value, XENC, 'CipherValue')) return undefined;
  return decodeBase64((plainText(value) ?? '').replace(/[ \t\r\n]+/g, ''));
}
