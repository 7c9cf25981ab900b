/**
 * Rows 44, 46 and 72 of security.md, on SAML: documents that are hostile before they mean anything. All of them are signed,
 * where that is possible, so it is the text that is refused.
 */
import { describe, expect, test } from 'vitest';

import { admitMessage, admitText, MESSAGE_LIMITS } from '../../src/connections/saml/guard.ts';
import type { SamlRefusalWord } from '../../src/connections/saml/refusal.ts';
import { costOf } from '../support/cost.ts';
import { type Edit, replace, stillScene, toBase64 } from '../support/saml-idp.ts';
import { ACCEPTS_ALICE, type Case, ON_ASSERTION, tableOf } from './saml-table.ts';

const scene = await stillScene();
const table = tableOf(scene);

/** Outside the assertion, where nothing is signed: so nothing but the text can be at fault. */
const around = (name: string, refused: SamlRefusalWord, edit: Edit, alone?: string): Case => [
  name,
  refused,
  { signedResponse: edit },
  { ...ON_ASSERTION, ...(alone !== undefined && { alone }) },
];
const first = (added: string): Edit => replace(/^/, added);
const last = (added: string): Edit => replace(/$/, added);
const inStatus = (added: string): Edit => replace('<samlp:Status>', `$&${added}`);
const onResponse = (added: string): Edit => replace(/(<samlp:Response [^>]*)>/, `$1 ${added}>`);

describe('constructs that no message needs', () => {
  table.cases(
    around('a harmless DOCTYPE', 'doctype', first('<!DOCTYPE samlp:Response>'), ACCEPTS_ALICE),
    around('a DOCTYPE in small letters', 'doctype', first('<!doctype x>'), ACCEPTS_ALICE),
    around('entities', 'doctype', first('<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>')),
    around('an external entity', 'doctype', first('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>')),
    around('a DOCTYPE in the middle', 'doctype', inStatus('<!DOCTYPE x>')),
    around('a comment', 'comment', inStatus('<!-- -->'), ACCEPTS_ALICE),
    around('a comment before the root', 'comment', first('<!-- -->'), ACCEPTS_ALICE),
    around('a comment after the root', 'comment', last('<!-- -->'), ACCEPTS_ALICE),
    [
      'a comment in the NameID',
      'comment',
      { signedResponse: replace('alice-at', 'alice<!-- -->-at') },
      { alone: ACCEPTS_ALICE },
    ],
    ['a CDATA section in the NameID', 'cdata', { signedResponse: replace('alice-at-idp', '<![CDATA[alice-at-idp]]>') }],
    around('a CDATA section', 'cdata', inStatus('<![CDATA[ ]]>'), ACCEPTS_ALICE),
    around('a processing instruction', 'processing-instruction', inStatus('<?x y?>'), ACCEPTS_ALICE),
    around('a style sheet', 'processing-instruction', first('<?xml-stylesheet href="x"?>'), ACCEPTS_ALICE),
    around('a declaration in the middle', 'processing-instruction', inStatus('<?xml version="1.0"?>'), ACCEPTS_ALICE),
    around(
      'a declaration of another encoding',
      'processing-instruction',
      first('<?xml version="1.0" encoding="UTF-7"?>'),
      ACCEPTS_ALICE,
    ),
    around('XML 1.1', 'processing-instruction', first('<?xml version="1.1"?>'), ACCEPTS_ALICE),
  );
});

