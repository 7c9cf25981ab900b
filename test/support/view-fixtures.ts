/**
 * What every page looks like with believable content: the models that the unit test asserts on and the gallery shows.
 *
 * Each page has at least one state, and one for each branch of its template that changes what a person can do.
 */
import type { Instant, PageName, ReceiptBodyView, ViewModels } from '../../src/web/views.ts';

import { accountActions, accountStates, mailedFixtures } from './mailed-fixtures.ts';
import { events, factorFixtures, manyFactors, neededFactors, noFactors, passkeyOffer } from './factor-fixtures.ts';
import { devicesWaiting, nobodyWaiting } from './waiting-fixtures.ts';

export type Fixtures = { readonly [Name in PageName]: Readonly<Record<string, ViewModels[Name]>> };

const csrf = 'c3Jm-9f8a7b6c5d4e3f2a1b0c';
const viewer = { username: 'mira.lindqvist' };

function instant(iso: string, text: string): Instant {
  return { iso, text };
}

/** The provider's device form, as it hands it over: its own field is in the way of ours. */
function deviceInputForm(): string {
  return `<form id="op.deviceInputForm" novalidate method="post" action="https://id.example.org/device">
  <input type="hidden" name="xsrf" value="9d1e7c"/>
  <input
    type="text" name="user_code" placeholder="Enter code" onfocus="this.select(); this.onfocus = undefined;" autofocus autocomplete="off"></input>
  </form>`;
}

function deviceConfirmForm(): string {
  return `<form id="op.deviceConfirmForm" method="post" action="https://id.example.org/device">
<input type="hidden" name="xsrf" value="9d1e7c"/>
<input type="hidden" name="user_code" value="WDJB-MJHT"/>
<input type="hidden" name="confirm" value="yes"/>
</form>`;
}

function logoutForm(): string {
  return `<form id="op.logoutForm" method="post" action="https://id.example.org/session/end/confirm"><input type="hidden" name="xsrf" value="9d1e7c"/></form>`;
}

/** A client's logo that needs no network: what a registration may hold as well. */
const logoUri =
  'data:image/svg+xml,%3Csvg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 56 56"%3E%3Crect width="56" height="56" rx="12" fill="%230d6b63"/%3E%3Ccircle cx="28" cy="28" r="13" fill="%23ffe9b8"/%3E%3C/svg%3E';

const receiptRunning: ReceiptBodyView = {
  headline: 'Access has ended',
  endedAt: instant('2026-11-23T21:14:07Z', '23 November 2026, 21:14:07 UTC'),
  by: 'You',
  reason: 'Laptop left on a train',
  scope: 'All devices of mira.lindqvist',
  summary: { told: 4, waiting: 1, trying: 1, refused: 1, unreachable: 1, notApplicable: 1, total: 9 },
  rows: [
    {
      app: 'Lumen',
      device: 'Firefox on Linux',
      outcome: 'told',
      text: 'Told at',
      at: instant('2026-11-23T21:14:07Z', '21:14:07'),
    },
    {
      app: 'Lumen',
      device: 'Pixel 11',
      outcome: 'told',
      keepsAccess: true,
      text: 'Keeps its offline access. Told at',
      at: instant('2026-11-23T21:14:08Z', '21:14:08'),
    },
    {
      app: 'Halcyon Player for very large living rooms',
      device: 'Bravia television in the holiday home by the lake',
      outcome: 'trying',
      text: 'Not reached yet. Trying again at',
      at: instant('2026-11-23T21:15:30Z', '21:15:30'),
    },
    {
      app: 'Attic Server',
      device: 'attic.home.example',
      outcome: 'unreachable',
      text: 'Its address may not be called from here. It finds out at its next request',
    },
    {
      app: 'Old Radio',
      device: 'Kitchen',
      outcome: 'refused',
      text: 'Told, and refused to listen. It finds out at its next request',
    },
    {
      app: 'Lumen TV',
      device: 'Living room',
      outcome: 'not-applicable',
      text: 'Finds out at its next request',
    },
    { app: 'Songbook', device: 'Safari on iPad', outcome: 'waiting', text: 'Being told now' },
  ],
  moreRows: 2,
  lastTokenExpiresAt: instant('2026-11-23T21:19:02Z', '21:19:02 UTC'),
  done: false,
};

