/**
 * Rows 38–40 of security.md, on SAML: logout messages that would end somebody's sessions without their provider's word.
 * Every case starts from a message that is accepted, and twists one thing. The library's own logout verification, which
 * accepts most of these, is not used; where it is told to accept one here, that was measured.
 */
import { createDeflateRaw, deflateRawSync } from 'node:zlib';

import { SAML } from '@node-saml/passport-saml';
import { beforeAll, describe, expect, test } from 'vitest';

import { type InboundLogout, verifyLogoutRequest, verifyLogoutResponse } from '../../src/connections/saml/logout.ts';
import type { ServiceProvider } from '../../src/connections/saml/party.ts';
import type { SamlRefusalWord } from '../../src/connections/saml/refusal.ts';
import { costOf } from '../support/cost.ts';
import { attribute, type Edit, edits, replace, stillScene, toBase64 } from '../support/saml-idp.ts';
import { ALGORITHM, type Encryption, signedPairs, type Signing } from '../support/saml-sealing.ts';

const scene = await stillScene();
const { sp, idp, keys, now, requestId, at } = scene;
const { privateKeyPem } = keys.present;

const query = (pairs: readonly string[]): InboundLogout => ({ binding: 'redirect', query: pairs.join('&') });
const post = (xml: string): InboundLogout => ({ binding: 'post', message: toBase64(xml) });
const asked = (message: InboundLogout, ours: ServiceProvider = sp) =>
  verifyLogoutRequest({ sp: ours, idp, message, now });

const request = scene.logout('LogoutRequest');
const forged = replace('alice-at-idp', 'bob')(request);
type QueryRecipe = Partial<Parameters<typeof signedPairs>[1]>;
const pairsOf = (xml = request, recipe: QueryRecipe = {}) =>
  signedPairs(xml, { privateKeyPem, relayState: 'r', ...recipe });

/** `SAMLRequest`, `RelayState`, `SigAlg`, `Signature`. */
type Pairs = readonly [message: string, relayState: string, sigAlg: string, signature: string];
const pairs = pairsOf() as unknown as Pairs;
const forgedPairs = pairsOf(forged, { privateKeyPem: keys.strange.privateKeyPem }) as unknown as Pairs;
const [message, relayState, sigAlg, signature] = pairs;
const [forgedMessage] = forgedPairs;

/** What the library makes of a redirect: it takes the parsed query and the raw one apart. */
async function alone(sent: readonly string[]): Promise<string> {
  const library = new SAML({
    issuer: sp.entityId,
    callbackUrl: sp.acsUrl,
    idpIssuer: idp.entityId,
    idpCert: [...idp.certificates],
    entryPoint: 'https://idp.example.com/sso',
  });
  const raw = sent.join('&');
  try {
    const { profile } = await library.validateRedirectAsync(Object.fromEntries(new URLSearchParams(raw)), raw);
    return `ends ${profile?.nameID ?? 'nobody'}`;
  } catch {
    return 'refuses';
  }
}

