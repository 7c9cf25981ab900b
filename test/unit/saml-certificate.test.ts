/** The certificates we write, as OpenSSL (inside Node) reads them. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { parseDuration, parseInstant } from '../../src/connections/saml/instants.ts';
import { verificationKey } from '../../src/connections/saml/keys.ts';

const make = (entityId: string, now: string, use: 'signing' | 'encryption' = 'signing') =>
  createKeyPair({ entityId, use, now: new Date(now) });

describe('a key pair', () => {
  test('is RSA 2048, self-signed, for ten years, under the host of the entity ID, with no authority', async () => {
    const pair = await make('https://id.example.org/saml/corp/metadata', '2031-02-03T04:05:06.789Z');
    const certificate = new X509Certificate(pair.certificatePem);
    expect(certificate.subject).toBe('CN=id.example.org');
    expect(certificate.issuer).toBe('CN=id.example.org');
    expect(certificate.validFromDate).toEqual(new Date('2031-02-03T04:05:06Z'));
    expect(certificate.validToDate).toEqual(new Date('2041-02-03T04:05:06Z'));
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65537n });
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(pair.privateKeyPem))).toBe(true);
    expect(verificationKey(pair.certificatePem)).toMatchObject({ kind: 'rsa' });
  });

  test('is another one each time', async () => {
    const [one, other] = await Promise.all([
      make('https://a.example/', '2031-01-01T00:00:00Z'),
      make('https://a.example/', '2031-01-01T00:00:00Z'),
    ]);
    const [first, second] = [one, other].map(({ certificatePem }) => new X509Certificate(certificatePem));
    expect(first!.serialNumber).not.toBe(second!.serialNumber);
    expect(first!.fingerprint256).not.toBe(second!.fingerprint256);
    const publicPem = (pem: string): string => createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString();
    expect(publicPem(one.privateKeyPem)).not.toBe(publicPem(other.privateKeyPem));
  });

  test.each([
    ['ends after 2049, where years have four digits', '2044-06-07T08:09:10Z', '2054-06-07T08:09:10Z'],
    ['begins after 2049', '2050-01-01T00:00:00Z', '2060-01-01T00:00:00Z'],
  ])('%s', async (_, from, to) => {
    const { certificatePem } = await make('https://a.example/', from);
    const certificate = new X509Certificate(certificatePem);
    expect([certificate.validFromDate, certificate.validToDate]).toEqual([new Date(from), new Date(to)]);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  test('for encryption is readable too, and of a long host or an address', async () => {
    for (const host of [`${'a'.repeat(60)}.${'b'.repeat(60)}.example`, '[::1]', 'localhost']) {
      const { certificatePem } = await make(`https://${host}/`, '2031-01-01T00:00:00Z', 'encryption');
      const certificate = new X509Certificate(certificatePem);
      expect(certificate.subject).toBe(`CN=${host.slice(0, 64)}`);
      expect(certificate.verify(certificate.publicKey)).toBe(true);
    }
  });
});

describe('instants', () => {
  test.each([
    ['2031-05-20T09:30:00Z', '2031-05-20T09:30:00.000Z'],
    ['2031-05-20T09:30:00.1234567Z', '2031-05-20T09:30:00.123Z'],
    ['2032-02-29T23:59:59Z', '2032-02-29T23:59:59.000Z'],
  ])('%s', (text, instant) => expect(parseInstant(text)).toEqual(new Date(instant)));

  test.each([
    undefined,
    '',
    '2031-05-20',
    '2031-05-20T09:30:00',
    '2031-05-20T09:30:00+00:00',
    '2031-05-20 09:30:00Z',
    '2031-02-29T00:00:00Z',
    '2031-05-20T24:00:00Z',
    '2031-05-20T09:30:60Z',
    '+002031-05-20T09:30:00Z',
    ' 2031-05-20T09:30:00Z',
    'Tue, 20 May 2031 09:30:00 GMT',
  ])('%s is none', (text) => expect(parseInstant(text)).toBeUndefined());
});

test('durations, in seconds', () => {
  expect(['PT1H', 'P1D', 'P1Y2M3DT4H5M6.7S', 'PT0S'].map(parseDuration)).toEqual([3600, 86_400, 36_993_906, 0]);
  for (const none of ['', 'P', 'PT', 'P1DT', '-P1D', 'P1H', '1D', 'P1.5D']) expect(parseDuration(none)).toBeUndefined();
});
