/**
 * Metadata that would have us send people somewhere else, or trust somebody else. Every case starts from a document that is
 * read, and twists one thing.
 */
import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { type MetadataNeeds, parseMetadata } from '../../src/connections/saml/metadata.ts';
import type { SamlRefusalWord } from '../../src/connections/saml/refusal.ts';
import { costOf } from '../support/cost.ts';
import { attribute, certified, type Edit, edits, replace, stillScene } from '../support/saml-idp.ts';
import { entitiesDescriptor, entityDescriptor, keyDescriptor } from '../support/saml-metadata.ts';

const scene = await stillScene();
const { idp, keys, now, at } = scene;
const entity = entityDescriptor(idp);
const read = (document: string | Uint8Array, needs: Partial<MetadataNeeds> = {}) =>
  parseMetadata({ document, now, ...needs });

type Case = [name: string, refused: SamlRefusalWord, twist: Edit, needs?: Partial<MetadataNeeds>];
const table = (whole: string, cases: Case[], common: Partial<MetadataNeeds> = {}): void => {
  test.each(cases)('%s → %s', (_, refused, twist, needs = {}) => {
    expect(read(whole, common)).toMatchObject({ idp: { entityId: idp.entityId } });
    expect(read(twist(whole), { ...common, ...needs })).toEqual({ refused, detail: expect.any(String) });
  });
};

describe('addresses', () => {
  const signOnAt = (location: string): Edit => replace('"https://idp.example.com/sso"', `"${location}"`);
  const logoutAt = (location: string): Edit => replace('"https://idp.example.com/slo"', `"${location}"`);
  const answersAt = (location: string): Edit => attribute('md:SingleLogoutService', 'ResponseLocation', location);
  const unsafe = [
    'http://idp.example.com/sso',
    'http://10.0.0.1/sso',
    'http://localhost.example.com/sso',
    'http://127.0.0.1.example.com/sso',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java&#9;script:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    '//idp.example.com/sso',
    '/sso',
    '',
    'https:idp.example.com',
    'https://',
    'https://idp.example.com/s so',
    'https://idp.example.com/&#10;sso',
    'https://idp.example.com\\@evil.example/',
    'https://idp.example.com@evil.example/',
    'https://:x@evil.example/',
    'https://idp.example.com/sso#',
    'https://idp.example.com/sso#x',
    'https://idp.example.com/é',
    'https://idp.example.com/?SAMLRequest=x',
    'https://idp.example.com/?RelayState=x',
    `https://idp.example.com/${'x'.repeat(2048)}`,
  ];
  table(
    entity,
    [signOnAt, logoutAt, answersAt].flatMap((place, nth) =>
      unsafe.map((location): Case => {
        const what = ['sign-on', 'logout', 'answers'][nth] ?? '';
        return [`${what} at ${location.slice(0, 60)}`, 'unsafe-location', place(location)];
      }),
    ),
  );
});