describe('a query string', () => {
  const encoded = (pair: string): string => pair.replace('SAMLRequest', 'SAMLReques%74');
  const cases: [name: string, refused: SamlRefusalWord, sent: readonly string[], alone?: string][] = [
    ['unsigned', 'unsigned', [forgedMessage, relayState], 'ends bob'],
    ['unsigned, with an algorithm', 'unsigned', [forgedMessage, relayState, sigAlg], 'ends bob'],
    ['a signature without an algorithm', 'unsigned', [message, relayState, signature]],
    ['an empty signature', 'not-base64', [message, relayState, sigAlg, 'Signature='], 'ends alice-at-idp'],
    ['another message under the signature', 'bad-signature', [forgedMessage, relayState, sigAlg, signature]],
    ['another RelayState under the signature', 'bad-signature', [message, 'RelayState=x', sigAlg, signature]],
    ['no RelayState under the signature', 'bad-signature', [message, sigAlg, signature]],
    ['the same RelayState, encoded otherwise', 'bad-signature', [message, 'RelayState=%72', sigAlg, signature]],
    ['a stranger', 'bad-signature', forgedPairs],
    ['a second message behind', 'duplicate-parameter', [...pairs, forgedMessage], 'ends bob'],
    ['a second message in front', 'duplicate-parameter', [forgedMessage, ...pairs]],
    ['a second message, its name encoded', 'unexpected-parameter', [...pairs, encoded(forgedMessage)], 'ends bob'],
    ['the only message, its name encoded', 'unexpected-parameter', [encoded(message), relayState, sigAlg, signature]],
    [
      'a second message, its name in other letters',
      'unexpected-parameter',
      [...pairs, forgedMessage.replace('R', 'r')],
    ],
    ['a second message in brackets', 'unexpected-parameter', [...pairs, forgedMessage.replace('=', '[]=')]],
    ['a second RelayState', 'duplicate-parameter', [...pairs, 'RelayState=x']],
    ['a second algorithm', 'duplicate-parameter', [...pairs, sigAlg]],
    ['a second signature', 'duplicate-parameter', [...pairs, signature]],
    ['a response beside the request', 'unexpected-parameter', [...pairs, message.replace('Request', 'Response')]],
    ['a parameter nobody knows', 'unexpected-parameter', [...pairs, 'x=y']],
    ['an encoding nobody asked for', 'unexpected-parameter', [...pairs, 'SAMLEncoding=x']],
    ['an empty parameter', 'unexpected-parameter', [...pairs, '']],
    ['a parameter without a value', 'unexpected-parameter', ['SAMLRequest', relayState, sigAlg, signature]],
    ['nothing', 'unexpected-parameter', ['']],
    ['no message', 'unexpected-message', [relayState, sigAlg, signature]],
    ['a response for a request', 'unexpected-parameter', pairsOf(request, { field: 'SAMLResponse' })],
    ['sha1', 'signature-algorithm', pairsOf(request, { algorithm: 'rsa-sha1' }), 'ends alice-at-idp'],
    ['md5', 'signature-algorithm', pairsOf(request, { algorithm: 'rsa-md5' }), 'ends alice-at-idp'],
    [
      'an algorithm of the wrong kind of key',
      'bad-signature',
      [message, relayState, `SigAlg=${encodeURIComponent(ALGORITHM['ecdsa-sha256'])}`, signature],
    ],
    [
      'an algorithm named by its hash alone',
      'signature-algorithm',
      [message, relayState, 'SigAlg=rsa-sha256', signature],
    ],
    ['an algorithm that is no text', 'signature-algorithm', [message, relayState, 'SigAlg=%ff', signature]],
    ['a RelayState that is no text', 'malformed-parameter', pairsWith('RelayState=%ff')],
    ['a RelayState without end', 'malformed-parameter', pairsOf(request, { relayState: 'r'.repeat(1025) })],
    ['a message that is not base64', 'not-base64', pairsWith('SAMLRequest=%3Cx%3E')],
    ['a message that is not deflated', 'not-deflated', pairsOf(request, { compressed: Buffer.from(request) })],
    [
      'a message that ends early',
      'not-deflated',
      pairsOf(request, { compressed: deflateRawSync(request).subarray(0, 100) }),
    ],
    ['a DOCTYPE', 'doctype', pairsOf(`<!DOCTYPE x>${request}`), 'ends alice-at-idp'],
    ['a signature inside, as well', 'misplaced-signature', pairsOf(scene.signRoot(request)), 'ends alice-at-idp'],
  ];

  /** One parameter replaced, and all of it signed by the provider. */
  function pairsWith(replacement: string): string[] {
    return pairsOf(request, { replacing: replacement });
  }

  test.each(cases)('%s → %s', async (_, refused, sent, expected) => {
    expect(asked(query(pairs))).toMatchObject({ nameId: 'alice-at-idp', relayState: 'r' });
    expect(asked(query(sent))).toEqual({ refused, detail: expect.any(String) });
    if (expected !== undefined) expect(await alone(sent)).toBe(expected);
  });
});

