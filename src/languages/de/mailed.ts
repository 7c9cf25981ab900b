/** What mailed links lead to, and the pages that send them, in German. */
import { sentence, text } from '../text.ts';
import type { Texts } from '../en.ts';

const NOTHING_ELSE = 'Sonst ist nichts zu tun.';
const NOT_ME = 'Das war ich nicht';
const USELESS = 'Link unbrauchbar machen';
const USELESS_NOW = 'Der Link ist jetzt unbrauchbar';
const ENDS_EVERYWHERE =
  'Jeder Browser, jedes Telefon, jeder Fernseher und jeder Server verliert sofort den Zugriff, und jede App wird benachrichtigt.';

export const mailed: Texts['mailed'] = {
  toSignIn: 'Zur Anmeldung',
  toAccount: 'Zu Ihrem Konto',
  seeReceipt: 'Beleg ansehen',
  lookInMail: 'Sehen Sie in Ihre E-Mails',
  orClose: 'Wenn Sie das nicht möchten, schließen Sie diese Seite: Es hat sich nichts geändert.',
  dead: {
    title: 'Dieser Link geht nicht',
    headline: 'Dieser Link geht nicht mehr',
    message:
      'Er wurde schon verwendet, ist zu alt oder wurde durch etwas beendet, das seither geschehen ist. Es wurde nichts geändert.',
  },
  noMail: {
    headline: 'Das geht hier nicht per E-Mail',
    message: 'Dieser Dienst verschickt keine E-Mails.',
    next: 'Fragen Sie den Betreiber: Er kann ein neues Passwort setzen oder ein Konto für Sie anlegen.',
  },
};

export const reset: Texts['reset'] = {
  title: 'Passwort vergessen',
  heading: 'Passwort vergessen',
  lede: 'Wir senden einen Link an die E-Mail-Adresse Ihres Kontos. Damit wählen Sie ein neues.',
  username: 'Benutzername oder E-Mail-Adresse',
  submit: 'Link senden',
  badIdentifier: 'Geben Sie einen Benutzernamen oder eine E-Mail-Adresse ein, etwa name@example.org.',
  sent: 'Wenn es ein Konto dieses Namens gibt, ist ein Link zum Wählen eines neuen Passworts an dessen E-Mail-Adresse unterwegs.',
  sentNext:
    'Der Link gilt eine halbe Stunde. Wenn nichts kommt, sehen Sie im Spam-Ordner nach, oder fordern Sie einen neuen an.',
  again: 'Neuen Link anfordern',
  deadNext: 'Fordern Sie einen neuen an.',
};

export const newPassword: Texts['newPassword'] = {
  title: 'Neues Passwort wählen',
  heading: 'Wählen Sie ein neues Passwort',
  lede: (username) => sentence`Für das Konto ${username}.`,
  submit: 'Passwort ändern',
};

export const register: Texts['register'] = {
  title: 'Konto anlegen',
  heading: 'Konto anlegen',
  lede: 'Zuerst Ihre E-Mail-Adresse. Wir senden dorthin einen Link, der zum nächsten Schritt führt.',
  email: 'E-Mail-Adresse',
  submit: 'Bestätigungslink senden',
  sent: 'Eine Nachricht an die Adresse, die Sie angegeben haben, ist unterwegs. Ihr Link führt zum nächsten Schritt.',
  sentNext:
    'Er gilt einen Tag. Wenn nichts kommt, sehen Sie im Spam-Ordner nach, und prüfen Sie, wie die Adresse geschrieben ist.',
  again: 'Andere Adresse angeben',
  confirmed: (email) => sentence`Ihre Adresse ${email} ist bestätigt. Wählen Sie einen Namen und ein Passwort.`,
  username: 'Benutzername',
  usernameHint: 'Buchstaben (a–z), Ziffern, Punkte, Binde- und Unterstriche.',
  password: 'Passwort',
  taken: 'Dieser Benutzername ist vergeben. Wählen Sie einen anderen.',
  make: 'Mein Konto anlegen',
  deadNext: 'Wenn damit ein Konto angelegt wurde, melden Sie sich an. Wenn nicht, beginnen Sie von vorn.',
  closed: {
    headline: 'Konten legt der Betreiber an',
    message: 'Hier kann niemand selbst ein Konto anlegen.',
    next: 'Bitten Sie den Betreiber dieses Dienstes um eines.',
  },
  invite: {
    headline: 'Konten gibt es auf Einladung',
    message: 'Um hier ein Konto anzulegen, öffnen Sie den Link in Ihrer Einladung.',
  },
  decline: {
    title: NOT_ME,
    headline: 'Waren Sie das nicht?',
    message: (email) => text`Jemand wollte mit der Adresse ${email} ein Konto anlegen. Es wurde keines angelegt.`,
    points: ['Der Link in der Nachricht wird ungültig, und es wird kein Konto damit angelegt.'],
    label: USELESS,
    done: USELESS_NOW,
    doneMessage: 'Damit kann kein Konto mehr angelegt werden.',
    doneNext: NOTHING_ELSE,
  },
};