describe('endpoints and keys', () => {
  const KEYS = /<md:KeyDescriptor.*<\/md:KeyDescriptor>/s;
  const withKey = (certificatePem: string, use?: string): Edit =>
    replace('<md:KeyDescriptor', `${keyDescriptor(certificatePem, use)}$&`);
  const short = certified(generateKeyPairSync('rsa', { modulusLength: 1024 }), now).certificatePem;
  const koblitz = certified(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), now).certificatePem;
  const edwards = certified(generateKeyPairSync('ed25519'), now).certificatePem;
  const certificate = /<ds:X509Certificate>[^<]*<\/ds:X509Certificate>/;
  table(entity, [
    ['no sign-on', 'no-sign-on-endpoint', (xml) => xml.replaceAll(/<md:SingleSignOnService[^>]*>/g, '')],
    [
      'sign-on by other bindings alone',
      'no-sign-on-endpoint',
      (xml) => xml.replaceAll(/HTTP-(Redirect|POST)/g, 'SOAP'),
    ],
    [
      'sign-on of another name space',
      'no-sign-on-endpoint',
      (xml) => xml.replaceAll('<md:SingleSignOn', '<SingleSignOn'),
    ],
    ['no key', 'no-certificate', replace(KEYS, '')],
    ['keys for encryption alone', 'no-certificate', (xml) => xml.replaceAll('use="signing"', 'use="encryption"')],
    [
      'keys without certificates',
      'no-certificate',
      (xml) => xml.replaceAll(/<ds:X509Data>[^]*?<\/ds:X509Data>/g, '<ds:KeyName>x</ds:KeyName>'),
    ],
    ['RSA 1024', 'weak-key', withKey(short, 'signing')],
    ['RSA 1024, for any use', 'weak-key', withKey(short)],
    ['a curve nobody standardised for this', 'weak-key', withKey(koblitz)],
    ['a key of another kind', 'weak-key', withKey(edwards)],
    ['a chain', 'bad-certificate', replace(certificate, '$&$&')],
    [
      'a certificate that is not base64',
      'bad-certificate',
      replace(certificate, '<ds:X509Certificate>*</ds:X509Certificate>'),
    ],
    [
      'a certificate that is none',
      'bad-certificate',
      replace(certificate, '<ds:X509Certificate>AAAA</ds:X509Certificate>'),
    ],
    ['a certificate with an element inside', 'bad-certificate', replace('</ds:X509Certificate>', '<x/>$&')],
  ]);
});

describe('which provider, and until when', () => {
  table(entity, [
    [
      'another than was asked for',
      'no-identity-provider',
      (xml) => xml,
      { entityId: 'https://idp.example.com/metadata/' },
    ],
    ['nobody', 'no-identity-provider', replace(/<md:IDPSSODescriptor.*<\/md:IDPSSODescriptor>/s, '')],
    ['SAML 1.1', 'no-identity-provider', replace('SAML:2.0:protocol', 'SAML:1.1:protocol')],
    ['no name', 'not-metadata', attribute('md:EntityDescriptor', 'entityID', undefined)],
    ['a name without end', 'not-metadata', attribute('md:EntityDescriptor', 'entityID', 'x'.repeat(1025))],
    ['an empty name', 'not-metadata', attribute('md:EntityDescriptor', 'entityID', '')],
    ['two in one', 'several-identity-providers', replace(/<md:IDPSSODescriptor.*<\/md:IDPSSODescriptor>/s, '$&$&')],
    ['something else', 'not-metadata', (xml) => xml.replaceAll('md:EntityDescriptor', 'md:Something')],
    ['of another name space', 'not-metadata', (xml) => xml.replaceAll('SAML:2.0:metadata', 'SAML:2.0:meta')],
    ['expired', 'expired-metadata', attribute('md:EntityDescriptor', 'validUntil', at(0))],
    ['a role that expired', 'expired-metadata', attribute('md:IDPSSODescriptor', 'validUntil', at(-1))],
    ['valid until no instant', 'not-metadata', attribute('md:EntityDescriptor', 'validUntil', 'forever')],
    ['cached for no span', 'not-metadata', attribute('md:EntityDescriptor', 'cacheDuration', 'PT')],
  ]);
  table(entitiesDescriptor(entity), [
    [
      'several, none of them asked for',
      'several-identity-providers',
      replace('</md:Entities', `${entityDescriptor(idp, 'https://b.example/')}$&`),
    ],
    [
      'several of one name',
      'several-identity-providers',
      replace('</md:Entities', `${entity.replace(/ ID="[^"]*"/, '')}$&`),
      { entityId: idp.entityId },
    ],
    ['a group that expired', 'expired-metadata', attribute('md:EntitiesDescriptor', 'validUntil', at(-1))],
  ]);
});