/** In both bindings, signed as it should be. */
const inBoth = (xml: string): [string, InboundLogout][] => [
  ['redirect', query(pairsOf(xml))],
  ['post', post(scene.signRoot(xml))],
];

describe('what a LogoutRequest says', () => {
  const on = (name: string, value?: string): Edit => attribute('samlp:LogoutRequest', name, value);
  const NAME_ID = /<saml:NameID .*<\/saml:NameID>/;
  const index = '<samlp:SessionIndex>';
  const cases: [name: string, refused: SamlRefusalWord, twist: Edit][] = [
    ['wrong Destination', 'wrong-destination', on('Destination', 'https://x.example/slo')],
    ['Destination of our other endpoint', 'wrong-destination', on('Destination', sp.acsUrl)],
    ['no Destination', 'wrong-destination', on('Destination')],
    ['wrong Issuer', 'wrong-issuer', replace(idp.entityId, 'https://evil.example/')],
    ['no Issuer', 'wrong-issuer', replace(/<saml:Issuer>.*<\/saml:Issuer>/, '')],
    ['two Issuers', 'wrong-issuer', replace(/<saml:Issuer>.*<\/saml:Issuer>/, '$&$&')],
    ['issued more than five minutes ago', 'expired', on('IssueInstant', at(-360))],
    ['issued in the future', 'not-yet-valid', on('IssueInstant', at(61))],
    ['issued at no time', 'expired', on('IssueInstant')],
    ['held until a minute ago', 'expired', on('NotOnOrAfter', at(-60))],
    ['held until no instant', 'expired', on('NotOnOrAfter', 'tomorrow')],
    ['SAML 1.1', 'wrong-version', on('Version', '1.1')],
    ['not a logout', 'unexpected-message', (xml) => xml.replaceAll('LogoutRequest', 'AuthnRequest')],
    ['a LogoutRequest that is not of SAML', 'unexpected-message', replace('oasis:names:tc:SAML:2.0:protocol', 'x')],
    ['two NameIDs', 'ambiguous-name-id', replace(NAME_ID, '$&<saml:NameID>bob</saml:NameID>')],
    ['a NameID and a BaseID', 'unexpected-message', replace(NAME_ID, '$&<saml:BaseID/>')],
    ['a NameID beside an encrypted one', 'ambiguous-name-id', replace(NAME_ID, '$&<saml:EncryptedID/>')],
    ['an element inside the NameID', 'ambiguous-name-id', replace('alice-at-idp', 'bob<saml:x/>-not')],
    ['a NameID inside the NameID', 'ambiguous-name-id', replace('alice-at-idp', 'bob<saml:NameID>x</saml:NameID>')],
    [
      'a NameID in Extensions as well',
      'ambiguous-name-id',
      replace(NAME_ID, `<samlp:Extensions>$&</samlp:Extensions>$&`),
    ],
    ['no NameID', 'no-name-id', replace(NAME_ID, '')],
    ['an empty NameID', 'no-name-id', replace('alice-at-idp', '')],
    ['only a BaseID', 'unexpected-message', replace(NAME_ID, '<saml:BaseID/>')],
    ['an element inside the SessionIndex', 'unexpected-message', replace(index, `${index}<x/>`)],
    ['an empty SessionIndex', 'unexpected-message', replace(`${index}_session-1`, index)],
    ['an element that does not belong', 'unexpected-message', replace(index, `<x:NameId xmlns:x="urn:x"/>${index}`)],
    [
      'a SessionIndex of another name space',
      'unexpected-message',
      replace(index, `<SessionIndex>x</SessionIndex>${index}`),
    ],
  ];

  test.each(cases)('%s → %s', (_, refused, twist) => {
    for (const [binding, sound] of inBoth(request)) {
      expect([binding, asked(sound)]).toMatchObject([binding, { nameId: 'alice-at-idp' }]);
    }
    for (const [binding, twisted] of inBoth(twist(request))) {
      expect([binding, asked(twisted)]).toEqual([binding, { refused, detail: expect.any(String) }]);
    }
  });

  test('metadata that has expired signs nobody out', () => {
    for (const [, sound] of inBoth(request)) {
      const expired = { ...idp, validUntil: now };
      expect(verifyLogoutRequest({ sp, idp: expired, message: sound, now })).toMatchObject({
        refused: 'expired-metadata',
      });
    }
  });
});

