/** What an app asks for, a device, and signing out for an app, in German. */
import { sentence, text } from '../text.ts';
import type { Texts } from '../en.ts';

export const consent: Texts['consent'] = {
  title: 'Zugriff erlauben',
  heading: (app) => sentence`${app} erlauben?`,
  lede: (username) => sentence`Die App möchte Ihr Konto ${username} verwenden.`,
  wouldBeAble: (app) => sentence`${app} könnte`,
  offline: 'Den Zugriff behalten, auch wenn Sie nicht da sind, bis Sie die App abmelden',
  allow: 'Erlauben',
  deny: 'Ablehnen',
  endAnyTime: 'Sie können das jederzeit auf Ihrer Geräteseite beenden.',
  about: 'Über diese App',
  policy: 'Ihre Datenschutzerklärung',
  terms: 'Ihre Nutzungsbedingungen',
  anApp: 'eine App',
  scopes: {
    openid: { name: 'Wissen, wer Sie sind', description: 'Sie wiedererkennen, wenn Sie zurückkommen.' },
    profile: { name: 'Ihr Profil', description: 'Ihren Benutzernamen sehen.' },
    email: { name: 'Ihre E-Mail-Adresse', description: 'Ihre E-Mail-Adresse sehen.' },
  },
};

export const deviceCode: Texts['deviceCode'] = {
  title: 'Gerät verbinden',
  heading: 'Gerät verbinden',
  lede: 'Geben Sie den Code ein, den Ihr Fernseher, Player oder Server zeigt.',
  code: 'Code',
  submit: 'Weiter',
  warning: 'Geben Sie nur den Code eines Geräts ein, vor dem Sie stehen. Niemand sollte Ihnen einen schicken.',
  refusals: {
    missing: 'Geben Sie den Code ein, den Ihr Gerät zeigt.',
    unknown: 'Dieser Code ist unbekannt oder abgelaufen. Prüfen Sie ihn, oder fordern Sie am Gerät einen neuen an.',
    denied: 'Das Gerät wurde nicht eingelassen. Wenn Sie es doch möchten, fordern Sie am Gerät einen neuen Code an.',
    failed: 'Das hat nicht geklappt. Fordern Sie am Gerät einen neuen Code an, und geben Sie ihn hier ein.',
  },
};

export const deviceConfirm: Texts['deviceConfirm'] = {
  title: 'Gerät verbinden',
  heading: (app) => sentence`${app} verbinden?`,
  lede: 'Sehen Sie auf Ihr Gerät. Es muss diesen Code zeigen:',
  code: 'Code: ',
  app: 'App',
  askedFrom: 'Anfrage von',
  device: 'Gerät',
  warning:
    'Erlauben Sie das nur, wenn Sie es selbst begonnen haben, gerade eben, auf Ihrem eigenen Gerät, und dort denselben Code sehen. Wenn Ihnen jemand den Code oder einen Link geschickt hat, drücken Sie auf „Ablehnen“.',
  allow: 'Erlauben',
  deny: 'Ablehnen',
  anApp: 'Eine App',
};

export const deviceDone: Texts['deviceDone'] = {
  title: 'Gerät verbunden',
  connected: (app) => sentence`${app} ist verbunden`,
  connectedLede: 'Gehen Sie zurück zu Ihrem Gerät; dort geht es gleich weiter. Sie können diese Seite schließen.',
  notConnected: (app) => sentence`${app} wurde nicht verbunden`,
  notConnectedLede: 'Die App hat keinen Zugriff auf Ihr Konto bekommen. Sie können diese Seite schließen.',
  whereToEnd: (href) => sentence`Auf ${{ href, label: 'Ihrer Geräteseite' }} können Sie jedes Gerät abmelden.`,
  yourDevice: 'Ihr Gerät',
};

export const signOutConfirm: Texts['signOutConfirm'] = {
  title: 'Abmelden',
  heading: 'Abmelden?',
  appAsks: (app) => sentence`${app} bittet darum, Sie in diesem Browser abzumelden.`,
  anAppAsks: 'Eine App bittet darum, Sie in diesem Browser abzumelden.',
  cameThrough: (connection) =>
    sentence`Sie sind über ${connection} hergekommen. Wenn Sie sich hier abmelden, bleiben Sie dort angemeldet.`,
  signOut: 'Abmelden',
  signOutBoth: (connection) => text`Hier und bei ${connection} abmelden`,
  stay: 'Angemeldet bleiben',
};

export const signedOut: Texts['signedOut'] = {
  title: 'Abgemeldet',
  heading: 'Sie sind abgemeldet',
  appAsked: (app) => sentence`${app} hat darum gebeten, und dieser Browser ist abgemeldet.`,
  lede: 'Dieser Browser ist abgemeldet.',
  stillThere: (connection) => sentence`Bei ${connection}, woher Sie kamen, sind Sie noch angemeldet.`,
  alsoThere: (connection) => text`Auch bei ${connection} abmelden`,
  goOn: (app) => text`Weiter zu ${app}`,
  theApp: 'der App',
  signInAgain: 'Wieder anmelden',
  cannotBeAsked: (connection) =>
    text`${connection} kann von hier aus nicht gebeten werden, Sie abzumelden. Melden Sie sich auf der Seite des Anbieters ab.`,
  answers: {
    everywhere: (connection) => text`${connection} hat Sie ebenfalls abgemeldet.`,
    'in-part': (connection) =>
      text`${connection} konnte Sie nicht überall abmelden, wo Sie sich darüber angemeldet hatten. Melden Sie sich auf der Seite des Anbieters ab, oder schließen Sie Ihren Browser.`,
    refused: (connection) =>
      text`${connection} hat Sie nicht abgemeldet. Vielleicht sind Sie dort noch angemeldet: Melden Sie sich auf der Seite des Anbieters ab.`,
    'not-verified': (connection) =>
      text`Was ${connection} geantwortet hat, ließ sich nicht prüfen. Vielleicht sind Sie dort noch angemeldet: Melden Sie sich auf der Seite des Anbieters ab.`,
  },
};
