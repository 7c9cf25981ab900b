/**
 * Rows 42 and 45 of security.md once more, for signatures that the library does not know and that are verified without it:
 * what it would have refused is refused all the same.
 */
import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { verifyLogoutRequest } from '../../src/connections/saml/logout.ts';
import { parseMetadata } from '../../src/connections/saml/metadata.ts';
import {
  attribute,
  certified,
  type Edit,
  edits,
  type Recipe,
  replace,
  stillScene,
  toBase64,
} from '../support/saml-idp.ts';
import { entityDescriptor } from '../support/saml-metadata.ts';
import type { Signing } from '../support/saml-sealing.ts';
import { wrappings } from '../support/saml-wrapping.ts';
import { type Case, RELAXED, tableOf } from './saml-table.ts';

const scene = await stillScene();
const { keys, now } = scene;
const onCurve = (namedCurve: string) => certified(generateKeyPairSync('ec', { namedCurve }), now);
const [curve, strange, koblitz] = [onCurve('P-256'), onCurve('P-256'), onCurve('secp256k1')];
const certificates = [...scene.idp.certificates, curve.certificatePem, koblitz.certificatePem];
const idp = { ...scene.idp, certificates };
const table = tableOf({ ...scene, idp });

const SIGNINGS: readonly [string, Signing, Signing][] = [
  ['rsa-sha384', { method: 'rsa-sha384' }, { method: 'rsa-sha384', keys: keys.strange }],
  ['a digest by sha384', { digest: 'sha384' }, { digest: 'sha384', keys: keys.strange }],
  ['ecdsa-sha256', { method: 'ecdsa-sha256', keys: curve }, { method: 'ecdsa-sha256', keys: strange }],
];
const after = (...all: Edit[]): Recipe => ({ signedResponse: edits(...all) });
const admin = replace('alice-at-idp', 'admin');

describe.each(SIGNINGS)('%s', (_, signing, byStranger) => {
  const both = { base: { signing } };
  const onAssertion = { base: { signs: 'assertion', signing }, policy: RELAXED } as const;
  const encrypted = { base: { signing, encrypt: {} } };
  const sealed = { base: { signs: 'assertion', signing, encrypt: {} }, policy: RELAXED } as const;
  table.cases(
    ['a stranger', 'bad-signature', { signing: byStranger }, both],
    ['a stranger on the Response', 'bad-signature', { responseSigning: byStranger }, both],
    [
      'a stranger on a Response that need not be signed',
      'bad-signature',
      { responseSigning: byStranger },
      { ...both, policy: RELAXED },
    ],
    ['a stranger on the assertion', 'bad-signature', { signing: byStranger, responseSigning: signing }, both],
    ['a stranger on the assertion alone', 'bad-signature', { signing: byStranger }, onAssertion],
    [
      'a stranger inside what is encrypted',
      'bad-signature',
      { signing: byStranger, responseSigning: signing },
      encrypted,
    ],
    ['a stranger inside what is encrypted, alone', 'bad-signature', { signing: byStranger }, sealed],
    ['an edit', 'bad-signature', after(admin), both],
    ['an edit, signed for around it', 'bad-signature', { signedAssertion: admin }, both],
    ['an edit inside what is encrypted', 'bad-signature', { signedAssertion: admin }, encrypted],
    ['an edit of the Response', 'bad-signature', after(attribute('samlp:Response', 'Consent', 'urn:x')), both],
    ['an edit of the digest', 'bad-signature', after(replace(/(<ds:DigestValue>)../, '$1AA')), both],
    ['an edit of the signature', 'bad-signature', after(replace(/(<ds:SignatureValue>)../, '$1AA')), both],
    ['a comment in the digest', 'comment', after(replace(/(<ds:DigestValue>.{9})/, '$1<!--x-->')), both],
    ['no signature on the assertion', 'unsigned-assertion', { signs: 'response' }, both],
    [
      'inclusive canonicalisation',
      'signature-algorithm',
      { signing: { ...signing, transforms: ['enveloped', 'inclusive'] } },
      both,
    ],
    [
      'another audience',
      'wrong-audience',
      { assertion: replace('saml/corp/metadata</saml:Audience', 'x</saml:Audience') },
      both,
    ],
    [
      'another recipient',
      'wrong-recipient',
      { assertion: attribute('saml:SubjectConfirmationData', 'Recipient', 'https://x.example/') },
      both,
    ],
    [
      'an answer to another request',
      'wrong-in-response-to',
      { assertion: attribute('saml:SubjectConfirmationData', 'InResponseTo', '_x') },
      both,
    ],
    ...[both, onAssertion].flatMap((setting, nth) =>
      wrappings
        .filter(({ needs }) => nth === 0 || needs === 'signed-assertion')
        .flatMap(({ name, wrap }): Case[] => [
          [
            `${name}; ${nth === 0 ? 'both signed' : 'the assertion signed'}`,
            'assertion-count',
            after(wrap({ sameId: false })),
            setting,
          ],
          [
            `${name}, under one ID; ${nth === 0 ? 'both' : 'the assertion'} signed`,
            'duplicate-id',
            after(wrap({ sameId: true })),
            setting,
          ],
        ]),
    ),
  );
});

