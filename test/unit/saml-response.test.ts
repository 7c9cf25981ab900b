/** What a sign-in through SAML may look like: every variant that is accepted, and what is read from it. */
import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { DEFAULT_POLICY, type KeyPair, type SamlPolicy } from '../../src/connections/saml/party.ts';
import { verifyResponse } from '../../src/connections/saml/response.ts';
import { addSeconds } from '../../src/platform/clock.ts';
import { attribute, certified, edits, type Recipe, replace, stillScene, toBase64 } from '../support/saml-idp.ts';
import type { Algorithm, Signing } from '../support/saml-sealing.ts';

const scene = await stillScene();
const { sp, idp, keys, now, requestId } = scene;
const relaxed: SamlPolicy = { ...DEFAULT_POLICY, wantResponseSigned: false };
const attempt = { requestId, requestedAt: addSeconds(now, -20), forced: false };

const verify = (recipe: Recipe = {}, needs: Partial<Parameters<typeof verifyResponse>[0]> = {}) =>
  verifyResponse({
    sp,
    idp,
    policy: DEFAULT_POLICY,
    attempt,
    samlResponse: toBase64(scene.respond(recipe)),
    now,
    ...needs,
  });

const ALICE = { nameId: 'alice-at-idp' };

test('a response says who signed in, when, and until when it may be remembered', async () => {
  expect(await verify()).toEqual({
    issuer: idp.entityId,
    nameId: 'alice-at-idp',
    nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    nameQualifier: undefined,
    spNameQualifier: undefined,
    sessionIndex: '_session-1',
    authnInstant: addSeconds(now, -1),
    sessionNotOnOrAfter: addSeconds(now, 3600),
    attributes: { mail: ['alice@example.com'], groups: ['staff', 'ops'] },
    assertionId: expect.stringMatching(/^_[0-9a-f]{32}$/),
    // The confirmation ends first, after 200 seconds; the clock may be a minute off.
    notOnOrAfter: addSeconds(now, 260),
  });
});

test('the assertion is refused from the instant on that says until when to remember it', async () => {
  const samlResponse = toBase64(scene.respond());
  const first = await verify({}, { samlResponse });
  if ('refused' in first) throw new Error(first.detail);
  expect(await verify({}, { samlResponse, now: addSeconds(first.notOnOrAfter, -1) })).toMatchObject(ALICE);
  expect(await verify({}, { samlResponse, now: first.notOnOrAfter })).toMatchObject({ refused: 'expired' });
});