describe('signed metadata', () => {
  const signing = { keys: keys.strange };
  const pinned = { metadataCertificate: keys.strange.certificatePem };
  const document = entitiesDescriptor(entity);
  const part = entitiesDescriptor(scene.signRoot(entity, signing));
  table(
    scene.signRoot(document, signing),
    [
      ['unsigned', 'unsigned-metadata', () => document],
      ['only a part signed', 'misplaced-signature', () => part],
      ['by another', 'bad-signature', () => scene.signRoot(document)],
      ['edited', 'bad-signature', replace('https://idp.example.com/sso"', 'https://evil.example/sso"')],
      ['sha1', 'signature-algorithm', () => scene.signRoot(document, { ...signing, method: 'rsa-sha1' })],
      [
        'inclusive',
        'signature-algorithm',
        () => scene.signRoot(document, { ...signing, transforms: ['enveloped', 'inclusive'] }),
      ],
      [
        'a reference to a part',
        'signature-reference',
        replace('URI="#_all"', `URI="#${/ID="(_m[^"]*)"/.exec(entity)?.[1] ?? ''}"`),
      ],
      [
        'the signed document in another',
        'misplaced-signature',
        (xml) => entitiesDescriptor(entityDescriptor(idp, 'https://evil.example/'), xml).replace('"_all"', '"_forged"'),
      ],
      ['a comment in the digest', 'comment', replace(/(<ds:DigestValue>....)/, '$1<!-- -->')],
      ['a comment in the signature', 'comment', replace(/(<ds:SignatureValue>....)/, '$1<!-- -->')],
      [
        'canonicalisation that keeps comments',
        'signature-algorithm',
        () => scene.signRoot(document, { ...signing, transforms: ['enveloped', 'exclusive-comments'] }),
      ],
      [
        'an endpoint that was signed as a comment',
        'bad-signature',
        () =>
          scene
            .signRoot(document.replace('<md:SingleSignOnService', '<!--<md:SingleSignOnService/>-->$&'), signing)
            .replace('<!--<md:SingleSignOnService/>-->', '<md:SingleSignOnService/>'),
      ],
      [
        'an endpoint that was signed, as a comment',
        'bad-signature',
        replace(/<md:SingleLogoutService [^>]*>/, '<!--$&-->'),
      ],
      ['pinned to something that is no certificate', 'bad-signature', (xml) => xml, { metadataCertificate: 'x' }],
    ],
    pinned,
  );
});

