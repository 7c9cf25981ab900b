/** A person's own pages, in German. */
import { sentence, text } from '../text.ts';
import type { Texts } from '../en.ts';

export const page: Texts['page'] = {
  skip: 'Zum Inhalt springen',
  nav: 'Ihr Konto',
  account: 'Konto',
  security: 'Sicherheit',
  devices: 'Geräte',
  signedInAs: 'Angemeldet als ',
  signOut: 'In diesem Browser abmelden',
  cancel: 'Abbrechen',
};

export const account: Texts['account'] = {
  title: 'Ihr Konto',
  heading: (username) => sentence`Guten Tag, ${username}`,
  lede: 'Wer Sie hier sind, und wo Sie angemeldet sind.',
  devices: 'Geräte',
  devicesNow: 'Jetzt an Ihrem Konto angemeldet:',
  seeDevices: 'Ihre Geräte ansehen',
  security: 'Sicherheit',
  securityLede: 'Ändern Sie Ihr Passwort, oder beenden Sie mit einem Druck jeden Zugriff.',
  openSecurity: 'Sicherheit öffnen',
  about: 'Über Sie',
  username: 'Benutzername',
  email: 'E-Mail-Adresse',
  emailNone: 'keine',
  emailConfirmed: 'bestätigt',
  emailNotConfirmed: 'nicht bestätigt',
  since: 'Konto seit',
  language: 'Sprache',
  verify: 'Link zum Bestätigen meiner Adresse senden',
  changeEmail: 'E-Mail-Adresse ändern',
  newEmail: 'Neue E-Mail-Adresse',
  submitEmail: 'E-Mail-Adresse ändern',
  changeUsername: 'Benutzernamen ändern',
  newUsername: 'Neuer Benutzername',
  submitUsername: 'Benutzernamen ändern',
  sameEmail: 'Das ist bereits Ihre Adresse.',
  enoughMails: 'Für den Moment wurden genug Nachrichten verschickt. Versuchen Sie es in einer Stunde noch einmal.',
  changedMeanwhile: 'Inzwischen wurde etwas anderes geändert. Versuchen Sie es noch einmal.',
  data: 'Ihre Daten',
  dataLede: 'Alles, was hier über Sie gespeichert ist, als eine Datei.',
  download: 'Meine Daten herunterladen',
  delete: 'Konto löschen',
  deleteLede:
    'Jedes Gerät und jede App verliert den Zugriff; Ihr Name, Ihre Adresse und Ihre Anmeldewege werden gelöscht. Das lässt sich nicht rückgängig machen.',
  typeUsername: (username) => text`Geben Sie zur Bestätigung Ihren Benutzernamen ein: ${username}`,
  submitDelete: 'Mein Konto löschen',
  notConfirmed: 'Geben Sie Ihren Benutzernamen genau so ein, wie er oben steht. Es wurde nichts gelöscht.',
  changed: {
    'verification-sent': 'Eine Nachricht an Ihre Adresse ist unterwegs. Öffnen Sie den Link darin.',
    'verification-enough':
      'Für den Moment wurden genug Nachrichten an Ihre Adresse verschickt. Sehen Sie im Spam-Ordner nach, oder versuchen Sie es in einer Stunde noch einmal.',
    'email-sent':
      'Eine Nachricht an die neue Adresse ist unterwegs. Bis der Link darin geöffnet wird, ändert sich nichts.',
    username: 'Ihr Benutzername wurde geändert. Melden Sie sich von nun an mit dem neuen an.',
  },
};

export const identifiers: Texts['identifiers'] = {
  'bad-username':
    'Ein Benutzername hat 1 bis 64 Buchstaben (a–z), Ziffern, Punkte, Binde- oder Unterstriche und beginnt mit einem Buchstaben oder einer Ziffer.',
  'bad-email': 'Das sieht nicht wie eine einzelne E-Mail-Adresse aus, etwa name@example.org.',
  'username-taken': 'Dieser Benutzername ist vergeben.',
  'email-taken': 'Diese E-Mail-Adresse gehört zu einem anderen Konto.',
  'identity-taken': 'Mit dieser Identität meldet man sich an einem anderen Konto an.',
};

const UNEASY = 'Wenn Ihnen etwas seltsam vorkam, melden Sie auch alle Geräte ab.';

