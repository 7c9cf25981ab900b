/** Signing in, in German. */
import { sentence, text } from '../text.ts';
import type { Texts } from '../en.ts';

export const signIn: Texts['signIn'] = {
  title: 'Anmelden',
  heading: 'Anmelden',
  toContinue: (app) => sentence`weiter zu ${app}`,
  username: 'Benutzername oder E-Mail-Adresse',
  password: 'Passwort',
  submit: 'Anmelden',
  forgot: 'Passwort vergessen?',
  register: 'Konto anlegen',
  usePasskey: 'Passkey verwenden',
  otherWays: 'oder anders anmelden',
  continueWith: (connection) => text`Weiter mit ${connection}`,
  cancel: 'Abbrechen und zurück',
  wrong: 'Benutzername oder Passwort ist falsch.',
  done: {
    'password-reset': 'Ihr Passwort wurde geändert. Melden Sie sich mit dem neuen an.',
    registered: 'Ihr Konto ist angelegt. Melden Sie sich an.',
  },
  notes: {
    client_signed_out: 'Alle wurden von dieser App abgemeldet. Melden Sie sich wieder an.',
    device_signed_out: 'Sie haben sich in diesem Browser von dieser App abgemeldet. Melden Sie sich wieder an.',
    acr_not_met: 'Die App verlangt einen zweiten Faktor. Melden Sie sich noch einmal an, um fortzufahren.',
    max_age: 'Die App bittet Sie, sich noch einmal anzumelden.',
  },
};

export const attempts: Texts['attempts'] = {
  inSeconds: (seconds) => `in ${seconds} ${seconds === 1 ? 'Sekunde' : 'Sekunden'}`,
  inMinutes: (minutes) => `in ${minutes} ${minutes === 1 ? 'Minute' : 'Minuten'}`,
  tryAgain: (when) => `Versuchen Sie es ${when} noch einmal.`,
  wrongPassword: 'Das Passwort ist falsch.',
  resetRequired: 'Dieses Passwort stimmt, wird aber nicht mehr angenommen: Es könnte anderen bekannt geworden sein.',
  resetRequiredNext: 'Wählen Sie ein neues: Drücken Sie auf „Passwort vergessen?“.',
  throttled: 'Zu viele Versuche. Diesmal wurde nichts geprüft.',
  locked: 'Die Anmeldung mit diesem Passwort ist nach zu vielen falschen Versuchen abgeschaltet.',
  lockedNext: 'Bitten Sie den Betreiber dieses Dienstes, ein neues Passwort zu setzen.',
  overloaded: 'Gerade melden sich zu viele Menschen an.',
  tooBusy: 'Gerade ist zu viel los. Versuchen Sie es gleich noch einmal.',
  wrongCode: 'Dieser Code ist falsch oder wurde schon verwendet.',
  codesLocked: 'Diese Codes sind nach zu vielen falschen Eingaben abgeschaltet.',
  codesLockedNext: 'Verwenden Sie einen anderen zweiten Faktor, oder fragen Sie den Betreiber dieses Dienstes.',
};

export const secondStep: Texts['secondStep'] = {
  title: 'Noch ein Schritt',
  heading: 'Noch ein Schritt',
  typeAppCode: 'Geben Sie den Code ein, den Ihre Authenticator-App jetzt zeigt.',
  usePasskey: 'Verwenden Sie Ihren Passkey, um fortzufahren.',
  typeRecoveryCode: 'Geben Sie einen Ihrer Wiederherstellungscodes ein.',
  code: 'Code',
  recoveryHint: 'Kein Telefon zur Hand? Auch ein Wiederherstellungscode gilt hier, einmal.',
  onceHint: 'Jeder Code gilt einmal.',
  trust: 'In diesem Browser 30 Tage lang nicht fragen',
  submit: 'Weiter',
  cancel: 'Abbrechen und neu beginnen',
  startAgain:
    'Diese Anmeldung hat zu lange gedauert, hatte zu viele falsche Codes, ist schon abgeschlossen oder wurde durch eine Abmeldung beendet.',
  startAgainNext: 'Melden Sie sich noch einmal von vorn an.',
};

export const secondStepSetup: Texts['secondStepSetup'] = {
  title: 'Zweiten Faktor einrichten',
  heading: 'Richten Sie einen zweiten Faktor ein',
  lede: 'Um fortzufahren, brauchen Sie einen zweiten Nachweis, dass Sie es sind, jetzt und künftig: etwas, das Sie besitzen. Es dauert eine Minute.',
  orPasskey: 'oder mit einem Passkey',
};

