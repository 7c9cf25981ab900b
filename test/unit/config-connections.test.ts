/** What is refused of connections before anything runs: among themselves, and in the files they name. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readConfig } from '../../src/configuration.ts';
import { certify, createKeyPair } from '../../src/connections/saml/certificate.ts';
import { samlCompany } from '../support/saml-company.ts';
import { signXml } from '../support/saml-sealing.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ENTITY = 'https://idp.example.com/metadata';
const file = (name: string, content: string): void => writeFileSync(join(folder, name), content);
const corp = { id: 'corp', type: 'saml', name: 'Corp', metadataFile: './corp.xml' };
const acme = { id: 'acme', type: 'oidc', name: 'Acme', issuer: 'https://login.acme.test', client_id: 'curfew' };

function read(...connections: object[]) {
  // JSON is YAML.
  file('curfew.yaml', JSON.stringify({ issuer: 'https://id.example.org', connections }));
  return readConfig({ file: join(folder, 'curfew.yaml'), env: {}, cwd: folder });
}

function problems(...connections: object[]) {
  const reading = read(...connections);
  if (reading.ok) throw new Error('it was accepted');
  return reading.problems;
}

const anyText = expect.stringMatching(/./) as unknown;

test('metadata and certificates that are what they should be are accepted', async () => {
  const { metadata, keys } = await samlCompany();
  file('corp.xml', signXml(metadata, { keys }));
  file('corp.pem', keys.certificatePem);
  expect(read({ ...corp, metadataCertificateFile: './corp.pem' })).toMatchObject({ ok: true, warnings: [] });
  expect(read({ ...corp, entityId: ENTITY })).toMatchObject({ ok: true, warnings: [] });
});

/** A certificate whose key could be forged for. */
function weakCertificate(): string {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return certify(publicKey, privateKey, { entityId: ENTITY, use: 'signing', now: new Date() });
}
const inMetadata = (pem: string): string => pem.replaceAll(/-----[^-]+-----|\n/g, '');

test.each<[string, (metadata: string) => string, RegExp]>([
  ['another document', () => '<x/>', /not-metadata/],
  ['nothing', () => '', /cannot be used/],
  ['a document type', (metadata) => `<!DOCTYPE x>${metadata}`, /doctype/],
  [
    'a service provider',
    (metadata) => metadata.replaceAll('IDPSSODescriptor', 'SPSSODescriptor'),
    /no-identity-provider/,
  ],
  [
    'no certificate',
    (metadata) => metadata.replaceAll(/<md:KeyDescriptor.*<\/md:KeyDescriptor>/gs, ''),
    /no-certificate/,
  ],
  [
    'a key that could be forged for',
    (metadata) => metadata.replace(/(<ds:X509Certificate>)[^<]+/, `$1${inMetadata(weakCertificate())}`),
    /weak-key/,
  ],
])('a metadata file with %s is refused', async (_name, twist, why) => {
  file('corp.xml', twist((await samlCompany()).metadata));
  expect(problems(corp)).toEqual([
    { path: 'connections[0].metadataFile', problem: expect.stringMatching(why) as unknown, fix: anyText },
  ]);
});

test('a metadata file without the provider that is named is refused, with those it has', async () => {
  file('corp.xml', (await samlCompany()).metadata);
  expect(problems({ ...corp, entityId: 'https://idp.example.com/other' })).toEqual([
    {
      path: 'connections[0].metadataFile',
      problem: expect.stringContaining(`found: ${ENTITY}`) as unknown,
      fix: expect.stringContaining('entityId') as unknown,
    },
  ]);
});

test('a pinned certificate is refused when it is none, has a weak key, or is of another key than the metadata', async () => {
  const { metadata, keys } = await samlCompany();
  file('corp.xml', signXml(metadata, { keys }));
  const pinned = { ...corp, metadataCertificateFile: './corp.pem' };
  const path = 'connections[0].metadataCertificateFile';
  for (const [content, why] of [
    ['hello', 'holds no certificate'],
    [weakCertificate(), 'too weak'],
  ] as const) {
    file('corp.pem', content);
    const refusal = { path, problem: expect.stringContaining(why) as unknown, fix: anyText };
    expect(problems(pinned)).toEqual([refusal]);
    const { metadataFile: _, ...published } = pinned;
    expect(problems({ ...published, metadataUrl: 'https://idp.corp.test/metadata' })).toEqual([refusal]);
  }
  const other = await createKeyPair({ entityId: ENTITY, use: 'signing', now: new Date() });
  file('corp.pem', other.certificatePem);
  expect(problems(pinned)).toEqual([
    {
      path: 'connections[0].metadataFile',
      problem: expect.stringContaining('bad-signature') as unknown,
      fix: expect.stringContaining('metadataCertificateFile') as unknown,
    },
  ]);
});

test('what is wrong with files is told with everything else', () => {
  file('corp.xml', '<x/>');
  file('corp.pem', 'hello');
  expect(
    problems({ ...acme, issuer: 'ftp://x' }, { ...corp, metadataCertificateFile: './corp.pem' }).map(
      ({ path }) => path,
    ),
  ).toEqual(['connections[0].issuer', 'connections[1].metadataCertificateFile', 'connections[1].metadataFile']);
});

test('metadata that have run out are warned about: a house that ran yesterday starts today', async () => {
  const { metadata } = await samlCompany();
  file('corp.xml', metadata.replace(' entityID=', ' validUntil="2020-01-01T00:00:00Z" entityID='));
  expect(read(corp)).toMatchObject({
    ok: true,
    warnings: [{ path: 'connections[0].metadataFile', problem: expect.stringContaining('expired-metadata') }],
  });
});

test('a domain is claimed by one connection', () => {
  const claims = (id: string, ...domains: string[]) => ({ ...acme, id, domains });
  expect(read(claims('one', 'a.test', 'b.test'), claims('two', 'c.test'))).toMatchObject({ ok: true });
  expect(problems(claims('one', 'a.test', 'b.test'), claims('two', 'c.test', 'b.test'))).toEqual([
    { path: 'connections[1].domains[1]', problem: 'is already claimed by connections[0]', fix: anyText },
  ]);
});

test('a kind that there is not, and metadata from two places, are told in words', () => {
  expect(problems({ ...acme, type: 'ldap' })).toEqual([
    { path: 'connections[0].type', problem: 'must be oidc or saml', fix: 'write oidc or saml' },
  ]);
  const { type: _, ...untyped } = acme;
  expect(problems(untyped)).toEqual([
    { path: 'connections[0].type', problem: 'is missing', fix: 'add it: oidc or saml' },
  ]);
  const twice = problems({ ...corp, metadataUrl: 'https://idp.corp.test/metadata' });
  expect(twice).toContainEqual({
    path: 'connections[0].metadataFile',
    problem: 'must have metadataFile or metadataUrl, not both',
    fix: 'leave one of them out',
  });
});