describe('the text', () => {
  const inside = (text: string): Edit => replace('<md:IDPSSODescriptor', `${text}$&`);
  table(entity, [
    ['a DOCTYPE', 'doctype', (xml) => `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>${xml}`],
    ['a CDATA section', 'cdata', inside('<![CDATA[x]]>')],
    ['a style sheet', 'processing-instruction', (xml) => `<?xml-stylesheet href="x"?>${xml}`],
    ['a second root', 'several-roots', (xml) => xml + xml],
    ['an ID twice', 'duplicate-id', inside(entity)],
    ['not XML', 'not-well-formed', () => '{}'],
    ['nothing', 'not-well-formed', () => ''],
    ['41 levels', 'too-deep', inside('<a>'.repeat(40) + '</a>'.repeat(40))],
  ]);

  const inCertificate = (comment: string, at = ''): Edit =>
    replace(new RegExp(`(<ds:X509Certificate>${at})`), `$1${comment}`);
  const inAttribute = (value: string): Edit => attribute('md:EntityDescriptor', 'entityID', value);
  table(entity, [
    ['a comment in a certificate', 'comment', inCertificate('<!-- -->', '.')],
    ['a comment before the text of an element', 'comment', inCertificate('<!-- -->')],
    ['a comment behind the text of an element', 'comment', replace('</ds:X509Certificate>', '<!-- -->$&')],
    [
      'a comment beside text, with an element between',
      'comment',
      inside('<md:Extensions>x<md:x/><!-- --></md:Extensions>'),
    ],
    ['text behind a comment, with an element between', 'comment', inside('<!-- --><md:x/>x<md:x/>')],
    ['a comment that hides a name', 'comment', inside('<md:NameIDFormat>a<!-- b -->c</md:NameIDFormat>')],
    ['a comment in an attribute', 'not-well-formed', inAttribute('https://idp.example.com/<!-- -->metadata')],
    ['a comment that begins in an attribute', 'not-well-formed', inAttribute('https://idp.example.com/metadata><!-- ')],
    ['a comment in a tag', 'not-well-formed', replace('<md:IDPSSODescriptor', '$&<!-- -->')],
    ['a comment in an end tag', 'not-well-formed', replace('</md:IDPSSODescriptor', '$&<!-- -->')],
    ['a comment made of two halves', 'doctype', inside('<!<!-- -->-- -->')],
    ['a comment that does not end', 'not-well-formed', replace(/$/, '<!-- ')],
    ['a comment with two hyphens', 'not-well-formed', inside('<!-- a -- b -->')],
    ['a comment that ends in three hyphens', 'not-well-formed', inside('<!-- a --->')],
    ['a comment that HTML would end', 'not-well-formed', inside('<!--><md:x/>-->')],
    ['a control character in a comment', 'not-well-formed', inside('<!-- \u0001 -->')],
    ['a line separator in a comment', 'not-well-formed', inside('<!-- \u2028 -->')],
    ['a DOCTYPE behind a comment', 'doctype', (xml) => `<!-- --><!DOCTYPE x>${xml}`],
    ['a DOCTYPE around a comment', 'doctype', (xml) => `<!DOCTYPE x [<!-- -->]>${xml}`],
    ['a CDATA section behind a comment', 'cdata', inside('<!-- --><![CDATA[<!-- ]]>')],
    ['a style sheet behind a comment', 'processing-instruction', (xml) => `<!-- --><?xml-stylesheet href="x"?>${xml}`],
    ['a declaration behind a comment', 'processing-instruction', (xml) => `<!-- --><?xml version="1.0"?>${xml}`],
    ['only a comment', 'not-well-formed', () => '<!-- -->'],
    ['a second root behind a comment', 'several-roots', (xml) => `${xml}<!-- -->${xml}`],
    ['201 comments', 'comment', inside('<!-- -->'.repeat(201))],
    ['comments of more than 64 KiB together', 'comment', inside(`<!--${'x'.repeat(33_000)}-->`.repeat(2))],
  ]);

  test('bytes that are not UTF-8', () => {
    expect(read(Buffer.from(entity.replace('<md:IDP', 'é$&'), 'latin1'))).toMatchObject({ refused: 'not-utf8' });
  });

  test.each<[string, SamlRefusalWord, Edit]>([
    ['one mebibyte and a byte', 'too-large', (xml) => xml.padEnd(1024 * 1024 + 1)],
    ['20 000 siblings', 'too-many-nodes', inside('<a/>'.repeat(20_000))],
    ['100 000 levels', 'too-deep', inside('<a>'.repeat(100_000))],
    ['100 000 comments', 'comment', inside('<!---->'.repeat(100_000))],
    ['100 000 comments that do not end', 'not-well-formed', inside('<!-- - '.repeat(100_000))],
    ['100 000 attributes', 'too-many-nodes', inside('<a b="" c="" d=""/>'.repeat(33_000))],
  ])('%s → %s, within 250 ms and 32 MiB', async (_, refused, twist) => {
    const document = twist(entity);
    const { answer, milliseconds, mebibytes } = await costOf(() => read(document));
    expect(answer).toEqual({ refused, detail: expect.any(String) });
    expect(milliseconds).toBeLessThan(250);
    expect(mebibytes).toBeLessThan(32);
  });

  test('as much as is allowed is read and verified, in bounded time', async () => {
    const full = edits(inside(`<md:Extensions>${'<a b="c">d</a>'.repeat(4900)}</md:Extensions>`))(entity);
    const signed = scene.signRoot(full);
    const { answer, milliseconds } = await costOf(() =>
      read(signed, { metadataCertificate: keys.present.certificatePem }),
    );
    expect(answer).toMatchObject({ signed: true });
    expect(milliseconds).toBeLessThan(5000);
  });
});