describe('documents that parsers read differently', () => {
  table.cases(
    around('a second root', 'several-roots', last('<x/>')),
    around('a second Response', 'several-roots', (xml) => xml + scene.respond({ signs: 'neither' })),
    around('text after the root', 'not-well-formed', last('x')),
    around('text before the root', 'not-well-formed', first('x')),
    around('no end of the root', 'not-well-formed', replace(/<\/samlp:Response>$/, '')),
    around('an end too many', 'not-well-formed', last('</samlp:Response>')),
    around('crossed tags', 'not-well-formed', inStatus('<a><b></a></b>')),
    around('an end tag in other letters', 'not-well-formed', replace('</samlp:Status>', '</samlp:status>')),
    around('an attribute twice', 'not-well-formed', onResponse('Version="2.0"')),
    around(
      'an attribute twice, under two prefixes',
      'not-well-formed',
      onResponse('xmlns:a="urn:x" xmlns:b="urn:x" a:v="1" b:v="2"'),
    ),
    around('an attribute without quotes', 'not-well-formed', onResponse('Consent=x')),
    around('an attribute without a value', 'not-well-formed', onResponse('Consent')),
    around('a bracket in an attribute', 'not-well-formed', onResponse('Consent="<"')),
    around('an entity nobody declared', 'not-well-formed', inStatus('&nbsp;')),
    around('an ampersand', 'not-well-formed', inStatus('&'), ACCEPTS_ALICE),
    around('a reference to no character', 'not-well-formed', inStatus('&#0;'), ACCEPTS_ALICE),
    around('a reference to half a character', 'not-well-formed', inStatus('&#xD800;'), ACCEPTS_ALICE),
    around('a reference beyond all characters', 'not-well-formed', inStatus('&#x110000;')),
    around('a control character', 'not-well-formed', inStatus('\u0001')),
    around('a line end of XML 1.1', 'not-well-formed', inStatus('\u0085'), ACCEPTS_ALICE),
    around('an end of CDATA', 'not-well-formed', inStatus(']]>'), ACCEPTS_ALICE),
    around('a prefix nobody declared', 'not-well-formed', inStatus('<x:y/>')),
    around('a prefix nobody declared, of an attribute', 'not-well-formed', inStatus('<y x:z=""/>')),
    around('a prefix named like a property of everything', 'not-well-formed', inStatus('<constructor:y/>')),
    around(
      'an attribute named like a property of everything',
      'not-well-formed',
      inStatus('<y hasOwnProperty="" b=""/>'),
    ),
    around('a prefix declared for nothing', 'not-well-formed', inStatus('<y xmlns:x=""/>')),
    around(
      'a prefix declared for XML',
      'not-well-formed',
      inStatus('<y xmlns:x="http://www.w3.org/XML/1998/namespace"/>'),
      ACCEPTS_ALICE,
    ),
    around('HTML', 'not-well-formed', inStatus('<script xmlns="http://www.w3.org/1999/xhtml"/>'), ACCEPTS_ALICE),
    around('a name beyond ASCII', 'not-well-formed', inStatus('<ä/>'), ACCEPTS_ALICE),
    around('an ID twice', 'duplicate-id', inStatus('<y ID="_a"/><y ID="_a"/>'), ACCEPTS_ALICE),
    around('an ID twice, in other spellings', 'duplicate-id', inStatus('<y Id="_a"/><y id="_a"/>'), ACCEPTS_ALICE),
    around('an ID twice, once of XML', 'duplicate-id', inStatus('<y ID="_a"/><y xml:id="_a"/>'), ACCEPTS_ALICE),
    around('an ID that is none', 'not-well-formed', inStatus(`<y ID="x' or 'a'='a"/>`), ACCEPTS_ALICE),
    around('41 levels', 'too-deep', inStatus('<a>'.repeat(39) + '</a>'.repeat(39)), ACCEPTS_ALICE),
  );

  test('40 levels are read', () => {
    const nested = (levels: number): string => '<a>'.repeat(levels) + '</a>'.repeat(levels);
    expect(admitText(nested(40), MESSAGE_LIMITS)).toMatchObject({ root: expect.anything() });
    expect(admitText(nested(41), MESSAGE_LIMITS)).toMatchObject({ refused: 'too-deep' });
  });

  test('64 attributes on one element are read', () => {
    const attributes = (count: number): string => Array.from({ length: count }, (_, nth) => `a${nth}=""`).join(' ');
    expect(admitText(`<a ${attributes(64)}/>`, MESSAGE_LIMITS)).toMatchObject({ root: expect.anything() });
    expect(admitText(`<a ${attributes(65)}/>`, MESSAGE_LIMITS)).toMatchObject({ refused: 'too-many-nodes' });
  });
});

