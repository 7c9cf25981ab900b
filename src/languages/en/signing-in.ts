/** Signing in, in English: the pages between an app and somebody's password. */
import { sentence, text } from '../text.ts';

export const signIn = {
  title: 'Sign in',
  heading: 'Sign in',
  toContinue: (app: string) => sentence`to continue to ${app}`,
  username: 'Username or e-mail',
  password: 'Password',
  submit: 'Sign in',
  forgot: 'Forgot your password?',
  register: 'Create an account',
  usePasskey: 'Use a passkey',
  otherWays: 'or sign in another way',
  continueWith: (connection: string) => text`Continue with ${connection}`,
  cancel: 'Cancel and go back',
  wrong: 'The username or password is wrong.',
  done: {
    'password-reset': 'Your password was changed. Sign in with the new one.',
    registered: 'Your account is made. Sign in to it.',
  },
  /** Why somebody who has a Session is asked again. */
  notes: {
    client_signed_out: 'Everybody was signed out of this app. Sign in again.',
    device_signed_out: 'You signed out of this app in this browser. Sign in again.',
    acr_not_met: 'The app asks for a second factor. Sign in again to go on.',
    max_age: 'The app asks you to sign in again to go on.',
  },
};

/** What is wrong about a password or a code that was typed. */
export const attempts = {
  inSeconds: (seconds: number) => `in ${seconds} second${seconds === 1 ? '' : 's'}`,
  inMinutes: (minutes: number) => `in ${minutes} minutes`,
  tryAgain: (when: string) => `Try again ${when}.`,
  wrongPassword: 'The password is wrong.',
  resetRequired: 'This password is right, and is not accepted any more: it may have become known to others.',
  resetRequiredNext: 'Choose a new one: press "Forgot your password?".',
  throttled: 'Too many attempts. Nothing was checked this time.',
  locked: 'Signing in with this password is switched off after too many wrong attempts.',
  lockedNext: 'Ask whoever runs this service to set a new password.',
  overloaded: 'Too many people are signing in right now.',
  tooBusy: 'Too much is going on right now. Try again in a moment.',
  wrongCode: 'This code is wrong, or was used before.',
  codesLocked: 'These codes are switched off after too many wrong ones.',
  codesLockedNext: 'Use another second factor, or ask whoever runs this service.',
};

export const secondStep = {
  title: 'One more step',
  heading: 'One more step',
  typeAppCode: 'Type the code that your authenticator app shows now.',
  usePasskey: 'Use your passkey to go on.',
  typeRecoveryCode: 'Type one of your recovery codes.',
  code: 'Code',
  recoveryHint: 'No phone at hand? A recovery code works here as well, once.',
  onceHint: 'Each code works once.',
  trust: 'Do not ask in this browser for 30 days',
  submit: 'Go on',
  cancel: 'Cancel and start again',
  startAgain: 'This sign-in took too long, had too many wrong codes, was finished already, or was ended by a sign-out.',
  startAgainNext: 'Sign in once more from the beginning.',
};

export const secondStepSetup = {
  title: 'Set up a second factor',
  heading: 'Set up a second factor',
  lede: 'To go on you need a second proof that it is you, now and from now on: something you have. It takes a minute.',
  orPasskey: 'or with a passkey',
};

export const totp = {
  title: 'Set up an authenticator app',
  heading: 'Set up an authenticator app',
  lede: 'Its codes are asked for after your password, or after your other sign-in.',
  scan: 'Scan this picture with an authenticator app.',
  picture: 'QR code that holds the secret, which can be typed instead: it is below',
  noCamera: 'No camera? Type the secret instead',
  typeCode: 'Type the code that the app shows',
  submit: 'Turn it on',
  wrongCode: 'This code is wrong. The app shows a new one every half minute.',
  wrongCodeOrClock:
    'This code is wrong. The app shows a new one every half minute; the clock of the phone must be right.',
  tookTooLong: 'This took too long. Scan the new picture, and type the code it gives.',
};

export const passkeys = {
  add: 'Add a passkey',
  addLede: 'A passkey signs you in by your fingerprint, face or PIN, and cannot be typed into a false page.',
  name: 'A name for it',
  nameHint: 'So that you know later which one it is: "Phone", "Key on my ring".',
  notAdded: 'No passkey was added. Try again, or take the other way.',
  notUsed: 'The passkey was not used. Try again, or go on another way.',
  withPassword: 'Your password, to go with the passkey',
  needScript: 'Passkeys need script, and this browser runs none here.',
  // The first of these is no fault of the passkey's: a page that was left open has an old challenge, and this one a new one.
  refused: 'This passkey was not accepted. Try once more; it may also belong to another service, or have been removed.',
  notAccepted: 'This passkey was not accepted.',
  notAcceptedAgain: 'This passkey was not accepted. Try once more.',
  notAlone: 'This passkey asked for no PIN, finger or face, and is not enough by itself.',
  addRefusals: {
    'not-verified': 'This passkey was not accepted. Try again.',
    known: 'This passkey is here already, or belongs to another account.',
    'too-many': 'There are twenty passkeys already. Remove one first.',
  },
};

export const confirmIdentity = {
  title: 'Confirm it is you',
  heading: 'Confirm it is you',
  askedPassword: (act: string) => sentence`You asked: ${act}. Enter your password once more and it will be done.`,
  askedPasskey: (act: string) => sentence`You asked: ${act}. Use your passkey once more and it will be done.`,
  askedSignIn: (act: string) => sentence`You asked: ${act}. Sign in once more and it will be done.`,
  account: 'Account',
  code: 'Code of your second factor',
  withPasskey: 'Confirm with a passkey',
  otherWays: 'Other ways to confirm',
  anotherWay: 'or confirm another way',
};

export const linkFirst = {
  title: 'Sign in to link',
  heading: (connection: string) => text`Sign in to link ${connection}`,
  lede: (email: string, connection: string) =>
    sentence`There is an account here with the address ${email}. If it is yours, sign in to it once, and from then on ${{ plain: connection }} signs you in to it.`,
  cancel: 'Not mine: sign in another way',
};

export const federationPost = {
  title: (connection: string) => text`On to ${connection}`,
  lede: 'You sign in there and come back here.',
  submit: (connection: string) => text`Continue to ${connection}`,
};
