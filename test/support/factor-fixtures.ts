/** What the pages of second factors look like with believable content. */
import type { FactorsView, PasskeyOffer, SecurityView, ViewModels } from '../../src/web/views.ts';
import { qrCode } from '../../src/web/qr-code.ts';

const csrf = 'c3Jm-9f8a7b6c5d4e3f2a1b0c';
const viewer = { username: 'mira.lindqvist' };
const at = (iso: string, text: string) => ({ iso, text });
const spring = at('2026-05-01T08:00:00Z', '1 May 2026, 08:00:00 UTC');
const summer = at('2026-06-01T08:00:00Z', '1 June 2026, 08:00:00 UTC');

export const passkeyOffer: PasskeyOffer = {
  options: JSON.stringify({ challenge: 'kBqy', rpId: 'id.example.org', userVerification: 'preferred' }),
  challenge: 'v1.1.sealed',
};

const totp = {
  secret: 'JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP',
  enrolment: 'v1.1.sealed-enrolment',
  qr: qrCode('otpauth://totp/id.example.org:mira.lindqvist?secret=JBSWY3DPEHPK3PXP&issuer=id.example.org'),
};

const actions = {
  addTotpAction: '/account/security/totp',
  addPasskeyAction: '/account/security/passkeys',
  forgetTrustedAction: '/account/security/trusted/forget',
};

export const noFactors: FactorsView = { ...actions, passkeys: [], trusted: [] };

export const neededFactors: FactorsView = {
  ...actions,
  totp: { createdAt: spring },
  passkeys: [],
  makeRecoveryCodesAction: '/account/security/recovery-codes',
  trusted: [],
};

const rename = '/account/security/passkeys/rename';
const remove = '/account/security/passkeys/remove';

export const manyFactors: FactorsView = {
  ...actions,
  totp: { createdAt: spring, lastUsedAt: summer, removeAction: '/account/security/totp/remove' },
  passkeys: [
    {
      id: 'pk-1',
      name: 'Phone',
      createdAt: spring,
      lastUsedAt: summer,
      kind: 'On several devices, kept by its provider',
      renameAction: rename,
      removeAction: remove,
    },
    {
      id: 'pk-2',
      name: 'The key that hangs on the board beside the kitchen door',
      createdAt: spring,
      kind: 'On one device only; used 42 times',
      renameAction: rename,
    },
  ],
  recoveryCodes: { left: 9, createdAt: spring },
  makeRecoveryCodesAction: '/account/security/recovery-codes',
  trusted: [
    { id: 'tb-1', browser: 'Firefox on Linux', createdAt: spring, lastUsedAt: summer },
    { id: 'tb-2', browser: 'Safari on iPad', createdAt: spring },
  ],
};

export const events: SecurityView['events'] = [
  { text: 'Passkey added: Phone', at: summer, from: 'Firefox on Linux, 203.0.113.7' },
  { text: 'Password changed', at: spring, from: 'By whoever runs this service' },
];

type FactorPage = 'second-step' | 'second-step-setup' | 'totp' | 'recovery-codes' | 'add-passkey';

export const factorFixtures: { readonly [Name in FactorPage]: Readonly<Record<string, ViewModels[Name]>> } = {
  'second-step': {
    code: {
      title: 'One more step',
      csrf,
      action: '/sign-in/second-step',
      cancelUrl: '/sign-in',
      code: true,
      app: true,
      recovery: true,
      trust: true,
    },
    everything: {
      title: 'One more step',
      csrf,
      action: '/interaction/u1/second-step',
      cancelUrl: '/interaction/u1',
      refusal: 'This code is wrong, or was used before.',
      code: true,
      app: true,
      recovery: false,
      passkey: passkeyOffer,
      trust: false,
    },
    passkeyAlone: {
      title: 'One more step',
      csrf,
      action: '/sign-in/second-step',
      cancelUrl: '/sign-in',
      code: false,
      app: false,
      recovery: false,
      passkey: passkeyOffer,
      trust: true,
    },
  },
  'second-step-setup': {
    refused: {
      title: 'Set up a second factor',
      csrf,
      action: '/sign-in/second-step',
      cancelUrl: '/sign-in',
      refusal: 'This code is wrong. The app shows a new one every half minute.',
      totp,
      passkey: passkeyOffer,
    },
  },
  totp: {
    plain: {
      title: 'Set up an authenticator app',
      viewer,
      csrf,
      action: '/account/security/totp/confirm',
      cancelUrl: '/account/security',
      totp,
    },
  },
  'recovery-codes': {
    plain: {
      title: 'Recovery codes',
      viewer,
      csrf,
      codes: Array.from({ length: 10 }, (_, nth) => `7K3M9Q-X2V8RT-4H6JNP-${nth}WYZAB`),
      doneUrl: '/account/security',
    },
  },
  'add-passkey': {
    refused: {
      title: 'Add a passkey',
      viewer,
      csrf,
      action: '/account/security/passkeys/confirm',
      cancelUrl: '/account/security',
      refusal: 'This passkey is here already, or belongs to another account.',
      passkey: passkeyOffer,
    },
  },
};
