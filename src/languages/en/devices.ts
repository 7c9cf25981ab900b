/** Devices, and the receipt of a sign-out, in English. */
import { sentence, text, type Instant } from '../text.ts';

/** What a device is called by what it says of itself. */
export const device = {
  on: (program: string, system: string) => `${program} on ${system}`,
  unknown: 'Unknown device',
  unknownPlace: 'Unknown place',
  thisMachine: (address: string) => `this machine (${address})`,
};

export const devices = {
  title: 'Your devices',
  heading: 'Devices',
  lede: 'Every browser, app and device that is signed in to your account.',
  signedInNow: 'Signed in now',
  on: 'on ',
  thisBrowser: 'This browser',
  place: 'Place',
  lastUsed: 'Last used',
  firstUsed: 'First used',
  connectedFrom: 'Connected from',
  fromThisBrowser: 'this browser',
  signOut: 'Sign out',
  noneHere: 'No devices on this page.',
  none: 'Nothing is signed in to your account.',
  more: 'More devices',
  first: 'First devices',
  many: 'Sign out of many at once',
  manyLede:
    'All other devices: this browser stays signed in. All devices: this browser is signed out as well. Either way you get a receipt.',
  signOutOthers: 'Sign out of all other devices',
  signOutAll: 'Sign out of all devices',
};

export const receipt = {
  title: 'Sign-out receipt',
  eyebrow: 'Sign-out receipt',
  headline: 'Access has ended',
  whatEnded: 'What ended',
  askedBy: 'Asked by',
  reason: 'Reason',
  lastToken: (at: Instant) =>
    sentence`Some apps check a short-lived token by themselves. The last one runs out at ${at}.`,
  whoWasTold: 'Who has been told',
  settled: (told: number, total: number) => `Told: ${told} of ${total}. No more notices will be sent.`,
  running: (told: number, total: number) =>
    `Told: ${told} of ${total}. Notices are still going out; this page keeps itself up to date.`,
  nobody: 'No app was signed in, so nobody had to be told.',
  starting: 'Access is gone already. Finding everyone who has to be told; this page keeps itself up to date.',
  counts: {
    told: 'Told',
    waiting: 'Waiting',
    trying: 'Trying again',
    refused: 'Refused',
    unreachable: 'Unreachable',
    notApplicable: 'Takes no notices',
    total: 'Total',
  },
  app: 'App',
  device: 'Device',
  outcome: 'Outcome',
  more: (rows: number) => `Not listed here: ${rows} more. They are in the counts above.`,
  signInAgain: 'Sign in again',
  signedOutSince: 'Signed out since',
  /** Worded to be followed by the instant, where there is one. */
  outcomes: {
    told: 'Told at',
    trying: 'Not reached yet. Trying again at',
    refused: 'Told, and refused to listen. It finds out at its next request',
    unreachable: 'Could not be reached. It finds out at its next request',
    'not-applicable': 'Finds out at its next request',
    waiting: 'Being told now',
  },
  unsent: {
    'address-refused': 'Its address may not be called from here. It finds out at its next request',
    'client-gone': 'Takes no notices any more. It finds out at its next request',
  },
  /** Of an app that stays connected there is no next request at which it would find out. */
  kept: {
    told: 'Keeps its offline access. Told at',
    trying: 'Keeps its offline access. Not reached yet. Trying again at',
    refused: 'Keeps its offline access. Told, and refused to listen',
    unreachable: 'Keeps its offline access. Could not be reached',
    'not-applicable': 'Keeps its offline access',
    waiting: 'Keeps its offline access. Being told now',
  },
  keptUnsent: {
    'address-refused': 'Keeps its offline access. Its address may not be called from here',
    'client-gone': 'Keeps its offline access. Takes no notices any more',
  },
  scopes: {
    everyone: 'Everyone, on all devices',
    client: (app: string) => text`Everyone, at ${app}`,
    connection: (connection: string) => text`Everyone who signed in through ${connection}`,
    identity: (connection: string) => text`Whatever you signed in to through ${connection}`,
    upstream: (connection: string) => text`Whatever you signed in to through one session at ${connection}`,
    account: 'All devices',
    'account-except': 'All other devices',
    device: 'One device',
    browser: 'One browser, and the apps signed in through it',
  },
  actors: {
    you: 'you',
    owner: "the account's owner",
    'another-account': 'another account',
    operator: 'an operator',
    'app-of-yours': 'an app you signed out of',
    'app-of-owner': "an app that the account's owner signed out of",
    system: 'Curfew',
  },
  /** Our own reasons; others are told as they were given. */
  reasons: {
    person: 'At your request',
    password: 'Your password was changed',
    passwordReset: 'Your password was reset by mail',
    passwordRequired: 'A new password is required',
    reported: 'You said: this was not me',
    emailReverted: 'A change of your e-mail address was taken back',
    browser: 'Signed out of this browser',
    disabled: 'The account was disabled',
    deleted: 'The account was deleted',
    clientRemoved: 'The app was removed',
    connectionRemoved: 'This way to sign in was removed',
    operator: 'At the request of an operator',
    personForOthers: "At the request of the account's owner",
    passwordForOthers: "The account's password was changed",
  },
};
