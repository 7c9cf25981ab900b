/** Rows 42, 43 and 45 of security.md: signatures that are weak, misplaced, misread or wrapped, and encryption. */
import { describe, expect, test } from 'vitest';

import { attribute, type Edit, edits, type Recipe, replace, stillScene, toBase64 } from '../support/saml-idp.ts';
import { ALGORITHM } from '../support/saml-sealing.ts';
import { wrappings } from '../support/saml-wrapping.ts';
import { ACCEPTS_ALICE, type Case, ON_ASSERTION, RELAXED, tableOf } from './saml-table.ts';

const scene = await stillScene();
const { sp, keys } = scene;
const table = tableOf(scene);

const ALICE = { alone: ACCEPTS_ALICE };
const after = (...all: Edit[]): Recipe => ({ signedResponse: edits(...all) });
const SIGNATURE = /<ds:Signature .*?<\/ds:Signature>/;
const XPATH = '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"/>';
const HMAC = 'http://www.w3.org/2000/09/xmldsig#hmac-sha1';

describe('algorithms', () => {
  table.cases(
    ['sha1', 'signature-algorithm', { signing: { method: 'rsa-sha1' } }, ALICE],
    ['a digest by sha1', 'signature-algorithm', { signing: { digest: 'sha1' } }, ALICE],
    ['sha1 on the Response alone', 'signature-algorithm', { responseSigning: { method: 'rsa-sha1' } }, ALICE],
    ['md5', 'signature-algorithm', { signing: { method: 'rsa-md5' } }],
    ['a digest by md5', 'signature-algorithm', { signing: { digest: 'md5' } }],
    [
      'inclusive canonicalisation',
      'signature-algorithm',
      { responseSigning: { transforms: ['enveloped', 'inclusive'] } },
      ALICE,
    ],
    [
      'inclusive canonicalisation of SignedInfo',
      'signature-algorithm',
      { responseSigning: { canonicalisation: 'inclusive' } },
      ALICE,
    ],
    [
      'canonicalisation that keeps comments',
      'signature-algorithm',
      { signing: { transforms: ['enveloped', 'exclusive-comments'] } },
      ALICE,
    ],
    [
      'transforms in the wrong order',
      'signature-algorithm',
      after(
        replace(ALGORITHM.enveloped, 'x'),
        replace(`<ds:Transform Algorithm="${ALGORITHM.exclusive}"`, `<ds:Transform Algorithm="${ALGORITHM.enveloped}"`),
        replace('"x"', `"${ALGORITHM.exclusive}"`),
      ),
    ],
    ['two canonicalisations', 'signature-algorithm', { responseSigning: { transforms: ['exclusive', 'exclusive'] } }],
    ['only the enveloped transform', 'signature-shape', { responseSigning: { transforms: ['enveloped'] } }, ALICE],
    ['a shared secret for a key', 'signature-algorithm', after(replace(ALGORITHM['rsa-sha256'], HMAC))],
  );
});

describe('signatures', () => {
  const moved: Edit = (xml) => {
    const [signature = ''] = SIGNATURE.exec(xml) ?? [];
    return edits(replace(signature, ''), replace('</saml:Subject>', `${signature}</saml:Subject>`))(xml);
  };
  table.cases(
    ['none', 'unsigned-response', { signs: 'neither' }],
    ['none, where one on the assertion would do', 'unsigned-assertion', { signs: 'neither' }, ON_ASSERTION],
    [
      'one on the Response, and none on the assertion',
      'unsigned-assertion',
      { signs: 'response' },
      { policy: RELAXED },
    ],
    ['one of a stranger, who brings a certificate', 'bad-signature', { signing: { keys: keys.strange } }],
    ['one of a stranger on the Response', 'bad-signature', { responseSigning: { keys: keys.strange } }],
    [
      'one of a stranger on a Response that need not be signed',
      'bad-signature',
      { responseSigning: { keys: keys.strange } },
      { policy: RELAXED, ...ALICE },
    ],
    ['two on one element', 'misplaced-signature', after(replace(SIGNATURE, '$&$&'))],
    ['one in the Subject', 'misplaced-signature', after(moved), ON_ASSERTION],
    [
      'one of another name space',
      'misplaced-signature',
      { response: replace('<samlp:Status>', '<x:Signature xmlns:x="urn:x"/>$&') },
      ALICE,
    ],
    ['one that refers to the whole document', 'signature-reference', after(replace(/URI="#_[0-9a-f]+"/, 'URI=""'))],
    ['one that refers to something else', 'signature-reference', after(replace(/URI="#_[0-9a-f]+"/, 'URI="#_else"'))],
    [
      'one on an assertion without an ID',
      'signature-reference',
      after(attribute('saml:Assertion', 'ID', undefined)),
      ON_ASSERTION,
    ],
  );
});