export const email: Texts['email'] = {
  nothingElse: NOTHING_ELSE,
  deadNext: 'Fordern Sie auf Ihrer Kontoseite einen neuen an.',
  verify: {
    title: 'Adresse bestätigen',
    headline: 'Ist das Ihre Adresse?',
    message: (address) => text`Bestätigen Sie, dass E-Mails an ${address} Sie erreichen.`,
    label: 'Adresse bestätigen',
    done: 'Ihre Adresse ist bestätigt',
    doneMessage: (address) => text`E-Mails an ${address} erreichen Sie.`,
  },
  disown: {
    title: NOT_ME,
    headline: 'Haben Sie hier kein Konto?',
    message: (address) => text`Dann wird die Adresse ${address} aus dem Konto entfernt, für das sie angegeben wurde.`,
    points: [
      'Zu diesem Konto kommen keine E-Mails mehr an Sie.',
      'Sie können die Adresse für ein eigenes Konto verwenden.',
    ],
    label: 'Meine Adresse entfernen',
    done: 'Ihre Adresse wurde entfernt',
    doneMessage: 'Kein Konto hat sie mehr.',
  },
  change: {
    title: 'Diese Adresse verwenden',
    headline: 'Von nun an diese Adresse verwenden?',
    message: (address) => text`Ihr Konto bekommt die Adresse ${address}.`,
    points: [
      'E-Mails von uns gehen dorthin.',
      'Sie können sich damit anmelden.',
      'Ihre alte Adresse wird benachrichtigt und kann die Änderung rückgängig machen.',
    ],
    label: 'Diese Adresse verwenden',
    done: 'Ihre Adresse wurde geändert',
    doneMessage: (address) => text`Von nun an gehen E-Mails von uns an ${address}.`,
  },
  decline: {
    title: NOT_ME,
    headline: 'Waren Sie das nicht?',
    message: (address) =>
      text`Jemand wollte die Adresse ${address} für sein Konto verwenden. Es wurde nichts geändert.`,
    points: ['Der Link in der Nachricht wird ungültig.'],
    label: USELESS,
    done: USELESS_NOW,
    doneMessage: 'Ihre Adresse wird damit für kein Konto verwendet.',
  },
  revert: {
    title: 'Änderung rückgängig machen',
    headline: 'Änderung der Adresse rückgängig machen?',
    message: (address) => text`Ihr Konto bekommt wieder die Adresse ${address}. Ein Druck, und:`,
    points: [
      ENDS_EVERYWHERE,
      'Ihr Passwort wird ungültig: Wählen Sie ein neues mit dem Link, den wir an diese Adresse senden.',
      'Links, die an die andere Adresse gingen, werden ungültig.',
      'Passkeys, Apps und andere Anmeldewege, die seither dazugekommen sind, werden entfernt.',
    ],
    label: 'Änderung rückgängig machen',
    taken: {
      title: 'Diese Adresse ist vergeben',
      headline: 'Diese Adresse gehört jetzt zu einem anderen Konto',
      message: 'Der Zugriff auf Ihr Konto ist überall beendet, und sein Passwort lässt niemanden mehr ein.',
      next: 'Bitten Sie den Betreiber dieses Dienstes, dem Konto eine Adresse von Ihnen zu geben.',
    },
    done: 'Die Änderung wurde rückgängig gemacht',
    doneMessage: (address) => text`Ihr Konto hat wieder die Adresse ${address}. Der Zugriff ist überall beendet.`,
    doneNext: 'Wählen Sie jetzt ein neues Passwort: Ein Link an diese Adresse ist unterwegs.',
    deadNext: 'Wenn Sie nicht hineinkommen, fragen Sie den Betreiber dieses Dienstes.',
  },
};

export const notMe: Texts['notMe'] = {
  title: NOT_ME,
  headline: 'Waren Sie das nicht?',
  message: (username) => text`Dann sichern Sie das Konto ${username}. Ein Druck, und:`,
  points: {
    ends: ENDS_EVERYWHERE,
    untrusted: 'Keinem Browser wird mehr vertraut: Überall wird nach dem zweiten Faktor gefragt.',
    added: (things) => `Entfernt wird, was zur Zeit dieser Nachricht oder danach hinzukam: ${things}.`,
    links: 'Schon verschickte Links zum Wählen eines neuen Passworts werden ungültig.',
  },
  things: {
    passkey: 'Passkeys',
    totp: 'die Authenticator-App',
    'recovery-codes': 'Wiederherstellungscodes',
    'trusted-browser': 'vertraute Browser',
    wayIn: (connection) => text`der Anmeldeweg über ${connection}`,
  },
  newLink: 'Ein neuer geht an die E-Mail-Adresse des Kontos.',
  label: 'Mein Konto sichern',
  done: 'Ihr Konto ist gesichert',
  doneMessage: 'Der Zugriff ist überall beendet, und jede App wird benachrichtigt.',
  doneNext: 'Wählen Sie jetzt ein neues Passwort: Ein Link an die E-Mail-Adresse des Kontos ist unterwegs.',
  doneNextNoMail: 'Bitten Sie den Betreiber dieses Dienstes, ein neues Passwort zu setzen.',
  deadNext: 'Wenn Sie etwas sehen, das Sie nicht waren, wählen Sie ein neues Passwort.',
};