describe('signatures', () => {
  test.each<[Algorithm, Algorithm]>([
    ['rsa-sha256', 'sha256'],
    ['rsa-sha512', 'sha512'],
    ['rsa-sha256', 'sha512'],
    ['rsa-pss', 'sha256'],
  ])('%s with a digest by %s', async (method, digest) => {
    expect(await verify({ signing: { method, digest } })).toMatchObject(ALICE);
  });

  describe('that the library does not know', () => {
    const onCurve = (namedCurve: string) => certified(generateKeyPairSync('ec', { namedCurve }), now);
    const [p256, p384] = [onCurve('P-256'), onCurve('P-384')];
    const withKey = ({ certificatePem }: KeyPair) => ({ ...idp, certificates: [...idp.certificates, certificatePem] });
    const signings: [string, Signing, KeyPair?][] = [
      ['rsa-sha384', { method: 'rsa-sha384' }],
      ['rsa-sha256 with a digest by sha384', { digest: 'sha384' }],
      ['rsa-sha384 with a digest by sha384', { method: 'rsa-sha384', digest: 'sha384' }],
      ['ecdsa-sha256', { method: 'ecdsa-sha256', keys: p256 }, p256],
      ['ecdsa-sha384 with a digest by sha384', { method: 'ecdsa-sha384', digest: 'sha384', keys: p384 }, p384],
      ['ecdsa-sha512 with a digest by sha512', { method: 'ecdsa-sha512', digest: 'sha512', keys: p384 }, p384],
    ];
    const recipes: [string, Recipe, SamlPolicy][] = [
      ['on both', {}, DEFAULT_POLICY],
      ['on the assertion alone', { signs: 'assertion' }, relaxed],
      ['inside an encrypted assertion', { encrypt: {} }, DEFAULT_POLICY],
      ['inside an encrypted assertion alone', { signs: 'assertion', encrypt: {} }, relaxed],
    ];
    const cases = signings.flatMap(([how, signing, keyPair]) =>
      recipes.map(([where, recipe, policy]) => ({ name: `${how}, ${where}`, signing, keyPair, recipe, policy })),
    );
    test.each(cases)('$name', async ({ signing, keyPair, recipe, policy }) => {
      const trusting = keyPair === undefined ? idp : withKey(keyPair);
      expect(await verify({ ...recipe, signing }, { idp: trusting, policy })).toMatchObject(ALICE);
    });

    test('on one of the two, and one that it knows on the other', async () => {
      const known: Signing = {};
      const unknown: Signing = { method: 'rsa-sha384' };
      expect(await verify({ signing: known, responseSigning: unknown })).toMatchObject(ALICE);
      expect(await verify({ signing: unknown, responseSigning: known })).toMatchObject(ALICE);
    });
  });

  test('by the second trusted certificate, while keys roll over', async () => {
    expect(await verify({ signing: { keys: keys.next } })).toMatchObject(ALICE);
    const rolled = { ...idp, certificates: [keys.next.certificatePem] };
    expect(await verify({ signing: { keys: keys.next } }, { idp: rolled })).toMatchObject(ALICE);
    expect(await verify({}, { idp: rolled })).toMatchObject({ refused: 'bad-signature' });
  });

  test('on the assertion alone, where the connection is content with that', async () => {
    expect(await verify({ signs: 'assertion' }, { policy: relaxed })).toMatchObject(ALICE);
    expect(await verify({ signs: 'assertion' })).toMatchObject({ refused: 'unsigned-response' });
  });

  test('on the Response as well, where the connection does not ask for it', async () => {
    expect(await verify({ signs: 'both' }, { policy: relaxed })).toMatchObject(ALICE);
  });

  test.each([DEFAULT_POLICY, relaxed])('on the Response alone: refused whatever the policy', async (policy) => {
    expect(await verify({ signs: 'response' }, { policy })).toMatchObject({ refused: 'unsigned-assertion' });
  });

  test('with a list of prefixes kept in canonical form, as for xsi:type values', async () => {
    // `xs` is used in a value alone, so only the list keeps its declaration in what is signed.
    const typed = edits(
      attribute('saml:Assertion', 'xmlns:xs', 'http://www.w3.org/2001/XMLSchema'),
      replace(
        '<saml:AttributeValue>alice@',
        '<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">alice@',
      ),
    );
    expect(await verify({ assertion: typed, signing: { prefixList: ['xs'] } })).toMatchObject(ALICE);
  });
});

describe('the text', () => {
  test.each([
    ['an XML declaration', (xml: string) => `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`],
    ['a byte order mark', (xml: string) => `\uFEFF${xml}`],
    ['line breaks around it', (xml: string) => `\r\n${xml}\n`],
    [
      'carriage returns written out in a signature value, as Java does',
      replace(/<ds:SignatureValue>(.{76})/, '<ds:SignatureValue>$1&#13;\n'),
    ],
  ])('with %s', async (_, signedResponse) => {
    // The signature value inside the assertion is signed by the Response, so only an outer one may change.
    const recipe: Recipe = { signs: 'assertion', signedResponse };
    expect(await verify(recipe, { policy: relaxed })).toMatchObject(ALICE);
  });

  test('without prefixes, as some providers write everything', async () => {
    const bare = (prefix: string) =>
      edits((xml) => xml.replaceAll(new RegExp(`(</?)${prefix}:`, 'g'), '$1'), replace(`xmlns:${prefix}=`, 'xmlns='));
    const recipe: Recipe = { assertion: bare('saml'), response: bare('samlp') };
    expect(await verify(recipe)).toMatchObject({ ...ALICE, attributes: { mail: ['alice@example.com'] } });
    expect(await verify({ ...recipe, encrypt: {} })).toMatchObject(ALICE);
  });

  test('with base64 broken into lines, as in mail', async () => {
    const samlResponse = toBase64(scene.respond()).replace(/.{76}/g, '$&\r\n');
    expect(await verify({}, { samlResponse })).toMatchObject(ALICE);
  });

  test('with a name that needs escaping, beyond ASCII', async () => {
    const assertion = replace('alice-at-idp', 'Ålice &amp; &lt;Søn&gt; &#x1F3E0;');
    expect(await verify({ assertion })).toMatchObject({ nameId: 'Ålice & <Søn> 🏠' });
  });
});

