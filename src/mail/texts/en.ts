/** Mails in English. */
import type { FactorChange } from '../mails.ts';
import { instantIn, type Texts } from './texts.ts';

const SECURE = 'Press “This was not me”: it shows what was done and lets you secure your account.';

const FACTOR_SUBJECTS: Readonly<Record<FactorChange, string>> = {
  'authenticator-added': 'An authenticator app was added to your account',
  'authenticator-removed': 'The authenticator app was removed from your account',
  'passkey-added': 'A passkey was added to your account',
  'passkey-removed': 'A passkey was removed from your account',
  'recovery-codes-replaced': 'Your recovery codes were replaced',
  'recovery-code-used': 'A recovery code was used to sign in',
};

export const en: Texts = {
  language: 'en',
  direction: 'ltr',
  instant: instantIn('en-GB'),
  facts: { when: 'When', address: 'From address', device: 'With', by: 'By' },
  unknown: 'unknown',
  byOperator: (site) => `the people who run ${site}`,
  notMe: 'This was not me',
  copyLink: 'Or open this address in your browser:',
  goodUntil: (instant) => `It works until ${instant}.`,
  footer: (site) =>
    `This message was sent by ${site}. Links in it lead to ${site} and nowhere else, and nobody there will ever ask for your password by mail.`,

  mails: {
    'email-verification': (_mail, { site }) => ({
      subject: 'Confirm your e-mail address',
      happened: `This address was given for an account at ${site}.`,
      advice: 'Confirm that it is yours, so that we can reach you here.',
      action: 'Confirm this address',
      notMe: 'If you have no account there, say so: the address is then taken off it.',
    }),
    'email-change-confirm': (_mail, { site }) => ({
      subject: 'Confirm your new e-mail address',
      happened: `Somebody with an account at ${site} wants to use this address for it from now on.`,
      advice: 'Nothing changes until you confirm it.',
      action: 'Use this address',
      notMe: 'If you did not ask for this, do not confirm it. You can tell us, too:',
    }),
    'email-changed': ({ revertExpiresAt }, { site, instant }) => ({
      subject: 'Your e-mail address was changed',
      happened: `The e-mail address of your account at ${site} was changed. From now on mail goes to the new address; this is the last message to this one.`,
      notMe: `If you did not do this, take it back: your account gets this address again. That is possible until ${instant(revertExpiresAt)}.`,
    }),
    'password-reset': (_mail, { site }) => ({
      subject: 'Choose a new password',
      happened: `Somebody asked to choose a new password for your account at ${site}.`,
      advice: 'If it was you, go on here. Until you do, nothing has changed.',
      action: 'Choose a new password',
      notMe: 'If it was not you, you need not do anything. You can tell us, and the link above stops working:',
    }),
    'password-reset-sso': ({ connections }, { site }) => ({
      subject: 'There is no password to reset',
      happened: `Somebody asked to choose a new password for your account at ${site}. There is none: you sign in with ${list(connections)}.`,
      advice: `If you cannot sign in there, ask for help there.`,
      action: 'Go to sign-in',
      notMe: 'If it was not you, you need not do anything. You can tell us:',
    }),
    'password-changed': (_mail, { site }) => ({
      subject: 'Your password was changed',
      happened: `The password of your account at ${site} was changed.`,
      notMe: `If you did not do this, somebody else may be in your account. ${SECURE}`,
    }),
    'password-reset-required': (_mail, { site }) => ({
      subject: 'Please choose a new password',
      happened: `To protect your account at ${site}, its password no longer works, and you were signed out.`,
      advice:
        'You did nothing wrong. Choose a new password, one that you use nowhere else, and you can sign in as before.',
      action: 'Choose a new password',
    }),
    'access-ended': (_mail, { site }) => ({
      subject: 'You were signed out as a precaution',
      happened: `To protect your account at ${site}, it was signed out of all devices and all apps.`,
      advice: 'You did nothing wrong. Sign in again wherever you want to go on, as you always do.',
      action: 'Sign in',
    }),
    'account-locked': (_mail, { site }) => ({
      subject: 'Your account was locked as a precaution',
      happened: `To protect your account at ${site}, it was signed out of all devices and all apps, and locked.`,
      advice: `You did nothing wrong. Until the people who run ${site} open it again, nobody can sign in to it.`,
    }),
    'second-factor-changed': ({ change, name, left }, { site }) => ({
      subject: FACTOR_SUBJECTS[change],
      happened: factorChanged(change, name, site),
      ...(left !== null && { advice: recoveryCodesLeft(left) }),
      notMe: `If you did not do this, somebody else may be in your account. ${SECURE}`,
    }),
    'new-sign-in': (_mail, { site }) => ({
      subject: 'New sign-in to your account',
      happened: `Somebody signed in to your account at ${site} from a device that we have not seen before.`,
      advice: 'If it was you, there is nothing to do.',
      notMe: `If it was not you, somebody else is in your account. ${SECURE}`,
    }),
    'signed-out-everywhere': (_mail, { site }) => ({
      subject: 'You were signed out of all devices',
      happened: `Your account at ${site} was signed out of all devices and all apps.`,
      advice: 'Sign in again wherever you want to go on.',
      notMe: `If you did not ask for this, somebody else may be in your account. ${SECURE}`,
    }),
    'account-deleted': (_mail, { site }) => ({
      subject: 'Your account was deleted',
      happened: `Your account at ${site} was deleted, with everything that was kept about you there. All devices and apps were signed out.`,
      advice: `This cannot be undone. If this was not you, tell the people who run ${site}.`,
    }),
    invite: ({ invitedBy }, { site }) => ({
      subject: `You are invited to ${site}`,
      happened: `${invitedBy ?? `The people who run ${site}`} invited you to make an account at ${site}.`,
      advice: 'If you do not want one, ignore this message: no account is made unless you make it.',
      action: 'Make an account',
    }),
    'identity-linked': ({ connection }, { site }) => ({
      subject: `${connection} was linked to your account`,
      happened: `From now on your account at ${site} can be signed in to with ${connection}.`,
      notMe: `If you did not do this, somebody else may be in your account. ${SECURE}`,
    }),
    'identity-unlinked': ({ connection }, { site }) => ({
      subject: `${connection} was unlinked from your account`,
      happened: `Your account at ${site} can no longer be signed in to with ${connection}. Whoever came through it was signed out.`,
      notMe: `If you did not do this, somebody else may be in your account. ${SECURE}`,
    }),
    'registration-duplicate': (_mail, { site }) => ({
      subject: 'You have an account already',
      happened: `Somebody tried to make an account at ${site} with your e-mail address. You have one there already, and it was not touched.`,
      advice: 'If it was you, sign in. If you have forgotten your password, you can choose a new one there.',
      action: 'Go to sign-in',
      notMe: 'If it was not you, you need not do anything. You can tell us:',
    }),
  },
};

function factorChanged(change: FactorChange, name: string | null, site: string): string {
  const named = name === null ? '' : ` “${name}”`;
  switch (change) {
    case 'authenticator-added':
      return `An authenticator app${named} was added to your account at ${site}. Signing in with a password now asks for its code as well.`;
    case 'authenticator-removed':
      return `The authenticator app${named} was removed from your account at ${site}. Its codes no longer work.`;
    case 'passkey-added':
      return `The passkey${named} was added to your account at ${site}. It can be used to sign in.`;
    case 'passkey-removed':
      return `The passkey${named} was removed from your account at ${site}. It no longer signs anybody in.`;
    case 'recovery-codes-replaced':
      return `New recovery codes were made for your account at ${site}. The old ones no longer work.`;
    case 'recovery-code-used':
      return `A recovery code was used to sign in to your account at ${site}.`;
  }
}

function recoveryCodesLeft(left: number): string {
  if (left === 0) return 'No recovery code is left. Make new ones on your security page.';
  return left === 1 ? 'One recovery code is left.' : `${left} recovery codes are left.`;
}

const list = (names: readonly string[]): string => new Intl.ListFormat('en', { type: 'disjunction' }).format(names);
