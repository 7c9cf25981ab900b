/** What the pages that mailed links lead to look like with believable content, and the account page's other states. */
import type { ViewModels } from '../../src/web/views.ts';

const csrf = 'c3Jm-9f8a7b6c5d4e3f2a1b0c';
const link = 'Zm9yZ290dGVuLXBhc3N3b3JkLWxpbmstMDEyMzQ1Njc4';
const viewer = { username: 'mira.lindqvist' };
const createdAt = { iso: '2024-02-03T10:20:00Z', text: '3 February 2024' };

export const accountActions = {
  changeUsernameAction: '/account/username',
  downloadAction: '/account/download',
  deleteAction: '/account/delete',
  language: { name: 'English', action: '/account/language', others: [{ tag: 'de', name: 'Deutsch' }] },
};

const page = { title: 'Account', viewer, csrf, emailConfirmed: false, ...accountActions, createdAt, deviceCount: '2' };
const withMail = { ...page, verifyAction: '/account/verify', changeEmailAction: '/account/email' };

export const accountStates = {
  unconfirmed: {
    ...withMail,
    email: 'mira@example.org',
    refusal: { field: 'email', text: 'This does not look like one e-mail address, such as name@example.org.' },
  },
  nameTaken: {
    ...withMail,
    email: 'mira@example.org',
    refusal: { field: 'new_username', text: 'This username is taken.' },
  },
  withoutMail: { ...page, email: '', refusal: { field: 'confirm', text: 'Nothing was deleted.' } },
} satisfies Record<string, ViewModels['account']>;

type MailedPage = 'reset' | 'new-password' | 'register' | 'register-confirm' | 'mailed-link' | 'message';

export const mailedFixtures: { readonly [Name in MailedPage]: Readonly<Record<string, ViewModels[Name]>> } = {
  reset: {
    plain: { title: 'Forgotten password', csrf, action: '/reset', cancelUrl: '/sign-in' },
    refused: {
      title: 'Forgotten password',
      csrf,
      action: '/reset',
      cancelUrl: '/sign-in',
      refusal: 'Too many attempts. Nothing was checked this time. Try again in 12 seconds.',
    },
  },
  'new-password': {
    plain: {
      title: 'Choose a new password',
      csrf,
      action: '/reset/confirm',
      link,
      username: viewer.username,
      minimumLength: 15,
      signOutDevicesChecked: true,
    },
    refused: {
      title: 'Choose a new password',
      csrf,
      action: '/reset/confirm',
      link,
      username: viewer.username,
      minimumLength: 10,
      signOutDevicesChecked: false,
      refusal: 'Use at least 10 characters. A few unrelated words make a good password.',
    },
  },
  register: {
    plain: { title: 'Make an account', csrf, action: '/register', cancelUrl: '/sign-in' },
    refused: {
      title: 'Make an account',
      csrf,
      action: '/register',
      cancelUrl: '/sign-in',
      refusal: 'This does not look like one e-mail address, such as name@example.org.',
    },
  },
  'register-confirm': {
    plain: {
      title: 'Make an account',
      csrf,
      action: '/register/confirm',
      link,
      email: 'mira@example.org',
      username: '',
      minimumLength: 15,
    },
    nameTaken: {
      title: 'Make an account',
      csrf,
      action: '/register/confirm',
      link,
      email: 'mira@example.org',
      username: 'mira',
      minimumLength: 15,
      refusal: { field: 'username', text: 'This username is taken. Choose another one.' },
    },
    badPassword: {
      title: 'Make an account',
      csrf,
      action: '/register/confirm',
      link,
      email: 'mira@example.org',
      username: 'mira',
      minimumLength: 15,
      refusal: { field: 'password', text: 'Use at least 15 characters. A few unrelated words make a good password.' },
    },
  },
  'mailed-link': {
    notMe: {
      title: 'This was not me',
      csrf,
      action: '/not-me',
      link,
      headline: 'Was this not you?',
      message: 'Then secure the account mira.lindqvist. One press, and:',
      points: [
        'Every browser, phone, TV and server loses access at once, and every app is told.',
        'No browser is trusted any more: the second factor is asked for everywhere.',
      ],
      label: 'Secure my account',
    },
    verify: {
      title: 'Confirm your address',
      csrf,
      action: '/verify',
      link,
      headline: 'Is this your address?',
      message: 'Confirm that mail to mira@example.org reaches you.',
      points: [],
      label: 'Confirm this address',
    },
  },
  message: {
    mailed: {
      title: 'Look in your mail',
      headline: 'Look in your mail',
      message: 'If there is an account of this name, a link is on its way to its e-mail address.',
      next: 'If nothing comes, look among the unwanted mail, or ask for another one.',
      link: { href: '/reset', label: 'Ask for another link' },
    },
    bare: {
      title: 'The link is useless now',
      headline: 'The link is useless now',
      message: 'No account can be made with it any more.',
      next: 'There is nothing else to do.',
    },
  },
};
