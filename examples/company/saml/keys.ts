/**
 * A signing key for SAML and the self-signed certificate that carries it, both new at every start. The certificate is the
 * oldest and smallest kind there is (X.509 version 1, RFC 5280 §4.1): nobody reads more of it than the key.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export type KeyPair = { readonly privateKey: string; readonly certificate: string };

const VALID_YEARS = 1;
const [INTEGER, BIT_STRING, UTF8_STRING, GENERALIZED_TIME, SEQUENCE, SET] = [0x02, 0x03, 0x0c, 0x18, 0x30, 0x31];
const SHA256_WITH_RSA = Buffer.from('300d06092a864886f70d01010b0500', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');

/** PEM, and the certificate in base64 as XML carries it. */
export function createKeyPair({ commonName, now }: { readonly commonName: string; readonly now: Date }): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(commonName)))));
  const until = new Date(now);
  until.setUTCFullYear(until.getUTCFullYear() + VALID_YEARS);
  const serial = Buffer.from([1, ...randomBytes(15)]);
  const validity = der(SEQUENCE, time(now), time(until));
  const key = publicKey.export({ type: 'spki', format: 'der' });
  const body = der(SEQUENCE, der(INTEGER, serial), SHA256_WITH_RSA, name, validity, name, key);
  const signature = der(BIT_STRING, Buffer.of(0), sign('sha256', body, privateKey));
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: der(SEQUENCE, body, SHA256_WITH_RSA, signature).toString('base64'),
  };
}

/** Tag, length, contents (X.690 §8.1). */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const significant = length.subarray(length.findIndex((byte, at) => byte !== 0 || at === 3));
  const prefix = body.length < 0x80 ? [] : [0x80 | significant.length];
  return Buffer.concat([Buffer.from([tag, ...prefix]), significant, body]);
}

const time = (instant: Date): Buffer =>
  der(GENERALIZED_TIME, Buffer.from(`${instant.toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`));
