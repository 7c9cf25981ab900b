/** What an app asks for, a device, and signing out for an app, in English. */
import { sentence, text } from '../text.ts';

export const consent = {
  title: 'Allow access',
  heading: (app: string) => sentence`Allow ${app}?`,
  lede: (username: string) => sentence`It asks to use your account ${username}.`,
  wouldBeAble: (app: string) => sentence`${app} would be able to`,
  offline: 'Keep its access while you are away, until you sign it out',
  allow: 'Allow',
  deny: 'Deny',
  endAnyTime: 'You can end this at any time on your devices page.',
  about: 'About this app',
  policy: 'Its privacy policy',
  terms: 'Its terms',
  anApp: 'an app',
  scopes: {
    openid: { name: 'Know who you are', description: 'Recognise you when you come back.' },
    profile: { name: 'Your profile', description: 'See your username.' },
    email: { name: 'Your e-mail address', description: 'See your e-mail address.' },
  },
};

export const deviceCode = {
  title: 'Connect a device',
  heading: 'Connect a device',
  lede: 'Enter the code that your TV, player or server shows.',
  code: 'Code',
  submit: 'Continue',
  warning: 'Only enter a code from a device in front of you. Nobody should send you one.',
  refusals: {
    missing: 'Type the code your device shows.',
    unknown: 'This code is not known, or has expired. Check it, or ask your device for a new one.',
    denied: 'The device was not let in. If you want it after all, ask it for a new code.',
    failed: 'That did not work. Ask your device for a new code and type it here.',
  },
};

export const deviceConfirm = {
  title: 'Connect a device',
  heading: (app: string) => sentence`Connect ${app}?`,
  lede: 'Look at your device. It must show this code:',
  code: 'Code: ',
  app: 'App',
  askedFrom: 'Asked from',
  device: 'Device',
  warning:
    'Allow this only if you started it yourself, just now, on your own device, and see the same code there. If somebody sent you the code or a link, press Deny.',
  allow: 'Allow',
  deny: 'Deny',
  anApp: 'An app',
};

export const deviceDone = {
  title: 'Device connected',
  connected: (app: string) => sentence`${app} is connected`,
  connectedLede: 'Go back to your device; it carries on in a moment. You can close this page.',
  notConnected: (app: string) => sentence`${app} was not connected`,
  notConnectedLede: 'It got no access to your account. You can close this page.',
  whereToEnd: (href: string) => sentence`You can sign any device out on ${{ href, label: 'your devices page' }}.`,
  yourDevice: 'Your device',
};

export const signOutConfirm = {
  title: 'Sign out',
  heading: 'Sign out?',
  appAsks: (app: string) => sentence`${app} asks to sign you out of this browser.`,
  anAppAsks: 'An app asks to sign you out of this browser.',
  cameThrough: (connection: string) =>
    sentence`You came here through ${connection}. Signing out here leaves you signed in there.`,
  signOut: 'Sign out',
  signOutBoth: (connection: string) => text`Sign out here and at ${connection}`,
  stay: 'Stay signed in',
};

export const signedOut = {
  title: 'Signed out',
  heading: 'You are signed out',
  appAsked: (app: string) => sentence`${app} asked for it, and this browser is signed out.`,
  lede: 'This browser is signed out.',
  stillThere: (connection: string) => sentence`You are still signed in at ${connection}, where you came from.`,
  alsoThere: (connection: string) => text`Also sign out of ${connection}`,
  goOn: (app: string) => text`Go on to ${app}`,
  theApp: 'the app',
  signInAgain: 'Sign in again',
  cannotBeAsked: (connection: string) =>
    text`${connection} cannot be asked to sign you out from here. Sign out there by its own page.`,
  /** What a provider answered when it was asked to sign somebody out as well. */
  answers: {
    everywhere: (connection: string) => text`${connection} has signed you out as well.`,
    'in-part': (connection: string) =>
      text`${connection} could not sign you out of everything that you had signed in to through it. Sign out there by its own page, or close your browser.`,
    refused: (connection: string) =>
      text`${connection} did not sign you out. You may still be signed in there: sign out by its own page.`,
    'not-verified': (connection: string) =>
      text`What ${connection} answered could not be verified. You may still be signed in there: sign out by its own page.`,
  },
};
