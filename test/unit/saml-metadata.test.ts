/** Metadata: what is read of an identity provider's, and what ours says. */
import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { fingerprint } from '../../src/connections/saml/keys.ts';
import { compareCertificates, type MetadataNeeds, parseMetadata } from '../../src/connections/saml/metadata.ts';
import { serviceProviderMetadata } from '../../src/connections/saml/sp-metadata.ts';
import { addSeconds } from '../../src/platform/clock.ts';
import { attribute, certified, edits, replace, stillScene } from '../support/saml-idp.ts';
import { entitiesDescriptor, entityDescriptor, keyDescriptor } from '../support/saml-metadata.ts';

const scene = await stillScene();
const { sp, idp, keys, now, at } = scene;
const entity = entityDescriptor(idp);
const read = (document: string | Uint8Array, needs: Partial<MetadataNeeds> = {}) =>
  parseMetadata({ document, now, ...needs });
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const logoutAt = (location: string, more = ''): string =>
  `<md:SingleLogoutService Binding="${REDIRECT}" Location="${location}"${more}/>`;
const LOGOUT = /<md:SingleLogoutService [^>]*\/>/;

describe('of an identity provider', () => {
  test('endpoints by binding, and every signing certificate', () => {
    expect(read(entity)).toEqual({
      idp: {
        entityId: idp.entityId,
        sso: { redirect: 'https://idp.example.com/sso', post: 'https://idp.example.com/sso-post' },
        slo: { redirect: 'https://idp.example.com/slo' },
        certificates: [keys.present.certificatePem, keys.next.certificatePem],
        wantsSignedRequests: false,
      },
      signed: false,
      cacheSeconds: undefined,
    });
  });

  test('as bytes, with a byte order mark and a declaration, pretty-printed', () => {
    const pretty = `\uFEFF<?xml version="1.0" encoding="utf-8"?>\n${entity.replaceAll('><', '>\n  <')}\n`;
    expect(read(Buffer.from(pretty))).toMatchObject({ idp: { entityId: idp.entityId } });
  });

  /** As Shibboleth writes its own: a licence, remarks, and what might be wanted some day. */
  const commented = edits(
    replace(/^/, '<?xml version="1.0" encoding="UTF-8"?>\n<!--\n  Terms & Conditions: <as is>, see ]]> below.\n-->\n'),
    replace(/$/, '\n<!-- the end -->\n'),
    replace('<md:IDPSSODescriptor', '<!-- first <?x?> <!DOCTYPE x> <![CDATA[ -->$&'),
    replace('</md:IDPSSODescriptor', '<!--\n<md:SingleSignOnService Binding="x" Location="http://x/"/>\n-->$&'),
    replace('<ds:X509Data>', '<!-- rolled over in May -->$&<!---->'),
  );

  test('with comments between elements, which say nothing', () => {
    expect(read(commented(entity))).toEqual(read(entity));
    expect(read(entity)).toMatchObject({ idp: { entityId: idp.entityId } });
  });

  test('signed with comments inside, or commented since: what was signed is what is read', () => {
    const pinned = { metadataCertificate: keys.strange.certificatePem };
    const signing = { keys: keys.strange };
    const plain = read(scene.signRoot(entity, signing), pinned);
    expect(plain).toMatchObject({ signed: true });
    expect(read(scene.signRoot(commented(entity), signing), pinned)).toEqual(plain);
    expect(read(commented(scene.signRoot(entity, signing)), pinned)).toEqual(plain);
    const inSignature = replace('<ds:SignatureMethod', '<!-- by the federation -->$&');
    expect(read(inSignature(scene.signRoot(entity, signing)), pinned)).toEqual(plain);
  });

  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
  ])('WantAuthnRequestsSigned="%s"', (written, wantsSignedRequests) => {
    const document = attribute('md:IDPSSODescriptor', 'WantAuthnRequestsSigned', written)(entity);
    expect(read(document)).toMatchObject({ idp: { wantsSignedRequests } });
  });

  test('a certificate for any use signs; one for encryption does not; one given twice counts once', () => {
    const [any, encrypting] = [
      keyDescriptor(keys.strange.certificatePem),
      keyDescriptor(sp.signing.certificatePem, 'encryption'),
    ];
    const again = keyDescriptor(keys.present.certificatePem);
    const document = replace('<md:KeyDescriptor', `${any}${encrypting}${again}$&`)(entity);
    expect(read(document)).toMatchObject({
      idp: { certificates: [keys.strange, keys.present, keys.next].map(({ certificatePem }) => certificatePem) },
    });
  });

  test('a key on a curve', () => {
    const { certificatePem } = certified(generateKeyPairSync('ec', { namedCurve: 'P-384' }), now);
    expect(read(replace('<md:KeyDescriptor', `${keyDescriptor(certificatePem)}$&`)(entity))).toMatchObject({
      idp: { certificates: [certificatePem, ...idp.certificates] },
    });
  });

  test('where answers to logout go, if elsewhere', () => {
    const document = replace(
      LOGOUT,
      logoutAt('https://idp.example.com/slo', ' ResponseLocation="https://idp.example.com/slo/r"'),
    )(entity);
    expect(read(document)).toMatchObject({
      idp: { slo: { redirect: 'https://idp.example.com/slo', responseLocation: 'https://idp.example.com/slo/r' } },
    });
  });

  test('sign-on by one binding alone; where answers go by POST is not where they go by redirect', () => {
    const only = (binding: string): string =>
      entity.replaceAll(new RegExp(`<md:SingleSignOn[^>]*(?<!${binding})" Loc[^>]*>`, 'g'), '');
    expect(read(only('Redirect'))).toMatchObject({ idp: { sso: { redirect: 'https://idp.example.com/sso' } } });
    expect(read(only('POST'))).toMatchObject({ idp: { sso: { post: 'https://idp.example.com/sso-post' } } });
    const byPost = logoutAt('https://idp.example.com/p', ' ResponseLocation="https://idp.example.com/r"').replace(
      'HTTP-Redirect',
      'HTTP-POST',
    );
    const answer = read(replace(LOGOUT, byPost)(entity));
    expect(answer).toHaveProperty('idp.slo', { post: 'https://idp.example.com/p' });
  });

  test('the first endpoint of a binding; other bindings are passed over, wherever they lead', () => {
    const soap = logoutAt('http://inside/slo').replace(REDIRECT, 'urn:oasis:names:tc:SAML:2.0:bindings:SOAP');
    const document = replace(LOGOUT, `${soap}$&${logoutAt('https://idp.example.com/second')}`)(entity);
    expect(read(document)).toMatchObject({ idp: { slo: { redirect: 'https://idp.example.com/slo' } } });
    expect(read(replace(LOGOUT, '')(entity))).toMatchObject({ idp: { slo: {} } });
  });

  test.each(['http://localhost:8080/sso', 'http://idp.localhost/sso', 'http://127.0.0.1:1/sso', 'http://[::1]/sso'])(
    '%s is this machine',
    (location) => {
      const document = replace('https://idp.example.com/sso', location)(entity);
      expect(read(document)).toMatchObject({ idp: { sso: { redirect: location } } });
    },
  );

  test('one of several, by name; the only one of them that signs anybody in', () => {
    const other = entityDescriptor(idp, 'https://other.example.com/metadata');
    const serviceProvider = serviceProviderMetadata(sp);
    const document = entitiesDescriptor(
      entitiesDescriptor(other).replace('"_all"', '"_some"'),
      serviceProvider,
      entity,
    );
    expect(read(document, { entityId: idp.entityId })).toMatchObject({ idp: { entityId: idp.entityId } });
    expect(read(document, { entityId: 'https://other.example.com/metadata' })).toMatchObject({
      idp: { entityId: 'https://other.example.com/metadata' },
    });
    expect(read(entitiesDescriptor(serviceProvider, entity))).toMatchObject({ idp: { entityId: idp.entityId } });
  });

  test('valid until the first of what anything around it says, cached for the shortest', () => {
    const document = edits(
      attribute('md:EntitiesDescriptor', 'validUntil', at(500)),
      attribute('md:EntitiesDescriptor', 'cacheDuration', 'P1DT1H'),
      attribute('md:EntityDescriptor', 'validUntil', at(400)),
      attribute('md:IDPSSODescriptor', 'cacheDuration', 'PT6H30M5.5S'),
    )(entitiesDescriptor(entity));
    expect(read(document)).toMatchObject({ idp: { validUntil: addSeconds(now, 400) }, cacheSeconds: 23_405 });
  });

  test('signed as a whole by a pinned certificate, which need not be one of its own', () => {
    const metadataCertificate = keys.strange.certificatePem;
    const pinned = { metadataCertificate };
    for (const document of [entity, entitiesDescriptor(entity)]) {
      const signed = scene.signRoot(document, { keys: keys.strange });
      expect(read(signed, pinned)).toMatchObject({ idp: { entityId: idp.entityId }, signed: true });
      expect(read(signed)).toMatchObject({ idp: { entityId: idp.entityId }, signed: false });
    }
  });
});

