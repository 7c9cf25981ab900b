/**
 * Keys of ours, and the self-signed certificates SAML wants them wrapped in.
 *
 * Purpose: a fresh RSA key for one connection, and a certificate that carries it. Invariant: RSA 2048 and SHA-256, ten
 * years, no authority over anything. It refuses to know where the key is kept: it is sealed by whoever asked for it.
 *
 * The certificate is written here, in DER (RFC 5280 §4.1, X.690 §10), because it is a single shape of forty lines: nobody
 * reads more of it than the key (SAML V2.0 Metadata Interoperability Profile §2.6.1).
 */
import { generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';

import { randomId } from '../../platform/random.ts';
import type { KeyPair } from './party.ts';

const VALID_YEARS = 10;
const LONGEST_COMMON_NAME = 64;

type Naming = { readonly entityId: string; readonly use: 'signing' | 'encryption'; readonly now: Date };

/** A new key and its certificate, for one use, named after the host of the entity ID. Valid from `now` for ten years. */
export async function createKeyPair(naming: Naming): Promise<KeyPair> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKeyPem, certificatePem: certify(publicKey, privateKey, naming) };
}

/** A certificate for a key, signed by an RSA key: self-signed, where the two belong together. */
export function certify(publicKey: KeyObject, signer: KeyObject, { entityId, use, now }: Naming): string {
  const name = commonName(new URL(entityId).hostname.slice(0, LONGEST_COMMON_NAME));
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + VALID_YEARS);
  const body = sequence(
    explicit(0, integer(Buffer.of(2))), // v3
    integer(Buffer.from(randomId(), 'base64url')),
    SHA256_WITH_RSA,
    name,
    sequence(time(now), time(end)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(NO_AUTHORITY, keyUsage(use))),
  );
  const signature = sign('sha256', body, signer);
  return pem(sequence(body, SHA256_WITH_RSA, element(BIT_STRING, Buffer.of(0), signature)));
}

const [BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_IDENTIFIER] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06];
const [UTF8_STRING, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET] = [0x0c, 0x17, 0x18, 0x30, 0x31];

/** Tag, length, contents. */
function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const digits = body.length.toString(16);
  const size = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  const length = body.length < 0x80 ? size : Buffer.concat([Buffer.of(0x80 | size.length), size]);
  return Buffer.concat([Buffer.of(tag), length, body]);
}

const sequence = (...contents: readonly Buffer[]): Buffer => element(SEQUENCE, ...contents);
const explicit = (number: number, content: Buffer): Buffer => element(0xa0 | number, content);

/** Of a positive number: no needless zeros in front, and one where the first bit would make it negative. */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const shortest = first === -1 ? Buffer.of(0) : bytes.subarray(first);
  return element(INTEGER, Buffer.alloc((shortest[0] ?? 0) >= 0x80 ? 1 : 0), shortest);
}

/** An identifier given as its encoded bytes. */
const identifier = (hexadecimal: string): Buffer => element(OBJECT_IDENTIFIER, Buffer.from(hexadecimal, 'hex'));

/** 1.2.840.113549.1.1.11 */
const SHA256_WITH_RSA = sequence(identifier('2a864886f70d01010b'), element(NULL));

/** 2.5.4.3 */
const commonName = (name: string): Buffer =>
  sequence(element(SET, sequence(identifier('550403'), element(UTF8_STRING, Buffer.from(name, 'utf8')))));

/** Two-digit years until 2049, four from then on (RFC 5280 §4.1.2.5); whole seconds. */
function time(instant: Date): Buffer {
  const digits = `${instant.toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  return instant.getUTCFullYear() < 2050
    ? element(UTC_TIME, Buffer.from(digits.slice(2), 'ascii'))
    : element(GENERALIZED_TIME, Buffer.from(digits, 'ascii'));
}

const critical = (id: string, value: Buffer): Buffer =>
  sequence(identifier(id), element(BOOLEAN, Buffer.of(0xff)), element(OCTET_STRING, value));

/** basicConstraints, 2.5.29.19: not an authority, which is the default and thus not written. */
const NO_AUTHORITY = critical('551d13', sequence());

/** keyUsage, 2.5.29.15: digitalSignature is bit 0 of one, keyEncipherment is bit 2 of three. */
const keyUsage = (use: 'signing' | 'encryption'): Buffer =>
  critical('551d0f', element(BIT_STRING, use === 'signing' ? Buffer.of(7, 0x80) : Buffer.of(5, 0x20)));

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
