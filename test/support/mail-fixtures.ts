/** Every mail there is, once for each thing it can say, with values that only ever belong in the text. */
import type { Circumstances, FactorChange, Mail, MailKind } from '../../src/mail/mails.ts';

export const ISSUER = 'https://id.example.org';
export const FROM = { name: 'Curfew', address: 'no-reply@example.org' };
export const circumstances = (overrides: Partial<Circumstances> = {}): Circumstances => ({
  at: new Date('2031-05-04T03:02:01.234Z'),
  address: '203.0.113.7',
  device: 'Firefox on Linux',
  ...overrides,
});

/** A mail that never expires. */
export const notice = (): Mail => ({
  ...circumstances(),
  kind: 'password-changed',
  notMeLink: `${ISSUER}/not-me/abc`,
});

const happened = circumstances();
const deniable = { ...happened, notMeLink: `${ISSUER}/not-me/4f1c` };
const timed = { link: `${ISSUER}/verify/9a7b`, linkExpiresAt: new Date('2031-05-04T03:32:01.234Z') };
const FACTORS: Readonly<Record<FactorChange, Pick<Mail & { kind: 'second-factor-changed' }, 'name' | 'left'>>> = {
  'authenticator-added': { name: 'My phone', left: null },
  'authenticator-removed': { name: null, left: null },
  'passkey-added': { name: 'Laptop', left: null },
  'passkey-removed': { name: 'Laptop', left: null },
  'recovery-codes-replaced': { name: null, left: 10 },
  'recovery-code-used': { name: null, left: 1 },
};

const ONE_EACH: { readonly [Kind in Exclude<MailKind, 'second-factor-changed'>]: Extract<Mail, { kind: Kind }> } = {
  'email-verification': { ...deniable, ...timed, kind: 'email-verification' },
  'email-change-confirm': { ...deniable, ...timed, kind: 'email-change-confirm' },
  'email-changed': {
    ...happened,
    kind: 'email-changed',
    revertLink: `${ISSUER}/revert/77aa`,
    revertExpiresAt: new Date('2031-05-11T03:02:01.234Z'),
  },
  'password-reset': { ...deniable, ...timed, kind: 'password-reset' },
  'password-reset-sso': {
    ...deniable,
    kind: 'password-reset-sso',
    connections: ['Acme', 'Corp'],
    link: `${ISSUER}/sign-in`,
  },
  'password-changed': { ...deniable, kind: 'password-changed' },
  'password-reset-required': {
    ...circumstances({ address: null, device: null }),
    ...timed,
    kind: 'password-reset-required',
  },
  'account-locked': { ...circumstances({ address: null, device: null }), kind: 'account-locked' },
  'access-ended': {
    ...circumstances({ address: null, device: null }),
    kind: 'access-ended',
    link: `${ISSUER}/sign-in`,
  },
  'new-sign-in': { ...deniable, kind: 'new-sign-in' },
  'signed-out-everywhere': { ...deniable, kind: 'signed-out-everywhere' },
  'account-deleted': { ...happened, kind: 'account-deleted' },
  invite: { ...happened, ...timed, kind: 'invite', invitedBy: 'Grace Hopper' },
  'identity-linked': { ...deniable, kind: 'identity-linked', connection: 'Acme' },
  'identity-unlinked': { ...deniable, kind: 'identity-unlinked', connection: 'Acme' },
  'registration-duplicate': { ...deniable, kind: 'registration-duplicate', link: `${ISSUER}/sign-in` },
};

/** Each with a name of its own. */
export const everyMail: readonly (readonly [name: string, mail: Mail])[] = [
  ...Object.values(ONE_EACH).map((mail): [string, Mail] => [mail.kind, mail]),
  ...Object.entries(FACTORS).map(([change, about]): [string, Mail] => [
    change,
    { ...deniable, ...about, kind: 'second-factor-changed', change: change as FactorChange },
  ]),
];
