/** Who may come in through a connection. */
import { describe, expect, test } from 'vitest';

import { admit, type AdmissionPolicy, parseEmailDomain } from '../../src/connections/admission.ts';
import type { UpstreamPerson } from '../../src/connections/claims.ts';

const ADA = { email: 'ada@acme.example', emailVerified: true, groups: ['engines', 'poets'] };
const verdict = (policy: AdmissionPolicy, person: Partial<UpstreamPerson> = {}) => {
  const admission = admit({ person: { ...ADA, ...person }, policy });
  return 'admitted' in admission ? 'admitted' : admission.refused;
};

test('without a rule everybody comes in', () => {
  expect(admit({ person: { emailVerified: false, groups: [] }, policy: {} })).toEqual({ admitted: true });
});

describe('by the domain of an address', () => {
  const emailDomains = ['Acme.Example', 'bücher.example'];
  test.each([
    ['ada@acme.example', 'admitted'],
    ['ada@ACME.EXAMPLE', 'admitted'],
    ['ada@xn--bcher-kva.example', 'admitted'],
    ['ada@XN--BCHER-KVA.example', 'admitted'],
    ['ada@sub.acme.example', 'email-domain'],
    ['ada@evilacme.example', 'email-domain'],
    ['ada@acme.example.evil.test', 'email-domain'],
    ['ada@example', 'email-domain'],
    ['ada@xn--acme-.example', 'email-domain'],
  ])('%s → %s', (email, expected) => expect(verdict({ emailDomains }, { email })).toBe(expected));

  test('an address that is not verified does not count', () => {
    expect(verdict({ emailDomains })).toBe('admitted');
    expect(verdict({ emailDomains }, { emailVerified: false })).toBe('email-unverified');
  });

  test('nobody without an address', () => {
    const { email: _, ...person } = ADA;
    expect(admit({ person, policy: { emailDomains } })).toMatchObject({ refused: 'email-missing' });
  });

  test('an empty list lets in nobody, and what is no domain lets in nobody either', () => {
    expect(verdict({ emailDomains: [] })).toBe('email-domain');
    expect(verdict({ emailDomains: ['', '*', '*.example', '@acme.example', 'https://acme.example'] })).toBe(
      'email-domain',
    );
  });
});

describe('by group', () => {
  test.each([
    [['engines'], 'admitted'],
    [['others', 'poets'], 'admitted'],
    [['Engines'], 'group'],
    [['engine'], 'group'],
    [['engines '], 'group'],
    [[], 'group'],
  ])('%j → %s', (groups, expected) => expect(verdict({ groups })).toBe(expected));
});

test('by both, both must be met', () => {
  const policy = { emailDomains: ['acme.example'], groups: ['engines'] };
  expect(verdict(policy)).toBe('admitted');
  expect(verdict(policy, { groups: [] })).toBe('group');
  expect(verdict(policy, { email: 'ada@evil.test' })).toBe('email-domain');
});

test.each([
  ['acme.example', 'acme.example'],
  ['ACME.example', 'acme.example'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['corp', 'corp'],
  ['', undefined],
  ['.example', undefined],
  ['acme.example.', undefined],
  ['acme example', undefined],
  ['*.acme.example', undefined],
  ['ada@acme.example', undefined],
  ['acme.example/x', undefined],
  ['acme.example:80', undefined],
  ['10.0.0.1', undefined],
  ['xn--', undefined],
])('%j is the domain %j', (written, domain) => expect(parseEmailDomain(written)).toBe(domain));