export const totp: Texts['totp'] = {
  title: 'Authenticator-App einrichten',
  heading: 'Authenticator-App einrichten',
  lede: 'Nach ihren Codes wird nach Ihrem Passwort gefragt, oder nach Ihrer anderen Anmeldung.',
  scan: 'Scannen Sie dieses Bild mit einer Authenticator-App.',
  picture: 'QR-Code mit dem Geheimnis, das sich auch eintippen lässt: Es steht darunter',
  noCamera: 'Keine Kamera? Geben Sie das Geheimnis stattdessen ein',
  typeCode: 'Geben Sie den Code ein, den die App zeigt',
  submit: 'Einschalten',
  wrongCode: 'Dieser Code ist falsch. Die App zeigt jede halbe Minute einen neuen.',
  wrongCodeOrClock:
    'Dieser Code ist falsch. Die App zeigt jede halbe Minute einen neuen; die Uhr des Telefons muss richtig gehen.',
  tookTooLong: 'Das hat zu lange gedauert. Scannen Sie das neue Bild, und geben Sie den Code ein, den es ergibt.',
};

export const passkeys: Texts['passkeys'] = {
  add: 'Passkey hinzufügen',
  addLede:
    'Mit einem Passkey melden Sie sich per Fingerabdruck, Gesicht oder PIN an, und er lässt sich nicht auf einer falschen Seite eintippen.',
  name: 'Ein Name dafür',
  nameHint: 'Damit Sie ihn später wiedererkennen: „Telefon“, „Schlüssel am Bund“.',
  notAdded: 'Es wurde kein Passkey hinzugefügt. Versuchen Sie es noch einmal, oder nehmen Sie den anderen Weg.',
  notUsed: 'Der Passkey wurde nicht verwendet. Versuchen Sie es noch einmal, oder nehmen Sie einen anderen Weg.',
  withPassword: 'Ihr Passwort, zusammen mit dem Passkey',
  needScript: 'Passkeys brauchen JavaScript, und in diesem Browser läuft hier keines.',
  refused:
    'Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal; er kann auch zu einem anderen Dienst gehören oder entfernt worden sein.',
  notAccepted: 'Dieser Passkey wurde nicht angenommen.',
  notAcceptedAgain: 'Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal.',
  notAlone: 'Dieser Passkey hat weder PIN noch Finger oder Gesicht verlangt und genügt allein nicht.',
  addRefusals: {
    'not-verified': 'Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal.',
    known: 'Dieser Passkey ist schon hier, oder er gehört zu einem anderen Konto.',
    'too-many': 'Es sind schon zwanzig Passkeys. Entfernen Sie zuerst einen.',
  },
};

export const confirmIdentity: Texts['confirmIdentity'] = {
  title: 'Bestätigen Sie, dass Sie es sind',
  heading: 'Bestätigen Sie, dass Sie es sind',
  askedPassword: (act) =>
    sentence`Ihr Auftrag: ${act}. Geben Sie noch einmal Ihr Passwort ein, dann wird er ausgeführt.`,
  askedPasskey: (act) =>
    sentence`Ihr Auftrag: ${act}. Verwenden Sie noch einmal Ihren Passkey, dann wird er ausgeführt.`,
  askedSignIn: (act) => sentence`Ihr Auftrag: ${act}. Melden Sie sich noch einmal an, dann wird er ausgeführt.`,
  account: 'Konto',
  code: 'Code Ihres zweiten Faktors',
  withPasskey: 'Mit einem Passkey bestätigen',
  otherWays: 'Andere Wege zu bestätigen',
  anotherWay: 'oder anders bestätigen',
};

export const linkFirst: Texts['linkFirst'] = {
  title: 'Anmelden und verknüpfen',
  heading: (connection) => text`Anmelden und ${connection} verknüpfen`,
  lede: (email, connection) =>
    sentence`Es gibt hier ein Konto mit der Adresse ${email}. Wenn es Ihres ist, melden Sie sich einmal daran an; danach kommen Sie mit ${{ plain: connection }} hinein.`,
  cancel: 'Nicht meines: anders anmelden',
};

export const federationPost: Texts['federationPost'] = {
  title: (connection) => text`Weiter zu ${connection}`,
  lede: 'Sie melden sich dort an und kommen hierher zurück.',
  submit: (connection) => text`Weiter zu ${connection}`,
};
