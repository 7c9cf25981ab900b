/** What the drill of a stolen database sees with: needles in every spelling, cells taken apart, doors that are proven first. */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';

import { lookAtCells, valuesOf } from '../../src/drill/stolen-database/cells.ts';
import { provenDoors } from '../../src/drill/stolen-database/drill.ts';
import { totpOf } from '../../src/drill/stolen-database/life.ts';
import { createMatcher, searchFile } from '../../src/drill/stolen-database/search.ts';
import { type Canary, fromBase32, needlesOf } from '../../src/drill/stolen-database/spellings.ts';
import type { Cell } from '../../src/store/spoils.ts';
import { codeOf } from '../support/authenticator.ts';

const AWKWARD: Canary = { what: 'an awkward one', value: 'Ein "Geheimnis" & mehr: schön/+ geheim', guessable: true };
const BYTES: Canary = { what: 'bytes', value: Buffer.from('00ff10a37f5c8e21bb90c4d6e7f80912', 'hex') };
const matcher = createMatcher(needlesOf([AWKWARD, BYTES]));
const seen = (bytes: Uint8Array): string[] => [...new Set([...matcher.in(bytes)].map(({ canary }) => canary.what))];
const text = String(AWKWARD.value);
const bytes = Buffer.from(BYTES.value as Buffer);
const between = (...parts: (string | Uint8Array)[]): Buffer =>
  Buffer.concat(['before it ', ...parts, ' and after it'].map((part) => Buffer.from(part as string)));

test.each<readonly [string, string | Uint8Array]>([
  ['as it is', text],
  ['in upper case', text.toUpperCase().replace('Ö', 'ö')],
  ['in hexadecimal', Buffer.from(text).toString('hex')],
  ['in hexadecimal, upper case', Buffer.from(text).toString('hex').toUpperCase()],
  ['percent-encoded', encodeURIComponent(text)],
  ['as in a form', new URLSearchParams({ text }).toString()],
  ['as in JSON', JSON.stringify({ text })],
  ['as in JSON, in ASCII', JSON.stringify(text).replace('ö', '\\u00f6')],
  ['in UTF-16, little end first', Buffer.from(text, 'utf16le')],
  ['in UTF-16, big end first', Buffer.from(text, 'utf16le').swap16()],
  ['backwards', Buffer.from(text).toReversed()],
  ['its SHA-256, bytes', hash('sha256', text, 'buffer')],
  ['its SHA-256 in lower case, hexadecimal', hash('sha256', text.toLowerCase())],
  ['its SHA-1 in base64', hash('sha1', text, 'base64')],
  ['its MD5', hash('md5', text)],
  ...['', 'x', 'xy'].flatMap((shift) =>
    (['base64', 'base64url'] as const).map(
      (how) => [`in ${how}, ${shift.length} bytes on`, Buffer.from(`${shift}${text} and more`).toString(how)] as const,
    ),
  ),
])('a value is seen %s', (_how, spelling) => {
  expect(seen(between(spelling))).toEqual(['an awkward one']);
});

test('bytes are seen as they are, in base32, in base64, and not where they are not', () => {
  for (const spelling of [bytes, bytes.toString('hex'), bytes.toString('base64'), 'AD7RBI37LSHCDO4QYTLOP6AJCI']) {
    expect(seen(between(spelling))).toEqual(['bytes']);
  }
  expect(seen(between('nothing of the kind', bytes.subarray(0, 12), text.slice(1)))).toEqual([]);
});

test('what lies across the seam of two chunks of a file is seen', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-seam-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'file');
  const { signal } = new AbortController();
  for (const before of [0, 1 << 20, (1 << 20) - 1, (1 << 20) - 20, (2 << 20) - 3]) {
    writeFileSync(file, Buffer.concat([Buffer.alloc(before), Buffer.from(text), Buffer.alloc(99)]));
    let read = 0;
    const found = await searchFile(file, matcher, { signal, seen: (more) => (read += more) });
    expect([...found].map(({ spelling }) => spelling)).toContain('as it is');
    expect(read).toBe(before + Buffer.byteLength(text) + 99);
  }
});

test('cells are taken apart, and addresses and compressed values in them are told', async () => {
  const look = async (cell: Cell) =>
    lookAtCells(
      {
        tables: () => [{ name: 'table', rows: 1, lastRowid: 1 }],
        rows: () => [{ rowid: 1, cells: { column: cell } }],
        close: () => undefined,
      },
      {
        matcher,
        sample: 1,
        marks: [],
        names: [],
        signal: new AbortController().signal,
        report: () => undefined,
        random: () => 0,
      },
    );
  for (const cell of [gzipSync(text), deflateSync(text), gzipSync(text).toString('base64')]) {
    const { standing } = await look(cell);
    expect(standing.map(({ place, compressed }) => [place.column, compressed])).toContainEqual(['column', true]);
  }
  for (const cell of [
    'answered by somebody@example.test',
    JSON.stringify({ to: 'somebody@example.test' }),
    Buffer.from('somebody@example.test').toString('base64'),
    Buffer.from('somebody@example.test').toString('hex'),
    Buffer.from('somebody@example.test'),
  ]) {
    expect((await look(cell)).addresses).toEqual([{ table: 'table', column: 'column' }]);
  }
  for (const cell of [
    'answered 200',
    `v1.1.${'a'.repeat(40)}`,
    17,
    null,
    Buffer.from('\u0001\u0002a@b.cd\u0003\u0004'),
  ]) {
    expect((await look(cell)).addresses).toEqual([]);
  }
});

test('values are tried whole, in parts, and as bytes are written', () => {
  const token = 'v4JIMf0sVUmMHLnXj2kYv0cNn9Q3p';
  expect(valuesOf(JSON.stringify({ inner: [{ token }] }))).toContain(token);
  expect(valuesOf(`token=${token}; and more`)).toContain(`token=${token}`);
  expect(valuesOf(Buffer.from(token).toString('base64'))).toContain(token);
  expect(valuesOf(Buffer.from(JSON.stringify({ token })).toString('base64'))).toContain(token);
  expect(valuesOf(`v1.1.${token}`)).toContain(token);
  expect(valuesOf(bytes)).toContain(bytes.toString('hex'));
  expect(valuesOf(Buffer.from(token))).toContain(token);
});

test('a door that stays shut to the true key, or opens to anything, is told as not checked', async () => {
  const door = (as: string, opens: (value: string) => boolean) => ({
    as,
    lookUp: async (value: string) => opens(value),
    knock: async (value: string) => opens(value),
    genuine: { lookUp: 'true', knock: 'true' },
  });
  const { checked, unchecked } = await provenDoors([
    door('a sound one', (value) => value === 'true'),
    door('a stuck one', () => false),
    door('an open one', () => true),
  ]);
  expect(checked.map(({ as }) => as)).toEqual(['a sound one']);
  expect(unchecked.map(({ kind, what }) => [kind, what])).toEqual([
    ['not-checked', 'values as a stuck one: it does not take the true one'],
    ['not-checked', 'values as an open one: it takes anything'],
  ]);
});

test('codes of a secret are those that an app shows', () => {
  const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
  const at = new Date(1_795_660_000_000);
  for (const steps of [0, 1])
    expect(totpOf(fromBase32(secret) as Buffer, at, steps)).toBe(codeOf(secret, { at, steps }));
});