test('certificates are compared by fingerprint, however they are written', () => {
  const [present, next, strange] = [keys.present, keys.next, keys.strange].map(
    ({ certificatePem }) => certificatePem,
  ) as [string, string, string];
  expect(compareCertificates([present, next], [next.replaceAll('\n', '\r\n'), strange])).toEqual({
    added: [fingerprint(strange)],
    removed: [fingerprint(present)],
  });
  expect(compareCertificates([present, next], [next, present])).toEqual({ added: [], removed: [] });
  expect(fingerprint(present)).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
});

describe('ours', () => {
  const count = (text: string, part: string): number => text.split(part).length - 1;

  test('says what we demand and where we are', () => {
    const written = serviceProviderMetadata(sp);
    expect(written).toContain(`entityID="${sp.entityId}"`);
    expect(written).toContain('AuthnRequestsSigned="true" WantAssertionsSigned="true"');
    expect(written).toMatch(
      new RegExp(`<md:AssertionConsumerService Binding="[^"]*HTTP-POST" Location="${sp.acsUrl}"`),
    );
    expect(count(written, `Location="${sp.sloUrl}"`)).toBe(2);
    expect(count(written, 'use="signing"')).toBe(1);
    expect(count(written, 'use="encryption"')).toBe(1);
    expect(written).toContain('xmlenc11#aes256-gcm');
    expect(written).not.toContain('cbc');
    const { decryption: _, ...without } = sp;
    expect(serviceProviderMetadata(without)).not.toContain('encryption');
  });

  test('is well-formed, by the same strict reading as anybody else’s, and carries our certificate', () => {
    // Seen as an identity provider's, so that our own reader reads it.
    const asProvider = edits(
      replace('<md:SPSSODescriptor', '<md:IDPSSODescriptor'),
      replace('</md:SPSSODescriptor', '</md:IDPSSODescriptor'),
      replace('<md:AssertionConsumerService', '<md:SingleSignOnService'),
    )(serviceProviderMetadata(sp));
    expect(read(asProvider)).toMatchObject({
      idp: {
        entityId: sp.entityId,
        slo: { redirect: sp.sloUrl, post: sp.sloUrl },
        certificates: [sp.signing.certificatePem],
      },
    });
  });

  test('escapes what it is given', () => {
    expect(serviceProviderMetadata({ ...sp, acsUrl: 'https://x/?a=1&b="<' })).toContain(
      '"https://x/?a=1&amp;b=&quot;&lt;"',
    );
  });
});
