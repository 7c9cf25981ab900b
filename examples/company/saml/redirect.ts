/**
 * Messages in a URL (SAML Bindings §3.4), signed with RSA-SHA256 and with nothing else. A signature is over the query as it
 * was written, so it is checked before anything is decoded a second time.
 */
import { createSign, type KeyObject, verify } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { KeyPair } from './keys.ts';

export type Field = 'SAMLRequest' | 'SAMLResponse';

export type Opened = {
  readonly message: string;
  readonly relayState: string | undefined;
  /** What the signature is over, and the signature; nothing where the message is not signed as it must be. */
  readonly seal: { readonly octets: string; readonly signature: Buffer } | undefined;
};

const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const LARGEST_MESSAGE_BYTES = 64 * 1024;

export function redirectUrl(
  location: string,
  message: {
    readonly field: Field;
    readonly message: string;
    readonly relayState: string | undefined;
    readonly keys: KeyPair;
  },
): string {
  const { field, relayState, keys } = message;
  const octets = [
    `${field}=${encodeURIComponent(deflateRawSync(message.message).toString('base64'))}`,
    ...(relayState === undefined ? [] : [`RelayState=${encodeURIComponent(relayState)}`]),
    `SigAlg=${encodeURIComponent(RSA_SHA256)}`,
  ].join('&');
  const signature = createSign('RSA-SHA256').update(octets).sign(keys.privateKey, 'base64');
  return `${location}${location.includes('?') ? '&' : '?'}${octets}&Signature=${encodeURIComponent(signature)}`;
}

/** Throws for what is no such query. Who signed it is still to be asked. */
export function openQuery(query: string, field: Field): Opened {
  const raw = new Map<string, string>();
  for (const pair of query.split('&')) {
    const [name = '', ...value] = pair.split('=');
    if (raw.has(name)) throw new Error(`it has ${name.slice(0, 20)} twice`);
    raw.set(name, value.join('='));
  }
  const valueOf = (name: string): string | undefined => {
    const value = raw.get(name);
    return value === undefined ? undefined : decodeURIComponent(value.replaceAll('+', ' '));
  };
  const packed = Buffer.from(valueOf(field) ?? '', 'base64');
  const message = inflateRawSync(packed, { maxOutputLength: LARGEST_MESSAGE_BYTES }).toString('utf8');
  const signature = valueOf('Signature');
  const octets = [field, 'RelayState', 'SigAlg']
    .filter((name) => raw.has(name))
    .map((name) => `${name}=${raw.get(name)}`);
  const isSealed = signature !== undefined && valueOf('SigAlg') === RSA_SHA256;
  return {
    message,
    relayState: valueOf('RelayState'),
    seal: isSealed ? { octets: octets.join('&'), signature: Buffer.from(signature, 'base64') } : undefined,
  };
}

export function isSignedBy({ seal }: Opened, keys: readonly KeyObject[]): boolean {
  if (!seal) return false;
  return keys.some(
    (key) => key.asymmetricKeyType === 'rsa' && verify('sha256', Buffer.from(seal.octets), key, seal.signature),
  );
}