describe('methods and keys that do not belong together', () => {
  const base = { base: { signing: { method: 'ecdsa-sha256', keys: curve } as const } };
  table.cases(
    [
      'an elliptic key under the name of RSA',
      'bad-signature',
      { signing: { method: 'rsa-sha384', keys: curve } },
      base,
    ],
    [
      'an elliptic key under a name of RSA that the library knows',
      'bad-signature',
      { signing: { method: 'rsa-sha256', keys: curve, dsaEncoding: 'der' } },
      base,
    ],
    ['an RSA key under the name of ECDSA', 'bad-signature', { signing: { method: 'ecdsa-sha256' } }, base],
    [
      'the two numbers in DER',
      'bad-signature',
      { signing: { method: 'ecdsa-sha256', keys: curve, dsaEncoding: 'der' } },
      base,
    ],
    [
      'a curve nobody standardised for this',
      'bad-signature',
      { signing: { method: 'ecdsa-sha256', keys: koblitz } },
      base,
    ],
    [
      'ECDSA with sha1',
      'signature-algorithm',
      after(replace('xmldsig-more#ecdsa-sha256', 'xmldsig-more#ecdsa-sha1')),
      base,
    ],
  );
});

// The same verifier, where the library never was.
test.each(SIGNINGS)('%s on a posted logout and on metadata', (_, signing, byStranger) => {
  const request = scene.logout('LogoutRequest');
  const heard = (by: Signing, edit: Edit = (xml) => xml) => {
    const message = toBase64(edit(scene.signRoot(request, by)));
    return verifyLogoutRequest({ sp: scene.sp, idp, message: { binding: 'post', message }, now });
  };
  expect(heard(signing)).toMatchObject({ nameId: 'alice-at-idp' });
  expect(heard(byStranger)).toMatchObject({ refused: 'bad-signature' });
  expect(heard(signing, admin)).toMatchObject({ refused: 'bad-signature' });

  const entity = entityDescriptor(scene.idp);
  const metadataCertificate = (signing.keys ?? keys.present).certificatePem;
  const read = (document: string) => parseMetadata({ document, metadataCertificate, now });
  expect(read(scene.signRoot(entity, signing))).toMatchObject({ signed: true });
  expect(read(scene.signRoot(entity, byStranger))).toMatchObject({ refused: 'bad-signature' });
  const elsewhere = replace('https://idp.example.com/sso"', 'https://evil.example/sso"');
  expect(read(elsewhere(scene.signRoot(entity, signing)))).toMatchObject({ refused: 'bad-signature' });
});