describe('the assertion', () => {
  test('for two audiences, of which we are one', async () => {
    const other = '<saml:Audience>https://other.example.net/metadata</saml:Audience>';
    const assertion = edits(replace('<saml:Audience>', `${other}<saml:Audience>`));
    expect(await verify({ assertion })).toMatchObject(ALICE);
  });

  test('with one confirmation for us and one for somebody else', async () => {
    const assertion = replace(
      /(<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>)/,
      `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>$1`,
    );
    expect(await verify({ assertion })).toMatchObject(ALICE);
  });

  test('without a session index and an end of the session', async () => {
    const assertion = edits(
      attribute('saml:AuthnStatement', 'SessionIndex', undefined),
      attribute('saml:AuthnStatement', 'SessionNotOnOrAfter', undefined),
    );
    expect(await verify({ assertion })).toMatchObject({ sessionIndex: undefined, sessionNotOnOrAfter: undefined });
  });

  test('with qualifiers, which logging out will need', async () => {
    const assertion = edits(
      attribute('saml:NameID', 'NameQualifier', 'idp'),
      attribute('saml:NameID', 'SPNameQualifier', 'sp'),
    );
    expect(await verify({ assertion })).toMatchObject({ nameQualifier: 'idp', spNameQualifier: 'sp' });
  });

  test('attributes of one name are put together; values that are not text are left out', async () => {
    const assertion = replace(
      '</saml:AttributeStatement>',
      '<saml:Attribute Name="groups"><saml:AttributeValue>night</saml:AttributeValue></saml:Attribute>' +
        '<saml:Attribute Name="__proto__"><saml:AttributeValue>x</saml:AttributeValue></saml:Attribute>' +
        '<saml:Attribute Name="targeted"><saml:AttributeValue><saml:NameID>t</saml:NameID></saml:AttributeValue>' +
        '</saml:Attribute></saml:AttributeStatement>',
    );
    const identity = await verify({ assertion });
    if ('refused' in identity) throw new Error(identity.detail);
    expect(Object.entries(identity.attributes)).toEqual([
      ['mail', ['alice@example.com']],
      ['groups', ['staff', 'ops', 'night']],
      ['__proto__', ['x']],
      ['targeted', []],
    ]);
  });
});

describe('a forced sign-in', () => {
  const forced = { ...attempt, forced: true };
  const authenticatedAt = (seconds: number): Recipe => ({
    assertion: attribute('saml:AuthnStatement', 'AuthnInstant', scene.at(seconds)),
  });

  test.each([
    ['after it was asked for', -1],
    ['at that very instant', -20],
    ['five seconds before, by another clock', -25],
  ])('authenticated %s', async (_, seconds) => {
    expect(await verify(authenticatedAt(seconds), { attempt: forced })).toMatchObject(ALICE);
  });

  test('authenticated six seconds before it was asked for is refused, unless not forced', async () => {
    expect(await verify(authenticatedAt(-26), { attempt: forced })).toMatchObject({ refused: 'stale-authentication' });
    expect(await verify(authenticatedAt(-26))).toMatchObject(ALICE);
  });
});

describe('an encrypted assertion', () => {
  test.each<Algorithm>(['aes128-gcm', 'aes256-gcm', 'aes128-cbc', 'aes256-cbc'])(
    'by %s, all signed',
    async (content) => {
      expect(await verify({ encrypt: { content } })).toMatchObject(ALICE);
    },
  );

  test('by GCM, signed inside alone, where the connection is content with that', async () => {
    const recipe: Recipe = { signs: 'assertion', encrypt: { content: 'aes256-gcm' } };
    expect(await verify(recipe, { policy: relaxed })).toMatchObject(ALICE);
  });

  test('with the digest of its key transport written out', async () => {
    expect(await verify({ encrypt: { digest: 'sha1' } })).toMatchObject(ALICE);
  });

  test('with remarks about the key, as OpenSAML makes them, and line breaks in the texts', async () => {
    const encrypted = edits(
      replace('<xenc:CipherData>', '<ds:KeyInfo><ds:KeyName>ours</ds:KeyName></ds:KeyInfo>$&'),
      replace('</xenc:EncryptedKey>', '<xenc:ReferenceList><xenc:DataReference URI="#_d"/></xenc:ReferenceList>$&'),
      replace(/(<xenc:CipherValue>.{76})/, '$1\n'),
    );
    expect(await verify({ encrypt: {}, encrypted })).toMatchObject(ALICE);
  });

  test('to a connection without a decryption key is refused', async () => {
    const { decryption: _, ...without } = sp;
    expect(await verify({ encrypt: {} }, { sp: without })).toMatchObject({ refused: 'no-decryption-key' });
  });
});