describe('a posted LogoutRequest', () => {
  const signed = scene.signRoot(request);
  const sign = (signing: Signing, xml = request): string => scene.signRoot(xml, signing);
  const SIGNATURE = /<ds:Signature .*<\/ds:Signature>/;
  const [signatureXml = ''] = SIGNATURE.exec(signed) ?? [];
  /** A forged request around the signed one. */
  const around = (place: (original: string) => Edit): string =>
    place(signed)(attribute('samlp:LogoutRequest', 'ID', '_forged')(forged));
  const cases: [name: string, refused: SamlRefusalWord, xml: string][] = [
    ['unsigned', 'unsigned', forged],
    ['a stranger', 'bad-signature', sign({ keys: keys.strange }, forged)],
    ['an edit after signing', 'bad-signature', replace('alice-at-idp', 'bob')(signed)],
    ['sha1', 'signature-algorithm', sign({ method: 'rsa-sha1' })],
    ['md5', 'signature-algorithm', sign({ method: 'rsa-md5' })],
    ['a digest by sha1', 'signature-algorithm', sign({ digest: 'sha1' })],
    ['a digest by md5', 'signature-algorithm', sign({ digest: 'md5' })],
    ['inclusive canonicalisation', 'signature-algorithm', sign({ transforms: ['enveloped', 'inclusive'] })],
    ['one transform', 'signature-shape', sign({ transforms: ['enveloped'] })],
    ['two signatures', 'misplaced-signature', replace(SIGNATURE, '$&$&')(signed)],
    [
      'the signature in Extensions',
      'misplaced-signature',
      edits(
        replace(SIGNATURE, ''),
        replace('<saml:NameID', `<samlp:Extensions>${signatureXml}</samlp:Extensions>$&`),
      )(signed),
    ],
    ['a reference to something else', 'signature-reference', replace(/URI="#[^"]*"/, 'URI="#_else"')(signed)],
    ['a reference to everything', 'signature-reference', replace(/URI="#[^"]*"/, 'URI=""')(signed)],
    ['a comment in the digest', 'comment', replace(/(<ds:DigestValue>....)/, '$1<!-- -->')(signed)],
    [
      'a processing instruction in the NameID',
      'processing-instruction',
      replace('alice-at-idp', 'alice<?x?>-at-idp')(signed),
    ],
    ['a comment in the NameID', 'comment', replace('alice-at-idp', 'alice<!-- -->-at-idp')(signed)],
    ['a CDATA section in the NameID', 'cdata', replace('alice-at-idp', '<![CDATA[alice-at-idp]]>')(signed)],
    ['a DOCTYPE', 'doctype', `<!DOCTYPE x>${signed}`],
    ['a second root', 'several-roots', signed + signed],
    [
      'the signed request in a forged one',
      'misplaced-signature',
      around((original) => replace('</saml:Issuer>', `$&<samlp:Extensions>${original}</samlp:Extensions>`)),
    ],
    [
      'the signed request in the signature of a forged one',
      'signature-shape',
      around((original) =>
        replace(
          '</saml:Issuer>',
          `$&${signatureXml.replace('</ds:Signature>', `<ds:Object>${original.replace(SIGNATURE, '')}</ds:Object></ds:Signature>`)}`,
        ),
      ),
    ],
    [
      'the signature of another request',
      'signature-reference',
      around(() => replace('</saml:Issuer>', `$&${signatureXml}`)),
    ],
    [
      'a second element of the same ID',
      'duplicate-id',
      replace(
        '<saml:NameID',
        `<samlp:Extensions><x ID="${/ ID="([^"]*)"/.exec(signed)?.[1] ?? ''}"/></samlp:Extensions>$&`,
      )(signed),
    ],
  ];

  test.each(cases)('%s → %s', (_, refused, xml) => {
    expect(asked(post(signed))).toMatchObject({ nameId: 'alice-at-idp' });
    expect(asked(post(xml))).toEqual({ refused, detail: expect.any(String) });
  });
});

describe('an EncryptedID', () => {
  const [nameId = ''] = /<saml:NameID .*<\/saml:NameID>/.exec(request) ?? [];
  const own = replace('<saml:NameID', '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"')(nameId);
  const sealed = (inside: string, encryption: Encryption = {}, edit: Edit = (xml) => xml): string =>
    request.replace(nameId, edit(scene.encryptFor(inside, 'saml:EncryptedID', encryption)));
  const { decryption: _, ...withoutKey } = sp;
  const cases: [name: string, refused: SamlRefusalWord, xml: string, ours?: ServiceProvider][] = [
    ['for a connection without a key', 'no-decryption-key', sealed(own), withoutKey],
    ['triple DES', 'encryption-algorithm', sealed(own, { content: 'tripledes-cbc' })],
    ['a key in PKCS #1 v1.5', 'encryption-algorithm', sealed(own, { key: 'rsa-1_5' })],
    ['for somebody else', 'undecryptable', sealed(own, { certificatePem: keys.strange.certificatePem })],
    ['not a NameID inside', 'no-name-id', sealed('<x>bob</x>')],
    ['a NameID with an element inside', 'ambiguous-name-id', sealed(own.replace('alice', 'bob<x/>'))],
    ['a comment inside', 'comment', sealed(own.replace('alice', 'bob<!-- -->'))],
    ['a DOCTYPE inside', 'doctype', sealed(`<!DOCTYPE x>${own}`)],
    ['two of them', 'ambiguous-name-id', sealed(own, {}, (xml) => xml + xml)],
    [
      'in a shape that is not read',
      'encryption-shape',
      sealed(own, {}, replace('<ds:KeyInfo>', '<ds:KeyInfo><ds:KeyName/>')),
    ],
  ];

  test.each(cases)('%s → %s', (_, refused, xml, ours = sp) => {
    for (const [, sound] of inBoth(sealed(own))) expect(asked(sound)).toMatchObject({ nameId: 'alice-at-idp' });
    for (const [binding, twisted] of inBoth(xml)) {
      expect([binding, asked(twisted, ours)]).toEqual([binding, { refused, detail: expect.any(String) }]);
    }
  });
});

describe('a LogoutResponse', () => {
  const response = scene.logout('LogoutResponse');
  const answered = (message: InboundLogout) => verifyLogoutResponse({ sp, idp, message, now, requestId });
  const inEach = (xml: string): InboundLogout[] => [
    query(pairsOf(xml, { field: 'SAMLResponse' })),
    post(scene.signRoot(xml)),
  ];
  const on = (name: string, value?: string): Edit => attribute('samlp:LogoutResponse', name, value);
  const cases: [name: string, refused: SamlRefusalWord, twist: Edit][] = [
    ['to no request', 'unsolicited', on('InResponseTo')],
    ['to another request', 'wrong-in-response-to', on('InResponseTo', '_other')],
    ['wrong Destination', 'wrong-destination', on('Destination', 'https://x.example/slo')],
    ['wrong Issuer', 'wrong-issuer', replace(idp.entityId, 'https://evil.example/')],
    ['issued long ago', 'expired', on('IssueInstant', at(-360))],
    ['no Status', 'unexpected-message', replace(/<samlp:Status>.*<\/samlp:Status>/, '')],
    ['two Statuses', 'unexpected-message', replace(/<samlp:Status>.*<\/samlp:Status>/, '$&$&')],
    [
      'two reasons in one',
      'unexpected-message',
      replace(
        /(<samlp:StatusCode [^>]*)\/>/,
        '$1><samlp:StatusCode Value="x"/><samlp:StatusCode Value="y"/></samlp:StatusCode>',
      ),
    ],
    ['a request', 'unexpected-message', (xml) => xml.replaceAll('LogoutResponse', 'LogoutRequest')],
  ];

  test.each(cases)('%s → %s', (_, refused, twist) => {
    for (const sound of inEach(response)) expect(answered(sound)).toMatchObject({ status: ['Success'] });
    for (const twisted of inEach(twist(response))) {
      expect(answered(twisted)).toEqual({ refused, detail: expect.any(String) });
    }
  });

  test('unsigned', () => {
    const [sent = ''] = pairsOf(response, { field: 'SAMLResponse' });
    expect(answered(query([sent]))).toMatchObject({ refused: 'unsigned' });
    expect(answered(post(response))).toMatchObject({ refused: 'unsigned' });
  });

  test('a signed one with a smuggled request (the library processes the request)', async () => {
    const sent = pairsOf(response, { field: 'SAMLResponse', relayState: undefined });
    const smuggled = [...sent, forgedMessage.replace('SAMLRequest', 'SAMLReques%74')];
    expect(answered(query(sent))).toMatchObject({ status: ['Success'] });
    expect(answered(query(smuggled))).toMatchObject({ refused: 'unexpected-parameter' });
    expect(await alone(smuggled)).toBe('ends bob');
  });
});

describe('too much of it', () => {
  // Made piece by piece: what the test itself holds must not hide what inflating would take.
  const deflating = createDeflateRaw({ level: 9 });
  const pieces: Buffer[] = [];
  deflating.on('data', (piece: Buffer) => void pieces.push(piece));
  const filled = new Promise((resolve) => deflating.on('end', resolve));
  for (let nth = 0; nth < 150; nth += 1) deflating.write(Buffer.alloc(1024 * 1024, ' '));
  deflating.end();
  let bomb = Buffer.alloc(0);
  beforeAll(async () => {
    await filled;
    bomb = Buffer.concat(pieces);
  });
  const cases: [name: string, refused: SamlRefusalWord, sent: () => InboundLogout][] = [
    ['150 MB, deflated and signed', 'too-large', () => query(pairsOf(request, { compressed: bomb }))],
    ['150 MB, deflated and unsigned', 'unsigned', () => query(pairsOf(request, { compressed: bomb }).slice(0, 2))],
    ['a query of 5 MB', 'too-large', () => query(pairsOf(request, { compressed: Buffer.alloc(5_000_000) }))],
    ['100 000 parameters', 'unexpected-parameter', () => query(Array.from({ length: 100_000 }, () => '&'))],
    [
      '10 000 siblings',
      'too-many-nodes',
      () => query(pairsOf(replace('</saml:Issuer>', `$&${'<a/>'.repeat(10_000)}`)(request))),
    ],
    ['5 MB by POST', 'too-large', () => post('x'.repeat(5_000_000))],
    ['40 000 levels by POST', 'too-deep', () => post('<a>'.repeat(40_000))],
  ];

  test.each(cases)('%s → %s, within 250 ms and 32 MiB', async (_, refused, sent) => {
    const message = sent();
    const { answer, milliseconds, mebibytes } = await costOf(() => asked(message));
    expect(answer).toEqual({ refused, detail: expect.any(String) });
    expect(milliseconds).toBeLessThan(250);
    expect(mebibytes).toBeLessThan(32);
  });
});

// Verification keeps nothing, so it cannot know a replay: the caller consumes (issuer, id) once.
test('a replay verifies as one and the same message, by whichever binding it comes', () => {
  const answers = [...inBoth(request), ...inBoth(request)].map(([, message]) => asked(message));
  const names = answers.map((answer) => ('id' in answer ? `${answer.issuer} ${answer.id}` : answer.refused));
  expect(new Set(names)).toEqual(new Set([`${idp.entityId} ${/ ID="([^"]*)"/.exec(request)?.[1] ?? ''}`]));
});