describe('bytes', () => {
  const base64 = toBase64(scene.respond());
  test.each<[string, SamlRefusalWord, string]>([
    ['nothing', 'not-base64', ''],
    ['not base64', 'not-base64', '<samlp:Response/>'],
    ['base64 of URLs', 'not-base64', base64.replace(/^./, '_')],
    ['a space in base64', 'not-base64', `${base64.slice(0, 40)} ${base64.slice(40)}`],
    ['padding in the middle', 'not-base64', `QQ==${base64}`],
    ['a missing end', 'not-base64', base64.slice(0, -1)],
    ['base64 in its second spelling', 'not-base64', 'QR=='],
    ['Latin 1', 'not-utf8', Buffer.from('<é/>', 'latin1').toString('base64')],
    ['UTF-16', 'not-utf8', Buffer.from('\uFEFF<a/>', 'utf16le').toString('base64')],
    ['an overlong slash', 'not-utf8', Buffer.from('<a>\u00C0\u00AF</a>', 'latin1').toString('base64')],
    ['nothing but space', 'not-well-formed', toBase64(' \n ')],
  ])('%s → %s', async (_, refused, samlResponse) => {
    expect(await table.verify(base64)).toMatchObject({ nameId: 'alice-at-idp' });
    expect(await table.verify(samlResponse)).toEqual({ refused, detail: expect.any(String) });
  });
});

describe('too much of it', () => {
  const MILLISECONDS = 250;
  const MEBIBYTES = 32;
  const many = (text: string, times: number): Edit => inStatus(text.repeat(times));
  const response = (edit: Edit): string => toBase64(scene.respond({ ...ON_ASSERTION.base, signedResponse: edit }));
  const attributes = Array.from({ length: 10_000 }, (_, nth) => `a${nth}="x"`).join(' ');
  const declarations = Array.from({ length: 5000 }, (_, nth) => `xmlns:a${nth}="urn:x${nth}"`).join(' ');
  const bodies: [string, SamlRefusalWord, string][] = [
    ['five megabytes', 'too-large', response(many('x', 5_000_000))],
    ['one byte more than is read', 'too-large', 'A'.repeat(256 * 1024 + 1)],
    ['20 000 siblings', 'too-many-nodes', response(many('<a/>', 20_000))],
    ['100 000 levels', 'too-large', response(many('<a>', 100_000))],
    ['50 000 levels, as far as the size allows', 'too-deep', response(many('<a>', 50_000))],
    ['6000 texts', 'too-many-nodes', response(many('<a/>x', 6000))],
    ['10 000 attributes on one element', 'too-many-nodes', response(inStatus(`<a ${attributes}/>`))],
    ['5000 name spaces on one element', 'too-many-nodes', response(inStatus(`<a ${declarations}/>`))],
    ['10 000 attributes on many elements', 'too-many-nodes', response(many('<a b="" c="" d="" e="" f=""/>', 2000))],
    ['a tag that never ends', 'not-well-formed', response(inStatus(`<a${' '.repeat(180_000)}`))],
    ['a name that never ends', 'not-well-formed', response(inStatus(`<${'a'.repeat(180_000)}`))],
    ['an attribute that never ends', 'not-well-formed', response(inStatus(`<a b="${'c'.repeat(180_000)}`))],
    ['nothing but brackets', 'not-well-formed', toBase64('<'.repeat(190_000))],
    ['an end tag full of space', 'not-well-formed', response(inStatus(`</${' '.repeat(180_000)}x>`))],
    ['nothing but ampersands', 'not-well-formed', response(inStatus('&'.repeat(180_000)))],
    ['character references without number', 'not-well-formed', response(inStatus(`${'&#65;'.repeat(30_000)}&#0;`))],
    ['a declaration full of space', 'processing-instruction', response(first(`<?xml${' '.repeat(180_000)}`))],
  ];

  // Measured: at most 5 ms of processor each. The bound leaves room for slower machines.
  test.each(bodies)(`%s → %s, within ${MILLISECONDS} ms and 32 MiB`, async (_, refused, samlResponse) => {
    const { answer, milliseconds, mebibytes } = await costOf(() => table.verify(samlResponse));
    expect(answer).toEqual({ refused, detail: expect.any(String) });
    expect(milliseconds).toBeLessThan(MILLISECONDS);
    expect(mebibytes).toBeLessThan(MEBIBYTES);
  });

  test('as much as is allowed is still read, in bounded time', async () => {
    const full = `<a>${'<b c="d">e</b>'.repeat(1499)}</a>`;
    const { answer, milliseconds } = await costOf(() => admitMessage(toBase64(full)));
    expect(answer).toMatchObject({ text: full });
    expect(milliseconds).toBeLessThan(MILLISECONDS);
    expect(admitMessage(toBase64(full.replace('<b', '<b/><b/><b')))).toMatchObject({ refused: 'too-many-nodes' });
  });
});
