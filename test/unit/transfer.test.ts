import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { canonical, digestOf } from '../../src/store/transfer.ts';

async function* paged(...pages: readonly (readonly object[])[]) {
  yield* pages;
}

describe('the canonical form of a row', () => {
  test('is one line of JSON, names in order at every depth, instants in UTC to the millisecond', () => {
    const row = {
      id: 'b',
      spared: { 'session:x': 2, 'account:ä': 1 },
      at: new Date(Date.UTC(2031, 4, 4, 3, 2, 1, 7)),
      pending: ['b', 'a'],
      admin: false,
      none: null,
    };
    expect(canonical(row)).toBe(
      '{"admin":false,"at":"2031-05-04T03:02:01.007Z","id":"b","none":null,"pending":["b","a"],"spared":{"account:ä":1,"session:x":2}}',
    );
  });

  test('does not depend on the order in which an engine gives the fields, nor on those without a value', () => {
    const one = { id: 'a', scope: { kind: 'client', clientId: 'c' }, uid: null };
    const other = { uid: null, scope: { clientId: 'c', kind: 'client', accountId: undefined }, id: 'a' };
    expect(canonical(one)).toBe(canonical(other));
  });

  test('tells apart what is not the same', () => {
    const row = { id: 'a', at: new Date(1), spared: { 'grant:a': 1 }, sid: null as string | null, text: '1\n2' };
    const forms = [
      row,
      { ...row, at: new Date(2) },
      { ...row, spared: { 'grant:a': 2 } },
      { ...row, spared: {} },
      { ...row, sid: 'null' },
      { ...row, sid: '' },
      { ...row, text: '1 2' },
      { ...row, more: 0 },
    ].map(canonical);
    expect(new Set(forms).size).toBe(forms.length);
    for (const form of forms) expect(form).not.toContain('\n');
  });

  test('leaves out which of two was saved first', () => {
    expect(canonical({ id: 'a', order: 1 })).toBe(canonical({ id: 'a', order: 2 }));
  });

  test('keeps a name that an object has a meaning for', () => {
    const spared = JSON.parse('{"__proto__":1,"constructor":2}') as object;
    expect(canonical({ id: 'a', spared })).toBe('{"id":"a","spared":{"__proto__":1,"constructor":2}}');
  });
});

describe('the digest of a kind', () => {
  const rows = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

  test('is SHA-256 over the lines, however they are paged', async () => {
    const digest = createHash('sha256').update('{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n').digest('hex');
    expect(await digestOf(paged(rows))).toEqual({ rows: 3, digest });
    expect(await digestOf(paged([], rows.slice(0, 1), rows.slice(1), []))).toEqual({ rows: 3, digest });
  });

  test('of nothing is that of nothing', async () => {
    expect(await digestOf(paged())).toEqual({ rows: 0, digest: createHash('sha256').digest('hex') });
  });

  test('changes with the order of the rows, and with one that is missing', async () => {
    const digests = [rows, rows.toReversed(), rows.slice(1), [...rows, { id: 'd' }]];
    const found = await Promise.all(digests.map(async (each) => (await digestOf(paged(each))).digest));
    expect(new Set(found).size).toBe(4);
  });
});