export const security: Texts['security'] = {
  title: 'Sicherheit',
  heading: 'Sicherheit',
  everywhere: 'Überall den Zugriff beenden',
  everywhereLede:
    'Laptop verloren, oder kommt Ihnen etwas seltsam vor? Ein Druck meldet Ihr Konto überall ab, auch in diesem Browser.',
  signedInNow: 'Jetzt angemeldet:',
  signOutAll: 'Alle Geräte abmelden',
  next: [
    'Jeder Browser, jedes Telefon, jeder Fernseher und jeder Server verliert sofort den Zugriff.',
    'Jede App wird benachrichtigt, und ein Beleg zeigt Ihnen, welche es gehört haben.',
    'Ihre Daten bleiben. Um zurückzukommen, melden Sie sich wieder an.',
  ],
  password: 'Passwort',
  lastChanged: (at) => sentence`Zuletzt geändert: ${at}.`,
  currentPassword: 'Jetziges Passwort',
  newPassword: 'Neues Passwort',
  passwordHint: (characters) => `Mindestens ${characters} Zeichen. Ein paar Wörter hintereinander eignen sich gut.`,
  code: 'Code Ihres zweiten Faktors',
  codeHint:
    'Ihre Anmeldung ist eine Weile her. Nur mit einem Passkey? Melden Sie sich noch einmal damit an, und ändern Sie dann das Passwort.',
  signOutDevices: 'Verbundene Geräte nach der Passwortänderung abmelden',
  changePassword: 'Passwort ändern',
  changedByOthers: 'Das Passwort wurde inzwischen von jemand anderem geändert. Melden Sie sich noch einmal an.',
  otherWays: 'Andere Anmeldewege',
  as: 'als ',
  unverified:
    'Dieser Anbieter kann nicht nachweisen, dass sich jemand neu angemeldet hat: Nach einer Abmeldung kommen Sie mit einer dort noch offenen Sitzung wieder herein.',
  linked: 'Verknüpft',
  lastUsed: 'Zuletzt verwendet',
  unlink: 'Lösen',
  unlinkNamed: (connection) => text`${connection} lösen`,
  unlinkThis: 'Diesen Anmeldeweg lösen',
  onlyWay: 'Ihr einziger Anmeldeweg',
  link: (connection) => text`${connection} verknüpfen`,
  changed: {
    password: 'Ihr Passwort wurde geändert. Ihre Geräte bleiben angemeldet.',
    linked: 'Verknüpft. Von nun an können Sie sich auch auf diesem Weg anmelden.',
    'totp-added': `Ihre Authenticator-App ist eingerichtet. Von nun an wird nach ihren Codes gefragt. ${UNEASY}`,
    'totp-removed': `Die Authenticator-App wurde entfernt. Nach ihren Codes wird nicht mehr gefragt. ${UNEASY}`,
    'passkey-added': `Ihr Passkey wurde hinzugefügt. ${UNEASY}`,
    'passkey-renamed': 'Der Passkey hat seinen neuen Namen.',
    'passkey-removed': `Der Passkey wurde entfernt. ${UNEASY}`,
    'browsers-forgotten': 'Vergessen. Dort wird wieder nach dem zweiten Faktor gefragt.',
    'device-reattached': 'Wieder verbunden. Das Gerät macht gleich weiter, unter seinem bisherigen Namen.',
    'device-ignored': 'Ignoriert. Das Gerät hat keinen Zugriff bekommen und wird hier nicht mehr aufgeführt.',
    'device-gone':
      'Unter diesem Code wartet das Gerät nicht mehr. Wenn es einen neuen Code zeigt, ist es unten aufgeführt.',
  },
};

export const passwordProblems: Texts['passwordProblems'] = {
  tooLong: (most) => `Verwenden Sie höchstens ${most} Zeichen.`,
  notText: 'Das Passwort enthält etwas, das kein Zeichen ist.',
  tooShort: (least) =>
    `Verwenden Sie mindestens ${least} Zeichen. Ein paar Wörter ohne Zusammenhang ergeben ein gutes Passwort.`,
  hasUsername: 'Verwenden Sie im Passwort nicht Ihren Benutzernamen.',
  hasEmail: 'Verwenden Sie im Passwort nicht Ihre E-Mail-Adresse.',
  hasService: 'Verwenden Sie im Passwort nicht den Namen dieses Dienstes.',
  breached: 'Dieses Passwort ist aus Datenlecks bekannt und wird mit als Erstes ausprobiert.',
  repeated: 'Das ist ein einziges kurzes oder verbreitetes Passwort, wiederholt; das wird ausprobiert.',
  decorated: 'Das ist ein verbreitetes Passwort mit Ziffern oder Zeichen darum herum; das wird ausprobiert.',
  walk: 'Das folgt der Tastatur, dem Alphabet oder einer Zählung; das wird ausprobiert.',
};

