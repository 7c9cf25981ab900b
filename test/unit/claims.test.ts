/** What is read out of what a provider says of somebody. */
import { describe, expect, test } from 'vitest';

import { mapClaims, OIDC_CLAIMS } from '../../src/connections/claims.ts';

const map = (claims: Record<string, unknown>, mapping = OIDC_CLAIMS) => mapClaims({ claims, mapping });
const NOBODY = { emailVerified: false, groups: [] };

describe('claims', () => {
  test('by the names of the standard', () => {
    expect(
      map({
        sub: 'x',
        preferred_username: 'ada.l',
        name: 'Ada Lovelace',
        email: 'Ada@Acme.example',
        email_verified: true,
        groups: ['engines', 'poets', 'engines'],
      }),
    ).toEqual({
      username: 'ada.l',
      name: 'Ada Lovelace',
      email: 'Ada@Acme.example',
      emailVerified: true,
      groups: ['engines', 'poets'],
    });
  });

  test('by the names of the operator, taken literally', () => {
    const mapping = { username: 'upn', email: 'mail', groups: 'https://acme.example/roles' };
    const claims = {
      upn: 'ada',
      mail: 'ada@acme.example',
      email_verified: true,
      'https://acme.example/roles': 'engines',
    };
    // Nobody said that this claim speaks of that address.
    expect(mapClaims({ claims, mapping })).toEqual({
      username: 'ada',
      email: 'ada@acme.example',
      emailVerified: false,
      groups: ['engines'],
    });
    expect(mapClaims({ claims: { a: { b: 'ada' } }, mapping: { username: 'a.b' } })).toEqual(NOBODY);
  });

  // CVE-2026-49757.
  test.each([false, undefined, null, 'true', 'false', 1, 'yes', [true], {}])(
    '51 an address is not verified by %j',
    (word) => {
      expect(map({ email: 'ada@acme.example', email_verified: true }).emailVerified).toBe(true);
      expect(map({ email: 'ada@acme.example', email_verified: word })).toEqual({
        ...NOBODY,
        email: 'ada@acme.example',
      });
    },
  );

  test.each([
    7,
    null,
    true,
    {},
    [],
    [['ada']],
    ['ada', 'eve'],
    '',
    ' ',
    'a'.repeat(300),
    'ada\n',
    'a\u0000b',
    'a\u009bb',
  ])('%j is no name of anybody', (value) => {
    expect(map({ preferred_username: value, name: value, email: value, email_verified: true, sub: 'x' })).toEqual(
      NOBODY,
    );
  });

  test.each([
    'ada',
    'ada@',
    'ada@acme.example, eve@evil.test',
    'mıke@acme.example',
    'ada@äcme.example',
    'ada@acme@evil.test',
    '"a b"@acme.example',
  ])('%s is no address, and so not verified', (email) => expect(map({ email, email_verified: true })).toEqual(NOBODY));

  test('of groups, what is no name is left out, and past any bound nobody belongs to any', () => {
    expect(map({ groups: ['a', 7, null, '', 'x'.repeat(257), 'b', ['c'], 'd\r'] }).groups).toEqual(['a', 'b']);
    expect(map({ groups: Array.from({ length: 1000 }, (_, nth) => `g${nth}`) }).groups).toHaveLength(1000);
    expect(map({ groups: Array.from({ length: 1001 }, (_, nth) => `g${nth}`) }).groups).toEqual([]);
  });

  test.each(['constructor', '__proto__', 'toString'])('%s is a name like any other', (name) => {
    expect(mapClaims({ claims: {}, mapping: { username: name, groups: name } })).toEqual(NOBODY);
    const claims = JSON.parse(`{ ${JSON.stringify(name)}: "ada" }`) as Record<string, unknown>;
    expect(mapClaims({ claims, mapping: { username: name } })).toEqual({ ...NOBODY, username: 'ada' });
  });
});

describe('SAML attributes', () => {
  const mapping = { username: 'uid', email: 'mail', name: 'displayName', groups: 'memberOf' };
  const claims = { uid: ['ada'], mail: ['ada@acme.example'], displayName: ['Ada'], memberOf: ['engines', 'poets'] };

  test('are lists of one, and groups of many', () => {
    expect(mapClaims({ claims, mapping })).toEqual({
      username: 'ada',
      email: 'ada@acme.example',
      emailVerified: false,
      name: 'Ada',
      groups: ['engines', 'poets'],
    });
  });

  test('vouch for an address where the operator says so, and only where there is one', () => {
    expect(mapClaims({ claims, mapping, vouchedFor: true }).emailVerified).toBe(true);
    expect(mapClaims({ claims: {}, mapping, vouchedFor: true }).emailVerified).toBe(false);
    expect(mapClaims({ claims: { mail: ['a@x.test', 'b@x.test'] }, mapping, vouchedFor: true })).toEqual(NOBODY);
  });
});
