/** What mailed links lead to, and the pages that send them, in English. */
import { sentence, text } from '../text.ts';

const TO_SIGN_IN = 'Go to sign-in';
const NOTHING_ELSE = 'There is nothing else to do.';
const NOT_ME = 'This was not me';
const USELESS = 'Make the link useless';
const USELESS_NOW = 'The link is useless now';
const ENDS_EVERYWHERE = 'Every browser, phone, TV and server loses access at once, and every app is told.';

export const mailed = {
  toSignIn: TO_SIGN_IN,
  toAccount: 'Go to your account',
  seeReceipt: 'See the receipt',
  lookInMail: 'Look in your mail',
  orClose: 'If you do not want that, close this page: nothing has changed.',
  dead: {
    title: 'This link does not work',
    headline: 'This link does not work any more',
    message: 'It was used already, is too old, or was ended by something that happened since. Nothing was changed.',
  },
  noMail: {
    headline: 'This cannot be done by mail here',
    message: 'This service sends no mail.',
    next: 'Ask whoever runs it: they can set a new password, or make an account for you.',
  },
};

export const reset = {
  title: 'Forgotten password',
  heading: 'Forgotten password',
  lede: 'We send a link to the e-mail address of your account. With it you choose a new one.',
  username: 'Username or e-mail',
  submit: 'Send reset link',
  badIdentifier: 'Type one username, or one e-mail address such as name@example.org.',
  sent: 'If there is an account of this name, a link to choose a new password is on its way to its e-mail address.',
  sentNext: 'The link works for half an hour. If nothing comes, look among the unwanted mail, or ask for another one.',
  again: 'Ask for another link',
  deadNext: 'Ask for another one.',
};

export const newPassword = {
  title: 'Choose a new password',
  heading: 'Choose a new password',
  lede: (username: string) => sentence`For the account ${username}.`,
  submit: 'Change password',
};

export const register = {
  title: 'Make an account',
  heading: 'Make an account',
  lede: 'First your e-mail address. We send a link there that leads to the next step.',
  email: 'E-mail address',
  submit: 'Send confirmation link',
  sent: 'A message is on its way to the address you gave. Its link leads to the next step.',
  sentNext: 'It works for a day. If nothing comes, look among the unwanted mail, and check how the address is written.',
  again: 'Give another address',
  confirmed: (email: string) => sentence`Your address ${email} is confirmed. Choose a name and a password.`,
  username: 'Username',
  usernameHint: 'Letters (a–z), digits, dots, dashes and underscores.',
  password: 'Password',
  taken: 'This username is taken. Choose another one.',
  make: 'Make my account',
  deadNext: 'If an account was made with it, sign in. If not, begin again.',
  closed: {
    headline: 'Accounts are made by operators',
    message: 'Nobody can make an account here by themselves.',
    next: 'Ask whoever runs this service for one.',
  },
  invite: {
    headline: 'Accounts are by invitation',
    message: 'To make an account here, open the link in your invitation.',
  },
  decline: {
    title: NOT_ME,
    headline: 'Was this not you?',
    message: (email: string) => text`Somebody wanted to make an account with the address ${email}. None was made.`,
    points: ['The link in the message stops working, and no account is made with it.'],
    label: USELESS,
    done: USELESS_NOW,
    doneMessage: 'No account can be made with it any more.',
    doneNext: NOTHING_ELSE,
  },
};

export const email = {
  nothingElse: NOTHING_ELSE,
  deadNext: 'Ask for another one on your account page.',
  verify: {
    title: 'Confirm your address',
    headline: 'Is this your address?',
    message: (address: string) => text`Confirm that mail to ${address} reaches you.`,
    label: 'Confirm this address',
    done: 'Your address is confirmed',
    doneMessage: (address: string) => text`Mail to ${address} reaches you.`,
  },
  disown: {
    title: NOT_ME,
    headline: 'Have you no account here?',
    message: (address: string) => text`Then the address ${address} is taken off the account that it was given for.`,
    points: ['No more mail about that account comes to you.', 'You can use the address for an account of your own.'],
    label: 'Take my address off it',
    done: 'Your address was taken off',
    doneMessage: 'No account has it any more.',
  },
  change: {
    title: 'Use this address',
    headline: 'Use this address from now on?',
    message: (address: string) => text`Your account gets the address ${address}.`,
    points: ['Mail from us goes there.', 'You can sign in with it.', 'Your old address is told, and can take it back.'],
    label: 'Use this address',
    done: 'Your address was changed',
    doneMessage: (address: string) => text`From now on mail from us goes to ${address}.`,
  },
  decline: {
    title: NOT_ME,
    headline: 'Was this not you?',
    message: (address: string) =>
      text`Somebody wanted to use the address ${address} for their account. Nothing was changed.`,
    points: ['The link in the message stops working.'],
    label: USELESS,
    done: USELESS_NOW,
    doneMessage: 'Your address is used for no account by it.',
  },
  revert: {
    title: 'Take the change back',
    headline: 'Take the change of address back?',
    message: (address: string) => text`Your account gets the address ${address} again. One press, and:`,
    points: [
      ENDS_EVERYWHERE,
      'Your password stops working: choose a new one with the link that we send to this address.',
      'Links that were mailed to the other address stop working.',
      'Passkeys, apps and other ways to sign in that were added since are taken away.',
    ],
    label: 'Take the change back',
    taken: {
      title: 'This address is in use',
      headline: 'This address belongs to another account now',
      message: 'Access to your account has ended everywhere, and its password lets nobody in any more.',
      next: 'Ask whoever runs this service to give it an address of yours.',
    },
    done: 'The change was taken back',
    doneMessage: (address: string) => text`Your account has the address ${address} again. Access has ended everywhere.`,
    doneNext: 'Choose a new password now: a link is on its way to this address.',
    deadNext: 'If you cannot get in, ask whoever runs this service.',
  },
};

export const notMe = {
  title: NOT_ME,
  headline: 'Was this not you?',
  message: (username: string) => text`Then secure the account ${username}. One press, and:`,
  points: {
    ends: ENDS_EVERYWHERE,
    untrusted: 'No browser is trusted any more: the second factor is asked for everywhere.',
    added: (things: string) => `Taken away, since added at the time of this mail or after it: ${things}.`,
    links: 'Links to choose a new password that were mailed before stop working.',
  },
  /** Each may stand within a list. */
  things: {
    passkey: 'passkeys',
    totp: 'the authenticator app',
    'recovery-codes': 'recovery codes',
    'trusted-browser': 'trusted browsers',
    wayIn: (connection: string) => text`the way in through ${connection}`,
  },
  newLink: 'A new one goes to the e-mail address of the account.',
  label: 'Secure my account',
  done: 'Your account is secured',
  doneMessage: 'Access has ended everywhere, and every app is being told.',
  doneNext: 'Choose a new password now: a link is on its way to the e-mail address of the account.',
  doneNextNoMail: 'Ask whoever runs this service to set a new password.',
  deadNext: 'If you see something that you did not do, choose a new password.',
};
