/** Mails in German, formal. */
import type { FactorChange } from '../mails.ts';
import { instantIn, type Texts } from './texts.ts';

const SECURE =
  'Wählen Sie „Das war ich nicht“: Dort sehen Sie, was geschehen ist, und können Ihr Konto wieder absichern.';

const FACTOR_SUBJECTS: Readonly<Record<FactorChange, string>> = {
  'authenticator-added': 'Ihrem Konto wurde eine Authenticator-App hinzugefügt',
  'authenticator-removed': 'Die Authenticator-App wurde von Ihrem Konto entfernt',
  'passkey-added': 'Ihrem Konto wurde ein Passkey hinzugefügt',
  'passkey-removed': 'Ein Passkey wurde von Ihrem Konto entfernt',
  'recovery-codes-replaced': 'Ihre Wiederherstellungscodes wurden ersetzt',
  'recovery-code-used': 'Ein Wiederherstellungscode wurde zur Anmeldung verwendet',
};

export const de: Texts = {
  language: 'de',
  direction: 'ltr',
  instant: instantIn('de-DE'),
  facts: { when: 'Wann', address: 'Von der Adresse', device: 'Mit', by: 'Durch' },
  unknown: 'unbekannt',
  byOperator: (site) => `den Betreiber von ${site}`,
  notMe: 'Das war ich nicht',
  copyLink: 'Oder öffnen Sie diese Adresse in Ihrem Browser:',
  goodUntil: (instant) => `Der Link gilt bis ${instant}.`,
  footer: (site) =>
    `Diese Nachricht kommt von ${site}. Alle Links darin führen zu ${site} und nirgendwo sonst hin, und niemand dort wird Sie je per E-Mail nach Ihrem Passwort fragen.`,

  mails: {
    'email-verification': (_mail, { site }) => ({
      subject: 'Bestätigen Sie Ihre E-Mail-Adresse',
      happened: `Diese Adresse wurde für ein Konto bei ${site} angegeben.`,
      advice: 'Bestätigen Sie, dass sie Ihnen gehört, damit wir Sie hier erreichen können.',
      action: 'Adresse bestätigen',
      notMe: 'Falls Sie dort kein Konto haben, sagen Sie es uns: Dann wird die Adresse aus dem Konto entfernt.',
    }),
    'email-change-confirm': (_mail, { site }) => ({
      subject: 'Bestätigen Sie Ihre neue E-Mail-Adresse',
      happened: `Jemand mit einem Konto bei ${site} möchte dafür künftig diese Adresse verwenden.`,
      advice: 'Solange Sie nicht zustimmen, ändert sich nichts.',
      action: 'Diese Adresse verwenden',
      notMe: 'Falls Sie das nicht veranlasst haben, bestätigen Sie nichts. Sie können es uns auch mitteilen:',
    }),
    'email-changed': ({ revertExpiresAt }, { site, instant }) => ({
      subject: 'Ihre E-Mail-Adresse wurde geändert',
      happened: `Die E-Mail-Adresse Ihres Kontos bei ${site} wurde geändert. Nachrichten gehen ab jetzt an die neue Adresse; dies ist die letzte an diese hier.`,
      notMe: `Falls Sie das nicht waren, machen Sie es rückgängig: Ihr Konto erhält dann wieder diese Adresse. Das ist möglich bis ${instant(revertExpiresAt)}.`,
    }),
    'password-reset': (_mail, { site }) => ({
      subject: 'Wählen Sie ein neues Passwort',
      happened: `Für Ihr Konto bei ${site} wurde ein neues Passwort angefordert.`,
      advice: 'Wenn Sie das waren, geht es hier weiter. Bis dahin ändert sich nichts.',
      action: 'Neues Passwort wählen',
      notMe:
        'Falls Sie es nicht waren, müssen Sie nichts tun. Sie können es uns mitteilen, dann wird der Link oben ungültig:',
    }),
    'password-reset-sso': ({ connections }, { site }) => ({
      subject: 'Für Ihr Konto gibt es kein Passwort',
      happened: `Für Ihr Konto bei ${site} wurde ein neues Passwort angefordert. Es hat keines: Sie melden sich mit ${list(connections)} an.`,
      advice: 'Wenn Sie sich dort nicht anmelden können, wenden Sie sich bitte dorthin.',
      action: 'Zur Anmeldung',
      notMe: 'Falls Sie es nicht waren, müssen Sie nichts tun. Sie können es uns mitteilen:',
    }),
    'password-changed': (_mail, { site }) => ({
      subject: 'Ihr Passwort wurde geändert',
      happened: `Das Passwort Ihres Kontos bei ${site} wurde geändert.`,
      notMe: `Falls Sie das nicht waren, hat möglicherweise jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'password-reset-required': (_mail, { site }) => ({
      subject: 'Bitte wählen Sie ein neues Passwort',
      happened: `Zum Schutz Ihres Kontos bei ${site} gilt Ihr bisheriges Passwort nicht mehr, und Sie wurden abgemeldet.`,
      advice:
        'Sie haben nichts falsch gemacht. Wählen Sie ein neues Passwort, das Sie sonst nirgends verwenden; danach melden Sie sich an wie gewohnt.',
      action: 'Neues Passwort wählen',
    }),
    'access-ended': (_mail, { site }) => ({
      subject: 'Sie wurden vorsorglich abgemeldet',
      happened: `Zum Schutz Ihres Kontos bei ${site} wurde es auf allen Geräten und in allen Apps abgemeldet.`,
      advice: 'Sie haben nichts falsch gemacht. Melden Sie sich wie gewohnt wieder an, wo Sie weitermachen möchten.',
      action: 'Anmelden',
    }),
    'account-locked': (_mail, { site }) => ({
      subject: 'Ihr Konto wurde vorsorglich gesperrt',
      happened: `Zum Schutz Ihres Kontos bei ${site} wurde es auf allen Geräten und in allen Apps abgemeldet und gesperrt.`,
      advice: `Sie haben nichts falsch gemacht. Bis der Betreiber von ${site} es wieder öffnet, kann sich niemand anmelden.`,
    }),
    'second-factor-changed': ({ change, name, left }, { site }) => ({
      subject: FACTOR_SUBJECTS[change],
      happened: factorChanged(change, name, site),
      ...(left !== null && { advice: recoveryCodesLeft(left) }),
      notMe: `Falls Sie das nicht waren, hat möglicherweise jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'new-sign-in': (_mail, { site }) => ({
      subject: 'Neue Anmeldung bei Ihrem Konto',
      happened: `Bei Ihrem Konto bei ${site} hat sich jemand von einem Gerät aus angemeldet, das wir noch nicht kennen.`,
      advice: 'Wenn Sie das waren, müssen Sie nichts tun.',
      notMe: `Falls Sie es nicht waren, hat jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'signed-out-everywhere': (_mail, { site }) => ({
      subject: 'Sie wurden auf allen Geräten abgemeldet',
      happened: `Ihr Konto bei ${site} wurde auf allen Geräten und in allen Apps abgemeldet.`,
      advice: 'Melden Sie sich dort wieder an, wo Sie weitermachen möchten.',
      notMe: `Falls Sie das nicht veranlasst haben, hat möglicherweise jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'account-deleted': (_mail, { site }) => ({
      subject: 'Ihr Konto wurde gelöscht',
      happened: `Ihr Konto bei ${site} wurde gelöscht, mit allem, was dort über Sie gespeichert war. Alle Geräte und Apps wurden abgemeldet.`,
      advice: `Das lässt sich nicht rückgängig machen. Falls Sie das nicht waren, wenden Sie sich an den Betreiber von ${site}.`,
    }),
    invite: ({ invitedBy }, { site }) => ({
      subject: `Einladung zu ${site}`,
      happened: `${invitedBy ?? `Der Betreiber von ${site}`} lädt Sie ein, ein Konto bei ${site} anzulegen.`,
      advice: 'Wenn Sie keines möchten, ignorieren Sie diese Nachricht: Ohne Sie wird kein Konto angelegt.',
      action: 'Konto anlegen',
    }),
    'identity-linked': ({ connection }, { site }) => ({
      subject: `${connection} wurde mit Ihrem Konto verknüpft`,
      happened: `Bei Ihrem Konto bei ${site} kann man sich ab jetzt mit ${connection} anmelden.`,
      notMe: `Falls Sie das nicht waren, hat möglicherweise jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'identity-unlinked': ({ connection }, { site }) => ({
      subject: `Die Verknüpfung mit ${connection} wurde aufgehoben`,
      happened: `Bei Ihrem Konto bei ${site} kann man sich nicht mehr mit ${connection} anmelden. Wer darüber angemeldet war, wurde abgemeldet.`,
      notMe: `Falls Sie das nicht waren, hat möglicherweise jemand anderes Zugang zu Ihrem Konto. ${SECURE}`,
    }),
    'registration-duplicate': (_mail, { site }) => ({
      subject: 'Sie haben bereits ein Konto',
      happened: `Jemand wollte bei ${site} mit Ihrer E-Mail-Adresse ein Konto anlegen. Sie haben dort bereits eines; daran wurde nichts geändert.`,
      advice:
        'Wenn Sie das waren, melden Sie sich an. Falls Sie Ihr Passwort vergessen haben, können Sie dort ein neues wählen.',
      action: 'Zur Anmeldung',
      notMe: 'Falls Sie es nicht waren, müssen Sie nichts tun. Sie können es uns mitteilen:',
    }),
  },
};

function factorChanged(change: FactorChange, name: string | null, site: string): string {
  const named = name === null ? '' : ` „${name}“`;
  switch (change) {
    case 'authenticator-added':
      return `Ihrem Konto bei ${site} wurde eine Authenticator-App${named} hinzugefügt. Die Anmeldung mit Passwort verlangt ab jetzt auch deren Code.`;
    case 'authenticator-removed':
      return `Die Authenticator-App${named} wurde von Ihrem Konto bei ${site} entfernt. Ihre Codes gelten nicht mehr.`;
    case 'passkey-added':
      return `Ihrem Konto bei ${site} wurde der Passkey${named} hinzugefügt. Damit kann man sich anmelden.`;
    case 'passkey-removed':
      return `Der Passkey${named} wurde von Ihrem Konto bei ${site} entfernt. Damit kann sich niemand mehr anmelden.`;
    case 'recovery-codes-replaced':
      return `Für Ihr Konto bei ${site} wurden neue Wiederherstellungscodes erstellt. Die alten gelten nicht mehr.`;
    case 'recovery-code-used':
      return `Bei Ihrem Konto bei ${site} hat sich jemand mit einem Wiederherstellungscode angemeldet.`;
  }
}

function recoveryCodesLeft(left: number): string {
  if (left === 0)
    return 'Es ist kein Wiederherstellungscode mehr übrig. Erstellen Sie neue auf Ihrer Sicherheitsseite.';
  return left === 1
    ? 'Es ist noch ein Wiederherstellungscode übrig.'
    : `Es sind noch ${left} Wiederherstellungscodes übrig.`;
}

const list = (names: readonly string[]): string => new Intl.ListFormat('de', { type: 'disjunction' }).format(names);
