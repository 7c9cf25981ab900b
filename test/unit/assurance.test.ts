import { describe, expect, test } from 'vitest';

import { askedFor, meets } from '../../src/oidc/assurance.ts';

test.for([
  ['aal1', 'aal1', true],
  ['aal1', 'aal2', false],
  ['aal2', 'aal1', true],
  ['aal2', 'aal2', true],
  [undefined, 'aal1', false],
  ['aal3', 'aal1', false],
  ['', 'aal1', false],
] as const)('a sign-in of %s meets %s: %s', ([has, asked, met]) => {
  expect(meets(has, asked)).toBe(met);
});

describe('an authorization request', () => {
  test.for([
    ['nothing', {}, null],
    ['a word of somebody else’s', { acrValues: 'urn:mace:incommon:iap:silver' }, null],
    ['two factors', { acrValues: 'aal2' }, 'aal2'],
    ['two factors, or one', { acrValues: 'aal2 aal1' }, 'aal1'],
    ['something that is no text', { acrValues: ['aal2'] }, null],
    ['two factors, or somebody else’s word', { acrValues: 'urn:example:gold aal2' }, 'aal2'],
    ['two factors, in capitals', { acrValues: 'AAL2' }, null],
    ['one factor, of a Client that needs two', { acrValues: 'aal1', clientRequires: true }, 'aal2'],
    ['nothing, of a Client that needs two', { clientRequires: true }, 'aal2'],
  ] as const)('for %s', ([, asking, asked]) => {
    expect(askedFor(asking)).toBe(asked);
  });
});