const receiptDone: ReceiptBodyView = {
  headline: 'Access has ended',
  endedAt: instant('2026-11-23T21:14:07Z', '23 November 2026, 21:14:07 UTC'),
  by: 'You',
  scope: 'All devices of mira.lindqvist',
  summary: { told: 0, trying: 0, refused: 0, unreachable: 0, notApplicable: 0, total: 0 },
  rows: [],
  done: true,
};

export const fixtures: Fixtures = {
  'sign-in': {
    plain: { title: 'Sign in', action: '/sign-in', csrf, username: '', connections: [] },
    full: {
      title: 'Sign in',
      action: '/interaction/u1/sign-in',
      csrf,
      client: { name: 'Lumen', logoUri },
      username: 'mira.lindqvist',
      refusal: 'That username and password do not match.',
      retryAfter: 'Try again in 5 seconds.',
      note: 'You were signed out of all devices. Sign in again.',
      cancel: { action: '/interaction/u1/cancel' },
      connections: [
        { name: 'Acme', action: '/interaction/u1/connections/acme' },
        { name: 'Corp of Northern Lights', action: '/interaction/u1/connections/corp' },
      ],
      forgotPasswordUrl: '/reset',
      registerUrl: '/register',
      passkey: { action: '/interaction/u1/passkey', ...passkeyOffer },
    },
  },
  'confirm-identity': {
    refused: {
      title: 'Confirm it is you',
      viewer,
      action: '/account/confirm',
      csrf,
      username: viewer.username,
      what: 'Sign out of all devices',
      fields: [{ name: 'act', value: 'sign-out-all' }],
      submitLabel: 'Confirm and sign out',
      refusal: 'That password is not right.',
      refused: 'password',
      cancelUrl: '/account/security',
      password: true,
      code: true,
      connections: [{ name: 'Acme', action: '/account/confirm/acme?act=%2Faccount%2Fsign-out-all' }],
    },
    byTheKeyAlone: {
      title: 'Confirm it is you',
      viewer,
      action: '/account/security/passkeys/remove',
      csrf,
      username: viewer.username,
      what: 'Remove this passkey',
      fields: [{ name: 'passkey_id', value: 'pk-2' }],
      submitLabel: 'Remove this passkey',
      refusal: 'This passkey asked for no PIN, finger or face, and is not enough by itself.',
      refused: 'passkey-password',
      cancelUrl: '/account/security',
      password: false,
      code: false,
      passkey: passkeyOffer,
      passkeyPassword: true,
      connections: [],
    },
    byProvider: {
      title: 'Confirm it is you',
      viewer,
      action: '/account/confirm',
      csrf,
      username: viewer.username,
      what: 'Sign out of all devices',
      fields: [],
      submitLabel: 'Sign out of all devices',
      password: false,
      code: false,
      passkey: passkeyOffer,
      connections: [{ name: 'Acme', action: '/account/confirm/acme?act=%2Faccount%2Fsign-out-all' }],
    },
    plain: {
      title: 'Confirm it is you',
      viewer,
      action: '/account/confirm',
      csrf,
      username: viewer.username,
      what: 'Sign out of all devices',
      fields: [{ name: 'act', value: 'sign-out-all' }],
      submitLabel: 'Confirm and sign out',
      password: true,
      code: false,
      connections: [],
    },
  },
  ...factorFixtures,
  ...mailedFixtures,
  consent: {
    full: {
      title: 'Allow Lumen?',
      action: '/interaction/u1/consent',
      csrf,
      client: {
        name: 'Lumen',
        uri: 'https://lumen.example',
        logoUri,
        policyUri: 'https://lumen.example/privacy',
        tosUri: 'https://lumen.example/terms',
      },
      account: { username: viewer.username },
      scopes: [
        { name: 'openid', description: 'Know that it is you' },
        { name: 'profile', description: 'See your name and picture' },
        { name: 'email', description: 'See your e-mail address' },
      ],
      offline: true,
    },
    bare: {
      title: 'Allow Songbook?',
      action: '/interaction/u2/consent',
      csrf,
      client: { name: 'Songbook' },
      account: { username: viewer.username },
      scopes: [{ name: 'openid', description: 'Know that it is you' }],
      offline: false,
    },
  },
  account: {
    plain: {
      title: 'Account',
      viewer,
      csrf,
      notice: { tone: 'success', text: 'Your e-mail address is verified.' },
      email: 'mira.lindqvist+curfew@a-rather-long-mail-domain.example.org',
      emailConfirmed: true,
      verifyAction: '/account/verify',
      changeEmailAction: '/account/email',
      ...accountActions,
      createdAt: instant('2024-02-03T10:20:00Z', '3 February 2024'),
      deviceCount: '100+',
    },
    ...accountStates,
  },
  security: {
    plain: {
      title: 'Security',
      viewer,
      csrf,
      changePassword: {
        action: '/account/security/password',
        minimumLength: 15,
        signOutDevicesChecked: true,
        code: true,
        changedAt: instant('2026-05-01T08:00:00Z', '1 May 2026'),
      },
      signOutAll: { action: '/account/sign-out-all' },
      deviceCount: '7',
      hasPassword: true,
      identities: [],
      linkable: [],
      waiting: nobodyWaiting,
      factors: manyFactors,
      events,
    },
    byProvider: {
      title: 'Security',
      viewer,
      csrf,
      changePassword: { action: '/account/password', minimumLength: 15, signOutDevicesChecked: true, code: false },
      signOutAll: { action: '/account/sign-out-all' },
      deviceCount: '2',
      hasPassword: false,
      identities: [
        {
          connection: 'Acme',
          name: 'mira.lindqvist@a-rather-long-mail-domain.example.org',
          linkedAt: instant('2026-05-01T08:00:00Z', '1 May 2026'),
          lastUsedAt: instant('2026-06-01T08:00:00Z', '1 June 2026'),
          unlink: undefined,
          unverified: false,
        },
        {
          connection: 'Corp of Northern Lights',
          name: 'mira',
          linkedAt: instant('2026-05-01T08:00:00Z', '1 May 2026'),
          lastUsedAt: instant('2026-06-01T08:00:00Z', '1 June 2026'),
          unlink: { action: '/account/security/unlink', subject: 'opaque' },
          unverified: true,
        },
      ],
      linkable: [{ name: 'Another Company', action: '/account/security/link', connection: 'another' }],
      waiting: nobodyWaiting,
      factors: noFactors,
      events: [],
    },
    refused: {
      title: 'Security',
      viewer,
      csrf,
      changePassword: {
        action: '/account/security/password',
        minimumLength: 15,
        signOutDevicesChecked: false,
        code: false,
        refusal: { field: 'password', text: 'The new password is too short.' },
      },
      signOutAll: { action: '/account/sign-out-all' },
      deviceCount: '1',
      hasPassword: true,
      identities: [],
      linkable: [{ name: 'Acme', action: '/account/security/link', connection: 'acme' }],
      waiting: nobodyWaiting,
      factors: neededFactors,
      events: events.slice(0, 1),
    },
    waiting: {
      title: 'Security',
      viewer,
      csrf,
      changePassword: { action: '/account/password', minimumLength: 15, signOutDevicesChecked: true, code: false },
      signOutAll: { action: '/account/sign-out-all' },
      deviceCount: '1',
      hasPassword: true,
      identities: [],
      linkable: [],
      waiting: devicesWaiting,
      factors: noFactors,
      events: [],
    },
  },
  devices: {
    some: {
      title: 'Devices',
      viewer,
      csrf,
      devices: [
        {
          id: 'd-01',
          current: true,
          app: 'Curfew',
          device: 'Firefox on Linux',
          place: '203.0.113.7',
          firstUsedAt: instant('2026-11-01T09:00:00Z', '1 November 2026'),
          lastUsedAt: instant('2026-11-23T21:13:00Z', '1 minute ago'),
          kind: 'browser',
        },
        {
          id: 'd-02',
          current: false,
          app: 'Lumen',
          device: 'Pixel 11',
          place: '198.51.100.22',
          firstUsedAt: instant('2026-08-14T19:30:00Z', '14 August 2026'),
          lastUsedAt: instant('2026-11-23T07:40:00Z', 'today, 07:40'),
          kind: 'app',
        },
        {
          id: 'd-03',
          current: false,
          app: 'Halcyon Player for very large living rooms',
          device: 'Bravia television in the holiday home by the lake',
          place: '2001:db8:85a3:1319:8a2e:370:7344:1234',
          firstUsedAt: instant('2025-12-24T17:00:00Z', '24 December 2025'),
          lastUsedAt: instant('2026-11-20T20:05:00Z', '20 November 2026'),
          kind: 'device',
          connectedFrom: 'Firefox on Linux',
        },
      ],
      signOutAction: '/account/devices/sign-out',
      signOutOthersAction: '/account/devices/sign-out-others',
      signOutAllAction: '/account/sign-out-all',
      moreUrl: '/account/devices?after=d-03',
    },
    later: {
      title: 'Devices',
      viewer,
      csrf,
      devices: [
        {
          id: 'd-04',
          current: false,
          app: 'Songbook',
          device: 'Safari on iPad',
          place: '198.51.100.22',
          firstUsedAt: instant('2026-10-02T18:00:00Z', '2 October 2026'),
          lastUsedAt: instant('2026-11-19T08:15:00Z', '19 November 2026'),
          kind: 'app',
        },
      ],
      signOutAction: '/account/devices/sign-out',
      signOutOthersAction: '/account/devices/sign-out-others',
      signOutAllAction: '/account/sign-out-all',
      moreUrl: '/account/devices?after=d-04',
      firstUrl: '/account/devices',
    },
    beyond: {
      title: 'Devices',
      viewer,
      csrf,
      devices: [],
      signOutAction: '/account/devices/sign-out',
      signOutOthersAction: '/account/devices/sign-out-others',
      signOutAllAction: '/account/sign-out-all',
      firstUrl: '/account/devices',
    },
    none: {
      title: 'Devices',
      viewer,
      csrf,
      devices: [],
      signOutAction: '/account/devices/sign-out',
      signOutOthersAction: '/account/devices/sign-out-others',
      signOutAllAction: '/account/sign-out-all',
    },
  },
  receipt: {
    running: {
      title: 'Access has ended',
      ...receiptRunning,
      refreshSeconds: 3,
      eventsUrl: '/sign-outs/s-1/events',
      signInUrl: '/account',
    },
    done: { title: 'Access has ended', viewer, csrf, ...receiptDone, eventsUrl: '/sign-outs/s-1/events' },
  },
  'receipt-body': {
    starting: { ...receiptDone, done: false },
    running: receiptRunning,
    settled: { ...receiptRunning, done: true },
    done: receiptDone,
  },
  'device-code': {
    plain: { title: 'Connect a device', viewer, csrf, form: deviceInputForm() },
    refused: {
      title: 'Connect a device',
      form: deviceInputForm(),
      userCode: 'WDJB-MJHX',
      refusal: 'That code is not known. Check it on your device.',
    },
  },
  'device-confirm': {
    plain: {
      title: 'Connect a device',
      viewer,
      csrf,
      form: deviceConfirmForm(),
      app: 'Attic Server',
      place: '203.0.113.7',
      device: 'Mozilla/5.0 (X11; Linux aarch64) AtticServer/4.2 (+https://attic.example)',
      userCode: 'WDJB-MJHT',
    },
  },
  'device-done': {
    allowed: { title: 'Device connected', viewer, csrf, app: 'Attic Server', allowed: true },
    denied: { title: 'Device not connected', app: 'Attic Server', allowed: false },
  },
  'sign-out-confirm': {
    plain: { title: 'Sign out', form: logoutForm() },
    client: { title: 'Sign out', form: logoutForm(), client: { name: 'Lumen' } },
    fromProvider: {
      title: 'Sign out',
      form: logoutForm(),
      client: { name: 'Lumen' },
      upstream: { name: 'Corp of Northern Lights' },
    },
  },
  'federation-post': {
    plain: {
      title: 'On to Corp',
      name: 'Corp of Northern Lights',
      action: 'https://idp.corp.example/sso',
      fields: [
        { name: 'SAMLRequest', value: 'PHNhbWxwOkF1dGhuUmVxdWVzdC8+' },
        { name: 'RelayState', value: 'opaque' },
      ],
    },
  },
  'link-first': {
    plain: {
      title: 'Sign in to link',
      action: '/sign-in/federation/link',
      csrf,
      code: 'opaque',
      name: 'Acme',
      email: 'mira@example.org',
      cancelUrl: '/sign-in',
    },
    refused: {
      title: 'Sign in to link',
      action: '/sign-in/federation/link',
      csrf,
      code: 'opaque',
      name: 'Corp of Northern Lights',
      email: 'mira.lindqvist+curfew@a-rather-long-mail-domain.example.org',
      refusal: 'The username or password is wrong.',
      retryAfter: 'Try again in 5 seconds.',
      cancelUrl: '/sign-in',
    },
  },
  'signed-out': {
    fromProvider: {
      title: 'Signed out',
      csrf,
      signInUrl: '/sign-in',
      upstream: { name: 'Corp of Northern Lights', action: '/sign-out/upstream' },
    },
    plain: { title: 'Signed out', signInUrl: '/account' },
    client: { title: 'Signed out', client: { name: 'Lumen' }, signInUrl: 'https://lumen.example/' },
    clientFromProvider: {
      title: 'Signed out',
      csrf,
      client: { name: 'Lumen' },
      signInUrl: '/sign-in',
      upstream: { name: 'Corp of Northern Lights', action: '/sign-out/upstream' },
    },
    providerCannot: {
      title: 'Signed out',
      notice: {
        tone: 'warning',
        text: 'Corp of Northern Lights cannot be asked to sign you out from here. Sign out there by its own page.',
      },
      client: { name: 'Lumen' },
      signInUrl: '/sign-in',
      back: { name: 'Lumen', url: 'https://lumen.example/signed-out?state=opaque' },
    },
  },
  error: {
    expired: {
      title: 'Start again',
      status: 400,
      headline: 'This sign-in has expired',
      message: 'It was started too long ago, or your access was ended meanwhile.',
      next: 'Go back to the app you came from and sign in from there.',
      link: { href: '/account', label: 'Go to your account' },
      requestId: '0193a1f2-7c4e-7d1a-9b1e-2f6f0d8c4a11',
    },
    unavailable: {
      title: 'Not available',
      status: 503,
      headline: 'Curfew cannot answer right now',
      message: 'Nothing was changed.',
      next: 'Wait a minute and try again.',
      requestId: '0193a1f2-7c4e-7d1a-9b1e-2f6f0d8c4a12',
    },
  },
};

/** One state of one page. `page` and `model` belong together; the type of the list does not say so. */
export type FixtureCase = { page: PageName; state: string; model: ViewModels[PageName] };

export function everyFixture(): FixtureCase[] {
  return Object.entries(fixtures).flatMap(([page, states]) =>
    Object.entries(states).map(([state, model]) => ({ page: page as PageName, state, model })),
  );
}