describe('the shape of a signature', () => {
  const doubled = (name: string): Recipe => after(replace(new RegExp(`<ds:${name}[ >].*?</ds:${name}>`), '$&$&'));
  table.cases(
    ['a comment in DigestValue', 'comment', after(replace(/(<ds:DigestValue>.{9})/, '$1<!--x-->'))],
    ['an element in DigestValue', 'signature-shape', after(replace(/(<ds:DigestValue>.{9})/, '$1<ds:x/>'))],
    ['a second DigestValue', 'signature-shape', doubled('DigestValue')],
    ['a second SignedInfo', 'signature-shape', doubled('SignedInfo')],
    ['a second Reference', 'signature-shape', doubled('Reference')],
    ['a second SignatureValue', 'signature-shape', doubled('SignatureValue')],
    ['no SignatureValue', 'signature-shape', after((xml) => xml.replaceAll('ds:SignatureValue', 'ds:Value'))],
    ['no SignedInfo', 'signature-shape', after((xml) => xml.replaceAll('ds:SignedInfo', 'ds:Info'))],
    [
      'something inside CanonicalizationMethod',
      'signature-shape',
      after(replace(/(<ds:CanonicalizationMethod [^>]*)\/>/, '$1><ds:x/></ds:CanonicalizationMethod>')),
    ],
    [
      'something inside the second transform',
      'signature-shape',
      after(replace(/(<ds:Transform Algorithm="[^"]*exc-c14n#")\/>/, '$1><ds:XPath/></ds:Transform>')),
    ],
    [
      'two lists of prefixes',
      'signature-shape',
      after(replace(/<ec:InclusiveNamespaces .*?<\/ec:InclusiveNamespaces>/, '$&$&')),
      { base: { signs: 'both', signing: { prefixList: ['xs'] } } },
    ],
    ['a third transform', 'signature-shape', after(replace('</ds:Transforms>', `${XPATH}$&`))],
    [
      'an Object',
      'signature-shape',
      after(replace('</ds:Signature>', '<ds:Object/>$&')),
      { ...ON_ASSERTION, ...ALICE },
    ],
    [
      'parts of a signature in KeyInfo',
      'signature-shape',
      after(replace('</ds:KeyInfo>', '<ds:SignedInfo/>$&')),
      { ...ON_ASSERTION, ...ALICE },
    ],
    ['a SignatureValue that is not base64', 'signature-shape', after(replace(/(<ds:SignatureValue>)./, '$1*'))],
  );
});

describe('edits after signing', () => {
  const admin = replace('alice-at-idp', 'admin');
  table.cases(
    ['of the name', 'bad-signature', after(admin)],
    ['of the name, with a fresh signature of the Response around it', 'bad-signature', { signedAssertion: admin }],
    ['of the name, where only the assertion is signed', 'bad-signature', after(admin), ON_ASSERTION],
    ['of an attribute', 'bad-signature', after(replace('>ops<', '>admins<'))],
    [
      'of a Response whose signature is not asked for',
      'bad-signature',
      after(attribute('samlp:Response', 'Consent', 'urn:x')),
      { policy: RELAXED, ...ALICE },
    ],
    ['of the digest', 'bad-signature', after(replace(/(<ds:DigestValue>)../, '$1AA'))],
    ['of the signature value', 'bad-signature', after(replace(/(<ds:SignatureValue>)../, '$1AA'))],
  );
});

describe('wrapping', () => {
  const settings: [string, NonNullable<Case[3]>][] = [
    ['both signed', { base: { signs: 'both' } }],
    ['both signed, the Response needlessly', { base: { signs: 'both' }, policy: RELAXED }],
    ['the assertion signed', ON_ASSERTION],
  ];
  for (const [how, setting] of settings) {
    const possible = wrappings.filter(({ needs }) => needs === 'signed-assertion' || setting !== ON_ASSERTION);
    table.cases(
      ...possible.flatMap(({ name, wrap }): Case[] => [
        [`${name}; ${how}`, 'assertion-count', after(wrap({ sameId: false })), setting],
        [`${name}, under one ID; ${how}`, 'duplicate-id', after(wrap({ sameId: true })), setting],
      ]),
    );
  }

  const inside = (element: string): Recipe => ({ response: replace('<samlp:Status>', `${element}$&`) });
  table.cases(
    ['an Assertion of another name space', 'assertion-count', inside('<x:Assertion xmlns:x="urn:x"/>')],
    ['an EncryptedAssertion beside', 'assertion-count', inside('<saml:EncryptedAssertion/>')],
    ['no assertion', 'assertion-count', { response: replace(/<saml:Assertion.*<\/saml:Assertion>/, '') }],
    [
      'the assertion one level down',
      'assertion-count',
      { encrypted: edits(replace('<saml:Assertion', '<samlp:Extensions>$&'), replace(/$/, '</samlp:Extensions>')) },
      ON_ASSERTION,
    ],
    [
      'an Assertion that is not of SAML',
      'assertion-count',
      {
        assertion: edits(
          replace('<saml:Assertion', '<x:Assertion xmlns:x="urn:x"'),
          replace('/saml:Assertion', '/x:Assertion'),
        ),
      },
      ALICE,
    ],
    [
      'an assertion as advice in the assertion',
      'assertion-count',
      { assertion: replace('<saml:AuthnStatement', '<saml:Advice><saml:Assertion/></saml:Advice>$&') },
      ALICE,
    ],
    [
      'a Response that is not of SAML',
      'unexpected-message',
      {
        response: edits(
          replace('<samlp:Response', '<x:Response xmlns:x="urn:x"'),
          replace('/samlp:Response', '/x:Response'),
        ),
      },
      ALICE,
    ],
  );
});

describe('encryption', () => {
  const base: Recipe = { encrypt: {} };
  const unproven: NonNullable<Case[3]> = { base: { signs: 'assertion', encrypt: {} }, policy: RELAXED };
  const sealed = { base };
  const cipherText = /(<\/ds:KeyInfo><xenc:CipherData><xenc:CipherValue>.{30})./;
  const flipped: Edit = (xml) =>
    xml.replace(cipherText, (_, before: string) => `${before}${xml.includes(`${before}A`) ? 'B' : 'A'}`);
  const { decryption: _, ...withoutKey } = sp;
  table.cases(
    [
      'CBC, which nobody signed',
      'encryption-algorithm',
      { encrypt: { content: 'aes128-cbc' } },
      { ...unproven, ...ALICE },
    ],
    ['triple DES', 'encryption-algorithm', { encrypt: { content: 'tripledes-cbc' } }, sealed],
    ['a key in PKCS #1 v1.5', 'encryption-algorithm', { encrypt: { key: 'rsa-1_5' } }, sealed],
    ['a key under another digest', 'encryption-algorithm', { encrypt: { digest: 'sha512' } }, { ...sealed, ...ALICE }],
    ['a changed cipher text, signed', 'bad-signature', after(flipped), sealed],
    ['a changed cipher text', 'undecryptable', after(flipped), unproven],
    [
      'a cipher text for somebody else',
      'undecryptable',
      { encrypt: { certificatePem: keys.strange.certificatePem } },
      unproven,
    ],
    ['a second EncryptedAssertion', 'assertion-count', { encrypted: replace(/.*/, '$&$&') }, unproven],
    ['an assertion beside', 'assertion-count', { encrypted: replace(/$/, '<saml:Assertion/>') }, unproven],
    [
      'not an assertion inside',
      'assertion-count',
      { signedAssertion: () => '<saml:NameID xmlns:saml="urn:x">x</saml:NameID>' },
      sealed,
    ],
    [
      'an assertion inside something inside',
      'assertion-count',
      { signedAssertion: edits(replace(/^/, '<x>'), replace(/$/, '</x>')) },
      sealed,
    ],
    [
      'an EncryptedAssertion inside',
      'assertion-count',
      { signedAssertion: (xml) => scene.encryptFor(xml, 'saml:EncryptedAssertion') },
      sealed,
    ],
    ['no signature inside', 'unsigned-assertion', { signs: 'response' }, sealed],
    [
      'sha1 inside',
      'signature-algorithm',
      { signing: { method: 'rsa-sha1' }, responseSigning: {} },
      { ...sealed, ...ALICE },
    ],
    [
      'a comment inside',
      'comment',
      { signedAssertion: replace('alice-at', 'alice<!---->-at') },
      { ...sealed, ...ALICE },
    ],
    ['a DOCTYPE inside', 'doctype', { signedAssertion: replace(/^/, '<!DOCTYPE x>') }, { ...sealed, ...ALICE }],
    [
      'a wrapped assertion inside',
      'assertion-count',
      { signedAssertion: replace('</saml:Subject>', '$&<saml:Assertion/>') },
      sealed,
    ],
    [
      'a hundred levels inside',
      'too-deep',
      { signedAssertion: replace('</saml:Subject>', `$&${'<a>'.repeat(99)}${'</a>'.repeat(99)}`) },
      sealed,
    ],
    ['a stranger inside, signed for by a stranger', 'bad-signature', { signing: { keys: keys.strange } }, unproven],
    ['an edit inside', 'bad-signature', { signedAssertion: replace('alice-at-idp', 'admin') }, unproven],
  );

  const twice = (pattern: RegExp): Edit => replace(pattern, '$&$&');
  const KEY = /<xenc:EncryptedKey>.*<\/xenc:EncryptedKey>/;
  const METHOD = /<xenc:EncryptionMethod [^>]*\/>/;
  const KEY_METHOD = /<xenc:EncryptionMethod [^>]*><\/xenc:EncryptionMethod>/;
  const KEY_DATA = /<xenc:CipherData>.*?<\/xenc:CipherData>(?=<\/xenc:EncryptedKey>)/;
  const DATA =
    /<xenc:CipherData><xenc:CipherValue>[^<]*<\/xenc:CipherValue><\/xenc:CipherData>(?=<\/xenc:EncryptedData>)/;
  const VALUE = /<xenc:CipherValue>[^<]*<\/xenc:CipherValue>/;
  const other = (pattern: RegExp): Edit => replace(pattern, '<xenc:Other/>');
  const hidden = '<xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData>';
  const shapes: [name: string, edit: Edit][] = [
    ['two EncryptedData', twice(/<xenc:EncryptedData .*<\/xenc:EncryptedData>/)],
    ['of another name space', replace(/xmlns:xenc="[^"]*"/, 'xmlns:xenc="urn:x"')],
    ['of another name', (xml) => xml.replaceAll('xenc:EncryptedData', 'xenc:Data')],
    ['texts of another name', (xml) => xml.replaceAll('xenc:CipherData', 'xenc:Cipher')],
    ['values of another name', (xml) => xml.replaceAll('xenc:CipherValue', 'xenc:Value')],
    ['not of an element', replace('xmlenc#Element"', 'xmlenc#Content"')],
    ['a key beside EncryptedData', replace('</xenc:EncryptedData>', '$&<x:EncryptedKey xmlns:x="urn:x"/>')],
    ['no method', replace(METHOD, '<xenc:Method/>')],
    [
      'a method with something inside',
      replace(/(<xenc:EncryptionMethod [^>]*)\/>/, '$1><xenc:KeySize/></xenc:EncryptionMethod>'),
    ],
    ['no KeyInfo', (xml) => xml.replaceAll('ds:KeyInfo', 'ds:Key')],
    ['a key by reference', replace(KEY, '<ds:RetrievalMethod URI="#k"/>')],
    ['a key of another name', (xml) => xml.replaceAll('xenc:EncryptedKey', 'xenc:Key')],
    ['two keys', twice(KEY)],
    ['a remark beside the key', replace(KEY, '$&<ds:KeyName>x</ds:KeyName>')],
    ['no method of the key', other(KEY_METHOD)],
    [
      'two digests of the key',
      replace('></xenc:EncryptionMethod>', '><ds:DigestMethod/><ds:DigestMethod/></xenc:EncryptionMethod>'),
    ],
    ['no text of the key', other(KEY_DATA)],
    ['two texts of the key', twice(KEY_DATA)],
    ['a text in a remark', replace(KEY_DATA, `<ds:KeyInfo>${hidden}</ds:KeyInfo>$&`)],
    ['no text', other(DATA)],
    ['something behind the text', replace(DATA, '$&<xenc:EncryptionProperties/>')],
    [
      'a text by reference',
      replace(DATA, '<xenc:CipherData><xenc:CipherReference URI="http://127.0.0.1/"/></xenc:CipherData>'),
    ],
    ['two values', twice(VALUE)],
    ['a value that is not base64', replace(/(<xenc:CipherValue>)./, '$1*')],
    ['a value with something inside', replace(/(<xenc:CipherValue>....)/, '$1<xenc:x/>')],
  ];
  table.cases(
    ...shapes.map(([name, encrypted]): Case => [
      `a shape that is not read: ${name}`,
      'encryption-shape',
      { encrypted },
      unproven,
    ]),
  );

  test('everything that goes wrong with a key reads the same', async () => {
    const wrongs: Recipe[] = [
      { encrypt: { certificatePem: keys.strange.certificatePem } },
      { encrypt: {}, signedResponse: flipped },
      { encrypt: {}, signedResponse: replace(/(<xenc:CipherValue>)./, '$1/') },
      { encrypt: {}, encrypted: replace(ALGORITHM['aes256-gcm'], ALGORITHM['aes128-gcm']) },
    ];
    const answers = await Promise.all(
      wrongs.map((wrong) =>
        table.verify(toBase64(scene.respond({ signs: 'assertion', ...wrong })), { policy: RELAXED }),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ refused: 'undecryptable' });
  });

  test('an encrypted assertion for a connection without a key', async () => {
    const samlResponse = toBase64(scene.respond(base));
    expect(await table.verify(samlResponse, { sp: withoutKey })).toMatchObject({ refused: 'no-decryption-key' });
  });
});