export const factors: Texts['factors'] = {
  heading: 'Zweiter Faktor',
  lede: 'Danach wird nach Ihrem Passwort oder Ihrer anderen Anmeldung gefragt, damit keines davon allein etwas öffnet.',
  app: 'Authenticator-App',
  setUp: 'Eingerichtet',
  lastUsed: 'Zuletzt verwendet',
  remove: 'Entfernen',
  removeApp: 'Authenticator-App entfernen',
  required: 'Ein zweiter Faktor ist hier Pflicht',
  notSetUp: 'Nicht eingerichtet.',
  setUpApp: 'Authenticator-App einrichten',
  passkey: (kind) => `Passkey. ${kind}.`,
  rename: 'Umbenennen',
  newName: 'Neuer Name',
  saveName: 'Namen speichern',
  added: 'Hinzugefügt',
  removeNamed: (passkey) => text`${passkey} entfernen`,
  removePasskey: 'Diesen Passkey entfernen',
  recoveryCodes: 'Wiederherstellungscodes',
  codesLeft: (at) => sentence` übrig von denen vom ${at}.`,
  noCodes: 'Keine. Ohne sie ist ein verlorenes Telefon ein verlorenes Konto.',
  makeCodes: 'Neue Wiederherstellungscodes erstellen',
  addPasskey: 'Passkey hinzufügen',
  trusted: 'Vertraute Browser',
  trustedLede:
    'In diesen wird 30 Tage lang nicht nach dem zweiten Faktor gefragt. Wenn Sie alle Geräte abmelden, endet auch das.',
  since: 'Seit',
  forget: 'Vergessen',
  forgetNamed: (browser) => text`${browser} vergessen`,
  kinds: {
    synced: 'Auf mehreren Geräten, vom Anbieter aufbewahrt',
    syncs: 'Kann vom Anbieter auf andere Geräte kopiert werden',
    single: 'Nur auf einem Gerät',
  },
  used: (kind, times) => `${kind}; ${times}-mal verwendet`,
};

export const recoveryCodes: Texts['recoveryCodes'] = {
  title: 'Wiederherstellungscodes',
  heading: 'Ihre Wiederherstellungscodes',
  lede: 'Drucken Sie sie aus, oder schreiben Sie sie auf, und bewahren Sie sie nicht bei Ihrem Telefon auf. Jeder lässt Sie einmal ein, anstelle eines Codes der App. Sie werden nur dieses eine Mal gezeigt; frühere Codes gelten nicht mehr.',
  done: 'Ich habe sie verwahrt',
};

export const waiting: Texts['waiting'] = {
  heading: 'Warten darauf, wieder verbunden zu werden',
  lede: 'Diese Geräte haben ihren Zugriff verloren und bitten ihn zurück. Verbinden Sie nur wieder, was Ihnen gehört und genau diesen Code zeigt: Es behält seinen Namen und macht weiter.',
  on: 'auf ',
  screenShows: 'Der Bildschirm muss zeigen',
  callsItself: (device) => text`Es nennt sich jetzt ${device}.`,
  asksFrom: 'Anfrage von',
  asked: 'Angefragt',
  firstUsed: 'Zuerst verwendet',
  reattach: 'Wieder verbinden',
  reattachNamed: (app, device, code) => text`${app} auf ${device} wieder verbinden, Code ${code}`,
  ignore: 'Ignorieren',
  ignoreNamed: (app, device, code) => text`${app} auf ${device} ignorieren, Code ${code}`,
  reattachThis: 'Ihr Gerät wieder verbinden',
};

export const events: Texts['events'] = {
  heading: 'Was zuletzt geschehen ist',
  lede: 'Ist etwas dabei, das Sie nicht waren? Melden Sie oben alle Geräte ab, und ändern Sie dann Ihr Passwort.',
  byOperator: 'Durch den Betreiber dieses Dienstes',
  about: (event, what) => text`${event}: ${what}`,
  from: (device, place) => text`${device}, ${place}`,
  kinds: {
    'account.signed-in': 'Angemeldet',
    'sign-in.recovery-code': 'Ein Wiederherstellungscode wurde verwendet',
    'account.signed-out': 'Überall abgemeldet',
    'password.changed': 'Passwort geändert',
    'password.reset': 'Passwort per E-Mail zurückgesetzt',
    'password.reset-requested': 'Ein Link zum Zurücksetzen des Passworts wurde angefordert',
    'email.verified': 'E-Mail-Adresse bestätigt',
    'email.changed': 'E-Mail-Adresse geändert',
    'email.reverted': 'Änderung der E-Mail-Adresse rückgängig gemacht',
    'username.changed': 'Benutzername geändert',
    'totp.added': 'Authenticator-App eingerichtet',
    'totp.removed': 'Authenticator-App entfernt',
    'recovery-codes.made': 'Neue Wiederherstellungscodes erstellt',
    'passkey.added': 'Passkey hinzugefügt',
    'passkey.removed': 'Passkey entfernt',
    'browser.trusted': 'Browser für 30 Tage vertraut',
    'browsers.forgotten': 'Vertraute Browser vergessen',
    'identity.linked': 'Weiterer Anmeldeweg verknüpft',
    'identity.unlinked': 'Anmeldeweg gelöst',
    'device.reattached': 'Gerät wieder verbunden',
    'account.created': 'Konto angelegt',
    'account.reported': 'Jemand hat gemeldet: „Das war ich nicht“',
  },
};
